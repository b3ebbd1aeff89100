"""Gradients as functions of functions: values, nesting, and the check against differences."""

import numpy as np
import pytest

from convsym import ShapeError, TapeError, autograd, tensor
from convsym.autograd import check_grads, grad, hvp, jacobian, jvp, no_grad, value_and_grad, vjp


def cubic(x):
    return (x * x * x).sum()


def test_gradients_of_arguments():
    x, w = np.array([1.0, 2.0]), np.array([3.0, 4.0])

    def f(x, w):
        return (x * x * w).sum()

    assert grad(f)(x, w).tolist() == [6.0, 16.0]
    assert grad(f, 1)(x, w).tolist() == [1.0, 4.0]
    by_x, by_w = grad(f, (0, -1))(x, w)
    assert (by_x.tolist(), by_w.tolist()) == ([6.0, 16.0], [1.0, 4.0])
    value, gradient = value_and_grad(f)(x, w)
    assert (value.item(), gradient.tolist()) == (19.0, [6.0, 16.0])
    assert not value.requires_grad
    assert not gradient.requires_grad
    assert x.tolist() == [1.0, 2.0]


def test_what_comes_beside():
    def f(x):
        return cubic(x), {"twice": x * 2}

    gradient, aux = grad(f, has_aux=True)([1, 2])
    assert gradient.tolist() == [3.0, 12.0]
    assert aux["twice"].tolist() == [2.0, 4.0]
    (value, aux), _ = value_and_grad(f, has_aux=True)([1, 2])
    assert value.item() == 9.0


def test_gradients_of_gradients():
    assert [g(2.0).item() for g in nested(lambda x: x**5, 5)] == [80.0, 160.0, 240.0, 240.0, 120.0]


def nested(f, count):
    for _ in range(count):
        f = grad(f)
        yield f


def test_inner_gradients_do_not_mix_with_outer_ones():
    """d/dx of x * (d/dy of x*y*y at y = 1 + x) == d/dx of 2*x*x*(1 + x)."""

    def outer(x):
        return x * grad(lambda y: x * y * y)(1 + x)

    assert grad(outer)(3.0).item() == 4 * 3 + 6 * 9
    assert grad(lambda x: grad(lambda y: x * y)(x) * x)(3.0).item() == 6.0
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(3.0).item() == 1.0


def test_gradients_reach_tensors_outside():
    w = tensor([3.0], requires_grad=True)
    gradient = grad(lambda x: (x * x * w).sum())(2.0)
    gradient.backward()
    assert (gradient.item(), w.grad.item()) == (12.0, 4.0)
    assert w.grad is not None


def test_inner_tensors_are_left_alone():
    x = tensor([2.0], requires_grad=True)
    with no_grad():
        gradient = grad(cubic)(x)
        value, by_w = value_and_grad(lambda w: (x * w).sum())(3.0)
    assert (gradient.tolist(), value.item(), by_w.item()) == ([12.0], 6.0, 2.0)
    assert not any(found.requires_grad for found in (gradient, value, by_w))
    assert x.grad is None


def test_a_function_that_does_not_depend_on_its_argument():
    assert grad(lambda x: tensor([1.0]))([1, 2]).tolist() == [0.0, 0.0]
    assert grad(lambda x, y: (y * y).sum(), 0)([1, 2], tensor([3.0], requires_grad=True)).tolist() == [0.0, 0.0]
    y, dy = jvp(lambda x: tensor([1.0]), [1, 2], [1, 1])
    assert (y.tolist(), dy.tolist()) == ([1.0], [0.0])


def test_a_pullback_is_called_many_times():
    (y, z), pullback = vjp(lambda x, w: (x * w, x + w), [1, 2], [3, 4])
    assert (y.tolist(), z.tolist()) == ([3.0, 8.0], [4.0, 6.0])
    for _ in range(2):
        dx, dw = pullback([1, 10], [100, 100])
        assert (dx.tolist(), dw.tolist()) == ([103.0, 140.0], [101.0, 120.0])
    with pytest.raises(TapeError, match="there are 1 cotangents, and the function has 2 results"):
        pullback([1, 10])


def test_gradients_own_their_memory():
    (dx, dw), given = vjp(lambda x, w: x + w, [1, 2], [3, 4])[1](np.ones(2)), np.ones(2)
    dx.data *= 5
    assert dw.tolist() == given.tolist() == [1.0, 1.0]
    (dx,) = vjp(autograd.sum, [1, 2])[1](1.0)
    dx.data *= 5
    assert dx.tolist() == [5.0, 5.0]


def test_jvp_is_the_jacobian_times_the_tangent():
    x, w, t, s = (np.random.default_rng(1).standard_normal((3, 3)) for _ in range(4))
    y, dy = jvp(lambda x, w: autograd.exp(x @ w), (x, w), (t, s))
    assert np.allclose(dy.data, np.exp(x @ w) * (t @ w + x @ s), rtol=1e-13)
    assert np.array_equal(y.data, np.exp(x @ w))
    assert not dy.requires_grad


