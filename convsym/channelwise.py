"""Sums of windows by tiles whose lanes are channels: every channel of every sample is a group of its own, with ones for
weights.

Which path is taken, and in which order is added, depends on the spatial sizes and the dtype alone.
"""

from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from convsym import depthwise, gate, kernels, sums
from convsym.gate import Array
from convsym.geometry import Geometry

# Elements of a window up to which adding them at once is faster than one axis after the other.
ELEMENTS = 32


def serves(geometry: Geometry, result: str, array: Array) -> bool:
    """Whether the windows of an array are summed here: they are many and small, and there is room for lanes of them.

    Parameters
    ----------
    geometry : Geometry
        Of windows over each channel, with zero padding.
    result : {"y", "dx"}
        The sums, or the adjoint.
    array : ndarray
        What is read, (…, i0, …) or (…, o0, …).
    """
    if array.dtype.char not in "fd" or not array.size:
        return False
    return _serves(geometry, result, array.dtype.char, kernels.in_use())


@lru_cache(maxsize=1024)
def _serves(geometry: Geometry, result: str, char: str, level: str) -> bool:
    # Windows of which there are few for their size are summed by halves, which is more exact.
    few = any(count < size for count, size in zip(geometry.outputs, geometry.kernel, strict=True))
    # A last window that hangs over reads nothing where the input is cropped.
    cropped = any(after < 0 for _, after in geometry.padding)
    if few or cropped or prod(geometry.kernel) > ELEMENTS:
        return False
    lanes = kernels.tables.shapes(level).lanes[char]
    filled = _grouped(geometry, 1, lanes)
    return sums.can_be_tiled(filled, result) and depthwise.fits(filled, result, char, level)


def workspace(geometry: Geometry, result: str, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Elements that the work takes beside what is read and made: once, and for each channel of each sample.

    Both are 0 where `serves` says no.
    """
    level = kernels.in_use()
    if dtype.char not in "fd" or not _serves(geometry, result, dtype.char, level):
        return 0, 0
    lanes = kernels.tables.shapes(level).lanes[dtype.char]
    filled = _grouped(geometry, 1, lanes)
    read = prod(geometry.inputs if result == "y" else geometry.outputs)
    own = read + prod(geometry.kernel)  # a copy whose elements lie together, and the ones
    made = prod(geometry.outputs if result == "y" else geometry.inputs)
    return lanes * (own + made) + depthwise.room(filled, result, dtype.char, level), own


@lru_cache(maxsize=1024)
def _grouped(geometry: Geometry, batch: int, groups: int) -> Geometry:
    """The windows over so many samples of so many groups of one channel."""
    return replace(geometry, batched=True, batch=batch, groups=groups, channels=(1, 1))


def run(geometry: Geometry, result: str, array: Array) -> Array:
    """The sum of each window, or the number of each window added to all its elements.

    Parameters
    ----------
    geometry, result, array
        As `serves` takes them.

    Returns
    -------
    ndarray
        With the leading axes of `array`.
    """
    lead, lanes = array.shape[: -geometry.rank], kernels.tables.shapes(kernels.in_use()).lanes[array.dtype.char]
    batch, channels = prod(lead[:-1]), lead[-1]
    read, made = ("x", geometry.outputs) if result == "y" else ("dy", geometry.inputs)
    if channels < lanes:  # channels of several samples fill them, and nothing what is left
        batch, channels = 1, max(batch * channels, lanes)
    own = _grouped(geometry, batch, channels)
    given = gate.layout(array)
    if given.size < prod(own.shapes[read]):
        given = np.zeros(own.shapes[read], array.dtype)
        given.reshape(-1)[: array.size] = array.reshape(-1)
    out = np.empty(own.shapes[result], array.dtype)
    depthwise.run(own, result, {read: given, "w": np.ones(own.shapes["w"], array.dtype)}, out)
    return out.reshape(-1)[: prod(lead) * prod(made)].reshape(*lead, *made)
