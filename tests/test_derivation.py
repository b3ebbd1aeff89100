"""Derived rules: the textbook's text, closure, scatter against gather, and the Jacobian by unit vectors."""

import re

import numpy as np
import pytest
import registered
import sympy
from formulas import EXAMPLES, Example
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import Plain, filled, gradient, jacobian_product
from test_formula import affine, assert_says

import convsym
from convsym import Formula, FormulaError, Rule, jvp, registry, vjp
from convsym.rule import LEMMAS

TEXTBOOK = [
    # formula, operand, gather form
    ("y[o] += x[o + r]*w[r]", "x", "dx[i] += dy[i - r]*w[r]"),
    ("y[o] += x[o + r]*w[r]", "w", "dw[r] += dy[o]*x[o + r]"),
    ("y[o] += x[o - r]*w[r]", "x", "dx[i] += dy[i + r]*w[r]"),
    (
        "y[o] += x[stride*o + dilation*r - padding]*w[r]",
        "x",
        "dx[i] += where((i + padding - dilation*r) % stride == 0, dy[(i + padding - dilation*r)//stride]*w[r], 0)",
    ),
    ("y[o] += x[stride*o + dilation*r - padding]*w[r]", "w", "dw[r] += dy[o]*x[stride*o + dilation*r - padding]"),
    (
        "y[n, k, o] += x[n, c, 2*o + r]*w[k, c, r]",
        "x",
        "dx[n, c, i] += where((i - r) % 2 == 0, dy[n, k, (i - r)//2]*w[k, c, r], 0)",
    ),
    (
        "y[n, k, o, p] += x[n, c, o + r, p + q]*w[k, c, r, q]",
        "x",
        "dx[n, c, i, j] += dy[n, k, i - r, j - q]*w[k, c, r, q]",
    ),
    (
        "y[n, k, o, p] += x[n, c, o + r, p + q]*w[k, c, r, q]",
        "w",
        "dw[k, c, r, q] += dy[n, k, o, p]*x[n, c, o + r, p + q]",
    ),
    ("y[n, g, k, o] += x[n, g, c, o + r]*w[g, k, c, r]", "x", "dx[n, g, c, i] += dy[n, g, k, i - r]*w[g, k, c, r]"),
    ("y[n, g, k, o] += x[n, g, c, o + r]*w[g, k, c, r]", "w", "dw[g, k, c, r] += dy[n, g, k, o]*x[n, g, c, o + r]"),
    ("y[s*i + r - p] += x[i]*w[r]", "x", "dx[i] += dy[s*i + r - p]*w[r]"),
    ("y[s*i + r - p] += x[i]*w[r]", "w", "dw[r] += dy[s*i + r - p]*x[i]"),
    ("y[n, k, o] += b[k]", "b", "db[k] += dy[n, k, o]"),
    ("y[n, k, o] += x[n, c, o + r]*w[k, c, r] + b[k]", "b", "db[k] += dy[n, k, o]"),
    ("y[i] += a[i, j]*x[j]", "x", "dx[j] += dy[i]*a[i, j]"),
    ("y[i] += a[i, j]*x[j]", "a", "da[i, j] += dy[i]*x[j]"),
    ("y[i, j] += a[i, k]*b[k, j]", "a", "da[i, k] += dy[i, j]*b[k, j]"),
    ("y[i, j] += a[i, k]*b[k, j]", "b", "db[k, j] += dy[i, j]*a[i, k]"),
    ("y[j, i] += x[i, j]", "x", "dx[i, j] += dy[j, i]"),
    ("y[()] += x[i]*z[i]", "x", "dx[i] += dy[()]*z[i]"),
    ("y[i] += x[i, i]", "x", "dx[i, j] += where(j == i, dy[i], 0)"),
    ("y[i] += x[i]*x[i]", "x", "dx[i] += 2*dy[i]*x[i]"),
    ("y[i] += (x[i] - t[i])**2", "x", "dx[i] += dy[i]*(2*x[i] - 2*t[i])"),
    ("y[i] += exp(x[i])", "x", "dx[i] += dy[i]*exp(x[i])"),
    ("y[i] += log(x[i])", "x", "dx[i] += dy[i]/x[i]"),
    ("y[i] += sin(x[i])", "x", "dx[i] += dy[i]*cos(x[i])"),
    ("y[i] += 1/x[i]", "x", "dx[i] += -dy[i]/x[i]**2"),
    ("y[i] = where(x[i] > 0, x[i], 0)", "x", "dx[i] += where(x[i] > 0, dy[i], 0)"),
    ("y[i] += alpha*x[i]", "x", "dx[i] += alpha*dy[i]"),
    ("y[i] += x[i] - x[i - 1]", "x", "dx[i] += dy[i] - dy[i + 1]"),
]


