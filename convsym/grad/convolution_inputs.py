"""Gradients of convolutions by their input, with the argument order of torch.nn.grad."""

from collections.abc import Sequence
from typing import Any

from convsym.arguments import Number, Padding, Parameters, PerAxis
from convsym.calls import input_gradient
from convsym.gate import Array, accept
from convsym.layouts import Axes
from convsym.meaning import weight_rank
from convsym.operations import How, Operation


def conv1d_input(
    input_size: Sequence[int],
    weight: Any,
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
) -> Array:
    """Gradient of `convsym.conv1d` with respect to its input.

        dx[n, c, stride*o + dilation*r - padding] += dy[n, k, o] * w[k, c, r]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, L) or (C, L).
    weight : ndarray, shape (K, C/groups, R)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    grad_output : ndarray, shape (N, K, O) or (K, O)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        As given to `convsym.conv1d`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; for complex numbers the adjoint, with the conjugate of w.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv1d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> w = np.array([[[1.0, 2.0, 3.0]]])
    >>> grad.conv1d_input((1, 5), w, np.array([[1.0, 10.0]]), stride=2)
    array([[ 1.,  2., 13., 20., 30.]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    op = Operation(1, parameters, How(algorithm, out, axes))
    return input_gradient(op, input_size, weight, grad_output)


def conv2d_input(
    input_size: Sequence[int],
    weight: Any,
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
) -> Array:
    """Gradient of `convsym.conv2d` with respect to its input.

        dx[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1]
            += dy[n, k, o0, o1] * w[k, c, r0, r1]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, H, W) or (C, H, W).
    weight : ndarray, shape (K, C/groups, R0, R1)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    grad_output : ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        As given to `convsym.conv2d`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; for complex numbers the adjoint, with the conjugate of w.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv2d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv2d_input((1, 2, 3), np.ones((1, 1, 1, 2)), np.ones((1, 2, 2)))
    array([[[1., 2., 1.],
            [1., 2., 1.]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    op = Operation(2, parameters, How(algorithm, out, axes))
    return input_gradient(op, input_size, weight, grad_output)


def conv3d_input(
    input_size: Sequence[int],
    weight: Any,
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
) -> Array:
    """Gradient of `convsym.conv3d` with respect to its input.

        dx[n, c, stride0*o0 + dilation0*r0 - padding0, …] += dy[n, k, o0, o1, o2] * w[k, c, r0, r1, r2]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, D, H, W) or (C, D, H, W).
    weight : ndarray, shape (K, C/groups, R0, R1, R2)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    grad_output : ndarray, shape (N, K, O0, O1, O2) or (K, O0, O1, O2)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        As given to `convsym.conv3d`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; for complex numbers the adjoint, with the conjugate of w.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv3d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv3d_input((1, 1, 1, 3), np.array([1, 2]).reshape(1, 1, 1, 1, 2), np.ones((1, 1, 1, 2), int))
    array([[[[1, 3, 2]]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    op = Operation(3, parameters, How(algorithm, out, axes))
    return input_gradient(op, input_size, weight, grad_output)


def conv_input(
    input_size: Sequence[int],
    weight: Any,
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
) -> Array:
    """Gradient of `convsym.conv` with respect to its input.

        dx[n, c, stride0*o0 + dilation0*r0 - padding0, …] += dy[n, k, o0, …] * w[k, c, r0, …]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, i0, …) or (C, i0, …).
    weight : ndarray, shape (K, C/groups, r0, …)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        As given to `convsym.conv`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; for complex numbers the adjoint, with the conjugate of w.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> w, dy = np.array([[[1, 2]]]), np.array([[1, 10]])
    >>> grad.conv_input((1, 3), w, dy, stride=2, padding=1, padding_mode="circular")
    array([[ 2, 10, 21]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    rank = weight_rank(accept(weight, "weight").shape, "weight")
    op = Operation(rank, parameters, How(algorithm, out, axes))
    return input_gradient(op, input_size, weight, grad_output)
