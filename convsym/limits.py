"""How large a text may be: what it says must be answered at once, and must be short enough to be written down again."""

import ast

import sympy

MAX_TEXT, MAX_DEPTH, MAX_INTEGER, MAX_POWER = 10_000, 50, 10**12, 16
MAX_CASES, MAX_AXES = 64, 32


def tree_depth(tree):
    """Depth of a syntax tree, without recursion."""
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return deepest


def many_cases(count):
    """Why a value cannot split into `count` cases; None where it can."""
    return f"the value splits into {count} cases; at most {MAX_CASES} are read" if count > MAX_CASES else None


def many_terms(left, right):
    """Why a product of sums in an index cannot be multiplied out; None where it can."""
    count = len(sympy.Add.make_args(left)) * len(sympy.Add.make_args(right))
    return f"the product has {count} terms; at most {MAX_CASES} are read" if count > MAX_CASES else None


def large(expr):
    """Why an expression is too large for a text; None where it is not."""
    for term in sympy.Add.make_args(expr):
        for factor in sympy.Mul.make_args(term):
            if factor.is_Rational and max(abs(factor.p), factor.q) > MAX_INTEGER:
                return "the numbers multiply to more than 10**12"
            exponent = factor.as_base_exp()[1]
            if not factor.is_Rational and exponent.is_Rational and abs(exponent) > MAX_POWER:
                return f"a power is an integer from -{MAX_POWER} to {MAX_POWER}"
    return None
