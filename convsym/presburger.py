"""The other road for concrete strides and dilations: integer sets, decided by isl, sizes and paddings symbolic.

Presburger arithmetic cannot multiply two unknowns, so every parameter that multiplies gets a number here; what is left
is decided completely, without a time-out.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sympy
from sympy.logic.boolalg import And, Not, Or

from convsym.errors import ProofError
from convsym.expressions import ceildiv, floordiv, mod, names, symbol

NAME = "isl"
_SIGNS = {sympy.Eq: "=", sympy.Lt: "<", sympy.Le: "<=", sympy.Gt: ">", sympy.Ge: ">="}
# Numbers that the multiplying parameters take in turn: equal ones, coprime ones, a divisor and its multiple.
NUMBERS = ((1,), (2, 1), (1, 2), (2, 3), (4, 2))


@lru_cache(maxsize=1)
def islpy() -> Any:
    """The islpy module, or None where it is not installed."""
    try:
        import islpy as module
    except ImportError:
        return None
    return module


def numbered(parameters: Sequence[str]) -> list[dict[sympy.Symbol, sympy.Expr]]:
    """Assignments of numbers to the parameters that multiply.

    Parameters
    ----------
    parameters : tuple of str

    Returns
    -------
    list of dict
        From symbol to integer; one empty assignment where nothing multiplies.
    """
    if not parameters:
        return [{}]
    return [
        {symbol(name): sympy.Integer(row[place % len(row)]) for place, name in enumerate(parameters)} for row in NUMBERS
    ]


def equal_sets(
    hypotheses: Sequence[sympy.Basic],
    left: Sequence[Sequence[sympy.Basic]],
    right: Sequence[Sequence[sympy.Basic]],
    numbers: Mapping[sympy.Symbol, sympy.Expr],
) -> bool:
    """Whether two unions of disjoint sets hold the same integer points, the multiplying parameters being numbers.

    Parameters
    ----------
    hypotheses : sequence of sympy conditions
    left, right : sequence of sequence of sympy conditions
        Each set is a conjunction.
    numbers : dict
        From `numbered`.

    Returns
    -------
    bool
        False where the sets of one side overlap.

    Raises
    ------
    ProofError
        A condition is not of Presburger arithmetic, or islpy is missing.
    """
    if islpy() is None:
        raise ProofError("islpy is not installed")
    sides = [[[c.xreplace(numbers) for c in (*hypotheses, *part)] for part in side] for side in (left, right)]
    variables = sorted(set().union(*(names(c) for side in sides for part in side for c in part)))
    text = _Text({name: f"v{number}" for number, name in enumerate(variables)})
    box = ", ".join(text.words.values())
    unions = []
    for side in sides:
        union = islpy().Set(f"{{ [{box}] : false }}")
        for part in side:
            own = islpy().Set(f"{{ [{box}] : {text.all(part)} }}")
            if not union.is_disjoint(own):
                return False
            union = union.union(own)
        unions.append(union)
    return bool(unions[0].is_equal(unions[1]))


class _Text:
    """Conditions in isl's syntax; names become v0, v1, …, so no user's name reaches isl."""

    def __init__(self, words: dict[str, str]) -> None:
        self.words = words

    def all(self, conditions: Iterable[sympy.Basic]) -> str:
        return " and ".join(f"({self.condition(c)})" for c in conditions) or "true"

    def condition(self, expr: sympy.Basic) -> str:
        if expr in (sympy.true, sympy.false):
            return "true" if expr == sympy.true else "false"
        if isinstance(expr, (And, Or)):
            return (" and " if isinstance(expr, And) else " or ").join(f"({self.condition(a)})" for a in expr.args)
        if isinstance(expr, Not):
            return f"not ({self.condition(expr.args[0])})"
        if isinstance(expr, sympy.Ne):
            return f"not ({self.term(expr.lhs)} = {self.term(expr.rhs)})"
        return f"{self.term(expr.lhs)} {_SIGNS[type(expr)]} {self.term(expr.rhs)}"

    def term(self, expr: sympy.Expr) -> str:
        if expr.is_Symbol:
            return self.words[expr.name]
        if expr.is_Integer:
            return f"({expr})"
        if isinstance(expr, sympy.Add):
            return "(" + " + ".join(self.term(a) for a in expr.args) + ")"
        if isinstance(expr, sympy.Mul) and len([a for a in expr.args if not a.is_Integer]) == 1:
            number, factor = expr.as_coeff_Mul()
            return f"{number}*{self.term(factor)}"
        if isinstance(expr, (floordiv, ceildiv, mod)) and expr.args[1].is_Integer and expr.args[1] > 0:
            above, below = self.term(expr.args[0]), int(expr.args[1])
            if isinstance(expr, mod):
                return f"({above} mod {below})"
            return f"{'floor' if isinstance(expr, floordiv) else 'ceil'}({above}/{below})"
        raise ProofError(f"{expr} is not of Presburger arithmetic")
