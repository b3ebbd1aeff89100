"""A call of a formula: arrays, parameters and sizes by name become numbers, and every point is visited."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from numbers import Number
from typing import Any

import numpy as np
import sympy

from convsym import evaluation
from convsym.errors import FormulaError, ShapeError, nearest
from convsym.expressions import Term, accesses, array_of, indices_of, names, size, stands_alone, vanishing
from convsym.limits import MAX_INTEGER

# The size of an output index by its name, or the shape of the output by the array's name.
Sizes = Mapping[str, int | Sequence[int]]


def evaluate(formula: Any, values: Mapping[str, Any], sizes: Sizes) -> np.ndarray:
    """Evaluate a formula by the exact reference; see `Formula.__call__`.

    Parameters
    ----------
    formula : Formula
    values : dict
        Arrays and parameters by name.
    sizes : dict
        Sizes of output indices, or the output's shape, by name.

    Returns
    -------
    numpy.ndarray
    """
    arrays, exact, dtype = _arrays(formula, values)
    env, extents = _numbers(formula, {name: a.shape for name, a in arrays.items()}, values, sizes)
    shape: Any = sizes[formula.output] if formula.output in sizes else _shape(formula, extents, env)
    out = np.zeros(tuple(shape), dtype=object if exact else dtype)
    for term in formula.terms:
        for target, result, _ in evaluation.visit(term, formula.loops(term), extents, env, arrays, exact):
            evaluation.accumulate(out, target, result)
    return _narrow(out) if exact and dtype.kind != "O" else out


def output_shape(
    formula: Any, shapes: Mapping[str, Sequence[int]], parameters: Mapping[str, int], sizes: Sizes
) -> tuple[int, ...]:
    """Shape of a formula's output; see `Formula.shape`."""
    env, extents = _numbers(formula, shapes, parameters, sizes)
    return tuple(_shape(formula, extents, env))


def _numbers(
    formula: Any, shapes: Mapping[str, Sequence[int]], parameters: Mapping[str, Any], sizes: Sizes
) -> tuple[dict[str, Any], dict[str, int]]:
    """Sizes and parameters by the names that stand in expressions, and the range of every index."""
    env = _parameters(formula, parameters)
    given = _checked_sizes(formula, sizes)
    known = dict(shapes) | ({formula.output: given[formula.output]} if formula.output in given else {})
    env |= {size(name, axis).name: int(n) for name, shape in known.items() for axis, n in enumerate(shape)}
    extents = _extents(formula, env, given)
    env |= _output_sizes(formula, extents)
    _need_sizes(formula, env)
    return env, extents


def _checked_sizes(formula: Any, sizes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sizes of a call: names that are known, integers from 0 on."""
    known = (formula.output, *(n for n in formula.indices if formula.bare(n)))
    for name, given in sizes.items():
        if name not in known:
            raise FormulaError(
                f"sizes names {name!r}, which is no index of the output", str(formula), None, nearest(name, known)
            )
        wanted = tuple(given) if name == formula.output else (given,)
        if not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 0 for n in wanted):
            raise ShapeError(f"sizes[{name!r}] is {given!r}; a size is an integer from 0 on")
        if name == formula.output and len(wanted) != formula.rank(name):
            raise ShapeError(f"sizes[{name!r}] is {given!r}, and {name} has {formula.rank(name)} axes: {formula}")
    return sizes


def relation(formula: Any, sizes: Mapping[str, Sequence[int]], parameters: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The points of the index relation; see `Formula.relation`."""
    env = _parameters(formula, parameters)
    env |= {size(name, axis).name: n for name, shape in sizes.items() for axis, n in enumerate(shape)}
    extents = _extents(formula, env, {})
    ones = {name: np.ones(sizes[name], dtype=object) for name in formula.operands}
    columns: dict[str, list[np.ndarray]] = {}
    for term in formula.terms:
        # What counts is where a point reads and writes, not what: no value, no case, only zeros outside.
        bare = Term(term.target, sympy.Mul(*vanishing(term.body)), tuple(c for c in term.guard if not accesses(c)))
        for target, values, here in evaluation.visit(bare, formula.loops(term), extents, env, ones, True):
            within = [(t >= 0) & (t < n) for t, n in zip(target, sizes[formula.output], strict=True)]
            inside = np.logical_and.reduce([values != 0, *within])
            found = {name: here[name] for name in formula.loops(term)}
            found |= {f"{formula.output}[{axis}]": t for axis, t in enumerate(target)}
            for reading in term.arrays():
                found |= {
                    f"{array_of(reading)}[{axis}]": evaluation.compiled(e, True)(here)
                    for axis, e in enumerate(indices_of(reading))
                }
            for name, column in found.items():
                columns.setdefault(name, []).append(np.broadcast_to(column, len(inside))[inside])
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _output_sizes(formula: Any, extents: dict[str, int]) -> dict[str, int]:
    """Sizes of the output's axes that a bare index decides, by name."""
    target = formula.terms[0].target
    return {
        size(formula.output, axis).name: extents[e.name]
        for axis, e in enumerate(target)
        if stands_alone(e) and e.name in extents
    }


def _need_sizes(formula: Any, env: Mapping[str, Any]) -> None:
    """Raise where a formula mentions the size of an axis that nothing decides, as a folded target does."""
    for name in sorted(set().union(*(t.names() for t in formula.terms))):
        if ".shape[" in name and name not in env:
            raise ShapeError(
                f"{name} decides where {formula} writes, but nothing says how large it is; "
                f"give sizes={{{formula.output!r}: ...}}"
            )


def _shape(formula: Any, extents: Mapping[str, int], env: Mapping[str, Any]) -> list[int]:
    """Shape of the output: ranges of bare indices, last written index + 1 of the others, less what is cropped there."""
    shape = []
    for axis, expr in enumerate(formula.terms[0].target):
        if stands_alone(expr) and expr.name in extents:
            shape.append(extents[expr.name])
        else:
            last = (evaluation.largest(t.target[axis], t, formula.loops(t), extents, env) for t in formula.terms)
            cropped = sum(env[p] for p in formula.symmetric if p in names(expr))
            shape.append(max(0, 1 + max(last) - cropped))
    return shape


def _arrays(formula: Any, values: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], bool, np.dtype[Any]]:
    """Operands as arrays, whether they are exact, and the type of the result."""
    known = (*formula.operands, *formula.parameters)
    for name in values:
        if name not in known:
            raise FormulaError(
                f"{name!r} is neither an operand nor a parameter", str(formula), None, nearest(name, known)
            )
    found = {}
    for name in formula.operands:
        if name not in values:
            raise FormulaError(
                f"the operand {name!r} is missing",
                str(formula),
                None,
                f"call it with {', '.join(n + '=...' for n in formula.operands)}",
            )
        if isinstance(values[name], np.ma.MaskedArray):
            raise FormulaError(f"{name} is a masked array, and a formula has no masks", hint=f"write {name}.filled(0)")
        array = np.asarray(values[name])
        strange = [v for v in array.flat if not isinstance(v, Number | sympy.Basic)] if array.dtype.kind == "O" else []
        if array.dtype.kind not in "iufcO" or strange:
            what = type(strange[0]).__name__ if strange else array.dtype
            raise FormulaError(f"{name} holds {what}; a formula is evaluated on numbers")
        if array.ndim != formula.rank(name):
            raise ShapeError(
                f"{name} has {array.ndim} axes {array.shape}; the formula reads it with {formula.rank(name)}: {formula}"
            )
        found[name] = array
    dtype = np.result_type(*found.values()) if found else np.dtype(np.int64)
    exact = dtype.kind in "iuO"
    return {n: a.astype(object if exact else dtype) for n, a in found.items()}, exact, dtype


