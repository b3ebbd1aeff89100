"""Jacobians: the derivative as a formula of its own, as a sparse matrix, as a pattern, and as a count.

Rows are outputs, columns are inputs, both numbered with the last index fastest. "Non-zero" means structural: an entry
that some point of the index relation reaches, whatever the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import sympy

from convsym.boundary import is_folded
from convsym.derivation import partials
from convsym.elimination import interval
from convsym.errors import FormulaError, ShapeError, nearest
from convsym.expressions import (
    Term,
    access,
    array_of,
    ceildiv,
    floordiv,
    indices_of,
    linear,
    names,
    sign,
    size,
    stands_alone,
    symbol,
    vanishing,
)
from convsym.formula import Formula

OUTPUT = "J"


@dataclass(frozen=True)
class Pattern:
    """Structural non-zeros of a Jacobian in CSR form.

    Attributes
    ----------
    indptr : ndarray of int64, shape (rows + 1,)
        Row i holds the columns ``indices[indptr[i]:indptr[i + 1]]``.
    indices : ndarray of int64, shape (nnz,)
        Columns, ascending in each row.
    shape : (int, int)
        Rows (outputs) and columns (inputs).
    """

    indptr: np.ndarray
    indices: np.ndarray
    shape: tuple[int, int]

    @property
    def nnz(self) -> int:
        """Number of structural non-zeros."""
        return len(self.indices)


def jacobian_formula(formula: Formula, wrt: str) -> Formula:
    """The Jacobian as a formula: ``J[output indices, input indices] += ∂body/∂input``.

    Parameters
    ----------
    formula : Formula
    wrt : str
        Operand to differentiate by.

    Returns
    -------
    Formula

    Raises
    ------
    FormulaError
        `wrt` is no operand, or the name ``J`` is taken.

    Examples
    --------
    >>> print(jacobian_formula(Formula("y[o] += x[2*o + r] * w[r]"), "x"))
    J[o, 2*o + r] += w[r]
    """
    if OUTPUT in (formula.output, *formula.operands, *formula.indices, *formula.parameters):
        raise FormulaError(
            f"the name {OUTPUT!r} of the Jacobian is taken in the formula", str(formula), None, "rename it"
        )
    terms, found = [], list(partials(formula, wrt))
    shift = formula.rank(formula.output)
    own = {size(formula.output, axis): size(OUTPUT, axis) for axis in range(shift)}
    own |= {size(wrt, axis): size(OUTPUT, shift + axis) for axis in range(formula.rank(wrt))}
    for term, reading, partial in found:
        terms.append(Term((*term.target, *indices_of(reading)), partial, term.guard).replace(own))
    order = (OUTPUT, *formula.order)
    ranges = dict(formula.ranges) | {
        n: formula.range_of(n).xreplace(own)
        for t in terms
        for n in formula.loops(t)
        if n not in dict(formula.ranges) and _left(terms, n)
    }
    return Formula.of(OUTPUT, "+=", terms, like=formula, order=order, ranges=ranges)


def _left(terms: list[Term], name: str) -> bool:
    """Whether an index stands alone nowhere any more, so that its range has to be written down."""
    one = symbol(name)
    places = [e for t in terms for e in (*t.target, *(i for a in t.arrays() for i in indices_of(a)))]
    return one not in places


def jacobian(formula: Formula, wrt: str, sizes: Mapping[str, Sequence[int]], **parameters: int) -> sympy.SparseMatrix:
    """The Jacobian at concrete sizes as a sparse matrix of symbols.

    Parameters
    ----------
    formula : Formula
    wrt : str
        Operand to differentiate by.
    sizes : dict
        Shape of every operand by its name, e.g. ``{"x": (5,), "w": (3,)}``; the output's shape follows, or is given.
    **parameters
        Integer parameters; those left out are neutral.

    Returns
    -------
    sympy.SparseMatrix
        Entries are in the elements of the other operands, such as ``w[0]``.

    Raises
    ------
    FormulaError
        `wrt` is no operand, or a parameter is unknown.
    ShapeError
        `sizes` lacks an operand, or a shape has another number of axes.

    Examples
    --------
    >>> jacobian(Formula("y[o] += x[o + r] * w[r]"), "x", {"x": (3,), "w": (2,)})
    Matrix([
    [w[0], w[1],    0],
    [   0, w[0], w[1]]])
    """
    shapes, derived = _concrete(formula, wrt, sizes, parameters)
    arrays = {}
    for name in derived.operands:
        arrays[name] = np.empty(shapes[name], dtype=object)
        for place in np.ndindex(shapes[name]):
            arrays[name][place] = access(name, tuple(map(sympy.Integer, place)))
    dense = derived(**arrays, **_own(derived, parameters), sizes={OUTPUT: (*shapes[formula.output], *shapes[wrt])})
    rows, columns = prod(shapes[formula.output]), prod(shapes[wrt])
    flat = dense.reshape(rows, columns)
    entries = {(int(i), int(j)): flat[i, j] for i, j in zip(*np.nonzero(flat), strict=True)}
    return sympy.SparseMatrix(rows, columns, entries)


def jacobian_pattern(formula: Formula, wrt: str, sizes: Mapping[str, Sequence[int]], **parameters: int) -> Pattern:
    """Structural non-zeros of the Jacobian at concrete sizes, without building the matrix.

    Parameters
    ----------
    formula, wrt, sizes, **parameters
        As for `jacobian`.

    Returns
    -------
    Pattern

    Raises
    ------
    FormulaError, ShapeError
        As `jacobian`.

    Examples
    --------
    >>> jacobian_pattern(Formula("y[o] += x[o + r] * w[r]"), "x", {"x": (3,), "w": (2,)}).indices
    array([0, 1, 1, 2])
    """
    shapes, derived = _concrete(formula, wrt, sizes, parameters)
    outer, inner = shapes[formula.output], shapes[wrt]
    reads = {name: shapes[name] for name in derived.operands}
    found = derived.relation({OUTPUT: (*outer, *inner), **reads}, **_own(derived, parameters))
    width = prod(inner)
    places = [found.get(f"{OUTPUT}[{axis}]", np.zeros(0, np.int64)) for axis in range(len(outer) + len(inner))]
    flat = np.zeros(len(places[0]) if places else 0, dtype=np.int64)
    for place, count in zip(places, (*outer, *inner), strict=True):
        flat = flat * count + place.astype(np.int64)
    flat = np.unique(flat)
    rows, columns = (flat // width, flat % width) if width else (flat, flat)
    indptr = np.searchsorted(rows, np.arange(prod(outer) + 1))
    return Pattern(indptr, columns, (prod(outer), width))


def jacobian_nnz(formula: Formula, wrt: str) -> sympy.Expr:
    """Number of structural non-zeros of the Jacobian, in the symbols of sizes and parameters.

    Parameters
    ----------
    formula : Formula
        With one term in `wrt`.
    wrt : str
        Operand to differentiate by.

    Returns
    -------
    sympy.Expr
        A product over axes; an axis that slides holds one sum over its taps. Substitute the size symbols (they are
        named like ``x.shape[0]``) and parameters, then ``.doit()``.

    Raises
    ------
    FormulaError
        The points cannot be counted axis by axis.

    Examples
    --------
    >>> count = jacobian_nnz(Formula("y[i] += A[i, j] * x[j]"), "x")
    >>> sorted(map(str, count.free_symbols))
    ['A.shape[0]', 'A.shape[1]']
    """
    found = list(partials(formula, wrt))
    if len(found) != 1 or found[0][0].guard:
        raise FormulaError(
            "non-zeros are counted for formulas with one term in the operand and no condition", str(formula)
        )
    term, reading, partial = found[0]
    entry = (*term.target, *indices_of(reading))
    left = _decided(formula, entry)
    places = [(array_of(a), axis, e) for a in (*vanishing(partial), reading) for axis, e in enumerate(indices_of(a))]
    places += [(formula.output, axis, e) for axis, e in enumerate(term.target)]
    counted: set[str] = set()
    total = sympy.S.One
    for array, axis, expr in dict.fromkeys(places):
        inside = [n for n in formula.indices if n in names(expr)]
        if stands_alone(expr):
            continue
        if len(inside) not in (1, 2) or not set(inside) <= left or counted & set(inside) or is_folded(expr):
            raise FormulaError(f"the points of {formula.show(expr)} cannot be counted axis by axis", str(formula))
        total *= _sliding(formula, expr, inside, size(array, axis))
        counted |= set(inside)
    for name in formula.loops(term):
        if name not in counted:
            total *= formula.range_of(name) if name in left else sympy.Min(1, formula.range_of(name))
    return total


def _decided(formula: Formula, entry: tuple[sympy.Expr, ...]) -> set[str]:
    """The indices that an entry's row and column are made of; it must decide them, or points would share an entry."""
    left = {n for e in entry for n in names(e) if n in formula.indices}
    known: set[str] = set()
    for _ in left:
        for expr in entry:
            unknown = names(expr) & left - known
            parts = linear(expr, min(unknown)) if len(unknown) == 1 else None
            if parts and sign(parts[0]):
                known |= unknown
    if left - known:
        raise FormulaError(f"points of {formula} with different {', '.join(sorted(left - known))} may share an entry")
    return left


