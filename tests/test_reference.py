"""algorithm="reference": the formula evaluated as it is written equals the pure-Python reference and the compiled
kernels, bit for bit, on integer-valued data."""

import pytest
from cases import EVIL, GEOMETRIES, Case
from exact import bits, differing, problem, public

import convsym
from convsym import grad

CASES = [
    *(case for case in EVIL[::4] if case.has_output),
    Case((9,), (3,), (2,), ((1, 2),), (2,), 2, (2, 3)),
    Case((9,), (4,), (3,), ((-1, 3),), groups=3, channels=(1, 2)),
    Case((6, 7), (3, 2), (2, 1), ((1, 0), (-1, 2)), (1, 2), 2, (2, 2)),
    Case((5, 6), (2, 3), (1, 2), groups=4, channels=(1, 1)),
]


def by_reference(problem, dtype):
    return public(problem, dtype, "reference")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_evaluated_formula_equals_the_reference(case, dtype):
    assert differing(problem(case), dtype, by_reference) == {}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_kernels_equal_the_evaluated_formula(case):
    direct, evaluated = public(problem(case), "float32", "direct"), by_reference(problem(case), "float32")
    assert [bits(direct[name], evaluated[name]) for name in direct] == [0] * 4


@pytest.mark.parametrize("case", CASES[-4:], ids=str)
def test_an_unbatched_call_by_the_reference(case):
    posed, rank = problem(case), len(case.kernel)
    x, w, dy = posed.x[0].astype(float), posed.w.astype(float), posed.dy[0].astype(float)
    knobs = case.stride, case.padding, case.dilation, case.groups
    for algorithm in ("reference", "direct"):
        y = getattr(convsym, f"conv{rank}d")(x, w, None, *knobs, algorithm=algorithm)
        dx = getattr(grad, f"conv{rank}d_input")(x.shape, w, dy, *knobs, algorithm=algorithm)
        dw = getattr(grad, f"conv{rank}d_weight")(x, w.shape, dy, *knobs, algorithm=algorithm)
        assert bits(y, posed.y[0].astype(float)) == bits(dx, posed.dx[0].astype(float)) == 0
        assert (dw * w).sum() == (y * dy).sum() == (dx * x).sum()


@pytest.mark.slow
@pytest.mark.parametrize("case", GEOMETRIES, ids=str)
def test_the_evaluated_formula_equals_the_reference_everywhere(case):
    assert differing(problem(case), "float64", by_reference) == {}
