"""The dilation taken away: outputs d apart see inputs d apart, so each residue class is a convolution without dilation.

All classes together are one convolution with d times as many samples along each axis, on copies; what lies behind the
last output of a class is left out again.
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


def inner(geometry: Geometry, result: str) -> Geometry:
    """The convolution of all classes, the same for every rule."""
    return _every(geometry)


@lru_cache(maxsize=512)
def _every(geometry: Geometry) -> Geometry:
    """The convolution of all classes."""
    outputs, inputs, padding = [], [], []
    for axis, step in enumerate(geometry.dilation):
        outputs.append(ceil(geometry.outputs[axis] / step))
        before = 0 if _own_zeros(geometry, axis) else geometry.padding[axis][0] // step
        last = int(rules.read(outputs[-1] - 1, geometry.kernel[axis] - 1, 1, 1, before))
        inputs.append(last + 1 if _own_zeros(geometry, axis) else ceil(geometry.inputs[axis] / step))
        padding.append((before, last + 1 - inputs[-1]))
    return replace(
        geometry,
        batch=geometry.batch * prod(geometry.dilation),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        dilation=(1,) * geometry.rank,
        padding=tuple(padding),
    )


def _own_zeros(geometry: Geometry, axis: int) -> bool:
    """Whether classes hold the zeros of the padding: where it is no multiple of the step, they have different ones."""
    return bool(geometry.padding[axis][0] % geometry.dilation[axis])


def split(geometry: Geometry, name: str, array: Array) -> Array:
    """Classes of x or dy, (batch · classes, groups, channels, …); places that are not there are 0."""
    own, sizes = _every(geometry), _sizes(geometry, name)
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


def operands_of(geometry: Geometry, result: str, operands: Mapping[str, Array]) -> dict[str, Array]:
    """The operands of the convolution of all classes."""
    return {name: array if name == "w" else split(geometry, name, array) for name, array in operands.items()}


def weights(geometry: Geometry, result: str, weight: Array) -> Array:
    """The weights, which all classes share."""
    return weight


def _sizes(geometry: Geometry, name: str) -> tuple[int, ...]:
    own = _every(geometry)
    return own.inputs if name[-1] == "x" else own.outputs


@lru_cache(maxsize=64)
def _places(geometry: Geometry, name: str) -> list[tuple[tuple[int, ...], tuple[Any, ...], tuple[Any, ...]]]:
    """For each class where its elements are in the array and in the class: place j holds step·j + residue − padding."""
    axes = []
    own = geometry.inputs if name[-1] == "x" else geometry.outputs
    lengths = _sizes(geometry, name)
    for axis, (size, length, step) in enumerate(zip(own, lengths, geometry.dilation, strict=True)):
        before = geometry.padding[axis][0] if name[-1] == "x" and _own_zeros(geometry, axis) else 0
        parts = []
        for residue in range(step):
            moved = before - residue
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
