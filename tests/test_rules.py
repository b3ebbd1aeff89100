"""The printed rules on integers against counting and walking: on every small grid, for integers and for arrays."""

from itertools import product

import numpy as np
import pytest
import sympy
from folding import MODES as WALKS

from convsym.boundary import MODES as SYMBOLIC
from convsym.boundary import cases
from convsym.expressions import mod
from convsym.kernels._generated import rules

WINDOWS = list(product(range(1, 5), range(1, 5), range(1, 4), range(-3, 5)))  # taps, stride, dilation, low


def counted(i, r, stride, dilation, low, high):
    """Number of outputs, counted: windows are laid from the left while they lie inside the padded axis."""
    o = 0
    while all(stride * o + dilation * tap < i + low + high for tap in range(r)):
        o += 1
    return o


def size_errors(output_size):
    grid = ((i, *window, high) for i in range(7) for window in WINDOWS for high in range(-2, 3))
    return [g for g in grid if g[0] + g[4] + g[5] >= 0 and output_size(*g) != counted(*g)]


def least_errors(transposed_size):
    """Where some smaller size has as many outputs, or the size itself has not."""
    wrong = []
    for o, (r, stride, dilation, low), high in product(range(1, 6), WINDOWS, range(-2, 3)):
        least = transposed_size(o, r, stride, dilation, low, high)
        sizes = [rules.output_size(least - less, r, stride, dilation, low, high) for less in range(stride + 2)]
        if sizes[0] != o or any(count >= o for count in sizes[1:]):
            wrong.append((o, r, stride, dilation, low, high))
    return wrong


def range_errors(first_output, end_output):
    """Where the half-open range is not that of the outputs in ℤ whose read lies inside."""
    wrong = []
    for i, (taps, stride, dilation, low) in product(range(1, 8), WINDOWS):
        for r in range(taps):
            inside = [o for o in range(-20, 30) if 0 <= stride * o + dilation * r - low < i]
            found = range(first_output(r, stride, dilation, low), end_output(i, r, stride, dilation, low))
            if list(found) != inside:
                wrong.append((i, r, stride, dilation, low))
    return wrong


def fold_errors(modes):
    """Where a mode differs from walking step by step, or from the definition that is proved."""
    wrong = []
    for (name, fold), n in product(modes.items(), range(1, 8)):
        positions = np.arange(-40, 41).reshape(9, 9)
        found = fold(positions, n)
        assert found.shape == positions.shape
        for e, value in zip(positions.flat, found.flat, strict=True):
            if not value == WALKS[name](int(e), n) == defined(name, int(e), n):
                wrong.append((name, int(e), n))
    return wrong


def defined(name, e, n):
    """The value of the first case that holds, its remainders computed."""

    def computed(part):
        return part.replace(mod, lambda a, b: a % b)

    found = cases(SYMBOLIC[name](e, n))
    return next(int(computed(value)) for condition, value in found if computed(condition) == sympy.true)


def test_sizes_are_those_that_are_counted():
    assert size_errors(rules.output_size) == []
    assert size_errors(lambda i, r, s, d, low, high: max(0, (i + low + high - d * r) // s + 1)) != []


def test_the_transposed_size_is_the_least_with_as_many_outputs():
    assert least_errors(rules.transposed_size) == []
    assert least_errors(lambda *g: rules.transposed_size(*g) + 1) != []
    assert least_errors(lambda *g: rules.transposed_size(*g) - 1) != []


def test_same_padding_keeps_the_size():
    for i, r, dilation in product(range(7), range(1, 6), range(1, 5)):
        low, high = rules.PADDINGS["same"](i, r, 1, dilation)
        assert rules.output_size(i, r, 1, dilation, low, high) == i


def test_the_span_of_a_window():
    for r, dilation in product(range(1, 6), range(1, 5)):
        assert rules.transposed_size(1, r, 7, dilation, 0, 0) == len(range(0, dilation * (r - 1) + 1))


def test_the_outputs_that_read_inside():
    assert range_errors(rules.first_output, rules.end_output) == []
    assert range_errors(lambda r, s, d, low: (low - d * r) // s, rules.end_output) != []
    assert range_errors(rules.first_output, lambda i, *rest: rules.end_output(i + 1, *rest)) != []


def test_rules_of_arrays_are_those_of_their_elements():
    outputs, taps = np.arange(-3, 6)[:, None], np.arange(4)
    for stride, dilation, low in product(range(1, 4), range(1, 4), range(-2, 3)):
        read = rules.read(outputs, taps, stride, dilation, low)
        first = rules.first_output(taps, stride, dilation, low)
        end = rules.end_output(6, taps, stride, dilation, low)
        for (row, o), r in product(enumerate(range(-3, 6)), range(4)):
            assert read[row, r] == rules.read(o, r, stride, dilation, low) == stride * o + dilation * r - low
            assert first[r] == rules.first_output(r, stride, dilation, low)
            assert end[r] == rules.end_output(6, r, stride, dilation, low)


def test_boundary_modes_are_their_definitions():
    assert list(rules.MODES) == list(SYMBOLIC)
    assert fold_errors(rules.MODES) == []
    assert fold_errors({"reflect": rules.symmetric}) != []
    assert fold_errors({"circular": lambda e, n: np.fmod(e, n)}) != []


@pytest.mark.filterwarnings("error")
def test_a_mode_divides_by_no_zero_and_keeps_the_dtype():
    for fold, dtype in product(rules.MODES.values(), ("int32", "int64")):
        folded = fold(np.array([-3, 0, 5], dtype), 1)
        assert folded.tolist() == [0, 0, 0]
        assert folded.dtype == dtype
