"""Operations that move elements and compute nothing: each is a map of indices, and its adjoint is the map reversed.

Where the map is one-to-one, the cotangent goes back through the reversed map. Where it leaves elements out (a slice),
they get 0; where it reads an element several times (an index that repeats, broadcasting), what arrives is added.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from convsym.autograd.primitives import LinearMap
from convsym.errors import ShapeError
from convsym.gate import narrowed, sum_dtype

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alias(LinearMap):
    """The array itself, under a node of its own."""

    name: ClassVar[str] = "alias"
    formula: ClassVar[str] = "y[i] = x[i]"
    rules: ClassVar[tuple[str, ...]] = ("dx[i] = dy[i]",)

    @property
    def adjoint(self) -> "Alias":
        """It is its own adjoint."""
        return self

    def forward(self, ops: Any, x: Any) -> Any:
        """Nothing is done."""
        return x


@dataclass(frozen=True, slots=True)
class Reshape(LinearMap):
    """The same elements in the same order under another shape."""

    before: Shape
    after: Shape
    name: ClassVar[str] = "reshape"
    formula: ClassVar[str] = "y = x.reshape(after)"
    rules: ClassVar[tuple[str, ...]] = ("dx = dy.reshape(before)",)

    @property
    def adjoint(self) -> "Reshape":
        """The shape as it was."""
        return Reshape(self.after, self.before)

    def forward(self, ops: Any, x: Any) -> Any:
        """A view where NumPy can make one."""
        return x.reshape(self.after)


@dataclass(frozen=True, slots=True)
class Transpose(LinearMap):
    """The axes in another order; `axes` names for each axis of the result the one it was."""

    axes: Shape
    name: ClassVar[str] = "transpose"
    formula: ClassVar[str] = "y = x.transpose(axes)"
    rules: ClassVar[tuple[str, ...]] = ("dx = dy.transpose(inverse of axes)",)

    @property
    def adjoint(self) -> "Transpose":
        """The reversed permutation."""
        return Transpose(tuple(map(int, np.argsort(self.axes))))

    def forward(self, ops: Any, x: Any) -> Any:
        """A view."""
        return x.transpose(self.axes)


@dataclass(frozen=True, slots=True)
class Spread(LinearMap):
    """Every element read many times: `small` becomes `full`, constant along `axes` of it (broadcasting)."""

    small: Shape
    full: Shape
    axes: Shape
    name: ClassVar[str] = "expand"
    formula: ClassVar[str] = "y[i, j] = x[i]"
    rules: ClassVar[tuple[str, ...]] = ("dx[i] += dy[i, j]",)

    @property
    def adjoint(self) -> "Sum":
        """What is read many times gets the sum."""
        return Sum(self.full, self.small, self.axes)

    def forward(self, ops: Any, x: Any) -> Any:
        """A read-only view."""
        kept = tuple([1 if axis in self.axes else size for axis, size in enumerate(self.full)])
        return np.broadcast_to(np.reshape(x, kept), self.full)


@dataclass(frozen=True, slots=True)
class Sum(LinearMap):
    """The sum over `axes` of an array of shape `full`; the result has shape `small`."""

    full: Shape
    small: Shape
    axes: Shape
    name: ClassVar[str] = "sum"
    formula: ClassVar[str] = "y[i] += x[i, j]"
    rules: ClassVar[tuple[str, ...]] = ("dx[i, j] = dy[i]",)

    @property
    def adjoint(self) -> Spread:
        """Every element that was added gets the cotangent of its sum."""
        return Spread(self.small, self.full, self.axes)

    def forward(self, ops: Any, x: Any) -> Any:
        """Summed by NumPy, float16 in float32."""
        summed = np.add.reduce(x, self.axes, sum_dtype(x.dtype))
        return narrowed(np.asarray(summed), x.dtype).reshape(self.small)


@dataclass(frozen=True, slots=True, eq=False)
class Index(LinearMap):
    """Elements of an array of shape `shape` by any index of NumPy's: numbers, slices, arrays, masks."""

    shape: Shape
    key: Any
    name: ClassVar[str] = "index"
    formula: ClassVar[str] = "y = x[key]"
    rules: ClassVar[tuple[str, ...]] = ("dx = 0; dx[key] += dy",)

    @property
    def adjoint(self) -> "Scatter":
        """Writing where was read."""
        return Scatter(self.shape, self.key)

    def forward(self, ops: Any, x: Any) -> Any:
        """A view where the index is made of numbers and slices."""
        return x[self.key]


@dataclass(frozen=True, slots=True, eq=False)
class Scatter(LinearMap):
    """Zeros of shape `shape`, to which an array is added at an index; what an index names twice is added twice."""

    shape: Shape
    key: Any
    name: ClassVar[str] = "scatter"
    formula: ClassVar[str] = "y = 0; y[key] += x"
    rules: ClassVar[tuple[str, ...]] = ("dx = dy[key]",)

    @property
    def adjoint(self) -> Index:
        """Reading where was written."""
        return Index(self.shape, self.key)

    def forward(self, ops: Any, x: Any) -> Any:
        """Plain writing where no index can repeat, which is much faster than adding one by one."""
        y = np.zeros(self.shape, x.dtype)
        if may_repeat(self.key):
            np.add.at(y, self.key, x)
        else:
            y[self.key] = x
        return y


