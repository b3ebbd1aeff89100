"""The tape's generated rules: what a function of whole arrays computes is what its formula says, to the last bit."""

import inspect
import itertools
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy

from convsym import Formula, KernelError, registry, vjp
from convsym.autograd import arrayop, arrays
from convsym.autograd._rules import RULES
from convsym.autograd.worlds import NUMPY
from convsym.codegen.gradients import gradients_text
from convsym.codegen.kinks import merged
from convsym.codegen.whole import whole

SIZES = {"n": 2, "i": 7, "j": 4, "k": 5}
VALUES = {"p": (0, 1, 2, 3, -1), "low": (-1,), "high": (2, -2), "slope": (3,), "alpha": (2,)}
# Where a value or a derivative does not exist, and numbers between which it does.
OPEN = {"log": (0.1, 3), "sqrt": (0.1, 3), "power": (0.1, 3), "asin": (-0.9, 0.9), "acos": (-0.9, 0.9)}
NONZERO = ("div", "reciprocal", "pow")
STEP = 1e-6


def indices(op, array):
    """Names of an array's indices in the formula."""
    formula = registry[op.name].formula
    if array in ("y", "dy"):
        return [e.name for e in formula.terms[0].target]
    read = next(a for t in formula.terms for a in t.arrays() if str(a.base) == array)
    return [e.name for e in read.indices]


