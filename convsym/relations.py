"""Keyed relations: a term as a statement about integers that a solver can decide.

The key of a point is everything that can be observed of it: where it writes and which entries it reads. Each loop
index is a function of the key, so a point is counted once by construction, and two formulas are equal exactly when,
for every key, their coefficients add up to the same number.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import sympy

from convsym.errors import ProofError
from convsym.expressions import (
    Term,
    accesses,
    array_of,
    digits,
    floordiv,
    indices_of,
    linear,
    mod,
    names,
    sign,
    size,
    symbol,
)
from convsym.formula import Formula

_NUMBERINGS = 24  # that are compared; of terms with more, equal formulas may be left open


@dataclass(frozen=True)
class Keyed:
    """One term as a relation on its key.

    Attributes
    ----------
    shape : sympy.Expr
        The body with every access replaced by a placeholder, without its coefficient: what two terms must share to be
        comparable.
    coefficient : sympy.Expr
        Number or product of scalar parameters.
    conditions : tuple
        Conditions on key symbols, sizes and parameters under which the point exists.
    """

    shape: sympy.Basic
    coefficient: sympy.Expr
    conditions: tuple[sympy.Basic, ...]


def key(array: str, occurrence: int, axis: int) -> sympy.Symbol:
    """The symbol of one component of a key, e.g. ``dy#0[2]``."""
    return sympy.Symbol(f"{array}#{occurrence}[{axis}]")


def keyed(formula: Formula, term: Term, rename: dict[str, str]) -> Keyed:
    """Turn a term into a relation on its key.

    Parameters
    ----------
    formula : Formula
    term : Term
    rename : dict
        From an array's name to the array whose sizes it has.

    Returns
    -------
    Keyed

    Raises
    ------
    ProofError
        An index is no function of the key, so that points could coincide.
    """
    body = sympy.expand(term.body) if isinstance(term.body, sympy.Add) else term.body
    reads = sorted(
        dict.fromkeys(a for e in (body, *term.guard) for a in accesses(e)),
        key=lambda a: (array_of(a), str(indices_of(a))),
    )
    equations: list[tuple[sympy.Expr, sympy.Expr]] = []
    placeholders: dict[sympy.Expr, sympy.Symbol] = {}
    counts: dict[str, int] = {}
    for reading in reads:
        array = array_of(reading)
        occurrence = counts[array] = counts.get(array, -1) + 1
        placeholders[reading] = sympy.Symbol(f"{array}#{occurrence}")
        equations += [(e, key(array, occurrence, axis)) for axis, e in enumerate(indices_of(reading))]
    equations += [(e, key("out", 0, axis)) for axis, e in enumerate(term.target)]
    equations, guard = _undivided(equations, term.guard)
    solution, open_equations = _solve_indices(formula, formula.loops(term), equations)
    sizes = {symbol(n): _renamed_size(n, rename) for t in (term,) for n in _size_names(formula, t)}
    conditions = [_equation(left.xreplace(solution), right) for left, right in open_equations]
    for name in formula.loops(term):
        conditions += [sympy.Ge(solution[symbol(name)], 0), sympy.Lt(solution[symbol(name)], formula.range_of(name))]
    guards = [c for c in guard if not accesses(c)]
    # An index that stands among values is part of them: it is what the key says, whatever it is called.
    values = (_forward(e).xreplace(placeholders).xreplace(solution).xreplace(sizes) for e in (body, *term.guard))
    body, *data = (v for v, e in zip(values, (body, *term.guard), strict=True) if e is body or accesses(e))
    conditions += [_equation(*c.args) if isinstance(c, sympy.Eq) else c for c in (g.xreplace(solution) for g in guards)]
    coefficient, shape = _primitive(body, set(placeholders.values()))
    data.sort(key=str)
    kept = tuple(c.xreplace(sizes) for c in conditions if c != sympy.true)
    return Keyed(sympy.Tuple(shape, *data), coefficient, kept)


def renumbered(relation: Keyed) -> list[Keyed]:
    """A relation under every numbering of the occurrences of an array, none of which is the first by nature.

    Compared so, formulas that number them differently are equal; no point counts more than another of its shape.
    """
    counts: dict[str, int] = {}
    for placeholder in (s.name.partition("[")[0] for s in relation.shape.free_symbols if "#" in s.name):
        array, occurrence = placeholder.split("#")
        counts[array] = max(counts.get(array, 0), int(occurrence) + 1)
    if math.prod(map(math.factorial, counts.values())) > _NUMBERINGS:
        return [relation]
    every = relation.shape.free_symbols.union(*(c.free_symbols for c in (relation.coefficient, *relation.conditions)))
    found = []
    for orders in itertools.product(*(itertools.permutations(range(n)) for n in counts.values())):
        new = {f"{a}#{old}": f"{a}#{k}" for a, order in zip(counts, orders, strict=True) for old, k in enumerate(order)}
        owner = {s: s.name.partition("[")[0] for s in every}
        renamed = {s: sympy.Symbol(s.name.replace(own, new[own])) for s, own in owner.items() if own in new}
        body, *data = (part.xreplace(renamed) for part in relation.shape)
        factor, body = _primitive(body, {s for s in body.free_symbols if "#" in s.name and "[" not in s.name})
        conditions = tuple(c.xreplace(renamed) for c in relation.conditions)
        coefficient = factor * relation.coefficient.xreplace(renamed)
        found.append(Keyed(sympy.Tuple(body, *sorted(data, key=str)), coefficient, conditions))
    return found


