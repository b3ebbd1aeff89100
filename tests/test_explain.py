"""What is said of a call before it is made: workspace, multiply-adds and rounding errors, held against the call."""

import tracemalloc
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from exact import bits

import convsym
from convsym import (
    ShapeError,
    bounds,
    conv,
    conv_transpose,
    error_bound,
    explain,
    get_memory_limit,
    grad,
    plans,
    set_memory_limit,
)
from convsym.arguments import Parameters
from convsym.meaning import resolve

# What Python itself allocates for a call: tuples, views, an iterator or two.
SMALL_CHANGE = 60_000


def call(seed, size=(20_000, 150)):
    """Arrays, parameters and geometry of one random call."""
    random = Random(seed)
    rank = random.choice([1, 2])
    knobs = {
        "stride": [random.randint(1, 2) for _ in range(rank)],
        "padding": [(random.randint(-1, 3), random.randint(-1, 3)) for _ in range(rank)],
        "dilation": [random.randint(1, 2) for _ in range(rank)],
        "groups": random.choice([1, 2]),
        "padding_mode": random.choice(["zeros", "circular", "reflect", "replicate", "symmetric"]),
        "input_dilation": random.choice([1, 1, 2, 3]),
        "flip": random.choice([True, False]),
    }
    fill, dtype = np.random.default_rng(seed), np.dtype(random.choice("fdDFe"))
    spatial = [size[rank - 1] + random.randrange(50) for _ in range(rank)]
    x = fill.normal(size=(2, 2 * knobs["groups"], *spatial)).astype(dtype)
    w = fill.normal(size=(2 * knobs["groups"], 2, *(random.randint(1, 3) for _ in range(rank)))).astype(dtype)
    if random.random() < 0.3:
        x = np.asfortranarray(x)
    geometry = resolve(rank, x.shape, w.shape, Parameters(**knobs))
    return x, w, np.ones(geometry.public_shapes["y"], dtype), knobs, geometry


def works(x, w, dy, knobs):
    """The three rules of a call: the operands, and how it is made."""
    yield "y", {"x": x, "w": w}, lambda: conv(x, w, **knobs)
    yield "dx", {"dy": dy, "w": w}, lambda: grad.conv_input(x.shape, w, dy, **knobs)
    yield "dw", {"dy": dy, "x": x}, lambda: grad.conv_weight(x, w.shape, dy, **knobs)


def excess(seed, promised=plans.workspace):
    """By how many bytes a random call takes more than was said, for each rule."""
    x, w, dy, knobs, geometry = call(seed)
    for result, operands, make in works(x, w, dy, knobs):
        make()  # what is cached is not counted
        tracemalloc.start()
        made = make()
        peak = tracemalloc.get_traced_memory()[1] - made.nbytes
        tracemalloc.stop()
        yield peak - SMALL_CHANGE - 1.05 * promised(geometry, result, operands)


@pytest.mark.parametrize("seed", range(40))
def test_no_call_takes_more_workspace_than_its_plan_says(seed):
    assert max(excess(seed)) <= 0


