"""How large a text may be: what it says must be answered at once, and must be short enough to be written down again."""

import ast
from math import ceil, comb, prod

import sympy
from sympy.core.relational import Relational

from convsym.expressions import is_access, to_text

MAX_TEXT, MAX_DEPTH, MAX_INTEGER, MAX_POWER = 10_000, 50, 10**12, 16
POWERS = f"a power is an integer from -{MAX_POWER} to {MAX_POWER}, a name or an access, or a sum of these"
MAX_CASES, MAX_AXES = 64, 32
MAX_TERMS = 128  # of a formula
# Of one value: elements read, terms multiplied out, functions in functions.
MAX_READS, MAX_SPREAD, MAX_NESTED = 32, 256, 4


def tree_depth(tree: ast.AST) -> int:
    """Depth of a syntax tree, without recursion."""
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return deepest


def many_cases(count: int) -> str | None:
    """Why a value cannot split into `count` cases; None where it can."""
    return f"the value splits into {count} cases; at most {MAX_CASES} are read" if count > MAX_CASES else None


def many_summands(count: int) -> str | None:
    """Why a formula cannot have `count` terms; None where it can."""
    return f"the formula has {count} terms; at most {MAX_TERMS} are read" if count > MAX_TERMS else None


def many_comparisons(condition: sympy.Basic) -> str | None:
    """Why a condition is too long; None where it is not."""
    count = len(condition.atoms(Relational))
    return f"the condition makes {count} comparisons; at most {MAX_CASES} are read" if count > MAX_CASES else None


def many_terms(left: sympy.Expr, right: sympy.Expr) -> str | None:
    """Why a product of sums in an index cannot be multiplied out; None where it can."""
    count = len(sympy.Add.make_args(left)) * len(sympy.Add.make_args(right))
    return f"the product has {count} terms; at most {MAX_CASES} are read" if count > MAX_CASES else None


def spread(expr: sympy.Basic) -> int:
    """Number of terms, at most, of a value that is multiplied out; what stands in a function counts there."""
    if isinstance(expr, sympy.Add):
        return sum(map(spread, expr.args))
    if isinstance(expr, sympy.Mul):
        return prod(map(spread, expr.args))
    if isinstance(expr, sympy.Pow) and expr.exp.is_Rational:
        count, power = spread(expr.base), ceil(abs(expr.exp))
        return comb(count + power - 1, power)
    return 1


def nesting(expr: sympy.Basic) -> int:
    """How deep functions, and powers of sums, stand in each other; so do floors, remainders and boundary modes.

    A power that is no number is a function.
    """
    inside = max(map(nesting, expr.args), default=0)
    power = isinstance(expr, sympy.Pow) and (isinstance(expr.base, sympy.Add) or not expr.exp.is_Rational)
    return inside + (power or isinstance(expr, sympy.Function))


def intricate(expr: sympy.Expr) -> str | None:
    """Why a value cannot be differentiated and compared in a moment; None where it can."""
    reads = len(expr.atoms(sympy.Indexed))
    if reads > MAX_READS:
        return f"one term reads {reads} elements; at most {MAX_READS} are read"
    if nesting(expr) > MAX_NESTED:
        return f"functions, quotients and powers of sums stand in each other more than {MAX_NESTED} deep"
    if spread(expr) > MAX_SPREAD:
        return f"multiplied out, the value has {spread(expr)} terms; at most {MAX_SPREAD} are read"
    return None


def large(expr: sympy.Expr) -> str | None:
    """Why an expression is too large for a text; None where it is not."""
    for term in sympy.Add.make_args(expr):
        for factor in sympy.Mul.make_args(term):
            if factor.is_Rational and max(abs(factor.p), factor.q) > MAX_INTEGER:
                return "the numbers multiply to more than 10**12"
            exponent = factor.as_base_exp()[1]
            if factor.is_Rational:
                continue
            if exponent.is_Rational and abs(exponent) > MAX_POWER:
                return f"a power is an integer from -{MAX_POWER} to {MAX_POWER}"
            if not exponent.is_Rational and not isinstance(factor, sympy.exp) and not is_power(exponent):
                return f"this is {to_text(factor)}; {POWERS}"
    return None


def is_power(exponent: sympy.Expr) -> bool:
    """Whether a value may stand as a power: a small integer, or a sum of such multiples of names and accesses."""
    parts = [part.as_coeff_Mul() for part in sympy.Add.make_args(exponent)]
    return all(
        number.is_Integer and abs(number) <= MAX_POWER and (rest == 1 or rest.is_Symbol or is_access(rest))
        for number, rest in parts
    )