def test_jvp_of_several_results_and_inside_of_a_gradient():
    (y, z), (dy, dz) = jvp(lambda x: (x * x, x * 3), [1, 2], [1, 10])
    assert (y.tolist(), z.tolist(), dy.tolist(), dz.tolist()) == ([1, 4], [3, 6], [2, 40], [3, 30])
    assert grad(lambda x: jvp(lambda x: x * x * x, x, 1.0)[1])(2.0).item() == 12.0


def test_jacobians():
    x = np.array([1.0, 2.0, 3.0])
    both = jacobian(lambda x, y: autograd.stack([x * y, x + y]), (0, 1))(x, x * 10)
    expected = np.stack([np.diag(x * 10), np.eye(3)]), np.stack([np.diag(x), np.eye(3)])
    for mine, known in zip(both, expected, strict=True):
        assert np.array_equal(mine.data, known)
    assert jacobian(lambda x: x[:0])(x).shape == (0, 3)
    hessian = jacobian(grad(cubic))(x)
    assert np.array_equal(hessian.data, np.diag(6 * x))


def test_second_derivatives_times_a_direction():
    x, t = np.array([1.0, 2.0]), np.array([1.0, 10.0])
    assert hvp(cubic, x, t).tolist() == [6.0, 120.0]
    by_x, by_w = hvp(lambda x, w: (x * w).sum(), (x, t), (t, x))
    assert (by_x.tolist(), by_w.tolist()) == ([1.0, 2.0], [1.0, 10.0])
    assert hvp(lambda x: x.sum(), x, t).tolist() == [0.0, 0.0]


def test_a_small_network_has_second_derivatives():
    random = np.random.default_rng(2)
    x, w, v = random.standard_normal((2, 1, 6, 6)), random.standard_normal((2, 1, 3, 3)), random.standard_normal((3, 8))

    def loss(w, v):
        h = autograd.avg_pool2d(autograd.tanh(autograd.conv2d(x, w)), 2)
        return autograd.cross_entropy(autograd.linear(h.reshape(2, 8), v), np.array([0, 2]))

    check_grads(loss, [w, v], order=3)
    t, s = random.standard_normal(w.shape), random.standard_normal(v.shape)
    one = hvp(loss, (w, v), (t, s))
    _, other = jvp(grad(loss, (0, 1)), (w, v), (t, s))
    for a, b in zip(one, other, strict=True):
        assert np.allclose(a.data, b.data, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: grad(lambda x: x)([1, 2]), TapeError, r"the result has shape \(2,\), and a gradient is of a tensor"),
        (lambda: grad(lambda x: 3)([1, 2]), TapeError, "the result has the type int"),
        (lambda: grad(cubic, 2)([1, 2]), TapeError, "argnums has 2, and the function is called with 1 arguments"),
        (lambda: grad(cubic)(np.arange(2)), TypeError, "argument 0 has dtype int64, and derivatives are by real"),
        (lambda: vjp(lambda x: 3, 1.0), TapeError, "the function returned int, and it has to return tensors"),
        (lambda: jacobian(lambda x: (x, x))(1.0), TapeError, "it has to return one tensor"),
        (lambda: jvp(cubic, [1, 2], [1]), ShapeError, r"tangents\[0\] has shape \(1,\), and its primal \(2,\)"),
        (lambda: jvp(cubic, ([1],), ([1], [2])), ShapeError, "there are 1 primals and 2 tangents"),
        (lambda: check_grads(cubic, [[0.5]], exact=True), TapeError, "exact=True is for integers"),
    ],
)
def test_wrong_calls_are_sentences(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


# ------------------------------------------------------------------------------------------------------------ the check


class Twice(autograd.Function):
    """x*x, with a first derivative that is right and a second one that is not."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[0].detach() * 2


def test_the_check_looks_at_the_second_order():
    check_grads(Twice.apply, [np.array([1.0, 2.0])], order=1)
    with pytest.raises(AssertionError, match="derivatives of order 2"):
        check_grads(Twice.apply, [np.array([1.0, 2.0])])


def test_the_exact_check_sees_the_last_bit():
    def off(x, w):
        return x * w + (x * 2.0**-40).detach()

    x = np.array([3.0, -2.0])
    check_grads(lambda x, w: x * w, [x, x], exact=True)
    with pytest.raises(AssertionError, match="and 0 is allowed"):
        check_grads(off, [x, x], exact=True, order=1)
    check_grads(off, [x, x], order=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_check_knows_the_dtype(dtype):
    check_grads(lambda x: autograd.exp(x) / x, [np.array([0.7, 1.3], dtype)])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: grad(3), "f is 3, and derivatives are of a function of tensors"),
        (lambda: grad(abs, argnums="x"), "argnums is 'x', and it is the number of an argument"),
    ],
    ids=["function", "argnums"],
)
def test_what_no_derivative_is_of_is_told(call, sentence):
    with pytest.raises(TypeError, match=sentence):
        call()
