"""The direct sum with samples side by side: every bit of it against the loop nest and against samples one by one.

What is timed and what memory it takes decide where it serves; neither may change a bit. Each property has its mutants.
"""

from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
import pytest
from exact import bits
from test_tiles import DEEP, HARD, LANES, SMALL, STRIPPED, WIDE, by_nest, by_tiles, data, forget, geometry_of

import convsym
from convsym import interleaved, kernels, pieces, sums, sweeps
from convsym.kernels import levels, tables
from convsym.taps import has_gaps

BATCHES = 2, 5, 16, 37
# Small images, strides, and results that are done in spans of their channels.
SERVED = {
    "small": geometry_of((7, 7), (5, 5), 1, 2, channels=(40, 32), batch=4),
    "stride": geometry_of((16, 16), (3, 3), 2, 1, channels=(16, 32), batch=64),
    "more results than memory": geometry_of((14, 14), (3, 3), 2, 1, channels=(64, 64), batch=16),
}


def side_by_side(geometry, result, operands):
    """A rule with samples side by side, whether that pays or not; what is written over is not 0."""
    out = np.full(geometry.shapes[result], 7, next(iter(operands.values())).dtype)
    interleaved.bound(geometry, result, out.dtype.char, kernels.in_use())(operands, out)
    return out


def is_possible(geometry, result):
    """Whether samples can be side by side."""
    return not (result == "dx" and has_gaps(geometry))


