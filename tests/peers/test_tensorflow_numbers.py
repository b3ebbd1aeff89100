"""Numbers that TensorFlow's tests state for convolutions and both gradients of them.

Facts from tensorflow/compiler/tests/conv2d_test.py and tensorflow/python/kernel_tests/nn_ops/ (conv_ops_test.py,
depthwise_conv_op_test.py); every array counts 1, 2, 3, … in the order NHWC or HWIO.
"""

from itertools import count

import numpy as np
import pytest

import convsym
from convsym import grad

AXES = ("NHWC", "HWIO", "NHWC")
FIRST = [
    5, 11, 17, 11, 25, 39, 17, 39, 61, 23, 53, 83, 29, 67, 105, 35, 81, 127, 41, 95, 149, 47, 109, 171, 53, 123, 193,
    59, 137, 215, 65, 151, 237, 71, 165, 259, 77, 179, 281, 83, 193, 303, 89, 207, 325, 95, 221, 347,
]  # fmt: skip
POINTWISE = [30, 36, 42, 66, 81, 96, 102, 126, 150, 138, 171, 204, 174, 216, 258, 210, 261, 312]

# input, filter, stride, dilation, padding, output
OUTPUTS = [
    ((1, 2, 3, 3), (1, 1, 3, 3), 1, 1, "VALID", POINTWISE),
    ((1, 2, 3, 3), (2, 2, 3, 3), 1, 1, "VALID", [2271, 2367, 2463, 2901, 3033, 3165]),
    ((1, 2, 3, 3), (1, 2, 3, 3), 1, 1, "VALID", [231, 252, 273, 384, 423, 462, 690, 765, 840, 843, 936, 1029]),
    ((1, 2, 3, 3), (2, 2, 3, 3), 2, 1, "VALID", [2271, 2367, 2463]),
    ((1, 2, 3, 3), (2, 2, 3, 3), 2, 1, "SAME", [2271, 2367, 2463, 1230, 1305, 1380]),
    ((1, 3, 6, 1), (2, 2, 1, 1), (1, 2), 1, "VALID", [58, 78, 98, 118, 138, 158]),
    ((1, 7, 7, 1), (2, 2, 1, 1), 3, 1, "VALID", [65, 95, 275, 305]),
    ((1, 3, 3, 1), (1, 1, 1, 1), 2, 1, "SAME", [1, 3, 7, 9]),
    ((1, 4, 4, 1), (1, 1, 1, 1), 2, 1, "SAME", [1, 3, 9, 11]),
    ((1, 4, 4, 1), (2, 2, 1, 1), 3, 1, "SAME", [44, 28, 41, 16]),
    ((1, 2, 2, 1), (2, 2, 1, 2), 1, 1, "VALID", [50, 60]),
    ((0, 2, 3, 3), (1, 1, 3, 3), 1, 1, "VALID", []),
    ((1, 0, 2, 1), (1, 1, 1, 1), 1, 1, ((1, 1), (1, 1)), [0] * 8),
]

