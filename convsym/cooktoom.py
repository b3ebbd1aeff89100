"""Cook–Toom: Winograd's short convolutions, from points where two polynomials are multiplied.

A tile of a convolution is one trilinear form, ``T(g, w, x) = Σ g[o]·w[r]·x[o + r]``: the coefficients of the polynomial
product g(t)·w(t), weighted by x. Both factors evaluated at n points, multiplied there, and interpolated:

    T(g, w, x) = Σ_p (Eg·g)[p] · (Ew·w)[p] · (Ex·x)[p],        n = m + r − 1,

where Eg and Ew hold powers of the points, and Ex the coefficients of polynomials that vanish at all points but one.
The forward convolution, its input gradient and its weight gradient are the three derivatives of T, so the same three
matrices serve all of them: the factor of the result is transposed, the other two are applied to the operands.

A point is a pair (p : q), the number p/q, and infinity is (1 : 0): no case needs its own code. Only Ew has fractions.
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, islice
from typing import Any

import numpy as np
import sympy

from convsym.errors import FormulaError, ShapeError, nearest
from convsym.tile import KINDS, Winograd

MAGNITUDES = ((1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (3, 2), (2, 3), (4, 1), (1, 4))
CANDIDATES = (*((sign * p, q) for p, q in MAGNITUDES for sign in (1, -1)), (0, 1), (1, 0))  # 0 and ∞ come last
CHUNK = 4096  # sets of points judged in one step of the search; bounds its memory


def winograd(m: int, r: int, points: Iterable[Any] | None = None, *, kind: str = "forward") -> Winograd:
    """Derive the transforms of Winograd's F(m, r) exactly: m outputs of an r-tap convolution by m + r − 1 products.

    Parameters
    ----------
    m : int
        Outputs of one tile of the forward convolution, at least 1.
    r : int
        Taps of the kernel, at least 1.
    points : sequence, optional
        m + r − 1 different points of evaluation: integers, Fractions, and ``math.inf`` or ``sympy.oo`` for the leading
        coefficient. By default 0 and ∞, whose transforms are cheapest, with those of ±1, ±2, ±1/2, ±3, ±1/3, ±3/2,
        ±2/3, ±4, ±1/4 that make `Winograd.amplification` smallest: every choice is judged, and of equals (to nine
        digits) the one that comes first in this order is taken.
    kind : str
        "forward": m outputs y from r taps w and m + r − 1 inputs x. "input": its gradient, m + r − 1 elements of dx
        from w and m elements of dy; tiles overlap and are added. "weight": its gradient, r elements of dw from m
        elements of dy and m + r − 1 of x; all tiles are added.

    Returns
    -------
    Winograd

    Raises
    ------
    ShapeError
        m or r is no integer of at least 1, or the number of points is not m + r − 1.
    FormulaError
        A point is not exact or there twice, or `kind` is unknown.

    Examples
    --------
    >>> print(winograd(2, 3))
    F(2, 3): y[o] += x[o + r]*w[r]
    4 multiplications instead of 6, 12 additions, amplification 2.67
    points 0, 1, -1, oo
    AT = [1  1   1  0]
         [0  1  -1  1]
    G = [  1     0    0]
        [1/2   1/2  1/2]
        [1/2  -1/2  1/2]
        [  0     0    1]
    BT = [1   0  -1  0]
         [0   1   1  0]
         [0  -1   1  0]
         [0  -1   0  1]
    >>> winograd(4, 3, kind="weight").points
    (0, 2, -2, 1/2, -1/2, oo)
    """
    for name, value in {"m": m, "r": r}.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ShapeError(f"winograd: {name} is {value!r}; it is an integer, at least 1")
    if kind not in KINDS:
        raise FormulaError(f"winograd: the kind {kind!r} is unknown", hint=nearest(str(kind), KINDS))
    m, r, names = int(m), int(r), tuple(name[-1] for name in KINDS[kind])
    pairs = searched(m, r, names) if points is None else given(points, m + r - 1)
    tops, bottoms = np.array([[Fraction(part) for part in pair] for pair in pairs], dtype=object).T
    found = factors(tops, bottoms, m, r)
    result, first, second = (sympy.ImmutableMatrix(found[name].tolist()) for name in names)
    return Winograd(
        m, r, kind, tuple(sympy.Rational(p, q) if q else sympy.oo for p, q in pairs), result.T, first, second
    )


def factors(tops: np.ndarray, bottoms: np.ndarray, m: int, r: int) -> dict[str, np.ndarray]:
    """The matrices of the decomposition.

    Parameters
    ----------
    tops, bottoms : numpy.ndarray, (…, n)
        The points; leading axes are further sets of points. Fractions stay exact.
    m, r : int
        Lengths of g and w.

    Returns
    -------
    dict
        Eg, (…, n, m), under "y"; Ew, (…, n, r), under "w"; Ex, (…, n, n), under "x": where each serves as a primal.
    """
    n = tops.shape[-1]
    own = np.eye(n, dtype=bool)
    differences = tops[..., :, None] * bottoms[..., None, :] - tops[..., None, :] * bottoms[..., :, None]
    # Row p of Ex is Π (q_j·t − p_j) over the other points j, divided by its value at point p: the division goes to Ew.
    values = np.where(own, 1, differences).prod(-1)[..., None]
    vanishing = np.zeros_like(differences)
    vanishing[..., 0] = 1
    for j in range(n):
        longer = bottoms[..., j, None, None] * np.roll(vanishing, 1, -1) - tops[..., j, None, None] * vanishing
        vanishing = np.where(own[j][:, None], vanishing, longer)

    def powers(count: int) -> np.ndarray:
        return np.stack([tops**e * bottoms ** (count - 1 - e) for e in range(count)], -1)

    return {"y": powers(m), "w": powers(r) / abs(values), "x": vanishing * np.where(values > 0, 1, -1)}


@lru_cache(maxsize=256)
def searched(m: int, r: int, names: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """The points of least growth.

    Parameters
    ----------
    m, r : int
    names : tuple of str
        Which factor belongs to the result, and which to the two operands.

    Returns
    -------
    tuple of (int, int)
        0, then those of the candidates, then ∞: every choice is judged, the first of equals (to nine digits) is taken.

    Raises
    ------
    ShapeError
        There are fewer candidates than points.
    """
    n, known = m + r - 1, len(CANDIDATES)
    if n > known:
        raise ShapeError(f"winograd: F({m}, {r}) needs {n} points, the search knows {known}; give points=")
    if n <= 2:
        return CANDIDATES[-2:][:n]
    pairs = np.array(CANDIDATES, dtype=float)
    choices, sets, growths = combinations(range(known - 2), n - 2), [], []
    while chunk := list(islice(choices, CHUNK)):
        sets.append(np.insert(chunk, [0, n - 2], [known - 2, known - 1], axis=1))
        found = factors(pairs[sets[-1], 0], pairs[sets[-1], 1], m, r)
        result, first, second = (np.abs(found[name]) for name in names)
        growths.append((result * (first.sum(-1) * second.sum(-1))[..., None]).sum(-2).max(-1))
    growth = np.concatenate(growths)
    best = np.concatenate(sets)[np.flatnonzero(growth <= growth.min() * (1 + 1e-9))[0]]
    return tuple(CANDIDATES[place] for place in best)


def given(points: Any, count: int) -> tuple[tuple[int, int], ...]:
    """Somebody's points as pairs.

    Parameters
    ----------
    points : sequence of int, Fraction, sympy.Rational or infinity
    count : int

    Returns
    -------
    tuple of (int, int)

    Raises
    ------
    ShapeError
        There are not `count` points.
    FormulaError
        A point is not exact, or is there twice.
    """
    if isinstance(points, str) or not isinstance(points, Iterable):
        raise FormulaError(f"winograd: points is {points!r}; it is a sequence of {count} integers or Fractions")
    points = tuple(points)
    pairs = tuple(map(_pair, points))
    if len(pairs) != count:
        ask = "; add math.inf, the point of the leading coefficient" if (1, 0) not in pairs[: count - 1] else ""
        raise ShapeError(f"winograd: m + r − 1 = {count} points are needed, {len(pairs)} are given{ask}")
    for place, pair in enumerate(pairs):
        if pair in pairs[:place]:
            raise FormulaError(f"winograd: the point {points[place]} is there twice; points are different")
    return pairs


def _pair(point: Any) -> tuple[int, int]:
    if point in (math.inf, sympy.oo):
        return 1, 0
    if isinstance(point, bool) or not isinstance(point, int | np.integer | Fraction | sympy.Rational):
        hint = f"write Fraction('{point}')" if isinstance(point, float) and math.isfinite(point) else None
        raise FormulaError(f"winograd: the point {point!r} is not exact; give integers or Fractions", hint=hint)
    return Fraction(int(point.numerator), int(point.denominator)).as_integer_ratio()