@pytest.mark.parametrize("text, wrt, rule", TEXTBOOK)
def test_the_rule_is_the_one_in_the_textbook(text, wrt, rule):
    derived = vjp(Formula(text), wrt)
    assert same_up_to_targets(derived, Formula(rule)), str(derived)


def same_up_to_targets(rule, expected):
    """Equal, whatever the target's own indices are called."""
    for old, new in zip(expected.terms[0].target, rule.terms[0].target, strict=True):
        if old != new:
            expected = Formula(re.sub(rf"\b{old}\b", f"{new}", str(expected)))
    return Formula(str(rule)) == expected


@pytest.mark.parametrize("wrong", ["dx[i] += dy[i + r]*w[r]", "dx[i] += dy[i - r]*w[r]*2", "dx[i] += dy[i - r]*w[i]"])
def test_another_rule_is_not_the_textbook_s(wrong):
    assert not same_up_to_targets(vjp(Formula("y[o] += x[o + r]*w[r]"), "x"), Formula(wrong))


def test_a_rule_is_a_formula_that_knows_where_it_comes_from():
    f = Formula("y[o] += x[stride*o + r]*w[r]")
    rule = vjp(f, "x")
    assert isinstance(rule, Rule)
    assert isinstance(rule, Formula)
    assert (rule.parent, rule.wrt, rule.output) == (f, "x", "dx")
    assert str(rule.scatter) == "dx[stride*o + r] += dy[o]*w[r]"
    assert rule.gather == Formula(str(rule)) and type(rule.gather) is Formula
    assert type(rule.scatter) is Formula
    assert vjp(f, ("x", "w")) == (vjp(f, "x"), vjp(f, "w"))


def test_a_rule_sizes_its_result_by_the_operand():
    rule = vjp(Formula("y[o] += x[stride*o + r]*w[r]"), "x")
    dy, w = [1, 10], [1, 2]
    full = rule(dy=dy, w=w, x=[0] * 7, stride=3)
    assert full.tolist() == [1, 2, 0, 10, 20, 0, 0]
    assert rule(dy=dy, w=w, stride=3).tolist() == full[:5].tolist()
    assert rule(dy=dy, w=w, stride=3, sizes={"dx": (4,)}).tolist() == full[:4].tolist()


# ---------------------------------------------------------------------------------------------------- steps


def differentiable():
    for example in EXAMPLES:
        f = Formula(example.text, ranges=dict(example.ranges))
        for wrt in f.operands:
            try:
                vjp(f, wrt)
            except FormulaError:
                continue
            yield pytest.param(example, wrt, id=f"{example.text} by {wrt}")


DIFFERENTIABLE = list(differentiable())
POLYNOMIAL = [p for p in DIFFERENTIABLE if p.values[0].kind == "polynomial"]


@pytest.mark.parametrize("example, wrt", DIFFERENTIABLE)
def test_every_step_names_its_lemma(example, wrt):
    rule = vjp(Formula(example.text, ranges=dict(example.ranges)), wrt)
    names = [step.lemma for step in rule.steps]
    assert names[:2] == ["chain rule", "derivative of an access"]
    assert "scatter" in names
    assert set(names) <= set(LEMMAS)
    assert all(step.text and step.latex for step in rule.steps)
    assert next(step.text for step in rule.steps if step.lemma == "scatter") == str(rule.scatter)
    if "gather" in names:
        assert rule.steps[-1].text == str(rule.gather)
    else:
        assert rule.gather == rule.scatter


