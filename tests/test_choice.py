"""The choice of an algorithm: what it depends on, what is said of it, and that every algorithm keeps its bound.

Through the public functions; the algorithms themselves are tested in test_tiles, test_fast_winograd and test_fourier.
"""

from dataclasses import replace
from itertools import product
from random import Random

import numpy as np
import pytest
from exact import bits

import convsym
from convsym import conv, conv_transpose, error_bound, explain, grad, kernels
from convsym.arguments import Parameters
from convsym.bench.layers import load, set_names
from convsym.choice import ALGORITHMS, Choice, choose
from convsym.kernels import levels
from convsym.meaning import resolve

RESULTS = {"y": "output", "dx": "input", "dw": "weight"}
KINDS = {"y": "", "dx": "_input", "dw": "_weight"}
NORMS = {"direct": "absolute products", "winograd": "largest magnitudes", "fft": "norms of both blocks"}


def layers(*names):
    for name in names or set_names():
        for layer in load(name).layers:
            parameters = Parameters(layer.stride, layer.padding, layer.dilation, layer.groups)
            yield layer, resolve(layer.rank, layer.input, layer.weight, parameters)


# Shapes of x and w for which an algorithm is chosen on every CPU level.
CHOSEN = {"winograd": ((5, 128, 30, 30), (128, 128, 3, 3)), "fft": ((3, 2, 300, 300), (2, 2, 63, 63))}


# ------------------------------------------------------------------------------------------------ what it depends on


def by_batch(choosing):
    """Layers and rules for which the choice is another one in another batch."""
    for layer, geometry in layers():
        for result, level in product(RESULTS, levels.usable()):
            made = {choosing(replace(geometry, batch=n), result, np.dtype(layer.dtype), level) for n in (1, 3, 128)}
            if len(made) > 1:
                yield layer.name, result, level


def by_auto(geometry, result, dtype, level):
    return choose(geometry, result, dtype, "auto", level)


def test_the_choice_depends_on_no_batch():
    assert list(by_batch(by_auto)) == []


def test_a_choice_that_sees_the_batch_would_be_found():
    def mutant(geometry, *others):
        return Choice("direct", "") if geometry.batch * geometry.outputs[0] > 5000 else by_auto(geometry, *others)

    assert list(by_batch(mutant))


def test_the_choice_depends_on_no_threads():
    for layer, _ in layers("quick"):
        plans = []
        for count in (1, 2, 8):
            with convsym.threads(count):
                plans.append(explanation(layer, "y").plan)
        assert plans[0] == plans[1] == plans[2]


@pytest.mark.parametrize("algorithm", ["auto", "direct", "winograd", "fft"])
def test_the_plan_depends_on_no_value(algorithm):
    x, w = np.ones((1, 32, 30, 30), "f"), np.ones((32, 32, 3, 3), "f")
    made = [explain("conv2d", a, b, algorithm=algorithm).plan for a, b in ((x, w), (x * np.nan, w), (-x, 0 * w))]
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("name", CHOSEN)
def test_every_algorithm_is_chosen_somewhere(name):
    for level in levels.usable():
        with kernels.using(level):
            assert explain("conv2d", *CHOSEN[name]).plan.algorithm == name


@pytest.mark.parametrize(("shape", "dtype", "knobs"), [
    ((1, 64, 28, 28), "i4", {}), ((1, 64, 28, 28), "D", {}), ((1, 64, 28, 28), "e", {}),
    ((1, 64, 28, 28), "f", {"input_dilation": 2}), ((1, 2, 6, 6), "f", {}),
])  # fmt: skip
def test_what_nothing_else_is_for_is_done_directly(shape, dtype, knobs):
    made = explain("conv2d", shape, (shape[1], shape[1], 3, 3), dtype=dtype, **knobs)
    assert made.plan.algorithm == "direct"
    assert bool(made.error_factor) == (np.dtype(dtype).kind in "fc")


@pytest.mark.parametrize("algorithm", ["auto", "direct", "winograd", "fft"])
def test_nothing_is_computed_of_an_empty_batch(algorithm):
    x, w = np.zeros((0, 128, 30, 30), "f"), np.ones((128, 128, 3, 3), "f")
    own = {"algorithm": algorithm}
    explain("conv2d", x, w, **own)
    assert conv(x, w, **own).shape == (0, 128, 28, 28)
    assert not grad.conv_weight(x, w.shape, conv(x, w, **own), **own).any()
    assert grad.conv_input(x.shape, w, conv(x, w, **own), **own).shape == x.shape


