"""Products of matrices by the tiles of kernels of one tap, for the layers of networks.

OpenBLAS, with which NumPy multiplies, lets its threads look for more work for 50 to 100 ms after a product (November
2026), and on two CPUs that takes one of them from all that follows.
"""

from functools import lru_cache

import numpy as np

from convsym import gate, kernels, pointwise
from convsym.gate import Array
from convsym.geometry import Geometry

# Multiply-adds up to which OpenBLAS calls no other thread, and NumPy is sooner there.
SMALL = 2**18
# Rows, terms and columns from which tiles are filled.
LEAST = 8


def multiply(a: Array, b: Array) -> Array:
    """The product of two arrays as ``numpy.matmul``.

    Parameters
    ----------
    a, b : ndarray
        Matrices of one dtype, float32 or float64, are multiplied by tiles if at most one of them is turned around;
        anything else is left to NumPy.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> a = np.ones((100, 200), np.float32)
    >>> multiply(a, a.T).shape
    (100, 100)
    """
    found = _read(a, b)
    if found is None:
        made: Array = np.matmul(a, b)
        return made
    rule, operands = found
    out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    geometry = _geometry(rule, *a.shape, b.shape[1])
    pointwise.plan(geometry, rule, a.dtype.char, kernels.in_use()).run(out, operands)
    return out


def _read(a: Array, b: Array) -> tuple[str, tuple[Array, Array]] | None:
    """The rule that multiplies two matrices, and its operands as they lie in memory; None for NumPy."""
    if not (a.ndim == b.ndim == 2 and a.dtype == b.dtype and a.dtype.char in "fd" and gate.is_native(a)):
        return None
    if a.shape[1] != b.shape[0] or a.size * b.shape[1] <= SMALL or min(*a.shape, b.shape[1]) < LEAST:
        return None
    if gate.is_laid_out(a):
        operands = {"y": b, "dw": b.T}
        rule = next((rule for rule, second in operands.items() if gate.is_laid_out(second)), None)
        return None if rule is None else (rule, (a, operands[rule]))
    return ("dx", (a.T, b)) if gate.is_laid_out(a.T) and gate.is_laid_out(b) else None


@lru_cache(maxsize=256)
def _geometry(rule: str, rows: int, summed: int, columns: int) -> Geometry:
    """The convolution whose rule is a product of so many rows and columns."""
    positions, channels = {
        "y": (columns, (summed, rows)),
        "dx": (columns, (rows, summed)),
        "dw": (summed, (columns, rows)),
    }[rule]
    size, one = (positions,), (1,)
    return Geometry(True, 1, 1, channels, size, one, size, one, one, ((0, 0),), one)