def test_a_quotient_under_its_divisibility_is_multiplied_out():
    text = "y[o] += where((s*o + d*r - p) % m == 0, x[(s*o + d*r - p)//m]**2*w[r], 0)"
    rule = vjp(Formula(text), "x")
    assert "exact division" in [step.lemma for step in rule.steps]
    assert str(rule) == "dx[i] += where((m*i + p - d*r) % s == 0, 2*dy[(m*i + p - d*r)//s]*x[i]*w[r], 0)"
    without = vjp(Formula("y[i] += where(i % 2 == 0, x[i//3], 0)"), "x")  # another divisor: the floor stays
    assert str(without) == "dx[j] += where(i % 2 == 0 and j == i//3, dy[i], 0)"


@pytest.mark.parametrize("derive", [vjp, jvp])
@pytest.mark.parametrize(
    "text, sentence",
    [
        ("y[i] += where(x.shape[0] > 50, z[i], 0)", "x.shape[0] is a size of x, which the formula neither reads nor"),
        ("y[i] += where(z.shape[9] > 50, z[i], 0)", "z.shape[9] is the size of axis 9, and z has 1 (counted from 0)"),
        ("y[i] += (z[i + r] for r in range(w.shape[0]))", "w.shape[0] is a size of w, which the formula neither reads"),
    ],
)
def test_a_size_of_an_array_that_is_not_there_is_said(derive, text, sentence):
    with pytest.raises(FormulaError) as error:
        derive(Formula(text), "z")
    assert_says(error, sentence, "^")


def test_lemmas_are_sentences():
    assert all(len(sentence) > 20 for sentence in LEMMAS.values())


# -------------------------------------------------------------------------------------- the Jacobian, exactly


def assert_jacobian(example, wrt, rule=None, seed=0):
    """Scatter form, gather form and the canonical text of either equal Σ dy·∂y/∂x, entry for entry."""
    plain, arrays, shape, parameters = example.problem(seed=seed)
    dy = filled({"cotangent": shape}, seed)["cotangent"]
    expected = gradient(plain, wrt, arrays, dy, parameters)
    rule = rule or vjp(Formula(example.text, ranges=dict(example.ranges)), wrt)
    arrays = arrays | {"d" + plain.output: dy}
    forms = (rule, rule.gather, rule.scatter, Formula(str(rule.gather)), Formula(str(rule.scatter)))
    if f"{wrt}.shape" in str(rule) and wrt not in rule.operands:
        forms = forms[:1]  # only the rule itself can be told the operand that it does not read
    for form in forms:
        given_ = {n: a for n, a in arrays.items() if n in form.operands or (form is rule and n == wrt)}
        sizes = {form.output: expected.shape}
        value = form(sizes=sizes, **given_, **{n: v for n, v in parameters.items() if n in form.parameters})
        assert value.shape == expected.shape
        assert all(sympy.expand(a - b) == 0 for a, b in zip(value.flat, expected.flat, strict=True)), str(form)


@pytest.mark.parametrize("example, wrt", POLYNOMIAL)
def test_the_rule_is_the_jacobian(example, wrt):
    assert_jacobian(example, wrt)
    if "where" not in example.text:
        assert_jacobian(example, wrt, seed=1)


SMOOTH = [p for p in DIFFERENTIABLE if p.values[0].kind in ("smooth", "quotient")]


@pytest.mark.parametrize("example, wrt", SMOOTH)
def test_the_rule_of_a_smooth_formula_is_the_jacobian(example, wrt):
    assert_jacobian(example, wrt)


CASES = [  # formula, the slope at entries -1, 0, 1, 2 (others: z = 1)
    ("y[i] = where(x[i] > 0, x[i], 0)", [0, 0, 1, 1]),
    ("y[i] += abs(x[i])", [-1, 1, 1, 1]),
    ("y[i] += maximum(x[i], z[i])", [0, 0, 1, 1]),
    ("y[i] += minimum(x[i], z[i])", [1, 1, 1, 0]),
    ("y[i] += where(x[i] > z[i], x[i]**2, 3*x[i])", [3, 3, 3, 4]),
    ("y[i] += where(z[i] > 0, x[i], 2*x[i])", [1, 1, 1, 1]),
]


@pytest.mark.parametrize("text, slopes", CASES)
def test_a_case_distinction_takes_the_slope_of_the_case_chosen(text, slopes):
    f = Formula(text)
    arrays = {name: [-1, 0, 1, 2] if name == "x" else [1] * 4 for name in f.operands}
    rule = vjp(f, "x")
    known = {n: a for n, a in arrays.items() if n in rule.operands or n == "x"}
    assert rule(dy=[1, 1, 1, 1], **known).tolist() == slopes