def integers(op, seed=0):
    """Small integers for every operand, zeros and ties among them, as the formula has them."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name in (*op.operands, "dy"):
        shape = [SIZES[n] for n in indices(op, name)]
        values = random.integers(-2, 3, shape)
        if name == "k":
            values = random.integers(0, SIZES["i"], shape)
        if op.name in NONZERO and name != "dy":
            values = np.where(values == 0, 3, values)
        arrays[name] = values
    return arrays


def numbers(op, seed=0):
    """Floats between which no function of the op has a kink, and where it is defined."""
    random = np.random.default_rng(seed)
    low, high = OPEN.get(op.name, (0.2, 1.3))
    arrays = integers(op, seed)
    for name in arrays:
        if name not in ("k", "c"):
            signs = 1 if low > 0 and op.name in OPEN else random.choice([-1, 1], arrays[name].shape)
            arrays[name] = signs * random.uniform(low, high, arrays[name].shape)
    return arrays


def parameters(op):
    """Values of the parameters, every combination."""
    for values in itertools.product(*(VALUES[name] for name in op.parameters)):
        yield dict(zip(op.parameters, values, strict=True))


def called(op, arrays, given, ops=NUMPY):
    """The result and the gradients by operand, from the generated functions; reduced axes stay with size 1."""
    axis = (1,)
    known = {name: a[:, None] if op.reduced and a.ndim == 1 else a for name, a in arrays.items()}
    known |= given | {"axis": axis} | {f"{name}_shape": known[name].shape for name in op.operands}
    known["y"] = op.forward(ops, *(known[n] for n in (*op.operands, *op.parameters)), *([axis] if op.reduced else []))
    gradients = {
        name: backward(ops, known["dy"], *(known[n] for n in op.reads[name])) for name, backward in op.backward.items()
    }
    return known["y"], gradients


def exact(array):
    return np.frompyfunc(Fraction, 1, 1)(array.astype(object))


def complaints(op):
    """Sentences about what an op computes, against the reference of its formula and of its derived rules."""
    formula, rules = registry[op.name].formula, registry[op.name].rules
    rational = not any(t.body.atoms(sympy.Function) or op.name in ("power", "sqrt") for t in formula.terms)
    for seed, given in itertools.product(range(3), parameters(op)):
        arrays = integers(op, seed) if rational else numbers(op, seed)
        held = {n: a if n in ("k", "c") or not rational else exact(a) for n, a in arrays.items()}
        operands = {name: held[name] for name in op.operands}
        shape = tuple(SIZES[n] for n in indices(op, "y"))
        with np.errstate(all="raise"):
            y, gradients = called(op, held, given)
        want = {"y": formula(**operands, **given)}
        for name, rule in rules.items():
            read = {n: a for n, a in held.items() if n in rule.operands}
            values = {n: v for n, v in given.items() if n in rule.parameters}
            want[name] = rule(**read, **values, sizes={rule.output: operands[name].shape})
        for name, have in {"y": np.reshape(y, shape), **gradients}.items():
            same = np.shape(have) == want[name].shape
            if same and rational:
                same = np.array_equal(have, want[name])
            elif same:
                same = np.allclose(have.astype(float), want[name].astype(float), rtol=1e-12, atol=0)
            if not same:
                yield f"{op.name} by {name} is {have} and not {want[name]}, with {given}"


@pytest.mark.parametrize("name", RULES)
def test_every_function_computes_its_formula(name):
    assert list(complaints(RULES[name])) == []


def slopes(op, arrays, given, towards):
    """The sum of dy times y along a line through the operands, differentiated by a central difference."""
    ends = []
    for side in (STEP, -STEP):
        moved = {name: a + side * towards[name] if name in towards else a for name, a in arrays.items()}
        y, _ = called(op, moved, given)
        ends.append(np.sum(np.reshape(y, arrays["dy"].shape) * arrays["dy"]))
    return (ends[0] - ends[1]) / (2 * STEP)


def misses(op):
    """How far the gradients are from central differences, which no derivation takes part in."""
    found = [0.0]
    for given in parameters(op):
        arrays = numbers(op)
        arrays |= {name: np.abs(arrays[name]) for name in op.operands if op.name == "pow"}
        _, gradients = called(op, arrays, given)
        for name, gradient in gradients.items():
            towards = {name: np.random.default_rng(1).uniform(-1, 1, arrays[name].shape)}
            slope = slopes(op, arrays, given, towards)
            found.append(abs(slope - np.sum(gradient * towards[name])) / (1 + abs(slope)))
    return max(found)


@pytest.mark.parametrize("name", RULES)
def test_every_gradient_is_the_slope(name):
    assert misses(RULES[name]) < 1e-7


def changed(name, operand, function):
    op = RULES[name]
    return replace(op, backward={**op.backward, operand: function})


MUTANTS = {
    "sign": changed("sub", "b", lambda ops, dy: dy),
    "operand": changed("mul", "b", lambda ops, dy, a: dy * (a + 1)),
    "value": changed("exp", "x", lambda ops, dy, y: dy * (1 + y)),
    "count": changed("mean", "x", lambda ops, dy, axis, x_shape: np.broadcast_to(dy / x_shape[0], x_shape)),
    "turned": changed("matmul", "b", lambda ops, dy, a: np.matmul(a.swapaxes(-1, -2), -dy)),
    "power": changed("pow", "x", lambda ops, dy, x, p: p * dy * x**p),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_function_is_seen(name):
    assert list(complaints(MUTANTS[name]))
    assert misses(MUTANTS[name]) > 1e-3


@pytest.mark.parametrize(
    ("name", "operand", "function"),
    [
        ("relu", "x", lambda ops, dy, x: np.where(x >= 0, dy, 0)),
        ("abs", "x", lambda ops, dy, x: dy * np.sign(x)),
        ("maximum", "a", lambda ops, dy, a, b: np.where(a > b, dy, 0)),
        ("clip", "x", lambda ops, dy, x, low, high: np.where((x > low) & (x < high), dy, 0)),
    ],
)
def test_another_value_at_a_kink_is_seen_by_the_formula(name, operand, function):
    assert list(complaints(changed(name, operand, function)))


# ------------------------------------------------------------------------------------------------ one-sided values


@pytest.mark.parametrize(
    ("name", "values", "slope"),
    [
        ("relu", {"x": 0.0}, {"x": 0}),
        ("leaky_relu", {"x": 0.0, "slope": 0.5}, {"x": 0.5}),
        ("elu", {"x": 0.0, "alpha": 0.5, "y": 0.0}, {"x": 0.5}),
        ("abs", {"x": 0.0}, {"x": 1}),
        ("maximum", {"a": 2.0, "b": 2.0}, {"a": 1, "b": 0}),
        ("minimum", {"a": 2.0, "b": 2.0}, {"a": 1, "b": 0}),
        ("clip", {"x": -1.0, "low": -1, "high": 1}, {"x": 1}),
        ("clip", {"x": 1.0, "low": -1, "high": 1}, {"x": 1}),
        ("pow", {"x": 0.0, "p": 2}, {"x": 0}),
        ("pow", {"x": 0.0, "p": 1}, {"x": 1}),
        ("pow", {"x": 0.0, "p": 0}, {"x": 0}),
    ],
)
def test_the_stated_one_sided_values(name, values, slope):
    op = RULES[name]
    held = {n: np.array([v]) if isinstance(v, float) else v for n, v in values.items()}
    with np.errstate(all="raise"):
        found = {n: f(NUMPY, np.array([1.0]), *(held[r] for r in op.reads[n])) for n, f in op.backward.items()}
    assert {n: g.tolist() for n, g in found.items()} == {n: [g] for n, g in slope.items()}


@pytest.mark.parametrize(("name", "pairwise", "find"), [("max", "maximum", np.argmax), ("min", "minimum", np.argmin)])
def test_the_extreme_element_is_the_fold_of_the_extreme_of_two(name, pairwise, find):
    """Ties included: what `max` gives to its elements is what `maximum`, applied to one after another, gives."""
    two, dy = RULES[pairwise], np.array([[1.0]])
    for values in itertools.product((0.0, 1.0, 2.0), repeat=4):
        x = np.array([values])
        y, gradients = called(RULES[name], {"x": x, "k": find(x, 1, keepdims=True), "dy": dy}, {})
        partial = [x[:, :1]]
        for place in range(1, x.shape[1]):
            partial.append(two.forward(np, partial[-1], x[:, place : place + 1]))
        want, g = np.zeros_like(x), dy
        for place in reversed(range(1, x.shape[1])):
            a, b = partial[place - 1], x[:, place : place + 1]
            want[:, place : place + 1] = two.backward["b"](np, g, a, b)
            g = two.backward["a"](np, g, a, b)
        want[:, :1] = g
        assert np.array_equal(y, partial[-1])
        assert np.array_equal(gradients["x"], want)


def test_the_last_of_equal_elements_is_another_rule():
    x = np.array([[1.0, 1.0]])
    _, gradients = called(RULES["max"], {"x": x, "k": np.array([[1]]), "dy": np.array([[1.0]])}, {})
    assert gradients["x"].tolist() == [[0, 1]]


# ----------------------------------------------------------------------------------------------------- the table


def table_complaints(rules):
    """What the table says of an op that its functions do not."""
    for name, op in rules.items():
        source = registry[name]
        parts = (op.name, op.formula, op.operands, op.parameters)
        if parts != (name, source.formula.text, source.formula.operands, source.formula.parameters):
            yield f"{name}: {parts}"
        if {n: str(rule) for n, rule in source.rules.items()} != dict(op.rules):
            yield f"{name}: rules {op.rules}"
        takes = ["ops", *op.operands, *op.parameters, *(["axis"] if op.reduced else [])]
        if list(inspect.signature(op.forward).parameters) != takes:
            yield f"{name}: takes {takes}"
        for operand, function in op.backward.items():
            if list(inspect.signature(function).parameters) != ["ops", "dy", *op.reads[operand]]:
                yield f"{name} by {operand} reads {op.reads[operand]}"
        if set(op.code) != {"y", *op.backward} or set(op.reads) != set(op.backward):
            yield f"{name}: has not the same operands everywhere"


def test_the_table_is_what_the_registry_and_the_functions_say():
    assert set(RULES) == {name for name, op in registry.items() if op.whole}
    assert list(table_complaints(RULES)) == []


def test_a_wrong_entry_is_seen():
    op = RULES["mul"]
    assert len(list(table_complaints({"mul": replace(op, reads={"a": ("a",), "b": ("a",)})}))) == 1
    assert len(list(table_complaints({"mul": replace(op, operands=("b", "a"))}))) == 2
    assert len(list(table_complaints({"mul": replace(op, rules={**op.rules, "a": "da[i] += dy[i]*a[i]"})}))) == 1


def test_functions_broadcast():
    a, b = np.arange(6.0).reshape(2, 1, 3), np.arange(1.0, 5).reshape(4, 1)
    y = RULES["div"].forward(np, a, b)
    dy = np.ones(y.shape)
    assert y.shape == RULES["div"].backward["b"](np, dy, b, y).shape == (2, 4, 3)
    assert RULES["sum"].forward(np, y, (0, 2)).shape == (1, 4, 1)
    spread = RULES["mean"].backward["x"](np, np.full((1, 4, 1), 6), (0, 2), (2, 4, 3))
    assert np.array_equal(spread, np.ones((2, 4, 3)))
    assert arrayop.count((2, 4, 3), (0, 2)) == 6
    assert RULES["matmul"].forward(np, np.ones((5, 1, 2, 3)), np.ones((4, 3, 6))).shape == (5, 4, 2, 6)


def test_the_rules_load_no_sympy():
    program = "import sys; from convsym.autograd._rules import RULES; assert 'sympy' not in sys.modules and RULES"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# ------------------------------------------------------------------------------------------- the world of arrays


def unlike_numpy(where):
    """Where a `where` is not NumPy's, byte for byte."""
    random = np.random.default_rng(0)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.5])
    for dtype, order in itertools.product(("f4", "f8", ">f8", "f2", "i4"), ("C", "F")):
        values = random.choice(odd, (6, 5)) if dtype != "i4" else random.integers(-9, 9, (6, 5))
        yes = values.astype(dtype, order=order)
        condition = random.random((6, 5)) < 0.5
        cases = {"": (condition, yes), "views": (condition[::-2], yes[1::2]), "turned": (condition.T, yes.T)}
        cases |= {"row": (condition, yes[0]), "column": (condition[:, :1], yes)}
        cases |= {"numbers": (condition[0, 0], yes[0, 0]), "none": (condition[:0], yes[:0])}
        cases["one"] = (np.bool_(True), np.asarray(yes[0, 0]))
        for name, (chosen, values) in cases.items():
            for no in (0, 0.0, 1, values, False):
                have, want = where(chosen, values, no), np.where(chosen, values, no)
                if (have.shape, have.tobytes()) != (want.shape, want.astype(have.dtype).tobytes()):
                    yield f"{name} {dtype} {order} {no}: {have} instead of {want}"


