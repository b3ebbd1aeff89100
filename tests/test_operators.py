"""Linear operators: the same products as the matrix, exact adjoints, and SciPy's solvers on top of them."""

import sys

import numpy as np
import pytest
from exact import bits
from matrices import Layer, layers

from convsym import KernelError, ShapeError, linear_operator, toeplitz
from convsym.operators import ConvolutionOperator

W = np.arange(1.0, 13).reshape(2, 2, 3)
LAYER = linear_operator(W, (2, 5), padding=1)


def operators(count, dtype, ranks=(1, 2), algorithm="direct"):
    """Random operators of convolutions and of transposed ones, with their matrices."""
    for layer in layers(count, ranks=ranks, seed=7):
        weight = layer.weight(dtype)
        for transposed in (False, True):
            knobs = layer.knobs
            shape = layer.input_shape
            if transposed:
                channels = layer.groups * layer.channels[1]
                shape = (*shape[: -layer.rank - 1], channels, *shape[-layer.rank :])
                knobs = {name: value for name, value in knobs.items() if name != "input_dilation"}
            try:
                operator = linear_operator(weight, shape, **knobs, transposed=transposed, algorithm=algorithm)
            except ShapeError:  # nothing is left of the transposed one, or nothing is there to repeat
                assert transposed
                continue
            yield operator, toeplitz(weight, shape, **knobs, transposed=transposed, format="coo").toarray()


def numbers(rng, shape, dtype):
    """Small integers of a dtype; Gaussian ones if it is complex."""
    parts = rng.integers(-9, 10, (2, *shape))
    return (parts[0] + 1j * parts[1] if np.dtype(dtype).kind == "c" else parts[0]).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "ranks"), [("f4", (1, 2)), ("f8", (1, 2, 3)), ("c8", (1, 2)), ("c16", (1, 2)), ("i4", (1, 2, 3)),
                         ("i8", (4, 5))],
)  # fmt: skip
def test_products_are_those_of_the_matrix(dtype, ranks):
    rng = np.random.default_rng(3)
    for operator, dense in operators(12 if ranks[0] == 1 else 4, dtype, ranks):
        rows, columns = dense.shape
        assert operator.shape == dense.shape and operator.dtype == dense.dtype
        x, y = numbers(rng, (columns,), dtype), numbers(rng, (rows,), dtype)
        xs, ys = numbers(rng, (columns, 3), dtype), numbers(rng, (rows, 2), dtype)
        assert np.array_equal(operator.matvec(x), dense @ x)
        assert np.array_equal(operator.rmatvec(y), dense.conj().T @ y)
        assert np.array_equal(operator.matmat(xs), dense @ xs)
        assert np.array_equal(operator.rmatmat(ys), dense.conj().T @ ys)
        assert np.array_equal(operator.T @ y, dense.T @ y)
        assert np.array_equal(operator.H @ ys, dense.conj().T @ ys)
        assert np.array_equal(operator @ x[:, None], dense @ x[:, None])


def gap(forth, back, operator, dtype, rng):
    """⟨y, A x⟩ - ⟨A* y, x⟩ for integers x and y: exactly 0 for an adjoint."""
    rows, columns = operator.shape
    x, y = numbers(rng, (columns,), dtype), numbers(rng, (rows,), dtype)
    return np.vdot(y, forth(operator, x)) - np.vdot(back(operator, y), x)


def adjoint_gaps(back, dtype):
    rng = np.random.default_rng(4)
    return [gap(ConvolutionOperator.matvec, back, operator, dtype, rng) for operator, _ in operators(40, dtype)]


@pytest.mark.parametrize("dtype", ["f8", "c16", "i8"])
def test_the_adjoint_is_exact(dtype):
    assert set(adjoint_gaps(ConvolutionOperator.rmatvec, dtype)) == {0}


def test_a_transposed_operator_that_does_not_conjugate_is_no_adjoint():
    assert any(adjoint_gaps(lambda operator, y: operator.T.matvec(y), "c16"))
    assert not any(adjoint_gaps(lambda operator, y: operator.T.matvec(y), "f8"))


def test_objects_and_integers_go_through_the_reference():
    for operator, dense in operators(2, "i8", ranks=(1, 3), algorithm="reference"):
        x = np.arange(dense.shape[1])
        assert (operator @ x).dtype == np.int64
        assert np.array_equal(operator @ x, dense @ x)
        assert np.array_equal(operator @ x.astype(object), dense @ x)
        assert (operator @ x.astype(object)).dtype == object


def test_adjoints_of_adjoints_and_of_transposes():
    operator = linear_operator(W + 1j, (2, 5))
    assert np.array_equal(operator.H.H.weight, operator.weight)
    assert operator.H.shape == operator.T.shape == operator.shape[::-1]
    assert operator.T.T.rule == operator.rule == "y"
    x = np.arange(10.0)
    assert bits(operator.T.H @ x, operator.T.adjoint() @ x) == 0
    assert bits(operator.T.H @ x, operator.transpose().H.matvec(x)) == 0
    assert np.array_equal(operator.T.H @ x, linear_operator(W - 1j, (2, 5)) @ x)


@pytest.mark.parametrize(
    ("weight", "vector", "result"),
    [("f4", "f8", "f8"), ("f4", "f4", "f4"), ("f8", "c8", "c16"), ("c8", "f4", "c8"), ("f2", "f2", "f2"),
     ("i4", "f8", "f8"), ("f4", "i8", "f8"), ("f2", "f4", "f4")],
)  # fmt: skip
def test_the_dtype_of_a_product_is_numpys(weight, vector, result):
    operator = linear_operator(W.astype(weight), (2, 5))
    product = operator @ np.ones(10, vector)
    assert operator.dtype == weight
    assert product.dtype == result
    assert product.tolist() == [21.0, 21.0, 21.0, 57.0, 57.0, 57.0]


