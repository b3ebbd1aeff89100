"""The tape: tensors that remember how they were computed, and the way of a cotangent back to where they came from.

Read it from top to bottom. `apply` runs a primitive and hangs a `Node` on its result: what was done, and to what. The
nodes below a result are a graph without cycles, in which every node is younger than those it was computed from. So
`pull_back` takes the youngest node first: all that was computed from its result has then sent its cotangent. The node
asks its primitive for the cotangents of the operands, by the rule that was derived from the primitive's formula, and
sends them on. What arrives at leaves is the gradient.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, ClassVar, Optional

import numpy as np

from convsym.autograd.algebra import Algebra
from convsym.autograd.graphs import AccumulateGrad, HookHandle, leading_to, nodes
from convsym.autograd.held import CONSTANTS, constant, owned, plain
from convsym.autograd.maps import Cast, spreading
from convsym.autograd.primitives import Primitive
from convsym.autograd.recording import MODE, recording
from convsym.autograd.worlds import NUMPY, TensorWorld
from convsym.errors import ShapeError, TapeError
from convsym.gate import Array

# ------------------------------------------------------------------------------------------------------------ there …


def apply(op: Primitive, *operands: Any) -> "Tensor":
    """The result of a primitive applied to tensors, arrays and numbers; recorded if one of them requires a gradient."""
    arrays: list[Any] = []
    edges: list[Edge | None] = []
    for operand in operands:
        if isinstance(operand, Tensor):
            arrays.append(operand.data)
            edges.append(operand.grad_fn or (operand if operand.wanted else None))
        else:
            arrays.append(operand if type(operand) in CONSTANTS else constant(operand))
            edges.append(None)
    return record(op, edges, arrays, op.forward(MODE.ops, *arrays))


def record(op: Primitive, edges: "Sequence[Edge | None]", operands: list[Any], y: Any) -> "Tensor":
    """The tensor of a result, with the node of what it was computed by."""
    result = Tensor(y if type(y) is np.ndarray else np.asarray(y))
    if MODE.recording:
        for edge in edges:
            if edge is not None:
                result.grad_fn = Node(op, edges, operands, result.data)
                break
    return result


# -------------------------------------------------------------------------------------------------------------- tensors


class Tensor(Algebra):
    """An array that remembers how it was computed, so that gradients by it can be; `convsym.tensor` makes one.

    Attributes
    ----------
    data : ndarray
        The numbers.
    grad : Tensor or None
        The gradient of a leaf that `backward` has reached; every call of `backward` adds to it.
    grad_fn : Node or None
        What it was computed by; None for a leaf.
    """

    grad: Optional["Tensor"] = None
    grad_fn: Optional["Node"] = None
    hooks: Sequence["Hook"] = ()
    _apply: ClassVar[Any] = staticmethod(apply)

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        self.data = data
        if requires_grad:
            self.requires_grad = True

    @property
    def edge(self) -> Optional["Edge"]:
        """Where a cotangent of this tensor goes: to the node it was computed by, or to the leaf that it is."""
        return self.grad_fn or (self if self.wanted else None)

    def detach(self) -> "Tensor":
        """The same array, without its past."""
        return Tensor(self.data)

    def register_hook(self, hook: "Hook") -> "HookHandle":
        """Call a function with the gradient when it is here; what it returns, unless None, takes its place."""
        edge = self.edge
        if edge is None:
            raise TapeError("a hook waits for a gradient, and this tensor gets none: it does not require one")
        return HookHandle(edge, hook)

    def graph(self, names: Mapping[str, object] | None = None, *, limit: int | None = 200) -> Any:
        """What was recorded to compute this tensor: a picture in a notebook, a tree when printed, DOT text as `dot`."""
        from convsym.autograd import pictures  # loaded when one is wanted

        return pictures.read(self, nodes(self), names, limit)

    def backward(self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False) -> None:
        """Add the gradient of this tensor to the `grad` of every leaf that it was computed from.

        Parameters
        ----------
        gradient : array or Tensor, optional
            The cotangent of this tensor; the gradient is that of ``(self*gradient).sum()``. One number needs none.
        retain_graph : bool, optional
            Keep what the rules read, so that `backward` can be called again; by default as `create_graph`.
        create_graph : bool
            Record the way back too, so that the gradient has gradients.

        Raises
        ------
        TapeError
            Nothing here requires a gradient; `gradient` is needed; or the graph was used up.
        ShapeError
            `gradient` is of another shape.
        """
        keep = create_graph if retain_graph is None else retain_graph
        given: set[int] = set()
        for leaf, dx in pull_back([(self, gradient)], keep, create_graph).items():
            new = dx if isinstance(dx, Tensor) else Tensor(owned(dx, given))
            leaf.grad = new if leaf.grad is None else leaf.grad + new


# ---------------------------------------------------------------------------------------------------------------- nodes

SMALL = 16  # results of so few elements are kept, so that a picture of the graph can show them
_births = count(1)


class Node:
    """What a tensor was computed by: a primitive, and the edges to what it was applied to.

    Attributes
    ----------
    op : Primitive
    edges : sequence of (Node, Tensor or None)
        For each operand the node it was computed by, the leaf that it is, or None: a constant.
    operands : list
        Constants; of the others the arrays that the rules read, as long as they are kept.
    value : ndarray or None
        The result, where a rule reads it or it is small.
    number : int
        Nodes are counted as they are made.
    shape, dtype
        Of the result.
    """

    hooks: Sequence["Hook"] = ()
    freed = False

    def __init__(self, op: Primitive, edges: Sequence[Optional["Edge"]], operands: list[Any], y: Array) -> None:
        inputs, output = op.saves
        self.op, self.edges, self.number = op, edges, next(_births)
        self.operands, self.value = operands, y if output or y.size <= SMALL else None
        self.shape, self.dtype = y.shape, y.dtype
        if not inputs:
            self._forget()

    def name(self) -> str:
        """Such as ``SubBackward0``."""
        return f"{self.op.name.title().replace('_', '')}Backward0"

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[tuple["Node | AccumulateGrad | None", int], ...]:
        """For each operand the node that its cotangent goes to, and 0; None for a constant."""
        return tuple((AccumulateGrad(edge) if isinstance(edge, Tensor) else edge, 0) for edge in self.edges)

    def pull(self, dy: Any, needs: Sequence[bool], again: bool) -> Sequence[Any]:
        """The cotangents of the operands: as arrays, or as tensors if the way back is recorded again."""
        if self.freed:
            raise TapeError(
                f"the graph is walked back a second time, and {self.name()} no longer has what its rule reads; "
                "call the first backward() with retain_graph=True"
            )
        if not again:
            return self.op.backward(NUMPY, dy, self.operands, self.value, needs)
        operands = [_connected(data, edge) for data, edge in zip(self.operands, self.edges, strict=True)]
        return self.op.backward(TENSORS, dy, operands, _connected(self.value, self), needs)

    def free(self) -> None:
        """Let go of what the rules read; constants stay, so that the graph can be shown and replayed."""
        inputs, output = self.op.saves
        if inputs or output:
            self.freed = True
            self._forget()
            if self.value is not None and self.value.size > SMALL:
                self.value = None

    def _forget(self) -> None:
        for place, edge in enumerate(self.edges):
            if edge is not None:
                self.operands[place] = None


Edge = Node | Tensor
Hook = Callable[[Tensor], Tensor | None]


TENSORS = TensorWorld(apply)

# ---------------------------------------------------------------------------------------------------------- … and back


def pull_back(
    start: Sequence[tuple[Tensor, Any]], keep: bool, again: bool, targets: Set[Edge] | None = None
) -> dict[Any, Any]:
    """The cotangents of leaves, given those of results.

    Parameters
    ----------
    start : sequence of (Tensor, cotangent)
        Cotangents as given to `Tensor.backward`.
    keep : bool
        Whether the graph is to be walked again.
    again : bool
        Whether the way back is recorded too: cotangents are tensors then, else arrays.
    targets : set of (Node or Tensor), optional
        Look for the cotangents of these nodes and leaves alone.
    """
    pending: dict[Edge, Any] = {}
    for result, given in start:
        dy: Any = result.cotangent(given)
        if again:
            dy = given.astype(result.dtype) if isinstance(given, Tensor) else Tensor(dy)
        edge = result.grad_fn or result
        pending[edge] = pending[edge] + dy if edge in pending else dy
    queue = [(-edge.number, edge) for edge in pending if isinstance(edge, Node)]
    heapify(queue)
    useful = None if targets is None else leading_to(targets, pending)
    found: dict[Edge, Any] = {}
    with recording(again):
        while queue:
            node = heappop(queue)[1]
            dy = pending.pop(node)
            if node.hooks:
                dy = _hooked(node, dy)
            if targets is not None and node in targets:
                found[node] = dy
            needs = [below is not None and (useful is None or below in useful) for below in node.edges]
            for below, need, dx in zip(node.edges, needs, node.pull(dy, needs, again), strict=True):
                if below is None or dx is None or not need:
                    continue
                if dx.shape != below.shape or dx.dtype != below.dtype:
                    dx = _fitted(dx, below, node)
                if below in pending:
                    pending[below] = pending[below] + dx
                    continue
                pending[below] = dx
                if isinstance(below, Node):
                    heappush(queue, (-below.number, below))
            if not keep:
                node.free()
        return found | {leaf: _hooked(leaf, dx) for leaf, dx in pending.items()}


def _hooked(edge: Edge, dy: Any) -> Any:
    """A cotangent after the hooks that wait for it."""
    for hook in edge.hooks:
        changed = hook(dy if isinstance(dy, Tensor) else Tensor(np.array(dy)))
        if changed is None:
            continue
        if np.shape(plain(changed)) != edge.shape:
            raise ShapeError(f"a hook gave shape {np.shape(plain(changed))} for a gradient of shape {edge.shape}")
        dy = changed if isinstance(dy, Tensor) else plain(changed)
    return dy


def _fitted(dx: Any, edge: Edge, node: Node) -> Any:
    """A cotangent summed over the axes that were broadcast, in the dtype of what it is for."""
    ops = TENSORS if isinstance(dx, Tensor) else NUMPY
    if dx.shape != edge.shape:
        try:
            spread = spreading(edge.shape, dx.shape)
        except ShapeError:
            raise ShapeError(
                f"{node.name()} gives a gradient of shape {dx.shape} for an operand of shape {edge.shape}, and they "
                "must be equal, or the operand must broadcast to it"
            ) from None
        dx = ops.apply(spread.adjoint, dx)
    return dx if dx.dtype == edge.dtype else ops.apply(Cast(dx.dtype, edge.dtype), dx)


def _connected(data: Any, edge: Edge | None) -> Any:
    """What a node kept, as a tensor with its past; leaves are themselves."""
    if data is None or edge is None:
        return data
    if isinstance(edge, Tensor):
        return edge
    result = Tensor(data)
    result.grad_fn = edge
    return result
