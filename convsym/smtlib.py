"""Statements about integers as SMT-LIB 2 text, which any solver of that standard reads.

The text depends on nothing but the statement: not on the solver's version, nor on the order in which things were
proved. So a certificate can be compared with what has to be proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import sympy
from sympy.logic.boolalg import And, Not, Or

from convsym.boundary import cases, is_folded
from convsym.errors import ProofError
from convsym.expressions import ceildiv, floordiv, mod
from convsym.relations import Keyed

_COMPARE = {sympy.Eq: "=", sympy.Ne: "distinct", sympy.Lt: "<", sympy.Le: "<=", sympy.Gt: ">", sympy.Ge: ">="}


class Script:
    """One statement: declarations, assertions, and the question whether they can hold together.

    Integers are unbounded; floor division needs a positive divisor, where it is SMT-LIB's own.

    Parameters
    ----------
    native : bool
        Whether a floor is the standard's division; else it is an unknown between its bounds: products suit solvers
        better than divisions, at times.
    """

    def __init__(self, native: bool = True) -> None:
        self.native = native
        self.variables: dict[str, str] = {}  # name -> how it is written
        self.unknowns: dict[str | tuple[str, ...], str] = {}  # what an unknown stands for -> its name
        self.assertions: list[str] = []
        self.axioms: list[str] = []

    def refute(self, hypotheses: Iterable[sympy.Basic], statement: str) -> Script:
        """Ask for a case in which the hypotheses hold and a statement, given as text, does not."""
        self.assertions = [*map(self.condition, hypotheses), _call("not", statement)]
        return self

    def __str__(self) -> str:
        declared = (*self.variables.values(), *self.unknowns.values())
        lines = [f"(declare-const {name} Int)" for name in declared]
        lines += [f"(assert {a})" for a in (*self.assertions, *self.axioms)]
        return "\n".join((*lines, "(check-sat)\n"))

    # ---------------------------------------------------------------------------------------------------- terms

    def term(self, expr: sympy.Expr) -> str:
        """An index expression as an integer."""
        if expr.is_Symbol:
            name: str = expr.name
            return self.variables.setdefault(name, f"|{name}|")
        if expr.is_Integer:
            return _number(int(expr))
        if is_folded(expr):
            return self.folded(expr)
        parts = [self.term(a) for a in expr.args]
        if isinstance(expr, sympy.Add):
            return _call("+", *parts)
        if isinstance(expr, sympy.Mul):
            return _call("*", *parts)
        if isinstance(expr, floordiv):
            return self.quotient(*parts)
        if isinstance(expr, ceildiv):
            return _call("-", self.quotient(_call("-", parts[0]), parts[1]))
        if isinstance(expr, mod):
            above, below = parts
            return _call("mod", *parts) if self.native else f"(- {above} (* {below} {self.quotient(above, below)}))"
        if isinstance(expr, sympy.Pow) and expr.exp.is_Integer and expr.exp > 0:
            return _call("*", *parts[:1] * int(expr.exp))
        raise ProofError(f"{expr} cannot be put to the prover")

    def real(self, expr: sympy.Expr) -> str:
        """A coefficient as a real number."""
        if expr.is_Rational:
            above = _number(int(expr.p), ".0")
            return above if expr.q == 1 else f"(/ {above} {expr.q}.0)"
        if isinstance(expr, (sympy.Add, sympy.Mul)):
            return _call("+" if isinstance(expr, sympy.Add) else "*", *map(self.real, expr.args))
        if isinstance(expr, sympy.Pow) and expr.exp.is_Integer:
            power = _call("*", *[self.real(expr.base)] * abs(int(expr.exp)))
            return power if expr.exp > 0 else f"(/ 1.0 {power})"
        return f"(to_real {self.term(expr)})"

    def unknown(self, meaning: str | tuple[str, ...], axiom: Callable[[str], str]) -> str:
        """A variable of the solver's own, of which an axiom says what it is; the same meaning is the same variable."""
        if meaning not in self.unknowns:
            self.unknowns[meaning] = f"|unknown {len(self.unknowns)}|"  # no user's name holds a blank
            self.axioms.append(axiom(self.unknowns[meaning]))
        return self.unknowns[meaning]

    def quotient(self, above: str, below: str) -> str:
        """The floor of a quotient."""
        if self.native:
            return f"(div {above} {below})"
        between = "(=> (>= {b} 1) (and (<= (* {b} {q}) {a}) (< {a} (+ (* {b} {q}) {b}))))"
        return self.unknown(("floor", above, below), lambda q: between.format(a=above, b=below, q=q))

    def folded(self, expr: sympy.Expr) -> str:
        """A boundary mode by its definition; on an empty axis it is outside."""
        position, length = (self.unknown(t, partial("(= {1} {0})".format, t)) for t in map(self.term, expr.args))
        given = {sympy.Symbol("position"): position, sympy.Symbol("length"): length}
        result, before = "", dict(self.variables)
        self.variables |= {s.name: text for s, text in given.items()}
        for condition, value in reversed(cases(expr.func(*given))):
            value = self.term(value)
            result = f"(ite {self.condition(condition)} {value} {result})" if result else value
        self.variables = before
        return f"(ite (>= {length} 1) {result} (- 1))"

    # ----------------------------------------------------------------------------------------------- conditions

    def condition(self, expr: sympy.Basic) -> str:
        """A condition on index expressions."""
        if expr in (sympy.true, sympy.false):
            return "true" if expr == sympy.true else "false"
        if isinstance(expr, (And, Or, Not)):
            name = {And: "and", Or: "or", Not: "not"}[expr.func]
            return _call(name, *map(self.condition, expr.args))
        if type(expr) not in _COMPARE:
            raise ProofError(f"{expr} cannot be put to the prover")
        write = self.real if any(map(_is_fraction, sympy.preorder_traversal(expr))) else self.term
        return _call(_COMPARE[type(expr)], *map(write, expr.args))

    def total(self, relations: Iterable[Keyed]) -> str:
        """Sum of the coefficients of the relations whose point exists."""
        summands = [
            f"(ite {self.condition(And(*r.conditions, evaluate=False))} {self.real(r.coefficient)} 0.0)"
            for r in relations
        ]
        return _call("+", *summands) if summands else "0.0"


def _is_fraction(expr: sympy.Basic) -> bool:
    """Whether an expression need not be an integer."""
    return bool((expr.is_Rational and not expr.is_Integer) or (isinstance(expr, sympy.Pow) and expr.exp.is_negative))


def _number(value: int, ending: str = "") -> str:
    return f"{value}{ending}" if value >= 0 else f"(- {-value}{ending})"


def _call(name: str, *arguments: str) -> str:
    """An application; of one argument only where that means something."""
    if len(arguments) == 1 and name in ("and", "or", "+", "*"):
        return arguments[0]
    return f"({name} {' '.join(arguments)})"
