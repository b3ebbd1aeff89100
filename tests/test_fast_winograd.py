"""Minimal filtering: within its bound of the direct sum on all data, at every level, with any number of threads."""

from dataclasses import replace

import numpy as np
import pytest

from convsym import kernels, minimal, rounding, scratch, sums
from convsym.arguments import Parameters
from convsym.kernels import levels
from convsym.meaning import resolve
from convsym.minimal import accuracy, depth, filters, gradients, strips

OPERANDS = {"y": ("x", "w"), "dx": ("dy", "w"), "dw": ("dy", "x")}
# Batch, channels in and out, sizes, kernel, padding, groups, dilation.
LAYERS = [
    (2, 3, 5, (20, 21), (3, 3), 1, 1),
    (3, 17, 33, (14, 14), (3, 3), 1, 1),
    (1, 16, 20, (9, 130), (3, 3), ((2, 0), (0, 3)), 1),
    (1, 16, 16, (30, 33), (3, 3), ((-2, 1), (4, -1)), 1),
    (2, 32, 32, (12, 12), (3, 3), 1, 2),
    (1, 1, 1, (3, 3), (3, 3), 0, 1),
    (2, 2, 3, (1, 1), (3, 3), 3, 1),
    (2, 16, 20, (100,), (3,), 1, 1),
    (3, 16, 20, (5, 37), (1, 3), (0, 2), 1),
    (9, 16, 16, (40, 7), (3, 3), 1, 1),
    (2, 16, 20, (17, 22), (3, 3), 2, 1, 2),
    (1, 16, 20, (25, 14), (3, 3), ((5, -2), (0, 3)), 1, (4, 3)),
    (2, 16, 16, (50,), (3,), 3, 1, 3),
    (1, 16, 16, (23, 19), (3, 3), ((4, -1), (-2, 5)), 1, 2),
    (2, 3, 5, (4, 10, 11), (3, 3, 3), 1, 1),
    (1, 17, 20, (5, 9, 14), (2, 3, 3), ((2, -1), (1, 0), (0, 3)), 1),
    (2, 16, 20, (3, 8, 21), (1, 1, 3), (0, 0, 1), 2),
    (1, 16, 16, (9, 11, 12), (3, 3, 3), (2, 3, 2), 1, (2, 3, 1)),
    (1, 2, 3, (1, 5, 5), (5, 3, 3), (2, 1, 1), 1),
]


