"""What the tour finds out about the formula, computed once; the terminal and the report only show it."""

from __future__ import annotations

from dataclasses import dataclass

import convsym
from convsym import Formula
from convsym.rule import Rule
from convsym.verdict import Proof

CONVOLUTION = "y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r]"
# A mistake that every test with dilation 1 lets pass: the dilation is left out when solving for o.
WRONG = "dx[n, c, u] += where((u + padding - r) % stride == 0, dy[n, k, (u + padding - r)//stride] * w[k, c, r], 0)"


@dataclass(frozen=True)
class Derivation:
    """A formula, its derived gradients and what the prover says about each."""

    formula: Formula
    rules: tuple[Rule, ...]
    proofs: tuple[Proof, ...]


@dataclass(frozen=True)
class Refutation:
    """A gradient somebody wrote by hand, and the verdict; then the scatter form of the derived one."""

    formula: Formula
    claim: str
    verdict: Proof
    right: str
    right_verdict: Proof


def derive() -> Derivation:
    """Derive the gradients of the 1-D convolution and prove them, every size and parameter symbolic."""
    formula = Formula(CONVOLUTION, symmetric=("padding",))
    rules = convsym.vjp(formula, ("x", "w"))
    return Derivation(formula, rules, tuple(convsym.prove(rule) for rule in rules))


def refute(formula: Formula) -> Refutation:
    """Put a wrong gradient to the prover, then the derived one as if it had been written by hand."""
    right = str(convsym.vjp(formula, "x").scatter)
    verdict = convsym.check(formula, wrt="x", claim=WRONG)
    return Refutation(formula, WRONG, verdict, right, convsym.check(formula, wrt="x", claim=right))
