"""The index relation of one axis, read off a formula: which output meets which input through which tap."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import sympy

from convsym import evaluation
from convsym.expressions import array_of, indices_of, names, size
from convsym.formula import Formula

Place = tuple[str, int]


def axis_relation(
    formula: Formula,
    shapes: Mapping[str, tuple[int, ...]],
    parameters: Mapping[str, int],
    *,
    output: Place,
    kernel: Place,
    input: Place,
) -> np.ndarray:
    """Return every (output, tap, input) triple that a formula multiplies along one axis.

    Reads outside the input are listed too: they are what padding means.

    Parameters
    ----------
    formula : Formula
        A formula of one term, such as that of ``conv1d`` or one of its rules.
    shapes : mapping of str to tuple of int
        The shape of every array of the formula.
    parameters : mapping of str to int
        The value of every parameter that the axis uses.
    output, kernel, input : tuple of (str, int)
        The array and axis that give the three columns.

    Returns
    -------
    ndarray of int, shape (points, 3)
        Sorted, without repeats.

    Examples
    --------
    >>> import convsym
    >>> from convsym.figures import axis_relation
    >>> f = convsym.Formula("y[o] += x[stride*o + r - padding] * w[r]")
    >>> axis_relation(f, {"x": (4,), "w": (2,), "y": (2,)}, {"stride": 2, "padding": 1},
    ...               output=("y", 0), kernel=("w", 0), input=("x", 0)).tolist()
    [[0, 0, -1], [0, 1, 0], [1, 0, 1], [1, 1, 2]]
    """
    columns = [_index(formula, place) for place in (output, kernel, input)]
    used = set().union(*map(names, columns))
    loops = tuple(index for index in formula.indices if index in used)
    env: dict[str, Any] = {size(name, axis).name: n for name, shape in shapes.items() for axis, n in enumerate(shape)}
    env |= parameters
    extents = {index: int(evaluation.compiled(formula.range_of(index), True)(env)) for index in loops}
    env |= evaluation.points(loops, extents, 0, prod(extents.values()))
    count = prod(extents.values())
    chosen = np.ones(count, dtype=bool)
    for condition in formula.terms[0].guard:
        if names(condition) & set(formula.indices) <= set(loops):
            chosen &= np.asarray(evaluation.compiled(condition, True)(env), dtype=bool)
    points = [np.broadcast_to(evaluation.compiled(each, True)(env), count)[chosen] for each in columns]
    return np.unique(np.stack(points, axis=1).astype(int), axis=0)


def _index(formula: Formula, place: Place) -> sympy.Expr:
    """The index expression that stands on one axis of one array."""
    array, axis = place
    term = formula.terms[0]
    if array == formula.output:
        return term.target[axis]
    return next(indices_of(reading)[axis] for reading in term.arrays() if array_of(reading) == array)
