"""A convolution or a transposed one with everything but its arrays, and the names of the ops.

A convolution, its transpose and all their gradients are the three rules y, dx and dw of one geometry: a transposed
convolution is dx, its input's gradient is y, its weight's gradient is dw with x and dy exchanged.
"""

from dataclasses import dataclass
from typing import Any

from convsym import arguments
from convsym.arguments import Parameters
from convsym.errors import ShapeError, nearest
from convsym.geometry import Geometry, Shape
from convsym.layouts import Axes, Layouts, in_standard_order, read_axes
from convsym.meaning import RANKS, resolve, resolve_transposed, weight_rank


@dataclass(frozen=True)
class How:
    """What a caller said of the way to the result.

    Attributes
    ----------
    algorithm : str
    out : ndarray or None
        Where the result goes; a new array by default.
    axes : str, sequence of str, or None
        Orders of the axes, see `convsym.layouts.read_axes`.
    """

    algorithm: str = "auto"
    out: Any = None
    axes: Axes = None


@dataclass(frozen=True)
class Roles:
    """What the arrays of an op are called in the rules of its geometry.

    Attributes
    ----------
    input, output : str
        The input where it is read, the output where it is computed.
    cotangent, gradient : str
        The cotangent of the output where it is read, the gradient by the input where it is computed.
    """

    input: str
    output: str
    cotangent: str
    gradient: str

    def rule(self, kind: str) -> str:
        """The rule that computes a result; `kind` is a key of `KINDS`."""
        return {"": self.output, "_input": self.gradient, "_weight": "dw"}[kind]


DIRECT = Roles(input="x", output="y", cotangent="dy", gradient="dx")
TRANSPOSED = Roles(input="dy", output="dx", cotangent="x", gradient="y")


@dataclass(frozen=True)
class Operation:
    """A convolution or a transposed one, with everything but its arrays.

    Attributes
    ----------
    rank : int
        Number of spatial axes.
    parameters : Parameters
    how : How
    output_padding : object
        Of a transposed convolution, as the caller gave it; None makes it an ordinary one.
    """

    rank: int
    parameters: Parameters
    how: How = How()
    output_padding: object = None

    @property
    def roles(self) -> Roles:
        """The names of its arrays."""
        return DIRECT if self.output_padding is None else TRANSPOSED

    def geometry(self, input_shape: Shape, weight_shape: Shape, names: tuple[str, str]) -> Geometry:
        """The geometry of shapes in standard order; `names` is what the caller calls them."""
        with in_standard_order(self.how.axes):
            if self.output_padding is None:
                return resolve(self.rank, input_shape, weight_shape, self.parameters, names)
            return resolve_transposed(self.rank, input_shape, weight_shape, self.parameters, self.output_padding, names)

    def layouts(self) -> Layouts:
        """The caller's orders of axes."""
        return read_axes(self.how.axes, self.rank, "OI" if self.output_padding is None else "IO")


def operation(
    rank: int, parameters: Parameters, how: How, transposed: object, output_padding: object
) -> Operation:
    """The operation of a function that takes ``transposed=`` and ``output_padding=``, for both kinds of convolution.

    Raises
    ------
    TypeError, ShapeError
        An argument is wrong, or belongs to the other kind.
    """
    further = arguments.per_axis(output_padding, rank, "output_padding", 0)
    spread = arguments.per_axis(parameters.input_dilation, rank, "input_dilation", 1)
    if not arguments.flag(transposed, "transposed"):
        if any(further):
            raise ShapeError(
                f"output_padding is {output_padding!r}, and only a transposed convolution has one; give "
                "transposed=True as well, or the name of a transposed op"
            )
        return Operation(rank, parameters, how)
    if max(spread) > 1:
        raise ShapeError(
            f"input_dilation is {parameters.input_dilation!r}, and a transposed convolution has none; its stride is "
            "what spreads the input"
        )
    return Operation(rank, parameters, how, further)


KINDS = {"": "output", "_input": "gradient by the input", "_weight": "gradient by the weight"}
_RANK_NAMES = ("", *(f"{rank}d" for rank in RANKS))


def split_name(op: object) -> tuple[str, str]:
    """The name of a convolution or a transposed one, and which of its results is meant: a key of `KINDS`.

    Raises
    ------
    ShapeError
        There is no such op.
    """
    known = [f"{base}{rank}{kind}" for base in ("conv", "conv_transpose") for rank in _RANK_NAMES for kind in KINDS]
    if op not in known:
        raise ShapeError(f"op={op!r} is not known; {nearest(str(op), known)}")
    kind = next((kind for kind in ("_input", "_weight") if str(op).endswith(kind)), "")
    return str(op).removesuffix(kind), kind


def named(
    op: str, weight_shape: Shape, parameters: Parameters, how: How, output_padding: object
) -> Operation:
    """The operation that an op's name and the shape of its weight mean."""
    name, _ = split_name(op)
    rank = weight_rank(weight_shape)
    made = operation(rank, parameters, how, name.startswith("conv_transpose"), output_padding)
    said = name.rstrip("d")[-1:]
    if said.isdigit() and said != str(rank):
        raise ShapeError(f"weight has shape {weight_shape}, which is one of a {rank}-d convolution, and op={op!r}")
    return made
