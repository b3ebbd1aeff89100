"""The geometry of a convolution call: every size and parameter as one number for each axis.

A public function turns its arguments into a `Geometry` (see `convsym.meaning`); the work is planned and done from that
alone.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from convsym.arguments import Pairs
from convsym.gate import Array
from convsym.kernels._generated import rules

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Geometry:
    """A resolved convolution; tuples hold one entry for each spatial axis, the slowest axis first.

    `padding` holds the pairs (before, after) in elements of the (dilated) input; a negative number crops. `channels`
    are the input and output channels of one group. `batched` tells whether the arrays of the caller have a batch
    axis. A transposed convolution has the geometry of the convolution it is the adjoint of. One object serves
    every call with the same arguments, so what follows from it is computed once.
    """

    batched: bool
    batch: int
    groups: int
    channels: tuple[int, int]
    inputs: Shape
    kernel: Shape
    outputs: Shape
    stride: Shape
    dilation: Shape
    padding: Pairs
    input_dilation: Shape
    mode: str = "zeros"
    flip: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Geometry) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _key(self) -> tuple[object, ...]:
        """Calls look much up by their geometry."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    @cached_property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.kernel)

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shapes with the group axis, as the kernels see them, by name; a gradient has its array's."""
        into, out = self.channels
        return _with_gradients(
            x=(self.batch, self.groups, into, *self.inputs),
            w=(self.groups, out, into, *self.kernel),
            y=(self.batch, self.groups, out, *self.outputs),
        )

    @cached_property
    def public_shapes(self) -> dict[str, Shape]:
        """Shapes without the group axis, as the caller sees them, by name; a gradient has its array's."""
        into, out = (self.groups * size for size in self.channels)
        batch = (self.batch,) if self.batched else ()
        return _with_gradients(
            x=(*batch, into, *self.inputs),
            w=(out, self.channels[0], *self.kernel),
            y=(*batch, out, *self.outputs),
        )

    @cached_property
    def parameters(self) -> dict[str, int]:
        """Scalar parameters of the kernels, by name."""
        return {
            **{f"stride{axis}": value for axis, value in enumerate(self.stride)},
            **{f"dilation{axis}": value for axis, value in enumerate(self.dilation)},
            **{f"padding{axis}": before for axis, (before, _) in enumerate(self.padding)},
        }

    @cached_property
    def margins(self) -> Pairs | None:
        """What windows read around x, as a pair for each spatial axis; None where they read nothing there."""
        pairs = tuple((max(before, 0), max(after, 0)) for before, after in self.padding)
        return pairs if any(map(any, pairs)) else None

    @cached_property
    def extents(self) -> Shape:
        """Sizes of the dilated input."""
        return tuple(map(dilated_size, self.inputs, self.input_dilation))

    @cached_property
    def is_dilated(self) -> bool:
        """Whether the input is dilated along some axis."""
        return any(step > 1 for step in self.input_dilation)

    def flipped(self, kernel: Array) -> Array:
        """A view of kernels (…, r0, …) with their spatial axes turned around."""
        return np.flip(kernel, axis=tuple(range(-self.rank, 0)))

    def on_padded(self) -> "Geometry":
        """The same windows on an x that already has its `margins` around it."""
        margins = self.margins or ((0, 0),) * self.rank
        return replace(
            self,
            inputs=tuple(size + sum(pair) for size, pair in zip(self.inputs, margins, strict=True)),
            padding=tuple((min(before, 0), min(after, 0)) for before, after in self.padding),
        )

    def on_extended(self) -> "Geometry":
        """The same windows on an x that is dilated, cropped and padded in its mode."""
        return replace(
            self,
            inputs=tuple(size + sum(pair) for size, pair in zip(self.extents, self.padding, strict=True)),
            padding=((0, 0),) * self.rank,
            input_dilation=(1,) * self.rank,
            mode="zeros",
        )


def dilated_size(size: int, step: int) -> int:
    """Size of an axis whose elements stand `step` apart."""
    return rules.transposed_size(size, 1, step, 1, 0, 0) if size else 0


def _with_gradients(**shapes: Shape) -> dict[str, Shape]:
    return {**shapes, **{f"d{name}": shape for name, shape in shapes.items()}}
