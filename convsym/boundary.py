"""Boundary modes: functions that fold any integer back into an axis.

Each mode is one definition by cases, on an axis of size n ≥ 1; values, proofs and adjoints all use it.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.core.function import UndefinedFunction

from convsym.expressions import mod, names, to_text

circular = UndefinedFunction("circular")
reflect = UndefinedFunction("reflect")
replicate = UndefinedFunction("replicate")
symmetric = UndefinedFunction("symmetric")
MODES = {"circular": circular, "reflect": reflect, "replicate": replicate, "symmetric": symmetric}


def is_folded(expr: sympy.Basic) -> bool:
    """Whether an index expression is a boundary mode of another one."""
    return type(expr) in MODES.values()


def folded(expr: sympy.Expr) -> sympy.Expr:
    """The position before it was folded; the expression itself where there is no mode."""
    return expr.args[0] if is_folded(expr) else expr


def cases(expr: sympy.Expr) -> tuple[tuple[sympy.Basic, sympy.Expr], ...]:
    """The definition of a mode: ``((condition, value), …)``, the first that holds counts.

    Parameters
    ----------
    expr : sympy.Expr
        A mode applied to a position and a size, e.g. ``reflect(e, n)``.
    """
    e, n = expr.args
    if isinstance(expr, circular):
        return ((sympy.true, mod(e, n)),)
    if isinstance(expr, replicate):
        return (sympy.Lt(e, 0), sympy.S.Zero), (sympy.Ge(e, n), n - 1), (sympy.true, e)
    if isinstance(expr, symmetric):
        turn = mod(e, 2 * n)
        return (sympy.Lt(turn, n), turn), (sympy.true, 2 * n - 1 - turn)
    turn = mod(e, 2 * n - 2)
    return (sympy.Eq(n, 1), sympy.S.Zero), (sympy.Lt(turn, n), turn), (sympy.true, 2 * n - 2 - turn)


@dataclass(frozen=True)
class Piece:
    """One affine piece of a boundary mode: ``slope*e + offset`` for ``lower <= e < upper``.

    Attributes
    ----------
    slope : int
        1, -1 or 0.
    offset : sympy.Expr
        Of the size, and of `fold`.
    lower, upper : sympy.Expr or None
        The interval; None where it has no end.
    fold : sympy.Symbol or None
        Number of the period: there is a piece for every integer. None where the mode has no period.
    when : sympy condition
        Sizes for which this is a piece.
    """

    slope: int
    offset: sympy.Expr
    lower: sympy.Expr | None
    upper: sympy.Expr | None
    fold: sympy.Symbol | None = None
    when: sympy.Basic = sympy.true

    def value(self, position: sympy.Expr) -> sympy.Expr:
        """Where a position of this piece goes."""
        return sympy.expand(self.slope * position + self.offset)

    def contains(self, position: sympy.Expr) -> tuple[sympy.Basic, ...]:
        """Conditions for a position to lie on this piece."""
        ends = (
            sympy.true if self.lower is None else sympy.Ge(position, self.lower),
            sympy.true if self.upper is None else sympy.Lt(position, self.upper),
        )
        return tuple(c for c in (self.when, *ends) if c != sympy.true)

    @property
    def period(self) -> sympy.Expr | None:
        """How far a piece moves from one fold to the next; None where there is one only."""
        if self.fold is None or self.lower is None:
            return None
        return sympy.expand(self.lower.xreplace({self.fold: self.fold + 1}) - self.lower)

    @property
    def values(self) -> tuple[sympy.Expr, sympy.Expr]:
        """First value of a piece that is no constant, and the one after its last."""
        if self.slope == 1:
            return sympy.expand(self.lower + self.offset), sympy.expand(self.upper + self.offset)
        return sympy.expand(self.offset - self.upper + 1), sympy.expand(self.offset - self.lower + 1)

    def __str__(self) -> str:
        e = sympy.Symbol("e")
        order = tuple(sorted(names(self.offset) | names(self.when), key=lambda n: (n == "fold", n)))
        conditions = " and ".join(to_text(c, ("e", *order), ("e",)) for c in self.contains(e))
        value = to_text(self.value(e), ("e", *order), ("e",))
        return f"{value} where {conditions}" if conditions else value


def pieces(expr: sympy.Expr, fold: sympy.Symbol) -> tuple[Piece, ...]:
    """The affine pieces of a mode, from its definition.

    A remainder is the position minus a number of whole periods; within one period every case is affine.

    Parameters
    ----------
    expr : sympy.Expr
        A mode applied to a position and a size.
    fold : sympy.Symbol
        The number of the period.

    Returns
    -------
    tuple of Piece
    """
    own = sympy.Dummy()
    definition = cases(expr.func(own, expr.args[1]))
    turns = sorted(set().union(*(value.atoms(mod) for _, value in definition)), key=str)
    along, period = (turns[0], turns[0].args[1]) if turns else (own, sympy.S.Zero)
    lower, upper = (sympy.S.Zero, period) if turns else (None, None)
    moved, found, when = sympy.expand(period * fold), [], sympy.true
    for condition, value in definition:
        if condition != sympy.true and not condition.has(along):  # a case of sizes
            found.append(Piece(0, value, None, None, None, sympy.And(when, condition)))
            when = sympy.And(when, sympy.Not(condition))
            continue
        ends = (lower, upper)
        if isinstance(condition, sympy.Lt):
            ends, lower = (lower, condition.rhs), condition.rhs
        elif isinstance(condition, sympy.Ge):
            ends, upper = (condition.rhs, upper), condition.rhs
        variable = sympy.Dummy()
        slope = sympy.expand(value.xreplace({along: variable})).coeff(variable)
        offset = sympy.expand(value.xreplace({along: sympy.S.Zero}) - slope * moved)
        first, last = (None if end is None else sympy.expand(end + moved) for end in ends)
        found.append(Piece(int(slope), offset, first, last, fold if turns else None, when))
    return tuple(found)
