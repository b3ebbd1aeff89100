"""Gradients of transposed convolutions by their input, with the argument order of torch.nn.grad."""

from collections.abc import Sequence
from typing import Any

from convsym.arguments import Number, Padding, Parameters, PerAxis
from convsym.calls import input_gradient
from convsym.gate import Array, accept
from convsym.layouts import Axes
from convsym.meaning import weight_rank
from convsym.operations import How, Operation


def conv_transpose1d_input(
    input_size: Sequence[int],
    weight: Any,
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
) -> Array:
    """Gradient of `convsym.conv_transpose1d` with respect to its input.

        dx[n, c, i] += dy[n, k, stride*i + dilation*r - padding] * w[c, k, r]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, L) or (C, L).
    weight : ndarray, shape (C, K/groups, R)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    grad_output : ndarray, shape (N, K, O) or (K, O)
        The cotangent dy, of the same dtype.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        As given to `convsym.conv_transpose1d`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; for complex numbers the adjoint, with the conjugate of w.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose1d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> w = np.array([[[1.0, 2.0, 3.0]]])
    >>> grad.conv_transpose1d_input((1, 2), w, np.arange(5.0).reshape(1, 5), stride=2)
    array([[ 8., 20.]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    op = Operation(1, parameters, How(algorithm, out, axes), output_padding)
    return input_gradient(op, input_size, weight, grad_output)


def conv_transpose2d_input(
    input_size: Sequence[int],
    weight: Any,
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
) -> Array:
    """Gradient of `convsym.conv_transpose2d` with respect to its input.

        dx[n, c, i0, i1]
            += dy[n, k, stride0*i0 + dilation0*r0 - padding0, stride1*i1 + dilation1*r1 - padding1] * w[c, k, r0, r1]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, H, W) or (C, H, W).
    weight : ndarray, shape (C, K/groups, R0, R1)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    grad_output : ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        The cotangent dy, of the same dtype.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        As given to `convsym.conv_transpose2d`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; for complex numbers the adjoint, with the conjugate of w.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose2d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose2d_input((1, 1, 2), np.ones((1, 1, 2, 2)), np.arange(6.0).reshape(1, 2, 3))
    array([[[ 8., 12.]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    op = Operation(2, parameters, How(algorithm, out, axes), output_padding)
    return input_gradient(op, input_size, weight, grad_output)


def conv_transpose3d_input(
    input_size: Sequence[int],
    weight: Any,
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
) -> Array:
    """Gradient of `convsym.conv_transpose3d` with respect to its input.

        dx[n, c, i0, i1, i2] += dy[n, k, stride0*i0 + dilation0*r0 - padding0, …] * w[c, k, r0, r1, r2]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, D, H, W) or (C, D, H, W).
    weight : ndarray, shape (C, K/groups, R0, R1, R2)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    grad_output : ndarray, shape (N, K, O0, O1, O2) or (K, O0, O1, O2)
        The cotangent dy, of the same dtype.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        As given to `convsym.conv_transpose3d`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; for complex numbers the adjoint, with the conjugate of w.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose3d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose3d_input((1, 1, 1, 2), np.ones((1, 1, 1, 1, 2), int), np.arange(3).reshape(1, 1, 1, 3))
    array([[[[1, 3]]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    op = Operation(3, parameters, How(algorithm, out, axes), output_padding)
    return input_gradient(op, input_size, weight, grad_output)


def conv_transpose_input(
    input_size: Sequence[int],
    weight: Any,
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
) -> Array:
    """Gradient of `convsym.conv_transpose` with respect to its input.

        dx[n, c, i0, …] += dy[n, k, stride0*i0 + dilation0*r0 - padding0, …] * w[c, k, r0, …]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, i0, …) or (C, i0, …).
    weight : ndarray, shape (C, K/groups, r0, …)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        The cotangent dy, of the same dtype.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        As given to `convsym.conv_transpose`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; for complex numbers the adjoint, with the conjugate of w.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose_input((1, 2), np.array([[[1, 2]]]), np.arange(4).reshape(1, 4), stride=2)
    array([[2, 8]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    rank = weight_rank(accept(weight, "weight").shape, "weight")
    op = Operation(rank, parameters, How(algorithm, out, axes), output_padding)
    return input_gradient(op, input_size, weight, grad_output)
