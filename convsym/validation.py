"""What a formula's text must satisfy beyond its grammar: affine indices, distinct names, assignments without sums."""

from dataclasses import dataclass
from typing import Any, NoReturn

import sympy
from sympy.core.function import AppliedUndef

from convsym.errors import FormulaError, nearest
from convsym.expressions import affine, indices_of, names, stands_alone
from convsym.parsing import Parsed


@dataclass(frozen=True)
class Validation:
    """The rules a text must keep once indices and parameters are known.

    Attributes
    ----------
    formula : Formula
    parsed : Parsed
        Its text, for the caret of a message.
    """

    formula: Any  # a Formula, which stands right of this module
    parsed: Parsed

    def fail(self, message: str, name: str | None, hint: str | None = None) -> NoReturn:
        raise FormulaError(message, self.parsed.text, None if name is None else self.parsed.columns.get(name), hint)

    def run(self) -> None:
        """Raise a FormulaError for the first rule that is broken."""
        formula = self.formula
        arrays = {formula.output, *formula.operands}
        if formula.output in formula.operands:
            self.fail(
                f"{formula.output} is written and read in the same formula",
                formula.output,
                "give the result a name of its own",
            )
        for name in (*formula.indices, *formula.parameters):
            if name in arrays:
                self.fail(f"{name} is used both as an array and as an index or parameter", name, "rename one of them")
        if "sizes" in arrays or "sizes" in formula.parameters:
            self.fail("the name 'sizes' is taken by the call of a formula", "sizes", "rename it")
        for term in formula.terms:
            for expr in (*term.target, *(e for a in term.arrays() for e in indices_of(a))):
                self.affine(expr)
        if formula.operator == "=":
            self.assignment()
        self.known(dict(formula.ranges), "ranges")
        self.known(dict(formula.sizes), "sizes")
        for name in formula.symmetric:
            if name not in formula.parameters:
                self.fail(f"symmetric names {name!r}, which is no parameter", None, nearest(name, formula.parameters))

    def affine(self, expr: sympy.Expr) -> None:
        opaque = {node: sympy.Dummy() for node in sympy.preorder_traversal(expr) if isinstance(node, AppliedUndef)}
        for node in opaque:
            if names(node.args[1]) & set(self.formula.indices):
                self.fail("an index cannot stand in a divisor", min(names(node.args[1])))
        for part in (expr, *(node.args[0] for node in opaque)):
            if affine(part.xreplace(opaque), self.formula.indices) is None:
                culprit = min(names(part) & set(self.formula.indices))
                self.fail(
                    f"the index expression {self.formula.show(part)} is not affine: it multiplies indices",
                    culprit,
                    "an index may be multiplied by integers and parameters only",
                )

    def assignment(self) -> None:
        for term in self.formula.terms:
            bare = [e.name for e in term.target if stands_alone(e)]
            if len(bare) < len(term.target) or len(set(bare)) < len(bare):
                self.fail("= needs distinct, bare indices on the left", self.formula.output, "write += to add up")
            summed = set(self.formula.loops(term)) - set(bare)
            if summed:
                self.fail(
                    f"= has no summed index, but {min(summed)} appears only on the right",
                    min(summed),
                    "write += to sum over it",
                )

    def known(self, given: dict[str, sympy.Expr], what: str) -> None:
        used = {n for t in self.formula.terms for n in t.names()}
        for name in given:
            if name not in used:
                self.fail(
                    f"{what} names {name!r}, which is no index of the formula",
                    None,
                    nearest(name, self.formula.indices),
                )
