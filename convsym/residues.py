"""Residue classes of a strided rule: elements that share a residue meet the same taps, and nothing is divided.

``dx[u] += where((u + p - d*r) % s == 0, dy[(u + p - d*r)//s]*w[r], 0)`` asks of every element which taps reach it. The
answer depends on ``u`` modulo a period alone. On one class, ``u = period*q + residue``, the taps are
``r = first + step*t`` and the quotient is affine in ``q`` and ``t``: a class is an ordinary convolution on slices.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import overload

import sympy

from convsym.congruences import Condition, conditions, floor, periods, remainder
from convsym.derivation import vjp
from convsym.errors import FormulaError, nearest
from convsym.expressions import Term, access, array_of, floordiv, indices_of, mod, names, symbol, vanishing
from convsym.formula import Formula
from convsym.layout import Layout, expression_layout, row
from convsym.notation import latex, mathml
from convsym.rule import Rule
from convsym.typesetting import to_latex, to_mathml

MAX_CLASSES = 1024
LETTERS = {"quotient": "qmef", "residue": "abch", "tap": "tvzl"}  # names for new indices, in order of preference


@dataclass(frozen=True)
class Taps:
    """The points of a divisibility condition on one residue class.

    Attributes
    ----------
    tap : str or None
        The summed index that the condition decides; None where there is none, or where the condition stays.
    first, step : sympy.Expr or None
        ``tap == first + step*t``.
    guard : tuple
        What is left of the condition; ``(false,)`` where no point meets the class.
    read : sympy.Expr
        The exact quotient: where the taps are known, affine in the new indices.
    """

    tap: str | None
    first: sympy.Expr | None
    step: sympy.Expr | None
    guard: tuple[sympy.Basic, ...]
    read: sympy.Expr


@dataclass(frozen=True)
class ResidueClass:
    """The elements of a result that share a residue, on every strided axis.

    Attributes
    ----------
    places : tuple of (str, sympy.Expr)
        Each strided index as ``period*q + residue``.
    taps : tuple of Taps
        One for each divisibility condition of the rule.
    domain : Formula
        The slice: it writes 1 to every element of the class.
    formula : Formula or None
        What the class computes, as a formula that writes to the slice; None where no tap meets it, and it is 0.
    """

    places: tuple[tuple[str, sympy.Expr], ...]
    taps: tuple[Taps, ...]
    domain: Formula
    formula: Formula | None

    @property
    def target(self) -> sympy.Expr:
        """The slice, as an access to the result."""
        return access(self.domain.output, self.domain.terms[0].target)

    def __str__(self) -> str:
        if self.formula is None:
            return f"{self.domain.show(self.target)} is 0: no tap meets it"
        return self.formula.written()

    def _repr_latex_(self) -> str:
        return f"$${latex(self)}$$"


@dataclass(frozen=True)
class ResidueClasses(Sequence[ResidueClass]):
    """All residue classes of a rule: disjoint, and together the whole result.

    Attributes
    ----------
    rule : Formula
        What is split; the numbers that were given stand in it.
    numbers : tuple of (str, int)
        The numbers that were given.
    axes : tuple of (str, sympy.Expr)
        Each strided index and its period.
    classes : tuple of ResidueClass
    """

    rule: Formula
    numbers: tuple[tuple[str, int], ...]
    axes: tuple[tuple[str, sympy.Expr], ...]
    classes: tuple[ResidueClass, ...]

    @overload
    def __getitem__(self, place: int) -> ResidueClass: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[ResidueClass, ...]: ...
    def __getitem__(self, place: int | slice) -> ResidueClass | tuple[ResidueClass, ...]:
        return self.classes[place]

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def text(self) -> str:
        """The classes in one line."""
        return "; ".join(map(str, self.classes))

    def __str__(self) -> str:
        return "\n".join(map(str, self.classes))

    def _repr_latex_(self) -> str:
        return f"$${latex(self)}$$"


def residue_classes(rule: Formula, **parameters: int) -> ResidueClasses:
    """Split a rule into residue classes, each an ordinary convolution on slices.

    Parameters
    ----------
    rule : Rule or Formula
        With conditions such as ``(u + padding - dilation*r) % stride == 0`` on the index that it writes.
    **parameters
        Integers for parameters of the rule. Where the period is an integer, the classes are listed, one for each
        residue; where it is a symbol, one class stands for all, and its residue is an index.

    Returns
    -------
    ResidueClasses
        A sequence of `ResidueClass`; `prove` proves that they are disjoint, exhaustive, and add up to the rule.

    Raises
    ------
    FormulaError
        A name is no parameter or a value no integer that it may have, a condition binds two written indices, the
        periods of one index are different symbols, or there are too many classes.

    Examples
    --------
    >>> from convsym import Formula, vjp
    >>> rule = vjp(Formula("y[o] += x[stride*o + dilation*r - padding] * w[r]"), "x")
    >>> print(residue_classes(rule, stride=2, dilation=1, padding=1))
    dx[2*q] += dy[q - t]*w[2*t + 1]
    dx[2*q + 1] += dy[q + 1 - t]*w[2*t]
    >>> print(residue_classes(rule, dilation=1))
    dx[stride*q + a] += dy[q + (a + padding)//stride - t]*w[(a + padding) % stride + stride*t]
    """
    if not isinstance(rule, Formula):
        raise FormulaError(
            f"residue_classes splits a Rule or a Formula, not {type(rule).__name__}",
            hint="write residue_classes(vjp(f, 'x'))",
        )
    fixed = _at(rule, _checked(rule, parameters))
    found = [c for number in range(len(fixed.terms)) for c in conditions(fixed, number)]
    axes = periods(fixed, found)
    made = _Split(fixed, axes, found)
    given = tuple(sorted((name, int(value)) for name, value in parameters.items()))
    return ResidueClasses(fixed, given, tuple(axes.items()), tuple(made.classes()))


def _checked(rule: Formula, parameters: Mapping[str, int]) -> dict[sympy.Symbol, sympy.Integer]:
    """Numbers by symbol."""
    for name, value in parameters.items():
        if name not in rule.parameters:
            raise FormulaError(f"{name!r} is no parameter", str(rule), None, nearest(name, rule.parameters))
        if isinstance(value, bool) or not isinstance(value, int):
            raise FormulaError(f"the parameter {name} is {value!r}; it stands in an index, so it is an integer")
        if name in rule.multipliers and value < 1:
            raise FormulaError(
                f"the parameter {name} is {value}; it multiplies an index or divides, so it is at least 1"
            )
    return {symbol(name): sympy.Integer(value) for name, value in parameters.items()}


def _at(formula: Formula, numbers: Mapping[sympy.Symbol, sympy.Integer]) -> Formula:
    """A formula at numbers for some of its parameters; a rule is derived again."""
    if not numbers:
        return formula
    if isinstance(formula, Rule):
        return vjp(_at(formula.parent, numbers), formula.wrt)
    order = [name for name in formula.order if symbol(name) not in numbers]
    ranges = {name: e.xreplace(numbers) for name, e in formula.ranges}
    terms = [t.replace(numbers) for t in formula.terms]
    made = Formula.of(formula.output, formula.operator, terms, like=formula, order=order, ranges=ranges)
    return Formula(
        str(made),
        sizes={name: formula.show(e.xreplace(numbers)) for name, e in _sizes(formula)},
        assume=tuple(_assumed(formula, numbers)),
        symmetric=[name for name in formula.symmetric if symbol(name) not in numbers],
    ).ordered(order)


def _sizes(formula: Formula) -> Iterator[tuple[str, sympy.Expr]]:
    """Sizes of output indices, so that what the parameters said of them is kept."""
    for index in formula.indices:
        places = formula.bare(index)
        if places and places[0][0] == formula.output and index not in dict(formula.ranges):
            candidates = formula.output_size(index)
            if len(candidates) == 1:
                yield index, candidates[0]


def _assumed(formula: Formula, numbers: Mapping[sympy.Symbol, sympy.Integer]) -> Iterator[str]:
    """Assumptions as text."""
    for condition in formula.assume:
        if condition.xreplace(numbers) == sympy.false:
            given = ", ".join(f"{s} = {n}" for s, n in numbers.items())
            raise FormulaError(f"the formula assumes {formula.show(condition)}, which is wrong for {given}")
        if condition.xreplace(numbers) != sympy.true:
            yield formula.show(condition.xreplace(numbers))


# ---------------------------------------------------------------------------------------------- the classes


class _Split:
    """The classes of a formula, given the periods of its indices."""

    def __init__(self, formula: Formula, axes: dict[str, sympy.Expr], conditions: list[Condition]) -> None:
        self.formula, self.axes, self.conditions = formula, axes, conditions
        self.taken = {*formula.indices, *formula.parameters, *formula.operands, formula.output}
        self.quotients = {u: symbol(u if p == 1 else self.fresh("quotient", u)) for u, p in axes.items()}
        self.residues: dict[str, sympy.Symbol | None] = {
            u: None if p.is_Integer else symbol(self.fresh("residue", u)) for u, p in axes.items()
        }
        self.steps = [self.step(c) for c in conditions]

    def step(self, condition: Condition) -> sympy.Symbol | None:
        """The index that counts the taps of a class; the tap itself where none is skipped."""
        if condition.tap is None or (solved := condition.inverse) is None:
            return None
        every = condition.divisor == solved[0]
        return symbol(condition.tap if every else self.fresh("tap", condition.tap))

    def fresh(self, kind: str, like: str) -> str:
        """A new name, with the digit of an Op's axis."""
        digit = like[-1] if like[-1].isdigit() else ""
        letters = LETTERS[kind]
        found = (*(n + digit for n in letters), *(f"{letters[0]}_{k}" for k in range(1000)))
        name = next(n for n in found if n not in self.taken)
        self.taken.add(name)
        return name

    def classes(self) -> Iterator[ResidueClass]:
        count = math.prod(int(p) for p in self.axes.values() if p.is_Integer)
        if count > MAX_CLASSES:
            raise FormulaError(f"there are {count} residue classes; at most {MAX_CLASSES} are listed")
        choices = [
            map(sympy.Integer, range(int(p))) if p.is_Integer else [self.residues[u]] for u, p in self.axes.items()
        ]
        for chosen in product(*choices):
            yield self.one(dict(zip(self.axes, chosen, strict=True)))

    def one(self, residues: dict[str, sympy.Expr]) -> ResidueClass:
        """The class of a residue for each axis."""
        places = {u: sympy.expand(self.axes[u] * self.quotients[u] + a) for u, a in residues.items()}
        where = {symbol(u): place for u, place in places.items()}
        taps = [self.taps(c, t, residues[c.index]) for c, t in zip(self.conditions, self.steps, strict=True)]
        terms: list[Term] = []
        ranges: dict[str, sympy.Expr] = {}
        for number, term in enumerate(self.formula.terms):
            own = [n for n, c in enumerate(self.conditions) if c.term == number]
            if not any(sympy.false in taps[n].guard for n in own):
                split, found = self.term(term, where, [(self.conditions[n], taps[n], self.steps[n]) for n in own])
                terms.append(split)
                ranges |= found
        slice_ = Term(self.formula.terms[0].target, sympy.S.One).replace(where)
        made = self.assembled(terms, residues, ranges) if terms else None
        return ResidueClass(tuple(places.items()), tuple(taps), self.assembled([slice_], residues, {}), made)

    def taps(self, condition: Condition, step: sympy.Symbol | None, residue: sympy.Expr) -> Taps:
        """Which taps meet a residue: the solution of a linear congruence."""
        factor, divisor = condition.factor, condition.divisor
        rest = sympy.expand(factor * residue + condition.rest)
        moving = sympy.expand(factor * self.axes[condition.index] / divisor) * self.quotients[condition.index]
        solved = condition.inverse
        if solved is None:
            left = remainder(rest, divisor)
            return Taps(None, None, None, _unless_zero(left), moving + floor(rest, divisor))
        common, factor = solved
        left, every = remainder(rest, common), divisor / common
        first = remainder(sympy.expand(-factor * floor(rest, common)), every)
        ratio = condition.coefficient / common
        if common == 1 and abs(ratio) == 1:
            start = -ratio * floor(sympy.expand(-ratio * rest), divisor)
        else:
            start = floor(sympy.expand(rest + condition.coefficient * first), divisor)
        if residue.is_Symbol and divisor == self.axes[condition.index]:  # it is smaller than the period
            small = {mod(residue, divisor): residue, floordiv(residue, divisor): sympy.S.Zero}
            first, start = first.xreplace(small), start.xreplace(small)
        return Taps(condition.tap, first, every, _unless_zero(left), moving + ratio * step + start)

    def term(
        self,
        term: Term,
        where: Mapping[sympy.Symbol, sympy.Expr],
        conditions: list[tuple[Condition, Taps, sympy.Symbol | None]],
    ) -> tuple[Term, dict[str, sympy.Expr]]:
        """One term on a class, and the ranges of its taps."""
        opaque = {c.quotient: sympy.Dummy() for c, _, _ in conditions}
        reads = {opaque[c.quotient]: taps.read for c, taps, _ in conditions}
        kept = tuple(g for g in term.guard if all(g != c.guard for c, _, _ in conditions))
        kept += tuple(g for _, taps, _ in conditions for g in taps.guard)
        swap, ranges, limits = dict(where), {}, []
        for condition, taps, step in conditions:
            tap, first, every = condition.tap, taps.first, taps.step
            if tap is not None and first is not None and step is not None and step.name != tap:
                swap[symbol(tap)] = sympy.expand(first + every * step)
                length = self.formula.range_of(tap)
                free = names(first) & {s.name for s in self.residues.values() if s is not None}
                ranges[step.name] = _count(length, sympy.S.Zero if free else first, every)
                if free and not _read_bare(self.formula, term, tap):
                    limits.append(sympy.Lt(swap[symbol(tap)], length))
        body = Term(term.target, term.body, kept).replace(opaque).replace(swap).replace(reads)
        return Term(body.target, body.body, (*body.guard, *limits)), ranges

    def assembled(self, terms: list[Term], residues: dict[str, sympy.Expr], ranges: dict[str, sympy.Expr]) -> Formula:
        """The formula of a class."""
        formula, used = self.formula, set().union(*(t.names() for t in terms))
        for index, residue in residues.items():
            length, period = formula.range_of(index), self.axes[index]
            ranges[self.quotients[index].name] = _count(length, residue if period.is_Integer else sympy.S.Zero, period)
            if (own := self.residues[index]) is not None:
                ranges[own.name] = period
        ranges = {n: e for n, e in dict(formula.ranges).items() if n in used} | ranges
        order = []
        for name in formula.order:
            steps = (s for c, s in zip(self.conditions, self.steps, strict=True) if c.tap == name)
            new = (self.quotients.get(name), self.residues.get(name), *steps)
            order += [*(s.name for s in new if s is not None), name]
        return Formula.of(formula.output, "+=", terms, like=formula, order=dict.fromkeys(order), ranges=ranges)


def _unless_zero(left: sympy.Expr) -> tuple[sympy.Basic, ...]:
    """The condition that what is left of a division is 0; none where it is."""
    return () if left == 0 else (sympy.Eq(left, 0),)


def _count(length: sympy.Expr, first: sympy.Expr, step: sympy.Expr) -> sympy.Expr:
    """How many of ``first``, ``first + step``, … lie below `length`; no more than 0 where that is none."""
    return sympy.expand(length - first) if step == 1 else -floordiv(sympy.expand(first - length), step)


def _read_bare(formula: Formula, term: Term, index: str) -> bool:
    """Whether the term is 0 where an index is outside its range, because an array is."""
    return any(
        (array_of(a), axis) in formula.bare(index)
        for a in vanishing(term.body)
        for axis, e in enumerate(indices_of(a))
        if e == symbol(index)
    )


# ---------------------------------------------------------------------------------------------- printing


def _layout(made: ResidueClass) -> Layout:
    """``dx_{2q + 1} = Σ_t dy_{q - t} w_{2t + 1}``."""
    formula = made.formula
    if formula is None:
        return row(expression_layout(made.target, made.domain), "=", "0")
    parts: list[Layout | str] = [expression_layout(made.target, formula), "="]
    written = names(made.target)
    for number, term in enumerate(formula.terms):
        parts += ["+"] if number else []
        summed = [expression_layout(symbol(n), formula) for n in formula.loops(term) if n not in written]
        if summed:
            parts.append(Layout("sum", (row(*[p for n in summed for p in (",", n)][1:]),)))
        parts += [p for c in term.guard for p in ("[", expression_layout(c, formula), "]")]
        parts.append(expression_layout(term.body, formula, (), term.guard))
    return row(*parts)


@latex.register
def _(obj: ResidueClass) -> str:
    return to_latex(_layout(obj))


@mathml.register
def _(obj: ResidueClass) -> str:
    return to_mathml(_layout(obj))


@latex.register
def _(obj: ResidueClasses) -> str:
    return "\\begin{aligned}\n" + " \\\\\n".join(f"& {latex(c)}" for c in obj) + "\n\\end{aligned}"
