"""The table of kernels: what a caller has to know of each, derived from its loop nest."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import sympy

from convsym.codegen.loops import FIRST, TILE, Check, Nest
from convsym.errors import KernelError
from convsym.expressions import accesses, array_of, ceildiv, floordiv, indices_of, mod, names, size, symbol

# A coefficient, the names of parameters, and the arrays and axes of sizes.
Monomial = tuple[int, tuple[str, ...], tuple[tuple[str, int], ...]]


def table_text(ops: Iterable[Any], nests: Callable[[list[Any]], Sequence[Nest]]) -> str:
    """Text of the table.

    Parameters
    ----------
    ops : iterable of Op
    nests : callable
        From ops to their loop nests.

    Returns
    -------
    str
    """
    compiled = {op.name: op for op in ops if op.lane is not None}
    lines = [f"TILE = {TILE}\n", "KERNELS: dict[str, Kernel] = {"]
    for op in compiled.values():
        made, wide = nests([op]), nests([compiled[op.plain]]) if op.plain else ()
        for number, nest in enumerate(made):
            lift = _lift(op, nest, compiled[op.plain], wide[number]) if wide else None
            lines.append(f"    {nest.name!r}: {_kernel(op, nest, lift)},")
    return "\n".join([*lines, "}\n"])


def _kernel(op: Any, nest: Nest, lift: str | None) -> str:
    formula = nest.formula
    loops = [n for n, _ in nest.owners] + [loop.index for loop in nest.loops] + [nest.lane]
    fields = (
        nest.name,
        formula.output,
        formula.operands,
        formula.parameters,
        tuple(axis for _, axis in nest.owners),
        tuple(formula.bare(n)[0] for n in loops),
        nest.tiled,
        tuple(map(formula.rank, (formula.output, *formula.operands))),
        formula.multipliers,
        reach(nest),
        op.leveled,
    )
    return f"Kernel({', '.join(map(repr, fields))}, {lift})"


def _lift(op: Any, nest: Nest, wide: Any, wide_nest: Nest) -> str:
    """How the op's kernel is the one of more axes, where the first of those are of size 1 and neutral."""
    added = wide.rank - op.rank
    values: dict[str, int | str] = {}
    for name in nest.formula.parameters:
        family = name.rstrip("0123456789")
        values |= {f"{family}{axis}": op.defaults[family] for axis in range(added)}
        values[f"{family}{int(name[len(family) :]) + added}"] = name
    arrays = (nest.formula.output, *nest.formula.operands)
    places = tuple(_first_spatial(op, name) for name in arrays)
    parameters = tuple(values[name] for name in wide_nest.formula.parameters)
    return f"Lift({wide_nest.name!r}, {added}, {places}, {parameters})"


def _first_spatial(op: Any, array: str) -> int:
    """The axis before which an array gets more spatial axes."""
    formula = op.grouped
    known = {array_of(a): indices_of(a) for t in formula.terms for a in t.arrays()}
    known[formula.output] = formula.terms[0].target
    indices = known.get(array) or known[array.removeprefix("d")]
    spatial = [axis for axis, e in enumerate(indices) if names(e) & {f"{letter}0" for letter in op.spatial}]
    if len(spatial) != 1:
        raise KernelError(f"{op.name} has no plain kernels: {array} has {len(spatial)} axes of one spatial axis")
    return spatial[0]


def arithmetic(nest: Nest) -> tuple[list[sympy.Expr], dict[sympy.Symbol, sympy.Expr]]:
    """What a kernel computes with integers: bounds, positions and indices; and the ranges of the names in them."""
    formula = nest.formula
    checks = [c for level in (nest.checks, *(loop.checks for loop in nest.loops)) for c in level]
    found = [*nest.lower, *nest.upper, *nest.target]
    found += [e for c in checks for e in ((c.expr, c.length) if c.name else c.expr.args)]
    found += [e for a in accesses(nest.body) for e in indices_of(a)]
    found = [e for e in found if not (e.is_Symbol and e.name in formula.indices)]
    ranges = {symbol(n): formula.range_of(n) for n in formula.indices} | _positions(checks)
    if nest.tiled is not None:
        ranges[FIRST] = size(formula.output, nest.tiled)
    return found, ranges


def reach(nest: Nest) -> tuple[Monomial, ...]:
    """A sum of products of sizes and parameters that no number in the kernel's index arithmetic exceeds.

    Every bound of it is made of sums, products and divisions by at least 1; with + for - and every index replaced by
    its range, the largest coefficient of each monomial bounds them all. Sizes are at least 1 where a kernel computes
    anything, and so are parameters that multiply: a monomial that is a part of another one is left out.
    """
    formula, (found, ranges) = nest.formula, arithmetic(nest)
    largest: Counter[sympy.Expr] = Counter()
    for expr in found:
        for product, number in sympy.expand(_majorant(expr, ranges)).as_coefficients_dict().items():
            largest[product] = max(largest[product], int(number))
    axes = {size(a, axis): (a, axis) for a in (formula.output, *formula.operands) for axis in range(formula.rank(a))}
    made = [_monomial(number, _factors(product), axes) for product, number in sorted(largest.items(), key=str)]
    made = [m for m in made if m[0]]
    return tuple(m for m in made if not any(n is not m and _within(m, n, formula.multipliers) for n in made))


def _within(monomial: Monomial, other: Monomial, positive: tuple[str, ...]) -> bool:
    """Whether a monomial is never larger than another one."""
    (number, parameters, sizes), (above, more, wider) = monomial, other
    extra = Counter(more) - Counter(parameters)
    return (
        number <= above
        and Counter(parameters) <= Counter(more)
        and Counter(sizes) <= Counter(wider)
        and all(name in positive for name in extra)
    )


def _positions(checks: list[Check]) -> dict[sympy.Symbol, sympy.Expr]:
    """Checked positions lie inside their axes."""
    return {symbol(c.name): c.length for c in checks if c.name}


def _majorant(expr: sympy.Expr, ranges: dict[sympy.Symbol, sympy.Expr]) -> sympy.Expr:
    """An expression without signs that no value of `expr` exceeds in size."""
    if expr in ranges:
        return ranges[expr]
    if expr.is_Number:
        return abs(expr)
    if expr.is_Symbol:
        return expr
    parts = [_majorant(e, ranges) for e in expr.args]
    if isinstance(expr, (floordiv, ceildiv)):
        return parts[0]
    if isinstance(expr, mod):
        return parts[1]
    if isinstance(expr, (sympy.Add, sympy.Mul)):
        return type(expr)(*parts)
    raise KernelError(f"no bound is known of {expr}")


def _factors(product: sympy.Expr) -> Iterator[sympy.Expr]:
    for factor in sympy.Mul.make_args(product):
        base, exponent = factor.as_base_exp()
        yield from [base] * int(exponent)


def _monomial(number: int, factors: Iterator[sympy.Expr], axes: dict[sympy.Symbol, tuple[str, int]]) -> Monomial:
    """A coefficient, the names of parameters, and the places of sizes."""
    found = [f for f in factors if f != 1]
    parameters = tuple(sorted(f.name for f in found if f not in axes))
    return number, parameters, tuple(sorted(axes[f] for f in found if f in axes))
