"""Convolutions by transforms: against direct kernels and the reference, within their bounds, as local, the same bits.

Every geometry is computed with the lengths that the model chooses and with the shortest ones, which make many blocks;
and with both kinds of products, element by element and as matrices.
"""

import _thread
import signal
import threading
import tracemalloc
from dataclasses import replace
from itertools import cycle
from math import prod
from time import perf_counter

import numpy as np
import pytest
from cases import EVIL, GEOMETRIES, Case
from exact import bits, problem

from convsym import fourier, plans, sums
from convsym.arguments import Parameters
from convsym.fourier import accuracy, choice, lattice, transforms
from convsym.meaning import resolve

MORE_AXES = [
    Case((5, 4, 6), (3, 2, 3), padding=((1, 1), (0, 2), (2, 1))),
    Case((6, 5, 7), (2, 3, 4), (2, 1, 3), ((0, 1), (-1, 2), (3, 3)), (1, 2, 2), 2, (1, 2)),
    Case((4, 3, 3, 4), (2, 2, 1, 3), (1, 2, 1, 2), ((0, 0), (1, 0), (0, 0), (1, 1)), batch=1, channels=(1, 2)),
    Case((3, 2, 3, 2, 3), (2, 2, 2, 1, 2), padding=((1, 0),) * 5, batch=1, channels=(2, 1)),
]
LARGER = [
    Case((200,), (33,), (1,), ((16, 16),), channels=(6, 7)),
    Case((150,), (40,), (3,), ((5, -3),), (2,), 2, (2, 3)),
    Case((40, 37), (15, 9), padding=((7, 7), (4, 4)), channels=(6, 6)),
    Case((33, 40), (9, 16), (2, 1), ((4, 5), (-2, 8)), (1, 2), 3, (1, 1)),
]
CASES = [case for case in EVIL if case.has_output][::2] + GEOMETRIES[7::9] + MORE_AXES
OPERANDS = plans.OPERANDS


def geometry_of(case):
    into, out = case.channels
    x = (case.batch, case.groups * into, *case.inputs)
    w = (case.groups * out, into, *case.kernel)
    knobs = case.stride, case.padding, case.dilation, case.groups
    return resolve(len(case.kernel), x, w, Parameters(*knobs, "zeros", 1, False, "symmetric"))


def direct(geometry, result, operands):
    out = np.empty(geometry.shapes[result], next(iter(operands.values())).dtype)
    sums.run(geometry, result, operands, out)
    return out


def computed(geometry, result, operands):
    return fourier.compute(geometry, result, operands, direct)


def filled(geometry, result, dtype=np.float64, seed=0):
    fill = np.random.default_rng(seed)
    return {name: fill.normal(size=geometry.shapes[name]).astype(dtype) for name in OPERANDS[result]}


def shortest(geometry, result, item):
    """Lengths that make as many blocks as there can be."""
    del result, item
    axes = lattice.axes_of(geometry)
    return tuple(min(transforms.fitting(axis.taps + 1), transforms.fitting(axis.whole)) for axis in axes)


@pytest.fixture(params=["chosen", "shortest"])
def lengths(request, monkeypatch):
    if request.param == "shortest":
        monkeypatch.setattr(choice, "_lengths", shortest)
    choice.scheme.cache_clear()
    yield request.param
    choice.scheme.cache_clear()


@pytest.fixture(params=["whole", "matrices"])
def products(request, monkeypatch):
    monkeypatch.setattr(choice, "PAIRS", {"whole": 10**9, "matrices": 0}[request.param])
    choice.scheme.cache_clear()
    yield request.param
    choice.scheme.cache_clear()


# ------------------------------------------------------------------------------------------------------- the same sums


