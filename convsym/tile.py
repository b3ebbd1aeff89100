"""One tile of a convolution by a few products: three matrices, verified symbolically, with their cost and accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy
from sympy.printing.str import StrPrinter

from convsym.derivation import vjp
from convsym.errors import FormulaError, ShapeError
from convsym.formula import Formula
from convsym.notation import latex
from convsym.verdict import Counterexample, Obligation, Proof

# Result, operand of G, operand of BT.
KINDS = {"forward": ("y", "w", "x"), "input": ("dx", "w", "dy"), "weight": ("dw", "dy", "x")}


@dataclass(frozen=True)
class Winograd:
    """Exact transforms of one tile: ``result = AT·[(G·a) ⊙ (BT·b)]``, along each axis where there are several.

    A call computes a tile by these three steps, exactly for integers, Fractions and symbols, otherwise in the type of
    the operands; its keywords are the operands' names.

    Attributes
    ----------
    m, r : int
        Outputs and taps of the forward convolution.
    kind : str
        "forward" (a = w, b = x), "input" (a = w, b = dy) or "weight" (a = dy, b = x).
    points : tuple of sympy.Rational or sympy.oo
        The points, one for each product.
    AT, G, BT : sympy.ImmutableMatrix
        The transforms of the result, of a and of b; the two that belong to y and x are integer.
    rank : int
        Number of spatial axes; see `nested`.

    Examples
    --------
    >>> from convsym import winograd
    >>> winograd(2, 3)(w=[1, 10, 100], x=[1, 2, 3, 4])
    array([321, 432])
    >>> winograd(2, 3, kind="weight")(dy=[1, 10], x=[1, 2, 3, 4])
    array([21, 32, 43])
    """

    m: int
    r: int
    kind: str
    points: tuple[sympy.Expr, ...]
    AT: sympy.ImmutableMatrix
    G: sympy.ImmutableMatrix
    BT: sympy.ImmutableMatrix
    rank: int = 1

    def nested(self, rank: int) -> Winograd:
        """The same transforms along several axes; for two, ``Y = AT·[(G·W·Gᵀ) ⊙ (BT·X·B)]·A``.

        Parameters
        ----------
        rank : int
            Number of axes, at least 1.

        Returns
        -------
        Winograd

        Raises
        ------
        ShapeError
            `rank` is no integer of at least 1.

        Examples
        --------
        >>> from convsym import winograd
        >>> winograd(4, 3).nested(2).multiplications, winograd(4, 3).nested(2).direct_multiplications
        (36, 144)
        """
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise ShapeError(f"winograd: rank is {rank!r}; it is an integer, at least 1")
        return replace(self, rank=rank)

    @cached_property
    def formula(self) -> Formula:
        """What a tile computes: the convolution, or the rule that `vjp` derives from it."""
        axes = [""] if self.rank == 1 else list(map(str, range(self.rank)))
        y, x, w = (", ".join(text.format(axis) for axis in axes) for text in ("o{0}", "o{0} + r{0}", "r{0}"))
        forward = Formula(f"y[{y}] += x[{x}] * w[{w}]")
        return forward if self.kind == "forward" else vjp(forward, KINDS[self.kind][0][-1])

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each operand's tile by name, the operand of G first."""
        _, first, second = KINDS[self.kind]
        return {first: (self.G.cols,) * self.rank, second: (self.BT.cols,) * self.rank}

    def __call__(self, **operands: Any) -> np.ndarray:
        arrays = [np.asarray(operands[name]) for name in self.shapes if name in operands]
        if operands.keys() != self.shapes.keys() or [a.shape for a in arrays] != list(self.shapes.values()):
            needed = " and ".join(f"{name} of shape {shape}" for name, shape in self.shapes.items())
            got = " and ".join(f"{name} of shape {np.shape(value)}" for name, value in operands.items())
            raise ShapeError(f"{self.name} takes {needed}, not {got or 'nothing'}")
        dtype = np.result_type(*arrays)
        if dtype.kind not in "iufcO":
            raise FormulaError(f"{self.name}: the operands hold {dtype}; a tile is computed on numbers")
        if dtype.kind not in "iu":
            return self._tile(*(array.astype(dtype) for array in arrays))
        exact = self._tile(*(array.astype(object) for array in arrays))
        return np.array([v.numerator if v.denominator == 1 else v for v in exact.flat]).reshape(exact.shape)

    def _tile(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        exact = a.dtype == object
        result, first, second = (
            np.array([Fraction(e.p, e.q) if exact else e.p / e.q for e in matrix], a.dtype).reshape(matrix.shape)
            for matrix in (self.AT, self.G, self.BT)
        )
        return _along(result, _along(first, a) * _along(second, b))

    def verify(self) -> Proof:
        """Multiply out on symbols: every element of the result must be the polynomial that the formula gives.

        Returns
        -------
        Proof
            "proved", or "refuted" with an element that differs and integers that show it. One fill with integers is
            computed as well, by a call and by the formula.

        Examples
        --------
        >>> from convsym import winograd
        >>> right = winograd(2, 3)
        >>> right.verify().status
        'proved'
        >>> wrong = replace(right, AT=2 * right.AT).verify().counterexample
        >>> wrong.index, wrong.expected, wrong.claimed, wrong.fill
        ((0,), 1, 2, 'w[0] = 1, x[0] = 1, others 0')
        """
        start = perf_counter()
        symbols = {
            name: np.reshape([sympy.Symbol(f"{name}{list(place)}") for place in np.ndindex(shape)], shape)
            for name, shape in self.shapes.items()
        }
        ring = sympy.polys.ring([symbol for array in symbols.values() for symbol in array.flat], sympy.QQ)[0]
        polynomials = np.vectorize(ring.from_expr, otypes=[object])
        expected = polynomials(self.formula.evaluate(symbols, {}))
        claimed = self._tile(*map(polynomials, symbols.values()))
        wrong = next((place for place in np.ndindex(expected.shape) if expected[place] != claimed[place]), None)
        integers = {name: np.arange(2, 2 + array.size).reshape(array.shape) ** 2 for name, array in symbols.items()}
        agree = np.array_equal(self(**integers), self.formula.evaluate(integers, {}))
        status, seconds = "proved" if wrong is None and agree else "refuted", perf_counter() - start
        return Proof(
            f"{self.name}, AT·[(G·{{}}) ⊙ (BT·{{}})], is {{}}".format(*symbols, self.formula),
            status,
            (Obligation(f"{expected.size} polynomials in {ring.ngens} symbols agree", status, seconds),),
            f"multiplied out on symbols, {'all agree' if wrong is None else f'element {wrong} differs'}",
            seconds,
            None if wrong is None else self._counterexample(wrong, expected[wrong], claimed[wrong], ring.symbols),
            int(agree),
        )

    def _counterexample(
        self, place: tuple[int, ...], expected: Any, claimed: Any, symbols: Sequence[sympy.Symbol]
    ) -> Counterexample:
        """One product with a wrong coefficient, as integers: the first element clears the denominator."""
        product, _ = (claimed - expected).terms()[0]
        true, said = (dict(polynomial.terms()).get(product, Fraction(0)) for polynomial in (expected, claimed))
        scale = int(said.denominator)
        first, second = (symbol for symbol, power in zip(symbols, product, strict=True) if power)
        sizes = self.shapes | {KINDS[self.kind][0]: (self.AT.rows,) * self.rank}
        values = int(true * scale), int(said * scale)
        return Counterexample(sizes, {}, place, *values, f"{first} = {scale}, {second} = 1, others 0")

    @cached_property
    def growth(self) -> sympy.Rational:
        """Largest Σ_p |AT[o, p]|·(Σ_k |G[p, k]|)·(Σ_u |BT[p, u]|) over the elements o of the result, a Rational.

        Along several axes it is the power: magnitudes and sums of a Kronecker product are products.
        """
        result, first, second = (matrix.applyfunc(abs) for matrix in (self.AT, self.G, self.BT))
        sums = [matrix * sympy.ones(matrix.cols, 1) for matrix in (first, second)]
        return max(result * sums[0].multiply_elementwise(sums[1])) ** self.rank

    @property
    def amplification(self) -> sympy.Rational:
        """How much further rounding errors can grow than in the direct sum: `growth` divided by the direct sum's.

        A sum of products in which every term meets at most K roundings is off by at most γ_K = K·u/(1 − K·u) times the
        sum of the terms' magnitudes (u: unit roundoff). The direct sum has D terms where it is longest, of magnitude
        at most |a|·|b|, the largest magnitudes of the operands. ``AT·[(G·a) ⊙ (BT·b)]`` multiplied out has terms whose
        magnitudes add up to at most growth·|a|·|b|. The constant is growth/D. It is at least 1, because D of the
        coefficients are sums of such terms and equal 1; and it belongs to the points alone, because scaling a row of
        one factor and unscaling it in another changes nothing. It is a worst case: typical errors are a hundredth of
        the bound, and where two constants are close they can order otherwise.

        It is the stability factor of Bini and Lotti (Numer. Math. 36, 1980) and of Ballard et al. (SIAM J. Matrix Anal.
        Appl. 37, 2016) for bilinear algorithms, relative to the direct one. Barabasz et al. (ACM Trans. Math. Softw.
        46, 2020) bound Winograd's error by other norms of the same matrices.
        """
        return self.growth / int(self._products.max())

    def error_bound(self, dtype: npt.DTypeLike = "float32") -> float:
        """The factor c of |computed − exact| ≤ c·max|a|·max|b| in a float type, whatever the order of the sums.

        It counts the rounding of the matrices' entries too; overflow and underflow are left out.

        Parameters
        ----------
        dtype : dtype
            A float type.

        Returns
        -------
        float

        Raises
        ------
        ShapeError
            `dtype` is no float type.

        Examples
        --------
        >>> from convsym import winograd
        >>> f"{winograd(4, 3).error_bound():.2g}"
        '2.1e-05'
        """
        if np.dtype(dtype).kind != "f":
            raise ShapeError(f"error_bound: dtype is {np.dtype(dtype)}; it is a float type, integers are exact")
        # A dot product with k nonzero entries: k − 1 additions, a product and a rounded entry. One product in between.
        roundings = 1 + self.rank * sum(
            1 + max(map(_nonzero, matrix.tolist())) for matrix in (self.AT, self.G, self.BT)
        )
        drift = roundings * sympy.Rational(float(np.finfo(dtype).eps)) / 2
        return float(drift / (1 - drift) * self.growth)

    @cached_property
    def _products(self) -> np.ndarray:
        """How many products the formula adds up in each element of the result."""
        return self.formula.evaluate({name: np.ones(shape, dtype=int) for name, shape in self.shapes.items()}, {})

    @property
    def direct_multiplications(self) -> int:
        """Products of the formula for the same tile."""
        return int(self._products.sum())

    @property
    def multiplications(self) -> int:
        """Products of a tile, the transforms' constant factors left out."""
        products: int = self.AT.cols**self.rank
        return products

    @property
    def operations(self) -> dict[str, tuple[int, int]]:
        """``{transform: (additions, products with a constant other than ±1)}``, row by row as the matrices stand."""
        counts = {}
        for name, matrix in {"AT": self.AT, "G": self.G, "BT": self.BT}.items():
            passes = sum(matrix.rows**axis * matrix.cols ** (self.rank - 1 - axis) for axis in range(self.rank))
            additions = sum(_nonzero(row) - 1 for row in matrix.tolist())
            counts[name] = passes * additions, passes * sum(abs(entry) not in (0, 1) for entry in matrix)
        return counts

    @property
    def additions(self) -> int:
        """Additions and subtractions of the three transforms together."""
        return sum(additions for additions, _ in self.operations.values())

    @property
    def name(self) -> str:
        """F(m, r), with the axes and the gradient it is for."""
        axes = "" if self.rank == 1 else f" along {self.rank} axes"
        return f"F({self.m}, {self.r}){axes}" + ("" if self.kind == "forward" else f", {self.kind} gradient")

    def __str__(self) -> str:
        products = f"{self.multiplications} multiplications instead of {self.direct_multiplications}"
        cost = f"{products}, {self.additions} additions, amplification {float(self.amplification):.3g}"
        lines = [f"{self.name}: {self.formula}", cost, f"points {', '.join(map(str, self.points))}"]
        for name, matrix in {"AT": self.AT, "G": self.G, "BT": self.BT}.items():
            lines.append(f"{name} = " + matrix.table(StrPrinter(), rowsep="\n" + " " * len(f"{name} = "), colsep="  "))
        return "\n".join(lines)

    def _repr_latex_(self) -> str:
        return f"$${latex(self)}$$"


@latex.register
def _(obj: Winograd) -> str:
    result, first, second = (rf"\mathrm{{d}}{name[-1]}" if len(name) > 1 else name for name in KINDS[obj.kind])
    matrices = {r"A^\top": obj.AT, "G": obj.G, r"B^\top": obj.BT}
    at, g, bt = matrices if obj.rank == 1 else (rf"({name})^{{\otimes {obj.rank}}}" for name in matrices)
    product = rf"{result} &= {at} \left[ ({g} {first}) \odot ({bt} {second}) \right]"
    lines = [product, *(f"{name} &= {sympy.latex(matrix)}" for name, matrix in matrices.items())]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _along(matrix: np.ndarray, array: np.ndarray) -> np.ndarray:
    """The matrix applied along every axis of the array."""
    for axis in range(array.ndim):
        array = np.moveaxis(np.tensordot(matrix, array, (1, axis)), 0, axis)
    return array


def _nonzero(row: Iterable[sympy.Expr]) -> int:
    return sum(entry != 0 for entry in row)
