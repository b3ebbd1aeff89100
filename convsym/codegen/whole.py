"""Formula to one expression of whole arrays: every index stands for any number of axes, and no loop is left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy.core.function import UndefinedFunction

from convsym.codegen.kinks import is_sign, merged, where
from convsym.errors import KernelError
from convsym.expressions import (
    FUNCTIONS,
    Term,
    Text,
    access,
    accesses,
    array_of,
    indices_of,
    is_access,
    names,
    size,
    symbol,
)
from convsym.formula import Formula
from convsym.rule import Rule

# What acts on axes. `i` of the formula is then the index of the axes that are reduced, and those before it are kept.
total = UndefinedFunction("sum")
spread = UndefinedFunction("broadcast_to")
picked = UndefinedFunction("take_along_axis")
product = UndefinedFunction("matmul")
turned = UndefinedFunction("swapaxes")


@dataclass(frozen=True)
class Whole:
    """An expression of whole arrays.

    Attributes
    ----------
    text : str
        Python text that looks functions up in ``ops``.
    reads : tuple of str
        What it reads: arrays and parameters by name, ``axis``, and shapes as ``x_shape``.
    """

    text: str
    reads: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The text as it is shown to people."""
        return self.text.replace("ops.", "")


def whole(formula: Formula, parent: Formula | None = None) -> Whole:
    """The right side of a formula on whole arrays.

    Parameters
    ----------
    formula : Formula
        A formula of elements in one place, of sums along axes, or of a product of matrices.
    parent : Formula, optional
        Of a rule: the formula whose result ``y`` may be read instead of computed again.

    Returns
    -------
    Whole

    Raises
    ------
    KernelError
        The formula cannot be said without loops.

    Examples
    --------
    >>> whole(Formula("y[i] = maximum(a[i], 0) * exp(b[i])")).text
    'ops.maximum(a, 0)*ops.exp(b)'
    """
    lowered = _Lowering(formula)
    expr = lowered.matrices() or lowered.elements([(t.guard, reused(t, parent)) for t in formula.terms])
    order = ("d" + parent.output, *parent.operands, parent.output) if parent else formula.operands
    printer = _Arrays((*order, *formula.order), formula, lowered.reduced)
    text = printer.show(expr)
    text = text[1:-1] if isinstance(expr, where) and text.startswith("(") else text
    known = (*order, *formula.parameters, "axis", *(f"{a}_shape" for a in order))
    return Whole(text, tuple(name for name in known if name in printer.read))


class _Lowering:
    """One formula, whose indices on the right only are those of the reduced axes."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        (target,) = {t.target for t in formula.terms}
        read = [e for t in formula.terms for a in t.arrays() for e in indices_of(a)]
        if not all(e.is_Symbol for e in (*target, *read)):
            raise KernelError(f"{formula} has a subscript that is no bare index, so loops are needed")
        self.target = tuple(e.name for e in target)
        self.summed = tuple(n for n in formula.indices if n not in self.target)
        base = formula.parent if isinstance(formula, Rule) else formula
        written = {e.name for e in base.terms[0].target}
        self.reduced = tuple(n for n in base.indices if n not in written)

    def matrices(self) -> sympy.Expr | None:
        """The formula as a product of two matrices, or of stacks of them."""
        term = self.formula.terms[0]
        factors = term.body.args if isinstance(term.body, sympy.Mul) else ()
        if len(factors) != 2 or not all(map(is_access, factors)) or not self.summed or len(self.target) < 2:
            return None
        *stack, row, column = self.target
        left, right = sorted(factors, key=lambda f: row not in names(f))
        (inner,) = self.summed
        wanted = ((*stack, row, inner), (*stack, inner, column))
        return product(*(self.matrix(f, order) for f, order in zip((left, right), wanted, strict=True)))

    def matrix(self, factor: sympy.Expr, wanted: tuple[str, ...]) -> sympy.Expr:
        """An array with its axes in the order that is wanted."""
        own = tuple(e.name for e in indices_of(factor))
        if own == wanted:
            return factor
        if own == (*wanted[:-2], wanted[-1], wanted[-2]):
            return turned(factor, -1, -2)
        raise KernelError(f"{self.formula} is no product of two matrices")

    def elements(self, cases: Sequence[tuple[tuple[sympy.Basic, ...], sympy.Expr]]) -> sympy.Expr:
        """The formula as elements in one place, summed along axes, or spread over them."""
        chosen = [self.pick(*case) for case in cases]
        if None not in chosen:
            return sympy.Add(*chosen)
        value = merged((frozenset(guard), body) for guard, body in cases)
        if self.summed:
            inner = {symbol(n) for n in self.summed}
            free, bound = value.as_independent(*(a for a in accesses(value) if set(indices_of(a)) & inner))
            return free * total(bound)
        read = {n for guard, body in cases for e in (body, *guard) for n in names(e)}
        return value if read.issuperset(self.target) else spread(value)

    def pick(self, guard: tuple[sympy.Basic, ...], body: sympy.Expr) -> sympy.Expr | None:
        """The one element of a sum whose guard says that its index is that element's."""
        if len(guard) != 1 or not isinstance(guard[0], sympy.Eq) or not is_access(body):
            return None
        index, place = sorted(guard[0].args, key=is_access)
        return picked(body, place) if index.is_Symbol and index.name in self.summed and is_access(place) else None


