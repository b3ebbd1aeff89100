"""Boundary modes written out: a formula, or the adjoint of one, on each affine piece of its folds.

A fold such as ``reflect(e)`` is ``slope*e + offset`` on an interval of every period. On one piece nothing is folded any
more, so the relation is solved as anywhere else; the formula is the sum over all pieces and all periods.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import overload

import sympy

from convsym.boundary import MODES, Piece, is_folded, pieces
from convsym.elimination import gather_steps
from convsym.errors import FormulaError, nearest
from convsym.expressions import Term, affine, floordiv, indices_of, sign, size, symbol, vanishing
from convsym.formula import Formula
from convsym.notation import latex, mathml
from convsym.rule import Rule


@dataclass(frozen=True)
class Unfolded:
    """One term of a formula on one piece of each of its folds.

    Attributes
    ----------
    pieces : tuple of Piece
        One for each different fold of the term; without them, the term as it is.
    folds : tuple of str
        Parameters of `formula` that run over all integers: the numbers of the periods.
    reach : tuple of (sympy.Expr, sympy.Expr)
        For each of `folds`, the first and the last one that a position of the term can lie in; None where a sign is
        not known.
    scatter : Formula
        The term on these pieces, as it is written.
    formula : Formula
        The same, solved for the written elements; equal to `scatter` where nothing was to be solved.
    """

    pieces: tuple[Piece, ...]
    folds: tuple[str, ...]
    reach: tuple[tuple[sympy.Expr, sympy.Expr] | None, ...]
    scatter: Formula
    formula: Formula

    def __str__(self) -> str:
        every = f"  for every integer {', '.join(self.folds)}" if self.folds else ""
        return f"{self.formula}{every}"

    def _repr_latex_(self) -> str:
        return f"$${latex(self)}$$"


@latex.register
def _(obj: Unfolded) -> str:
    return latex(obj.formula)


@mathml.register
def _(obj: Unfolded) -> str:
    return mathml(obj.formula)


@overload
def boundary_pieces(what: str) -> tuple[Piece, ...]: ...
@overload
def boundary_pieces(what: Formula) -> tuple[Unfolded, ...]: ...
def boundary_pieces(what: str | Formula) -> tuple[Piece, ...] | tuple[Unfolded, ...]:
    """Write boundary modes out, piece by piece.

    Parameters
    ----------
    what : str, Formula or Rule
        The name of a mode, or what folds positions.

    Returns
    -------
    tuple of Piece, or tuple of Unfolded
        Of a mode, its affine pieces as a map of the position ``e`` on an axis of size ``n``. Of a formula or rule, what
        it is on each piece; it is the sum of these over all integers for their `folds`, where the axes that are folded
        into are not empty.

    Raises
    ------
    FormulaError
        The name is no mode.

    Examples
    --------
    >>> from convsym import Formula, vjp
    >>> print(*boundary_pieces("circular"))
    e - n*fold where e >= n*fold and e < n + n*fold
    >>> print(*boundary_pieces(vjp(Formula("y[i] += x[circular(i + r - p)] * w[r]"), "x")))
    dx[j] += dy[j + dx.shape[0]*fold + p - r]*w[r]  for every integer fold
    """
    if isinstance(what, str):
        if what not in MODES:
            raise FormulaError(f"{what!r:.40} is no boundary mode", hint=nearest(what, MODES))
        return pieces(MODES[what](symbol("e"), symbol("n")), symbol("fold"))
    if not isinstance(what, Formula):
        raise FormulaError(f"boundary_pieces takes a Formula, a Rule or the name of a mode, not {type(what).__name__}")
    base = what.scatter if isinstance(what, Rule) else what
    cotangent = "d" + what.parent.output if isinstance(what, Rule) else None
    return tuple(found for term in base.terms for found in _unfolded(base, term, cotangent))


def folds(term: Term) -> tuple[sympy.Expr, ...]:
    """The different folds of a term's subscripts, each once."""
    places = (*term.target, *(e for reading in term.arrays() for e in indices_of(reading)))
    return tuple(dict.fromkeys(e for e in places if is_folded(e)))


