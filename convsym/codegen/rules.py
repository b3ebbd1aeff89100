"""The small Python module that the numeric side imports: signatures of the kernels, and derived rules on integers."""

from collections.abc import Iterator
from typing import Any

import sympy

from convsym.boundary import MODES, cases
from convsym.codegen.cython import HEADER
from convsym.elimination import interval
from convsym.errors import KernelError
from convsym.expressions import array_of, floordiv, indices_of, names, size, symbol, to_text
from convsym.formula import Formula
from convsym.theorems import TOTAL, conventions

_DOC = '''"""Signatures of the compiled kernels, and rules on integers derived from the formulas."""

from collections.abc import Callable
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from convsym.kernels.signature import Kernel, Lift

Integers = NDArray[Any]
'''
_POSITION, _LENGTH = symbol("e"), symbol("n")


def rules_text(table: str, op: Any) -> str:
    """Text of the module.

    Parameters
    ----------
    table : str
        What is known of the kernels; see `table_text`.
    op : Op
        The one-axis convolution whose size rules are printed.

    Returns
    -------
    str
    """
    modes = "".join(f'    "{name}": {name},\n' for name in MODES)
    by_name = f"MODES: dict[str, Callable[[Integers, int], Integers]] = {{\n{modes}}}\n"
    folds = [_fold(name, mode) for name, mode in MODES.items()]
    made = [*size_rules(op), *read_rules(op), *padding_rules(op), *folds, by_name]
    return f"{HEADER}{_DOC}\n{table}\n\n" + "\n\n".join(made)


class _Axis:
    """The one spatial axis of an op: the position it reads, and how many outputs it has, in the names of the rules."""

    def __init__(self, formula: Formula) -> None:
        (self.index,) = [n for n in formula.indices if formula.bare(n)[0][0] == formula.output]
        (padding,) = formula.symmetric
        high = symbol(f"{padding}_high")
        (last,) = formula.last_reads(self.index, {padding: high})
        read, tap, outer = _reading(formula, self.index)
        shared = {symbol(p): symbol(p.rstrip("0123456789")) for p in formula.parameters}
        shared |= {symbol(padding): symbol("low"), high: symbol("high")}
        self.shared = shared | {size(*outer): symbol("i"), formula.range_of(tap): symbol("r")}
        self.count = last.size.xreplace(self.shared)
        self.read = read.xreplace(shared | {symbol(self.index): symbol("o"), symbol(tap): symbol("r")})


def _reading(formula: Formula, index: str) -> tuple[sympy.Expr, str, tuple[str, int]]:
    """The expression that moves with the output index, the other index in it, and the axis it reads."""
    for term in formula.terms:
        for reading in term.arrays():
            for axis, expr in enumerate(indices_of(reading)):
                if index in names(expr) and not expr.is_Symbol:
                    (other,) = [n for n in formula.indices if n in names(expr) and n != index]
                    return expr, other, (array_of(reading), axis)
    raise KernelError(f"{formula} has no axis that {index} slides over")


def size_rules(op: Any) -> Iterator[str]:
    """Output size of the op's one spatial axis, and the size with so many outputs."""
    axis = _Axis(op.formula)
    yield _function(
        "output_size",
        ("i", "r", "stride", "dilation", "low", "high"),
        f"max(0, {to_text(axis.count)})",
        f"Size of the output along one axis: the largest {axis.index} range whose last read lies inside.",
    )
    yield _function(
        "transposed_size",
        ("o", "r", "stride", "dilation", "low", "high"),
        to_text(_least(axis.count)),
        "The least input size with exactly o outputs, o >= 1; below 1 where the padding alone makes more of them.",
    )


def _least(count: sympy.Expr) -> sympy.Expr:
    """Solve ``count == o`` for the least i: the quotient in it is smallest where nothing is left over."""
    (quotient,) = count.atoms(floordiv)
    above, divisor = quotient.args
    exact = sympy.Eq(count.xreplace({quotient: above / divisor}), symbol("o"))
    (solved,) = sympy.solve(exact, symbol("i"))
    return sympy.expand(solved)


