"""unfold and fold against the relation typed by hand, NumPy's own padding, torch, and each other: every bit."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import reference
from cases import EVIL, GEOMETRIES, Case
from exact import bits

from convsym import ShapeError, conv2d, fold, grad, registry, unfold
from convsym.arguments import PADDING_MODES

NUMPY_MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge", "symmetric": "symmetric"}
MANY_AXES = [
    Case((3, 2, 4), (2, 1, 3), (1, 2, 1), ((1, 0), (0, 1), (-1, 2)), (1, 1, 2)),
    Case((2, 3, 2, 2), (1, 2, 2, 1), padding=((0, 0), (1, 1), (0, 1), (0, 0))),
    Case((2, 1, 2, 3, 2), (2, 1, 1, 2, 2), (1, 1, 2, 1, 1), ((0, 1), (0, 0), (1, 0), (0, 0), (1, 1))),
]
CASES = [case for case in [*GEOMETRIES[::3], *EVIL, *MANY_AXES] if case.has_output]
SIDES = [((2, 3),), ((-1, 4),), ((5, -2),), ((7, 9),), ((-2, -1),)]
DTYPES = ["float16", "float32", "complex64", "complex128", "int8", "uint16", "int64", "object"]


def integers(shape, seed=0, low=-9):
    return np.random.default_rng(seed).integers(low, 10, shape)


def knobs(case):
    return case.kernel, case.dilation, case.padding, case.stride


def by_hand(x, case):
    """The windows of (N, C, …) by the relation that is typed by hand."""
    outputs = reference.output_size(case.inputs, case.kernel, case.stride, case.dilation, case.padding)
    columns = np.zeros((*x.shape[:2], *case.kernel, *outputs), x.dtype)
    triples = reference.relation(
        x.shape[0], x.shape[1], (1, 1), case.inputs, case.kernel, outputs, case.stride, case.dilation, case.padding
    )
    for (n, c, *o), at, (_, _, *r) in triples:
        columns[(n, c, *r, *o)] = x[at]
    return columns.reshape(x.shape[0], -1, int(np.prod(outputs)))


def jacobian(x_shape, compute):
    """The matrix of a linear function of an array, column by column."""
    units = np.eye(int(np.prod(x_shape)), dtype=np.int64).reshape(-1, *x_shape)
    return np.stack([compute(unit).ravel() for unit in units], axis=-1)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unfold_is_the_relation_typed_by_hand_and_fold_its_transpose(case):
    x = integers((case.batch, 2, *case.inputs))
    columns = unfold(x, *knobs(case))
    assert bits(columns, by_hand(x, case)) == 0
    g = integers(columns.shape, 1)
    folded = fold(g, case.inputs, *knobs(case))
    assert bits(grad.unfold_input(x.shape, g, *knobs(case)), folded) == 0
    assert bits(grad.fold_input(g.shape, x, case.inputs, *knobs(case)), columns) == 0
    assert np.vdot(columns, g) == np.vdot(x, folded)


@pytest.mark.parametrize(
    "case", [Case((4,), (3,), (2,), ((2, 1),)), Case((3, 2), (2, 2), (1, 2), ((1, 1), (0, 1)))], ids=str
)
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_the_jacobian_of_fold_is_the_transposed_one_of_unfold(case, mode):
    forward = jacobian((1, 2, *case.inputs), lambda x: unfold(x, *knobs(case), padding_mode=mode))
    shape = unfold(np.zeros((1, 2, *case.inputs)), *knobs(case)).shape
    back = jacobian(shape, lambda g: fold(g, case.inputs, *knobs(case), padding_mode=mode))
    assert bits(back, np.ascontiguousarray(forward.T)) == 0


@pytest.mark.parametrize("pair", SIDES, ids=str)
@pytest.mark.parametrize("mode", NUMPY_MODES)
def test_a_padding_mode_is_numpys_padding_of_the_cropped_input(mode, pair):
    ((before, after),) = pair
    x = integers((2, 3, 6))
    cropped = x[..., max(-before, 0) : 6 - max(-after, 0)]
    padded = np.pad(cropped, ((0, 0), (0, 0), (max(before, 0), max(after, 0))), mode=NUMPY_MODES[mode])
    columns = unfold(x, (2,), 2, pair, 2, padding_mode=mode)
    assert bits(columns, by_hand(padded, Case(padded.shape[2:], (2,), (2,), dilation=(2,)))) == 0


def differing(mode, folded=fold):
    """Geometries in which ⟨unfold(x), g⟩ is not ⟨x, fold(g)⟩."""
    found = []
    for case in MODE_CASES:
        x = integers((2, 2, *case.inputs), 2)
        columns = unfold(x, *knobs(case), padding_mode=mode)
        g = integers(columns.shape, 3)
        if np.vdot(columns, g) != np.vdot(x, folded(g, case.inputs, *knobs(case), padding_mode=mode)):
            found.append(str(case))
    return found


MODE_CASES = [
    Case((size,), (kernel,), (stride,), pair, (dilation,))
    for size, kernel, stride, dilation, pair in product((3, 6), (1, 3), (1, 2), (1, 2), SIDES[:4])
    if size + sum(pair[0]) > dilation * (kernel - 1) and size + min(0, *pair[0]) > 0
] + [replace(case, groups=1) for case in MANY_AXES]


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_the_adjoint_identity_holds_in_every_mode(mode):
    assert differing(mode) == []


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_a_fold_that_forgets_the_mode_or_the_overlaps_fails_the_identity(mode):
    def cropping(g, size, *rest, padding_mode):
        return fold(g, size, *rest)

    def meaning(g, *rest, padding_mode):
        """What windows share is averaged, not added up."""
        counts = fold(np.ones_like(g), *rest, padding_mode=padding_mode)
        return fold(g, *rest, padding_mode=padding_mode) // np.maximum(counts, 1)

    assert bool(differing(mode, cropping)) == (mode != "zeros")
    assert differing(mode, meaning)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_arrives_as_it_is(dtype):
    x = integers((2, 2, 5), low=0).astype(dtype)
    columns = unfold(x, (3,), padding=1, stride=2)
    assert columns.dtype == dtype
    case = Case((5,), (3,), (2,), ((1, 1),))
    assert np.array_equal(columns, by_hand(integers((2, 2, 5), low=0), case).astype(dtype))
    folded = fold(columns, (5,), (3,), padding=1, stride=2)
    assert folded.dtype == dtype
    expected = fold(by_hand(integers((2, 2, 5), low=0), case), (5,), (3,), padding=1, stride=2)
    assert np.array_equal(folded, expected.astype(dtype))


def test_fractions_stay_fractions_and_integers_wrap():
    thirds = np.array([[Fraction(1, 3), Fraction(2, 3)]], dtype=object)
    columns = unfold(thirds, (2,), padding=((1, 0),), padding_mode="circular")
    assert columns.tolist() == [[Fraction(2, 3), Fraction(1, 3)], [Fraction(1, 3), Fraction(2, 3)]]
    back = fold(columns, (2,), (2,), padding=((1, 0),), padding_mode="circular")
    assert back.tolist() == [[Fraction(2, 3), Fraction(4, 3)]]
    assert fold(np.full((2, 2), 100, np.int8), (3,), (2,)).tolist() == [[100, -56, 100]]


def test_half_numbers_are_summed_in_single_and_rounded_once():
    columns = np.array([[2048.0] * 4, [1.0] * 4, [1.0] * 4, [1.0] * 4], np.float16)
    assert fold(columns, (7,), (4,))[0, 3] == 2052  # one after the other in float16: 2048


def test_nan_and_infinity_stay_where_they_are():
    x = np.array([[1.0, np.nan, 3.0, np.inf, 5.0]])
    assert np.isnan(unfold(x, (2,), padding=1)).sum() == 2
    columns = np.zeros((2, 4))
    columns[0, 1], columns[1, 1] = np.inf, np.nan
    folded = fold(columns, (5,), (2,))
    assert np.array_equal(folded, [[0, np.inf, np.nan, 0, 0]], equal_nan=True)


@pytest.mark.parametrize("shape", [(0, 2, 4), (2, 0, 4), (0, 0, 4)])
def test_empty_batches_and_channels(shape):
    columns = unfold(np.zeros(shape), (3,), padding=1)
    assert columns.shape == (shape[0], 3 * shape[1], 4)
    assert fold(columns, (4,), (3,), padding=1).shape == shape


def test_an_empty_axis_has_the_windows_of_its_padding():
    assert np.array_equal(unfold(np.zeros((1, 2, 0)), (2,), padding=1), np.zeros((1, 4, 1)))
    assert fold(np.ones((1, 4, 1)), (0,), (2,), padding=1).shape == (1, 2, 0)


def test_layouts_of_memory_do_not_matter():
    x = integers((2, 3, 4, 5))
    columns = unfold(x, 2)
    for other in (np.asfortranarray(x), np.flip(x.copy()[::-1, :, ::-1], (0, 2)), x.astype(">i8")):
        assert bits(unfold(other, 2), columns) == 0
    repeated = np.broadcast_to(x[:1], x.shape)
    assert bits(unfold(repeated, 2), unfold(repeated.copy(), 2)) == 0
    assert bits(fold(np.asfortranarray(columns), (4, 5), 2), fold(columns, (4, 5), 2)) == 0


def test_out_takes_the_result_even_where_it_overlaps():
    x = np.arange(8.0).reshape(1, 8)
    expected = unfold(x, (1,))
    assert unfold(x, (1,), out=x) is x
    assert np.array_equal(x, expected)
    columns = np.arange(6.0).reshape(2, 3)
    expected = fold(columns, (4,), (2,))
    memory = np.zeros(4)
    assert fold(columns, (4,), (2,), out=memory[None]).base is memory
    assert np.array_equal(memory[None], expected)


def test_an_integer_means_two_axes_as_in_torch():
    x = integers((2, 3, 4, 5))
    assert bits(unfold(x, 2, 1, 1, 2), unfold(x, (2, 2), (1, 1), (1, 1), (2, 2))) == 0
    assert bits(unfold(x[0], 2), unfold(x, 2)[0]) == 0
    columns = integers((3 * 4, 9))
    assert bits(fold(columns, 4, 2), fold(columns, (4, 4), (2, 2))) == 0
    assert bits(fold(columns[:8], (10,), 8, stride=1, padding=3), fold(columns[:8], (10,), (8,), padding=3)) == 0
    assert bits(fold(columns[:, :4], 5, (2,)), fold(columns[:, :4], (5,), (2,))) == 0


def test_named_paddings_mean_those_of_a_convolution():
    x = integers((1, 2, 6))
    assert unfold(x, (4,), padding="same", stride=2, same="tf").shape == (1, 8, 3)
    assert bits(unfold(x, (4,), padding="same", same="lower"), unfold(x, (4,), padding=((2, 1),))) == 0
    assert bits(unfold(x, (3,), 2, "causal"), unfold(x, (3,), 2, ((4, 0),))) == 0
    g = integers((1, 8, 6))
    assert bits(fold(g, (6,), (4,), padding="same"), fold(g, (6,), (4,), padding=((1, 2),))) == 0


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_op_of_the_registry_and_its_derived_rule_say_the_same(rank):
    op = registry[f"unfold{rank}d"]
    case = Case((4, 3, 5)[:rank], (3, 2, 2)[:rank], (2, 1, 3)[:rank], ((1, 1),) * rank, (1, 2, 2)[:rank])
    x = integers((2, 2, *case.inputs))
    named = zip(("kernel_size", "dilation", "stride"), (case.kernel, case.dilation, case.stride), strict=True)
    parameters = {f"{name}{axis}": value for name, values in named for axis, value in enumerate(values)}
    parameters |= {f"padding{axis}": 1 for axis in range(rank)}
    columns = unfold(x, *knobs(case))
    windows = op.formula(x=x, **parameters)
    assert np.array_equal(columns, windows.reshape(columns.shape))
    g = integers(windows.shape, 1)
    rule = op.rules["x"]  # the sizes of the kernel are those of dy
    known = {name: value for name, value in parameters.items() if name in rule.parameters}
    dx = rule(dy=g, **known, sizes={"dx": x.shape})
    assert np.array_equal(fold(g.reshape(columns.shape), case.inputs, *knobs(case)), dx)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_a_convolution_is_a_product_of_matrices(mode):
    x, w = integers((2, 3, 4, 5)), integers((4, 3, 2, 3), 1)
    call = {"padding": ((2, 1), (-1, 3)), "dilation": (1, 2), "stride": (2, 1), "padding_mode": mode}
    y = conv2d(x, w, **call)
    product = w.reshape(4, -1) @ unfold(x, w.shape[2:], **call)
    assert bits(product.reshape(y.shape), y) == 0
    dx = fold(w.reshape(4, -1).T @ y.reshape(2, 4, -1), x.shape[2:], w.shape[2:], **call)
    assert bits(dx, grad.conv2d_input(x.shape, w, y, **call)) == 0


@pytest.mark.parametrize("stride", [1, 2, (2, 3)])
@pytest.mark.parametrize("dilation", [1, (2, 1)])
@pytest.mark.parametrize("padding", [0, 2, (0, 1)])
def test_torch_says_the_same(stride, dilation, padding):
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(integers((2, 3, 6, 7)).astype(float)).requires_grad_()
    theirs = torch.nn.functional.unfold(x, (3, 2), dilation, padding, stride)
    ours = unfold(x.detach().numpy(), (3, 2), dilation, padding, stride)
    assert bits(ours, theirs.detach().numpy()) == 0
    g = torch.from_numpy(integers(ours.shape, 1).astype(float)).requires_grad_()
    folded = torch.nn.functional.fold(g, (6, 7), (3, 2), dilation, padding, stride)
    assert bits(fold(g.detach().numpy(), (6, 7), (3, 2), dilation, padding, stride), folded.detach().numpy()) == 0
    (dx,) = torch.autograd.grad(theirs, x, g.detach())
    assert bits(grad.unfold_input(x.shape, g.detach().numpy(), (3, 2), dilation, padding, stride), dx.numpy()) == 0
    (dg,) = torch.autograd.grad(folded, g, x.detach())
    mine = grad.fold_input(g.shape, x.detach().numpy(), (6, 7), (3, 2), dilation, padding, stride)
    assert bits(mine, dg.numpy()) == 0


X, COLUMNS = np.zeros((1, 2, 6)), np.zeros((1, 4, 5))
TYPE_ERRORS = {
    "list": (lambda: unfold([[1.0]], (1,)), "input is a list, and a NumPy array is needed"),
    "bool": (lambda: unfold(X > 0, (1,)), "input has dtype bool"),
    "size": (lambda: unfold(X, 2.0), "kernel_size is 2.0 (float), and an integer is needed"),
    "none": (lambda: unfold(X, None), "kernel_size is None (NoneType), and an integer is needed"),
    "output size": (lambda: fold(COLUMNS, 6.0, (2,)), "output_size is 6.0 (float), and an integer is needed"),
    "input size": (lambda: grad.unfold_input(6, COLUMNS, (2,)), "input_size is 6, and a shape is needed"),
    "out": (lambda: unfold(X, (2,), out=np.zeros((1, 4, 5), int)), "out has dtype int64, and the result has float64"),
}
SHAPE_ERRORS = {
    "integer": (
        lambda: unfold(np.zeros((1, 2, 3, 4, 5)), 2),
        "kernel_size is 2, which means two spatial axes as in torch, but input has 5 axes; give one number for each "
        "spatial axis, e.g. kernel_size=(2, 2, 2)",
    ),
    "no sizes": (lambda: unfold(X, ()), "kernel_size=() has 0 entries; give one for each spatial axis, 1 to 5"),
    "six sizes": (lambda: unfold(X, (1,) * 6), "has 6 entries; give one for each spatial axis, 1 to 5"),
    "zero": (lambda: unfold(X, (0,)), "kernel_size[0] is 0, and it must be at least 1"),
    "rank": (
        lambda: unfold(X, (1, 1, 1)),
        "Expected 4D (unbatched) or 5D (batched) input to a 3-d unfold, but input has 3 axes: (1, 2, 6)",
    ),
    "stride": (
        lambda: unfold(X, (1,), stride=(1, 1)),
        "stride=(1, 1) has 2 entries, and the call has 1 spatial axes; give one integer or 1",
    ),
    "too large": (
        lambda: unfold(X, (7,)),
        "the kernel is larger than the padded input along spatial axis 0: kernel size 7",
    ),
    "mode": (lambda: unfold(X, (1,), padding_mode="mirror"), "padding_mode='mirror' is not known"),
    "nothing to repeat": (
        lambda: unfold(X, (1,), padding=((-6, 7),), padding_mode="circular"),
        "padding_mode='circular' repeats elements of the input, and along spatial axis 0 there is none",
    ),
    "out": (lambda: unfold(X, (2,), out=np.zeros(3)), "out has shape (3,), and the result has shape (1, 4, 5)"),
    "axes": (
        lambda: fold(X[0, 0], (6,), (2,)),
        "input has 1 axes: (6,); fold needs 3, (N, channels * taps, windows), or 2 without the batch",
    ),
    "rows": (
        lambda: fold(COLUMNS, (6,), (3,)),
        "input has 4 rows (input.shape[1]), and with kernel_size=(3,) they must be a multiple of 3: channels times "
        "taps",
    ),
    "unbatched rows": (lambda: fold(COLUMNS[0], (6,), (3,)), "input has 4 rows (input.shape[0])"),
    "windows": (
        lambda: fold(COLUMNS, (3, 4), (2, 1)),
        "input has shape (1, 4, 5), that is 5 windows, and with output_size=(3, 4) and these parameters there are "
        "8 (2 x 4); check output_size, stride, padding and dilation",
    ),
    "sizes differ": (lambda: fold(COLUMNS, (6, 6), (2,) * 3), "kernel_size=(2, 2, 2) has 3 entries"),
    "negative size": (lambda: fold(COLUMNS, (-6,), (2,)), "output_size[0] is -6, and it must be at least 0"),
    "grad_output": (
        lambda: grad.unfold_input((1, 2, 6), X, (2,)),
        "grad_output has shape (1, 2, 6), and with these sizes and parameters the output has shape (1, 4, 5); check "
        "input_size, stride, padding and dilation",
    ),
    "output_size": (
        lambda: grad.fold_input((1, 4, 5), X, (7,), (2,)),
        "grad_output has shape (1, 2, 6), and with output_size=(7,) its last axes must have these sizes",
    ),
    "input_size": (
        lambda: grad.fold_input((1, 4, 6), X, (6,), (2,)),
        "input_size is (1, 4, 6), and windows over grad_output of shape (1, 2, 6) make columns of shape (1, 4, 5); "
        "check kernel_size, stride, padding and dilation",
    ),
}


@pytest.mark.parametrize(("call", "sentence"), TYPE_ERRORS.values(), ids=TYPE_ERRORS)
def test_a_wrong_type_is_a_sentence(call, sentence):
    with pytest.raises(TypeError) as caught:
        call()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("call", "sentence"), SHAPE_ERRORS.values(), ids=SHAPE_ERRORS)
def test_a_wrong_shape_is_a_sentence(call, sentence):
    with pytest.raises(ShapeError) as caught:
        call()
    assert sentence in str(caught.value)
