"""NaN and infinity: where the formula has them the results have them, and nowhere else.

A read outside of x is 0, so a weight that is not finite makes NaN at every output whose window leaves x, as in torch.
"""

import warnings

import numpy as np
import pytest
from cases import GEOMETRIES, Case
from exact import problem

import convsym
from convsym import grad

CASES = [
    Case((9,), (3,), padding=((1, 1),)),
    Case((9,), (3,), (2,), ((2, 0),)),
    Case((10,), (3,), (2,), ((0, 3),), (2,)),
    Case((9,), (4,), (3,), ((-2, 4),), (2,), 2, (2, 1)),
    Case((9,), (3,), (1,), ((3, -4),)),
    Case((9,), (3,), (1,), ((-10, 14),)),  # nothing is left of the signal
    Case((9,), (2,), (4,), ((8, 8),), (8,)),
    Case((5, 6), (3, 2), padding=((1, 1), (0, 1))),
    Case((5, 6), (3, 3), (2, 1), ((0, 2), (-1, 1)), (1, 2), 2, (1, 2)),
    Case((6, 5), (2, 3), (1, 3), ((2, -1), (-1, 3)), (2, 1)),
    Case((6, 5), (2, 2), (2, 2)),
]
VALUES = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


def forward(case, x, w, algorithm):
    knobs = case.stride, case.padding, case.dilation, case.groups
    return getattr(convsym, f"conv{len(case.kernel)}d")(x, w, None, *knobs, algorithm=algorithm)


def weight_gradient(case, x, w, dy, algorithm):
    knobs = case.stride, case.padding, case.dilation, case.groups
    return getattr(grad, f"conv{len(case.kernel)}d_weight")(x, w.shape, dy, *knobs, algorithm=algorithm)


def assert_same(value, expected):
    """Equal where finite, and NaN and the infinities at the same places."""
    assert np.array_equal(value, expected, equal_nan=True)


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of the products 0·∞ that the reference is meant to make."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@pytest.mark.parametrize("bad", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("where", ["x", "w", "both"])
def test_the_forward_pass_follows_the_formula(case, bad, where):
    posed = problem(case)
    x, w = posed.x.astype(float), posed.w.astype(float)
    if where != "w":
        x.flat[x.size // 2] = bad
    if where != "x":
        w.flat[0] = w.flat[-1] = bad
    expected = forward(case, x, w, "reference")
    for algorithm in ("direct", "auto"):
        assert_same(forward(case, x, w, algorithm), expected)


@pytest.mark.parametrize("bad", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("where", ["x", "dy", "both"])
def test_the_gradient_of_the_weight_follows_the_formula(case, bad, where):
    posed = problem(case)
    x, w, dy = (array.astype(float) for array in (posed.x, posed.w, posed.dy))
    if where != "dy":
        x.flat[x.size // 2] = bad
    if where != "x":
        dy.flat[0] = bad
    expected = weight_gradient(case, x, w, dy, "reference")
    for algorithm in ("direct", "auto"):
        assert_same(weight_gradient(case, x, w, dy, algorithm), expected)


@pytest.mark.parametrize("case", GEOMETRIES[::5], ids=str)
def test_a_nan_in_x_reaches_its_receptive_field_and_no_more(case):
    posed = problem(case)
    x, w = posed.x.astype(float), posed.w.astype(float)
    place = (0, 0, *(size // 2 for size in case.inputs))
    x[place] = np.nan
    here = np.zeros_like(x)
    here[place] = 1
    reached = forward(case, here, np.ones_like(w), "direct") != 0
    assert np.array_equal(np.isnan(forward(case, x, w, "direct")), reached)


def test_an_overflow_in_the_test_for_infinity_changes_nothing():
    x, w = np.full((1, 9), 1e-200), np.full((1, 1, 3), 1e200)
    assert convsym.conv1d(x, w, padding=1).tolist() == [[2.0] + [3.0] * 7 + [2.0]]
