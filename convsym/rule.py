"""A derived formula with its history: `Rule`, its `Step`s, and the lemmas they use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from convsym.binding import Sizes
from convsym.expressions import to_text
from convsym.formula import Formula
from convsym.layout import Layout, expression_layout
from convsym.notation import latex, mathml
from convsym.typesetting import to_latex, to_mathml

LEMMAS = {
    "chain rule": "the cotangent of an input is the sum, over all outputs, of cotangent times partial derivative",
    "derivative of an access": "∂x[e]/∂x[i] is 1 where e == i and 0 elsewhere (Kronecker's δ)",
    "scatter": "a sum over a δ visits only the points where it is 1: write to the access's own indices",
    "renaming": "an index that stands alone is the target index itself",
    "δ-elimination": "Σ_q δ(i, a·q + b)·g(q) = [a divides i − b]·[(i − b)/a in range]·g((i − b)/a), for a ≥ 1",
    "exact division": "m divides N and N // m == i ⇔ N == m·i, for m ≥ 1",
    "digits": "i == C·a + b with 0 ≤ b < C has the one solution a == i // C, b == i % C, for C ≥ 1",
    "remaining δ": "no free index is left to solve for, so the equation stays as a guard",
    "gather": "every element of the result is computed on its own, without scattered writes",
}


@dataclass(frozen=True)
class Step:
    """One line of a derivation.

    Attributes
    ----------
    lemma : str
        Name of the lemma used, a key of `LEMMAS`.
    text : str
        The statement.
    layout : Layout
        The statement as typeset mathematics.
    """

    lemma: str
    text: str
    layout: Layout = field(compare=False, repr=False)

    @property
    def latex(self) -> str:
        """The statement as LaTeX."""
        return to_latex(self.layout)

    def _repr_latex_(self) -> str:
        return f"$${self.latex}$$"


@latex.register
def _(obj: Step) -> str:
    return obj.latex


@mathml.register
def _(obj: Step) -> str:
    return to_mathml(obj.layout)


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Rule(Formula):
    """A derived formula: its body is the gather form, and it knows where it came from.

    Attributes
    ----------
    parent : Formula
        What was differentiated.
    wrt : str
        The operand it was differentiated by.
    steps : tuple of Step
        The derivation, line by line, each with the lemma it used.
    scatter : Formula
        The same rule before δ-elimination: writes are scattered.
    """

    parent: Formula
    wrt: str
    steps: tuple[Step, ...]
    scatter: Formula

    def __init__(self, gather: Formula, parent: Formula, wrt: str, steps: tuple[Step, ...], scatter: Formula) -> None:
        self._set(
            gather.output,
            gather.operator,
            gather.terms,
            gather.ranges,
            gather.order,
            gather.sizes,
            gather.assume,
            gather.symmetric,
        )
        for name, value in {"parent": parent, "wrt": wrt, "steps": steps, "scatter": scatter}.items():
            object.__setattr__(self, name, value)

    @property
    def gather(self) -> Formula:
        """The rule with every element of the result computed on its own (the rule itself, as a plain formula)."""
        return Formula.of(self.output, self.operator, self.terms, like=self, order=self.order, ranges=self.ranges)

    def evaluate(self, values: Mapping[str, Any], sizes: Sizes) -> np.ndarray:
        """Like any formula; the differentiated operand, if given, says how large the result is.

        Without it the result ends with the last element that is written.
        """
        values = dict(values)
        if self.wrt in values:
            sizes = {self.output: np.shape(values[self.wrt]), **sizes}
            if self.wrt not in self.operands:
                del values[self.wrt]
        unread = [e.name for e in self.terms[0].target if all(array == self.output for array, _ in self.bare(e.name))]
        if self.output in sizes or all(name in sizes for name in unread):
            return super().evaluate(values, sizes)
        return self.scatter.evaluate(values, sizes)


@dataclass(frozen=True)
class Shown:
    """Text and layout of expressions that mix the scatter form's names with the new indices of the result."""

    scatter: Formula
    new: tuple[str, ...]

    def text(self, expr: sympy.Basic) -> str:
        indices = (*self.new, *self.scatter.indices)
        return to_text(expr, (*indices, *self.scatter.operands, *self.scatter.order), indices)

    def layout(self, expr: sympy.Basic, exact: tuple[sympy.Basic, ...] = ()) -> Layout:
        return expression_layout(expr, self.scatter, self.new, exact)
