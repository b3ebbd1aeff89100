"""All gradients of a convolution in one call, and the gradients of these gradients."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convsym.arguments import Number, Padding, Parameters, PerAxis, one_of
from convsym.calls import bias_gradient, forward, input_gradient, weight_gradient
from convsym.gate import Array, accept, accept_each, narrowed, same_dtype, widened
from convsym.grad.directions import like, spread, total
from convsym.layouts import Axes
from convsym.meaning import weight_rank
from convsym.operations import How, Operation

NEEDS = ("input", "weight", "bias")
Triple = tuple[Array | None, Array | None, Array | None]


def conv_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    needs: Sequence[str] = ("input", "weight", "bias"),
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    axes: Axes = None,
    same: str = "symmetric",
) -> Triple:
    """The gradients of `convsym.conv` by all its arguments in one call: dx, dw and db.

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        The cotangent dy, of any dtype that `convsym.conv` takes.
    input : ndarray, shape (N, C, i0, …) or (C, i0, …)
        x, of the same dtype.
    weight : ndarray, shape (K, C/groups, r0, …)
        w, of the same dtype.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, axes, same
        As given to `convsym.conv`.
    needs : sequence of {"input", "weight", "bias"}
        Which gradients to compute.

    Returns
    -------
    tuple of (ndarray or None)
        dx, dw, db; None where it is not needed.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv`; a ShapeError also when `grad_output` has not the shape of the output, or
        `needs` names something else.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x, w = np.arange(5).reshape(1, 5), np.array([[[1, 2, 3]]])
    >>> grad.conv_backward(np.array([[1, 10]]), x, w, stride=2, needs=("weight", "bias"))
    (None, array([[[20, 31, 42]]]), array([11]))
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    rank = weight_rank(accept(weight, "weight").shape)
    op = Operation(rank, parameters, How(algorithm, axes=axes))
    return _backward(op, grad_output, input, weight, needs)


def conv_transpose_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: Number = 1,
    dilation: PerAxis = 1,
    *,
    needs: Sequence[str] = ("input", "weight", "bias"),
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    flip: bool = False,
    axes: Axes = None,
    same: str = "symmetric",
) -> Triple:
    """The gradients of `convsym.conv_transpose` by all its arguments in one call: dx, dw and db.

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        The cotangent dy, of any dtype that `convsym.conv` takes.
    input : ndarray, shape (N, C, i0, …) or (C, i0, …)
        x, of the same dtype.
    weight : ndarray, shape (C, K/groups, r0, …)
        w, of the same dtype.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, axes, same
        As given to `convsym.conv_transpose`.
    needs : sequence of {"input", "weight", "bias"}
        Which gradients to compute.

    Returns
    -------
    tuple of (ndarray or None)
        dx, dw, db; None where it is not needed.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose`; a ShapeError also when `grad_output` has not the shape of the output, or
        `needs` names something else.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x, w = np.array([[1, 10]]), np.array([[[1, 2, 3]]])
    >>> grad.conv_transpose_backward(np.arange(5).reshape(1, 5), x, w, stride=2, needs=("input",))
    (array([[ 8, 20]]), None, None)
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    rank = weight_rank(accept(weight, "weight").shape)
    op = Operation(rank, parameters, How(algorithm, axes=axes), output_padding)
    return _backward(op, grad_output, input, weight, needs)


