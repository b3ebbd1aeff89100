"""Convolutions on cycles: their largest singular value, frequency by frequency.

Where shifting the input round a cycle shifts the output round one, the Fourier transform takes the operator apart: one
small matrix for each frequency, of rows (output channel, residue class of the outputs) and columns (input channel,
residue class of the elements). Strides make classes of elements, input dilation makes classes of outputs. A convolution
that does not live on a cycle is part of one that does, on a cycle so long that no window meets its own tail.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd, lcm, prod

import numpy as np
from numpy.typing import NDArray

from convsym import margins
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated import rules

Positions = NDArray[np.intp]

# Complex numbers in hand at a time: 16 MB.
_ROOM = 2**20


@dataclass(frozen=True)
class Cycle:
    """One spatial axis of a convolution, as a part of one on a cycle.

    Attributes
    ----------
    order : int
        Rotations of the cycle, which is the number of frequencies.
    classes : int
        Residue classes of the elements.
    residues, turns : ndarray of intp, shape (residue classes of the outputs, taps)
        The class of the element that a tap reads, -1 if it reads none, and its place within the class.
    copies : int
        How often, at most, an output or an element of the cycle occurs in the axis; 1 for a mere part.
    exact : bool
        Whether the axis is the whole cycle, every output and element of it equally often.
    """

    order: int
    classes: int
    residues: Positions
    turns: Positions
    copies: int
    exact: bool

    def phases(self, frequencies: Positions) -> Array:
        """What each tap weighs, of shape (frequencies, classes of outputs, classes of elements, taps)."""
        # The product is reduced in integers: the angle is as exact as a float can hold it.
        turn = frequencies[:, None, None] * self.turns % self.order
        waves: Array = np.exp(2j * np.pi / self.order * turn)
        meets: Array = self.residues[:, None, :] == np.arange(self.classes)[:, None]
        phases: Array = waves[:, :, None, :] * meets
        return phases

    @property
    def sides(self) -> tuple[int, int]:
        """Factors by which the axis makes the matrix of a frequency larger."""
        return self.residues.shape[0], self.classes


def cycle(geometry: Geometry, axis: int) -> Cycle:
    """The cycle that a spatial axis is a part of.

    Parameters
    ----------
    geometry : Geometry
    axis : int
    """
    stride, step = geometry.stride[axis], geometry.input_dilation[axis]
    before, after = geometry.padding[axis]
    outputs, extended = geometry.outputs[axis], geometry.on_extended().inputs[axis]
    if geometry.mode == "zeros":
        period = lcm(stride, step)
        length = _rounded_up(extended, period) // step
        order, residues, turns = _rotations(geometry, axis, before, step, length)
        # No window reads before the first element or finds nothing, and every window of the cycle is there.
        whole = length == geometry.inputs[axis] and before == 0 <= after and outputs == order * residues.shape[0]
        return Cycle(order, length // order, residues, turns, 1, whole)
    sources = margins.sources(geometry, axis)
    if geometry.mode == "circular" and step == 1:
        length = np.unique(sources).size
        order, residues, turns = _rotations(geometry, axis, max(before, 0), 1, length)
        copies = _rounded_up(outputs, order) // order
        return Cycle(order, length // order, residues, turns, copies, copies * order == outputs)
    length = _rounded_up(extended, stride)
    order, residues, turns = _rotations(geometry, axis, 0, 1, length)
    copies = int(np.bincount(sources)[::step].max(initial=0))
    return Cycle(order, length // order, residues, turns, copies, False)


def _rotations(
    geometry: Geometry, axis: int, before: int, step: int, length: int
) -> tuple[int, Positions, Positions]:
    """The number of rotations of a cycle of `length` elements, and the class and place of what each tap reads."""
    own = (geometry.stride[axis], geometry.dilation[axis], before)
    moved = step // gcd(step, geometry.stride[axis])  # outputs, that the reads of every tap move by whole elements
    shift = (rules.read(moved, 0, *own) - rules.read(0, 0, *own)) // step
    classes = gcd(shift, length)
    order = length // classes
    outputs = np.arange(min(moved, geometry.outputs[axis]))[:, None]
    elements, between = np.divmod(rules.read(outputs, np.arange(geometry.kernel[axis]), *own), step)
    elements %= length
    turns = elements // classes * pow(shift // classes, -1, order) % order
    return order, np.where(between == 0, elements % classes, -1), turns


def largest(weight: Array, cycles: list[Cycle]) -> float:
    """The largest singular value of a convolution on cycles: the greatest over all frequencies.

    Parameters
    ----------
    weight : ndarray of float64 or complex128, shape (groups, K/groups, C/groups, r0, …)
    cycles : list of Cycle
        For each spatial axis.
    """
    if 0 in weight.shape:
        return 0.0
    return max(map(_norm, _symbols(weight[:, None], cycles, halved=weight.dtype.kind == "f")))


def _symbols(blocks: Array, cycles: list[Cycle], halved: bool) -> Iterator[Array]:
    """The matrices of all frequencies, some at a time, from blocks (groups, frequencies, rows, columns, r0, …).

    The matrix of a real weight at the opposite frequency is the conjugate one: `halved` leaves it out.
    """
    if not cycles:
        yield blocks
        return
    first, *rest = cycles
    rows, columns = first.sides
    taps = blocks.shape[4]
    each = blocks.size // prod(blocks.shape[4:]) * rows * columns
    each *= prod(other.order * prod(other.sides) for other in rest)
    width = max(1, _ROOM // max(each, rows * columns * taps))
    frequencies = np.arange(first.order // 2 + 1 if halved else first.order)
    for start in range(0, frequencies.size, width):
        phases = first.phases(frequencies[start : start + width])
        moved = np.tensordot(blocks, phases, axes=(4, 3))
        # … (groups, frequencies, rows, columns, other taps …, new frequencies, new rows, new columns)
        moved = np.moveaxis(moved, (-3, -2, -1), (2, 4, 6))
        groups, old, new, out, more_out, into, more_into, *others = moved.shape
        shape = (groups, old * new, out * more_out, into * more_into, *others)
        yield from _symbols(moved.reshape(shape), rest, halved=False)


def _norm(blocks: Array) -> float:
    return float(np.linalg.svd(blocks, compute_uv=False)[..., 0].max())


def _rounded_up(count: int, unit: int) -> int:
    return -(-count // unit) * unit
