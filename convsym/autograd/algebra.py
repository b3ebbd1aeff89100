"""What can be written with tensors, as ``x + y``, ``x[0]`` and ``x.sum()``: each is a primitive, applied."""
# mypy: disable-error-code="no-any-return"
# A tensor applies primitives to tensors and gets one; that class stands right of this module.

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any, ClassVar, Self
from weakref import ref

import numpy as np
from numpy.typing import DTypeLike

from convsym.autograd._rules import RULES
from convsym.autograd.derived import PLAIN, Derived, Extreme, Reduction
from convsym.autograd.held import Held, constant, plain
from convsym.autograd.maps import Cast, Index, Reshape, Shape, Transpose, axis_of, normal_axes
from convsym.autograd.recording import MODE
from convsym.errors import ShapeError, TapeError

ADD, SUB, MUL, DIV, NEG = (PLAIN[name] for name in ("add", "sub", "mul", "div", "neg"))
MATMUL, ABS = PLAIN["matmul"], PLAIN["abs"]
Axis = int | Sequence[int] | None
_REFLECTED: dict[Any, str] = {
    np.add: "__radd__",
    np.subtract: "__rsub__",
    np.multiply: "__rmul__",
    np.true_divide: "__rtruediv__",
    np.power: "__rpow__",
    np.matmul: "__rmatmul__",
    np.greater: "__lt__",
    np.greater_equal: "__le__",
    np.less: "__gt__",
    np.less_equal: "__ge__",
    np.equal: "__eq__",
    np.not_equal: "__ne__",
}


@lru_cache(maxsize=256, typed=True)
def parametrized(name: str, *parameters: Any) -> Derived:
    """The primitive of a rule with parameters; made once for each of their values."""
    return Derived(RULES[name], *parameters)


