"""Gradients of average pooling, which is linear: its adjoint, and its gradient by `grad_output` is the op itself."""

from collections.abc import Sequence
from typing import Any

from convsym.arguments import Padding, PerAxis
from convsym.averaging import Pooling, average_gradient
from convsym.gate import Array


def avg_pool1d_input(
    input_size: Sequence[int],
    grad_output: Any,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    padding_mode: str = "zeros",
    out: Any = None,
    axes: str | None = None,
    same: str = "symmetric",
) -> Array:
    """Gradient of `convsym.avg_pool1d` with respect to its input.

        dx[n, c, stride*o + r - padding] += dy[n, c, o] / count[o]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, L) or (C, L).
    grad_output : ndarray, shape (N, C, O) or (C, O)
        The cotangent dy: float16, float32, float64, complex64, complex128, or object.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, out, axes, same
        As given to `convsym.avg_pool1d`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; its gradient by `grad_output` is `convsym.avg_pool1d`.

    Raises
    ------
    TypeError, ShapeError
        As `convsym.avg_pool1d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.avg_pool1d_input((1, 5), np.array([[2.0, 4.0]]), 3, stride=2, padding=((1, 0),))
    array([[0.66666667, 2.        , 1.33333333, 1.33333333, 0.        ]])
    """
    pooling = Pooling.read(
        1,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        padding_mode,
        axes,
        same,
    )
    return average_gradient(pooling, input_size, grad_output, out)


def avg_pool2d_input(
    input_size: Sequence[int],
    grad_output: Any,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    padding_mode: str = "zeros",
    out: Any = None,
    axes: str | None = None,
    same: str = "symmetric",
) -> Array:
    """Gradient of `convsym.avg_pool2d` with respect to its input.

        dx[n, c, stride0*o0 + r0 - padding0, stride1*o1 + r1 - padding1] += dy[n, c, o0, o1] / count[o0, o1]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, H, W) or (C, H, W).
    grad_output : ndarray, shape (N, C, O0, O1) or (C, O0, O1)
        The cotangent dy: float16, float32, float64, complex64, complex128, or object.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, out, axes, same
        As given to `convsym.avg_pool2d`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; its gradient by `grad_output` is `convsym.avg_pool2d`.

    Raises
    ------
    TypeError, ShapeError
        As `convsym.avg_pool2d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.avg_pool2d_input((1, 2, 4), np.array([[[4.0, 8.0]]]), 2)
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.]]])
    """
    pooling = Pooling.read(
        2,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        padding_mode,
        axes,
        same,
    )
    return average_gradient(pooling, input_size, grad_output, out)


def avg_pool3d_input(
    input_size: Sequence[int],
    grad_output: Any,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    padding_mode: str = "zeros",
    out: Any = None,
    axes: str | None = None,
    same: str = "symmetric",
) -> Array:
    """Gradient of `convsym.avg_pool3d` with respect to its input.

        dx[n, c, stride0*o0 + r0 - padding0, …] += dy[n, c, o0, o1, o2] / count[o0, o1, o2]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, D, H, W) or (C, D, H, W).
    grad_output : ndarray, shape (N, C, O0, O1, O2) or (C, O0, O1, O2)
        The cotangent dy: float16, float32, float64, complex64, complex128, or object.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, out, axes, same
        As given to `convsym.avg_pool3d`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; its gradient by `grad_output` is `convsym.avg_pool3d`.

    Raises
    ------
    TypeError, ShapeError
        As `convsym.avg_pool3d`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.avg_pool3d_input((1, 2, 1, 2), np.array([[[[8.0]]]]), (2, 1, 2))
    array([[[[2., 2.]],
    <BLANKLINE>
            [[2., 2.]]]])
    """
    pooling = Pooling.read(
        3,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        padding_mode,
        axes,
        same,
    )
    return average_gradient(pooling, input_size, grad_output, out)


def avg_pool_input(
    input_size: Sequence[int],
    grad_output: Any,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    padding_mode: str = "zeros",
    out: Any = None,
    axes: str | None = None,
    same: str = "symmetric",
) -> Array:
    """Gradient of `convsym.avg_pool` with respect to its input.

        dx[n, c, stride0*o0 + r0 - padding0, …] += dy[n, c, o0, …] / count[o0, …]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, i0, …) or (C, i0, …).
    grad_output : ndarray, shape (N, C, o0, …) or (C, o0, …)
        The cotangent dy: float16, float32, float64, complex64, complex128, or object.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, out, axes, same
        As given to `convsym.avg_pool`; `out` is for dx.

    Returns
    -------
    ndarray, shape `input_size`
        dx; its gradient by `grad_output` is `convsym.avg_pool`.

    Raises
    ------
    TypeError, ShapeError
        As `convsym.avg_pool`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.avg_pool_input((1, 3), np.array([[2.0, 4.0, 6.0]]), (2,), 1, ((0, 1),), padding_mode="circular")
    array([[4., 3., 5.]])
    """
    pooling = Pooling.read(
        None,
        kernel_size,
        stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
        padding_mode,
        axes,
        same,
    )
    return average_gradient(pooling, input_size, grad_output, out)
