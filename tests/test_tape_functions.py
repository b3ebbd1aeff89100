"""Every function of tensors: what it computes, its gradients in two orders, adjoints of maps, and wrong calls."""

import inspect

import numpy as np
import pytest

import convsym
from convsym import ShapeError, autograd, tensor
from convsym.autograd import check_grads
from convsym.autograd._rules import RULES
from convsym.autograd.maps import Index, Pad, Reshape, Scatter, Spread, Sum, Transpose, may_repeat, spreading, summing
from convsym.autograd.worlds import NUMPY

RANDOM = np.random.default_rng(6)
X = RANDOM.uniform(0.2, 0.8, (3, 4))
A, B = RANDOM.uniform(0.5, 2.0, (2, 3, 1)), RANDOM.uniform(-2.0, 2.0, (4,))
FAR = np.where(RANDOM.random((3, 4)) < 0.5, -1.0, 1.0) * RANDOM.uniform(0.3, 2.0, (3, 4))  # away from corners at 0
DISTINCT = RANDOM.permutation(24).reshape(2, 3, 4).astype(float)


def integers(*shape):
    return np.random.default_rng(len(shape)).integers(-4, 5, shape).astype(float)


# ------------------------------------------------------------------------------------------------- what is not linear

ELEMENTWISE = {
    name: (getattr(autograd, name), getattr(np, {"abs": "absolute"}.get(name, name), None))
    for name in "abs acos asin atan cos cosh exp log reciprocal sin sinh sqrt square tan tanh".split()
} | {
    "relu": (autograd.relu, lambda x: np.maximum(x, 0)),
    "leaky_relu": (lambda x: autograd.leaky_relu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
    "elu": (lambda x: autograd.elu(x, 2.0), lambda x: np.where(x > 0, x, 2.0 * np.expm1(x))),
    "sigmoid": (autograd.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "softplus": (autograd.softplus, lambda x: np.log1p(np.exp(x))),
    "clip": (lambda x: autograd.clip(x, 0.1, 0.7), lambda x: np.clip(x, 0.1, 0.7)),
    "neg": (autograd.neg, np.negative),
    "pow": (lambda x: autograd.pow(x, 3), lambda x: x**3),
    "where": (lambda x: autograd.where(x > 0.5, x * x, 1.0), lambda x: np.where(x > 0.5, x * x, 1.0)),
    "softmax": (autograd.softmax, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    "log_softmax": (lambda x: autograd.log_softmax(x, 0), lambda x: x - np.log(np.exp(x).sum(0))),
    "logsumexp": (lambda x: autograd.logsumexp(x, None), lambda x: np.log(np.exp(x).sum())),
    "mean": (lambda x: autograd.mean(x * x, 0, keepdims=True), lambda x: (x * x).mean(0, keepdims=True)),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_functions_of_one_tensor(name):
    mine, known = ELEMENTWISE[name]
    corners = ("abs", "relu", "leaky_relu", "elu", "softplus")
    x = FAR if name in corners else X
    assert np.allclose(mine(tensor(x)).data, known(x), rtol=1e-14)
    check_grads(mine, [x])


BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "pow": np.power,
}


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_tensors_that_broadcast(name):
    mine, (a, b) = getattr(autograd, name), (A, B + 4)
    y = mine(tensor(a), tensor(b))
    assert np.allclose(y.data, BINARY[name](a, b), rtol=1e-14)
    check_grads(mine, [a, b])
    check_grads(lambda b: mine(b, 2.0), [b])
    check_grads(lambda b: mine(a, b), [b])


def test_every_rule_is_reached_by_a_function():
    offered = {name for name in RULES if hasattr(autograd, name)}
    assert set(RULES) - offered == {"power"}  # which `pow` takes where the exponent has a gradient


def test_a_wrong_rule_would_be_seen():
    """The mutant: the gradient of another function."""

    class Sine(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return autograd.sin(x)

        @staticmethod
        def backward(ctx, dy):
            return dy

    with pytest.raises(AssertionError, match=r"derivatives of order 1: jvp gives .* apart, and .* is allowed"):
        check_grads(Sine.apply, [X])


@pytest.mark.parametrize(
    ("function", "x", "slope"),
    [
        ("relu", 0.0, 0.0),
        ("abs", 0.0, 1.0),
        ("leaky_relu", 0.0, 0.01),
        ("sqrt", 4.0, 0.25),
        ("softplus", 0.0, 0.5),
        ("softplus", 800.0, 1.0),
        ("sigmoid", -800.0, 0.0),
    ],
)
def test_one_sided_values_are_those_of_the_formula(function, x, slope):
    x = tensor([x], requires_grad=True)
    with np.errstate(over="ignore"):
        getattr(autograd, function)(x).backward()
    assert x.grad.tolist() == [slope]


def test_ties_go_to_the_first():
    x = tensor([[1, 3, 3], [2, 2, 1]], requires_grad=True)
    x.max().backward()
    assert x.grad.tolist() == [[0, 1, 0], [0, 0, 0]]
    x.grad = None
    x.max(axis=1).sum().backward()
    assert x.grad.tolist() == [[0, 1, 0], [1, 0, 0]]
    a, b = tensor([1.0], requires_grad=True), tensor([1.0], requires_grad=True)
    autograd.maximum(a, b).backward()
    assert (a.grad.item(), b.grad.item()) == (1.0, 0.0)


def test_a_power_of_nothing_is_constant():
    x = tensor([0, 2], requires_grad=True)
    (x**0).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]
    x.grad = None
    (x**1).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_bounds_may_be_missing_or_arrays():
    x = FAR * 2
    assert np.array_equal(autograd.clip(x, high=0.5).data, np.minimum(x, 0.5))
    assert np.array_equal(autograd.clip(x).data, x)
    check_grads(autograd.clip, [x, np.full(4, -0.5), np.full((3, 1), 0.7)])


@pytest.mark.parametrize("exponent", [[1, 2], "two", None])
def test_an_exponent_is_a_number_or_an_array(exponent):
    with pytest.raises(TypeError, match=r"an operand is a \w+, and tensors compute with tensors"):
        autograd.pow(X, exponent)


def test_the_branch_that_is_not_chosen_has_no_say():
    x = tensor([0, 4], requires_grad=True)
    with np.errstate(divide="ignore"):
        autograd.where(x > 0, x, 0 * x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (2, 1, 0)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_reductions(name, axis, keepdims):
    x = DISTINCT

    def mine(x):
        return getattr(autograd, name)(x, axis, keepdims)

    assert np.array_equal(mine(x).data, getattr(np, name)(x, axis=axis, keepdims=keepdims))
    if name != "mean":
        check_grads(mine, [x * 8], exact=True)  # the step is less than what the elements differ by
    else:
        check_grads(mine, [x])


def test_a_reduction_of_nothing():
    assert autograd.sum(np.ones((0, 3)), 0).tolist() == [0.0] * 3
    with pytest.raises(ShapeError, match=r"the max of no elements is asked for: shape \(0, 3\) has none along axis=0"):
        autograd.max(np.ones((0, 3)), 0)
    with pytest.raises(ShapeError, match="axis=2 is none of 2 axes; it is from -2 to 1"):
        autograd.sum(np.ones((2, 3)), 2)
    with pytest.raises(ShapeError, match=r"axis=\(0, -2\) names an axis of 2 twice"):
        autograd.mean(np.ones((2, 3)), (0, -2))


# ------------------------------------------------------------------------------------------------------ maps of indices

LAST = ((0, 0), (0, 0), (5, 5))
MAPS = {
    "reshape": (lambda x: autograd.reshape(x, (4, -1)), lambda x: x.reshape(4, 6)),
    "flatten": (lambda x: autograd.flatten(x, 1), lambda x: x.reshape(2, 12)),
    "flatten all": (autograd.flatten, np.ravel),
    "squeeze": (lambda x: autograd.squeeze(x[:, :1], 1), lambda x: x[:, 0]),
    "squeeze all": (lambda x: autograd.squeeze(x[:1, :, :1]), lambda x: x[0, :, 0]),
    "expand_dims": (lambda x: autograd.expand_dims(x, -1), lambda x: x[..., None]),
    "transpose": (autograd.transpose, np.transpose),
    "transpose to": (lambda x: autograd.transpose(x, (1, 2, 0)), lambda x: x.transpose(1, 2, 0)),
    "T": (lambda x: x.T, lambda x: x.T),
    "swapaxes": (lambda x: x.swapaxes(0, -1), lambda x: x.swapaxes(0, -1)),
    "moveaxis": (lambda x: autograd.moveaxis(x, 0, 2), lambda x: np.moveaxis(x, 0, 2)),
    "moveaxis many": (lambda x: autograd.moveaxis(x, (0, 1), (-1, 0)), lambda x: np.moveaxis(x, (0, 1), (-1, 0))),
    "broadcast_to": (lambda x: autograd.broadcast_to(x[:1], (5, 2, 3, 4)), lambda x: x[:1] + np.zeros((5, 2, 3, 4))),
    "flip": (lambda x: autograd.flip(x, (0, 2)), lambda x: np.flip(x, (0, 2))),
    "concatenate": (lambda x: autograd.concatenate([x, x[:, :1]], 1), lambda x: np.concatenate([x, x[:, :1]], 1)),
    "stack": (lambda x: autograd.stack([x, x * 2], -1), lambda x: np.stack([x, x * 2], -1)),
    "split": (lambda x: autograd.split(x, 3, 2)[0], lambda x: x[..., :3]),
    "split sizes": (lambda x: autograd.split(x, [1, 0, 2], 1)[2], lambda x: x[:, 1:]),
    "pad": (lambda x: autograd.pad(x, ((1, 2), (0, -1))), lambda x: np.pad(x, ((0, 0), (1, 2), (0, 0)))[..., :-1]),
    "pad all": (lambda x: autograd.pad(x, 1), lambda x: np.pad(x, 1)),
    "pad circular": (lambda x: autograd.pad(x, (0, 5), "circular"), lambda x: np.pad(x, LAST, "wrap")),
    "pad reflect": (lambda x: autograd.pad(x, (0, 5), "reflect"), lambda x: np.pad(x, LAST, "reflect")),
    "pad replicate": (lambda x: autograd.pad(x, (0, 5), "replicate"), lambda x: np.pad(x, LAST, "edge")),
    "pad symmetric": (lambda x: autograd.pad(x, (5,), "symmetric"), lambda x: np.pad(x, LAST, "symmetric")),
    "index": (lambda x: x[1], lambda x: x[1]),
    "slice": (lambda x: x[:, ::-2, 1:3], lambda x: x[:, ::-2, 1:3]),
    "ellipsis": (lambda x: x[..., None, 2], lambda x: x[..., None, 2]),
    "advanced": (lambda x: x[:, [0, 2, 0, 0]], lambda x: x[:, [0, 2, 0, 0]]),
    "advanced pair": (
        lambda x: x[np.array([[0], [1]]), np.array([2, 2])],
        lambda x: x[np.array([[0], [1]]), np.array([2, 2])],
    ),
    "index of tensor": (lambda x: x[tensor(np.array([1, 1, 0]))], lambda x: x[[1, 1, 0]]),
    "mask": (lambda x: x[x.data > 0], lambda x: x[x > 0]),
    "iterate": (lambda x: autograd.concatenate(list(x)), lambda x: np.concatenate(list(x))),
    "astype": (lambda x: x.astype(np.float32).astype(np.float64), lambda x: x),
}


@pytest.mark.parametrize("name", MAPS)
def test_what_moves_elements(name):
    mine, known = MAPS[name]
    x = DISTINCT
    assert np.array_equal(mine(tensor(x)).data, known(x))
    if name != "mask":
        check_grads(mine, [x], exact=True)


def test_a_mask_gathers_and_its_gradient_scatters():
    x = tensor([[1, -1], [-2, 3]], requires_grad=True)
    (x[x > 0] * np.array([10.0, 20.0])).sum().backward()
    assert x.grad.tolist() == [[10.0, 0.0], [0.0, 20.0]]


def test_padding_with_another_number():
    check_grads(lambda x: autograd.pad(x, ((1, 2),), value=7.0), [np.arange(3.0)], exact=True)
    assert autograd.pad(np.ones(1), 1, value=7.0).tolist() == [7.0, 1.0, 7.0]


def test_the_key_of_an_index_is_the_tapes_own():
    x, key = tensor([1, 2, 3], requires_grad=True), np.array([0, 0])
    y = x[key]
    key[:] = 2
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 0.0]


LINEAR = [
    Reshape((2, 6), (3, 4)),
    Transpose((2, 0, 1)),
    spreading((3, 1), (2, 3, 4)),
    spreading((), (2, 2)),
    summing((2, 3, 4), (0, 2), False),
    summing((2, 3), None, True),
    Index((3, 4), (slice(None, None, -2), 1)),
    Index((3, 4), ([0, 2, 0], slice(1, 3))),
    Index((4,), np.array([True, False, True, False])),
    Pad((2, 3), ((1, 0), (2, 2))),
]
SHAPES = [(2, 6), (3, 4, 5), (3, 1), (), (2, 3, 4), (2, 3), (3, 4), (3, 4), (4,), (2, 3)]


@pytest.mark.parametrize(("op", "shape"), list(zip(LINEAR, SHAPES, strict=True)), ids=lambda value: str(value)[:30])
def test_adjoints_have_the_same_inner_products(op, shape):
    """<A(x), dy> == <x, A'(dy)> in integers, and A'' == A."""
    x = integers(*shape)
    y = NUMPY.apply(op, x)
    dy = integers(*y.shape, 1)[..., 0]
    assert (y * dy).sum() == (x * NUMPY.apply(op.adjoint, dy)).sum()
    again = op.adjoint.adjoint
    assert np.array_equal(NUMPY.apply(again, x), y)
    assert np.ndim(dy) == 0 or not np.array_equal(dy, np.zeros_like(dy))


def test_a_wrong_adjoint_would_be_seen():
    """The mutants: a scatter that writes where it should add, and a transposition by the same order."""
    x, dy = np.array([3.0, 1.0, 2.0]), integers(4) + 5
    key = np.array([0, 0, 2, 0])
    wrong = np.zeros(3)
    wrong[key] = dy
    assert (x[key] * dy).sum() == (x * NUMPY.apply(Scatter((3,), key), dy)).sum() != (x * wrong).sum()
    x, dy = integers(2, 2, 2), integers(2, 2, 2, 1)[..., 0] + np.arange(8.0).reshape(2, 2, 2)
    assert (x.transpose(1, 2, 0) * dy).sum() != (x * dy.transpose(1, 2, 0)).sum()


def test_writing_suffices_where_no_index_repeats():
    assert not may_repeat((slice(None), 3, None, Ellipsis))
    assert not may_repeat(np.array([True, False]))
    assert may_repeat([0, 0])
    assert may_repeat((slice(None), np.array([1, 1])))


def test_maps_say_what_they_are():
    assert Reshape((2, 3), (6,)).static == {"before": (2, 3), "after": (6,)}
    assert Sum((2, 3), (2,), (1,)).adjoint == Spread((2,), (2, 3), (1,))


def test_the_way_back_through_shapes_copies_nothing():
    x = tensor(np.ones((20, 30)), requires_grad=True)
    y = x.reshape(600).reshape(30, 20).T
    dy = np.ones(y.shape)
    for node in (y.grad_fn, y.grad_fn.edges[0], y.grad_fn.edges[0].edges[0]):
        (dx,) = node.pull(dy, [True], False)
        assert np.shares_memory(dx, dy)


# -------------------------------------------------------------------------------------------------- products and layers


@pytest.mark.parametrize(
    ("a", "b"),
    [((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((1, 2, 3), (5, 3, 1)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (4, 3, 2))],
)
def test_products_of_matrices(a, b):
    a, b = integers(*a), integers(*b)
    assert np.array_equal(autograd.matmul(a, b).data, a @ b)
    assert np.array_equal((a @ tensor(b)).data, a @ b)
    check_grads(autograd.matmul, [a, b], exact=True)


def test_a_product_with_a_number():
    with pytest.raises(ShapeError, match=r"a matrix product has a number as operand.*multiplied by \*"):
        autograd.matmul(np.ones(3), 2.0)


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (3,), (0, 3)])
def test_a_linear_layer(shape):
    x, w, b = integers(*shape), integers(4, 3), integers(4)
    assert np.array_equal(autograd.linear(x, w, b).data, x @ w.T + b)
    check_grads(autograd.linear, [x, w, b], exact=True)


CONVOLUTIONS = [
    ("conv1d", (2, 4, 9), (6, 2, 3), {"stride": 2, "padding": 1, "groups": 2}),
    ("conv1d", (4, 9), (6, 4, 3), {"padding": "same", "padding_mode": "circular", "flip": True}),
    ("conv2d", (2, 2, 6, 5), (3, 2, 3, 2), {"padding": (1, 0), "dilation": (1, 2)}),
    ("conv2d", (1, 6, 5, 2), (3, 2, 2, 3), {"axes": ("NHWC", "HWIO")}),
    ("conv3d", (1, 1, 3, 4, 3), (2, 1, 2, 2, 2), {"stride": (1, 2, 1)}),
    ("conv", (1, 2, 5), (1, 2, 2), {"input_dilation": 2}),
    ("conv_transpose1d", (1, 2, 4), (2, 3, 3), {"stride": 2, "output_padding": 1}),
    ("conv_transpose2d", (1, 2, 3, 3), (2, 1, 2, 2), {"stride": (2, 1), "padding": 1, "groups": 2}),
    ("conv_transpose3d", (1, 1, 2, 2, 2), (1, 1, 2, 1, 2), {}),
    ("conv_transpose", (1, 2, 4), (2, 3, 3), {}),
]


@pytest.mark.parametrize(("name", "x", "w", "knobs"), CONVOLUTIONS)
@pytest.mark.parametrize("biased", [False, True])
def test_convolutions(name, x, w, knobs, biased):
    x, w = integers(*x), integers(*w)
    knobs = {**knobs, "algorithm": "direct"}
    channels = getattr(convsym, name)(x, w, **knobs).shape[-1 if "axes" in knobs else 1 if x.ndim == w.ndim else 0]
    operands = [x, w, integers(channels)] if biased else [x, w]

    def mine(*operands):
        return getattr(autograd, name)(*operands, **knobs)

    assert np.array_equal(mine(*map(tensor, operands)).data, getattr(convsym, name)(*operands, **knobs))
    check_grads(mine, operands, exact=True)


WINDOWS = [
    ("avg_pool1d", (1, 2, 8), (2,), {}),
    ("avg_pool2d", (1, 2, 5, 4), ((3, 2), 1, (1, 0)), {"count_include_pad": False}),
    ("avg_pool3d", (1, 3, 3, 3), (2,), {"ceil_mode": True}),
    ("avg_pool", (1, 6), ((4,), 2), {"padding_mode": "reflect", "padding": 1}),
    ("unfold", (1, 2, 5, 4), ((2, 3),), {"stride": 2, "padding": 1}),
    ("fold", (1, 4, 6), ((3, 4), 2), {}),
]


@pytest.mark.parametrize(("name", "x", "arguments", "knobs"), WINDOWS)
def test_pooling_and_windows(name, x, arguments, knobs):
    x = integers(*x)

    def mine(x):
        return getattr(autograd, name)(x, *arguments, **knobs)

    assert np.array_equal(mine(tensor(x)).data, getattr(convsym, name)(x, *arguments, **knobs))
    if name.startswith("avg"):
        check_grads(mine, [x])
    else:
        check_grads(mine, [x], exact=True)


SAME = "conv1d conv2d conv3d conv conv_transpose2d conv_transpose avg_pool2d avg_pool unfold fold".split()


@pytest.mark.parametrize("name", SAME)
def test_signatures_are_those_of_the_numeric_functions(name):
    mine = inspect.signature(getattr(autograd, name)).parameters
    known = {key: value for key, value in inspect.signature(getattr(convsym, name)).parameters.items() if key != "out"}
    assert list(mine) == list(known)
    assert [each.default for each in mine.values()] == [each.default for each in known.values()]
    assert [each.kind for each in mine.values()] == [each.kind for each in known.values()]


def test_no_value_is_kept_for_a_gradient_that_does_not_read_it():
    x = tensor(np.ones((1, 1, 64)), requires_grad=True)
    y = autograd.avg_pool1d(x, 2)
    assert y.grad_fn.operands == [None]
    assert autograd.fold(autograd.unfold(x, (3,)), (64,), (3,)).grad_fn.operands == [None]


def test_nodes_tell_their_parameters():
    y = autograd.conv2d(np.ones((1, 1, 5, 5)), tensor(np.ones((1, 1, 3, 3)), requires_grad=True), stride=2, padding=1)
    assert y.grad_fn.name() == "Conv2DBackward0"
    assert y.grad_fn.op.static == {"stride": 2, "padding": 1}
    assert autograd.avg_pool1d(np.ones((1, 4)), 2).is_leaf


def test_errors_of_the_numeric_functions_come_through():
    with pytest.raises(ShapeError, match="weight"):
        autograd.conv2d(tensor(np.ones((1, 2, 5, 5))), np.ones((1, 3, 3, 3)))
    with pytest.raises(TypeError, match=r"operand is a list.*convsym.tensor"):
        autograd.conv2d([[1.0]], np.ones((1, 1, 1, 1)))


# --------------------------------------------------------------------------------------------------------------- losses


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("knobs", [{}, {"weight": np.array([1.0, 2.0, 0.5])}, {"label_smoothing": 0.2}])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 3, 4)])
def test_cross_entropy(shape, knobs, reduction):
    x = RANDOM.standard_normal(shape)
    axis = min(1, len(shape) - 1)
    t = RANDOM.integers(0, 3, (*shape[:axis], *shape[axis + 1 :]))
    weight = knobs.get("weight", np.ones(3))
    smooth = knobs.get("label_smoothing", 0.0)
    moved = np.moveaxis(x, axis, -1)
    log_p = moved - np.log(np.exp(moved).sum(-1, keepdims=True))
    one = np.eye(3)[t] * (1 - smooth) + smooth / 3
    losses = -(one * weight * log_p).sum(-1)
    expected = {"none": losses, "sum": losses.sum(), "mean": losses.sum() / weight[t].sum()}[reduction]
    assert np.allclose(autograd.cross_entropy(x, t, reduction=reduction, **knobs).data, expected, rtol=1e-13)
    check_grads(lambda x: autograd.cross_entropy(x, t, reduction=reduction, **knobs), [x])


