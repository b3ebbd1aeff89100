"""An array that is held by something with a past: what can be read off it, and what may not be done to it."""

from typing import Any, Self

import numpy as np

from convsym.errors import ShapeError, TapeError
from convsym.gate import Array

Shape = tuple[int, ...]
CONSTANTS = frozenset((np.ndarray, float, int, bool))  # types of operands that are taken as they are


class Held:
    """What a tensor is before anything is computed with it.

    Attributes
    ----------
    data : ndarray
        The numbers.
    grad_fn : Node or None
        What they were computed by; None for a leaf.
    wanted : bool
        Whether gradients by a leaf will be asked for.
    """

    data: Array
    grad_fn: Any = None
    wanted = False

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient can come here; of a leaf it can be set."""
        return self.wanted or self.grad_fn is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.grad_fn is not None:
            raise TapeError(
                f"requires_grad is set on the result of {self.grad_fn.name()}, and leaves alone have it set; "
                "x.detach() is one"
            )
        if wanted and self.data.dtype.kind not in "fO":
            raise TypeError(
                f"requires_grad=True is asked of dtype {self.data.dtype}, and real floating-point numbers have "
                "gradients; make them such: dtype=np.float64"
            )
        self.wanted = wanted

    def requires_grad_(self, wanted: bool = True) -> Self:
        """Set `requires_grad`, and be returned."""
        self.requires_grad = wanted
        return self

    def cotangent(self, given: Any) -> Array:
        """The array that the way back starts with: ones for one number, else a copy of what was given.

        Raises
        ------
        TapeError
            Nothing here has a gradient, or one has to be given.
        ShapeError
            It has another shape.
        """
        if not self.requires_grad:
            raise TapeError(
                "the gradient of a tensor without a past is asked for: nothing that it was computed from has "
                "requires_grad=True, or it was computed under no_grad()"
            )
        if given is None and self.dtype.kind == "c":
            raise TapeError(
                "backward() without a gradient is for one real number, and this one is complex; say "
                "y.backward(gradient=…), or take a real function of it"
            )
        if given is None and self.size != 1:
            raise TapeError(
                f"backward() without a gradient is for one number, and the tensor has shape {self.shape}; sum it up "
                "first, y.sum().backward(), or say y.backward(gradient=…) with an array of that shape"
            )
        dy = np.ones(self.shape, self.dtype) if given is None else np.array(plain(given), self.dtype)
        if dy.shape != self.shape:
            raise ShapeError(f"gradient has shape {dy.shape}, and the tensor has {self.shape}; they must be equal")
        return dy

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="tensor(")
        kind = "" if self.data.dtype == np.float64 else f", dtype={self.data.dtype}"
        node = self.grad_fn
        past = f", grad_fn=<{node.name()}>" if node else ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({text}{kind}{past})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.size != 1:
            raise TypeError(
                f"the format {spec!r} is for one number, and the tensor has shape {self.shape}; write out its elements"
            )
        return format(self.item(), spec)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a tensor of one number, without axes, has no length; item() is the number")
        return len(self.data)

    def __contains__(self, value: Any) -> bool:
        return bool((self.data == plain(value)).any())

    def __float__(self) -> float:
        return float(self.data)

    def __int__(self) -> int:
        return int(self.data)

    def __bool__(self) -> bool:
        return bool(self.data)

    # A comparison has no gradient: its result is a plain array of bool.
    def __lt__(self, other: Any) -> Array:
        return np.asarray(self.data < plain(other))

    def __le__(self, other: Any) -> Array:
        return np.asarray(self.data <= plain(other))

    def __gt__(self, other: Any) -> Array:
        return np.asarray(self.data > plain(other))

    def __ge__(self, other: Any) -> Array:
        return np.asarray(self.data >= plain(other))

    def __eq__(self, other: object) -> Array:  # type: ignore[override]  # elementwise, as of NumPy's arrays
        return np.asarray(self.data == plain(other))

    def __ne__(self, other: object) -> Array:  # type: ignore[override]
        return np.asarray(self.data != plain(other))

    __hash__ = object.__hash__

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.requires_grad:
            raise TypeError(
                "a tensor with a gradient is no array, for NumPy would lose the gradient; take the function of "
                "convsym.autograd, or x.detach().numpy() if no gradient is wanted"
            )
        return np.array(self.data, dtype, copy=copy)

    def numpy(self) -> Array:
        """The array itself, if no gradient is lost by that."""
        if self.requires_grad:
            raise TapeError("numpy() of a tensor with a gradient would lose it; say so: x.detach().numpy()")
        return self.data

    def item(self) -> Any:
        """The number, of a tensor that has one element."""
        return self.data.item()

    def tolist(self) -> Any:
        """The numbers as lists of lists."""
        return self.data.tolist()

    @property
    def is_leaf(self) -> bool:
        """Whether it was given, not computed from what has a gradient."""
        return self.grad_fn is None

    @property
    def shape(self) -> Shape:
        """Sizes of the axes."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """dtype of the array."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size


def plain(value: Any) -> Any:
    """The array of a tensor, and any other value as it is."""
    return value.data if isinstance(value, Held) else value


def constant(value: Any) -> Any:
    """An operand that is no tensor: an array, or a number, whose dtype gives way to that of arrays.

    Raises
    ------
    TypeError
        It is neither.
    """
    if type(value) in CONSTANTS:
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        return np.asarray(value)
    if value is None or isinstance(value, (str, bytes)) or hasattr(value, "__len__"):
        raise TypeError(
            f"an operand is a {type(value).__name__}, and tensors compute with tensors, NumPy arrays and numbers; "
            "make it one: convsym.tensor(…)"
        )
    return value


def owned(dx: Any, given: set[int]) -> Array:
    """The array itself if nobody else has it, for the owner of a gradient may write to it; else a copy."""
    array = np.asarray(dx)
    fresh = array.base is None and array.flags.writeable and id(array) not in given
    given.add(id(array))
    return array if fresh else array.copy()
