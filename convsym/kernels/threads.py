"""How many threads a kernel may use.

The default is what this process may really run on: its CPU affinity, the quota of its control group, and
`OMP_NUM_THREADS` if that is smaller. `set_num_threads` changes it for the process, `threads` for a block of code. What
threadpoolctl sets is a limit to all of these. After a fork the child has one thread: the OpenMP runtime of gcc
deadlocks in a child whose parent has used it with several.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache
from operator import index
from pathlib import Path
from threading import Thread
from typing import SupportsIndex

from convsym.kernels.levels import build_record, load

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_asked: int | None = None
_within: ContextVar[int | None] = ContextVar("convsym_threads", default=None)
# The limit that threadpoolctl has set, and what it will set again when the limit ends.
_limit: ContextVar[tuple[int, int] | None] = ContextVar("convsym_thread_limit", default=None)
_in_forked_child = False


def get_num_threads() -> int:
    """Number of threads that long calls use.

    Returns
    -------
    int
        What the innermost `threads` around the call or else `set_num_threads` was given, else the number of CPUs this
        process may use; but no more than threadpoolctl, or whoever else sets the number of threads of the OpenMP
        runtime, allows the calling thread. Always 1 in a build without OpenMP, and in a process forked after the first
        call that used threads.

    Examples
    --------
    >>> import convsym
    >>> convsym.get_num_threads() >= 1
    True
    """
    if _in_forked_child or not build_record()["openmp"]:
        return 1
    count, limit = _within.get() or _asked or default_count(), _limit.get()
    if limit is not None and limit[0] < count:
        count = limit[0]
    openmp: int = load("plain").openmp_threads()  # of the calling thread, lowered by whoever else
    return min(count, openmp) if openmp < _openmp_default() else count


def set_num_threads(count: SupportsIndex | None) -> None:
    """Set the number of threads that long calls use. Results are the same bits for any number.

    Parameters
    ----------
    count : int or None
        At least 1; None brings back the default. A build without OpenMP stays with one thread.

    Raises
    ------
    TypeError
        When `count` is not an integer.
    ValueError
        When `count` is less than 1.

    Examples
    --------
    >>> import convsym
    >>> convsym.set_num_threads(1)
    >>> convsym.get_num_threads()
    1
    >>> convsym.set_num_threads(None)
    """
    global _asked
    _asked = _checked(count)


def threads(count: SupportsIndex | None) -> AbstractContextManager[None]:
    """A number of threads for the calls of a block: ``with convsym.threads(n): …``.

    It holds in the context (`contextvars`) that enters it: in this thread or asyncio task and those that it awaits, not
    in others. Blocks may be nested; the innermost counts, and what was before comes back at its end, also after an
    exception. Results are the same bits for any number.

    Parameters
    ----------
    count : int or None
        At least 1; None is the number outside of all blocks.

    Returns
    -------
    context manager
        Also a decorator of functions.

    Raises
    ------
    TypeError, ValueError
        As `set_num_threads`.

    Examples
    --------
    >>> import convsym
    >>> with convsym.threads(1):
    ...     convsym.get_num_threads()
    1
    """
    return _block(_checked(count))


@contextmanager
def _block(count: int | None) -> Iterator[None]:
    token = _within.set(count)
    try:
        yield
    finally:
        _within.reset(token)


def _checked(count: SupportsIndex | None) -> int | None:
    if count is None:
        return None
    try:
        wanted = index(count)
    except TypeError:
        raise TypeError(
            f"count is {count!r}, and a number of threads is an integer of at least 1, or None"
        ) from None
    if isinstance(count, bool) or wanted < 1:
        raise ValueError(f"count is {count!r}, and a number of threads is an integer of at least 1, or None")
    return wanted


def limit(count: int) -> None:
    """Limit the threads of calls in this context, as threadpoolctl asks; the number before the limit ends it."""
    now = _limit.get()
    before = get_num_threads() if now is None else now[1]
    _limit.set((count, before) if count < before else None)


@cache
def _openmp_default() -> int:
    """Threads that the OpenMP runtime uses where nobody has said a number: asked in a thread where nobody can have."""
    found: list[int] = []
    asking = Thread(target=lambda: found.append(load("plain").openmp_threads()))
    asking.start()
    asking.join()
    return found[0]


@cache
def default_count() -> int:
    """CPUs of this process: affinity, control group quota and OMP_NUM_THREADS, whichever is smallest."""
    affinity = getattr(os, "sched_getaffinity", None)
    counts = [len(affinity(0)) if affinity else os.cpu_count() or 1, _quota(), _openmp_wish()]
    return max(1, min(count for count in counts if count is not None))


def _quota() -> int | None:
    """CPUs the control group grants, rounded up; None where there is no quota."""
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else -(-int(quota) // int(period))


def _openmp_wish() -> int | None:
    """First number of OMP_NUM_THREADS; None where it is absent or no number, as the OpenMP runtimes do."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdigit() and int(first) > 0 else None


@cache
def guard_fork() -> None:
    """See to it that children forked from now on stay with one thread. Called before the first threaded
    kernel."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_enter_child)


def _enter_child() -> None:
    global _in_forked_child
    _in_forked_child = True