def mutated(rule, old, new):
    """The rule with its gather text changed, otherwise the same object."""
    text = str(rule.gather).replace(old, new)
    assert text != str(rule.gather)
    return Rule(Formula(text), rule.parent, rule.wrt, rule.steps, rule.scatter)


@pytest.mark.parametrize(
    "old, new",
    [
        ("*w[r]", "*(-1)*w[r]"),
        ("i + padding", "i + padding + 1"),
        ("% stride", "% dilation"),
        ("- dilation*r)//", "- r)//"),
        ("== 0", ">= 0"),
        ("i + padding", "i - padding"),
    ],
)
def test_a_mutated_rule_is_not_the_jacobian(old, new):
    example = Example("y[o] += x[stride*o + dilation*r - padding]*w[r]")
    parameters = (("stride", 2), ("dilation", 3), ("padding", 1))
    plain, arrays, _, parameters = example.problem(parameters)
    arrays["x"] = filled({"x": (9,)})["x"]
    dy = np.array([1, 10, 100, 1000], object)
    expected = jacobian_product(plain, "x", arrays, dy, parameters)
    rule = vjp(Formula(example.text), "x")
    assert np.array_equal(rule(dy=dy, w=arrays["w"], x=arrays["x"], **parameters), expected)
    wrong = mutated(rule, old, new)(dy=dy, w=arrays["w"], x=arrays["x"], **parameters)
    assert not np.array_equal(wrong, expected)


# ---------------------------------------------------------------------------------- scatter equals gather

GEOMETRIES = [
    (i, r, s, d, p) for i in (0, 1, 2, 5, 6) for r in (1, 2, 3) for s in (1, 2, 3) for d in (1, 2) for p in (-1, 0, 2)
]


@pytest.mark.parametrize("wrt", ["x", "w"])
def test_scatter_and_gather_are_one_function_over_small_geometries(wrt):
    f = Formula("y[o] += x[stride*o + dilation*r - padding]*w[r]", symmetric=("padding",))
    plain, rule = Plain(f.text), vjp(f, wrt)
    for i, r, stride, dilation, padding in GEOMETRIES:
        parameters = {"stride": stride, "dilation": dilation, "padding": padding}
        arrays = filled({"x": (i,), "w": (r,)})
        shape = f(**arrays, **parameters).shape
        dy = filled({"dy": shape})["dy"]
        values = {n: a for n, a in (arrays | {"dy": dy}).items() if n != wrt}
        expected = jacobian_product(plain, wrt, arrays, dy, parameters)
        for form in (rule.scatter, rule.gather):
            value = form(sizes={"d" + wrt: expected.shape}, **values, **parameters)
            assert np.array_equal(value, expected)


# -------------------------------------------------------------------------------------- second derivatives

BILINEAR = [
    "y[o] += x[o + r]*w[r]",
    "y[o] += x[stride*o + dilation*r - padding]*w[r]",
    "y[n, k, o] += x[n, c, s*o + r]*w[k, c, r]",
    "y[n, k, o, p] += x[n, c, o + r, p + q]*w[k, c, r, q]",
    "y[n, g, k, o] += x[n, g, c, o + r]*w[g, k, c, r]",
    "y[i] += w[i, j]*x[j]",
    "y[s*i + r] += x[i]*w[r]",
]


@pytest.mark.parametrize("text", BILINEAR)
@pytest.mark.parametrize("wrt, other", [("x", "w"), ("w", "x")])
def test_second_derivatives_of_a_bilinear_formula_are_the_formula_and_its_rules(text, wrt, other):
    f = Formula(text)
    rule = vjp(f, wrt)
    twice = vjp(rule, "dy")
    assert f in [renamed(form, {"ddy": "y", "dd" + wrt: wrt}) for form in (twice.gather, twice.scatter)]
    mixed = vjp(rule, other)
    assert renamed(mixed, {"dd" + wrt: wrt}) == vjp(f, other).gather or numerically_same(mixed, f, wrt, other)


def renamed(rule, names):
    text = str(rule)
    for old, new in names.items():
        text = re.sub(rf"\b{old}\b", new, text)
    return Formula(text)


