"""Formulas: what a text says, its canonical form, its exact value, its errors; and no text is ever executed."""

import ast
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import reference
import sympy
from cases import GEOMETRIES, Case
from exact import problem
from formulas import EXAMPLES, Example
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import Plain, filled
from process import run_python

import convsym
from convsym import Formula, FormulaError, ShapeError

PACKAGE = Path(convsym.__file__).parent


# ------------------------------------------------------------------------------------------ what a text says

CLASSES = {
    # text: (indices, parameters, operands)
    "y[o] += x[o + r]*w[r]": ("o r", "", "x w"),
    "y[o] += x[stride*o + r - padding]*w[r]": ("o r", "stride padding", "x w"),
    "y[n, k, o] += x[n, c, s*o + d*r - p]*w[k, c, r]": ("n k o c r", "s d p", "x w"),
    "y[a] += x[3]": ("a", "", "x"),
    "y[3] += x[i]": ("i", "", "x"),
    "y[()] += x[i]": ("i", "", "x"),
    "y[i] += alpha*x[i]": ("i", "alpha", "x"),
    "y[i] += x[i]*z[()]": ("i", "", "x z"),
    "y[i] += x[a*b*i]": ("i", "a b", "x"),
    "y[i] += x[i//s]": ("i", "s", "x"),
    "y[i] += x.shape[0]*x[i]": ("i", "", "x"),
    "y[o] += (x[o + r] for r in range(3))": ("o r", "", "x"),
    "y[o] += (x[o + r - h] for r in range(2*h + 1))": ("o r", "h", "x"),
    "y[i] += where(i < j, x[j], 0)": ("i j", "", "x"),
    "y[i] += where(x[i] > z[i], x[i], t)": ("i", "t", "x z"),
    "y[2*i] += x[i]; y[2*i + 1] += z[i]": ("i", "", "x z"),
}


@pytest.mark.parametrize("text", CLASSES)
def test_a_text_says_which_names_are_indices_parameters_operands(text):
    f = Formula(text)
    assert (f.output, f.text) == (text[0], text)
    assert (f.indices, f.parameters, f.operands) == tuple(tuple(part.split()) for part in CLASSES[text])


def test_ranges_make_an_index_of_a_name_that_stands_alone_nowhere():
    assert Formula("y[o] += x[o + r]").parameters == ("r",)
    f = Formula("y[o] += x[o + r]", ranges={"r": 3})
    assert (f.indices, f.parameters) == (("o", "r"), ())
    assert f == Formula("y[o] += x[o + r]", ranges={"r": "3"}) == Formula("y[o] += (x[o + r] for r in range(3))")
    assert str(f) == "y[o] += (x[o + r] for r in range(3))"
    assert f(x=[1, 10, 100, 1000]).tolist() == [111, 1110]
    g = Formula("y[o] += x[o + r - h]", ranges={"r": "2*h + 1"})
    assert (g.indices, g.parameters) == (("o", "r"), ("h",))


def test_the_range_of_a_shared_index_must_agree():
    f = Formula("y[o] += x[2*o + r]*w[r]", ranges={"r": 2})
    assert f(x=[1, 2, 3, 4], w=[1, 1]).tolist() == [3, 7]
    with pytest.raises(ShapeError) as error:
        f(x=[1, 2, 3, 4], w=[1, 1, 1])
    assert_says(error, "w has size 3 on axis 0", "index r runs to 2", "agree in its size")


def test_left_out_parameters_are_neutral():
    f = Formula("y[o] += x[stride*o + dilation*r - padding]*w[r]")
    x, w = [1, 2, 3, 4, 5], [1, 10]
    assert f(x=x, w=w).tolist() == f(x=x, w=w, stride=1, dilation=1, padding=0).tolist() == [21, 32, 43, 54]


# ------------------------------------------------------------------------------------------- canonical text


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_the_canonical_text_says_the_same_formula(example):
    f = Formula(example.text, ranges=dict(example.ranges))
    assert_round_trip(f)


def assert_round_trip(f, read=Formula):
    again = read(str(f))
    assert again == f
    assert hash(again) == hash(f)
    for names in ("indices", "parameters", "operands"):
        assert sorted(getattr(again, names)) == sorted(getattr(f, names))


def test_there_are_many_and_varied_examples():
    assert len(EXAMPLES) >= 60
    assert len({example.text for example in EXAMPLES}) == len(EXAMPLES)


@pytest.mark.parametrize(
    "harm",
    [
        lambda t: t.replace("+ r", "- r"),
        lambda t: t.replace("w[r]", "w[o]"),
        lambda t: t.replace("+=", "="),
        lambda t: t + " + 1",
    ],
)
def test_a_printer_that_lies_is_seen(harm):
    with pytest.raises((AssertionError, FormulaError)):
        assert_round_trip(Formula("y[o] += x[o + r]*w[r]"), lambda text: Formula(harm(text)))


SPELLINGS = [
    (
        "y[o] += x[o + r]*w[r]",
        "  y [ o ]+=x[o+r]\t*\tw[r]  ",
        "y[o] += (x[(o + r)])*(w[((r))])",
        "y[(o)] += x[r + o]*w[r]",
        "y[o] += x[o + r]*w[r] # comment",
        "y[o] += (x[o + r]\n * w[r])",
    ),
    (
        "y[o] += x[stride*o + dilation*r - padding]*w[r]",
        "y[o] += x[-padding + dilation*r + stride*o]*w[r]",
        "y[o] += x[o*stride + (r*dilation - padding)]*w[r]",
        "y[o] += x[stride*o - (padding - dilation*r)]*w[r]",
        "y[o] += x[2*stride*o - stride*o + r*dilation - padding]*w[r]",
    ),
    ("y[o] += x[2*o + 2*r]*w[r]", "y[o] += x[2*(o + r)]*w[r]", "y[o] += x[(r + o)*2]*w[r]"),
    ("y[i] += x[i]/2", "y[i] += 0.5*x[i]", "y[i] += x[i]*(1/2)"),
    ("y[i] += x[i]**2", "y[i] += x[i]*x[i]"),
    (
        "y[i] += where(x[i] > 0, x[i], 0)",
        "y[i] += where(x[i] > 0 and x[i] > 0, x[i], 0)",
        "y[i] += where(not x[i] <= 0, x[i], 0)",
        "y[i] += where(x[i] <= 0, 0, x[i])",
    ),
    (
        "y[i] += where(i > 0 and i < n, x[i], 0)",
        "y[i] += where(i < n and (i > 0), x[i], 0)",
        "y[i] += where(i > 0, where(i < n, x[i], 0), 0)",
    ),
]


