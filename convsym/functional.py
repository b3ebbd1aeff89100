"""Convolutions of NumPy arrays, with the signatures of torch.nn.functional.

What is called convolution here is cross-correlation, as in every library of neural networks: the kernel is
not flipped unless ``flip=True`` asks for it.
"""

from typing import Any

from convsym.arguments import Number, Padding, Parameters, PerAxis
from convsym.calls import forward
from convsym.gate import Array, accept
from convsym.kernels import door
from convsym.layouts import Axes
from convsym.meaning import weight_rank
from convsym.operations import How, Operation


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
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
) -> Array:
    """1-D convolution over several channels.

        y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r]

    Parameters
    ----------
    input : ndarray, shape (N, C, L) or (C, L)
        The signal x: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight : ndarray, shape (K, C/groups, R)
        The kernels w, of the same dtype.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        See `conv`.

    Returns
    -------
    ndarray, shape (N, K, O) or (K, O)
        Of the inputs' dtype; as many outputs as have their last read inside the padded signal:
        O = max(0, (L + before + after - dilation*(R - 1) - 1)//stride + 1)

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import conv1d
    >>> x = np.arange(5.0).reshape(1, 5)
    >>> w = np.array([[[1.0, 0.0, -1.0]]])
    >>> conv1d(x, w)
    array([[-2., -2., -2.]])
    >>> conv1d(x, w, stride=2, padding="same")
    array([[-1., -2.,  3.]])
    >>> conv1d(x, w, padding=1, padding_mode="circular")
    array([[ 3., -2., -2., -2.,  3.]])
    """
    if algorithm != "reference":
        output: Array | None = door().enter(
            1, input, weight, bias, None, None, stride, padding, dilation, groups,
            algorithm, padding_mode, input_dilation, flip, out, axes, same,
        )  # fmt: skip
        if output is not None:
            return output
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    return forward(Operation(1, parameters, How(algorithm, out, axes)), input, weight, bias)


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
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
) -> Array:
    """2-D convolution over several channels.

        y[n, k, o0, o1] += x[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1]
                           * w[k, c, r0, r1]

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W)
        The images x: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight : ndarray, shape (K, C/groups, R0, R1)
        The kernels w, of the same dtype.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        See `conv`.

    Returns
    -------
    ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        Of the inputs' dtype; as many outputs as have their last read inside the padded image, along
        each axis with its own numbers: O = max(0, (L + before + after - dilation*(R - 1) - 1)//stride + 1)

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import conv2d
    >>> x = np.arange(9.0).reshape(1, 3, 3)
    >>> w = np.ones((1, 1, 2, 2))
    >>> conv2d(x, w)
    array([[[ 8., 12.],
            [20., 24.]]])
    >>> conv2d(x, w, np.array([0.5]), padding=((0, 0), (1, -1)))
    array([[[ 3.5,  8.5],
            [ 9.5, 20.5]]])
    """
    if algorithm != "reference":
        output: Array | None = door().enter(
            2, input, weight, bias, None, None, stride, padding, dilation, groups,
            algorithm, padding_mode, input_dilation, flip, out, axes, same,
        )  # fmt: skip
        if output is not None:
            return output
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    return forward(Operation(2, parameters, How(algorithm, out, axes)), input, weight, bias)


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
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
) -> Array:
    """3-D convolution over several channels.

        y[n, k, o0, o1, o2] += x[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1,
                                 stride2*o2 + dilation2*r2 - padding2] * w[k, c, r0, r1, r2]

    Parameters
    ----------
    input : ndarray, shape (N, C, D, H, W) or (C, D, H, W)
        The volumes x: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    weight : ndarray, shape (K, C/groups, R0, R1, R2)
        The kernels w, of the same dtype.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, out, axes, same
        See `conv`.

    Returns
    -------
    ndarray, shape (N, K, O0, O1, O2) or (K, O0, O1, O2)
        Of the inputs' dtype; sizes as of `conv2d`.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import conv3d
    >>> conv3d(np.arange(8).reshape(1, 2, 2, 2), np.ones((1, 1, 2, 1, 2), int))
    array([[[[10],
             [18]]]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    return forward(Operation(3, parameters, How(algorithm, out, axes)), input, weight, bias)


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
    out: Any = None,
    axes: Axes = None,
    same: str = "symmetric",
) -> Array:
    """Convolution over several channels and 1 to 5 spatial axes, as many as the weight has.

        y[n, k, o0, …] += x[n, c, stride0*o0 + dilation0*r0 - padding0, …] * w[k, c, r0, …]

    Parameters
    ----------
    input : ndarray, shape (N, C, i0, …) or (C, i0, …)
        The array x: float16 (summed in float32), float32, float64, complex64, complex128, any integer dtype (exact,
        modulo 2 to the number of bits), or object (Fraction, SymPy; by the reference). Any strides; arrays of
        other libraries in CPU memory are read through DLPack.
    weight : ndarray, shape (K, C/groups, r0, …)
        The kernels w, of the same dtype.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, dilation : int or tuple of int
        At least 1; one for all axes, or one for each.
    padding : int, tuple of int, tuple of pairs, or str
        Elements around the input: one number, one for each axis, or ((before, after), …); a negative number crops
        first. "valid" is 0, "same" gives ceil(L/stride) outputs, "full" takes every window that touches the input,
        "causal" pads before the input only, so that no output sees what comes later.
    groups : int
        Divides the channels into groups that do not see each other.
    algorithm : {"auto", "direct", "winograd", "fft", "reference"}
        "direct" adds the products of the rule, exactly where they are exact; "winograd" needs fewer of them for three
        taps of stride 1, "fft" for large kernels, both with bounds of their own (`convsym.error_bound`); "reference"
        evaluates the formula exactly and slowly; "auto" chooses by shapes and parameters, as `convsym.explain` tells.
    padding_mode : {"zeros", "circular", "reflect", "replicate", "symmetric"}
        What stands around the input; reflect does not repeat the edge element, symmetric does.
    input_dilation : int or tuple of int
        The elements of the input stand so far apart, with zeros between (not computed with); padding comes after that.
    flip : bool
        Flip the kernel along its spatial axes: convolution as mathematics has it.
    out : ndarray, optional
        Where the result goes, of its shape and dtype; it may overlap the inputs.
    axes : str or sequence of str, optional
        Order of the axes, such as "NHWC": N the batch, C the channels, other letters the spatial axes, whose order
        `stride` and the like follow; a second text is for the weight ("HWIO"), a third for the output.
    same : {"symmetric", "tf", "lower"}
        Which "same" is meant: "symmetric" pads by dilation*(R - 1), the odd element at the end, as torch does; "tf"
        pads as little as needed (TensorFlow, JAX, ONNX SAME_UPPER), "lower" likewise with the odd element first.

    Returns
    -------
    ndarray, shape (N, K, o0, …) or (K, o0, …)
        `out`, or a new array of the inputs' dtype; as many outputs as have their last read inside the padded input.

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
    >>> from convsym import conv
    >>> x = np.arange(6).reshape(1, 3, 2)
    >>> conv(x, np.ones((1, 1, 2, 2), int), padding="causal")
    array([[[ 0,  1],
            [ 2,  6],
            [ 6, 14]]])
    >>> conv(x.reshape(3, 2, 1), np.ones((2, 2, 1, 1), int), axes=("HWC", "HWIO"))[..., 0]
    array([[ 6],
           [14]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    return forward(Operation(_rank(weight), parameters, How(algorithm, out, axes)), input, weight, bias)


def _rank(weight: object) -> int:
    return weight_rank(accept(weight, "weight").shape)
