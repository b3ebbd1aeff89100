"""Calls whose kind is known, straight to the work: what the door (`convsym.kernels`) keeps for the next one.

A small call, which one thread does in one block, needs no more than a kernel and its numbers and never leaves the door.
Others have their algorithm and what they need beside their arrays looked up beforehand. Both run what
`convsym.execution` runs, so the bits are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from convsym import gate, kernels, memory, minimal, scratch, sums
from convsym.choice import choose
from convsym.execution import with_bias
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.kernels.tables import Course
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
    run : callable
        Writes the rule from operands by name, as kernels read them, into an array.
    course : Course or None
        The same as steps at the door.
    operands : tuple
        Names and shapes of the operands.
    shape, public : tuple of int
        Of the result, and as the caller has it.
    dtype : dtype
    rank : int
    needed : int
        Bytes that it takes beside its arguments and its result.
    """

    run: Callable[[dict[str, Array], Array], None]
    course: Course | None
    operands: tuple[tuple[str, Shape], tuple[str, Shape]]
    shape: Shape
    public: Shape
    dtype: np.dtype[Any]
    rank: int
    needed: int

    def serves(self, first: Array, second: Array) -> bool:
        """Whether nothing has to be laid anew, and memory is not short."""
        return gate.is_laid_out(first) and gate.is_laid_out(second) and not memory.exceeds(self.needed)

    def steps(self, geometry: Geometry, result: str) -> Any:
        """The same at the door, for operands as callers have them; None where it is no course, or takes much memory."""
        if self.course is None or memory.exceeds(self.needed):
            return None
        public = tuple(geometry.public_shapes[name] for name in (result, *OPERANDS[result]))
        samples, groups, channels, *sizes = self.shape
        flat = None if result == "dw" else (samples, groups * channels, prod(sizes))
        return kernels.straight(self.course, OPERANDS[result], public, self.dtype, flat)

    def __call__(self, first: Array, second: Array, bias: Array | None = None) -> Array:
        """The result in the caller's shape."""
        (one, shape), (other, its) = self.operands
        value = scratch.aligned(self.shape, self.dtype)
        self.run({one: first.reshape(shape), other: second.reshape(its)}, value)
        value = value.reshape(self.public)
        return value if bias is None else with_bias(value, bias, self.rank)


def straight(geometry: Geometry, result: str, dtype: np.dtype[Any], algorithm: str) -> Straight | None:
    """What calls of a kind run; None where operands or results are changed on their way."""
    if dtype.char not in "fd" or geometry.mode != "zeros" or geometry.flip or geometry.is_dilated:
        return None
    level = kernels.in_use()
    made = choose(geometry, result, dtype, algorithm, level)
    if made.name not in ("direct", "winograd") or not geometry.batch:
        return None
    run: Callable[[dict[str, Array], Array], None]
    if made.name == "direct":
        run, course = sums.bound(geometry, result, dtype.char, level), sums.course(geometry, result, dtype.char, level)
    else:
        run, course = partial(minimal.run, geometry, result, m=made.m), None
    shapes, (first, second) = geometry.shapes, OPERANDS[result]
    return Straight(
        run,
        course,
        ((first, shapes[first]), (second, shapes[second])),
        shapes[result],
        geometry.public_shapes[result],
        dtype,
        geometry.rank,
        plan(geometry, result, dtype, algorithm).workspace,
    )
