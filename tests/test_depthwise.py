"""Groups abreast: every bit of them against the loop nest and plain Python; where they serve, and what they take."""

import tracemalloc
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from exact import bits
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tiles import CHECKED, by_hand, by_nest, data, geometry_of

from convsym import depthwise, kernels, scratch, sums
from convsym.kernels import levels
from convsym.plans import OPERANDS

GROUPS = 19  # more than lanes at every level, and no multiple of them
SMALL = {
    "plain": geometry_of((19,), (3,), groups=GROUPS, channels=(1, 1)),
    "padded": geometry_of((9,), (3,), 1, ((2, 1),), 1, GROUPS, (1, 1)),
    "more padding than signal": geometry_of((3,), (4,), 1, ((7, 5),), 1, GROUPS, (1, 1)),
    "cropped": geometry_of((21,), (3,), 1, ((-3, 2),), 1, GROUPS, (1, 1)),
    "stride above kernel": geometry_of((23,), (2,), 5, ((1, 0),), 1, GROUPS, (1, 1)),
    "stride and dilation": geometry_of((31,), (4,), 3, ((2, 5),), 2, GROUPS, (1, 1)),
    "common factor": geometry_of((31,), (4,), 4, ((3, 5),), 2, GROUPS, (1, 1)),
    "multiplier": geometry_of((12,), (3,), 2, 1, 1, GROUPS, (1, 3)),
    "divisor": geometry_of((12,), (3,), 2, 1, 1, GROUPS, (3, 1)),
    "pairs": geometry_of((5, 6), (3, 2), 1, 1, 1, GROUPS, (2, 2)),
    "plane": geometry_of((7, 7), (3, 3), 1, 1, 1, GROUPS, (1, 1)),
    "plane, all": geometry_of((11, 10), (3, 2), (2, 3), ((-1, 4), (3, -2)), (3, 2), GROUPS, (1, 1)),
    "last row in no class": geometry_of((9, 7), (5, 3), 2, 3, 2, GROUPS, (1, 1)),
    "one column": geometry_of((9, 1), (3, 1), 1, 1, 1, GROUPS, (1, 1)),
    "volume": geometry_of((3, 4, 5), (2, 3, 2), (1, 2, 1), ((1, 0), (1, 1), (0, 2)), 1, GROUPS, (1, 1), 1),
    "as many as lanes": geometry_of((6, 6), (3, 3), 1, 1, 1, 16, (1, 1)),
}
WIDE = {
    **{f"row of {size}": geometry_of((4, size), (3, 3), 1, 1, 1, GROUPS, (1, 1)) for size in (15, 16, 17, 33)},
    **{f"row of {size}, stride": geometry_of((5, size), (3, 3), 2, 1, 1, GROUPS, (1, 1)) for size in (31, 32, 35)},
    "many strips": geometry_of((150, 40), (5, 3), 1, 2, 1, GROUPS, (1, 1)),
    "many strips, stride": geometry_of((151, 40), (5, 3), 3, 2, 1, GROUPS, (1, 1)),
    "many taps": geometry_of((30, 30), (9, 7), 1, 3, 1, GROUPS, (1, 1)),
}


def abreast(geometry, result, operands):
    """A rule by groups abreast; what is written over is not 0."""
    out = np.full(geometry.shapes[result], 7, next(iter(operands.values())).dtype)
    depthwise.bound(geometry, result, out.dtype.char, kernels.in_use())(operands, out)
    return out


def served(geometry, result, dtype="f"):
    return sums.is_tiled(geometry, result) and depthwise.serves(geometry, result, dtype, kernels.in_use())


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("name", SMALL)
def test_no_bit_differs_from_plain_python(name, result):
    operands = data(SMALL[name], result)
    assert bits(abreast(SMALL[name], result, operands), by_hand(SMALL[name], result, operands)) == 0


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("name", [*SMALL, *WIDE])
def test_no_bit_differs_from_the_loop_nest(name, result):
    geometry = (SMALL | WIDE)[name]
    for dtype, level in product("fd", levels.usable()):
        with kernels.using(level):
            operands = data(geometry, result, dtype)
            assert bits(abreast(geometry, result, operands), by_nest(geometry, result, operands)) == 0


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("name", [*SMALL, *WIDE])
def test_groups_abreast_have_the_bits_of_the_loop_nest(name, result):
    """Groups are done abreast where there are many, so rounding must be the same."""
    geometry = (SMALL | WIDE)[name]
    if geometry.rank > 2:  # whose nests are compiled for the baseline alone
        assert sums.is_tiled(replace(geometry, groups=1), result) == sums.is_tiled(geometry, result)
        return
    for dtype, level in product("fd", levels.usable()):
        with kernels.using(level):
            operands = data(geometry, result, dtype, fill="normal")
            assert bits(abreast(geometry, result, operands), by_nest(geometry, result, operands)) == 0