@pytest.mark.parametrize("order", ["C", "F"])
def test_no_columns_and_any_order_of_memory(order):
    assert LAYER.matmat(np.zeros((10, 0))).shape == (10, 0)
    x = np.arange(30.0).reshape(10, 3)
    assert bits(LAYER @ np.array(x, order=order), np.stack([LAYER @ column for column in x.T], axis=1)) == 0


@pytest.mark.parametrize("shape", [(0, 2, 5), (2, 0, 5)])
def test_nothing_is_an_operator_too(shape):
    operator = linear_operator(W[:, : shape[1]], shape)
    assert (operator @ np.zeros(0)).tolist() == [0.0] * operator.shape[0]
    assert operator.rmatvec(np.zeros(operator.shape[0])).shape == (0,)


def test_numpy_does_not_take_an_operator_for_an_element():
    with pytest.raises(TypeError):
        np.ones((3, 10)) @ LAYER


# ------------------------------------------------------------------- SciPy


def test_scipys_solvers_take_an_operator_as_it_is():
    linalg = pytest.importorskip("scipy.sparse.linalg")
    for layer in (Layer((9,), (3,), (2, 3), padding=((1, 1),), padding_mode="reflect"),
                  Layer((4, 5), (2, 3), (2, 2), 2, stride=(1, 2), padding=((1, 0), (2, 2)))):  # fmt: skip
        for dtype in ("f8", "c16"):
            weight = layer.weight(dtype)
            operator = linear_operator(weight, layer.input_shape, **layer.knobs)
            dense = toeplitz(weight, layer.input_shape, **layer.knobs, format="coo").toarray()
            b = np.arange(1.0, 1 + dense.shape[0])
            solution = linalg.lsqr(operator, b, atol=1e-14, btol=1e-14, iter_lim=5000)[0]
            assert np.allclose(solution, np.linalg.pinv(dense) @ b, atol=1e-6)
            largest = linalg.svds(operator, k=1, return_singular_vectors=False)[0]
            assert np.isclose(largest, np.linalg.norm(dense, 2), rtol=1e-10)


def test_scipys_operators_compose():
    linalg = pytest.importorskip("scipy.sparse.linalg")
    dense = toeplitz(W, (2, 5), padding=1, format="coo").toarray()
    scipys = LAYER.to_scipy()
    assert isinstance(scipys, linalg.LinearOperator)
    x = np.arange(30.0).reshape(10, 3)
    assert np.array_equal(scipys @ x, dense @ x)
    assert np.array_equal(scipys.H @ x, dense.T @ x)
    normal = scipys.H @ scipys + linalg.aslinearoperator(np.eye(10))
    right = np.arange(10.0)
    solution, failed = linalg.cg(normal, right, rtol=1e-12)
    assert failed == 0
    assert np.allclose(solution, np.linalg.solve(dense.T @ dense + np.eye(10), right))


def test_without_scipy_everything_but_scipys_own_is_there(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert (LAYER @ np.ones(10)).shape == (10,)
    with pytest.raises(ModuleNotFoundError) as caught:
        LAYER.to_scipy()
    assert str(caught.value) == (
        "to_scipy() needs SciPy, which is not installed; pip install convsym[scipy], or use matvec and rmatvec"
    )


# ------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: LAYER @ np.ones(9), ShapeError,
            "x has shape (9,), and this operator of shape (10, 10) takes vectors of shape (10,) or (10, 1); "
            "give x.ravel(), or several columns to matmat",
        ),
        (
            lambda: LAYER.matvec(np.ones((2, 5))), ShapeError,
            "x has shape (2, 5), and this operator of shape (10, 10) takes vectors of shape (10,) or (10, 1); "
            "give x.ravel(), or several columns to matmat",
        ),
        (
            lambda: LAYER.matmat(np.ones((9, 2))), ShapeError,
            "x has shape (9, 2), and this operator of shape (10, 10) takes matrices of shape (10, k)",
        ),
        (
            lambda: LAYER.matvec([1.0] * 10), TypeError,
            "x is a list, and a NumPy array is needed; convert it: np.asarray(x, dtype=np.float64)",
        ),
        (
            lambda: linear_operator(W, (2, 5), output_padding=1), ShapeError,
            "output_padding is 1, and only a transposed convolution has one; give transposed=True as well, or the "
            "name of a transposed op",
        ),
        (
            lambda: linear_operator(W, (2, 5), input_dilation=2, transposed=True), ShapeError,
            "input_dilation is 2, and a transposed convolution has none; its stride is what spreads the input",
        ),
        (
            lambda: linear_operator(W, (2, 5), transposed=1), TypeError,
            "transposed is 1 (int), and it must be True or False",
        ),
        (
            lambda: linear_operator(W, 5), TypeError,
            "input_shape is 5, and a shape is needed: a tuple of integers",
        ),
        (
            lambda: linear_operator(W, (3, 5), transposed=True), ShapeError,
            "weight has shape (2, 2, 3), so it expects 2 input channels, but input_shape has shape (3, 5) with 3; "
            "weight.shape[0] must be 3",
        ),
        (
            lambda: linear_operator(W, (2, 5), algorithm="gemm"), ShapeError,
            "algorithm='gemm' is not known; it is one of 'auto', 'direct', 'winograd', 'fft' or 'reference'",
        ),
        (
            lambda: linear_operator(W.astype(object), (2, 5), algorithm="direct") @ np.ones(10), KernelError,
            "algorithm='direct' runs compiled loops, and there are none for dtype object; use algorithm='reference'",
        ),
    ],
)  # fmt: skip
def test_every_error_is_a_sentence(call, error, sentence):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == sentence
