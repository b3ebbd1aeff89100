"""Winograd's minimal filtering: kernels of three taps along an axis, by fewer products than the direct sum has.

A result is cut into tiles of m outputs along an axis. What a tile reads and the weights are transformed to m + 2 points
along each axis, multiplied there and summed over the channels, and the sums are transformed back. The matrices are
those of `convsym.winograd`.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from convsym import sums
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.minimal import accuracy, choice, classes, depth, filters, gradients
from convsym.minimal.strips import TAPS

__all__ = ["bound", "choose", "factor", "prepare_weights", "run", "serves", "workspace"]


def serves(geometry: Geometry, dtype: np.dtype[Any]) -> bool:
    """Whether the rules can be done so: three taps along the last axis or the last two, one along the second to last,
    any along a third, no strides."""
    return (
        dtype.char in "fd"
        and (geometry.kernel == (TAPS,) or geometry.kernel[-2:] in ((TAPS, TAPS), (1, TAPS)))
        and geometry.rank <= 3
        and set(geometry.stride + geometry.input_dilation) == {1}
        and geometry.mode == "zeros"
        and min(*geometry.inputs, *geometry.outputs, *geometry.channels, geometry.batch, geometry.groups) > 0
    )


def run(
    geometry: Geometry, result: str, operands: Mapping[str, Array], out: Array, m: int, weights: Array | None = None
) -> None:
    """Write a rule into `out`; samples that come out with a number that is not finite are done directly.

    Parameters
    ----------
    geometry : Geometry
        One that `serves`, not flipped.
    result : {"y", "dx", "dw"}
    operands : mapping of str to ndarray
        As kernels take them: with group axis, C-contiguous, of one dtype; "w" also where `weights` are given.
    out : ndarray
        Of `geometry.shapes[result]` and the same dtype; shares no memory with the operands.
    m : {2, 4, 6}
        Outputs of a tile along an axis.
    weights : ndarray, optional
        What `prepare_weights` made of the weights, for y and dx, on the same CPU level.
    """
    taken = _taken(geometry)
    if taken is None:
        _run(geometry, result, operands, out, m, weights)
        return
    own = taken.inner(geometry, result)
    value = out.reshape(own.shapes["w"]) if result == "dw" else np.empty(own.shapes[result], out.dtype)
    run(own, result, taken.operands_of(geometry, result, operands), value, m, weights)
    if result != "dw":
        taken.join(geometry, result, value, out)
    if not sums.all_finite(out):  # zeros behind the ends of classes or of the depth may have met it
        sums.run(geometry, result, operands, out)


def _taken(geometry: Geometry) -> Any:
    """The module that makes a convolution of two axes without dilation of another one; None of such a one."""
    return classes if classes.dilated(geometry) else depth if depth.deep(geometry) else None


def _innermost(geometry: Geometry, result: str) -> Geometry:
    """What is done by tiles: with two axes at most, without dilation."""
    taken = _taken(geometry)
    return geometry if taken is None else _innermost(taken.inner(geometry, result), result)


def _run(
    geometry: Geometry, result: str, operands: Mapping[str, Array], out: Array, m: int, weights: Array | None
) -> None:
    """A rule without dilation."""
    if result == "dw":
        gradients.run(geometry, operands, out, m)
        if not sums.all_finite(out):
            sums.run(geometry, result, operands, out)
        return
    bad = filters.run(geometry, result, operands, out, m, weights)
    if bad.any():
        _redo(geometry, result, operands, out, bad.reshape(geometry.groups, geometry.batch, -1))


def prepare_weights(geometry: Geometry, result: str, weight: Array, m: int) -> Array:
    """The transformed weights of the rule y or dx, which depend on nothing but the weights, m and the CPU level."""
    taken = _taken(geometry)
    if taken is None:
        return filters.prepare_weights(geometry, result, weight, m)
    return prepare_weights(taken.inner(geometry, result), result, taken.weights(geometry, result, weight), m)


def choose(geometry: Geometry, result: str, char: str, level: str, kept: bool = False) -> int | None:
    """Outputs of a tile along an axis, 2, 4 or 6; None where the direct sum is no slower.

    Parameters
    ----------
    geometry : Geometry
        One that is served.
    result : {"y", "dx", "dw"}
    char : {"f", "d"}
    level : {"baseline", "v3", "v4"}
    kept : bool
        Whether the transformed weights are at hand.
    """
    own = _innermost(geometry, result)
    moved = prod(geometry.shapes["w"]) if result == "dx" and depth.deep(geometry) and not kept else 0
    copies = choice.Copies(own.batch // geometry.batch, classes.dilated(geometry), moved)
    return choice.choose(own, copies, result, char, level, kept)


def factor(geometry: Geometry, result: str, m: int, dtype: np.dtype[Any]) -> float:
    """The factor of the norms over tiles, rounded up; see `convsym.minimal.accuracy`."""
    return accuracy.factor(_innermost(geometry, result), result, m, dtype)


def bound(geometry: Geometry, result: str, operands: Mapping[str, Array], m: int) -> Array:
    """What a result may be off by, element by element, in float64 and rounded up."""
    taken = _taken(geometry)
    if taken is None:
        return accuracy.bound(geometry, result, operands, m)
    value = bound(taken.inner(geometry, result), result, taken.operands_of(geometry, result, operands), m)
    if result == "dw":
        return value.reshape(geometry.shapes["w"])
    out = np.empty(geometry.shapes[result])
    taken.join(geometry, result, value, out)
    return out


def _redo(geometry: Geometry, result: str, operands: Mapping[str, Array], out: Array, bad: Array) -> None:
    """Samples with bad strips by the direct sum, which keeps NaN and infinity where the formula has them."""
    read = "x" if result == "y" else "dy"
    for n in np.flatnonzero(bad.any(axis=(0, 2))).tolist():
        one = {read: operands[read][n : n + 1], "w": operands["w"]}
        sums.run(replace(geometry, batch=1), result, one, out[n : n + 1])


def workspace(geometry: Geometry, result: str, m: int, char: str, weights: bool = True) -> int:
    """Elements that `run` takes beside its arrays, with those of the transformed weights where they are not given."""
    taken = _taken(geometry)
    if taken is not None:
        own = taken.inner(geometry, result)
        names = "xyw" if result == "dx" and taken is depth else "xy"
        copies: int = sum(prod(own.shapes[name]) for name in names)
        return copies + workspace(own, result, m, char, weights)
    if result == "dw":
        return gradients.workspace(geometry, m, char)
    return filters.workspace(geometry, result, m, char, weights)
