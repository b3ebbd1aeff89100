"""The ops as multilinear forms: all gradients of all orders are a few gathers that stand in for each other.

A convolution is one trilinear form, T(y, x, w) = Σ y[o] * x[stride*o + dilation*r - padding] * w[r]: a sum over an
index relation. Its derivative by one slot is a function of the other two, the *gather* of this slot: y is the output,
x and w are the gradients. Put a cotangent of one gather into its own slot, and the gradient by any operand is the
gather of that operand's slot:

    the gradient of ⟨g, gather(a, …, b, …)⟩ by b is gather(b, …, a=g, …)

So the family is closed, and no order of differentiation needs code of its own. What is linear in one array (average
pooling, windows as columns, the bias) has two slots in place of three, and the same law.

For complex numbers the form is Re Σ conj(y) * x * w, which is linear over the real numbers in each slot: gradients are
adjoints, as everywhere in convsym and in torch. Where gradients are not conjugated (JAX, autograd), conjugate the
cotangent and the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np

from convsym import calls, gate, sliding, windows
from convsym.arguments import Number, Padding, Parameters, PerAxis
from convsym.averaging import Pooling, average, average_gradient
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.layouts import Axes, Layout, read_axes
from convsym.operations import How, Operation

Operands = Mapping[str, Any]

# What the public functions call the slots where a gather reads them.
ARGUMENTS = {"y": "grad_output", "x": "input", "w": "weight", "b": "bias"}


class Form(Protocol):
    """What is linear in each of its slots; the output, y, comes first."""

    slots: ClassVar[tuple[str, ...]]

    def __hash__(self) -> int:
        """Forms are looked up by what they are."""

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each slot, in the caller's order of axes."""

    def gather(self, result: str, operands: Operands) -> Array:
        """The derivative of the form by the slot `result`, given arrays for all others."""


def exchanged(operands: Operands, wanted: str, result: str, cotangent: Any) -> dict[str, Any]:
    """The operands of the gather that is the gradient of another one.

    Parameters
    ----------
    operands : mapping of str to array
        Those of the gather of slot `result`; arrays of any library.
    wanted : str
        The operand that the gradient is by.
    result : str
    cotangent : array
        Of the gather's result.

    Returns
    -------
    dict of str to array
        Operands of the gather of slot `wanted`.

    Examples
    --------
    >>> exchanged({"x": "x", "w": "w"}, "x", "y", "dy")
    {'w': 'w', 'y': 'dy'}
    """
    return {**{slot: array for slot, array in operands.items() if slot != wanted}, result: cotangent}


