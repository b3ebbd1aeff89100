"""Counter-examples in numbers: a solver's model, or a geometry, as integers that anybody can check."""

import math
import time
from fractions import Fraction
from typing import Any

import sympy

from convsym.enumeration import Difference, Geometry, Space, Variable, cost, difference, stated_fill
from convsym.errors import ProofError
from convsym.formula import Formula
from convsym.relations import key
from convsym.verdict import Counterexample

_POINTS = 200_000  # that are visited to show a counter-model in numbers; see `cost`
_DIGITS = (9, 18)  # decimals of a value that is no quotient of integers: the first that tell the two apart


def replayed(
    model: dict[str, int], formula: Formula, claim: Formula, wrt: str, deadline: float
) -> Counterexample | None:
    """A solver's counter-model as concrete numbers, if they show the difference; the sizes as small as can be.

    Parameters
    ----------
    model : dict
        Values by variable name.
    formula, claim : Formula
    wrt : str
    deadline : float
        Until when smaller sizes are looked for.

    Returns
    -------
    Counterexample or None

    Raises
    ------
    ProofError
        The sizes are too large.
    """
    space = Space(formula)
    values = space.values_of(model)
    geometry = space.geometry(values)
    if geometry is None:
        return None
    if cost(claim, formula, wrt, geometry) > _POINTS:
        shapes = ", ".join(f"{name} {shape}" for name, shape in geometry.shapes.items())
        raise ProofError(f"the prover's counter-model is too large to be shown in numbers: sizes {shapes}")
    place = tuple(model.get(key("out", 0, axis).name, 0) for axis in range(formula.rank(wrt)))
    found = _differs(geometry, formula, claim, wrt, place)
    if found is None:
        return None
    geometry, found = _shrunk(space, values, geometry, found, (formula, claim, wrt), deadline)
    return shown(formula, geometry, found)


def _differs(
    geometry: Geometry, formula: Formula, claim: Formula, wrt: str, place: tuple[int, ...]
) -> Difference | None:
    """What `difference` finds: where the model says, else anywhere if there are not too many elements."""
    shape = geometry.shapes[wrt]
    inside = all(0 <= p < n for p, n in zip(place, shape, strict=True))
    found = difference(claim, formula, wrt, geometry, [place]) if inside else None
    whole = cost(claim, formula, wrt, geometry) * math.prod(shape) <= _POINTS
    return found or (difference(claim, formula, wrt, geometry) if whole else None)


def _shrunk(
    space: Space,
    values: dict[Variable, int],
    geometry: Geometry,
    found: Difference,
    question: tuple[Formula, Formula, str],
    deadline: float,
) -> tuple[Geometry, Difference]:
    """Make sizes and parameters smaller, one at a time, while the difference can be seen.

    The model's sizes are the least of one axis; those of other axes, which the model leaves open, are 1 already.
    """
    formula, claim, wrt = question
    for variable in sorted(values, key=str):
        least = 1 if variable in space.positive else 0
        while abs(values[variable]) > least and time.monotonic() < deadline:
            nearer = values | {variable: values[variable] - (1 if values[variable] > 0 else -1)}
            smaller = space.geometry(nearer)
            other = None if smaller is None else _differs(smaller, formula, claim, wrt, found[0])
            if smaller is None or other is None:
                break
            values, geometry, found = nearer, smaller, other
    return geometry, found


def shown(formula: Formula, geometry: Geometry, found: Difference) -> Counterexample:
    """A counter-example of a geometry and what `difference` found there."""
    place, expected, claimed = found
    unit, true, said = _counted(expected, claimed)
    return Counterexample(geometry.shapes, geometry.parameters, place, true, said, stated_fill(formula), unit)


def _counted(*values: Any) -> tuple[str, int, int]:
    """Two different values as integers of one unit."""
    if all(isinstance(v, int | Fraction) or v.is_Rational for v in values):
        first, second = (Fraction(int(v.numerator), int(v.denominator)) for v in values)
        parts = math.lcm(first.denominator, second.denominator)
        return "1" if parts == 1 else f"1/{parts}", int(first * parts), int(second * parts)
    for digits in _DIGITS:
        true, said = (int(sympy.N(sympy.sympify(v, strict=True) * 10**digits, 80).round()) for v in values)
        if true != said:
            return f"10**-{digits}", true, said
    raise ProofError(f"the values {values[0]} and {values[1]} differ by less than 10**-{_DIGITS[-1]}")
