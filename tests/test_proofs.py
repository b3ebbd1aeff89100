"""Proofs: right claims are proved, wrong ones refuted by counter-examples that the tests evaluate themselves."""

import re
import time
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import Plain, filled, gradient
from process import run_python
from test_formula import assert_says

from convsym import Formula, FormulaError, Proof, Rule, check, prove, registry, vjp

pytest.importorskip("z3")

LINE = "y[o] += x[stride*o + dilation*r - padding]*w[r]"
PLAIN = "y[o] += x[o + r]*w[r]"
STRIDED = "y[o] += x[s*o + r]*w[r]"
LAYER = "y[n, k, o] += x[n, c, s*o + r]*w[k, c, r]"
PLANE = "y[n, k, o, p] += x[n, c, s*o + r, t*p + q]*w[k, c, r, q]"
GROUPED = "y[n, g, k, o] += x[n, g, c, o + r]*w[g, k, c, r]"
FLAT = "y[n, k, o] += x[n, c, o + r]*w[k, c, r] + b[k]"
UP = "y[s*i + r - p] += x[i]*w[r]"
SAME = "y[o] += x[o + r - p]*w[r]"
TWICE = "y[o] += x[o]*x[o + r]*w[r]"
CONV2D = str(registry["conv2d"].formula)
CLAIM2D = (
    "dx[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1]"
    " += dy[n, k, o0, o1]*w[k, c, r0, r1]"
)


@dataclass(frozen=True)
class Claim:
    """A gradient written by hand."""

    formula: str
    wrt: str
    text: str
    assume: tuple = ()
    symmetric: tuple = ()

    def __str__(self):
        return f"{self.wrt} of {self.formula} as {self.text}"

    def forward(self):
        return Formula(self.formula, symmetric=self.symmetric)

    def check(self, **options):
        return check(self.forward(), wrt=self.wrt, claim=self.text, assume=self.assume, **options)


GATHER = "where((u + padding - dilation*r) % stride == 0, dy[(u + padding - dilation*r)//stride]*w[r], 0)"
ODD = ("w.shape[0] == 2*p + 1",)

