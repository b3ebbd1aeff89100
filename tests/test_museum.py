"""The bug museum: published wrong convolutions, each right here, forward and in both gradients.

A row holds the smallest shapes that show what the report is about; rows about size have a large version that is marked
slow. The answers are those of NumPy's windows and einsum, of plain loops where those are short, or numbers worked by
hand. What the same reports say about formulas is in test_museum_rules.py.

project#n is issue n of the project on GitHub: https://github.com/pytorch/pytorch, jax-ml/jax, openxla/xla, scipy/scipy.
"""

import os
import threading
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np
import pytest
import reference
from einsum_road import Windows
from exact import bits
from process import run_python

import convsym
from convsym import ShapeError, grad

PYTORCH = "https://github.com/pytorch/pytorch/issues/"
ONEDNN = "https://github.com/uxlfoundation/oneDNN/blob/main/tests/benchdnn/inputs/conv/harness_conv_regression_general"
MLX = "https://github.com/ml-explore/mlx/issues/"
XLA = "https://github.com/openxla/xla/issues/48713"


@dataclass(frozen=True)
class Exhibit:
    """A published wrong convolution that is told by its shapes and parameters alone."""

    name: str
    link: str
    x: tuple[int, ...]
    w: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1

    def __post_init__(self):
        rank = len(self.w) - 2
        for name, neutral in (("stride", 1), ("padding", (0, 0)), ("dilation", 1)):
            if not getattr(self, name):
                object.__setattr__(self, name, (neutral,) * rank)

    def __str__(self):
        return self.name

    @property
    def knobs(self):
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups")}

    @property
    def windows(self):
        return Windows(**self.knobs)


