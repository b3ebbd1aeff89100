"""Formula to plain JavaScript loops, for a page: flat arrays with shapes, and index arithmetic that is exact.

The operator % of JavaScript has the sign of the dividend and Math.trunc rounds towards zero, so floor division and
remainder are functions that are printed with the text.
"""

from collections.abc import Iterable
from typing import ClassVar

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
from convsym.expressions import FUNCTIONS, RELATIONS, Text, array_of, is_access
from convsym.formula import Formula

RESERVED = frozenset("""
abstract arguments async await boolean byte catch console const constructor data debugger delete document eval export
false final finally floordiv floormod ceildiv function globalThis implements Infinity instanceof interface let Math
NaN native new null of package power private prototype protected shape super synchronized this throw throws transient
true try typeof undefined var void window with yield
""".split())  # fmt: skip
# In the order of use: each calls only those before it. Divisors are at least 1; all results are exact below 2**53.
_HELPERS = {
    "floormod": ("a, b", "const rest = a % b;", "return rest < 0 ? rest + b : rest;"),
    "floordiv": ("a, b", "return (a - floormod(a, b)) / b;"),
    "ceildiv": ("a, b", "return -floordiv(-a, b);"),
    "power": ("base, n", "let value = 1;", "for (let k = 0; k < n; k += 1) value *= base;", "return value;"),
}
_NEEDS = {"floordiv": ("floormod",), "ceildiv": ("floordiv", "floormod")}


def javascript_text(formula: Formula, name: str) -> str:
    """A JavaScript function that adds a formula's value into its result, loop by loop, and what it calls.

    Parameters
    ----------
    formula : Formula
    name : str
        Name of the function.

    Returns
    -------
    str
        The function takes the result first, then operands and parameters. An array is an object with ``data``, a flat
        array (typed or not) whose last index is the fastest, and ``shape``, an array of sizes.

    Raises
    ------
    KernelError
        `name` is no name.

    Examples
    --------
    >>> from convsym import Formula
    >>> print(javascript_text(Formula("y[n, o] += x[n, 2*o + r] * w[r]"), "layer"))
    // y[n, o] += x[n, 2*o + r]*w[r]
    function layer(y, x, w) {
        for (let n = 0; n < x.shape[0]; n += 1) {
            for (let o = 0; o < y.shape[1]; o += 1) {
                for (let r = 0; r < w.shape[0]; r += 1) {
                    const p0 = 2*o + r;
                    if (0 <= p0 && p0 < x.shape[1]) {
                        y.data[n*y.shape[1] + o] += x.data[n*x.shape[1] + p0]*w.data[r];
                    }
                }
            }
        }
        return y;
    }
    <BLANKLINE>
    """
    formula, _ = safe(formula, RESERVED)
    printer = _JavaScript((*formula.indices, *formula.operands, *formula.order), formula.indices)
    arguments = ", ".join((formula.output, *formula.operands, *formula.parameters))
    lines = [f"// {formula}", f"function {identifier(name)}({arguments}) {{"]
    for term in statements(formula):
        lines += written(term, printer.write, close="}")
    lines += [f"{INDENT}return {formula.output};", "}"]
    modes = [_fold(printer, mode, definition) for mode, definition in folds(formula).items()]
    return "\n".join([*printer.helpers(), *modes, *lines]) + "\n"


def _function(name: str, arguments: str, lines: Iterable[str]) -> str:
    return "\n".join([f"function {name}({arguments}) {{", *(INDENT + line for line in lines), "}", ""])


def _fold(printer: Text, name: str, definition: tuple[tuple[sympy.Basic, sympy.Expr], ...]) -> str:
    """A boundary mode as a function."""
    *tests, (_, last) = definition
    lines = [f"if ({printer.show(condition)}) return {printer.show(value)};" for condition, value in tests]
    return _function(name, f"{FOLDED[0]}, {FOLDED[1]}", [*lines, f"return {printer.show(last)};"])


class _JavaScript(Text):
    """Statements and expressions in JavaScript; `used` are the helpers they call."""

    functions: ClassVar[dict[sympy.Basic, str]] = {function: f"Math.{name}" for name, function in FUNCTIONS.items()}

    def __init__(self, order: tuple[str, ...], indices: tuple[str, ...]) -> None:
        super().__init__(order, indices)
        self.used: set[str] = set()

    def helpers(self) -> list[str]:
        """Text of the helpers that were used."""
        wanted = self.used.union(*(_NEEDS.get(name, ()) for name in self.used))
        return [_function(name, parts[0], parts[1:]) for name, parts in _HELPERS.items() if name in wanted]

    def helper(self, name: str, *arguments: str) -> str:
        self.used.add(name)
        return f"{name}({', '.join(arguments)})"

    def write(self, statement: Statement) -> str:
        match statement:
            case For(index, extent):
                return f"for (let {index} = 0; {index} < {self.show(extent)}; {index} += 1) {{"
            case When(condition):
                return f"if ({self.show(condition)}) {{"
            case Let(name, expr):
                return f"const {name} = {self.show(expr)};"
            case Inside(position, length):
                return f"if ({_within(position, length)}) {{"
            case Read(name, reading, tests):
                inside = " && ".join(_within(*test) for test in tests)
                return f"const {name} = {inside} ? {self.show(reading)} : 0;"
            case Add(target, value):
                return f"{self.show(target)} += {self.show(value)};"

    # ------------------------------------------------------------------------------- what is not as in formula text

    def name(self, expr: sympy.Symbol) -> str:
        return f"{array_of(expr)}.data[0]" if is_access(expr) else super().name(expr)

    def indexed(self, expr: sympy.Expr) -> str:
        array, (first, *others) = array_of(expr), expr.indices
        offset = self.show(first)
        for axis, place in enumerate(others, 1):
            front = f"({offset})" if " " in offset else offset
            offset = f"{front}*{array}.shape[{axis}] + {self.show(place)}"
        return f"{array}.data[{offset}]"

    def power(self, expr: sympy.Expr) -> str:
        base, exponent = expr.args
        if exponent.is_negative:
            return "1/" + self.show(base**-exponent, 4)
        if not exponent.is_Rational:
            return f"Math.pow({self.show(base)}, {self.show(exponent)})"
        root = exponent.q == 2
        text = f"Math.sqrt({self.show(base)})" if root else self.show(base)
        return text if root and exponent.p == 1 else self.helper("power", text, str(exponent.p))

    def floor(self, expr: sympy.Expr) -> str:
        return self.helper("floordiv", *map(self.show, expr.args))

    def ceiling(self, expr: sympy.Expr) -> str:
        return self.helper("ceildiv", *map(self.show, expr.args))

    def remainder(self, expr: sympy.Expr) -> str:
        return self.helper("floormod", *map(self.show, expr.args))

    def relation(self, expr: sympy.Basic) -> str:
        sign = {"==": "===", "!=": "!=="}.get(RELATIONS[type(expr)], RELATIONS[type(expr)])
        return f"{self.show(expr.lhs, 2)} {sign} {self.show(expr.rhs, 2)}"

    def logic(self, expr: sympy.Basic) -> str:
        if isinstance(expr, sympy.Not):
            return f"!({self.show(expr.args[0])})"
        sign = " && " if isinstance(expr, sympy.And) else " || "
        return sign.join(sorted(self.show(a, 1) for a in expr.args))


def _within(position: str, length: sympy.Symbol) -> str:
    return f"0 <= {position} && {position} < {length}"
