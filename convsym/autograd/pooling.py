"""Average pooling, and windows as columns, as functions of tensors, with the signatures of torch.nn.functional."""

from typing import Any

from convsym import multilinear
from convsym.arguments import Padding, PerAxis
from convsym.autograd.convolutions import shape_of
from convsym.autograd.forms import Gather
from convsym.autograd.tape import Tensor, apply


def avg_pool1d(
    input: Any,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    padding_mode: str = "zeros",
    axes: str | None = None,
    same: str = "symmetric",
) -> Tensor:
    """1-D average pooling of a tensor, with its gradient.

        y[n, c, o] = sum over r of x[n, c, stride*o + r - padding] / count[o]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i) or (C, i)
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, axes, same
        As of `convsym.avg_pool1d`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError
        As `convsym.avg_pool1d`.

    Examples
    --------
    >>> from convsym.autograd import avg_pool1d, tensor
    >>> x = tensor([[1, 2, 3, 4, 5]], requires_grad=True)
    >>> avg_pool1d(x, 2).sum().backward()
    >>> x.grad
    tensor([[0.5, 0.5, 0.5, 0.5, 0. ]])
    """
    form = multilinear.average_pooling(
        1, shape_of(input), kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
        padding_mode=padding_mode, axes=axes, same=same,
    )  # fmt: skip
    return apply(Gather("avg_pool1d", form, "y", ("x",)), input)


def avg_pool2d(
    input: Any,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    padding_mode: str = "zeros",
    axes: str | None = None,
    same: str = "symmetric",
) -> Tensor:
    """2-D average pooling of a tensor, with its gradient.

        y[n, c, o0, o1] = sum over r0, r1 of
            x[n, c, stride0*o0 + r0 - padding0, stride1*o1 + r1 - padding1] / count[o0, o1]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, i1) or (C, i0, i1)
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, axes, same
        As of `convsym.avg_pool2d`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError
        As `convsym.avg_pool2d`.

    Examples
    --------
    >>> from convsym.autograd import avg_pool2d, tensor
    >>> x = tensor([[[1, 2], [3, 4]]], requires_grad=True)
    >>> avg_pool2d(x, 2).sum().backward()
    >>> x.grad
    tensor([[[0.25, 0.25],
             [0.25, 0.25]]])
    """
    form = multilinear.average_pooling(
        2, shape_of(input), kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
        padding_mode=padding_mode, axes=axes, same=same,
    )  # fmt: skip
    return apply(Gather("avg_pool2d", form, "y", ("x",)), input)


def avg_pool3d(
    input: Any,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    padding_mode: str = "zeros",
    axes: str | None = None,
    same: str = "symmetric",
) -> Tensor:
    """3-D average pooling of a tensor, with its gradient.

        y[n, c, o0, o1, o2] = sum over r0, r1, r2 of x[n, c, stride0*o0 + r0 - padding0, …] / count[o0, o1, o2]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, i1, i2) or (C, i0, i1, i2)
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, axes, same
        As of `convsym.avg_pool3d`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError
        As `convsym.avg_pool3d`.

    Examples
    --------
    >>> from convsym.autograd import avg_pool3d, tensor
    >>> x = tensor([[[[1, 2], [3, 4]]]], requires_grad=True)
    >>> avg_pool3d(x, (1, 2, 2)).sum().backward()
    >>> x.grad
    tensor([[[[0.25, 0.25],
              [0.25, 0.25]]]])
    """
    form = multilinear.average_pooling(
        3, shape_of(input), kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
        padding_mode=padding_mode, axes=axes, same=same,
    )  # fmt: skip
    return apply(Gather("avg_pool3d", form, "y", ("x",)), input)


def avg_pool(
    input: Any,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
    *,
    padding_mode: str = "zeros",
    axes: str | None = None,
    same: str = "symmetric",
) -> Tensor:
    """N-D average pooling of a tensor, with its gradient.

        y[n, c, o0, …] = sum over r0, … of x[n, c, stride0*o0 + r0 - padding0, …] / count[o0, …]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, …) or (C, i0, …)
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, axes, same
        As of `convsym.avg_pool`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError
        As `convsym.avg_pool`.

    Examples
    --------
    >>> from convsym.autograd import avg_pool, tensor
    >>> x = tensor([[1, 2, 3, 4, 5]], requires_grad=True)
    >>> avg_pool(x, (2,)).sum().backward()
    >>> x.grad
    tensor([[0.5, 0.5, 0.5, 0.5, 0. ]])
    """
    form = multilinear.average_pooling(
        None, shape_of(input), kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
        padding_mode=padding_mode, axes=axes, same=same,
    )  # fmt: skip
    return apply(Gather("avg_pool", form, "y", ("x",)), input)


def unfold(
    input: Any,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    stride: PerAxis = 1,
    *,
    padding_mode: str = "zeros",
    same: str = "symmetric",
) -> Tensor:
    """The windows of a convolution as columns (im2col); its gradient is `fold`.

        y[n, (c, r0, …), (o0, …)] = x[n, c, stride0*o0 + dilation0*r0 - padding0, …]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C, i0, …) or (C, i0, …)
    kernel_size, dilation, padding, stride, padding_mode, same
        As of `convsym.unfold`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError
        As `convsym.unfold`.

    Examples
    --------
    >>> from convsym.autograd import tensor, unfold
    >>> x = tensor([[1, 2, 3, 4]], requires_grad=True)
    >>> unfold(x, (3,)).sum().backward()
    >>> x.grad
    tensor([[1., 2., 2., 1.]])
    """
    form = multilinear.unfolding(
        shape_of(input), kernel_size, dilation, padding, stride, padding_mode=padding_mode, same=same
    )
    return apply(Gather("unfold", form, "y", ("x",)), input)


def fold(
    input: Any,
    output_size: PerAxis,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    stride: PerAxis = 1,
    *,
    padding_mode: str = "zeros",
    same: str = "symmetric",
) -> Tensor:
    """Columns added back to where windows take them from (col2im); its gradient is `unfold`.

        y[n, c, stride0*o0 + dilation0*r0 - padding0, …] += x[n, (c, r0, …), (o0, …)]

    Parameters
    ----------
    input : Tensor or ndarray, shape (N, C*r0*…, o0*…) or (C*r0*…, o0*…)
    output_size, kernel_size, dilation, padding, stride, padding_mode, same
        As of `convsym.fold`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError, ShapeError
        As `convsym.fold`.

    Examples
    --------
    >>> from convsym.autograd import fold, tensor
    >>> columns = tensor([[1, 2], [3, 4], [5, 6]], requires_grad=True)
    >>> fold(columns, (4,), (3,))
    tensor([[1., 5., 9., 6.]], grad_fn=<FoldBackward0>)
    """
    form = multilinear.folding(
        shape_of(input), output_size, kernel_size, dilation, padding, stride, padding_mode=padding_mode, same=same
    )
    return apply(Gather("fold", form, "y", ("x",)), input)
