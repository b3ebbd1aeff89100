"""The exact reference: a term is evaluated point by point of its index relation, as it is written.

No loop bound, no size formula and no rewriting takes part: every point of the index space is visited, points whose
guard fails are left out, reads outside an array give 0, writes outside are dropped. Index arithmetic is done on
NumPy integer arrays, so a whole block of points is one step; values keep their type (int, Fraction, float, SymPy).
"""

import math
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache, reduce
from operator import add, eq, ge, gt, le, lt, mul, ne
from typing import Any

import numpy as np
import sympy
from sympy.logic.boolalg import And, Not, Or

from convsym.boundary import cases, is_folded
from convsym.errors import FormulaError
from convsym.expressions import (
    FUNCTIONS,
    Term,
    accesses,
    array_of,
    ceildiv,
    floordiv,
    indices_of,
    is_access,
    mod,
    to_text,
)

BLOCK = 200_000  # points visited in one step; bounds the memory of the reference

_COMPARE = {sympy.Eq: eq, sympy.Ne: ne, sympy.Lt: lt, sympy.Le: le, sympy.Gt: gt, sympy.Ge: ge}
_FLOAT = {function: getattr(np, name) for name, function in FUNCTIONS.items()}  # NumPy has them under the same names


Environment = Mapping[Any, Any]  # integers or arrays by the names of scalars; elements that were read, by their access
Evaluator = Callable[[Environment], Any]


def _inverse(value: Any) -> Any:
    """1/value without leaving the integers' field of fractions."""
    return Fraction(1, value) if isinstance(value, int) else 1 / value


_exact_inverse = np.frompyfunc(_inverse, 1, 1)


def _raised(value: Any, exponent: Any) -> Any:
    """A power of two exact numbers; where it is no fraction, it is SymPy's."""
    whole: Any = exponent.numerator if isinstance(exponent, numbers.Rational) and exponent.denominator == 1 else None
    if whole is not None:
        base = int(value) if isinstance(value, np.integer) else value
        return base**whole if whole >= 0 else _inverse(base) ** -whole
    return sympy.sympify(value, strict=True) ** sympy.sympify(exponent, strict=True)


def _compared(kind: type) -> Callable[[Any, Any], np.ndarray]:
    """A comparison of values, which may be symbols or complex numbers."""

    def compare(left: Any, right: Any) -> np.ndarray:
        try:
            return np.asarray(_COMPARE[kind](left, right), bool)
        except TypeError:
            raise FormulaError("a condition compares values that have no order") from None

    return compare


@lru_cache(maxsize=8192)
def compiled(expr: sympy.Basic, exact: bool) -> Evaluator:
    """Turn an expression into a function of an environment.

    Parameters
    ----------
    expr : sympy.Basic
        Expression or condition.
    exact : bool
        Whether values are Python objects (quotients become Fractions) or NumPy floats.

    Returns
    -------
    callable
        ``fn(env)`` with ``env`` a dict from names and accesses to integers or arrays.
    """
    if is_access(expr):
        return lambda env: env[expr]
    if expr.is_Symbol:
        name = expr.name
        return lambda env: env[name]
    if expr.is_Number:
        value = int(expr) if expr.is_Integer else Fraction(int(expr.p), int(expr.q)) if exact else expr.p / expr.q
        return lambda env: value
    # Our own order, not SymPy's: the result of a floating-point sum must not change with SymPy's version.
    ordered = sorted(expr.args, key=to_text) if isinstance(expr, (sympy.Add, sympy.Mul)) else expr.args
    arguments = [compiled(a, exact) for a in ordered]
    return _node(expr, arguments, exact)


