"""Readings of the seeds as claims about a gradient, right and wrong ones, each judged by the prover."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from convsym import solver
from convsym.claims import read_claim
from convsym.derivation import vjp
from convsym.documents.markdown import array, blocks, joined, math
from convsym.enumeration import Geometry, fill
from convsym.errors import ProofError
from convsym.formula import Formula
from convsym.ops import registry
from convsym.proofs import check, prove
from convsym.verdict import Counterexample, Proof

BUDGET = 600.0  # seconds: pages must not depend on the speed of the machine, so nothing is cut short


@dataclass(frozen=True)
class Claim:
    """A gradient of an op as somebody might write it, and the verdict that is expected."""

    op: str
    wrt: str
    text: str
    expected: str
    words: str
    assume: tuple[str, ...] = ()

    @property
    def formula(self) -> Formula:
        """What the claim says."""
        return read_claim(registry[self.op].formula, self.wrt, self.text)


_SAME_PADDING = "dy[u + r - p0, v + s - p1] * w[w.shape[0] - 1 - r, w.shape[1] - 1 - s]"
_FROM_THE_CENTER = "dw[r, s] += dy[i {0} (r - h0), j {0} (s - h1)] * x[i, j]"
_LEFT = "(dilation0*(w.shape[2] - 1) - padding0)"
_BACKWARD_CONV = (
    f"dx[n, c, u] += where((u + dilation0*r0 - {_LEFT}) % stride0 == 0, "
    f"dy[n, k, (u + dilation0*r0 - {_LEFT})//stride0] * w[{{}}, w.shape[2] - 1 - r0], 0)"
)

CLAIMS = {
    "window, dx": Claim(
        "window", "x", "dx[i, j] += where(i < w.shape[0] and j < w.shape[1], dz[()] * w[i, j], 0)", "proved",
        "the filter where it lies, and 0 elsewhere"),
    "window, dw": Claim(
        "window", "w", "dw[r, s] += where(r < x.shape[0] and s < x.shape[1], dz[()] * x[r, s], 0)", "proved",
        "the array below the filter, and 0 where the filter hangs over its edge"),
    "shift, dw": Claim(
        "shifted_window", "w", "dw[r, s] += dz[()] * x[r + alpha, s + beta]", "proved",
        "index plus shift for the array that stays"),
    "shift, dx": Claim(
        "shifted_window", "x", "dx[i, j] += dz[()] * w[i - alpha, j - beta]", "proved",
        "index minus shift for the filter that moves, on the zero-extended plane"),
    "shift, own frame": Claim(
        "shifted_window", "x",
        "dx[i, j] += where(i < w.shape[0] and j < w.shape[1], dz[()] * w[i - alpha, j - beta], 0)", "refuted",
        "the moved filter cut off at its old frame"),
    "shift, plus": Claim(
        "shifted_window", "x", "dx[i, j] += dz[()] * w[i + alpha, j + beta]", "refuted",
        "index plus shift for the filter that moves"),
    "same, shifted back": Claim(
        "same", "w", "dw[r, s] += dy[i, j] * x[i + r - h0, j + s - h1]", "proved",
        "the window of output (i, j) starts at (i − h0, j − h1)"),
    "same, not shifted back": Claim(
        "same", "w", "dw[r, s] += dy[i, j] * x[i + r, j + s]", "refuted",
        "the window of output (i, j) starts at (i, j)"),
    "odd": Claim(
        "same", "x", "dx[u, v] += dy[u + r - h0, v + s - h1] * w[w.shape[0] - 1 - r, w.shape[1] - 1 - s]", "proved",
        "odd filters: the cotangent convolved with the reversed filter, same padding"),
    "even, same padding": Claim(
        "padded", "x", f"dx[u, v] += {_SAME_PADDING}", "refuted",
        "any filter, the same padding p0, p1 above and to the left"),
    "even, even sizes only": Claim(
        "padded", "x", f"dx[u, v] += {_SAME_PADDING}", "refuted",
        "filters with an even number of rows, the same padding as forward",
        ("w.shape[0] == 2*p0 + 2", "w.shape[1] == 2*p1 + 1")),
    "even, swapped padding": Claim(
        "padded", "x", "dx[u, v] += dy[u + r - (w.shape[0] - 1 - p0), v + s - (w.shape[1] - 1 - p1)]"
        " * w[w.shape[0] - 1 - r, w.shape[1] - 1 - s]", "proved",
        "any filter, with what was missing below and to the right as padding"),
    "channels swapped": Claim(
        "conv1d", "x", _BACKWARD_CONV.format("k, c"), "proved",
        "stride, dilation and channels: every number of the general rule at once"),
    "channels not swapped": Claim(
        "conv1d", "x", _BACKWARD_CONV.format("c, k"), "refuted",
        "the same with the channels of the filter left as they are", ("x.shape[1] == y.shape[1]",)),
    "reversal": Claim(
        "reversed_kernel", "w", "dw[r, s] += dv[w.shape[0] - 1 - r, w.shape[1] - 1 - s]", "proved",
        "reversing is its own gradient"),
    "center": Claim(
        "same", "w",
        "dw[r, s] += where(r == h0 and s == h1, dy[i, j] * x[i, j], dy[i, j] * x[i + r - h0, j + s - h1])", "proved",
        "at the center the rule is the plain product over all positions"),
    "content moves": Claim(
        "same", "w", _FROM_THE_CENTER.format("-"), "proved",
        "the content of the cotangent moves by (r − h0, s − h1): index minus shift"),
    "index plus": Claim(
        "same", "w", _FROM_THE_CENTER.format("+"), "refuted",
        "the index of the cotangent grows by (r − h0, s − h1): index plus shift"),
    "bias": Claim("bias", "b", "db[k] += dy[n, k, o]", "proved", "the sum over batch and positions"),
}  # fmt: skip


@lru_cache(maxsize=256)
def judged(name: str) -> Proof:
    """The verdict on a claim of `CLAIMS`."""
    claim = CLAIMS[name]
    return check(registry[claim.op].formula, wrt=claim.wrt, claim=claim.text, assume=claim.assume, budget=BUDGET)


@lru_cache(maxsize=256)
def proof_of(op: str, wrt: str) -> Proof:
    """The proof of a derived rule of the registry."""
    return prove(registry[op].rules[wrt], budget=BUDGET)


def needs_prover() -> None:
    """Raise a ProofError unless the prover is there: a page never says "unknown" because of the machine."""
    if solver.z3() is None:
        raise ProofError(f"pages state verdicts, and {solver.MISSING}")


def verdict(name: str) -> str:
    """A claim with its verdict; if it is refuted, the smallest counter-example with all its numbers."""
    claim, proof = CLAIMS[name], judged(name)
    assumed = f" (assuming {joined([f'`{each}`' for each in claim.assume])})" if claim.assume else ""
    head = f"**{proof.status.capitalize()}**: {claim.words}{assumed}."
    return blocks(head, math(claim.formula), _numbers(claim, proof.counterexample) if proof.counterexample else "")


def _numbers(claim: Claim, found: Counterexample) -> str:
    """The counter-example: arrays filled as it states, the true value and the claimed one."""
    formula = registry[claim.op].formula
    arrays = fill(formula, Geometry(found.sizes, found.params))
    arrays["d" + formula.output] = arrays.pop(formula.output)
    given = [f"`{name} = {value}`" for name, value in found.params.items()]
    given += [f"`{name} = {array(value)}`" for name, value in arrays.items()]
    place = ", ".join(map(str, found.index))
    result = vjp(formula, claim.wrt).output
    return (
        f"Counter-example: {joined(given)}. There `{result}[{place}]` is truly {found.expected}; the claim gives "
        f"{found.claimed}."
    )
