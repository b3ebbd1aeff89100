"""From the arguments of a public function to its result: gate, axes, meaning, work, and back to the caller's form.

Factors of a gradient are conjugated, so gradients are adjoints for complex numbers too. A call of a kind that has been
seen begins behind the checks: the door of `convsym.kernels` knows it.
"""

from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from convsym import arguments, cutting, execution, gate, kernels, plans, shortcuts
from convsym.errors import ShapeError
from convsym.execution import Kept
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.layouts import Axes, Layout, Layouts, in_standard_order, read_axes
from convsym.meaning import check_rank
from convsym.operations import DIRECT, How, Operation


def forward(op: Operation, input: object, weight: object, bias: object = None) -> Array:
    """The output: the rule y of a convolution, dx of a transposed one; then the bias."""
    known = _known(op, "", input, weight, None, bias)
    if known is not None:
        return known
    execution.check_algorithm(op.how.algorithm)
    needed = {"input": input, "weight": weight}
    arrays = gate.accept_each(**needed if bias is None else {**needed, "bias": bias})
    layouts = op.layouts()
    x, w = standard(layouts, arrays, "input"), standard(layouts, arrays, "weight")
    geometry = op.geometry(x.shape, w.shape, ("input", "weight"))
    if bias is not None:
        check_bias(arrays["bias"], geometry, op)
    operands = {op.roles.input: x, "w": w}
    made = finished(geometry, op.roles.output, operands, op.how, layouts.output, arrays.get("bias"))
    _remember(op, "", geometry, input, weight, None)
    return made


def input_gradient(
    op: Operation, input_size: object, weight: object, grad_output: object, name: str = "input_size"
) -> Array:
    """The gradient by the input: the rule dx of a convolution, y of a transposed one.

    `name` is the argument of the caller's that the size is from.
    """
    known = _known(op, "_input", grad_output, weight, input_size)
    if known is not None:
        return known
    execution.check_algorithm(op.how.algorithm)
    arrays = gate.accept_each(weight=weight, grad_output=grad_output)
    layouts = op.layouts()
    size = standard_shape(layouts.input, input_size, name)
    w, dy = standard(layouts, arrays, "weight"), standard(layouts, arrays, "grad_output")
    geometry = op.geometry(size, w.shape, (name, "weight"))
    _check_output(geometry, op, dy.shape)
    operands = {op.roles.cotangent: dy, "w": gate.adjoint(w)}
    made = finished(geometry, op.roles.gradient, operands, op.how, layouts.input)
    _remember(op, "_input", geometry, grad_output, weight, input_size)
    return made


def weight_gradient(
    op: Operation,
    input: object,
    weight_size: object,
    grad_output: object,
    reduce_batch: bool = True,
    name: str = "weight_size",
) -> Array:
    """The gradient by the weight, the rule dw; for each sample alone if the batch is not reduced.

    `name` is the argument of the caller's that the size is from.
    """
    first, second = (grad_output, input) if op.roles.input == "x" else (input, grad_output)
    known = _known(op, "_weight", first, second, weight_size) if reduce_batch is True else None
    if known is not None:
        return known
    execution.check_algorithm(op.how.algorithm)
    arrays = gate.accept_each(input=input, grad_output=grad_output)
    layouts = op.layouts()
    size = standard_shape(layouts.weight, weight_size, name)
    x, dy = standard(layouts, arrays, "input"), standard(layouts, arrays, "grad_output")
    geometry = op.geometry(x.shape, size, ("input", name))
    _check_output(geometry, op, dy.shape)
    operands = {op.roles.cotangent: dy, op.roles.input: gate.adjoint(x)}
    if arguments.flag(reduce_batch, "reduce_batch") or not geometry.batched:
        made = finished(geometry, "dw", operands, op.how, layouts.weight)
        _remember(op, "_weight", geometry, first, second, weight_size)
        return made
    return _each_sample(geometry, operands, op.how, layouts.weight)