def _forward(expr: sympy.Basic) -> sympy.Basic:
    """A condition whose comparisons all point the same way: ``b <= a`` is ``a >= b``."""
    return expr.replace(lambda e: isinstance(e, (sympy.Le, sympy.Lt)), lambda e: e.reversed)


def _equation(left: sympy.Expr, right: sympy.Expr) -> sympy.Basic:
    """An equation with its sides in one order, so that equal ones are seen to be equal."""
    return sympy.Eq(*sorted((left, right), key=str))


def exact_division() -> tuple[list[sympy.Basic], tuple[tuple[sympy.Basic, ...], tuple[sympy.Basic, ...]]]:
    """The lemma that `keyed` uses, as a statement to be proved: for b ≥ 1, b | a and a // b == q ⇔ a == b·q."""
    a, b, q = sympy.symbols("dividend divisor quotient")
    return [sympy.Ge(b, 1)], ((sympy.Eq(mod(a, b), 0), sympy.Eq(floordiv(a, b), q)), (sympy.Eq(a, b * q),))


def _undivided(
    equations: list[tuple[sympy.Expr, sympy.Expr]], guard: tuple[sympy.Basic, ...]
) -> tuple[list[tuple[sympy.Expr, sympy.Expr]], tuple[sympy.Basic, ...]]:
    """Equations ``a // b == q`` under a guard ``b | a`` as ``a == b·q``, which then says what the guard said."""
    found, used = [], set()
    for left, right in equations:
        divides = sympy.Eq(mod(*left.args), 0) if isinstance(left, floordiv) else None
        if divides in guard:
            used.add(divides)
            found.append((left.args[0], sympy.expand(left.args[1] * right)))
        else:
            found.append((left, right))
    return found, tuple(c for c in guard if c not in used)


def _size_names(formula: Formula, term: Term) -> set[str]:
    expressions = [formula.range_of(n) for n in formula.loops(term)]
    found = set().union(term.names(), *map(names, expressions))
    return {n for n in found if ".shape[" in n}


def _renamed_size(name: str, rename: dict[str, str]) -> sympy.Symbol:
    array, axis = name[:-1].split(".shape[")
    return size(rename.get(array, array), int(axis))


def _primitive(body: sympy.Expr, placeholders: set[sympy.Symbol]) -> tuple[sympy.Expr, sympy.Expr]:
    """Coefficient and coefficient-free shape of a body; the sign convention makes a shape and its negative equal."""
    if isinstance(body, sympy.Add):
        content, rest = sympy.expand(body).as_content_primitive()
        leading = min(rest.args, key=lambda t: sympy.srepr(abs(t.as_coeff_Mul()[0]) * t.as_coeff_Mul()[1]))
        return (-content, -rest) if leading.as_coeff_Mul()[0] < 0 else (content, rest)
    parts = [
        _primitive(f, placeholders)
        if isinstance(f, sympy.Add)
        else (sympy.S.One, f)
        if f.free_symbols & placeholders
        else (f, sympy.S.One)
        for f in sympy.Mul.make_args(body)
    ]
    return sympy.Mul(*(c for c, _ in parts)), sympy.Mul(*(s for _, s in parts))


def _solve_indices(
    formula: Formula, loops: tuple[str, ...], equations: list[tuple[sympy.Expr, sympy.Expr]]
) -> tuple[dict[sympy.Symbol, sympy.Expr], list[tuple[sympy.Expr, sympy.Expr]]]:
    """Every loop index as an expression of the key, and the equations that remain as conditions."""
    solution: dict[sympy.Symbol, sympy.Expr] = {}
    remaining = list(equations)
    unknown = set(loops)
    while unknown:
        found = _next_solution(formula, unknown, remaining, solution)
        if not found:
            raise ProofError(
                f"the index {min(unknown)} is not determined by what {formula} reads and writes, so its "
                "points cannot be told apart"
            )
        for name, value in found.items():
            solution[symbol(name)] = value
            unknown.remove(name)
        # The equation that defined a bare index says nothing more; any other one stays as a condition.
        remaining = [(left, right) for left, right in remaining if solution.get(left) != right]
    return solution, remaining


def _next_solution(
    formula: Formula,
    unknown: set[str],
    equations: list[tuple[sympy.Expr, sympy.Expr]],
    solution: dict[sympy.Symbol, sympy.Expr],
) -> dict[str, sympy.Expr]:
    """Indices decided next: one that stands alone in an access, one alone in an equation, or two digits of one."""
    for left, right in equations:
        if left.is_Symbol and left.name in unknown:
            return {left.name: right}
    for left, right in equations:
        inside = sorted(names(left) & unknown)
        if len(inside) == 1 and (found := linear(left, inside[0])) and sign(found[0]) is not None:
            coefficient, difference = found[0], (right - found[1].xreplace(solution)).expand()
            if sign(coefficient) == -1:
                coefficient, difference = -coefficient, -difference
            return {inside[0]: difference if coefficient == 1 else floordiv(difference, coefficient)}
    for left, right in equations:
        both = names(left) & unknown
        pair = digits(left, both, formula.range_of) if len(both) == 2 else None
        if pair:
            high, low, base, rest = pair
            number = (right - rest.xreplace(solution)).expand()
            return {high: floordiv(number, base), low: mod(number, base)}
    return {}
