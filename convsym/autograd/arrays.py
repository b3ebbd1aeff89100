"""NumPy's functions under their names, some of them changed: `where` and `maximum` are fast and have threads, `matmul`
has the tiles of convolutions, `exp` is infinite without a warning; and NumPy takes long to start what is short."""

from functools import lru_cache
from math import ceil, prod
from typing import Any

import numpy as np

from convsym import gate, kernels
from convsym.gate import Array
from convsym.kernels.tables import Driver
from convsym.matrices import multiply as matmul

__all__ = ["broadcast_to", "exp", "matmul", "maximum", "sum", "swapaxes", "take_along_axis", "where", "where_positive"]

_BITS = {"f": np.int32, "d": np.int64}
# Elements that a thread selects at a time, and the multiply-adds of tiles that one takes as long as.
BLOCK, WORK = 2**13, 16
_TABLE = np.array([BLOCK], np.intp)
# Elements that are written sooner than NumPy makes a view that repeats them.
SHORT = 2**12


def where(condition: Any, yes: Any, no: Any) -> Any:
    """The element of the one array where a condition holds, of the other one elsewhere, as ``numpy.where``.

    Where conditions follow no pattern, as the signs of activations, a branch for each element is many times as slow as
    a product; but 0 times infinity is no 0. With bits that are all 1 where the condition holds, every value is kept.

    Parameters
    ----------
    condition : numpy.ndarray
        Of bools.
    yes, no : array or number
        Fast if `no` is the integer 0.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> where(np.array([True, False]), np.array([np.inf, np.inf]), 0).tolist()
    [inf, 0.0]
    """
    bits = _BITS.get(yes.dtype.char) if type(yes) is type(condition) is np.ndarray else None
    if bits is None or type(no) is not int or no != 0 or yes.shape != condition.shape:
        return np.where(condition, yes, no)
    if _is_long(yes) and condition.dtype.char == "?" and gate.is_laid_out(condition):
        return _blockwise("select", yes, condition.view(np.uint8))
    chosen = condition.astype(bits)
    np.negative(chosen, out=chosen)
    return np.bitwise_and(chosen, yes.view(bits), out=chosen).view(yes.dtype)


def where_positive(x: Any, yes: Any) -> Any:
    """The elements of an array where those of another one are positive, zeros elsewhere.

    Parameters
    ----------
    x, yes : array or number

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> where_positive(np.array([-1.0, 2.0]), np.array([3.0, 4.0])).tolist()
    [0.0, 4.0]
    """
    alike = type(x) is type(yes) is np.ndarray and x.dtype is yes.dtype and x.shape == yes.shape
    if alike and _is_long(yes) and gate.is_laid_out(x):
        return _blockwise("where_positive", yes, x)
    return where(x > 0, yes, 0)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two, and NaN where one is none, as ``numpy.maximum``.

    Parameters
    ----------
    a, b : array or number
        Fast if `b` is the integer 0.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> maximum(np.array([-1.0, np.nan, 2.0]), 0).tolist()
    [0.0, nan, 2.0]
    """
    if type(b) is int and b == 0 and type(a) is np.ndarray and _is_long(a):
        return _blockwise("positive", a)
    return np.maximum(a, b)


def _is_long(array: Array) -> bool:
    """Whether there are elements for a team of threads, which lie as kernels read them."""
    return array.size >= BLOCK and array.dtype.char in _BITS and gate.is_native(array) and gate.is_laid_out(array)


def _blockwise(name: str, values: Array, *beside: Array) -> Array:
    """What a driver makes of all elements, each of which its thread has in its cache from the step before."""
    out = np.empty(values.shape, values.dtype)
    arrays = [array.reshape(-1) for array in (out, *beside, values)]
    kernels.drive(_driver(name, ceil(values.size / BLOCK)), arrays, 1, WORK * values.size, values.dtype.char)
    return out


@lru_cache(maxsize=256)
def _driver(name: str, blocks: int) -> Driver:
    return Driver(name, _TABLE, blocks)


def exp(x: Any) -> Any:
    """The exponential function; infinity where it exceeds the largest number, with which sigmoids rightly go on.

    Parameters
    ----------
    x : array or number

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> 1 / (1 + exp(np.array([0.0, 1000.0])))
    array([0.5, 0. ])
    """
    with np.errstate(over="ignore"):
        return np.exp(x)


def sum(x: Array, axis: int | tuple[int, ...] | None, keepdims: bool) -> Array:
    """The sum over axes, as ``numpy.sum``.

    Parameters
    ----------
    x : numpy.ndarray
    axis : int, tuple of int, or None
    keepdims : bool

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> sum(np.ones((2, 3)), (1,), True).tolist()
    [[3.0], [3.0]]
    """
    total: Array = x.sum(axis, keepdims=keepdims)
    return total


def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """Two axes exchanged, as ``numpy.swapaxes``.

    Parameters
    ----------
    x : numpy.ndarray
    axis1, axis2 : int

    Returns
    -------
    numpy.ndarray
        A view.

    Examples
    --------
    >>> swapaxes(np.ones((2, 3)), 0, 1).shape
    (3, 2)
    """
    return x.swapaxes(axis1, axis2)


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Elements read many times, as ``numpy.broadcast_to``.

    Parameters
    ----------
    x : numpy.ndarray
    shape : tuple of int

    Returns
    -------
    numpy.ndarray
        A read-only view, or a small array.

    Examples
    --------
    >>> broadcast_to(np.ones(()), (2, 3)).shape
    (2, 3)
    """
    if prod(shape) > SHORT:
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


def take_along_axis(x: Array, k: Array, axis: int) -> Array:
    """The elements that indices name along an axis, as ``numpy.take_along_axis``.

    Parameters
    ----------
    x : numpy.ndarray
    k : numpy.ndarray
        Of one index for all elements along the axis.
    axis : int
        From 0 on.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> take_along_axis(np.array([[1, 2], [3, 4]]), np.array([[1], [0]]), 1).tolist()
    [[2], [3]]
    """
    if axis != 1 or k.shape != (len(x), 1):
        return np.take_along_axis(x, k, axis)
    return x[np.arange(len(x)), k[:, 0]][:, None]


def __getattr__(name: str) -> Any:
    if name.startswith("_"):  # what a module says of itself
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(np, name)
