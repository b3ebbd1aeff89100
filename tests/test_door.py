"""The door of small calls: what it remembers never changes what a call means."""

import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import convsym
from convsym import KernelError, ShapeError, grad, kernels, operations, sums
from convsym.arguments import Parameters
from convsym.execution import compute
from convsym.meaning import resolve
from convsym.plans import OPERANDS
from convsym.shortcuts import shortcut
from convsym.sums import is_tiled

X = np.arange(-12, 13, dtype=np.float32).reshape(1, 5, 5)
W = np.array([[[[1, -2], [3, 0]]]], dtype=np.float32)
KNOWN = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}


def long_way(x, w, **parameters):
    """The result with the door closed."""
    kernels.door().close(True)
    try:
        return convsym.conv2d(x, w, **parameters)
    finally:
        kernels.door().close(False)


def through_the_door(x, w, padding):
    """The result that the door alone gives; None where it sends the call the long way."""
    return kernels.door().enter(
        2, x, w, None, None, None, 1, padding, 1, 1, "auto", "zeros", 1, False, None, None, "symmetric"
    )


@pytest.fixture
def remembered():
    """A call whose plan is known, and that the door serves."""
    convsym.conv2d(X, W, **KNOWN)
    assert through_the_door(X, W, 1) is not None


@pytest.mark.parametrize("x", [
    X, X[:, ::-1], X.transpose(0, 2, 1), np.asfortranarray(X), X.astype(np.float64), X[None], X + 1, X[:, :, :4],
], ids=["same", "reversed", "transposed", "fortran", "float64", "batched", "other values", "other shape"])  # fmt: skip
@pytest.mark.parametrize("padding", [0, 1, (1, 0), "same"])
def test_the_door_gives_the_bits_of_the_long_way(remembered, x, padding):
    w = W.astype(x.dtype)
    want = long_way(x, w, padding=padding)
    for _ in range(3):
        assert convsym.conv2d(x, w, padding=padding).tobytes() == want.tobytes()


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("value", [True, 1.0, np.bool_(True), (1.0, 1.0), (True, True)])
def test_equal_values_of_other_types_are_still_errors(remembered, name, value):
    with pytest.raises((TypeError, ShapeError)):
        convsym.conv2d(X, W, **(KNOWN | {name: value}))


def test_an_unknown_algorithm_is_still_an_error(remembered):
    with pytest.raises(ShapeError, match="algorithm='gemm' is not known"):
        convsym.conv2d(X, W, algorithm="gemm", **KNOWN)
    with pytest.raises(KernelError, match="kernels of 3 taps"):
        convsym.conv2d(X, W, algorithm="winograd", **KNOWN)


def test_other_arrays_still_go_through_the_gate(remembered):
    with pytest.raises(TypeError):
        convsym.conv2d(X.tolist(), W, **KNOWN)
    with pytest.raises(TypeError):
        convsym.conv2d(np.ma.masked_array(X), W, **KNOWN)
    with pytest.raises(TypeError):
        convsym.conv2d(X, W.astype(np.float64), **KNOWN)


def test_a_read_only_array_is_served(remembered):
    frozen = X.copy()
    frozen.flags.writeable = False
    assert convsym.conv2d(frozen, W, **KNOWN).tobytes() == long_way(X, W, **KNOWN).tobytes()


def test_a_weight_that_is_not_finite_follows_the_formula(remembered):
    w = W.copy()
    w[0, 0, 0, 0] = np.inf
    assert np.array_equal(convsym.conv2d(X, w, **KNOWN), long_way(X, w, **KNOWN), equal_nan=True)
    assert np.isnan(convsym.conv2d(X, w, **KNOWN)).any()


def test_a_level_that_is_asked_for_is_used(remembered):
    with kernels.using("baseline"):
        assert through_the_door(X, W, 1) is None
        convsym.conv2d(X, W, **KNOWN)
        assert through_the_door(X, W, 1) is None


def test_results_are_new_arrays(remembered):
    first = convsym.conv2d(X, W, **KNOWN)
    first[...] = 0
    assert convsym.conv2d(X, W, **KNOWN).any()


