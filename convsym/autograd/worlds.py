"""Where primitives run: among NumPy's arrays, among SymPy's symbols, or among tensors, which records them anew."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from convsym.autograd import arrays
from convsym.autograd.derived import PLAIN
from convsym.autograd.held import plain
from convsym.autograd.maps import Index, Shape, spreading, summing
from convsym.autograd.primitives import Primitive


class World:
    """Arrays, with functions that bear NumPy's names.

    Parameters
    ----------
    functions : module or object
        Where the functions are: `arrays`, or a module that has those names for symbols.
    """

    def __init__(self, functions: Any) -> None:
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._functions, name)
        setattr(self, name, function)  # found at once from now on
        return function

    def apply(self, op: Primitive, *operands: Any) -> Any:
        """The result of a primitive."""
        return op.forward(self, *operands)

    def plain(self, value: Any) -> Any:
        """The array that a value is."""
        return value


class TensorWorld:
    """Tensors, with the functions that derived rules use; what they compute is recorded.

    Parameters
    ----------
    apply : callable
        Runs a primitive on tensors and arrays, and gives a tensor.
    """

    plain: ClassVar[Any] = staticmethod(plain)

    def __init__(self, apply: Callable[..., Any]) -> None:
        self.apply = apply

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = PLAIN.get(name)
        if op is None:
            raise AttributeError(f"no rule for tensors is called {name!r}")
        return lambda *operands: self.apply(op, *operands)

    def zeros_like(self, x: Any) -> Any:
        """Zeros without a past."""
        return x.detach() * 0

    def where_positive(self, x: Any, yes: Any) -> Any:
        """The elements of the other tensor where those of x are positive, zeros elsewhere."""
        return self.apply(PLAIN["where"], plain(x) > 0, yes, 0)

    def sum(self, x: Any, axis: Sequence[int], keepdims: bool) -> Any:
        """The sum over axes."""
        return self.apply(summing(x.shape, axis, keepdims), x)

    def broadcast_to(self, x: Any, shape: Shape) -> Any:
        """The tensor read many times."""
        return self.apply(spreading(x.shape, shape), x)

    def swapaxes(self, x: Any, axis1: int, axis2: int) -> Any:
        """Two axes exchanged."""
        return x.swapaxes(axis1, axis2)

    def take_along_axis(self, x: Any, k: Any, axis: int) -> Any:
        """The elements that `k` names along an axis."""
        key = np.ix_(*map(np.arange, k.shape))
        return self.apply(Index(x.shape, (*key[:axis], k, *key[axis + 1 :])), x)


NUMPY = World(arrays)
