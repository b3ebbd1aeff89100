"""Normal forms: what one axis of a layer computes, whatever it is called, and the same layer said otherwise.

A convolution and a transposed one are the same kind of relation: output o, tap r and input i meet where
``stride*o + dilation*r - low = input_dilation*i``. A transposed convolution has its stride on the other side and its
taps reversed, so what it pads is what the full convolution would pad, less what it cuts off.
"""

from dataclasses import dataclass, replace

from convsym.arguments import Pairs
from convsym.kernels._generated import rules
from convsym.specs.layer import Layer


@dataclass(frozen=True)
class Form:
    """One axis without its names: two axes with equal forms compute the same for every size.

    Attributes
    ----------
    kernel, stride, dilation, input_dilation : int
    low, high : int
        Padding before and after the dilated input.
    reversed : bool
        Whether the last tap of the kernel comes first.
    """

    kernel: int
    stride: int
    dilation: int
    input_dilation: int
    low: int
    high: int
    reversed: bool


def form(axis: Layer) -> Form | Layer:
    """The normal form of one axis, or the axis itself: a padding mode, or a padding that depends on the size.

    Parameters
    ----------
    axis : Layer
        Of one spatial axis.
    """
    pairs = constant_pairs(axis)
    if pairs is None or (axis.padding_mode != "zeros" and max(pairs[0]) > 0):
        return axis
    ((low, high),) = pairs
    kernel, stride, dilation, spacing = axis.kernel_size[0], axis.stride[0], axis.dilation[0], axis.input_dilation[0]
    backwards = axis.flip
    if axis.transposed:
        ((before, after),) = _turned(axis, pairs)
        low, high = before, after + axis.output_padding[0]
        stride, spacing, backwards = spacing, stride, not backwards
    if kernel == 1:
        dilation, backwards = 1, False
    return Form(kernel, stride, dilation, spacing, low, high, backwards)


def constant_pairs(layer: Layer) -> Pairs | None:
    """The padding as pairs if it is the same for every input size; else None.

    A convention looks at a size only through its remainder by the stride, which is proved in the tests, and from the
    reach of the kernel on all remainders are alike.
    """
    if not isinstance(layer.padding, str):
        return layer.padding
    pairs = []
    for number in range(layer.rank):
        axis, reach, stride = layer.axis(number), enough(layer, number), layer.stride[number]
        remainders = range(min(stride, reach + 1))
        found = {axis.geometry((reach * stride + remainder,)).padding[0] for remainder in remainders}
        if len(found) > 1:
            return None
        pairs.append(found.pop())
    return tuple(pairs)


def enough(layer: Layer, number: int) -> int:
    """A size along an axis that is taken whatever the padding: larger than the kernel."""
    return rules.transposed_size(1, layer.kernel_size[number], 1, layer.dilation[number], 0, 0)


def as_convolution(layer: Layer) -> Layer | None:
    """A transposed layer as a convolution of a dilated input with a flipped kernel; None where it is none."""
    pairs = constant_pairs(layer)
    if not layer.transposed:
        return layer
    if pairs is None or layer.padding_mode != "zeros":
        return None
    further = zip(_turned(layer, pairs), layer.output_padding, strict=True)
    return _said(layer, False, tuple((before, after + more) for (before, after), more in further))


def as_transposed(layer: Layer) -> Layer | None:
    """A convolution with stride 1 as a transposed one with a flipped kernel; None where it is none."""
    pairs = constant_pairs(layer)
    if layer.transposed:
        return layer
    if pairs is None or layer.padding_mode != "zeros" or any(step > 1 for step in layer.stride):
        return None
    return _said(layer, True, _turned(layer, pairs))


def _said(layer: Layer, transposed: bool, padding: Pairs) -> Layer:
    """The layer as one of the other kind. Groups then divide the other channel axis of its weight."""
    return Layer(
        layer.kernel_size,
        layer.in_channels,
        layer.out_channels,
        stride=layer.input_dilation if transposed else 1,
        padding=padding,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=layer.bias,
        transposed=transposed,
        input_dilation=1 if transposed else layer.stride,
        flip=not layer.flip,
        axes=layer.axes if layer.groups == 1 else None,
    )


def _turned(layer: Layer, pairs: Pairs) -> Pairs:
    """Padding of the layer as one of the other kind: of the full convolution, less what is cut off; and back."""
    full = [
        rules.PADDINGS["full"](1, kernel, 1, dilation)
        for kernel, dilation in zip(layer.kernel_size, layer.dilation, strict=True)
    ]
    return tuple((a - low, b - high) for (a, b), (low, high) in zip(full, pairs, strict=True))


def plain(layer: Layer) -> Layer:
    """The layer without what makes no difference: a flip of single taps, a mode that pads nothing, a constant name."""
    pairs = constant_pairs(layer)
    if pairs is not None:
        layer = replace(layer, padding=pairs)
        if all(max(pair) <= 0 for pair in pairs):
            layer = replace(layer, padding_mode="zeros")
    return replace(layer, flip=False) if set(layer.kernel_size) == {1} else layer


def unflipped(layer: Layer) -> Layer:
    """The layer as the kind, convolution or transposed, that needs no flipped kernel and no dilated input, if one does.

    A transposed convolution with stride 1 is a convolution with the kernel flipped; a convolution of a dilated
    input is a transposed one.
    """
    first = plain(layer)
    turned = as_convolution(first) if first.transposed else as_transposed(first)
    for found in (first, None if turned is None else plain(turned)):
        if found is not None and not found.flip and set(found.input_dilation) == {1}:
            return found
    return first