@pytest.mark.parametrize("result", OPERANDS)
def test_every_geometry_agrees_with_the_reference_within_the_bound(result, lengths, products):
    for case in CASES:
        posed, geometry = problem(case), geometry_of(case)
        arrays = {"x": posed.x, "w": posed.w, "dy": posed.dy}
        for dtype in (np.float32, np.float64):
            operands = {n: arrays[n].astype(dtype).reshape(geometry.shapes[n]) for n in OPERANDS[result]}
            value = computed(geometry, result, operands)
            expected = getattr(posed, result).reshape(geometry.shapes[result])
            assert value.dtype == dtype
            assert (abs(value - expected) <= fourier.bound(geometry, result, operands)).all(), case
            # Integers of this size are so far apart that rounding gives the exact answer.
            assert np.array_equal(np.rint(value), expected), case


@pytest.mark.parametrize("result", OPERANDS)
def test_the_direct_kernels_agree(result, lengths):
    for case in LARGER:
        geometry = geometry_of(case)
        operands = filled(geometry, result)
        value, expected = computed(geometry, result, operands), direct(geometry, result, operands)
        assert np.allclose(value, expected, rtol=0, atol=1e-12 * abs(expected).max()), case


def test_the_shortest_lengths_make_many_blocks(monkeypatch):
    monkeypatch.setattr(choice, "_lengths", shortest)
    choice.scheme.cache_clear()
    made = [choice.scheme(geometry_of(case), result, 8).lattice.rows for case in LARGER for result in OPERANDS]
    choice.scheme.cache_clear()
    assert min(made) > 4


@pytest.mark.parametrize("result", OPERANDS)
def test_numpy_transforms_where_there_is_no_scipy(result, monkeypatch):
    monkeypatch.setattr(transforms, "library", lambda: np.fft)
    for case in LARGER:
        for dtype in (np.float32, np.float64):
            geometry = geometry_of(case)
            operands = filled(geometry, result, dtype)
            expected = direct(geometry, result, {name: array.astype(float) for name, array in operands.items()})
            value = computed(geometry, result, operands)
            assert value.dtype == dtype
            assert (abs(value - expected) <= fourier.bound(geometry, result, operands)).all()


def test_nothing_is_computed_of_nothing():
    geometry = replace(geometry_of(LARGER[0]), batch=0)
    for result in OPERANDS:
        value = computed(geometry, result, filled(geometry, result))
        assert value.shape == geometry.shapes[result] and not value.any()
        assert fourier.steps(geometry, result, np.dtype("d")) == ()
        assert not fourier.bound(geometry, result, filled(geometry, result)).any()


def test_a_place_for_the_result_is_filled_whatever_was_there():
    geometry = geometry_of(LARGER[1])
    for result in OPERANDS:
        operands, room = filled(geometry, result), np.full(geometry.shapes[result], np.nan)
        value = fourier.compute(geometry, result, operands, direct, room)
        assert value is room
        assert bits(room, computed(geometry, result, operands)) == 0


def test_lengths_are_the_least_with_small_factors():
    def smooth(number):
        return prod(transforms.factors(number)) == number

    for least in range(1, 700):
        assert transforms.fitting(least) == next(n for n in range(least, 2 * least + 1) if smooth(n))


# ------------------------------------------------------------------------------------------------------ NaN, infinity


@pytest.mark.parametrize("result", OPERANDS)
def test_what_is_not_finite_stays_where_the_direct_sum_has_it(result, lengths):
    kinds = cycle([np.nan, np.inf, -np.inf, np.nan])
    wheres = cycle([(0,), (-1,), (0.5,), (0, -1), (0.3, 0.7)])
    for case in [*CASES[::4], *LARGER]:
        geometry = geometry_of(case)
        for spoiled in (*OPERANDS[result], "both"):
            operands, bad, places = filled(geometry, result), next(kinds), next(wheres)
            for name, array in operands.items():
                if spoiled in (name, "both"):
                    for place in places:  # 0 is the first element, -1 the last
                        array.flat[int(place % 1 * array.size) if place >= 0 else -1] = bad
            with np.errstate(all="ignore"):
                value, expected = computed(geometry, result, operands), direct(geometry, result, operands)
            finite = np.isfinite(expected)
            assert np.array_equal(value[~finite], expected[~finite], equal_nan=True), case
            assert np.allclose(value[finite], expected[finite]), case


