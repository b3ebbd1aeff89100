"""What a tape records: an operation that knows how to run, and how a cotangent goes back through it.

A primitive is data and does not know the tape. It is run in a *world*, an object `ops` with the elementwise functions
under their names and `ops.apply` for other primitives: NumPy's arrays for speed, the tape's tensors where the gradient
is to be differentiated again, SymPy's symbols where it is to be read. One text serves all three.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol


class Primitive(Protocol):
    """An operation with its rule of derivation.

    Attributes
    ----------
    name : str
        A word such as ``"sub"``; the node of the graph is then called ``SubBackward0``.
    formula : str
        The formula that the rule is derived from.
    rules : tuple of str
        The derived rule for each operand, to be read.
    static : mapping
        Parameters that are no operands, such as a stride or an axis.
    saves : (bool, bool)
        Whether a rule reads operands, and whether it reads the result; what no rule reads is not kept.
    """

    @property
    def name(self) -> str: ...
    @property
    def formula(self) -> str: ...
    @property
    def rules(self) -> tuple[str, ...]: ...
    @property
    def static(self) -> Mapping[str, Any]: ...
    @property
    def saves(self) -> tuple[bool, bool]: ...

    def forward(self, ops: Any, *operands: Any) -> Any:
        """The result, in the world of the operands."""

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """The cotangent of each operand, None where it is not needed; its shape may be the result's."""


@dataclass(frozen=True, slots=True)
class LinearMap:
    """A linear primitive of one operand: its rule is another linear map, its adjoint, and needs no value."""

    saves: ClassVar[tuple[bool, bool]] = (False, False)
    name: ClassVar[str]
    formula: ClassVar[str]
    rules: ClassVar[tuple[str, ...]]

    @property
    def static(self) -> Mapping[str, Any]:
        """The parameters of the map, by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def adjoint(self) -> Primitive:
        """The map A' with sum(A(x)*dy) == sum(x*A'(dy)) for all x and dy."""
        raise NotImplementedError

    def forward(self, ops: Any, x: Any) -> Any:
        """The map applied to an array."""
        raise NotImplementedError

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """The adjoint applied to the cotangent."""
        return (ops.apply(self.adjoint, dy),)
