"""Read the tape's nodes into plain vertices; what was read stays as it is when the tape goes on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from convsym.autograd.pictures.graph import Graph
from convsym.autograd.pictures.vertices import SMALL, Kind, Vertex, setting, shown
from convsym.autograd.primitives import Primitive

DRAWN = 200


class Recorded(Protocol):
    """A node of the tape: what was done, to what, and what came out."""

    op: Primitive
    edges: tuple[Any, ...]
    operands: tuple[Any, ...]
    shape: tuple[int, ...]
    dtype: Any
    value: np.ndarray | None


def read(
    root: Any, nodes: Sequence[Recorded], names: Mapping[str, object] | None = None, limit: int | None = DRAWN
) -> Graph:
    """Describe a recorded computation as plain data.

    Parameters
    ----------
    root : Tensor
        The result.
    nodes : sequence
        The tape's nodes that lead to it, oldest first.
    names : mapping of str to Tensor, optional
        What to call tensors and arrays of the graph; whatever else is in the mapping does not matter, so ``vars()``
        serves. Names that begin with an underscore are passed over.
    limit : int, optional
        How many operations are read, the youngest; None reads all.

    Returns
    -------
    Graph
        The description.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}, but a graph shows at least 1 operation; None shows all")
    kept = nodes if limit is None else nodes[max(len(nodes) - limit, 0) :]
    reader = _Reader(_called(names or {}))
    for node in kept:
        reader.operation(node)
    if not nodes:
        reader.array(root)
    return Graph(tuple(reader.vertices), len(nodes) - len(kept))


def _called(names: Mapping[str, object]) -> dict[int, str]:
    """The name of everything a tensor is known by: itself, its node, its array."""
    called: dict[int, str] = {}
    for given, each in names.items():
        if not given.startswith("_"):
            name = "".join(mark if mark.isprintable() else "\ufffd" for mark in given)
            for owner in (each, getattr(each, "grad_fn", None), getattr(each, "data", None)):
                if owner is not None and not isinstance(owner, memoryview):
                    called.setdefault(id(owner), name)
    return called


class _Reader:
    """Vertices as they are found, and the number of each of the tape's objects."""

    def __init__(self, called: dict[int, str]) -> None:
        self.called = called
        self.vertices: list[Vertex] = []
        self.known: dict[int, int] = {}

    def operation(self, node: Recorded) -> None:
        """Add an operation, after the leaves and constants it uses."""
        words = _operands(node.op.rules, len(node.edges))
        sources, inlets, operands = [], [], []
        for edge, operand, word in zip(node.edges, node.operands, words, strict=True):
            if edge is None and np.size(operand) == 1:
                operands.append((word, shown(np.asarray(operand).item())))
            else:
                sources.append(self.source(edge, operand))
                inlets.append(word)
                operands.append((word, self.vertices[sources[-1]].name))
        shapes = [tuple(node.shape), *(self.vertices[source].shape for source in sources)]
        settings = [(name, setting(value)) for name, value in node.op.static.items() if _telling(value, shapes)]
        rules = (rule for rule, edge in zip(node.op.rules, node.edges, strict=False) if edge is not None)
        self._add(node, Vertex(
            Kind.OPERATION, self._name(node), tuple(node.shape), str(node.dtype), node.op.name, tuple(operands),
            tuple(settings), node.op.formula, tuple(rules), _few(node.value), None, tuple(sources), tuple(inlets),
        ))  # fmt: skip

    def source(self, edge: Any, operand: Any) -> int:
        """The number of what an operation reads; leaves and constants are added when they are first met."""
        found = operand if edge is None else edge
        number: int | None = self.known.get(id(found))
        if number is not None:
            return number
        if edge is None:
            values = np.asarray(operand)
            constant = Vertex(Kind.CONSTANT, self._name(found), values.shape, str(values.dtype), value=_few(values))
            return self._add(found, constant)
        if hasattr(edge, "op"):
            shape, dtype = tuple(edge.shape), str(edge.dtype)
            return self._add(edge, Vertex(Kind.EARLIER, self._name(edge), shape, dtype, edge.op.name))
        return self.array(edge)

    def array(self, leaf: Any) -> int:
        """Add a tensor that nothing was recorded for."""
        kind = Kind.LEAF if leaf.requires_grad else Kind.CONSTANT
        gradient = None if leaf.grad is None else _few(leaf.grad.data)
        return self._add(leaf, Vertex(kind, self._name(leaf), tuple(leaf.shape), str(leaf.dtype),
                                      value=_few(leaf.data), gradient=gradient))  # fmt: skip

    def _name(self, owner: object) -> str:
        return self.called.get(id(owner), "")

    def _add(self, owner: object, vertex: Vertex) -> int:
        self.known[id(owner)] = len(self.vertices)
        self.vertices.append(vertex)
        return len(self.vertices) - 1


def _operands(rules: Iterable[str], count: int) -> list[str]:
    """What a formula calls its operands: ``da[i] = dy[i]`` is the rule of ``a``."""
    found = [re.match(r"d([A-Za-z]\w*)", rule) for rule in rules]
    words = [match[1] if match else "" for match in found]
    return (words + [""] * count)[:count]


def _telling(value: object, shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether a static parameter says what the picture does not show anyway: a shape again, all axes, or no."""
    known = [*shapes, *(tuple(range(len(shape))) for shape in shapes)]
    numbers = isinstance(value, tuple) and all(isinstance(each, int) for each in value)
    return value is not None and value is not False and not (numbers and value in known)


def _few(values: np.ndarray | None) -> np.ndarray | None:
    """A copy of an array that is small enough to be shown."""
    return np.array(values) if values is not None and np.size(values) <= SMALL else None
