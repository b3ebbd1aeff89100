"""The direct sum: by register tiles, or by the compiled loop nest of the rule where tiles do not pay or do not serve.

Padding is read as explicit zeros, so a factor that is not finite makes NaN there, as the formula says. Where there is
no term at all (a gradient's reads outside of dy), such a factor must leave nothing: the nest sees to that.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from itertools import pairwise
from math import isfinite, prod
from types import ModuleType

import numpy as np

from convsym import depthwise, direct, interleaved, kernels, panels, pointwise, reduction
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.kernels._generated.rules import KERNELS
from convsym.kernels.tables import Course
from convsym.taps import is_still, taps_of

# Multiply-adds of a group of a sample from which tables and an image pay.
TILED_WORK = 2**10
# Elements that the door looks at, at most, to see whether they are finite.
WATCHED = 2**16
# Residue classes of a gradient that tiles are swept for, at most: each is a sweep of its own.
CLASSES = 64
# Ways that take neighboring axes along which no tap moves as one.
FLAT = direct, interleaved, panels, reduction
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
    bound(geometry, result, out.dtype.char, kernels.in_use())(operands, out)


@lru_cache(maxsize=1024)
def bound(geometry: Geometry, result: str, char: str, level: str) -> Callable[[Mapping[str, Array], Array], None]:
    """What `run` does with the operands and the result of a kind of call."""
    way = _way(geometry, result, char, level) if char in "fd" else None
    nest = partial(_by_nest, geometry, result)
    if way is None:
        return nest
    flat = _flat(geometry) if way in FLAT else geometry
    tiles = way.bound(flat, result, char, level)
    sure = _is_sure(way, result)
    if sure and flat is geometry:
        return tiles  # type: ignore[no-any-return]  # modules have no types of their functions

    def run(operands: Mapping[str, Array], out: Array) -> None:
        if flat is geometry:
            tiles(operands, out)
        else:
            given = {name: array.reshape(flat.shapes[name]) for name, array in operands.items()}
            tiles(given, out.reshape(flat.shapes[result]))
        if not (sure or (all_finite(out) if way is reduction else _finite_beside(operands["w"], out))):
            nest(operands, out)

    return run


def _is_sure(way: ModuleType, result: str) -> bool:
    """Whether tiles read no places of no term, which something that is not finite may meet."""
    return way is pointwise or (way is not reduction and result != "dx")


def course(geometry: Geometry, result: str, char: str, level: str) -> Course | None:
    """The sum as steps of a call; None where it is more than that."""
    way = _way(geometry, result, char, level)
    if way is None:
        return None
    flat = _flat(geometry) if way in FLAT else geometry
    made: Course | None = way.course(flat, result, char, level)
    if made is None or _is_sure(way, result):
        return made
    sizes = {"out": prod(geometry.shapes[result]), **({} if way is reduction else {"w": prod(geometry.shapes["w"])})}
    watched = min(sizes, key=lambda name: sizes[name])
    return replace(made, watched=watched) if sizes[watched] <= WATCHED else None


@lru_cache(maxsize=1024)
def is_tiled(geometry: Geometry, result: str) -> bool:
    """Whether register tiles serve a geometry: they can, and there is enough to do."""
    dense = prod(geometry.channels) * prod(geometry.kernel) * prod(geometry.outputs)
    together = depthwise.GROUPS if depthwise.is_wide(geometry) and _nest_rounds_so(geometry) else 1
    if dense * together < TILED_WORK or not geometry.batch:
        return False
    return _can_be_tiled(geometry, result)


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


def _nest_rounds_so(geometry: Geometry) -> bool:
    """Whether the loop nest rounds as tiles do: it is compiled for the same level, with the same multiply-add."""
    return KERNELS[f"conv{geometry.rank}d_y"].leveled


@lru_cache(maxsize=1024)
def _flat(geometry: Geometry) -> Geometry:
    """The same with neighboring axes as one, where no tap moves along them: elements are read where they lie."""
    still = [is_still(geometry, axis) for axis in range(geometry.rank)]
    if not any(map(all, pairwise(still))):
        return geometry
    starts = [axis for axis in range(geometry.rank) if not (axis and still[axis - 1] and still[axis])]

    def joined(sizes: Shape) -> Shape:
        return tuple(prod(sizes[begin:end]) for begin, end in pairwise([*starts, geometry.rank]))

    return replace(
        geometry,
        inputs=joined(geometry.inputs),
        outputs=joined(geometry.outputs),
        kernel=joined(geometry.kernel),
        stride=joined(geometry.stride),
        dilation=tuple(geometry.dilation[axis] for axis in starts),
        padding=tuple(geometry.padding[axis] for axis in starts),
        input_dilation=joined(geometry.input_dilation),
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
    if way is panels:
        return panels.room(geometry, result, char, level)
    if way is reduction:
        return sum(reduction.schedule_of(geometry, char, level).rooms)
    if way is interleaved:
        return interleaved.room(geometry, result, char, level)
    return direct.room(geometry, result, char, level)


def _span(values: tuple[int, ...]) -> int:
    return max(values) - min(values)


@lru_cache(maxsize=1024)
def _way(geometry: Geometry, result: str, char: str, level: str) -> ModuleType | None:
    """The module whose tiles make a result; None where none does."""
    if not is_tiled(geometry, result):
        return None
    if depthwise.serves(geometry, result, char, level):
        return depthwise
    many = panels.serves(geometry, result, char, level)
    if pointwise.serves(geometry, result) and not (many and result == "dw"):
        return pointwise
    if many:
        return panels
    if result == "dw":
        return reduction
    return interleaved if interleaved.serves(_flat(geometry), result, char, level) else direct


def _finite_beside(weights: Array, out: Array) -> bool:
    """Whether weights are finite; a result that is finite needs no second look at weights, which may be many more."""
    return all_finite(out if out.size < weights.size else weights) or all_finite(weights)


def _by_nest(geometry: Geometry, result: str, operands: Mapping[str, Array], out: Array) -> None:
    """The loop nest of the derived rule, compiled.

    The nests leave out the points that lie outside of x, where the formula has the product of 0 and the other
    factor. That is 0 as long as the other factor is finite; where it is not, the zeros are put around x.
    """
    out[...] = 0
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
