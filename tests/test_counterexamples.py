"""Counter-examples far out: the smallest sizes are found, in integers that plain loops confirm."""

import math
import re

import pytest
import sympy
from test_proofs import Claim, stated_arrays, values

from convsym import Formula, check, prove, vjp
from convsym.counterexamples import _counted
from convsym.rule import Rule

pytest.importorskip("z3")

PLAIN = "y[o] += x[o + r]*w[r]"
LINE = "y[o] += x[s*o + d*r - p]*w[r]"
PLANE = "y[n, k, o, q] += x[n, c, s*o + r, q + t]*w[k, c, r, t]"
# A claim that is wrong only far out, the sum of all sizes of its smallest counter-example, and its parameters.
FAR = [
    (PLAIN, "x", "dx[u] += where(u < 50, dy[u - r]*w[r], 0)", 51 + 51 + 1, {}),
    (PLAIN, "x", "dx[u] += where(r < 6, dy[u - r]*w[r], 0)", 7 + 7 + 1, {}),
    (PLAIN, "w", "dw[r] += where(o != 70, dy[o]*x[o + r], 0)", 71 + 71 + 1, {}),
    (LINE, "x", "dx[s*o + d*r - p] += where(s < 5, dy[o]*w[r], 0)", 3, {"s": 5, "d": 1, "p": 0}),
    (LINE, "x", "dx[s*o + d*r - p] += where(d < 9, dy[o]*w[r], 0)", 3, {"s": 1, "d": 9, "p": 0}),
    (LINE, "x", "dx[s*o + d*r - p] += where(r < 6 or d < 3, dy[o]*w[r], 0)", 1 + 7 + 1, {"s": 1, "d": 3, "p": 18}),
    (LINE, "w", "dw[r] += where(p > -10, dy[o]*x[s*o + d*r - p], 0)", 11 + 1 + 1, {"s": 1, "d": 1, "p": -10}),
    (LINE, "x", "dx[u] += where((u + p - d*r) % s == 0, where(s*d < 20, dy[(u + p - d*r)//s]*w[r], 0), 0)", 3, None),
    (PLANE, "x", "dx[n, c, s*o + r, q + t] += where(o < 30 or t < 3, dy[n, k, o, q]*w[k, c, r, t], 0)", None, {"s": 1}),
    (PLANE, "x", "dx[n, c, s*o + r, q + t] += where(k < 12, dy[n, k, o, q]*w[k, c, r, t], 0)", None, {"s": 1}),
    (PLANE, "w", "dw[k, c, r, t] += where(n < 20, dy[n, k, o, q]*x[n, c, s*o + r, q + t], 0)", None, {"s": 1}),
    ("y[i] += z[i]", "z", "dz[i] += where(i < 3000, dy[i], 0)", 3001 * 2, {}),
    ("y[i] += z[i]**2", "z", "dz[i] += where(i < 30, 2*z[i]*dy[i], 0)", 31 * 2, {}),
]


@pytest.mark.parametrize("text, wrt, claim, total, params", FAR, ids=lambda v: str(v)[:60])
def test_a_claim_that_is_wrong_far_out_is_refuted_by_the_smallest_sizes(text, wrt, claim, total, params):
    proof = check(Formula(text), wrt=wrt, claim=claim)
    assert proof.status == "refuted", str(proof)
    found = proof.counterexample
    assert_real(Claim(text, wrt, claim), found)
    if total is not None:
        assert sum(sum(shape) for shape in found.sizes.values()) == total
    if params is not None:
        assert found.params == params


def assert_real(claim, found):
    """Plain loops give these very numbers at these sizes."""
    assert all(type(n) is int for n in (*found.params.values(), *found.index, found.expected, found.claimed))
    assert all(type(n) is int for shape in found.sizes.values() for n in shape)
    assert found.unit == "1"
    if max(max(shape) for shape in found.sizes.values()) > 100:
        return  # a Jacobian by plain loops has the square of that
    truth, have = values(claim, found.sizes, found.params, stated_arrays(found.fill, found.sizes))
    assert (truth[found.index], have[found.index]) == (found.expected, found.claimed)
    assert found.expected != found.claimed


def test_an_axis_that_is_not_concerned_stays_small():
    found = check(Formula(PLANE), wrt="x", claim=FAR[8][2]).counterexample
    assert sorted(n for shape in found.sizes.values() for n in shape) == [1] * 8 + [4, 4, 31, 31]


