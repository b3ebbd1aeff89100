"""Fast algorithms are other readings of one relation: cyclic sums, flattened windows; each with its mutant.

Tiles are in test_winograd.
"""

import pytest

from convsym import Formula, check, prove, vjp

pytest.importorskip("z3")

FULL = Formula("y[o] += x[o - r]*w[r]")
FILLED = ("x.shape[0] >= 1", "w.shape[0] >= 1")
CYCLIC = {"w": "dw[r] += dy[o]*x[circular(o - r, dy.shape[0])]", "x": "dx[i] += dy[o]*w[circular(o - i, dy.shape[0])]"}
# The columns of im2col: element (c, r) of every window in one row of length C·K.
FLAT = Formula("y[k, o] += x[c, s*o + d*r - p]*w[k, c*K + r]", ranges={"c": "x.shape[0]", "r": "K"})


@pytest.mark.parametrize("wrt", CYCLIC)
@pytest.mark.parametrize("relation", ["==", ">="])
def test_a_cyclic_sum_that_is_long_enough_is_the_linear_convolution(wrt, relation):
    """What an FFT of that length computes; the gradients by either array agree, so the bilinear forms do."""
    enough = f"y.shape[0] {relation} x.shape[0] + w.shape[0] - 1"
    assert check(FULL, wrt, CYCLIC[wrt], assume=(enough, *FILLED)).status == "proved"


@pytest.mark.parametrize("wrt", CYCLIC)
def test_a_cyclic_sum_that_is_one_too_short_wraps_around(wrt):
    proof = check(FULL, wrt, CYCLIC[wrt], assume=("y.shape[0] == x.shape[0] + w.shape[0] - 2", *FILLED))
    assert proof.status == "refuted"
    assert sum(n for shape in proof.counterexample.sizes.values() for n in shape) == 4


def test_flattened_windows_are_the_windows():
    """The bijection (c, r) ↔ c·K + r: every element of the flat filter has one channel and one tap, and one product."""
    assert prove(vjp(FLAT, "w")).status == "proved"
    columns = "dw[k, q] += where(q < x.shape[0]*K, dy[k, o]*x[{}, s*o + d*({}) - p], 0)"
    assert check(FLAT, "w", columns.format("q//K", "q % K")).status == "proved"
    for wrong in (("q % K", "q//K"), ("q//K", "q % K + 1"), ("q//(K + 1)", "q % (K + 1)")):
        assert check(FLAT, "w", columns.format(*wrong)).status == "refuted"
    assert check(FLAT, "w", columns.format("q//K", "q % K").replace("q < x", "q < 1 + 0*x")).status == "refuted"
