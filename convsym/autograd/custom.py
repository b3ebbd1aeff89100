"""Functions with a rule of one's own: where the tape is not to look inside, or there is nothing to derive."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convsym.autograd.held import plain
from convsym.autograd.recording import no_grad
from convsym.autograd.tape import Tensor, record
from convsym.autograd.worlds import TensorWorld
from convsym.errors import TapeError


class Context:
    """What `forward` of a `Function` leaves for its `backward`; any attribute can be set.

    Attributes
    ----------
    needs_input_grad : tuple of bool
        For each argument, whether a gradient by it is needed.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._saved: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep arguments or the result, so that they are let go with the graph."""
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was saved."""
        return self._saved


class _Result:
    """Stands for the result among what was saved: the result itself would hold its own node."""


class Function:
    """A function with its rule: derive a class, and call its `apply`.

    `forward` computes without being recorded, and gives one tensor. `backward` takes the cotangent of the result, and
    gives one for each argument: None for those that are no tensors. With ``create_graph=True`` it is recorded, so it is
    to compute with tensors.

    Examples
    --------
    >>> import convsym
    >>> from convsym.autograd import Function
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, dy):
    ...         (x,) = ctx.saved_tensors
    ...         return dy * 3 * x * x
    >>> x = convsym.tensor([1, 2], requires_grad=True)
    >>> Cube.apply(x).sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """

    @staticmethod
    def forward(ctx: Context, *arguments: Any) -> Tensor:
        """The result."""
        raise NotImplementedError("a Function has a static method forward(ctx, …)")

    @staticmethod
    def backward(ctx: Context, dy: Tensor) -> Any:
        """The cotangents of the arguments."""
        raise NotImplementedError("a Function has a static method backward(ctx, dy)")

    @classmethod
    def apply(cls, *arguments: Any) -> Tensor:
        """Compute, and record that as one node."""
        ctx = Context(tuple(isinstance(argument, Tensor) and argument.requires_grad for argument in arguments))
        with no_grad():
            y = cls.forward(ctx, *arguments)
        if not isinstance(y, Tensor):
            raise TypeError(f"{cls.__name__}.forward gave a {type(y).__name__}, and it gives one tensor")
        ctx._saved = tuple(_Result() if saved is y else saved for saved in ctx._saved)
        edges = [argument.edge if isinstance(argument, Tensor) else None for argument in arguments]
        return record(_Custom(cls, ctx), edges, [plain(argument) for argument in arguments], y.data)


class _Custom:
    """A function of the user's, as a primitive."""

    formula = ""
    saves = (False, True)

    def __init__(self, function: type[Function], ctx: Context) -> None:
        self.function, self.ctx = function, ctx
        self.name = function.__name__

    @property
    def rules(self) -> tuple[str, ...]:
        """One of the user's own for every argument."""
        return (f"{self.name}.backward",) * len(self.ctx.needs_input_grad)

    @property
    def static(self) -> Mapping[str, Any]:
        """Nothing that is known."""
        return {}

    def forward(self, ops: Any, *operands: Any) -> Any:
        """Compute once more, for a graph that is replayed."""
        with no_grad():
            return self.function.forward(Context(self.ctx.needs_input_grad), *operands)

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """What the user's rule says."""
        again = isinstance(ops, TensorWorld)
        ctx = Context(tuple(needs))
        vars(ctx).update({name: value for name, value in vars(self.ctx).items() if name != "needs_input_grad"})
        result = y if again else Tensor(y)
        ctx._saved = tuple(result if isinstance(saved, _Result) else saved for saved in self.ctx._saved)
        given = self.function.backward(ctx, dy if again else Tensor(dy))
        cotangents = given if isinstance(given, tuple) else (given,)
        if len(cotangents) != len(needs):
            raise TapeError(
                f"{self.name}.backward gave {len(cotangents)} gradients, and forward took {len(needs)} arguments; give "
                "one for each, None where there is none"
            )
        return cotangents if again else [None if dx is None else np.array(plain(dx)) for dx in cotangents]
