"""How much memory a call may take beside its arguments and its result."""

import os
from pathlib import Path

from convsym import arguments
from convsym.kernels import levels

# A share of the memory that is free: a call should not drive other programs out of theirs.
SHARE = 4
# Workspace that needs no look at the free memory, which takes longer than a small call.
SMALL = 2**24
_limit: int | None = None


def set_memory_limit(limit: int | None) -> None:
    """Set how many bytes of workspace a call may use.

    A call that needs more computes in slices of the batch or the groups, one over windows (`unfold`, `fold`, average
    pooling) in slices of the batch or the channels; where one slice needs more still, it is a MemoryError before
    anything is computed. Results are the same bit for bit.

    Parameters
    ----------
    limit : int or None
        Bytes, at least 0; None stands for a quarter of the memory that is free when a call is made.

    Raises
    ------
    TypeError, ShapeError
        `limit` is no integer, or negative.

    Examples
    --------
    >>> import convsym
    >>> convsym.set_memory_limit(2**30)
    >>> convsym.get_memory_limit()
    1073741824
    >>> convsym.set_memory_limit(None)
    """
    global _limit
    _limit = None if limit is None else arguments.integer(limit, "limit", 0)
    if levels.built():
        levels.door().forget()  # it has been asked whether calls take too much


def get_memory_limit() -> int:
    """The number of bytes of workspace that a call may use now.

    Returns
    -------
    int
        What `set_memory_limit` was given, or a quarter of the memory that is free.

    Examples
    --------
    >>> import convsym
    >>> convsym.get_memory_limit() > 0
    True
    """
    return _free() // SHARE if _limit is None else _limit


def exceeds(needed: int) -> bool:
    """Whether a call that needs so many bytes of workspace may not be made in one piece."""
    return needed > (SMALL if _limit is None else _limit) and needed > get_memory_limit()


def _free() -> int:
    """Bytes of memory that are free or can be freed at once."""
    table = Path("/proc/meminfo")
    if table.exists():
        for line in table.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 2**33  # unknown: large enough for all but the largest calls