# ------------------------------------------------------------------------------------------------------ what is said


def explanation(layer, result, algorithm="auto"):
    return explain(
        f"conv{layer.rank}d{KINDS[result]}",
        *(layer.input, layer.weight, layer.stride, layer.padding, layer.dilation, layer.groups),
        dtype=layer.dtype,
        algorithm=algorithm,
    )


def check_said(layer, result, algorithm="auto"):
    """An explanation prints algorithm, reason and bound, and they are those of the call."""
    made = explanation(layer, result, algorithm)
    text, plan = str(made), made.plan
    own = {"dtype": layer.dtype, "algorithm": algorithm, "result": RESULTS[result]}
    knobs = layer.stride, layer.padding, layer.dilation, layer.groups
    assert f"algorithm  {plan.algorithm}: {plan.reason}; level " in text and plan.reason
    assert f"error      at most {made.error_factor:.3g} times" in text and NORMS[plan.algorithm] in text
    assert made.error_factor == error_bound(layer.input, layer.weight, *knobs, **own) > 0
    assert f"workspace  {plan.workspace:,} bytes" in text
    return plan.algorithm


def test_algorithm_reason_and_bound_are_said():
    for (layer, _), result in product(layers("quick", "seeds"), RESULTS):
        check_said(layer, result)


@pytest.mark.slow
def test_algorithm_reason_and_bound_are_said_of_every_layer():
    for (layer, _), result in product(layers(), RESULTS):
        check_said(layer, result)


@pytest.mark.parametrize("algorithm", ["direct", "winograd", "fft"])
def test_what_is_asked_for_is_said(algorithm):
    layer = next(layer for layer, _ in layers("quick") if layer.name.startswith("3x3"))
    for result in RESULTS:
        assert check_said(layer, result, algorithm) == algorithm
        assert explanation(layer, result, algorithm).plan.reason.startswith("asked for")


# -------------------------------------------------------------------------------------------- every bound, every road


def call(seed):
    """Arrays and parameters of one random call, in a dtype that rounds."""
    random, rank = Random(seed), Random(seed).choice([1, 2, 2, 3])
    groups = random.choice([1, 1, 2])
    knobs = {
        "padding": [(random.randint(-1, 2), random.randint(-1, 2)) for _ in range(rank)],
        "groups": groups,
        "padding_mode": random.choice(["zeros", "zeros", "circular", "reflect", "replicate", "symmetric"]),
        "flip": random.choice([True, False]),
    }
    if random.random() < 0.5:
        knobs["stride"] = [random.randint(1, 2) for _ in range(rank)]
        knobs["dilation"] = [random.randint(1, 2) for _ in range(rank)]
        knobs["input_dilation"] = random.choice([1, 2])
    kernel = [3] * rank if seed % 2 and rank < 3 else [random.randint(1, 5) for _ in range(rank)]
    fill, dtype = np.random.default_rng(seed), np.dtype(random.choice("ffdFDe"))
    spatial = [(60, 17, 9)[rank - 1] + random.randrange(9) for _ in range(rank)]
    shapes = (2, 4 * groups, *spatial), (8 * groups, 4, *kernel)
    arrays = [fill.normal(size=shape) for shape in shapes]
    if dtype.kind == "c":
        arrays = [array + 1j * fill.normal(size=array.shape) for array in arrays]
    return *(array.astype(dtype) for array in arrays), knobs


def works(x, w, dy, knobs, algorithm):
    """The three rules by one algorithm, each with the bound of it."""
    own = {**knobs, "algorithm": algorithm}
    bound = {r: error_bound(x, w, grad_output=dy, result=r, **own) for r in RESULTS.values()}
    yield "y", conv(x, w, **own), bound["output"]
    yield "dx", grad.conv_input(x.shape, w, dy, **own), bound["input"]
    yield "dw", grad.conv_weight(x, w.shape, dy, **own), bound["weight"]


def served(x, w, knobs, algorithm):
    try:
        explain(f"conv{w.ndim - 2}d", x, w, algorithm=algorithm, **knobs)
    except convsym.errors.KernelError:
        return False
    return True


