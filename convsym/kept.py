"""Kept plans: a convolution or a gradient of one whose checks, choices and weight are settled once, for many calls."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from convsym import arguments, calls, execution, gate, kernels, memory, minimal, operations, shortcuts
from convsym.accounts import Explanation, explain
from convsym.arguments import Number, Padding, Parameters, PerAxis
from convsym.choice import choose, computed
from convsym.errors import ShapeError
from convsym.execution import Kept
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.layouts import Axes, Layout, Layouts, in_standard_order
from convsym.operations import How, Operation

BATCHES = 64  # sizes of the batch whose geometry is kept


@dataclass(frozen=True)
class Argument:
    """An array that calls of a plan are given.

    Attributes
    ----------
    name : str
        What it is called in messages.
    role : str
        What it is in the rule.
    shape : tuple of int
        As planned, in standard order.
    layout : Layout or None
        The caller's order of axes.
    """

    name: str
    role: str
    shape: Shape
    layout: Layout | None


@dataclass(frozen=True)
class Held:
    """The arrays that a plan keeps, as its rule takes them; they are the plan's own."""

    weight: Array | None = None
    bias: Array | None = None


class KeptPlan:
    """A convolution or gradient that is ready to be called. Made by `convsym.plan`; it prints what `explain` says.

    Attributes
    ----------
    op : str
    shapes : dict of str to tuple
        Of input, weight and output, as planned, in standard order.
    dtype : dtype
        Of all arrays.
    """

    def __init__(
        self,
        op: str,
        called: Operation,
        geometry: Geometry,
        held: Held,
        dtype: np.dtype[Any],
        explained: Callable[[], Explanation],
    ) -> None:
        self.op, self.dtype = op, dtype
        kind = operations.split_name(op)[1]
        self._called, self._planned, self._held, self._explained = called, geometry, held, explained
        self._rule = called.roles.rule(kind)
        self._arguments = _arguments(called, kind, geometry)
        self._batches = {geometry.batch: geometry}
        layouts = called.layouts()
        self._layout = {"": layouts.output, "_input": layouts.input, "_weight": layouts.weight}[kind]
        self._level = kernels.in_use()
        self._made = _made(geometry, self._rule, held.weight, dtype, called.how.algorithm)
        self._quick, self._needed = self._shortcut()
        # Kernels take dy or x first; a weight that is kept is their second operand.
        self._turned = self._rule == "dw" and self._arguments[0].role == "x"

    def __call__(self, *arrays: Any, out: Any = None) -> Array:
        """The result for the arrays that the plan leaves open.

        Parameters
        ----------
        *arrays : ndarray
            The input of an op; `grad_output` of a gradient by the input; both for one by the weight. Of the planned
            dtype and shape; the size of the batch is free.
        out : ndarray, optional
            Where the result goes; it may overlap the arrays.

        Returns
        -------
        ndarray
            `out`, or a new array.

        Raises
        ------
        TypeError, ShapeError
            An array is not what was planned, or `out` does not fit.
        """
        if self._quick is not None and len(arrays) == len(self._arguments) and not memory.exceeds(self._needed):
            made: Array | None = self._quick(*(arrays[::-1] if self._turned else arrays), out=out)
            if made is not None:
                return made
        if self._is_planned(arrays):
            roles = [argument.role for argument in self._arguments]
            return self._computed(self._planned, dict(zip(roles, arrays, strict=True)), out)
        operands = self._checked(arrays)
        return self._computed(self._geometry(operands), operands, out)

    def __repr__(self) -> str:
        return str(self.explanation)

    @property
    def explanation(self) -> Explanation:
        """What `explain` says of the planned call."""
        return self._explained()

    @property
    def shapes(self) -> dict[str, Shape]:
        """Shapes of input, weight and output, as planned, in standard order."""
        roles, shapes = self._called.roles, self._planned.public_shapes
        return {"input": shapes[roles.input], "weight": shapes["w"], "output": shapes[roles.output]}

    def _shortcut(self) -> tuple[Any, int]:
        """What the door does for the planned call, if anything, and how many bytes that takes."""
        geometry, rule, weight, bias = self._planned, self._rule, self._held.weight, self._held.bias
        if self._called.how.axes is not None:
            return None, 0
        small = shortcuts.shortcut(geometry, rule, self.dtype, self._called.how.algorithm) if bias is None else None
        if small is not None:
            return small if weight is None else kernels.door().Kept(small, weight), 0
        straight = shortcuts.straight(geometry, rule, self.dtype, self._made.choice.name)
        tiles = None if straight is None else straight.steps(geometry, rule)
        if straight is None or tiles is None:
            return None, 0
        return tiles if weight is None else partial(_with_weight, tiles, weight, bias), straight.needed

    def _is_planned(self, arrays: tuple[Any, ...]) -> bool:
        """Whether arrays are just what was planned, so that nothing more has to be looked at."""
        return (
            self._called.how.axes is None
            and len(arrays) == len(self._arguments)
            and all(
                type(array) is np.ndarray and array.dtype is self.dtype and array.shape == argument.shape
                for array, argument in zip(arrays, self._arguments, strict=True)
            )
        )

    def _checked(self, arrays: tuple[Any, ...]) -> dict[str, Array]:
        """The operands that a call gives, by their roles, in standard order."""
        names = [argument.name for argument in self._arguments]
        if len(arrays) != len(names):
            raise TypeError(
                f"a plan of {self.op} is called with {' and '.join(names)}, and here are {len(arrays)} arrays; "
                "the weight is the plan's own, and out is given by its name"
            )
        accepted = gate.accept_each(**dict(zip(names, arrays, strict=True)))
        return {argument.role: self._operand(argument, accepted[argument.name]) for argument in self._arguments}

    def _computed(self, geometry: Geometry, operands: dict[str, Array], out: Any) -> Array:
        if self._held.weight is not None:
            operands["w"] = self._held.weight
        elif self._rule == "dw":
            operands[self._called.roles.input] = gate.adjoint(operands[self._called.roles.input])
        how = self._called.how if out is None else replace(self._called.how, out=out)
        kept = self._made if kernels.in_use() == self._level else None  # weights are transformed for one CPU level
        return calls.finished(geometry, self._rule, operands, how, self._layout, self._held.bias, kept)

    def _operand(self, argument: Argument, array: Array) -> Array:
        """An array of a call, checked, in standard order."""
        if array.dtype != self.dtype:
            raise TypeError(
                f"{argument.name} is {array.dtype}, and this plan is for {self.dtype}; convert it, "
                f"{argument.name}.astype(np.{self.dtype}), or plan for its dtype"
            )
        found = array if argument.layout is None else argument.layout.standard(array, argument.name)
        batched = self._planned.batched
        if found.ndim != len(argument.shape) or found.shape[batched:] != argument.shape[batched:]:
            with in_standard_order(self._called.how.axes):
                free = ", with a batch of any size" if batched else ""
                raise ShapeError(
                    f"{argument.name} has shape {found.shape}, and this plan is for {argument.shape}{free}; "
                    "make another plan for another shape"
                )
        return found

    def _geometry(self, operands: dict[str, Array]) -> Geometry:
        """The planned geometry with the batch of a call."""
        if not self._planned.batched:
            return self._planned
        batch, *others = (array.shape[0] for array in operands.values())
        if any(other != batch for other in others):
            said = " and ".join(f"{a.name} has a batch of {operands[a.role].shape[0]}" for a in self._arguments)
            raise ShapeError(f"{said}; give both the same")
        found = self._batches.get(batch)
        if found is None:
            found = replace(self._planned, batch=batch)
            if len(self._batches) < BATCHES:
                self._batches[batch] = found
        return found


