"""What has to hold of a rule or a formula, as statements about integers: relation, bounds, sizes, ownership."""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NoReturn, TypeVar

import sympy
from sympy.logic.boolalg import And, Not, Or

from convsym import solver
from convsym.boundary import MODES, Piece, pieces
from convsym.elimination import interval
from convsym.errors import ProofError
from convsym.expressions import Term, affine, array_of, floordiv, indices_of, sign, size, symbol
from convsym.formula import Formula
from convsym.relations import Keyed, exact_division, key, keyed, renumbered
from convsym.residues import ResidueClasses
from convsym.rule import Rule
from convsym.solver import Verdict
from convsym.unfolding import boundary_pieces, folds

_PIECES = 81  # combinations of the pieces of boundary modes that are solved: four axes of three

Sizes = dict[str, str]  # from an array's name to the array whose sizes it has
# A statement for isl: its name, hypotheses, and two unions of sets.
Question = tuple[str, list[sympy.Basic], list[tuple[sympy.Basic, ...]], list[tuple[sympy.Basic, ...]]]
_Side = tuple[Formula, Sequence[Term], Sizes]
_Bounds = Callable[[sympy.Basic], list[sympy.Basic]]  # from the shape of a relation
_Statement = TypeVar("_Statement")


def assumptions(formula: Formula) -> list[sympy.Basic]:
    """What every proof about a formula may assume.

    Sizes are ≥ 0, sizes of axes that share an index are equal, parameters that multiply or divide are ≥ 1, ranges are
    what they are called, and what the formula itself assumes.
    """
    conditions = list(formula.assume)
    for array in (formula.output, *formula.operands):
        conditions += [sympy.Ge(size(array, axis), 0) for axis in range(formula.rank(array))]
    for index in formula.indices:
        places = [size(*place) for place in formula.bare(index)]
        if index in dict(formula.ranges):
            places.append(dict(formula.ranges)[index])
        conditions += [sympy.Eq(places[0], other) for other in places[1:]]
    conditions += [sympy.Ge(symbol(p), 1) for p in formula.multipliers]
    return [c for c in conditions if c != sympy.true]


def sizes_of(formula: Formula, wrt: str) -> dict[str, str]:
    return {"d" + formula.output: formula.output, "d" + wrt: wrt}


def same_relation(
    truth: Formula,
    claim: Formula,
    truth_sizes: Sizes,
    claim_sizes: Sizes,
    hypotheses: list[sympy.Basic],
    deadline: float,
) -> Verdict:
    """Two formulas for one array are the same function of the arrays they read."""
    lemma = solver.valid(*exact_division(), deadline)
    if lemma.status != "proved":
        return solver.Verdict("unknown", {})
    in_bounds = key_bounds((truth, claim), truth_sizes)
    sides: list[_Side] = [(truth, truth.terms, truth_sizes), (claim, claim.terms, claim_sizes)]
    verdict = _same_counts(sides, in_bounds, hypotheses, deadline)
    expanded: list[_Side] = [(f, [part for t in terms for part in _expanded(t)], sizes) for f, terms, sizes in sides]
    if verdict.status != "proved" and any(len(e[1]) > len(s[1]) for e, s in zip(expanded, sides, strict=True)):
        try:
            again = _same_counts(expanded, in_bounds, hypotheses, deadline)
        except ProofError:  # a summand that does not read all that the sum reads
            return verdict
        verdict = again if again.status == "proved" else verdict
    return solver.Verdict(verdict.status, verdict.model, lemma.smt + verdict.smt)


def _same_counts(sides: list[_Side], in_bounds: _Bounds, hypotheses: list[sympy.Basic], deadline: float) -> Verdict:
    """For every key, both sides count the same."""
    left, right = (
        [k for t in _in_time(terms, deadline) for k in renumbered(keyed(f, t, sizes))] for f, terms, sizes in sides
    )
    return _equal(left, right, in_bounds, hypotheses, deadline)


def _in_time(terms: Iterable[Term], deadline: float) -> Iterator[Term]:
    """Terms one by one while there is time: each takes SymPy a moment."""
    for term in terms:
        if time.monotonic() > deadline:
            raise ProofError("the budget was used up before all terms were compared")
        yield term


def _equal(
    left: list[Keyed], right: list[Keyed], in_bounds: _Bounds, hypotheses: list[sympy.Basic], deadline: float
) -> Verdict:
    """For every key, two lists of relations count the same."""
    smt: tuple[str, ...] = ()
    for shape in dict.fromkeys(k.shape for k in (*left, *right)):
        first, second = ([k for k in side if k.shape == shape] for side in (left, right))
        verdict = solver.equal_counts([*hypotheses, *in_bounds(shape)], first, second, deadline)
        if verdict.status != "proved":
            return verdict
        smt += verdict.smt
    return solver.Verdict("proved", {}, smt)


def _expanded(term: Term) -> list[Term]:
    """One term for each summand of a body that is multiplied out."""
    return [Term(term.target, part, term.guard) for part in sympy.Add.make_args(sympy.expand(term.body))]


