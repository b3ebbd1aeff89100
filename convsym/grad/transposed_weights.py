"""Gradients of transposed convolutions by their weight, with the argument order of torch.nn.grad."""

from collections.abc import Sequence
from typing import Any

from convsym.arguments import Number, Padding, Parameters, PerAxis, shape
from convsym.calls import weight_gradient
from convsym.gate import Array
from convsym.layouts import Axes
from convsym.meaning import weight_rank
from convsym.operations import How, Operation


def conv_transpose1d_weight(
    input: Any,
    weight_size: Sequence[int],
    grad_output: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: Number = 1,
    dilation: PerAxis = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    flip: bool = False,
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
    reduce_batch: bool = True,
) -> Array:
    """Gradient of `convsym.conv_transpose1d` with respect to its weight.

        dw[c, k, r] += x[n, c, i] * dy[n, k, stride*i + dilation*r - padding]

    Parameters
    ----------
    input : ndarray, shape (N, C, L) or (C, L)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight_size : tuple of int
        Shape of the weight, (C, K/groups, R).
    grad_output : ndarray, shape (N, K, O) or (K, O)
        The cotangent dy, of the same dtype.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        As given to `convsym.conv_transpose1d`; `out` is for dw.
    reduce_batch : bool
        False gives the gradient of every sample alone, with a batch axis in front.

    Returns
    -------
    ndarray, shape `weight_size` or (N, *weight_size)
        dw; for complex numbers the adjoint, with the conjugate of x.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose1d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose1d_weight(np.array([[1.0, 10.0]]), (1, 1, 3), np.arange(5.0).reshape(1, 5), stride=2)
    array([[[20., 31., 42.]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    op = Operation(1, parameters, How(algorithm, out, axes), output_padding)
    return weight_gradient(op, input, weight_size, grad_output, reduce_batch)


def conv_transpose2d_weight(
    input: Any,
    weight_size: Sequence[int],
    grad_output: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: Number = 1,
    dilation: PerAxis = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    flip: bool = False,
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
    reduce_batch: bool = True,
) -> Array:
    """Gradient of `convsym.conv_transpose2d` with respect to its weight.

        dw[c, k, r0, r1]
            += x[n, c, i0, i1] * dy[n, k, stride0*i0 + dilation0*r0 - padding0, stride1*i1 + dilation1*r1 - padding1]

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight_size : tuple of int
        Shape of the weight, (C, K/groups, R0, R1).
    grad_output : ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        The cotangent dy, of the same dtype.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        As given to `convsym.conv_transpose2d`; `out` is for dw.
    reduce_batch : bool
        False gives the gradient of every sample alone, with a batch axis in front.

    Returns
    -------
    ndarray, shape `weight_size` or (N, *weight_size)
        dw; for complex numbers the adjoint, with the conjugate of x.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose2d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose2d_weight(np.ones((1, 1, 2)), (1, 1, 2, 2), np.arange(6.0).reshape(1, 2, 3))
    array([[[[1., 3.],
             [7., 9.]]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    op = Operation(2, parameters, How(algorithm, out, axes), output_padding)
    return weight_gradient(op, input, weight_size, grad_output, reduce_batch)


def conv_transpose3d_weight(
    input: Any,
    weight_size: Sequence[int],
    grad_output: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: Number = 1,
    dilation: PerAxis = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    flip: bool = False,
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
    reduce_batch: bool = True,
) -> Array:
    """Gradient of `convsym.conv_transpose3d` with respect to its weight.

        dw[c, k, r0, r1, r2] += x[n, c, i0, i1, i2] * dy[n, k, stride0*i0 + dilation0*r0 - padding0, …]

    Parameters
    ----------
    input : ndarray, shape (N, C, D, H, W) or (C, D, H, W)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight_size : tuple of int
        Shape of the weight, (C, K/groups, R0, R1, R2).
    grad_output : ndarray, shape (N, K, O0, O1, O2) or (K, O0, O1, O2)
        The cotangent dy, of the same dtype.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        As given to `convsym.conv_transpose3d`; `out` is for dw.
    reduce_batch : bool
        False gives the gradient of every sample alone, with a batch axis in front.

    Returns
    -------
    ndarray, shape `weight_size` or (N, *weight_size)
        dw; for complex numbers the adjoint, with the conjugate of x.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose3d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x, dy = np.array([1, 10]).reshape(1, 1, 1, 2), np.arange(3).reshape(1, 1, 1, 3)
    >>> grad.conv_transpose3d_weight(x, (1, 1, 1, 1, 2), dy)
    array([[[[[10, 21]]]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    op = Operation(3, parameters, How(algorithm, out, axes), output_padding)
    return weight_gradient(op, input, weight_size, grad_output, reduce_batch)


def conv_transpose_weight(
    input: Any,
    weight_size: Sequence[int],
    grad_output: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: Number = 1,
    dilation: PerAxis = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    flip: bool = False,
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
    reduce_batch: bool = True,
) -> Array:
    """Gradient of `convsym.conv_transpose` with respect to its weight.

        dw[c, k, r0, …] += x[n, c, i0, …] * dy[n, k, stride0*i0 + dilation0*r0 - padding0, …]

    Parameters
    ----------
    input : ndarray, shape (N, C, i0, …) or (C, i0, …)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight_size : tuple of int
        Shape of the weight, (C, K/groups, r0, …).
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        The cotangent dy, of the same dtype.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        As given to `convsym.conv_transpose`; `out` is for dw.
    reduce_batch : bool
        False gives the gradient of every sample alone, with a batch axis in front.

    Returns
    -------
    ndarray, shape `weight_size` or (N, *weight_size)
        dw; for complex numbers the adjoint, with the conjugate of x.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose_weight(np.array([[1, 10]]), (1, 1, 2), np.arange(4).reshape(1, 4), stride=2)
    array([[[20, 31]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    rank = weight_rank(shape(weight_size, "weight_size"), "weight_size")
    op = Operation(rank, parameters, How(algorithm, out, axes), output_padding)
    return weight_gradient(op, input, weight_size, grad_output, reduce_batch)