def test_only_the_blocks_that_are_hit_are_redone():
    geometry = geometry_of(Case((400,), (31,), padding=((15, 15),), channels=(1, 1), batch=2))
    operands, calls = filled(geometry, "y"), []

    def counting(part, result, arrays):
        calls.append(part.outputs)
        return direct(part, result, arrays)

    clean = fourier.compute(geometry, "y", operands, counting)
    assert calls == []
    operands["x"][1, 0, 0, 3] = np.nan
    value = fourier.compute(geometry, "y", operands, counting)
    assert len(calls) == 1
    untouched = np.ones_like(value, bool)
    untouched[1, 0, 0, : calls[0][0]] = False
    assert np.array_equal(value[untouched], clean[untouched])
    assert np.isnan(value).sum() == 19


@pytest.mark.parametrize("result", OPERANDS)
def test_what_overflows_only_in_the_transforms_is_redone(result):
    for case in LARGER:
        geometry = geometry_of(case)
        operands = filled(geometry, result, np.float32)
        names = list(operands)
        operands[names[0]] *= np.float32(1e35)
        operands[names[1]] *= np.float32(1e-1)
        exact = direct(geometry, result, {name: array.astype(float) for name, array in operands.items()})
        value = computed(geometry, result, operands)
        assert np.isfinite(value).all()
        assert (abs(value - exact) <= fourier.bound(geometry, result, operands)).all()


# -------------------------------------------------------------------------------------------------------------- bits


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_bits_for_any_threads_and_every_time(result, dtype, threads, products, monkeypatch):
    monkeypatch.setattr(choice, "PIECE", 2**12)  # many pieces, for small arrays too
    for case in LARGER:
        geometry = geometry_of(case)
        operands = filled(geometry, result, dtype)
        values = []
        for count in (1, 2, 3, 1):
            threads(count)
            values.append(computed(geometry, result, operands))
        assert [bits(value, values[0]) for value in values] == [0] * 4


@pytest.mark.parametrize("case", LARGER, ids=str)
def test_a_sample_has_the_same_bits_in_any_batch(case, products):
    for dtype in (np.float32, np.float64):
        geometry = geometry_of(replace(case, batch=19))
        alone = replace(geometry, batch=1)
        for result, name in (("y", "x"), ("dx", "dy")):
            operands = filled(geometry, result, dtype)
            whole = computed(geometry, result, operands)
            for sample in range(19):
                one = computed(alone, result, {**operands, name: operands[name][sample : sample + 1]})
                assert bits(one[0], whole[sample]) == 0


@pytest.mark.parametrize("result", OPERANDS)
def test_a_group_has_the_same_bits_among_any_groups(result, products):
    geometry = geometry_of(replace(LARGER[1], groups=5))
    operands, alone = filled(geometry, result, np.float32), replace(geometry, groups=1)
    whole = computed(geometry, result, operands)
    for group in range(5):
        some = slice(group, group + 1)
        part = {name: array[some] if name == "w" else array[:, some] for name, array in operands.items()}
        one = computed(alone, result, {name: array.copy() for name, array in part.items()})
        assert bits(one, whole[some] if result == "dw" else whole[:, some]) == 0


# ------------------------------------------------------------------------------------------------- memory, cost, time


