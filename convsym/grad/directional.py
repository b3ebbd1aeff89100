"""Derivatives of convolutions in a direction, of first order (jvp) and of second (hvp)."""

from typing import Any

import numpy as np

from convsym.arguments import Number, Padding, Parameters, PerAxis
from convsym.calls import forward, input_gradient, weight_gradient
from convsym.errors import ShapeError
from convsym.gate import Array, accept, accept_each, narrowed, same_dtype, widened
from convsym.grad.directions import like, spread, total
from convsym.layouts import Axes
from convsym.meaning import weight_rank
from convsym.operations import How, Operation


def conv_jvp(
    input: Any,
    weight: Any,
    input_tangent: Any = None,
    weight_tangent: Any = None,
    bias_tangent: Any = None,
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
) -> Array:
    """The derivative of `convsym.conv` in a direction (ẋ, ẇ, ḃ).

        ẏ = conv(ẋ, w) + conv(x, ẇ) + ḃ

    Parameters
    ----------
    input, weight : ndarray
        x and w, as of `convsym.conv`.
    input_tangent, weight_tangent, bias_tangent : ndarray or None
        The direction: ẋ, ẇ and ḃ, of the shapes of x, w and b and of their dtype; None counts as zeros.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, axes, same
        As given to `convsym.conv`.

    Returns
    -------
    ndarray
        ẏ, of the shape of the output.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv`; a ShapeError also when a tangent has not the shape of its argument or none
        is given.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x, w = np.array([[1, 2, 3]]), np.array([[[1, 10]]])
    >>> grad.conv_jvp(x, w, input_tangent=np.array([[1, 0, 0]]))
    array([[1, 0]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    rank = weight_rank(accept(weight, "weight").shape)
    op = Operation(rank, parameters, How(algorithm, axes=axes))
    return _jvp(op, input, weight, (input_tangent, weight_tangent, bias_tangent))


def conv_transpose_jvp(
    input: Any,
    weight: Any,
    input_tangent: Any = None,
    weight_tangent: Any = None,
    bias_tangent: Any = None,
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
) -> Array:
    """The derivative of `convsym.conv_transpose` in a direction (ẋ, ẇ, ḃ).

        ẏ = conv_transpose(ẋ, w) + conv_transpose(x, ẇ) + ḃ

    Parameters
    ----------
    input, weight : ndarray
        x and w, as of `convsym.conv_transpose`.
    input_tangent, weight_tangent, bias_tangent : ndarray or None
        The direction: ẋ, ẇ and ḃ, of the shapes of x, w and b and of their dtype; None counts as zeros.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, axes, same
        As given to `convsym.conv_transpose`.

    Returns
    -------
    ndarray
        ẏ, of the shape of the output.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose`; a ShapeError also when a tangent has not the shape of its argument or none
        is given.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x, w = np.array([[1, 2, 3]]), np.array([[[1, 10]]])
    >>> grad.conv_transpose_jvp(x, w, input_tangent=np.array([[1, 0, 0]]))
    array([[ 1, 10,  0,  0]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    rank = weight_rank(accept(weight, "weight").shape)
    op = Operation(rank, parameters, How(algorithm, axes=axes), output_padding)
    return _jvp(op, input, weight, (input_tangent, weight_tangent, bias_tangent))


def conv_hvp(
    grad_output: Any,
    input: Any,
    weight: Any,
    input_tangent: Any = None,
    weight_tangent: Any = None,
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
) -> tuple[Array | None, Array | None]:
    """The Hessian of L = ⟨dy, conv(x, w)⟩ times a direction (ẋ, ẇ).

    L is bilinear in x and w, so the part by x is the input gradient with ẇ for w, the part by w the weight gradient
    with ẋ for x.

    Parameters
    ----------
    grad_output : ndarray
        dy, of any dtype that `convsym.conv` takes.
    input, weight : ndarray
        x and w, as of `convsym.conv`.
    input_tangent, weight_tangent : ndarray or None
        The direction, of the shapes of x and w; None counts as zeros.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, axes, same
        As given to `convsym.conv`.

    Returns
    -------
    tuple of (ndarray or None)
        The product's parts by x and by w; None where the part is zero because its tangent is.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv`; a ShapeError also when a tangent has not the shape of its argument.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x, w, dy = np.array([[1, 2, 3]]), np.array([[[1, 10]]]), np.array([[1, 1]])
    >>> grad.conv_hvp(dy, x, w, weight_tangent=w)[0]
    array([[ 1, 11, 10]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    rank = weight_rank(accept(weight, "weight").shape)
    op = Operation(rank, parameters, How(algorithm, axes=axes))
    return _hvp(op, grad_output, input, weight, input_tangent, weight_tangent)


def conv_transpose_hvp(
    grad_output: Any,
    input: Any,
    weight: Any,
    input_tangent: Any = None,
    weight_tangent: Any = None,
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
) -> tuple[Array | None, Array | None]:
    """The Hessian of L = ⟨dy, conv_transpose(x, w)⟩ times a direction (ẋ, ẇ).

    L is bilinear in x and w, so the part by x is the input gradient with ẇ for w, the part by w the weight gradient
    with ẋ for x.

    Parameters
    ----------
    grad_output : ndarray
        dy, of any dtype that `convsym.conv` takes.
    input, weight : ndarray
        x and w, as of `convsym.conv_transpose`.
    input_tangent, weight_tangent : ndarray or None
        The direction, of the shapes of x and w; None counts as zeros.
    stride, padding, output_padding, groups, dilation, algorithm, padding_mode, flip, axes, same
        As given to `convsym.conv_transpose`.

    Returns
    -------
    tuple of (ndarray or None)
        The product's parts by x and by w; None where the part is zero because its tangent is.

    Raises
    ------
    TypeError, ShapeError, KernelError
        As `convsym.conv_transpose`; a ShapeError also when a tangent has not the shape of its argument.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> x, w, dy = np.array([[1, 2]]), np.array([[[1, 10]]]), np.array([[1, 1, 1]])
    >>> grad.conv_transpose_hvp(dy, x, w, weight_tangent=w)[0]
    array([[11, 11]])
    """
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, 1, flip, same)
    rank = weight_rank(accept(weight, "weight").shape)
    op = Operation(rank, parameters, How(algorithm, axes=axes), output_padding)
    return _hvp(op, grad_output, input, weight, input_tangent, weight_tangent)


def _jvp(op: Operation, input: Any, weight: Any, tangents: tuple[Any, Any, Any]) -> Array:
    arrays = accept_each(input=input, weight=weight)
    x, w = map(widened, arrays.values())  # a sum of terms that are not rounded yet
    of_input, of_weight, of_bias = tangents
    terms = []
    if of_input is not None:
        terms.append(forward(op, widened(like(of_input, "input_tangent", arrays["input"], "input")), w))
    if of_weight is not None:
        terms.append(forward(op, x, widened(like(of_weight, "weight_tangent", arrays["weight"], "weight"))))
    if of_bias is not None:
        output = terms[0] if terms else forward(op, x, w)
        direction = accept(of_bias, "bias_tangent")
        same_dtype({"weight": arrays["weight"], "bias_tangent": direction})
        terms.append(np.zeros_like(output) + spread(widened(direction), output, op))
    tangent = total(terms)
    if tangent is None:
        raise ShapeError("no direction is given; give input_tangent, weight_tangent or bias_tangent")
    return narrowed(tangent, arrays["input"].dtype)


def _hvp(
    op: Operation, grad_output: Any, input: Any, weight: Any, input_tangent: Any, weight_tangent: Any
) -> tuple[Array | None, Array | None]:
    arrays = accept_each(input=input, weight=weight, grad_output=grad_output)
    by_input = by_weight = None
    if weight_tangent is not None:
        tangent = like(weight_tangent, "weight_tangent", arrays["weight"], "weight")
        by_input = input_gradient(op, arrays["input"].shape, tangent, grad_output, "input")
    if input_tangent is not None:
        tangent = like(input_tangent, "input_tangent", arrays["input"], "input")
        by_weight = weight_gradient(op, tangent, arrays["weight"].shape, grad_output, name="weight")
    return by_input, by_weight
