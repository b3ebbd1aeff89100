"""Convolutions as functions of tensors, with the signatures of torch.nn.functional.

They compute what the functions of these names in `convsym` compute, by the same kernels, and have gradients of any
order by every argument. Arguments may be tensors or arrays, and are described there; the gradients are those of
`convsym.grad`.
"""

from typing import Any

import numpy as np

from convsym import multilinear
from convsym.arguments import Number, Padding, PerAxis
from convsym.autograd.forms import Biased, Gather
from convsym.autograd.held import constant, plain
from convsym.autograd.tape import Tensor, apply
from convsym.geometry import Shape
from convsym.layouts import Axes
from convsym.meaning import weight_rank
from convsym.multilinear import Convolution


def conv1d(
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
    axes: Axes = None,
    same: str = "symmetric",
) -> Tensor:
    """1-D convolution of tensors, with gradients by input, weight and bias.

        y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i) or (C, i)
    weight : Tensor or ndarray, shape (K, C/groups, r)
    bias : Tensor or ndarray, shape (K,), optional
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, axes, same
        As of `convsym.conv1d`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv1d`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import conv1d, tensor
    >>> w = tensor(np.ones((1, 1, 2)), requires_grad=True)
    >>> conv1d(np.ones((1, 1, 4)), w).sum().backward()
    >>> w.grad.shape, w.grad[0, 0, 1].item()
    ((1, 1, 2), 3.0)
    """
    form = multilinear.convolution(
        1, shape_of(input), shape_of(weight), stride, padding, dilation, groups,
        algorithm=algorithm, padding_mode=padding_mode, input_dilation=input_dilation, flip=flip, axes=axes, same=same,
    )  # fmt: skip
    return convolved("conv1d", form, input, weight, bias)


def conv2d(
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
    axes: Axes = None,
    same: str = "symmetric",
) -> Tensor:
    """2-D convolution of tensors, with gradients by input, weight and bias.

        y[n, k, o0, o1] += x[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1]
                           * w[k, c, r0, r1]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, i1) or (C, i0, i1)
    weight : Tensor or ndarray, shape (K, C/groups, r0, r1)
    bias : Tensor or ndarray, shape (K,), optional
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, axes, same
        As of `convsym.conv2d`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import conv2d, tensor
    >>> w = tensor(np.ones((1, 1, 2, 2)), requires_grad=True)
    >>> conv2d(np.ones((1, 1, 4, 4)), w).sum().backward()
    >>> w.grad.shape, w.grad[0, 0, 1, 1].item()
    ((1, 1, 2, 2), 9.0)
    """
    form = multilinear.convolution(
        2, shape_of(input), shape_of(weight), stride, padding, dilation, groups,
        algorithm=algorithm, padding_mode=padding_mode, input_dilation=input_dilation, flip=flip, axes=axes, same=same,
    )  # fmt: skip
    return convolved("conv2d", form, input, weight, bias)


def conv3d(
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
    axes: Axes = None,
    same: str = "symmetric",
) -> Tensor:
    """3-D convolution of tensors, with gradients by input, weight and bias.

        y[n, k, o0, o1, o2] += x[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1,
                                 stride2*o2 + dilation2*r2 - padding2] * w[k, c, r0, r1, r2]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, i1, i2) or (C, i0, i1, i2)
    weight : Tensor or ndarray, shape (K, C/groups, r0, r1, r2)
    bias : Tensor or ndarray, shape (K,), optional
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, axes, same
        As of `convsym.conv3d`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv3d`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import conv3d, tensor
    >>> w = tensor(np.ones((1, 1, 2, 2, 2)), requires_grad=True)
    >>> conv3d(np.ones((1, 1, 4, 4, 4)), w).sum().backward()
    >>> w.grad.shape, w.grad[0, 0, 1, 1, 1].item()
    ((1, 1, 2, 2, 2), 27.0)
    """
    form = multilinear.convolution(
        3, shape_of(input), shape_of(weight), stride, padding, dilation, groups,
        algorithm=algorithm, padding_mode=padding_mode, input_dilation=input_dilation, flip=flip, axes=axes, same=same,
    )  # fmt: skip
    return convolved("conv3d", form, input, weight, bias)


def conv(
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
    axes: Axes = None,
    same: str = "symmetric",
) -> Tensor:
    """N-D convolution of tensors, with gradients by input, weight and bias.

        y[n, k, o0, …] += x[n, c, stride0*o0 + dilation0*r0 - padding0, …] * w[k, c, r0, …]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, …) or (C, i0, …)
    weight : Tensor or ndarray, shape (K, C/groups, r0, …)
    bias : Tensor or ndarray, shape (K,), optional
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, axes, same
        As of `convsym.conv`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import conv, tensor
    >>> w = tensor(np.ones((1, 1, 2)), requires_grad=True)
    >>> conv(np.ones((1, 1, 4)), w).sum().backward()
    >>> w.grad.shape, w.grad[0, 0, 1].item()
    ((1, 1, 2), 3.0)
    """
    rank = weight_rank(shape_of(weight))
    form = multilinear.convolution(
        rank, shape_of(input), shape_of(weight), stride, padding, dilation, groups,
        algorithm=algorithm, padding_mode=padding_mode, input_dilation=input_dilation, flip=flip, axes=axes, same=same,
    )  # fmt: skip
    return convolved("conv", form, input, weight, bias)


def shape_of(value: Any) -> Shape:
    """The shape of an operand."""
    return value.shape if isinstance(value, Tensor) else np.shape(constant(plain(value)))


def convolved(kind: str, form: Convolution, x: Any, w: Any, b: Any) -> Tensor:
    """A convolution of tensors, recorded; with its bias in one pass."""
    output = Gather(kind, form, "y", ("x", "w"))
    return apply(output, x, w) if b is None else apply(Biased(output, form), x, w, b)