def numerically_same(mixed, f, wrt, other):
    """∂⟨ddx, dX(dy, w)⟩/∂w is dW(dy, x = ddx)."""
    plain, arrays, shape, parameters = Example(f.text).problem()
    dy = filled({"dy": shape})["dy"]
    values = {"dy": dy, "dd" + wrt: arrays[wrt]}
    have = mixed(sizes={"d" + other: arrays[other].shape}, **values, **parameters)
    return np.array_equal(have, jacobian_product(plain, other, arrays, dy, parameters))


def test_another_second_derivative_is_seen():
    f = Formula("y[o] += x[o + r]*w[r]")
    twice = vjp(vjp(f, "x"), "dy")
    assert renamed(twice, {"ddy": "y", "ddx": "x"}) != Formula("y[o] += x[o - r]*w[r]")
    mixed = vjp(vjp(Formula("y[o] += x[o - r]*w[r]"), "x"), "w")
    assert not numerically_same(mixed, f, "x", "w")


def test_second_derivative_of_a_cube():
    twice = vjp(vjp(Formula("y[i] += x[i]**3"), "x"), "x")
    dy, x = [2, 3], [5, 7]
    assert twice(dy=dy, x=x, ddx=[1, 1]).tolist() == [6 * 2 * 5, 6 * 3 * 7]


@pytest.mark.parametrize("name", registered.names())
def test_second_derivatives_of_every_op_are_formulas(name):
    op = registry[name]
    for wrt, rule in op.rules.items():
        assert rule.parent == op.formula
        second = vjp(rule, "d" + op.formula.output)
        assert Formula(str(second)) == second.gather
        assert second.output == "dd" + op.formula.output, wrt


# ---------------------------------------------------------------------------------------------------- errors

ERRORS = [
    ("y[o] += x[o + r]*w[r]", "v", ("'v' is no operand", "known: w, x")),
    ("y[o] += x[o + r]*weight[r]", "weigth", ("'weigth' is no operand", "did you mean 'weight'?")),
    ("y[o] += x[o + r]*w[r]", "y", ("'y' is no operand",)),
    ("y[o] += x[o + r]*w[r]", "o", ("'o' is no operand",)),
    ("y[o] += x[o + r]*dy[r]", "x", ("'dy' is already taken", "rename dy")),
    ("y[o] += x[o + r]*dx[r]", "x", ("'dx' is already taken", "rename dx")),
    ("y[dx] += x[dx + r]*w[r]", "x", ("'dx' is already taken",)),
    ("y[o] += x[o + dy]*w[r]", "x", ("'dy' is already taken",)),
    ("y[i] += where(z[i] > 0, x[i], 0)", "z", ("'z' only decides conditions",)),
]


@pytest.mark.parametrize("text, wrt, pieces", ERRORS)
def test_what_cannot_be_derived_is_a_sentence(text, wrt, pieces):
    with pytest.raises(FormulaError) as error:
        vjp(Formula(text), wrt)
    assert_says(error, *pieces)


def test_only_formulas_are_differentiated():
    with pytest.raises(FormulaError) as error:
        vjp("y[o] += x[o + r]*w[r]", "x")
    assert_says(error, "vjp differentiates a Formula, not str", "vjp(Formula(")


def test_the_public_names_are_these():
    assert convsym.vjp is vjp
    assert convsym.Rule is Rule


# ----------------------------------------------------------------------------------------- random formulas


@st.composite
def affine_problems(draw):
    """A formula over one to three axes with random coefficients, and parameters and sizes for it."""
    rank = draw(st.integers(1, 3))
    outs, taps = [f"o{e}" for e in range(rank)], [f"r{e}" for e in range(rank)]
    positive = not draw(st.booleans())
    read = ", ".join(draw(affine(pair, allow_negative=not positive)) for pair in zip(outs, taps, strict=True))
    if draw(st.booleans()):
        text = f"y[{', '.join(outs)}] += x[{read}]*w[{', '.join(taps)}]"
    else:
        text = f"y[{read}] += x[{', '.join(outs)}]*w[{', '.join(taps)}]"
    return Example(text), draw(st.integers(0, 5)), draw(st.sampled_from("xw"))


@given(affine_problems())
@settings(max_examples=40, deadline=None)
def test_random_affine_formulas_are_differentiated_exactly(drawn):
    example, seed, wrt = drawn
    assert_jacobian(example, wrt, seed=seed)
