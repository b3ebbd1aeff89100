"""Typeset mathematics: a formula becomes a small layout tree, which `typesetting` prints as LaTeX or as MathML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy
from sympy.logic.boolalg import And, Not, Or

from convsym.boundary import is_folded
from convsym.expressions import FUNCTIONS, Ordering, access, array_of, floordiv, indices_of, is_access, mod

_RELATIONS = {sympy.Eq: "=", sympy.Ne: "≠", sympy.Lt: "<", sympy.Le: "≤", sympy.Gt: ">", sympy.Ge: "≥"}
# Greek letters by the names that TeX gives them; a name in a formula is drawn as the letter.
_GREEK_NAMES = """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega
""".split()
GREEK = dict(zip(_GREEK_NAMES, "αβγδεζηθικλμνξπρστυφχψω", strict=True))


@dataclass(frozen=True)
class Layout:
    """A node; `kind` is row, op, name, greek, number, word, thin, sub, sup, frac or sum, `parts` nodes or a string."""

    kind: str
    parts: tuple[Any, ...]


def row(*parts: Layout | str) -> Layout:
    """Nodes side by side; a plain string is an operator sign (or a number, if it is digits)."""
    nodes = [p if isinstance(p, Layout) else Layout("number" if p.isdigit() else "op", (p,)) for p in parts]
    return Layout("row", tuple(nodes))


def formula_layout(formula: Any) -> Layout:
    """Layout of a formula: ``y_T = Σ … body``, guards as Iverson brackets; a scatter form keeps its ``+=``."""
    bare = all(e.is_Symbol and e.name in formula.indices for t in formula.terms for e in t.target)
    parts: list[Layout | str] = []
    for position, term in enumerate(formula.terms):
        if not position or term.target != formula.terms[position - 1].target:
            parts += (",", Layout("thin", ())) if position else ()
            parts += (_Draw(formula).expr(access(formula.output, term.target)), "=" if bare else "+=")
            position = 0
        negative = term.body.as_coeff_Mul()[0] < 0
        if negative or position:
            parts.append("-" if negative else "+")
        draw = _Draw(formula, exact=term.guard)
        left = {e.name for e in term.target if e.is_Symbol}
        summed = [_name(n) for n in formula.loops(term) if n not in left]
        if summed and bare:
            parts.append(Layout("sum", (row(*_joined(summed)),)))
        parts += [row("[", draw.expr(c), "]") for c in term.guard]
        parts.append(draw.expr(-term.body if negative else term.body, 2 if summed or negative or position else 0))
    return row(*parts)


def expression_layout(
    expr: sympy.Basic, formula: Any, first: tuple[str, ...] = (), exact: tuple[sympy.Basic, ...] = ()
) -> Layout:
    """Layout of one expression or condition in the names of `formula`; the indices in `first` lead every sum."""
    return _Draw(formula, first, exact).expr(expr)


def _joined(nodes: list[Layout]) -> list[Layout | str]:
    return [part for node in nodes for part in (",", node)][1:]


class _Draw(Ordering):
    """Expression to layout. A floor whose divisibility is in `exact` is drawn as the plain fraction it is."""

    def __init__(self, formula: Any, first: tuple[str, ...] = (), exact: tuple[sympy.Basic, ...] = ()) -> None:
        indices = (*first, *formula.indices)
        super().__init__((*indices, *formula.operands, *formula.order), indices)
        self.exact = {c.lhs.args for c in exact if isinstance(c, sympy.Eq) and isinstance(c.lhs, mod) and c.rhs == 0}

    def expr(self, expr: sympy.Basic, strength: int = 0) -> Layout:
        """Layout of an expression; 1 comparison, 2 sum, 3 product, 4 atom: weaker ones get parentheses."""
        node, own = self.node(expr)
        return row("(", node, ")") if own < strength else node

    def node(self, expr: sympy.Basic) -> tuple[Layout, int]:
        if is_access(expr):
            return self.access(expr), 4
        if expr.is_Symbol:
            return _name(expr.name), 4
        if expr.is_Number and expr.is_Integer:
            return row(*(["-", str(-expr)] if expr < 0 else [str(expr)])), 4 if expr >= 0 else 2
        if isinstance(expr, sympy.Add):
            return self.add(expr), 2
        if isinstance(expr, sympy.Mul) or expr.is_Rational:
            return self.mul(expr)
        if isinstance(expr, sympy.Pow):
            return self.power(expr), 3
        if isinstance(expr, (floordiv, mod)):
            return self.quotient(expr), 3 if isinstance(expr, floordiv) else 2
        if type(expr) in _RELATIONS:
            return self.relation(expr), 1
        if isinstance(expr, (And, Or)):
            sign = "∧" if isinstance(expr, And) else "∨"
            return row(*[p for a in expr.args for p in (sign, self.expr(a, 1))][1:]), 0
        if isinstance(expr, Not):
            return row("¬", self.expr(expr.args[0], 4)), 1
        if is_folded(expr):
            return row(Layout("word", (expr.func.__name__,)), "(", self.expr(expr.args[0]), ")"), 4
        word = next(name for name, function in FUNCTIONS.items() if function is type(expr))
        return row(Layout("word", (word,)), "(", self.expr(expr.args[0]), ")"), 4

    def access(self, expr: sympy.Expr) -> Layout:
        base = _name(array_of(expr))
        if not indices_of(expr):
            return base
        return Layout("sub", (base, row(*_joined([self.expr(i) for i in indices_of(expr)]))))

    def add(self, expr: sympy.Expr) -> Layout:
        parts: list[Layout | str] = []
        for negative, term in self.addends(expr):
            if parts or negative:
                parts.append("-" if negative else "+")
            parts.append(self.expr(term, 3 if negative or isinstance(term, mod) else 2))
        return row(*parts)

    def mul(self, expr: sympy.Expr) -> tuple[Layout, int]:
        if expr.as_coeff_Mul()[0] < 0:
            return row("-", self.expr(-expr, 3)), 2
        above, below = self.factors(expr)
        if below:
            return Layout("frac", (self.product(above), self.product(below))), 3
        return self.product(above), 3

    def product(self, factors: list[sympy.Expr]) -> Layout:
        if len(factors) == 1:
            return self.expr(factors[0])
        return row(*[p for f in factors for p in (Layout("thin", ()), self.expr(f, 3))][1:])

    def power(self, expr: sympy.Expr) -> Layout:
        base, exponent = expr.args
        if exponent == sympy.Rational(1, 2):
            return row(Layout("word", ("sqrt",)), "(", self.expr(base), ")")
        if exponent.is_negative:
            return Layout("frac", (row("1"), self.expr(base**-exponent)))
        return Layout("sup", (self.expr(base, 4), self.expr(exponent)))

    def quotient(self, expr: sympy.Expr) -> Layout:
        above, below = expr.args
        if isinstance(expr, mod):
            return row(self.expr(above, 2), "mod", self.expr(below, 3))
        fraction = Layout("frac", (self.expr(above), self.expr(below)))
        return fraction if expr.args in self.exact else row("⌊", fraction, "⌋")

    def relation(self, expr: sympy.Basic) -> Layout:
        if isinstance(expr, sympy.Eq) and isinstance(expr.lhs, mod) and expr.rhs == 0:
            return row(self.expr(expr.lhs.args[1], 3), "∣", self.expr(expr.lhs.args[0], 2))
        return row(self.expr(expr.lhs, 2), _RELATIONS[type(expr)], self.expr(expr.rhs, 2))


def _name(name: str) -> Layout:
    """A name: ``dx`` is an upright d before x, trailing digits become a subscript, a size is ``|x|`` with its axis."""
    if name.endswith("]") and ".shape[" in name:
        array, axis = name[:-1].split(".shape[")
        return Layout("sub", (row("|", _name(array), "|"), row(axis)))
    stem = name.rstrip("0123456789")
    if stem != name and stem and not stem.endswith("_"):
        return Layout("sub", (_name(stem), row(name[len(stem) :])))
    if name in GREEK:
        return Layout("greek", (name,))
    bare = name.lstrip("d")
    if len(bare) == 1 and bare != name:
        return row(*(Layout("word", ("d",)) for _ in range(len(name) - 1)), Layout("name", (bare,)))
    return Layout("name", (name,))
