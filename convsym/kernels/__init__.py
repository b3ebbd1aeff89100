"""The compiled kernels: which level serves a call, and how the work of a call is cut into blocks.

A kernel adds one rule of the registry into its result. Its loops are numbered by owner items (the indices
that stand bare in the written access); each item is computed by one thread in one fixed order, so neither
the number of threads nor the size of the blocks changes a bit of the result.
"""

from math import prod

from convsym.kernels._generated.rules import KERNELS
from convsym.kernels.levels import in_use, load, using
from convsym.kernels.report import config, show_config
from convsym.kernels.threads import get_num_threads, guard_fork, set_num_threads

__all__ = ["config", "get_num_threads", "in_use", "run", "set_num_threads", "show_config", "using"]

# Multiply-adds of one thread in one block. Between blocks Python looks for signals, so this bounds the
# answer to Ctrl-C (2**23 take about 10 ms); a block costs 2 µs of its own.
BLOCK_WORK = 2**23
# Multiply-adds from which a team of threads pays.
THREADED_WORK = 2**16
_SUFFIX = {"f": "f32", "d": "f64"}  # by the character of the dtype


def run(name, out, operands, parameters, threads=None):
    """Add the value of a rule into `out`.

    Parameters
    ----------
    name : str
        A kernel of `KERNELS`, such as ``"conv2d_dx"``.
    out : ndarray
        C-contiguous result of the kernel's rank; the kernel adds into it.
    operands : mapping of str to ndarray
        C-contiguous operands of the same dtype as `out`, by the names of the rule.
    parameters : mapping of str to int
        Scalar parameters, by the names of the rule.
    threads : int, optional
        Defaults to `get_num_threads()`.

    Returns
    -------
    ndarray
        `out`.
    """
    kernel = KERNELS[name]
    compiled = getattr(load(in_use()), f"{name}_{_SUFFIX[out.dtype.char]}")
    shapes = {kernel.result: out.shape, **{key: operands[key].shape for key in kernel.operands}}
    items = prod([out.shape[axis] for axis in kernel.owners])
    work = prod([shapes[array][axis] for array, axis in kernel.extents])
    if work == 0:
        return out
    arguments = [
        out,
        *(operands[key] for key in kernel.operands),
        *(parameters[key] for key in kernel.parameters),
    ]
    team = _team(get_num_threads() if threads is None else threads, work, items)
    step = max(team, team * BLOCK_WORK * items // work)
    for start in range(0, items, step):
        compiled(*arguments, start, min(start + step, items), team)
    return out


def _team(threads, work, items):
    """Number of threads for a call: one where a team would cost more than it saves."""
    if threads == 1 or work < THREADED_WORK:
        return 1
    guard_fork()
    return min(threads, items)
