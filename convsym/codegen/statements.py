"""Formula to the statements of its plain loops; each printed language says how it writes one.

For every term: loops over its indices, its conditions, the position and range test of each access, and the addition.
Every read lies inside its array when it happens, and so does the write.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import ClassVar

import sympy

from convsym.boundary import MODES, cases
from convsym.expressions import Term, accesses, array_of, indices_of, size, symbol, vanishes
from convsym.formula import Formula

INDENT = "    "
FOLDED = symbol("position"), symbol("length")  # what a boundary mode is given


@dataclass(frozen=True)
class For:
    """A loop of an index from 0 to below its range."""

    index: str
    extent: sympy.Expr
    opens: ClassVar[bool] = True


@dataclass(frozen=True)
class When:
    """What follows happens only where a condition holds."""

    condition: sympy.Basic
    opens: ClassVar[bool] = True


@dataclass(frozen=True)
class Let:
    """A position, computed once."""

    name: str
    expr: sympy.Expr
    opens: ClassVar[bool] = False


@dataclass(frozen=True)
class Inside:
    """What follows happens only where a position lies inside its axis."""

    position: str
    length: sympy.Expr
    opens: ClassVar[bool] = True


@dataclass(frozen=True)
class Read:
    """A value that is 0 where one of the positions lies outside; `tests` are pairs of position and length."""

    name: str
    reading: sympy.Expr
    tests: tuple[tuple[str, sympy.Symbol], ...]
    opens: ClassVar[bool] = False


@dataclass(frozen=True)
class Add:
    """Addition to an element of the result."""

    target: sympy.Expr
    value: sympy.Expr
    opens: ClassVar[bool] = False


Statement = For | When | Let | Inside | Read | Add


def statements(formula: Formula) -> tuple[tuple[Statement, ...], ...]:
    """The statements of every term, as a tuple of tuples.

    Parameters
    ----------
    formula : Formula
        Its names are used as they are; see `safe`.

    Returns
    -------
    tuple of tuple
        One for each term: `For`, `When`, `Let`, `Inside`, `Read` and one `Add`.
    """
    fresh = {letter: map(symbol, map(f"{letter}{{}}".format, count())) for letter in "pv"}
    return tuple(tuple(_Lowering(formula, term, fresh).run()) for term in formula.terms)


def written(
    statements: Iterable[Statement], write: Callable[[Statement], str], depth: int = 1, close: str | None = None
) -> list[str]:
    """Lines of text, indented.

    Parameters
    ----------
    statements : iterable
    write : callable
        From a statement to its line.
    depth : int
        Of the first line.
    close : str, optional
        What ends an open block.

    Returns
    -------
    list of str
    """
    lines, first = [], depth
    for statement in statements:
        lines.append(INDENT * depth + write(statement))
        depth += statement.opens
    if close:
        lines += [INDENT * level + close for level in reversed(range(first, depth))]
    return lines


def folds(formula: Formula) -> dict[str, tuple[tuple[sympy.Basic, sympy.Expr], ...]]:
    """Definitions of the boundary modes in a formula: ``{name: ((condition, value), …)}`` in the names of `FOLDED`.

    The first condition that holds counts. An empty axis has no inside: the position -1 lies outside.
    """
    used = {type(f) for e in formula.index_expressions() for f in e.atoms(*MODES.values())}
    empty = (sympy.Lt(FOLDED[1], 1), sympy.S.NegativeOne)
    return {name: (empty, *cases(mode(*FOLDED))) for name, mode in MODES.items() if mode in used}


class _Lowering:
    """The statements of one term."""

    def __init__(self, formula: Formula, term: Term, fresh: Mapping[str, Iterator[sympy.Symbol]]) -> None:
        self.formula, self.term, self.fresh = formula, term, fresh
        self.positions: dict[tuple[sympy.Expr, str, int], sympy.Symbol] = {}
        self.tested: set[sympy.Symbol] = set()

    def run(self) -> Iterator[Statement]:
        term, swap = self.term, {}
        for index in self.formula.loops(term):
            yield For(index, self.formula.range_of(index))
        for condition in term.guard:
            if not accesses(condition):
                yield When(condition)
        for reading in term.arrays():
            array, cuts = array_of(reading), self._cuts(reading)
            places, tests = yield from self._places(array, indices_of(reading), cuts)
            swap[reading] = _element(array, places)
            if tests:
                value = next(self.fresh["v"])
                yield Read(value.name, swap[reading], tests)
                swap[reading] = value
        places, _ = yield from self._places(self.formula.output, term.target, True)
        for condition in term.guard:
            if accesses(condition):
                yield When(condition.xreplace(swap))
        yield Add(_element(self.formula.output, places), term.body.xreplace(swap))

    def _cuts(self, reading: sympy.Expr) -> bool:
        """Whether a read outside leaves the point out; where the term does not vanish with it, the read is 0."""
        return vanishes(self.term.body, reading) and not any(reading in accesses(c) for c in self.term.guard)

    def _places(
        self, array: str, indices: tuple[sympy.Expr, ...], cuts: bool
    ) -> Generator[Statement, None, tuple[list[sympy.Expr], tuple[tuple[str, sympy.Symbol], ...]]]:
        """Names of an access's positions; yields what computes and tests them, returns the tests left to the read."""
        places: list[sympy.Expr] = []
        tests: list[tuple[str, sympy.Symbol]] = []
        for axis, expr in enumerate(indices):
            if expr.is_Symbol and (array, axis) in self.formula.bare(expr.name):
                places.append(expr)
                continue
            if (expr, array, axis) not in self.positions:
                position = self.positions[expr, array, axis] = next(self.fresh["p"])
                yield Let(position.name, expr)
            position = self.positions[expr, array, axis]
            if not cuts:
                tests.append((position.name, size(array, axis)))
            elif position not in self.tested:
                self.tested.add(position)
                yield Inside(position.name, size(array, axis))
            places.append(position)
        return places, tuple(tests)


def _element(array: str, places: list[sympy.Symbol]) -> sympy.Expr:
    return sympy.Indexed(sympy.IndexedBase(array), *places) if places else sympy.Symbol(f"{array}[()]")