@dataclass(frozen=True, slots=True)
class Pad(LinearMap):
    """A border around an array of shape `shape`; `widths` has (before, after) for each axis.

    A border of another number than 0 makes the map affine; its derivative is the same.
    """

    shape: Shape
    widths: tuple[tuple[int, int], ...]
    value: float = 0.0
    name: ClassVar[str] = "pad"
    formula: ClassVar[str] = "y = value; y[before:before + size] = x"
    rules: ClassVar[tuple[str, ...]] = ("dx = dy[before:before + size]",)

    @property
    def adjoint(self) -> Index:
        """The border is cut off."""
        inner = [slice(before, before + size) for (before, _), size in zip(self.widths, self.shape, strict=True)]
        return Index(tuple(size + sum(pair) for size, pair in zip(self.shape, self.widths, strict=True)), tuple(inner))

    def forward(self, ops: Any, x: Any) -> Any:
        """A new array."""
        return np.pad(x, self.widths, constant_values=self.value)


@dataclass(frozen=True, slots=True)
class Cast(LinearMap):
    """The same numbers in another dtype."""

    before: np.dtype[Any]
    after: np.dtype[Any]
    name: ClassVar[str] = "astype"
    formula: ClassVar[str] = "y[i] = x[i]"
    rules: ClassVar[tuple[str, ...]] = ("dx[i] = dy[i]",)

    @property
    def adjoint(self) -> "Cast":
        """The dtype as it was."""
        return Cast(self.after, self.before)

    def forward(self, ops: Any, x: Any) -> Any:
        """A new array."""
        return x.astype(self.after)


@dataclass(frozen=True, slots=True)
class Concatenate:
    """Arrays one after the other along an axis, where they have these sizes."""

    axis: int
    sizes: Shape
    name: ClassVar[str] = "concatenate"
    formula: ClassVar[str] = "y[start:stop] = x along the axis, for each x"
    saves: ClassVar[tuple[bool, bool]] = (False, False)

    @property
    def rules(self) -> tuple[str, ...]:
        """One for each array."""
        return ("dx = dy[start:stop] along the axis",) * len(self.sizes)

    @property
    def static(self) -> dict[str, Any]:
        """The axis."""
        return {"axis": self.axis}

    def forward(self, ops: Any, *arrays: Any) -> Any:
        """A new array."""
        return np.concatenate(arrays, self.axis)

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """To every array its part."""
        stops = np.cumsum(self.sizes).tolist()
        lead = (slice(None),) * self.axis
        parts = [(*lead, slice(stop - size, stop)) for stop, size in zip(stops, self.sizes, strict=True)]
        return [
            ops.apply(Index(dy.shape, part), dy) if need else None for part, need in zip(parts, needs, strict=True)
        ]


def may_repeat(key: Any) -> bool:
    """Whether an index of NumPy's may name an element twice: numbers, slices and masks alone do not."""
    entries = key if isinstance(key, tuple) else (key,)
    return any(isinstance(entry, (np.ndarray, list)) and np.asarray(entry).dtype.kind != "b" for entry in entries)


def spreading(small: Shape, full: Shape) -> Spread:
    """How NumPy broadcasts one shape to another; ShapeError where it does not."""
    lead = len(full) - len(small)
    if lead < 0 or any(size not in (1, whole) for size, whole in zip(small, full[lead:], strict=True)):
        raise ShapeError(f"shape {small} does not broadcast to {full}; each size must be equal or 1")
    stretched = [axis + lead for axis, size in enumerate(small) if size != full[axis + lead]]
    return Spread(small, full, (*range(lead), *stretched))


def summing(full: Shape, axes: int | Sequence[int] | None, keepdims: bool) -> Sum:
    """The sum of an array over axes, as NumPy's `axis` and `keepdims` say it."""
    chosen = normal_axes(axes, len(full))
    kept = (1 if axis in chosen else size for axis, size in enumerate(full))
    left = (size for axis, size in enumerate(full) if axis not in chosen)
    return Sum(full, tuple(kept if keepdims else left), chosen)


def normal_axes(axes: int | Sequence[int] | None, rank: int) -> Shape:
    """Axes as NumPy takes them, counted from the first and in order; None is all of them."""
    if axes is None:
        return tuple(range(rank))
    if isinstance(axes, int):
        return (axis_of(axes, rank),)
    chosen = {axis_of(axis, rank) for axis in axes}
    if len(chosen) != len(axes):
        raise ShapeError(f"axis={tuple(axes)} names an axis of {rank} twice; name each once")
    return tuple(sorted(chosen))


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the first.

    Raises
    ------
    ShapeError
        There is none of that number.
    """
    if not -rank <= axis < rank:
        raise ShapeError(f"axis={axis} is none of {rank} axes; it is from {-rank} to {rank - 1}")
    return axis % rank