@pytest.mark.parametrize("result", OPERANDS)
@pytest.mark.parametrize("count", [1, 2])
def test_no_call_takes_more_memory_than_it_says(result, count, threads):
    threads(count)
    taken = []
    for case in [*LARGER, Case((3000,), (257,), channels=(9, 8)), Case((90, 200), (21, 30), channels=(1, 1), batch=3)]:
        geometry = geometry_of(case)
        for dtype in (np.float32, np.float64):
            for bad in (False, True):
                operands = filled(geometry, result, dtype)
                if bad:
                    next(iter(operands.values())).flat[0] = np.inf
                computed(geometry, result, operands)  # what is computed once and kept
                tracemalloc.start()
                with np.errstate(all="ignore"):
                    value = computed(geometry, result, operands)
                peak = tracemalloc.get_traced_memory()[1] - value.nbytes
                tracemalloc.stop()
                said = sum(size for _, size in fourier.steps(geometry, result, np.dtype(dtype)))
                assert peak <= said, (case, dtype, bad)
                taken.append(peak / said)
    assert max(taken) > 0.1


def test_rooms_that_are_too_small_for_all_make_parts(monkeypatch):
    """Channels, groups and rows a few at a time."""
    for name, size in (("WEIGHTS_ROOM", 2**15), ("ROWS_ROOM", 2**15), ("PIECE", 2**11), ("ROWS_ELEMENTWISE", 2**13)):
        monkeypatch.setattr(choice, name, size)
    choice.scheme.cache_clear()
    for case in LARGER:
        for result in OPERANDS:
            geometry = geometry_of(case)
            operands = filled(geometry, result)
            operands[OPERANDS[result][0]].flat[-1] = np.inf
            with np.errstate(all="ignore"):
                value, expected = computed(geometry, result, operands), direct(geometry, result, operands)
            assert np.allclose(value, expected, equal_nan=True)
    choice.scheme.cache_clear()


def test_the_choice_and_its_cost_do_not_see_the_batch():
    for case in LARGER:
        few, many = geometry_of(replace(case, batch=1)), geometry_of(replace(case, batch=50))
        for result in OPERANDS:
            assert choice.scheme(few, result, 4) == choice.scheme(many, result, 4)
            assert fourier.cost(few, result, 4) == fourier.cost(many, result, 4) > 0


