"""Boundary modes written out in affine pieces: exact on every position, proved, and wrong pieces refuted."""

import time
from dataclasses import replace
from itertools import product

import pytest
import sympy
from folding import MODES, Folded
from plain import Plain, filled
from sympy import symbols
from test_formula import assert_says

from convsym import Formula, FormulaError, boundary_pieces, latex, mathml, prove, solver, vjp
from convsym.boundary import MODES as DEFINED
from convsym.evaluation import compiled
from convsym.obligations import assumptions, piece_statements, same_relation, sizes_of

E, N = symbols("e n")
TEXTS = [
    *(f"y[i] += x[{mode}(s*i + d*r - p)]*w[r]" for mode in MODES),
    "y[i] += x[circular(i - 1)] - 2*x[i] + x[reflect(i + 1)]",
    "y[i] += x[symmetric(p - i)]*x[i]",
    "y[i] += x[reflect(2*i - r)]**2*w[r]",
    "y[i, j] += x[reflect(i + r - p), circular(j + q - p)]*w[r, q]",
    "y[circular(s*i + r)] += x[i]*w[r]",
    "y[i] += where(x[reflect(i - 1)] > x[i], x[i], 0)",
]
WHAT = [(text, wrt) for text in TEXTS for wrt in (None, "x", "w") if wrt is None or f"{wrt}[" in text]


def made(text, wrt):
    return Formula(text) if wrt is None else vjp(Formula(text), wrt)


# ------------------------------------------------------------------------------------------------- every position


@pytest.mark.parametrize("mode", MODES)
def test_every_position_lies_on_one_piece_which_takes_it_where_the_mode_does(mode):
    parts = [
        ([compiled(c, True) for c in piece.contains(E)], compiled(piece.value(E), True), piece.fold)
        for piece in boundary_pieces(mode)
    ]
    for size, position in product(range(1, 7), range(-12, 13)):
        found = []
        for (conditions, value, numbered), fold in product(parts, range(-15, 16)):
            env = {"e": position, "n": size, "fold": fold}
            if (fold == 0 or numbered is not None) and all(condition(env) for condition in conditions):
                found.append(value(env))
        assert found == [MODES[mode](position, size)], (size, position)


@pytest.mark.parametrize("text, wrt", WHAT)
def test_the_pieces_add_up_to_what_is_folded(text, wrt):
    what = made(text, wrt)
    plain = Folded(str(what)) if wrt is None else Folded(str(what.scatter))
    parts = boundary_pieces(what)
    for seed, size in enumerate((1, 2, 3, 5)):
        extents = {name: 1 + (place + seed) % 3 for place, name in enumerate(sorted(plain.indices))}
        if "x[i]" in text:
            extents["i"] = size
        shapes = plain.shapes(extents, other=size)
        shapes |= {name: (size,) * len(shape) for name, shape in shapes.items() if folded_into(text, name)}
        values = {name: 1 + (place + seed) % 3 for place, name in enumerate(sorted(what.parameters))}
        arrays = filled({name: shapes[name] for name in plain.operands}, seed)
        want = plain(arrays, shapes[what.output], values)
        env = values | {f"{name}.shape[{axis}]": n for name, s in shapes.items() for axis, n in enumerate(s)}
        for form in ("scatter", "formula"):
            total = 0
            for part in parts:
                reader = Plain(str(getattr(part, form)))
                for folds in product(*(reached(ends, env) for ends in part.reach)):
                    numbers = values | dict(zip(part.folds, folds, strict=True))
                    total = total + reader(arrays, shapes[what.output], numbers)
            assert (total == want).all(), (form, size)


