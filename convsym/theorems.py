"""Size theorems: which padding makes which output size, derived from a formula's last-read rule and proved.

For a formula that slides along one axis, with padding `low` before and `high` behind it, the last-read rule says how
many outputs there are. Every convention ("valid", "same" in three versions, "full", "causal") is a choice of low and
high that gives the size a property; the choice is solved from the rule, the property is proved for all sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import sympy

from convsym import solver
from convsym.errors import FormulaError, nearest
from convsym.expressions import ceildiv, floordiv, symbol, to_text
from convsym.formula import Formula
from convsym.obligations import assumptions
from convsym.proofs import Judge
from convsym.records import formula_record
from convsym.verdict import Proof

LOW, HIGH, COUNT = symbol("low"), symbol("high"), symbol("count")
TOTAL, LESS = symbol("total"), symbol("less")


@dataclass(frozen=True)
class Theorem:
    """A padding convention and what it makes of the size.

    Attributes
    ----------
    name : str
        valid, same, same upper, same lower, full, causal, or output padding.
    low, high : sympy.Expr
        Padding before and behind the axis (for "same upper" and "same lower" in terms of `total`).
    statement : str
        What is proved.
    proof : Proof
    """

    name: str
    low: sympy.Expr
    high: sympy.Expr
    statement: str
    proof: Proof


def size_theorems(formula: Formula, index: str | None = None, budget: float = 10.0) -> tuple[Theorem, ...]:
    """Derive and prove the padding conventions of a formula that slides along one axis.

    Parameters
    ----------
    formula : Formula
        With one output index sized by its reads and one padding parameter, such as that of the op ``conv1d``.
    index : str, optional
        The output index; found where there is only one.
    budget : float
        Seconds for each proof.

    Returns
    -------
    tuple of Theorem

    Raises
    ------
    FormulaError
        The formula has no such index, or no padding parameter.

    Examples
    --------
    >>> from convsym import Formula
    >>> f = Formula("y[o] += x[stride*o + dilation*r - padding] * w[r]", symmetric=["padding"])
    >>> [theorem.name for theorem in size_theorems(f)]
    ['valid', 'same', 'same upper', 'same lower', 'full', 'causal', 'output padding']
    """
    axis = _axis(formula, index)
    return tuple(make(axis, budget) for make in _makers().values())


def size_theorem(formula: Formula, name: str, index: str | None = None, budget: float = 10.0) -> Theorem:
    """One of the theorems of `size_theorems`, by its name."""
    if name not in _makers():
        raise FormulaError(f"{name!r:.40} is no size theorem", hint=nearest(str(name), _makers()))
    return _makers()[name](_axis(formula, index), budget)


def _makers() -> dict[str, Callable[[_Axis, float], Theorem]]:
    return {
        "valid": _valid,
        "same": _same,
        "same upper": _upper,
        "same lower": _lower,
        "full": _full,
        "causal": _causal,
        "output padding": _output_padding,
    }


@dataclass(frozen=True)
class Conventions:
    """The padding of each convention as expressions, for code that computes it.

    Attributes
    ----------
    paddings : dict of str to (sympy.Expr, sympy.Expr)
        Low and high by the names of the theorems; those of "same upper" and "same lower" in terms of `total`.
    total : sympy.Expr
        What `total` is, if it is not negative; else it is 0.
    """

    paddings: dict[str, tuple[sympy.Expr, sympy.Expr]]
    total: sympy.Expr


def conventions(formula: Formula, index: str | None = None) -> Conventions:
    """The padding of each convention of a formula that slides along one axis; `size_theorems` proves them.

    Parameters
    ----------
    formula, index
        As of `size_theorems`.

    Returns
    -------
    Conventions
    """
    axis = _axis(formula, index)
    return Conventions(_paddings(axis), _needed(axis))


def _paddings(axis: _Axis) -> dict[str, tuple[sympy.Expr, sympy.Expr]]:
    """Low and high padding by convention."""
    zero, keeping, back = sympy.S.Zero, _keeping(axis), _reaching_back(axis)
    half, same = floordiv(TOTAL, sympy.Integer(2)), floordiv(keeping, sympy.Integer(2))
    return {
        "valid": (zero, zero),
        "same": (same, keeping - same),
        "same upper": (half, TOTAL - half),
        "same lower": (TOTAL - half, half),
        "full": (back, back),
        "causal": (back, zero),
    }


@dataclass(frozen=True)
class _Axis:
    """The sliding axis: its size rule ``floor((low + high + rest)/step) + 1``, and the farthest read of a window."""

    formula: Formula
    index: sympy.Symbol
    size: sympy.Symbol
    step: sympy.Expr
    rest: sympy.Expr
    farthest: sympy.Expr
    hypotheses: tuple[sympy.Basic, ...]

    def count(self, low: sympy.Expr, high: sympy.Expr) -> sympy.Expr:
        """Number of outputs with these paddings."""
        return floordiv(sympy.expand(self.rest + low + high), self.step) + 1

    def prove(
        self,
        name: str,
        low: sympy.Expr,
        high: sympy.Expr,
        statement: str,
        goals: list[sympy.Basic],
        budget: float,
        given: tuple[sympy.Basic, ...] = (),
    ) -> Theorem:
        """A theorem of goals that must all hold."""
        hypotheses = [*self.hypotheses, *given]
        question = {"formula": formula_record(self.formula), "theorem": name, "index": self.index.name}
        judge = Judge(statement, budget, hypotheses, question)
        for goal in goals:
            judge.ask(self.text(goal), partial(solver.valid, hypotheses, goal))
        return Theorem(name, low, high, statement, judge.proof())

    def text(self, expr: sympy.Basic) -> str:
        """Formula text in this formula's order of names."""
        return to_text(expr, (*self.formula.indices, *self.formula.operands, *self.formula.order), self.formula.indices)


