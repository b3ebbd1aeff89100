"""The direct sum with many rows as products of matrices: every bit of it against the loop nest and plain Python."""

from itertools import product

import numpy as np
import pytest
from exact import bits
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tiles import CHECKED, by_hand, by_nest, data, geometry_of

from convsym import kernels, panels, sums
from convsym.kernels import levels
from convsym.plans import OPERANDS

SMALL = {
    "line": geometry_of((17,), (3,), channels=(8, 9), padding=1),
    "plane": geometry_of((5, 6), (3, 2), channels=(9, 8), padding=(1, 0)),
    "volume": geometry_of((4, 5, 6), (2, 3, 3), (1, 2, 2), 1, channels=(8, 8)),
    "one position": geometry_of((3, 3), (3, 3), channels=(17, 8), batch=5),
    "groups": geometry_of((7, 8), (3, 3), 2, 1, groups=3, channels=(8, 10)),
    "dilation": geometry_of((11, 9), (3, 3), 1, 4, 4, channels=(9, 9)),
    "dilation and stride": geometry_of((11, 9), (3, 3), (2, 3), 2, 3, channels=(8, 9)),
    "gaps": geometry_of((11, 13), (2, 2), 3, channels=(9, 8)),
    "taps that read padding alone": geometry_of((2, 3), (5, 5), 1, (4, 2), channels=(8, 8)),
    "no batch to speak of": geometry_of((5, 5), (3, 3), 2, 1, channels=(8, 8), batch=1),
}
WIDE = {
    "many columns": geometry_of((40, 41), (3, 3), 2, 1, channels=(20, 33)),
    "tiny images, many samples": geometry_of((2, 3), (3, 3), 1, 1, channels=(40, 24), batch=31),
    "a long sum": geometry_of((9, 9), (3, 3), 2, 1, channels=(900, 9)),
    "many rows": geometry_of((6, 6), (3, 3), 1, 1, channels=(9, 700)),
    "many of both": geometry_of((9, 9), (3, 3), 2, 1, channels=(200, 300), batch=1),
    "many taps": geometry_of((19, 9), (9, 7), 1, (4, 3), channels=(12, 20)),
    "long lines": geometry_of((1500,), (3,), 2, 1, channels=(24, 40)),
    "many places of few lines": geometry_of((700, 1), (3, 1), 1, (1, 0), channels=(9, 16)),
}
CASES = [pytest.param(name, result, id=f"{name}-{result}") for name, result in product(SMALL | WIDE, OPERANDS)]


def multiplied(geometry, result, operands):
    """A rule as products of matrices; what is written over is not 0."""
    out = np.full(geometry.shapes[result], 7, next(iter(operands.values())).dtype)
    panels.bound(geometry, result, out.dtype.char, kernels.in_use())(operands, out)
    return out


@pytest.mark.parametrize(("name", "result"), [case for case in CASES if case.values[0] in SMALL])
def test_no_bit_differs_from_plain_python(name, result):
    operands = data(SMALL[name], result)
    assert bits(multiplied(SMALL[name], result, operands), by_hand(SMALL[name], result, operands)) == 0


@pytest.mark.parametrize(("name", "result"), CASES)
def test_no_bit_differs_from_the_loop_nest(name, result):
    geometry = (SMALL | WIDE)[name]
    for dtype, level in product("fd", levels.usable()):
        with kernels.using(level):
            operands = data(geometry, result, dtype)
            assert bits(multiplied(geometry, result, operands), by_nest(geometry, result, operands)) == 0