def plan(
    op: str,
    input_shape: Any,
    weight: Any,
    bias: Any = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    output_padding: PerAxis = 0,
    dtype: Any = None,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    axes: Axes = None,
    same: str = "symmetric",
) -> KeptPlan:
    """A convolution or one of its gradients, checked and prepared once, to be called many times.

        p = plan("conv2d", x.shape, w);  p(x) is conv2d(x, w)

    Where both take the same algorithm, as with any that is named, the results are the same bit for bit. With "auto" a
    plan may take another one, since its weights are transformed beforehand: it prints which.

    Parameters
    ----------
    op : str
        ``"conv2d"``, ``"conv_transpose1d"``, …, or a gradient: ``"conv2d_input"``, ``"conv2d_weight"``.
    input_shape : tuple of int
        Shape of the input, (N, C, i0, …) or (C, i0, …). N is an example: calls may have any batch.
    weight : ndarray
        The weight; the plan keeps a copy, so that later changes of the array change nothing. For a gradient by the
        weight its shape will do: nothing else of it is used.
    bias : ndarray, shape (K,), optional
        Of an op that is no gradient; copied likewise.
    stride, padding, dilation, groups, output_padding, algorithm, padding_mode, input_dilation, flip, axes, same
        As given to the op, by name for the transposed ones.
    dtype : dtype, optional
        Of the arrays, where `weight` is a shape; float32 by default.

    Returns
    -------
    KeptPlan
        Called with the input; with `grad_output` for a gradient by the input; with input and `grad_output` for one by
        the weight; and with ``out=`` if wanted. Several threads may call it at once.

    Raises
    ------
    TypeError, ShapeError
        As the op; a ShapeError also when `op` is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import plan
    >>> p = plan("conv1d", (1, 1, 5), np.array([[[1.0, 0.0, -1.0]]]), stride=2)
    >>> p(np.arange(10.0).reshape(2, 1, 5))
    array([[[-2., -2.]],
    <BLANKLINE>
           [[-2., -2.]]])
    >>> gradient = plan("conv1d_weight", (1, 1, 5), (1, 1, 3), stride=2, dtype=float)
    >>> gradient(np.arange(5.0).reshape(1, 1, 5), np.ones((1, 1, 2)))
    array([[[2., 4., 6.]]])
    """
    execution.check_algorithm(algorithm)
    kind = operations.split_name(op)[1]
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    shape, own, held = _given(kind, weight, bias, dtype)
    called = operations.named(op, shape, parameters, How(algorithm, None, axes), output_padding)
    layouts = called.layouts()
    inputs = calls.standard_shape(layouts.input, input_shape, "input_shape")
    weights = calls.standard_shape(layouts.weight, shape, "weight")
    geometry = called.geometry(inputs, weights, ("input_shape", "weight"))
    if held.bias is not None:
        calls.check_bias(held.bias, geometry, called)
    explained = partial(
        explain, op, inputs, weights, stride, padding, dilation, groups, output_padding=output_padding, dtype=own,
        algorithm=algorithm, padding_mode=padding_mode, input_dilation=input_dilation, flip=flip, same=same,
        kept=held.weight is not None,
    )  # fmt: skip
    return KeptPlan(op, called, geometry, _prepared(held, kind, layouts), own, explained)