# input, filter, output, stride, dilation, padding, gradient
BY_INPUT = [
    ((1, 4, 4, 3), (1, 1, 3, 2), (1, 4, 4, 2), 1, 1, "VALID", FIRST),
    ((1, 1, 5, 1), (1, 2, 1, 1), (1, 1, 2, 1), 3, 1, "VALID", [1, 2, 0, 2, 4]),
    ((1, 1, 6, 1), (1, 2, 1, 1), (1, 1, 2, 1), 3, 1, "VALID", [1, 2, 0, 2, 4, 0]),
    ((1, 1, 7, 1), (1, 2, 1, 1), (1, 1, 2, 1), 3, 1, "VALID", [1, 2, 0, 2, 4, 0, 0]),
    ((1, 2, 3, 1), (2, 2, 1, 1), (1, 2, 3, 1), 1, 1, "SAME", [1, 4, 7, 7, 23, 33]),
    ((1, 2, 3, 1), (2, 2, 1, 1), (1, 1, 2, 1), 1, 1, "VALID", [1, 4, 4, 3, 10, 8]),
    ((1, 2, 3, 3), (2, 2, 3, 3), (1, 1, 2, 3), 1, 1, "VALID",
     [14, 32, 50, 100, 163, 226, 167, 212, 257, 122, 140, 158, 478, 541, 604, 437, 482, 527]),
    ((1, 2, 3, 3), (2, 2, 3, 3), (1, 2, 3, 3), 1, 1, "SAME",
     [14, 32, 50, 100, 163, 226, 217, 334, 451, 190, 307, 424, 929, 1217, 1505, 1487, 1883, 2279]),
    ((1, 3, 3, 1), (1, 2, 1, 1), (1, 3, 2, 1), 1, 1, "VALID", [1, 4, 4, 3, 10, 8, 5, 16, 12]),
    ((1, 3, 3, 1), (1, 2, 1, 1), (1, 3, 3, 1), 1, 1, "SAME", [1, 4, 7, 4, 13, 16, 7, 22, 25]),
    ((1, 3, 5, 1), (1, 3, 1, 1), (1, 2, 2, 1), 2, 1, "VALID", [1, 2, 5, 4, 6, 0, 0, 0, 0, 0, 3, 6, 13, 8, 12]),
    ((1, 2, 3, 1), (2, 2, 1, 1), (1, 1, 2, 1), 2, 1, "SAME", [1, 2, 2, 3, 4, 6]),
    ((1, 3, 6, 1), (2, 2, 1, 1), (1, 2, 3, 1), (1, 2), 1, "VALID",
     [1, 2, 2, 4, 3, 6, 7, 12, 11, 18, 15, 24, 12, 16, 15, 20, 18, 24]),
    ((1, 4, 4, 1), (1, 1, 1, 1), (1, 2, 2, 1), 2, 1, "SAME", [1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0]),
    ((1, 2, 2, 1), (2, 2, 1, 2), (1, 1, 1, 2), 1, 1, "VALID", [5, 11, 17, 23]),
    ((0, 2, 3, 1), (2, 2, 1, 1), (0, 1, 2, 1), 1, 1, "VALID", []),
    ((1, 3, 6, 1), (2, 2, 1, 1), (1, 1, 5, 1), 1, (2, 1), "VALID",
     [1, 4, 7, 10, 13, 10, 0, 0, 0, 0, 0, 0, 3, 10, 17, 24, 31, 20]),
    ((1, 2, 3, 1), (2, 2, 1, 1), (1, 1, 1, 1), 1, (1, 2), "VALID", [1, 0, 2, 3, 0, 4]),
    ((0, 2, 3, 1), (2, 2, 1, 1), (0, 1, 1, 1), 1, (1, 2), "VALID", []),
    ((1, 3, 2, 3), (2, 2, 3, 3), (1, 1, 1, 3), 1, (2, 1), "VALID",
     [14, 32, 50, 68, 86, 104, 0, 0, 0, 0, 0, 0, 122, 140, 158, 176, 194, 212]),
    ((1, 3, 3, 1), (2, 2, 1, 2), (1, 1, 1, 2), 1, (2, 2), "VALID", [5, 0, 11, 0, 0, 0, 17, 0, 23]),
    ((1, 2, 2, 6), (2, 2, 3, 4), (1, 1, 1, 4), 1, 1, "VALID",
     [5, 17, 29, 25, 53, 81, 41, 53, 65, 109, 137, 165, 77, 89, 101, 193, 221, 249, 113, 125, 137, 277, 305, 333]),
]  # fmt: skip

