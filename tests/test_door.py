"""The door of small calls: what it remembers never changes what a call means."""

import numpy as np
import pytest

import convsym
from convsym import ShapeError, kernels

X = np.arange(-12, 13, dtype=np.float32).reshape(1, 5, 5)
W = np.array([[[[1, -2], [3, 0]]]], dtype=np.float32)
KNOWN = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}


def long_way(x, w, **parameters):
    """The result with the door closed."""
    kernels.door().close(True)
    try:
        return convsym.conv2d(x, w, **parameters)
    finally:
        kernels.door().close(False)


@pytest.fixture
def remembered():
    """A call whose plan is known, and that the door serves."""
    convsym.conv2d(X, W, **KNOWN)
    assert kernels.door().enter(2, X, W, 1, 1, 1, 1) is not None


@pytest.mark.parametrize("x", [
    X, X[:, ::-1], X.transpose(0, 2, 1), np.asfortranarray(X), X.astype(np.float64), X[None], X + 1, X[:, :, :4],
], ids=["same", "reversed", "transposed", "fortran", "float64", "batched", "other values", "other shape"])  # fmt: skip
@pytest.mark.parametrize("padding", [0, 1, (1, 0), "same"])
def test_the_door_gives_the_bits_of_the_long_way(remembered, x, padding):
    w = W.astype(x.dtype)
    want = long_way(x, w, padding=padding)
    for _ in range(3):
        assert convsym.conv2d(x, w, padding=padding).tobytes() == want.tobytes()


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("value", [True, 1.0, np.bool_(True), (1.0, 1.0), (True, True)])
def test_equal_values_of_other_types_are_still_errors(remembered, name, value):
    with pytest.raises((TypeError, ShapeError)):
        convsym.conv2d(X, W, **(KNOWN | {name: value}))


def test_an_unknown_algorithm_is_still_an_error(remembered):
    with pytest.raises(ShapeError, match="algorithm='winograd' is not known"):
        convsym.conv2d(X, W, algorithm="winograd", **KNOWN)


def test_other_arrays_still_go_through_the_gate(remembered):
    with pytest.raises(TypeError):
        convsym.conv2d(X.tolist(), W, **KNOWN)
    with pytest.raises(TypeError):
        convsym.conv2d(np.ma.masked_array(X), W, **KNOWN)
    with pytest.raises(TypeError):
        convsym.conv2d(X, W.astype(np.float64), **KNOWN)


def test_a_read_only_array_is_served(remembered):
    frozen = X.copy()
    frozen.flags.writeable = False
    assert convsym.conv2d(frozen, W, **KNOWN).tobytes() == long_way(X, W, **KNOWN).tobytes()


def test_a_weight_that_is_not_finite_follows_the_formula(remembered):
    w = W.copy()
    w[0, 0, 0, 0] = np.inf
    assert np.array_equal(convsym.conv2d(X, w, **KNOWN), long_way(X, w, **KNOWN), equal_nan=True)
    assert np.isnan(convsym.conv2d(X, w, **KNOWN)).any()


def test_a_level_that_is_asked_for_is_used(remembered):
    with kernels.using("baseline"):
        assert kernels.door().enter(2, X, W, 1, 1, 1, 1) is None
        convsym.conv2d(X, W, **KNOWN)
        assert kernels.door().enter(2, X, W, 1, 1, 1, 1) is None


def test_results_are_new_arrays(remembered):
    first = convsym.conv2d(X, W, **KNOWN)
    first[...] = 0
    assert convsym.conv2d(X, W, **KNOWN).any()


def test_large_calls_leave_no_plan():
    x, w = np.ones((1, 1, 600, 600), np.float32), np.ones((1, 1, 3, 3), np.float32)
    convsym.conv2d(x, w)
    assert kernels.door().enter(2, x, w, 1, 0, 1, 1) is None


def test_the_plans_are_bounded():
    w = np.ones((1, 1, 1), np.float32)
    for length in range(1, 5000):
        convsym.conv1d(np.ones((1, length), np.float32), w)
    assert convsym.conv1d(np.ones((1, 3), np.float32), w).shape == (1, 3)
