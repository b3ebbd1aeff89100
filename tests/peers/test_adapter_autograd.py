"""HIPS autograd: its own checks by differences, in both modes and to second order."""

import numpy as np
import pytest
from adapted import CALLS, CONVOLUTIONS, assert_examples_run

import convsym
from convsym import ShapeError

autograd = pytest.importorskip("autograd", reason="the peer autograd is not installed")

from autograd.test_util import check_grads  # noqa: E402  # there is no autograd without the package

from convsym.adapters import autograd as adapter  # noqa: E402


def test_examples():
    assert_examples_run(adapter)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_values_and_derivatives(call):
    arrays = call.arrays()
    np.testing.assert_array_equal(call.of(adapter)(*arrays), call.of(convsym)(*arrays))
    check_grads(call.of(adapter), modes=["fwd", "rev"], order=2)(*arrays)


@pytest.mark.parametrize("call", CONVOLUTIONS, ids=str)
def test_complex_derivatives(call):
    check_grads(call.of(adapter), modes=["fwd", "rev"], order=2)(*call.arrays("complex128"))


def test_third_order():
    x, w = np.arange(5.0).reshape(1, 5), np.array([[[1.0, -2.0]]])

    def cube(x, w):
        return adapter.conv1d(x, w) ** 3

    check_grads(cube, modes=["rev"], order=3)(x, w)


def test_a_derivative_without_its_conjugate_is_seen(monkeypatch):
    monkeypatch.setattr(adapter, "_conjugate", lambda array: array)
    with pytest.raises(AssertionError):
        check_grads(CONVOLUTIONS[0].of(adapter), modes=["rev"], order=1)(*CONVOLUTIONS[0].arrays("complex128"))


def test_a_derivative_by_the_wrong_operand_is_seen(monkeypatch):
    monkeypatch.setattr(adapter, "exchanged", lambda operands, wanted, result, g: {**operands, result: g + 1})
    with pytest.raises(AssertionError):
        check_grads(CONVOLUTIONS[0].of(adapter), modes=["rev"], order=1)(*CONVOLUTIONS[0].arrays())


def test_errors_are_sentences():
    with pytest.raises(TypeError, match="input is float64 but weight is float32, and dtypes are not mixed"):
        adapter.conv1d(np.ones((1, 4)), np.ones((1, 1, 2), np.float32))
    with pytest.raises(ShapeError, match=r"bias has shape \(2,\), and it must be \(1,\)"):
        adapter.conv1d(np.ones((1, 4)), np.ones((1, 1, 2)), np.ones(2))