@dataclass(frozen=True)
class Convolution:
    """A convolution or a transposed one: slots y, x and w.

    Attributes
    ----------
    op : Operation
    input_shape, weight_shape : tuple of int
    """

    slots: ClassVar[tuple[str, ...]] = ("y", "x", "w")
    op: Operation
    input_shape: Shape
    weight_shape: Shape

    def gather(self, result: str, operands: Operands) -> Array:
        """The output y of x and w; the gradient x of y and w, or w of x and y."""
        if result == "y":
            return calls.forward(self.op, operands["x"], operands["w"])
        if result == "x":
            return calls.input_gradient(self.op, self.input_shape, operands["w"], operands["y"])
        return calls.weight_gradient(self.op, operands["x"], self.weight_shape, operands["y"])

    def output(self, x: Any, w: Any, bias: Any) -> Array:
        """The output with its bias, which `Bias` is the form of, in one pass."""
        return calls.forward(self.op, x, w, bias)

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Shapes of y, x and w."""
        layouts = self.op.layouts()
        x = calls.standard_shape(layouts.input, self.input_shape, "input_shape")
        w = calls.standard_shape(layouts.weight, self.weight_shape, "weight_shape")
        geometry = self.op.geometry(x, w, ("input_shape", "weight_shape"))
        y = _given(layouts.output, geometry.public_shapes[self.op.roles.output])
        return {"y": y, "x": self.input_shape, "w": self.weight_shape}


@dataclass(frozen=True)
class Bias:
    """One number for each channel, added to the output of a convolution: slots y and b.

    Attributes
    ----------
    rank : int
        Number of spatial axes.
    output_shape : tuple of int
    axes : str, sequence of str, or None
        As given to the convolution.
    """

    slots: ClassVar[tuple[str, ...]] = ("y", "b")
    rank: int
    output_shape: Shape
    axes: Axes = None

    def gather(self, result: str, operands: Operands) -> Array:
        """The biases spread out, or their gradient."""
        if result == "b":
            return calls.bias_gradient(self.rank, operands["y"], self.axes)
        b = gate.accept(operands["b"], "bias")
        shape, layout = self._standard
        wanted = self.shapes["b"]
        if b.shape != wanted:
            raise ShapeError(f"bias has shape {b.shape}, and it must be {wanted}: one number for each channel")
        spread = np.broadcast_to(b.reshape(-1, *(1,) * self.rank), shape)
        return np.array(spread if layout is None else layout.view(spread), order="C")

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """Shapes of y and b."""
        return {"y": self.output_shape, "b": (self._standard[0][-self.rank - 1],)}

    @cached_property
    def _standard(self) -> tuple[Shape, Layout | None]:
        layout = read_axes(self.axes, self.rank).output
        return calls.standard_shape(layout, self.output_shape, "output_shape"), layout


@dataclass(frozen=True)
class AveragePooling:
    """The mean of every window: slots y and x.

    Attributes
    ----------
    pooling : Pooling
    input_shape : tuple of int
    """

    slots: ClassVar[tuple[str, ...]] = ("y", "x")
    pooling: Pooling
    input_shape: Shape

    def gather(self, result: str, operands: Operands) -> Array:
        """The means, or their gradient."""
        if result == "y":
            return average(self.pooling, operands["x"], None)
        return average_gradient(self.pooling, self.input_shape, operands["y"], None)

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Shapes of y and x."""
        layout, rank = self.pooling.layout(), self.pooling.rank
        x = calls.standard_shape(layout, self.input_shape, "input_shape")
        outputs = self.pooling.geometry(x, "input_shape").outputs
        return {"y": _given(layout, (*x[:-rank], *outputs)), "x": self.input_shape}