@pytest.mark.parametrize("spellings", SPELLINGS, ids=lambda spellings: spellings[0])
def test_the_canonical_text_does_not_depend_on_how_it_was_typed(spellings):
    formulas = [Formula(text) for text in spellings]
    assert [f.text for f in formulas] == list(spellings)
    assert len(set(formulas)) == 1
    assert {Formula(str(f)) for f in formulas} == set(formulas)
    if "where" not in spellings[0]:
        assert {str(f) for f in formulas} == {spellings[0]}


def test_different_formulas_differ():
    texts = [
        "y[o] += x[o + r]*w[r]",
        "y[o] += x[o - r]*w[r]",
        "z[o] += x[o + r]*w[r]",
        "y[o] += x[o + r]*w[r] + b[o]",
        "y[o] += 2*x[o + r]*w[r]",
        "y[r] += x[o + r]*w[o]",
        "y[o] += x[o + r]*v[r]",
        "y[i] = x[i]",
        "y[i] += x[i]",
    ]
    assert len({Formula(text) for text in texts}) == len(texts)


NAMES = ("stride", "d", "p", "q2")


@st.composite
def affine(draw, indices, allow_negative=True):
    """An affine index expression with shuffled addends."""
    parts = []
    for name in indices:
        by = draw(st.sampled_from(["", "2*", "3*", *(f"{n}*" for n in NAMES)]))
        parts.append((draw(st.sampled_from("+-")) if allow_negative and parts else "+", f"{by}{name}"))
    for extra in draw(st.lists(st.sampled_from(["1", "2*p", "q2"]), max_size=2, unique=True)):
        parts.append((draw(st.sampled_from("+-")), extra))
    text = "".join(f" {mark} {part}" for mark, part in draw(st.permutations(parts)))
    return text[3:] if text.startswith(" +") else text.strip()


@st.composite
def texts(draw):
    """Formulas of one to three spatial axes: affine reads, a guard, a bias, odd spaces and parentheses."""
    rank = draw(st.integers(1, 3 if draw(st.booleans()) else 2))
    outs, taps = [f"o{e}" for e in range(rank)], [f"r{e}" for e in range(rank)]
    channels = draw(st.sampled_from([(), ("n",), ("n", "c")]))
    read = ", ".join([*channels, *(draw(affine((o, r))) for o, r in zip(outs, taps, strict=True))])
    kernel = ", ".join([*(c for c in channels if c == "c"), *taps])
    left = ", ".join([*(c for c in channels if c == "n"), *outs])
    body = f"x[{read}]{draw(st.sampled_from(['*', ' * ', '*2*', '*(-1)*']))}w[{kernel}]"
    if draw(st.booleans()):
        body = f"({body})"
    if draw(st.booleans()):
        guard = draw(
            st.sampled_from(
                [
                    f"{outs[0]} > {taps[0]}",
                    f"({outs[-1]} + {taps[0]}) % 2 == 0",
                    f"{outs[0]} != 1",
                    f"{taps[0]} == 0 or {outs[0]} >= 2",
                ]
            )
        )
        body = f"where({guard}, {body}, {draw(st.sampled_from(['0', f'-2*{body}']))})"
    if draw(st.booleans()):
        body += draw(st.sampled_from([f" + b[{outs[0]}]", f" - 3*b[{outs[0]}]", " + 2", " - x[" + read + "]"]))
    return f"y[{left}] += {body}"


@given(texts())
@settings(max_examples=100, deadline=None)
def test_random_formulas_keep_their_meaning_through_their_text(text):
    f = Formula(text)
    assert_round_trip(f)
    assert_evaluates(Example(text))


# ----------------------------------------------------------------------------------------------- evaluation


def assert_evaluates(example, call=None, seed=0):
    """The formula and its canonical text give what Python makes of the typed text, value and type."""
    plain, arrays, shape, parameters = example.problem(seed=seed)
    f = Formula(example.text, ranges=dict(example.ranges))
    call = call or f.__call__
    expected = plain(arrays, shape, parameters)
    for function in (call, Formula(str(f))):
        assert_equal(function(sizes={plain.output: shape}, **arrays, **parameters), expected)


def assert_equal(value, expected):
    assert value.shape == expected.shape
    assert all(sympy.sympify(a == b) for a, b in zip(value.flat, expected.flat, strict=True)), (value, expected)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_the_reference_evaluates_as_plain_loops_do(example):
    for seed in range(3):
        assert_evaluates(example, seed=seed)


def wrap_around(f):
    """A reference that reads from the end of an array at a negative index, as NumPy does."""

    def call(*, sizes, x):
        return np.array([sum(x[(o - r) % len(x)] for r in range(2)) for o in range(sizes["y"][0])])

    return call


def test_a_reference_that_wraps_around_is_seen():
    example = Example("y[o] += (x[o - r] for r in range(2))")
    assert_evaluates(example)
    with pytest.raises(AssertionError):
        assert_evaluates(example, wrap_around(None))


