"""Winograd's transforms: derived exactly, verified symbolically, and as accurate as their constant promises."""

import math
import re
import runpy
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from functools import cache
from itertools import combinations
from pathlib import Path
from random import Random
from time import process_time

import numpy as np
import pytest
import sympy

import convsym
from convsym import FormulaError, ShapeError, latex, winograd
from convsym.cooktoom import CANDIDATES, searched
from convsym.tile import KINDS

TILES = [(2, 3), (4, 3), (6, 3), (4, 5), (3, 2)]
CASES = [(m, r, kind) for m, r in TILES for kind in KINDS]
EVERY_CASE = pytest.mark.parametrize(("m", "r", "kind"), CASES)
CLASSIC = [0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2)]
SCRIPT = Path(__file__).parents[1] / "docs" / "examples" / "derive_winograd.py"

# A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016: the transforms as published.
PUBLISHED = {
    (2, 3): (
        "1 1 1 0; 0 1 -1 -1",
        "1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1",
        "1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1",
    ),
    (4, 3): (
        "1 1 1 1 1 0; 0 1 -1 2 -2 0; 0 1 1 4 4 0; 0 1 -1 8 -8 1",
        "1/4 0 0; -1/6 -1/6 -1/6; -1/6 1/6 -1/6; 1/24 1/12 1/6; 1/24 -1/12 1/6; 0 0 1",
        "4 0 -5 0 1 0; 0 -4 -4 1 1 0; 0 4 -4 -1 1 0; 0 -2 -1 2 1 0; 0 2 -1 -2 1 0; 0 4 0 -5 0 1",
    ),
}


def matrix(text):
    return sympy.ImmutableMatrix([[sympy.Rational(entry) for entry in row.split()] for row in text.split(";")])


def products(AT, G, BT):
    """The products as a set of tensors of rank one: neither their order nor the scaling of their factors matters."""
    return {
        tuple(a * g * b for a in AT.col(place) for g in G.row(place) for b in BT.row(place)) for place in range(AT.cols)
    }


def changed(transform, name, row, column):
    """The transform with one wrong entry."""
    entries = getattr(transform, name).as_mutable()
    entries[row, column] += 1
    return replace(transform, **{name: sympy.ImmutableMatrix(entries)})


def entries(transform):
    return [(name, *place) for name in ("AT", "G", "BT") for place in np.ndindex(getattr(transform, name).shape)]


def integers(transform, random):
    return {
        name: np.array([random.randint(-99, 99) for _ in range(math.prod(shape))]).reshape(shape)
        for name, shape in transform.shapes.items()
    }


@cache
def classic(m, r, kind="forward"):
    return winograd(m, r, [*CLASSIC[: m + r - 2], math.inf], kind=kind)


# ---------------------------------------------------------------------------------------------------------- exact


@EVERY_CASE
def test_the_convolution_and_its_gradients_reappear(m, r, kind):
    transform = winograd(m, r, kind=kind)
    proof = transform.verify()
    assert proof.status == "proved"
    assert proof.geometries == 1
    assert transform.multiplications == m + r - 1
    assert transform.direct_multiplications == m * r
    assert classic(m, r, kind).verify()


@pytest.mark.parametrize(("m", "r", "kind"), [case for case in CASES if case[:2] != (6, 3)] + [(6, 3, "forward")])
def test_two_dimensions_reappear(m, r, kind):
    nested = winograd(m, r, kind=kind).nested(2)
    assert nested.verify().status == "proved"
    assert nested.multiplications == (m + r - 1) ** 2
    assert nested.direct_multiplications == (m * r) ** 2


def test_three_dimensions_reappear():
    assert winograd(2, 2).nested(3).verify()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("m", range(1, 5))
@pytest.mark.parametrize("r", range(1, 5))
def test_small_tiles_reappear(m, r, kind):
    assert winograd(m, r, kind=kind).verify()


@pytest.mark.parametrize(("m", "r"), PUBLISHED)
def test_published_matrices_are_the_same_products(m, r):
    expected = [matrix(text) for text in PUBLISHED[m, r]]
    derived = classic(m, r)
    assert products(derived.AT, derived.G, derived.BT) == products(*expected)
    assert replace(derived, AT=expected[0], G=expected[1], BT=expected[2]).verify()
    wrong = changed(derived, "BT", 1, 2)
    assert products(wrong.AT, wrong.G, wrong.BT) != products(*expected)


@pytest.mark.parametrize(("m", "r"), TILES)
def test_the_three_kinds_are_one_decomposition(m, r):
    forward, by_input, by_weight = (classic(m, r, kind) for kind in KINDS)
    assert (by_input.AT, by_input.G, by_input.BT) == (forward.BT.T, forward.G, forward.AT.T)
    assert (by_weight.AT, by_weight.G, by_weight.BT) == (forward.G.T, forward.AT.T, forward.BT)
    assert all(entry.is_Integer for entry in (*forward.AT, *forward.BT))


