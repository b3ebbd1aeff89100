"""An Op: a formula with a name, from which rules, proofs, kernels, tests and pages follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import sympy

from convsym.derivation import grouped, vjp
from convsym.expressions import Term, access, array_of, indices_of, names, symbol
from convsym.formula import Formula
from convsym.notation import latex, mathml
from convsym.rule import Rule


@dataclass(frozen=True)
class Op:
    """A named formula of the registry.

    Attributes
    ----------
    name : str
        Name in the registry, e.g. ``"conv2d"``.
    formula : Formula
        The forward formula; spatial letters and their parameters carry the axis number (``o0``, ``stride0``).
    doc : str
        What it is, in prose.
    rank : int or None
        Number of spatial axes, for ops that exist for several.
    spatial : tuple of str
        Letters that are repeated for each spatial axis.
    differentiable : tuple of str
        The operands rules are derived for.
    lane : str or None
        The index that compiled loops run along; None for an op that has no kernels.
    leveled : bool
        Whether its kernels are compiled for every CPU level.
    plain : str or None
        The op whose plain kernels, compiled for every dtype, serve it: the one of its family with most axes.
    whole : bool
        Whether it is done on whole arrays of any rank, every index standing for any number of axes; `convsym.autograd`
        has it.
    groups : dict
        Where a group axis stands in each array of the compiled formula; empty without groups.
    defaults : dict
        Default of each parameter, by its name without axis number.
    """

    name: str
    formula: Formula
    doc: str
    rank: int | None = None
    spatial: tuple[str, ...] = ()
    differentiable: tuple[str, ...] = ()
    lane: str | None = None
    leveled: bool = True
    plain: str | None = None
    whole: bool = False
    groups: dict[str, int] = field(default_factory=dict, hash=False)
    defaults: dict[str, int] = field(default_factory=dict, hash=False)

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """The derived rules by operand."""
        return {name: vjp(self.formula, name) for name in self.differentiable}

    @cached_property
    def grouped(self) -> Formula:
        """The formula with the group axis that its kernels carry; the formula itself where there is none."""
        return grouped(self.formula, self.groups) if self.groups else self.formula

    @cached_property
    def grouped_rules(self) -> dict[str, Rule]:
        """The rules of `grouped` by operand."""
        return {name: vjp(self.grouped, name) for name in self.differentiable}

    def __str__(self) -> str:
        return f"{self.name}: {self.formula}"

    def _repr_latex_(self) -> str:
        return f"$${latex(self)}$$"


@latex.register
def _(obj: Op) -> str:
    return latex(obj.formula)


@mathml.register
def _(obj: Op) -> str:
    return mathml(obj.formula)


def declare(
    name: str,
    text: str,
    *,
    doc: str,
    spatial: str = "",
    ranks: Sequence[int] = (),
    symmetric: Sequence[str] = (),
    lane: str | None = None,
    leveled: Sequence[int] | None = None,
    wrt: str | None = None,
    whole: bool = False,
    groups: Mapping[str, int] | None = None,
    defaults: Mapping[str, int] | None = None,
    ranges: Mapping[str, str | int] | None = None,
    assume: str | Iterable[str] = (),
) -> tuple[Op, ...]:
    """Declare one op, or one for each rank.

    Parameters
    ----------
    name : str
        With `ranks`, the names are ``name1d``, ``name2d``, ….
    text : str
        Formula text, with one letter for each kind of spatial index.
    doc : str
        Prose; the docstring of the op's file.
    spatial : str
        Letters that are repeated for each spatial axis, e.g. ``"o r"``; the parameters that stand in a subscript with
        one of them are repeated with it.
    ranks : sequence of int
        Numbers of spatial axes; empty for an op that has one form only.
    symmetric : sequence of str
        Padding parameters that pad the far side too.
    lane : str, optional
        Index (or spatial letter, of which the fastest axis is taken) along which compiled loops run.
    leveled : sequence of int, optional
        Ranks whose kernels are compiled for every CPU level. Where it is given, the largest rank also has plain
        kernels of every dtype, and the other ranks run through them with axes of size 1.
    wrt : str, optional
        Operands to differentiate by; all of them by default.
    whole, groups, defaults : optional
        See `Op`.
    ranges, assume : optional
        See `Formula`.

    Returns
    -------
    tuple of Op
    """
    template = Formula(text, symmetric=symmetric, ranges=ranges, assume=assume)
    letters = spatial.split()
    ops = []
    for rank in ranks or (None,):
        formula = template if rank is None else _repeated(template, letters, rank)
        along = lane if lane is None or lane not in letters or rank is None else f"{lane}{rank - 1}"
        ops.append(
            Op(
                _name(name, rank),
                formula,
                doc.strip(),
                rank,
                tuple(letters),
                tuple((wrt or " ".join(formula.operands)).split()),
                along,
                leveled is None or rank in leveled,
                None if leveled is None else _name(name, max(ranks)),
                whole,
                dict(groups or {}),
                dict(defaults or {}),
            )
        )
    return tuple(ops)


def _name(family: str, rank: int | None) -> str:
    return family if rank is None else f"{family}{rank}d"


def _repeated(template: Formula, letters: list[str], rank: int) -> Formula:
    """The formula with every spatial subscript written once for each axis.

    A parameter that stands with a spatial letter belongs to the axis; standing alone in a value, such as the size of
    a window that is averaged, it becomes the product over the axes.
    """
    own = {symbol(letter) for letter in letters}
    ranges = {name: expr for name, expr in template.ranges if name in letters}
    local = set().union(*map(names, ranges.values()))  # parameters that belong to an axis

    def numbered(expr: sympy.Expr, axis: int) -> sympy.Expr:
        return expr.xreplace({symbol(n): symbol(f"{n}{axis}") for n in names(expr)})

    def wider(indices: tuple[sympy.Expr, ...]) -> tuple[sympy.Expr, ...]:
        result = []
        for expr in indices:
            if not expr.free_symbols & own:
                result.append(expr)
                continue
            local.update(names(expr) - set(letters))
            result += [numbered(expr, axis) for axis in axes]
        return tuple(result)

    terms, axes = [], range(rank)
    for term in template.terms:
        reads = {a: access(array_of(a), wider(indices_of(a))) for a in term.arrays()}
        target = wider(term.target)
        whole = {symbol(n): prod(symbol(f"{n}{axis}") for axis in axes) for n in local & names(term.body)}
        terms.append(Term(target, term.body.xreplace(reads | whole), tuple(c.xreplace(reads) for c in term.guard)))
    order = [
        new for n in template.order for new in ([f"{n}{axis}" for axis in axes] if n in local or n in letters else [n])
    ]
    symmetric = [f"{n}{axis}" for n in template.symmetric for axis in axes]
    rest = {n: e for n, e in template.ranges if n not in ranges}
    rest |= {f"{n}{axis}": numbered(e, axis) for n, e in ranges.items() for axis in axes}
    wide = Formula.of(template.output, template.operator, terms, like=template, order=order, ranges=rest)
    return Formula(str(wide), symmetric=symmetric)
