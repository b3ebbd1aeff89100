"""The small Python module that the numeric side imports: signatures of the kernels, derived size rules."""

import sympy

from convsym.codegen.cython import HEADER
from convsym.codegen.loops import TILE
from convsym.errors import KernelError
from convsym.expressions import array_of, ceildiv, floordiv, indices_of, names, size, symbol, to_text

_DOC = '''"""Signatures of the compiled kernels, and the size rules derived from the formulas."""

from convsym.kernels.signature import Kernel
'''


def rules_text(nests, op):
    """Text of the module.

    Parameters
    ----------
    nests : sequence of Nest
        All kernels.
    op : Op
        The one-axis convolution whose size rules are printed.

    Returns
    -------
    str
    """
    lines = [f"{HEADER}{_DOC}\nTILE = {TILE}\n", "KERNELS = {"]
    for nest in nests:
        formula = nest.formula
        loops = [n for n, _ in nest.owners] + [loop.index for loop in nest.loops] + [nest.lane]
        extents = tuple(formula.bare(n)[0] for n in loops)
        fields = (
            nest.name,
            formula.output,
            formula.operands,
            formula.parameters,
            tuple(axis for _, axis in nest.owners),
            extents,
            nest.tiled,
        )
        lines.append(f"    {nest.name!r}: Kernel{fields!r},")
    lines.append("}\n\n\n")
    return "\n".join(lines) + "\n\n".join(size_rules(op))


def size_rules(op):
    """Output size of the op's one spatial axis, and the total padding that keeps the size, both derived."""
    formula = op.formula
    (index,) = [n for n in formula.indices if formula.bare(n)[0][0] == formula.output]
    (padding,) = formula.symmetric
    high = symbol(f"{padding}_high")
    (last,) = formula.last_reads(index, {padding: high})
    outer, inner = _sizes(formula, index)
    rename = {size(*outer): symbol("i"), size(*inner): symbol("r")} | {
        symbol(p): symbol(p.rstrip("0123456789")) for p in formula.parameters
    }
    rename |= {symbol(padding): symbol("low"), high: symbol("high")}
    count = last.size.xreplace(rename)
    yield _function(
        "output_size",
        ("i", "r", "stride", "dilation", "low", "high"),
        f"max(0, {to_text(count)})",
        f"Size of the output along one axis: the largest {index} range whose last read lies inside.",
    )
    yield _function(
        "same_padding",
        ("r", "dilation"),
        to_text(_same(count)),
        "Total padding (both sides) with which the output keeps the input's size at stride 1.",
    )


def _sizes(formula, index):
    """The input axis and the kernel axis that the output index meets."""
    for term in formula.terms:
        for reading in term.arrays():
            for axis, expr in enumerate(indices_of(reading)):
                if index in names(expr) and not expr.is_Symbol:
                    (other,) = [n for n in formula.indices if n in names(expr) and n != index]
                    return (array_of(reading), axis), formula.bare(other)[0]
    raise KernelError(f"{formula} has no axis that {index} slides over")


def _same(count):
    """Solve ``count == i`` for the total padding at stride 1."""
    low, high, i = symbol("low"), symbol("high"), symbol("i")
    unit = count.xreplace({symbol("stride"): sympy.S.One}).replace(
        floordiv, lambda a, b: a if b == 1 else floordiv(a, b)
    )
    total = symbol("total")
    solved = sympy.solve(sympy.Eq(unit.xreplace({low: total - high}), i), total)
    if len(solved) != 1 or solved[0].has(floordiv, ceildiv, i):
        raise KernelError("the size rule has no padding that keeps the size")
    return solved[0]


def _function(name, arguments, body, doc):
    return f'def {name}({", ".join(arguments)}):\n    """{doc}"""\n    return {body}\n'
