"""What lies around an input: dilating, cropping and padding it in a mode, and the exact adjoint of that.

Where an element comes from is one index map for each axis, printed from the definition of the mode; gathering by it is
padding, scattering by it is the adjoint.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated import rules


def sources(geometry: Geometry, axis: int) -> NDArray[np.intp]:
    """Positions of the dilated input that the elements of the extended one come from, along a spatial axis."""
    before, after = geometry.padding[axis]
    first = max(-before, 0)
    size = geometry.extents[axis] - first - max(-after, 0)
    places = np.arange(-max(before, 0), size + max(after, 0))
    return first + rules.MODES[geometry.mode](places, size) if size > 0 else places[:0]


def extend(x: Array, geometry: Geometry) -> Array:
    """The input dilated, cropped and padded in the mode of `geometry`; spatial axes are the last ones."""
    x = dilate(x, geometry)
    for axis in range(geometry.rank):
        x = np.take(x, sources(geometry, axis), axis=axis - geometry.rank)
    return x


def fold_back(extended: Array, geometry: Geometry) -> Array:
    """The adjoint of `extend`: every element of the extended input is added to the one it came from."""
    for axis in range(geometry.rank):
        place = axis - geometry.rank
        moved = np.moveaxis(extended, place, 0)
        total = np.zeros((geometry.extents[axis], *moved.shape[1:]), extended.dtype)
        np.add.at(total, sources(geometry, axis), moved)
        extended = np.moveaxis(total, 0, place)
    return np.ascontiguousarray(extended[kept(geometry)])


def dilate(x: Array, geometry: Geometry) -> Array:
    """The input with zeros between its elements; itself where it is not dilated."""
    if not geometry.is_dilated:
        return x
    dilated = np.zeros((*x.shape[: -geometry.rank], *geometry.extents), x.dtype)
    dilated[kept(geometry)] = x
    return dilated


def kept(geometry: Geometry) -> tuple[Any, ...]:
    """The places of a dilated input that hold its elements."""
    return (..., *(slice(None, None, step) for step in geometry.input_dilation))