RIGHT = [
    Claim(PLAIN, "x", "dx[o + r] += dy[o]*w[r]"),
    Claim(PLAIN, "x", "dx[u] += dy[u - r]*w[r]"),
    Claim(PLAIN, "x", "dx[i] += w[j]*dy[i - j]"),
    Claim(PLAIN, "x", "dx[u] += dy[o]*w[u - o]"),
    Claim(PLAIN, "w", "dw[r] += dy[o]*x[o + r]"),
    Claim(PLAIN, "w", "dw[a] += x[a + b]*dy[b]"),
    Claim(PLAIN, "w", "dw[u - o] += dy[o]*x[u]"),
    Claim(STRIDED, "x", "dx[s*o + r] += dy[o]*w[r]"),
    Claim(STRIDED, "x", "dx[u] += where((u - r) % s == 0, dy[(u - r)//s]*w[r], 0)"),
    Claim(STRIDED, "x", "dx[u] += dy[o]*w[u - s*o]"),
    Claim(STRIDED, "x", "dx[u] += where(0 == (u - r) % s, dy[(u - r)//s]*w[r], 0)"),
    Claim(STRIDED, "w", "dw[r] += dy[o]*x[s*o + r]"),
    Claim(LINE, "x", "dx[stride*o + dilation*r - padding] += dy[o]*w[r]"),
    Claim(LINE, "x", f"dx[u] += {GATHER}"),
    Claim(LINE, "x", f"dx[u] += {GATHER}", symmetric=("padding",)),
    Claim(LINE, "w", "dw[r] += dy[o]*x[stride*o + dilation*r - padding]"),
    Claim(LAYER, "x", "dx[n, c, s*o + r] += dy[n, k, o]*w[k, c, r]"),
    Claim(LAYER, "x", "dx[n, c, u] += where((u - r) % s == 0, dy[n, k, (u - r)//s]*w[k, c, r], 0)"),
    Claim(LAYER, "x", "dx[a, b, u] += where((u - t) % s == 0, dy[a, m, (u - t)//s]*w[m, b, t], 0)"),
    Claim(LAYER, "w", "dw[k, c, r] += x[n, c, s*o + r]*dy[n, k, o]"),
    Claim(PLANE, "x", "dx[n, c, s*o + r, t*p + q] += dy[n, k, o, p]*w[k, c, r, q]"),
    Claim(PLANE, "w", "dw[k, c, r, q] += dy[n, k, o, p]*x[n, c, s*o + r, t*p + q]"),
    Claim(CONV2D, "x", CLAIM2D, symmetric=("padding0", "padding1")),
    Claim(GROUPED, "x", "dx[n, g, c, u] += dy[n, g, k, u - r]*w[g, k, c, r]"),
    Claim(GROUPED, "w", "dw[g, k, c, r] += dy[n, g, k, o]*x[n, g, c, o + r]"),
    Claim(FLAT, "b", "db[k] += dy[n, k, o]"),
    Claim(FLAT, "x", "dx[n, c, o + r] += dy[n, k, o]*w[k, c, r]"),
    Claim(UP, "x", "dx[i] += dy[s*i + r - p]*w[r]"),
    Claim(UP, "w", "dw[r] += dy[s*i + r - p]*x[i]"),
    Claim(SAME, "x", "dx[u] += dy[u + p - r]*w[r]"),
    Claim(SAME, "x", "dx[u] += dy[u + r - p]*w[w.shape[0] - 1 - r]", ODD),
    Claim(SAME, "x", "dx[u] += dy[u + r - (w.shape[0] - 1 - p)]*w[w.shape[0] - 1 - r]"),
    Claim(STRIDED, "x", "dx[u] += where((u - r) % 2 == 0, dy[(u - r)//2]*w[r], 0)", ("s == 2",)),
    Claim(
        "y[o] += x[2*o + r]*w[r]",
        "x",
        "dx[u] += where((u - r) % 4 == 0, dy[(u - r)//2]*w[r], 0) + where((u - r) % 4 == 2, dy[(u - r)//2]*w[r], 0)",
    ),
    Claim("y[o] += x[2*o]", "x", "dx[u] += where(u % 2 == 0, dy[u//2], 0)"),
    Claim("y[i] += a[i, j]*x[j]", "x", "dx[j] += a[i, j]*dy[i]"),
    Claim("y[i] += a[i, j]*x[j]", "a", "da[i, j] += dy[i]*x[j]"),
    Claim("y[i] += x[i, i]", "x", "dx[i, i] += dy[i]"),
    Claim("y[i] += x[i, i]", "x", "dx[i, j] += where(i == j, dy[i], 0)"),
    Claim("y[i] += x[i]*x[i]", "x", "dx[i] += 2*x[i]*dy[i]"),
    Claim("y[i] += (x[i] - t[i])**2", "x", "dx[i] += 2*dy[i]*(x[i] - t[i])"),
    Claim("y[i] += alpha*x[i]", "x", "dx[i] += alpha*dy[i]"),
    Claim("y[i] = where(x[i] > 0, x[i], 0)", "x", "dx[i] += where(x[i] > 0, dy[i], 0)"),
    Claim("y[o] += x[o + 1] - x[o]", "x", "dx[u] += dy[u - 1] - dy[u]"),
    Claim(TWICE, "x", "dx[u] += dy[u]*x[u + r]*w[r] + dy[u - r]*x[u - r]*w[r]"),
]

