"""Residue classes: slices that compute what the rule computes, without division; wrong ones are told apart."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import sympy
from plain import Plain, filled
from test_formula import assert_says

from convsym import Formula, FormulaError, latex, mathml, prove, registry, residue_classes, vjp
from convsym.certificates import replay

LINE = Formula("y[o] += x[stride*o + dilation*r - padding]*w[r]")
DILATED = Formula(
    "y[o] += where((stride*o + dilation*r - padding) % inner == 0, x[(stride*o + dilation*r - padding)//inner]*w[r], 0)"
)
GRADIENT = vjp(LINE, "x")
CONV2D = registry["conv2d"].rules["x"]

SPLIT = [
    (GRADIENT, {}),
    (GRADIENT, {"dilation": 1}),
    (GRADIENT, {"stride": 2, "dilation": 1}),
    (GRADIENT, {"stride": 3, "dilation": 2, "padding": 1}),
    (GRADIENT, {"stride": 4, "dilation": 6, "padding": -1}),
    (GRADIENT, {"stride": 1}),
    (DILATED, {}),
    (vjp(DILATED, "x"), {"dilation": 1}),
    (DILATED, {"stride": 2, "dilation": 3, "inner": 4, "padding": 1}),
    (vjp(DILATED, "x"), {}),
    (vjp(DILATED, "w"), {"stride": 1, "dilation": 1, "inner": 2}),
    (vjp(Formula("y[o] += x[s*o + r]**2*w[r]"), "x"), {"s": 2}),
    (vjp(Formula("y[o] += x[s*o + r]*x[s*o]*w[r]"), "x"), {"s": 3}),
    (vjp(Formula("y[o] += x[2*o]*x[3*o]"), "x"), {}),
    (vjp(Formula("y[o] += (x[2*o + r]/3 for r in range(3))"), "x"), {}),
    (vjp(Formula("y[o] += x[s*o + r + k]*w[r]*v[k]"), "x"), {"s": 2}),
    (vjp(Formula("y[o, p] += x[s*o + r, t*p - r]*w[r]"), "x"), {"s": 2, "t": 2}),
    (CONV2D, {"stride0": 2, "stride1": 3, "dilation0": 1, "dilation1": 2}),
    (CONV2D, {"stride0": 2, "dilation0": 1, "dilation1": 1}),
]


def shown(value):
    return str(value) if isinstance(value, Formula) else " ".join(f"{n}={v}" for n, v in value.items())


def statuses(classes):
    """What the two roads say of the classes, obligation by obligation."""
    return [o.status for o in prove(classes).obligations]


# ------------------------------------------------------------------------------------------- against plain loops


def sliced(classes, read, kernel, length):
    """A result of one axis, class by class, on slices of the result and of the kernel, without division."""
    ((_, period),) = classes.axes
    out = np.zeros(length, dtype=object)
    for residue, (made, numbers) in enumerate(zip(classes, integers(classes), strict=True)):
        first, step, start, per_element, per_tap = numbers
        own = out[residue :: int(period)]
        for t, tap in enumerate(kernel[first::step]):
            for q in range(len(own)):
                place = start + per_element * q + per_tap * t
                if made.formula is not None and 0 <= place < len(read):
                    own[q] += read[place] * tap
    return out


def integers(classes):
    """First tap, step, and the read index as three integers, of each class of one axis."""
    for made in classes:
        (taps,) = made.taps
        found = sorted(taps.read.free_symbols, key=lambda s: s.name)
        q, t = (sum((taps.read.coeff(s) for s in found if s.name in own), sympy.S.Zero) for own in ("iqo", "tr"))
        start = taps.read.xreplace(dict.fromkeys(found, sympy.S.Zero))
        yield int(taps.first), int(taps.step), int(start), int(q), int(t)


def forward(stride, dilation, padding, inner, taps, size, wanted):
    """Pairs (output, tap, input) of the relation, by trying all."""
    for o in range(wanted):
        for r in range(taps):
            for i in range(size):
                if stride * o + dilation * r - padding == inner * i:
                    yield o, r, i


def geometries(count, seed):
    random = Random(seed)
    for _ in range(count):
        yield {
            "stride": random.randint(1, 6),
            "dilation": random.randint(1, 6),
            "padding": random.randint(-3, 5),
        }, (random.randint(1, 6), random.randint(0, 15), random.randint(0, 7), random.randint(2, 6))


def wrong_gradients(change=lambda classes: classes, count=200):
    """Geometries at which the classes of the input gradient give other integers than the scattered sum."""
    wrong = 0
    for parameters, (taps, size, outputs, _) in geometries(count, 1):
        arrays = filled({"dy": (outputs,), "w": (taps,)})
        want = np.zeros(size, dtype=object)
        for o, r, i in forward(**parameters, inner=1, taps=taps, size=size, wanted=outputs):
            want[i] += arrays["dy"][o] * arrays["w"][r]
        if parameters["stride"] == 1:  # nothing is divided, and there is nothing to split
            continue
        classes = change(residue_classes(GRADIENT, **parameters))
        wrong += (sliced(classes, arrays["dy"], arrays["w"], size) != want).any()
    return wrong


def test_the_classes_of_a_strided_gradient_are_the_gradient():
    assert wrong_gradients() == 0


def test_the_classes_of_a_dilated_input_are_the_convolution():
    for parameters, (taps, size, outputs, inner) in geometries(200, 2):
        arrays = filled({"x": (size,), "w": (taps,)})
        want = np.zeros(outputs, dtype=object)
        for o, r, i in forward(**parameters, inner=inner, taps=taps, size=size, wanted=outputs):
            want[o] += arrays["x"][i] * arrays["w"][r]
        classes = residue_classes(DILATED, **parameters, inner=inner)
        assert (sliced(classes, arrays["x"], arrays["w"], outputs) == want).all(), parameters


@pytest.mark.parametrize("rule, given", SPLIT, ids=shown)
def test_the_formulas_of_the_classes_add_up_to_the_rule(rule, given):
    classes = residue_classes(rule, **given)
    values = {name: 2 + place % 2 for place, name in enumerate(sorted(rule.parameters))} | given
    plain = Plain(str(rule))
    for seed in range(3):
        extents = {name: 2 + (place + seed) % 3 for place, name in enumerate(sorted(plain.indices))}
        extents |= {e.name: 5 + seed for e in rule.terms[0].target if e.is_Symbol and e.name in dict(classes.axes)}
        shapes = plain.shapes(extents)
        arrays = filled({name: shapes[name] for name in plain.operands}, seed)
        parts = [(made, Plain(str(made.formula))) for made in classes if made.formula is not None]
        total = sum(part(arrays, shapes[rule.output], values) for _, part in parts)
        assert (total == plain(arrays, shapes[rule.output], values)).all()


@pytest.mark.parametrize("rule, given", SPLIT, ids=shown)
def test_the_formula_of_a_class_reads_back(rule, given):
    for made in residue_classes(rule, **given):
        if made.formula is not None:
            assert Formula(str(made.formula)) == made.formula
        assert int(made.domain(sizes={rule.output: (3,) * rule.rank(rule.output)}).max(initial=0)) <= 1


def test_a_class_that_no_tap_meets_is_zero():
    classes = residue_classes(GRADIENT, stride=4, dilation=2, padding=1)
    assert [made.formula is None for made in classes] == [True, False, True, False]
    assert str(classes[0]) == "dx[4*q] is 0: no tap meets it"
    few = residue_classes(vjp(Formula("y[o] += x[3*o]*w[0]"), "x"))
    assert [made.formula is None for made in few] == [False, True, True]


# ----------------------------------------------------------------------------------------------------- proofs


@pytest.mark.parametrize("rule, given", SPLIT, ids=shown)
def test_the_classes_are_proved_disjoint_exhaustive_and_right(rule, given):
    pytest.importorskip("z3")
    proof = prove(residue_classes(rule, **given))
    assert proof.status == "proved", proof.reason
    assert [o.name.partition(":")[0] for o in proof.obligations[:2]] == ["classes", "classes"]


def test_isl_says_the_same_of_numbers():
    pytest.importorskip("z3")
    pytest.importorskip("islpy")
    last = prove(residue_classes(GRADIENT, stride=4, dilation=6, padding=-1)).obligations[-1]
    assert last.name == "isl agrees on 2 statements at numbers for nothing"
    wrong = prove(without(residue_classes(GRADIENT, stride=3, dilation=2, padding=1))).obligations[-1]
    assert (wrong.status, wrong.name.startswith("isl, at numbers for nothing")) == ("refuted", True)


def test_what_is_assumed_of_a_parameter_is_assumed_of_its_number():
    pytest.importorskip("z3")
    odd = Formula("y[o] += x[s*o + r - p]*w[r]", assume="w.shape[0] == 2*p + 1", symmetric=["p"])
    classes = residue_classes(vjp(odd, "x"), s=2, p=1)
    proof = prove(classes)
    assert proof.status == "proved"
    assert "w.shape[0] == 3" in proof.assumptions
    assert classes.rule.parent.shape({"x": (8,), "w": (3,)}) == odd.shape({"x": (8,), "w": (3,)}, s=2, p=1)


@pytest.mark.parametrize("given", [{}, {"stride": 3, "dilation": 2, "padding": 1}], ids=shown)
def test_the_certificate_of_classes_is_proved_again(given, tmp_path):
    pytest.importorskip("z3")
    proof = prove(residue_classes(GRADIENT, **given))
    proof.save(tmp_path / "classes.json")
    assert replay(tmp_path / "classes.json").status == "proved"


def changed(classes, number, **parts):
    """The classes with one of them changed."""
    every = list(classes)
    every[number] = replace(every[number], **parts)
    return replace(classes, classes=tuple(every))


def without(classes):
    """One class is missing."""
    return replace(classes, classes=classes.classes[1:])


def moved(classes, old, new):
    """The formula of the first class that has `old`, with `new` in its place."""
    for number, made in enumerate(classes):
        text = made.formula is not None and str(made.formula)
        if text and old in text:
            return changed(classes, number, formula=Formula(text.replace(old, new)))
    raise AssertionError(f"no class has {old}")


CONCRETE = {"stride": 3, "dilation": 2, "padding": 1}
WRONG = {
    "a class is missing": (CONCRETE, without),
    "a class twice": (CONCRETE, lambda c: replace(c, classes=(*c.classes, c.classes[0]))),
    "wrong first tap": (CONCRETE, lambda c: moved(c, "w[3*t + 2]", "w[3*t + 1]")),
    "next first tap": (CONCRETE, lambda c: moved(c, "w[3*t + 2]", "w[3*t + 5]")),
    "wrong step": (CONCRETE, lambda c: moved(c, "w[3*t + 2]", "w[2*t + 2]")),
    "read one further": (CONCRETE, lambda c: moved(c, "q - 2*t - 1", "q - 2*t")),
    "taps in the other direction": (CONCRETE, lambda c: moved(c, "q - 2*t - 1", "q + 2*t - 1")),
    "fewer elements": (CONCRETE, lambda c: moved(c, "-(-dx.shape[0]//3)", "dx.shape[0]//3")),
    "fewer taps": (CONCRETE, lambda c: moved(c, "-((2 - w.shape[0])//3)", "(w.shape[0] - 1)//3")),
    "a class called zero": (CONCRETE, lambda c: changed(c, 1, formula=None)),
    "symbolic: the residue of another sign": (
        {"dilation": 1},
        lambda c: moved(c, "(a + padding) % stride", "(a - padding) % stride"),
    ),
    "symbolic: fewer elements": ({}, lambda c: moved(c, "-(-dx.shape[0]//stride)", "dx.shape[0]//stride")),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_classes_are_refuted(name):
    pytest.importorskip("z3")
    given, change = WRONG[name]
    assert "refuted" in statuses(change(residue_classes(GRADIENT, **given)))


def test_a_missing_class_of_zeros_is_refuted():
    pytest.importorskip("z3")
    classes = without(residue_classes(GRADIENT, stride=4, dilation=2, padding=1))
    assert statuses(classes)[:2] == ["refuted", "proved"]


def late(classes):
    """Every class begins one tap late."""
    first = lambda taps: replace(taps, first=(taps.first + 1) % taps.step)  # noqa: E731 - used in the line below
    return replace(
        classes, classes=tuple(replace(made, taps=tuple(map(first, made.taps))) for made in classes)
    )


def test_wrong_slices_give_other_integers():
    assert wrong_gradients(late) > 50


# ----------------------------------------------------------------------------------- found, said and printed


def test_the_taps_of_a_class_are_data():
    even, odd = residue_classes(GRADIENT, stride=2, dilation=3, padding=1)
    q, t = sympy.symbols("q t")
    assert [made.places for made in (even, odd)] == [(("i", 2 * q),), (("i", 2 * q + 1),)]
    assert [(made.taps[0].tap, made.taps[0].first, made.taps[0].step) for made in (even, odd)] == [
        ("r", 1, 2),
        ("r", 0, 2),
    ]
    assert [made.taps[0].read for made in (even, odd)] == [q - 3 * t - 1, q - 3 * t + 1]


def test_an_unstrided_rule_is_one_class():
    (made,) = residue_classes(GRADIENT, stride=1)
    assert made.formula == vjp(Formula("y[o] += x[o + dilation*r - padding]*w[r]"), "x").gather
    assert residue_classes(GRADIENT, stride=1).axes == ()


def test_the_classes_of_an_op_are_the_product_of_its_axes():
    classes = residue_classes(CONV2D, stride0=2, stride1=3, dilation0=1, dilation1=1, padding0=0, padding1=0)
    assert classes.axes == (("i0", 2), ("i1", 3))
    assert len(classes) == 6
    assert str(classes[5]) == "dx[n, c, 2*q0 + 1, 3*q1 + 2] += dy[n, k, q0 - t0, q1 - t1]*w[k, c, 2*t0 + 1, 3*t1 + 2]"


def test_classes_are_printed():
    classes = residue_classes(GRADIENT, stride=2, dilation=2, padding=0)
    assert str(classes) == "dx[2*q] += dy[q - r]*w[r]\ndx[2*q + 1] is 0: no tap meets it"
    assert latex(classes[0]) == r"{\mathrm{d}x}_{2 \, q} = \sum_{r} {\mathrm{d}y}_{q - r} \, w_{r}"
    assert latex(classes[1]) == r"{\mathrm{d}x}_{2 \, q + 1} = 0"
    assert classes._repr_latex_() == f"$${latex(classes)}$$"
    assert latex(classes).count("&") == 2
    assert classes[0]._repr_latex_() == f"$${latex(classes[0])}$$"
    assert mathml(classes[0]).startswith("<math")


@pytest.mark.parametrize(
    "rule, given, sentence",
    [
        ("dx", {}, "residue_classes splits a Rule or a Formula, not str"),
        (registry["conv1d"], {}, "residue_classes splits a Rule or a Formula, not Op"),
        (GRADIENT, {"strides": 2}, "'strides' is no parameter\n"),
        (GRADIENT, {"stride": 2.0}, "the parameter stride is 2.0; it stands in an index, so it is an integer"),
        (GRADIENT, {"stride": True}, "the parameter stride is True; it stands in an index, so it is an integer"),
        (GRADIENT, {"stride": 0}, "the parameter stride is 0; it multiplies an index or divides, so it is at least 1"),
        (GRADIENT, {"stride": 2000}, "there are 2000 residue classes; at most 1024 are listed"),
        (
            vjp(Formula("y[o] += x[s*o + p]", assume="p < 2*s"), "x"),
            {"p": 4, "s": 2},
            "the formula assumes p < 2*s, which is wrong for p = 4, s = 2",
        ),
        (vjp(Formula("y[o] += x[s*o]*x[t*o]"), "x"), {}, "the index i has the periods s and t\n"),
        (
            Formula("y[i, j] += where((i - j) % 2 == 0, x[i, j], 0)"),
            {},
            "(i - j) % 2 == 0 binds the written indices i and j, so the result has no classes axis by axis",
        ),
    ],
)
def test_what_has_no_classes_is_said(rule, given, sentence):
    with pytest.raises(FormulaError) as error:
        residue_classes(rule, **given)
    assert_says(error, sentence)