def excess(seed, shrink=1):
    """For each algorithm and rule, the largest distance from the direct sum in units of both bounds."""
    x, w, knobs = call(seed)
    y = conv(x, w, algorithm="direct", **knobs)
    dy = np.random.default_rng(seed + 1).normal(size=y.shape).astype(y.dtype)
    direct = list(works(x, w, dy, knobs, "direct"))
    for algorithm in ("auto", "winograd", "fft"):
        if served(x, w, knobs, algorithm):
            for (result, value, bound), (_, exact, own) in zip(works(x, w, dy, knobs, algorithm), direct, strict=True):
                apart = np.abs(value.astype("D") - exact.astype("D"))
                assert np.isfinite(apart).all()
                allowed = (bound + own) / shrink
                yield algorithm, result, float((apart / np.where(apart == 0, 1, allowed)).max(initial=0))


@pytest.mark.parametrize("seed", range(40))
def test_all_algorithms_agree_within_their_bounds(seed):
    assert max(ratio for *_, ratio in excess(seed)) <= 1


def test_the_random_calls_are_served_by_every_algorithm():
    counts = dict.fromkeys(ALGORITHMS, 0)
    for seed in range(40):
        x, w, knobs = call(seed)
        for algorithm in ("winograd", "fft"):
            counts[algorithm] += served(x, w, knobs, algorithm)
    assert counts["winograd"] > 5 and counts["fft"] > 20


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("algorithm", ["auto", "winograd", "fft"])
def test_transposed_convolutions_agree_within_their_bounds(seed, algorithm):
    x, w, knobs = call(seed)
    if x.dtype.kind == "c" or not served(x, w, knobs, algorithm):
        return
    knobs = {name: value for name, value in knobs.items() if name != "input_dilation"}
    y = conv(x, w, **knobs)
    made, exact = (conv_transpose(y, w, algorithm=a, **knobs) for a in (algorithm, "direct"))
    bound = sum(error_bound(y, w, algorithm=a, transposed=True, **knobs) for a in (algorithm, "direct"))
    assert made.dtype == x.dtype
    assert (np.abs(made.astype(float) - exact.astype(float)) <= bound).all()


def test_a_bound_that_is_far_too_small_would_be_found():
    found = {}
    for seed in range(0, 40, 3):
        for algorithm, result, ratio in excess(seed, 1e6):
            found[algorithm, result] = max(ratio, found.get((algorithm, result), 0))
    assert all(ratio > 1 for (algorithm, _), ratio in found.items() if algorithm != "auto")
    assert {algorithm for algorithm, _ in found} == {"auto", "winograd", "fft"}


# A million elements of every result: shapes of x and w for y and dx, and for dw.
MILLION = {
    "direct": (((2, 96, 60, 100), (96, 96, 3, 3)), ((2, 340, 12, 30), (340, 340, 3, 3))),
    "winograd": (((2, 96, 60, 100), (96, 96, 3, 3)), ((2, 340, 12, 30), (340, 340, 3, 3))),
    "fft": (((2, 8, 280, 280), (8, 8, 17, 17)), ((2, 60, 40, 40), (60, 60, 17, 17))),
}
# The same with so few products in a sum that its error is not far below the bound.
FEW = {
    "direct": (((2, 2, 60, 60), (2, 2, 3, 3)), ((2, 64, 2, 2), (64, 64, 3, 3))),
    "winograd": (((2, 1, 20, 20), (1, 1, 3, 3)), ((2, 64, 2, 2), (64, 64, 3, 3))),
    "fft": (((2, 1, 20, 20), (1, 1, 9, 9)), ((2, 16, 8, 8), (16, 16, 9, 9))),
}
DATA = ("normal", "log-uniform", "cancelling")


def filled(kind, result, shapes):
    """x, w and dy of a rule; what cancels are two halves of its sum."""
    fill = np.random.default_rng(0)
    y = resolve(2, *shapes, Parameters(padding=1)).public_shapes["y"]
    x, w, dy = (fill.normal(size=shape) for shape in (*shapes, y))
    if kind == "log-uniform":
        x, w, dy = (np.sign(a) * 10 ** fill.uniform(-8, 8, a.shape) for a in (x, w, dy))
    if kind == "cancelling":
        halves = {
            "y": ((x, np.s_[:, ::2], np.s_[:, 1::2]), (w, np.s_[:, ::2], np.s_[:, 1::2])),
            "dx": ((dy, np.s_[:, ::2], np.s_[:, 1::2]), (w, np.s_[::2], np.s_[1::2])),
            "dw": ((dy, np.s_[:1], np.s_[1:]), (x, np.s_[:1], np.s_[1:])),
        }[result]
        for array, one, other in halves:
            array[other] = array[one]
        halves[1][0][halves[1][2]] *= -1 - 1e-5
    return x, w, dy