EXHIBITS = (
    Exhibit("dX of columns that no window covers", PYTORCH + "25101", (1, 9, 32, 32), (3, 9, 5, 5), (3, 3),
            ((1, 1), (1, 1))),
    Exhibit("dW with a stride larger than the kernel, in groups", PYTORCH + "68868", (2, 6, 5, 6, 4), (6, 2, 2, 2, 2),
            (4, 4, 1), ((1, 1),) * 3, groups=3),
    *(Exhibit(f"{channels} channels in {groups} groups", PYTORCH + "21597", (2, channels, 5, 4),
              (2 * groups, channels // groups, 3, 2), groups=groups)
      for channels in (6, 8, 12, 16) for groups in (1, 2, channels)),
    Exhibit("many pixels, 28 channels", PYTORCH + "84488", (1, 28, 3, 4, 5), (12, 28, 1, 1, 1)),
    Exhibit("many pixels, 28 channels, earlier", PYTORCH + "56922", (1, 28, 5, 3, 2), (12, 28, 1, 1, 1)),
    Exhibit("depthwise, stride 2, 25 taps", PYTORCH + "23042", (2, 5, 80), (5, 1, 25), (2,), groups=5),
    Exhibit("dilation 2 with padding 2", PYTORCH + "23069", (1, 3, 16, 16), (8, 3, 3, 3), (1, 1), ((2, 2), (2, 2)),
            (2, 2)),
    Exhibit("a pointwise filter, cropped and padded", XLA, (1, 8, 15, 6), (8, 8, 1, 1), (1, 1), ((0, 0), (-5, 1))),
    *(Exhibit(f"negative padding {pair} with stride {stride}", link, (2, 2, 9, 8), (3, 2, 3, 2), (stride, stride),
              (pair, (1, -2)))
      for link in ("https://github.com/tensorflow/tensorflow/issues/11092", "https://github.com/clab/dynet/issues/667")
      for pair in ((-1, -1), (-2, 1), (-1, 0)) for stride in (2, 3)),
    Exhibit("padding at the end only", MLX + "2038", (2, 3, 4, 5, 6), (4, 3, 3, 3, 3), (2, 2, 2),
            ((0, 1), (0, 1), (0, 1))),
    Exhibit("padding larger than the kernel", MLX + "833", (2, 3, 6, 7), (4, 3, 3, 3), (1, 1), ((4, 4), (4, 4))),
    Exhibit("a kernel of 2x1 on an image of width 1", "https://github.com/deeplearning4j/deeplearning4j/issues/7281",
            (3, 2, 5, 1), (4, 2, 2, 1)),
    Exhibit("DNNL-671", ONEDNN, (2, 2, 1, 9), (3, 2, 1, 3), (1, 2)),
    Exhibit("DNNL-796, large asymmetric padding", ONEDNN, (2, 32, 7, 7), (32, 32, 3, 3), (1, 1), ((2, 4), (2, 4))),
    Exhibit("DNNL-949", ONEDNN, (2, 1, 3, 5), (2, 1, 2, 2), (1, 1), ((0, 0), (0, 0)), (2, 2)),
    Exhibit("DNNL-982, large padding on the right", ONEDNN, (2, 1, 3, 5), (2, 1, 2, 2), (1, 1), ((4, 5), (2, 7)),
            (2, 2)),
    Exhibit("DNNL-982, more padding than image", ONEDNN, (2, 8, 1, 1), (8, 8, 2, 2), (1, 1), ((1, 15), (1, 15))),
)  # fmt: skip


def operands(exhibit, dtype="float64"):
    """x, w, dy and the independent y: integers from -3 to 3."""
    random = np.random.default_rng(prod(exhibit.x) + prod(exhibit.w))
    x, w = (random.integers(-3, 4, shape).astype(np.int64) for shape in (exhibit.x, exhibit.w))
    y = exhibit.windows.forward(x, w)
    dy = random.integers(-3, 4, y.shape).astype(np.int64)
    return (*(array.astype(dtype) for array in (x, w, dy)), y)


def assert_right(exhibit, dtype):
    """The forward pass and the gradients are those of the windows, bit for bit."""
    x, w, dy, y = operands(exhibit, dtype)
    whole = [array.astype(np.int64) for array in (x, w, dy)]
    dx = exhibit.windows.by_input(x.shape, whole[1], whole[2])
    dw = exhibit.windows.by_weight(whole[0], w.shape[2:], whole[2])
    knobs = {**exhibit.knobs, "algorithm": "direct"}
    assert bits(convsym.conv(x, w, **knobs), y.astype(dtype)) == 0
    assert bits(grad.conv_input(x.shape, w, dy, **knobs), dx.astype(dtype)) == 0
    assert bits(grad.conv_weight(x, w.shape, dy, **knobs), dw.astype(dtype)) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("exhibit", EXHIBITS, ids=str)
def test_forward_and_gradients(exhibit, dtype):
    assert_right(exhibit, dtype)


def multiplications(exhibit):
    return prod(exhibit.w) * prod(operands(exhibit)[3].shape) // exhibit.w[0]


@pytest.mark.parametrize("exhibit", [e for e in EXHIBITS if multiplications(e) < 1500], ids=str)
def test_windows_and_plain_loops_agree(exhibit):
    x, w, dy, y = operands(exhibit, "int64")
    into, out = w.shape[1], w.shape[0] // exhibit.groups
    case = (x.shape[0], exhibit.groups, (into, out), x.shape[2:], w.shape[2:], y.shape[2:])
    triples = list(reference.relation(*case, exhibit.stride, exhibit.dilation, exhibit.padding))
    values = [dict(np.ndenumerate(array)) for array in (x, w, dy)]
    dx, dw, _ = reference.gradients(*values, triples)
    answers = (y, exhibit.windows.by_input(x.shape, w, dy), exhibit.windows.by_weight(x, w.shape[2:], dy))
    for array, places in zip(answers, (reference.convolution(*values[:2], triples), dx, dw), strict=True):
        assert {place: value for place, value in np.ndenumerate(array) if value} == {
            place: value for place, value in places.items() if value
        }


def test_a_wrong_padding_would_be_seen():
    """The mutant: the exhibits of negative padding, computed without their cropping, give other numbers."""
    for exhibit in EXHIBITS:
        if any(side < 0 for pair in exhibit.padding for side in pair):
            uncropped = replace(exhibit, padding=tuple((max(lo, 0), max(hi, 0)) for lo, hi in exhibit.padding))
            x, w, _, y = operands(exhibit)
            value = convsym.conv(x, w, **uncropped.knobs)[tuple(map(slice, y.shape))]
            assert not np.array_equal(value, y)


# ------------------------------------------------------------------ numbers that the reports state, and kinds of input


def test_the_last_column_that_no_window_covers_has_no_gradient():
    """pytorch#25101: all ones; ten windows of 5, one every 3 of 34 padded columns; the last two are read by none.

    Column 31 of the image is the first of these; the others are read once or twice, by 3 channels.
    """
    dx = grad.conv2d_input((1, 9, 32, 32), np.ones((3, 9, 5, 5)), np.ones((1, 3, 10, 10)), stride=3, padding=1)
    read = np.array([1, 1, *[2, 2, 1] * 9, 1, 1, 0])
    assert np.array_equal(dx, np.broadcast_to(3.0 * np.outer(read, read), dx.shape))


def test_the_gradient_of_a_transposed_convolution_takes_the_right_element():
    """pytorch#63314: stride 2, one tap: outputs 0 and 2 come from inputs 0 and 1, output 1 from none."""
    x, w, dy = np.array([[[[2.0, 3.0]]]]), np.array([[[[10.0]]]]), np.array([[[[1.5, 0.0, 0.7]]]])
    assert convsym.conv_transpose2d(x, w, stride=(1, 2)).tolist() == [[[[20, 0, 30]]]]
    dx = grad.conv_transpose2d_input(x.shape, w, dy, stride=(1, 2))
    assert dx.tolist() == [[[[15.0, 7.0]]]]
    assert grad.conv_transpose2d_weight(x, w.shape, dy, stride=(1, 2)).item() == 2 * 1.5 + 3 * 0.7


def test_slices_that_are_not_contiguous_are_read_as_they_are():
    """pytorch#18948: 3×1 slices of 3×3 arrays."""
    random = np.random.default_rng(18948)
    x, w, dy = (random.integers(-9, 10, (1, 1, 3, 3)).astype(float)[..., column : column + 1] for column in range(3))
    padding = ((1, 1), (0, 0))
    windows = Windows((1, 1), padding, (1, 1))
    assert not (x.flags.c_contiguous or w.flags.c_contiguous or dy.flags.c_contiguous)
    assert bits(convsym.conv2d(x, w, padding=padding), windows.forward(x, w)) == 0
    assert bits(grad.conv2d_input(x.shape, w, dy, padding=padding), windows.by_input(x.shape, w, dy)) == 0
    assert bits(grad.conv2d_weight(x, w.shape, dy, padding=padding), windows.by_weight(x, (3, 1), dy)) == 0


@pytest.mark.parametrize("length", [80, pytest.param(8024, marks=pytest.mark.slow)])
def test_a_channel_is_computed_as_if_it_were_alone(length):
    """pytorch#23042: depthwise, stride 2, 25 taps; with rounding, so the order of the sums is the same too."""
    random = np.random.default_rng(23042)
    x = random.standard_normal((2, 7, length), np.float32)
    w = random.standard_normal((7, 1, 25), np.float32)
    y = convsym.conv1d(x, w, stride=2, groups=7, algorithm="direct")
    dy = random.standard_normal(y.shape, np.float32)
    dx = grad.conv1d_input(x.shape, w, dy, stride=2, groups=7, algorithm="direct")
    dw = grad.conv1d_weight(x, w.shape, dy, stride=2, groups=7, algorithm="direct")
    for c in range(7):
        one = slice(c, c + 1)
        knobs = {"stride": 2, "algorithm": "direct"}
        assert bits(convsym.conv1d(x[:, one], w[one], **knobs), y[:, one]) == 0
        assert bits(grad.conv1d_input((2, 1, length), w[one], dy[:, one], **knobs), dx[:, one]) == 0
        assert bits(grad.conv1d_weight(x[:, one], (1, 1, 25), dy[:, one], **knobs), dw[one]) == 0


@pytest.mark.parametrize("name", ["stride", "groups", "dilation"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_stride_dilation_or_number_of_groups_of_zero_is_a_sentence(name, value):
    """pytorch#73193: these divided by zero."""
    x, w, dy = np.ones((1, 2, 5, 5)), np.ones((2, 2, 3, 3)), np.ones((1, 2, 3, 3))
    knob = {name: value}
    for call in (
        lambda: convsym.conv2d(x, w, **knob),
        lambda: convsym.conv_transpose2d(x, w, **knob),
        lambda: grad.conv2d_input(x.shape, w, dy, **knob),
        lambda: grad.conv2d_weight(x, w.shape, dy, **knob),
        lambda: grad.conv_transpose2d_input(x.shape, w, dy, **knob),
        lambda: grad.conv_transpose2d_weight(x, w.shape, dy, **knob),
    ):
        with pytest.raises(ShapeError, match=f"{name} is {value}, and it must be at least 1"):
            call()


def test_the_pixels_of_the_report_on_negative_padding():
    """openxla/xla#48713: NHWC (1, 15, 6, 8), the identity as filter, width padded by (-5, 1): 240 outputs."""
    x = np.arange(1.0, 721.0, dtype=np.float32).reshape(1, 15, 6, 8)
    w = np.eye(8, dtype=np.float32).reshape(1, 1, 8, 8)
    knobs = {"padding": ((0, 0), (-5, 1)), "axes": ("NHWC", "HWIO", "NHWC")}
    y = convsym.conv2d(x, w, **knobs)
    assert y.shape == (1, 15, 2, 8)
    assert np.array_equal(y[:, :, 0], x[:, :, 5])
    assert not y[:, :, 1].any()
    dx = grad.conv2d_input(x.shape, w, y, **knobs)
    assert np.array_equal(dx[:, :, 5], x[:, :, 5])
    assert not dx[:, :, :5].any()
    dw = grad.conv2d_weight(x, w.shape, y, **knobs)
    assert np.array_equal(dw[0, 0], x[0, :, 5].T @ x[0, :, 5])


CROPS = list(product(range(-5, 3), range(-5, 5), (1, 2, 3)))


def test_negative_padding_is_slicing_and_then_padding():
    """openxla/xla#48713 as a grid: 240 pairs (before, after) with strides; where nothing is left, a sentence."""
    assert len(CROPS) == 240
    random = np.random.default_rng(48713)
    x, w = (random.integers(-9, 10, shape).astype(np.float32) for shape in ((1, 2, 3, 6), (2, 2, 1, 2)))
    computed = 0
    for before, after, stride in CROPS:
        knobs = {"stride": (1, stride), "padding": ((0, 0), (before, after)), "algorithm": "direct"}
        if 6 + before + after < 2:
            with pytest.raises(ShapeError, match="larger than the padded input along spatial axis 1"):
                convsym.conv2d(x, w, **knobs)
            continue
        computed += 1
        windows = Windows((1, stride), ((0, 0), (before, after)), (1, 1))
        y = convsym.conv2d(x, w, **knobs)
        padded = np.pad(x[..., max(-before, 0) : min(6 + after, 6)], (*((0, 0),) * 3, (max(before, 0), max(after, 0))))
        assert bits(y, convsym.conv2d(padded, w, stride=(1, stride), algorithm="direct")) == 0
        assert bits(y, windows.forward(x, w)) == 0
        assert bits(grad.conv2d_input(x.shape, w, y, **knobs), windows.by_input(x.shape, w, y)) == 0
        assert bits(grad.conv2d_weight(x, w.shape, y, **knobs), windows.by_weight(x, (1, 2), y)) == 0
    assert computed > 100


def test_padding_that_leaves_nothing_is_a_sentence():
    """jax#11517: padding (5, 16), (-5, 1) on 2×3 pixels: the second axis would have -1 elements; jax aborted."""
    x, w, padding = np.ones((1, 1, 2, 3)), np.ones((1, 1, 1, 1)), ((5, 16), (-5, 1))
    for call in (
        lambda: convsym.conv2d(x, w, padding=padding),
        lambda: grad.conv2d_input(x.shape, w, np.ones((1, 1, 23, 0)), padding=padding),
        lambda: grad.conv2d_weight(x, w.shape, np.ones((1, 1, 23, 0)), padding=padding),
    ):
        with pytest.raises(ShapeError, match=r"along spatial axis 1: .* input size 3 with padding \(-5, 1\)"):
            call()


def test_a_convolution_without_spatial_axes_is_a_sentence_and_a_pointwise_one_a_product():
    """jax#7240: the gradient of a 0-d convolution."""
    x, w = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(4, 3)
    with pytest.raises(ShapeError, match="1 to 5 spatial axes"):
        convsym.conv(x, w)
    y = convsym.conv1d(x[..., None], w[..., None])
    assert np.array_equal(y[..., 0], x @ w.T)
    assert np.array_equal(grad.conv1d_input((2, 3, 1), w[..., None], y)[..., 0], y[..., 0] @ w)
    assert np.array_equal(grad.conv1d_weight(x[..., None], (4, 3, 1), y)[..., 0], y[..., 0].T @ x)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_gradient_of_a_gradient_with_groups(groups):
    """jax#380: batch and channels changed roles in the second order; here each is a convolution again."""
    random = np.random.default_rng(380)
    x, ddx, w, ddw = (
        random.integers(-3, 4, shape).astype(float) for shape in ((3, 4, 7), (8, 4 // groups, 3)) for _ in range(2)
    )
    windows = Windows((2,), ((1, 0),), (1,), groups)
    dy = random.integers(-3, 4, windows.forward(x, w).shape).astype(float)
    knobs = {"stride": 2, "padding": ((1, 0),), "groups": groups}
    by_dy, by_x, by_w = grad.conv_double_backward(ddx, ddw, None, dy, x, w, **knobs)
    assert np.array_equal(by_dy, windows.forward(ddx, w) + windows.forward(x, ddw))
    assert np.array_equal(by_x, windows.by_input(x.shape, ddw, dy))
    assert np.array_equal(by_w, windows.by_weight(ddx, (3,), dy))


@pytest.mark.parametrize("algorithm", ["auto", "direct"])
def test_nan_stays_where_a_window_reads_it(algorithm):
    """scipy#15927: one NaN, and the whole output was."""
    x, w = np.ones((1, 1, 40, 40), np.float32), np.ones((1, 1, 5, 5), np.float32)
    x[0, 0, 20, 30] = np.nan
    y = convsym.conv2d(x, w, algorithm=algorithm)
    expected = np.zeros((36, 36), bool)
    expected[16:21, 26:31] = True
    assert np.array_equal(np.isnan(y[0, 0]), expected)
    dy = np.ones_like(y)
    dy[0, 0, 7, 9] = np.nan
    dx = grad.conv2d_input(x.shape, w, dy, algorithm=algorithm)
    expected = np.zeros((40, 40), bool)
    expected[7:12, 9:14] = True
    assert np.array_equal(np.isnan(dx[0, 0]), expected)


@pytest.mark.parametrize("rows", [3, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_long_row_of_integers(rows):
    """scipy#10761: 1000 × 300000 int64 with the kernel [[1, 1]]: 2.4 GB, more than 2³¹ bytes."""
    columns = 300_000 if rows == 1000 else 300
    needs_memory(2.2 * rows * columns * 8)
    x = np.zeros((1, 1, rows, columns), np.int64)
    marks = [(0, 0), (rows // 2, columns - 1), (rows - 1, 17), (rows - 1, columns - 1), (rows // 3, columns // 3)]
    for value, (row, column) in enumerate(marks, start=1):
        x[0, 0, row, column] = value * 2**40
    y = convsym.conv2d(x, np.ones((1, 1, 1, 2), np.int64))[0, 0]
    expected = {}
    for value, (row, column) in enumerate(marks, start=1):
        for place in {max(column - 1, 0), min(column, columns - 2)}:
            expected[row, place] = expected.get((row, place), 0) + value * 2**40
    assert y.shape == (rows, columns - 1)
    assert {(int(r), int(c)): int(y[r, c]) for r, c in np.argwhere(y)} == expected


@pytest.mark.slow
def test_offsets_beyond_32_bits():
    """pytorch#84488, #56922: 28 channels of 514×514×256 pixels; the last one lies 7.6 GB behind the first.

    Zeros are not held in memory before something is written there, so the input costs none.
    """
    shape = (1, 28, 514, 514, 256)
    needs_memory(2e9, address=9e9)
    x = np.zeros(shape, np.float32)
    marks = [(c, 513 - c, 17 * c, 255 - c) for c in range(28)]
    for c, *place in marks:
        x[0, c, *place] = c + 1
    w = np.arange(1.0, 29.0, dtype=np.float32).reshape(1, 28, 1, 1, 1)
    y = convsym.conv3d(x, w)
    assert {tuple(map(int, place)): float(y[tuple(place)]) for place in np.argwhere(y)} == {
        (0, 0, *place): (c + 1.0) ** 2 for c, *place in marks
    }
    dw = grad.conv3d_weight(x, w.shape, y)
    assert dw.ravel().tolist() == [(c + 1.0) ** 3 for c in range(28)]


@pytest.mark.slow
def test_the_gradient_of_an_input_with_more_than_two_to_the_31_elements():
    """pytorch#56922, backward: 34 channels of 67 million pixels, in bytes."""
    shape = (1, 34, 514, 514, 256)
    needs_memory(3e9)
    dy = np.zeros((1, 1, 514, 514, 256), np.uint8)
    dy[0, 0, 513, 513, 255] = 3
    w = np.arange(1, 35, dtype=np.uint8).reshape(1, 34, 1, 1, 1)
    dx = grad.conv3d_input(shape, w, dy)
    assert dx[0, :, 513, 513, 255].tolist() == [3 * c for c in range(1, 35)]
    assert int(np.count_nonzero(dx)) == 34


@pytest.mark.slow
def test_wide_groups_with_a_stride_larger_than_the_kernel():
    """pytorch#68868 with its own channels: 720 in 3 groups."""
    assert_right(
        Exhibit("", "", (1, 720, 5, 6, 4), (720, 240, 2, 2, 2), (4, 4, 1), ((1, 1),) * 3, groups=3), "float32"
    )


def needs_memory(room, address=0):
    """Skip where fewer bytes are free."""
    if not hasattr(os, "sysconf") or "SC_AVPHYS_PAGES" not in os.sysconf_names:
        pytest.skip("how much memory is free is not known here")
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if free < room or total < address:
        pytest.skip(f"needs {max(room, address) / 1e9:.0f} GB of memory")


@pytest.mark.parametrize("call", [convsym.conv1d, convsym.conv_transpose1d])
def test_mixed_types_are_a_sentence_and_the_type_depends_on_no_algorithm(call):
    """scipy#7217: the dtype of the result depended on the method."""
    x, w = np.ones((1, 1, 9)), np.ones((1, 1, 3), int)
    with pytest.raises(TypeError, match="input is float64 but weight is int64, and dtypes are not mixed"):
        call(x, w)
    for algorithm in ("auto", "direct"):
        assert call(x.astype(np.float32), w.astype(np.float32), algorithm=algorithm).dtype == np.float32


def test_large_integers_are_exact_and_wrap_as_stated():
    """scipy#6076: large integers came out rounded, or overflowed silently; here they are exact modulo 2⁶⁴."""
    x = np.array([[[2**62, 2**62 - 1, -(2**53) - 1, 5]]])
    w = np.array([[[2, 1]]])
    exact = [2 * int(a) + int(b) for a, b in zip(x[0, 0], x[0, 0, 1:], strict=False)]
    assert convsym.conv1d(x, w)[0, 0].tolist() == [(value + 2**63) % 2**64 - 2**63 for value in exact]
    assert max(exact) >= 2**63
    dx = grad.conv1d_input(x.shape, np.array([[[1, 1]]]), x[..., :3])[0, 0].tolist()
    assert dx == [2**62, 2**63 - 1, 2**62 - 2**53 - 2, -(2**53) - 1]
    assert grad.conv1d_weight(x, w.shape, np.array([[[1, 0, 1]]]))[0, 0].tolist() == [2**62 - 2**53 - 1, 2**62 + 4]


CHUNKS = ((0, 4), (4, 5), (5, 11), (11, 16))


@pytest.mark.parametrize(
    "link",
    [
        "https://github.com/dask/dask-image/issues/242",
        "https://github.com/dask/dask/issues/5448",
        "https://github.com/dask/dask/issues/6717",
    ],
)
@pytest.mark.parametrize("before", [0, 1, 3])
def test_chunks_with_their_neighbors_give_the_whole(link, before):
    """Wrapping on chunks, overlap on one side, overlap that is not trimmed: chunks by hand against circular padding."""
    random = np.random.default_rng(242)
    x, w = random.integers(-9, 10, (1, 2, 16)).astype(float), random.integers(-9, 10, (3, 2, 4)).astype(float)
    after = 3 - before
    knobs = {"padding": ((before, after),), "padding_mode": "circular"}
    y = convsym.conv1d(x, w, **knobs)
    dx, dw = grad.conv1d_input(x.shape, w, y, **knobs), grad.conv1d_weight(x, w.shape, y, **knobs)
    back, taps = np.zeros_like(x), np.zeros_like(w)
    for start, stop in CHUNKS:
        places = np.arange(start - before, stop + after) % 16
        chunk, mine = x[..., places], y[..., start:stop]
        assert bits(convsym.conv1d(chunk, w), np.ascontiguousarray(mine)) == 0
        np.add.at(back, (..., places), grad.conv1d_input(chunk.shape, w, mine))
        taps += grad.conv1d_weight(chunk, w.shape, mine)
    assert np.array_equal(back, dx)
    assert np.array_equal(taps, dw)


def test_numbers_are_not_flushed_to_zero_by_computing():
    """Libraries linked with -ffast-math turned denormal numbers off in the whole process; also in new threads."""
    products = []

    def multiply():
        convsym.conv1d(np.ones((1, 1, 64), np.float32), np.ones((1, 1, 3), np.float32))
        products.append(float(np.array(5e-324) * np.array(1.0)))

    multiply()
    thread = threading.Thread(target=multiply)
    thread.start()
    thread.join()
    assert products == [5e-324, 5e-324]
    tiny = np.full((1, 1, 4), 5e-324)
    assert convsym.conv1d(tiny, np.ones((1, 1, 1)), algorithm="direct").tolist() == tiny.tolist()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_computes_after_a_fork():
    """The OpenMP of gcc waits forever in a child whose parent had used threads."""
    run_python(
        """
        import os, signal, warnings
        import numpy as np
        import convsym
        warnings.simplefilter("ignore")
        convsym.set_num_threads(2)
        x, w = np.ones((4, 16, 64, 64), np.float32), np.ones((16, 16, 3, 3), np.float32)
        y = convsym.conv2d(x, w)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if np.array_equal(convsym.conv2d(x, w), y) else 1)
        assert os.waitpid(child, 0)[1] == 0
        """
    )


def test_every_exhibit_has_a_link():
    assert all(exhibit.link.startswith("https://github.com/") for exhibit in EXHIBITS)