def class_statements(classes: ResidueClasses) -> Iterator[tuple[str, list[Formula], list[Formula]]]:
    """What has to hold of residue classes: each element is in one of them, and they add up to the rule.

    Yields
    ------
    (str, list of Formula, list of Formula)
        Formulas that add up to the same.
    """
    rule = classes.rule
    one = Term(rule.terms[0].target, sympy.S.One)
    whole = Formula.of(rule.output, "+=", [one], like=rule, order=rule.order, ranges=rule.ranges)
    yield "classes: every element of the result is in exactly one", [whole], [c.domain for c in classes]
    truth = rule.scatter if isinstance(rule, Rule) else rule
    yield "classes: together they compute the rule", [truth], [c.formula for c in classes if c.formula is not None]


def class_questions(classes: ResidueClasses, sizes: Sizes, hypotheses: list[sympy.Basic]) -> Iterator[Question]:
    """The statements about residue classes as questions for isl, shape by shape.

    Points of two terms may coincide, and reads of one array may be numbered in two ways: such shapes are left out.
    """
    for name, left, right in class_statements(classes):
        sides = [[keyed(f, t, sizes) for f in fs for t in f.terms] for fs in (left, right)]
        bounds = key_bounds((*left, *right), sizes)
        for shape in dict.fromkeys((k.shape, k.coefficient) for side in sides for k in side):
            first, second = ([k.conditions for k in side if (k.shape, k.coefficient) == shape] for side in sides)
            twice = any("#" in s.name and not s.name.endswith("#0") for s in shape[0].free_symbols)
            if len(first) == 1 and not twice:
                yield name, [*hypotheses, *bounds(shape[0])], first, second


def same_sums(
    left: list[Formula], right: list[Formula], sizes: Sizes, hypotheses: list[sympy.Basic], deadline: float
) -> Verdict:
    """Two lists of formulas for one array add up to the same function of the arrays they read."""
    first, second = ([k for f in fs for t in f.terms for k in renumbered(keyed(f, t, sizes))] for fs in (left, right))
    return _equal(first, second, key_bounds((*left, *right), sizes), hypotheses, deadline)


def piece_statements(mode: sympy.Expr, pieces: Sequence[Piece]) -> Iterator[sympy.Basic]:
    """What has to hold of the affine pieces of a boundary mode, on an axis of size n ≥ 1, for every position.

    Parameters
    ----------
    mode : sympy.Expr
        The mode of a position and a size, both symbols.
    pieces : sequence of Piece

    Yields
    ------
    sympy condition
    """
    position, length = mode.args
    periodic = [piece for piece in pieces if piece.fold is not None]
    number = {piece.fold: floordiv(position, periodic[0].period) for piece in periodic}
    here = [And(*piece.contains(position)) for piece in pieces]
    for piece, inside in zip(pieces, here, strict=True):
        if piece.fold is not None:  # so that pieces of different periods cannot overlap
            yield Or(Not(inside), sympy.Eq(piece.fold, number[piece.fold]))
        value = piece.value(position).xreplace(number)
        right = And(sympy.Eq(value, mode), sympy.Ge(value, 0), sympy.Lt(value, length))
        yield Or(Not(inside.xreplace(number)), right)
        if piece.slope:
            first, end = piece.values
            both = And(piece.when, sympy.Ge(piece.value(position), first), sympy.Lt(piece.value(position), end))
            yield Or(And(inside, both), And(Not(inside), Not(both)))
    for one, other in itertools.combinations(here, 2):
        yield Or(Not(one), Not(other))
    yield Or(*(inside.xreplace(number) for inside in here))


def fold_questions(
    rule: Formula, sizes: Sizes, hypotheses: list[sympy.Basic]
) -> Iterator[tuple[str, Callable[[float], Verdict]]]:
    """Questions about the boundary modes of a formula or rule: their pieces, and the adjoint on each of them."""
    base = rule.scatter if isinstance(rule, Rule) else rule
    found = list(dict.fromkeys(e for term in base.terms for e in folds(term)))
    for name in sorted({e.func.__name__ for e in found}):
        mode = MODES[name](symbol("position"), symbol("length"))
        statements = tuple(piece_statements(mode, pieces(mode, symbol("fold"))))
        yield (
            f"boundary: the affine pieces of {name} are disjoint, exhaustive and inside the axis",
            partial(_on_axes, statements),
        )
    count = math.prod(len(pieces(e, symbol("fold"))) for e in found)
    if count > _PIECES and isinstance(rule, Rule):
        yield "boundary: the adjoint on each piece", lambda deadline: _refused(count)
        return
    once = all(affine(e.args[0], base.indices) for e in found)  # a fold of a fold has no affine pieces
    parts = boundary_pieces(rule) if found and once and isinstance(rule, Rule) else ()
    solved = [part for part in parts if part.pieces and part.formula != part.scatter]
    if solved:
        filled = [*hypotheses, *(sympy.Ge(e.args[1], 1) for e in found)]
        yield (
            "boundary: the adjoint on each piece, solved ⇔ as it is written",
            lambda deadline: _all(
                lambda u: same_relation(u.scatter, u.formula, sizes, sizes, filled, deadline), tuple(solved)
            ),
        )