@dataclass(frozen=True)
class Windows:
    """Windows as columns and columns added back, which are each other's adjoint: slots y and x.

    Attributes
    ----------
    geometry : Geometry
        Of the windows over the array.
    columns : {"y", "x"}
        The slot that holds the columns: y of unfold, x of fold.
    """

    slots: ClassVar[tuple[str, ...]] = ("y", "x")
    geometry: Geometry
    columns: str

    def gather(self, result: str, operands: Operands) -> Array:
        """Columns of an array, or an array of columns."""
        (slot,) = set(self.slots) - {result}
        name = ARGUMENTS[slot]
        array = gate.accept(operands[slot], name)
        if array.shape != self.shapes[slot]:
            raise ShapeError(f"{name} has shape {array.shape}, and it must be {self.shapes[slot]}")
        work = windows.as_columns if result == self.columns else windows.from_columns
        return work(array, self.geometry, None)

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Shapes of y and x."""
        columns, array = sliding.laid_out_shape(self.geometry), self.geometry.public_shapes["x"]
        return {"y": columns, "x": array} if self.columns == "y" else {"y": array, "x": columns}


def convolution(
    rank: int,
    input_shape: Shape,
    weight_shape: Shape,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    axes: Axes = None,
    same: str = "symmetric",
) -> Convolution:
    """The form of `convsym.conv`, for arrays of given shapes; `rank` is the number of spatial axes.

    Examples
    --------
    >>> form = convolution(1, (1, 5), (1, 1, 3), stride=2)
    >>> form.shapes
    {'y': (1, 2), 'x': (1, 5), 'w': (1, 1, 3)}
    >>> form.gather("x", {"y": np.array([[1, 10]]), "w": np.array([[[1, 2, 3]]])})
    array([[ 1,  2, 13, 20, 30]])
    """
    parameters = Parameters(
        _fixed(stride), _fixed(padding), _fixed(dilation), _fixed(groups), padding_mode, _fixed(input_dilation), flip,
        same,
    )  # fmt: skip
    op = Operation(rank, parameters, How(algorithm, None, _fixed(axes)))
    return Convolution(op, tuple(input_shape), tuple(weight_shape))


def transposed_convolution(
    rank: int,
    input_shape: Shape,
    weight_shape: Shape,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: Number = 1,
    dilation: PerAxis = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    flip: bool = False,
    axes: Axes = None,
    same: str = "symmetric",
) -> Convolution:
    """The form of `convsym.conv_transpose`, for arrays of given shapes; `rank` is the number of spatial axes.

    Examples
    --------
    >>> form = transposed_convolution(1, (1, 2), (1, 1, 3), stride=2)
    >>> form.gather("y", {"x": np.array([[1, 10]]), "w": np.ones((1, 1, 3), int)})
    array([[ 1,  1, 11, 10, 10]])
    """
    parameters = Parameters(
        _fixed(stride), _fixed(padding), _fixed(dilation), _fixed(groups), padding_mode, 1, flip, same
    )  # fmt: skip
    op = Operation(rank, parameters, How(algorithm, None, _fixed(axes)), _fixed(output_padding))
    return Convolution(op, tuple(input_shape), tuple(weight_shape))


def average_pooling(
    rank: int | None,
    input_shape: Shape,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    padding_mode: str = "zeros",
    axes: str | None = None,
    same: str = "symmetric",
) -> AveragePooling:
    """The form of `convsym.avg_pool`, for arrays of a given shape; a rank of None is read off `kernel_size`.

    Examples
    --------
    >>> average_pooling(1, (1, 5), 2).gather("x", {"y": np.array([[2.0, 4.0]])})
    array([[1., 1., 2., 2., 0.]])
    """
    sizes = _fixed(kernel_size), _fixed(stride), _fixed(padding)
    pooling = Pooling.read(
        rank, *sizes, ceil_mode, count_include_pad, _fixed(divisor_override), padding_mode, axes, same
    )
    return AveragePooling(pooling, tuple(input_shape))


def unfolding(
    input_shape: Shape,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    stride: PerAxis = 1,
    *,
    padding_mode: str = "zeros",
    same: str = "symmetric",
) -> Windows:
    """The form of `convsym.unfold`, for arrays of a given shape.

    Examples
    --------
    >>> unfolding((1, 4), (3,)).shapes
    {'y': (3, 2), 'x': (1, 4)}
    """
    parameters = Parameters(stride, padding, dilation, padding_mode=padding_mode, same=same)
    return Windows(windows.unfolded_geometry(input_shape, kernel_size, parameters, "input"), "y")


def folding(
    input_shape: Shape,
    output_size: PerAxis,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    stride: PerAxis = 1,
    *,
    padding_mode: str = "zeros",
    same: str = "symmetric",
) -> Windows:
    """The form of `convsym.fold`, for columns of a given shape.

    Examples
    --------
    >>> folding((3, 2), (4,), (3,)).gather("y", {"x": np.ones((3, 2), int)})
    array([[1, 2, 2, 1]])
    """
    parameters = Parameters(stride, padding, dilation, padding_mode=padding_mode, same=same)
    return Windows(windows.folded_geometry(input_shape, output_size, kernel_size, parameters), "x")


def _fixed(value: Any) -> Any:
    """An argument that stays what it is: lists as tuples, integers as Python's, so that forms hash and print alike."""
    if type(value) is int or type(value) is str:
        return value
    if isinstance(value, (list, tuple)):
        return tuple(map(_fixed, value))
    return int(value) if isinstance(value, np.integer) else value


def _given(layout: Layout | None, shape: Shape) -> Shape:
    """A shape in standard order as the caller has it."""
    return shape if layout is None else tuple(shape[axis] for axis in np.argsort(layout.places))
