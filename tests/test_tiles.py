"""The register tiles of the direct sum: every bit of them against the loop nest and against plain Python.

What their tables say is held against the rule of reads. Each property has its mutants.
"""

import tracemalloc
from dataclasses import replace
from itertools import pairwise, product
from math import prod

import numpy as np
import pytest
import reference
from exact import bits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convsym import (
    conv_transpose2d,
    direct,
    dots,
    grad,
    interleaved,
    kernels,
    outer,
    pieces,
    reduction,
    scratch,
    strips,
    sums,
    sweeps,
)
from convsym.arguments import Parameters
from convsym.bench.layers import load, set_names
from convsym.kernels import levels, tables
from convsym.kernels._generated import rules
from convsym.meaning import resolve
from convsym.plans import OPERANDS
from convsym.taps import PATTERN, Axis, Image, taps_of, vectors_of

TILED = sweeps, pieces, direct, interleaved, outer, dots, reduction, sums, strips
CHANGE = 60_000  # bytes that Python itself allocates for a call
LANES = {"f": 16, "d": 8}  # of the widest level


def geometry_of(inputs, kernel, stride=1, padding=0, dilation=1, groups=1, channels=(3, 5), batch=2):
    """A geometry; `channels` are those of one group."""
    into, out = channels
    shapes = (batch, groups * into, *inputs), (groups * out, into, *kernel)
    return resolve(len(kernel), *shapes, Parameters(stride, padding, dilation, groups))


# Small enough for the reference in plain Python.
SMALL = {
    "plain": geometry_of((19,), (3,)),
    "one tap": geometry_of((17,), (1,), channels=(4, 3)),
    "padded": geometry_of((9,), (3,), padding=((2, 1),)),
    "more padding than signal": geometry_of((3,), (4,), padding=((7, 5),)),
    "cropped": geometry_of((21,), (3,), padding=((-3, 2),)),
    "stride": geometry_of((23,), (3,), 2, ((1, 2),)),
    "stride above kernel": geometry_of((23,), (2,), 5, ((1, 0),)),
    "dilation": geometry_of((23,), (3,), 1, ((4, 4),), 4),
    "stride and dilation": geometry_of((31,), (4,), 3, ((2, 5),), 2),
    "common factor": geometry_of((31,), (4,), 4, ((3, 5),), 2),
    "groups": geometry_of((12,), (3,), 1, 1, 1, 3, (2, 3)),
    "depthwise": geometry_of((12,), (3,), 1, 1, 1, 5, (1, 1)),
    "multiplier": geometry_of((12,), (3,), 2, 1, 1, 3, (1, 4)),
    "one output": geometry_of((5,), (5,), channels=(3, 4)),
    "one sample": geometry_of((14,), (3,), batch=1),
    "many channels": geometry_of((6,), (3,), channels=(7, 37), batch=1),
    "many inputs": geometry_of((6,), (3,), channels=(37, 7), batch=1),
    "plane": geometry_of((6, 7), (3, 2), padding=((1, 1), (0, 1))),
    "plane, stride": geometry_of((9, 8), (3, 3), (2, 3), ((1, 1), (2, 0))),
    "plane, all": geometry_of((11, 10), (3, 2), (2, 3), ((-1, 4), (3, -2)), (3, 2), 2, (2, 3)),
    "plane, one column": geometry_of((9, 1), (3, 1), channels=(3, 4)),
    "plane, one tap": geometry_of((5, 6), (1, 1), channels=(4, 5)),
    "plane, one tap, stride": geometry_of((5, 6), (1, 1), 2, channels=(4, 5)),
    "plane, depthwise": geometry_of((7, 7), (3, 3), 2, 1, 1, 4, (1, 1)),
    "volume": geometry_of((4, 5, 6), (2, 3, 2), (1, 2, 1), ((1, 0), (1, 1), (0, 2)), channels=(2, 3), batch=1),
    "four axes": geometry_of((3, 4, 3, 4), (2, 2, 1, 3), (1, 2, 1, 1), 1, channels=(2, 2), batch=1),
    "five axes": geometry_of((2, 3, 2, 3, 4), (1, 2, 2, 1, 2), 1, ((0, 0), (1, 0), (0, 1), (0, 0), (1, 1)),
                             channels=(2, 2), batch=1),
}  # fmt: skip
# Rows below, at and above the number of lanes and the length of a pattern; the nest is the other road.
ROWS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65]
WIDE = {
    **{f"row of {size}": geometry_of((size + 2,), (3,), channels=(5, 9)) for size in ROWS},
    **{f"plane {size} wide": geometry_of((5, size + 1), (3, 2), 1, ((1, 1), (0, 0)), channels=(4, 9)) for size in ROWS},
    **{f"plane {size} wide, stride": geometry_of((9, 2 * size), (3, 3), 2, 1, channels=(4, 9)) for size in ROWS},
    "row longer than a pattern": geometry_of((16 * PATTERN + 5,), (3,), padding=1, channels=(2, 7)),
    "two patterns": geometry_of((4, 2 * 16 * PATTERN + 19), (3, 3), padding=1, channels=(1, 2), batch=1),
    "rows to be joined": geometry_of((12, 6), (1, 1), channels=(5, 20)),
    "many taps": geometry_of((40, 40), (11, 9), padding=5, channels=(2, 3)),
    "planes of a volume": geometry_of((5, 9, 21), (3, 3, 3), 1, 1, channels=(4, 17), batch=1),
    "many groups": geometry_of((9, 21), (3, 3), 1, 1, 1, 7, (3, 2), 3),
    "wide channels": geometry_of((7, 9), (3, 3), 1, 1, channels=(33, 70)),
}
HARD = {name: SMALL[name] for name in ("stride and dilation", "plane, all", "volume", "depthwise")}


