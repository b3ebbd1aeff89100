"""Divisibility conditions on an index that a formula writes, and the linear congruences that they are."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import sympy

from convsym.errors import FormulaError
from convsym.expressions import affine, floordiv, mod, symbol
from convsym.formula import Formula


@dataclass(frozen=True)
class Condition:
    """``divisor | factor·index + coefficient·tap + rest``, a condition of one term on an index that it writes.

    Where it does not decide one tap, `tap` is None, `coefficient` 0, and `rest` holds all summed indices.
    """

    term: int
    guard: sympy.Basic
    index: str
    factor: sympy.Expr
    tap: str | None
    coefficient: sympy.Expr
    rest: sympy.Expr

    @property
    def quotient(self) -> sympy.Expr:
        """The quotient as the term holds it."""
        return floordiv(*self.guard.lhs.args)

    @property
    def inverse(self) -> tuple[sympy.Expr, sympy.Expr] | None:
        """The inverse of the tap's coefficient modulo the divisor, see `inverse`; None where no tap is decided."""
        return None if self.tap is None else inverse(self.coefficient, self.divisor)

    @property
    def divisor(self) -> sympy.Expr:
        """What has to divide."""
        return self.guard.lhs.args[1]


def conditions(formula: Formula, number: int) -> list[Condition]:
    """The divisibility conditions of a term on the indices that it writes.

    Parameters
    ----------
    formula : Formula
    number : int
        Of the term.

    Returns
    -------
    list of Condition

    Raises
    ------
    FormulaError
        A condition binds two written indices.
    """
    term = formula.terms[number]
    target = {e.name for e in term.target if e.is_Symbol}
    found = []
    for guard in term.guard:
        if not (isinstance(guard, sympy.Eq) and isinstance(guard.lhs, mod) and guard.rhs == 0):
            continue
        parts = affine(guard.lhs.args[0], formula.indices)
        if parts is None:
            continue
        written = [n for n, _ in parts[0] if n in target]
        if len(written) > 1:
            raise FormulaError(
                f"the condition {formula.show(guard)} binds the written indices {' and '.join(written)}, so the "
                "result has no classes axis by axis",
                str(formula),
            )
        if written:
            found.append((guard, written[0], dict(parts[0]), parts[1]))
    every = [n for _, index, factors, _ in found for n in factors if n != index]
    return [_condition(number, *parts, [n for n in every if every.count(n) == 1]) for parts in found]


def _condition(
    number: int, guard: sympy.Basic, index: str, factors: dict[str, sympy.Expr], rest: sympy.Expr, alone: list[str]
) -> Condition:
    """A condition; `alone` names the summed indices that no other condition of the term holds."""
    taps = [n for n in factors if n != index]
    tap = taps[0] if len(taps) == 1 and taps[0] in alone and inverse(factors[taps[0]], guard.lhs.args[1]) else None
    rest += sum((factors[n] * symbol(n) for n in taps if n != tap), sympy.S.Zero)
    return Condition(number, guard, index, factors[index], tap, sympy.S.Zero if tap is None else factors[tap], rest)


def inverse(coefficient: sympy.Expr, divisor: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr] | None:
    """``(g, k)`` with ``g = gcd(coefficient, divisor)`` and ``k·coefficient/g = 1`` modulo ``divisor/g``; or None."""
    if divisor == 1:
        return sympy.S.One, sympy.S.Zero
    if abs(coefficient) == 1:
        return sympy.S.One, coefficient
    if not _integers(coefficient, divisor):
        return None
    common = math.gcd(int(coefficient), int(divisor))
    factor = pow(int(coefficient) // common, -1, int(divisor) // common)
    return sympy.Integer(common), sympy.Integer(factor)


def periods(formula: Formula, conditions: Iterable[Condition]) -> dict[str, sympy.Expr]:
    """The period of each strided index: after it, every condition on the index repeats.

    Raises
    ------
    FormulaError
        The periods of one index are different symbols.
    """
    found: dict[str, sympy.Expr] = {}
    for condition in conditions:
        factor, divisor = condition.factor, condition.divisor
        period = divisor / math.gcd(int(factor), int(divisor)) if _integers(factor, divisor) else divisor
        before = found.setdefault(condition.index, period)
        if _integers(before, period):
            found[condition.index] = sympy.Integer(math.lcm(int(before), int(period)))
        elif before != period:
            raise FormulaError(
                f"the index {condition.index} has the periods {formula.show(before)} and {formula.show(period)}",
                str(formula),
                None,
                "give numbers for them",
            )
    return found


def _integers(*values: sympy.Expr) -> bool:
    return all(v.is_Integer for v in values)


def floor(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """``a // b``, carried out where it can be."""
    return a if b == 1 else sympy.Integer(int(a) // int(b)) if _integers(a, b) else floordiv(a, b)


def remainder(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """``a % b``, carried out where it can be."""
    return sympy.S.Zero if b == 1 else sympy.Integer(int(a) % int(b)) if _integers(a, b) else mod(a, b)