def _node(expr: sympy.Basic, arguments: list[Evaluator], exact: bool) -> Evaluator:
    """The function of an inner node, given the functions of its arguments."""
    kind = type(expr)
    if kind in (sympy.Add, sympy.Mul):
        operation = add if kind is sympy.Add else mul
        return lambda env: reduce(operation, [a(env) for a in arguments])
    if kind in _COMPARE:
        (left, right), compare = arguments, _compared(kind)
        return lambda env: compare(left(env), right(env))
    if kind is floordiv:
        return lambda env: arguments[0](env) // arguments[1](env)
    if is_folded(expr):
        return _folding(expr)
    if kind is ceildiv:
        return lambda env: -(-arguments[0](env) // arguments[1](env))
    if kind is mod:
        return lambda env: arguments[0](env) % arguments[1](env)
    if kind is sympy.Pow:
        return _power(expr, arguments, exact)
    if kind in (And, Or):
        operation = np.logical_and if kind is And else np.logical_or
        return lambda env: reduce(operation, [a(env) for a in arguments])
    if kind is Not:
        return lambda env: np.logical_not(arguments[0](env))
    if exact:
        function = np.frompyfunc(lambda value: kind(sympy.sympify(value, strict=True)), 1, 1)
        return lambda env: function(arguments[0](env))
    return lambda env: _FLOAT[kind](arguments[0](env))


def _folding(expr: sympy.Expr) -> Evaluator:
    """A boundary mode; on an empty axis it stays outside, where every read gives 0."""
    length, size_ = compiled(expr.args[1], True), sympy.Symbol("size of the folded axis")
    *first, (_, last) = cases(expr.func(expr.args[0], size_))
    steps = [(compiled(c, True), compiled(value, True)) for c, value in first]
    otherwise = compiled(last, True)

    def fold(env: Environment) -> np.ndarray:
        count = length(env)
        known = {**env, size_.name: max(count, 1)}
        with np.errstate(divide="ignore"):  # the period of `reflect` is 0 where its first case decides
            result = np.asarray(otherwise(known))
            for condition, value in reversed(steps):
                result = np.where(condition(known), value(known), result)
        return result if count else np.full_like(result, -1)

    return fold


def _power(expr: sympy.Expr, arguments: list[Evaluator], exact: bool) -> Evaluator:
    base, exponent = arguments[0], expr.exp
    if not exponent.is_Rational:
        raised = np.frompyfunc(_raised, 2, 1) if exact else lambda value, number: (1.0 * value) ** number
        return lambda env: raised(base(env), arguments[1](env))
    if exponent.q == 2:
        root = np.frompyfunc(lambda value: sympy.sqrt(sympy.sympify(value, strict=True)), 1, 1) if exact else np.sqrt
        return lambda env: root(base(env)) ** exponent.p
    count = int(exponent)
    if count >= 0:
        return lambda env: base(env) ** count
    if exact:
        return lambda env: _exact_inverse(base(env)) ** -count
    return lambda env: 1 / base(env) ** -count


def selected(env: Environment, chosen: np.ndarray) -> Environment:
    """The environment restricted to chosen points."""
    return {
        name: value[chosen] if isinstance(value, np.ndarray) and value.ndim else value for name, value in env.items()
    }


def read(array: np.ndarray, index: Sequence[np.ndarray]) -> Any:
    """Read `array` at index arrays; outside its range the value is 0."""
    if not index:
        return array[()]
    index = np.broadcast_arrays(*map(np.atleast_1d, index))  # one place is a point too: an entry may be a vector
    inside = np.logical_and.reduce([(i >= 0) & (i < n) for i, n in zip(index, array.shape, strict=True)])
    if inside.all():
        return array[tuple(index)]
    values = np.zeros(inside.shape, dtype=array.dtype)
    values[inside] = array[tuple(i[inside] for i in index)]
    return values


def points(loops: Sequence[str], extents: Mapping[str, int], start: int, stop: int) -> dict[str, np.ndarray]:
    """Index arrays of the points `start` … `stop` of the box that `extents` spans, last index fastest."""
    rest, found = np.arange(start, stop), {}
    for name in reversed(loops):  # not np.unravel_index: a formula may have more indices than an array has axes
        rest, found[name] = np.divmod(rest, extents[name])
    return found


def visit(
    term: Term,
    loops: tuple[str, ...],
    extents: Mapping[str, int],
    env: Environment,
    arrays: Mapping[str, np.ndarray],
    exact: bool,
    deciding: Mapping[str, np.ndarray] | None = None,
) -> Iterator[tuple[tuple[np.ndarray, ...], np.ndarray, Environment]]:
    """Yield ``(target index arrays, values, env)`` for each block of points of a term.

    Parameters
    ----------
    term : object
        With `target` (index expressions), `guard` (conditions) and `body`.
    loops : tuple of str
        The term's indices, slowest first.
    extents : dict
        Range of each index.
    env : dict
        Values of parameters and sizes by name.
    arrays : dict
        Arrays by name.
    exact : bool
        See `compiled`.
    deciding : dict, optional
        Arrays that the conditions read instead of `arrays`: an entry that is being varied does not change its case.
    """
    total = math.prod(extents[name] for name in loops)
    for start in range(0, total, BLOCK):
        here: Environment = {**env, **points(loops, extents, start, min(start + BLOCK, total))}
        count = min(BLOCK, total - start)
        for condition in term.guard:
            known = _with_reads(condition, here, deciding or arrays)
            chosen = np.broadcast_to(np.asarray(compiled(condition, exact)(known), bool), count)
            here, count = selected(here, chosen), int(chosen.sum())
        here = _with_reads(term.body, here, arrays)
        values = np.broadcast_to(np.asarray(compiled(term.body, exact)(here), dtype=object if exact else None), count)
        target = tuple(np.broadcast_to(np.asarray(compiled(e, exact)(here)), count) for e in term.target)
        yield target, values, here


def largest(expr: sympy.Expr, term: Term, loops: tuple[str, ...], extents: Mapping[str, int], env: Environment) -> int:
    """Largest value of an index expression over a term's points, and at least -1; conditions on data are ignored."""
    guard = tuple(c for c in term.guard if not accesses(c))
    walk = Term((expr,), sympy.S.One, guard)
    return max(
        (int(target[0].max(initial=-1)) for target, _, _ in visit(walk, loops, extents, env, {}, True)), default=-1
    )


def _with_reads(expr: sympy.Basic, env: Environment, arrays: Mapping[str, np.ndarray]) -> Environment:
    """The environment extended by the values of all accesses in `expr`."""
    reads = {}
    for reading in accesses(expr):
        if reading not in env:
            index = [np.asarray(compiled(i, True)(env)) for i in indices_of(reading)]
            reads[reading] = read(arrays[array_of(reading)], index)
    return {**env, **reads}


def accumulate(out: np.ndarray, target: tuple[np.ndarray, ...], values: np.ndarray) -> None:
    """Add values at target positions of `out`; positions outside are dropped."""
    if not target:
        out[()] = reduce(add, values, out[()])
        return
    inside = np.logical_and.reduce([(i >= 0) & (i < n) for i, n in zip(target, out.shape, strict=True)])
    np.add.at(out, tuple(i[inside] for i in target), values[inside])
