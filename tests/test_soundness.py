"""The prover where enumeration does not reach: claims that are wrong far out only, and monomials written in two ways."""

import pytest

from convsym import Formula, check, prove, vjp

pytest.importorskip("z3")

FAR = [  # a read outside is 0, but exp(0), 0 + 1 and 1/(1 + 0) are not
    ("y[i] += exp(x[i - 1])*z[i]", "dz[i] += where(i < x.shape[0] + 20, dy[i]*exp(x[i - 1]), 0)"),
    ("y[i] += (x[i - 1] + 1)*z[i]", "dz[i] += where(i < x.shape[0] + 20, dy[i]*(x[i - 1] + 1), 0)"),
    ("y[i] += z[i]/(1 + x[i - 1]**2)", "dz[i] += where(i < x.shape[0] + 20, dy[i]/(1 + x[i - 1]**2), 0)"),
    ("y[i] += (x[i - 1] + x[i - 2])*z[i]",
     "dz[i] += where(i < x.shape[0] + 1 or i < 30, dy[i]*(x[i - 1] + x[i - 2]), 0)"),
    ("y[i] += z[i]", "dz[i] += where(i < 200, dy[i], 0)"),
    ("y[o] += z[o + r]*w[r]", "dz[u] += where(r != 60, dy[u - r]*w[r], 0)"),
]  # fmt: skip


@pytest.mark.parametrize("text, claim", FAR)
def test_a_claim_that_is_wrong_far_out_is_not_proved(text, claim):
    assert check(Formula(text), wrt="z", claim=claim).status != "proved"


def test_a_read_that_makes_the_term_vanish_needs_no_condition():
    claim = "dz[i] += where(2*i < x.shape[0], dy[i]*x[2*i], 0)"
    assert check(Formula("y[i] += z[i]*x[2*i]"), wrt="z", claim=claim).status == "proved"


def test_a_claim_that_reads_an_operand_the_rule_does_not_is_judged():
    claim = "dz[o + r] += dy[o]*w[r] + where(o > 50, dy[o]*z[o], 0)"
    assert check(Formula("y[o] += z[o + r]*w[r]"), wrt="z", claim=claim).status != "proved"


def test_powers_of_a_parameter_can_be_divided():
    f = Formula("y[n, c, s*h + i, s*v + j] += (x[n, c*s*s + i*s + j, h, v] for i in range(s) for j in range(s))")
    assert prove(vjp(f, "x")).status == "proved"


@pytest.mark.parametrize("text", ["y[i] = maximum(x[2*i], x[2*i + 1])", "y[i] += where(x[i] > x[i + 1], x[i], 0)"])
def test_conditions_that_read_an_array_twice_are_judged(text):
    assert prove(vjp(Formula(text), "x")).status == "proved"
