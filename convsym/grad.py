"""Gradients of the convolutions, with the signatures of torch.nn.grad.

With L a scalar function of y, `grad_output` is dy = ∂L/∂y; the functions give dx = ∂L/∂x, dw = ∂L/∂w and
db = ∂L/∂b. They run the rules that `convsym.vjp` derives.
"""

from convsym import execution, gate
from convsym.errors import ShapeError
from convsym.geometry import check_rank, resolve, shape_argument

__all__ = ["conv1d_bias", "conv1d_input", "conv1d_weight", "conv2d_bias", "conv2d_input", "conv2d_weight"]


def conv1d_input(
    input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1, *, algorithm="auto"
):
    """Gradient of `conv1d` with respect to its input.

        dx[n, c, stride*o + dilation*r - padding] += dy[n, k, o] * w[k, c, r]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, L) or (C, L).
    weight : ndarray, shape (K, C/groups, R)
        float32 or float64.
    grad_output : ndarray, shape (N, K, O) or (K, O)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm
        As given to `convsym.conv1d`.

    Returns
    -------
    ndarray, shape `input_size`
        dx.

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
    return _input_gradient(1, input_size, weight, grad_output, stride, padding, dilation, groups, algorithm)


def conv2d_input(
    input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1, *, algorithm="auto"
):
    """Gradient of `conv2d` with respect to its input.

        dx[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1]
            += dy[n, k, o0, o1] * w[k, c, r0, r1]

    Parameters
    ----------
    input_size : tuple of int
        Shape of the input, (N, C, H, W) or (C, H, W).
    weight : ndarray, shape (K, C/groups, R0, R1)
        float32 or float64.
    grad_output : ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm
        As given to `convsym.conv2d`.

    Returns
    -------
    ndarray, shape `input_size`
        dx.

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
    return _input_gradient(2, input_size, weight, grad_output, stride, padding, dilation, groups, algorithm)


def conv1d_weight(
    input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1, *, algorithm="auto"
):
    """Gradient of `conv1d` with respect to its weight.

        dw[k, c, r] += dy[n, k, o] * x[n, c, stride*o + dilation*r - padding]

    Parameters
    ----------
    input : ndarray, shape (N, C, L) or (C, L)
        float32 or float64.
    weight_size : tuple of int
        Shape of the weight, (K, C/groups, R).
    grad_output : ndarray, shape (N, K, O) or (K, O)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm
        As given to `convsym.conv1d`.

    Returns
    -------
    ndarray, shape `weight_size`
        dw.

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
    return _weight_gradient(1, input, weight_size, grad_output, stride, padding, dilation, groups, algorithm)


def conv2d_weight(
    input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1, *, algorithm="auto"
):
    """Gradient of `conv2d` with respect to its weight.

        dw[k, c, r0, r1] += dy[n, k, o0, o1]
            * x[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1]

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W)
        float32 or float64.
    weight_size : tuple of int
        Shape of the weight, (K, C/groups, R0, R1).
    grad_output : ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        The cotangent dy, of the same dtype.
    stride, padding, dilation, groups, algorithm
        As given to `convsym.conv2d`.

    Returns
    -------
    ndarray, shape `weight_size`
        dw.

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
    return _weight_gradient(2, input, weight_size, grad_output, stride, padding, dilation, groups, algorithm)


def conv1d_bias(grad_output):
    """Gradient of `conv1d` with respect to its bias: db[k] += dy[n, k, o].

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, O) or (K, O)
        The cotangent dy, float32 or float64.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv1d_bias(np.arange(6.0).reshape(2, 3))
    array([ 3., 12.])
    """
    return _bias_gradient(1, grad_output)


def conv2d_bias(grad_output):
    """Gradient of `conv2d` with respect to its bias: db[k] += dy[n, k, o0, o1].

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        The cotangent dy, float32 or float64.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv2d_bias(np.arange(8.0).reshape(2, 2, 2))
    array([ 6., 22.])
    """
    return _bias_gradient(2, grad_output)


def _input_gradient(rank, input_size, weight, grad_output, stride, padding, dilation, groups, algorithm):
    execution.check_algorithm(algorithm)
    arrays = {"weight": gate.accept(weight, "weight"), "grad_output": gate.accept(grad_output, "grad_output")}
    gate.same_dtype(arrays)
    geometry = resolve(
        rank,
        shape_argument(input_size, "input_size"),
        arrays["weight"].shape,
        stride,
        padding,
        dilation,
        groups,
        names=("input_size", "weight"),
    )
    _check_output(geometry, arrays["grad_output"])
    return execution.compute(geometry, "dx", {"dy": arrays["grad_output"], "w": arrays["weight"]}, algorithm)


def _weight_gradient(rank, input, weight_size, grad_output, stride, padding, dilation, groups, algorithm):
    execution.check_algorithm(algorithm)
    arrays = {"input": gate.accept(input, "input"), "grad_output": gate.accept(grad_output, "grad_output")}
    gate.same_dtype(arrays)
    geometry = resolve(
        rank,
        arrays["input"].shape,
        shape_argument(weight_size, "weight_size"),
        stride,
        padding,
        dilation,
        groups,
        names=("input", "weight_size"),
    )
    _check_output(geometry, arrays["grad_output"])
    return execution.compute(geometry, "dw", {"dy": arrays["grad_output"], "x": arrays["input"]}, algorithm)


def _bias_gradient(rank, grad_output):
    array = gate.accept(grad_output, "grad_output")
    check_rank(rank, array.shape, "grad_output")
    return execution.sum_to_bias(array, rank)


def _check_output(geometry, grad_output):
    expected = geometry.public_shapes["y"]
    if grad_output.shape != expected:
        raise ShapeError(
            f"grad_output has shape {grad_output.shape}, and with these sizes and parameters the output has "
            f"shape {expected}; check the shape of the input, stride, padding and dilation"
        )
