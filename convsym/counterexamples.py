"""Counter-examples in numbers: a solver's model, or a geometry, as integers that anybody can check."""

import math
import time
from fractions import Fraction

import sympy

from convsym.enumeration import Space, cost, difference, stated_fill
from convsym.errors import ProofError
from convsym.relations import key
from convsym.verdict import Counterexample

_POINTS = 200_000  # that are visited to show a counter-model in numbers; see `cost`
_DIGITS = (9, 18)  # decimals of a value that is no quotient of integers: the first that tell the two apart


def replayed(model, formula, claim, wrt, deadline):
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
    if not found:
        return None
    geometry, found = _shrunk(space, values, geometry, found, (formula, claim, wrt), deadline)
    return shown(formula, geometry, found)


def _differs(geometry, formula, claim, wrt, place):
    """What `difference` finds: where the model says, else anywhere if there are not too many elements."""
    shape = geometry.shapes[wrt]
    inside = all(0 <= p < n for p, n in zip(place, shape, strict=True))
    found = difference(claim, formula, wrt, geometry, [place]) if inside else None
    whole = cost(claim, formula, wrt, geometry) * math.prod(shape) <= _POINTS
    return found or (difference(claim, formula, wrt, geometry) if whole else None)


def _shrunk(space, values, geometry, found, question, deadline):
    """Make sizes and parameters smaller, one at a time, while the difference can be seen.

    The model's sizes are the least of one axis; those of other axes, which the model leaves open, are 1 already.
    """
    formula, claim, wrt = question
    for variable in sorted(values, key=str):
        least = 1 if variable in space.positive else 0
        while abs(values[variable]) > least and time.monotonic() < deadline:
            nearer = values | {variable: values[variable] - (1 if values[variable] > 0 else -1)}
            smaller = space.geometry(nearer)
            other = smaller and _differs(smaller, formula, claim, wrt, found[0])
            if not other:
                break
            values, geometry, found = nearer, smaller, other
    return geometry, found


def shown(formula, geometry, found):
    """A counter-example of a geometry and what `difference` found there."""
    place, expected, claimed = found
    unit, *values = _counted(expected, claimed)
    return Counterexample(geometry.shapes, geometry.parameters, place, *values, stated_fill(formula), unit)


def _counted(*values):
    """Two different values as integers of one unit."""
    if all(isinstance(v, int | Fraction) or v.is_Rational for v in values):
        exact = [Fraction(int(v.numerator), int(v.denominator)) for v in values]
        parts = math.lcm(*(v.denominator for v in exact))
        return "1" if parts == 1 else f"1/{parts}", *(int(v * parts) for v in exact)
    for digits in _DIGITS:
        rounded = [int(sympy.N(sympy.sympify(v, strict=True) * 10**digits, 80).round()) for v in values]
        if rounded[0] != rounded[1]:
            return f"10**-{digits}", *rounded
    raise ProofError(f"the values {values[0]} and {values[1]} differ by less than 10**-{_DIGITS[-1]}")
