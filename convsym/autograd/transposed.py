"""Transposed convolutions as functions of tensors, with the signatures of torch.nn.functional."""

from typing import Any

from convsym import multilinear
from convsym.arguments import Number, Padding, PerAxis
from convsym.autograd.convolutions import convolved, shape_of
from convsym.autograd.tape import Tensor
from convsym.layouts import Axes
from convsym.meaning import weight_rank


def conv_transpose1d(
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
    axes: Axes = None,
    same: str = "symmetric",
) -> Tensor:
    """1-D transposed convolution of tensors, with gradients by input, weight and bias.

        y[n, k, stride*i + dilation*r - padding] += x[n, c, i] * w[c, k, r]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i) or (C, i)
    weight : Tensor or ndarray, shape (C, K/groups, r)
    bias : Tensor or ndarray, shape (K,), optional
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, axes, same
        As of `convsym.conv_transpose1d`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose1d`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import conv_transpose1d, tensor
    >>> w = tensor(np.ones((1, 1, 2)), requires_grad=True)
    >>> conv_transpose1d(np.ones((1, 1, 4)), w).sum().backward()
    >>> w.grad.shape, w.grad[0, 0, 1].item()
    ((1, 1, 2), 4.0)
    """
    form = multilinear.transposed_convolution(
        1, shape_of(input), shape_of(weight), stride, padding, output_padding, groups, dilation,
        algorithm=algorithm, padding_mode=padding_mode, flip=flip, axes=axes, same=same,
    )  # fmt: skip
    return convolved("conv_transpose1d", form, input, weight, bias)


def conv_transpose2d(
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
    axes: Axes = None,
    same: str = "symmetric",
) -> Tensor:
    """2-D transposed convolution of tensors, with gradients by input, weight and bias.

        y[n, k, stride0*i0 + dilation0*r0 - padding0, stride1*i1 + dilation1*r1 - padding1]
            += x[n, c, i0, i1] * w[c, k, r0, r1]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, i1) or (C, i0, i1)
    weight : Tensor or ndarray, shape (C, K/groups, r0, r1)
    bias : Tensor or ndarray, shape (K,), optional
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, axes, same
        As of `convsym.conv_transpose2d`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import conv_transpose2d, tensor
    >>> w = tensor(np.ones((1, 1, 2, 2)), requires_grad=True)
    >>> conv_transpose2d(np.ones((1, 1, 4, 4)), w).sum().backward()
    >>> w.grad.shape, w.grad[0, 0, 1, 1].item()
    ((1, 1, 2, 2), 16.0)
    """
    form = multilinear.transposed_convolution(
        2, shape_of(input), shape_of(weight), stride, padding, output_padding, groups, dilation,
        algorithm=algorithm, padding_mode=padding_mode, flip=flip, axes=axes, same=same,
    )  # fmt: skip
    return convolved("conv_transpose2d", form, input, weight, bias)


def conv_transpose3d(
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
    axes: Axes = None,
    same: str = "symmetric",
) -> Tensor:
    """3-D transposed convolution of tensors, with gradients by input, weight and bias.

        y[n, k, stride0*i0 + dilation0*r0 - padding0, stride1*i1 + dilation1*r1 - padding1,
          stride2*i2 + dilation2*r2 - padding2] += x[n, c, i0, i1, i2] * w[c, k, r0, r1, r2]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, i1, i2) or (C, i0, i1, i2)
    weight : Tensor or ndarray, shape (C, K/groups, r0, r1, r2)
    bias : Tensor or ndarray, shape (K,), optional
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, axes, same
        As of `convsym.conv_transpose3d`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose3d`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import conv_transpose3d, tensor
    >>> w = tensor(np.ones((1, 1, 2, 2, 2)), requires_grad=True)
    >>> conv_transpose3d(np.ones((1, 1, 4, 4, 4)), w).sum().backward()
    >>> w.grad.shape, w.grad[0, 0, 1, 1, 1].item()
    ((1, 1, 2, 2, 2), 64.0)
    """
    form = multilinear.transposed_convolution(
        3, shape_of(input), shape_of(weight), stride, padding, output_padding, groups, dilation,
        algorithm=algorithm, padding_mode=padding_mode, flip=flip, axes=axes, same=same,
    )  # fmt: skip
    return convolved("conv_transpose3d", form, input, weight, bias)


def conv_transpose(
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
    axes: Axes = None,
    same: str = "symmetric",
) -> Tensor:
    """N-D transposed convolution of tensors, with gradients by input, weight and bias.

        y[n, k, stride0*i0 + dilation0*r0 - padding0, …] += x[n, c, i0, …] * w[c, k, r0, …]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, …) or (C, i0, …)
    weight : Tensor or ndarray, shape (C, K/groups, r0, …)
    bias : Tensor or ndarray, shape (K,), optional
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, axes, same
        As of `convsym.conv_transpose`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import conv_transpose, tensor
    >>> w = tensor(np.ones((1, 1, 2)), requires_grad=True)
    >>> conv_transpose(np.ones((1, 1, 4)), w).sum().backward()
    >>> w.grad.shape, w.grad[0, 0, 1].item()
    ((1, 1, 2), 4.0)
    """
    rank = weight_rank(shape_of(weight))
    form = multilinear.transposed_convolution(
        rank, shape_of(input), shape_of(weight), stride, padding, output_padding, groups, dilation,
        algorithm=algorithm, padding_mode=padding_mode, flip=flip, axes=axes, same=same,
    )  # fmt: skip
    return convolved("conv_transpose", form, input, weight, bias)
