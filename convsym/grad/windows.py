"""Gradients of windows laid out as columns and of columns added back: each is the other.

Both are linear, so the gradient of such a gradient by `grad_output` is the op itself: a second derivative needs no
function of its own.
"""

from collections.abc import Sequence
from typing import Any

from convsym import arguments, gate, sliding
from convsym.arguments import Padding, Parameters, PerAxis
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.windows import as_columns, folded_rank, from_columns, unfolded_geometry


def unfold_input(
    input_size: Sequence[int],
    grad_output: Any,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    stride: PerAxis = 1,
    *,
    padding_mode: str = "zeros",
    out: Any = None,
    same: str = "symmetric",
) -> Array:
    """Gradient of `convsym.unfold` with respect to its input: `convsym.fold`.

        dx[n, c, stride0*o0 + dilation0*r0 - padding0, …] += dy[n, (c, r0, …), (o0, …)]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, i0, …) or (C, i0, …).
    grad_output : ndarray, shape (N, C*r0*…, o0*…) or (C*r0*…, o0*…)
        The cotangent dy, of any dtype of `convsym.conv`.
    kernel_size, dilation, padding, stride, padding_mode, same
        As given to `convsym.unfold`.
    out : ndarray, optional
        Where dx goes, of its shape and dtype.

    Returns
    -------
    ndarray, shape `input_size`
        dx; its gradient by `grad_output` is `convsym.unfold`.

    Raises
    ------
    TypeError, ShapeError
        As `convsym.unfold`; a ShapeError also when `grad_output` has not the shape of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.unfold_input((1, 5), np.array([[1, 3], [2, 4], [3, 5]]), (3,), stride=2)
    array([[1, 2, 6, 4, 5]])
    """
    dy, size = gate.accept(grad_output, "grad_output"), arguments.shape(input_size, "input_size")
    parameters = Parameters(stride, padding, dilation, padding_mode=padding_mode, same=same)
    geometry = unfolded_geometry(size, kernel_size, parameters, "input_size")
    expected = sliding.laid_out_shape(geometry)
    if dy.shape != expected:
        raise ShapeError(
            f"grad_output has shape {dy.shape}, and with these sizes and parameters the output has shape {expected}; "
            "check input_size, stride, padding and dilation"
        )
    return from_columns(dy, geometry, out)


def fold_input(
    input_size: Sequence[int],
    grad_output: Any,
    output_size: PerAxis,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    stride: PerAxis = 1,
    *,
    padding_mode: str = "zeros",
    out: Any = None,
    same: str = "symmetric",
) -> Array:
    """Gradient of `convsym.fold` with respect to its input: `convsym.unfold`.

        dx[n, (c, r0, …), (o0, …)] = dy[n, c, stride0*o0 + dilation0*r0 - padding0, …]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C*r0*…, o0*…) or (C*r0*…, o0*…).
    grad_output : ndarray, shape (N, C, *output_size) or (C, *output_size)
        The cotangent dy, of any dtype of `convsym.conv`.
    output_size, kernel_size, dilation, padding, stride, padding_mode, same
        As given to `convsym.fold`.
    out : ndarray, optional
        Where dx goes, of its shape and dtype.

    Returns
    -------
    ndarray, shape `input_size`
        dx; its gradient by `grad_output` is `convsym.fold`.

    Raises
    ------
    TypeError, ShapeError
        As `convsym.fold`; a ShapeError also when `grad_output` has not the shape of the output, or `input_size` is
        not that of columns of its windows.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.fold_input((3, 2), np.array([[1, 2, 3, 4, 5]]), (5,), (3,), stride=2)
    array([[1, 3],
           [2, 4],
           [3, 5]])
    """
    dy, size = gate.accept(grad_output, "grad_output"), arguments.shape(input_size, "input_size")
    rank = folded_rank(output_size, kernel_size)
    sizes = arguments.per_axis(output_size, rank, "output_size", 0)
    parameters = Parameters(stride, padding, dilation, padding_mode=padding_mode, same=same)
    geometry = sliding.resolve_windows(rank, dy.shape, kernel_size, parameters, "fold", "grad_output")
    if geometry.inputs != sizes:
        raise ShapeError(
            f"grad_output has shape {dy.shape}, and with output_size={sizes} its last axes must have these sizes"
        )
    expected = sliding.laid_out_shape(geometry)
    if size != expected:
        raise ShapeError(
            f"input_size is {size}, and windows over grad_output of shape {dy.shape} make columns of shape {expected}; "
            "check kernel_size, stride, padding and dilation"
        )
    return as_columns(dy, geometry, out)