def reached(ends, env):
    """Numbers of the periods that positions lie in; none where the period is 0, as that of reflect on one element."""
    period = compiled(ends[0].args[1], True)(env)
    first, last = (compiled(end.args[0], True)(env) // max(period, 1) for end in ends)
    return range(first, last + 1) if period else (0,)


def folded_into(text, name):
    """Whether an array (or its cotangent, or gradient) is one that the formula folds positions into."""
    return name in (("y", "dy") if text.startswith("y[circular") else ("x", "dx"))


@pytest.mark.parametrize("mode", ["circular", "reflect", "symmetric"])
def test_the_folds_that_are_reached(mode):
    """Positions -p … s*(I - 1) + d*(R - 1) - p lie in the periods that the reach says."""
    period = {"circular": 5, "reflect": 8, "symmetric": 10}[mode]
    part = boundary_pieces(Formula(f"y[i] += x[{mode}(s*i + d*r - p)]*w[r]"))[-1]
    first, last = part.reach[0]
    env = {"s": 2, "d": 3, "p": 7, "y.shape[0]": 6, "w.shape[0]": 4, "x.shape[0]": 5}
    ends = [compiled(end, True)(env) for end in (first, last)]
    positions = [2 * i + 3 * r - 7 for i in range(6) for r in range(4)]
    assert ends == [min(positions) // period, max(positions) // period]


# ----------------------------------------------------------------------------------------------------- proofs


@pytest.mark.parametrize("text, wrt", WHAT[:14])
def test_pieces_are_proved_with_the_rule(text, wrt):
    pytest.importorskip("z3")
    proof = prove(made(text, wrt))
    names = [o.name for o in proof.obligations if o.name.startswith("boundary")]
    assert proof.status == "proved", proof.reason
    assert sum("disjoint, exhaustive and inside" in name for name in names) == sum(mode in text for mode in MODES)
    assert any("the adjoint on each piece" in name for name in names) == (wrt == "x")


def verdicts(mode, parts):
    expr = DEFINED[mode](E, N)
    found = [solver.valid([sympy.Ge(N, 1)], s, time.monotonic() + 5) for s in piece_statements(expr, parts)]
    return {verdict.status for verdict in found}


@pytest.mark.parametrize("mode", MODES)
def test_the_pieces_of_a_mode_are_proved(mode):
    pytest.importorskip("z3")
    assert verdicts(mode, boundary_pieces(mode)) == {"proved"}


def wrong_pieces():
    """Every piece changed in every way, and the pieces of another mode."""
    for mode in MODES:
        parts = boundary_pieces(mode)
        for place, piece in enumerate(parts):
            changes = {"offset by one": {"offset": piece.offset + 1}, "other direction": {"slope": -piece.slope or 1}}
            for end in ("lower", "upper"):
                if getattr(piece, end) is not None:
                    changes[f"{end} end one later"] = {end: getattr(piece, end) + 1}
                    changes[f"{end} end one earlier"] = {end: getattr(piece, end) - 1}
            if piece.when != sympy.true and piece.slope != -1:  # on one element the piece of slope -1 is empty
                changes["for every size"] = {"when": sympy.true}
            for name, change in changes.items():
                if None not in (piece.lower, piece.upper) or "slope" not in change:
                    changed = replace(piece, **change)
                    yield f"{mode} {place} {name}", mode, (*parts[:place], changed, *parts[place + 1 :])
            yield f"{mode} without {place}", mode, parts[:place] + parts[place + 1 :]
    for one, other in product(MODES, MODES):
        if one != other:
            yield f"{one} as {other}", one, boundary_pieces(other)


WRONG = {name: (mode, parts) for name, mode, parts in wrong_pieces() if parts}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_pieces_are_refuted(name):
    pytest.importorskip("z3")
    assert "refuted" in verdicts(*WRONG[name])


@pytest.mark.parametrize(
    "mode, old, new",
    [
        ("circular", "+ p", "- p"),
        ("circular", "dx.shape[0]*fold", "dx.shape[0]*fold + 1"),
        ("symmetric", "2*dx.shape[0]*fold", "dx.shape[0]*fold"),
        ("reflect", "j >= 1", "j >= 0"),
        ("reflect", "j < dx.shape[0] - 1", "j < dx.shape[0]"),
        ("reflect", "- j", "- j - 1"),
        ("replicate", "- p < 0", "- p < 1"),
    ],
)
def test_a_wrong_adjoint_on_a_piece_is_refuted(mode, old, new):
    pytest.importorskip("z3")
    rule = vjp(Formula(f"y[i] += x[{mode}(s*i + d*r - p)]*w[r]"), "x")
    part = next(p for p in reversed(boundary_pieces(rule)) if old in str(p.formula))
    text = str(part.formula).replace(old, new)
    ranges = {"i": "dy.shape[0]"} if "where(s*i" in text else None
    sizes = sizes_of(rule.parent, "x")
    given = [*assumptions(rule.parent), sympy.Ge(sympy.Symbol("x.shape[0]"), 1)]
    sides = (part.formula, Formula(text, ranges=ranges))
    found = [same_relation(part.scatter, side, sizes, sizes, given, time.monotonic() + 9).status for side in sides]
    assert found == ["proved", "refuted"]


# ----------------------------------------------------------------------------------------------- said and printed


def test_pieces_are_printed():
    assert [str(piece) for piece in boundary_pieces("replicate")] == [
        "0 where e < 0",
        "n - 1 where e >= n",
        "e where e >= 0 and e < n",
    ]
    (part,) = boundary_pieces(vjp(Formula("y[i] += x[circular(i + r - p)]*w[r]"), "x"))
    assert str(part) == "dx[j] += dy[j + dx.shape[0]*fold + p - r]*w[r]  for every integer fold"
    assert part._repr_latex_() == f"$${latex(part)}$$"
    assert latex(part) == latex(part.formula)
    assert mathml(part) == mathml(part.formula)


def test_a_fold_is_named_apart_from_the_names_of_the_formula():
    (part,) = boundary_pieces(Formula("y[i] += x[circular(i + fold)]"))
    assert part.folds == ("fold0",)


def test_a_formula_without_folds_is_its_terms():
    (first, second) = boundary_pieces(Formula("y[i] += x[i] - 2*x[i + 1]"))
    assert (first.pieces, first.folds, str(second)) == ((), (), "y[i] += -2*x[i + 1]")


@pytest.mark.parametrize(
    "what, sentence",
    [
        ("mirror", "'mirror' is no boundary mode"),
        ("reflct", "reflect"),
        (3, "boundary_pieces takes a Formula, a Rule or the name of a mode, not int"),
    ],
)
def test_what_has_no_pieces_is_said(what, sentence):
    with pytest.raises(FormulaError) as error:
        boundary_pieces(what)
    assert_says(error, sentence)