def _axis(formula: Formula, index: str | None) -> _Axis:
    """The one sliding axis of a formula, with its padding parameter split into low and high."""
    sized = [n for n in formula.indices if formula.bare(n) and formula.bare(n)[0][0] == formula.output]
    wanted = [index] if index is not None else sized
    if len(wanted) != 1 or wanted[0] not in sized:
        raise FormulaError(
            f"size theorems are about one index sized by its reads, not {', '.join(sized) or 'none'}", str(formula)
        )
    reads = formula.last_reads(wanted[0], {p: HIGH for p in formula.symmetric})
    padding = [p for p in formula.symmetric or formula.parameters if reads and symbol(p) in reads[0].read.free_symbols]
    padding = [p for p in padding if p not in formula.multipliers]
    if len(reads) != 1 or len(padding) != 1:
        raise FormulaError("size theorems need one sliding access with one padding parameter", str(formula))
    near = {symbol(padding[0]): LOW}
    read, limit = reads[0].read.xreplace(near), reads[0].limit.xreplace({HIGH: sympy.S.Zero})
    own = symbol(wanted[0])
    step = sympy.expand(read).coeff(own)
    rest = sympy.expand(limit - read.xreplace({own: sympy.S.Zero}).xreplace({LOW: sympy.S.Zero}))
    kernels = [s for s in rest.free_symbols if ".shape[" in s.name and s not in limit.free_symbols]
    hypotheses = tuple(assumptions(formula)) + tuple(sympy.Ge(s, 1) for s in kernels)
    size = next(s for s in limit.free_symbols if ".shape[" in s.name)
    return _Axis(formula, own, size, step, rest, read, hypotheses)


def _keeping(axis: _Axis) -> sympy.Expr:
    """The total padding with which, at step 1, the output is as large as the input."""
    (total,) = sympy.solve(sympy.Eq(axis.rest + TOTAL + 1, axis.size), TOTAL)
    return sympy.expand(total)


def _valid(axis: _Axis, budget: float) -> Theorem:
    zero, _ = _paddings(axis)["valid"]
    window = (sympy.Ge(axis.index, 0), sympy.Lt(axis.index, axis.count(zero, zero)))
    inside = sympy.Le(axis.farthest.xreplace({LOW: zero}), axis.size - 1)
    statement = f"without padding every read of the {axis.text(axis.count(zero, zero))} windows lies inside"
    return axis.prove("valid", zero, zero, statement, [inside], budget, window)


def _same(axis: _Axis, budget: float) -> Theorem:
    total = _keeping(axis)
    low, high = _paddings(axis)["same"]
    goal = sympy.Eq(axis.count(low, high), ceildiv(axis.size, axis.step))
    statement = f"padding {axis.text(total)} in all gives ceil(size/{axis.text(axis.step)}) outputs, at any stride"
    return axis.prove("same", low, high, statement, [goal], budget)