def test_a_plan_that_says_half_would_be_found():
    assert any(max(excess(seed, lambda *a: plans.workspace(*a) // 2)) > 0 for seed in range(40))


def test_a_contiguous_call_with_zeros_around_needs_nothing():
    made = explain("conv2d", (1, 4, 20, 20), (4, 4, 3, 3))
    assert made.plan.workspace == 0
    assert made.plan.steps == ()


@pytest.mark.parametrize("seed", range(30))
def test_multiply_adds_are_counted_by_the_call_itself(seed):
    x, w, _, knobs, geometry = call(seed, size=(20, 9))
    counted = conv(np.ones(x.shape), np.ones(w.shape), **knobs).sum()
    planned = plans.multiply_adds(geometry)
    # In a mode, the zeros of a dilated input are extended with it and multiplied.
    assert counted <= planned if geometry.is_dilated and geometry.mode != "zeros" else counted == planned


def test_a_plan_counts_products_not_places():
    geometry = resolve(1, (1, 1, 5), (1, 1, 3), Parameters(padding=1))
    assert plans.multiply_adds(geometry) == 13
    assert plans.multiply_adds(replace(geometry, padding=((0, 2),))) == 12


@pytest.mark.parametrize("seed", range(30))
def test_a_small_memory_limit_changes_no_bit(seed):
    x, w, dy, knobs, geometry = call(seed, size=(300, 20))
    whole = [make() for _, _, make in works(x, w, dy, knobs)]
    needed = [plans.workspace(geometry, result, operands) for result, operands, _ in works(x, w, dy, knobs)]
    for number, (_, _, make) in enumerate(works(x, w, dy, knobs)):
        set_memory_limit(max(needed[number] * 3 // 4, 1))
        try:
            assert bits(make(), whole[number]) == 0
        except MemoryError as error:
            assert "raise it with convsym.set_memory_limit" in str(error)
        finally:
            set_memory_limit(None)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("given_room", [False, True], ids=["new", "out"])
def test_a_call_in_slices_keeps_the_limit(seed, given_room):
    x, w, _, knobs, _ = call(seed, size=(4000, 60))
    x, knobs["groups"] = np.concatenate([x[:, :2]] * 8), 1
    w, bias = w[:2], np.arange(2).astype(x.dtype)
    dy = conv(x, w, **knobs)
    rules = {"y": ({"x": x, "w": w}, dy.shape), "dx": ({"dy": dy, "w": w}, x.shape)}
    for result, (operands, shape) in rules.items():
        out = np.empty(shape, x.dtype) if given_room else None
        if result == "y":
            whole, make = conv(x, w, bias, **knobs), lambda out=out: conv(x, w, bias, out=out, **knobs)
        else:
            whole, make = grad.conv_input(x.shape, w, dy, **knobs), lambda out=out: grad.conv_input(
                x.shape, w, dy, out=out, **knobs
            )
        geometry = resolve(w.ndim - 2, x.shape, w.shape, Parameters(**knobs))
        needed, one = (plans.workspace(replace(geometry, batch=n), result, operands) for n in (16, 1))
        for limit in (one + 2 * whole[0].nbytes, needed * 3 // 4):
            set_memory_limit(limit)
            try:
                assert bits(make(), whole) == 0
                tracemalloc.start()
                made = make()
                peak = tracemalloc.get_traced_memory()[1] - (0 if given_room else made.nbytes)
                tracemalloc.stop()
            except MemoryError:
                assert needed * 3 // 4 < one + 2 * whole[0].nbytes
                continue
            finally:
                set_memory_limit(None)
            assert peak - SMALL_CHANGE <= 1.05 * limit


@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "conv_transpose"])
def test_gradients_of_single_samples_are_cut_along_the_samples(transposed):
    fill = np.random.default_rng(0)
    x, w = (fill.integers(-3, 4, shape).astype("e") for shape in ((6, 4, 300), (4, 2, 3)))
    forward, by_weight = (
        (conv_transpose, grad.conv_transpose_weight) if transposed else (conv, grad.conv_weight)
    )
    y = forward(x, w, groups=2)
    whole = by_weight(x, w.shape, y, groups=2, reduce_batch=False)
    set_memory_limit(x.nbytes)
    try:
        assert bits(by_weight(x, w.shape, y, groups=2, reduce_batch=False), whole) == 0
        with pytest.raises(MemoryError, match="this call needs"):
            set_memory_limit(x[0].nbytes // 4)
            by_weight(x, w.shape, y, groups=2, reduce_batch=False)
    finally:
        set_memory_limit(None)


def test_what_cannot_be_cut_is_said_beforehand():
    x, w = np.zeros((1, 1, 1000)), np.zeros((1, 1, 3))
    set_memory_limit(1000)
    try:
        assert get_memory_limit() == 1000
        conv(x, w)
        with pytest.raises(MemoryError, match=r"this call needs [\d,]+ bytes .* and the memory limit is 1,000"):
            conv(x, w, padding=3, padding_mode="circular")
    finally:
        set_memory_limit(None)
    with pytest.raises(ShapeError, match="limit is -1, and it must be at least 0"):
        set_memory_limit(-1)


# ---------------------------------------------------------------------------------------------------- rounding errors


def data(kind, shape, seed):
    fill = np.random.default_rng(seed)
    if kind == "normal":
        return fill.normal(size=shape)
    if kind == "log-uniform":
        return fill.choice([-1, 1], shape) * 10 ** fill.uniform(-12, 12, shape)
    half = fill.normal(size=shape)  # sums that cancel: neighbors of opposite sign, almost equal
    half[..., 1::2] = -half[..., : shape[-1] // 2 * 2 : 2] * (1 + 1e-6)
    return half


def violations(x, w, dy, dtype, bound=error_bound):
    """Outputs and gradient elements whose error is above the bound, and how many were compared."""
    wide = np.longdouble if dtype == "float64" else np.float64
    low = [np.asarray(array, dtype) for array in (x, w, dy)]
    exact = [array.astype(wide) for array in low]
    made = {
        "output": conv(low[0], low[1]),
        "input": grad.conv_input(x.shape, low[1], low[2]),
        "weight": grad.conv_weight(low[0], w.shape, low[2]),
    }
    windows = np.lib.stride_tricks.sliding_window_view(exact[0], w.shape[2:], (2, 3))
    true = {"output": np.einsum("ncijrs,kcrs->nkij", windows, exact[1])}
    true["weight"] = np.einsum("ncijrs,nkij->kcrs", windows, exact[2])
    padded = np.pad(exact[2], ((0, 0), (0, 0), (2, 2), (2, 2)))
    back = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], (2, 3))
    true["input"] = np.einsum("nkijrs,kcrs->ncij", back, exact[1][:, :, ::-1, ::-1])
    wrong = total = 0
    for result, value in made.items():
        allowed = bound(low[0], low[1], grad_output=low[2], result=result)
        wrong += int((np.abs(value.astype(wide) - true[result]) > allowed).sum())
        total += value.size
    return wrong, total


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("kind", ["normal", "log-uniform", "cancelling"])
def test_no_error_is_above_its_bound(kind, dtype):
    scale = 1e-4 if dtype == "float16" and kind == "log-uniform" else 1
    x, w, dy = (data(kind, shape, n) * scale for n, shape in enumerate([(2, 3, 40, 41), (4, 3, 3, 3), (2, 4, 38, 39)]))
    if dtype == "float16" and kind == "log-uniform":
        x, w, dy = (np.sign(a) * np.abs(a) ** 0.1 for a in (x, w, dy))  # its range is small
    wrong, total = violations(x, w, dy, dtype)
    assert wrong == 0
    assert total > 20_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "log-uniform", "cancelling"])
def test_no_error_of_a_million_outputs_is_above_its_bound(kind):
    shapes = [(4, 16, 130, 130), (16, 16, 3, 3), (4, 16, 128, 128)]
    wrong, total = violations(*(data(kind, shape, n) for n, shape in enumerate(shapes)), "float32")
    assert wrong == 0
    assert total > 1_000_000


@pytest.mark.parametrize("knobs", [
    {"stride": 3, "output_padding": 2}, {"padding": 2, "padding_mode": "reflect"}, {"groups": 2, "dilation": 2},
], ids=str)
def test_transposed_convolutions_keep_their_bounds(knobs):
    x, w = data("normal", (2, 4, 30), 0).astype("f"), data("normal", (4, 3, 5), 1).astype("f")
    y = conv_transpose(x, w, **knobs)
    dy = data("normal", y.shape, 2).astype("f")
    made = {
        "output": lambda x, w, dy: conv_transpose(x, w, **knobs),
        "input": lambda x, w, dy: grad.conv_transpose_input(x.shape, w, dy, **knobs),
        "weight": lambda x, w, dy: grad.conv_transpose_weight(x, w.shape, dy, **knobs),
    }
    for result, make in made.items():
        error = np.abs(make(x, w, dy) - make(*(array.astype("d") for array in (x, w, dy))))
        allowed = error_bound(x, w, grad_output=dy, result=result, transposed=True, **knobs)
        assert (error <= allowed).all()
        assert (error > allowed / 2000).any()  # it is no bound of something else
        ones = make(*(np.ones(array.shape) for array in (x, w, dy)))
        factor = error_bound(x.shape, w.shape, result=result, transposed=True, dtype="float32", **knobs)
        kind = "" if result == "output" else f"_{result}"
        assert factor == explain(f"conv_transpose{kind}", x, w, **knobs).error_factor
        assert factor >= ones.max() * 2.0**-24  # one rounding for each product


def test_a_bound_without_its_number_of_terms_would_be_found():
    x, w, dy = (data("normal", shape, n) for n, shape in enumerate([(2, 8, 40, 41), (8, 8, 3, 3), (2, 8, 38, 39)]))

    def short(*arrays, result, **named):
        return error_bound(*arrays, result=result, **named) / 72

    assert violations(x, w, dy, "float32", short)[0] > 0


@pytest.mark.parametrize("seed", range(30))
def test_the_number_of_products_is_counted(seed):
    x, w, dy, knobs, geometry = call(seed, size=(20, 9))
    ones = [np.ones(array.shape) for array in (x, w, dy)]
    most = {result: make().max() for result, _, make in works(*ones, knobs)}
    assert all(most[result] <= bounds.products(geometry, result) for result in most)


def test_complex_numbers_and_exact_dtypes_have_bounds_too():
    fill = np.random.default_rng(3)
    x, w = fill.normal(size=(2, 1, 2, 30)), fill.normal(size=(2, 3, 2, 5))
    low = [np.asarray(a[0] + 1j * a[1], np.complex64) for a in (x, w)]
    exact = conv(*(a.astype(np.complex128) for a in low))
    assert (np.abs(conv(*low) - exact) <= error_bound(*low)).all()
    assert error_bound((1, 2, 30), (3, 2, 5), dtype="int32") == 0
    assert not error_bound(np.ones((1, 2, 30), int), np.ones((3, 2, 5), int)).any()
    assert error_bound((1, 1, 2**26), (1, 1, 2**25), dtype="float32", algorithm="direct") == np.inf


SENTENCES = {
    "op": (lambda: explain("conv9d", (1, 1, 3), (1, 1, 1)), ShapeError, "op='conv9d' is not known; did you mean"),
    "rank": (lambda: explain("conv2d", (1, 1, 3), (1, 1, 1)), ShapeError, "which is one of a 1-d convolution"),
    "no dtype": (
        lambda: explain("conv1d", (1, 1, 3), (1, 1, 1), dtype=bool), TypeError, "dtype is bool, and the dtypes computed"
    ),
    "long double": (
        lambda: error_bound((1, 1, 3), (1, 1, 1), dtype="longdouble"), TypeError, "and the dtypes computed are float16,"
    ),
    "two dtypes": (
        lambda: explain("conv1d", np.ones((1, 1, 3)), np.ones((1, 1, 1), "f")),
        TypeError,
        "input is float64 but weight is float32, and dtypes are not mixed",
    ),
    "dtype": (lambda: error_bound((1, 1, 3), (1, 1, 1)), TypeError, "dtype is None, and shapes alone do not tell it"),
    "cotangent": (
        lambda: error_bound(np.ones((1, 1, 3)), np.ones((1, 1, 1)), result="input"),
        ShapeError,
        "the bound of the gradient by the input needs grad_output",
    ),
    "transposed": (
        lambda: error_bound((1, 1, 3), (1, 1, 1), output_padding=1, dtype="float32"),
        ShapeError,
        "output_padding is 1, and only a transposed convolution has one; give transposed=True as well",
    ),
    "output_padding": (
        lambda: explain("conv1d", (1, 1, 3), (1, 1, 1), output_padding=1),
        ShapeError,
        "only a transposed convolution has one; give transposed=True as well, or the name of a transposed op",
    ),
    "input_dilation": (
        lambda: explain("conv_transpose1d", (1, 1, 3), (1, 1, 1), input_dilation=2),
        ShapeError,
        "input_dilation is 2, and a transposed convolution has none; its stride is what spreads the input",
    ),
    "result": (
        lambda: error_bound((1, 1, 3), (1, 1, 1), result="dx", dtype="float32"),
        ShapeError,
        "result='dx' is not known; it is one of 'output', 'input' or 'weight'",
    ),
}


@pytest.mark.parametrize(("make", "kind", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_what_is_wrong_is_a_sentence(make, kind, sentence):
    with pytest.raises(kind) as caught:
        make()
    assert sentence in str(caught.value)


def test_an_explanation_says_rule_size_cost_and_error():
    shapes = (8, 3, 32, 32), (16, 3, 3, 3)
    text = str(explain("conv2d_input", *shapes, padding=1, padding_mode="reflect", dtype="float64"))
    for part in (
        "conv2d: gradient by the input",
        "rule       dx[",
        "output (8, 16, 32, 32)",
        "= 32; o1",
        "algorithm  direct",
        "multiply-adds)",
        "the input extended in mode reflect",
        "error      at most",
    ):
        assert part in text
    assert "error      none: exact" in str(explain("conv", (1, 1, 3), (1, 1, 1), dtype="int8"))
    assert explain("conv_transpose1d", (1, 2, 5), (2, 3, 4), stride=3).shapes["output"] == (1, 3, 16)


def test_an_explanation_says_what_the_letters_of_a_size_are():
    text = str(explain("conv1d", (1, 1, 10), (1, 1, 3), padding=((2, -1),), input_dilation=2, flip=True, groups=1))
    assert "axes       stride (1,), padding ((2, -1),), dilation (1,), input_dilation (2,), groups 1, flip" in text
    assert "//stride0 + 1 = 18 (padding0 the mean of 2 and -1, x the dilated input of size 19)" in text
    same = explain("conv_transpose1d", (1, 1, 3), (1, 1, 3), 2, "same", same="tf", output_padding=1)
    assert (same.geometry.padding, same.shapes["output"]) == (((0, 1),), (1, 1, 6))
    assert "padding_mode" not in str(same)
    assert ", padding_mode reflect" in str(explain("conv1d", (1, 1, 9), (1, 1, 3), 1, 1, padding_mode="reflect"))


def test_an_explanation_of_arrays_that_lie_apart_counts_their_copies():
    x, w = np.ones((2, 30, 3)).transpose(0, 2, 1), np.ones((4, 3, 5))
    assert explain("conv1d", x, w).plan.workspace == plans.workspace(
        resolve(1, x.shape, w.shape, Parameters()), "y", {"x": x, "w": w}
    ) == x.nbytes
    apart, together = (explain("conv1d_input", a, w).plan for a in (x, np.ascontiguousarray(x)))
    assert apart.workspace == together.workspace  # x is no operand of dx
    assert explain("conv_transpose1d", x[:, :, ::2], w[:3], dtype="int32").plan.workspace == x.size // 2 * 4


def test_the_public_names_are_there():
    assert {"explain", "error_bound", "set_memory_limit", "get_memory_limit"} <= set(dir(convsym))
