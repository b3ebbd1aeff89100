"""How many threads a kernel may use.

The default is what this process may really run on: its CPU affinity, the quota of its control group, and
`OMP_NUM_THREADS` if that is smaller. After a fork the child has one thread: the OpenMP runtime of gcc
deadlocks in a child whose parent has used it with several.
"""

import os
from functools import cache
from operator import index
from pathlib import Path
from typing import SupportsIndex

from convsym.kernels.levels import build_record

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_asked: int | None = None
_in_forked_child = False


def get_num_threads() -> int:
    """Number of threads that long calls use.

    Returns
    -------
    int
        What `set_num_threads` was given, else the number of CPUs this process may use. Always 1 in a build
        without OpenMP, and in a process forked after the first call that used threads.

    Examples
    --------
    >>> import convsym
    >>> convsym.get_num_threads() >= 1
    True
    """
    if _in_forked_child or not build_record()["openmp"]:
        return 1
    return _asked or default_count()


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
    if count is None:
        _asked = None
        return
    try:
        wanted = index(count)
    except TypeError:
        raise TypeError(
            f"count is {count!r}, and a number of threads is an integer of at least 1, or None"
        ) from None
    if isinstance(count, bool) or wanted < 1:
        raise ValueError(f"count is {count!r}, and a number of threads is an integer of at least 1, or None")
    _asked = wanted


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
