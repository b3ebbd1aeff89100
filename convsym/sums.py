"""The direct sum: by register tiles, or by the compiled loop nest of the rule where tiles do not pay or do not serve.

Padding is read as explicit zeros, so a factor that is not finite makes NaN there, as the formula says. Where there is
no term at all (a gradient's reads outside of dy), such a factor must leave nothing: the nest sees to that.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from math import isfinite, prod
from types import ModuleType

import numpy as np

from convsym import depthwise, direct, kernels, pointwise, reduction
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated.rules import KERNELS
from convsym.taps import taps_of

# Multiply-adds of a group of a sample from which tables and an image pay.
TILED_WORK = 2**10
# Multiply-adds of a call up to which the loop nest of rows of so many elements is done sooner: tiles take 20 µs more.
SMALL, ROW = 40_000, 32
# Residue classes of a gradient that tiles are swept for, at most: each is a sweep of its own.
CLASSES = 64
# Taps of a table, at most: more are a matter of another algorithm.
TAPS = 2**16


def run(geometry: Geometry, result: str, operands: Mapping[str, Array], out: Array) -> None:
    """Write a rule of a convolution into `out`.

    Parameters
    ----------
    geometry : Geometry
        With zero padding, not flipped, its input not dilated.
    result : {"y", "dx", "dw"}
    operands : mapping of str to ndarray
        As kernels take them: with group axis, C-contiguous, of one dtype.
    out : ndarray
        Of `geometry.shapes[result]` and the same dtype.
    """
    if out.dtype.char in "fd":
        way = _way(geometry, result, out.dtype.char, kernels.in_use())
        if way is not None and _by_tiles(geometry, way, result, operands, out):
            return
    out[...] = 0
    _by_nest(geometry, result, operands, out)


@lru_cache(maxsize=1024)
def is_tiled(geometry: Geometry, result: str) -> bool:
    """Whether register tiles serve a geometry: they can, and there is enough to do."""
    dense = prod(geometry.channels) * prod(geometry.kernel) * prod(geometry.outputs)
    together = depthwise.GROUPS if depthwise.is_wide(geometry) and _nest_rounds_so(geometry) else 1
    if dense * together < TILED_WORK or not geometry.batch:
        return False
    return _can_be_tiled(geometry, result) and not _is_small(geometry, result, dense * together)


@lru_cache(maxsize=1024)
def _can_be_tiled(geometry: Geometry, result: str) -> bool:
    """Whether register tiles can make a result: something is read, and images are not much larger than arrays."""
    if not all(geometry.inputs) or prod(geometry.kernel) > TAPS:
        return False
    taps = taps_of(geometry)
    if prod(len(axis.classes) for axis in taps) > CLASSES:
        return False
    if result == "dx" and any(min(axis.classes) >= size for axis, size in zip(taps, geometry.inputs, strict=True)):
        return False  # no output reads any of it
    sizes = geometry.inputs if result == "dx" else geometry.outputs
    spans = [
        _span(axis.shift) + size if result == "dx" else _span(axis.first) + axis.step * size
        for axis, size in zip(taps, sizes, strict=True)
    ]
    return prod(spans) <= 8 * (prod(geometry.inputs) + prod(geometry.outputs)) + TILED_WORK


def _is_small(geometry: Geometry, result: str, work: int) -> bool:
    """Whether the loop nest is done before tiles are set up; y and dx have the same bits either way, dw has not."""
    if pointwise.serves(geometry, result) or not _nest_rounds_so(geometry):
        return False
    if result == "dw" and depthwise.is_wide(geometry):
        return False  # of few groups or of many: slices of them are summed as the whole
    sizes = geometry.inputs if result == "dx" else geometry.outputs
    work *= geometry.batch * (1 if result == "dw" else geometry.groups)
    return work < (SMALL if sizes[-1] >= ROW else SMALL // 4)


def _nest_rounds_so(geometry: Geometry) -> bool:
    """Whether the loop nest rounds as tiles do: it is compiled for the same level, with the same multiply-add."""
    return KERNELS[f"conv{geometry.rank}d_y"].leveled


@lru_cache(maxsize=1024)
def _flat(geometry: Geometry) -> Geometry:
    """Kernels of one tap that read every element where it lies: all spatial axes are one."""
    in_place = geometry.inputs == geometry.outputs and not any(map(any, geometry.padding))
    if geometry.rank == 1 or set(geometry.kernel + geometry.stride) != {1} or not in_place:
        return geometry
    size, one = (prod(geometry.inputs),), (1,)
    return replace(
        geometry, inputs=size, outputs=size, kernel=one, stride=one, dilation=one, padding=((0, 0),), input_dilation=one
    )


def workspace(geometry: Geometry, result: str, char: str) -> int:
    """Elements of float32 or float64 that the sum takes beside its arrays."""
    level = kernels.in_use()
    way = _way(geometry, result, char, level) if char in "fd" else None
    if way is None:
        return 0
    if way is depthwise:
        return depthwise.room(geometry, result, char, level)
    if way is pointwise:
        return pointwise.room(geometry, result, char, level)
    geometry = _flat(geometry)
    if way is reduction:
        return sum(reduction.schedule_of(geometry, char, level).rooms)
    return direct.room(geometry, result, kernels.tables.shapes(level).lanes[char])


def _span(values: tuple[int, ...]) -> int:
    return max(values) - min(values)


@lru_cache(maxsize=1024)
def _way(geometry: Geometry, result: str, char: str, level: str) -> ModuleType | None:
    """The module whose tiles make a result; None where none does."""
    if not is_tiled(geometry, result):
        return None
    if depthwise.serves(geometry, result, char, level):
        return depthwise
    return pointwise if pointwise.serves(geometry, result) else reduction if result == "dw" else direct


def _by_tiles(
    geometry: Geometry, way: ModuleType, result: str, operands: Mapping[str, Array], out: Array
) -> bool:
    """The sum by tiles; False where something that is not finite may have met places of no term."""
    if way is depthwise:
        depthwise.run(geometry, result, operands, out)
        return result != "dx" or _finite_beside(operands["w"], out)
    if way is pointwise:
        pointwise.run(geometry, result, operands, out)
        return True
    flat = _flat(geometry)
    if flat is not geometry:
        operands = {name: array.reshape(flat.shapes[name]) for name, array in operands.items()}
        geometry, out = flat, out.reshape(flat.shapes[result])
    if way is reduction:
        reduction.run(geometry, operands, out)
        return all_finite(out)
    direct.run(geometry, result, operands, out)
    return result == "y" or _finite_beside(operands["w"], out)


def _finite_beside(weights: Array, out: Array) -> bool:
    """Whether weights are finite; a result that is finite needs no second look at weights, which may be many more."""
    return all_finite(out if out.size < weights.size else weights) or all_finite(weights)


def _by_nest(geometry: Geometry, result: str, operands: Mapping[str, Array], out: Array) -> None:
    """The loop nest of the derived rule, compiled.

    The nests leave out the points that lie outside of x, where the formula has the product of 0 and the other
    factor. That is 0 as long as the other factor is finite; where it is not, the zeros are put around x.
    """
    if "x" in operands and geometry.margins and out.dtype.kind == "f":
        other = next(array for name, array in operands.items() if name != "x")
        if not all_finite(other):
            operands = {**operands, "x": np.pad(operands["x"], ((0, 0),) * 3 + geometry.margins)}
            geometry = geometry.on_padded()
    kernels.run(f"conv{geometry.rank}d_{result}", out, operands, geometry.parameters)


def all_finite(array: Array) -> bool:
    """Whether no element is NaN or infinite."""
    if isfinite(np.vdot(array, array)):
        return True
    return isfinite(array.max()) and isfinite(array.min())  # only the squares may have overflowed
