"""A node of ONNX as it is read: its type, attributes and names, and what many nodes have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convsym.arguments import Padding
from convsym.autograd import Tensor
from convsym.errors import ShapeError
from convsym.gate import Array

Value = Any  # a tensor, an array of NumPy, or None for an input that is left out
_SAME = {"SAME_UPPER": "tf", "SAME_LOWER": "lower"}


@dataclass(frozen=True)
class Step:
    """One node.

    Attributes
    ----------
    op_type : str
    version : int
        Of the set of operators that the node belongs to.
    attributes : mapping of str to object
    inputs, outputs : tuple of str
        Names of values; an empty name is an input that is left out.
    """

    op_type: str
    version: int
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def get(self, name: str, usual: Any = None) -> Any:
        """An attribute, or what it usually is."""
        return self.attributes.get(name, usual)

    def padding(self, rank: int) -> tuple[Padding, str]:
        """The arguments `padding` and `same` of a window over `rank` spatial axes."""
        auto = self.get("auto_pad", "NOTSET")
        if auto in _SAME:
            return "same", _SAME[auto]
        sides = self.get("pads") if auto == "NOTSET" else None
        return tuple(zip(sides[:rank], sides[rank:], strict=True)) if sides else 0, "symmetric"

    def only(self, name: str, usual: Any) -> None:
        """Refuse a node whose attribute is anything but this.

        Raises
        ------
        ShapeError
            A sentence about the attribute.
        """
        value = self.get(name, usual)
        if value != usual:
            raise ShapeError(f"a node {self.op_type} has {name}={value!r}, and only {usual!r} is read")


Operator = Callable[[Step, Sequence[Value]], Value]


def array(value: Value) -> Array:
    """The array of a value."""
    return value.data if isinstance(value, Tensor) else np.asarray(value)


def integers(value: Value) -> list[int]:
    """A list of integers from a value that holds them."""
    return [int(each) for each in array(value).reshape(-1)]