BY_FILTER = [
    ((1, 4, 4, 3), (1, 1, 3, 2), (1, 4, 4, 2), 1, 1, "VALID", [8056, 8432, 8312, 8704, 8568, 8976]),
    ((1, 3, 3, 1), (1, 2, 1, 1), (1, 3, 2, 1), 1, 1, "VALID", [120, 141]),
    ((1, 2, 3, 1), (2, 2, 1, 1), (1, 1, 2, 1), 1, 1, "VALID", [5, 8, 14, 17]),
    ((1, 2, 3, 3), (2, 2, 3, 3), (1, 1, 2, 3), 1, 1, "VALID",
     [17, 22, 27, 22, 29, 36, 27, 36, 45, 32, 43, 54, 37, 50, 63, 42, 57, 72, 62, 85, 108, 67, 92, 117, 72, 99, 126, 77,
      106, 135, 82, 113, 144, 87, 120, 153]),
    ((1, 1, 5, 1), (1, 2, 1, 1), (1, 1, 2, 1), 3, 1, "VALID", [9, 12]),
    ((1, 1, 6, 1), (1, 2, 1, 1), (1, 1, 2, 1), 3, 1, "VALID", [9, 12]),
    ((1, 1, 7, 1), (1, 2, 1, 1), (1, 1, 2, 1), 3, 1, "VALID", [9, 12]),
    ((1, 1, 4, 1), (1, 3, 1, 1), (1, 1, 2, 1), 1, 1, "VALID", [5, 8, 11]),
    ((1, 1, 4, 1), (1, 3, 1, 1), (1, 1, 4, 1), 1, 1, "SAME", [20, 30, 20]),
    ((1, 1, 4, 1), (1, 3, 1, 1), (1, 1, 2, 1), 2, 1, "SAME", [7, 10, 3]),
    ((1, 2, 3, 1), (2, 2, 1, 1), (1, 2, 3, 1), 1, 1, "SAME", [91, 58, 32, 17]),
    ((1, 3, 5, 1), (1, 3, 1, 1), (1, 2, 2, 1), 2, 1, "VALID", [92, 102, 112]),
    ((1, 2, 3, 1), (2, 2, 1, 1), (1, 1, 2, 1), 2, 1, "SAME", [7, 2, 16, 5]),
    ((1, 3, 6, 1), (2, 2, 1, 1), (1, 2, 3, 1), (1, 2), 1, "VALID", [161, 182, 287, 308]),
    ((1, 4, 4, 1), (1, 1, 1, 1), (1, 2, 2, 1), 2, 1, "SAME", [78]),
    ((1, 2, 2, 1), (2, 2, 1, 2), (1, 1, 1, 2), 1, 1, "VALID", [1, 2, 2, 4, 3, 6, 4, 8]),
    ((1, 2, 3, 1), (2, 2, 1, 0), (1, 1, 2, 0), 1, 1, "VALID", []),
    ((0, 2, 3, 1), (2, 2, 1, 1), (0, 1, 2, 1), 1, 1, "VALID", [0, 0, 0, 0]),
    ((1, 3, 6, 1), (2, 2, 1, 1), (1, 1, 5, 1), 1, (2, 1), "VALID", [55, 70, 235, 250]),
    ((1, 2, 3, 1), (2, 2, 1, 1), (1, 1, 1, 1), 1, (1, 2), "VALID", [1, 3, 4, 6]),
    ((1, 2, 3, 1), (2, 2, 1, 0), (1, 1, 1, 0), 1, (1, 2), "VALID", []),
    ((1, 3, 4, 3), (2, 2, 3, 3), (1, 1, 2, 3), 1, (2, 2), "VALID",
     [17, 22, 27, 22, 29, 36, 27, 36, 45, 47, 64, 81, 52, 71, 90, 57, 78, 99, 137, 190, 243, 142, 197, 252, 147, 204,
      261, 167, 232, 297, 172, 239, 306, 177, 246, 315]),
    ((1, 3, 3, 1), (2, 2, 1, 2), (1, 1, 1, 2), 1, (2, 2), "VALID", [1, 2, 3, 6, 7, 14, 9, 18]),
    ((1, 2, 2, 2), (2, 2, 1, 2), (1, 1, 1, 2), 1, 1, "VALID", [1, 4, 3, 8, 5, 12, 7, 16]),
]  # fmt: skip
DTYPES = ("float32", "float64", "int32")


def counting(shape, dtype):
    return np.fromiter(count(1), dtype, int(np.prod(shape))).reshape(shape)


def knobs(input, filter, stride, dilation, padding):
    return {
        "stride": stride,
        "dilation": dilation,
        "padding": padding.lower() if isinstance(padding, str) else padding,
        "groups": input[3] // filter[2],
        "axes": AXES,
        "same": "tf",
        "algorithm": "direct",
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("input", "filter", "stride", "dilation", "padding", "expected"), OUTPUTS)
def test_output(input, filter, stride, dilation, padding, expected, dtype):
    x, w = counting(input, dtype), counting(filter, dtype)
    y = convsym.conv2d(x, w, **knobs(input, filter, stride, dilation, padding))
    assert y.dtype == dtype
    assert y.ravel().tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("input", "filter", "output", "stride", "dilation", "padding", "expected"), BY_INPUT)
def test_gradient_by_input(input, filter, output, stride, dilation, padding, expected, dtype):
    w, dy = counting(filter, dtype), counting(output, dtype)
    dx = grad.conv2d_input(input, w, dy, **knobs(input, filter, stride, dilation, padding))
    assert dx.ravel().tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("input", "filter", "output", "stride", "dilation", "padding", "expected"), BY_FILTER)
def test_gradient_by_filter(input, filter, output, stride, dilation, padding, expected, dtype):
    x, dy = counting(input, dtype), counting(output, dtype)
    dw = grad.conv2d_weight(x, filter, dy, **knobs(input, filter, stride, dilation, padding))
    assert dw.ravel().tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_depthwise_with_a_multiplier(dtype):
    x, w = counting((1, 2, 3, 2), dtype), counting((2, 2, 2, 2), dtype)
    y = convsym.conv2d(x, w.reshape(2, 2, 1, 4), groups=2, axes=AXES)
    assert y.ravel().tolist() == [196, 216, 272, 296, 252, 280, 344, 376]


def test_the_numbers_are_as_many_as_were_looked_up():
    assert (len(OUTPUTS), len(BY_INPUT), len(BY_FILTER)) == (13, 22, 24)
