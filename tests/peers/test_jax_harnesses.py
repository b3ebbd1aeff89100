"""JAX: the harnesses of conv_general_dilated in its wheel, run by JAX and by convsym on the same numbers.

Transposed and dilated inputs, groups of features and of the batch, orders of axes, dtypes and preferred dtypes; the
gradients are those of `jax.vjp`. Four harnesses have no output at all, which JAX returns and convsym refuses, as torch.
"""

from functools import cache

import numpy as np
import pytest

import convsym
from convsym import ShapeError, grad

jax = pytest.importorskip("jax", reason="the peer jax is not installed")
harnesses = pytest.importorskip(
    "jax._src.internal_test_util.test_harnesses", reason="JAX's test material needs the package absl-py"
)

GROUP = "conv_general_dilated"
ALL = [harness for harness in harnesses.all_harnesses if harness.group_name == GROUP]
# By the dtype that the sum is made or rounded in; relative to the largest sum of absolute values.
TOLERANCE = {"bfloat16": 2**-7, "float16": 2**-9, "float32": 1e-5, "complex64": 1e-5}


def name_of(harness):
    """What distinguishes a harness, shorter than its own name."""
    return f"{ALL.index(harness)}-{harness.name.split('_lhs')[0]}"


def plain(array):
    """An array in a dtype that NumPy has: bfloat16 as float32, which holds every one of its numbers."""
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def operands(harness):
    x, w = harness.dyn_args_maker(np.random.RandomState(7))
    return np.asarray(x), np.asarray(w)


class Call:
    """A harness as a call of convsym."""

    def __init__(self, harness):
        given = harness.params
        self.batches = given["batch_group_count"]
        padding = given["padding"]
        self.knobs = {
            "stride": given["window_strides"],
            "padding": padding.lower() if isinstance(padding, str) else tuple(map(tuple, padding)),
            "dilation": given["rhs_dilation"],
            "input_dilation": given["lhs_dilation"],
            "groups": given["feature_group_count"] * self.batches,
            "axes": given["dimension_numbers"],
            "same": "tf",
        }

    def into_channels(self, x):
        """Groups of the batch as groups of channels, which convsym has; channels stand second."""
        batch, channels, *rest = x.shape
        apart = x.reshape(self.batches, batch // self.batches, channels, *rest)
        return np.ascontiguousarray(np.moveaxis(apart, 0, 1)).reshape(-1, self.batches * channels, *rest)

    def into_batch(self, x):
        """The way back."""
        batch, channels, *rest = x.shape
        apart = x.reshape(batch, self.batches, channels // self.batches, *rest)
        return np.moveaxis(apart, 1, 0).reshape(batch * self.batches, channels // self.batches, *rest)

    def forward(self, x, w):
        return convsym.conv(self.into_channels(x) if self.batches > 1 else x, w, **self.knobs)

    def by_input(self, x, w, dy):
        if self.batches == 1:
            return grad.conv_input(x.shape, w, dy, **self.knobs)
        return self.into_batch(grad.conv_input(self.into_channels(x).shape, w, dy, **self.knobs))

    def by_weight(self, x, w, dy):
        return grad.conv_weight(self.into_channels(x) if self.batches > 1 else x, w.shape, dy, **self.knobs)


def assert_close(value, expected, scale):
    expected = np.asarray(expected)
    name = expected.dtype.name
    assert value.shape == expected.shape
    if expected.dtype.kind in "iu":
        assert np.array_equal(value.astype(expected.dtype), expected)
    else:
        assert np.all(np.abs(value - plain(expected)) <= TOLERANCE[name] * (1 + scale.max(initial=0)))


@cache
def outputs(harness):
    x, w = operands(harness)
    return np.asarray(harness.dyn_fun(x, w))


@pytest.mark.parametrize("harness", ALL, ids=name_of)
def test_output(harness):
    x, w = map(plain, operands(harness))
    expected, call = outputs(harness), Call(harness)
    wide = expected.dtype if expected.dtype.kind in "iu" else plain(np.zeros(0, expected.dtype)).dtype
    x, w = x.astype(wide), w.astype(wide)
    if not expected.size:
        with pytest.raises(ShapeError, match="the kernel is larger than the padded input"):
            call.forward(x, w)
        return
    scale = call.forward(np.abs(x).astype(np.float64), np.abs(w).astype(np.float64))
    value = call.forward(x, w)
    assert value.dtype == wide
    assert_close(value, expected, scale)


def has_gradient(harness):
    """Whether JAX differentiates it without changing the dtype on the way, and there is something to differentiate."""
    preferred = harness.params["preferred_element_type"]
    inexact = np.dtype(harness.dtype).kind in "fcV"
    return inexact and preferred in (None, harness.dtype) and outputs(harness).size > 0


@pytest.mark.parametrize("harness", ALL, ids=name_of)
def test_gradients(harness):
    if not has_gradient(harness):
        pytest.skip("integers, another dtype for the output, or no output: nothing that jax.vjp gives in this dtype")
    x, w = operands(harness)
    call = Call(harness)
    _, back = jax.vjp(harness.dyn_fun, x, w)
    random = np.random.RandomState(8)
    dy = random.standard_normal(outputs(harness).shape).astype(outputs(harness).dtype)
    # JAX gives the transpose; the adjoint is its conjugate at the conjugate.
    dx, dw = (np.conj(np.asarray(gradient)) for gradient in back(np.conj(dy)))
    x, w, dy = map(plain, (x, w, dy))
    sizes = [np.abs(array).astype(np.float64) for array in (x, w, dy)]
    assert_close(call.by_input(x, w, dy), dx, call.by_input(*sizes))
    assert_close(call.by_weight(x, w, dy), dw, call.by_weight(*sizes))


def test_no_harness_is_missed():
    assert len(ALL) >= 110
    assert sum(map(has_gradient, ALL)) >= 85


def test_bfloat16_itself_is_a_sentence():
    x = np.zeros((1, 1, 3), np.float32)
    with pytest.raises(TypeError, match="weight has dtype bfloat16"):
        convsym.conv1d(x, x.astype(jax.numpy.bfloat16))