def geometry_of(batch, into, out, sizes, kernel, padding=1, groups=1, dilation=1):
    parameters = Parameters(1, padding, dilation, groups, "zeros", 1, False, "symmetric")
    shapes = (batch, into, *sizes), (out, into // groups, *kernel)
    return resolve(len(sizes), *shapes, parameters, ("input", "weight"))


def data(geometry, result, dtype="f4", fill="normal", seed=0):
    rng = np.random.default_rng(seed)
    operands = {}
    for name in OPERANDS[result]:
        shape = geometry.shapes[name]
        if fill == "integers":
            array = rng.integers(-4, 5, shape)
        elif fill == "log-uniform":
            array = np.exp(rng.uniform(-30, 30, shape)) * rng.choice([-1, 1], shape)
        elif fill == "tiny":
            array = rng.standard_normal(shape) * (1e-42 if name == OPERANDS[result][-1] else 1e20)
        else:
            array = rng.standard_normal(shape)
        operands[name] = array.astype(dtype)
    if fill == "cancelling":  # every product comes twice, with both signs
        first, second = OPERANDS[result]
        half = operands[first].shape[2] // 2
        if result != "dw" and half and operands[first].shape[2] == 2 * half:
            operands[first][:, :, half:] = operands[first][:, :, :half]
            place = np.index_exp[:, :, half:] if result == "y" else np.index_exp[:, half:]
            source = np.index_exp[:, :, :half] if result == "y" else np.index_exp[:, :half]
            operands[second][place] = -operands[second][source]
    return operands


def computed(geometry, result, operands, m, weights=None):
    out = np.full(geometry.shapes[result], np.nan, next(iter(operands.values())).dtype)
    minimal.run(geometry, result, operands, out, m, weights)
    return out


def exact(geometry, result, operands):
    """The direct sum in float64, or in extended precision where the operands are float64."""
    wide = np.longdouble if next(iter(operands.values())).dtype.char == "d" else np.float64
    if wide is np.float64:
        out = np.zeros(geometry.shapes[result])
        sums.run(geometry, result, {name: array.astype(wide) for name, array in operands.items()}, out)
        return out
    return by_shifts(geometry, result, {name: array.astype(wide) for name, array in operands.items()})


def by_shifts(geometry, result, operands):
    """A second road: a sum over taps of products of matrices, on the padded input."""
    rank = geometry.rank
    margins = [(max(a, 0), max(b, 0)) for a, b in geometry.padding]
    crop = tuple(
        slice(max(-a, 0), size + sum(margin) - max(-b, 0))
        for (a, b), size, margin in zip(geometry.padding, geometry.inputs, margins, strict=True)
    )
    dtype = next(iter(operands.values())).dtype
    x = operands.get("x", np.zeros(geometry.shapes["x"], dtype))
    padded = np.pad(x, [(0, 0)] * 3 + margins)
    inner = padded[(..., *crop)]
    out = np.zeros(geometry.shapes[result], dtype)
    gradient = np.zeros_like(inner)
    for tap in np.ndindex(*geometry.kernel):
        axes = zip(tap, geometry.dilation, geometry.outputs, strict=True)
        window = (..., *(slice(r * step, r * step + size) for r, step, size in axes))
        letters = "abcd"[:rank]
        at = (..., *tap)
        if result == "y":
            out += np.einsum(f"ngi{letters},goi->ngo{letters}", inner[window], operands["w"][at])
        elif result == "dx":
            gradient[window] += np.einsum(f"ngo{letters},goi->ngi{letters}", operands["dy"], operands["w"][at])
        else:
            out[at] = np.einsum(f"ngo{letters},ngi{letters}->goi", operands["dy"], inner[window])
    if result == "dx":
        whole = np.zeros_like(padded)
        whole[(..., *crop)] = gradient
        inside = (slice(a, a + size) for (a, _), size in zip(margins, geometry.inputs, strict=True))
        out = whole[(..., *inside)]
    return out


def excess(geometry, result, operands, m):
    """The largest error in units of the bound."""
    error = abs(computed(geometry, result, operands, m) - exact(geometry, result, operands))
    bound = minimal.bound(geometry, result, operands, m)
    return float(np.max(error / np.maximum(bound, 1e-300)))  # 0 where nothing is summed


# ------------------------------------------------------------------------------------------------------ two roads


@pytest.mark.parametrize("level", levels.usable())
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("layer", LAYERS)
def test_all_rules_are_within_the_bound(layer, dtype, level):
    geometry = geometry_of(*layer)
    assert minimal.serves(geometry, np.dtype(dtype))
    with kernels.using(level):
        for result in OPERANDS:
            operands = data(geometry, result, dtype)
            assert np.allclose(exact(geometry, result, operands), by_shifts(geometry, result, operands), 1e-5, 1e-4)
            for m in (2, 4, 6):
                assert excess(geometry, result, operands, m) <= 1


@pytest.mark.parametrize("result", OPERANDS)
def test_small_integers_come_out_exactly(result):
    """The transforms of F(2, 3) have halves and quarters only, which float64 holds with integers of this size."""
    geometry = geometry_of(2, 16, 16, (13, 18), (3, 3))
    operands = data(geometry, result, "f8", "integers")
    assert np.array_equal(computed(geometry, result, operands, 2), by_shifts(geometry, result, operands))


def test_a_wrong_transform_is_found(monkeypatch):
    """The mutant: the weights of dx are not turned."""
    geometry = geometry_of(2, 16, 16, (13, 18), (3, 3))
    operands = data(geometry, "dx", "f8", "integers")
    right = filters.weights_of

    def unturned(*arguments):
        driver, size = right(*arguments)
        table = driver.table.copy()
        table[[strips.WEIGHTS.index(name) for name in ("first", "start", "row", "column")]] = 0, 0, 1, 1
        return replace(driver, table=table), size

    monkeypatch.setattr(filters, "weights_of", unturned)
    assert not np.array_equal(computed(geometry, "dx", operands, 2), by_shifts(geometry, "dx", operands))
    assert excess(geometry, "dx", operands, 2) > 1


@pytest.mark.parametrize("result", OPERANDS)
def test_a_depth_that_is_read_one_too_deep_is_found(result, monkeypatch):
    """The mutant: planes beside those that the taps read."""
    geometry = geometry_of(1, 16, 16, (4, 10, 11), (3, 3, 3))
    operands = data(geometry, result, "f8", "integers")
    assert np.array_equal(computed(geometry, result, operands, 2), by_shifts(geometry, result, operands))
    right = depth._planes

    def deeper(array, places, depths):
        return right(array, [place + 1 for place in places] if len(places) > 1 else places, depths)

    monkeypatch.setattr(depth, "_planes", deeper)
    assert not np.array_equal(computed(geometry, result, operands, 2), by_shifts(geometry, result, operands))


# --------------------------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize("fill", ["normal", "log-uniform", "cancelling", "tiny"])
@pytest.mark.parametrize("result", OPERANDS)
def test_the_bound_holds_on_hard_data(result, fill):
    geometry = geometry_of(2, 32, 32, (22, 25), (3, 3))
    for m in (2, 4, 6):
        assert excess(geometry, result, data(geometry, result, "f4", fill), m) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("fill", ["normal", "log-uniform", "cancelling"])
@pytest.mark.parametrize("result", OPERANDS)
def test_the_bound_holds_on_a_million_outputs(result, fill):
    geometry = geometry_of(1, 340, 340, (30, 100), (3, 3))
    assert min(np.prod(geometry.shapes[name]) for name in ("y", "x", "w")) > 10**6
    for m in (2, 4, 6):
        assert excess(geometry, result, data(geometry, result, "f4", fill), m) <= 1


def test_a_bound_without_growth_is_found(monkeypatch):
    """The mutant: roundings are counted, but their growth in the transforms is left out."""
    geometry = geometry_of(1, 2, 16, (60, 60), (3, 3))
    operands = data(geometry, "y")
    monkeypatch.setattr(accuracy, "GROWTH", dict.fromkeys(accuracy.GROWTH, (0, 1)))
    monkeypatch.setattr(rounding, "gamma", lambda count, unit: unit)
    accuracy.factor.cache_clear()
    assert excess(geometry, "y", operands, 6) > 1
    monkeypatch.undo()
    accuracy.factor.cache_clear()
    assert excess(geometry, "y", operands, 6) <= 1


def test_a_bound_without_underflow_is_found(monkeypatch):
    geometry = geometry_of(1, 16, 16, (20, 20), (3, 3))
    operands = data(geometry, "y", "f4", "tiny")
    assert excess(geometry, "y", operands, 4) <= 1
    monkeypatch.setattr(accuracy, "_underflow", lambda *_: 1e-300)
    assert excess(geometry, "y", operands, 4) > 1


def test_larger_tiles_have_larger_factors():
    geometry = geometry_of(1, 64, 64, (56, 56), (3, 3))
    for result in OPERANDS:
        small, middle, large = (minimal.factor(geometry, result, m, np.dtype("f4")) for m in (2, 4, 6))
        assert 0 < small < middle < large < 1


# ------------------------------------------------------------------------------------------------ NaN and infinity


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("result", ["y", "dx"])
def test_what_is_not_finite_stays_as_local_as_in_the_direct_sum(result, value):
    geometry = geometry_of(3, 16, 16, (21, 18), (3, 3))
    operands = data(geometry, result)
    first = OPERANDS[result][0]
    operands[first][1, 0, 3, 7, 9] = value
    for m in (2, 4, 6):
        out = computed(geometry, result, operands, m)
        direct = np.zeros_like(out)
        sums.run(geometry, result, operands, direct)
        assert np.array_equal(np.isfinite(out), np.isfinite(direct))
        assert np.array_equal(np.isnan(out), np.isnan(direct))
        touched = {tuple(place) for place in np.argwhere(~np.isfinite(out))[:, [0, 3, 4]].tolist()}
        assert touched <= {(1, i, j) for i in range(6, 9) for j in range(8, 11)}


@pytest.mark.parametrize("layer", [(2, 16, 16, (17, 22), (3, 3), 2, 1, 2), (2, 16, 16, (3, 9, 12), (3, 3, 3))])
@pytest.mark.parametrize("result", OPERANDS)
def test_classes_and_depths_keep_it_local_too(result, layer):
    geometry = geometry_of(*layer)
    operands = data(geometry, result)
    operands[OPERANDS[result][-1]][(0, 0, 3, *[0] * geometry.rank)] = np.inf
    for m in (2, 4, 6):
        out = computed(geometry, result, operands, m)
        direct = np.zeros_like(out)
        sums.run(geometry, result, operands, direct)
        assert np.array_equal(np.isfinite(out), np.isfinite(direct))


def test_a_weight_that_is_not_finite_spoils_its_channel_alone():
    geometry = geometry_of(2, 16, 20, (15, 15), (3, 3))
    operands = data(geometry, "y")
    operands["w"][0, 3, 2, 1, 1] = np.inf
    for m in (2, 4, 6):
        out = computed(geometry, "y", operands, m)
        assert set(np.argwhere(~np.isfinite(out))[:, 2].tolist()) == {3}


def test_a_weight_gradient_is_as_local_as_the_direct_sum():
    geometry = geometry_of(2, 16, 20, (15, 15), (3, 3))
    operands = data(geometry, "dw")
    operands["x"][0, 0, 3, 0, 0] = np.nan
    for m in (2, 4, 6):
        out = computed(geometry, "dw", operands, m)
        assert {tuple(place) for place in np.argwhere(np.isnan(out))[:, [2, 3, 4]].tolist()} == {
            (3, i, j) for i in range(2) for j in range(2)
        }


def test_strips_that_are_not_redone_are_found(monkeypatch):
    geometry = geometry_of(3, 16, 16, (21, 18), (3, 3))
    operands = data(geometry, "y")
    operands["x"][1, 0, 3, 7, 9] = np.nan
    monkeypatch.setattr(minimal, "_redo", lambda *_: None)
    assert np.isnan(computed(geometry, "y", operands, 4)).sum() > 9 * 16


# --------------------------------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("layer", [LAYERS[1], LAYERS[4], LAYERS[9], LAYERS[10], LAYERS[15]])
def test_threads_do_not_change_a_bit(layer, threads):
    geometry = geometry_of(*layer)
    for result in OPERANDS:
        operands = data(geometry, result)
        for m in (2, 4, 6):
            found = []
            for count in range(1, 9):
                threads(count)
                found.append(computed(geometry, result, operands, m))
            assert all(np.array_equal(found[0], other) for other in found[1:])


def test_blocks_of_one_thread_and_of_all_threads_are_both_taken():
    """A single block is shared; many are not: the test above sees both."""
    level, char = kernels.in_use(), "f"
    few, many = geometry_of(1, 64, 64, (28, 28), (3, 3)), geometry_of(32, 64, 64, (56, 56), (3, 3))
    assert filters.filter_of(geometry_of(*LAYERS[1]), "y", 4, char, level, 2).points == 0
    assert any(filters.filter_of(few, "y", 4, char, level, threads).points for threads in range(2, 9))
    assert not any(filters.filter_of(many, "y", 4, char, level, threads).points for threads in range(1, 9))


def test_the_sums_of_dw_depend_on_the_order_of_blocks(monkeypatch):
    """The mutant: blocks as large as threads ask for would change bits, so blocks depend on the geometry alone."""
    geometry = geometry_of(9, 16, 16, (40, 40), (3, 3))
    operands = data(geometry, "dw")
    before = computed(geometry, "dw", operands, 4)
    monkeypatch.setattr(minimal.gradients, "BLOCK", 2**16)
    minimal.gradients.gradient_of.cache_clear()
    after = computed(geometry, "dw", operands, 4)
    minimal.gradients.gradient_of.cache_clear()
    assert not np.array_equal(before, after)


@pytest.fixture
def many_parts(monkeypatch):
    """Sums of dw in as many parts as there can be, of several blocks each."""
    monkeypatch.setattr(minimal.gradients, "TILES", 8)
    monkeypatch.setattr(minimal.gradients, "BLOCK", 2**15)
    minimal.gradients.gradient_of.cache_clear()
    yield
    minimal.gradients.gradient_of.cache_clear()


PARTED = [(9, 16, 16, (40, 40), (3, 3)), (5, 20, 33, (14, 14), (3, 3)), (3, 8, 6, (17, 22), (3, 3), 1, 2), LAYERS[7]]


@pytest.mark.parametrize("layer", PARTED)
def test_parts_of_dw_have_the_same_bits_for_any_threads_and_keep_the_bound(layer, many_parts, threads):
    geometry = geometry_of(*layer)
    operands = data(geometry, "dw")
    for m in (2, 4, 6):
        found = []
        for count in (1, 2, 3, 4, 7, 8, 11):
            threads(count)
            found.append(computed(geometry, "dw", operands, m))
        assert all(np.array_equal(found[0], other) for other in found[1:])
        assert is_near(geometry, m)
        assert excess(geometry, "dw", operands, m) <= 1


def is_near(geometry, m):
    """Whether dw is what the direct sum gives, as near as tiles are in practice: far nearer than the bound."""
    operands = data(geometry, "dw")
    return np.allclose(computed(geometry, "dw", operands, m), exact(geometry, "dw", operands), 1e-3, 1e-1)


def test_both_ways_to_do_parts_are_taken(many_parts):
    level = kernels.in_use()
    made = [minimal.gradients.gradient_of(geometry_of(*PARTED[0]), 2, "f", level, count) for count in (1, 8, 11)]
    assert [len(each.parts) for each in made] == [8, 8, 8]
    assert [each.apart for each in made] == [True, True, False]


def test_a_part_that_is_not_added_is_found(many_parts, monkeypatch):
    def short(name, jobs, numbers):
        return strips.minimal(name, jobs, numbers | {"parts": 7} if name == "kernel" else numbers)

    monkeypatch.setattr(minimal.gradients, "minimal", short)
    assert not is_near(geometry_of(*PARTED[0]), 4)


@pytest.mark.parametrize(("number", "most"), [(1, 2**14), (7, 2**12), (10, 2**12), (15, 2**14)])
def test_channels_are_cut_where_their_sums_are_many(number, most, monkeypatch):
    geometry = geometry_of(*LAYERS[number])
    operands = data(geometry, "dw")
    monkeypatch.setattr(gradients, "MOST", most)
    gradients._cut.cache_clear()
    side, spans = gradients._cut(minimal._innermost(geometry, "dw"), 4, "f", kernels.in_use())
    assert len(spans) > 1
    assert excess(geometry, "dw", operands, 4) <= 1
    # The mutant: the last channel is left out.
    *most, (begin, end) = spans
    monkeypatch.setattr(gradients, "_cut", lambda *_: (side, (*most, (begin, end - 1))))
    assert np.isnan(gradient_of_part(geometry, operands)).any()
    monkeypatch.undo()
    gradients._cut.cache_clear()


def gradient_of_part(geometry, operands):
    """What the weight gradient writes, without the look at what is not finite."""
    out = np.full(geometry.shapes["w"], np.nan, "f4")
    own, given, taken = geometry, operands, minimal._taken(geometry)
    while taken is not None:
        given, own = taken.operands_of(own, "dw", given), taken.inner(own, "dw")
        taken = minimal._taken(own)
    gradients.run(own, given, out.reshape(own.shapes["w"]), 4)
    return out


# --------------------------------------------------------------------------------------------- weights, memory, choice


@pytest.mark.parametrize("layer", [(2, 32, 48, (28, 28), (3, 3)), (2, 16, 20, (3, 9, 14), (3, 3, 3)), LAYERS[4]])
@pytest.mark.parametrize("result", ["y", "dx"])
def test_prepared_weights_give_the_same_bits(result, layer):
    geometry = geometry_of(*layer)
    operands = data(geometry, result)
    for m in (2, 4, 6):
        weights = minimal.prepare_weights(geometry, result, operands["w"], m)
        larger = replace(geometry, batch=2)
        assert np.array_equal(computed(larger, result, operands, m, weights), computed(geometry, result, operands, m))


@pytest.mark.parametrize("result", OPERANDS)
def test_no_more_is_borrowed_than_is_said(result, monkeypatch):
    geometry = geometry_of(2, 32, 48, (28, 28), (3, 3))
    borrowed = []
    right = scratch.borrowed

    def watched(sizes, dtype):
        borrowed.append(sum(sizes))
        return right(sizes, dtype)

    monkeypatch.setattr(scratch, "borrowed", watched)
    for m in (2, 4, 6):
        computed(geometry, result, data(geometry, result), m)
        assert borrowed.pop() <= minimal.workspace(geometry, result, m, "f")


def test_borrowed_arrays_are_apart_and_start_cache_lines():
    with scratch.borrowed((5, 0, 7), np.dtype("f4")) as outer, scratch.borrowed((9,), np.dtype("f8")) as inner:
        every = [*outer, *inner]
        assert [array.size for array in every] == [5, 0, 7, 9]
        assert all(array.ctypes.data % scratch.LINE == 0 for array in every if array.size)
        assert not any(np.may_share_memory(a, b) for i, a in enumerate(every) for b in every[:i])


def test_the_choice_depends_on_no_batch():
    level = kernels.in_use()
    for sizes in ((56, 56), (14, 14), (7, 7)):
        for result in OPERANDS:
            choices = {
                minimal.choose(replace(geometry_of(1, 128, 128, sizes, (3, 3)), batch=batch), result, "f", level)
                for batch in (1, 2, 64)
            }
            assert len(choices) == 1


def test_few_channels_and_few_tiles_are_done_directly():
    level = kernels.in_use()
    for into, out, size in ((1, 64, 56), (3, 64, 224), (2, 2, 8), (8, 8, 7)):
        assert minimal.choose(geometry_of(1, into, out, (size, size), (3, 3)), "y", "f", level) is None
    assert minimal.choose(geometry_of(1, 128, 128, (56, 56), (3, 3)), "y", "f", level) in (4, 6)


def test_what_is_served():
    one = np.dtype("f4")
    assert minimal.serves(geometry_of(1, 4, 4, (8, 8), (3, 3)), one)
    assert minimal.serves(geometry_of(1, 4, 4, (8, 8, 8), (5, 3, 3)), one)
    assert not minimal.serves(geometry_of(1, 4, 4, (8, 8, 8), (3, 1, 1), 0), one)
    assert not minimal.serves(geometry_of(1, 4, 4, (8, 8, 8, 8), (1, 1, 3, 3)), one)
    assert not minimal.serves(geometry_of(1, 4, 4, (8, 8), (5, 5)), one)
    assert not minimal.serves(geometry_of(1, 4, 4, (8, 8), (3, 1)), one)
    assert not minimal.serves(replace(geometry_of(1, 4, 4, (8, 8), (3, 3)), stride=(2, 1)), one)
    assert not minimal.serves(geometry_of(1, 4, 4, (8, 8), (3, 3)), np.dtype("c8"))
