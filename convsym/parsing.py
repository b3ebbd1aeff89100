"""Text to terms: what a formula writes, and the summands that stand on its right side."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import sympy

from convsym import limits
from convsym.expressions import Term, accesses, array_of, conjuncts
from convsym.grammar import Grammar


@dataclass(frozen=True)
class Parsed:
    """What a text says, before names are sorted into indices and parameters."""

    text: str
    output: str
    operator: str
    terms: tuple[Term, ...]
    ranges: dict[str, sympy.Expr]
    columns: dict[str, int]  # name -> column of its first appearance


def parse(text: str) -> Parsed:
    """Read formula text.

    Parameters
    ----------
    text : str
        One statement (or several that add to one array, separated by ``;``), e.g. ``"y[o] += x[o + r] * w[r]"``; at
        most 10,000 ASCII characters.

    Returns
    -------
    Parsed

    Raises
    ------
    FormulaError
        With a caret under the first thing that is not allowed.
    """
    return _Statements(text).statements()


def parse_scalar(text: int | str, what: str = "size") -> sympy.Expr:
    """Read an expression of sizes and parameters, such as ``"kernel_size"`` or ``"2*h + 1"``."""
    reader = Grammar(str(text))
    return reader.index(reader.expression(what))


def parse_condition(text: str) -> tuple[sympy.Basic, ...]:
    """Read an assumption such as ``"w.shape[2] == 2*h + 1"``; a flat tuple of conditions."""
    reader = Grammar(str(text))
    return conjuncts(reader.condition(reader.expression("assumption"), reader.index))


class _Statements(Grammar):
    """The assignments of one text."""

    def statements(self) -> Parsed:
        tree = self.tree("exec")
        if not tree.body:
            self.fail("the text is empty", None, "a formula reads like  y[o] += x[o + r] * w[r]")
        heads = [self.head(node) for node in tree.body]
        _, output, operator = heads[0]
        ranges: dict[str, sympy.Expr] = {}
        terms: list[Term] = []
        for node, (target, *head) in zip(tree.body, heads, strict=True):
            if head != [output, operator]:
                self.fail(
                    f"a formula writes one array in one way: {output} {operator} ..., then {' '.join(head)} ...",
                    node,
                    "make it a second formula",
                )
            _, left = self.subscript(target)
            value, found = self.ranges(node.value)
            ranges |= found
            terms += self.terms(left, value)
            self.refuse(limits.many_summands(len(terms)), node)
        return Parsed(self.text, output, operator, tuple(terms), ranges, self.columns)

    def head(self, node: ast.stmt) -> tuple[ast.Subscript, str, str]:
        """What a statement writes, the name of the array, and the operator."""
        target: ast.expr
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            target, operator = node.target, "+="
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, operator = node.targets[0], "="
        else:
            self.fail("a formula assigns with += or =", node, "write  y[o] += x[o + r] * w[r]")
        if not isinstance(target, ast.Subscript) or not isinstance(target.value, ast.Name):
            self.fail("the left side must be one array access", target, "write  y[n, k, o] += ...")
        return target, target.value.id, operator

    def terms(self, left: tuple[sympy.Expr, ...], value: ast.expr) -> list[Term]:
        terms: list[Term] = []
        cancelled: list[tuple[str, ast.expr]] = []
        for negative, addend in _addends(value):
            before, self.read = self.read, set()
            found = [(guard, body) for guard, body in self.cases(addend) if body != 0]
            kept = {array_of(a) for guard, body in found for e in (body, *guard) for a in accesses(e)}
            cancelled += [(name, addend) for name in sorted(self.read - kept)]
            self.read |= before
            terms += [Term(left, -body if negative else body, guard) for guard, body in found]
        if not terms:
            self.fail("the right side is zero everywhere", value, "nothing is left to add")
        for name, addend in cancelled:
            self.fail(f"{name} cancels out of this term, and its sums with it", addend, "write the term without it")
        return terms

    def ranges(self, node: ast.expr) -> tuple[ast.expr, dict[str, sympy.Expr]]:
        """Strip ``(… for r in range(size))``, the canonical way to carry ranges in the text."""
        ranges: dict[str, sympy.Expr] = {}
        if not isinstance(node, ast.GeneratorExp):
            return node, ranges
        for part in node.generators:
            call = part.iter
            if not (
                isinstance(part.target, ast.Name)
                and not part.ifs
                and not part.is_async
                and isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id == "range"
                and len(call.args) == 1
                and not call.keywords
            ):
                self.fail("a range reads  for r in range(size)", part.target)
            ranges[self.name(part.target)] = self.index(call.args[0])
        return node.elt, ranges


def _addends(node: ast.expr, negative: bool = False) -> Iterator[tuple[bool, ast.expr]]:
    """The summands of a top-level sum, each with its sign."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield from _addends(node.left, negative)
        yield from _addends(node.right, negative ^ isinstance(node.op, ast.Sub))
    else:
        yield negative, node