def test_calls_of_any_size_are_known_and_looked_at_no_more(monkeypatch):
    fill = np.random.default_rng(0)
    x, w, b = (fill.standard_normal(shape, np.float32) for shape in ((2, 3, 40, 40), (4, 3, 3, 3), (4,)))
    dy = convsym.conv2d(x, w, stride=2)
    calls = [
        lambda: convsym.conv2d(x, w, stride=2),
        lambda: convsym.conv2d(x, w, b, 2),
        lambda: convsym.conv_transpose2d(dy, w, stride=2, output_padding=1),
        lambda: grad.conv2d_input(x.shape, w, dy, 2),
        lambda: grad.conv2d_weight(x, w.shape, dy, 2),
        lambda: grad.conv_transpose2d_weight(dy, w.shape, x, 2, output_padding=1),
        lambda: grad.conv_transpose2d_input(dy.shape, w, x, 2, output_padding=1),
        lambda: convsym.conv2d(x[:, :, ::-1], w, stride=2),
        lambda: convsym.conv2d(x, w, stride=2, out=np.empty((4, 19, 2, 19), np.float32).transpose(2, 0, 1, 3)),
        lambda: grad.conv_backward(dy, x, w, 2)[0],
    ]
    kernels.door().close(True)
    try:
        want = [call() for call in calls]
    finally:
        kernels.door().close(False)
    for call in calls:
        call()
    monkeypatch.setattr(operations, "resolve", None)
    monkeypatch.setattr(operations, "resolve_transposed", None)
    for call, expected in zip(calls, want, strict=True):
        found = call()
        assert found.tobytes() == expected.tobytes() and found.shape == expected.shape


# Layers that are steps of tiles at the door: shapes of x and w, parameters, and the rules that are.
STEPS = {
    "1x1": ((2, 16, 12, 12), (24, 16, 1, 1), {}, ("", "_input", "_weight")),
    "1x1, groups": ((2, 32, 9, 9), (24, 16, 1, 1), {"groups": 2}, ("", "_input", "_weight")),
    "1x1, stride": ((3, 40, 15, 15), (24, 40, 1, 1), {"stride": 2}, ("",)),
    "1x1, many": ((1, 600, 7, 7), (700, 600, 1, 1), {}, ("", "_input", "_weight")),
    "3x3": ((2, 8, 20, 20), (8, 8, 3, 3), {"padding": 1, "algorithm": "direct"}, ("", "_input", "_weight")),
    "3x3, groups": ((1, 24, 17, 19), (12, 8, 3, 3), {"padding": 1, "groups": 3}, ("", "_input", "_weight")),
    "few channels": ((1, 3, 40, 32), (6, 3, 3, 3), {"padding": 1, "algorithm": "direct"}, ("", "_input", "_weight")),
    "3x3, stride": ((1, 24, 30, 30), (16, 24, 3, 3), {"padding": 1, "stride": 2}, ("", "_input", "_weight")),
    "gaps": ((1, 24, 31, 31), (16, 24, 2, 2), {"stride": 3}, ("", "_input")),
    "strips": ((1, 64, 96, 96), (16, 64, 3, 3), {"padding": 1, "algorithm": "direct"}, ("", "_input")),
    "depthwise": ((2, 32, 24, 24), (32, 1, 3, 3), {"padding": 1, "groups": 32}, ("", "_input", "_weight")),
}


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", STEPS)
def test_steps_of_tiles_give_the_bits_of_the_long_way(kind, dtype, threads, monkeypatch):
    shape, size, parameters, rules = STEPS[kind]
    fill = np.random.default_rng(0)
    x, w = (fill.standard_normal(shape).astype(dtype) for shape in (shape, size))
    dy = fill.standard_normal(convsym.conv2d(x, w, **parameters).shape).astype(dtype)
    bias = fill.standard_normal(len(w)).astype(dtype)
    calls = {
        "": lambda: convsym.conv2d(x, w, **parameters),
        "with bias": lambda: convsym.conv2d(x, w, bias, **parameters),
        "_input": lambda: grad.conv2d_input(shape, w, dy, **parameters),
        "_weight": lambda: grad.conv2d_weight(x, size, dy, **parameters),
    }
    with convsym.threads(threads):
        for rule in (*rules, "with bias"):
            kernels.door().close(True)
            try:
                want = calls[rule]()
            finally:
                kernels.door().close(False)
            calls[rule]()
            with monkeypatch.context() as patched:
                patched.setattr(kernels, "drive", None)  # which Python would call
                found = [calls[rule]() for _ in range(2)]
            for value in found:
                assert value.tobytes() == want.tobytes() and value.shape == want.shape
                assert value.flags.writeable and value.flags.c_contiguous


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", STEPS)
def test_steps_of_tiles_leave_what_is_not_finite_to_the_long_way(kind, dtype, value):
    shape, size, parameters, rules = STEPS[kind]
    x, w = np.ones(shape, dtype), np.ones(size, dtype)
    dy = np.ones(convsym.conv2d(x, w, **parameters).shape, dtype)
    wrong = w.copy()
    wrong[-1, -1, -1, -1] = value
    calls = {
        "": lambda weight: convsym.conv2d(x, weight, **parameters),
        "_input": lambda weight: grad.conv2d_input(shape, weight, dy, **parameters),
    }
    for rule, weight in product({"", "_input"} & set(rules), (w, wrong, w)):
        found = calls[rule](weight)
        kernels.door().close(True)
        try:
            want = calls[rule](weight)
        finally:
            kernels.door().close(False)
        assert np.array_equal(found, want, equal_nan=True)