def error_and_bound(shapes, algorithm, kind, result):
    """Errors of float32, and what they may be; float64 is exact but for its own bound, which is allowed."""
    x, w, dy = (array.astype("f") for array in filled(kind, result, shapes))
    wide = [array.astype("d") for array in (x, w, dy)]

    def make(x, w, dy, algorithm):
        own = {"padding": 1, "algorithm": algorithm}
        if result == "y":
            return conv(x, w, **own)
        return grad.conv_input(x.shape, w, dy, **own) if result == "dx" else grad.conv_weight(x, w.shape, dy, **own)

    def bound(x, w, dy, algorithm):
        return error_bound(x, w, padding=1, grad_output=dy, result=RESULTS[result], algorithm=algorithm)

    made, exact = make(x, w, dy, algorithm), make(*wide, "direct")
    return np.abs(made - exact), bound(x, w, dy, algorithm), bound(*wide, "direct")


@pytest.mark.slow
@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("algorithm", MILLION)
def test_a_million_elements_are_within_the_bound(algorithm, result, kind):
    error, bound, own = error_and_bound(MILLION[algorithm][result == "dw"], algorithm, kind, result)
    assert error.size >= 10**6
    assert (error <= bound + own).all()


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("algorithm", FEW)
def test_a_bound_a_thousand_times_too_small_would_be_found(algorithm, result):
    found = 0
    for kind in DATA[:2]:
        error, bound, own = error_and_bound(FEW[algorithm][result == "dw"], algorithm, kind, result)
        assert (error <= bound + own).all()
        found += (error > bound / 1000 + own).any()
    assert found


# ----------------------------------------------------------------------------------------------------- batch, threads



@pytest.mark.parametrize("algorithm", CHOSEN)
def test_what_auto_chooses_has_the_same_bits_in_any_batch_and_with_any_threads(algorithm):
    x, w = (np.random.default_rng(0).standard_normal(shape, np.float32) for shape in CHOSEN[algorithm])
    assert explain("conv2d", x, w).plan.algorithm == algorithm
    whole = conv(x, w)
    for start, stop in ((0, 1), (1, 3)):
        assert bits(conv(x[start:stop], w), whole[start:stop]) == 0
    assert bits(conv(x, w, algorithm=algorithm), whole) == 0
    assert bits(conv(x, w, algorithm="direct"), whole) > 0
    for count in (1, 2, 5):
        with convsym.threads(count):
            assert bits(conv(x, w), whole) == 0


SHAPES = [*CHOSEN.values(), ((3, 128, 9, 9), (128, 128, 3, 3)), ((2, 3, 40, 40), (64, 3, 3, 3))]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["", "_input"])
def test_a_plan_has_the_bits_of_the_algorithm_that_it_prints(shapes, kind):
    numbers = np.random.default_rng(0)
    x, w = (numbers.standard_normal(shape, np.float32) for shape in shapes)
    dy = conv(x, w, padding=1)

    def plain(algorithm):
        own = {"padding": 1, "algorithm": algorithm}
        return grad.conv_input(x.shape, w, dy, **own) if kind else conv(x, w, **own)

    auto = explain(f"conv2d{kind}", x.shape, w, padding=1, kept=True).plan
    for asked in ("auto", "direct", "winograd", "fft"):
        if asked == "winograd" and w.shape[2:] != (3, 3):
            continue
        plan = convsym.plan(f"conv2d{kind}", x.shape, w, padding=1, algorithm=asked)
        named = explain(f"conv2d{kind}", x.shape, w, padding=1, algorithm=auto.algorithm).plan
        runs = auto.algorithm if asked == "auto" else asked
        assert f"algorithm  {runs}: " in str(plan)
        same = named.reason.removeprefix("asked for; ").split(" are ")[0] == auto.reason.split(" are ")[0]
        if asked != "auto" or runs != "winograd" or same:  # not with tiles of another size
            assert bits(plan(dy if kind else x), plain(runs)) == 0
