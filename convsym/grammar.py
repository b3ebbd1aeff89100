"""The grammar of formula text: Python's own `ast` with a white-list, never SymPy's parser.

Nothing in a text is ever executed. What is not on the list is an error with a caret under its column.
"""

import ast
import re
import warnings
from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import Any, NoReturn

import sympy
from sympy.logic.boolalg import And, Not, Or

from convsym import limits
from convsym.boundary import MODES
from convsym.errors import FormulaError, nearest
from convsym.expressions import FUNCTIONS, access, conjuncts, floordiv, mod, size, symbol

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_COMPARE = {
    ast.Eq: sympy.Eq,
    ast.NotEq: sympy.Ne,
    ast.Lt: sympy.Lt,
    ast.LtE: sympy.Le,
    ast.Gt: sympy.Gt,
    ast.GtE: sympy.Ge,
}
_KINKED = {"abs": 1, "maximum": 2, "minimum": 2}


Node = ast.expr | ast.stmt
Cases = list[tuple[tuple[sympy.Basic, ...], sympy.Expr]]  # a value as exclusive, exhaustive cases: guard and value


class Grammar:
    """Expressions and conditions of one text."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise FormulaError(
                f"a formula is a str, not {type(text).__name__}",
                hint='write for instance Formula("y[o] += x[o + r] * w[r]")',
            )
        if len(text) > limits.MAX_TEXT:
            raise FormulaError(f"the text has {len(text)} characters; at most {limits.MAX_TEXT} are read")
        self.text = text
        self.columns: dict[str, int] = {}
        self.ranks: dict[str, int] = {}
        self.read: set[str] = set()
        for column, character in enumerate(text):
            if not (character.isascii() and (character.isprintable() or character in "\n\t ")):
                self.fail(f"character {character!r} is not allowed", column, "use ASCII names and operators")

    # ------------------------------------------------------------------------------------------ errors, entry

    def fail(self, message: str, where: Node | int | None, hint: str | None = None) -> NoReturn:
        """Raise a FormulaError at an ast node or a column."""
        column = where if isinstance(where, int | None) else self.column(where)
        raise FormulaError(message, self.text, column, hint)

    def column(self, node: Node) -> int:
        lines = self.text.split("\n")
        return (
            sum(len(line) + 1 for line in lines[: node.lineno - 1]) + node.col_offset - self.shift * (node.lineno == 1)
        )

    shift = 0

    def tree(self, mode: str) -> Any:
        depth = deepest = 0
        for character in self.text:
            depth += (character in "([{") - (character in ")]}")
            deepest = max(deepest, depth)
        if deepest > limits.MAX_DEPTH:
            self.fail(f"brackets are nested {deepest} deep; at most {limits.MAX_DEPTH} are read", None)
        source = self.text.lstrip()
        self.shift = len(source) - len(self.text)  # ≤ 0: what the first line lost on its left
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)  # an error of ours says what is wrong with a text
                tree = ast.parse(source, mode=mode)
        except SyntaxError as error:
            column = None if error.offset is None else min(error.offset - 1 - self.shift, len(self.text))
            self.fail(f"this is not a formula: {error.msg}", column, "a formula reads like  y[o] += x[o + r] * w[r]")
        except (RecursionError, MemoryError, ValueError):
            self.fail("the text is nested too deeply to be read", None)
        if limits.tree_depth(tree) > 4 * limits.MAX_DEPTH:
            message = f"the expression is more than {4 * limits.MAX_DEPTH} operations deep"
            self.fail(message, None, "split the formula into several")
        return tree

    def expression(self, what: str) -> Any:
        tree = self.tree("eval")
        if isinstance(tree.body, ast.Constant) and isinstance(tree.body.value, str):
            self.fail(f"a {what} is an expression, not a quoted string", tree.body)
        return tree.body

    # ------------------------------------------------------------------------------------------ pieces of a text

    def name(self, node: ast.Name) -> str:
        if not _NAME.match(node.id):
            self.fail(f"the name {node.id[:70]!r} is longer than 63 characters", node)
        self.columns.setdefault(node.id, self.column(node))
        return node.id

    def integer(self, node: ast.Constant) -> sympy.Expr:
        if isinstance(node.value, bool) or not isinstance(node.value, int):
            self.fail(f"{node.value!r} cannot be used in an index; indices are integers", node)
        if abs(node.value) > limits.MAX_INTEGER:
            self.fail("an integer in a formula is at most 10**12", node)
        return sympy.Integer(node.value)

    def shape_of(self, node: ast.Subscript) -> sympy.Symbol | None:
        """``x.shape[2]`` as a size symbol, or None."""
        value = node.value
        if not (isinstance(value, ast.Attribute) and value.attr == "shape" and isinstance(value.value, ast.Name)):
            return None
        if not (isinstance(node.slice, ast.Constant) and type(node.slice.value) is int and node.slice.value >= 0):
            self.fail("the axis of .shape[...] is an integer from 0 on", node.slice)
        return size(self.name(value.value), node.slice.value)

    def subscript(self, node: ast.Subscript) -> tuple[str, tuple[sympy.Expr, ...]]:
        """Name and index expressions of an access; notes which names stand alone."""
        if not isinstance(node.value, ast.Name):
            self.fail("only a named array can be indexed", node.value, "write  x[i, j]")
        array = self.name(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(parts) > limits.MAX_AXES:
            self.fail(f"{array} has {len(parts)} indices; at most {limits.MAX_AXES} are read", node)
        if self.ranks.setdefault(array, len(parts)) != len(parts):
            self.fail(
                f"{array} has {len(parts)} indices here and {self.ranks[array]} before",
                node,
                "an array has one number of axes",
            )
        self.read.add(array)
        return array, tuple(self.index(part, (array, axis)) for axis, part in enumerate(parts))

    def index(self, node: ast.expr, place: tuple[str, int] | None = None) -> sympy.Expr:
        """An index expression: names, integers, + - * // %, sizes; a boundary mode of the axis at `place`."""
        if isinstance(node, ast.Call):
            return self.mode(node, place)
        if isinstance(node, ast.Name):
            return symbol(self.name(node))
        if isinstance(node, ast.Constant):
            return self.integer(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.index(node.operand)
            return -inner if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.Subscript) and self.shape_of(node) is not None:
            return self.shape_of(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            base, exponent = self.index(node.left), self.index(node.right)
            if not exponent.is_Integer or not 0 < exponent <= limits.MAX_POWER:
                self.fail(f"a power in an index is an integer from 1 to {limits.MAX_POWER}", node.right)
            self.refuse(limits.many_cases(len(sympy.Add.make_args(base)) ** int(exponent)), node)
            return self.small(sympy.expand(base**exponent), node)
        if isinstance(node, ast.BinOp):
            operations: dict[type[ast.operator], Callable[[sympy.Expr, sympy.Expr], sympy.Expr]] = {
                ast.Add: sympy.Add,
                ast.Sub: lambda a, b: a - b,
                ast.Mult: lambda a, b: sympy.expand(a * b),
                ast.FloorDiv: floordiv,
                ast.Mod: mod,
            }
            operation = operations.get(type(node.op))
            if operation is None:
                self.fail("an index may use + - * // % only", node, "write // for the floor of a quotient")
            left, right = self.index(node.left), self.index(node.right)
            self.refuse(limits.many_terms(left, right) if isinstance(node.op, ast.Mult) else None, node)
            if operation in (floordiv, mod) and right.is_Integer and right < 1:
                self.fail(f"the divisor of // and % is at least 1, not {right}", node.right)
            return self.small(operation(left, right), node)
        self.fail(
            "an index may hold names, integers and + - * // % only",
            node,
            "an array of indices is not a formula of this kind" if isinstance(node, ast.Subscript) else None,
        )

    def mode(self, node: ast.Call, place: tuple[str, int] | None) -> sympy.Expr:
        """``reflect(e)`` folds into the axis it stands in, ``reflect(e, n)`` into one of size n."""
        name = node.func.id if isinstance(node.func, ast.Name) else str(None)
        if name not in MODES:
            self.fail(f"unknown index function {ast.unparse(node.func)[:40]!r}", node, nearest(name, MODES))
        if node.keywords or not 2 - bool(place) <= len(node.args) <= 2:
            self.fail(f"{name} takes a position{'' if place else ' and, outside a subscript, a size'}", node)
        length = size(*place) if place and len(node.args) == 1 else self.index(node.args[1])
        return self.small(MODES[name](self.index(node.args[0]), length), node)

    def condition(self, node: ast.expr, value: Callable[[ast.expr], sympy.Expr]) -> sympy.Basic:
        """A condition; `value` reads what stands on either side of a comparison."""
        if isinstance(node, ast.BoolOp):
            found = (And if isinstance(node.op, ast.And) else Or)(*(self.condition(v, value) for v in node.values))
            self.refuse(limits.many_comparisons(found), node)
            return found
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self.condition(node.operand, value))
        if isinstance(node, ast.Compare):
            sides = [value(side) for side in (node.left, *node.comparators)]
            for operator in node.ops:
                if type(operator) not in _COMPARE:
                    self.fail("a condition compares with == != < <= > >=", node)
            return And(*(_COMPARE[type(o)](a, b) for o, a, b in zip(node.ops, sides[:-1], sides[1:], strict=True)))
        self.fail("a condition is a comparison, or several joined by and, or, not", node, "write  where(i < n, a, b)")

    def plain(self, node: ast.expr) -> sympy.Expr:
        """A value without case distinction (inside a condition)."""
        cases = self.cases(node)
        if len(cases) != 1:
            self.fail("a condition must not hold another case distinction", node)
        return cases[0][1]

    def cases(self, node: ast.expr) -> Cases:
        """A value as exclusive, exhaustive cases ``[(guard, value), …]``; where, abs, maximum, minimum make them."""
        if isinstance(node, ast.Name):
            return [((), symbol(self.name(node)))]
        if isinstance(node, ast.Constant):
            return [((), self.number(node))]
        if isinstance(node, ast.Subscript):
            named = self.shape_of(node)
            return [((), access(*self.subscript(node)) if named is None else named)]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            negative = isinstance(node.op, ast.USub)
            return [(guard, -value if negative else value) for guard, value in self.cases(node.operand)]
        if isinstance(node, ast.BinOp):
            return self.binary(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        self.fail(
            "this is not allowed in a formula",
            node,
            "allowed: names, numbers, accesses, + - * / **, where and " + ", ".join(sorted(FUNCTIONS | _KINKED)),
        )

    def number(self, node: ast.Constant) -> sympy.Expr:
        if isinstance(node.value, float):
            text = ast.get_source_segment(self.text.lstrip(), node) or ""
            if abs(node.value) <= limits.MAX_INTEGER and len(text) <= 30 and "e" not in text.lower():
                exact = Fraction(text.replace("_", ""))
                return sympy.Rational(exact.numerator, exact.denominator)
            self.fail("a decimal number has at most 30 digits and no exponent", node)
        return self.integer(node)

    def binary(self, node: ast.BinOp) -> Cases:
        if isinstance(node.op, ast.Pow):
            exponent = self.exponent(node.right)
            return [(guard, self.small(value**exponent, node)) for guard, value in self.cases(node.left)]
        if isinstance(node.op, ast.FloorDiv | ast.Mod):
            return [((), self.index(node))]
        operations: dict[type[ast.operator], Callable[[sympy.Expr, sympy.Expr], sympy.Expr]] = {
            ast.Add: lambda a, b: a + b,
            ast.Sub: lambda a, b: a - b,
            ast.Mult: lambda a, b: a * b,
            ast.Div: lambda a, b: a / b,
        }
        operation = operations.get(type(node.op))
        if operation is None:
            self.fail("this operator is not allowed in a formula", node, "allowed: + - * / ** and // % of indices")
        left, right = self.cases(node.left), self.cases(node.right)
        self.refuse(limits.many_cases(len(left) * len(right)), node)
        if isinstance(node.op, ast.Div) and any(value == 0 for _, value in right):
            self.fail("division by zero", node.right)
        return [(g + h, self.small(operation(a, b), node)) for g, a in left for h, b in right]

    def exponent(self, node: ast.expr) -> sympy.Expr:
        """The power of a value: a small integer, or a sum of such multiples of names and accesses."""
        found = [value for _, value in self.cases(node)]
        if len(found) > 1 or not limits.is_power(found[0]):
            self.fail(limits.POWERS, node)
        return found[0]

    def small(self, expr: sympy.Expr, node: ast.expr) -> sympy.Expr:
        self.refuse(limits.large(expr) or limits.intricate(expr), node)
        return expr

    def refuse(self, reason: str | None, node: Node) -> None:
        if reason:
            self.fail(reason, node, "split the formula into several")

    def call(self, node: ast.Call) -> Cases:
        name = node.func.id if isinstance(node.func, ast.Name) else str(None)
        if name in MODES:
            return [((), self.mode(node, None))]
        wanted = {"where": 3} | _KINKED | dict.fromkeys(FUNCTIONS, 1)
        if name not in wanted:
            self.fail(f"unknown function {ast.unparse(node.func)[:40]!r}", node, nearest(name, wanted))
        if len(node.args) != wanted[name] or node.keywords:
            self.fail(f"{name} takes {wanted[name]} arguments, not {len(node.args) + len(node.keywords)}", node)
        if name == "where":
            condition = self.condition(node.args[0], self.plain)
            yes, no = self.cases(node.args[1]), self.cases(node.args[2])
            self.refuse(limits.many_cases(len(yes) + len(no)), node)
            return [(conjuncts(condition) + g, v) for g, v in yes] + [(conjuncts(Not(condition)) + g, v) for g, v in no]
        arguments = [self.cases(argument) for argument in node.args]
        if name in FUNCTIONS:
            return [(guard, self.small(FUNCTIONS[name](value), node)) for guard, value in arguments[0]]
        self.refuse(limits.many_cases(2 * prod(map(len, arguments))), node)
        return self.kinked(name, arguments)

    @staticmethod
    def kinked(name: str, arguments: list[Cases]) -> Cases:
        """abs, maximum and minimum as cases; a tie goes to the first argument (for abs: to +)."""
        if name == "abs":
            pairs = [(guard, value, -value) for guard, value in arguments[0]]
        else:
            pairs = [(g + h, a, b) for g, a in arguments[0] for h, b in arguments[1]]
        cases: Cases = []
        for guard, first, second in pairs:
            condition = (
                sympy.Le(first, second) if name == "minimum" else sympy.Ge(first, 0 if name == "abs" else second)
            )
            cases += [((*guard, condition), first), ((*guard, Not(condition)), second)]
        return cases
