"""The graph below a result: its nodes in the order of their making, and the same computation on other leaves."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from convsym.autograd.worlds import NUMPY, World


@dataclass(frozen=True, eq=False)
class AccumulateGrad:
    """The end of a path: what arrives is added to the gradient of the leaf `variable`."""

    variable: Any

    def name(self) -> str:
        """``AccumulateGrad``."""
        return "AccumulateGrad"


@dataclass(frozen=True, eq=False)
class HookHandle:
    """A hook at the node or leaf where it was registered."""

    edge: Any
    hook: Any

    def __post_init__(self) -> None:
        if not callable(self.hook):
            raise TypeError(f"hook is {self.hook!r}, and it is a function that is called with the gradient")
        self.edge.hooks = (*self.edge.hooks, self.hook)

    def remove(self) -> None:
        """Call the hook no more."""
        self.edge.hooks = tuple(hook for hook in self.edge.hooks if hook is not self.hook)


def older_first(edges: Iterable[Any]) -> list[Any]:
    """All nodes at and below some, each after those that it was computed from.

    Parameters
    ----------
    edges : iterable of (Node or Tensor)
        Nodes, or leaves, which have nothing below.

    Returns
    -------
    list of Node
    """
    found: dict[Any, None] = {}
    waiting = list(edges)
    while waiting:
        node = waiting.pop()
        if node is not None and hasattr(node, "edges") and node not in found:
            found[node] = None
            waiting.extend(node.edges)
    return sorted(found, key=lambda node: node.number)


def leading_to(targets: Set[Any], edges: Iterable[Any]) -> set[Any]:
    """The targets, and the nodes at and below some edges through which a cotangent comes to one of them."""
    useful = set(targets)
    for node in older_first(edges):
        if not useful.isdisjoint(edge for edge in node.edges if edge is not None):
            useful.add(node)
    return useful


def nodes(result: Any) -> list[Any]:
    """All nodes that a tensor was computed by, the oldest first."""
    return older_first([result.grad_fn])


def replay(result: Any, leaves: Mapping[Any, Any], ops: World = NUMPY) -> Any:
    """The computation of a tensor once more, on other leaves.

    Parameters
    ----------
    result : Tensor
    leaves : mapping of Tensor to array
        What to put in place of leaves; the others keep their numbers.
    ops : World
        Where to run.

    Returns
    -------
    array
        Of the world.

    Examples
    --------
    >>> import numpy as np
    >>> import convsym
    >>> x = convsym.tensor([1, 2], requires_grad=True)
    >>> replay((x * x).sum(), {x: np.array([3.0, 4.0])})
    array(25.)
    """
    values = dict(leaves)

    def value(edge: Any, constant: Any) -> Any:
        if edge is None or edge in values:
            return constant if edge is None else values[edge]
        return edge.data

    for node in nodes(result):
        operands = [value(edge, operand) for edge, operand in zip(node.edges, node.operands, strict=True)]
        values[node] = ops.apply(node.op, *operands)
    return value(result.edge, result.data)