WRONG = [
    # sign, factor
    Claim(PLAIN, "x", "dx[o + r] += -dy[o]*w[r]"),
    Claim(PLAIN, "w", "dw[r] += -dy[o]*x[o + r]"),
    Claim(STRIDED, "x", "dx[s*o + r] += 2*dy[o]*w[r]"),
    Claim(FLAT, "b", "db[k] += 2*dy[n, k, o]"),
    Claim("y[i] += (x[i] - t[i])**2", "x", "dx[i] += dy[i]*(x[i] - t[i])"),
    Claim("y[i] += (x[i] - t[i])**2", "t", "dt[i] += 2*dy[i]*(x[i] - t[i])"),
    Claim("y[i] += x[i]*x[i]", "x", "dx[i] += x[i]*dy[i]"),
    # off by one
    Claim(PLAIN, "x", "dx[o + r + 1] += dy[o]*w[r]"),
    Claim(PLAIN, "x", "dx[u] += dy[u - r - 1]*w[r]"),
    Claim(PLAIN, "w", "dw[r] += dy[o]*x[o + r - 1]"),
    Claim(LINE, "x", "dx[stride*o + dilation*r - padding + 1] += dy[o]*w[r]"),
    Claim(UP, "w", "dw[r] += dy[s*i + r - p - 1]*x[i]"),
    # missing, extra or wrong stride, dilation, padding
    Claim(STRIDED, "x", "dx[o + r] += dy[o]*w[r]"),
    Claim(STRIDED, "x", "dx[s*o + s*r] += dy[o]*w[r]"),
    Claim(STRIDED, "w", "dw[r] += dy[o]*x[o + r]"),
    Claim(LINE, "x", "dx[stride*o + r - padding] += dy[o]*w[r]"),
    Claim(LINE, "x", "dx[stride*o + dilation*r + padding] += dy[o]*w[r]"),
    Claim(LINE, "x", "dx[stride*o + dilation*r] += dy[o]*w[r]"),
    Claim(LINE, "x", "dx[dilation*o + stride*r - padding] += dy[o]*w[r]"),
    Claim(LINE, "x", "dx[stride*o + dilation*r - stride*padding] += dy[o]*w[r]"),
    Claim(LINE, "w", "dw[r] += dy[o]*x[stride*o + r - padding]"),
    Claim(LINE, "w", "dw[r] += dy[o]*x[stride*o + dilation*r + padding]"),
    Claim(PLANE, "x", "dx[n, c, t*o + r, s*p + q] += dy[n, k, o, p]*w[k, c, r, q]"),
    Claim(PLANE, "x", "dx[n, c, s*o + r, s*p + q] += dy[n, k, o, p]*w[k, c, r, q]"),
    Claim(PLANE, "x", "dx[n, c, s*o + q, t*p + r] += dy[n, k, o, p]*w[k, c, r, q]"),
    Claim(PLANE, "w", "dw[k, c, q, r] += dy[n, k, o, p]*x[n, c, s*o + r, t*p + q]"),
    Claim(PLANE, "w", "dw[k, c, r, q] += dy[n, k, p, o]*x[n, c, s*o + r, t*p + q]"),
    Claim(CONV2D, "x", CLAIM2D.replace("stride0*o0", "stride1*o0").replace("stride1*o1", "stride0*o1")),
    Claim(CONV2D, "x", CLAIM2D.replace("dilation1*r1", "r1")),
    Claim(CONV2D, "x", CLAIM2D.replace("- padding1", "- padding0")),
    Claim(CONV2D, "x", CLAIM2D.replace("w[k, c, r0, r1]", "w[k, c, r1, r0]")),
    # channels
    Claim(LAYER, "x", "dx[n, c, s*o + r] += dy[n, k, o]*w[c, k, r]"),
    Claim(LAYER, "x", "dx[n, c, s*o + r] += dy[n, c, o]*w[k, c, r]"),
    Claim(LAYER, "x", "dx[n, k, s*o + r] += dy[n, c, o]*w[k, c, r]"),
    Claim(LAYER, "w", "dw[c, k, r] += x[n, c, s*o + r]*dy[n, k, o]"),
    Claim(LAYER, "w", "dw[k, c, r] += x[m, c, s*o + r]*dy[n, k, o]"),
    Claim(GROUPED, "x", "dx[n, g, c, u] += dy[n, g, k, u - r]*w[h, k, c, r]"),
    Claim(GROUPED, "x", "dx[n, g, c, u] += dy[n, g, k, u - r]*w[g, c, k, r]"),
    Claim(GROUPED, "w", "dw[g, k, c, r] += dy[n, g, k, o]*x[n, h, c, o + r]"),
    Claim(FLAT, "b", "db[k] += dy[n, k, 0]"),
    Claim(FLAT, "b", "db[k] += dy[0, k, o]"),
    Claim(FLAT, "b", "db[k] += dy[n, j, o]"),
    # guards
    Claim(STRIDED, "x", "dx[u] += dy[(u - r)//s]*w[r]"),
    Claim(STRIDED, "x", "dx[u] += where((u + r) % s == 0, dy[(u + r)//s]*w[r], 0)"),
    Claim(STRIDED, "x", "dx[u] += where((u - r) % s == 0, dy[(u - r)//s - 1]*w[r], 0)"),
    Claim(STRIDED, "x", "dx[u] += where((u - r) % s == 1, dy[(u - r)//s]*w[r], 0)"),
    Claim(STRIDED, "x", "dx[u] += where((u - r) % s == 0 and u > 0, dy[(u - r)//s]*w[r], 0)"),
    Claim(STRIDED, "x", "dx[u] += where((u - r) % s == 0 and r < 2, dy[(u - r)//s]*w[r], 0)"),
    Claim(LINE, "x", f"dx[u] += {GATHER.replace('+ padding', '- padding')}"),
    Claim(LINE, "x", f"dx[u] += {GATHER.replace('dilation*', '')}"),
    Claim(LINE, "x", f"dx[u] += {GATHER.replace('% stride', '% dilation')}"),
    Claim("y[o] += x[2*o]", "x", "dx[u] += where(u % 2 == 0, dy[u], 0)"),
    Claim("y[o] += x[2*o]", "x", "dx[u] += dy[u//2]"),
    Claim("y[o] += x[2*o + r]*w[r]", "x", "dx[u] += where((u - r) % 4 == 0, dy[(u - r)//2]*w[r], 0)"),
    # kernel not reversed, unswapped padding, shift the wrong way
    Claim(SAME, "x", "dx[u] += dy[u + r - p]*w[r]"),
    Claim(SAME, "x", "dx[u] += dy[u + r - p]*w[r]", ODD),
    Claim(SAME, "x", "dx[u] += dy[u + r - p]*w[w.shape[0] - 1 - r]"),
    Claim(SAME, "x", "dx[u] += dy[u + r - p]*w[w.shape[0] - 1 - r]", ("w.shape[0] == 2*p + 2",)),
    Claim(SAME, "x", "dx[u] += dy[u + r - p]*w[w.shape[0] - r]", ODD),
    Claim(SAME, "w", "dw[r] += dy[o]*x[o - r + p]"),
    Claim(SAME, "w", "dw[r] += dy[o - r + p]*x[o + r]"),
    # leftover rows and missing terms
    Claim(STRIDED, "x", "dx[s*o] += dy[o]*w[0]"),
    Claim("y[i] += x[i, i]", "x", "dx[i, j] += dy[i]"),
    Claim("y[o] += x[o + 1] - x[o]", "x", "dx[u] += dy[u - 1]"),
    Claim("y[o] += x[o + 1] - x[o]", "x", "dx[u] += dy[u] - dy[u - 1]"),
    Claim(TWICE, "x", "dx[u] += dy[u]*x[u + r]*w[r]"),
    Claim(TWICE, "x", "dx[u] += 2*dy[u]*x[u + r]*w[r]"),
    Claim("y[i] += a[i, j]*x[j]", "x", "dx[j] += a[j, i]*dy[i]"),
    Claim("y[i] = where(x[i] > 0, x[i], 0)", "x", "dx[i] += dy[i]"),
    Claim("y[i] = where(x[i] > 0, x[i], 0)", "x", "dx[i] += where(x[i] >= 0, dy[i], 0)"),
    Claim("y[i] += x.shape[0]*x[i]", "x", "dx[i] += dy[i]"),
    Claim("y[n, k, o] += x[n, g*C + c, o]*w[k, c, g]", "x", "dx[n, g + C*c, o] += dy[n, k, o]*w[k, c, g]"),
]


