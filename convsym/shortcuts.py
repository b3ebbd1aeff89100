"""Small calls at the door: a call that one thread does in one block needs no more than a kernel and its numbers.

The door (`convsym.kernels`) serves what is laid out as kernels read it; its plans give the bits that
`convsym.execution` gives, because they run the same kernel: what register tiles compute has no plan.
"""

from typing import Any

import numpy as np

from convsym import kernels, sums
from convsym.geometry import Geometry
from convsym.plans import OPERANDS, plan


def shortcut(geometry: Geometry, result: str, dtype: np.dtype[Any], algorithm: str = "auto") -> Any:
    """The plan of a small call at the door; None where the call is not small, or is more than one kernel.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    dtype : dtype
    algorithm : str
        One that `convsym.execution` knows.

    Returns
    -------
    Plan or None
        Called with the operands in the order of `convsym.plans.OPERANDS`, as callers have them.
    """
    computed = dtype.kind in "iu" or dtype.char in "fd"
    if not computed or geometry.mode != "zeros" or geometry.flip or geometry.is_dilated:
        return None
    if plan(geometry, result, dtype, algorithm).algorithm != "direct":
        return None
    if dtype.kind == "f" and sums.is_tiled(geometry, result):
        return None
    names = (result, *OPERANDS[result])
    shapes = [geometry.shapes[name] for name in names]
    public = tuple(geometry.public_shapes[name] for name in names)
    # What lies outside of x is left out, which is right as long as the other operand is finite.
    watched = 1 - OPERANDS[result].index("x") if geometry.margins and dtype.kind == "f" and result != "dx" else -1
    return kernels.small(f"conv{geometry.rank}d_{result}", shapes, public, dtype, geometry.parameters, watched)