def test_cross_entropy_of_probabilities_and_of_classes_that_do_not_count():
    x = RANDOM.standard_normal((4, 3))
    t = np.array([0, 2, 1, 1])
    one = autograd.cross_entropy(x, np.eye(3)[t]).item()
    assert np.isclose(one, autograd.cross_entropy(x, t).item(), rtol=1e-14)
    t[1] = -100
    assert np.isclose(
        autograd.cross_entropy(x, t).item(), autograd.cross_entropy(x[[0, 2, 3]], t[[0, 2, 3]]).item(), rtol=1e-14
    )
    check_grads(autograd.cross_entropy, [x, RANDOM.random((4, 3))])


def test_losses_never_overflow():
    x = tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = autograd.cross_entropy(x, np.array([1]))
    loss.backward()
    assert loss.item() == 2e4
    assert x.grad.tolist() == [[1.0, -1.0, 0.0]]
    assert autograd.softmax(np.array([-np.inf, 0.0])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: autograd.cross_entropy(np.ones((2, 3)), np.array([0, 3])),
            "target has the class 3, and classes are from 0 to 2",
        ),
        (
            lambda: autograd.cross_entropy(np.ones((2, 3)), np.array([0])),
            r"target has shape \(1,\).*integers of shape \(2,\)",
        ),
        (
            lambda: autograd.cross_entropy(np.ones((2, 3)), np.array([0, 1]), reduction="all"),
            "reduction='all' is not known",
        ),
        (lambda: autograd.mse_loss(np.ones(2), np.ones((2, 1))), r"input has shape \(2,\) and target \(2, 1\)"),
        (
            lambda: autograd.reshape(np.ones(6), (4, -1)),
            r"shape \(6,\) has 6 elements, and they do not fill the shape \(4, -1\)",
        ),
        (lambda: autograd.transpose(np.ones((2, 3)), (0,)), r"axes=\(0,\) names 1 axes, and the tensor has 2"),
        (lambda: autograd.linear(np.ones((2, 3)), np.ones((3, 2))), r"weight \(3, 2\); they must be"),
        (lambda: autograd.matmul(np.ones((2, 3)), np.ones((2, 3))), "rows of 3 elements meet columns of 2"),
        (lambda: autograd.matmul(np.ones((2, 3)), np.ones(2)), "rows of 3 elements meet columns of 2"),
        (lambda: autograd.squeeze(np.ones((2, 3)), 0), r"axis=0 of shape \(2, 3\) has not size 1"),
        (lambda: autograd.flatten(np.ones((2, 3)), 1, 0), "start=1 is behind end=0"),
        (lambda: tensor(np.ones((2, 3))).swapaxes(0, -3), "axis=-3 is none of 2 axes; it is from -2 to 1"),
        (lambda: autograd.moveaxis(np.ones((2, 3)), 2, 0), "axis=2 is none of 2 axes; it is from -2 to 1"),
        (lambda: autograd.moveaxis(np.ones((2, 3)), (0, 0), (0, 1)), "do not name as many axes, each of them once"),
        (lambda: autograd.broadcast_to(np.ones(3), (2,)), r"shape \(3,\) does not broadcast to \(2,\)"),
        (lambda: autograd.concatenate([]), "arrays is empty"),
        (lambda: autograd.concatenate([np.ones((2, 3)), np.ones((3, 2))]), "differ along another axis than 0"),
        (lambda: autograd.split(np.ones(3), [1, 1]), r"sizes \(1, 1\) do not add up to 3"),
        (lambda: autograd.split(np.ones(3), 0), "a part has at least one element"),
        (lambda: autograd.pad(np.ones(3), "same"), "padding='same', and it is numbers"),
        (lambda: autograd.pad(np.ones(3), 1, "mirror"), "padding_mode='mirror' is not known"),
    ],
)
def test_wrong_calls_are_sentences(call, sentence):
    with pytest.raises(ShapeError, match=sentence):
        call()


def test_every_function_tells_its_formula_and_shows_an_example():
    for name in autograd.__all__:
        doc = inspect.getdoc(getattr(autograd, name))
        assert len(doc) > 20
        if inspect.isfunction(getattr(autograd, name)) and inspect.signature(getattr(autograd, name)).parameters:
            assert ">>> " in doc or name in ("apply", "nodes"), name