FLOATS = [e for e in EXAMPLES if "log" not in e.text and "1/x" not in e.text]


@pytest.mark.parametrize("example", FLOATS, ids=str)
def test_floats_stay_floats(example):
    plain, arrays, shape, parameters = example.problem()
    arrays = {name: a.astype(float) + 0.25 for name, a in arrays.items()}
    f = Formula(example.text, ranges=dict(example.ranges))
    value = f(sizes={plain.output: shape}, **arrays, **parameters)
    assert value.dtype == np.float64
    np.testing.assert_allclose(value, plain(arrays, shape, parameters).astype(float), rtol=1e-12, atol=1e-12)
    single = f(sizes={plain.output: shape}, **{n: a.astype(np.float32) for n, a in arrays.items()}, **parameters)
    assert single.dtype == np.float32


SYMBOLIC = [e for e in EXAMPLES if e.kind in ("polynomial", "quotient", "smooth")]


@pytest.mark.parametrize("example", SYMBOLIC[::3], ids=str)
def test_symbols_are_carried_through(example):
    plain, arrays, shape, parameters = example.problem()
    symbols = {
        name: np.array(sympy.symbols(f"{name}(:{a.size})", positive=True), object).reshape(a.shape) if a.size else a
        for name, a in arrays.items()
    }
    value = Formula(example.text, ranges=dict(example.ranges))(sizes={plain.output: shape}, **symbols, **parameters)
    expected = plain(symbols, shape, parameters)
    assert value.shape == expected.shape
    assert not any(sympy.expand(a - b) for a, b in zip(value.flat, expected.flat, strict=True))


def test_fractions_and_big_integers_are_exact():
    f = Formula("y[o] += x[o + r]*w[r]")
    thirds = [Fraction(1, 3), Fraction(2, 7), Fraction(-5, 11)]
    assert f(x=thirds, w=[Fraction(1, 2), 3]).tolist() == [
        Fraction(1, 6) + Fraction(6, 7),
        Fraction(1, 7) - Fraction(15, 11),
    ]
    big = 10**40 + 1
    assert f(x=[big, -big, 7], w=[big, big]).tolist() == [0, big * (7 - big)]
    assert f(x=[2**62, 2**62], w=[2, 2]).tolist() == [2**64]
    assert f(x=[1, 2], w=[3, 4]).dtype == np.int64
    small = np.array([200, 100], np.uint8)
    assert Formula("y[i] += x[i]*x[i]")(x=small).tolist() == [40000, 10000]


def test_the_reference_is_the_convolution_of_the_hand_typed_reference():
    cases = [case for case in GEOMETRIES if case.groups == 1][::5]
    assert len(cases) >= 30
    for case in cases:
        assert_is_reference(case, convsym.registry[f"conv{len(case.kernel)}d"].formula)


def assert_is_reference(case, formula):
    posed = problem(case)
    per_axis = zip(case.stride, case.dilation, case.padding, strict=True)
    parameters = {
        f"{name}{axis}": value
        for axis, (s, d, (low, _)) in enumerate(per_axis)
        for name, value in (("stride", s), ("dilation", d), ("padding", low))
    }
    parameters = {name: value for name, value in parameters.items() if name in formula.parameters}
    y = formula(x=posed.x, w=posed.w, sizes={"y": posed.y.shape}, **parameters)
    assert np.array_equal(y, posed.y)
    if all(low == high for low, high in case.padding):
        assert formula(x=posed.x, w=posed.w, **parameters).shape == posed.y.shape
        assert posed.y.shape[2:] == reference.output_size(
            case.inputs, case.kernel, case.stride, case.dilation, case.padding
        )


@pytest.mark.parametrize(
    "old, new",
    [
        ("+ dilation0*r0", "- dilation0*r0"),
        ("- padding0", "+ padding0"),
        ("stride0*o0", "o0"),
        ("padding0", "padding0 + 1"),
    ],
)
def test_a_wrong_convolution_is_no_reference(old, new):
    text = str(convsym.registry["conv1d"].formula)
    assert old in text
    wrong = Formula(text.replace(old, new), symmetric=("padding0",))
    case = Case((9,), (3,), (3,), ((2, 2),), (2,))
    assert_is_reference(case, convsym.registry["conv1d"].formula)
    with pytest.raises(AssertionError):
        assert_is_reference(case, wrong)


def test_reads_outside_are_zero_and_writes_outside_are_dropped():
    f = Formula("y[i] += x[i - 1]*z[i + 1]")
    assert f(x=[1, 2, 3], z=[1, 10, 100], sizes={"y": (5,)}).tolist() == [0, 100, 0, 0, 0]
    g = Formula("y[2*i - 1] += x[i]")
    assert g(x=[1, 2, 3], sizes={"y": (3,)}).tolist() == [0, 2, 0]
    assert g(x=[1, 2, 3], sizes={"y": (4,)}).tolist() == [0, 2, 0, 3]
    assert Formula("y[n - i] += x[i]")(x=[1, 2, 3], n=1, sizes={"y": (2,)}).tolist() == [2, 1]


def test_zero_outside_times_infinity_is_nan():
    f = Formula("y[i] += x[i - 1]*w[i]")
    assert np.isnan(f(x=[1.0, 1.0], w=[np.inf, 1.0], sizes={"y": (2,)})).tolist() == [True, False]


