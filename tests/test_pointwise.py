"""Kernels of one tap, and of taps that read nothing in common, as products of matrices.

Every bit of them against the loop nest and plain Python.
"""

from itertools import product

import numpy as np
import pytest
from exact import bits
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tiles import CHECKED, by_hand, by_nest, data, geometry_of

from convsym import kernels, pointwise, sums
from convsym.kernels import levels
from convsym.plans import OPERANDS

SMALL = {
    "line": geometry_of((17,), (1,), channels=(8, 9)),
    "plane": geometry_of((5, 6), (1, 1), channels=(9, 8)),
    "volume": geometry_of((2, 3, 2), (1, 1, 1), channels=(8, 8)),
    "one position": geometry_of((1, 1), (1, 1), channels=(17, 8), batch=5),
    "groups": geometry_of((4, 5), (1, 1), groups=3, channels=(8, 10)),
    "stride": geometry_of((7, 8), (1, 1), (2, 3), channels=(8, 9)),
    "stride, groups": geometry_of((3, 5, 4), (1, 1, 1), (2, 1, 3), groups=2, channels=(8, 9)),
    "taps apart": geometry_of((6, 9), (2, 3), (2, 3), channels=(8, 9)),
    "taps apart, a rest": geometry_of((7, 8), (2, 2), (3, 2), groups=2, channels=(9, 8)),
    "taps apart, dilated": geometry_of((17,), (2,), 4, 0, 3, channels=(8, 8)),
    "no batch to speak of": geometry_of((3, 3), (1, 1), channels=(8, 8), batch=1),
}
WIDE = {
    "many columns": geometry_of((40, 41), (1, 1), channels=(20, 33)),
    "tiny images, many samples": geometry_of((2, 3), (1, 1), channels=(40, 24), batch=31),
    "a long sum": geometry_of((5, 5), (1, 1), channels=(2500, 9)),
    "many rows": geometry_of((6, 6), (1, 1), channels=(9, 700)),
    "more than a cache": geometry_of((7, 7), (1, 1), channels=(600, 700), batch=1),
    "many columns, stride": geometry_of((40, 41), (1, 1), 2, channels=(20, 33)),
    "taps apart, a long sum": geometry_of((8, 8), (2, 2), 2, channels=(9, 2500)),
    "taps apart, many rows": geometry_of((14, 14), (2, 2), 2, channels=(300, 80), batch=1),
}


def multiplied(geometry, result, operands):
    """A rule as a product of matrices; what is written over is not 0."""
    assert pointwise.serves(geometry, result)
    out = np.full(geometry.shapes[result], 7, next(iter(operands.values())).dtype)
    pointwise.bound(geometry, result, out.dtype.char, kernels.in_use())(operands, out)
    return out


SERVED = [
    pytest.param(name, result, id=f"{name}-{result}")
    for name, result in product(SMALL | WIDE, OPERANDS)
    if pointwise.serves((SMALL | WIDE)[name], result)
]


@pytest.mark.parametrize(("name", "result"), [case for case in SERVED if case.values[0] in SMALL])
def test_no_bit_differs_from_plain_python(name, result):
    operands = data(SMALL[name], result)
    assert bits(multiplied(SMALL[name], result, operands), by_hand(SMALL[name], result, operands)) == 0


@pytest.mark.parametrize(("name", "result"), SERVED)
def test_no_bit_differs_from_the_loop_nest(name, result):
    geometry = (SMALL | WIDE)[name]
    for dtype, level in product("fd", levels.usable()):
        with kernels.using(level):
            operands = data(geometry, result, dtype)
            assert bits(multiplied(geometry, result, operands), by_nest(geometry, result, operands)) == 0


