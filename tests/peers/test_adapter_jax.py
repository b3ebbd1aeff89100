"""JAX: its own checks by differences to third order, its own convolution, jit, vmap, and how often is computed."""

import itertools

import numpy as np
import pytest
from adapted import CALLS, CONVOLUTIONS, assert_examples_run

import convsym
from convsym import ShapeError

jax = pytest.importorskip("jax", reason="the peer jax is not installed")

import jax.numpy as jnp  # noqa: E402  # there is none without the package
from jax.test_util import check_grads  # noqa: E402

from convsym.adapters import jax as adapter  # noqa: E402


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def test_examples():
    with jax.enable_x64(False):
        assert_examples_run(adapter)


def loss(call):
    return lambda *arrays: (jnp.abs(call.of(adapter)(*arrays)) ** 2).sum()


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_values_and_derivatives(call):
    arrays = call.arrays()
    np.testing.assert_array_equal(call.of(adapter)(*arrays), call.of(convsym)(*arrays))
    check_grads(call.of(adapter), arrays, order=2, modes=["rev"])
    check_grads(loss(call), arrays, order=2, modes=["rev"])


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_compiled_derivatives(call):
    arrays = call.arrays()
    check_grads(jax.jit(call.of(adapter)), arrays, order=2, modes=["rev"])
    places = tuple(range(len(arrays)))
    compiled = jax.jit(jax.grad(loss(call), places))(*arrays)
    for one, other in zip(compiled, jax.grad(loss(call), places)(*arrays), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("call", CONVOLUTIONS, ids=str)
def test_complex_derivatives(call):
    check_grads(loss(call), call.arrays("complex128"), order=2, modes=["rev"])


def by_lax(x, w):
    return jax.lax.conv_general_dilated(
        x, w, (2, 1), ((1, 0), (2, 1)), rhs_dilation=(1, 2), feature_group_count=2
    )


def by_convsym(x, w):
    return adapter.conv2d(x, w, None, (2, 1), ((1, 0), (2, 1)), (1, 2), 2)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_gradients_of_gradients_are_those_of_lax(dtype):
    generator = np.random.default_rng(0)
    x, w = (generator.standard_normal((2, *shape)) for shape in ((2, 4, 5, 6), (6, 2, 3, 2)))
    x, w = (x[0], w[0]) if dtype == "float64" else (x[0] + 1j * x[1], w[0] + 1j * w[1])

    def second(function):
        def first(x, w):
            return sum((jnp.abs(g) ** 2).sum() for g in jax.grad(cube, (0, 1))(x, w))

        def cube(x, w):
            y = function(x, w)
            return (y * y * y).real.sum()

        return jax.jit(jax.grad(first, (0, 1)))(x, w)

    for mine, theirs in zip(second(by_convsym), second(by_lax), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_vmap(call):
    """Over every choice of arguments that have an axis of their own; the gradient of each instance too."""
    single, places = call.arrays(), range(len(call.shapes))
    stacks = [np.stack([array, 2 * array, array + 1]) for array in single]
    for own in itertools.product((False, True), repeat=len(single)):
        if sum(own) not in (1, len(own)):
            continue
        arrays = [stack if mine else array for stack, array, mine in zip(stacks, single, own, strict=True)]
        axes = tuple(0 if mine else None for mine in own)
        for function in (call.of(adapter), jax.grad(loss(call), tuple(places))):
            found = jax.vmap(function, axes)(*arrays)
            for place in range(3):
                alone = function(*(a[place] if mine else a for a, mine in zip(arrays, own, strict=True)))
                for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(alone), strict=True):
                    np.testing.assert_allclose(one[place], other, rtol=1e-10, atol=1e-10)


def test_vmap_within_vmap_and_jit():
    x, w = np.random.default_rng(0).standard_normal((5, 4, 2, 4, 6)), np.ones((5, 3, 6, 2, 3))
    w = w * np.arange(1.0, 16.0).reshape(5, 3, 1, 1, 1)

    def every(function):
        inner = jax.vmap(jax.vmap(function, (None, 0)), (0, None))  # every x with every w
        return jax.jit(jax.vmap(inner))(x, w)

    mine = every(lambda x, w: adapter.conv1d(x, w, stride=2, groups=2))
    theirs = every(lambda x, w: jax.lax.conv_general_dilated(x, w, (2,), "VALID", feature_group_count=2))
    assert mine.shape == (5, 4, 3, 2, 6, 2)
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_reverse_mode_twice_is_the_hessian():
    x, w = np.arange(5.0).reshape(1, 5), np.array([[[1.0, -2.0]]])

    def cube(x):
        return (adapter.conv1d(x, w) ** 3).sum()

    def by_hand(x):
        return ((x[:, :-1] * w[0, 0, 0] + x[:, 1:] * w[0, 0, 1]) ** 3).sum()

    np.testing.assert_allclose(jax.jacrev(jax.jacrev(cube))(x), jax.hessian(by_hand)(x), rtol=1e-12)


def test_gradients_that_nobody_wants_are_not_computed(monkeypatch):
    computed, compute = [], adapter._compute

    def counted(form, result, operands):
        computed.append(result)
        return compute(form, result, operands)

    monkeypatch.setattr(adapter, "_compute", counted)
    call = CONVOLUTIONS[1]
    x, w, b = call.arrays()
    jax.grad(lambda w: loss(call)(x, w, b))(w)
    assert computed == ["y", "w"]


def test_a_derivative_without_its_conjugate_is_seen():
    call = CONVOLUTIONS[0]

    def plain(x, w, b):  # the form's own gradients are adjoint, and JAX's are not
        return call.of(adapter)(jnp.conj(x), w, b)

    wrong = jax.custom_vjp(loss(call))
    wrong.defvjp(lambda *arrays: (loss(call)(*arrays), arrays), lambda arrays, g: jax.vjp(
        lambda *arrays: (jnp.abs(plain(*arrays)) ** 2).sum(), *arrays)[1](g))  # fmt: skip
    with pytest.raises(AssertionError):
        check_grads(wrong, call.arrays("complex128"), order=1, modes=["rev"])


def test_a_derivative_by_the_wrong_operand_is_seen(monkeypatch):
    monkeypatch.setattr(adapter, "exchanged", lambda operands, wanted, result, g: {**operands, result: g + 1})
    with pytest.raises(AssertionError):
        check_grads(CONVOLUTIONS[0].of(adapter), CONVOLUTIONS[0].arrays(), order=1, modes=["rev"])


def test_errors_are_sentences_and_come_before_anything_is_run():
    x, w = jnp.ones((1, 4)), jnp.ones((1, 1, 2))
    with pytest.raises(TypeError, match="input is float64 but weight is float32, and dtypes are not mixed"):
        jax.jit(adapter.conv1d)(x, w.astype(np.float32))
    with pytest.raises(TypeError, match="input has dtype bfloat16, and the dtypes computed are"):
        jax.jit(adapter.conv1d)(x.astype(jnp.bfloat16), w.astype(jnp.bfloat16))
    with pytest.raises(ShapeError, match="the kernel is larger than the padded input"):
        jax.jit(adapter.conv1d)(w[0], jnp.ones((1, 1, 5)))
    with pytest.raises(TypeError, match="can't apply forward-mode"):
        jax.jacfwd(lambda x: adapter.conv1d(x, w))(x)
