"""Layers of convolutions: a `Spec`, and a weight and a bias that are learned."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from convsym import autograd
from convsym.arguments import Number, Padding, Pairs, PerAxis, per_axis
from convsym.autograd import Tensor
from convsym.nn.initial import Random, weights, zeros
from convsym.nn.module import Module
from convsym.specs import Spec
from convsym.specs.layer import known_channels


def flat(padding: Pairs | str) -> Padding:
    """Padding as one number for each axis where both ends have the same: calls that say it so begin faster."""
    if isinstance(padding, str) or any(before != after for before, after in padding):
        return padding
    return tuple(before for before, _ in padding)


class Convolution(Module):
    """What all layers of convolutions share: their spec, and how weight and bias begin.

    Parameters
    ----------
    spec : Spec
        With both numbers of channels.
    dtype : dtype
    rng : Generator, int, or None

    Attributes
    ----------
    spec : Spec
        Everything but the values: it knows the output's shape, compares layers, and speaks with other frameworks.
    weight : Tensor
    bias : Tensor or None
    """

    _rank: ClassVar[int]

    def __init__(self, spec: Spec, dtype: DTypeLike, rng: Random) -> None:
        into, out = known_channels(spec)
        self.spec, self._padding = spec, flat(spec.padding)
        self.weight = weights(spec.weight_shape, (into // spec.groups, *spec.kernel_size), dtype, rng)
        self.bias = zeros(out, dtype) if spec.bias else None

    def __repr__(self) -> str:
        spec = self.spec
        said = {
            "stride": (spec.stride, (1,) * spec.rank),
            "padding": (spec.padding, ((0, 0),) * spec.rank),
            "output_padding": (spec.output_padding, (0,) * spec.rank),
            "dilation": (spec.dilation, (1,) * spec.rank),
            "groups": (spec.groups, 1),
            "bias": (spec.bias, True),
            "padding_mode": (spec.padding_mode, "zeros"),
            "same": (spec.same, "symmetric"),
        }
        words = [f"{name}={value!r}" for name, (value, usual) in said.items() if value != usual]
        begin = [str(spec.in_channels), str(spec.out_channels), str(spec.kernel_size)]
        return f"{type(self).__name__}({', '.join(begin + words)})"


class Forward(Convolution):
    """What `Conv1d`, `Conv2d` and `Conv3d` share: a convolution over several channels.

        y[n, k, o, …] += x[n, c, stride*o + dilation*r - padding, …] * w[k, c, r, …]

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or tuple of int
    stride, padding, dilation, groups, padding_mode, same
        As of `convsym.conv`.
    bias : bool
        Whether a number is added to each output channel.
    dtype : dtype
        Of weight and bias.
    rng : numpy.random.Generator, int, or None
        Where the weight's first values come from: normal, of variance 2/n, n = in_channels/groups · the kernel's
        elements. The bias begins at 0.

    Attributes
    ----------
    spec : Spec
    weight : Tensor, shape (out_channels, in_channels/groups, r0, …)
    bias : Tensor, shape (out_channels,), or None

    Raises
    ------
    TypeError, ShapeError
        A sentence about the argument that is wrong.
    """

    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: Number,
        out_channels: Number,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        groups: Number = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        same: str = "symmetric",
        dtype: DTypeLike = np.float32,
        rng: Random = None,
    ) -> None:
        kernel = per_axis(kernel_size, self._rank, "kernel_size", 1)
        spec = Spec(
            kernel, in_channels, out_channels, stride, padding, dilation, groups, bias,
            padding_mode=padding_mode, same=same,
        )  # fmt: skip
        super().__init__(spec, dtype, rng)

    def __call__(self, x: Any) -> Tensor:
        """The convolution of x, (N, in_channels, …) or (in_channels, …), with the weight."""
        spec = self.spec
        return type(self)._function(
            x, self.weight, self.bias, spec.stride, self._padding, spec.dilation, spec.groups,
            padding_mode=spec.padding_mode, same=spec.same,
        )  # fmt: skip


class Conv1d(Forward):
    """A convolution of signals, (N, C, L). Parameters are those of `Forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn
    >>> nn.Conv1d(2, 16, 3)(np.zeros((1, 2, 64), np.float32)).shape
    (1, 16, 62)
    """

    _rank, _function = 1, autograd.conv1d


class Conv2d(Forward):
    """A convolution of images, (N, C, H, W). Parameters are those of `Forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn
    >>> nn.Conv2d(20, 16, (3, 5), padding=(1, 2))(np.zeros((1, 20, 64, 128), np.float32)).shape
    (1, 16, 64, 128)
    """

    _rank, _function = 2, autograd.conv2d


class Conv3d(Forward):
    """A convolution of volumes, (N, C, D, H, W). Parameters are those of `Forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn
    >>> nn.Conv3d(1, 2, 3, stride=2)(np.zeros((1, 1, 7, 7, 7), np.float32)).shape
    (1, 2, 3, 3, 3)
    """

    _rank, _function = 3, autograd.conv3d


class Transposed(Convolution):
    """What `ConvTranspose1d`, `2d` and `3d` share: the gradient of a convolution by its input, as a layer.

        y[n, k, stride*i + dilation*r - padding, …] += x[n, c, i, …] * w[c, k, r, …]

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or tuple of int
    stride, padding, output_padding, groups, dilation, padding_mode, same
        As of `convsym.conv_transpose`.
    bias : bool
        Whether a number is added to each output channel.
    dtype : dtype
        Of weight and bias.
    rng : numpy.random.Generator, int, or None
        Where the weight's first values come from: normal, of variance 2/n, n = in_channels/groups · the kernel's
        elements. The bias begins at 0.

    Attributes
    ----------
    spec : Spec
    weight : Tensor, shape (in_channels, out_channels/groups, r0, …)
    bias : Tensor, shape (out_channels,), or None

    Raises
    ------
    TypeError, ShapeError
        A sentence about the argument that is wrong.
    """

    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: Number,
        out_channels: Number,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: Padding = 0,
        output_padding: PerAxis = 0,
        groups: Number = 1,
        bias: bool = True,
        dilation: PerAxis = 1,
        padding_mode: str = "zeros",
        *,
        same: str = "symmetric",
        dtype: DTypeLike = np.float32,
        rng: Random = None,
    ) -> None:
        kernel = per_axis(kernel_size, self._rank, "kernel_size", 1)
        spec = Spec(
            kernel, in_channels, out_channels, stride, padding, dilation, groups, bias, True, output_padding,
            padding_mode=padding_mode, same=same,
        )  # fmt: skip
        super().__init__(spec, dtype, rng)

    def __call__(self, x: Any) -> Tensor:
        """The transposed convolution of x, (N, in_channels, …) or (in_channels, …), with the weight."""
        spec = self.spec
        return type(self)._function(
            x, self.weight, self.bias, spec.stride, self._padding, spec.output_padding, spec.groups, spec.dilation,
            padding_mode=spec.padding_mode, same=spec.same,
        )  # fmt: skip


class ConvTranspose1d(Transposed):
    """A transposed convolution of signals, (N, C, L). Parameters are those of `Transposed`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn
    >>> nn.ConvTranspose1d(2, 1, 4, stride=2, padding=1)(np.zeros((1, 2, 8), np.float32)).shape
    (1, 1, 16)
    """

    _rank, _function = 1, autograd.conv_transpose1d


class ConvTranspose2d(Transposed):
    """A transposed convolution of images, (N, C, H, W). Parameters are those of `Transposed`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn
    >>> nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1)(np.zeros((1, 2, 8, 8), np.float32)).shape
    (1, 1, 16, 16)
    """

    _rank, _function = 2, autograd.conv_transpose2d


class ConvTranspose3d(Transposed):
    """A transposed convolution of volumes, (N, C, D, H, W). Parameters are those of `Transposed`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn
    >>> nn.ConvTranspose3d(2, 1, 2, stride=2)(np.zeros((1, 2, 3, 3, 3), np.float32)).shape
    (1, 1, 6, 6, 6)
    """

    _rank, _function = 3, autograd.conv_transpose3d
