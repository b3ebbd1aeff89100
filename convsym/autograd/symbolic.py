"""Verification by hand: the graph that was recorded, on symbols, and its gradient as a formula to be read.

The recorded computation runs again on SymPy's symbols in place of numbers. Its derivative is then found twice: by SymPy
from the result, as one does on paper, and by the derived rules from the nodes, as the tape does; and the numbers that
the formula gives are held against those of the tape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from convsym.autograd.graphs import nodes, replay
from convsym.autograd.maps import spreading
from convsym.autograd.symbols import DIGITS, SymbolWorld, each, exact, rational, symbols
from convsym.autograd.tape import TENSORS, Tensor
from convsym.errors import ShapeError, TapeError

MOST = 256
SHOWN, LONG = 6, 1000


@dataclass(frozen=True)
class Derivative:
    """The derivative of one number by one array, as formulas.

    Attributes
    ----------
    of, by : str
        Names.
    expressions : ndarray of sympy.Expr
        By SymPy's derivative of the result; of the shape of the array.
    rules : ndarray of sympy.Expr
        By the derived rules of the nodes.
    point : ndarray
        The numbers in the array.
    exact : ndarray of sympy.Expr
        The formulas at these numbers, without rounding.
    numbers : ndarray
        What the tape computes.
    decided : tuple of str
        What the formulas presuppose, where an operation chooses by the numbers.
    remarks : tuple of str
        Why formula and rules may differ: numbers at a kink, rules that were written by hand.
    """

    of: str
    by: str
    expressions: np.ndarray
    rules: np.ndarray
    point: np.ndarray
    exact: np.ndarray
    numbers: np.ndarray
    decided: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether both derivatives are the same formula, and the tape's numbers are exactly those of the formula."""
        return self.proved and not self.error

    @property
    def proved(self) -> bool:
        """Whether SymPy's derivative and that of the rules are the same formula in every element."""
        pairs = zip(self.expressions.ravel(), self.rules.ravel(), strict=True)
        return all(a == b or (a - b).equals(0) is True for a, b in pairs)

    @property
    def error(self) -> float:
        """The largest difference between the tape's numbers and the exact ones, relative to the largest of these."""
        pairs = zip(self.exact.ravel(), exact(self.numbers).ravel(), strict=True)
        apart = [0.0 if a == b else abs(float(sympy.N(a - b, DIGITS))) for a, b in pairs]
        scale = max((abs(float(each)) for each in self.exact.ravel()), default=0.0)
        return max(apart, default=0.0) / (scale or 1.0)

    def __str__(self) -> str:
        told = "exactly" if not self.error else f"up to rounding ({self.error:.1g})"
        if not self.proved:
            told += f"; SymPy's derivative and that of the rules differ{': ' if self.remarks else ''}"
            told += ", ".join(self.remarks)
        lines = self._formulas()
        more = [f"and {len(self.decided) - SHOWN} more"] if len(self.decided) > SHOWN else []
        lines += [f"    as long as {', '.join([*self.decided[:SHOWN], *more])}"] if self.decided else []
        lines.append(f"at {self.by} = {_listed(self.point)}: {_listed(self.exact)}, which backward() gives {told}")
        return "\n".join(lines)

    def _formulas(self) -> list[str]:
        """One line for all elements where they follow one pattern, else a line for each."""
        places = list(np.ndindex(self.expressions.shape))
        patterns = {_without_place(self.expressions[place], place) for place in places}
        if len(patterns) == 1 and None not in patterns:
            return [f"d{self.of}/d{self.by} = {_shown(patterns.pop())}"]
        return [f"d{self.of}/d{self.by}{list(place)} = {_shown(self.expressions[place])}" for place in places]


@dataclass(frozen=True)
class ByHand:
    """A recorded computation on symbols, and its derivatives; ``print`` shows these.

    Attributes
    ----------
    expression : sympy.Expr
        The result.
    derivatives : tuple of Derivative
        By each leaf that has a name.
    """

    expression: sympy.Expr
    derivatives: tuple[Derivative, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.derivatives))

    def __repr__(self) -> str:
        return str(self)

    @property
    def equal(self) -> bool:
        """Whether all derivatives are the same in all three ways, without any rounding."""
        return all(each.equal for each in self.derivatives)


def by_hand(result: Any, names: Mapping[str, object]) -> ByHand:
    """Verify a gradient by hand: the recorded computation on symbols, its derivative as a formula.

    Parameters
    ----------
    result : Tensor
        One number that was computed from the leaves.
    names : mapping of str to Tensor
        What to call the leaves; those without a name keep their numbers. It may hold the name of the result, and other
        things as well, so ``vars()`` serves.

    Returns
    -------
    ByHand

    Raises
    ------
    TapeError
        No leaf that the result was computed from has a name.
    ShapeError
        The result is more than one number, or there are too many numbers to write formulas for.

    Examples
    --------
    >>> import convsym
    >>> from convsym.autograd import by_hand
    >>> x = convsym.tensor([[1, 2], [3, 4]], requires_grad=True)
    >>> y = x - 2
    >>> z = 3 * y**2
    >>> a = z.mean()
    >>> by_hand(a, {"x": x, "a": a})
    da/dx = 3*(x - 2)/2
    at x = [[1, 2], [3, 4]]: [[-3/2, 0], [3/2, 3]], which backward() gives exactly
    """
    if result.size != 1:
        raise ShapeError(f"result has shape {result.shape}, and the derivative of one number is taken; sum up: y.sum()")
    recorded = nodes(result)
    leaves = _named_leaves(recorded, names)
    made = {name: symbols(name, leaf.shape) for name, leaf in leaves.items()}
    world = SymbolWorld({
        symbol: number
        for name, array in made.items()
        for symbol, number in zip(array.ravel(), exact(leaves[name].data).ravel(), strict=True)
    })  # fmt: skip
    run = _Run(recorded, {id(leaves[name]): array for name, array in made.items()}, world)
    expression = rational(run.value(result).item())
    of = next((name for name, named in names.items() if named is result and not name.startswith("_")), "result")
    rules, numbers = run.pulled(result), _taped(result, leaves)
    return ByHand(expression, tuple(
        _derivative((of, name), expression, array, rules.get(id(leaves[name])), numbers[name], run)
        for name, array in made.items()
    ))  # fmt: skip