def _known(
    op: Operation, kind: str, first: object, second: object, size: object, bias: object = None
) -> Array | None:
    """The result of a call whose kind is known; None for others. The first operand is not x, unless the second is w."""
    asked, how = op.parameters, op.how
    if how.algorithm == "reference":
        return None
    made: Array | None = kernels.door().enter(
        _code(op, kind), first, second, bias, size, op.output_padding,
        asked.stride, asked.padding, asked.dilation, asked.groups,
        how.algorithm, asked.padding_mode, asked.input_dilation, asked.flip, how.out, how.axes, asked.same,
    )  # fmt: skip
    return made


def _remember(op: Operation, kind: str, geometry: Geometry, first: Any, second: Any, size: object) -> None:
    """Leave at the door what calls of this kind do, if they are as simple as those that it serves."""
    asked, how = op.parameters, op.how
    simple = asked.padding_mode == "zeros" and asked.same == "symmetric" and asked.flip is False and how.axes is None
    if not simple or geometry.is_dilated or how.algorithm == "reference":
        return
    if not (type(first) is type(second) is np.ndarray and first.dtype.kind in "fiuc" and gate.is_native(first)):
        return
    asked_for = geometry, op.roles.rule(kind), first.dtype, how.algorithm
    steps = (
        size, op.output_padding, asked.stride, asked.padding, asked.dilation, asked.groups, how.algorithm
    )  # fmt: skip
    straight = shortcuts.straight(*asked_for)
    route = partial(_repeated, replace(op, how=replace(how, out=None)), kind, geometry, straight)
    plan = shortcuts.shortcut(*asked_for)
    tiles = None if straight is None else straight.steps(geometry, op.roles.rule(kind))
    kernels.door().remember(_code(op, kind), first, second, steps, plan, tiles, route)


def _code(op: Operation, kind: str) -> int:
    """The number of a function at the door; ordinary ops that are no gradients have that of their rank."""
    return op.rank + 8 * (op.output_padding is not None) + 16 * ("", "_input", "_weight").index(kind)


def _repeated(
    op: Operation,
    kind: str,
    geometry: Geometry,
    straight: shortcuts.Straight | None,
    first: Array,
    second: Array,
    out: object,
    bias: Array | None,
) -> Array:
    """A call whose operands have been judged by another of its kind."""
    if bias is not None:
        check_bias(bias, geometry, op)
    if out is None and straight is not None and straight.serves(first, second):
        return straight(first, second, bias)
    rule = op.roles.rule(kind)
    operands = dict(zip(plans.OPERANDS[rule], (first, second), strict=True))
    if kind:
        adjoint = "w" if kind == "_input" else op.roles.input
        operands[adjoint] = gate.adjoint(operands[adjoint])
    how = op.how if out is None else replace(op.how, out=out)
    return finished(geometry, rule, operands, how, None, bias)


def bias_gradient(rank: int, grad_output: object, axes: Axes = None) -> Array:
    """The sum of dy over batch and spatial axes, of shape (K,)."""
    dy = gate.accept(grad_output, "grad_output")
    dy = standard(read_axes(axes, rank), {"grad_output": dy}, "grad_output")
    check_rank(rank, dy.shape, "grad_output")
    if dy.dtype.char in "fd" and gate.is_laid_out(dy):
        return _channel_sums(execution.flat_spatial(dy, rank))
    channels = np.moveaxis(dy, -rank - 1, 0)
    # Two copies at most: widened or in the order of the kernel, then the real or the imaginary parts.
    bytes_of_each = 2 * prod(channels.shape[1:]) * max(dy.dtype.itemsize, 4)

    def work(part: Array) -> Array:
        flat = execution.flat_spatial(gate.layout(gate.widened(np.moveaxis(part, 0, -rank - 1))), rank)
        if flat.dtype.kind != "c":
            return gate.narrowed(_channel_sums(flat), dy.dtype)
        parts = [_channel_sums(gate.layout(part)) for part in (flat.real, flat.imag)]
        return parts[0] + 1j * parts[1]

    return cutting.in_slices(work, channels, 1, cutting.Needs(0, bytes_of_each, dy.dtype.itemsize))


