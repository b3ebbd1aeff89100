"""Convolutions of NumPy arrays, with the signatures of torch.nn.functional.

What is called convolution here is cross-correlation, as in every library of neural networks: the kernel is
not flipped.
"""

from convsym import execution, gate
from convsym.errors import ShapeError
from convsym.geometry import resolve
from convsym.kernels import door


def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, *, algorithm="auto"):
    """1-D convolution over several channels.

        y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r]

    Parameters
    ----------
    input : ndarray, shape (N, C, L) or (C, L)
        The signal x, float32 or float64.
    weight : ndarray, shape (K, C/groups, R)
        The kernels w, of the same dtype.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, dilation : int or tuple of int
        At least 1.
    padding : int, tuple of int, ((before, after),), "same" or "valid"
        Zeros around the input; a negative number crops. "same" makes ceil(L/stride) outputs, with the odd
        element at the end.
    groups : int
        Divides the channels into groups that do not see each other.
    algorithm : {"auto", "direct", "reference"}
        "direct" runs the compiled loops of the rule; "reference" evaluates the formula exactly and slowly;
        "auto" chooses.

    Returns
    -------
    ndarray, shape (N, K, O) or (K, O)
        A new array of the inputs' dtype; as many outputs as have their last read inside the padded signal:
        O = max(0, (L + before + after - dilation*(R - 1) - 1)//stride + 1)

    Raises
    ------
    TypeError
        An argument is no array of float32 or float64, or the dtypes differ.
    ShapeError
        Sizes, parameters or groups do not fit together.
    KernelError
        No compiled kernel can serve.

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
    """
    if bias is None and algorithm in ("auto", "direct"):
        output = door().enter(1, input, weight, stride, padding, dilation, groups)
        if output is not None:
            return output
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups, algorithm)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, *, algorithm="auto"):
    """2-D convolution over several channels.

        y[n, k, o0, o1] += x[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1]
                           * w[k, c, r0, r1]

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W)
        The images x, float32 or float64.
    weight : ndarray, shape (K, C/groups, R0, R1)
        The kernels w, of the same dtype.
    bias : ndarray, shape (K,), optional
        Added to each output channel, last.
    stride, dilation : int or tuple of int
        At least 1; one for both axes, or one for each.
    padding : int, tuple of int, pairs, "same" or "valid"
        Zeros around the input: one number, one for each axis, or ((top, bottom), (left, right)); a negative
        number crops. "same" makes ceil(H/stride) × ceil(W/stride) outputs, with the odd element at the end.
    groups : int
        Divides the channels into groups that do not see each other.
    algorithm : {"auto", "direct", "reference"}
        "direct" runs the compiled loops of the rule; "reference" evaluates the formula exactly and slowly;
        "auto" chooses.

    Returns
    -------
    ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        A new array of the inputs' dtype; as many outputs as have their last read inside the padded image, along
        each axis with its own numbers: O = max(0, (L + before + after - dilation*(R - 1) - 1)//stride + 1)

    Raises
    ------
    TypeError
        An argument is no array of float32 or float64, or the dtypes differ.
    ShapeError
        Sizes, parameters or groups do not fit together.
    KernelError
        No compiled kernel can serve.

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
    if bias is None and algorithm in ("auto", "direct"):
        output = door().enter(2, input, weight, stride, padding, dilation, groups)
        if output is not None:
            return output
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups, algorithm)


def _convolve(rank, input, weight, bias, stride, padding, dilation, groups, algorithm):
    """conv1d, conv2d, …: the rule `y` of the op of this rank, then the bias; small calls are known at the door then.

    The public functions ask the door themselves, which spares small calls one more Python call.
    """
    execution.check_algorithm(algorithm)
    arrays = {"input": gate.accept(input, "input"), "weight": gate.accept(weight, "weight")}
    if bias is not None:
        arrays["bias"] = gate.accept(bias, "bias")
    gate.same_dtype(arrays)
    geometry = resolve(rank, arrays["input"].shape, arrays["weight"].shape, stride, padding, dilation, groups)
    channels = weight.shape[0]
    if bias is not None and bias.shape != (channels,):
        raise ShapeError(
            f"bias has shape {bias.shape}, and it must be ({channels},): one number for each output channel "
            "(weight.shape[0])"
        )
    output = execution.compute(geometry, "y", {"x": arrays["input"], "w": arrays["weight"]}, algorithm)
    if bias is None and algorithm != "reference":
        execution.remember(geometry, input, weight, stride, padding, dilation, groups)
    return output if bias is None else execution.add_bias(output, arrays["bias"], rank)
