"""Calls in little memory whose channels do not see each other: what a call over windows takes beside its arguments and
its result, and the slices of batch and channels that a call is made in where that is too much. They have the same bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from convsym import channelwise, memory
from convsym.gate import Array, sum_dtype
from convsym.geometry import Geometry
from convsym.plans import extending


@dataclass(frozen=True)
class Needs:
    """Bytes that a call takes beside its arguments and its result, at most.

    Attributes
    ----------
    once : int
        However many samples and channels there are.
    each : int
        For each channel of each sample.
    made : int
        Of its result, for each channel of each sample.
    """

    once: int
    each: int
    made: int


def laying_out(geometry: Geometry, dtype: np.dtype[Any]) -> Needs:
    """What `sliding.lay_out` needs."""
    made = prod(geometry.kernel) * prod(geometry.outputs) * dtype.itemsize
    return Needs(*_extension(geometry, dtype), made)


def putting_back(geometry: Geometry, dtype: np.dtype[Any]) -> Needs:
    """What `sliding.put_back` needs, with windows of half precision widened for it and its result narrowed."""
    wide = sum_dtype(dtype)
    once, each = _extension(geometry, wide)
    windows = prod(geometry.kernel) * prod(geometry.outputs)
    copies = (windows + prod(geometry.inputs)) * wide.itemsize if wide != dtype else 0
    return Needs(once + _buffers(wide), each + copies, prod(geometry.inputs) * dtype.itemsize)


def averaging(geometry: Geometry, dtype: np.dtype[Any]) -> Needs:
    """What the means of windows need: sums by tiles or axis after axis, the counts, and the quotient."""
    return _means(geometry, "y", dtype, prod(geometry.inputs), prod(geometry.outputs))


def sharing(geometry: Geometry, dtype: np.dtype[Any]) -> Needs:
    """What the adjoint of the means of windows needs."""
    return _means(geometry, "dx", dtype, prod(geometry.outputs), prod(geometry.inputs))


def in_slices(work: Callable[[Array], Array], array: Array, leading: int, needs: Needs) -> Array:
    """The work on an array, made slice by slice of its first axes where the whole takes too much workspace.

    Parameters
    ----------
    work : function of an array
        What it makes has the same leading axes, whose elements do not see each other.
    array : ndarray
    leading : int
        Number of axes for samples and channels.
    needs : Needs

    Raises
    ------
    MemoryError
        One channel of one sample takes too much; nothing has been computed then.
    """
    count = prod(array.shape[:leading])
    needed = needs.once + count * needs.each
    if not memory.exceeds(needed):
        return work(array)
    limit, alone = memory.get_memory_limit(), needs.each + needs.made
    if count < 2 or needs.once + alone > limit:
        raise MemoryError(
            f"this call needs {needs.once + needs.each:,} bytes for each channel beside its arguments and its result, "
            f"and the memory limit is {limit:,}; raise it with convsym.set_memory_limit, or give contiguous arrays and "
            "less padding"
        )
    room = (limit - needs.once) // alone
    value = None
    for place in _places(array.shape[:leading], room):
        part = work(array[place])
        if value is None:
            value = np.empty((*array.shape[:leading], *part.shape[leading:]), part.dtype)
        value[place] = part
        del part  # it would be there while the next one is made
    assert value is not None  # there are two at least
    return value


def _places(shape: tuple[int, ...], room: int) -> list[tuple[slice, ...]]:
    """Slices of leading axes with at most `room` elements each: of the first axis, or of one of its elements each."""
    inner = prod(shape[1:])
    if inner <= room:
        return [(slice(start, start + room // inner),) for start in range(0, shape[0], room // inner)]
    return [
        (slice(first, first + 1), *rest) for first in range(shape[0]) for rest in _places(shape[1:], room)
    ]


def _means(geometry: Geometry, result: str, dtype: np.dtype[Any], read: int, made: int) -> Needs:
    """Needs of means or of their adjoint, whose arrays have `read` elements and `made` elements for each channel."""
    wide = sum_dtype(dtype)
    inner = geometry.on_extended() if geometry.mode != "zeros" else geometry
    once, each = _extension(geometry, wide)
    quotient = prod(geometry.outputs)
    stages = extending(inner.inputs, geometry.outputs) + quotient
    widened = read + made if wide != dtype else 0
    room, share = channelwise.workspace(inner, result, wide)
    once += room * wide.itemsize
    once += _buffers(wide) + quotient * (2 * np.dtype(np.int64).itemsize + wide.itemsize)  # with the counts
    return Needs(once, each + (stages + widened + share) * wide.itemsize, made * dtype.itemsize)


def _extension(geometry: Geometry, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Bytes to extend an input in its mode, or to fold one back: once, and for each channel of each sample."""
    if geometry.mode == "zeros":
        return 0, 0
    after = geometry.on_extended().inputs
    return 8 * max(after) * np.dtype(np.intp).itemsize, extending(geometry.extents, after) * dtype.itemsize


def _buffers(dtype: np.dtype[Any]) -> int:
    """Bytes that NumPy puts aside to add arrays whose elements lie apart: for two operands and the result."""
    return 3 * np.getbufsize() * dtype.itemsize
