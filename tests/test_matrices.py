"""Products of matrices by the tiles of convolutions: exact on integers, whichever way the matrices lie."""

from itertools import product

import numpy as np
import pytest

import convsym
from convsym import matrices, pointwise
from convsym.autograd import tensor

SIZES = [(64, 400, 120), (64, 2048, 10), (300, 17, 90), (9, 1000, 40), (700, 300, 500), (8, 5000, 8), (7, 400, 120)]
TURNED = list(product((False, True), repeat=2))


def pair(sizes, turned, dtype, seed=0):
    """Two matrices of small integers; turned ones lie transposed in memory."""
    rng, (rows, summed, columns) = np.random.default_rng(seed), sizes
    made = []
    for shape, turn in zip(((rows, summed), (summed, columns)), turned, strict=True):
        numbers = rng.integers(-5, 6, shape).astype(dtype)
        made.append(np.asfortranarray(numbers) if turn else numbers)
    return made


def wrong(sizes, turned, dtype):
    """Whether a product differs from that of Python's integers somewhere."""
    a, b = pair(sizes, turned, dtype)
    return not np.array_equal(matrices.multiply(a, b), a.astype(np.int64) @ b.astype(np.int64))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("turned", TURNED, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4", "int32", "int64"])
def test_no_bit_differs_from_integers(sizes, turned, dtype):
    assert not wrong(sizes, turned, dtype)


def test_a_mutant_that_mistakes_how_a_matrix_lies_fails(monkeypatch):
    monkeypatch.setattr(matrices, "_read", lambda a, b: ("dw", (a, b)))
    assert wrong((100, 100, 100), (False, False), "float32")


def test_tiles_multiply_all_but_two_turned_matrices_and_small_ones(monkeypatch):
    served = []
    plan = pointwise.plan
    monkeypatch.setattr(pointwise, "plan", lambda *asked: served.append(asked[1]) or plan(*asked))
    for turned in TURNED:
        matrices.multiply(*pair((64, 400, 120), turned, "float32"))
    assert served == ["y", "dw", "dx"]
    matrices.multiply(*pair((64, 84, 10), (False, False), "float32"))
    assert len(served) == 3


def test_arrays_that_do_not_fit_or_lie_apart_are_numpys():
    a, b = pair((64, 800, 120), (False, False), "float32")
    assert np.array_equal(matrices.multiply(a[:, ::2], b[::2]), a[:, ::2] @ b[::2])
    stack = np.stack([a, a])
    assert np.array_equal(matrices.multiply(stack, b), stack @ b)
    with pytest.raises(ValueError, match="matmul"):
        matrices.multiply(a, a)


def test_a_linear_layer_has_the_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(1)
    x, w = (tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((64, 400), (400, 120)))
    found = []
    for count in (1, 2, 3, 8):
        x.grad = w.grad = None
        with convsym.threads(count):
            y = x @ w
            y.sum().backward()
        found.append([y.data.tobytes(), x.grad.data.tobytes(), w.grad.data.tobytes()])
    assert all(each == found[0] for each in found)
