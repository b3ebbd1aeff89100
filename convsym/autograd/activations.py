"""What stands between the layers of networks.

Each is a formula of `convsym.registry`; its gradient was derived from that, and `convsym generate` wrote both into
code. Where a function has a corner, the formula says which side counts.
"""

from typing import Any

from convsym.autograd.algebra import parametrized
from convsym.autograd.arithmetic import abs, maximum
from convsym.autograd.derived import PLAIN
from convsym.autograd.elementary import exp, log
from convsym.autograd.tape import Tensor, apply


def relu(x: Any) -> Tensor:
    """The rectifier; at 0 the derivative is 0.

        y[i] = where(x[i] > 0, x[i], 0)

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import relu, tensor
    >>> x = tensor([-1, 0, 2], requires_grad=True)
    >>> relu(x).sum().backward()
    >>> x.grad
    tensor([0., 0., 1.])
    """
    return apply(PLAIN["relu"], x)


def leaky_relu(x: Any, slope: float = 0.01) -> Tensor:
    """The rectifier with a small slope where it would be flat.

        y[i] = where(x[i] > 0, x[i], slope*x[i])

    Parameters
    ----------
    x : Tensor or ndarray
    slope : float

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import leaky_relu, tensor
    >>> x = tensor([-1, 2], requires_grad=True)
    >>> leaky_relu(x, 0.5).sum().backward()
    >>> x.grad
    tensor([0.5, 1. ])
    """
    return apply(parametrized("leaky_relu", slope), x)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """The exponential linear unit.

        y[i] = where(x[i] > 0, x[i], alpha*(exp(x[i]) - 1))

    Parameters
    ----------
    x : Tensor or ndarray
    alpha : float

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import elu, tensor
    >>> x = tensor([0, 2], requires_grad=True)
    >>> elu(x, 0.5).sum().backward()
    >>> x.grad
    tensor([0.5, 1. ])
    """
    return apply(parametrized("elu", alpha), x)


def sigmoid(x: Any) -> Tensor:
    """The logistic function.

        y[i] = 1 / (1 + exp(-x[i]))

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import sigmoid, tensor
    >>> x = tensor([0, 0], requires_grad=True)
    >>> sigmoid(x).sum().backward()
    >>> x.grad
    tensor([0.25, 0.25])
    """
    return apply(PLAIN["sigmoid"], x)


def softplus(x: Any) -> Tensor:
    """A smooth rectifier, log(1 + exp(x)), written so that it never overflows.

        y[i] = maximum(x[i], 0) + log(1 + exp(-abs(x[i])))

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import softplus, tensor
    >>> x = tensor([-1000, 0, 1000], requires_grad=True)
    >>> softplus(x).sum().backward()
    >>> x.grad
    tensor([0. , 0.5, 1. ])
    """
    return maximum(x, 0) + log(1 + exp(-abs(x)))
