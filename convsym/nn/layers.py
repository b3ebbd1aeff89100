"""Layers beside the convolutions: what a small network needs."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from convsym import autograd
from convsym.arguments import Number, Padding, PerAxis, flag, integer
from convsym.autograd import Tensor
from convsym.averaging import Pooling
from convsym.errors import ShapeError
from convsym.nn.initial import Random, weights, zeros
from convsym.nn.module import Module


class Linear(Module):
    """A matrix and a bias: y[n, k] = sum over c of x[n, c] * w[k, c], plus b[k].

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axes of input and output.
    bias : bool
    dtype : dtype
        Of weight and bias.
    rng : numpy.random.Generator, int, or None
        Where the weight's first values come from: normal, of variance 2/in_features. The bias begins at 0.

    Attributes
    ----------
    weight : Tensor, shape (out_features, in_features)
    bias : Tensor, shape (out_features,), or None

    Raises
    ------
    TypeError, ShapeError
        A sentence about the argument that is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn
    >>> layer = nn.Linear(2, 1)
    >>> layer.weight.data, layer.bias.data = np.array([[3, 4]], np.float32), np.array([1], np.float32)
    >>> layer(np.array([[1, 10]], np.float32)).tolist()
    [[44.0]]
    """

    def __init__(
        self,
        in_features: Number,
        out_features: Number,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        rng: Random = None,
    ) -> None:
        self.in_features = integer(in_features, "in_features", 1)
        self.out_features = integer(out_features, "out_features", 1)
        self.weight = weights((self.out_features, self.in_features), (self.in_features,), dtype, rng)
        self.bias = zeros(self.out_features, dtype) if flag(bias, "bias") else None

    def __call__(self, x: Any) -> Tensor:
        """The product of x, (…, in_features), with the weight, and the bias."""
        if x.shape[-1:] != (self.in_features,):
            raise ShapeError(
                f"the input has shape {x.shape}, and this layer takes {self.in_features} features along the last axis"
            )
        return autograd.linear(x, self.weight, self.bias)

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}{', bias=False' if self.bias is None else ''})"


class ReLU(Module):
    """max(x, 0), element by element; its gradient at 0 is 0.

    Examples
    --------
    >>> from convsym import nn, tensor
    >>> nn.ReLU()(tensor([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]
    """

    def __call__(self, x: Any) -> Tensor:
        """max(x, 0)."""
        return autograd.relu(x)

    def __repr__(self) -> str:
        return "ReLU()"


class Flatten(Module):
    """All axes after the first as one: (N, C, H, W) becomes (N, C·H·W).

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn, tensor
    >>> nn.Flatten()(tensor(np.zeros((2, 3, 4, 5)))).shape
    (2, 60)
    """

    def __call__(self, x: Any) -> Tensor:
        """x with two axes."""
        return autograd.flatten(x, 1)

    def __repr__(self) -> str:
        return "Flatten()"


class AvgPool(Module):
    """Average pooling: the mean of each window of each channel.

    Parameters
    ----------
    kernel_size : int or tuple of int
    stride : int, tuple of int, or None
        None for windows beside each other.
    padding, ceil_mode, count_include_pad
        As of `convsym.avg_pool`.

    Examples
    --------
    >>> from convsym import nn, tensor
    >>> nn.AvgPool1d(2)(tensor([[[1.0, 3.0, 5.0, 7.0]]])).tolist()
    [[[2.0, 6.0]]]
    """

    _rank: ClassVar[int]
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.ceil_mode = flag(ceil_mode, "ceil_mode")
        self.count_include_pad = flag(count_include_pad, "count_include_pad")

    def pooling(self) -> Pooling:
        """The layer as the numeric side sees it."""
        given = self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        return Pooling.read(self._rank, *given, None, "zeros", None, "symmetric")

    def __call__(self, x: Any) -> Tensor:
        """The means of the windows of x, (N, C, …) or (C, …)."""
        return type(self)._function(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )

    def __repr__(self) -> str:
        given = {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True}
        words = [f"{name}={getattr(self, name)!r}" for name, usual in given.items() if getattr(self, name) != usual]
        return f"{type(self).__name__}({', '.join([repr(self.kernel_size), *words])})"


class AvgPool1d(AvgPool):
    __doc__ = AvgPool.__doc__
    _rank, _function = 1, autograd.avg_pool1d


class AvgPool2d(AvgPool):
    __doc__ = AvgPool.__doc__
    _rank, _function = 2, autograd.avg_pool2d


class AvgPool3d(AvgPool):
    __doc__ = AvgPool.__doc__
    _rank, _function = 3, autograd.avg_pool3d