@pytest.mark.filterwarnings("ignore")
def test_the_fast_where_is_numpys():
    assert list(unlike_numpy(arrays.where)) == []
    assert arrays.where(np.ones(3, bool), np.ones(3, "f4"), 0).dtype == np.float32
    assert arrays.log is np.log
    with pytest.raises(AttributeError, match="no_such_function"):
        _ = arrays.no_such_function


def unlike_numpys(functions):
    """Which functions of short arrays are not NumPy's, for arrays of several shapes."""
    random = np.random.default_rng(2)
    for shape in ((), (1,), (5,), (4, 3), (3, 1), (2, 3, 4), (0, 3)):
        x = random.standard_normal(shape)
        for axes in (None, (), *((axis,) for axis in range(len(shape))), tuple(range(len(shape)))):
            if not np.array_equal(functions.sum(x, axes, True), np.sum(x, axes, keepdims=True)):
                yield f"sum {shape} {axes}"
        for full in ((2, *shape), (2000, 3, *shape), shape):
            have, want = functions.broadcast_to(x, full), np.broadcast_to(x, full)
            if have.shape != want.shape or not np.array_equal(have, want):
                yield f"broadcast_to {shape} {full}"
        for axis in range(len(shape) if x.size else 0):
            k = random.integers(0, shape[axis], [1 if a == axis else n for a, n in enumerate(shape)])
            if not np.array_equal(functions.take_along_axis(x, k, axis), np.take_along_axis(x, k, axis)):
                yield f"take_along_axis {shape} {axis}"
        if len(shape) > 1 and functions.swapaxes(x, 0, -1).shape != x.swapaxes(0, -1).shape:
            yield f"swapaxes {shape}"


