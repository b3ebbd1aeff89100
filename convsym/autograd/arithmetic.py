"""Arithmetic of tensors: sums, products, powers, the larger of two, and what a condition chooses.

Each is a formula of `convsym.registry`; its gradient was derived from that, and `convsym generate` wrote both into
code. Operands broadcast as NumPy's do, and the gradient of what was broadcast is summed. Where a function has a
corner, the formula says which side counts.
"""

from math import inf
from typing import Any

from convsym.autograd.algebra import parametrized
from convsym.autograd.derived import PLAIN
from convsym.autograd.leaves import as_tensor
from convsym.autograd.tape import Tensor, apply


def add(a: Any, b: Any) -> Tensor:
    """The sum.

        y[i] = a[i] + b[i]

    Parameters
    ----------
    a, b : Tensor, ndarray or number

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import add, tensor
    >>> a, b = tensor([3], requires_grad=True), tensor([4], requires_grad=True)
    >>> add(a, b).backward()
    >>> a.grad, b.grad
    (tensor([1.]), tensor([1.]))
    """
    return apply(PLAIN["add"], a, b)


def sub(a: Any, b: Any) -> Tensor:
    """The difference.

        y[i] = a[i] - b[i]

    Parameters
    ----------
    a, b : Tensor, ndarray or number

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import sub, tensor
    >>> a, b = tensor([3], requires_grad=True), tensor([4], requires_grad=True)
    >>> sub(a, b).backward()
    >>> a.grad, b.grad
    (tensor([1.]), tensor([-1.]))
    """
    return apply(PLAIN["sub"], a, b)


def mul(a: Any, b: Any) -> Tensor:
    """The product.

        y[i] = a[i] * b[i]

    Parameters
    ----------
    a, b : Tensor, ndarray or number

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import mul, tensor
    >>> a, b = tensor([3], requires_grad=True), tensor([4], requires_grad=True)
    >>> mul(a, b).backward()
    >>> a.grad, b.grad
    (tensor([4.]), tensor([3.]))
    """
    return apply(PLAIN["mul"], a, b)


def div(a: Any, b: Any) -> Tensor:
    """The quotient.

        y[i] = a[i] / b[i]

    Parameters
    ----------
    a, b : Tensor, ndarray or number

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import div, tensor
    >>> a, b = tensor([3], requires_grad=True), tensor([4], requires_grad=True)
    >>> div(a, b).backward()
    >>> a.grad, b.grad
    (tensor([0.25]), tensor([-0.1875]))
    """
    return apply(PLAIN["div"], a, b)


def neg(x: Any) -> Tensor:
    """The negative.

        y[i] = -x[i]

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import neg, tensor
    >>> x = tensor([1, 2], requires_grad=True)
    >>> neg(x).sum().backward()
    >>> x.grad
    tensor([-1., -1.])
    """
    return apply(PLAIN["neg"], x)


def reciprocal(x: Any) -> Tensor:
    """The reciprocal.

        y[i] = 1 / x[i]

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import reciprocal, tensor
    >>> x = tensor([1, 2], requires_grad=True)
    >>> reciprocal(x).sum().backward()
    >>> x.grad
    tensor([-1.  , -0.25])
    """
    return apply(PLAIN["reciprocal"], x)


def square(x: Any) -> Tensor:
    """The square.

        y[i] = x[i]**2

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import square, tensor
    >>> x = tensor([1, 2], requires_grad=True)
    >>> square(x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    return apply(PLAIN["square"], x)


def sqrt(x: Any) -> Tensor:
    """The square root.

        y[i] = sqrt(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import sqrt, tensor
    >>> x = tensor([1, 4], requires_grad=True)
    >>> sqrt(x).sum().backward()
    >>> x.grad
    tensor([0.5 , 0.25])
    """
    return apply(PLAIN["sqrt"], x)


def pow(x: Any, exponent: Any) -> Tensor:
    """A power; an exponent that is a tensor has a gradient too, by the logarithm of x: none where x is not positive.

        y[i] = x[i]**exponent

    Parameters
    ----------
    x : Tensor, ndarray or number
    exponent : Tensor, ndarray or number

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import pow, tensor
    >>> x = tensor([1, 2], requires_grad=True)
    >>> pow(x, 3).sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """
    y: Tensor = as_tensor(x) ** exponent
    return y


def abs(x: Any) -> Tensor:
    """The absolute value; at 0 the derivative is 1.

        y[i] = abs(x[i])

    Parameters
    ----------
    x : Tensor or ndarray

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import abs, tensor
    >>> x = tensor([-2, 3], requires_grad=True)
    >>> abs(x).sum().backward()
    >>> x.grad
    tensor([-1.,  1.])
    """
    return apply(PLAIN["abs"], x)


def maximum(a: Any, b: Any) -> Tensor:
    """The larger of two; of equal ones the first has the gradient.

        y[i] = maximum(a[i], b[i])

    Parameters
    ----------
    a, b : Tensor, ndarray or number

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import maximum, tensor
    >>> a, b = tensor([3], requires_grad=True), tensor([4], requires_grad=True)
    >>> maximum(a, b).backward()
    >>> a.grad, b.grad
    (tensor([0.]), tensor([1.]))
    """
    return apply(PLAIN["maximum"], a, b)


def minimum(a: Any, b: Any) -> Tensor:
    """The smaller of two; of equal ones the first has the gradient.

        y[i] = minimum(a[i], b[i])

    Parameters
    ----------
    a, b : Tensor, ndarray or number

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import minimum, tensor
    >>> a, b = tensor([3], requires_grad=True), tensor([4], requires_grad=True)
    >>> minimum(a, b).backward()
    >>> a.grad, b.grad
    (tensor([1.]), tensor([0.]))
    """
    return apply(PLAIN["minimum"], a, b)


def clip(x: Any, low: Any = None, high: Any = None) -> Tensor:
    """The nearest number between two; at both of them the derivative is 1.

        y[i] = minimum(maximum(x[i], low), high)

    Parameters
    ----------
    x : Tensor or ndarray
    low, high : number, Tensor, ndarray or None
        None is no bound. Bounds that are arrays have gradients too.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import clip, tensor
    >>> x = tensor([-1, 0, 5], requires_grad=True)
    >>> clip(x, 0, 2).sum().backward()
    >>> x.grad
    tensor([0., 1., 0.])
    """
    least, most = -inf if low is None else low, inf if high is None else high
    if isinstance(least, (int, float)) and isinstance(most, (int, float)):
        return apply(parametrized("clip", least, most), x)
    return minimum(maximum(x, least), most)


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """One of two values, as a condition chooses; the gradient goes to the chosen one alone.

        y[i] = where(condition[i], a[i], b[i])

    Parameters
    ----------
    condition : ndarray of bool, or Tensor
    a, b : Tensor, ndarray or number

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import tensor, where
    >>> x = tensor([1, 2], requires_grad=True)
    >>> where(x > 1, x * x, 0).sum().backward()
    >>> x.grad
    tensor([0., 4.])
    """
    return apply(PLAIN["where"], condition, a, b)
