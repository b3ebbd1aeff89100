"""A gradient somebody wrote by hand, as a formula whose names fit those of the formula it is about."""

import sympy

from convsym.errors import FormulaError, nearest
from convsym.expressions import floordiv, indices_of, mod, names
from convsym.formula import Formula


def read_claim(formula: Formula, wrt: str, claim: str | Formula) -> Formula:
    """A claimed gradient as a formula whose names fit those of the formula it is about."""
    if not isinstance(claim, Formula):
        # An index that the claim nowhere leaves alone keeps the range it has in the formula.
        ranges = {n: formula.show(formula.range_of(n)) for n in Formula(claim).parameters if n in formula.indices}
        claim = Formula(claim, ranges=ranges)
    result, cotangent = "d" + wrt, "d" + formula.output
    if claim.output != result:
        raise FormulaError(
            f"the claim writes {claim.output}, but the gradient with respect to {wrt} is named {result}",
            claim.text,
            0,
            f"write {result}[...] += ...",
        )
    ranks = {name: formula.rank(name) for name in formula.operands}
    ranks |= {cotangent: formula.rank(formula.output), result: ranks[wrt]}
    for name in (result, *claim.operands):
        if name not in ranks:
            raise FormulaError(
                f"the claim reads {name!r}, which is neither {cotangent} nor an operand of the formula",
                claim.text,
                claim.text.find(name),
                nearest(name, ranks),
            )
        if claim.rank(name) != ranks[name]:
            raise FormulaError(
                f"{name} has {claim.rank(name)} indices in the claim and {ranks[name]} in the formula {formula}",
                claim.text,
                claim.text.find(name),
                "an array keeps its number of axes",
            )
    for name in claim.parameters:
        if name not in formula.parameters:
            raise FormulaError(
                f"the claim uses the parameter {name!r}, which the formula does not have",
                claim.text,
                claim.text.find(name),
                nearest(name, formula.parameters),
            )
    for name in claim.multipliers:
        if name not in formula.multipliers and _divides(claim, name):
            raise FormulaError(
                f"the claim divides by {name}, which may be 0 in the formula",
                claim.text,
                claim.text.find(name),
                "only parameters that multiply an index are known to be ≥ 1",
            )
    return claim


def _divides(claim: Formula, name: str) -> bool:
    reads = [e for t in claim.terms for a in t.arrays() for e in indices_of(a)]
    nodes = [n for e in (*reads, *(c for t in claim.terms for c in t.guard)) for n in sympy.preorder_traversal(e)]
    return any(isinstance(n, (floordiv, mod)) and name in names(n.args[1]) for n in nodes)
