"""Optimizers: parameters moved against their gradients, in place."""

from collections.abc import Iterable
from math import sqrt

import numpy as np

from convsym import scratch
from convsym.autograd import Tensor
from convsym.gate import Array


class Optimizer:
    """What optimizers share: the parameters, and forgetting their gradients.

    Parameters
    ----------
    parameters : iterable of Tensor
        Leaves that take gradients, such as ``net.parameters()``.

    Raises
    ------
    TypeError, ValueError
        There is none, or one of them is no such leaf.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        scratch.settle()  # many steps follow, all with arrays of the same sizes
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("parameters is empty, and an optimizer needs something to move; give net.parameters()")
        for place, parameter in enumerate(self.parameters):
            if not isinstance(parameter, Tensor):
                raise TypeError(f"parameters[{place}] is {parameter!r} ({type(parameter).__name__}), and not a tensor")
            if not (parameter.requires_grad and parameter.is_leaf):
                raise ValueError(
                    f"parameters[{place}], of shape {parameter.shape}, takes no gradient of its own; make it with "
                    "convsym.tensor(…, requires_grad=True)"
                )

    def __repr__(self) -> str:
        own = ", ".join(f"{name}={value}" for name, value in vars(self).items() if isinstance(value, (int, float)))
        return f"{type(self).__name__}({len(self.parameters)} parameters, {own})"

    def zero_grad(self) -> None:
        """Forget the gradients; the next backward() starts from nothing."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for place, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self._move(place, parameter.data, parameter.grad.data)

    def _move(self, place: int, values: Array, gradient: Array) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not say how a parameter moves; define its _move")


class SGD(Optimizer):
    """Gradient descent, with momentum: v = momentum*v + g, then p -= lr*v, as torch's.

    Parameters
    ----------
    parameters : iterable of Tensor
    lr : float
        The step; an attribute that may be changed as training goes on.
    momentum : float
    weight_decay : float
        This multiple of the parameter is added to its gradient g.

    Raises
    ------
    TypeError, ValueError
        A parameter is none, or a number is negative.

    Examples
    --------
    >>> from convsym import nn, tensor
    >>> x = tensor([4.0], requires_grad=True)
    >>> descent = nn.SGD([x], lr=0.25)
    >>> for _ in range(3):
    ...     descent.zero_grad()
    ...     (x * x).sum().backward()
    ...     descent.step()
    >>> x.tolist()
    [0.5]
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters)
        self.lr = _not_negative(lr, "lr")
        self.momentum = _not_negative(momentum, "momentum")
        self.weight_decay = _not_negative(weight_decay, "weight_decay")
        self._velocity = [np.zeros_like(p.data) for p in self.parameters] if self.momentum else []
        self._room = [np.empty_like(p.data) for p in self.parameters]

    def _move(self, place: int, values: Array, gradient: Array) -> None:
        room = self._room[place]
        if self.weight_decay:
            gradient = np.add(gradient, np.multiply(values, self.weight_decay, out=room), out=room)
        if self.momentum:
            velocity = self._velocity[place]
            velocity *= self.momentum
            velocity += gradient
            gradient = velocity
        values -= np.multiply(gradient, self.lr, out=room)


class Adam(Optimizer):
    """Kingma and Ba's optimizer (2015): steps of the gradient's running mean over the root of its running square.

    Parameters
    ----------
    parameters : iterable of Tensor
    lr : float
        The step; an attribute that may be changed as training goes on.
    betas : tuple of float
        How much of the two running means is kept at each step.
    eps : float
        Added to the root.
    weight_decay : float
        This multiple of the parameter is added to its gradient.

    Raises
    ------
    TypeError, ValueError
        A parameter is none, or a number is not in its range.

    Examples
    --------
    >>> from convsym import nn, tensor
    >>> x = tensor([4.0], requires_grad=True)
    >>> adam = nn.Adam([x], lr=0.5)
    >>> for _ in range(2):
    ...     adam.zero_grad()
    ...     (x * x).sum().backward()
    ...     adam.step()
    >>> round(x.item(), 3)
    3.003
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters)
        self.lr = _not_negative(lr, "lr")
        self.eps = _not_negative(eps, "eps")
        self.weight_decay = _not_negative(weight_decay, "weight_decay")
        for place, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise ValueError(f"betas[{place}] is {beta}, and a share that is kept is at least 0 and less than 1")
        self.betas = betas
        self._mean, self._square, self._room = (
            [np.zeros_like(p.data) for p in self.parameters] for _ in range(3)
        )
        self._steps = [0] * len(self.parameters)

    def _move(self, place: int, values: Array, gradient: Array) -> None:
        mean, square, room = self._mean[place], self._square[place], self._room[place]
        (keep, keep_square), self._steps[place] = self.betas, self._steps[place] + 1
        if self.weight_decay:
            gradient = gradient + self.weight_decay * values
        np.subtract(gradient, mean, out=room)
        room *= 1 - keep
        mean += room
        np.multiply(gradient, gradient, out=room)
        room *= 1 - keep_square
        square *= keep_square
        square += room
        # Both means begin at 0, and the shares that they miss so far are made up for.
        np.sqrt(square, out=room)
        room /= sqrt(1 - keep_square ** self._steps[place])
        room += self.eps
        np.divide(mean, room, out=room)
        room *= self.lr / (1 - keep ** self._steps[place])
        values -= room


def _not_negative(value: float, name: str) -> float:
    if not value >= 0:
        raise ValueError(f"{name} is {value}, and it must be at least 0")
    return value