@pytest.mark.parametrize("claim", RIGHT, ids=str)
def test_a_right_claim_is_proved(claim):
    proof = claim.check()
    assert proof.status == "proved", str(proof)
    assert proof
    assert proof.counterexample is None
    assert proof.obligations
    assert all(o.status in ("proved", "checked") for o in proof.obligations)
    assert_brute_force_agrees(claim)


@pytest.mark.parametrize("claim", WRONG, ids=str)
def test_a_wrong_claim_is_refuted_by_a_real_counterexample(claim):
    proof = claim.check()
    assert proof.status == "refuted", str(proof)
    assert not proof
    assert any(o.status == "refuted" for o in proof.obligations)
    assert_real(claim, proof.counterexample)
    assert_says_numbers(proof)


def test_there_are_enough_claims():
    assert len(RIGHT) >= 25
    assert len(WRONG) >= 40
    assert len({str(c) + str(c.assume) + str(c.symmetric) for c in RIGHT + WRONG}) == len(RIGHT + WRONG)


# ------------------------------------------------------------------- what the test itself makes of a counter-example


def readings(claim):
    """The forward formula and the claim as Python reads them; an index of the claim that stands alone nowhere has
    the range it has in the formula."""
    forward = claim.forward()
    left = Plain(claim.text)
    ranges = {n: forward.show(forward.range_of(n)) for n in left.parameters if n in forward.indices}
    return Plain(claim.formula), Plain(claim.text, ranges)