def test_functions_that_start_sooner_are_numpys():
    assert list(unlike_numpys(arrays)) == []


def test_a_row_that_is_picked_from_the_one_beside_is_found(monkeypatch):
    """The mutant: places counted from the last row."""
    right = arrays.take_along_axis
    monkeypatch.setattr(arrays, "take_along_axis", lambda x, k, axis: right(x[::-1], k, axis))
    assert any("take_along_axis" in line for line in unlike_numpys(arrays))


def test_a_sigmoid_far_from_zero_warns_of_nothing():
    x = np.array([-1000.0, 0, 1000])
    with np.errstate(all="raise", under="ignore"):
        assert RULES["sigmoid"].forward(arrays, x).tolist() == [0, 0.5, 1]
        with pytest.raises(FloatingPointError):
            RULES["sigmoid"].forward(np, x)


def unlike_numpy_in_blocks(where, maximum, threads, where_positive=arrays.where_positive):
    """Which functions of long arrays are not NumPy's, for any number of threads."""
    random = np.random.default_rng(1)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.5, -2.5])
    for dtype, size, count in itertools.product("fd", (arrays.BLOCK, 5 * arrays.BLOCK + 7), (1, 3)):
        threads(count)
        values, condition = random.choice(odd, size).astype(dtype), random.random(size) < 0.5
        if where(condition, values, 0).tobytes() != np.where(condition, values, values.dtype.type(0)).tobytes():
            yield "where"
        if not np.array_equal(maximum(values, 0), np.maximum(values, 0), equal_nan=True):
            yield "maximum"
        signs = random.permutation(values)
        for x, yes in ((signs, values), (signs.reshape(-1, 1), values[:, None]), (signs[::2], values[::2])):
            want = np.where(x > 0, yes, values.dtype.type(0))
            if where_positive(x, yes).tobytes() != want.tobytes():
                yield "where_positive"


