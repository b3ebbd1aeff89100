"""What is known of an op on whole arrays: its formula, the derived rules, and the functions generated from both."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ArrayOp:
    """An op on arrays of any rank.

    Its functions take first where functions are looked up: NumPy's in `arrays`, or anything with functions of the same
    names for other values. They broadcast as NumPy does.

    Attributes
    ----------
    name : str
        As in the registry.
    formula : str
        What it computes; each index stands for any number of axes.
    operands, parameters : tuple of str
        Names of arrays and of scalars, in the order of a call.
    reduced : bool
        Whether it leaves one value for all elements along some axes. Its functions then take these, ``axis``, as a
        tuple of integers from 0 on, and their results, like the cotangent, keep the axes with size 1.
    forward : callable
        ``forward(ops, *operands, *parameters)``, and ``axis`` last.
    backward : dict
        The gradient by operand, ``backward["x"](ops, dy, *…)``; what it takes else, `reads` says.
    reads : dict
        Names by operand: operands, parameters, ``y`` for the result, ``axis``, or ``x_shape``.
    rules : dict
        The derived rule by operand, as a formula.
    code : dict
        The expression that is computed, by operand; that of the result by ``"y"``.
    """

    name: str
    formula: str
    operands: tuple[str, ...]
    parameters: tuple[str, ...]
    reduced: bool
    forward: Callable[..., Any]
    backward: Mapping[str, Callable[..., Any]]
    reads: Mapping[str, tuple[str, ...]]
    rules: Mapping[str, str]
    code: Mapping[str, str]


def count(shape: Sequence[int], axis: Sequence[int]) -> int:
    """Number of elements along axes.

    Parameters
    ----------
    shape, axis : sequence of int

    Returns
    -------
    int

    Examples
    --------
    >>> count((2, 3, 5), (0, 2))
    10
    """
    return math.prod(shape[each] for each in axis)


def positions(shape: Sequence[int], axis: Sequence[int]) -> NDArray[np.intp]:
    """The index of every element along one axis, with the other axes of size 1.

    Parameters
    ----------
    shape, axis : sequence of int
        One axis.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> positions((2, 3, 1), (1,)).tolist()
    [[[0], [1], [2]]]
    """
    (place,) = axis
    return np.arange(shape[place]).reshape([-1 if each == place else 1 for each in range(len(shape))])