def _unfolded(base: Formula, term: Term, cotangent: str | None) -> Iterator[Unfolded]:
    """A term on every combination of pieces of its folds."""
    found = folds(term)
    taken = {*base.indices, *base.parameters, *base.operands, base.output}
    fresh = (n for n in ("fold", *(f"fold{k}" for k in range(99))) if n not in taken)
    numbers = [symbol(next(fresh)) for _ in found]
    for chosen in product(*(pieces(e, fold) for e, fold in zip(found, numbers, strict=True))):
        swap = {e: piece.value(e.args[0]) for e, piece in zip(found, chosen, strict=True)}
        guard: list[sympy.Basic] = []
        owned: list[tuple[int, sympy.Expr, Piece]] = []
        for expr, piece in zip(found, chosen, strict=True):
            if piece.slope == 0:
                guard += piece.contains(expr.args[0])
                continue
            guard += [] if piece.when == sympy.true else [piece.when]
            axes = [axis for axis, e in enumerate(term.target) if e == expr]
            if axes and cotangent is not None:
                owned.append((axes[0], expr, piece))
            else:
                guard += _inside(piece, swap[expr], expr.args[1], bool(axes) or _vanishes(term, expr))
        made = _formula(base, Term(*_swapped(term, swap), (*_swapped_guard(term, swap), *guard)))
        yield _solved(base, made, list(zip(found, chosen, strict=True)), owned, cotangent)


def _solved(
    base: Formula,
    scatter: Formula,
    chosen: list[tuple[sympy.Expr, Piece]],
    owned: list[tuple[int, sympy.Expr, Piece]],
    cotangent: str | None,
) -> Unfolded:
    """The pieces of a rule solved for the result; `owned` are the folds that it writes to."""
    numbered = [(e, p, p.fold.name) for e, p in chosen if p.fold is not None]
    used, reach = tuple(n for _, _, n in numbered), tuple(_reach(base, e.args[0], p) for e, p, _ in numbered)
    parts = tuple(piece for _, piece in chosen)
    if cotangent is None:
        return Unfolded(parts, used, reach, scatter, scatter)
    solved = gather_steps(scatter, range(scatter.rank(scatter.output)), cotangent)[0]
    written: list[sympy.Basic] = []
    gathered: list[sympy.Basic] = []
    for axis, expr, piece in owned:
        written += _inside(piece, scatter.terms[0].target[axis], expr.args[1], True)
        gathered += _inside(piece, solved.terms[0].target[axis], expr.args[1], True)
    return Unfolded(parts, used, reach, _guarded(base, scatter, written), _guarded(base, solved, gathered))


def _reach(base: Formula, position: sympy.Expr, piece: Piece) -> tuple[sympy.Expr, sympy.Expr] | None:
    """First and last period of the positions ``Σ coefficient·index + rest``; None where a sign is not known."""
    found = affine(position, base.indices)
    if found is None:
        raise FormulaError(f"the position {base.show(position)} is folded more than once and has no affine pieces")
    parts, rest = found
    ends = [rest, rest]
    for name, coefficient in parts:
        if sign(coefficient) is None:
            return None
        ends[sign(coefficient) == 1] += coefficient * (base.range_of(name) - 1)
    first, last = (floordiv(sympy.expand(end), piece.period) for end in ends)
    return first, last


def _swapped(term: Term, swap: Mapping[sympy.Expr, sympy.Expr]) -> tuple[tuple[sympy.Expr, ...], sympy.Expr]:
    return tuple(e.xreplace(swap) for e in term.target), term.body.xreplace(swap)


def _swapped_guard(term: Term, swap: Mapping[sympy.Expr, sympy.Expr]) -> tuple[sympy.Basic, ...]:
    return tuple(c.xreplace(swap) for c in term.guard)


def _formula(base: Formula, term: Term) -> Formula:
    return Formula.of(base.output, "+=", [term], like=base, order=base.order, ranges=_ranges(base, term))


def _ranges(base: Formula, term: Term) -> dict[str, sympy.Expr]:
    """Ranges of the term's indices: those that stood alone in a subscript may do so no more."""
    alone = {e for e in (*term.target, *(e for a in term.arrays() for e in indices_of(a)))}
    used = term.names()
    return {n: e for n, e in base.ranges if n in used} | {
        n: base.range_of(n) for n in base.indices if n in used and symbol(n) not in alone
    }


def _guarded(base: Formula, formula: Formula, conditions: list[sympy.Basic]) -> Formula:
    if not conditions:
        return formula
    (term,) = formula.terms
    guarded = Term(term.target, term.body, (*term.guard, *conditions))
    return Formula.of(base.output, "+=", [guarded], like=formula, order=formula.order, ranges=formula.ranges)


def _inside(piece: Piece, value: sympy.Expr, length: sympy.Expr, bounded: bool) -> list[sympy.Basic]:
    """Conditions that a value is one of a piece; without those that a bounded value, inside its axis, keeps anyway."""
    first, end = piece.values
    found = [] if bounded and first == 0 else [sympy.Ge(value, first)]
    return found if bounded and sympy.expand(end - length) == 0 else [*found, sympy.Lt(value, end)]


def _vanishes(term: Term, expr: sympy.Expr) -> bool:
    """Whether the term is 0 where a fold's value is outside of its axis."""
    return any(
        e == expr and expr.args[1] == size(str(reading.base.label), axis)
        for reading in vanishing(term.body)
        for axis, e in enumerate(indices_of(reading))
    )