def _parameters(formula: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the parameters; those left out are neutral."""
    env: dict[str, Any] = {}
    multipliers = formula.multipliers
    inside = set().union(*map(names, formula.index_expressions()))
    for name in formula.parameters:
        if name not in values:
            if name not in inside:
                raise FormulaError(f"the parameter {name!r} is missing", str(formula), None, f"call it with {name}=...")
            env[name] = 1 if name in multipliers else 0
            continue
        value = values[name]
        if name in inside:
            if isinstance(value, bool | np.bool) or not isinstance(value, int | np.integer):
                raise FormulaError(f"the parameter {name} is {value!r}; it stands in an index, so it is an integer")
            value = int(value)
            if abs(value) > MAX_INTEGER:
                raise FormulaError(f"the parameter {name} is {value}; in an index it is at most 10**12")
        elif not isinstance(value, Number | sympy.Basic):
            raise FormulaError(f"the parameter {name} is {value!r}; it is a number")
        if name in multipliers and value < 1:
            raise FormulaError(
                f"the parameter {name} is {value}; it multiplies an index or divides, so it is at least 1"
            )
        env[name] = Fraction(value) if isinstance(value, Fraction) else value
    return env


def _extents(formula: Any, env: dict[str, Any], sizes: Mapping[str, Any]) -> dict[str, int]:
    """Range of every index as an integer."""
    extents: dict[str, int] = {}
    ranges = dict(formula.ranges)
    for index in formula.indices:
        agree = {place: env[size(*place).name] for place in formula.bare(index) if size(*place).name in env}
        if index in ranges:
            extents[index] = max(0, int(evaluation.compiled(ranges[index], True)(env)))
        elif agree:
            extents[index] = next(iter(agree.values()))
        for (array, axis), n in agree.items():
            if n != extents[index]:
                raise ShapeError(
                    f"{array} has size {n} on axis {axis}, but index {index} runs to {extents[index]} "
                    f"elsewhere; arrays that share an index agree in its size: {formula}"
                )
    left = [i for i in formula.indices if i not in extents]
    while left:
        index = next((i for i in left if _decidable(formula, i, env, sizes)), None)
        if index is None:
            raise ShapeError(
                f"how large {' and '.join(left)} of {formula.output} are depends on each other: {formula}; "
                f"say so with sizes={{{left[0]!r}: ...}}"
            )
        extents[index] = _output_extent(formula, index, env, sizes)
        env = env | {size(*place).name: extents[index] for place in formula.bare(index)}
        left.remove(index)
    return extents


def _decidable(formula: Any, index: str, env: Mapping[str, Any], sizes: Mapping[str, Any]) -> bool:
    """Whether the size of an output index is given, or all that it depends on is known."""
    given = index in sizes or formula.output in sizes
    return given or all(names(c) <= env.keys() for c in formula.output_size(index))


def _output_extent(formula: Any, index: str, env: Mapping[str, Any], sizes: Mapping[str, Any]) -> int:
    if index in sizes:
        return int(sizes[index])
    if formula.output in sizes:
        axis = dict((array, axis) for array, axis in formula.bare(index))[formula.output]
        return int(sizes[formula.output][axis])
    candidates = formula.output_size(index)
    if not candidates:
        raise ShapeError(
            f"no read decides how large {index} of {formula.output} is: {formula}; say so with sizes={{{index!r}: ...}}"
        )
    return max(0, min(int(evaluation.compiled(c, True)(env)) for c in candidates))


def _narrow(out: np.ndarray) -> np.ndarray:
    """Exact integers as int64 where they fit."""
    limit = np.iinfo(np.int64)
    if all(isinstance(v, int) and limit.min <= v <= limit.max for v in out.flat):
        return out.astype(np.int64)
    return out