@pytest.fixture
def unknown():
    """Nothing is known before and after."""
    for clear in (kernels.door().forget, sums.bound.cache_clear):
        clear()
    yield
    for clear in (kernels.door().forget, sums.bound.cache_clear):
        clear()


def test_a_step_that_is_left_out_is_found(unknown, monkeypatch):
    straight = kernels.straight

    def shorter(course, *rest):
        return straight(replace(course, steps=course.steps[:-1], cleared=True), *rest)

    monkeypatch.setattr(kernels, "straight", shorter)
    x, w = np.ones((1, 8, 20, 20), np.float32), np.ones((8, 8, 3, 3), np.float32)
    first, second = (convsym.conv2d(x, w, padding=1, algorithm="direct") for _ in range(2))
    assert first.all() and not second.any()


def test_weights_that_are_not_looked_at_are_found(unknown, monkeypatch):
    monkeypatch.setattr(sums, "_is_sure", lambda *_: True)
    w, dy = np.ones((8, 8, 3, 3), np.float32), np.ones((1, 8, 20, 20), np.float32)

    def call():
        return grad.conv2d_input((1, 8, 20, 20), w, dy, 1, 1, algorithm="direct")

    call()
    w[0, 0, 0, 0] = np.inf
    found = call()
    kernels.door().close(True)
    sums.bound.cache_clear()
    monkeypatch.undo()
    try:
        want = call()
    finally:
        kernels.door().close(False)
    assert np.isnan(found).sum() > np.isnan(want).sum()


def test_a_call_with_steps_at_the_door_keeps_to_a_memory_limit(monkeypatch):
    x, w = np.ones((8, 8, 40, 40), np.float32), np.ones((8, 8, 3, 3), np.float32)

    def call():
        return convsym.conv2d(x, w, padding=1, algorithm="direct")

    want = call()
    monkeypatch.setattr(kernels, "drive", None)
    assert call().tobytes() == want.tobytes()
    convsym.set_memory_limit(100_000)
    try:
        for _ in range(2):
            with pytest.raises(MemoryError, match="the memory limit is 100,000"):
                call()
    finally:
        convsym.set_memory_limit(None)


def test_what_is_wrong_is_told_in_the_same_words_when_the_kind_is_known(remembered):
    dy = np.ones((1, 6, 6), np.float32)
    grad.conv2d_input(X.shape, W, dy, 1, 1)
    wrong = [
        lambda: convsym.conv2d(X, W, np.ones(2, np.float32), padding=1),
        lambda: convsym.conv2d(X, W, np.ones(1), padding=1),
        lambda: convsym.conv2d(X, W, padding=1, out=np.empty((1, 6, 6))),
        lambda: convsym.conv2d(X, W, padding=1, out=np.empty((6, 6), np.float32)),
        lambda: convsym.conv2d(X, W, padding=1, out=[0]),
        lambda: convsym.conv2d(X, W, padding=1, axes="XY"),
        lambda: grad.conv2d_input((1, 5, 6), W, dy, 1, 1),
        lambda: grad.conv2d_input((1, 5.0, 5), W, dy, 1, 1),
        lambda: grad.conv2d_input(X.shape, W, dy, 1, True),
    ]
    for call in wrong:
        said = []
        for closed in (True, False):
            if closed:
                kernels.door().close(True)
            with pytest.raises((TypeError, ShapeError)) as error:
                call()
            said.append(str(error.value))
            if closed:
                kernels.door().close(False)
                convsym.conv2d(X, W, padding=1)
                grad.conv2d_input(X.shape, W, dy, 1, 1)
        assert said[0] == said[1]