def test_the_formula_is_the_registered_convolution():
    for rank in (1, 2):
        op = convsym.registry[f"conv{rank}d"]
        symbols = {
            name: np.array(sympy.symbols(f"{name}:{size**rank}")) for name, size in [("x", 4), ("w", 3), ("dy", 2)]
        }
        tiles = {name: values.reshape((round(len(values) ** (1 / rank)),) * rank) for name, values in symbols.items()}
        rules = {"forward": op.formula, "input": op.rules["x"], "weight": op.rules["w"]}
        for kind, rule in rules.items():
            operands = {name: tiles[name] for name in KINDS[kind][1:]}
            own = winograd(2, 3, kind=kind).nested(rank).formula(**operands)
            registered = rule(**{name: tile[None, None] for name, tile in operands.items()})
            assert not (own - registered[0, 0]).any()


@EVERY_CASE
def test_integers_are_exact(m, r, kind):
    random = Random(str((m, r, kind)))
    for transform in (winograd(m, r, kind=kind), winograd(m, r, kind=kind).nested(2)):
        operands = integers(transform, random)
        assert transform(**operands).dtype == np.int64
        assert np.array_equal(transform(**operands), transform.formula(**operands))
        fractions = {name: array * Fraction(1, 7) for name, array in operands.items()}
        assert np.array_equal(transform(**fractions), transform.formula(**fractions))


def test_infinity_stands_anywhere_and_may_be_missing():
    assert winograd(2, 3, [sympy.oo, 5, Fraction(-2, 7), sympy.Rational(1, 3)]).verify()
    assert winograd(2, 3, [0, 1, -1, 2]).verify()


# --------------------------------------------------------------------------------------------------------- mutants


@pytest.mark.parametrize("kind", KINDS)
def test_every_changed_entry_is_refuted(kind):
    right = winograd(2, 3, kind=kind)
    for entry in entries(right):
        assert changed(right, *entry).verify().status == "refuted", entry


@pytest.mark.parametrize(("m", "r", "rank"), [(4, 3, 1), (6, 3, 1), (4, 5, 1), (2, 3, 2)])
def test_changed_entries_of_larger_tiles_are_refuted(m, r, rank):
    right = winograd(m, r)
    for entry in Random(f"{m} {r}").sample(entries(right), 12):
        assert not changed(right, *entry).nested(rank).verify(), entry


def test_the_counterexample_of_a_refutation_is_real():
    for rank in (1, 2):
        for entry in entries(winograd(2, 3)):
            wrong = changed(winograd(2, 3), *entry).nested(rank)
            found = wrong.verify().counterexample
            filled = {name: np.zeros(found.sizes[name], dtype=int) for name in wrong.shapes}
            for name, place, value in re.findall(r"(\w+)\[([\d, ]+)\] = (\d+)", found.fill):
                filled[name][tuple(map(int, place.split(",")))] = int(value)
            assert wrong.formula(**filled)[found.index] == found.expected
            assert wrong(**filled)[found.index] == found.claimed != found.expected


# -------------------------------------------------------------------------------------------------------- accuracy


def test_the_constant_by_hand():
    # F(2, 3) at 0, 1, -1, ∞: rows of G sum to 1, 3/2, 3/2, 1, rows of BT to 2 each; three of them reach each output.
    assert winograd(2, 3).growth == 2 * (1 + sympy.Rational(3, 2) + sympy.Rational(3, 2))
    assert winograd(2, 3).amplification == sympy.Rational(8, 3)
    assert classic(4, 3).amplification == 16
    assert winograd(4, 3).amplification == sympy.Rational(22, 3)
    assert winograd(4, 3).nested(2).amplification == sympy.Rational(22, 3) ** 2
    assert winograd(1, 1).amplification == 1


@EVERY_CASE
def test_the_constant_is_what_operands_can_reach_and_no_scaling_changes_it(m, r, kind):
    transform = winograd(m, r, kind=kind)
    scaled = replace(
        transform,
        AT=transform.AT * sympy.diag(*range(1, m + r)),
        G=sympy.diag(*range(1, m + r)).inv() * transform.G,
    )
    assert scaled.verify()
    assert scaled.amplification == transform.amplification >= 1
    magnitudes = replace(
        transform, **{name: sympy.ImmutableMatrix(abs(getattr(transform, name))) for name in ("AT", "G", "BT")}
    )
    ones = {name: np.ones(shape, dtype=int) for name, shape in transform.shapes.items()}
    assert magnitudes(**ones).max() == transform.growth
    nested = {name: np.ones(shape, dtype=int) for name, shape in transform.nested(2).shapes.items()}
    assert magnitudes.nested(2)(**nested).max() == transform.nested(2).growth