def values(claim, sizes, params, arrays):
    """True gradient and claimed gradient on given arrays; the cotangent stands under the output's name."""
    forward, claimed = readings(claim)
    output = forward.output
    operands = {name: arrays[name] for name in forward.operands}
    if "where" in claim.formula:  # decide by numbers, then vary
        truth = relu_product(operands, arrays[output], claim.wrt)
    else:
        truth = gradient(forward, claim.wrt, operands, arrays[output], params)
    have = claimed(operands | {"d" + output: arrays[output], output: arrays[output]}, sizes[claim.wrt], params)
    return truth, have


def relu_product(operands, cotangent, wrt):
    """The one case distinction among the claims, with 0 as the slope at 0."""
    return np.where(operands[wrt] > 0, cotangent, 0)


def stated_arrays(fill, sizes):
    """Arrays as a counter-example's sentence says."""
    first, step, by, modulus = map(
        int, re.search(r"flat entry j of array number a is (-?\d+) \+ \((\d+)\*j \+ (\d+)\*a\) % (\d+)", fill).groups()
    )
    numbers = {name: int(n) for name, n in re.findall(r"(\w+) (\d+)", fill.split("numbers: ")[1])}
    assert sorted(numbers) == sorted(sizes)
    return {
        name: np.array(
            [first + (step * j + by * a) % modulus for j in range(int(np.prod(sizes[name])))], object
        ).reshape(sizes[name])
        for name, a in numbers.items()
    }


def assert_real(claim, found):
    """The counter-example's numbers are what the formula and the claim give there; they are small Python ints."""
    numbers = [
        *found.params.values(),
        *found.index,
        found.expected,
        found.claimed,
        *(n for shape in found.sizes.values() for n in shape),
    ]
    assert all(type(n) is int for n in numbers)
    assert all(abs(n) <= 9 for shape in found.sizes.values() for n in shape)
    assert all(abs(n) <= 9 for n in found.params.values())
    truth, have = values(claim, found.sizes, found.params, stated_arrays(found.fill, found.sizes))
    assert found.expected == truth[found.index]
    assert found.claimed == have[found.index]
    assert found.expected != found.claimed
    assert set(found.params) == set(claim.forward().parameters)
    environment = {name: type("Array", (), {"shape": shape}) for name, shape in found.sizes.items()} | found.params
    assert all(eval(condition, dict(environment)) for condition in claim.assume)
    assert all(v >= 1 for n, v in found.params.items() if n in claim.forward().multipliers)


def assert_says_numbers(proof):
    found = proof.counterexample
    for piece in (
        f"at index {found.index} the true value is {found.expected}, the claim gives {found.claimed}",
        *(f"{name} {shape}" for name, shape in found.sizes.items()),
        *(f"{name}={value}" for name, value in found.params.items()),
        found.fill,
    ):
        assert piece in str(found)
        assert piece in proof.reason


@pytest.mark.parametrize(
    "change",
    [
        {"expected": 1},
        {"claimed": 0},
        {"index": (1,)},
        {"sizes": {"x": (0,), "w": (1,), "y": (1,)}},
        {"fill": "flat entry j of array number a is 2 + (7*j + 5*a) % 11; numbers: x 0, w 1, y 2"},
    ],
)
def test_a_counterexample_that_lies_is_seen(change):
    claim = Claim(STRIDED, "x", "dx[s*o + r] += 2*dy[o]*w[r]")
    found = claim.check().counterexample
    assert_real(claim, found)
    lying = type(found)(**({f: getattr(found, f) for f in found.__dataclass_fields__} | change))
    with pytest.raises((AssertionError, IndexError)):
        assert_real(claim, lying)


