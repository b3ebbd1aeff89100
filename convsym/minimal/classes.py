"""The dilation taken away: outputs d apart see inputs d apart, so each residue class is a convolution without dilation.

All classes together are one convolution with d times as many samples along each axis, on copies with their zeros around
them; what lies behind the last output of a class is left out again.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import product
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
    own, sizes = inner(geometry), _sizes(geometry, name)
    made = np.zeros((geometry.batch, *geometry.dilation, *array.shape[1:3], *sizes), array.dtype)
    for residues, here, there in _places(geometry, name):
        made[(slice(None), *residues, ..., *there)] = array[(..., *here)]
    return made.reshape(own.batch, *array.shape[1:3], *sizes)


def join(geometry: Geometry, name: str, parts: Array, out: Array) -> None:
    """Classes of y or dx put together in `out`; a place of x that no class reaches is 0."""
    whole = parts.reshape(geometry.batch, *geometry.dilation, *parts.shape[1:])
    if name == "dx":
        out[...] = 0
    for residues, here, there in _places(geometry, name):
        out[(..., *here)] = whole[(slice(None), *residues, ..., *there)]


def operands_of(geometry: Geometry, operands: Mapping[str, Array]) -> dict[str, Array]:
    """The operands of the convolution of all classes."""
    return {name: array if name == "w" else split(geometry, name, array) for name, array in operands.items()}


def _sizes(geometry: Geometry, name: str) -> tuple[int, ...]:
    own = inner(geometry)
    return own.inputs if name[-1] == "x" else own.outputs


@lru_cache(maxsize=64)
def _places(geometry: Geometry, name: str) -> list[tuple[tuple[int, ...], tuple[Any, ...], tuple[Any, ...]]]:
    """For each class where its elements are in the array and in the class: place j holds step·j + residue − padding."""
    axes = []
    own = geometry.inputs if name[-1] == "x" else geometry.outputs
    lengths = _sizes(geometry, name)
    for size, length, step, (before, _) in zip(own, lengths, geometry.dilation, geometry.padding, strict=True):
        parts = []
        for residue in range(step):
            moved = (before if name[-1] == "x" else 0) - residue
            start = max(rules.first_output(0, step, 1, moved), 0)
            end = max(min(rules.end_output(size, 0, step, 1, moved), length), start)
            first = rules.read(start, 0, step, 1, moved)
            stop = rules.read(end - 1, 0, step, 1, moved) + 1 if end > start else first
            parts.append((residue, slice(first, stop, step), slice(start, end)))
        axes.append(parts)
    found = []
    for chosen in product(*axes):
        residues, here, there = zip(*chosen, strict=True)
        found.append((residues, here, there))
    return found