def test_long_arrays_are_numpys_too(threads):
    assert list(unlike_numpy_in_blocks(arrays.where, arrays.maximum, threads)) == []


def test_what_drops_a_number_or_keeps_a_nan_from_a_block_is_found(threads):
    def where(condition, yes, no):
        return arrays.where(condition, np.nan_to_num(yes), no)

    def where_positive(x, yes):
        return arrays.where(x >= 0, yes, 0)

    found = set(unlike_numpy_in_blocks(where, lambda a, b: np.where(a > b, a, b), threads, where_positive))
    assert found == {"where", "maximum", "where_positive"}


@pytest.mark.filterwarnings("ignore")
def test_a_product_is_another_where():
    assert list(unlike_numpy(lambda c, yes, no: yes * c if type(no) is int and no == 0 else np.where(c, yes, no)))


# ------------------------------------------------------------------------------- formulas on whole arrays, in general


def evaluated(expr, values):
    """Number of a merged expression of the symbols a, b, c."""
    functions = {"where": lambda c, yes, no: yes if c else no, "maximum": max, "minimum": min, "abs": abs}
    return sympy.lambdify(sympy.symbols("a b c"), expr, [functions, "math"])(*values)


A, B, C = sympy.symbols("a b c")
CASES = [
    [((A >= B,), A), ((A < B,), B)],
    [((A <= B,), A), ((A > B,), B)],
    [((A > B,), B), ((A <= B,), A)],
    [((A >= 0,), A), ((A < 0,), -A)],
    [((A <= 0,), -A), ((A > 0,), A)],
    [((A > 0,), A)],
    [((A > 0,), A * C), ((A <= 0,), B * A)],
    [((A >= B, A <= C), A), ((A >= B, A > C), C), ((A < B, B <= C), B), ((A < B, B > C), C)],
    [((A >= B, A <= C), C)],
    [((A > B,), C), ((A <= B,), A)],
    [((A > B,), A), ((B > C,), B)],
    [((), A), ((A > B,), B)],
    [((sympy.Eq(A, 0),), 1), ((sympy.Ne(A, 0),), B**2 * A + 1)],
    [((sympy.Ne(A, B),), C)],
]


