"""The prover where enumeration does not reach, and what can be written in two ways."""

import pytest
from test_formula import assert_says

from convsym import Formula, ShapeError, check, prove, vjp

pytest.importorskip("z3")

FAR = [  # a read outside is 0, but exp(0), 0 + 1 and 1/(1 + 0) are not
    ("y[i] += exp(x[i - 1])*z[i]", "dz[i] += where(i < x.shape[0] + 20, dy[i]*exp(x[i - 1]), 0)"),
    ("y[i] += (x[i - 1] + 1)*z[i]", "dz[i] += where(i < x.shape[0] + 20, dy[i]*(x[i - 1] + 1), 0)"),
    ("y[i] += z[i]/(1 + x[i - 1]**2)", "dz[i] += where(i < x.shape[0] + 20, dy[i]/(1 + x[i - 1]**2), 0)"),
    ("y[i] += (x[i - 1] + x[i - 2])*z[i]",
     "dz[i] += where(i < x.shape[0] + 1 or i < 30, dy[i]*(x[i - 1] + x[i - 2]), 0)"),
    ("y[i] += z[i]", "dz[i] += where(i < 200, dy[i], 0)"),
    ("y[o] += z[o + r]*w[r]", "dz[u] += where(r != 60, dy[u - r]*w[r], 0)"),
    # an index among values: the claim's i is another one
    ("y[i] += where(x[i] > i + 50, z[i + 1], 0)", "dz[i] += where(x[i - 1] > i + 50, dy[i - 1], 0)"),
    ("y[i] += where(x[i] > 0 or i > 60, z[i + 1], 0)", "dz[i] += where(x[i - 1] > 0 or i > 60, dy[i - 1], 0)"),
    ("y[i] += where(i >= 50, (i - 50)*z[i + 1], 0)", "dz[i] += where(i >= 51, (i - 50)*dy[i - 1], 0)"),
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


TWICE = [
    ("y[i] += (x[i + 1] - x[i])**2", "dx[i] += 2*dy[i]*(x[i] - x[i + 1]) + 2*dy[i - 1]*(x[i] - x[i - 1])"),
    ("y[i] += (x[i + 1] - x[i])**2", "dx[i] += -2*dy[i]*(x[i + 1] - x[i]) - 2*dy[i - 1]*(x[i - 1] - x[i])"),
    ("y[i] += x[i]*x[i + 1]**2", "dx[i] += dy[i]*x[i + 1]**2 + 2*dy[i - 1]*x[i - 1]*x[i]"),
    ("y[i] += x[i]*x[i + 1]*x[i + 2]", "dx[u] += dy[u]*x[u + 2]*x[u + 1] + dy[u - 1]*x[u + 1]*x[u - 1]"
     " + dy[u - 2]*x[u - 2]*x[u - 1]"),
    ("y[i] = maximum(x[2*i], x[2*i + 1])", "dx[u] += where(u % 2 == 0 and x[u] >= x[u + 1], dy[u//2], 0)"
     " + where(u % 2 == 1 and x[u - 1] < x[u], dy[u//2], 0)"),
    ("y[()] += abs(x[i + 1] - x[i])", "dx[i + 1] += where(x[i + 1] - x[i] >= 0, dy[()], -dy[()]);"
     " dx[i] += where(x[i + 1] - x[i] >= 0, -dy[()], dy[()])"),
]  # fmt: skip
WAYS = [  # one value written in two ways
    ("y[i] += (x[i] - t[i])**2", "dx[i] += 2*dy[i]*x[i] - 2*dy[i]*t[i]"),
    ("y[o] += (x[o + r] - w[r])**2", "dx[o + r] += 2*dy[o]*x[o + r] - 2*dy[o]*w[r]"),
    ("y[i] = tanh(x[i])", "dx[i] += dy[i] - dy[i]*tanh(x[i])**2"),
    ("y[i] += i*x[i + 1]", "dx[i] += (i - 1)*dy[i - 1]"),
    ("y[i] += i*x[i + 1]", "dx[u] += u*dy[u - 1] - dy[u - 1]"),
    ("y[i] = maximum(x[2*i], x[2*i + 1])", "dx[2*i] += where(x[2*i + 1] <= x[2*i], dy[i], 0);"
     " dx[2*i + 1] += where(not x[2*i] >= x[2*i + 1], dy[i], 0)"),
]  # fmt: skip


@pytest.mark.parametrize("text, claim", WAYS)
def test_a_value_may_be_written_in_another_way(text, claim):
    proof = check(Formula(text), wrt="x", claim=claim)
    assert proof.status == "proved", str(proof)


def test_equal_functions_that_look_different_are_not_refuted():
    product = Formula("y[i] = sin(x[i])*cos(x[i])")
    assert check(product, wrt="x", claim="dx[i] += dy[i]*(1 - 2*sin(x[i])**2)").status != "refuted"
    assert check(product, wrt="x", claim="dx[i] += dy[i]*(1 - 3*sin(x[i])**2)").status == "refuted"


def test_axes_that_share_indices_in_a_chain_have_one_size():
    assert prove(vjp(Formula("y[i, j] += x[i, k]*x[k, l]*x[l, j]"), "x")).status == "proved"


TWICE_WRONG = [
    ("y[i] += (x[i + 1] - x[i])**2", "dx[i] += 2*dy[i]*(x[i] - x[i + 1]) + 2*dy[i - 1]*(x[i - 1] - x[i])"),
    ("y[i] += x[i]*x[i + 1]**2", "dx[i] += dy[i]*x[i + 1]**2 + 2*dy[i - 1]*x[i + 1]*x[i]"),
    ("y[i] += x[i]*x[i + 1]**2", "dx[i] += dy[i]*x[i + 1]**2 + 2*dy[i - 1]*x[i - 1]*where(i < 60, x[i], 0)"),
    ("y[i] = maximum(x[2*i], x[2*i + 1])", "dx[u] += where(u % 2 == 0 and x[u] >= x[u + 1], dy[u//2], 0)"
     " + where(u % 2 == 1 and x[u - 1] <= x[u], dy[u//2], 0)"),
    ("y[()] += abs(x[i + 1] - x[i])", "dx[i + 1] += where(x[i + 1] - x[i] >= 0, dy[()], -dy[()]);"
     " dx[i] += where(x[i + 1] - x[i] >= 0, dy[()], -dy[()])"),
]  # fmt: skip


@pytest.mark.parametrize("text, claim", TWICE)
def test_occurrences_of_an_operand_have_no_order(text, claim):
    proof = check(Formula(text), wrt="x", claim=claim)
    assert proof.status == "proved", str(proof)


@pytest.mark.parametrize("text, claim", TWICE_WRONG)
def test_wrong_uses_of_two_occurrences_are_not_proved(text, claim):
    assert check(Formula(text), wrt="x", claim=claim).status != "proved"


@pytest.mark.parametrize("text", [TEXT for TEXT, _ in TWICE])
def test_rules_of_formulas_that_read_an_operand_twice_are_proved(text):
    proof = prove(vjp(Formula(text), "x"))
    assert proof.status == "proved", str(proof)


def test_an_index_that_no_longer_stands_alone_keeps_its_range():
    rule = vjp(Formula("y[2*i] += 3*x[i]/4 + x[replicate(i - 1)]/4"), "x")
    assert "for i in range(dx.shape[0])" in str(rule)
    assert list(rule(dy=[4, 0, 8, 0, 12], sizes={"dx": (3,)})) == [3 + 1 + 2, 6 + 3, 9]
    assert prove(rule).status == "proved"


FREE = ["H[i, j] = x[i + j]", "y[n, c, r, q, o, p] = x[n, c, s*o + r, s*p + q]",
        "y[n, c*M + m] += (x[n, c]*w[c*M + m] for c in range(x.shape[1]) for m in range(M))"]  # fmt: skip


@pytest.mark.parametrize("text", FREE)
def test_sizes_that_decide_each_other_are_free_in_a_proof(text):
    assert prove(vjp(Formula(text), "x")).status == "proved"


def test_sizes_that_decide_each_other_are_asked_for():
    hankel = Formula("H[i, j] = x[i + j]")
    with pytest.raises(ShapeError) as error:
        hankel(x=[1, 2, 3])
    assert_says(error, "how large i and j of H are depends on each other", "sizes={'i': ...}")
    assert hankel(x=[1, 2, 3], sizes={"i": 2}).tolist() == [[1, 2], [2, 3]]
    assert hankel(x=[1, 2, 3], sizes={"j": 3}).tolist() == [[1, 2, 3]]


def test_terms_that_write_to_one_place_stand_together():
    apart = Formula("y[2*i] += x[i]; y[i] += x[i]; y[2*i] += z[i]")
    together = Formula("y[2*i] += x[i] + z[i]; y[i] += x[i]")
    assert apart == together
    assert Formula(str(apart)) == apart
    scatter = vjp(Formula("y[()] += abs(x[i + 1] - x[i])"), "x").scatter
    assert Formula(str(scatter)) == scatter


def test_a_counterexample_that_is_too_large_to_show_is_said_and_not_built():
    proof = check(Formula("y[i] += z[i]"), wrt="z", claim="dz[i] += where(i < 300000000, dy[i], 0)")
    assert proof.status == "unknown"
    assert "too large to be shown in numbers: sizes z (300000001,)" in proof.reason


def test_a_value_that_does_not_exist_refutes_nothing():
    """log(0) is read at the border: 0 times it is no number, on either side."""
    f = Formula("y[i] = log(x[i - 1])*z[i]")
    assert check(f, wrt="z", claim="dz[i] += log(x[i - 1])*dy[i]").status == "proved"
    assert check(f, wrt="z", claim="dz[i] += 2*log(x[i - 1])*dy[i]").status != "proved"


def test_an_element_read_by_its_number():
    f = Formula("y[i] += x[i]*z[0]")
    assert prove(vjp(f, "z")).status == "proved"
    assert check(f, wrt="z", claim="dz[0] += dy[i]*x[i]").status == "proved"
    assert check(f, wrt="z", claim="dz[j] += dy[i]*x[i]").status == "refuted"
