"""Spectral norms against NumPy's norm of the matrix that plain loops give."""

import sys
from dataclasses import replace
from functools import cache
from math import prod

import numpy as np
import pytest
from matrices import Layer, layers

from convsym import ShapeError, cycles, linear_operator, norms, spectral_norm

W = np.array([[[1.0, 2.0, -3.0]], [[0.5, 1.0, 4.0]]])


def true_norm(layer, weight):
    return np.linalg.norm(layer.matrix(weight)[0].astype(np.complex128), 2)


def sample(count, ranks=(1, 2), seed=11):
    """Random layers with real and complex weights, and their norms."""
    for place, layer in enumerate(layers(count, ranks, seed)):
        weight = layer.weight(("f8", "c16", "f4", "i8", "c8")[place % 5])
        yield layer, weight, true_norm(layer, weight)


@cache
def cases():
    """120 layers of one and two axes with their weights, true norms, and what is found."""
    return [(*case, _found(case)) for case in sample(120)]


def _found(case):
    layer, weight, _ = case
    return spectral_norm(weight, layer.input_shape, **layer.knobs, tolerance=1e-12)


def violations():
    """Layers whose norm is outside of the bounds, computed anew."""
    for layer, weight, truth, _ in cases():
        found = _found((layer, weight, truth))
        if not found.lower <= truth <= found.upper:
            yield layer


def test_the_norm_is_within_its_bounds():
    assert [case for case in cases() if not case[3].lower <= case[2] <= case[3].upper] == []


def test_the_value_is_the_norm():
    for _, _, truth, found in cases():
        assert found.lower <= found.value <= found.upper
        assert abs(found.value - truth) <= (1e-12 if found.exact else 1e-10) * truth
        assert found.value - found.lower <= 1e-9 * truth


def test_upper_bounds_are_no_idle_words():
    """Within 40 % for zeros, and within a factor of 3 for every mode, though all of these layers are tiny."""
    for layer, _, truth, found in cases():
        assert found.upper <= (1.4 if layer.padding_mode == "zeros" else 3) * truth + 1e-10


def test_layers_of_more_axes():
    small = [layer for layer in layers(60, ranks=(3, 4, 5)) if prod(layer.inputs) <= 16 and not layer.batch]
    assert {layer.rank for layer in small} == {3, 4, 5}
    for layer in small[:8]:
        weight = layer.weight(np.float64)
        truth = true_norm(layer, weight)
        found = _found((layer, weight, truth))
        assert found.lower <= truth <= found.upper
        assert abs(found.value - truth) <= 1e-10 * truth


@pytest.mark.slow
def test_the_norm_is_within_its_bounds_for_many_layers():
    for layer, weight, truth in sample(2000, ranks=(1, 2), seed=12):
        found = spectral_norm(weight, layer.input_shape, **layer.knobs)
        assert found.lower <= truth <= found.upper, layer


# ------------------------------------------------------------------- mutants: bounds that must fail


def test_a_bound_that_forgets_repeated_elements_fails(monkeypatch):
    right = cycles.cycle
    monkeypatch.setattr(norms, "cycle", lambda geometry, axis: replace(right(geometry, axis), copies=1))
    assert next(violations()).padding_mode != "zeros"


