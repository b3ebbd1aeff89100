"""The symbolic side of specs: size rules and theorems of a layer, and equality proved for every size.

Everything here starts from the formula of the convolution in the registry: the read of a window, the number of outputs
and the padding of each convention are derived from it.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import sympy

from convsym import solver, theorems
from convsym.expressions import floordiv, size, symbol, to_text
from convsym.formula import Formula
from convsym.kernels._generated import rules
from convsym.ops import registry
from convsym.specs.forms import as_convolution
from convsym.specs.layer import Layer

_OUTPUT, _TAP, _INPUT, _SIZE = map(symbol, ("o", "r", "i", "size"))
_NAMES = {"tf": "same upper", "lower": "same lower", "symmetric": "same"}


def size_theorem(layer: Layer, budget: float = 10.0) -> theorems.Theorem:
    """The theorem that says what sizes a layer makes: of its padding convention, or of padding given in numbers.

    Parameters
    ----------
    layer : Layer
    budget : float
        Seconds for the proof.

    Returns
    -------
    Theorem
    """
    name = "output padding"
    if isinstance(layer.padding, str) and not layer.transposed:
        name = _NAMES[layer.same] if layer.padding == "same" else layer.padding
    return theorems.size_theorem(_formula(), name, budget=budget)


def size_formulas(layer: Layer) -> tuple[str, ...]:
    """The output size along each axis, as text in the input size n; it is at least 0.

    Parameters
    ----------
    layer : Layer

    Returns
    -------
    tuple of str
    """
    return tuple(_size_text(layer.axis(number)) for number in range(layer.rank))


def _size_text(axis: Layer) -> str:
    axis = as_convolution(axis) or axis
    low, high, assumed = _padding(axis, theorems.TOTAL)
    if axis.transposed:  # a padding mode: what is folded back is what the zeros around would cut off
        return _size_text(replace(axis, padding_mode="zeros"))
    count, *least = (expr.xreplace({_SIZE: symbol("n")}) for expr in (_count(axis, low, high), *assumed[1:2]))
    shown = [to_text(bound.rhs) for bound in least if theorems.TOTAL in count.free_symbols]
    return to_text(count) + "".join(f", where total = max(0, {needed})" for needed in shown)


def proved_equal(this: Layer, other: Layer, budget: float = 5.0) -> tuple[str, int | None]:
    """Whether two axes have the same relation and number of outputs at every size of at least 1.

    Parameters
    ----------
    this, other : Layer
        Of one spatial axis each, with equal kernel sizes.
    budget : float
        Seconds for the proof.

    Returns
    -------
    (str, int or None)
        "proved"; "refuted" and a size at which they differ; or "unknown", also where Z3 is not installed or an axis
        has a padding mode.
    """
    if solver.z3() is None:
        return "unknown", None
    first, second = as_convolution(this), as_convolution(other)
    if first is None or second is None or {first.padding_mode, second.padding_mode} != {"zeros"}:
        return "unknown", None
    deadline = time.monotonic() + budget
    for hypotheses, goal in _goals(first, second):
        verdict = solver.valid(hypotheses, goal, deadline)
        if verdict.status != "proved":
            return verdict.status, verdict.model.get(_SIZE.name)
    return "proved", None


def _goals(this: Layer, other: Layer) -> Iterator[tuple[list[sympy.Basic], sympy.Basic]]:
    """What is to be proved of two convolutions of one axis: as many outputs, and the same meetings for every tap."""
    low, high, known = zip(*(_padding(axis, symbol(f"total{n}")) for n, axis in enumerate((this, other))), strict=True)
    counts = [_count(axis, *sides) for axis, *sides in zip((this, other), low, high, strict=True)]
    hypotheses = [sympy.Ge(_SIZE, 1), *known[0], *known[1]]
    some = sympy.Or(*(sympy.Ge(count, 1) for count in counts))
    yield [*hypotheses, some], sympy.Eq(*counts, evaluate=False)
    inside = [sympy.Ge(_OUTPUT, 0), sympy.Lt(_OUTPUT, counts[0]), sympy.Ge(_INPUT, 0), sympy.Lt(_INPUT, _SIZE)]
    for tap in range(this.kernel_size[0]):
        first, second = (_meeting(axis, tap, before) for axis, before in zip((this, other), low, strict=True))
        yield [*hypotheses, *inside], sympy.Or(sympy.And(first, second), sympy.And(sympy.Not(first), sympy.Not(second)))


def _meeting(axis: Layer, tap: int, low: sympy.Expr) -> sympy.Basic:
    """Whether an output reads an input with a tap."""
    counted = axis.kernel_size[0] - 1 - tap if axis.flip else tap
    place = rules.read(_OUTPUT, counted, axis.stride[0], axis.dilation[0], low)
    return sympy.Eq(place, axis.input_dilation[0] * _INPUT, evaluate=False)


def _padding(axis: Layer, total: sympy.Symbol) -> tuple[sympy.Expr, sympy.Expr, tuple[sympy.Basic, ...]]:
    """Padding before and after as expressions in the size, and what is to be assumed of `total`."""
    if not isinstance(axis.padding, str):
        low, high = axis.padding[0]
        return sympy.Integer(low), sympy.Integer(high), ()
    known = theorems.conventions(_formula())
    names = _names(axis)
    name = _NAMES[axis.same] if axis.padding == "same" else axis.padding
    low, high = (_with(side, {**names, theorems.TOTAL: total}) for side in known.paddings[name])
    needed = _with(known.total, names)
    least = sympy.Or(sympy.Eq(total, 0), sympy.Eq(total, needed, evaluate=False))
    return low, high, (sympy.Ge(total, 0), sympy.Ge(total, needed), least)


def _count(axis: Layer, low: sympy.Expr, high: sympy.Expr) -> sympy.Expr:
    """Number of outputs for an input of a symbolic size; it is at least 0."""
    formula = _formula()
    (padding,) = formula.symmetric
    (count,) = formula.output_size(formula.terms[0].target[-1].name, high={padding: symbol("high")})
    return _with(count, {**_names(axis), symbol(padding): low, symbol("high"): high})


def _names(axis: Layer) -> dict[sympy.Symbol, int | sympy.Expr]:
    """The numbers of one axis by the symbols of the formula; the size is that of the dilated input."""
    extent = rules.transposed_size(_SIZE, 1, axis.input_dilation[0], 1, 0, 0)
    numbers = {"stride0": axis.stride[0], "dilation0": axis.dilation[0]}
    sizes = {size("w", 2): axis.kernel_size[0], size("x", 2): extent}
    return {**{symbol(name): number for name, number in numbers.items()}, **sizes}


def _formula() -> Formula:
    return registry["conv1d"].formula


def _with(expr: sympy.Expr, values: Mapping[sympy.Symbol, int | sympy.Expr]) -> sympy.Expr:
    """An expression with other names and numbers in it, the arguments of floors multiplied out."""
    filled = expr.xreplace({n: v if isinstance(v, sympy.Basic) else sympy.Integer(v) for n, v in values.items()})
    return filled.replace(floordiv, lambda top, by: sympy.expand(top) if by == 1 else floordiv(sympy.expand(top), by))
