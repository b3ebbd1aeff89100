"""Boundary modes: functions that fold any integer back into an axis.

Each mode is one definition by cases, on an axis of size n ≥ 1; values, proofs and adjoints all use it.
"""

import sympy
from sympy.core.function import UndefinedFunction

from convsym.expressions import mod

circular = UndefinedFunction("circular")
reflect = UndefinedFunction("reflect")
replicate = UndefinedFunction("replicate")
symmetric = UndefinedFunction("symmetric")
MODES = {"circular": circular, "reflect": reflect, "replicate": replicate, "symmetric": symmetric}


def is_folded(expr):
    """Whether an index expression is a boundary mode of another one."""
    return type(expr) in MODES.values()


def folded(expr):
    """The position before it was folded; the expression itself where there is no mode."""
    return expr.args[0] if is_folded(expr) else expr


def cases(expr):
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
