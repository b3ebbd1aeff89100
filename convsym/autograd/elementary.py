"""The elementary functions of tensors.

Each is a formula of `convsym.registry`; its gradient was derived from that, and `convsym generate` wrote both into
code.
"""

from typing import Any

from convsym.autograd.derived import PLAIN
from convsym.autograd.tape import Tensor, apply


def exp(x: Any) -> Tensor:
    """The exponential function.

        y[i] = exp(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import exp, tensor
    >>> x = tensor([0, 0], requires_grad=True)
    >>> exp(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """
    return apply(PLAIN["exp"], x)


def log(x: Any) -> Tensor:
    """The natural logarithm.

        y[i] = log(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import log, tensor
    >>> x = tensor([1, 2], requires_grad=True)
    >>> log(x).sum().backward()
    >>> x.grad
    tensor([1. , 0.5])
    """
    return apply(PLAIN["log"], x)


def sin(x: Any) -> Tensor:
    """The sine.

        y[i] = sin(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import sin, tensor
    >>> x = tensor([0, 0], requires_grad=True)
    >>> sin(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """
    return apply(PLAIN["sin"], x)


def cos(x: Any) -> Tensor:
    """The cosine.

        y[i] = cos(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import cos, tensor
    >>> x = tensor([0, 0], requires_grad=True)
    >>> cos(x).sum().backward()
    >>> x.grad
    tensor([-0., -0.])
    """
    return apply(PLAIN["cos"], x)


def tan(x: Any) -> Tensor:
    """The tangent.

        y[i] = tan(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import tan, tensor
    >>> x = tensor([0, 0], requires_grad=True)
    >>> tan(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """
    return apply(PLAIN["tan"], x)


def asin(x: Any) -> Tensor:
    """The arc sine.

        y[i] = asin(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import asin, tensor
    >>> x = tensor([0, 0.6], requires_grad=True)
    >>> asin(x).sum().backward()
    >>> x.grad
    tensor([1.  , 1.25])
    """
    return apply(PLAIN["asin"], x)


def acos(x: Any) -> Tensor:
    """The arc cosine.

        y[i] = acos(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import acos, tensor
    >>> x = tensor([0, 0.6], requires_grad=True)
    >>> acos(x).sum().backward()
    >>> x.grad
    tensor([-1.  , -1.25])
    """
    return apply(PLAIN["acos"], x)


def atan(x: Any) -> Tensor:
    """The arc tangent.

        y[i] = atan(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import atan, tensor
    >>> x = tensor([0, 1], requires_grad=True)
    >>> atan(x).sum().backward()
    >>> x.grad
    tensor([1. , 0.5])
    """
    return apply(PLAIN["atan"], x)


def sinh(x: Any) -> Tensor:
    """The hyperbolic sine.

        y[i] = sinh(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import sinh, tensor
    >>> x = tensor([0, 0], requires_grad=True)
    >>> sinh(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """
    return apply(PLAIN["sinh"], x)


def cosh(x: Any) -> Tensor:
    """The hyperbolic cosine.

        y[i] = cosh(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import cosh, tensor
    >>> x = tensor([0, 0], requires_grad=True)
    >>> cosh(x).sum().backward()
    >>> x.grad
    tensor([0., 0.])
    """
    return apply(PLAIN["cosh"], x)


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent.

        y[i] = tanh(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import tanh, tensor
    >>> x = tensor([0, 0], requires_grad=True)
    >>> tanh(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """
    return apply(PLAIN["tanh"], x)