@st.composite
def geometries(draw):
    rank = draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 5 - rank)) for _ in range(rank)]
    dilation = [draw(st.integers(1, 3)) for _ in range(rank)]
    spans = [rate * (taps - 1) + 1 for rate, taps in zip(dilation, kernel, strict=True)]
    padding = tuple(draw(st.integers(0, span)) for span in spans)
    least = [max(1, span - 2 * pad) for span, pad in zip(spans, padding, strict=True)]
    sizes = [size + draw(st.integers(0, 24 // rank)) for size in least]
    stride = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    channels = draw(st.integers(8, 70)), draw(st.integers(8, 70))
    groups, batch = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    return geometry_of(sizes, tuple(kernel), stride, padding, tuple(dilation), groups, channels, batch)


def compare(geometry, dtype, level):
    with kernels.using(level):
        for result in OPERANDS:
            if sums.is_tiled(geometry, result):
                operands = data(geometry, result, dtype)
                assert bits(multiplied(geometry, result, operands), by_nest(geometry, result, operands)) == 0


@CHECKED
@given(geometries(), st.sampled_from("fd"), st.sampled_from(levels.usable()))
def test_no_bit_differs_in_any_geometry(geometry, dtype, level):
    compare(geometry, dtype, level)


@pytest.mark.slow
@settings(CHECKED, max_examples=2000)
@given(geometries(), st.sampled_from("fd"), st.sampled_from(levels.usable()))
def test_no_bit_differs_in_many_geometries(geometry, dtype, level):
    compare(geometry, dtype, level)


MUTANTS = {
    "a row of A too far": ("y", "am", 1),
    "a step of A too far": ("dx", "ac", 1),
    "another tap of A": ("dx", "aoff", 1),
    "another sample": ("y", "image_b", -1),
    "another channel": ("dx", "channel_b", 1),
    "another tap of B": ("dw", "element", 1),
    "another line": ("y", "source", 1),
    "elements that are left out": ("y", "count", -1),
    "padding on the other side": ("dw", "lead", 1),
    "a sum that ends early": ("y", "channels", -1),
    "columns that are left out": ("dx", "columns", -1),
    "rows that are left out": ("dw", "rows", -1),
    "samples that are left out": ("dw", "samples", -1),
    "the next place of a result": ("dx", "place", 1),
    "results side by side": ("dx", "made_step", -1),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_number_is_found(mutant, monkeypatch):
    result, name, change = MUTANTS[mutant]
    made = panels.driver

    def wrong(kind, jobs, **entries):
        return made(kind, jobs, **{**entries, name: entries[name] + change})

    geometry = SMALL["groups"]
    operands = data(geometry, result)
    panels._course.cache_clear()
    assert bits(multiplied(geometry, result, operands), by_nest(geometry, result, operands)) == 0
    monkeypatch.setattr(panels, "driver", wrong)
    panels._course.cache_clear()
    found = bits(multiplied(geometry, result, operands), by_nest(geometry, result, operands))
    panels._course.cache_clear()
    assert found


@pytest.mark.parametrize(("name", "result"), CASES)
def test_threads_and_repetition_change_no_bit(name, result, threads, monkeypatch):
    monkeypatch.setattr(kernels, "THREADED_WORK", 0)
    geometry = (SMALL | WIDE)[name]
    operands = data(geometry, result, fill="normal")
    first = multiplied(geometry, result, operands)
    for count in (1, 2, 3, 8):
        threads(count)
        assert bits(multiplied(geometry, result, operands), first) == 0


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("sizes", [(2, 3), (9, 9), (30, 31)])
def test_a_sample_has_the_same_bits_in_any_batch(result, sizes):
    def geometry(batch):
        return geometry_of(sizes, (3, 3), (1, 2), 1, channels=(140, 124), batch=batch)

    operands = data(geometry(7), result, fill="normal")
    whole = multiplied(geometry(7), result, operands)
    for n in (0, 3, 6):
        one = {name: array if name == "w" else array[n : n + 1] for name, array in operands.items()}
        assert bits(multiplied(geometry(1), result, one), whole[n : n + 1]) == 0


@pytest.mark.parametrize("result", OPERANDS)
def test_what_is_not_finite_is_where_the_formula_has_it(result, monkeypatch):
    monkeypatch.setattr(panels, "serves", lambda *asked: True)
    geometry = geometry_of((7, 8), (3, 3), 2, 1, channels=(8, 10), batch=3)
    for cached in (sums._way, sums.bound):
        cached.cache_clear()
    assert sums._way(geometry, result, "f", kernels.in_use()) is panels
    for which, value in product(OPERANDS[result], (np.inf, np.nan)):
        operands = data(geometry, result)
        operands[which].reshape(-1)[operands[which].size // 2] = value
        out = np.empty(geometry.shapes[result], "f")
        with np.errstate(invalid="ignore"):
            sums.run(geometry, result, operands, out)
            expected = by_nest(geometry, result, operands)
        assert np.array_equal(out, expected, equal_nan=True)
    for cached in (sums._way, sums.bound):
        cached.cache_clear()


def test_who_is_served():
    """Many rows and long lines; few rows, short lines and few positions are left to tiles of the direct sum."""

    def ways(*given, **named):
        geometry = geometry_of(*given, **named)
        return [result for result in OPERANDS if panels.serves(geometry, result, "f", "v3")]

    assert ways((3000,), (3,), 2, 1, channels=(384, 384)) == ["y", "dx", "dw"]
    assert ways((28, 28), (3, 3), 2, 1, channels=(256, 256), batch=1) == ["dx", "dw"]
    assert ways((7, 7), (3, 3), 1, 1, channels=(512, 512), batch=1) == ["dw"]
    assert ways((56, 56), (3, 3), 1, 1, channels=(64, 64), batch=1) == []
    assert ways((14, 14), (1, 1), channels=(256, 256)) == ["dw"]
    assert ways((224, 224), (3, 3), 1, 1, channels=(64, 64), batch=1) == ["y", "dw"]
    assert ways((224, 224), (3, 3), 1, 1, channels=(3, 64), batch=1) == []
