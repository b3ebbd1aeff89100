"""The other nodes of ONNX: elementwise functions, sums, and what moves elements.

Arrays of integers are shapes and places, which no gradient flows through: they stay arrays of NumPy.
"""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import add
from typing import Any

import numpy as np

from convsym import autograd
from convsym.autograd import Tensor
from convsym.gate import Array
from convsym.nn.onnx_layers import LAYERS
from convsym.nn.onnx_steps import Operator, Step, Value, array, integers

_PAD_MODES = {"constant": "zeros", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
_OPTIONAL_AXES = 13  # the version from which axes are an input


def _elementwise(function: Callable[..., Value]) -> Operator:
    return lambda step, inputs: function(*inputs)


def _sum(step: Step, inputs: Sequence[Value]) -> Value:
    return reduce(add, inputs)


def _divide(a: Value, b: Value) -> Value:
    if isinstance(a, np.ndarray) and a.dtype.kind in "iu":
        return np.trunc(a / b).astype(a.dtype)
    return a / b


def _leaky(step: Step, inputs: Sequence[Value]) -> Tensor:
    return autograd.leaky_relu(inputs[0], step.get("alpha", 0.01))


def _clip(step: Step, inputs: Sequence[Value]) -> Value:
    x, low, high = (*inputs, None, None)[:3]
    low, high = step.get("min", low), step.get("max", high)
    x = x if low is None else autograd.maximum(x, array(low))
    return x if high is None else -autograd.maximum(-x, -array(high))


def _softmax(function: Callable[..., Tensor], step: Step, inputs: Sequence[Value]) -> Value:
    (x,) = inputs
    if step.version >= _OPTIONAL_AXES:
        return function(x, step.get("axis", -1))
    first = step.get("axis", 1) % x.ndim  # of old: all axes from this one as one
    return function(x.reshape((*x.shape[:first], -1)), -1).reshape(x.shape)


def _mean(step: Step, inputs: Sequence[Value]) -> Value:
    x, axes = inputs[0], _axes(step, inputs)
    if not axes and step.get("noop_with_empty_axes", 0):
        return x
    return x.mean(tuple(axes) if axes else None, keepdims=bool(step.get("keepdims", 1)))


def _axes(step: Step, inputs: Sequence[Value]) -> list[int] | None:
    """Axes, an attribute of old and an input since."""
    return integers(inputs[1]) if len(inputs) > 1 and inputs[1] is not None else step.get("axes")


def _reshape(step: Step, inputs: Sequence[Value]) -> Value:
    x = inputs[0]
    wanted = integers(inputs[1]) if len(inputs) > 1 else step.get("shape")
    if not step.get("allowzero", 0):
        wanted = [x.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    return x.reshape(tuple(wanted))


def _flatten(step: Step, inputs: Sequence[Value]) -> Value:
    (x,) = inputs
    axis = step.get("axis", 1)
    return x.reshape((int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))))


def _transpose(step: Step, inputs: Sequence[Value]) -> Value:
    (x,) = inputs
    return x.transpose(tuple(step.get("perm", range(x.ndim)[::-1])))


def _squeeze(step: Step, inputs: Sequence[Value]) -> Value:
    x, axes = inputs[0], _axes(step, inputs)
    gone = {axis % x.ndim for axis in axes} if axes is not None else {a for a, size in enumerate(x.shape) if size == 1}
    return x.reshape(tuple(size for axis, size in enumerate(x.shape) if axis not in gone))


def _unsqueeze(step: Step, inputs: Sequence[Value]) -> Value:
    x, axes = inputs[0], _axes(step, inputs) or []
    rank = x.ndim + len(axes)
    new, sizes = {axis % rank for axis in axes}, iter(x.shape)
    return x.reshape(tuple(1 if axis in new else next(sizes) for axis in range(rank)))


def _concatenate(step: Step, inputs: Sequence[Value]) -> Value:
    if all(isinstance(each, np.ndarray) for each in inputs):
        return np.concatenate(inputs, step.get("axis"))
    return autograd.concatenate(list(inputs), step.get("axis"))


def _slice(step: Step, inputs: Sequence[Value]) -> Value:
    x = inputs[0]
    bounds: list[list[int] | None] = [step.get("starts"), step.get("ends"), step.get("axes"), None]
    if len(inputs) > 1:
        bounds = [None if each is None else integers(each) for each in (*inputs, None, None)[1:5]]
    starts, ends, axes, steps = (each or [] for each in bounds)
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    key: list[Any] = [slice(None)] * x.ndim
    for axis, start, end, by in zip(axes, starts, ends, steps, strict=True):
        # Going down, an end before the first element is written as a very negative number.
        key[axis] = slice(start, None if by < 0 and end < -x.shape[axis] else end, by)
    return x[tuple(key)]


def _pad(step: Step, inputs: Sequence[Value]) -> Value:
    x, widths, value, axes = (*inputs, None, None, None)[:4]
    sides = step.get("pads") if widths is None else integers(widths)
    places = range(x.ndim) if axes is None else [axis % x.ndim for axis in integers(axes)]
    pairs = dict(zip(places, zip(sides[: len(places)], sides[len(places) :], strict=True), strict=True))
    filling = step.get("value", 0.0) if value is None else float(array(value).reshape(()))
    whole = tuple(pairs.get(axis, (0, 0)) for axis in range(x.ndim))
    return autograd.pad(x, whole, _PAD_MODES[step.get("mode", "constant")], filling)


def _gather(step: Step, inputs: Sequence[Value]) -> Value:
    x, places = inputs
    return x[(*(slice(None),) * (step.get("axis", 0) % x.ndim), array(places))]


def _shape(step: Step, inputs: Sequence[Value]) -> Array:
    return np.array(inputs[0].shape[step.get("start", 0) : step.get("end")], np.int64)


def _constant(step: Step, inputs: Sequence[Value]) -> Array:
    dtypes = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    ((name, value),) = step.attributes.items()
    return np.asarray(value, dtypes.get(name))


def _filled(step: Step, inputs: Sequence[Value]) -> Array:
    value = step.get("value", np.zeros(1, np.float32))
    return np.full(integers(inputs[0]), value.reshape(()), value.dtype)


def _cast(step: Step, inputs: Sequence[Value]) -> Value:
    (x,) = inputs
    return x.astype(step.get("to"))


def _first(step: Step, inputs: Sequence[Value]) -> Value:
    return inputs[0]


OPERATORS: dict[str, Operator] = LAYERS | {
    "Add": _elementwise(add),
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concatenate,
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Div": _elementwise(_divide),
    "Dropout": _first,
    "Exp": _elementwise(autograd.exp),
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _first,
    "LeakyRelu": _leaky,
    "Log": _elementwise(autograd.log),
    "LogSoftmax": partial(_softmax, autograd.log_softmax),
    "MatMul": _elementwise(lambda a, b: a @ b),
    "Mul": _elementwise(lambda a, b: a * b),
    "Neg": _elementwise(lambda a: -a),
    "Pad": _pad,
    "ReduceMean": _mean,
    "Relu": _elementwise(autograd.relu),
    "Reshape": _reshape,
    "Shape": _shape,
    "Sigmoid": _elementwise(autograd.sigmoid),
    "Slice": _slice,
    "Softmax": partial(_softmax, autograd.softmax),
    "Sqrt": _elementwise(autograd.sqrt),
    "Squeeze": _squeeze,
    "Sub": _elementwise(lambda a, b: a - b),
    "Sum": _sum,
    "Tanh": _elementwise(autograd.tanh),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
