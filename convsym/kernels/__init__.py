"""The compiled kernels: which level serves a call, and how the work of a call is cut into blocks.

A kernel adds one rule of the registry into its result. Its loops are numbered by owner items (the indices
that stand bare in the written access); each item is computed by one thread in one fixed order, so neither
the number of threads nor the size of the blocks changes a bit of the result.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from convsym.kernels import tables
from convsym.kernels.controller import register_threadpoolctl
from convsym.kernels.levels import door, in_use, load, using
from convsym.kernels.preparation import Array, prepared, signature
from convsym.kernels.report import config, show_config
from convsym.kernels.tables import Course, Driver
from convsym.kernels.threads import get_num_threads, guard_fork, set_num_threads

__all__ = [
    "ALIGNED",
    "config",
    "door",
    "drive",
    "get_num_threads",
    "in_use",
    "register_threadpoolctl",
    "run",
    "set_num_threads",
    "show_config",
    "small",
    "straight",
    "tables",
    "using",
]

# Multiply-adds of one thread in one block. Between blocks Python looks for signals, so this bounds the
# answer to Ctrl-C (2**23 take about 10 ms); a block costs 2 µs of its own.
BLOCK_WORK = 2**23
# Multiply-adds from which a team of threads pays: about 50 µs of one thread, when waking another takes 5 to 40 µs.
THREADED_WORK = 2**18
# The same as BLOCK_WORK for register tiles, which are some twenty times as fast; multiply-adds of tiles that are no
# more than one of a loop nest where teams are concerned, whose members mostly wait awake between the steps of a call;
# and those that take as long as moving one element.
TILED_WORK, TILED, MOVED = 2**28, 4, 8
# Bytes from which on a result starts a cache line: a vector that is stored across two lines takes twice as long.
ALIGNED = 2**14


def run(
    name: str,
    out: Array,
    operands: Mapping[str, Array],
    parameters: Mapping[str, int],
    threads: int | None = None,
) -> Array:
    """Add the value of a rule into `out`.

    Parameters
    ----------
    name : str
        A kernel of `KERNELS`, such as ``"conv2d_dx"``.
    out : ndarray
        Result of the kernel's rank, C-contiguous, aligned and of native byte order; the kernel adds into it. A
        convolution is computed in float32, float64 and all integers of 8 to 64 bits, which wrap modulo 2**n.
    operands : mapping of str to ndarray
        Operands of the same dtype and layout as `out`, by the names of the rule.
    parameters : mapping of str to int
        Scalar parameters, by the names of the rule.
    threads : int, optional
        Defaults to `get_num_threads()`.

    Returns
    -------
    ndarray
        `out`.

    Raises
    ------
    KernelError
        There is no such kernel, or it cannot compute with these arrays or parameters; a sentence says why.
    ValueError
        `out` is read-only, or arrays disagree in a size.
    """
    kernel = signature(name)
    arrays = [out, *(operands[key] for key in kernel.operands)]
    plan = prepared(in_use(), name, out.dtype.char, *[a.shape for a in arrays])
    arguments = plan.arguments(arrays, parameters)
    if plan.work == 0:  # nothing is added, but sizes that disagree are an error here too
        plan.compiled(*arguments, 0, 0, 1)
        return out
    team = _team(threads, plan.work, plan.items)
    step = max(team, team * BLOCK_WORK * plan.items // plan.work)
    for start in range(0, plan.items, step):
        plan.compiled(*arguments, start, min(start + step, plan.items), team)
    return out


def small(
    name: str,
    shapes: Sequence[tuple[int, ...]],
    public: tuple[tuple[int, ...], ...],
    dtype: np.dtype[Any],
    parameters: Mapping[str, int],
    watched: int = -1,
) -> Any:
    """The plan of a call that one thread does in one block, for the door of small calls; None for a longer one.

    Parameters
    ----------
    name : str
        A kernel of `KERNELS` with two operands.
    shapes : sequence of tuple
        Shapes of the result and the operands, as the kernel takes them.
    public : tuple of tuple
        The same as the caller has them.
    dtype : dtype
    parameters : mapping of str to int
    watched : int
        Operand that must be finite, 0 or 1; -1 for none.

    Returns
    -------
    Plan or None
    """
    made = prepared(in_use(), name, dtype.char, *shapes)
    if not 0 < made.work < THREADED_WORK:
        return None
    return door().Plan(made.entry, made.numbers(parameters), public, dtype, watched, made.work)


def straight(
    course: Course,
    operands: tuple[str, str],
    public: tuple[tuple[int, ...], ...],
    dtype: np.dtype[Any],
    flat: tuple[int, int, int] | None,
) -> Any:
    """A course for the door of repeated calls; None for one that takes so long that Python looks for signals meanwhile.

    Parameters
    ----------
    course : Course
    operands : tuple of str
        Their names, in the order of a call.
    public : tuple of tuple
        Shapes of the result and the operands as the caller has them.
    dtype : dtype
        float32 or float64.
    flat : tuple of int, optional
        Samples, channels and positions of a result that a bias may be added to.

    Returns
    -------
    Steps or None
    """
    entries, item = load(in_use()).TILES, dtype.itemsize
    places = {name: place for place, name in enumerate(("out", *operands, "room"))}
    if len(course.steps) > door().MOST_STEPS or sum(step.work for step in course.steps) > TILED_WORK:
        return None
    steps = tuple(
        (
            entries[f"{step.driver.name}_{'f32' if dtype.char == 'f' else 'f64'}"],
            step.driver.table,
            step.driver.jobs * step.samples,
            step.work,
            tuple((places[name], first * item) for name, first in step.arrays),
        )
        for step in course.steps
    )
    watched = -1 if course.watched is None else places[course.watched]
    memory = course.room * item, course.each * item, course.zeros * item, course.cleared, watched
    bias = None
    if flat is not None:
        made = prepared(in_use(), "bias_y", dtype.char, flat, flat[1:2])
        bias = made.entry, made.numbers({}), flat[1]
    return door().Steps(steps, public, dtype, *memory, _threads, THREADED_WORK * TILED, ALIGNED, bias)


def _threads() -> int:
    """How many threads a call may have that has work for them."""
    threads = get_num_threads()
    if threads > 1:
        guard_fork()
    return threads


def _team(threads: int | None, work: int, items: int) -> int:
    """Number of threads for a call: one where a team would cost more than it saves."""
    if work < THREADED_WORK:
        return 1
    threads = get_num_threads() if threads is None else threads
    if threads == 1:
        return 1
    guard_fork()
    return min(threads, items)


def drive(
    driver: Driver, arrays: Sequence[Array | None], samples: int, work: int, char: str, threads: int | None = None
) -> None:
    """Run the jobs of a tile driver.

    Parameters
    ----------
    driver : Driver
    arrays : sequence of ndarray
        Flat; the result first.
    samples : int
        How often its jobs are there.
    work : int
        Multiply-adds of all jobs.
    char : {"f", "d"}
    threads : int, optional
        As many as `arrays` have room for. Defaults to `get_num_threads()`.
    """
    compiled = _compiled(in_use(), driver.name, char)
    jobs = driver.jobs * samples
    if work < THREADED_WORK * TILED:  # one thread and one block: nothing is asked, for small layers are called often
        compiled(*arrays, driver.table, 0, jobs, 1)
        return
    team = _team(threads, work // TILED, jobs)
    step = max(team, team * TILED_WORK * jobs // max(work, 1))
    for start in range(0, jobs, step):
        compiled(*arrays, driver.table, start, min(start + step, jobs), team)


@lru_cache(maxsize=256)
def _compiled(level: str, name: str, char: str) -> Callable[..., None]:
    """The driver of a name for a dtype."""
    found: Callable[..., None] = getattr(load(level), f"{name}_{'f32' if char == 'f' else 'f64'}")
    return found