# ----------------------------------------------------------------------------------------- brute force by the test


def geometries(claim, spatial=(1, 2, 4, 6), multipliers=(1, 2, 3, 4), added=(-1, 0, 2, 3), limit=60, seed=0):
    """Sizes and parameters of a box that is larger than the prover's own, in a shuffled order."""
    forward, plain = claim.forward(), Plain(claim.formula)
    names = sorted(plain.indices - {i for i, places in plain.bare.items() if places[0][0] == plain.output})
    choices = [spatial] * len(names) + [multipliers if p in forward.multipliers else added for p in forward.parameters]
    every = list(islice(product(*choices), 20_000))
    order = np.random.default_rng(seed).permutation(len(every))
    for place in order[:limit]:
        chosen = dict(zip((*names, *forward.parameters), every[place], strict=True))
        params = {p: chosen.pop(p) for p in forward.parameters}
        outer = {i: 3 for i in plain.indices - set(names)}
        sizes = plain.shapes(outer | chosen, other=1 + int(place) % 9)
        environment = {n: type("Array", (), {"shape": s}) for n, s in sizes.items()} | params
        if all(eval(condition, dict(environment)) for condition in claim.assume):
            yield sizes, params


def differs_somewhere(claim, **box):
    """Brute force: sizes and parameters for which the claim is wrong, or None. The output may have any size."""
    for sizes, params in geometries(claim, **box):
        arrays = filled(sizes, low=1, high=12)
        truth, have = values(claim, sizes, params, arrays)
        if any(sympy.expand(a - b) != 0 for a, b in zip(truth.flat, have.flat, strict=True)):
            return sizes, params
    return None


def assert_brute_force_agrees(claim):
    box = (
        {"limit": 6, "spatial": (1, 2, 3), "multipliers": (1, 2, 3)} if claim.formula.count(",") > 2 else {"limit": 10}
    )
    assert differs_somewhere(claim, **box) is None


def test_brute_force_sees_a_wrong_claim():
    assert differs_somewhere(Claim(STRIDED, "x", "dx[o + r] += dy[o]*w[r]"))
    with pytest.raises(AssertionError):
        assert_brute_force_agrees(Claim(LINE, "x", "dx[stride*o + dilation*r] += dy[o]*w[r]"))


@st.composite
def perturbed(draw):
    """The true scatter or gather claim of a line, with at most two places changed at random."""
    o, r = (
        draw(st.sampled_from(["stride*o", "stride*o", "o", "2*o", "dilation*o", "stride*r"])),
        draw(st.sampled_from(["dilation*r", "dilation*r", "r", "stride*r", "-dilation*r", "dilation*o"])),
    )
    p = draw(st.sampled_from(["- padding", "- padding", "+ padding", "", "- padding + 1", "- 2*padding"]))
    factor = draw(st.sampled_from(["", "", "", "-", "2*"]))
    wrt = draw(st.sampled_from("xxw"))
    if wrt == "w":
        text = f"dw[r] += {factor}dy[o]*x[{o} + {r} {p}]"
    elif draw(st.booleans()):
        text = f"dx[{o} + {r} {p}] += {factor}dy[o]*w[r]"
    else:
        q = {
            "- padding": "+ padding",
            "+ padding": "- padding",
            "": "",
            "- padding + 1": "+ padding - 1",
            "- 2*padding": "+ 2*padding",
        }[p]
        tap = r if "o" not in r else "r"
        by = draw(st.sampled_from(["stride", "stride", "stride", "dilation", "2"]))
        guard = draw(
            st.sampled_from(
                [f"(u {q} - {tap}) % {by} == 0"] * 3
                + [f"(u {q} - {tap}) % {by} == 1", f"(u {q} - {tap}) >= 0", f"(u {q} + {tap}) % {by} == 0"]
            )
        )
        text = f"dx[u] += where({guard}, {factor}dy[(u {q} - {tap})//{by}]*w[r], 0)"
    return Claim(LINE, wrt, text, symmetric=("padding",) * draw(st.integers(0, 1)))