def _sliding(formula: Formula, expr: sympy.Expr, inside: list[str], length: sympy.Symbol) -> sympy.Expr:
    """Number of values of one or two indices that keep ``a·p + b·q + c`` inside an axis: a sum over the second."""
    ahead = [n for n in inside if (parts := linear(expr, n)) and sign(parts[0]) == 1]
    if not ahead:
        raise FormulaError(f"no index moves {formula.show(expr)} forward", str(formula))
    lower, upper = interval(expr, ahead[0], length)
    start, stop = sympy.Max(0, _open(lower)), sympy.Min(formula.range_of(ahead[0]), _open(upper))
    count = sympy.Max(0, stop - start)
    taps = [n for n in inside if n != ahead[0]]
    if not taps:
        return count
    # Counted from 1: SymPy 1.14 takes a summation index that can only be 0 for one that makes the summand 0.
    one = symbol(taps[0])
    return sympy.Sum(count.xreplace({one: one - 1}), (one, 1, formula.range_of(taps[0])))


def _open(expr: sympy.Expr) -> sympy.Expr:
    """Opaque divisions as SymPy's floor and ceiling, for reading and for numbers."""
    return expr.replace(floordiv, lambda a, b: sympy.floor(a / b)).replace(ceildiv, lambda a, b: sympy.ceiling(a / b))