@EVERY_CASE
def test_no_other_points_of_the_candidates_are_better(m, r, kind):
    transform = winograd(m, r, kind=kind)
    assert transform.amplification <= classic(m, r, kind).amplification
    assert set(transform.points) >= {0, sympy.oo}
    finite = [Fraction(p, q) for p, q in CANDIDATES[:-2]]
    sets = list(combinations(finite, m + r - 3))
    for chosen in Random(f"{m} {r} {kind}").sample(sets, 20):
        other = winograd(m, r, [0, *chosen, math.inf], kind=kind)
        assert transform.amplification <= other.amplification


def test_the_search_takes_the_first_of_the_best_in_the_stated_order():
    finite = [Fraction(p, q) for p, q in CANDIDATES[:-2]]
    sets = [[0, *chosen, math.inf] for chosen in combinations(finite, 2)]
    for kind in KINDS:
        first = min(sets, key=lambda points: winograd(2, 3, points, kind=kind).growth)
        assert winograd(2, 3, kind=kind) == winograd(2, 3, first, kind=kind)


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@EVERY_CASE
def test_measured_errors_stay_within_the_bound(m, r, kind, dtype, rank):
    random = np.random.default_rng([m, r, rank])
    for transform in (winograd(m, r, kind=kind).nested(rank), classic(m, r, kind).nested(rank)):
        worst = 0
        for draw in range(40 if rank == 1 else 2):
            spread = random.uniform if draw % 2 else lambda low, high, shape: random.choice([low, high], shape)
            operands = {name: spread(-1, 1, shape).astype(dtype) for name, shape in transform.shapes.items()}
            exact = {name: np.vectorize(Fraction, otypes=[object])(a.astype(float)) for name, a in operands.items()}
            result = transform(**operands)
            assert result.dtype == dtype
            worst = max(worst, *np.abs(result.astype(float) - transform.formula(**exact)).flat)
        assert worst <= transform.error_bound(dtype)
        assert rank == 2 or worst > transform.error_bound(dtype) / 1000  # the bound is no empty promise


def test_a_much_smaller_constant_is_a_smaller_error():
    random = np.random.default_rng(7)
    best, usual = winograd(8, 3), winograd(8, 3, [*CLASSIC, 4, -4, math.inf])
    assert best.amplification < usual.amplification / 3
    squares = {best: 0, usual: 0}
    for _ in range(100):
        operands = {name: random.uniform(-1, 1, shape).astype("float32") for name, shape in best.shapes.items()}
        exact = best.formula(**{name: array.astype("float64") for name, array in operands.items()})
        for transform in squares:
            squares[transform] += ((transform(**operands) - exact) ** 2).sum()
    assert squares[best] < squares[usual]


def test_a_bound_that_is_too_small_is_violated():
    transform = classic(6, 3)
    random = np.random.default_rng(3)
    direct = np.finfo("float32").eps / 2 * 3
    errors = []
    for _ in range(200):
        operands = {name: random.uniform(-1, 1, shape).astype("float32") for name, shape in transform.shapes.items()}
        exact = transform.formula(**{name: array.astype("float64") for name, array in operands.items()})
        errors.append(np.abs(transform(**operands) - exact).max())
    assert max(errors) > direct


@EVERY_CASE
def test_the_search_is_quick(m, r, kind):
    searched.cache_clear()
    start = process_time()
    winograd(m, r, kind=kind)
    assert process_time() - start < 2


# ----------------------------------------------------------------------------------------------- counts and printing


def test_counts_of_the_transforms_as_written():
    assert classic(2, 3).operations == {"AT": (4, 0), "G": (4, 6), "BT": (4, 0)}
    assert classic(2, 3).additions == 12
    # Along two axes: a 4×4 input has 4 columns and 4 rows, a 3×3 kernel 3 columns, then 4 rows; the products 4 and 2.
    assert classic(2, 3).nested(2).operations == {"AT": (24, 0), "G": (28, 42), "BT": (32, 0)}


def test_it_prints_what_it_is():
    text = str(winograd(4, 3, kind="input").nested(2))
    assert text.startswith("F(4, 3) along 2 axes, input gradient: dx[i0, i1] += dy[i0 - r0, i1 - r1]*w[r0, r1]\n")
    assert "36 multiplications instead of 144" in text
    assert "BT = [" in text


