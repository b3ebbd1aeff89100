"""Kept plans give what the plain calls give, bit for bit; what was not planned is a sentence."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import convsym
from convsym import ShapeError, grad, kernels
from convsym.ops import registry

X = np.arange(-12, 13, dtype=np.float32).reshape(1, 5, 5)
W = np.array([[[[1, -2], [3, 0]]]], dtype=np.float32)

OPS = sorted(name for name in registry if re.fullmatch(r"conv(_transpose)?\dd", name))
PARAMETERS = {
    "plain": {},
    "steps": {"stride": 2, "padding": 1, "dilation": 2},
    "same": {"padding": "same", "same": "tf", "stride": 2},
    "pairs in a mode": {"padding": 1, "padding_mode": "circular"},
    "flipped groups": {"groups": 2, "flip": True, "padding": 1},
    "spread": {"stride": 2, "padding": 1},
}


def arrays(op, parameters, dtype="float64", batch=2):
    """Input, weight, and cotangent of an op."""
    rank, fill = int(op[-2]), np.random.default_rng(5)
    groups = parameters.get("groups", 1)

    def array(*shape):
        made = 9 * fill.standard_normal(shape)
        return (made + 1j * fill.standard_normal(shape) if np.dtype(dtype).kind == "c" else made).astype(dtype)

    x, kernel = array(batch, 4, *(6, 5, 4, 3, 3)[:rank]), (3, 2, 2, 1, 1)[:rank]
    w = array(4, 6 // groups, *kernel) if "transpose" in op else array(6, 4 // groups, *kernel)
    return x, w, array(*getattr(convsym, op[:-2])(x, w, **parameters).shape)


def further(op, case):
    """Parameters of a case, and what only one of the two kinds of convolution takes."""
    if case != "spread":
        return PARAMETERS[case]
    own = {"output_padding": 1} if "transpose" in op else {"input_dilation": 2}
    return PARAMETERS[case] | own


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("case", PARAMETERS)
def test_a_plan_gives_the_bits_of_the_plain_call(op, case):
    parameters, name = further(op, case), op[:-2]
    x, w, dy = arrays(op, parameters)
    plans = [convsym.plan(op + kind, x.shape, w, **parameters) for kind in ("", "_input", "_weight")]
    plain = [
        lambda x, w, dy: getattr(convsym, name)(x, w, **parameters),
        lambda x, w, dy: getattr(grad, f"{name}_input")(x.shape, w, dy, **parameters),
        lambda x, w, dy: getattr(grad, f"{name}_weight")(x, w.shape, dy, **parameters),
    ]
    for batch in (2, 1, 3, 0, 2):
        some, cotangent = np.resize(x, (batch, *x.shape[1:])), np.resize(dy, (batch, *dy.shape[1:]))
        for made, given, call in zip(plans, ([some], [cotangent], [some, cotangent]), plain, strict=True):
            want = call(some, w, cotangent)
            out = np.full(want.shape, np.nan)
            assert same_bits(made(*given), want)
            assert made(*given, out=out) is out and same_bits(out, want)


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64", "int8", "uint64", "object"])
@pytest.mark.parametrize("op", ["conv1d", "conv_transpose2d"])
def test_every_dtype_is_planned(op, dtype):
    x, w, dy = arrays(op, {}, "int64" if dtype == "object" else dtype)
    x, w, dy = (array.astype(dtype) for array in (x, w, dy))
    name = op[:-2]
    for given, made, want in (
        ([x], convsym.plan(op, x.shape, w), getattr(convsym, name)(x, w)),
        ([dy], convsym.plan(op + "_input", x.shape, w), getattr(grad, f"{name}_input")(x.shape, w, dy)),
        ([x, dy], convsym.plan(op + "_weight", x.shape, w.shape, dtype=dtype),
         getattr(grad, f"{name}_weight")(x, w.shape, dy)),
    ):  # fmt: skip
        assert made.dtype == x.dtype
        assert np.array_equal(made(*given), want) and made(*given).dtype == want.dtype


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
@pytest.mark.parametrize("kind", ["", "_input", "_weight"])
@pytest.mark.parametrize("op", ["conv2d", "conv_transpose2d"])
def test_small_plans_take_the_shortcut(op, kind, dtype, monkeypatch):
    x, w = X.astype(dtype), W.astype(dtype)
    dy = np.ones_like(getattr(convsym, op)(x, w))
    made = convsym.plan(op + kind, x.shape, w)
    given = {"": [x], "_input": [dy], "_weight": [x, dy]}[kind]
    monkeypatch.setattr(made, "_quick", None)
    want = made(*given)
    monkeypatch.undo()
    monkeypatch.delattr(type(made), "_computed")
    assert same_bits(made(*given), want)
    out = np.empty_like(want)
    assert made(*given, out=out) is out and same_bits(out, want)


def test_a_bias_is_added_and_axes_are_kept():
    x, w, b = np.ones((2, 5, 4, 3)), np.ones((2, 2, 3, 6)), np.arange(6.0)
    made = convsym.plan("conv2d", x.shape, w, b, padding=1, axes=("NHWC", "HWIO"))
    want = convsym.conv2d(x, w, b, padding=1, axes=("NHWC", "HWIO"))
    out = np.empty_like(want)
    assert np.array_equal(made(x), want) and made(x, out=out) is out and np.array_equal(out, want)
    assert made.shapes == {"input": (2, 3, 5, 4), "weight": (6, 3, 2, 2), "output": (2, 6, 6, 5)}
    gradient = convsym.plan("conv2d_weight", x.shape, w.shape, padding=1, axes=("NHWC", "HWIO"), dtype=float)
    assert np.array_equal(gradient(x, want), grad.conv2d_weight(x, w.shape, want, padding=1, axes=("NHWC", "HWIO")))


def test_weight_and_bias_are_copied():
    w, b = W.copy(), np.ones(1, np.float32)
    plans = [convsym.plan("conv2d", X.shape, w), convsym.plan("conv2d", X.shape, w, b)]
    before = [made(X) for made in plans]
    w[...], b[...] = 0, 0
    assert all(same_bits(made(X), want) for made, want in zip(plans, before, strict=True))


def test_what_is_not_laid_out_is_read_all_the_same():
    made, want = convsym.plan("conv2d", X.shape, W), convsym.conv2d(X, W)
    swapped, apart = X.astype(">f4"), np.repeat(X, 2, axis=2)[:, :, ::2]
    for x in (swapped, apart, X.view(np.memmap), memoryview(X)):
        assert same_bits(made(x), want)
    overlapping = np.zeros((1, 5, 5), np.float32)
    overlapping[...] = X
    assert same_bits(made(overlapping, out=overlapping[:, 1:, 1:]), want)


def test_a_factor_that_is_not_finite_follows_the_formula():
    w = W.copy()
    w[0, 0, 0, 0] = np.inf
    made = convsym.plan("conv2d", X.shape, w, padding=1)
    assert np.array_equal(made(X), convsym.conv2d(X, w, padding=1), equal_nan=True)
    assert np.isnan(made(X)).any()


def test_another_level_is_obeyed():
    fill = np.random.default_rng(0)
    x, w = fill.standard_normal((1, 1, 8, 8)), fill.standard_normal((1, 1, 3, 3))
    outside = convsym.plan("conv2d", x.shape, w)
    with kernels.using("baseline"):
        want = convsym.conv2d(x, w)
        inside = convsym.plan("conv2d", x.shape, w)
        assert same_bits(outside(x), want) and same_bits(inside(x), want)
    assert same_bits(inside(x), convsym.conv2d(x, w))


def test_several_threads_may_call_one_plan():
    x, w, _ = arrays("conv2d", {})
    for made in (convsym.plan("conv2d", x.shape, w), convsym.plan("conv2d", X.shape, W)):
        given = [np.full(made.shapes["input"], number, made.dtype) for number in range(200)]
        want = [made(array) for array in given]
        with ThreadPoolExecutor(8) as pool:
            assert all(map(same_bits, pool.map(made, given), want))
    given = [np.ones((number % 70, *x.shape[1:])) for number in range(140)]
    many = convsym.plan("conv2d", x.shape, w)
    with ThreadPoolExecutor(8) as pool:
        assert [y.shape[0] for y in pool.map(many, given)] == [g.shape[0] for g in given]


def test_a_plan_prints_what_explain_says():
    made = convsym.plan("conv1d_weight", (8, 3, 32), (16, 3, 5), stride=2, dtype="float64")
    assert repr(made) == str(made) == str(convsym.explain("conv1d_weight", (8, 3, 32), (16, 3, 5), 2, dtype="float64"))
    assert made.explanation.shapes == made.shapes


def planned(op="conv2d", shape=(2, 1, 5, 5), weight=W, *further, **named):
    return convsym.plan(op, shape, weight, *further, **named)


@pytest.mark.parametrize(("call", "error", "sentence"), [
    (lambda: planned("conv2"), ShapeError, "op='conv2' is not known"),
    (lambda: planned("relu"), ShapeError, "op='relu' is not known"),
    (lambda: planned("conv1d"), ShapeError, "which is one of a 2-d convolution, and op='conv1d'"),
    (lambda: planned(algorithm="fastest"), ShapeError, "algorithm='fastest' is not known"),
    (lambda: planned(shape=X), TypeError, "input_shape is array"),
    (lambda: planned(shape=(2, 3, 5, 5)), ShapeError, "input_shape"),
    (lambda: planned(weight=(1, 1, 2, 2)), TypeError, "weight is a tuple, and a NumPy array is needed"),
    (lambda: planned("conv2d_input", bias=W), ShapeError, "bias is given, and a gradient has none; leave it out"),
    (lambda: planned(bias=np.ones(1)), TypeError, "weight is float32 but bias is float64"),
    (lambda: planned(bias=np.ones(2, "f")), ShapeError, r"bias has shape \(2,\), and it must be \(1,\)"),
    (lambda: planned(dtype=float), TypeError, "dtype is float64, and weight is float32; leave dtype out, or convert"),
    (lambda: planned("conv2d_weight", weight=(1, 1, 2, 2), dtype=bool), TypeError, "dtype is bool, and the dtypes"),
    (lambda: planned(output_padding=1), ShapeError, "only a transposed convolution has one"),
    (lambda: planned()(X), ShapeError, r"input has shape \(1, 5, 5\), .* for \(2, 1, 5, 5\), with a batch of any size"),
    (lambda: planned()(X[None, :, :4]), ShapeError, r"\(1, 1, 4, 5\), and this plan is .* make another plan"),
    (lambda: planned(shape=(1, 5, 5))(X[None]), ShapeError, r"this plan is for \(1, 5, 5\); make another"),
    (lambda: planned()(X[None].astype(float)), TypeError,
     r"input is float64, and this plan is for float32; convert it, input.astype\(np.float32\), or plan for its dtype"),
    (lambda: planned()([1]), TypeError, "input is a list"),
    (lambda: planned()(), TypeError, "a plan of conv2d is called with input, and here are 0 arrays"),
    (lambda: planned()(X, X), TypeError, "out is given by its name"),
    (lambda: planned("conv2d_weight")(X[None]), TypeError, "called with input and grad_output, and here are 1 arrays"),
    (lambda: planned("conv2d_weight")(X[None], np.ones((2, 1, 4, 4), "f")), ShapeError,
     "input has a batch of 1 and grad_output has a batch of 2; give both the same"),
    (lambda: planned("conv2d_input")(X[None]), ShapeError, r"grad_output has shape \(1, 1, 5, 5\), .* \(2, 1, 4, 4\)"),
    (lambda: planned()(X[None], out=X), ShapeError, "out has shape"),
    (lambda: planned()(X[None], out=np.empty((1, 1, 4, 4))), TypeError, "out has dtype float64"),
])  # fmt: skip
def test_what_was_not_planned_is_a_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


@pytest.mark.parametrize("op", ["conv2d", "conv2d_input", "conv2d_weight", "conv_transpose2d"])
@pytest.mark.parametrize("size", [1, 3])
def test_a_plan_of_tiles_is_steps_at_the_door(op, size, monkeypatch):
    fill = np.random.default_rng(0)
    x, w, b = (fill.standard_normal(s, np.float32) for s in ((1, 16, 20, 20), (16, 16, size, size), (16,)))
    parameters = {"padding": size // 2, "algorithm": "direct"}
    dy = convsym.conv2d(x, w, **parameters)
    given = {"conv2d_input": (dy,), "conv2d_weight": (x, dy)}.get(op, (x,))
    biases = (None,) if op in ("conv2d_input", "conv2d_weight") else (None, b)
    for bias in biases:
        p = convsym.plan(op, x.shape, w, bias, **parameters)
        want = p(*given, out=np.empty_like(w if op == "conv2d_weight" else x))  # the long way
        with monkeypatch.context() as patched:
            patched.setattr(kernels, "drive", None)
            assert p(*given).tobytes() == want.tobytes()
        convsym.set_memory_limit(0)
        try:
            with pytest.raises(MemoryError, match="the memory limit is 0"):
                p(*given)
        finally:
            convsym.set_memory_limit(None)
