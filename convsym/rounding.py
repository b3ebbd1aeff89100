"""The arithmetic of rounding errors: unit roundoff, γ(K), and numbers rounded up.

After N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1.
"""

from fractions import Fraction
from math import inf, nextafter
from typing import Any

import numpy as np


def unit(dtype: np.dtype[Any]) -> Fraction:
    """Unit roundoff: half the distance from 1 to the next number."""
    return Fraction(float(np.finfo(dtype).eps)) / 2


def gamma(count: int, unit: Fraction) -> Any:
    """γ(K) = K·u/(1 − K·u), exactly: the error of K roundings; infinite where there are too many to bound."""
    return count * unit / (1 - count * unit) if count * unit < 1 else inf


def up(value: Any) -> float:
    """The next float64 above an exact value."""
    return inf if value == inf else nextafter(float(value), inf)