def test_arrays_that_are_not_native_are_never_taken_as_they_stand():
    for dtype in (">f4", ">i2", ">c8"):
        x, w = X.astype(dtype), W.astype(dtype)
        for _ in range(3):
            assert np.array_equal(convsym.conv2d(x, w), convsym.conv2d(X, W))


@pytest.mark.slow
def test_the_plans_are_bounded():
    w = np.ones((1, 1, 1), np.float32)
    for length in range(1, 5000):
        convsym.conv1d(np.ones((1, length), np.float32), w)
    assert convsym.conv1d(np.ones((1, 3), np.float32), w).shape == (1, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16", "int32", "uint64"])
@pytest.mark.parametrize("padding", [0, 1, (2, 0)])
def test_the_second_call_gives_the_bits_of_the_first(dtype, padding):
    numbers = np.random.default_rng(0)
    x = (100 * numbers.standard_normal((2, 3, 7, 6))).astype(dtype)
    w = (100 * numbers.standard_normal((4, 3, 3, 2))).astype(dtype)
    want = long_way(x, w, padding=padding)
    convsym.conv2d(x, w, padding=padding)
    found = through_the_door(x, w, padding)
    assert found.tobytes() == want.tobytes()
    assert found.shape == want.shape and found.dtype is want.dtype


@pytest.mark.parametrize("changed", [
    {"same": "tf"}, {"same": "lower"}, {"padding_mode": "circular"}, {"flip": True}, {"input_dilation": 2},
    {"axes": "NCHW"}, {"bias": np.ones(1, np.float32)}, {"algorithm": "reference"},
], ids=lambda changed: next(iter(changed)))  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_what_plans_do_not_know_goes_the_long_way(changed, first):
    x, w = X[None, :, :4], W
    calls = [{"stride": 2, "padding": "same"}, {"stride": 2, "padding": "same", **changed}]
    if "padding_mode" in changed:
        calls = [{"padding": 1}, {"padding": 1, **changed}]
    kernels.door().close(True)
    kernels.door().close(False)
    want = [long_way(x, w, **call) for call in calls]
    for _ in range(2):
        for call, expected in list(zip(calls, want, strict=True))[:: 1 if first else -1]:
            assert np.array_equal(convsym.conv2d(x, w, **call), expected)


def test_numbers_that_are_equal_but_other_objects_are_known(remembered):
    big = 10**6
    x, w = np.ones((1, 1, 3), np.float32), np.ones((1, 1, 1), np.float32)
    for stride in (big, 10**6 + 0 * len(x), int("1000000")):
        assert convsym.conv1d(x, w, stride=stride).shape == (1, 1, 1)
    convsym.conv2d(X, W, padding=(1, int("0")))
    assert through_the_door(X, W, tuple([1, 0])) is not None


@pytest.mark.parametrize(("make", "error"), [
    (lambda: np.empty((1, 6, 6), np.float32), None),
    (lambda: np.empty((1, 6, 12), np.float32)[:, :, ::2], None),
    (lambda: np.empty((1, 6, 6), np.float64), TypeError),
    (lambda: np.empty((6, 6), np.float32), ShapeError),
    (lambda: np.frombuffer(bytes(144), np.float32).reshape(1, 6, 6), ShapeError),
    (lambda: np.ma.masked_array(np.empty((1, 6, 6), np.float32)), TypeError),
    (lambda: [[0]], TypeError),
], ids=["fits", "strides", "dtype", "axes", "read-only", "masked", "list"])  # fmt: skip
def test_an_out_is_filled_or_judged(remembered, make, error):
    out = make()
    if error is None:
        assert convsym.conv2d(X, W, padding=1, out=out) is out
        assert np.array_equal(out, long_way(X, W, padding=1))
    else:
        with pytest.raises(error, match="out"):
            convsym.conv2d(X, W, padding=1, out=out)


@pytest.mark.parametrize("place", [0, 1])
def test_an_out_over_an_operand_goes_the_long_way(place):
    memory = np.arange(1, 33, dtype=np.float64)
    arrays = [memory[:16].reshape(1, 4, 4), memory[16:17].reshape(1, 1, 1, 1)]
    want = long_way(*arrays)
    convsym.conv2d(*arrays)
    out = (memory[8:24] if place == 0 else memory[16:32]).reshape(1, 4, 4)
    assert np.array_equal(convsym.conv2d(*arrays, out=out), want)


def test_no_reference_is_lost_or_kept(remembered):
    x, w, out = X.copy(), W.copy(), np.empty((1, 6, 6), np.float32)
    convsym.conv2d(x, w, out=out, **KNOWN)
    before = [sys.getrefcount(array) for array in (x, w, out)]
    for _ in range(100):
        convsym.conv2d(x, w, out=out, **KNOWN)
        convsym.conv2d(x[:, ::-1], w, **KNOWN)
        convsym.conv2d(x, w, **KNOWN)
    assert [sys.getrefcount(array) for array in (x, w, out)] == before
    x.resize((2, 2), refcheck=True)  # no view of its memory is left


def test_a_kept_operand_is_served_like_any_other():
    door = kernels.door()
    geometry = resolve(2, X.shape, W.shape, Parameters(padding=1))
    made = shortcut(geometry, "y", X.dtype)
    want = long_way(X, W, padding=1)
    kept, out = door.Kept(made, W), np.empty((1, 6, 6), np.float32)
    assert made(X, W).tobytes() == kept(X).tobytes() == want.tobytes()
    assert kept(X, out) is out and out.tobytes() == want.tobytes()
    assert kept(X, out=X) is kept(X[:, ::-1]) is kept(X[None]) is kept(X.astype(np.float64)) is kept(None) is None
    with pytest.raises(TypeError):
        door.Kept(made, W.astype(np.float64))
    with pytest.raises(ValueError):
        door.Kept(made, W[0])
    with pytest.raises(ValueError):
        door.Plan(object(), (), (), X.dtype, -1, 1)


@pytest.mark.parametrize("result", ["y", "dx", "dw"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_every_rule_has_a_shortcut_with_the_bits_of_the_long_way(result, rank, dtype):
    numbers = np.random.default_rng(rank)
    geometry = resolve(rank, (2, 4, *(4, 3, 3)[:rank]), (6, 2, *(2, 2, 1)[:rank]), Parameters(1, 1, 1, 2))
    operands = {
        name: (9 * numbers.standard_normal(geometry.public_shapes[name])).astype(dtype) for name in OPERANDS[result]
    }
    made = shortcut(geometry, result, np.dtype(dtype))
    if made is None:
        assert rank == 3 and is_tiled(geometry, result)
        return
    found = made(*operands.values())
    assert found.tobytes() == compute(geometry, result, operands).tobytes()


@pytest.mark.parametrize("result", ["y", "dx", "dw"])
def test_one_tap_takes_the_same_kernel_at_the_door_and_the_long_way(result):
    geometry = resolve(3, (1, 1, 4, 4, 4), (1, 1, 1, 1, 1), Parameters())
    numbers = np.random.default_rng(5)
    operands = {
        name: numbers.standard_normal(geometry.public_shapes[name]).astype(np.float32) for name in OPERANDS[result]
    }
    found = shortcut(geometry, result, np.dtype(np.float32))(*operands.values())
    assert found.tobytes() == compute(geometry, result, operands).tobytes()


def test_what_tiles_compute_has_no_shortcut():
    geometry = resolve(2, (1, 16, 9, 9), (16, 16, 3, 3), Parameters())
    assert is_tiled(geometry, "y")
    assert shortcut(geometry, "y", np.dtype(np.float32)) is None


@pytest.mark.parametrize(("result", "place"), [("y", 1), ("dw", 0)])
def test_an_operand_that_is_not_finite_is_seen(result, place):
    geometry = resolve(1, (1, 1, 5), (1, 1, 3), Parameters(padding=1))
    made = shortcut(geometry, result, np.dtype(float))
    operands = [np.ones(geometry.public_shapes[name]) for name in OPERANDS[result]]
    assert made(*operands) is not None
    for value in (np.nan, np.inf, -np.inf):
        operands[place][0, 0, -1] = value
        assert made(*operands) is None
    operands[place][0, 0, -1], operands[1 - place][0, 0, 0] = 1, np.nan
    assert np.isnan(made(*operands)).any()