@pytest.mark.parametrize("number", [-7, -4, -3, -1, 0, 1, 5])
@pytest.mark.parametrize("divisor", [1, 2, 3])
def test_division_and_remainder_round_to_minus_infinity(number, divisor):
    x = list(range(100, 120))
    f = Formula("y[i] += x[(number + 0*i)//divisor + 10]*u[i]")
    g = Formula("y[i] += x[number % divisor + 10]*u[i]")
    assert f(x=x, u=[1], number=number, divisor=divisor).tolist() == [110 + number // divisor]
    assert g(x=x, u=[1], number=number, divisor=divisor).tolist() == [110 + number % divisor]


def test_where_evaluates_only_the_chosen_branch():
    assert Formula("y[i] += where(x[i] == 0, 7, 1/x[i])")(x=[0, 2]).tolist() == [7, Fraction(1, 2)]
    with np.errstate(all="raise"):
        assert Formula("y[i] += where(x[i] > 0, log(x[i]), 0)")(x=[-1.0, 0.0, 1.0]).tolist() == [0, 0, 0]
    with pytest.raises(ZeroDivisionError):
        Formula("y[i] += 1/x[i]")(x=[0, 2])


SIZES = [
    # formula, shapes, parameters, shape of the output
    ("y[o] += x[o + r]*w[r]", {"x": 7, "w": 3}, {}, 5),
    ("y[o] += x[o + r]*w[r]", {"x": 2, "w": 3}, {}, 0),
    ("y[o] += x[o + r]*w[r]", {"x": 0, "w": 1}, {}, 0),
    ("y[o] += x[stride*o + r]*w[r]", {"x": 7, "w": 3}, {"stride": 2}, 3),
    ("y[o] += x[stride*o + r]*w[r]", {"x": 6, "w": 3}, {"stride": 2}, 2),
    ("y[o] += x[o + d*r]*w[r]", {"x": 7, "w": 3}, {"d": 3}, 1),
    ("y[o] += x[o + r - p]*w[r]", {"x": 7, "w": 3}, {"p": 1}, 6),
    ("y[o] += x[o - r]*w[r]", {"x": 7, "w": 3}, {}, 7),
    ("y[o] += x[o + r]*x[2*o]*w[r]", {"x": 9, "w": 3}, {}, 5),
    ("y[s*i + r] += x[i]*w[r]", {"x": 4, "w": 3}, {"s": 2}, 9),
    ("y[s*i + r - 1] += x[i]*w[r]", {"x": 4, "w": 3}, {"s": 2}, 8),
    ("y[i + 3] += x[i]", {"x": 2}, {}, 5),
    ("y[3] += x[i]", {"x": 2}, {}, 4),
]


@pytest.mark.parametrize("text, shapes, parameters, size", SIZES)
def test_the_output_ends_with_the_last_read_or_write_inside(text, shapes, parameters, size):
    arrays = {name: np.ones(n, int) for name, n in shapes.items()}
    assert Formula(text)(**arrays, **parameters).shape == (size,)


@pytest.mark.parametrize("stride, dilation, padding", [(1, 1, 0), (1, 1, 1), (2, 1, 1), (3, 2, 2), (2, 3, 4)])
def test_symmetric_padding_also_pads_the_far_side(stride, dilation, padding):
    f = Formula("y[o] += x[stride*o + dilation*r - padding]*w[r]", symmetric=("padding",))
    for i in range(9):
        for r in range(1, 5):
            y = f(x=np.ones(i, int), w=np.ones(r, int), stride=stride, dilation=dilation, padding=padding)
            fits = [o for o in range(99) if stride * o + dilation * (r - 1) < i + 2 * padding]
            assert y.shape == (len(fits),)


def test_sizes_override_and_a_declared_size_is_kept():
    f = Formula("y[n, o] += x[n, o + r]*w[r]")
    x, w = np.ones((2, 4), int), np.ones(2, int)
    assert f(x=x, w=w).shape == (2, 3)
    assert f(x=x, w=w, sizes={"o": 6}).tolist() == [[2, 2, 2, 1, 0, 0]] * 2
    assert f(x=x, w=w, sizes={"y": (2, 1)}).tolist() == [[2]] * 2
    same = Formula("y[o] += x[o + r - h]*w[r]", sizes={"o": "x.shape[0]"})
    assert same(x=[1, 2, 3], w=[1, 1, 1], h=1).tolist() == [3, 6, 5]


def test_an_output_that_no_read_decides_asks_for_its_size():
    with pytest.raises(ShapeError) as error:
        Formula("y[i] += x[3 - i]")(x=[1, 2, 3])
    assert_says(error, "no read decides how large i of y is", "sizes={'i': ...}")


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_axes_of_size_zero(shape):
    f = Formula("y[i] += a[i, j]*x[j]")
    assert f(a=np.ones(shape, int), x=np.ones(shape[1], int)).tolist() == [0] * shape[0]


# --------------------------------------------------------------------------------------- errors of a call


def assert_says(error, *pieces):
    missing = [piece for piece in pieces if piece not in str(error.value)]
    assert not missing, str(error.value)


CALLS = [
    ({"x": [1, 2]}, FormulaError, ("the operand 'w' is missing", "call it with x=..., w=...")),
    ({"x": [1, 2], "w": [1], "strid": 2}, FormulaError, ("'strid' is neither an operand nor a parameter", "'stride'")),
    ({"x": [[1, 2]], "w": [1]}, ShapeError, ("x has 2 axes (1, 2)", "reads it with 1")),
    ({"x": [1, 2], "w": [1], "stride": 0}, FormulaError, ("stride is 0", "at least 1")),
    ({"x": [1, 2], "w": [1], "stride": -1}, FormulaError, ("stride is -1", "at least 1")),
    ({"x": [1, 2], "w": [1], "stride": 1.0}, FormulaError, ("stride is 1.0", "an integer")),
    ({"x": [1, 2], "w": [1], "stride": True}, FormulaError, ("stride is True", "an integer")),
    ({"x": [1, 2], "w": [1], "stride": "2"}, FormulaError, ("stride is '2'", "an integer")),
    ({"x": [True], "w": [1]}, FormulaError, ("x holds bool", "numbers")),
    ({"x": ["a"], "w": [1]}, FormulaError, ("x holds", "numbers")),
    ({"x": [None], "w": [1]}, FormulaError, ("x holds NoneType", "numbers")),
]


@pytest.mark.parametrize("values, kind, pieces", CALLS, ids=lambda value: repr(value)[:60])
def test_a_wrong_call_is_a_sentence(values, kind, pieces):
    with pytest.raises(kind) as error:
        Formula("y[o] += x[stride*o + r]*w[r]")(**values)
    assert_says(error, *pieces)


def test_a_missing_scalar_parameter_has_no_neutral_value():
    with pytest.raises(FormulaError) as error:
        Formula("y[i] += alpha*x[i]")(x=[1])
    assert_says(error, "the parameter 'alpha' is missing", "call it with alpha=...")


def test_arrays_that_share_an_index_agree():
    with pytest.raises(ShapeError) as error:
        Formula("y[i] += x[i]*z[i]")(x=[1, 2], z=[1])
    assert_says(error, "size 1 on axis 0", "index i runs to 2", "agree in its size")


# -------------------------------------------------------------------------------------------- errors of a text

# The mark ¦ stands before the column at which the caret must point.
WRONG = {
    "y[i] += x[j¦;": ("not a formula",),
    "y[i] +=¦": ("not a formula", "y[o] += x[o + r] * w[r]"),
    "y[i] += x[i];¦;": ("not a formula",),
    "  y[i] += x[i] + ¦$": ("not a formula",),
    "y[i] += x[i] ¦for i in range(3)": ("not a formula",),
    "y[i] += x[i]¦\x00": (r"character '\x00' is not allowed",),
    "y[i] += ¦μ[i]": ("character 'μ' is not allowed", "ASCII"),
    "y[i] += ¦(lambda: 0)()": ("unknown function",),
    "y[i] += ¦x.real[i]": ("only a named array can be indexed", "x[i, j]"),
    "y[i] += ¦x[i].real": ("not allowed in a formula", "where", "maximum"),
    "y[i] += ¦x[i] if 1 else 2": ("not allowed in a formula",),
    "y[i] += (¦z := 3)": ("not allowed in a formula",),
    "y[i] += ¦[x[i] for i in range(3)]": ("not allowed in a formula",),
    "y[i] += (x[i] for ¦i in range(x.shape[0]) if i)": ("for r in range(size)",),
    "y[i] += (x[j] for ¦j.a in range(3))": ("for r in range(size)",),
    "y[i] += x[¦i:j]": ("names, integers and + - * // %",),
    "y[i] += x[¦...]": ("Ellipsis", "indices are integers"),
    "y[i] += x[¦*i]": ("names, integers and + - * // %",),
    "y[i] += x[¦1.5]": ("1.5", "indices are integers"),
    "y[i] += x[¦True]": ("True", "indices are integers"),
    'y[i] += x[¦"a"]': ("'a'", "indices are integers"),
    "y[i] += x[¦w[i]]": ("names, integers", "an array of indices"),
    "y[i] += x[¦i/2]": ("+ - * // %", "write //"),
    "y[i] += x[i**¦j]": ("a power in an index is an integer from 1 to 16",),
    "y[i] += x[n**¦-1*i]": ("a power in an index is an integer from 1 to 16",),
    "y[i] += x[i]*¦x[i, j]": ("x has 2 indices here and 1 before", "one number of axes"),
    "y[i] += ¦999999999999*999999999999*x[i]": ("the numbers multiply to more than 10**12",),
    "y[i] += ¦(x[i]**16)**2": ("a power is an integer",),
    "y[i] += x[¦(a + b + c)**16*i]": ("the value splits into",),
    "y[i] += x[i//¦0]": ("divisor", "at least 1, not 0"),
    "y[i] += x[i%¦-2]": ("divisor", "at least 1, not -2"),
    "y[i] += x[i]**¦2.5": ("2.5",),
    "y[i] += x[i]**¦17": ("a power is an integer from -16 to 16",),
    "y[i] += x[i]**(¦j**2)": ("a power is an integer from -16 to 16, a name or an access, or a sum of these",),
    "y[i] += ¦sqrt(x[i])**p": ("this is x[i]**(p/2); a power is an integer",),
    "y[i] += ¦(x[i]**(2*p))**16": ("a power is an integer",),
    "y[i] += x[i]**(¦17*j)": ("a power is an integer",),
    "y[i] += x[i]**(¦j/2)": ("a power is an integer",),
    "y[i] += x[i]**¦exp(z[i])": ("a power is an integer",),
    "y[i] += x[i]**¦abs(z[i])": ("a power is an integer",),
    "y[i] += ¦x[i] @ w[i]": ("operator is not allowed", "+ - * / **"),
    "y[i] += ¦x[i] & w[i]": ("operator is not allowed",),
    "y[i] += ¦~x[i]": ("not allowed",),
    "y[i] += ¦not x[i]": ("not allowed",),
    "y[i] += ¦x[i] < w[i]": ("not allowed",),
    "y[i] += ¦1e5*x[i]": ("decimal number", "no exponent"),
    "y[i] += ¦1j*x[i]": ("1j",),
    "y[i] += x[i] + ¦1000000000001": ("at most 10**12",),
    "y[i] += ¦foo(x[i])": ("unknown function 'foo'", "known: "),
    "y[i] += ¦maximun(x[i], 0)": ("unknown function 'maximun'", "did you mean 'maximum'?"),
    "y[i] += ¦exp(x[i], 2)": ("exp takes 1 arguments, not 2",),
    "y[i] += ¦where(x[i] > 0, 1)": ("where takes 3 arguments, not 2",),
    "y[i] += where(¦x[i], 1, 2)": ("a condition is a comparison", "where(i < n, a, b)"),
    "y[i] += where(¦x[i] in w[i], 1, 2)": ("== != < <= > >=",),
    "y[i] += where(¦x[i] is 3, 1, 2)": ("== != < <= > >=",),
    "¦y[i] -= x[i]": ("+= or =",),
    "¦y += x[i]": ("one array access", "y[n, k, o] += ..."),
    "¦y[i] = z[i] = x[i]": ("+= or =",),
    "¦y[i]: int = 3": ("+= or =",),
    "¦import os": ("+= or =",),
    "¦y[i] == x[i]": ("+= or =",),
    "y[i] += x[i]; ¦z[i] += x[i]": ("one array in one way", "y += ...", "z += ...", "second formula"),
    "¦y[i] += y[i]": ("written and read", "a name of its own"),
    "y[i] = x[i + ¦r]*w[r]": ("= has no summed index", "r appears only on the right", "write +="),
    "¦y[i, i] = x[i]": ("distinct, bare indices on the left", "write +="),
    "¦y[2*i] = x[i]": ("distinct, bare indices on the left",),
    "y[¦i] += i[x]": ("both as an array and as an index", "rename"),
    "y[i] += x[i] * ¦sizes": ("'sizes' is taken", "rename"),
    "y[i] += x[i]/¦0": ("division by zero",),
    "y[i] += x[i]/(¦1-1)": ("division by zero",),
    "y[i] += ¦0*x[i]": ("zero everywhere", "nothing is left to add"),
    "y[i] += x.shape[¦-1]*x[i]": ("axis of .shape",),
    "y[i] += (\nx[i] +\n ¦foo(3))": ("unknown function 'foo'",),
    "\n\n y[i] += ¦foo(3)": ("unknown function 'foo'",),
    f"y[i] += ¦{'a' * 64}[i]": ("longer than 63 characters",),
}


@pytest.mark.parametrize("marked", WRONG, ids=repr)
def test_a_wrong_text_gets_a_caret_under_the_column(marked):
    assert_caret(marked, WRONG[marked])


def assert_caret(marked, pieces):
    text, column = marked.replace("¦", ""), marked.index("¦")
    with pytest.raises(FormulaError) as error:
        Formula(text)
    assert isinstance(error.value, ValueError)
    assert_says(error, *pieces)
    assert (error.value.text, error.value.column) == (text, column)
    lines = str(error.value).split("\n")
    above, below = next(pair for pair in pairwise(lines) if pair[1].strip() == "^")
    assert above.startswith("  ")
    assert (above + "¦")[below.index("^")] == (text + "¦")[column]


def test_enough_texts_are_wrong():
    assert len(WRONG) >= 40


@pytest.mark.parametrize("marked", ["y[i] += ¦x[i:j]", "y[i] += x[i:¦j]", "¦y[i] += x[i + 1]"])
def test_a_caret_elsewhere_or_a_right_text_is_seen(marked):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        assert_caret(marked, ())


@pytest.mark.parametrize("text", ["", " ", "\n", "# nothing"])
def test_an_empty_text_says_so(text):
    with pytest.raises(FormulaError) as error:
        Formula(text)
    assert_says(error, "the text is empty", "y[o] += x[o + r] * w[r]")


@pytest.mark.parametrize("value", [None, 3, b"y[i] += x[i]", ["y[i] += x[i]"]], ids=repr)
def test_a_formula_is_made_of_text(value):
    with pytest.raises(FormulaError) as error:
        Formula(value)
    assert_says(error, "a formula is a str", type(value).__name__)


OPTIONS = [
    ({"ranges": {"q": 3}}, ("ranges names 'q'", "no index")),
    ({"sizes": {"q": 3}}, ("sizes names 'q'", "no index")),
    ({"symmetric": ("q",)}, ("symmetric names 'q'", "no parameter")),
    ({"ranges": {"r": "1/2"}}, ("an index may use + - * // % only",)),
    ({"assume": "p + 1"}, ("a condition is a comparison",)),
    ({"assume": "p >"}, ("not a formula",)),
]


@pytest.mark.parametrize("options, pieces", OPTIONS, ids=lambda value: repr(value)[:50])
def test_wrong_options_are_sentences(options, pieces):
    with pytest.raises(FormulaError) as error:
        Formula("y[o] += x[o + r - p]*w[r]", **options)
    assert_says(error, *pieces)


# --------------------------------------------------------------------------------------- limits, hostile texts

HEAVY = {
    "ten thousand characters": "y[i] += " + "x[i] + " * 1500,
    "brackets": "y[i] += " + "(" * 60 + "x[i]" + ")" * 60,
    "thousands of brackets": "y[i] += " + "(" * 4000 + "x[i]" + ")" * 4000,
    "signs": "y[i] += " + "-" * 500 + "x[i]",
    "thousands of signs": "y[i] += " + "-" * 9000 + "x[i]",
    "a long sum": "y[i] += " + "+".join(["x[i]"] * 1900),
    "a long product": "y[i] += " + "*".join(["(x[i]+w[i])"] * 500),
    "a tower": "y[i] += 9**9**9",
    "a large power": "y[i] += 10**10**8*x[i]",
    "a large integer": "y[i] += " + "9" * 5000 + "*x[i]",
    "digits in a row": "y[i] += " + "9" * 9900,
    "factorial": "y[i] += factorial(10**6)*x[i]",
    "attributes": "y[i] += x" + ".a" * 4000,
    "subscripts": "y[i] += x" + "[i]" * 3000,
    "a long name": "y[i] += " + "a" * 9000 + "[i]",
    "not": "y[i] += where(" + "not " * 1000 + "x[i] > 0, 1, 2)",
    "lambda": "y[i] += " + "lambda: " * 900 + "0",
    "statements": "y[i] += x[i];" * 700,
    "many axes": "y[" + ",".join(f"i{k}" for k in range(1000)) + "] += 1",
    "cases of cases": "y[i] += " + "*".join(["abs(x[i])"] * 40),
    "nested cases": "y[i] += " + "maximum(" * 30 + "x[i]" + ",w[i])" * 30,
    "a power of a power": "y[i] += " + "(" * 6 + "9" + "**16)" * 6 + "*x[i]",
    "a product of sums": "y[i] += x[" + "*".join(f"(a{k}+b{k})" for k in range(30)) + "*i]",
}


@pytest.fixture(scope="module")
def heavy_seconds():
    """Seconds each heavy text took to be answered, in a process of its own, because what hangs must be ended."""
    return seconds_to_read(HEAVY)


def seconds_to_read(texts, limit=2.0):
    program = f"""
        import signal, time
        from convsym import Formula, FormulaError

        def stop(*_):
            raise TimeoutError

        signal.signal(signal.SIGALRM, stop)
        Formula("y[i] += where(x[i] > 0, exp(x[i]), 0.5)")
        taken = {{}}
        for name, text in {texts!r}.items():
            start = time.process_time()
            signal.setitimer(signal.ITIMER_REAL, {limit})
            try:
                Formula(text)
            except FormulaError as error:
                assert len(str(error)) < 1000
            except TimeoutError:
                pass
            signal.setitimer(signal.ITIMER_REAL, 0)
            taken[name] = time.process_time() - start
        print(taken)
    """
    return ast.literal_eval(run_python(program))


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_text_is_answered_at_once(name, heavy_seconds):
    assert heavy_seconds[name] < 1


def test_a_text_that_takes_long_is_seen():
    assert seconds_to_read({"large": "y[i] += " + " + ".join(["exp(x[i])"] * 100)}, limit=0.001)["large"] >= 0.001


def test_what_is_too_long_says_the_limit():
    for text, piece in (
        (HEAVY["ten thousand characters"], "at most 10000"),
        (HEAVY["brackets"], "nested 61 deep"),
        (HEAVY["a long sum"], "operations deep"),
        (HEAVY["many axes"], "y has 1000 indices; at most 32"),
        (HEAVY["cases of cases"], "splits into 128 cases; at most 64"),
        (HEAVY["a product of sums"], "the product has 128 terms; at most 64"),
    ):
        with pytest.raises(FormulaError) as error:
            Formula(text)
        assert_says(error, piece)


HOSTILE = r"""
y[i] += __import__('os').system('id')
y[i] += __import__("os")[i]
y[i] += eval("1")
y[i] += exec("import os")
y[i] += open("/etc/passwd")
y[i] += compile("1", "a", "eval")
y[i] += getattr(x, "real")
y[i] += globals()["x"]
y[i] += ().__class__.__bases__[0].__subclasses__()
y[i] += x.__class__
y[i] += x.__class__[i]
y[i] += x.shape.__class__[0]
y[i] += x[i].__init__.__globals__
y[i] += x[x.__class__]
y[i] += x[i.__class__]
y[i] += f"{__import__('os')}"
y[i] += f"{x!r:{y}}"
y[i] += x[f"{i}"]
y[i] += b"abc"
y[i] += "abc" % x[i]
y[i] += (z := x[i])
y[i] += x[(z := i)]
y[i] += lambda: x
y[i] += (lambda x: x)(1)
y[i] += [x for x in ().__class__.__bases__][0]
y[i] += {x for x in range(3)}
y[i] += {x: 1 for x in range(3)}
y[i] += (x[j] for j in range(10) if print(1))
y[i] += (x[j] for j in __import__("os").environ)
y[i] += (x[j] for j in range(__import__("os").getpid()))
y[i] += (x[j] for j in range(3, 4))
y[i] += (x[j] for j, k in range(3))
y[i] += (yield x[i])
y[i] += await x[i]
y[i] += x[i] if print(1) else 2
y[i] += *x
y[i] += sum(x)
y[i] += x[i:print(1)]
y[print(1)] += x[i]
(lambda: y)()[i] += x[i]
y.a[i] += x[i]
y[i].a += x[i]
y[i] += x[i] and print(1)
y[i] += where(print(1) > 0, 1, 2)
y[i] += where(x[i] > 0, print(1), 2)
y[i] += where(*x)
y[i] += where(**x)
y[i] += exp(*x)
y[i] += exp(**{"x": 1})
y[i] += print
y[i] += None
y[i] += ...
y[i] += int(x[i])
import os; y[i] += x[i]
y[i] += x[i]; import os
y[i] += x[i]; __import__("os")
def f(): pass
class y: pass
while True: pass
@print
y[i] += ℓ[i]
y[i] += ｘ[i]
y[i] += x[i]\u202e
y[i] += x[i]\x1b[31m
y[i] += x[i]\r
y[i] += x\x00[i]
y[i] += x[i] #\x00
y[i] += 'x'[i]
y[i] += x[i] + True
y[i] += x[i]*None
""".strip().split("\n")
HOSTILE = [line.encode("ascii", "backslashreplace").decode("unicode_escape") for line in HOSTILE]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_text_is_an_error_with_a_caret(text):
    if text == "y[i] += print":
        assert Formula(text).parameters == ("print",)  # a name like any other
        return
    with pytest.raises(FormulaError):
        Formula(text)
    for option in ({"ranges": {"i": text}}, {"assume": text}, {"sizes": {"i": text}}):
        with pytest.raises(FormulaError):
            Formula("y[i] += x[i]", **option)


def test_enough_texts_are_hostile():
    assert len(HOSTILE) >= 30


AUDIT = """
    import sys
    from convsym import Formula, FormulaError
    for text in ("y[i] += where(x[i] > 0, exp(x[i]), 0.5)", "y[i] +=", "y[i] += x[", "y[i] += f(3)", "y[i] += 9**9**9"):
        try:
            Formula(text)
        except FormulaError:
            pass
    events = []
    quiet = {{"compile", "object.__getattr__", "sys._getframe"}}

    def note(name, arguments):
        # Python itself looks for the line of a syntax error in a file of the name <unknown>.
        if name not in quiet and (name, arguments[:1]) != ("open", ("<unknown>",)):
            events.append((name, str(arguments)[:80]))

    sys.addaudithook(note)
    for text in {texts!r}:
        try:
            {action}
        except FormulaError:
            pass
    print(events)
"""


def test_nothing_of_a_hostile_text_is_executed():
    assert run_python(AUDIT.format(texts=HOSTILE, action="Formula(text)")) == "[]\n"


def test_a_text_that_is_executed_is_seen():
    events = run_python(AUDIT.format(texts=["__import__('this')"], action="eval(text)"))
    assert "exec" in events
    assert "import" in events


SOUP = tuple(
    part
    for line in (
        "y x w [ ] ( ) + - * / // % ** , = += ; i o r 0 1 2.5 where > < == and not for in range : . shape",
        "exp maximum circular abs",
    )
    for part in line.split()
)


@given(st.lists(st.sampled_from([*SOUP, "\n"]), max_size=20))
@settings(max_examples=150, deadline=None)
def test_a_soup_of_words_is_a_formula_or_a_formula_error(words):
    assert_formula_or_error(" ".join(words))
    assert_formula_or_error("y[i] += " + "".join(words))


@given(st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_formula_or_a_formula_error(text):
    assert_formula_or_error(text)


def assert_formula_or_error(text):
    start = time.monotonic()
    try:
        f = Formula(text)
    except FormulaError as error:
        assert error.column is None or 0 <= error.column <= len(text)
    else:
        assert_round_trip(f)
    assert time.monotonic() - start < 5


# ------------------------------------------------------------------------------------------ our own source

FORBIDDEN_CALLS = {"eval", "exec", "parse_expr", "literal_eval", "lambdify", "S", "__import__"}
FORBIDDEN_MODULES = {"pickle", "yaml", "marshal", "shelve"}


def offences(source):
    """Calls in Python source that could execute a caller's text, by name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
            found += [name for name in names if name.split(".")[-1] in FORBIDDEN_CALLS]
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
        bare = isinstance(node.func, ast.Name)
        if name in FORBIDDEN_CALLS - {"eval"} or (bare and name in ("eval", "compile")):  # a Z3 model has an eval
            found.append(name)
        if name in ("sympify", "simplify") and keywords.get("strict") is not True:
            found.append(name)
        asks = getattr(getattr(node.func, "value", None), "id", "") == "platform"  # platform.system() runs nothing
        if keywords.get("shell") or keywords.get("allow_pickle") or (name == "system" and not asks):
            found.append(name)
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_our_source_never_executes_text(path):
    assert offences(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "exec(text)",
        "sympy.parse_expr(text)",
        "from sympy.parsing.sympy_parser import parse_expr",
        "sympy.sympify(text)",
        "sympify(text, strict=False)",
        "sympy.S(text)",
        "sympy.lambdify(x, y)",
        "import pickle",
        "from yaml import load",
        "subprocess.run(a, shell=True)",
        "os.system(a)",
        "np.load(a, allow_pickle=True)",
        "__import__(name)",
        "compile(text, 'a', 'eval')",
        "sympy.simplify(text)",
    ],
)
def test_source_that_executes_text_is_seen(source):
    assert offences(source)


def test_source_that_does_not_is_let_through():
    assert not offences("re.compile(a)\nsympy.sympify(v, strict=True)\nnp.load(a)\nast.parse(t)\nf.evaluate(x)")


# ------------------------------------------------------------------------------------------- the tests' own reader


def test_the_plain_reader_is_the_definition():
    """One formula by loops written out, so that the second reading is itself read once."""
    shapes = {"x": (2, 7), "w": (3, 2)}
    arrays = filled(shapes)
    expected = np.zeros((2, 3, 5), dtype=object)
    for n in range(2):
        for k in range(3):
            for o in range(5):
                for r in range(2):
                    if 0 <= 2 * o + r - 1 < 7:
                        expected[n, k, o] += arrays["x"][n, 2 * o + r - 1] * arrays["w"][k, r]
    assert_equal(Plain("y[n, k, o] += x[n, 2*o + r - 1]*w[k, r]")(arrays, (2, 3, 5)), expected)


CANCELLED = ["y[i] += x[i]*w[r]/w[r]", "y[i] += w[r]**0*x[i]", "y[i] += z[i] + 0*x[i]"]


@pytest.mark.parametrize("text", CANCELLED)
def test_an_operand_that_cancels_is_not_lost_silently(text):
    with pytest.raises(FormulaError, match="cancels out of this term"):
        Formula(text)


WRONG_SIZES = [
    ({"q": 5}, FormulaError, "no index of the output"),
    ({"o": 2.5}, ShapeError, "an integer from 0 on"),
    ({"o": -2}, ShapeError, "an integer from 0 on"),
    ({"y": (1, 2)}, ShapeError, "has 1 axes"),
]


@pytest.mark.parametrize("sizes, error, sentence", WRONG_SIZES)
def test_wrong_sizes_are_sentences(sizes, error, sentence):
    with pytest.raises(error, match=sentence):
        Formula("y[o] += x[2*o + r]*w[r]")(x=[1, 2, 3], w=[1], sizes=sizes)


def test_masked_arrays_mixed_objects_and_huge_parameters_are_refused():
    f = Formula("y[i] += x[s*i]")
    with pytest.raises(FormulaError, match="masked array"):
        f(x=np.ma.masked_array([1, 2], [0, 1]))
    with pytest.raises(FormulaError, match="x holds str"):
        f(x=np.array([1, "a"], object))
    with pytest.raises(FormulaError, match="at most 10\\*\\*12"):
        f(x=[1, 2], s=10**30)