def test_latex_shows_the_three_matrices():
    lines = latex(winograd(2, 3)).splitlines()
    assert lines[0] == r"\begin{aligned}"
    assert lines[1] == r"y &= A^\top \left[ (G w) \odot (B^\top x) \right] \\"
    assert lines[2] == r"A^\top &= \left[\begin{matrix}1 & 1 & 1 & 0\\0 & 1 & -1 & 1\end{matrix}\right] \\"
    assert lines[3].startswith("G &= ")
    assert lines[4].startswith(r"B^\top &= ")
    nested = latex(winograd(2, 3, kind="weight").nested(2)).splitlines()[1]
    assert nested == (
        r"\mathrm{d}w &= (A^\top)^{\otimes 2} \left[ ((G)^{\otimes 2} \mathrm{d}y) "
        r"\odot ((B^\top)^{\otimes 2} x) \right] \\"
    )


def test_it_cannot_be_changed():
    transform = winograd(2, 3)
    with pytest.raises(FrozenInstanceError):
        transform.G = transform.BT
    with pytest.raises(TypeError):
        transform.G[0, 0] = 2
    assert transform == winograd(2, 3)
    assert hash(transform) == hash(winograd(2, 3))


# ------------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: winograd(0, 3), ShapeError, "winograd: m is 0; it is an integer, at least 1"),
        (lambda: winograd(2, -1), ShapeError, "winograd: r is -1; it is an integer, at least 1"),
        (lambda: winograd(2.0, 3), ShapeError, "winograd: m is 2.0; it is an integer, at least 1"),
        (lambda: winograd(2, True), ShapeError, "winograd: r is True; it is an integer, at least 1"),
        (
            lambda: winograd(2, 3, kind="foward"),
            FormulaError,
            "the kind 'foward' is unknown\n  did you mean 'forward'?",
        ),
        (
            lambda: winograd(2, 3, [0, 1, -1]),
            ShapeError,
            "m + r − 1 = 4 points are needed, 3 are given; add math.inf, the point of the leading coefficient",
        ),
        (lambda: winograd(2, 3, [0, 1, -1, 2, 3, 4]), ShapeError, "m + r − 1 = 4 points are needed, 6 are given"),
        (lambda: winograd(2, 3, [0, 1, 1, math.inf]), FormulaError, "the point 1 is there twice; points are different"),
        (
            lambda: winograd(2, 3, [0, Fraction(1, 2), sympy.Rational(2, 4), 3]),
            FormulaError,
            "the point 1/2 is there twice",
        ),
        (lambda: winograd(2, 3, [0, 1, math.inf, sympy.oo]), FormulaError, "the point oo is there twice"),
        (
            lambda: winograd(2, 3, [0, 0.5, 1, -1]),
            FormulaError,
            "winograd: the point 0.5 is not exact; give integers or Fractions\n  write Fraction('0.5')",
        ),
        (
            lambda: winograd(2, 3, [0, 1, "2", -1]),
            FormulaError,
            "the point '2' is not exact; give integers or Fractions",
        ),
        (lambda: winograd(2, 3, [0, 1, True, -1]), FormulaError, "the point True is not exact"),
        (lambda: winograd(2, 3, 4), FormulaError, "winograd: points is 4; it is a sequence of 4 integers or Fractions"),
        (lambda: winograd(16, 8), ShapeError, "winograd: F(16, 8) needs 23 points, the search knows 20; give points="),
        (lambda: winograd(2, 3).nested(0), ShapeError, "winograd: rank is 0; it is an integer, at least 1"),
        (
            lambda: winograd(2, 3)(w=[1, 2, 3], x=[1, 2]),
            ShapeError,
            "F(2, 3) takes w of shape (3,) and x of shape (4,), not w of shape (3,) and x of shape (2,)",
        ),
        (
            lambda: winograd(2, 3)(w=[1, 2, 3]),
            ShapeError,
            "F(2, 3) takes w of shape (3,) and x of shape (4,), not w of",
        ),
        (lambda: winograd(2, 3)(), ShapeError, "and x of shape (4,), not nothing"),
        (
            lambda: winograd(1, 1)(w=[True], x=[False]),
            FormulaError,
            "the operands hold bool; a tile is computed on numbers",
        ),
        (
            lambda: winograd(2, 3).error_bound("int32"),
            ShapeError,
            "error_bound: dtype is int32; it is a float type, integers are exact",
        ),
    ],
)
def test_errors_are_sentences(call, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        call()


# -------------------------------------------------------------------------------------------------------- the script


@pytest.mark.slow
def test_the_script_derives_f43_from_scratch(capsys):
    runpy.run_path(str(SCRIPT), run_name="__main__")
    text = capsys.readouterr().out
    assert "y[3] = w0*x3 + w1*x4 + w2*x5\n" in text
    assert text.count("verify: proved") == 4
    assert "with BT[1, 2] + 1: refuted: sizes w (3,), x (6,), y (4,); at index (0,) the true value is 0" in text
    assert "searched points 0, 2, -2, 1/2, -1/2, oo: amplification 7.33\n" in text
    assert "36 products instead of 144\n" in text