def differences(cases, expr):
    """Where a merged expression is not the sum of the cases that hold."""
    for values in itertools.product((-2, -1, 0, 1, 2), repeat=3):
        known = dict(zip((A, B, C), values, strict=True))
        want = sum(sympy.sympify(v).xreplace(known) for guard, v in cases if all(c.xreplace(known) for c in guard))
        if evaluated(expr, values) != want:
            yield values, want


@pytest.mark.parametrize("cases", CASES, ids=str)
def test_merged_cases_are_the_cases(cases):
    assert list(differences(cases, merged([(frozenset(guard), sympy.sympify(v)) for guard, v in cases]))) == []


def test_other_cases_are_seen():
    for cases, wrong in zip(CASES, (B, A, C, -A, A, 0, A * C, A, A, C, A, A, 1, C), strict=True):
        assert list(differences(cases, sympy.sympify(wrong)))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("y[i] = maximum(a[i], b[i])", "ops.maximum(a, b)"),
        ("y[i] = minimum(maximum(x[i], low), 6*b[i])", "ops.minimum(ops.maximum(x, low), 6*b)"),
        ("y[i] = exp(minimum(x[i], 0))", "ops.exp(ops.minimum(x, 0))"),
        ("y[i] = abs(a[i] - 1)", "ops.where(a - 1 >= 0, a - 1, 1 - a)"),
        ("y[i] = where(a[i] > 0 and not b[i] == 1, a[i], 0)", "ops.where((a > 0) & (b != 1), a, 0)"),
        ("y[i] = where(a[i] > 0 or b[i] > 0, a[i], 0)", "ops.where((a > 0) | (b > 0), a, 0)"),
        ("y[i] = x[i]**p/sqrt(z[i])", "x**p/ops.sqrt(z)"),
        ("y[n] += x[n, i]*w[n]", "ops.sum(x, axis=axis, keepdims=True)*w"),
    ],
)
def test_text_of_whole_arrays(text, code):
    assert whole(Formula(text)).text == code


@pytest.mark.parametrize(
    ("text", "wrt", "code"),
    [
        ("y[i] = tanh(x[i])", "x", "dy*(1 - y**2)"),
        ("y[i] = 1/(1 + exp(-x[i]))", "x", "dy*(1 - y)*y"),
        ("y[i] = x[i]**p", "x", "p*dy*x**(p - 1)"),
        ("y[i] = a[i]/b[i]", "b", "-dy*y/b"),
        ("y[i] = sqrt(x[i])", "x", "dy/2/y"),
    ],
)
def test_the_result_is_read_where_that_is_cheaper_and_divides_by_nothing_new(text, wrt, code):
    formula = Formula(text)
    assert whole(vjp(formula, wrt), formula).text == code


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("y[o] += x[2*o + r]*w[r]", "has a subscript that is no bare index, so loops are needed"),
        ("y[i, j] += a[k, i]*b[k, j, i]", "is no product of two matrices"),
    ],
)
def test_what_needs_loops_is_refused(text, sentence):
    with pytest.raises(KernelError, match=sentence):
        whole(Formula(text))


def test_the_text_does_not_depend_on_the_order_of_the_registry():
    chosen = [registry[name] for name in ("clip", "pow", "sigmoid", "conv2d", "matmul")]
    text = gradients_text(chosen)
    for op in chosen:
        op.__dict__.pop("rules", None)
    assert gradients_text(chosen) == text
    assert "conv2d" not in text