def test_transforms_are_for_large_kernels():
    for side, cheaper in ((3, False), (31, True)):
        geometry = geometry_of(
            Case((112, 112), (side, side), padding=((side // 2, side // 2),) * 2, channels=(64, 64), batch=1)
        )
        for result in OPERANDS:
            assert (fourier.cost(geometry, result) < plans.multiply_adds(geometry)) == cheaper


@pytest.mark.parametrize("count", [1, 2])
def test_an_interrupt_is_heard_between_pieces(count, threads):
    threads(count)
    geometry = geometry_of(Case((3000, 3000), (31, 31), channels=(3, 3), batch=20))
    operands = {name: np.broadcast_to(np.float32(1), geometry.shapes[name]) for name in ("dy", "x")}
    timer = threading.Timer(0.3, _thread.interrupt_main)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        start = perf_counter()
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            computed(geometry, "dw", operands)
        assert perf_counter() - start < 3
    finally:
        signal.signal(signal.SIGINT, before)


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_the_library_is_as_accurate_as_is_assumed(dtype):
    """The spectrum of a unit is a row of twiddle factors, each multiplied once for each step of the transform."""
    for length in (2**4, 3**3, 5**2, 2**3 * 3**2 * 5, 1024, 2187, 3125, 16875):
        for place in (1, length // 3, length - 1):
            unit = np.zeros(length, dtype)
            unit[place] = 1
            spectrum = transforms.forward(unit, (length,))
            turns = np.arange(length // 2 + 1, dtype=np.longdouble) * place % length / length
            angle = -2 * np.pi.__class__(1) * np.longdouble("3.14159265358979323846264338327950288") * turns
            off = np.hypot(spectrum.real - np.cos(angle), spectrum.imag - np.sin(angle)).max()
            assert off <= accuracy._factor((length,), 1, np.dtype(dtype)) / 3


DATA = {
    "normal": lambda fill, shape: fill.normal(size=shape),
    "log-uniform": lambda fill, shape: fill.choice([-1, 1], shape) * 10.0 ** fill.uniform(-12, 12, shape),
    "cancelling": lambda fill, shape: np.where(np.indices(shape)[-1] % 2, 1, -1) * (1 + 1e-3 * fill.normal(size=shape)),
    "tiny": lambda fill, shape: fill.normal(size=shape) * 1e-22,
}
MILLION = [
    Case((1000, 1000), (17, 19), padding=((8, 8), (9, 9)), channels=(1, 1), batch=1),
    Case((180, 180), (15, 15), (1, 1), ((7, 7), (7, 7)), channels=(6, 32), batch=1),
    Case((50_000,), (130,), (1,), ((64, 65),), channels=(2, 20), batch=1),
]


def exactly(geometry, operands):
    """The forward sum of longer numbers: tap by tap, in extended precision."""
    x, w = (operands[name].astype(np.longdouble) for name in "xw")
    x = np.pad(x, ((0, 0),) * 3 + geometry.padding)
    y = np.zeros(geometry.shapes["y"], np.longdouble)
    for tap in np.ndindex(*geometry.kernel):
        place = tuple(slice(t, t + n) for t, n in zip(tap, geometry.outputs, strict=True))
        for c in range(geometry.channels[0]):
            weight = w[(slice(None), slice(None), c, *tap)].reshape(1, 1, -1, *(1,) * geometry.rank)
            y += x[(slice(None), slice(None), slice(c, c + 1), *place)] * weight
    return y


def ratio(geometry, operands, exact, dtype):
    """The largest error against its bound."""
    rounded = {name: array.astype(dtype) for name, array in operands.items()}
    return float((abs(computed(geometry, "y", rounded) - exact) / fourier.bound(geometry, "y", rounded)).max())


@pytest.mark.slow
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("case", MILLION, ids=str)
def test_a_million_outputs_are_within_the_bound(case, data):
    geometry, fill = geometry_of(case), np.random.default_rng(0)
    assert prod(geometry.outputs) * case.channels[1] >= 10**6
    operands = {name: DATA[data](fill, geometry.shapes[name]).astype(np.float32) for name in "xw"}
    exact = exactly(geometry, operands)
    for dtype in (np.float32, np.float64):
        assert 0 < ratio(geometry, operands, exact, dtype) <= 1


def test_errors_lie_within_the_bound_and_mutants_do_not(monkeypatch):
    geometry = geometry_of(replace(LARGER[2], inputs=(70, 80)))
    operands = filled(geometry, "y")
    exact = exactly(geometry, operands)
    assert 1e-4 < ratio(geometry, operands, exact, np.float64) <= 1
    forward = transforms.forward
    with monkeypatch.context() as patch:  # transforms in half the precision
        patch.setattr(
            transforms, "forward", lambda values, lengths: forward(values.astype("f"), lengths).astype("D")
        )
        assert ratio(geometry, operands, exact, np.float64) > 1e3
    with monkeypatch.context() as patch:  # blocks one output longer than their cyclic sums have room for
        patch.setattr(lattice.Axis, "taps", property(lambda axis: axis.kernel - 1))
        patch.setattr(lattice, "_taps", lambda axis, j: (slice(0, axis.kernel - 1), slice(0, axis.kernel - 1)))
        choice.scheme.cache_clear(), lattice.axes_of.cache_clear()
        assert ratio(geometry, operands, exact, np.float64) > 1e3
    choice.scheme.cache_clear(), lattice.axes_of.cache_clear()


@pytest.mark.parametrize("result", OPERANDS)
def test_the_bound_is_below_the_factor_times_the_norms(result):
    for case in LARGER:
        geometry = geometry_of(replace(case, groups=1))
        operands = filled(geometry, result)
        norms = prod(float(np.linalg.norm(array)) for array in operands.values())
        top = fourier.factor(geometry, result, np.dtype("d")) * norms
        assert fourier.bound(geometry, result, operands).max() <= top * (1 + 1e-9)