def _given(kind: str, weight: Any, bias: Any, dtype: Any) -> tuple[Shape, np.dtype[Any], Held]:
    """Shape of the weight, dtype, and the arrays that the plan is to keep, as they were given."""
    if bias is not None and kind:
        raise ShapeError("bias is given, and a gradient has none; leave it out")
    if kind == "_weight" and isinstance(weight, (tuple, list)):
        return arguments.shape(weight, "weight"), gate.computed(np.float32 if dtype is None else dtype, "dtype"), Held()
    arrays = gate.accept_all(weight=gate.accept(weight, "weight"), bias=bias)
    found = arrays["weight"]
    if dtype is not None and gate.computed(dtype, "dtype") != found.dtype:
        raise TypeError(
            f"dtype is {np.dtype(dtype)}, and weight is {found.dtype}; leave dtype out, or convert the weight"
        )
    return found.shape, found.dtype, Held(None if kind == "_weight" else found, arrays.get("bias"))


def _prepared(held: Held, kind: str, layouts: Layouts) -> Held:
    """What is done to weight and bias once for all calls: copies in standard order, conjugated for gradients."""
    weight, bias = held.weight, held.bias
    if weight is not None:
        weight = weight if layouts.weight is None else layouts.weight.standard(weight, "weight")
        weight = np.array(gate.adjoint(weight) if kind else weight, order="C")
    return Held(weight, None if bias is None else bias.copy())


def _made(
    geometry: Geometry, rule: str, weight: Array | None, dtype: np.dtype[Any], algorithm: str
) -> Kept:
    """The choice of an algorithm, and the weights as Winograd's tiles take them."""
    chosen = choose(geometry, rule, dtype, algorithm, kernels.in_use(), kept=weight is not None)
    if chosen.name != "winograd" or weight is None or dtype.char not in "fd":
        return Kept(chosen)
    grouped = weight.reshape(geometry.shapes["w"])
    if geometry.flip:
        grouped = gate.layout(geometry.flipped(grouped))
    return Kept(chosen, minimal.prepare_weights(computed(geometry), rule, grouped, chosen.m))


def _with_weight(tiles: Any, weight: Array, bias: Array | None, array: Any, out: Any = None) -> Array | None:
    made: Array | None = tiles(array, weight, out, bias)
    return made


def _arguments(called: Operation, kind: str, geometry: Geometry) -> tuple[Argument, ...]:
    """What calls are given, in their order."""
    roles, layouts, shapes = called.roles, called.layouts(), geometry.public_shapes
    input = Argument("input", roles.input, shapes[roles.input], layouts.input)
    cotangent = Argument("grad_output", roles.cotangent, shapes[roles.cotangent], layouts.output)
    return {"": (input,), "_input": (cotangent,), "_weight": (input, cotangent)}[kind]
