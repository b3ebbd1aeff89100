"""NumPy's functions under their names, two of them changed: `where` is fast, `exp` is infinite without a warning."""

from typing import Any

import numpy as np

_BITS = {"f": np.int32, "d": np.int64}


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
    chosen = condition.astype(bits)
    np.negative(chosen, out=chosen)
    return np.bitwise_and(chosen, yes.view(bits), out=chosen).view(yes.dtype)


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


def __getattr__(name: str) -> Any:
    if name.startswith("_"):  # what a module says of itself
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(np, name)
