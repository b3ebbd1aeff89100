"""The whole registry, whatever it holds: an op that is not described, not proved or not exactly computed fails here."""

import re
from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
import registered

from convsym import Formula, kernels, prove
from convsym.derivation import Rule
from convsym.elimination import gather
from convsym.enumeration import difference, evaluate_rule, geometries
from convsym.kernels import levels
from convsym.kernels._generated import rules
from convsym.kernels._generated.rules import KERNELS
from convsym.ops import registry

DTYPES = ("float32", "float64")
BUDGET = 300.0  # far above what a slow machine needs
SMALL = 60  # geometries of each comparison


def complaints(op, run=kernels.run):
    """Everything that is wrong with an op, each as one line."""
    return [*_text(op), *_rules(op), *_kernels(op, run)]


def _text(op):
    """The description, and that formulas and rules read back as what they are."""
    if len(op.doc.split()) < 5:
        yield f"{op.name} is not described"
    if not set(op.differentiable) <= set(op.formula.operands) or not op.rules:
        yield f"{op.name} has no rules, or rules for what it does not read"
    for name, formula in {"formula": op.formula, **op.rules}.items():
        for form in (formula, formula.gather, formula.scatter) if isinstance(formula, Rule) else (formula,):
            if Formula(str(form)) != form:
                yield f"{op.name}, {name}: {form} reads back as {Formula(str(form))}"


def _rules(op):
    """Both forms of every rule against the Jacobian of the formula, and the proof."""
    for wrt, rule in op.rules.items():
        for geometry in islice(geometries(op.formula), SMALL):
            found = difference(rule, op.formula, wrt, geometry)
            forms = [evaluate_rule(form, op.formula, wrt, geometry).tolist() for form in (rule.scatter, rule.gather)]
            if found or forms[0] != forms[1]:
                yield f"{op.name} by {wrt} is wrong at {geometry}: {found}, scatter and gather {forms}"
                break
        proof = prove(rule, budget=BUDGET)
        if proof.status != "proved":
            yield f"{op.name} by {wrt} is {proof.status}: {proof.reason}"


def _kernels(op, run):
    """Every kernel against the exact reference on integers, as bytes; an op without a lane has none."""
    rules = {op.formula.output: op.grouped, **{rule.output: rule for rule in op.grouped_rules.values()}}
    if op.lane is None:
        yield from (f"{op.name} has no lane, but a kernel" for result in rules if f"{op.name}_{result}" in KERNELS)
        return
    for result, rule in rules.items():
        name = f"{op.name}_{result}"
        if name not in KERNELS:
            yield f"{name} is not compiled"
            continue
        yield from islice((f"{name} differs from the reference at {geometry}, {dtype}"
                           for geometry in _spread(op.grouped) for dtype in DTYPES
                           if not _same_bits(run, name, rule, geometry, dtype)), 1)  # fmt: skip


