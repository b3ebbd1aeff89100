"""Calls as users make them: forms of padding, batch axes, and the sentence of every error."""

from itertools import product

import numpy as np
import pytest
from exact import bits

import convsym
from convsym import KernelError, ShapeError, conv1d, conv2d, conv_transpose1d, grad

X, W, B = np.arange(24.0).reshape(1, 4, 6), np.ones((6, 2, 3)), np.zeros(6)
IMAGE, FILTER = np.arange(60.0).reshape(1, 2, 5, 6), np.ones((3, 2, 2, 3))


def test_unbatched_is_the_batched_call_without_the_axis():
    assert bits(conv2d(IMAGE[0], FILTER), conv2d(IMAGE, FILTER)[0]) == 0
    dy = np.ones((1, 3, 4, 4))
    assert (
        bits(grad.conv2d_input((2, 5, 6), FILTER, dy[0]), grad.conv2d_input((1, 2, 5, 6), FILTER, dy)[0]) == 0
    )
    assert (
        bits(grad.conv2d_weight(IMAGE[0], FILTER.shape, dy[0]), grad.conv2d_weight(IMAGE, FILTER.shape, dy))
        == 0
    )
    assert bits(grad.conv2d_bias(dy[0]), grad.conv2d_bias(dy)) == 0


@pytest.mark.parametrize("form", [2, (2,), (2, 2), [2, 2], ((2, 2), (2, 2)), np.int64(2)], ids=repr)
def test_every_form_of_padding_means_the_same(form):
    assert (
        bits(
            conv2d(IMAGE, FILTER, padding=form),
            conv2d(np.pad(IMAGE, ((0, 0), (0, 0), (2, 2), (2, 2))), FILTER),
        )
        == 0
    )