def test_a_bound_on_too_short_a_cycle_fails(monkeypatch):
    monkeypatch.setattr(cycles, "_rounded_up", lambda count, unit: max(count // unit, 1) * unit)
    assert next(violations(), None) is not None


def test_a_bound_that_mixes_up_residue_classes_fails(monkeypatch):
    right = cycles.cycle

    def mixed(geometry, axis):
        found = right(geometry, axis)
        return replace(found, residues=np.where(found.residues < 0, -1, 0))

    monkeypatch.setattr(norms, "cycle", mixed)
    monkeypatch.setattr(norms, "_product", lambda operator: np.inf)
    assert any(not case[2] <= _found(case[:3]).upper <= 3 * case[2] + 1e-10 for case in cases())


def test_each_of_the_two_upper_bounds_holds_by_itself(monkeypatch):
    for bound in ("_product", "largest"):
        with monkeypatch.context() as patch:
            patch.setattr(norms, bound, lambda *arguments: np.inf)
            for layer, weight, truth, _ in cases()[:30]:
                assert _found((layer, weight, truth)).upper >= truth, bound


# ------------------------------------------------------------------- exact ones


EXACT = [
    Layer((8,), (3,), (1, 1), padding=((1, 1),), padding_mode="circular"),
    Layer((9,), (4,), (2, 3), padding=((0, 3),), padding_mode="circular"),
    Layer((5,), (4,), (2, 2), 3, dilation=(3,), padding=((9, 0),), padding_mode="circular"),
    Layer((8,), (3,), (2, 1), stride=(2,), padding=((1, 0),), padding_mode="circular"),
    Layer((9,), (5,), (2, 2), 2, 2, stride=(3,), dilation=(2,), padding=((4, 2),), padding_mode="circular"),
    Layer((4,), (3,), (2, 2), padding=((5, 5),), padding_mode="circular"),  # 3 times round
    Layer((5,), (3,), (1, 2), stride=(2,), padding=((3, 4),), padding_mode="circular"),  # the stride goes round twice
    Layer((4, 6), (3, 3), (2, 3), padding=((1, 1), (2, 0)), padding_mode="circular"),
    Layer((4, 6), (2, 3), (3, 2), stride=(2, 3), padding=((0, 0), (0, 0)), padding_mode="circular"),
    Layer((4, 6), (3, 5), (3, 2), stride=(2, 3), padding=((1, 0), (1, 1)), padding_mode="circular", flip=True),
    Layer((3, 2, 4), (2, 2, 3), (2, 2), padding=((1, 0), (0, 1), (1, 1)), padding_mode="circular"),
    Layer((7,), (3,), (2, 2), padding=((-2, 2),), padding_mode="circular"),
    Layer((7,), (1,), (4, 3)),
    Layer((8, 6), (2, 3), (2, 3), stride=(2, 3)),
    Layer((8, 6), (2, 3), (2, 3), 2, stride=(2, 3), flip=True, batch=2),
    Layer((4,), (1,), (2, 3), input_dilation=(2,), padding=((0, 1),)),
]


@pytest.mark.parametrize("layer", EXACT, ids=lambda layer: f"{layer.inputs} {layer.kernel} {layer.padding_mode}")
@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_exact_norms_are_exact(layer, dtype):
    weight = layer.weight(dtype)
    found = spectral_norm(weight, layer.input_shape, **layer.knobs)
    truth = true_norm(layer, weight)
    assert found.exact
    assert abs(found.value - truth) <= 1e-12 * truth
    assert found.lower <= truth <= found.upper
    assert found.upper - found.lower <= 1e-10 * truth


def test_what_is_not_known_to_be_exact_is_not_called_so():
    assert not spectral_norm(W, (1, 6)).exact
    assert not spectral_norm(W, (1, 6), padding=1, padding_mode="replicate").exact
    assert not spectral_norm(W, (1, 6), padding=2, padding_mode="circular").exact


def test_the_transposed_layer_has_the_norm_of_the_layer():
    weight = np.random.default_rng(0).standard_normal((4, 2, 3, 3))
    knobs = dict(stride=2, padding=1, groups=2, padding_mode="circular")
    forth = spectral_norm(weight, (4, 5, 5), **knobs)
    back = spectral_norm(weight, (4, 3, 3), **knobs, transposed=True)
    assert linear_operator(weight, (4, 3, 3), **knobs, transposed=True).shape == (100, 36)
    assert back == forth
    assert back.exact is False
    patches = spectral_norm(weight[..., :2, :2], (4, 3, 3), stride=2, groups=2, transposed=True)
    assert patches.exact
    each = [np.linalg.norm(part.reshape(2, 8), 2) for part in np.split(weight[..., :2, :2], 2)]
    assert np.isclose(patches.value, max(each), rtol=1e-13)


def test_the_norm_over_groups_is_the_greatest():
    parts = np.random.default_rng(1).standard_normal((3, 2, 2, 3))
    each = [spectral_norm(part, (2, 7), padding=1, padding_mode="circular").value for part in parts]
    knobs = dict(padding=1, padding_mode="circular", groups=3)
    assert np.isclose(spectral_norm(parts.reshape(6, 2, 3), (6, 7), **knobs).value, max(each), rtol=1e-13)


def test_little_room_gives_the_same(monkeypatch):
    layer = Layer((6, 5), (3, 2), (3, 2), padding=((1, 1), (1, 0)), padding_mode="circular")
    for dtype in ("f8", "c16"):
        weight = layer.weight(dtype)
        whole = spectral_norm(weight, layer.input_shape, **layer.knobs)
        monkeypatch.setattr(cycles, "_ROOM", 1)
        assert np.isclose(spectral_norm(weight, layer.input_shape, **layer.knobs).value, whole.value, rtol=1e-14)
        monkeypatch.undo()


def test_an_iteration_with_little_room_starts_anew(monkeypatch):
    weight = np.random.default_rng(2).standard_normal((3, 2, 3, 3))
    whole = spectral_norm(weight, (2, 6, 6), tolerance=1e-12)
    monkeypatch.setattr(norms, "_BASIS", 0)
    short = spectral_norm(weight, (2, 6, 6), steps=2)
    assert short.lower < whole.value <= short.upper == whole.upper
    assert np.isclose(spectral_norm(weight, (2, 6, 6), steps=400, tolerance=1e-4).value, whole.value, rtol=1e-6)


def test_an_iteration_ends_where_it_has_settled(monkeypatch):
    calls = []
    right = norms._orthogonal
    monkeypatch.setattr(norms, "_orthogonal", lambda *arguments: calls.append(0) or right(*arguments))
    weight = np.random.default_rng(2).standard_normal((3, 2, 3, 3))
    counts = []
    for tolerance in (0.5, 1e-9):
        calls.clear()
        spectral_norm(weight, (2, 9, 9), tolerance=tolerance)
        counts.append(len(calls))
    assert 0 < counts[0] < counts[1] <= 200


@pytest.mark.parametrize("exponent", [-1060, -300, 300, 1020])
def test_neither_huge_nor_tiny_weights_go_astray(exponent):
    for mode in ("circular", "zeros"):
        one = spectral_norm(W, (1, 6), padding=1, padding_mode=mode)
        other = spectral_norm(np.ldexp(W, exponent), (1, 6), padding=1, padding_mode=mode)
        assert np.isclose(np.ldexp(one.value, exponent), other.value, rtol=1e-3 if exponent < -1000 else 1e-14)
        assert other.lower <= other.value <= other.upper


def test_a_norm_beyond_all_numbers_has_a_lower_bound():
    found = spectral_norm(np.full((4, 4, 3), sys.float_info.max), (4, 6), padding=1, padding_mode="circular")
    assert found.lower == found.value == sys.float_info.max
    assert found.upper == np.inf


@pytest.mark.parametrize("weight", [np.zeros((2, 1, 3)), np.zeros((0, 1, 3))])
def test_nothing_has_norm_zero(weight):
    assert spectral_norm(weight, (1, 6)) == norms.SpectralNorm(0.0, 0.0, 0.0, True)
    assert spectral_norm(W, (0, 1, 6)).upper == 0
    assert spectral_norm(W[:, :0], (0, 6)).upper == 0


def test_it_is_a_number():
    found = spectral_norm(np.full((1, 1, 1), -3), (1, 5))
    assert float(found) == found.value == 3.0
    assert prod(spectral_norm(np.full((1, 1, 1), 2, np.float16), (5, 1, 5)).upper for _ in range(2)) < 4.001


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: spectral_norm(W.astype(object), (1, 5)), TypeError,
            "weight has dtype object, and a spectral norm is computed in floating point; "
            "give weight.astype(np.float64)",
        ),
        (
            lambda: spectral_norm(W * np.nan, (1, 5)), ShapeError,
            "weight has a NaN or an infinity, and a spectral norm needs finite numbers; "
            "np.isfinite(weight) shows where",
        ),
        (
            lambda: spectral_norm(W, (1, 5), steps=0), ShapeError, "steps is 0, and it must be at least 1",
        ),
        (
            lambda: spectral_norm(W, (1, 5), tolerance=-1.0), ShapeError,
            "tolerance is -1.0, and it must be at least 0",
        ),
        (
            lambda: spectral_norm(W, (2, 5)), ShapeError,
            "weight has shape (2, 1, 3), so it expects 1 input channels with groups=1, but input_shape has shape "
            "(2, 5) with 2; weight.shape[1] must be 2",
        ),
    ],
)  # fmt: skip
def test_every_error_is_a_sentence(call, error, sentence):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == sentence
