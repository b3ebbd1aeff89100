"""The compiled kernels: which level serves a call, and how the work of a call is cut into blocks.

A kernel adds one rule of the registry into its result. Its loops are numbered by owner items (the indices
that stand bare in the written access); each item is computed by one thread in one fixed order, so neither
the number of threads nor the size of the blocks changes a bit of the result.
"""

from functools import lru_cache
from math import prod

from convsym.kernels._generated.rules import KERNELS, TILE
from convsym.kernels.levels import door, in_use, load, using
from convsym.kernels.report import config, show_config
from convsym.kernels.threads import get_num_threads, guard_fork, set_num_threads

__all__ = ["config", "door", "get_num_threads", "in_use", "run", "set_num_threads", "show_config", "using"]

# Multiply-adds of one thread in one block. Between blocks Python looks for signals, so this bounds the
# answer to Ctrl-C (2**23 take about 10 ms); a block costs 2 µs of its own.
BLOCK_WORK = 2**23
# Multiply-adds from which a team of threads pays: about 50 µs of one thread, when waking another takes 5 to 40 µs.
THREADED_WORK = 2**18
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
    arrays = [operands[key] for key in kernel.operands]
    compiled, items, work = _prepared(in_use(), name, out.dtype.char, out.shape, *[a.shape for a in arrays])
    if work == 0:
        return out
    team = _team(get_num_threads() if threads is None else threads, work, items)
    step = max(team, team * BLOCK_WORK * items // work)
    scalars = [parameters[key] for key in kernel.parameters]
    for start in range(0, items, step):
        compiled(out, *arrays, *scalars, start, min(start + step, items), team)
    return out


def small(name, shapes, char, parameters):
    """The compiled function and its last arguments for a call that one thread does in one block; None for others.

    Parameters
    ----------
    name : str
        A kernel of `KERNELS`.
    shapes : sequence of tuple
        Shapes of the result and the operands.
    char : str
        Character of the dtype.
    parameters : mapping of str to int

    Returns
    -------
    tuple or None
        The function, and the arguments that follow the arrays.
    """
    compiled, items, work = _prepared(in_use(), name, char, *shapes)
    if not 0 < work < THREADED_WORK:
        return None
    return compiled, (*(parameters[key] for key in KERNELS[name].parameters), 0, items, 1)


@lru_cache(maxsize=1024)
def _prepared(level, name, char, *shapes):
    """The compiled function of a level, the number of owner items and of multiply-adds; shapes of the result first."""
    kernel = KERNELS[name]
    shape_of = dict(zip((kernel.result, *kernel.operands), shapes, strict=True))
    items = prod(shape_of[kernel.result][axis] for axis in kernel.owners)
    if kernel.tiled is not None:
        items *= -(-shape_of[kernel.result][kernel.tiled] // TILE)
    work = prod(shape_of[array][axis] for array, axis in kernel.extents)
    return getattr(load(level), f"{name}_{_SUFFIX[char]}"), items, work


def _team(threads, work, items):
    """Number of threads for a call: one where a team would cost more than it saves."""
    if threads == 1 or work < THREADED_WORK:
        return 1
    guard_fork()
    return min(threads, items)