def reused(term: Term, parent: Formula | None) -> sympy.Expr:
    """The body of a rule's term, in which the parent's result stands for what would be computed again.

    Parameters
    ----------
    term : Term
    parent : Formula or None

    Returns
    -------
    sympy.Expr
        The cheapest of the bodies that are equal wherever this one is defined.
    """
    same = [t.body for t in parent.terms if set(t.guard) == set(term.guard)] if parent else []
    if parent is None or len(same) != 1 or set(parent.terms[0].target) != {symbol(n) for n in parent.indices}:
        return term.body
    (value,), result = same, access(parent.output, parent.terms[0].target)
    found = [term.body, term.body.subs(value, result)]
    for inner in sorted(value.atoms(sympy.Function), key=sympy.default_sort_key):
        unknown = sympy.Dummy()
        solutions = sympy.solve(value.xreplace({inner: unknown}) - result, unknown)
        if len(solutions) == 1:
            found.append(_positive(sympy.factor(sympy.together(term.body.xreplace({inner: solutions[0]})))))
    known = _divisors(term.body)
    return min((f for f in found if _divisors(f.xreplace({result: value})) <= known), key=_cost)


def _divisors(expr: sympy.Expr) -> set[sympy.Expr]:
    """What an expression divides by: it is not defined where one of them is 0."""
    return {power.base for power in expr.atoms(sympy.Pow) if power.exp.is_negative}


def _positive(expr: sympy.Expr) -> sympy.Expr:
    """A product whose sign stands in the first sum that is a factor."""
    sums = [f for f in sympy.Mul.make_args(expr) if isinstance(f, sympy.Add)]
    if expr.as_coeff_Mul()[0] > 0 or not sums:
        return expr
    return sympy.Mul(-expr / sums[0], sympy.expand(-sums[0]))


def _cost(expr: sympy.Expr) -> tuple[int, int]:
    """Calls of functions, then all operations."""
    calls = len(expr.atoms(sympy.Function)) + sum(not p.exp.is_Integer for p in expr.atoms(sympy.Pow))
    return calls, int(sympy.count_ops(expr))


class _Arrays(Text):
    """Expressions of whole arrays in Python; notes what they read."""

    functions: ClassVar[dict[sympy.Basic, str]] = {function: f"ops.{name}" for name, function in FUNCTIONS.items()}

    def __init__(self, order: Iterable[str], formula: Formula, reduced: tuple[str, ...]) -> None:
        super().__init__(tuple(order), ())
        self.formula, self.reduced = formula, reduced
        self.read: set[str] = set()
        arrays = (formula.output, *formula.operands)
        self.lengths = {size(a, axis): (a, axis) for a in arrays for axis in range(formula.rank(a))}

    def shape(self, array: str) -> str:
        """Text of an array's shape; a rule is given that of its operand."""
        if not isinstance(self.formula, Rule):
            return f"{array}.shape"
        name = f"{self.formula.wrt if array == self.formula.output else array}_shape"
        self.read.add(name)
        return name

    def name(self, expr: sympy.Symbol) -> str:
        self.read.add("axis" if expr in self.lengths or expr.name in self.reduced else expr.name)
        if expr in self.lengths:
            array, _ = self.lengths[expr]
            return f"count({self.shape(array)}, axis)"
        if expr.name in self.reduced:
            return f"positions({self.shape(self.formula.output)}, axis)"
        return str(expr.name)

    def indexed(self, expr: sympy.Expr) -> str:
        self.read.add(array_of(expr))
        return array_of(expr)

    def power(self, expr: sympy.Expr) -> str:
        return super().power(expr).replace("sqrt(", "ops.sqrt(", 1)

    def logic(self, expr: sympy.Basic) -> str:
        if isinstance(expr, sympy.Not):
            return f"~({self.show(expr.args[0])})"
        sign = " & " if isinstance(expr, sympy.And) else " | "
        return sign.join(sorted(f"({self.show(a)})" for a in expr.args))

    def call(self, expr: sympy.Expr) -> str:
        if type(expr) in self.functions:
            return super().call(expr)
        arguments = [self.show(a) for a in expr.args]
        if isinstance(expr, where) and not accesses(expr.args[0]):
            condition, yes, no = arguments
            return f"({yes} if {condition} else {'ops.zeros_like(dy)' if expr.args[2] == 0 else no})"
        if isinstance(expr, where) and is_sign(expr.args[0]) and expr.args[2] == 0:
            return f"ops.where_positive({self.show(expr.args[0].lhs)}, {arguments[1]})"
        if isinstance(expr, (total, picked)):
            self.read.add("axis")
            arguments.append("axis=axis, keepdims=True" if isinstance(expr, total) else "axis=axis[0]")
        if isinstance(expr, spread):
            arguments.append(self.shape(self.formula.output))
        return f"ops.{expr.func.__name__}({', '.join(arguments)})"