def _spread(formula):
    """Geometries out of all small ones, evenly spread."""
    found = [each for each in geometries(formula) if all(np.prod(s, dtype=int) for s in each.shapes.values())]
    return found[:: len(found) // SMALL + 1]


def _same_bits(run, name, rule, geometry, dtype):
    """One kernel call and one exact evaluation, on the same integers."""
    shapes = {**geometry.shapes, **{f"d{array}": shape for array, shape in geometry.shapes.items()}}
    random = np.random.default_rng(sum(map(ord, repr(geometry))))
    operands = {each: random.integers(-9, 10, shapes[each]) for each in rule.operands}
    want = rule(**operands, **geometry.parameters, sizes={rule.output: shapes[rule.output]})
    out = np.zeros(shapes[rule.output], dtype)
    run(name, out, {each: array.astype(dtype) for each, array in operands.items()}, geometry.parameters)
    return out.tobytes() == want.astype(dtype).tobytes()


@pytest.mark.parametrize("name", registered.names())
def test_every_op(name):
    pytest.importorskip("z3")
    assert complaints(registry[name]) == []


@pytest.mark.parametrize("level", levels.usable())
@pytest.mark.parametrize("name", [name for name, op in registry.items() if op.lane and op.leveled])
def test_every_kernel_on_every_level(name, level):
    with kernels.using(level):
        assert list(_kernels(registry[name], kernels.run)) == []


def test_an_op_without_description_is_seen():
    assert list(_text(replace(registry["bias"], doc="Bias.")))


@pytest.mark.parametrize(
    "wrong",
    [
        "dx[n, c, i0] += where((i0 + padding0 - dilation0*r0) % stride0 == 0,"
        " -dy[n, k, (i0 + padding0 - dilation0*r0)//stride0]*w[k, c, r0], 0)",
        "dx[n, c, i0] += where((i0 + padding0 - dilation0*r0) % stride0 == 0,"
        " dy[n, k, (i0 + padding0 - dilation0*r0)//stride0 + 1]*w[k, c, r0], 0)",
        "dx[n, c, i0] += where((i0 + padding0 - stride0*r0) % dilation0 == 0,"
        " dy[n, k, (i0 + padding0 - stride0*r0)//dilation0]*w[k, c, r0], 0)",
    ],
    ids=["sign", "off by one", "stride and dilation swapped"],
)
def test_a_wrong_rule_is_seen(wrong):
    pytest.importorskip("z3")
    op = replace(registry["conv1d"])
    right = op.rules["x"]
    op.rules["x"] = Rule(Formula(wrong), op.formula, "x", right.steps, right.scatter)
    found = list(_rules(op))
    assert next(line.partition(" at ")[0] for line in found) == "conv1d by x is wrong"
    assert any("refuted" in line for line in found)


def test_a_wrong_kernel_is_seen():
    def one_off(name, out, operands, parameters):
        kernels.run(name, out, operands, parameters)
        out.flat[-1] += 1

    assert [line.split()[0] for line in _kernels(registry["conv1d"], one_off)] == ["conv1d_y", "conv1d_dx", "conv1d_dw"]


def test_an_op_whose_kernels_are_missing_is_seen():
    fresh = replace(registry["matvec"], lane="j")
    assert list(_kernels(fresh, kernels.run)) == [f"matvec_{result} is not compiled" for result in ("y", "dA", "dx")]


# ---------------------------------------------------------------------------------------- one convolution, three ops


def renamed(formula, change):
    """A formula with other names; those of several axes keep the axis."""

    def word(found):
        return change.get(found[1], found[1]) + found[2]

    return Formula(re.sub(r"\b([a-z_]+)(\d*)\b", word, str(formula)))


# The rule of `conv` that each result of `conv_transpose` is: what its arrays and indices are called there.
TRANSPOSED = {
    "y": ("dx", {"dx": "y", "dy": "x", "k": "c", "c": "k", "o": "i"}),
    "dx": ("y", {"y": "dx", "x": "dy", "k": "c", "c": "k", "o": "i"}),
    "dw": ("dw", {"dy": "x", "x": "dy", "k": "c", "c": "k", "o": "i"}),
}


def transposed(rank, result, grouped):
    """A result of conv_transpose, and the rule of conv that computes it, in its names."""
    forward, backward = ([op.grouped, *op.grouped_rules.values()] if grouped else [op.formula, *op.rules.values()]
                         for op in (registry[f"conv_transpose{rank}d"], registry[f"conv{rank}d"]))  # fmt: skip
    own = next(f for f in forward if f.output == result)
    name, change = TRANSPOSED[result]
    served = next(f for f in backward if f.output == name)
    return own, served.scatter if isinstance(served, Rule) else served, change


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("result", TRANSPOSED)
@pytest.mark.parametrize("rank", range(1, 6))
def test_a_transposed_convolution_is_a_rule_of_convolution(rank, result, grouped):
    own, served, change = transposed(rank, result, grouped)
    own = own.scatter if isinstance(own, Rule) else own
    assert renamed(served, change) == own
    assert renamed(served, change | {"stride": "dilation", "dilation": "stride"}) != own


@pytest.mark.parametrize("rank", range(1, 6))
def test_a_transposed_convolution_gathers_as_the_rule_of_convolution(rank):
    """δ-elimination on the forward formula gives the text that conv's kernels are printed from."""
    own, _, change = transposed(rank, "y", True)
    served = registry[f"conv{rank}d"].grouped_rules["x"].gather
    gathered = gather(own, range(own.rank("y")), "x")
    name = gathered.terms[0].target[-1].name.rstrip("0123456789")
    assert renamed(served, {**change, "i": name}) == gathered


def test_the_size_of_a_transposed_convolution_is_that_of_the_theorem():
    formula = registry["conv_transpose1d"].formula
    for inputs, taps, stride, dilation, low in product(range(1, 4), range(1, 4), range(1, 4), range(1, 3), range(3)):
        least = rules.transposed_size(inputs, taps, stride, dilation, low, low)
        shapes = {"x": (1, 1, inputs), "w": (1, 1, taps)}
        found = formula.shape(shapes, stride0=stride, dilation0=dilation, padding0=low)
        assert found == (1, 1, max(0, least))
        for more in range(stride):
            assert least < 1 or rules.output_size(least + more, taps, stride, dilation, low, low) == inputs
    assert formula.shape({"x": (1, 1, 3), "w": (1, 1, 2)}, stride0=2, padding0=-1) == (1, 1, 8)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_convolution_is_the_product_of_windows_and_kernel(rank):
    rng = np.random.default_rng(rank)
    x = rng.integers(-9, 10, (2, 2, *(4 + rank - axis for axis in range(rank))))
    w = rng.integers(-9, 10, (3, 2, *(2,) * rank))
    knobs = {f"{name}{axis}": value for axis in range(rank)
             for name, value in (("stride", 1 + axis % 2), ("dilation", 2 - axis % 2), ("padding", axis))}  # fmt: skip
    windows = registry[f"unfold{rank}d"].formula(x=x, **knobs, **{f"kernel_size{axis}": 2 for axis in range(rank)})
    axes = tuple(range(2, 2 + rank))
    product_ = np.tensordot(w, windows, ((1, *axes), (1, *axes)))  # k, n, o…
    assert np.array_equal(np.moveaxis(product_, 0, 1), registry[f"conv{rank}d"].formula(x=x, w=w, **knobs))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_mean_is_the_sum_of_a_window_by_its_size(rank):
    x = np.random.default_rng(rank).integers(-9, 10, (1, 2, *(3 + axis for axis in range(rank))))
    knobs = {f"{name}{axis}": value for axis in range(rank)
             for name, value in (("stride", 1 + axis), ("padding", 1), ("kernel_size", 2 + axis % 2))}  # fmt: skip
    windows = registry[f"unfold{rank}d"].formula(x=x, **knobs)
    sizes = windows.shape[2 : 2 + rank]
    means = registry[f"avg_pool{rank}d"].formula(x=x, **knobs)
    assert np.array_equal(means * int(np.prod(sizes)), windows.sum(tuple(range(2, 2 + rank))))
    assert len(set(sizes)) == min(rank, 2)
