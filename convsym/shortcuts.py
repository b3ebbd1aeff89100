"""Calls whose kind is known, straight to the work: what the door (`convsym.kernels`) keeps for the next one.

A small call, which one thread does in one block, needs no more than a kernel and its numbers and never leaves the door.
Others have their algorithm and what they need beside their arrays looked up beforehand. Both run what
`convsym.execution` runs, so the bits are the same.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convsym import gate, kernels, memory, sums
from convsym.choice import choose
from convsym.execution import Kept, by_algorithm, with_bias
from convsym.gate import Array
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


@dataclass(frozen=True)
class Straight:
    """A kind of call that is one run of tiles or transforms, on operands as kernels read them.

    Attributes
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    kept : Kept
        The algorithm.
    needed : int
        Bytes that it takes beside its arguments and its result.
    """

    geometry: Geometry
    result: str
    kept: Kept
    needed: int
    _operands: tuple[tuple[str, tuple[int, ...]], ...] = field(init=False)

    def __post_init__(self) -> None:
        shapes = self.geometry.shapes
        object.__setattr__(self, "_operands", tuple((name, shapes[name]) for name in OPERANDS[self.result]))

    def serves(self, *arrays: Array) -> bool:
        """Whether nothing has to be laid anew, and memory is not short."""
        return all(map(gate.is_laid_out, arrays)) and not memory.exceeds(self.needed)

    def __call__(self, first: Array, second: Array, bias: Array | None = None) -> Array:
        """The result in the caller's shape."""
        (one, shape), (other, its) = self._operands
        operands = {one: first.reshape(shape), other: second.reshape(its)}
        value = by_algorithm(self.geometry, self.result, operands, self.kept, None)
        value = value.reshape(self.geometry.public_shapes[self.result])
        return value if bias is None else with_bias(value, bias, self.geometry.rank)


def straight(geometry: Geometry, result: str, dtype: np.dtype[Any], algorithm: str) -> Straight | None:
    """What calls of a kind run; None where operands or results are changed on their way."""
    if dtype.char not in "fd" or geometry.mode != "zeros" or geometry.flip or geometry.is_dilated:
        return None
    made = choose(geometry, result, dtype, algorithm, kernels.in_use())
    if made.name not in ("direct", "winograd"):
        return None
    return Straight(geometry, result, Kept(made), plan(geometry, result, dtype, algorithm).workspace)