def test_padding_is_zeros_around_and_negative_padding_crops():
    padded = np.pad(IMAGE, ((0, 0), (0, 0), (0, 3), (1, 0)))[:, :, 1:, :-2]
    assert bits(conv2d(IMAGE, FILTER, padding=((-1, 3), (1, -2))), conv2d(padded, FILTER)) == 0


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_same_keeps_the_size_and_puts_the_odd_element_at_the_end(size, dilation, stride):
    weight = np.arange(1.0, 1 + size).reshape(1, 1, size)
    y = conv1d(X[:, :1], weight, stride=stride, padding="same", dilation=dilation)
    total = dilation * (size - 1)
    assert y.shape[-1] == -(-X.shape[-1] // stride)
    padded = np.pad(X[:, :1], ((0, 0), (0, 0), (total // 2, total - total // 2)))
    assert bits(y, conv1d(padded, weight, stride=stride, dilation=dilation)[..., : y.shape[-1]]) == 0


@pytest.mark.parametrize("same", ["symmetric", "tf", "lower"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_of_a_transposed_call_is_that_of_the_size_it_makes(kernel, stride, same):
    """The output has the size that the spread input and `output_padding` make, whatever the kernel."""
    weight, knobs = np.ones((1, 1, kernel)), {"stride": stride, "padding": "same", "same": same}
    for size, further, dilation in product((1, 2, 3, 5), range(stride), (1, 2)):
        x = np.arange(1.0, 1 + size).reshape(1, 1, size)
        y = conv_transpose1d(x, weight, output_padding=further, dilation=dilation, **knobs)
        assert y.shape == (1, 1, (size - 1) * stride + 1 + further)
        assert conv1d(y, weight, dilation=dilation, **knobs).shape == x.shape
        back = grad.conv1d_input(y.shape, weight, x, dilation=dilation, **knobs)
        assert bits(back, y) == 0


def test_valid_is_no_padding():
    assert bits(conv2d(IMAGE, FILTER, padding="valid"), conv2d(IMAGE, FILTER)) == 0


def test_the_bias_is_added_last():
    big = np.array([1e16, 0, 0])
    assert bits(conv2d(IMAGE, FILTER, big), conv2d(IMAGE, FILTER) + big[:, None, None]) == 0


def test_the_result_is_new_and_of_the_inputs_dtype():
    for dtype in ("float32", "float64"):
        y = conv1d(X.astype(dtype), W.astype(dtype), B.astype(dtype), groups=2)
        assert y.dtype == dtype
        assert y.flags.c_contiguous
        assert y.flags.writeable


def test_subclasses_count_as_the_array_they_hold(tmp_path):
    stored = np.memmap(tmp_path / "x", np.float64, "w+", shape=X.shape)
    stored[...] = X
    y = conv1d(stored, W, groups=2)
    assert type(y) is np.ndarray
    assert bits(y, conv1d(X, W, groups=2)) == 0


STRUCTURED = np.zeros((1, 4, 6), [("re", "f8"), ("im", "f8")])
TYPE_ERRORS = {
    "needs": (
        lambda: grad.conv_backward(np.ones((1, 6, 4)), X, W, groups=2, needs="input"),
        "needs is the text 'input', and a sequence of texts is needed; give needs=('input',)",
    ),
    "list": (
        lambda: conv1d([[1.0]], W),
        "input is a list, and a NumPy array is needed; convert it: np.asarray(input, dtype=np.float64)",
    ),
    "tuple": (lambda: conv1d(X, ((1.0,),)), "weight is a tuple, and a NumPy array is needed"),
    "number": (lambda: conv1d(3.0, W), "input is a float, and a NumPy array is needed"),
    "none": (lambda: conv1d(X, None), "weight is None, and an array is needed"),
    "foreign": (
        lambda: conv1d(iter(X), W),
        "and a NumPy array is needed; convert it: np.asarray(input)",
    ),
    "masked": (
        lambda: conv1d(np.ma.masked_less(X, 3), W),
        "input is a masked array, and its mask would be ignored; fill it first: input.filled(0)",
    ),
    "bool": (lambda: conv1d(X > 0, W), "input has dtype bool"),
    "bool fix": (lambda: conv1d(X > 0, W), "say what True counts, e.g. input.astype(np.uint8)"),
    "int": (lambda: conv1d(X.astype(int), W), "input is int64 but weight is float64"),
    "half": (lambda: conv1d(X, W.astype("f2")), "input is float64 but weight is float16"),
    "long double": (
        lambda: conv1d(X.astype(np.longdouble), W),
        "input has dtype float128" if np.longdouble(1).itemsize == 16 else "input has dtype",
    ),
    "text": (lambda: conv1d(X.astype(str), W), "convert it to numbers first"),
    "structured": (lambda: conv1d(STRUCTURED, W), "take one of its fields, e.g. input['re']"),
    "mixed": (
        lambda: conv1d(X.astype("f4"), W),
        "input is float32 but weight is float64, and dtypes are not mixed; convert one, e.g. "
        "weight.astype(input.dtype)",
    ),
    "mixed bias": (lambda: conv1d(X, W, B.astype("f4"), groups=2), "input is float64 but bias is float32"),
    "mixed gradient": (
        lambda: grad.conv1d_input(X.shape, W, np.zeros((1, 6, 4), "f4"), groups=2),
        "weight is float64 but grad_output is float32",
    ),
    "stride": (lambda: conv1d(X, W, stride=1.5, groups=2), "stride is 1.5 (float), and an integer is needed"),
    "stride bool": (lambda: conv1d(X, W, stride=True, groups=2), "stride is True, and an integer is needed"),
    "stride entry": (
        lambda: conv2d(IMAGE, FILTER, stride=(1, "2")),
        "stride[1] is '2' (str), and an integer is needed",
    ),
    "padding none": (
        lambda: conv1d(X, W, padding=None, groups=2),
        "padding is None (NoneType), and an integer is needed",
    ),
    "padding pair": (
        lambda: conv1d(X, W, groups=2, padding=((1, 0.5),)),
        "padding[0][1] is 0.5 (float), and an integer is needed",
    ),
    "groups": (lambda: conv1d(X, W, groups="2"), "groups is '2' (str), and an integer is needed"),
    "input_size": (
        lambda: grad.conv1d_input(6, W, X),
        "input_size is 6, and a shape is needed: a tuple of integers",
    ),
    "input_size entry": (
        lambda: grad.conv1d_input((1, 4, 6.0), W, X),
        "input_size[2] is 6.0 (float), and an integer is needed",
    ),
    "keyword only": (lambda: conv1d(X, W, None, 1, 0, 1, 2, "direct"), "positional arguments"),
}

SHAPE_ERRORS = {
    "input rank": (
        lambda: conv1d(X[0, 0], W),
        "Expected 2D (unbatched) or 3D (batched) input to a 1-d convolution, but input has 1 axes: (6,)",
    ),
    "image rank": (
        lambda: conv2d(X[0], FILTER),
        "Expected 3D (unbatched) or 4D (batched) input to a 2-d convolution",
    ),
    "weight rank": (
        lambda: conv2d(IMAGE, W),
        "weight has shape (6, 2, 3); a 2-d convolution needs 4 axes: output channels, input channels "
        "per group, kernel size 0, kernel size 1",
    ),
    "groups of input": (
        lambda: conv1d(X, W, groups=3),
        "groups=3 does not divide the 4 input channels (input.shape[1]); divisors are 1, 2, 4",
    ),
    "groups of unbatched": (
        lambda: conv1d(X[0], W, groups=3),
        "groups=3 does not divide the 4 input channels (input.shape[0]); divisors are 1, 2, 4",
    ),
    "groups of output": (
        lambda: conv1d(X, W, groups=4),
        "groups=4 does not divide the 6 output channels (weight.shape[0]); divisors are 1, 2, 3, 6",
    ),
    "groups of a size": (
        lambda: grad.conv1d_input((1, 4, 6), W, X, groups=3),
        "groups=3 does not divide the 4 input channels (input_size[1])",
    ),
    "groups zero": (lambda: conv1d(X, W, groups=0), "groups is 0, and it must be at least 1"),
    "channels": (
        lambda: conv1d(X, W),
        "weight has shape (6, 2, 3), so it expects 2 input channels with groups=1, but input has "
        "shape (1, 4, 6) with 4; weight.shape[1] must be 4",
    ),
    "channels of a size": (lambda: grad.conv1d_weight(X, (6, 2, 3), X), "weight_size[1] must be 4"),
    "bias": (
        lambda: conv1d(X, W, np.zeros(5), groups=2),
        "bias has shape (5,), and it must be (6,): one number for each output channel (weight.shape[0])",
    ),
    "empty kernel": (
        lambda: conv1d(X, np.zeros((6, 4, 0))),
        "weight has shape (6, 4, 0), and every kernel size must be at least 1",
    ),
    "stride": (lambda: conv1d(X, W, groups=2, stride=0), "stride is 0, and it must be at least 1"),
    "stride entry": (
        lambda: conv2d(IMAGE, FILTER, stride=(1, -2)),
        "stride[1] is -2, and it must be at least 1",
    ),
    "stride entries": (
        lambda: conv1d(X, W, groups=2, stride=(1, 2)),
        "stride=(1, 2) has 2 entries, and the call has 1 spatial axes; give one integer or 1",
    ),
    "dilation": (lambda: conv1d(X, W, groups=2, dilation=0), "dilation is 0, and it must be at least 1"),
    "padding word": (
        lambda: conv1d(X, W, groups=2, padding="some"),
        "padding='some' is not known; it is an integer, one for each axis, pairs (before, after), 'valid', 'same', "
        "'full' or 'causal'",
    ),
    "padding entries": (
        lambda: conv2d(IMAGE, FILTER, padding=(1, 1, 1, 1)),
        "padding=(1, 1, 1, 1) has 4 entries, and the call has 2 spatial axes",
    ),
    "padding pairs": (
        lambda: conv2d(IMAGE, FILTER, padding=((1, 1), 1)),
        "padding=((1, 1), 1) mixes forms or has the wrong length; with pairs it is one pair (before, "
        "after) for each of the 2 spatial axes",
    ),
    "kernel too large": (
        lambda: conv1d(X, np.ones((1, 4, 5)), dilation=2),
        "the kernel is larger than the padded input along spatial axis 0: kernel size 5 with "
        "dilation 2 against input size 6 with padding (0, 0); enlarge the padding or the input",
    ),
    "all cropped": (lambda: conv1d(X, W, groups=2, padding=-2), "with padding (-2, -2)"),
    "grad_output": (
        lambda: grad.conv1d_input((1, 4, 6), W, X, groups=2),
        "grad_output has shape (1, 4, 6), and with these sizes and parameters the output has shape (1, 6, 4)",
    ),
    "grad_output of weight": (
        lambda: grad.conv1d_weight(X, (6, 2, 3), X[0], groups=2),
        "grad_output has shape (4, 6)",
    ),
    "negative size": (
        lambda: grad.conv1d_input((1, 4, -6), W, X),
        "input_size[2] is -6, and it must be at least 0",
    ),
    "bias gradient rank": (
        lambda: grad.conv2d_bias(X[0]),
        "Expected 3D (unbatched) or 4D (batched) grad_output",
    ),
    "algorithm": (
        lambda: conv1d(X, W, algorithm="gemm"),
        "algorithm='gemm' is not known; it is one of 'auto', 'direct', 'winograd', 'fft' or 'reference'",
    ),
    "gradient algorithm": (
        lambda: grad.conv1d_input((1, 4, 6), W, X, algorithm="gemm"),
        "algorithm='gemm' is not known",
    ),
}
KERNEL_ERRORS = {
    "winograd": (
        lambda: conv1d(X, W, groups=2, stride=2, algorithm="winograd"),
        "of stride and input_dilation 1; here kernel is (3,), stride (2,), input_dilation (1,), dtype float64; "
        "use algorithm='auto'",
    ),
    "fft of integers": (
        lambda: conv1d(X.astype(int), W.astype(int), groups=2, algorithm="fft"),
        "algorithm='fft' computes floating-point numbers, and these are int64; use 'direct'",
    ),
}


@pytest.mark.parametrize(("call", "sentence"), TYPE_ERRORS.values(), ids=TYPE_ERRORS)
def test_a_wrong_type_is_a_sentence(call, sentence):
    with pytest.raises(TypeError) as caught:
        call()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("call", "sentence"), SHAPE_ERRORS.values(), ids=SHAPE_ERRORS)
def test_a_wrong_shape_or_value_is_a_sentence(call, sentence):
    with pytest.raises(ShapeError) as caught:
        call()
    assert sentence in str(caught.value)
    assert isinstance(caught.value, (ValueError, convsym.ConvsymError))


@pytest.mark.parametrize(("call", "sentence"), KERNEL_ERRORS.values(), ids=KERNEL_ERRORS)
def test_an_algorithm_for_other_calls_is_a_sentence(call, sentence):
    with pytest.raises(KernelError) as caught:
        call()
    assert sentence in str(caught.value)
