"""Nodes of ONNX with windows and weights: convolution, pooling, normalization, matrices."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convsym import autograd, sliding
from convsym.arguments import Parameters
from convsym.autograd import Tensor
from convsym.geometry import Geometry
from convsym.nn.convolutions import flat
from convsym.nn.onnx_steps import Operator, Step, Value
from convsym.specs import Spec


def convolution(step: Step, inputs: Sequence[Value]) -> Tensor:
    """Conv and ConvTranspose: the node's `Spec` says everything."""
    x, w, b = (*inputs, None)[:3]
    spec = Spec.from_onnx({"op_type": step.op_type, **step.attributes}, w.shape, x.shape[2:])
    padding = flat(spec.padding)
    if spec.transposed:
        return autograd.conv_transpose(
            x, w, b, spec.stride, padding, spec.output_padding, spec.groups, spec.dilation, same=spec.same
        )
    return autograd.conv(x, w, b, spec.stride, padding, spec.dilation, spec.groups, same=spec.same)


def average_pool(step: Step, inputs: Sequence[Value]) -> Tensor:
    """AveragePool."""
    (x,) = inputs
    kernel = tuple(step.get("kernel_shape"))
    ones = (1,) * len(kernel)
    step.only("dilations", list(ones))
    padding, same = step.padding(len(kernel))
    return autograd.avg_pool(
        x,
        kernel,
        tuple(step.get("strides", ones)),
        padding,
        bool(step.get("ceil_mode", 0)),
        bool(step.get("count_include_pad", 0)),
        same=same,
    )


def max_pool(step: Step, inputs: Sequence[Value]) -> Value:
    """MaxPool, one axis after the other: the largest of the slices that the taps of the windows read."""
    (x,) = inputs
    step.only("storage_order", 0)
    geometry = _windows(step, x)
    x = _bordered(x, geometry)
    whole = replace(geometry, inputs=x.shape[2:], padding=((0, 0),) * geometry.rank, mode="zeros")
    for axis in range(geometry.rank):
        lead = (slice(None),) * (axis + 2)
        slices = [x[(*lead, tap.reads)] for tap in sliding.taps(whole, axis)]
        x = slices[0]
        for other in slices[1:]:
            x = autograd.maximum(x, other)
    return x


def _windows(step: Step, x: Value) -> Geometry:
    kernel = tuple(step.get("kernel_shape"))
    ones = (1,) * len(kernel)
    padding, same = step.padding(len(kernel))
    parameters = Parameters(
        tuple(step.get("strides", ones)),
        padding,
        tuple(step.get("dilations", ones)),
        same=same,
        ceil_mode=bool(step.get("ceil_mode", 0)),
    )
    return sliding.resolve_windows(len(kernel), x.shape, kernel, parameters, "max pooling", "input")


def _bordered(x: Value, geometry: Geometry) -> Value:
    """x with the least number around it, so far that every window lies inside."""
    least = -np.inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)
    # A last window that hangs over begins inside, so it ends less than one step behind the padding.
    pairs = zip(geometry.padding, geometry.stride, strict=True)
    return autograd.pad(x, tuple((before, after + step - 1) for (before, after), step in pairs), value=least)


def global_average_pool(step: Step, inputs: Sequence[Value]) -> Value:
    """The mean over all spatial axes, which stay with size 1."""
    (x,) = inputs
    return x.mean(tuple(range(2, x.ndim)), keepdims=True)


def global_max_pool(step: Step, inputs: Sequence[Value]) -> Value:
    """The largest element over all spatial axes, which stay with size 1."""
    (x,) = inputs
    return x.max(tuple(range(2, x.ndim)), keepdims=True)


def batch_normalization(step: Step, inputs: Sequence[Value]) -> Value:
    """BatchNormalization as it is after training: with the kept mean and variance of each channel."""
    step.only("training_mode", 0)
    x, scale, shift, mean, variance = inputs
    spread = (-1, *(1,) * (x.ndim - 2))
    factor = scale / autograd.sqrt(variance + step.get("epsilon", 1e-5))
    return x * factor.reshape(spread) + (shift - mean * factor).reshape(spread)


def local_response_normalization(step: Step, inputs: Sequence[Value]) -> Value:
    """LRN: divided by a power of the mean square over neighboring channels, as early networks have it."""
    (x,) = inputs
    rows = (x * x).reshape((x.shape[0], 1, x.shape[1], -1))
    mean = autograd.avg_pool2d(rows, (step.get("size"), 1), 1, "same", same="tf").reshape(x.shape)
    return x / (step.get("bias", 1.0) + step.get("alpha", 1e-4) * mean) ** step.get("beta", 0.75)


def gemm(step: Step, inputs: Sequence[Value]) -> Value:
    """alpha·A·B + beta·C, with A or B transposed."""
    a, b, c = (*inputs, None)[:3]
    y = (a.T if step.get("transA", 0) else a) @ (b.T if step.get("transB", 0) else b)
    alpha, beta = step.get("alpha", 1.0), step.get("beta", 1.0)
    y = y if alpha == 1 else y * alpha
    return y if c is None else y + (c if beta == 1 else c * beta)


LAYERS: dict[str, Operator] = {
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Conv": convolution,
    "ConvTranspose": convolution,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "LRN": local_response_normalization,
    "MaxPool": max_pool,
}
