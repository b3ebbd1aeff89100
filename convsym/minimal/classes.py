"""The dilation taken away: outputs d apart see inputs d apart, so each residue class is a convolution without dilation.

All classes together are one convolution with d times as many samples along each axis, on copies with their zeros around
them; what lies behind the last output of a class is left out again.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from math import ceil, prod
from typing import Any

import numpy as np

from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated import rules


def dilated(geometry: Geometry) -> bool:
    """Whether taps are apart."""
    return set(geometry.dilation) != {1}


@lru_cache(maxsize=512)
def inner(geometry: Geometry) -> Geometry:
    """The convolution of all classes; the geometry itself where nothing is dilated."""
    if not dilated(geometry):
        return geometry
    pairs = zip(geometry.outputs, geometry.dilation, strict=True)
    outputs = tuple(ceil(size / step) for size, step in pairs)
    spans = zip(outputs, geometry.kernel, strict=True)
    inputs = tuple(int(rules.read(size - 1, kernel - 1, 1, 1, 0)) + 1 for size, kernel in spans)
    ones, none = (1,) * geometry.rank, ((0, 0),) * geometry.rank
    batch = geometry.batch * prod(geometry.dilation)
    return replace(geometry, batch=batch, inputs=inputs, outputs=outputs, dilation=ones, padding=none)


def split(geometry: Geometry, name: str, array: Array) -> Array:
    """Classes of x or dy, (batch · classes, groups, channels, …); places that are not there are 0."""
    own, sizes, steps = inner(geometry), _sizes(geometry, name), geometry.dilation
    whole = np.zeros((*array.shape[:3], *(size * step for size, step in zip(sizes, steps, strict=True))), array.dtype)
    here, there = _places(geometry, name, whole.shape[3:])
    whole[there] = array[here]
    axes = list(chain.from_iterable(zip(sizes, steps, strict=True)))
    parted = whole.reshape(*array.shape[:3], *axes)
    rank = geometry.rank
    order = (0, *(4 + 2 * axis for axis in range(rank)), 1, 2, *(3 + 2 * axis for axis in range(rank)))
    return np.ascontiguousarray(parted.transpose(order)).reshape(own.batch, *array.shape[1:3], *sizes)


def join(geometry: Geometry, name: str, parts: Array, out: Array) -> None:
    """Classes of y or dx put together in `out`; a place of x that no class reaches is 0."""
    sizes, steps, rank = _sizes(geometry, name), geometry.dilation, geometry.rank
    parted = parts.reshape(geometry.batch, *steps, *parts.shape[1:3], *sizes)
    pairs = chain.from_iterable((3 + rank + axis, 1 + axis) for axis in range(rank))
    whole = parted.transpose(0, 1 + rank, 2 + rank, *pairs)
    flat = whole.reshape(*out.shape[:3], *(size * step for size, step in zip(sizes, steps, strict=True)))
    here, there = _places(geometry, name, flat.shape[3:])
    out[...] = 0
    out[here] = flat[there]


def operands_of(geometry: Geometry, operands: Mapping[str, Array]) -> dict[str, Array]:
    """The operands of the convolution of all classes."""
    return {name: array if name == "w" else split(geometry, name, array) for name, array in operands.items()}


def _sizes(geometry: Geometry, name: str) -> tuple[int, ...]:
    own = inner(geometry)
    return own.inputs if name[-1] == "x" else own.outputs


def _places(geometry: Geometry, name: str, spans: tuple[int, ...]) -> tuple[Any, Any]:
    """Where an array and its classes, laid side by side again, have the same elements."""
    here: list[Any] = [...]
    there: list[Any] = [...]
    sizes = geometry.inputs if name[-1] == "x" else geometry.outputs
    for size, span, (before, _) in zip(sizes, spans, geometry.padding, strict=True):
        first = int(rules.read(0, 0, 1, 1, before)) if name[-1] == "x" else 0  # element at the first place
        start, end = max(first, 0), min(first + span, size)
        here.append(slice(start, max(end, start)))
        there.append(slice(start - first, max(end, start) - first))
    return tuple(here), tuple(there)