def read_rules(op: Any) -> Iterator[str]:
    """Where an output reads with a tap, and which outputs read inside with it: the op's access and its loop bounds."""
    axis = _Axis(op.formula)
    first, end = interval(axis.read, "o", symbol("i"))
    yield _elementwise(
        "read",
        ("o", "r"),
        ("stride", "dilation", "low"),
        to_text(axis.read),
        "The index of x that output o reads with tap r; integers or arrays of them.",
    )
    yield _elementwise(
        "first_output",
        ("r",),
        ("stride", "dilation", "low"),
        to_text(first),
        "The first output, in all of ℤ, whose read with tap r is at least 0; an integer or an array.",
    )
    yield _elementwise(
        "end_output",
        ("i", "r"),
        ("stride", "dilation", "low"),
        to_text(end),
        "The output, in all of ℤ, after the last one whose read with tap r is below i; integers or arrays.",
    )


def padding_rules(op: Any) -> Iterator[str]:
    """The padding (low, high) of each convention along the op's one spatial axis, and a table of them."""
    axis, chosen = _Axis(op.formula), conventions(op.formula)
    table = []
    for convention, sides in chosen.paddings.items():
        name = f"{convention.replace(' ', '_')}_sides"
        table.append(f'    "{convention}": {name},\n')
        low, high = (to_text(side.xreplace(axis.shared)) for side in sides)
        lines = [
            f"def {name}(i: int, r: int, stride: int, dilation: int) -> tuple[int, int]:",
            f'    """Padding (low, high) of an axis of size i, by the convention {convention!r}."""',
        ]
        if any(TOTAL in side.free_symbols for side in sides):
            lines.append(f"    {TOTAL} = max(0, {to_text(chosen.total.xreplace(axis.shared))})")
        yield "\n".join([*lines, f"    return {low}, {high}"]) + "\n"
    yield f"PADDINGS: dict[str, Callable[[int, int, int, int], tuple[int, int]]] = {{\n{''.join(table)}}}\n"


def _function(name: str, arguments: tuple[str, ...], body: str, doc: str) -> str:
    given = ", ".join(f"{a}: int" for a in arguments)
    return f'def {name}({given}) -> int:\n    """{doc}"""\n    return {body}\n'


def _elementwise(name: str, arrays: tuple[str, ...], scalars: tuple[str, ...], body: str, doc: str) -> str:
    """A function of integers that may be arrays; of plain integers it is one."""
    plain, either = ("int",) * len(arrays), "int | Integers"
    offered = [(plain, "int")]
    offered += [((*plain[:k], "Integers", *(either for _ in plain[k + 1 :])), "Integers") for k in range(len(arrays))]
    heads = []
    for kinds, result in (*offered, (("Any",) * len(arrays), "Any")):
        given = [f"{a}: {kind}" for a, kind in zip(arrays, kinds, strict=True)] + [f"{s}: int" for s in scalars]
        heads.append(f"def {name}({', '.join(given)}) -> {result}:")
    overloads = "".join(f"@overload\n{head} ...\n" for head in heads[:-1])
    return f'{overloads}{heads[-1]}\n    """{doc}"""\n    return {body}\n'


def _fold(name: str, mode: type[Any]) -> str:
    """A boundary mode of an array of positions; what depends on the size alone is decided once."""
    lines = [
        f"def {name}({_POSITION}: Integers, {_LENGTH}: int) -> Integers:",
        f'    """Positions e, folded into an axis of n >= 1 elements by the boundary mode {name}."""',
    ]
    pieces = list(cases(mode(_POSITION, _LENGTH)))
    while pieces[0][0] != sympy.true and not names(pieces[0][0]) & {_POSITION.name}:
        condition, value = pieces.pop(0)
        lines += [f"    if {to_text(condition)}:", f"        return {_filled(value)}"]
    chosen = _filled(pieces.pop()[1])
    for condition, value in reversed(pieces):
        chosen = f"np.where({to_text(condition)}, {to_text(value)}, {chosen})"
    return "\n".join([*lines, f"    return {chosen}"]) + "\n"


def _filled(value: sympy.Expr) -> str:
    """Text of a value as an array of the positions' shape."""
    return to_text(value) if names(value) & {_POSITION.name} else f"np.full_like({_POSITION}, {to_text(value)})"
