"""The public functions of every adapter, written once: their arguments, and the form that they are.

What a framework adds is one function, ``gather(form, result, operands)``, that computes a gather of its own arrays and
is differentiable there. Biases are added by the framework's own sum.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import Any

from convsym.arguments import Number, Padding, PerAxis
from convsym.errors import ShapeError
from convsym.geometry import Shape
from convsym.meaning import weight_rank
from convsym.multilinear import Form, average_pooling, convolution, folding, transposed_convolution, unfolding

Gather = Callable[[Form, str, dict[str, Any]], Any]


@dataclass(frozen=True)
class Conv:
    """Convolution of a framework's arrays, with the arguments of `convsym.conv`, differentiable to any order.

    Attributes
    ----------
    gather : callable
        The framework's own gather.
    rank : int or None
        Number of spatial axes; None reads it off the weight.
    """

    gather: Gather
    rank: int | None = None

    def __call__(
        self,
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        groups: Number = 1,
        *,
        algorithm: str = "auto",
        padding_mode: str = "zeros",
        input_dilation: PerAxis = 1,
        flip: bool = False,
        same: str = "symmetric",
    ) -> Any:
        """The output, of shape (N, K, o0, …) or (K, o0, …); arguments as of `convsym.conv`."""
        rank = weight_rank(_shape(weight)) if self.rank is None else self.rank
        form = convolution(
            rank, _shape(input), _shape(weight), stride, padding, dilation, groups,
            algorithm=algorithm, padding_mode=padding_mode, input_dilation=input_dilation, flip=flip, same=same,
        )  # fmt: skip
        return _with_bias(self.gather(form, "y", {"x": input, "w": weight}), bias, rank)


@dataclass(frozen=True)
class ConvTranspose:
    """Transposed convolution of a framework's arrays, with the arguments of `convsym.conv_transpose`.

    Attributes
    ----------
    gather : callable
        The framework's own gather.
    rank : int or None
        Number of spatial axes; None reads it off the weight.
    """

    gather: Gather
    rank: int | None = None

    def __call__(
        self,
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: PerAxis = 1,
        padding: Padding = 0,
        output_padding: PerAxis = 0,
        groups: Number = 1,
        dilation: PerAxis = 1,
        *,
        algorithm: str = "auto",
        padding_mode: str = "zeros",
        flip: bool = False,
        same: str = "symmetric",
    ) -> Any:
        """The output, of shape (N, K, o0, …) or (K, o0, …); arguments as of `convsym.conv_transpose`."""
        rank = weight_rank(_shape(weight)) if self.rank is None else self.rank
        form = transposed_convolution(
            rank, _shape(input), _shape(weight), stride, padding, output_padding, groups, dilation,
            algorithm=algorithm, padding_mode=padding_mode, flip=flip, same=same,
        )  # fmt: skip
        return _with_bias(self.gather(form, "y", {"x": input, "w": weight}), bias, rank)


@dataclass(frozen=True)
class AvgPool:
    """Average pooling of a framework's arrays, with the arguments of `convsym.avg_pool`.

    Attributes
    ----------
    gather : callable
        The framework's own gather.
    rank : int or None
        Number of spatial axes; None reads it off `kernel_size`.
    """

    gather: Gather
    rank: int | None = None

    def __call__(
        self,
        input: Any,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Any = None,
        *,
        padding_mode: str = "zeros",
        same: str = "symmetric",
    ) -> Any:
        """The means, of shape (N, C, o0, …) or (C, o0, …); arguments as of `convsym.avg_pool`."""
        form = average_pooling(
            self.rank, _shape(input), kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
            padding_mode=padding_mode, same=same,
        )  # fmt: skip
        return self.gather(form, "y", {"x": input})


@dataclass(frozen=True)
class Unfold:
    """The windows of a framework's arrays as columns, with the arguments of `convsym.unfold`.

    Attributes
    ----------
    gather : callable
        The framework's own gather.
    """

    gather: Gather

    def __call__(
        self,
        input: Any,
        kernel_size: PerAxis,
        dilation: PerAxis = 1,
        padding: Padding = 0,
        stride: PerAxis = 1,
        *,
        padding_mode: str = "zeros",
        same: str = "symmetric",
    ) -> Any:
        """The columns, of shape (N, C*r0*…, o0*…) or (C*r0*…, o0*…); arguments as of `convsym.unfold`."""
        form = unfolding(
            _shape(input), kernel_size, dilation, padding, stride, padding_mode=padding_mode, same=same
        )
        return self.gather(form, "y", {"x": input})


@dataclass(frozen=True)
class Fold:
    """Columns of a framework's arrays added back, with the arguments of `convsym.fold`.

    Attributes
    ----------
    gather : callable
        The framework's own gather.
    """

    gather: Gather

    def __call__(
        self,
        input: Any,
        output_size: PerAxis,
        kernel_size: PerAxis,
        dilation: PerAxis = 1,
        padding: Padding = 0,
        stride: PerAxis = 1,
        *,
        padding_mode: str = "zeros",
        same: str = "symmetric",
    ) -> Any:
        """An array of shape (N, C, *output_size) or (C, *output_size); arguments as of `convsym.fold`."""
        form = folding(
            _shape(input), output_size, kernel_size, dilation, padding, stride, padding_mode=padding_mode, same=same
        )
        return self.gather(form, "y", {"x": input})


def _shape(array: Any) -> Shape:
    """The shape in plain integers, also where a compiler of the framework would keep it open."""
    return tuple([index(size) for size in array.shape])


def _with_bias(output: Any, bias: Any, rank: int) -> Any:
    """One number added to every output of a channel."""
    if bias is None:
        return output
    channels = output.shape[-rank - 1]
    if tuple(bias.shape) != (channels,):
        raise ShapeError(
            f"bias has shape {tuple(bias.shape)}, and it must be ({channels},): one number for each output channel"
        )
    return output + bias.reshape((channels,) + (1,) * rank)
