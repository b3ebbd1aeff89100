"""Operations that compute: their rules are derived from formulas, and generated as text that any world can run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convsym.autograd._rules import RULES
from convsym.autograd.arrayop import ArrayOp
from convsym.autograd.maps import Shape, normal_axes
from convsym.gate import Array


class Derived:
    """A primitive whose rules `convsym.vjp` derived from its formula.

    Parameters
    ----------
    rule : ArrayOp
        The formula with what was generated from it.
    parameters : object
        Values of the formula's parameters, in order.
    """

    def __init__(self, rule: ArrayOp, *parameters: Any) -> None:
        self.rule = rule
        self.parameters = parameters
        self.name, self.formula = rule.name, rule.formula
        read = {name for names in rule.reads.values() for name in names}
        self.saves = (not read.isdisjoint(rule.operands), "y" in read)
        places = {name: place for place, name in enumerate((*rule.operands, "y", *rule.parameters))}
        # For each operand that has one: its rule, and where among operands, result and parameters stands what it reads.
        self._plan = [
            (place, rule.backward[name], [places[read] for read in rule.reads[name]])
            for place, name in enumerate(rule.operands)
            if name in rule.backward
        ]

    @property
    def rules(self) -> tuple[str, ...]:
        """The derived rule of each operand; empty where it has none."""
        return tuple(self.rule.rules.get(name, "") for name in self.rule.operands)

    @property
    def static(self) -> Mapping[str, Any]:
        """The parameters."""
        return dict(zip(self.rule.parameters, self.parameters, strict=True))

    def forward(self, ops: Any, *operands: Any) -> Any:
        """What the formula says."""
        return self.rule.forward(ops, *operands, *self.parameters)

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """What the derived rules say."""
        known = (*operands, y, *self.parameters)
        cotangents: list[Any] = [None] * len(needs)
        for place, rule, read in self._plan:
            if needs[place]:
                cotangents[place] = rule(ops, dy, *map(known.__getitem__, read))
        return cotangents


# Those without parameters are the same object in every node.
PLAIN: Mapping[str, Derived] = {
    name: Derived(rule) for name, rule in RULES.items() if not rule.parameters and not rule.reduced
}


class Reduction:
    """A primitive that leaves one value for all elements along some axes.

    Parameters
    ----------
    name : str
        Of the rule.
    shape : tuple of int
        Of the operand.
    axis : int, sequence of int, or None
        As NumPy's; None is all axes.
    keepdims : bool
        Whether the axes stay, with size 1.
    """

    saves = (False, False)

    def __init__(self, name: str, shape: Shape, axis: int | Sequence[int] | None, keepdims: bool) -> None:
        self.name, self.rule = name, RULES[name]
        self.formula = self.rule.formula
        self.shape, self.keepdims, self.axes = shape, keepdims, normal_axes(axis, len(shape))
        self._kept = tuple([1 if place in self.axes else size for place, size in enumerate(shape)])
        left = [size for place, size in enumerate(shape) if place not in self.axes]
        self._small = self._kept if keepdims else tuple(left)

    @property
    def rules(self) -> tuple[str, ...]:
        """The derived rule."""
        return (self.rule.rules["x"],)

    @property
    def static(self) -> Mapping[str, Any]:
        """The axes."""
        return {"axis": self.axes, "keepdims": self.keepdims}

    def forward(self, ops: Any, x: Any) -> Any:
        """One value for each of the other indices."""
        return self.rule.forward(ops, x, self.axes).reshape(self._small)

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """The derived rule, with the axes put back."""
        known = {"axis": self.axes, "x_shape": self.shape}
        read = [known[name] for name in self.rule.reads["x"]]
        return (self.rule.backward["x"](ops, dy.reshape(self._kept), *read),)


class Pick(Reduction):
    """The elements whose places along one axis are given, by the rule of the largest element, whose place was found.

    Parameters
    ----------
    k : ndarray of int
        The places; its shape is that of the operand, but for the axis, whose size is 1.
    shape : tuple of int
        Of the operand.
    axis : int
    """

    def __init__(self, k: Array, shape: Shape, axis: int) -> None:
        super().__init__("max", shape, axis, False)
        self.name, self.k = "pick", k

    def forward(self, ops: Any, x: Any) -> Any:
        """One element for each of the other indices."""
        return self.rule.forward(ops, x, self.k, self.axes).reshape(self._small)

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """To that element alone."""
        known = {"k": self.k, "axis": self.axes, "x_shape": self.shape}
        read = [known[name] for name in self.rule.reads["x"]]
        return (self.rule.backward["x"](ops, dy.reshape(self._kept), *read),)


class Extreme(Reduction):
    """The largest or the smallest element along one axis; of several, the first."""

    saves = (True, False)

    def forward(self, ops: Any, x: Any) -> Any:
        """The element that `argmax` or `argmin` finds."""
        return self._at(ops, x).forward(ops, x).reshape(self._small)

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """To that element alone."""
        return self._at(ops, operands[0]).backward(ops, dy, operands, y, needs)

    def _at(self, ops: Any, x: Any) -> Pick:
        find = np.argmax if self.name == "max" else np.argmin
        return Pick(find(ops.plain(x), self.axes[0], keepdims=True), self.shape, self.axes[0])
