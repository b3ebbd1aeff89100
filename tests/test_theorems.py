"""Padding conventions and sizes: derived, proved, and compared with counting windows one by one."""

from itertools import product

import pytest
import sympy

from convsym import Formula, FormulaError, registry, size_theorems
from convsym.evaluation import compiled
from convsym.theorems import LOW, TOTAL, _axis

pytest.importorskip("z3")

FORMULA = Formula("y[o] += x[stride*o + dilation*r - padding] * w[r]", symmetric=["padding"])
THEOREMS = {theorem.name: theorem for theorem in size_theorems(FORMULA)}
GRID = list(product(range(1, 9), range(1, 4), range(1, 4), range(1, 3)))


def windows(size, kernel, stride, dilation, low, high):
    """Number of windows inside the padded axis, counted one by one."""
    span = dilation * (kernel - 1)
    return sum(1 for start in range(0, low + size + high, stride) if start + span < low + size + high)


def value(expr, size, kernel, stride, dilation, total=0):
    """An expression of the theorems at numbers."""
    names = {"x.shape[0]": size, "w.shape[0]": kernel, "stride": stride, "dilation": dilation, "total": total}
    return compiled(expr, True)(names)


def least_total(size, kernel, stride, dilation):
    """TensorFlow's "SAME": the least total padding with ceil(size/stride) outputs, found by trying."""
    wanted = -(-size // stride)
    return next(t for t in range(100) if windows(size, kernel, stride, dilation, t, 0) == wanted)


@pytest.mark.parametrize("name", THEOREMS)
def test_every_theorem_is_proved(name):
    assert THEOREMS[name].proof.status == "proved", str(THEOREMS[name].proof)


def test_theorems_of_the_registry_are_proved():
    assert all(theorem.proof for theorem in size_theorems(registry["conv1d"].formula))


@pytest.mark.parametrize("convention", ["same", "same upper", "same lower", "causal"])
def test_conventions_that_keep_the_size_divided_by_the_stride(convention):
    theorem = THEOREMS[convention]
    for size, kernel, stride, dilation in GRID:
        total = least_total(size, kernel, stride, dilation)
        low, high = (value(e, size, kernel, stride, dilation, total) for e in (theorem.low, theorem.high))
        assert min(low, high) >= 0
        assert windows(size, kernel, stride, dilation, low, high) == -(-size // stride)
        if convention == "same upper":
            assert (low, high) == (total // 2, total - total // 2)


def test_full_takes_every_window_that_touches():
    for size, kernel, dilation in product(range(1, 7), range(1, 4), range(1, 3)):
        low, high = (value(e, size, kernel, 1, dilation) for e in (THEOREMS["full"].low, THEOREMS["full"].high))
        assert windows(size, kernel, 1, dilation, low, high) == size + dilation * (kernel - 1)


def test_output_padding_counts_the_sizes_with_as_many_outputs():
    for kernel, stride, dilation, padding in product(range(1, 4), range(1, 4), range(1, 3), range(3)):
        counts = [windows(size, kernel, stride, dilation, padding, padding) for size in range(1, 40)]
        inner = set(counts[10:25])
        assert all(counts.count(count) == stride for count in inner)


def test_a_changed_convention_is_refuted():
    axis = _axis(FORMULA, None)
    wrong = sympy.Eq(axis.count(THEOREMS["same"].low + 1, THEOREMS["same"].high), axis.count(TOTAL, sympy.S.Zero))
    assert axis.prove("wrong", LOW, LOW, "wrong", [wrong], 10.0).proof.status == "refuted"


WITHOUT = ["y[i] += x[i]", "y[o, p] += x[o + r - a, p + q - b]*w[r, q]", "y[o] += x[o + r]*w[r]"]


@pytest.mark.parametrize("text", WITHOUT)
def test_formulas_without_a_padded_sliding_axis_are_told_so(text):
    with pytest.raises(FormulaError, match=r"size theorems (are about|need) one"):
        size_theorems(Formula(text))