@pytest.mark.parametrize("change", [{"expected": 3}, {"claimed": 1}, {"index": (49,)}])
def test_a_counterexample_that_lies_is_seen(change):
    claim = Claim(*FAR[0][:3])
    found = claim.check().counterexample
    lying = type(found)(**{f: getattr(found, f) for f in found.__dataclass_fields__} | change)
    with pytest.raises(AssertionError):
        assert_real(claim, lying)


def test_a_mutant_of_a_rule_that_differs_only_far_out_has_a_counterexample_too():
    rule = vjp(Formula(LINE), "x")
    gather = Formula(str(rule.gather).replace("== 0,", "== 0 and d*r < 30,"))
    proof = prove(Rule(gather, rule.parent, rule.wrt, rule.steps, rule.scatter))
    assert proof.status == "refuted", str(proof)
    assert proof.counterexample.params["d"] * (proof.counterexample.sizes["w"][0] - 1) >= 30
    assert_real(Claim(LINE, "x", str(gather)), proof.counterexample)


# ------------------------------------------------------------------------------ values that are no integers


UNITS = [
    ("y[i] = tanh(x[i])", "dx[i] += dy[i]*(1 - tanh(x[i]))", "10**-9"),
    ("y[i] = exp(x[i])", "dx[i] += where(i < 60, dy[i]*exp(x[i]), 0)", "10**-9"),
    ("y[i] = sin(x[i])", "dx[i] += -dy[i]*cos(x[i])", "10**-9"),
    ("y[i] = log(x[i])", "dx[i] += dy[i]*x[i]", None),
    ("y[i] = sqrt(x[i])", "dx[i] += dy[i]/sqrt(x[i])", None),
    ("y[i] = 1/x[i]", "dx[i] += -dy[i]/x[i]", None),
    ("y[i] += x[i]/3", "dx[i] += dy[i]/2", "1"),
    ("y[i] += x[i]/7", "dx[i] += dy[i]/5", "1/35"),
]


@pytest.mark.parametrize("text, claim, unit", UNITS)
def test_values_that_are_no_integers_are_counted_in_a_stated_unit(text, claim, unit):
    proof = check(Formula(text), wrt="x", claim=claim)
    found = proof.counterexample
    assert proof.status == "refuted"
    assert type(found.expected) is type(found.claimed) is int
    assert unit in (None, found.unit)
    assert ("in units of" in proof.reason) == (found.unit != "1")
    assert (f"in units of {found.unit}" in str(found)) == (found.unit != "1")
    truth, have = reference(text, claim, found)
    size = float(sympy.sympify(found.unit))
    assert found.expected * size == pytest.approx(truth, rel=1e-8, abs=size)
    assert found.claimed * size == pytest.approx(have, rel=1e-8, abs=size)


def reference(text, claim, found):
    """Both values by Python's own functions: the derivative as a difference quotient."""
    arrays = {n: [float(v) for v in a] for n, a in stated_arrays(found.fill, found.sizes).items()}
    (i,) = found.index
    names = {f: getattr(math, f) for f in ("tanh", "exp", "sin", "cos", "log", "sqrt")}
    names |= {"where": lambda c, a, b: a if c else b, "dy": arrays["y"], "i": i}
    body = re.sub(r".*?\+?= ", "", text, count=1)

    def forward(value):
        return eval(body, names | {"x": {i: value}})

    step, weights = 1e-3, {2: -1, 1: 8, -1: -8, -2: 1}  # good to ten digits
    slope = sum(w * forward(arrays["x"][i] + k * step) for k, w in weights.items()) / (12 * step)
    return arrays["y"][i] * slope, eval(re.sub(r".*?\+= ", "", claim, count=1), names | {"x": arrays["x"]})


def test_the_unit_is_the_largest_that_counts_both():
    half, third = sympy.Rational(1, 2), sympy.Rational(1, 3)
    assert _counted(half, third) == ("1/6", 3, 2)
    assert _counted(4, third) == ("1/3", 12, 1)
    assert _counted(sympy.sqrt(2), 1) == ("10**-9", 1414213562, 10**9)
    near = sympy.sqrt(2) + sympy.Rational(1, 10**12)
    unit, first, second = _counted(sympy.sqrt(2), near)
    assert (unit, second - first) == ("10**-18", 10**6)


def test_complex_values_and_infinities_refute_nothing():
    f = Formula("y[i] = sqrt(x[i] - 20)*z[i]")
    assert check(f, wrt="z", claim="dz[i] += sqrt(x[i] - 20)*dy[i]*2").status != "proved"
    g = Formula("y[i] += z[i]/(x[i] - x[i - 1])")
    assert check(g, wrt="z", claim="dz[i] += dy[i]/(x[i] - x[i - 1])").status == "proved"