def data(geometry, result, dtype="f", seed=0, fill="integers"):
    """Operands of a rule; integers so small that every sum of them is exact."""
    rng = np.random.default_rng(seed)
    shapes = [geometry.shapes[name] for name in OPERANDS[result]]
    if fill == "normal":
        return {name: rng.standard_normal(s).astype(dtype) for name, s in zip(OPERANDS[result], shapes, strict=True)}
    return {name: rng.integers(-9, 10, s).astype(dtype) for name, s in zip(OPERANDS[result], shapes, strict=True)}


def by_tiles(geometry, result, operands):
    """A rule by tiles, whether they pay or not; what is written over is not 0."""
    out = np.full(geometry.shapes[result], 7, next(iter(operands.values())).dtype)
    way = reduction if result == "dw" else direct
    way.bound(geometry, result, out.dtype.char, kernels.in_use())(operands, out)
    return out


def by_nest(geometry, result, operands):
    """The same by the compiled loops of the derived rule."""
    out = np.zeros(geometry.shapes[result], next(iter(operands.values())).dtype)
    sums._by_nest(geometry, result, operands, out)
    return out


def by_hand(geometry, result, operands):
    """The same in plain Python."""
    own = {name: dict(np.ndenumerate(array.reshape(geometry.public_shapes[name]))) for name, array in operands.items()}
    one = dict.fromkeys(np.ndindex(*geometry.public_shapes["y"]), 0)
    triples = list(
        reference.relation(
            *(geometry.batch, geometry.groups, geometry.channels, geometry.inputs, geometry.kernel),
            *(geometry.outputs, geometry.stride, geometry.dilation, geometry.padding),
        )
    )
    if result == "y":
        places = reference.convolution(own["x"], own["w"], triples)
    else:
        zeros = {name: dict.fromkeys(np.ndindex(*geometry.public_shapes[name]), 0) for name in ("x", "w")}
        every = {**zeros, "dy": one, **own}
        places = reference.gradients(every["x"], every["w"], every["dy"], triples)[result == "dw"]
    out = np.zeros(geometry.public_shapes[result], next(iter(operands.values())).dtype)
    for place, value in places.items():
        out[place] = value
    return out.reshape(geometry.shapes[result])


def forget():
    """Clear what is remembered of cut geometries."""
    for module in TILED:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    kernels.door().forget()


