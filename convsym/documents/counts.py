"""Closed forms of how many elements of a Jacobian are not zero, as text that does not depend on SymPy's printing."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from convsym.documents.claims import CLAIMS
from convsym.elimination import interval
from convsym.expressions import array_of, indices_of, size, symbol
from convsym.formula import Formula
from convsym.jacobians import jacobian_nnz
from convsym.ops import registry

_NAMES = {sympy.Max: "max", sympy.Min: "min", sympy.floor: "floor", sympy.ceiling: "ceil"}


def count_text(formula: Formula, expr: sympy.Expr) -> str:
    """A count as text, sums over taps first to last; inner parts become names, so that the formula's order holds."""
    if isinstance(expr, sympy.Sum):
        ((tap, first, last),) = expr.limits
        # Counted from 0 on, as everything else here.
        body = count_text(formula, expr.function.xreplace({tap: tap + first}))
        return f"Σ[{tap} < {formula.show(last - first + 1)}] {body}"
    if type(expr) in _NAMES:
        parts = sorted((count_text(formula, a) for a in expr.args), key=lambda text: (text != "0", text))
        return f"{_NAMES[type(expr)]}({', '.join(parts)})"
    if isinstance(expr, sympy.Mul) and expr.has(sympy.Sum):
        parts = [count_text(formula, a) for a in expr.args]
        return " · ".join(sorted((f"({p})" if p.startswith("Σ") else p for p in parts), key=lambda p: (p[0] == "(", p)))
    inner = {node: sympy.Symbol(count_text(formula, node)) for node in _outermost(expr)}
    return formula.show(expr.xreplace(inner))


def _outermost(expr: sympy.Basic) -> list[sympy.Expr]:
    """The named functions in an expression that stand in no other one."""
    if type(expr) in _NAMES:
        return [expr]
    return [found for arg in expr.args for found in _outermost(arg)]


def column_count(axis: int) -> sympy.Expr:
    """Number of outputs that an input of the op ``same`` reaches along an axis: the taps whose output exists."""
    rule = CLAIMS["odd"].formula
    (cotangent,) = (a for a in rule.terms[0].arrays() if array_of(a) == "dy")
    tap = ("r", "s")[axis]
    lower, upper = interval(indices_of(cotangent)[axis], tap, size("y", axis))
    inside = sympy.Min(rule.range_of(tap), upper) - sympy.Max(0, lower)
    return sympy.Max(0, inside)


def counted(count: sympy.Expr, sizes: Mapping[str, tuple[int, ...]], **numbers: int) -> int:
    """A count at concrete sizes and parameters."""
    given = {size(name, axis): n for name, shape in sizes.items() for axis, n in enumerate(shape)}
    given |= {symbol(name): n for name, n in numbers.items()}
    return int(count.subs(given).doit())


def total(name: str, wrt: str = "x") -> sympy.Expr:
    """The number of non-zero elements of an op's Jacobian."""
    return jacobian_nnz(registry[name].formula, wrt)
