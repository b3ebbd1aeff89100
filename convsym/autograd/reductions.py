"""Sums over axes, sums of products, and what is largest or smallest along an axis."""

from typing import Any

import numpy as np

from convsym.autograd.algebra import Axis
from convsym.autograd.elementary import exp, log
from convsym.autograd.leaves import as_tensor
from convsym.autograd.tape import Tensor
from convsym.gate import Array


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum of all elements, or along axes.

        y[n] += x[n, i]

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int, tuple of int, or None
        None is all axes.
    keepdims : bool
        Whether the axes stay, with size 1.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import sum, tensor
    >>> sum(tensor([[1, 2], [3, 4]]), axis=0)
    tensor([4., 6.])
    """
    return as_tensor(x).sum(axis, keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean of all elements, or along axes.

        y[n] += x[n, i] / x.shape[1]

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int, tuple of int, or None
        None is all axes.
    keepdims : bool
        Whether the axes stay, with size 1.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import mean, tensor
    >>> mean(tensor([[1, 2], [3, 4]]), axis=0, keepdims=True)
    tensor([[2., 3.]])
    """
    return as_tensor(x).mean(axis, keepdims)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element, or along axes; of equal ones the first has the gradient.

        y[n] += x[n, i] * where(i == k[n], 1, 0)

    with k[n] the first i where x[n, i] is largest.

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int, tuple of int, or None
        None is all axes.
    keepdims : bool
        Whether the axes stay, with size 1.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        There are no elements along the axes.

    Examples
    --------
    >>> from convsym.autograd import max, tensor
    >>> x = tensor([[1, 3, 3]], requires_grad=True)
    >>> max(x).backward()
    >>> x.grad
    tensor([[0., 1., 0.]])
    """
    return as_tensor(x).max(axis, keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element, or along axes; of equal ones the first has the gradient.

        y[n] += x[n, i] * where(i == k[n], 1, 0)

    with k[n] the first i where x[n, i] is smallest.

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int, tuple of int, or None
        None is all axes.
    keepdims : bool
        Whether the axes stay, with size 1.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        There are no elements along the axes.

    Examples
    --------
    >>> from convsym.autograd import min, tensor
    >>> min(tensor([[1, 3], [4, 2]]), axis=1)
    tensor([1., 2.])
    """
    return as_tensor(x).min(axis, keepdims)


def matmul(a: Any, b: Any) -> Tensor:
    """The product of matrices; of stacks of matrices, where leading axes broadcast; of vectors.

        y[n, i, j] += a[n, i, k] * b[n, k, j]

    Parameters
    ----------
    a, b : Tensor or ndarray
        As of `numpy.matmul`.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        An operand is a number.

    Examples
    --------
    >>> from convsym.autograd import matmul, tensor
    >>> a = tensor([[1, 2], [3, 4]], requires_grad=True)
    >>> matmul(a, tensor([1, 10]))
    tensor([21., 43.], grad_fn=<ReshapeBackward0>)
    """
    y: Tensor = as_tensor(a) @ b
    return y


def logsumexp(x: Any, axis: Axis = -1, keepdims: bool = False) -> Tensor:
    """The logarithm of the sum of exponentials along axes, from numbers that do not overflow.

        y[n] = log(sum over i of exp(x[n, i]))

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int, tuple of int, or None
        None is all axes.
    keepdims : bool
        Whether the axes stay, with size 1.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import logsumexp, tensor
    >>> logsumexp(tensor([1000, 1000])).item() - 1000
    0.69314718055...
    """
    t = as_tensor(x)
    shift = _shift(t, axis)
    y = log(exp(t - shift).sum(axis, keepdims=True)) + shift
    return y if keepdims else y.reshape(t.data.sum(axis).shape)


def softmax(x: Any, axis: Axis = -1) -> Tensor:
    """Exponentials as parts of their sum along axes.

        y[n, i] = exp(x[n, i]) / sum over i of exp(x[n, i])

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int, tuple of int, or None
        None is all axes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import softmax, tensor
    >>> softmax(tensor([1000, 1000]))
    tensor([0.5, 0.5])
    """
    t = as_tensor(x)
    e = exp(t - _shift(t, axis))
    return e / e.sum(axis, keepdims=True)


def log_softmax(x: Any, axis: Axis = -1) -> Tensor:
    """The logarithm of `softmax`.

        y[n, i] = x[n, i] - log(sum over i of exp(x[n, i]))

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int, tuple of int, or None
        None is all axes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import log_softmax, tensor
    >>> log_softmax(tensor([0, 0])).tolist() == log_softmax(tensor([1000, 1000])).tolist()
    True
    """
    t = as_tensor(x)
    z = t - _shift(t, axis)
    return z - log(exp(z).sum(axis, keepdims=True))


def _shift(x: Tensor, axis: Axis) -> Array:
    """What is taken off before exponentials, so that the largest is 1: any number would do, so it has no gradient."""
    if not x.size:
        return np.zeros((), x.dtype)
    largest: Array = np.maximum.reduce(x.data, axis, keepdims=True)
    return largest if np.isfinite(largest).all() else np.where(np.isfinite(largest), largest, np.zeros_like(largest))