def _channel_sums(dy: Array) -> Array:
    if dy.dtype.char in "fd":
        return kernels.run("bias_db", np.zeros(dy.shape[1], dy.dtype), {"dy": dy}, {})
    total: Array = np.sum(dy, axis=(0, 2), dtype=dy.dtype)
    return total


def _each_sample(geometry: Geometry, operands: dict[str, Array], how: How, layout: Layout | None) -> Array:
    """dw for each sample: the samples become groups, which do not see each other."""
    apart = replace(geometry, batch=1, groups=geometry.batch * geometry.groups)
    grouped = {name: array.reshape(apart.public_shapes[name]) for name, array in operands.items()}
    value = execution.compute(apart, "dw", grouped, how.algorithm)
    value = value.reshape(geometry.batch, *geometry.public_shapes["dw"])
    placed = None if layout is None else Layout((0, *(place + 1 for place in layout.places)))
    return delivered(value, next(iter(operands.values())).dtype, how.out, placed)


def finished(
    geometry: Geometry,
    result: str,
    operands: dict[str, Array],
    how: How,
    layout: Layout | None,
    bias: Array | None = None,
    kept: Kept | None = None,
) -> Array:
    """The result of a rule with its bias, in the caller's dtype, order of axes and memory."""
    dtype = next(iter(operands.values())).dtype
    room = None
    if how.out is not None:
        room = _room(how.out, geometry.public_shapes[result], dtype, layout)
        if bias is not None and np.may_share_memory(room, bias):
            bias = bias.copy()
    value = execution.compute(geometry, result, operands, how.algorithm, room, bias, kept)
    return delivered(value, dtype, how.out, layout)


def _room(out: object, shape: Shape, dtype: np.dtype[Any], layout: Layout | None) -> Array:
    """The caller's `out`, checked, in standard order."""
    if layout is None:
        return gate.accept_out(out, shape, dtype)
    expected = tuple(shape[axis] for axis in np.argsort(layout.places))
    return layout.standard(gate.accept_out(out, expected, dtype), "out")


def delivered(value: Array, dtype: np.dtype[Any], out: Any, layout: Layout | None) -> Array:
    """A value in standard order as the caller gets it."""
    value = gate.narrowed(value, dtype)
    if out is None:
        return value if layout is None else gate.layout(layout.view(value))
    room = _room(out, value.shape, dtype, layout)
    if not np.may_share_memory(room, value):
        room[...] = value
    return out  # type: ignore[no-any-return]  # it has been accepted as an array


def standard(layouts: Layouts, arrays: dict[str, Array], name: str) -> Array:
    """An argument in standard order."""
    layout = {"input": layouts.input, "weight": layouts.weight, "grad_output": layouts.output}[name]
    return arrays[name] if layout is None else layout.standard(arrays[name], name)


def standard_shape(layout: Layout | None, size: object, name: str) -> Shape:
    """A shape argument in standard order."""
    sizes = arguments.shape(size, name)
    return sizes if layout is None else layout.standard_shape(sizes, name)


def check_bias(bias: Array, geometry: Geometry, op: Operation) -> None:
    into, out = (geometry.groups * size for size in geometry.channels)
    channels, place = (out, "weight.shape[0]") if op.roles is DIRECT else (into, "weight.shape[1]*groups")
    if bias.shape != (channels,):
        raise ShapeError(
            f"bias has shape {bias.shape}, and it must be ({channels},): one number for each output channel ({place})"
        )


def _check_output(geometry: Geometry, op: Operation, shape: Shape) -> None:
    expected = geometry.public_shapes[op.roles.output]
    if shape != expected:
        with in_standard_order(op.how.axes):
            raise ShapeError(
                f"grad_output has shape {shape}, and with these sizes and parameters the output has "
                f"shape {expected}; check the shape of the input, stride, padding and dilation"
            )
