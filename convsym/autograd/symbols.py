"""A world of symbols: arrays whose elements are SymPy expressions, with functions under NumPy's names.

Operations that choose (the larger of two, the case of a ``where``, the place of a maximum) decide by the numbers that
the symbols stand for, so that what comes out has no cases; what was decided is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from sympy.core.relational import Relational

from convsym.autograd.maps import Cast
from convsym.autograd.primitives import Primitive
from convsym.autograd.worlds import World
from convsym.expressions import FUNCTIONS

DIGITS = 50


class Symbols(np.ndarray):
    """An array of expressions; comparisons give an array of conditions instead of an error."""

    def __lt__(self, other: Any) -> Any:
        return np.less(self, other, dtype=object)

    def __le__(self, other: Any) -> Any:
        return np.less_equal(self, other, dtype=object)

    def __gt__(self, other: Any) -> Any:
        return np.greater(self, other, dtype=object)

    def __ge__(self, other: Any) -> Any:
        return np.greater_equal(self, other, dtype=object)

    def __eq__(self, other: object) -> Any:
        return each(sympy.Eq, self, other)

    def __ne__(self, other: object) -> Any:
        return each(sympy.Ne, self, other)


def symbols(name: str, shape: tuple[int, ...]) -> Symbols:
    """An array of symbols, each with its place in its name: ``x[0, 1]``."""
    made = np.empty(shape, object)
    for place in np.ndindex(shape):
        made[place] = sympy.Symbol(f"{name}[{', '.join(map(str, place))}]" if place else name, real=True)
    return made.view(Symbols)


def exact(values: Any) -> Any:
    """Numbers as SymPy's, every float as the fraction that it is; integers and truth values stay as they are."""
    array = np.asarray(values)
    if array.dtype.kind != "f":
        return values if array.dtype.kind in "biu" else array.view(Symbols)
    return each(_fraction, array)


def rational(expression: Any) -> sympy.Expr:
    """An expression whose floats are the fractions that they are."""
    found = sympy.sympify(expression, strict=True)
    return found.xreplace({number: _fraction(number) for number in found.atoms(sympy.Float)})


def _fraction(value: Any) -> sympy.Expr:
    """A float as a fraction, which has no rounding; infinity and NaN have none and stay."""
    number = float(value)
    return sympy.Rational(Fraction(number)) if np.isfinite(number) else sympy.Float(number)


def _unwrapped(element: Any) -> Any:
    """An element itself: where NumPy writes an array of one object to an element, that array becomes the element."""
    return element.item() if isinstance(element, np.ndarray) else element


def each(function: Callable[..., Any], *arrays: Any) -> Symbols:
    """A function of single elements, on arrays."""
    made = np.frompyfunc(function, len(arrays), 1)(*arrays)
    return np.asarray(made, dtype=object).view(Symbols)


class SymbolWorld(World):
    """Where primitives run on symbols.

    Parameters
    ----------
    numbers : mapping of Symbol to Rational
        What the symbols stand for, where a choice depends on it.

    Attributes
    ----------
    decided : list of str
        Everything that was decided by the numbers, as what holds.
    kinks : list of str
        Where the numbers stand just between two cases.
    """

    def __init__(self, numbers: Mapping[sympy.Symbol, sympy.Expr]) -> None:
        super().__init__(np)
        self.numbers = dict(numbers)
        self.decided: list[str] = []
        self.kinks: list[str] = []
        for name, function in FUNCTIONS.items():
            setattr(self, name, lambda x, function=function: each(function, x))

    def apply(self, op: Primitive, *operands: Any) -> Any:
        """The result of a primitive; numbers have no dtype here, so there is nothing to convert."""
        if isinstance(op, Cast):
            return operands[0]
        return each(_unwrapped, op.forward(self, *operands))

    def plain(self, value: Any) -> Any:
        """The numbers that an array of expressions stands for, to find the place of an extreme one."""
        self.decided.append("the largest and smallest elements stay where they are")
        return each(lambda element: sympy.sympify(element, strict=True).xreplace(self.numbers), value).astype(float)

    def where(self, condition: Any, yes: Any, no: Any) -> Symbols:
        """The element of the one or the other array, by what the condition is for the numbers."""
        return each(lambda c, a, b: a if self.holds(c) else b, condition, yes, no)

    def where_positive(self, x: Any, yes: Any) -> Symbols:
        """The elements of the other array where those of x are positive, zeros elsewhere."""
        return self.where(each(sympy.Gt, x, 0), yes, 0)

    def maximum(self, a: Any, b: Any) -> Symbols:
        """The larger elements; of two that are equal, that of `b`, as the formulas that use it have it."""
        return self.where(each(sympy.Gt, a, b), a, b)

    def minimum(self, a: Any, b: Any) -> Symbols:
        """The smaller elements; of two that are equal, that of `a`."""
        return self.where(each(sympy.Le, a, b), a, b)

    def abs(self, x: Any) -> Symbols:
        """The size of each element."""
        return self.where(each(sympy.Ge, x, 0), x, -x)

    def holds(self, condition: Any) -> bool:
        """Whether a condition holds for the numbers."""
        if not isinstance(condition, sympy.Basic):
            return bool(condition)
        found = self._truth(condition)
        if condition.free_symbols:
            self.decided.append(str(condition if found else sympy.Not(condition)))
        return found

    def _truth(self, condition: Any) -> bool:
        """A condition with numbers put in; what SymPy cannot decide exactly is decided with fifty digits."""
        if not isinstance(condition, Relational):
            return bool(condition.func(*map(sympy.sympify, map(self._truth, condition.args))))
        gap = sympy.N((condition.lhs - condition.rhs).xreplace(self.numbers), DIGITS)
        if abs(gap) < 10 ** (10 - DIGITS):
            gap = sympy.Integer(0)
            if condition.free_symbols and not isinstance(condition, (sympy.Eq, sympy.Ne)):
                self.kinks.append(f"{condition.lhs} = {condition.rhs} is a kink")
        return bool(condition.func(gap, 0))