class Algebra(Held):
    """Operators, indexing and methods; `_apply` runs a primitive on tensors."""

    _apply: ClassVar[Any]
    register_hook: Callable[..., Any]

    def __add__(self, other: Any) -> Self:
        return self._apply(ADD, self, other)

    def __radd__(self, other: Any) -> Self:
        return self._apply(ADD, other, self)

    def __sub__(self, other: Any) -> Self:
        return self._apply(SUB, self, other)

    def __rsub__(self, other: Any) -> Self:
        return self._apply(SUB, other, self)

    def __mul__(self, other: Any) -> Self:
        return self._apply(MUL, self, other)

    def __rmul__(self, other: Any) -> Self:
        return self._apply(MUL, other, self)

    def __truediv__(self, other: Any) -> Self:
        return self._apply(DIV, self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._apply(DIV, other, self)

    def __neg__(self) -> Self:
        return self._apply(NEG, self)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return self._apply(ABS, self)

    def __pow__(self, other: Any) -> Self:
        if isinstance(other, (Held, np.ndarray)):
            return self._apply(PLAIN["power"], self, other)
        return self._apply(parametrized("pow", constant(other)), self)

    def __rpow__(self, other: Any) -> Self:
        return self._apply(PLAIN["power"], other, self)

    # Where nothing is recorded a leaf is changed in place, as an optimizer does it; else a name gets another tensor.
    def __iadd__(self, other: Any) -> Self:
        return self._changed(self + other)

    def __isub__(self, other: Any) -> Self:
        return self._changed(self - other)

    def __imul__(self, other: Any) -> Self:
        return self._changed(self * other)

    def __itruediv__(self, other: Any) -> Self:
        return self._changed(self / other)

    def _changed(self, result: Self) -> Self:
        if not self.wanted:
            return result
        if MODE.recording:
            raise TapeError(
                "a leaf that requires a gradient is changed in place, and then gradients by it would not be those of "
                "what it was; do it under convsym.autograd.no_grad(), or give the result another name"
            )
        self.data[...] = result.data
        return self

    def __matmul__(self, other: Any) -> Self:
        return _product(self, other, self._apply)

    def __rmatmul__(self, other: Any) -> Self:
        return _product(other, self, self._apply)

    def __getitem__(self, key: Any) -> Self:
        entries = tuple([_entry(entry) for entry in key]) if isinstance(key, tuple) else _entry(key)
        return self._apply(Index(self.data.shape, entries), self)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(
            "an element of a tensor cannot be written, for what was computed from it would no longer be true; "
            "use convsym.autograd.where(mask, value, x), or x.data[...] = value before anything is computed"
        )

    def __iter__(self) -> Any:
        return (self[place] for place in range(len(self)))

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        """Functions of NumPy take tensors as arrays, which those with a gradient refuse to be."""
        return function(*_arrays(arguments), **{name: _arrays(value) for name, value in options.items()})

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Let an array on the left compute with a tensor; no other function of NumPy takes one."""
        reflected = _REFLECTED.get(ufunc)
        if reflected is None or method != "__call__" or options or inputs[1] is not self:
            name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            raise TypeError(
                f"numpy.{name} takes no tensor, for it would lose the gradient; take the function of that name in "
                "convsym.autograd, or x.detach().numpy() if no gradient is wanted"
            )
        return getattr(self, reflected)(inputs[0])

    @property
    def T(self) -> Self:
        """The axes in reversed order."""
        return self.transpose()

    def retain_grad(self) -> None:
        """Keep the gradient in `grad` also where this is no leaf."""
        if self.grad_fn is not None:
            here = ref(self)  # a hook that held its tensor would keep the graph alive
            self.register_hook(lambda gradient: _kept(here(), gradient))

    def astype(self, dtype: DTypeLike) -> Self:
        """The same numbers in another dtype; the gradient comes back in this one."""
        after = np.dtype(dtype)
        return self if after == self.data.dtype else self._apply(Cast(self.data.dtype, after), self)

    def reshape(self, *shape: Any) -> Self:
        """The same elements in the same order under another shape; one size may be -1."""
        wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return self._apply(Reshape(self.data.shape, _full_shape(self.data.shape, tuple(wanted))), self)

    def transpose(self, *axes: Any) -> Self:
        """The axes in another order, reversed without an argument."""
        rank = self.data.ndim
        given = tuple(axes[0]) if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = tuple([axis_of(axis, rank) for axis in given]) if given else tuple(range(rank))[::-1]
        if len(set(order)) != rank or len(order) != rank:
            raise ShapeError(f"axes={given} names {len(set(order))} axes, and the tensor has {rank}; name each once")
        return self._apply(Transpose(order), self)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        """Two axes exchanged."""
        order = list(range(self.data.ndim))
        one, other = axis_of(axis1, len(order)), axis_of(axis2, len(order))
        order[one], order[other] = other, one
        return self._apply(Transpose(tuple(order)), self)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The sum of all elements, or along axes."""
        return self._apply(Reduction("sum", self.data.shape, axis, keepdims), self)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The mean of all elements, or along axes."""
        return self._apply(Reduction("mean", self.data.shape, axis, keepdims), self)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The largest element, or along axes; of equal ones the first gets the gradient."""
        return _extreme("max", self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The smallest element, or along axes; of equal ones the first gets the gradient."""
        return _extreme("min", self, axis, keepdims)


def _arrays(value: Any) -> Any:
    """Tensors as arrays, in tuples and lists too."""
    if isinstance(value, (tuple, list)):
        made = [_arrays(item) for item in value]
        return made if isinstance(value, list) else tuple(made)
    return np.asarray(value) if isinstance(value, Held) else value


def _kept(tensor: Any, gradient: Any) -> None:
    if tensor is not None:
        tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient


def _entry(entry: Any) -> Any:
    """A part of an index; arrays are copied, for nobody is to change them later."""
    data = plain(entry)
    return np.array(data) if isinstance(data, (np.ndarray, list)) else data


def _full_shape(before: Shape, after: Shape) -> Shape:
    """A shape with its -1 replaced by what is left."""
    count, known = prod(before), prod(size for size in after if size != -1)
    full = tuple(count // max(known, 1) if size == -1 else size for size in after)
    if after.count(-1) > 1 or min(full, default=1) < 0 or prod(full) != count:
        raise ShapeError(f"shape {before} has {count} elements, and they do not fill the shape {after}")
    return full


def _extreme(name: str, x: Any, axis: Axis, keepdims: bool) -> Any:
    """The largest or smallest element; several axes are made one, for one element is found along one axis."""
    shape: Shape = x.shape
    axes = normal_axes(axis, len(shape))
    if not prod(shape[place] for place in axes):
        raise ShapeError(f"the {name} of no elements is asked for: shape {shape} has none along axis={axis}")
    if len(axes) == 1:
        return x._apply(Extreme(name, shape, axes, keepdims), x)
    others = tuple(place for place in range(len(shape)) if place not in axes)
    flat = x.transpose(others + axes).reshape(*(shape[place] for place in others), -1)
    kept = tuple(1 if place in axes else size for place, size in enumerate(shape))
    found = flat._apply(Extreme(name, flat.shape, -1, False), flat)
    return found.reshape(kept) if keepdims else found


def _product(a: Any, b: Any, apply: Callable[..., Any]) -> Any:
    """The matrix product; a vector is a row on the left and a column on the right, and its axis goes again."""
    shapes = np.shape(plain(a)), np.shape(plain(b))
    ranks = len(shapes[0]), len(shapes[1])
    if not all(ranks):
        raise ShapeError("a matrix product has a number as operand, and arrays are needed; numbers are multiplied by *")
    row, column = shapes[0][-1], shapes[1][max(ranks[1] - 2, 0)]
    if row != column:
        raise ShapeError(
            f"shapes {shapes[0]} and {shapes[1]} make no matrix product: rows of {row} elements meet columns of "
            f"{column}"
        )
    if min(ranks) >= 2:
        return apply(MATMUL, a, b)
    left = a.reshape(1, -1) if ranks[0] == 1 else a
    right = b.reshape(-1, 1) if ranks[1] == 1 else b
    y = apply(MATMUL, left, right)
    shape = y.shape[: -2 if ranks[0] == 1 else -1] if ranks[1] == 1 else (*y.shape[:-2], y.shape[-1])
    return y.reshape(shape)
