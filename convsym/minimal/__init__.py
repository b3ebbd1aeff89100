"""Winograd's minimal filtering: kernels of three taps along an axis, by fewer products than the direct sum has.

A result is cut into tiles of m outputs along an axis. What a tile reads and the weights are transformed to m + 2 points
along each axis, multiplied there and summed over the channels, and the sums are transformed back. The matrices are
those of `convsym.winograd`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convsym import sums
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.minimal import filters, gradients
from convsym.minimal.filters import prepare_weights
from convsym.minimal.strips import TAPS

__all__ = ["prepare_weights", "run", "serves"]


def serves(geometry: Geometry, result: str, dtype: np.dtype[Any]) -> bool:
    """Whether a rule can be done so: three taps along the last one or two axes, one along the others, no steps."""
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
    """Write a rule into `out`.

    Parameters
    ----------
    geometry : Geometry
        One that `serves`.
    result : {"y", "dx", "dw"}
    operands : mapping of str to ndarray
        As kernels take them: with group axis, C-contiguous, of one dtype.
    out : ndarray
    m : {2, 4, 6}
        Outputs of a tile along an axis.
    weights : ndarray, optional
        What `prepare_weights` made of the weights, for y and dx.
    """
    if result == "dw":
        gradients.run(geometry, operands, out, m)
        if not sums.all_finite(out):
            sums.run(geometry, result, operands, out)
        return
    filters.run(geometry, result, operands, out, m, weights)
