"""Transposed convolutions of NumPy arrays, with the signatures of torch.nn.functional.

A transposed convolution is the adjoint of a convolution in its input, with every stride, dilation, padding and padding
mode: it is the rule dx that is derived from the convolution.
"""

from typing import Any

from convsym.arguments import Number, Padding, Parameters, PerAxis
from convsym.calls import forward
from convsym.gate import Array, accept
from convsym.layouts import Axes
from convsym.meaning import weight_rank
from convsym.operations import How, Operation


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
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
) -> Array:
    """1-D transposed convolution: the adjoint of `convsym.conv1d` in its input.

        y[n, k, stride*i + dilation*r - padding] += x[n, c, i] * w[c, k, r]

    Parameters
    ----------
    input : ndarray, shape (N, C, L) or (C, L)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight : ndarray, shape (C, K/groups, R)
        The kernels w, of the same dtype.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        See `conv_transpose`.

    Returns
    -------
    ndarray, shape (N, K, O) or (K, O)
        Of the inputs' dtype; sizes as of `conv_transpose`.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `conv_transpose`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import conv_transpose1d
    >>> conv_transpose1d(np.array([[1.0, 10.0]]), np.array([[[1.0, 2.0, 3.0]]]), stride=2)
    array([[ 1.,  2., 13., 20., 30.]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    op = Operation(1, parameters, How(algorithm, out, axes), output_padding)
    return forward(op, input, weight, bias)


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
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
) -> Array:
    """2-D transposed convolution: the adjoint of `convsym.conv2d` in its input.

        y[n, k, stride0*i0 + dilation0*r0 - padding0, stride1*i1 + dilation1*r1 - padding1]
            += x[n, c, i0, i1] * w[c, k, r0, r1]

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight : ndarray, shape (C, K/groups, R0, R1)
        The kernels w, of the same dtype.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        See `conv_transpose`.

    Returns
    -------
    ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        Of the inputs' dtype; sizes as of `conv_transpose`.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `conv_transpose`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import conv_transpose2d
    >>> conv_transpose2d(np.ones((1, 1, 2)), np.array([[[[1, 2], [3, 4]]]]).astype(float), output_padding=(0, 0))
    array([[[1., 3., 2.],
            [3., 7., 4.]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    op = Operation(2, parameters, How(algorithm, out, axes), output_padding)
    return forward(op, input, weight, bias)


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
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
) -> Array:
    """3-D transposed convolution: the adjoint of `convsym.conv3d` in its input.

        y[n, k, stride0*i0 + dilation0*r0 - padding0, …] += x[n, c, i0, i1, i2] * w[c, k, r0, r1, r2]

    Parameters
    ----------
    input : ndarray, shape (N, C, D, H, W) or (C, D, H, W)
        float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight : ndarray, shape (C, K/groups, R0, R1, R2)
        The kernels w, of the same dtype.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, out, axes, same
        See `conv_transpose`.

    Returns
    -------
    ndarray, shape (N, K, O0, O1, O2) or (K, O0, O1, O2)
        Of the inputs' dtype; sizes as of `conv_transpose`.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `conv_transpose`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import conv_transpose3d
    >>> conv_transpose3d(np.array([1, 10]).reshape(1, 1, 1, 2), np.ones((1, 1, 1, 1, 2), int), stride=2)
    array([[[[ 1,  1, 10, 10]]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    op = Operation(3, parameters, How(algorithm, out, axes), output_padding)
    return forward(op, input, weight, bias)


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
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
) -> Array:
    """Transposed convolution with 1 to 5 spatial axes: the adjoint of `convsym.conv` in its input.

        y[n, k, stride0*i0 + dilation0*r0 - padding0, …] += x[n, c, i0, …] * w[c, k, r0, …]

    Parameters
    ----------
    input : ndarray, shape (N, C, i0, …) or (C, i0, …)
        The array x: float16, float32, float64, complex64, complex128, any integer dtype, or object; see `convsym.conv`.
    weight : ndarray, shape (C, K/groups, r0, …)
        The kernels w, of the same dtype; 1 to 5 spatial axes.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, dilation : int or tuple of int
        Of the convolution this is the transpose of; at least 1.
    padding : int, tuple of int, tuple of pairs, or str
        Of that convolution: so many elements are cut off both ends of the output, or folded back into it by the mode.
    output_padding : int or tuple of int
        Further elements at the end of the output, fewer than the stride (or the dilation): convolutions of all these
        sizes give the size of the input.
    groups : int
        Divides the channels into groups that do not see each other.
    algorithm, flip, out, axes, same
        As of `convsym.conv`.
    padding_mode : {"zeros", "circular", "reflect", "replicate", "symmetric"}
        Of the convolution this is the transpose of: what would be cut off is added where the mode takes it from.

    Returns
    -------
    ndarray, shape (N, K, o0, …) or (K, o0, …)
        `out`, or a new array of the inputs' dtype; along each axis the smallest size that a convolution takes to
        the size of the input, plus `output_padding`.

    Raises
    ------
    TypeError
        An argument is no array of a dtype that is computed, or the dtypes differ.
    ShapeError
        Sizes, parameters or groups do not fit together.
    KernelError
        No compiled kernel can serve.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import conv_transpose
    >>> conv_transpose(np.array([[1, 10, 100]]), np.array([[[1, 2]]]), padding=((1, 0),), padding_mode="circular")
    array([[ 12, 120, 201]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    rank = weight_rank(accept(weight, "weight").shape, "weight")
    op = Operation(rank, parameters, How(algorithm, out, axes), output_padding)
    return forward(op, input, weight, bias)
