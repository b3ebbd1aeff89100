"""Counter-examples in numbers: a solver's model, or a geometry, as integers that anybody can check."""

import math
from fractions import Fraction

import sympy

from convsym.enumeration import Space, difference, stated_fill
from convsym.errors import ProofError
from convsym.verdict import Counterexample

_REPLAYED = 4000  # elements of the largest array on which a counter-model is shown; a Jacobian has their square
_DIGITS = (9, 18, 36)  # decimals of a value that is no quotient of integers: the first that tell the two apart


def replayed(model, formula, claim, wrt):
    """A solver's counter-model as concrete numbers, if they show the difference.

    Raises
    ------
    ProofError
        The sizes are too large.
    """
    geometry = Space(formula).geometry_of(model)
    if geometry and max(map(math.prod, geometry.shapes.values())) > _REPLAYED:
        shapes = ", ".join(f"{name} {shape}" for name, shape in geometry.shapes.items())
        raise ProofError(f"the prover's counter-model is too large to be shown in numbers: sizes {shapes}")
    found = geometry and difference(claim, formula, wrt, geometry)
    return shown(formula, geometry, found) if found else None


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
        rounded = [int(sympy.Integer(sympy.N(v * 10**digits, 80).round())) for v in values]
        if rounded[0] != rounded[1]:
            return f"10**-{digits}", *rounded
    raise ProofError(f"the values {values[0]} and {values[1]} differ by less than 10**-{_DIGITS[-1]}")
