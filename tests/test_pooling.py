"""Average pooling against the relation typed by hand in fractions, NumPy's own padding, and torch: every bit."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import reference
from cases import Case
from exact import bits

import convsym
from convsym import ShapeError, avg_pool, avg_pool1d, avg_pool2d, avg_pool3d, grad, registry
from convsym.arguments import PADDING_MODES

NUMPY_MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge", "symmetric": "symmetric"}
FLAT = [
    Case((size,), (kernel,), (stride,), (pair,))
    for size, kernel, stride, pair in product(
        (1, 4, 7), (1, 2, 3, 5), (1, 2, 3), ((0, 0), (1, 1), (0, 2), (-1, 0), (2, -1))
    )
]
MANY_AXES = [
    Case((5, 4), (3, 2), (2, 3), ((1, 1), (0, 1))),
    Case((3, 2, 4), (2, 1, 3), (2, 2, 3), ((1, 0), (0, 0), (1, 1))),
    Case((2, 3, 2, 2), (1, 2, 2, 1), (1, 2, 1, 1), ((0, 0), (1, 0), (0, 1), (0, 0))),
    Case((2, 1, 2, 3, 2), (2, 1, 1, 2, 2), (1, 1, 2, 3, 1), ((0, 1), (0, 0), (0, 0), (0, 0), (1, 1))),
]
CASES = [*FLAT, *MANY_AXES]


def integers(shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape)


def knobs(case):
    return case.kernel, case.stride, case.padding


def sizes(case, ceil_mode):
    """Outputs along each axis, typed by hand."""
    whole = reference.output_size(case.inputs, case.kernel, case.stride, (1,) * len(case.kernel), case.padding)
    more = reference.ceil_size(case.inputs, case.kernel, case.stride, case.padding)
    return tuple(max(0, *pair) for pair in zip(whole, more if ceil_mode else whole, strict=True))


def by_hand(x, case, ceil_mode, include):
    """The means of (1, C, …) as an array of Fractions; None where a window holds nothing to average."""
    rank = len(case.kernel)
    padded = np.zeros(
        [*x.shape[:2], *(i + lo + hi for i, (lo, hi) in zip(case.inputs, case.padding, strict=True))], int
    )
    inside = np.zeros(padded.shape, int)
    for at in np.ndindex(*padded.shape[2:]):
        source = tuple(u - lo for u, (lo, _) in zip(at, case.padding, strict=True))
        if all(0 <= u < i for u, i in zip(source, case.inputs, strict=True)):
            padded[(slice(None), slice(None), *at)] = x[(slice(None), slice(None), *source)]
            inside[(slice(None), slice(None), *at)] = 1
    outputs = sizes(case, ceil_mode)
    totals, counts = np.zeros((*x.shape[:2], *outputs), int), np.zeros((*x.shape[:2], *outputs), int)
    spacing, none = (1,) * rank, ((0, 0),) * rank
    shape = padded.shape[2:]
    for y, at, _ in reference.relation(1, x.shape[1], (1, 1), shape, case.kernel, outputs, case.stride, spacing, none):
        totals[y] += padded[at]
        counts[y] += 1 if include else inside[at]
    if not counts.all():
        return None
    means = [Fraction(int(total), int(count)) for total, count in zip(totals.flat, counts.flat, strict=True)]
    return np.array(means, dtype=object).reshape(totals.shape)


def wrong_means(ceil_mode, include, pool=avg_pool):
    """Geometries of which the means are not those of the relation, in fractions or as floats; and what was seen."""
    found, seen = [], set()
    for case in CASES:
        x, call = integers((1, 2, *case.inputs)), (*knobs(case), ceil_mode, include)
        expected = by_hand(x, case, ceil_mode, include) if all(sizes(case, ceil_mode)) else None
        if expected is None:
            with pytest.raises(ShapeError) as caught:
                avg_pool(x.astype(float), *call)
            seen.add(next(word for word in ("kernel is larger", "padding alone") if word in str(caught.value)))
            continue
        seen.add("mean")
        fractions, floats = pool(x * Fraction(1), *call), pool(x.astype(float), *call)
        if not np.array_equal(fractions, expected) or not np.array_equal(floats, expected.astype(float)):
            found.append(str(case))
    return found, seen


@pytest.mark.parametrize("include", [True, False], ids=["counted", "not counted"])
@pytest.mark.parametrize("ceil_mode", [False, True], ids=["floor", "ceil"])
def test_means_are_those_of_the_relation_typed_by_hand(ceil_mode, include):
    found, seen = wrong_means(ceil_mode, include)
    assert found == []
    assert seen == {"mean", "kernel is larger"} | (set() if include else {"padding alone"})


def test_means_by_another_count_or_of_other_windows_are_seen():
    def one_count(x, kernel, *rest):
        return avg_pool(x, kernel, *rest, int(np.prod(kernel)))

    def rounded_the_other_way(x, kernel, stride, padding, ceil_mode, include):
        return avg_pool(x, kernel, stride, padding, not ceil_mode, include)

    assert wrong_means(True, True, one_count)[0]  # what hangs over would count
    assert wrong_means(False, False, one_count)[0]
    assert wrong_means(False, True, rounded_the_other_way)[0]


def differing(mode, gradient):
    """Geometries in which ⟨mean(x), g⟩ is not ⟨x, gradient(g)⟩, in exact fractions."""
    found = []
    for case, ceil_mode in product(CASES[::3], (False, True)):
        cropped = [i + min(0, lo) + min(0, hi) for i, (lo, hi) in zip(case.inputs, case.padding, strict=True)]
        if not all(sizes(case, ceil_mode)) or (mode != "zeros" and min(cropped) < 1):
            continue
        x = integers((1, 2, *case.inputs)) * Fraction(1)
        mean = avg_pool(x, *knobs(case), ceil_mode, padding_mode=mode)
        g = integers(mean.shape, 1) * Fraction(1)
        dx = gradient(x.shape, g, *knobs(case), ceil_mode, padding_mode=mode)
        if np.sum(mean * g) != np.sum(x * dx):
            found.append(str(case))
    return found


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_the_gradient_is_the_exact_adjoint_in_every_mode(mode):
    assert differing(mode, grad.avg_pool_input) == []


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_a_gradient_that_forgets_the_mode_or_the_count_fails(mode):
    def cropping(size, g, *rest, padding_mode):
        return grad.avg_pool_input(size, g, *rest)

    def summing(size, g, *rest, padding_mode):
        return grad.avg_pool_input(size, g, *rest, True, 1, padding_mode=padding_mode)

    assert bool(differing(mode, cropping)) == (mode != "zeros")
    assert differing(mode, summing)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_op_of_the_registry_and_its_derived_rule_say_the_same(rank):
    op = registry[f"avg_pool{rank}d"]
    kernel, stride = (3, 2, 2)[:rank], (2, 1, 3)[:rank]
    x = integers((2, 2, *(4, 3, 5)[:rank])) * Fraction(1)
    named = zip(("kernel_size", "stride"), (kernel, stride), strict=True)
    parameters = {f"{name}{axis}": value for name, values in named for axis, value in enumerate(values)}
    parameters |= {f"padding{axis}": 1 for axis in range(rank)}
    y = avg_pool(x, kernel, stride, 1)
    assert np.array_equal(op.formula(x=x, **parameters), y)
    dx = op.rules["x"](dy=y, **parameters, sizes={"dx": x.shape})
    assert np.array_equal(grad.avg_pool_input(x.shape, y, kernel, stride, 1), dx)


@pytest.mark.parametrize("mode", NUMPY_MODES)
def test_a_padding_mode_is_numpys_padding(mode):
    x = integers((2, 3, 5, 4)) * 4.0
    padded = np.pad(x, ((0, 0), (0, 0), (1, 2), (6, 0)), mode=NUMPY_MODES[mode])
    ours = avg_pool2d(x, (2, 4), (1, 3), ((1, 2), (6, 0)), True, padding_mode=mode)
    assert bits(ours, avg_pool2d(padded, (2, 4), (1, 3), 0, True)) == 0


def test_each_rank_is_the_rank_free_function():
    for rank, pool in enumerate((avg_pool1d, avg_pool2d, avg_pool3d), 1):
        gradient = getattr(grad, f"avg_pool{rank}d_input")
        x = integers((2, 3, *(5,) * rank)) * 1.0
        y = avg_pool(x, (2,) * rank, 3, 1, True, False, 5)
        assert bits(pool(x, 2, 3, 1, True, False, 5), y) == 0
        assert bits(pool(x[0], 2, 3, 1, True, False, 5), y[0]) == 0
        dx = grad.avg_pool_input(x.shape, y, (2,) * rank, 3, 1, True, False, 5)
        assert bits(gradient(x.shape, y, 2, 3, 1, True, False, 5), dx) == 0
        assert bits(gradient(x.shape[1:], y[0], 2, 3, 1, True, False, 5), dx[0]) == 0


def test_the_order_of_the_axes_is_the_callers():
    x = integers((2, 3, 5, 4)) * 1.0
    expected = avg_pool2d(x, (2, 3), padding=((1, 0), (0, 2)))
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    y = avg_pool2d(last, (2, 3), padding=((1, 0), (0, 2)), axes="NHWC")
    assert bits(y, np.ascontiguousarray(expected.transpose(0, 2, 3, 1))) == 0
    dx = grad.avg_pool_input(last.shape, y, (2, 3), padding=((1, 0), (0, 2)), axes="NHWC")
    wanted = grad.avg_pool2d_input(x.shape, expected, (2, 3), padding=((1, 0), (0, 2)))
    assert bits(dx, np.ascontiguousarray(wanted.transpose(0, 2, 3, 1))) == 0
    assert bits(avg_pool(last[0], 2, axes="HWC"), avg_pool2d(last[0], 2, axes="HWC")) == 0
    out = np.empty_like(y)
    assert avg_pool2d(last, (2, 3), padding=((1, 0), (0, 2)), axes="NHWC", out=out) is out
    assert bits(out, y) == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64", "complex128"])
def test_every_dtype_that_has_means(dtype):
    x = (integers((1, 2, 9)) * (1 + 2j if dtype.startswith("c") else 1)).astype(dtype)
    y = avg_pool1d(x, 4, 1, 1)
    assert y.dtype == dtype
    assert np.array_equal(y, avg_pool1d(x.astype("c16"), 4, 1, 1))  # quarters of small integers are exact
    dx = grad.avg_pool1d_input(x.shape, y, 4, 1, 1)
    assert dx.dtype == dtype
    assert np.allclose(dx, grad.avg_pool1d_input(x.shape, y.astype("c16"), 4, 1, 1), rtol=1e-3)


def test_half_numbers_are_summed_in_single_and_rounded_once():
    assert avg_pool1d(np.full((1, 8), 60000, np.float16), 8)[0, 0] == 60000
    assert grad.avg_pool1d_input((1, 4), np.array([[2049 * 4]], np.float32), 4)[0, 0] == 2049


def test_nan_and_infinity_stay_within_their_windows():
    x = np.ones((1, 6, 6))
    x[0, 1, 1], x[0, 5, 5] = np.nan, np.inf
    y = avg_pool2d(x, 2, 1)
    assert [tuple(place) for place in np.argwhere(np.isnan(y[0]))] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert np.isposinf(y[0, 4, 4]) and np.isfinite(y).sum() == 20
    z = avg_pool1d(np.array([[complex(np.inf, 1), 1j]]), 2)
    assert (z.real[0, 0], z.imag[0, 0]) == (np.inf, 1.0)


def test_empty_batches_and_channels():
    assert avg_pool2d(np.zeros((0, 2, 4, 4)), 2).shape == (0, 2, 2, 2)
    assert avg_pool2d(np.zeros((2, 0, 4, 4)), 2).shape == (2, 0, 2, 2)
    assert grad.avg_pool2d_input((0, 2, 4, 4), np.zeros((0, 2, 2, 2)), 2).shape == (0, 2, 4, 4)


def test_the_result_is_new_contiguous_and_may_overwrite_the_input():
    x = np.arange(12.0).reshape(1, 3, 4)
    y = avg_pool1d(x, 1)
    assert y.flags.c_contiguous and not np.may_share_memory(x, y)
    assert avg_pool2d(x, (3, 1), 1, ((1, 1), (0, 0)), out=x) is x
    assert np.allclose(x[0, :, 0], [4 / 3, 4, 4])


def test_a_large_window_is_summed_axis_by_axis_and_by_halves():
    x = integers((1, 1, 300, 301)) * 1.0
    assert avg_pool2d(x, (300, 301))[0, 0, 0, 0] == x.sum() / 90300
    tenths = np.full((1, 10**6), 0.1, np.float32)
    assert avg_pool1d(tenths, 10**6)[0, 0] == np.float32(0.1)  # one after the other: 0.1009
    assert (grad.avg_pool1d_input((1, 10**6), np.ones((1, 1)), 10**6) == 1e-6).all()


def test_the_bits_depend_neither_on_the_layout_nor_on_the_batch():
    x = np.random.default_rng(0).standard_normal((3, 2, 9, 40)).astype(np.float32)
    for kernel, stride in ((3, 1), ((9, 30), 5), ((2, 40), 1)):
        y = avg_pool2d(x, kernel, stride)
        assert bits(avg_pool2d(np.asfortranarray(x), kernel, stride), y) == 0
        assert bits(avg_pool2d(x[1:2], kernel, stride), y[1:2]) == 0


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_torch_says_the_same(rank, ceil_mode, include):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn.functional, f"avg_pool{rank}d")
    ours, gradient = getattr(convsym, f"avg_pool{rank}d"), getattr(grad, f"avg_pool{rank}d_input")
    for kernel, stride, padding in product((1, 2, 3, 4), (None, 1, 2, 3), (0, 1, 2)):
        if padding > kernel // 2:
            continue  # torch's own restriction
        call = (kernel, stride, padding, ceil_mode, include)
        x = torch.from_numpy(integers((2, 2, *range(5, 5 + rank))).astype(float)).requires_grad_()
        y = theirs(x, *call)
        assert bits(ours(x.detach().numpy(), *call), y.detach().numpy()) == 0
        g = torch.from_numpy(integers(y.shape, 1).astype(float))
        (dx,) = torch.autograd.grad(y, x, g)
        assert np.allclose(gradient(x.shape, g.numpy(), *call), dx.numpy(), rtol=0, atol=1e-13)
        if rank > 1:
            y = theirs(x.detach(), *call, 7)
            assert bits(ours(x.detach().numpy(), *call, 7), y.numpy()) == 0


X, IMAGE = np.zeros((1, 2, 6)), np.zeros((1, 2, 5, 6))
TYPE_ERRORS = {
    "integers": (
        lambda: avg_pool1d(X.astype(int), 2),
        "input has dtype int64, and the mean of integers is none in general; convert it first, e.g. "
        "input.astype(np.float64)",
    ),
    "gradient of integers": (
        lambda: grad.avg_pool1d_input((1, 2, 6), X.astype("u1"), 2),
        "grad_output has dtype uint8",
    ),
    "list": (lambda: avg_pool1d([[1.0]], 1), "input is a list, and a NumPy array is needed"),
    "size": (lambda: avg_pool1d(X, 2.0), "kernel_size is 2.0 (float), and an integer is needed"),
    "no size": (lambda: avg_pool(X, None), "kernel_size is None (NoneType), and an integer is needed"),
    "stride": (lambda: avg_pool1d(X, 2, "2"), "stride is '2' (str), and an integer is needed"),
    "ceil_mode": (lambda: avg_pool1d(X, 2, ceil_mode=1), "ceil_mode is 1 (int), and it must be True or False"),
    "count_include_pad": (
        lambda: avg_pool1d(X, 2, count_include_pad=None),
        "count_include_pad is None (NoneType), and it must be True or False",
    ),
    "divisor": (
        lambda: avg_pool1d(X, 2, divisor_override=0.5),
        "divisor_override is 0.5 (float), and an integer is needed",
    ),
    "axes": (
        lambda: avg_pool1d(X, 2, axes=("NCL", "NLC")),
        "axes=('NCL', 'NLC') is not understood; it is one text for input and output, e.g. 'NHWC'",
    ),
}
SHAPE_ERRORS = {
    "open rank": (
        lambda: avg_pool(X, 2),
        "kernel_size is 2, and that leaves open how many axes are spatial; give one number for each, e.g. "
        "kernel_size=(2, 2), or call avg_pool1d, avg_pool2d or avg_pool3d",
    ),
    "six sizes": (lambda: avg_pool(X, (1,) * 6), "has 6 entries, and there may be 1 to 5 spatial axes"),
    "no spatial axes": (lambda: avg_pool(X, 1, axes="NC"), "axes='NC' has 0 spatial axes, and there may be 1 to 5"),
    "rank": (
        lambda: avg_pool2d(X[0], 2),
        "Expected 3D (unbatched) or 4D (batched) input to a 2-d average pooling, but input has 2 axes: (2, 6)",
    ),
    "sizes": (lambda: avg_pool2d(IMAGE, (2, 2, 2)), "kernel_size=(2, 2, 2) has 3 entries, and the call has 2 spatial"),
    "zero": (lambda: avg_pool1d(X, 0), "kernel_size is 0, and it must be at least 1"),
    "stride": (lambda: avg_pool1d(X, 2, 0), "stride is 0, and it must be at least 1"),
    "too large": (lambda: avg_pool1d(X, 7), "the kernel is larger than the padded input along spatial axis 0"),
    "divisor": (
        lambda: avg_pool1d(X, 2, divisor_override=0),
        "divisor_override is 0, and nothing can be divided by it; None divides by the count",
    ),
    "nothing": (
        lambda: avg_pool2d(IMAGE, 2, 1, (0, 3), count_include_pad=False),
        "the window at (0, 0) lies in the padding alone, and count_include_pad=False leaves it nothing to average; "
        "lessen the padding, or count it",
    ),
    "mode not counted": (
        lambda: avg_pool1d(X, 3, 1, 1, count_include_pad=False, padding_mode="reflect"),
        "count_include_pad=False leaves the padding out of the mean, and padding_mode='reflect' fills it with "
        "elements of the input; leave one of the two away",
    ),
    "grad_output": (
        lambda: grad.avg_pool1d_input((1, 2, 6), X, 2),
        "grad_output has shape (1, 2, 6), and with these sizes and parameters the output has shape (1, 2, 3); check "
        "input_size, stride, padding and ceil_mode",
    ),
    "axes": (lambda: avg_pool1d(X, 2, axes="NC"), "axes='NC' does not name the axes of this array"),
    "out": (lambda: avg_pool1d(X, 2, out=np.zeros(3)), "out has shape (3,), and the result has shape (1, 2, 3)"),
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