def conv_double_backward(
    grad_grad_input: Any,
    grad_grad_weight: Any,
    grad_grad_bias: Any,
    grad_output: Any,
    input: Any,
    weight: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    axes: Axes = None,
    same: str = "symmetric",
) -> Triple:
    """The gradients of `conv_backward`: what cotangents of dx, dw and db mean for dy, x and w.

    The op is bilinear, so each of them is again one of its three rules, or a sum of them: the gradient by dy is the
    derivative of the output in the direction of the cotangents, those by x and w are dx and dw with a cotangent
    in the place of the other factor. With a stride no zeros are stuffed in anywhere.

    Parameters
    ----------
    grad_grad_input, grad_grad_weight, grad_grad_bias : ndarray or None
        Cotangents of dx, dw and db, of the shapes of x, w and b; None counts as zeros.
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        dy, of any dtype that `convsym.conv` takes.
    input, weight : ndarray
        x and w, of the same dtype, as of `convsym.conv`.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, axes, same
        As given to `convsym.conv`.

    Returns
    -------
    tuple of (ndarray or None)
        The gradients by dy, x and w; None where every term is zero.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x, w, dy = np.arange(3), np.array([1, 2]), np.array([1, 10])
    >>> dy, x, w = dy[None], x[None], w[None, None]
    >>> grad.conv_double_backward(np.ones_like(x), None, None, dy, x, w)
    (array([[3, 3]]), None, array([[[11, 11]]]))
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    rank = weight_rank(accept(weight, "weight").shape)
    cotangents = (grad_grad_input, grad_grad_weight, grad_grad_bias)
    op = Operation(rank, parameters, How(algorithm, axes=axes))
    return _double_backward(op, cotangents, grad_output, input, weight)


def conv_transpose_double_backward(
    grad_grad_input: Any,
    grad_grad_weight: Any,
    grad_grad_bias: Any,
    grad_output: Any,
    input: Any,
    weight: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: Number = 1,
    dilation: PerAxis = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    flip: bool = False,
    axes: Axes = None,
    same: str = "symmetric",
) -> Triple:
    """The gradients of `conv_transpose_backward`: what cotangents of dx, dw and db mean for dy, x and w.

    The op is bilinear, so each of them is again one of its three rules, or a sum of them: the gradient by dy is the
    derivative of the output in the direction of the cotangents, those by x and w are dx and dw with a cotangent
    in the place of the other factor. With a stride no zeros are stuffed in anywhere.

    Parameters
    ----------
    grad_grad_input, grad_grad_weight, grad_grad_bias : ndarray or None
        Cotangents of dx, dw and db, of the shapes of x, w and b; None counts as zeros.
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        dy, of any dtype that `convsym.conv` takes.
    input, weight : ndarray
        x and w, of the same dtype, as of `convsym.conv_transpose`.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, axes, same
        As given to `convsym.conv_transpose`.

    Returns
    -------
    tuple of (ndarray or None)
        The gradients by dy, x and w; None where every term is zero.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x, w, dy = np.array([1, 10]), np.array([1, 2]), np.arange(3)
    >>> dy, x, w = dy[None], x[None], w[None, None]
    >>> grad.conv_transpose_double_backward(np.ones_like(x), None, None, dy, x, w)
    (array([[1, 3, 2]]), None, array([[[1, 3]]]))
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    rank = weight_rank(accept(weight, "weight").shape)
    cotangents = (grad_grad_input, grad_grad_weight, grad_grad_bias)
    op = Operation(rank, parameters, How(algorithm, axes=axes), output_padding)
    return _double_backward(op, cotangents, grad_output, input, weight)


def _backward(op: Operation, grad_output: Any, input: Any, weight: Any, needs: Sequence[str]) -> Triple:
    if isinstance(needs, str):
        raise TypeError(f"needs is the text {needs!r}, and a sequence of texts is needed; give needs=({needs!r},)")
    for need in needs:
        one_of(need, "needs", NEEDS, "a sequence of ")
    arrays = accept_each(input=input, weight=weight, grad_output=grad_output)
    dx = dw = db = None
    if "input" in needs:
        dx = input_gradient(op, arrays["input"].shape, weight, grad_output, "input")
    if "weight" in needs:
        dw = weight_gradient(op, input, arrays["weight"].shape, grad_output, name="weight")
    if "bias" in needs:
        db = bias_gradient(op.rank, grad_output, op.how.axes)
    return dx, dw, db


def _double_backward(
    op: Operation, cotangents: tuple[Any, Any, Any], grad_output: Any, input: Any, weight: Any
) -> Triple:
    arrays = accept_each(input=input, weight=weight, grad_output=grad_output)
    x, w = widened(arrays["input"]), widened(arrays["weight"])  # a sum of terms that are not rounded yet
    of_input, of_weight, of_bias = cotangents
    dx = dw = None
    terms = []
    if of_input is not None:
        direction = like(of_input, "grad_grad_input", arrays["input"], "input")
        terms.append(forward(op, widened(direction), w))
        dw = weight_gradient(op, direction, arrays["weight"].shape, grad_output, name="weight")
    if of_weight is not None:
        direction = like(of_weight, "grad_grad_weight", arrays["weight"], "weight")
        terms.append(forward(op, x, widened(direction)))
        dx = input_gradient(op, arrays["input"].shape, direction, grad_output, "input")
    if of_bias is not None:
        direction = accept(of_bias, "grad_grad_bias")
        same_dtype({"weight": arrays["weight"], "grad_grad_bias": direction})
        output = np.zeros_like(widened(arrays["grad_output"]))
        terms.append(output + spread(widened(direction), output, op))
    summed = total(terms)
    return None if summed is None else narrowed(summed, arrays["weight"].dtype), dx, dw
