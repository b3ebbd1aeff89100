"""Sliding windows by slices: what one tap of a window reads, in all windows at once, is one strided slice.

The bounds of these slices come from the index relation of a convolution, by the generated rules. Copying along them
lays windows out, adding along them averages; exchanging the two sides is the exact adjoint.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from math import prod
from typing import Any

import numpy as np

from convsym import arguments, channelwise, margins
from convsym.arguments import Parameters
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.kernels._generated import rules
from convsym.meaning import check_rank, resolve

# Sums of numbers that are not finite, or too large, are what they are, as in the compiled loops: no warning.
_QUIET = np.errstate(over="ignore", invalid="ignore")


@dataclass(frozen=True)
class Tap:
    """One tap of the windows along one axis, wherever it lies inside of the input.

    Attributes
    ----------
    tap : int
    outputs : slice
        The windows whose tap lies inside.
    reads : slice
        The elements of the input that it meets there.
    """

    tap: int
    outputs: slice
    reads: slice


def resolve_windows(
    rank: int, shape: Shape, kernel_size: object, parameters: Parameters, op: str, name: str
) -> Geometry:
    """The `Geometry` of windows that slide over each channel of an array.

    Parameters
    ----------
    rank : int
        Number of spatial axes.
    shape : tuple of int
        (N, C, i0, …) or (C, i0, …).
    kernel_size : int or tuple of int
    parameters : Parameters
    op, name : str
        What the caller calls the work and the array, for messages.

    Raises
    ------
    TypeError, ShapeError
        A sentence about the argument that is wrong.
    """
    kernel = arguments.per_axis(kernel_size, rank, "kernel_size", 1)
    check_rank(rank, shape, name, op)
    return resolve(rank, shape, (1, shape[-rank - 1], *kernel), parameters, (name, "kernel_size"))


def taps(geometry: Geometry, axis: int) -> Iterator[Tap]:
    """The taps of one axis that lie inside of the input in some window."""
    own = geometry.stride[axis], geometry.dilation[axis], geometry.padding[axis][0]
    size = geometry.inputs[axis] + min(geometry.padding[axis][1], 0)  # a window that hangs over reads nothing cropped
    for tap in range(geometry.kernel[axis]):
        first = max(0, rules.first_output(tap, *own))
        end = min(geometry.outputs[axis], rules.end_output(size, tap, *own))
        if first < end:
            start, last = rules.read(first, tap, *own), rules.read(end - 1, tap, *own)
            yield Tap(tap, slice(first, end), slice(start, last + 1, geometry.stride[axis]))


def windows(geometry: Geometry, axis: int) -> Iterator[tuple[slice, slice]]:
    """Each window of one axis that holds elements of the input, and these: taps with the two indices exchanged."""
    turned = replace(
        geometry,
        kernel=geometry.outputs,
        outputs=geometry.kernel,
        stride=geometry.dilation,
        dilation=geometry.stride,
    )
    for window in taps(turned, axis):
        yield slice(window.tap, window.tap + 1), window.reads


def laid_out_shape(geometry: Geometry) -> Shape:
    """Shape of the windows as columns: (N, C*taps, windows), or without the batch axis."""
    *batch, channels = geometry.public_shapes["x"][: -geometry.rank]
    return (*batch, channels * prod(geometry.kernel), prod(geometry.outputs))


def lay_out(x: Array, geometry: Geometry) -> Array:
    """The windows of an array (…, i0, …) side by side: (…, r0, …, o0, …); what they read outside is 0."""
    x, geometry = _extended(x, geometry)
    value = np.zeros((*x.shape[: -geometry.rank], *geometry.kernel, *geometry.outputs), x.dtype)
    for place, reads in _blocks(geometry):
        value[place] = x[reads]
    return value


@_QUIET
def put_back(windows: Array, geometry: Geometry) -> Array:
    """The adjoint of `lay_out`: every element of the windows is added to the one it was read from."""
    inner = _inner(geometry)
    total = np.zeros((*windows.shape[: -2 * geometry.rank], *inner.inputs), windows.dtype)
    for place, reads in _blocks(inner):
        total[reads] += windows[place]
    return _folded(total, geometry)


@_QUIET
def sums(x: Array, geometry: Geometry) -> Array:
    """The sum of each window of an array (…, i0, …), by tiles or one axis after the other: (…, o0, …).

    What is added in which order depends on the spatial sizes and the dtype alone.
    """
    x, geometry = _extended(x, geometry)
    if channelwise.serves(geometry, "y", x):
        return channelwise.run(geometry, "y", x)
    for axis, size in enumerate(geometry.outputs):
        total = _zeros(x, axis - geometry.rank, size)
        if size < geometry.kernel[axis]:
            for window, reads in windows(geometry, axis):
                total[_at(geometry, axis, window)] = _halved(x[_at(geometry, axis, reads)], geometry, axis)
        else:
            for tap in taps(geometry, axis):
                total[_at(geometry, axis, tap.outputs)] += x[_at(geometry, axis, tap.reads)]
        x = total
    return x


def counts(geometry: Geometry) -> Array:
    """How many elements of the input each window holds, (o0, …): the product of what it holds along each axis."""
    return reduce(np.multiply.outer, (_count(geometry, axis) for axis in range(geometry.rank)))


@_QUIET
def spread(dy: Array, geometry: Geometry) -> Array:
    """The adjoint of `sums`: the number of each window is added to all its elements."""
    inner = _inner(geometry)
    if channelwise.serves(inner, "dx", dy):
        return _folded(channelwise.run(inner, "dx", dy), geometry)
    for axis, size in enumerate(inner.inputs):
        total = _zeros(dy, axis - inner.rank, size)
        if inner.outputs[axis] < inner.kernel[axis]:
            for window, reads in windows(inner, axis):
                total[_at(inner, axis, reads)] += dy[_at(inner, axis, window)]
        else:
            for tap in taps(inner, axis):
                total[_at(inner, axis, tap.reads)] += dy[_at(inner, axis, tap.outputs)]
        dy = total
    return _folded(dy, geometry)


def _count(geometry: Geometry, axis: int) -> Array:
    """How many elements each window holds along one axis."""
    size = geometry.outputs[axis]
    total = np.zeros(size, np.int64)
    if size < geometry.kernel[axis]:
        for window, reads in windows(geometry, axis):
            total[window] = len(range(*reads.indices(geometry.inputs[axis])))
    else:
        for tap in taps(geometry, axis):
            total[tap.outputs] += 1
    return total


def _halved(x: Array, geometry: Geometry, axis: int) -> Array:
    """The sum along one axis, kept as an axis of size 1, by adding halves: in an order that no layout changes."""
    while (size := x.shape[axis - geometry.rank]) > 1:
        half = size // 2
        front, back = (x[_at(geometry, axis, part)] for part in (slice(half), slice(half, 2 * half)))
        rest = x[_at(geometry, axis, slice(2 * half, size))]
        x = np.concatenate((front + back, rest), axis - geometry.rank)
    return x


def _zeros(array: Array, axis: int, size: int) -> Array:
    """Zeros of an array's shape and dtype, but `size` of them along an axis."""
    shape = list(array.shape)
    shape[axis] = size
    return np.zeros(shape, array.dtype)


def _at(geometry: Geometry, axis: int, part: slice) -> tuple[Any, ...]:
    """A part of one spatial axis, all of the others."""
    return (..., part, *(slice(None),) * (geometry.rank - 1 - axis))


def _blocks(geometry: Geometry) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """For each tap of all axes: its place among the windows, and the slices it reads."""
    for combination in product(*(tuple(taps(geometry, axis)) for axis in range(geometry.rank))):
        place = (*(tap.tap for tap in combination), *(tap.outputs for tap in combination))
        yield (..., *place), (..., *(tap.reads for tap in combination))


def _inner(geometry: Geometry) -> Geometry:
    return geometry if geometry.mode == "zeros" else geometry.on_extended()


def _extended(x: Array, geometry: Geometry) -> tuple[Array, Geometry]:
    """The padding mode taken away: copies of its own elements around the array."""
    return (x if geometry.mode == "zeros" else margins.extend(x, geometry)), _inner(geometry)


def _folded(total: Array, geometry: Geometry) -> Array:
    """The adjoint of that."""
    return total if geometry.mode == "zeros" else margins.fold_back(total, geometry)
