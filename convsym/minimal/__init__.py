"""Winograd's minimal filtering: kernels of three taps along an axis, by fewer products than the direct sum has.

A result is cut into tiles of m outputs along an axis. What a tile reads and the weights are transformed to m + 2 points
along each axis, multiplied there and summed over the channels, and the sums are transformed back. The matrices are
those of `convsym.winograd`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from convsym import sums
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.minimal import filters, gradients
from convsym.minimal.accuracy import bound, factor
from convsym.minimal.choice import choose
from convsym.minimal.filters import prepare_weights
from convsym.minimal.strips import TAPS

__all__ = ["bound", "choose", "factor", "prepare_weights", "run", "serves", "workspace"]


def serves(geometry: Geometry, dtype: np.dtype[Any]) -> bool:
    """Whether the rules can be done so: three taps along the last one or two axes, one along the others, no steps."""
    return (
        dtype.char in "fd"
        and geometry.kernel in ((TAPS,), (TAPS, TAPS), (1, TAPS))
        and set(geometry.stride + geometry.dilation + geometry.input_dilation) == {1}
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
    if result == "dw":
        gradients.run(geometry, operands, out, m)
        if not sums.all_finite(out):
            sums.run(geometry, result, operands, out)
        return
    bad = filters.run(geometry, result, operands, out, m, weights)
    if bad.any():
        _redo(geometry, result, operands, out, bad.reshape(geometry.groups, geometry.batch, -1))


def _redo(geometry: Geometry, result: str, operands: Mapping[str, Array], out: Array, bad: Array) -> None:
    """Samples with bad strips by the direct sum, which keeps NaN and infinity where the formula has them."""
    read = "x" if result == "y" else "dy"
    for n in np.flatnonzero(bad.any(axis=(0, 2))).tolist():
        one = {read: operands[read][n : n + 1], "w": operands["w"]}
        sums.run(replace(geometry, batch=1), result, one, out[n : n + 1])


def workspace(geometry: Geometry, result: str, m: int, char: str, weights: bool = True) -> int:
    """Elements that `run` borrows, with those of the transformed weights where they are not given."""
    if result == "dw":
        return gradients.workspace(geometry, m, char)
    return filters.workspace(geometry, result, m, char, weights)
