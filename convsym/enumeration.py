"""The first road to the truth of a rule: exact integers over small geometries, against the formula's own Jacobian.

The Jacobian comes from evaluating the *parent* formula on unit vectors; no derived object takes part. Geometries are
visited from the smallest on, so that the first difference found is a minimal counter-example.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from convsym import evaluation
from convsym.errors import FormulaError
from convsym.expressions import accesses, array_of, indices_of, names, size
from convsym.formula import Formula

# (first value, step, modulus) of the integer fill; where conditions read arrays, every case has to occur early.
_FILL, _FILL_CASES = (1, 7, 11), (-1, 1, 3)
# Decimals to which values are computed that are no quotients of integers, and how many of them tell two apart.
_DIGITS, _SEEN = 30, 18
_SYMBOLIC = 30  # points with numbers that take as long as one with symbols
_SPATIAL, _PLAIN, _MULTIPLIER, _ADDED = (1, 2, 3, 4, 0), (1, 2), (1, 2, 3), (0, 1, 2, -1)


Variable = str | tuple[str, int]  # a parameter, or a size by the first of the axes that have it
Difference = tuple[tuple[int, ...], Any, Any]  # an index, the true value there, and another one


@dataclass(frozen=True)
class Geometry:
    """Concrete sizes of all arrays of a formula, its output included, and concrete parameters."""

    shapes: dict[str, tuple[int, ...]]
    parameters: dict[str, int]

    @property
    def env(self) -> dict[str, int]:
        """Sizes and parameters by the names that stand in expressions."""
        sizes = {f"{a}.shape[{axis}]": n for a, shape in self.shapes.items() for axis, n in enumerate(shape)}
        return sizes | self.parameters


def fill(formula: Formula, geometry: Geometry) -> dict[str, np.ndarray]:
    """Integer arrays for the operands and the output (the cotangent), as `stated_fill` says."""
    arrays, (first, step, modulus) = {}, _numbers(formula)
    for number, name in enumerate((*formula.operands, formula.output)):
        shape = geometry.shapes[name]
        flat = np.arange(int(np.prod(shape, dtype=np.int64)))
        arrays[name] = (first + (step * flat + 5 * number) % modulus).astype(object).reshape(shape)
    return arrays


def stated_fill(formula: Formula) -> str:
    """The integer fill in words."""
    first, step, modulus = _numbers(formula)
    arrays = ", ".join(f"{name} {number}" for number, name in enumerate((*formula.operands, formula.output)))
    return f"flat entry j of array number a is {first} + ({step}*j + 5*a) % {modulus}; numbers: {arrays}"


def _numbers(formula: Formula) -> tuple[int, int, int]:
    return _FILL_CASES if any(accesses(c) for t in formula.terms for c in t.guard) else _FILL


def expected(
    formula: Formula, wrt: str, geometry: Geometry, places: Sequence[tuple[int, ...]] | None = None
) -> np.ndarray:
    """The vector–Jacobian product by its definition: Σ dy·∂y/∂x with the Jacobian read off the formula itself.

    With `places`, only these elements are computed, and the others are 0.
    """
    arrays = fill(formula, geometry)
    cotangent = arrays.pop(formula.output)
    places = list(np.ndindex(arrays[wrt].shape)) if places is None else places
    if not is_linear(formula, wrt):
        return _differentiated(formula, wrt, arrays, cotangent, geometry, places)
    shape, zero = arrays[wrt].shape, np.zeros(len(places), dtype=object)
    units = np.empty(arrays[wrt].size, dtype=object)
    units.fill(zero)
    for place, row in zip(places, np.eye(len(places), dtype=np.int64).astype(object), strict=True):
        units[np.ravel_multi_index(place, shape) if place else 0] = row
    rows = _evaluate(formula, arrays | {wrt: units.reshape(shape)}, geometry)
    total = sum((g * np.asarray(row) for g, row in zip(cotangent.flat, rows.flat, strict=True)), zero)
    result = np.zeros(shape, dtype=object)
    for place, value in zip(places, total, strict=True):
        result[place] = value
    return result


def _differentiated(
    formula: Formula,
    wrt: str,
    arrays: dict[str, np.ndarray],
    cotangent: np.ndarray,
    geometry: Geometry,
    places: Sequence[tuple[int, ...]],
) -> np.ndarray:
    """The same where the formula is not linear in `wrt`: entry by entry becomes a symbol, and SymPy differentiates."""
    source = arrays[wrt]
    result = np.zeros(source.shape, dtype=object)
    variable = sympy.Symbol("entry")
    for place in places:
        moved = source.copy()
        moved[place] = variable
        values = _evaluate(formula, arrays | {wrt: moved}, geometry, arrays)
        slope = sum(
            (g * sympy.diff(v, variable) for g, v in zip(cotangent.flat, values.flat, strict=True)), sympy.Integer(0)
        )
        value = sympy.sympify(slope, strict=True).subs(variable, source[place])
        result[place] = int(value) if value.is_Integer else value
    return result


def is_linear(formula: Formula, wrt: str) -> bool:
    """Whether every term has `wrt` as exactly one factor, and no condition reads it."""
    for term in formula.terms:
        factors = [f for f in sympy.Mul.make_args(term.body) if any(array_of(a) == wrt for a in accesses(f))]
        if len(factors) != 1 or accesses(factors[0]) != (factors[0],):
            return False
        if any(array_of(a) == wrt for c in term.guard for a in accesses(c)):
            return False
    return True


def _evaluate(
    formula: Formula,
    arrays: dict[str, np.ndarray],
    geometry: Geometry,
    deciding: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """The reference at a geometry; entries may be vectors or symbols. Conditions read `deciding`."""
    env = geometry.env
    extents = {i: max(0, int(evaluation.compiled(formula.range_of(i), True)(env))) for i in formula.indices}
    out = np.zeros(geometry.shapes[formula.output], dtype=object)
    for term in formula.terms:
        for target, values, _ in evaluation.visit(term, formula.loops(term), extents, env, arrays, True, deciding):
            evaluation.accumulate(out, target, values)
    return out


def evaluate_rule(rule: Formula, formula: Formula, wrt: str, geometry: Geometry) -> np.ndarray:
    """A rule or a claim at a geometry of its parent, on the stated fill."""
    arrays = fill(formula, geometry)
    arrays["d" + formula.output] = arrays.pop(formula.output)
    shapes = dict(geometry.shapes)
    shapes["d" + formula.output] = shapes[formula.output]
    shapes[rule.output] = shapes[wrt]
    return _evaluate(rule, arrays, Geometry(shapes, geometry.parameters))


def difference(
    rule: Formula, formula: Formula, wrt: str, geometry: Geometry, places: Sequence[tuple[int, ...]] | None = None
) -> Difference | None:
    """First index where a rule differs from the Jacobian, with both values; None where they agree.

    With `places`, only these are looked at: one element takes as long as evaluating the formula once.
    """
    try:
        want, have = expected(formula, wrt, geometry, places), evaluate_rule(rule, formula, wrt, geometry)
    except (ZeroDivisionError, FormulaError):  # some value does not exist at these numbers, or has no order
        return None
    for place in np.ndindex(want.shape) if places is None else places:
        if want[place] != have[place] and not _may_equal(want[place] - have[place]):
            return tuple(int(p) for p in place), want[place], have[place]
    return None


def cost(rule: Formula, formula: Formula, wrt: str, geometry: Geometry) -> int:
    """How long `difference` takes to look at one element: the points it visits, with numbers in them or symbols."""
    total, shapes = 0, dict(geometry.shapes)
    shapes |= {"d" + formula.output: shapes[formula.output], rule.output: shapes[wrt]}
    env = Geometry(shapes, geometry.parameters).env
    for each in (formula, rule):
        for term in each.terms:
            total += math.prod(max(0, int(evaluation.compiled(each.range_of(n), True)(env))) for n in each.loops(term))
    return total if is_linear(formula, wrt) else _SYMBOLIC * total


def _may_equal(rest: Any) -> bool:
    """Whether a difference may be 0 all the same: it looks different, as sin² + cos² − 1, or is no real number."""
    if not isinstance(rest, sympy.Expr) or rest.is_Rational:
        return False
    number = sympy.N(rest, _DIGITS)
    return not (number.is_Float and abs(number) > sympy.Float(10) ** -_SEEN)


# ------------------------------------------------------------------------------------------------ small geometries


def geometries(formula: Formula, limit: int = 250) -> Iterator[Geometry]:
    """Small geometries of a formula, smallest first, all of them satisfying its assumptions.

    Variables are the sizes of axes (those that share an index are one) and the parameters. Each group of variables
    that meet in one index expression is varied in full while the others rest, first with every plain axis of size 1,
    then with sizes that tell the axes apart.

    Parameters
    ----------
    formula : Formula
    limit : int
        Largest number of geometries for each group and pass.

    Yields
    ------
    Geometry
    """
    space = Space(formula)
    seen = set()
    for wide in (False, True):
        rest = space.resting(wide)
        for group in space.groups:
            for values in itertools.islice(_smallest_first({v: space.domains[v] for v in group}), limit):
                geometry = space.geometry(rest | values)
                if geometry is not None and (key := repr(geometry)) not in seen:
                    seen.add(key)
                    yield geometry


def _smallest_first(domains: dict[Variable, tuple[int, ...]]) -> Iterator[dict[Variable, int]]:
    """All assignments of a box, ordered by the sum of positions in the domains."""
    variables = sorted(domains, key=str)
    for total in range(sum(len(domains[v]) - 1 for v in variables) + 1):
        for places in _compositions(total, [len(domains[v]) for v in variables]):
            yield {v: domains[v][p] for v, p in zip(variables, places, strict=True)}


def _compositions(total: int, lengths: list[int]) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as a sum of one number below each length."""
    if not lengths:
        if total == 0:
            yield ()
        return
    for first in range(min(total, lengths[0] - 1) + 1):
        for rest in _compositions(total - first, lengths[1:]):
            yield (first, *rest)


