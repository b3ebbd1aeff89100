"""Formula to plain Python loops: slow, exact on ints, Fractions and SymPy symbols, and made to be read."""

import sympy

from convsym.codegen.safe import identifier, safe
from convsym.codegen.statements import (
    FOLDED,
    INDENT,
    Add,
    For,
    Inside,
    Let,
    Read,
    Statement,
    When,
    folds,
    statements,
    written,
)
from convsym.expressions import FUNCTIONS, Text
from convsym.formula import Formula


def python_text(formula: Formula, name: str) -> str:
    """A Python function that adds a formula's value into its result, loop by loop.

    Parameters
    ----------
    formula : Formula
    name : str
        Name of the function.

    Returns
    -------
    str
        The function takes the result first (an array of zeros to add into), then operands and parameters.

    Raises
    ------
    KernelError
        `name` is no name.

    Examples
    --------
    >>> from convsym import Formula
    >>> print(python_text(Formula("y[o] += x[2*o + r] * w[r]"), "layer"))
    def layer(y, x, w):
        \"""y[o] += x[2*o + r]*w[r]\"""
        for o in range(y.shape[0]):
            for r in range(w.shape[0]):
                p0 = 2*o + r
                if 0 <= p0 < x.shape[0]:
                    y[o] += x[p0]*w[r]
        return y
    <BLANKLINE>
    """
    formula, _ = safe(formula)
    printer = _Python((*formula.indices, *formula.operands, *formula.order), formula.indices)
    arguments = ", ".join((formula.output, *formula.operands, *formula.parameters))
    lines = [f"def {identifier(name)}({arguments}):", f'{INDENT}"""{formula}"""']
    for term in statements(formula):
        lines += written(term, printer.write)
    lines.append(f"{INDENT}return {formula.output}")
    functions = [f for f in FUNCTIONS if f"{f}(" in " ".join(lines)]
    before = [f"from math import {', '.join(sorted(functions))}\n\n"] if functions else []
    before += [_fold(printer, mode, definition) for mode, definition in folds(formula).items()]
    return "\n".join([*before, *lines]) + "\n"


def _fold(printer: Text, name: str, definition: tuple[tuple[sympy.Basic, sympy.Expr], ...]) -> str:
    """A boundary mode as a function."""
    *tests, (_, last) = definition
    lines = [f"def {name}({FOLDED[0]}, {FOLDED[1]}):"]
    for condition, value in tests:
        lines += [f"{INDENT}if {printer.show(condition)}:", f"{INDENT}{INDENT}return {printer.show(value)}"]
    return "\n".join([*lines, f"{INDENT}return {printer.show(last)}\n\n"])


class _Python(Text):
    """Statements in Python, whose expressions are those of formula text."""

    def write(self, statement: Statement) -> str:
        match statement:
            case For(index, extent):
                return f"for {index} in range({self.show(extent)}):"
            case When(condition):
                return f"if {self.show(condition)}:"
            case Let(name, expr):
                return f"{name} = {self.show(expr)}"
            case Inside(position, length):
                return f"if {_within(position, length)}:"
            case Read(name, reading, tests):
                inside = " and ".join(_within(*test) for test in tests)
                return f"{name} = {self.show(reading)} if {inside} else 0"
            case Add(target, value):
                return f"{self.show(target)} += {self.show(value)}"


def _within(position: str, length: sympy.Symbol) -> str:
    return f"0 <= {position} < {length}"