def _own(derived: Formula, parameters: Mapping[str, int]) -> dict[str, int]:
    """The parameters that a derived formula still has."""
    return {name: value for name, value in parameters.items() if name in derived.parameters}


def _concrete(
    formula: Formula, wrt: str, sizes: Mapping[str, Sequence[int]], parameters: Mapping[str, int]
) -> tuple[dict[str, tuple[int, ...]], Formula]:
    """Shapes of all arrays, and the Jacobian as a formula."""
    derived = jacobian_formula(formula, wrt)
    for name in parameters:
        if name not in formula.parameters:
            raise FormulaError(f"{name!r} is no parameter", str(formula), None, nearest(name, formula.parameters))
    shapes = {}
    for name in formula.operands:
        if name not in sizes:
            raise ShapeError(f"sizes says nothing of {name}; give the shape of every operand: {formula}")
        shapes[name] = tuple(int(n) for n in sizes[name])
        if len(shapes[name]) != formula.rank(name):
            raise ShapeError(
                f"sizes[{name!r}] is {shapes[name]}, and {name} has {formula.rank(name)} axes in {formula}"
            )
    if formula.output in sizes:
        shapes[formula.output] = tuple(int(n) for n in sizes[formula.output])
    else:
        shapes[formula.output] = formula.shape(dict(shapes), sizes=None, **parameters)
    return shapes, derived