def _needed(axis: _Axis) -> sympy.Expr:
    """The total padding with which the last of ceil(size/step) windows just ends inside; it may be negative."""
    return sympy.expand((ceildiv(axis.size, axis.step) - 1) * axis.step - axis.rest)


def _smallest_total(axis: _Axis) -> tuple[sympy.Expr, sympy.Expr, tuple[sympy.Basic, ...]]:
    """The least total padding with ceil(size/step) outputs, as conditions on `total`."""
    wanted, needed = ceildiv(axis.size, axis.step), _needed(axis)
    return (
        wanted,
        needed,
        (
            sympy.Ge(TOTAL, 0),
            sympy.Ge(TOTAL, needed),
            sympy.Or(sympy.Eq(TOTAL, 0), sympy.Eq(TOTAL, needed)),
            sympy.Ge(axis.size, 1),
        ),
    )


def _tight(axis: _Axis, name: str, low: sympy.Expr, high: sympy.Expr, budget: float) -> Theorem:
    wanted, needed, given = _smallest_total(axis)
    exact = sympy.Eq(axis.count(TOTAL, sympy.S.Zero), wanted)
    fewer = sympy.Or(sympy.Lt(LESS, 0), sympy.Ge(LESS, TOTAL), sympy.Lt(axis.count(LESS, sympy.S.Zero), wanted))
    statement = (
        f"total = max(0, {axis.text(needed)}) is the least padding with {axis.text(wanted)} outputs; "
        f"{axis.text(low)} of it goes before"
    )
    return axis.prove(name, low, high, statement, [exact, fewer], budget, given)


def _upper(axis: _Axis, budget: float) -> Theorem:
    return _tight(axis, "same upper", *_paddings(axis)["same upper"], budget)


def _lower(axis: _Axis, budget: float) -> Theorem:
    return _tight(axis, "same lower", *_paddings(axis)["same lower"], budget)


def _reaching_back(axis: _Axis) -> sympy.Expr:
    """The padding with which the first window's farthest read is the first element."""
    (low,) = sympy.solve(axis.farthest.xreplace({axis.index: sympy.S.Zero}), LOW)
    return sympy.expand(low)


def _full(axis: _Axis, budget: float) -> Theorem:
    low, high = _paddings(axis)["full"]
    first = sympy.Eq(axis.farthest.xreplace({axis.index: sympy.S.Zero, LOW: low}), 0)
    last = axis.count(low, high) - 1
    nearest = sympy.expand(
        axis.farthest.xreplace({LOW: low}) - low
    )  # the window's first read: its last one, moved back
    inside = sympy.Le(nearest.xreplace({axis.index: last}), axis.size - 1)
    beyond = sympy.Gt(nearest.xreplace({axis.index: last + 1}), axis.size - 1)
    statement = f"padding {axis.text(low)} on both sides takes exactly the windows that touch the axis"
    return axis.prove("full", low, high, statement, [first, inside, beyond], budget)


def _causal(axis: _Axis, budget: float) -> Theorem:
    low, _ = _paddings(axis)["causal"]
    past = sympy.Le(axis.farthest.xreplace({LOW: low}), axis.step * axis.index)
    size = sympy.Eq(axis.count(low, sympy.S.Zero), ceildiv(axis.size, axis.step))
    now = axis.text(axis.step * axis.index)
    statement = f"padding {axis.text(low)} before the axis: output {axis.index} sees nothing behind {now}"
    return axis.prove("causal", low, sympy.S.Zero, statement, [past, size], budget)


def _output_padding(axis: _Axis, budget: float) -> Theorem:
    """Sizes with the same number of outputs: what a transposed convolution has to be told."""
    count = axis.count(LOW, HIGH)
    least = sympy.expand((COUNT - 1) * axis.step - (axis.rest + LOW + HIGH) + axis.size)
    same = sympy.Eq(count, COUNT)
    between = (sympy.Ge(axis.size, least), sympy.Lt(axis.size, least + axis.step))
    statement = (
        f"exactly the sizes {axis.text(least)} + output_padding, 0 ≤ output_padding < {axis.text(axis.step)}, "
        f"give {COUNT} outputs"
    )
    inside = sympy.And(*between)
    goal = sympy.Or(sympy.And(same, inside), sympy.And(sympy.Not(same), sympy.Not(inside)))
    return axis.prove("output padding", LOW, HIGH, statement, [goal], budget)