@given(perturbed())
@settings(max_examples=60, deadline=None)
def test_proved_is_never_refuted_by_brute_force_and_refuted_is_real(claim):
    proof = claim.check()
    if proof.status == "proved":
        assert differs_somewhere(claim, limit=25) is None
    elif proof.status == "refuted":
        assert_real(claim, proof.counterexample)
    else:
        assert differs_somewhere(claim, limit=25) is None, "the prover left open what is wrong"


# --------------------------------------------------------------------------------------- derived rules, and mutants

RULES = [
    PLAIN,
    STRIDED,
    LINE,
    LAYER,
    GROUPED,
    UP,
    SAME,
    "y[i] += a[i, j]*x[j]",
    "y[i] += x[i, i]",
    "y[i] += (x[i] - t[i])**2",
    "y[i] = where(x[i] > 0, x[i], 0)",
    TWICE,
]


@pytest.mark.parametrize("text", RULES)
def test_derived_rules_are_proved(text):
    f = Formula(text)
    for wrt in f.operands:
        proof = prove(vjp(f, wrt))
        assert proof.status == "proved", str(proof)
        assert all(o.name and o.seconds >= 0 for o in proof.obligations)


def mutant(rule, old, new):
    """A rule object whose gather form is not what was derived."""
    text = str(rule.gather)
    assert old in text
    gather = Formula(text.replace(old, new))
    return Rule(
        Formula.of(gather.output, gather.operator, gather.terms, like=rule.gather, order=rule.order),
        rule.parent,
        rule.wrt,
        rule.steps,
        rule.scatter,
    )


MUTANTS = [
    ("flipped sign", LINE, "x", "dy[(i + padding - dilation*r)", "dy[(i - padding - dilation*r)"),
    ("flipped sign of the value", LINE, "x", "*w[r]", "*-w[r]"),
    ("flipped sign in dw", LINE, "w", "- padding", "+ padding"),
    ("off by one", LINE, "x", "dy[(i + padding - dilation*r)//stride", "dy[(i + padding - dilation*r)//stride - 1"),
    ("off by one in the guard", LINE, "x", "% stride == 0", "% stride == 1"),
    ("off by one in dw", LINE, "w", "- padding", "- padding + 1"),
    ("a bound one too small", STRIDED, "x", "% s == 0", "% s == 0 and r < w.shape[0] - 1"),
    ("swapped stride and dilation", LINE, "w", "stride*o + dilation*r", "dilation*o + stride*r"),
    ("swapped strides", PLANE, "w", "x[n, c, s*o + r, t*p + q]", "x[n, c, t*o + r, s*p + q]"),
    ("missing stride", LINE, "w", "stride*o", "o"),
]


@pytest.mark.parametrize("what, text, wrt, old, new", MUTANTS)
def test_mutants_of_rules_are_refuted(what, text, wrt, old, new):
    f = Formula(text)
    rule = vjp(f, wrt)
    assert prove(rule).status == "proved"
    proof = prove(mutant(rule, old, new))
    assert proof.status == "refuted", what
    assert_real(Claim(text, wrt, str(rule.gather).replace(old, new)), proof.counterexample)
    assert check(f, wrt=wrt, claim=str(rule.gather).replace(old, new)).status == "refuted"


def test_a_mutant_that_differs_only_far_out_is_not_proved():
    """Enumeration does not reach these sizes: the prover has to."""
    claim = Claim(PLAIN, "x", "dx[u] += where(u < 50, dy[u - r]*w[r], 0)")
    assert differs_somewhere(claim, limit=60) is None
    proof = claim.check()
    assert proof.status != "proved"
    if proof.counterexample:
        truth, have = values(
            claim, proof.counterexample.sizes, {}, stated_arrays(proof.counterexample.fill, proof.counterexample.sizes)
        )
        assert truth[proof.counterexample.index] != have[proof.counterexample.index]


# ------------------------------------------------------------------------------------------- sentences, budget

