"""Gradients of convolutions by their weight, with the argument order of torch.nn.grad."""

from collections.abc import Sequence
from typing import Any

from convsym.arguments import Number, Padding, Parameters, PerAxis, shape
from convsym.calls import weight_gradient
from convsym.gate import Array
from convsym.layouts import Axes
from convsym.meaning import weight_rank
from convsym.operations import How, Operation


def conv1d_weight(
    input: Any,
    weight_size: Sequence[int],
    grad_output: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
    reduce_batch: bool = True,
) -> Array:
    """Gradient of `convsym.conv1d` with respect to its weight.

        dw[k, c, r] += dy[n, k, o] * x[n, c, stride*o + dilation*r - padding]

    Parameters
    ----------
    input : ndarray, shape (N, C, L) or (C, L)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight_size : tuple of int
        Shape of the weight, (K, C/groups, R).
    grad_output : ndarray, shape (N, K, O) or (K, O)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        As given to `convsym.conv1d`; `out` is for dw.
    reduce_batch : bool
        False gives the gradient of every sample alone, with a batch axis in front.

    Returns
    -------
    ndarray, shape `weight_size` or (N, *weight_size)
        dw; for complex numbers the adjoint, with the conjugate of x.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv1d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv1d_weight(np.arange(5.0).reshape(1, 5), (1, 1, 3), np.array([[1.0, 10.0]]), stride=2)
    array([[[20., 31., 42.]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    op = Operation(1, parameters, How(algorithm, out, axes))
    return weight_gradient(op, input, weight_size, grad_output, reduce_batch)


def conv2d_weight(
    input: Any,
    weight_size: Sequence[int],
    grad_output: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
    reduce_batch: bool = True,
) -> Array:
    """Gradient of `convsym.conv2d` with respect to its weight.

        dw[k, c, r0, r1]
            += dy[n, k, o0, o1] * x[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1]

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight_size : tuple of int
        Shape of the weight, (K, C/groups, R0, R1).
    grad_output : ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        As given to `convsym.conv2d`; `out` is for dw.
    reduce_batch : bool
        False gives the gradient of every sample alone, with a batch axis in front.

    Returns
    -------
    ndarray, shape `weight_size` or (N, *weight_size)
        dw; for complex numbers the adjoint, with the conjugate of x.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv2d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv2d_weight(np.arange(6.0).reshape(1, 2, 3), (1, 1, 1, 2), np.ones((1, 2, 2)))
    array([[[[ 8., 12.]]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    op = Operation(2, parameters, How(algorithm, out, axes))
    return weight_gradient(op, input, weight_size, grad_output, reduce_batch)


def conv3d_weight(
    input: Any,
    weight_size: Sequence[int],
    grad_output: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
    reduce_batch: bool = True,
) -> Array:
    """Gradient of `convsym.conv3d` with respect to its weight.

        dw[k, c, r0, r1, r2] += dy[n, k, o0, o1, o2] * x[n, c, stride0*o0 + dilation0*r0 - padding0, …]

    Parameters
    ----------
    input : ndarray, shape (N, C, D, H, W) or (C, D, H, W)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight_size : tuple of int
        Shape of the weight, (K, C/groups, R0, R1, R2).
    grad_output : ndarray, shape (N, K, O0, O1, O2) or (K, O0, O1, O2)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        As given to `convsym.conv3d`; `out` is for dw.
    reduce_batch : bool
        False gives the gradient of every sample alone, with a batch axis in front.

    Returns
    -------
    ndarray, shape `weight_size` or (N, *weight_size)
        dw; for complex numbers the adjoint, with the conjugate of x.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv3d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv3d_weight(np.arange(4).reshape(1, 1, 1, 4), (1, 1, 1, 1, 3), np.array([1, 10]).reshape(1, 1, 1, 2))
    array([[[[[10, 21, 32]]]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    op = Operation(3, parameters, How(algorithm, out, axes))
    return weight_gradient(op, input, weight_size, grad_output, reduce_batch)


def conv_weight(
    input: Any,
    weight_size: Sequence[int],
    grad_output: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
    reduce_batch: bool = True,
) -> Array:
    """Gradient of `convsym.conv` with respect to its weight.

        dw[k, c, r0, …] += dy[n, k, o0, …] * x[n, c, stride0*o0 + dilation0*r0 - padding0, …]

    Parameters
    ----------
    input : ndarray, shape (N, C, i0, …) or (C, i0, …)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight_size : tuple of int
        Shape of the weight, (K, C/groups, r0, …).
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        As given to `convsym.conv`; `out` is for dw.
    reduce_batch : bool
        False gives the gradient of every sample alone, with a batch axis in front.

    Returns
    -------
    ndarray, shape `weight_size` or (N, *weight_size)
        dw; for complex numbers the adjoint, with the conjugate of x.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x = np.arange(6).reshape(2, 1, 3)
    >>> grad.conv_weight(x, (1, 1, 2), np.ones((2, 1, 2), int), reduce_batch=False)[:, 0, 0]
    array([[1, 3],
           [7, 9]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    rank = weight_rank(shape(weight_size, "weight_size"), "weight_size")
    op = Operation(rank, parameters, How(algorithm, out, axes))
    return weight_gradient(op, input, weight_size, grad_output, reduce_batch)
