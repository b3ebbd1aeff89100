"""What the tour finds out, computed once; the terminal and the report only show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import convsym
from convsym import Formula, grad, kernels
from convsym.derivation import Rule
from convsym.proofs import Proof

CONVOLUTION = "y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r]"
# A mistake that every test with dilation 1 lets pass: the dilation is left out when solving for o.
WRONG = (
    "dx[n, c, u] += where((u + padding - r) % stride == 0, "
    "dy[n, k, (u + padding - r)//stride] * w[k, c, r], 0)"
)
GEOMETRIES = 100


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


@dataclass(frozen=True)
class Comparison:
    """One kernel against the exact reference: how many numbers were compared, how many bits differed."""

    kernel: str
    rule: Formula
    geometries: int
    numbers: int
    differing: int


@dataclass(frozen=True)
class KernelCheck:
    """Every comparison, and the CPU level that computed them."""

    level: str
    threads: int
    comparisons: tuple[Comparison, ...]

    @property
    def differing(self) -> int:
        """Bits that differ, over all kernels."""
        return sum(each.differing for each in self.comparisons)


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


def compare(seed: int) -> KernelCheck:
    """Compare the convolution kernels with the exact reference on integers over random geometries."""
    rng = np.random.default_rng(seed)
    found: list[Comparison] = []
    for rank in (1, 2):
        op = convsym.registry[f"conv{rank}d"]
        formulas = {"y": op.formula, "dx": op.rules["x"], "dw": op.rules["w"]}
        totals = {name: [0, 0] for name in formulas}
        for _ in range(GEOMETRIES):
            for name, (numbers, differing) in _compare_once(rank, formulas, rng).items():
                totals[name][0] += numbers
                totals[name][1] += differing
        found += [
            Comparison(f"conv{rank}d_{name}", formula, GEOMETRIES, *totals[name])
            for name, formula in formulas.items()
        ]
    return KernelCheck(kernels.in_use(), kernels.get_num_threads(), tuple(found))


def _compare_once(
    rank: int, formulas: dict[str, Formula], rng: np.random.Generator
) -> dict[str, tuple[int, int]]:
    """Run one random geometry through the compiled kernels and the reference: numbers and differing bits."""
    stride, dilation, padding = (tuple(map(int, rng.integers(low, 4, rank))) for low in (1, 1, 0))
    kernel = tuple(map(int, rng.integers(1, 4, rank)))
    batch, into, out = map(int, rng.integers(1, 4, 3))
    x = _integers(rng, (batch, into, *rng.integers(7, 12, rank)))
    w = _integers(rng, (out, into, *kernel))
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    forward, by_input, by_weight = (
        (convsym.conv1d, grad.conv1d_input, grad.conv1d_weight)
        if rank == 1
        else (convsym.conv2d, grad.conv2d_input, grad.conv2d_weight)
    )
    y = forward(x, w, **settings, algorithm="direct")
    dy = _integers(rng, y.shape)
    got = {
        "y": y,
        "dx": by_input(x.shape, w, dy, **settings, algorithm="direct"),
        "dw": by_weight(x, w.shape, dy, **settings, algorithm="direct"),
    }
    exact = {name: array.astype(int) for name, array in (("x", x), ("w", w), ("dy", dy))}
    parameters = {f"{name}{axis}": v for name, values in settings.items() for axis, v in enumerate(values)}
    shapes = {"y": y.shape, "dx": x.shape, "dw": w.shape}
    counts = {}
    for name, formula in formulas.items():
        operands = {key: exact[key] for key in formula.operands}
        expected = formula(sizes={formula.output: shapes[name]}, **operands, **parameters)
        counts[name] = (expected.size, differing_bits(got[name], expected.astype(np.float32)))
    return counts


def differing_bits(a: np.ndarray, b: np.ndarray) -> int:
    """Return how many bits of two float32 arrays differ."""
    if a.shape != b.shape:
        return 32 * max(a.size, b.size)
    both = np.bitwise_xor(np.ascontiguousarray(a).view(np.uint32), np.ascontiguousarray(b).view(np.uint32))
    return int(np.bitwise_count(both).sum())


def _integers(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw small integers as float32: every sum of their products is exact."""
    return rng.integers(-8, 9, shape).astype(np.float32)
