"""Formulas for reading: counted from 1 instead of 0, or one element written out with its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from convsym.expressions import Term, access, array_of, indices_of, symbol
from convsym.formula import Formula


def counted_from(formula: Formula, base: int) -> Formula:
    """Return the formula in which every index starts at `base`, for printing.

    Every index q stands for q − base, and every subscript is moved back by base: a subscript that is a bare index
    stays as it is, all others show what the count changes.

    Parameters
    ----------
    formula : Formula
    base : {0, 1}

    Returns
    -------
    Formula

    Raises
    ------
    ValueError
        Another base.

    Examples
    --------
    >>> from convsym import Formula
    >>> print(counted_from(Formula("y[o] += x[o + r] * w[r]"), 1))
    y[o] += x[o + r - 1]*w[r]
    """
    if base not in (0, 1):
        raise ValueError(f"base is {base!r}, but indices are counted from 0 or from 1")
    moved = {symbol(index): symbol(index) - base for index in formula.indices}

    def subscripts(indices: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        return tuple((expr.xreplace(moved) + base).expand() for expr in indices)

    terms = []
    for term in formula.terms:
        reads = {a: access(array_of(a), subscripts(indices_of(a))) for a in term.arrays()}
        guard = tuple(_tidy(condition.xreplace(moved | reads)) for condition in term.guard)
        terms.append(Term(subscripts(term.target), term.body.xreplace(reads), guard))
    return Formula.of(formula.output, formula.operator, terms, like=formula, order=formula.order)


def _tidy(condition: sympy.Basic) -> sympy.Basic:
    """The same condition with no number added on the left of a comparison: i − 1 = j − 1 reads i = j."""

    def move(comparison: sympy.Basic) -> sympy.Basic:
        number = comparison.lhs.as_coeff_Add()[0]
        return comparison.func(comparison.lhs - number, sympy.expand(comparison.rhs - number))

    return condition.replace(lambda node: isinstance(node, sympy.core.relational.Relational), move)


def written_out(
    formula: Formula,
    sizes: Mapping[str, Sequence[int]],
    place: Sequence[int],
    *,
    base: int = 0,
    parameters: Mapping[str, int] | None = None,
) -> str:
    """Return one element of a sum of products, every product with its numbers, as LaTeX.

    Parameters
    ----------
    formula : Formula
        Of one term, a product of accesses.
    sizes : mapping of str to tuple of int
        The shape of every array, the output included.
    place : sequence of int
        The element, counted from 0.
    base : {0, 1}
        Where the printed indices start.
    parameters : mapping of str to int, optional

    Returns
    -------
    str
        Only products that read inside every array are listed; the others are 0.

    Examples
    --------
    >>> from convsym import Formula
    >>> f = Formula("y[o] += x[o + r] * w[r]")
    >>> print(written_out(f, {"x": (4,), "w": (2,), "y": (3,)}, (1,), base=1))
    y_{2} = x_{2} \\, w_{1} + x_{3} \\, w_{2}
    """
    points = formula.relation(dict(sizes), **(parameters or {}))
    products = []
    for row in zip(*points.values(), strict=True):
        here = dict(zip(points, row, strict=True))
        if tuple(_place(here, formula.output, len(place))) == tuple(place):
            reads = [_element(name, _place(here, name, formula.rank(name)), base) for name in formula.operands]
            products.append(r" \, ".join(reads))
    return f"{_element(formula.output, place, base)} = " + (" + ".join(products) or "0")


def _place(here: Mapping[str, Any], array: str, rank: int) -> list[int]:
    return [int(here[f"{array}[{axis}]"]) for axis in range(rank)]


def _element(array: str, place: Sequence[int], base: int) -> str:
    return array + ("_{" + ", ".join(str(i + base) for i in place) + "}" if place else "")