@st.composite
def geometries(draw):
    rank = draw(st.integers(1, 3))
    sizes = [draw(st.integers(1, 40 // rank**2)) for _ in range(rank)]
    stride = tuple(draw(st.integers(1, 3)) for _ in range(rank)) if draw(st.booleans()) else 1
    channels = draw(st.integers(8, 70)), draw(st.integers(8, 70))
    groups, batch = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    kernel = tuple(draw(st.integers(1, min(3, size))) for size in sizes) if draw(st.booleans()) else (1,) * rank
    dilation = draw(st.integers(1, 2)) if max(kernel) == 1 else 1
    return geometry_of(sizes, kernel, stride, 0, dilation, groups, channels, batch)


@CHECKED
@given(geometries(), st.sampled_from("fd"), st.sampled_from(levels.usable()))
def test_no_bit_differs_in_any_geometry(geometry, dtype, level):
    compare(geometry, dtype, level)


@pytest.mark.slow
@settings(CHECKED, max_examples=2000)
@given(geometries(), st.sampled_from("fd"), st.sampled_from(levels.usable()))
def test_no_bit_differs_in_many_geometries(geometry, dtype, level):
    compare(geometry, dtype, level)


def compare(geometry, dtype, level):
    with kernels.using(level):
        for result in OPERANDS:
            if pointwise.serves(geometry, result):
                operands = data(geometry, result, dtype)
                assert bits(multiplied(geometry, result, operands), by_nest(geometry, result, operands)) == 0


MUTANTS = {
    "a row of A too far": ("y", "am", 1),
    "a step of A too far": ("dx", "ac", 1),
    "another sample": ("y", "image_b", -1),
    "another channel": ("dx", "channel_b", 1),
    "a sum that ends early": ("y", "summed", -1),
    "columns that are left out": ("dx", "columns", -1),
    "rows that are left out": ("dw", "rows", -1),
    "positions that are left out": ("dw", "positions", -1),
    "the next position of a stride": ("dw", "where", 1),
    "the next position of a result": ("dx", "where", 1),
    "the next row of a result": ("dx", "row_place", 1),
    "parts in the other order": ("y", "parts_first", None),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_number_is_found(mutant, monkeypatch):
    result, name, change = MUTANTS[mutant]
    made = pointwise.driver

    def wrong(kind, jobs, **entries):
        changed = 1 - entries[name] if change is None else entries[name] + change
        return made(kind, jobs, **{**entries, name: changed})

    apart = "taps apart, a rest" if result == "dx" else "stride, groups"
    geometry = SMALL[apart if result == "y" or name in ("where", "row_place") else "groups"]
    operands = data(geometry, result)
    monkeypatch.setattr(pointwise, "driver", wrong)
    pointwise.plan.cache_clear()
    found = bits(multiplied(geometry, result, operands), by_nest(geometry, result, operands))
    pointwise.plan.cache_clear()
    assert bool(found) == (change is not None)  # the order of jobs is none of the result's business


@pytest.mark.parametrize(("name", "result"), SERVED)
def test_threads_and_repetition_change_no_bit(name, result, threads, monkeypatch):
    monkeypatch.setattr(kernels, "THREADED_WORK", 0)
    geometry = (SMALL | WIDE)[name]
    operands = data(geometry, result, fill="normal")
    first = multiplied(geometry, result, operands)
    for count in (1, 2, 3, 8):
        threads(count)
        assert bits(multiplied(geometry, result, operands), first) == 0


@pytest.mark.parametrize("result", ["y", "dx"])
def test_a_sample_has_the_same_bits_in_any_batch(result):
    geometry = WIDE["tiny images, many samples"]
    operands = data(geometry, result, fill="normal")
    whole = multiplied(geometry, result, operands)
    alone = geometry_of((2, 3), (1, 1), channels=(40, 24), batch=1)
    for n in (0, 7, 30):
        one = {name: array if name == "w" else array[n : n + 1] for name, array in operands.items()}
        assert bits(multiplied(alone, result, one), whole[n : n + 1]) == 0


@pytest.mark.parametrize(
    ("name", "result"), [*(("groups", result) for result in OPERANDS), ("taps apart, a rest", "dx")]
)
def test_what_is_not_finite_is_where_the_formula_has_it(name, result):
    geometry = SMALL[name]
    for which, value in product(OPERANDS[result], (np.inf, np.nan)):
        operands = data(geometry, result)
        operands[which].reshape(-1)[operands[which].size // 2] = value
        out = np.empty(geometry.shapes[result], "f")
        with np.errstate(invalid="ignore"):
            sums.run(geometry, result, operands, out)
            expected = by_nest(geometry, result, operands)
        assert np.array_equal(out, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("geometry", "result"),
    [
        (geometry_of((5, 6), (1, 2), channels=(8, 8)), "y"),
        (geometry_of((5, 6), (1, 1), padding=1, channels=(8, 8)), "y"),
        (geometry_of((5, 6), (3, 1), 2, channels=(8, 8)), "dx"),
        (geometry_of((5, 6), (1, 1), channels=(7, 8)), "y"),
    ],
    ids=["two taps", "padding", "taps that read the same", "few channels"],
)
def test_others_are_left_to_tiles(geometry, result):
    assert not pointwise.serves(geometry, result)
