"""Memory for what a call makes on its way, kept by each thread for its next call.

New memory is cleared page by page when it is first touched, which takes as long as work on it: transformed weights of
2 MB took 0.36 ms in new memory and 0.22 ms in kept memory. Large pieces lie in large pages where the system has them.
"""

import threading
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from convsym.gate import Array
from convsym.kernels import ALIGNED

LINE = 64  # bytes of a cache line
# Bytes that a thread keeps, at most, and that are asked for at least: NumPy asks for large pages from 4 MB on.
MOST, LEAST = 2**26, 2**23

_BYTES = np.dtype(np.uint8)

# glibc takes the size of what is freed as the size from which memory comes from the system, up to 32 MB.
SETTLED = 31 * 2**20


def settle() -> None:
    """Let the C library keep memory that is freed, for the arrays that come next.

    glibc gives large pieces back to the system and asks for new ones, until a larger one has been freed. A step of
    training makes and frees the same arrays again and again: that of a small network took 9.0 ms before and 6.4 after.
    """
    np.empty(SETTLED, np.uint8)


class _Kept(threading.local):
    room: Array | None = None  # its first element starts a cache line


_kept = _Kept()


def lines(count: int) -> int:
    """So many bytes or elements rounded up, so that rooms of this size side by side share no cache line."""
    return -(-count // LINE) * LINE


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array of its own, not cleared, whose first element starts a cache line unless it is a small one."""
    count, item = prod(shape), dtype.itemsize
    if count * item < ALIGNED or LINE % item:
        return np.empty(shape, dtype)
    room = np.empty(count + LINE // item, dtype)
    start = -room.__array_interface__["data"][0] % LINE // item
    return room[start : start + count].reshape(shape)


class borrowed:
    """Arrays of so many elements, whose first elements start cache lines: a vector of lanes lies in one line.

    Parameters
    ----------
    sizes : sequence of int
    dtype : dtype

    Returns
    -------
    context manager
        Of a list of ndarray, not cleared, and another call's after the block.
    """

    __slots__ = ("_dtype", "_kept", "_room", "_sizes")

    def __init__(self, sizes: Sequence[int], dtype: np.dtype[Any]) -> None:
        self._sizes, self._dtype = sizes, dtype

    def __enter__(self) -> list[Array]:
        item, start, arrays = self._dtype.itemsize, 0, []
        spans = [lines(size * item) for size in self._sizes]
        self._kept = room = _kept.room
        _kept.room = None  # a call within this one finds nothing and gets its own
        if room is None or room.size < sum(spans):
            room = aligned((max(sum(spans), LEAST),), _BYTES)
        for size, span in zip(self._sizes, spans, strict=True):
            arrays.append(room[start : start + size * item].view(self._dtype))
            start += span
        self._room = room
        return arrays

    def __exit__(self, *exception: object) -> None:
        _kept.room = self._room if self._room.size <= MOST else self._kept
