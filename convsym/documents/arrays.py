"""Small integer arrays for worked numbers: no randomness, no rounding."""

from __future__ import annotations

import numpy as np


def integers(*shape: int, start: int = 0) -> np.ndarray:
    """Integers from −4 to 6 in a fixed, irregular order."""
    count = int(np.prod(shape))
    return ((7 * (np.arange(count) + start) + 3) % 11 - 4).reshape(shape)


def counting(*shape: int) -> np.ndarray:
    """The integers 1, 2, 3, … in reading order."""
    return np.arange(1, int(np.prod(shape)) + 1).reshape(shape)


def checksum(values: np.ndarray) -> int:
    """The sum of all elements, each weighted with its place modulo 97, as an exact integer."""
    flat = values.ravel()
    return int((flat.astype(np.int64) * (np.arange(flat.size) % 97 + 1)).sum())