@pytest.fixture
def small_strips(monkeypatch):
    """Strips so short that a small image has many of them, and a thread few channels."""
    monkeypatch.setattr(pieces, "KEPT", 2**9 // LANES["f"])
    monkeypatch.setattr(pieces, "DEEP", 2**8 // LANES["f"])
    forget()
    yield
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("name", [*SMALL, *WIDE])
def test_samples_side_by_side_have_the_bits_of_the_loop_nest(name, result):
    geometry = replace((SMALL | WIDE)[name], batch=BATCHES[len(name) % len(BATCHES)])
    fill = "normal" if geometry.rank < 3 else "integers"  # nests of rank 3 round otherwise
    if not is_possible(geometry, result):
        return
    for dtype, level in product("fd", levels.usable()):
        with kernels.using(level):
            operands = data(geometry, result, dtype, fill=fill)
            assert bits(side_by_side(geometry, result, operands), by_nest(geometry, result, operands)) == 0


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("geometry", [*HARD.values(), *STRIPPED], ids=lambda geometry: f"{geometry.inputs}")
def test_neither_strips_nor_blocks_of_channels_nor_batches_change_a_bit(geometry, result, small_strips):
    """A sum that goes on from what is there is the sum without a stop."""
    for batch in BATCHES:
        many = replace(geometry, batch=batch)
        operands = data(many, result, fill="normal")
        alone = by_tiles(many, result, operands)
        if geometry.groups == 1 and is_possible(geometry, result):
            assert bits(side_by_side(many, result, operands), alone) == 0
        if geometry.rank < 3:
            assert bits(alone, by_nest(many, result, operands)) == 0


@pytest.mark.parametrize("result", ["y", "dx"])
def test_blocks_of_channels_that_are_added_at_last_are_found(result, small_strips, monkeypatch):
    """Another order of the same sum."""
    monkeypatch.setattr(sweeps, "BEGUN", 1)
    forget()
    for geometry in DEEP:
        if geometry.rank < 3:
            operands = data(geometry, result, fill="normal")
            assert bits(by_tiles(geometry, result, operands), by_nest(geometry, result, operands))


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("name", SERVED)
def test_they_serve_where_lanes_would_be_empty(name, result):
    geometry, lanes = SERVED[name], kernels.tables.shapes(kernels.in_use()).lanes["f"]
    if geometry.outputs[-1] in (lanes - 1, lanes):
        pytest.skip(f"rows of {geometry.outputs[-1]} fill {lanes} lanes")
    assert sums._way(geometry, result, "f", kernels.in_use()) is interleaved
    assert sums._way(replace(geometry, batch=1), result, "f", kernels.in_use()) is not interleaved
    assert sums._way(geometry, "dw", "f", kernels.in_use()) is not interleaved
    spans = interleaved.cutting(geometry, result, LANES["f"]).made
    assert len(spans) == 1 or name == "more results than memory"
    operands = data(geometry, result, fill="normal")
    out = np.empty(geometry.shapes[result], "f")
    sums.run(geometry, result, operands, out)
    assert bits(out, by_tiles(geometry, result, operands)) == 0


def test_wide_rows_and_single_samples_are_done_as_before():
    wide = geometry_of((56, 64), (3, 3), 1, 1, channels=(16, 32), batch=8)
    for geometry in (wide, replace(SERVED["small"], batch=1)):
        assert not any(interleaved.serves(geometry, result, "f", kernels.in_use()) for result in ("y", "dx"))


def too_much(geometry, result, threads):
    """Elements that they take beyond those of the padded input, or of what is read, padded."""
    x = prod(geometry.on_padded().shapes["x"])
    read = geometry.batch * pieces.channels_of(geometry, result)[0] * sweeps.image_of(geometry, result).size
    return interleaved._course(geometry, result, "f", kernels.in_use(), threads).room - max(x, read)


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("name", SERVED)
def test_memory_is_that_of_a_padded_operand_for_any_threads(name, result):
    assert all(too_much(SERVED[name], result, count) <= 0 for count in (1, 2, 3, 8))


def test_results_that_are_not_done_in_spans_take_more(monkeypatch):
    monkeypatch.setattr(interleaved, "ROWS", 10**6)
    forget()
    assert too_much(SERVED["more results than memory"], "dx", 1) > 0
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("name", SERVED)
def test_threads_change_no_bit(name, monkeypatch, threads):
    monkeypatch.setattr(kernels, "THREADED_WORK", 0)
    for result in ("y", "dx"):
        operands = data(SERVED[name], result, fill="normal")
        alone = side_by_side(SERVED[name], result, operands)
        for count in (2, 3, 5):
            threads(count)
            assert bits(side_by_side(SERVED[name], result, operands), alone) == 0
        threads(1)


@pytest.mark.parametrize("name", SERVED)
def test_the_door_and_kept_plans_have_the_same_bits(name):
    geometry = SERVED[name]
    knobs = {"stride": geometry.stride, "padding": geometry.padding, "algorithm": "direct"}
    x, w, dy = (np.squeeze(data(geometry, result, fill="normal")[key], 0 if key == "w" else 1) for result, key in
                (("y", "x"), ("y", "w"), ("dw", "dy")))  # fmt: skip
    before = convsym.conv2d(x, w, **knobs), convsym.grad.conv2d_input(x.shape, w, dy, **knobs)
    again = convsym.conv2d(x, w, **knobs), convsym.grad.conv2d_input(x.shape, w, dy, **knobs)
    kept = convsym.plan("conv2d", x.shape, w, **knobs)(x), convsym.plan("conv2d_input", x.shape, w, **knobs)(dy)
    one = np.concatenate([convsym.conv2d(sample[None], w, **knobs) for sample in x])
    for made in (again, kept):
        assert all(bits(a, b) == 0 for a, b in zip(made, before, strict=True))
    assert bits(one, before[0]) == 0


def _moved(driver):
    """Drivers whose first position lies one further."""

    def made(name, jobs, **entries):
        if name == "interleave":
            entries["place"] = np.append(entries["place"][1:], -1)
        return driver(name, jobs, **entries)

    return made


def _not_cleared(driver):
    def made(name, jobs, **entries):
        return driver(name, jobs, **(entries | {"clears": 0} if name == "interleave" else entries))

    return made


def _not_apart(driver):
    def made(name, jobs, **entries):
        return driver(name, jobs, **(entries | {"channel": entries["group"]} if name == "settle" else entries))

    return made


@pytest.mark.parametrize("mutant", [_moved, _not_cleared, _not_apart])
@pytest.mark.parametrize("result", ["y", "dx"])
def test_images_and_results_with_a_mistake_are_found(mutant, result, monkeypatch):
    monkeypatch.setattr(interleaved, "driver", mutant(tables.driver))
    forget()
    geometry, found = SERVED["small"], 0
    for batch in BATCHES:
        many = replace(geometry, batch=batch)
        operands = data(many, result)
        found += bits(side_by_side(many, result, operands), by_nest(many, result, operands)) > 0
    monkeypatch.undo()
    forget()
    assert found