@pytest.fixture
def small_strips(monkeypatch):
    """Strips so short that a small image has many of them."""
    for module in TILED:
        for name, size in (("STRIP", 2**9), ("KEPT", 2**9 // LANES["f"]), ("DEEP", 2**8 // LANES["f"])):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, size)
    forget()
    yield
    monkeypatch.undo()
    forget()


# ----------------------------------------------------------------------------------------------------------- every bit


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("name", SMALL)
def test_no_bit_differs_from_plain_python(name, result):
    geometry = SMALL[name]
    expected = by_hand(geometry, result, data(geometry, result))
    for level, dtype in product(levels.usable(), "fd"):
        operands = data(geometry, result, dtype)
        with kernels.using(level):
            assert bits(by_tiles(geometry, result, operands), expected.astype(dtype)) == 0


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("name", [*SMALL, *WIDE])
def test_no_bit_differs_from_the_loop_nest(name, result):
    geometry = {**SMALL, **WIDE}[name]
    for dtype in "fd":
        operands = data(geometry, result, dtype)
        expected = by_nest(geometry, result, operands)
        for level in levels.usable():
            with kernels.using(level):
                assert bits(by_tiles(geometry, result, operands), expected) == 0


GEOMETRIES = st.integers(1, 3).flatmap(
    lambda rank: st.builds(
        lambda inputs, kernel, stride, before, after, dilation, *others: (
            geometry_of(inputs, kernel, stride, tuple(zip(before, after, strict=True)), dilation, *others)
            if all(size + b + a > d * (r - 1) and size + min(a, 0) + min(b, 0) > 0
                   for size, b, a, d, r in zip(inputs, before, after, dilation, kernel, strict=True))
            else None
        ),
        *(st.tuples(*[st.integers(low, high)] * rank)
          for low, high in ((1, (70, 24, 8)[rank - 1]), (1, 4), (1, 4), (-3, 5), (-3, 5), (1, 3))),
        st.integers(1, 3), st.tuples(st.integers(1, 9), st.integers(1, 20)), st.integers(1, 3),
    )
).filter(lambda geometry: geometry is not None)  # fmt: skip
CHECKED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def reached(geometry):
    """Whether some element of x is read."""
    return all(min(axis.classes) < size for axis, size in zip(taps_of(geometry), geometry.inputs, strict=True))


def check_geometry(geometry, dtype, level):
    with kernels.using(level):
        for result in OPERANDS if reached(geometry) else ("y", "dw"):
            operands = data(geometry, result, dtype)
            assert bits(by_tiles(geometry, result, operands), by_nest(geometry, result, operands)) == 0


@CHECKED
@given(GEOMETRIES, st.sampled_from("fd"), st.sampled_from(levels.usable()))
def test_no_bit_differs_in_any_geometry(geometry, dtype, level):
    check_geometry(geometry, dtype, level)


def test_a_gradient_that_no_output_reaches_is_zero():
    """Windows of one tap and stride 2 step over the only element."""
    geometry = geometry_of((1,), (1,), 2, 1, channels=(40, 40))
    assert not reached(geometry) and not sums.is_tiled(geometry, "dx")
    out = np.ones(geometry.shapes["dx"], np.float32)
    sums.run(geometry, "dx", data(geometry, "dx"), out)
    assert not out.any()


@pytest.mark.parametrize("padding", [0, ((1, -1), (0, 0)), ((0, 0), (-2, 2)), ((1, 0), (0, -1)), 1])
@pytest.mark.parametrize("result", OPERANDS)
def test_one_tap_that_reads_beside_its_place(result, padding):
    """Kernels of one tap, also where the result has the size of x and is moved."""
    geometry = geometry_of((9, 13), (1, 1), 1, padding, channels=(4, 20))
    operands = data(geometry, result)
    assert bits(by_sums(geometry, result, operands), by_nest(geometry, result, operands)) == 0


def test_one_tap_that_reads_less_than_there_is():
    w, dy = np.full((1, 1, 1, 1), 3.0), np.full((1, 1, 1, 1), 5.0)
    assert grad.conv2d_input((1, 1, 1, 1), w, dy, dilation=(1, 2)).tolist() == [[[[15.0]]]]
    made = conv_transpose2d(dy, w, output_padding=(0, 1), dilation=(1, 2))
    assert made.tolist() == [[[[15.0, 0.0]]]]


@pytest.mark.slow
@settings(CHECKED, max_examples=2000)
@given(GEOMETRIES, st.sampled_from("fd"), st.sampled_from(levels.usable()))
def test_no_bit_differs_in_many_geometries(geometry, dtype, level):
    check_geometry(geometry, dtype, level)


STRIPPED = [
    geometry_of((40, 23), (3, 3), padding=1, channels=(3, 20), batch=3),
    geometry_of((41, 25), (3, 3), 2, ((1, 2), (0, 1)), channels=(3, 2), batch=2),
    geometry_of((900,), (5,), 1, ((3, 1),), 2, channels=(2, 17)),
    geometry_of((30, 6, 9), (3, 3, 2), (1, 2, 1), 1, channels=(2, 9), batch=2),
    geometry_of((33, 20), (3, 3), 1, 1, 1, 6, (1, 1), 2),
    geometry_of((50, 21), (1, 1), 1, channels=(4, 20), batch=1),
    geometry_of((6, 300), (3, 1), 1, ((1, 1), (0, 0)), channels=(3, 9)),  # cut along the last axis
    geometry_of((9, 160), (4, 1), (2, 1), ((2, 1), (0, 0)), channels=(11, 6)),
    geometry_of((9, 9), (3, 3), 1, 4, 4, channels=(13, 14)),
    geometry_of((4, 11, 10), (3, 3, 3), 1, 1, channels=(9, 8)),
    geometry_of((15, 34), (5, 5), 2, 2, channels=(11, 13), batch=1),
]
DEEP = STRIPPED[-3:]  # whose channels are done block by block


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("geometry", STRIPPED, ids=lambda geometry: f"{geometry.inputs}")
def test_strips_change_no_bit_of_exact_sums(geometry, result, small_strips):
    number = strips.spans(geometry, True) if result == "dw" else pieces.cut(geometry, result, LANES["f"]).spans
    short = geometry.kernel == (1, 1) or (result == "dw" and geometry.kernel[-1] == 1)  # along the first axis
    assert len(number) > 1 or short or geometry in DEEP
    for dtype, level in product("fd", levels.usable()):
        operands = data(geometry, result, dtype)
        with kernels.using(level):
            assert bits(by_tiles(geometry, result, operands), by_nest(geometry, result, operands)) == 0


STILL = {
    "volume, first axis": (geometry_of((6, 9, 20), (3, 1, 1), 1, ((1, 1), (0, 0), (0, 0)), channels=(9, 10)), 2),
    "volume, first axis, stride": (geometry_of((9, 9, 20), (3, 1, 1), (2, 1, 1), channels=(9, 10)), 2),
    "volume, last axis": (geometry_of((5, 4, 30), (1, 1, 5), 1, ((0, 0), (0, 0), (2, 2)), channels=(9, 10)), 2),
    "one tap": (geometry_of((5, 4, 30), (1, 1, 1), channels=(5, 10)), 1),
    "a plane's": (geometry_of((5, 14, 20), (1, 3, 3), 1, ((0, 0), (1, 1), (1, 1)), channels=(9, 10)), 3),
    "stride of one tap": (geometry_of((6, 9, 20), (3, 1, 1), (1, 2, 1), channels=(9, 10)), 3),
    "padding of one tap": (geometry_of((6, 9, 20), (3, 1, 1), 1, ((1, 1), (1, 0), (0, 0)), channels=(9, 10)), 3),
}


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("name", STILL)
def test_axes_along_which_no_tap_moves_are_one(name, result):
    geometry, rank = STILL[name]
    assert sums._flat(geometry).rank == rank
    operands = data(geometry, result)
    assert bits(by_sums(geometry, result, operands), by_nest(geometry, result, operands)) == 0


def test_strips_are_cut_where_neighbors_read_little_in_common():
    many = geometry_of((16, 3136), (3, 1), 1, ((1, 1), (0, 0)), channels=(144, 64), batch=1)
    column = geometry_of((1080, 1920), (15, 1), 1, ((7, 7), (0, 0)), channels=(1, 1), batch=1)
    assert [sweeps.cut_axis(geometry) for geometry in (many, column, WIDE["many groups"])] == [1, 0, 0]
    for least in (1, 64):
        spans = pieces.cut(many, "y", LANES["f"], least=least).spans
        assert len(spans) >= max(least * 3 // 4, 2) and all(begin % LANES["f"] == 0 for begin, _ in spans)
        assert spans[0][0] == 0 and spans[-1][1] == 3136
        assert all(before[1] == after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize("name", ["stride of one tap", "padding of one tap"])
def test_an_axis_that_is_taken_as_still_and_is_not_is_found(name, monkeypatch):
    monkeypatch.setattr(sums, "is_still", lambda geometry, axis: geometry.kernel[axis] == 1)
    forget()
    geometry, _ = STILL[name]
    operands = data(geometry, "y")
    with pytest.raises((ValueError, AssertionError)):
        assert bits(by_sums(geometry, "y", operands), by_nest(geometry, "y", operands)) == 0
    monkeypatch.undo()
    forget()


# Several samples of some of the groups at a time, of which x, dy or both serve as they lie.
GROUPED = [
    geometry_of((3, 18), (3, 3), 1, 0, 1, 3, (3, 2), 4),
    geometry_of((2, 16), (3, 3), 1, 1, 1, 3, (3, 2), 4),
    geometry_of((34,), (3,), 1, 0, 1, 3, (3, 2), 4),
    geometry_of((1, 3, 18), (1, 3, 3), 1, 0, 1, 3, (3, 2), 4),
    geometry_of((3, 17), (3, 3), 1, 0, 1, 3, (3, 2), 4),
]


def force(monkeypatch, schedule):
    monkeypatch.setattr(reduction, "is_outer", lambda *_: schedule == "outer")
    forget()


@pytest.mark.parametrize("schedule", ["outer", "dots"])
@pytest.mark.parametrize("geometry", [*SMALL.values(), *WIDE.values(), *STRIPPED, *GROUPED])
def test_both_schedules_of_dw_are_exact(geometry, schedule, small_strips, monkeypatch):
    force(monkeypatch, schedule)
    for dtype, level in product("fd", levels.usable()):
        operands = data(geometry, "dw", dtype)
        with kernels.using(level):
            assert bits(by_tiles(geometry, "dw", operands), by_nest(geometry, "dw", operands)) == 0


@pytest.mark.parametrize("geometry", GROUPED)
def test_samples_that_lie_as_if_a_part_of_the_groups_were_all_are_found(geometry, small_strips, monkeypatch):
    for laid in (True, False):
        samples, groups = strips.at_once(geometry, laid)
        assert samples > 1 and groups < geometry.groups
    force(monkeypatch, "dots")
    right, groups = dots._repeats, geometry.groups
    monkeypatch.setattr(dots, "_repeats", lambda *a: right(*a[:3], a[3] // groups, a[4]))
    operands = data(geometry, "dw")
    assert bits(by_tiles(geometry, "dw", operands), by_nest(geometry, "dw", operands)) > 0


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("name", [*SMALL, *WIDE])
def test_tiles_have_the_bits_of_the_loop_nest(name, result):
    """Which of them is taken depends on the groups, so rounding must be the same; nests of rank 3 round otherwise."""
    geometry = (SMALL | WIDE)[name]
    if geometry.rank > 2:
        return
    for dtype, level in product("fd", levels.usable()):
        with kernels.using(level):
            operands = data(geometry, result, dtype, fill="normal")
            assert bits(by_tiles(geometry, result, operands), by_nest(geometry, result, operands)) == 0


def _later_steps(entries):
    return entries | {"first": [*entries["first"][:-1], entries["first"][-1] - 1]}


def _same_results(entries):
    steps = np.reshape(entries["steps"], (-1, 5)).copy()
    steps[:, 4] = 0
    return entries | {"steps": steps.ravel()}


def _one_operand(entries):
    return entries | {"operand": 0}


def _of_strips(change):
    def made(name, jobs, **entries):
        return tables.driver(name, jobs, **(change(entries) if name == "strips" else entries))

    return made


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("change", [_later_steps, _same_results, _one_operand])
def test_strips_of_one_thread_with_a_mistake_are_found(change, result, small_strips, monkeypatch):
    monkeypatch.setattr(direct, "driver", _of_strips(change))
    geometry = STRIPPED[0]
    assert direct.course(geometry, result, "f", kernels.in_use()).steps[0].driver.name == "strips"
    operands = data(geometry, result)
    assert bits(by_tiles(geometry, result, operands), by_nest(geometry, result, operands))


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("geometry", STRIPPED, ids=lambda geometry: f"{geometry.inputs}")
def test_strips_of_one_thread_and_steps_of_all_have_the_same_bits(geometry, result, small_strips, monkeypatch):
    operands = data(geometry, result, fill="normal")
    alone = by_tiles(geometry, result, operands)
    monkeypatch.setattr(direct, "UNEVEN", 0)
    forget()
    assert all(step.driver.name != "strips" for step in direct.course(geometry, result, "f", kernels.in_use()).steps)
    assert bits(by_tiles(geometry, result, operands), alone) == 0


@pytest.mark.parametrize("result", ["y", "dx"])
def test_channels_in_blocks_that_store_a_result_twice_are_found(result, small_strips, monkeypatch):
    monkeypatch.setattr(sweeps, "vectors_of", lambda *arguments: vectors_of(*arguments[:-1]))
    found = 0  # a result that one tile stores twice is stored the same
    for geometry in DEEP:
        assert len(list(pieces.cut(geometry, result, LANES["f"]).blocks)) > 1
        operands = data(geometry, result)
        found += bits(by_tiles(geometry, result, operands), by_nest(geometry, result, operands)) > 0
    assert found


# Mutants: a name that schedules look up, and what it becomes.
def _later(taps):
    return lambda geometry: tuple(
        replace(axis, shift=(axis.shift[0] + 1, *axis.shift[1:]), first=(axis.first[0] + axis.step, *axis.first[1:]))
        for axis in taps(geometry)
    )


def _gapped(vectors):
    def made(*arguments):
        right = vectors(*arguments)
        return replace(right, count=np.maximum(right.count - 1, 0), full=0 * right.full)

    return made


def _unpadded(fill):
    def made(channels, image, plane, among):
        axes = tuple(replace(axis, first=max(axis.first, 0)) for axis in image.axes)
        return fill(channels, Image(axes), plane, among)

    return made


MUTANTS = {
    "a tap moved": ("taps_of", _later, OPERANDS),
    "a lane not stored": ("vectors_of", _gapped, ("y", "dx")),
    "no padding before": ("fill_of", _unpadded, OPERANDS),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_tiles_with_a_mistake_are_found(mutant, monkeypatch):
    name, change, results = MUTANTS[mutant]
    for result in results:
        found = 0
        for geometry in (SMALL["plane"], SMALL["padded"], SMALL["volume"], WIDE["wide channels"]):
            for module in (sweeps, pieces, direct, outer, dots):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, change(getattr(module, name)))
            forget()
            wrong = by_tiles(geometry, result, data(geometry, result))
            monkeypatch.undo()
            forget()
            found += bits(wrong, by_nest(geometry, result, data(geometry, result))) > 0
        assert found


# --------------------------------------------------------------------------------------------------------------- tables


def untrue(axis, stride, dilation, before):
    """Outputs and taps of which the table says another place than the rule, and places that are no class's."""
    for o, r in product(range(-7, 20), range(len(axis.shift))):
        said = axis.step * (o + axis.shift[r]) + axis.residue[r]
        if said != rules.read(o, r, stride, dilation, before) or not 0 <= axis.residue[r] < axis.step:
            yield o, r
    if axis.first != tuple(rules.read(0, r, stride, dilation, before) for r in range(len(axis.shift))):
        yield "first"


AXES = list(product((1, 2, 3, 4), (1, 2, 3, 5), (-4, -1, 0, 1, 3, 8), (1, 2, 5)))


def test_tap_tables_say_what_the_rule_reads():
    for stride, dilation, before, taps in AXES:
        (axis,) = taps_of(geometry_of((60,), (taps,), stride, ((before, 0),), dilation))
        assert list(untrue(axis, stride, dilation, before)) == []
        assert axis.classes == tuple(sorted({place % axis.step for place in axis.first}))


def test_a_wrong_tap_table_is_found():
    (axis,) = taps_of(geometry_of((60,), (3,), 3, ((2, 0),), 2))
    turned = {name: getattr(axis, name)[::-1] for name in ("shift", "residue", "first")}
    for wrong in ({"step": 2}, *({name: values} for name, values in turned.items())):
        assert list(untrue(replace(axis, **wrong), 3, 2, 2))


def held(image):
    """The elements of the array that each place of an image holds, None for 0, by the meaning of its axes."""
    whole = np.arange(prod(axis.size for axis in image.axes)).reshape([axis.size for axis in image.axes])
    for residues in product(*(axis.residues for axis in image.axes)):
        for places in product(*(range(axis.length) for axis in image.axes)):
            at = [a.step * (a.first + j) + r for a, j, r in zip(image.axes, places, residues, strict=True)]
            inside = all(0 <= u < axis.size for u, axis in zip(at, image.axes, strict=True))
            yield int(whole[tuple(at)]) if inside else None


def filled(image, rows):
    """The same as rows say it."""
    last = image.axes[-1]
    for source, lead, count in rows.T.tolist():
        yield from [None] * lead
        yield from (source + last.step * i for i in range(count))
        yield from [None] * (last.length - lead - count)


IMAGES = [
    Image((Axis(7, -2, 12),)),
    Image((Axis(7, 3, 2),)),
    Image((Axis(7, 9, 3),)),
    Image((Axis(11, -1, 8, 3, (0, 2)),)),
    Image((Axis(5, -1, 7), Axis(6, 1, 4))),
    Image((Axis(5, -1, 4, 2, (0, 1)), Axis(9, -2, 5, 3, (0, 1, 2)))),
    Image((Axis(3, -1, 3, 2, (1,)), Axis(4, 0, 4), Axis(5, -1, 4, 2, (0, 1)))),
]


@pytest.mark.parametrize("image", IMAGES, ids=str)
def test_images_hold_what_their_axes_say(image):
    assert list(filled(image, image.rows())) == list(held(image))
    assert len(list(held(image))) == image.size


def test_an_image_with_a_wrong_row_is_found():
    rows = IMAGES[4].rows()
    for row, place in product(range(3), np.flatnonzero(rows[2])[:1]):
        wrong = rows.copy()
        wrong[row, place] += 1
        assert list(filled(IMAGES[4], wrong)) != list(held(IMAGES[4]))


def covered(vectors, places):
    """What each place of the result is given: the places of the image."""
    found = {}
    for start, target in zip(vectors.outer_pos.tolist(), vectors.outer_place.tolist(), strict=True):
        for j, pos in enumerate(vectors.pos.tolist()):
            for part in range(vectors.start[j], vectors.start[j + 1]):
                lane, count, place = (int(table[part]) for table in (vectors.lane, vectors.count, vectors.place))
                for i in range(count):
                    found.setdefault(target + place + i * places[-1], set()).add(start + pos + lane + i)
    return found


def wanted(sizes, pitches, places):
    """The same by the meaning of a box."""
    return {
        sum(i * place for i, place in zip(point, places, strict=True)): {
            sum(i * pitch for i, pitch in zip(point, pitches, strict=True))
        }
        for point in product(*map(range, sizes))
    }


def box_of(sizes, halo, step):
    """Distances in an image with a halo and in a result of which every step-th element is meant."""
    lengths, wide = [size + extra for size, extra in zip(sizes, halo, strict=True)], [step * size for size in sizes]
    pitches = [prod(lengths[axis + 1 :]) for axis in range(len(sizes))]
    return pitches, [step * prod(wide[axis + 1 :]) for axis in range(len(sizes))]


BOXES = st.integers(1, 3).flatmap(
    lambda rank: st.tuples(
        st.tuples(*[st.integers(1, (300, 40, 9)[rank - 1])] * rank), st.tuples(*[st.integers(0, 5)] * rank),
        st.sampled_from([1, 2, 3]), st.sampled_from([4, 8, 16]), st.sampled_from([1, 30, 5000]),
    )
)  # fmt: skip


@settings(CHECKED, max_examples=150)
@given(BOXES)
def test_vectors_cover_every_place_with_one_value_and_nothing_else(box):
    sizes, halo, step, lanes, work = box
    pitches, places = box_of(sizes, halo, step)
    expected = wanted(sizes, pitches, places)
    once = vectors_of(sizes, pitches, places, lanes, work, True)
    if sizes[-1] <= PATTERN * lanes:
        assert covered(once, places) == expected
        assert len(once.outer_pos) * int(once.count.sum()) == prod(sizes)
        assert list(broken(once, lanes, places[-1])) == []
    vectors = vectors_of(sizes, pitches, places, lanes, work)
    assert covered(vectors, places) == expected
    assert int(vectors.outer_pos.max() + vectors.pos.max()) <= max(map(max, expected.values()))
    assert list(broken(vectors, lanes, places[-1])) == []


def broken(vectors, lanes, step):
    """Runs of vectors that are not one after the other, or said to be full and are not."""
    number = len(vectors.pos)
    for j, (full, run) in enumerate(zip(vectors.full.tolist(), vectors.run.tolist(), strict=True)):
        if not 0 <= full <= run <= number - j or not run:
            yield j, "lengths"
            continue
        if list(vectors.pos[j : j + run] - vectors.pos[j]) != list(range(0, run * lanes, lanes)):
            yield j, "run"
        parts = vectors.start[j : j + full]
        alone = all(vectors.start[j + 1 : j + full + 1] == parts + 1) and all(vectors.count[parts] == lanes)
        follow = list(vectors.place[parts] - vectors.place[parts[:1]]) == list(range(0, full * lanes, lanes))
        if not alone or not follow or any(vectors.lane[parts]) or (full and step > 1):
            yield j, "full"


@pytest.mark.parametrize("name", ["run", "full"])
def test_runs_that_are_too_long_are_found(name):
    for sizes in ((40,), (3, 21), (5, 4)):
        pitches, places = box_of(sizes, (2,) * len(sizes), 1)
        vectors = vectors_of(sizes, pitches, places, 4, 5000)
        longer = replace(vectors, **{name: getattr(vectors, name) + 1})
        assert not list(broken(vectors, 4, 1)) and list(broken(longer, 4, 1))


@pytest.mark.parametrize("change", [
    lambda v: replace(v, count=v.count + 1), lambda v: replace(v, lane=v.lane + 1),
    lambda v: replace(v, pos=np.append(v.pos[:-1], v.pos[-1] - 1)), lambda v: replace(v, place=v.place + 1),
    lambda v: replace(v, outer_pos=v.outer_pos[:-1], outer_place=v.outer_place[:-1]),
], ids=["gap lanes stored", "lanes moved", "a vector moved", "places moved", "a row left out"])  # fmt: skip
@pytest.mark.parametrize("work", [1, 5000])
def test_vectors_that_miss_a_place_are_found(change, work):
    sizes = (2, 3, 6)
    pitches, places = box_of(sizes, (0, 1, 2), 1)
    vectors = vectors_of(sizes, pitches, places, 8 if work == 5000 else 4, work)
    assert covered(vectors, places) == wanted(sizes, pitches, places)
    assert covered(change(vectors), places) != wanted(sizes, pitches, places)


# ------------------------------------------------------------------------------------------- threads, batch, groups


def test_threads_and_repetition_change_no_bit(monkeypatch, threads):
    monkeypatch.setattr(kernels, "THREADED_WORK", 0)
    for geometry, blocks in product((*HARD.values(), STRIPPED[0], STRIPPED[1]), (2**10, kernels.TILED_WORK)):
        monkeypatch.setattr(kernels, "TILED_WORK", blocks)
        for result in OPERANDS:
            operands = data(geometry, result, fill="normal")
            alone = by_tiles(geometry, result, operands)
            for count in range(1, 9):
                threads(count)
                assert bits(by_tiles(geometry, result, operands), alone) == 0


def part_of(operands, place):
    return {name: np.ascontiguousarray(array[place] if name != "w" else array) for name, array in operands.items()}


@pytest.mark.parametrize("result", ["y", "dx"])
@pytest.mark.parametrize("geometry", [*HARD.values(), *STRIPPED], ids=lambda geometry: f"{geometry.inputs}")
def test_a_sample_has_the_same_bits_in_any_batch(geometry, result, small_strips):
    geometry = replace(geometry, batch=5)
    operands = data(geometry, result, fill="normal")
    whole = by_tiles(geometry, result, operands)
    for start, stop in ((0, 1), (2, 3), (3, 5), (1, 5)):
        some = replace(geometry, batch=stop - start)
        assert bits(by_tiles(some, result, part_of(operands, slice(start, stop))), whole[start:stop]) == 0


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("geometry", [*HARD.values(), *STRIPPED], ids=lambda geometry: f"{geometry.inputs}")
def test_a_group_has_the_same_bits_among_any_groups(geometry, result, small_strips):
    geometry = replace(geometry, groups=5)
    operands = data(geometry, result, fill="normal")
    whole = by_tiles(geometry, result, operands)
    for start, stop in ((0, 1), (2, 3), (3, 5), (1, 5)):
        own = {
            name: np.ascontiguousarray(array[start:stop] if name == "w" else array[:, start:stop])
            for name, array in operands.items()
        }
        expected = whole[start:stop] if result == "dw" else whole[:, start:stop]
        assert bits(by_tiles(replace(geometry, groups=stop - start), result, own), np.ascontiguousarray(expected)) == 0


def huge(result):
    """A rule whose finite numbers have squares that are not, and how a part of it compares with the whole."""
    geometry = geometry_of((300,), (3,), padding=1, groups=4, channels=(8, 8), batch=6)
    operands = {name: array * np.float32(1e20) for name, array in data(geometry, result, fill="normal").items()}
    operands[OPERANDS[result][0]] *= np.float32(1e-20 if result == "dw" else 1e-30)
    if result == "dw":
        operands["x"][:, 0] *= np.float32(1e-10)  # the first group stays small
        own = {name: np.ascontiguousarray(array[:, :1]) for name, array in operands.items()}
        return by_sums(geometry, result, operands)[:1], by_sums(replace(geometry, groups=1), result, own)
    own = part_of(operands, slice(0, 1))
    return by_sums(geometry, result, operands)[:1], by_sums(replace(geometry, batch=1), result, own)


@pytest.mark.parametrize("result", OPERANDS)
def test_finite_numbers_with_squares_that_overflow_have_the_same_bits(result):
    whole, part = huge(result)
    assert np.isfinite(whole).all()
    assert bits(whole, part) == 0


def test_a_look_at_squares_alone_would_be_found(monkeypatch):
    monkeypatch.setattr(sums, "all_finite", lambda array: bool(np.isfinite(np.vdot(array, array))))
    assert any(bits(*huge(result)) for result in ("dx", "dw"))


def test_sums_in_another_order_have_other_bits(monkeypatch):
    """The mutant of the tests above: normal data tells one order of a sum from another."""
    geometry = STRIPPED[2]
    operands = data(geometry, "dw", fill="normal")
    before = by_tiles(geometry, "dw", operands)
    for module in TILED:
        for name, size in (("STRIP", 2**9), ("KEPT", 2**9 // LANES["f"]), ("DEEP", 2**8 // LANES["f"])):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, size)
    forget()
    after = by_tiles(geometry, "dw", operands)
    monkeypatch.undo()
    forget()
    assert bits(before, after) > 0


# ---------------------------------------------------------------------------------------------------- NaN and infinity


def by_sums(geometry, result, operands):
    """The direct sum as calls run it: tiles, and the nest where it must."""
    assert sums.is_tiled(geometry, result)
    out = np.full(geometry.shapes[result], 7, next(iter(operands.values())).dtype)
    sums.run(geometry, result, operands, out)
    return out


POISONED = {
    name: {**SMALL, **WIDE}[name]
    for name in ("padded", "cropped", "more padding than signal", "stride above kernel", "plane, all", "depthwise",
                 "rows to be joined", "row of 15", "plane 9 wide, stride", "wide channels", "many groups", "volume")
}  # fmt: skip


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("name", POISONED)
def test_what_is_not_finite_is_where_the_formula_has_it(name, result, monkeypatch):
    monkeypatch.setattr(sums, "TILED_WORK", 0)
    forget()
    geometry = POISONED[name]
    for where, value in product(OPERANDS[result], (np.nan, np.inf, -np.inf, 3e38)):
        operands = data(geometry, result)
        array = operands[where].reshape(-1)
        for place in {0, array.size // 2, array.size - 1}:
            before, array[place] = array[place], value
            with np.errstate(all="ignore"):
                found, expected = by_sums(geometry, result, operands), by_nest(geometry, result, operands)
            assert np.array_equal(np.isfinite(found), np.isfinite(expected))
            if abs(value) != 3e38:
                assert np.array_equal(found, expected, equal_nan=True)
            array[place] = before
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("result", ["dx", "dw"])
def test_zeros_that_are_no_terms_would_be_found(result, monkeypatch):
    """The mutant: tiles alone, whose padding with zeros makes NaN where the formula has no term."""
    monkeypatch.setattr(sums, "all_finite", lambda array: True)
    geometry, wrong = WIDE["plane 9 wide, stride"], 0
    for where in OPERANDS[result]:
        operands = data(geometry, result)
        operands[where].reshape(-1)[[0, -1]] = np.nan
        expected = by_nest(geometry, result, operands)
        wrong += not np.array_equal(by_sums(geometry, result, operands), expected, equal_nan=True)
    assert wrong


# ------------------------------------------------------------------------------------------------------------ workspace


def peak(geometry, result, char, shrink=1):
    """By how many bytes a sum by tiles takes more than planned."""
    operands, out = data(geometry, result, char), np.empty(geometry.shapes[result], char)
    sums.run(geometry, result, operands, out)  # what is cached is not counted
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scratch, "LEAST", 0)
        scratch._kept.room = None  # nothing is kept from calls before
        tracemalloc.start()
        sums.run(geometry, result, operands, out)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return taken - CHANGE - sums.workspace(geometry, result, char) * np.dtype(char).itemsize // shrink


LARGE = [
    geometry_of((100, 130), (3, 3), 2, 1, channels=(8, 24)),
    geometry_of((30_000,), (5,), 1, 2, channels=(4, 4)),
    geometry_of((60, 60), (5, 5), 1, 2, 1, 16, (1, 1), 3),
    geometry_of((12, 40, 30), (3, 3, 3), 1, 1, channels=(6, 20)),
    geometry_of((14, 14), (3, 3), 1, 1, channels=(64, 128)),
]


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("geometry", LARGE, ids=lambda geometry: f"{geometry.inputs}")
def test_no_sum_takes_more_than_planned(geometry, result):
    for char in "fd":
        assert peak(geometry, result, char) <= 0


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("geometry", STRIPPED, ids=lambda geometry: f"{geometry.inputs}")
def test_no_sum_in_strips_takes_more_than_planned(geometry, result, small_strips):
    assert peak(geometry, result, "f") <= 0


def test_a_plan_of_half_the_workspace_is_found():
    for result in OPERANDS:
        assert max(peak(geometry, result, "d", 2) for geometry in LARGE) > 0


def padded(geometry, result):
    """Elements of x with its padding; where dy is read, of dy with every place that x asks for, if those are more."""
    x = prod(geometry.on_padded().shapes["x"])
    if result != "dx":
        return x
    steps = zip(geometry.inputs, geometry.kernel, geometry.stride, geometry.dilation, geometry.padding, strict=True)
    sizes = []
    for size, taps, stride, dilation, (before, _) in steps:
        first = [rules.first_output(r, stride, dilation, before) for r in range(taps)]
        sizes.append(max(rules.end_output(size, r, stride, dilation, before) for r in range(taps)) - min(first))
    return max(x, prod(geometry.shapes["y"][:3]) * prod(sizes))


def layers():
    for name in set_names():
        for layer in load(name).layers:
            parameters = Parameters(layer.stride, layer.padding, layer.dilation, layer.groups)
            yield layer, resolve(layer.rank, layer.input, layer.weight, parameters)


def test_no_layer_takes_more_than_its_padded_operand_and_a_few_tiles_per_thread():
    tiles = 4 * 14 * 12 * LANES["f"] * kernels.get_num_threads()
    count = 0
    for layer, geometry in layers():
        for result in ("y", "dx"):
            taken = sums.workspace(geometry, result, np.dtype(layer.dtype).char)
            assert taken <= padded(geometry, result) + tiles, layer
            count += taken > 0
    assert count > 100


def test_no_weight_gradient_takes_more_than_padded_operands_and_a_few_results():
    """Padded x, dy with its channels or lines rounded up to vectors, and the sums before they are the result."""
    for layer, geometry in layers():
        char = np.dtype(layer.dtype).char
        outputs = (*geometry.outputs[:-1], geometry.outputs[-1] + LANES["f"])
        channels = geometry.channels[1] + 4 * LANES["f"]
        operands = padded(geometry, "dw") + geometry.batch * geometry.groups * channels * prod(outputs)
        weights = geometry.groups * channels * prod(geometry.shapes["w"][2:])
        assert sums.workspace(geometry, "dw", char) <= operands + 4 * weights, layer