class Space:
    """The size classes and parameters of a formula, and which of them meet."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        self.classes: dict[tuple[str, int], tuple[str, int]] = {}  # (array, axis) -> the class's representative
        for array in (*formula.operands, formula.output):
            for axis in range(formula.rank(array)):
                self.classes[array, axis] = (array, axis)
        for index in formula.indices:
            same = {self.classes[place] for place in formula.bare(index)}
            self.classes = {place: min(same) if c in same else c for place, c in self.classes.items()}
        self.fixed: dict[tuple[str, int], tuple[sympy.Expr, ...]] = {}  # class -> candidates, the least decides it
        for index in formula.indices:
            for place in formula.bare(index):
                if index in dict(formula.ranges):
                    self._fix(self.classes[place], (dict(formula.ranges)[index],))
        outer = {self.classes[formula.output, axis] for axis in range(formula.rank(formula.output))}
        constrained = any(formula.output + ".shape" in n for c in formula.assume for n in names(c))
        for index in formula.indices:
            first = next(iter(formula.bare(index)), None)
            if first and first[0] == formula.output and self.classes[first] in outer and not constrained:
                self._fix(self.classes[first], formula.output_size(index))
        self.free = sorted(set(self.classes.values()) - set(self.fixed))
        self._group()

    def _fix(self, variable: tuple[str, int], candidates: tuple[sympy.Expr, ...]) -> None:
        """Let other sizes decide one; sizes that only decide each other, or themselves, stay free."""
        own = {size(*p).name for p, c in self.classes.items() if c == variable or c[0] == self.formula.output}
        if candidates and not own & set().union(*map(names, candidates)):
            self.fixed[variable] = candidates

    def _group(self) -> None:
        """Connected components of the variables that meet in an index expression or condition."""
        meetings: list[set[Variable]] = []
        for term in self.formula.terms:
            reads = [(array_of(a), axis, e) for a in term.arrays() for axis, e in enumerate(indices_of(a))]
            reads += [(self.formula.output, axis, e) for axis, e in enumerate(term.target)]
            for array, axis, expr in reads:
                meetings.append(self._variables(expr) | {self.classes[array, axis]})
            meetings += [self._variables(c) for c in term.guard]
        meetings += [self._variables(c) for c in self.formula.assume]
        groups: list[set[Variable]] = []
        for meeting in meetings:
            touching = [g for g in groups if g & meeting]
            groups = [g for g in groups if not g & meeting] + [meeting.union(*touching)]
        spatial = {v for g in groups for v in g if len(g) > 1}
        free: set[Variable] = {*self.free, *self.formula.parameters}
        ranged = set().union(*(names(e) for _, e in self.formula.ranges))
        inside = set().union(*map(names, self.formula.index_expressions()))
        scalars = set(self.formula.parameters) - inside  # factors of values: never 0, so that quotients exist
        self.positive: set[Variable] = {*self.formula.multipliers, *ranged, *scalars}
        self.domains: dict[Variable, tuple[int, ...]] = {
            v: (_SPATIAL if v in spatial else _PLAIN)
            if isinstance(v, tuple)
            else _MULTIPLIER
            if v in self.positive
            else _ADDED
            for v in free
        }
        ordered = [sorted((v for v in g if v in free), key=str) for g in groups]
        self.groups = sorted((g for g in ordered if g), key=str)

    def _variables(self, expr: sympy.Basic) -> set[Variable]:
        """Size classes and parameters that an expression depends on, through its indices' ranges too."""
        found: set[Variable] = set()
        for name in names(expr):
            if name in self.formula.indices:
                places = self.formula.bare(name)
                found |= {self.classes[places[0]]} if places else self._variables(self.formula.range_of(name))
            elif ".shape[" in name:
                array, axis = name[:-1].split(".shape[")
                found.add(self.classes[array, int(axis)])
            else:
                found.add(name)
        return found

    def resting(self, wide: bool) -> dict[Variable, int]:
        """Values of variables that are not being varied: all small, or all sizes different."""
        values: dict[Variable, int] = {}
        for place, variable in enumerate(sorted(self.domains, key=str)):
            if isinstance(variable, tuple):
                values[variable] = 2 + place % 2 if wide else 1
            else:
                values[variable] = int(wide) + (variable in self.positive)
        return values

    def values_of(self, model: dict[str, int]) -> dict[Variable, int]:
        """What a solver's model says of the variables: sizes and parameters it leaves open are 1 and neutral."""
        values = self.resting(False)
        decided: dict[Variable, int] = {}
        for place, variable in self.classes.items():
            if size(*place).name in model:
                decided[variable] = model[size(*place).name]
        values |= {v: n for v, n in decided.items() if v in values}
        values |= {p: model[p] for p in self.formula.parameters if p in model}
        # A size that follows from others is what the model says where it says so: an output may have any size.
        self.fixed = {v: e for v, e in self.fixed.items() if v not in decided}
        return values | decided

    def geometry(self, values: Mapping[Variable, int]) -> Geometry | None:
        """The geometry with these values, or None where an assumption fails."""
        sizes = {v: n for v, n in values.items() if isinstance(v, tuple)}
        parameters = {v: n for v, n in values.items() if not isinstance(v, tuple)}
        env = {size(*place).name: sizes[c] for place, c in self.classes.items() if c in sizes} | parameters
        for variable, candidates in self.fixed.items():
            decided = max(0, min(int(evaluation.compiled(e, True)(env)) for e in candidates))
            sizes[variable] = decided
            env |= {size(*place).name: decided for place, c in self.classes.items() if c == variable}
        if not all(evaluation.compiled(c, True)(env) for c in self.formula.assume):
            return None
        shapes = {
            array: tuple(sizes[self.classes[array, axis]] for axis in range(self.formula.rank(array)))
            for array in (*self.formula.operands, self.formula.output)
        }
        return Geometry(shapes, parameters)