CLAIM_ERRORS = [
    ("dx[o + r] += dy[o]*v[r]", ("'v'", "neither dy nor an operand")),
    ("dx[o + r] += y[o]*w[r]", ("'y'", "neither dy nor an operand")),
    ("dw[o + r] += dy[o]*x[r]", ("writes dw", "named dx", "dx[...] += ...")),
    ("dx[o, r] += dy[o]*w[r]", ("dx has 2 indices", "1 in the formula")),
    ("dx[o + r] += dy[o]*w[r, r]", ("w has 2 indices",)),
    ("dx[q*o + r] += dy[o]*w[r]", ("parameter 'q'", "does not have")),
    ("dx[o + r] +=", ("not a formula",)),
    ("dx[u] += dy[(u - r)//p]*w[r]", ("divides by p",)),
]


@pytest.mark.parametrize("claim, pieces", CLAIM_ERRORS)
def test_a_claim_about_something_else_is_a_sentence(claim, pieces):
    with pytest.raises(FormulaError) as error:
        check(Formula("y[o] += x[o + r - p]*w[r]"), wrt="x", claim=claim)
    assert_says(error, *pieces)


def test_wrong_arguments_are_sentences():
    with pytest.raises(FormulaError) as error:
        check(PLAIN, wrt="x", claim="dx[o + r] += dy[o]*w[r]")
    assert_says(error, "not of str", "check(Formula(...)")
    with pytest.raises(FormulaError) as error:
        prove(PLAIN)
    assert_says(error, "prove takes a Rule or a Formula, not str")
    with pytest.raises(FormulaError) as error:
        check(Formula(PLAIN), wrt="v", claim="dv[o] += dy[o]")
    assert_says(error, "'v' is no operand")


def test_an_assumption_that_holds_for_the_wrong_claim_makes_it_right():
    wrong = Claim(STRIDED, "x", "dx[o + r] += dy[o]*w[r]")
    assert wrong.check().status == "refuted"
    assert check(wrong.forward(), wrt="x", claim=wrong.text, assume="s == 1").status == "proved"


@pytest.mark.parametrize("text, wrt", [(LINE, "x"), (PLANE, "x"), (CONV2D, "w")])
def test_a_tiny_budget_is_unknown_and_soon(text, wrt):
    rule = vjp(Formula(text.replace("o]", "o]")), wrt)
    start = time.monotonic()
    proof = prove(rule, budget=1e-4)
    assert time.monotonic() - start < 3
    assert isinstance(proof, Proof)
    assert proof.status in ("unknown", "proved")
    claim = "d" + str(rule.scatter)[1:]
    start = time.monotonic()
    late = check(Formula(text), wrt=wrt, claim=claim, budget=1e-9)
    assert time.monotonic() - start < 3
    assert late.status != "refuted"
    if late.status == "unknown":
        assert not late
        assert "budget" in late.reason


def test_conv2d_is_checked_in_under_two_seconds(capsys):
    claim = Claim(CONV2D, "x", CLAIM2D, symmetric=("padding0", "padding1"))
    start = time.monotonic()
    assert claim.check().status == "proved"
    right = time.monotonic() - start
    start = time.monotonic()
    assert Claim(CONV2D, "x", CLAIM2D.replace("stride0*o0", "stride1*o0")).check().status == "refuted"
    wrong = time.monotonic() - start
    with capsys.disabled():
        print(f"[conv2d: proved in {right:.2f} s, refuted in {wrong:.2f} s]", end=" ")
    assert right < 20
    assert wrong < 20


def test_without_the_prover_wrong_is_refuted_and_right_is_unknown():
    program = """
        import sys
        sys.modules["z3"] = None
        from convsym import Formula, check, prove, vjp
        f = Formula("y[o] += x[s*o + r]*w[r]")
        wrong = check(f, wrt="x", claim="dx[o + r] += dy[o]*w[r]")
        assert wrong.status == "refuted" and wrong.counterexample.expected != wrong.counterexample.claimed
        for right in (check(f, wrt="x", claim="dx[s*o + r] += dy[o]*w[r]"), prove(vjp(f, "x"))):
            assert right.status == "unknown" and not right and right.counterexample is None
            assert "pip install" in right.reason and "convsym[prove]" in right.reason, right.reason
        print("done")
    """
    assert run_python(program) == "done\n"