def _on_axes(statements: tuple[sympy.Basic, ...], deadline: float) -> Verdict:
    """Statements about a position hold on every axis that is not empty."""
    return _all(lambda goal: solver.valid([sympy.Ge(symbol("length"), 1)], goal, deadline), statements)


def _refused(count: int) -> NoReturn:
    raise ProofError(f"the folded axes have {count} combinations of pieces; at most {_PIECES} are solved")


def _all(ask: Callable[[_Statement], Verdict], statements: Iterable[_Statement]) -> Verdict:
    """One verdict for statements that must all hold."""
    smt: tuple[str, ...] = ()
    for statement in statements:
        verdict = ask(statement)
        if verdict.status != "proved":
            return verdict
        smt += verdict.smt
    return solver.Verdict("proved", {}, smt)


def relation_questions(
    truth: Formula, claim: Formula, sizes: Sizes, hypotheses: list[sympy.Basic]
) -> Iterator[Question]:
    """The relation of two one-term formulas as a question for isl."""
    if len(truth.terms) == len(claim.terms) == 1:
        try:
            left, right = keyed(truth, truth.terms[0], sizes), keyed(claim, claim.terms[0], sizes)
        except ProofError:
            return
        bounds = key_bounds((truth, claim), sizes)(left.shape)
        yield "relation", [*hypotheses, *bounds], [left.conditions], [right.conditions]


def key_bounds(formulas: Sequence[Formula], rename: Sizes) -> _Bounds:
    """Conditions that the components of a key lie inside their arrays: those of the target, and of reads outside of
    which the term is 0. A read inside a sum or a function is 0 there, which the term need not be."""

    def bounds(shape: sympy.Basic) -> list[sympy.Basic]:
        powers = [factor.as_base_exp() for factor in sympy.Mul.make_args(shape.args[0])]
        vanishing = {base.name for base, exponent in powers if base.is_Symbol and exponent.is_positive}
        found = []
        for name in sorted({n for n in vanishing if "#" in n} | {"out#0"}):
            array, occurrence = name.split("#")
            formula = next(f for f in formulas if array == "out" or array in f.operands)
            owner = formula.output if array == "out" else array
            for axis in range(formula.rank(owner)):
                component = key(array, int(occurrence), axis)
                found += [sympy.Ge(component, 0), sympy.Lt(component, size(rename.get(owner, owner), axis))]
        return found

    return bounds


def determined(rule: Rule, rename: Sizes) -> Verdict:
    """Raises where an index is no function of what its point reads and writes."""
    for term in rule.terms:
        keyed(rule, term, rename)
    return solver.Verdict("proved", {})


def written_once(rule: Rule) -> Verdict:
    """Distinct bare indices, each running over exactly the axis it writes."""
    for term in rule.terms:
        bare = [e.name for e in term.target if e.is_Symbol]
        whole = all((rule.output, axis) in rule.bare(name) for axis, name in enumerate(bare))
        if len(bare) < len(term.target) or len(set(bare)) < len(bare) or not whole:
            raise ProofError("the gather form does not own each element by an index of its own")
    return solver.Verdict("proved", {})


def bound_statements(
    formula: Formula, rename: Sizes
) -> Iterator[tuple[str, tuple[tuple[sympy.Basic, ...], tuple[sympy.Basic, ...]]]]:
    """For each access and each index in it: the solved loop bounds hold exactly where the access is in range."""
    seen = set()
    for term in formula.terms:
        places = [(array_of(a), axis, e) for a in term.arrays() for axis, e in enumerate(indices_of(a))]
        places += [(formula.output, axis, e) for axis, e in enumerate(term.target)]
        for array, axis, expr in places:
            parts = affine(expr, formula.indices)
            if expr.is_Symbol or parts is None or (array, axis, expr) in seen:
                continue
            seen.add((array, axis, expr))
            length = size(rename.get(array, array), axis)
            for name, coefficient in parts[0]:
                if sign(coefficient) == 1:
                    lower, upper = interval(expr, name, length)
                    inside = (sympy.Ge(expr, 0), sympy.Lt(expr, length))
                    within = (sympy.Ge(symbol(name), lower), sympy.Lt(symbol(name), upper))
                    yield (
                        f"bounds of {name}: inside axis {axis} of {array} ⇔ within the solved bounds",
                        (inside, within),
                    )


def size_statements(formula: Formula) -> Iterator[tuple[str, sympy.Basic]]:
    """For each output index sized by its reads: the last index still reads inside, the next one does not."""
    for index in formula.indices:
        places = formula.bare(index)
        if not places or places[0][0] != formula.output or index in dict(formula.sizes) | dict(formula.ranges):
            continue
        for last in formula.last_reads(index):
            largest = sympy.And(
                sympy.Le(last.read.xreplace({symbol(index): last.size - 1}), last.limit, evaluate=False),
                sympy.Gt(last.read.xreplace({symbol(index): last.size}), last.limit, evaluate=False),
                evaluate=False,
            )
            yield f"size: {formula.show(last.size)} is the largest {index} range whose last read is inside", largest
