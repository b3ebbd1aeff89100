"""Cases of a value as functions of whole arrays: maximum, minimum and abs where they are, a choice elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy
from sympy.core.function import UndefinedFunction

from convsym.expressions import is_access, to_text

where = UndefinedFunction("where")
maximum = UndefinedFunction("maximum")
minimum = UndefinedFunction("minimum")
absolute = UndefinedFunction("abs")

Case = tuple[frozenset[sympy.Basic], sympy.Expr]  # conditions that must all hold, and the value there


def merged(cases: Iterable[Case]) -> sympy.Expr:
    """One value of cases, which are added where several hold.

    Parameters
    ----------
    cases : iterable of (frozenset of condition, sympy.Expr)

    Returns
    -------
    sympy.Expr
        It holds `where`, `maximum`, `minimum` and `absolute` instead of cases.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> merged([(frozenset([x >= 0]), x), (frozenset([x < 0]), -x)])
    abs(x)
    """
    found: list[Case] = [(guard, value) for guard, value in cases if value != 0]
    if not all(guard for guard, _ in found):
        free = sympy.Add(*(value for guard, value in found if not guard))
        rest = [case for case in found if case[0]]
        return free + merged(rest) if rest else free
    condition = _deciding(found)
    if condition is None:
        return sympy.Add(*(merged([case]) for case in found))
    holds = [(guard - {condition}, value) for guard, value in found if condition in guard]
    fails = [(guard - {sympy.Not(condition)}, value) for guard, value in found if condition not in guard]
    return _choice(condition, merged(holds), merged(fails))


def is_sign(condition: sympy.Basic) -> bool:
    """Whether a condition is that an element is positive.

    Parameters
    ----------
    condition : sympy.Basic

    Returns
    -------
    bool

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> is_sign(x > 0), is_sign(x > 1)
    (True, False)
    """
    return isinstance(condition, sympy.Gt) and condition.rhs == 0 and _is_name(condition.lhs)


def _deciding(cases: Sequence[Case]) -> sympy.Basic | None:
    """A condition that every case either has or denies."""
    for condition in sorted(cases[0][0], key=to_text) if cases else ():
        if all(condition in guard or sympy.Not(condition) in guard for guard, _ in cases):
            return condition
    return None


def _choice(condition: sympy.Basic, yes: sympy.Expr, no: sympy.Expr) -> sympy.Expr:
    """The first value where a condition holds, the second one elsewhere."""
    whole = _kink(condition, yes, no)
    if whole is not None:
        return whole
    parts = _kink(condition, yes, sympy.S.Zero), _kink(condition, sympy.S.Zero, no)
    if None not in parts:
        return sympy.Add(*parts)
    if isinstance(yes, where) and yes.args[2] == no:
        return where(sympy.And(condition, yes.args[0]), yes.args[1], no)
    return where(condition, yes, no)


def _kink(condition: sympy.Basic, yes: sympy.Expr, no: sympy.Expr) -> sympy.Expr | None:
    """The choice without a condition, if both values are one expression of the larger, the smaller or the size."""
    if yes == no:
        return yes
    if isinstance(condition, (sympy.Eq, sympy.Ne)):
        return _needless(condition, *((yes, no) if isinstance(condition, sympy.Eq) else (no, yes)))
    if not isinstance(condition, (sympy.Ge, sympy.Gt, sympy.Le, sympy.Lt)):
        return None
    high, low = condition.gts, condition.lts  # `yes` is the value where high is not below low
    for here, other, own, across, extreme in (
        (high, low, yes, no, maximum),
        (low, high, no, yes, maximum),
        (low, high, yes, no, minimum),
        (high, low, no, yes, minimum),
    ):
        # `own` is the value where `here` is the extreme one; where `other` is, it takes that one's place.
        if _is_name(here) and own.has(here) and own.xreplace({here: other}) == across:
            return own.xreplace({here: extreme(condition.lhs, condition.rhs)})
    for here, other, own, across in ((high, low, yes, no), (low, high, no, yes)):
        if other == 0 and _is_name(here) and own.has(here) and own.xreplace({here: -here}) == across:
            return own.xreplace({here: absolute(here)})
    return None


def _needless(condition: sympy.Basic, yes: sympy.Expr, no: sympy.Expr) -> sympy.Expr | None:
    """What holds where two sides differ, if it also is the value where they are equal, and is defined there."""
    for name, value in (condition.args, reversed(condition.args)):
        powers = [power for power in no.atoms(sympy.Pow) if power.has(name)]
        defined = all(power.exp.xreplace({name: value}).is_nonnegative for power in powers)
        inside = any(function.has(name) for function in no.atoms(sympy.Function))
        if _is_name(name) and defined and not inside and no.xreplace({name: value}) == yes:
            return no
    return None


def _is_name(expr: sympy.Expr) -> bool:
    return bool(expr.is_Symbol) or is_access(expr)
