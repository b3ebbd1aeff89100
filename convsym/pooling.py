"""Average pooling of NumPy arrays, with the signatures of torch.nn.functional."""

from typing import Any

from convsym.arguments import Padding, PerAxis
from convsym.averaging import Pooling, average
from convsym.gate import Array


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
    out: Any = None,
    axes: str | None = None,
    same: str = "symmetric",
) -> Array:
    """1-D average pooling: the mean of each window of each channel.

        y[n, c, o] = sum over r of x[n, c, stride*o + r - padding] / count[o]

    Parameters
    ----------
    input : ndarray, shape (N, C, L) or (C, L)
        The signal x: float16, float32, float64, complex64, complex128, or object.
    kernel_size : int or tuple of int
        Elements of a window.
    stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, out, axes, same
        See `avg_pool`.

    Returns
    -------
    ndarray, shape (N, C, O) or (C, O)
        Of the input's dtype; sizes as of `avg_pool`.

    Raises
    ------
    TypeError, ShapeError
        As `avg_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import avg_pool1d
    >>> avg_pool1d(np.arange(1.0, 6.0).reshape(1, 5), 2)
    array([[1.5, 3.5]])
    >>> avg_pool1d(np.arange(1.0, 6.0).reshape(1, 5), 2, ceil_mode=True)
    array([[1.5, 3.5, 5. ]])
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
    return average(pooling, input, out)


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
    out: Any = None,
    axes: str | None = None,
    same: str = "symmetric",
) -> Array:
    """2-D average pooling: the mean of each window of each channel.

        y[n, c, o0, o1] = sum over r0, r1 of
            x[n, c, stride0*o0 + r0 - padding0, stride1*o1 + r1 - padding1] / count[o0, o1]

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W)
        The images x: float16, float32, float64, complex64, complex128, or object.
    kernel_size : int or tuple of int
        Elements of a window along each axis.
    stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, out, axes, same
        See `avg_pool`.

    Returns
    -------
    ndarray, shape (N, C, O0, O1) or (C, O0, O1)
        Of the input's dtype; sizes as of `avg_pool`.

    Raises
    ------
    TypeError, ShapeError
        As `avg_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import avg_pool2d
    >>> x = np.arange(16.0).reshape(1, 4, 4)
    >>> avg_pool2d(x, 2)
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    >>> avg_pool2d(x, 3, stride=2, padding=((1, 0), (1, 0)), count_include_pad=False)
    array([[[ 2.5,  4. ],
            [ 8.5, 10. ]]])
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
    return average(pooling, input, out)


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
    out: Any = None,
    axes: str | None = None,
    same: str = "symmetric",
) -> Array:
    """3-D average pooling: the mean of each window of each channel.

        y[n, c, o0, o1, o2] = sum over r0, r1, r2 of x[n, c, stride0*o0 + r0 - padding0, …] / count[o0, o1, o2]

    Parameters
    ----------
    input : ndarray, shape (N, C, D, H, W) or (C, D, H, W)
        The volumes x: float16, float32, float64, complex64, complex128, or object.
    kernel_size : int or tuple of int
        Elements of a window along each axis.
    stride, padding, ceil_mode, count_include_pad, divisor_override, padding_mode, out, axes, same
        See `avg_pool`.

    Returns
    -------
    ndarray, shape (N, C, O0, O1, O2) or (C, O0, O1, O2)
        Of the input's dtype; sizes as of `avg_pool`.

    Raises
    ------
    TypeError, ShapeError
        As `avg_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import avg_pool3d
    >>> avg_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), (2, 1, 2))
    array([[[[2.5],
             [4.5]]]])
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
    return average(pooling, input, out)


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
    out: Any = None,
    axes: str | None = None,
    same: str = "symmetric",
) -> Array:
    """Average pooling with 1 to 5 spatial axes: the mean of each window of each channel.

        y[n, c, o0, …] = sum over r0, … of x[n, c, stride0*o0 + r0 - padding0, …] / count[o0, …]

    It is linear: `convsym.grad.avg_pool_input` is its gradient, and the gradient of that is `avg_pool` again.

    Parameters
    ----------
    input : ndarray, shape (N, C, i0, …) or (C, i0, …)
        The array x: float16 (summed in float32), float32, float64, complex64, complex128, or object (exact for
        Fraction and SymPy). Integers are a TypeError, for their means are none.
    kernel_size : int or tuple of int
        Elements of a window, at least 1; one for each spatial axis, or one for all where `axes` tells how many
        there are.
    stride : int or tuple of int, optional
        Distance of the windows; by default they stand side by side: `kernel_size`.
    padding : int, tuple of int, tuple of pairs, or str
        As of `convsym.conv`, also more than half of a window: a negative number crops; "valid", "same", "full" or
        "causal".
    ceil_mode : bool
        Whether there is one more window where elements at the end of the padded input are left over; it hangs over
        the end, and must not start in the padding after the input.
    count_include_pad : bool
        Whether the padding counts as elements; what hangs over its end never does.
    divisor_override : int, optional
        Divide by this number, not by the count.
    padding_mode : {"zeros", "circular", "reflect", "replicate", "symmetric"}
        What stands around the input.
    out : ndarray, optional
        Where the result goes, of its shape and dtype; it may overlap the input.
    axes : str, optional
        Order of the axes of input and output, such as "NHWC": N the batch, C the channels.
    same : {"symmetric", "tf", "lower"}
        Which "same" is meant, see `convsym.conv`.

    Returns
    -------
    ndarray, shape (N, C, o0, …) or (C, o0, …)
        Of the input's dtype; NaN and infinity stay within the windows that hold them.

    Raises
    ------
    TypeError
        The input is no array of a dtype that has means, or a parameter is of the wrong type.
    ShapeError
        Sizes and parameters do not fit together; a window holds nothing to average; or `count_include_pad` is False
        with a padding mode that fills the padding.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import avg_pool
    >>> x = np.arange(6.0).reshape(1, 6)
    >>> avg_pool(x, (3,), stride=1, padding=1, padding_mode="circular")
    array([[2., 1., 2., 3., 4., 3.]])
    >>> avg_pool(x.reshape(2, 3, 1), 2, axes="HWC")
    array([[[2.]]])
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
    return average(pooling, input, out)