def _named_leaves(recorded: Sequence[Any], names: Mapping[str, object]) -> dict[str, Tensor]:
    """The leaves of a computation that have a name, each by its first one; not too many to write formulas for."""
    edges = {id(edge): edge for node in recorded for edge in node.edges if isinstance(edge, Tensor)}
    leaves: dict[str, Tensor] = {}
    for name, named in names.items():
        leaf = None if name.startswith("_") else edges.pop(id(named), None)
        if leaf is not None:
            leaves[name] = leaf
    if not leaves:
        told = ", ".join(map(repr, names)) if len(names) < 10 else f"{len(names)} names"
        raise TapeError(
            f"names has {told or 'nothing'}, and none of it is a leaf that the result was computed from and that "
            'requires a gradient; name one: by_hand(a, {"x": x})'
        )
    count = sum(leaf.size for leaf in leaves.values())
    if count > MOST:
        raise ShapeError(f"names has leaves of {count} elements, and formulas are written for {MOST}; name fewer")
    return leaves


def _taped(result: Any, leaves: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """What the tape gives for the gradients; the computation is recorded anew, as `result` may have been used up."""
    fresh = {name: Tensor(leaf.data, requires_grad=True) for name, leaf in leaves.items()}
    world: Any = TENSORS
    replay(result, {leaf: fresh[name] for name, leaf in leaves.items()}, world).backward()
    return {name: np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.data for name, leaf in fresh.items()}


def _derivative(
    names: tuple[str, str], expression: sympy.Expr, array: np.ndarray, rules: Any, numbers: Any, run: _Run
) -> Derivative:
    """The derivative of an expression by an array of symbols, beside what rules and tape gave."""
    world = run.ops
    by_users = [node.op.name for node in run.recorded if not node.op.formula]
    own = [f"{name} has a rule of its own, which knows numbers only" for name in by_users]
    found = each(lambda symbol: sympy.diff(expression, symbol), array)
    values = each(lambda formula: formula.xreplace(world.numbers), found)
    point = each(world.numbers.__getitem__, array)
    ruled = each(rational, np.zeros(array.shape, int) if rules is None else rules)
    decided, remarks = (tuple(dict.fromkeys(words)) for words in (world.decided, [*world.kinks, *own]))
    return Derivative(*names, found, ruled, point, values, numbers, decided, remarks)


class _Run:
    """A recorded computation on symbols: the value of every node, and the way back."""

    def __init__(self, recorded: Sequence[Any], leaves: Mapping[int, Any], ops: SymbolWorld) -> None:
        self.recorded, self.ops, self.values = recorded, ops, dict(leaves)
        for node in recorded:
            self.values[id(node)] = ops.apply(node.op, *self.operands(node))

    def value(self, edge: Any) -> Any:
        """What a node or leaf is here; a tensor is what its node is."""
        edge = getattr(edge, "grad_fn", None) or edge
        return self.values[id(edge)] if id(edge) in self.values else exact(edge.data)

    def operands(self, node: Any) -> list[Any]:
        """What a node is applied to."""
        pairs = zip(node.edges, node.operands, strict=True)
        return [exact(operand) if edge is None else self.value(edge) for edge, operand in pairs]

    def pulled(self, result: Any) -> dict[int, Any]:
        """The cotangent of every leaf, by the rules, for 1 at the result."""
        found = {id(result.edge): exact(np.ones(result.shape))}
        for node in reversed(self.recorded):
            if id(node) not in found:
                continue
            needs = [edge is not None for edge in node.edges]
            dy, y = found.pop(id(node)), self.values[id(node)]
            for edge, dx in zip(node.edges, node.op.backward(self.ops, dy, self.operands(node), y, needs), strict=True):
                if edge is None or dx is None:
                    continue
                if dx.shape != edge.shape:
                    dx = self.ops.apply(spreading(edge.shape, dx.shape).adjoint, dx)
                found[id(edge)] = found[id(edge)] + dx if id(edge) in found else dx
        return found


def _without_place(expression: sympy.Expr, place: tuple[int, ...]) -> sympy.Expr | None:
    """An element's formula with ``x`` for ``x[0, 1]``, if all it reads is at that place."""
    mark = f"[{', '.join(map(str, place))}]"
    read = sorted(expression.free_symbols, key=str)
    if any("[" in each.name and not each.name.endswith(mark) for each in read):
        return None
    return expression.xreplace({each: sympy.Symbol(each.name.removesuffix(mark)) for each in read})


def _shown(expression: sympy.Expr) -> str:
    """A formula as it is read; fractions that are no short ones are shown as the floats nearest to them."""
    found = sympy.factor(expression)
    long = {number: sympy.Symbol(repr(float(number))) for number in found.atoms(sympy.Rational) if number.q >= LONG}
    return str(found.xreplace(long))


def _listed(values: Any) -> str:
    """Exact numbers as nested lists, in the same way."""
    if isinstance(values, np.ndarray) and values.ndim:
        return "[" + ", ".join(map(_listed, values)) + "]"
    number = values.item() if isinstance(values, np.ndarray) else values
    return str(number) if number.is_Rational and number.q < LONG else repr(float(number))