@st.composite
def geometries(draw):
    rank = draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 4)) for _ in range(rank)]
    dilation = [draw(st.integers(1, 3)) for _ in range(rank)]
    padding = [(draw(st.integers(-1, 4)), draw(st.integers(-1, 4))) for _ in range(rank)]
    sizes = [
        (k - 1) * d + 1 + draw(st.integers(0, 20 // rank)) + max(0, -sum(pair))
        for k, d, pair in zip(kernel, dilation, padding, strict=True)
    ]
    stride = [draw(st.integers(1, 4)) for _ in range(rank)]
    channels = draw(st.sampled_from([(1, 1), (1, 2), (2, 1), (2, 2), (4, 1)]))
    groups, batch = draw(st.integers(16, 34)), draw(st.integers(1, 3))
    return geometry_of(sizes, kernel, tuple(stride), tuple(padding), tuple(dilation), groups, channels, batch)


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
            if served(geometry, result, dtype):
                operands = data(geometry, result, dtype)
                assert bits(abreast(geometry, result, operands), by_nest(geometry, result, operands)) == 0


MUTANTS = {
    "a tap beside its place": ("boff", lambda table: table + 16),
    "a weight of another tap": ("aoff", lambda table: table[::-1]),
    "rows that move up": ("row_place", lambda table: table - 16),
    "a strip that reads another row": ("first", lambda table: table + 1),
    "results beside their place": ("box_made", lambda table: table[::-1]),
    "borders that are not cleared": ("clear_count", lambda table: 0 * table),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_table_is_found(mutant, monkeypatch):
    name, change = MUTANTS[mutant]
    made = depthwise.driver
    monkeypatch.setattr(
        depthwise, "driver", lambda kind, jobs, **entries: made(
            kind, jobs, **{**entries, name: change(np.asarray(entries[name]))}
        )
    )  # fmt: skip
    geometry = WIDE["many strips"]
    operands = data(geometry, "y")
    depthwise.plan.cache_clear()
    with scratch.borrowed((depthwise.plan(geometry, "y", "f", kernels.in_use()).room * 8,), np.dtype("f")) as (room,):
        room[...] = 3  # what is not cleared is not 0
    wrong = bits(abreast(geometry, "y", operands), by_nest(geometry, "y", operands))
    depthwise.plan.cache_clear()
    assert wrong


@pytest.mark.parametrize("result", OPERANDS)
def test_threads_and_repetition_change_no_bit(result, threads, monkeypatch):
    monkeypatch.setattr(kernels, "THREADED_WORK", 0)
    for geometry in (SMALL["plane, all"], WIDE["many strips"]):
        operands = data(geometry, result, fill="normal")
        first = abreast(geometry, result, operands)
        for count in range(1, 9):
            threads(count)
            assert bits(abreast(geometry, result, operands), first) == 0


@pytest.mark.parametrize("result", ["y", "dx"])
def test_a_sample_has_the_same_bits_in_any_batch(result):
    geometry = replace(WIDE["many strips"], batch=3)
    operands = data(geometry, result, fill="normal")
    whole, alone = abreast(geometry, result, operands), replace(geometry, batch=1)
    for n in range(3):
        one = {name: array if name == "w" else array[n : n + 1] for name, array in operands.items()}
        assert bits(abreast(alone, result, one), whole[n : n + 1]) == 0


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("name", ["plane", "plane, all", "last row in no class"])
def test_what_is_not_finite_is_where_the_formula_has_it(name, result):
    """A product with a zero beside an array is a term of y and of dw, and there is none of dx."""
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
    ("change", "why"),
    [
        ({"groups": 15}, "lanes would be idle"),
        ({"channels": (3, 2)}, "tiles serve more channels"),
        ({"inputs": (40, 70_000), "outputs": (40, 70_000)}, "a line does not fit"),
    ],
    ids=str,
)
def test_others_are_left_to_tiles(change, why):
    geometry = geometry_of((40, 40), (3, 3), 1, 1, 1, 16, (1, 1))
    with kernels.using(levels.usable()[-1]):
        lanes = kernels.tables.shapes(kernels.in_use()).lanes["f"]
        assert served(geometry, "y") and lanes <= depthwise.GROUPS
        assert not depthwise.serves(replace(geometry, **change), "y", "f", kernels.in_use()), why


@pytest.mark.parametrize("result", OPERANDS)
def test_no_sum_takes_more_than_planned(result, threads):
    threads(1)
    geometry = geometry_of((112, 112), (3, 3), 1, 1, 1, 64, (1, 1), 1)
    operands, planned = data(geometry, result), 4 * sums.workspace(geometry, result, "f")
    abreast(geometry, result, operands)
    scratch._kept.room = None
    tracemalloc.start()
    abreast(geometry, result, operands)
    peak = tracemalloc.get_traced_memory()[1] - 4 * int(np.prod(geometry.shapes[result]))
    tracemalloc.stop()
    assert peak < max(planned, scratch.LEAST) + 60_000
    assert planned < 4 * 114 * 114 * 64
