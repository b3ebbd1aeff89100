"""Windows of NumPy arrays as columns and back, with the signatures of torch.nn.functional: im2col and col2im.

`unfold` copies every window of a convolution into a column; `fold`, its exact adjoint, adds the columns back.
"""

from math import prod
from typing import Any

from convsym import arguments, cutting, gate, sliding
from convsym.arguments import Padding, Parameters, PerAxis
from convsym.calls import delivered
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.meaning import RANKS


def unfold(
    input: Any,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    stride: PerAxis = 1,
    *,
    padding_mode: str = "zeros",
    out: Any = None,
    same: str = "symmetric",
) -> Array:
    """The windows of a convolution as columns (im2col), with 1 to 5 spatial axes.

        y[n, (c, r0, …), (o0, …)] = x[n, c, stride0*o0 + dilation0*r0 - padding0, …]

    A convolution is one product of matrices of it: ``w.reshape(K, -1) @ unfold(x, …)``. It is linear, so
    `convsym.fold`, its adjoint, is its gradient, and the gradient of that is `unfold` again.

    Parameters
    ----------
    input : ndarray, shape (N, C, i0, …) or (C, i0, …)
        The array x: any dtype of `convsym.conv`; nothing is computed, so every element arrives as it is.
    kernel_size : int or tuple of int
        Taps of a window, at least 1. A tuple holds one for each spatial axis and so tells how many there are; an int
        means two, as in torch.
    dilation, stride : int or tuple of int
        Distance of the taps, and of the windows; at least 1.
    padding : int, tuple of int, tuple of pairs, or str
        As of `convsym.conv`: a negative number crops; "valid", "same", "full" or "causal".
    padding_mode : {"zeros", "circular", "reflect", "replicate", "symmetric"}
        What stands around the input.
    out : ndarray, optional
        Where the result goes, of its shape and dtype; it may overlap the input.
    same : {"symmetric", "tf", "lower"}
        Which "same" is meant, see `convsym.conv`.

    Returns
    -------
    ndarray, shape (N, C*r0*…, o0*…) or (C*r0*…, o0*…)
        Of the input's dtype; rows run over (c, r0, …) and columns over (o0, …), the last of them fastest.

    Raises
    ------
    TypeError
        The input is no array of a dtype that is computed, or a parameter is no integer.
    ShapeError
        Sizes and parameters do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import unfold
    >>> unfold(np.arange(1, 6).reshape(1, 5), (3,), stride=2)
    array([[1, 3],
           [2, 4],
           [3, 5]])
    >>> unfold(np.arange(1, 6).reshape(1, 5), (2,), padding=((1, 0),), padding_mode="circular")
    array([[5, 1, 2, 3, 4],
           [1, 2, 3, 4, 5]])
    """
    x = gate.accept(input, "input")
    parameters = Parameters(stride, padding, dilation, padding_mode=padding_mode, same=same)
    return as_columns(x, unfolded_geometry(x.shape, kernel_size, parameters, "input"), out)


def fold(
    input: Any,
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
    """Columns added back to where windows take them from (col2im): the adjoint of `convsym.unfold`.

        y[n, c, stride0*o0 + dilation0*r0 - padding0, …] += x[n, (c, r0, …), (o0, …)]

    What windows share adds up; what they take from the padding is dropped, or added where the padding mode takes it
    from. It is linear: `convsym.unfold` is its gradient.

    Parameters
    ----------
    input : ndarray, shape (N, C*r0*…, o0*…) or (C*r0*…, o0*…)
        The columns x: any dtype of `convsym.conv`; float16 is summed in float32, integers wrap.
    output_size : int or tuple of int
        Spatial sizes of the result. A tuple tells how many spatial axes there are; else that of `kernel_size` does; two
        ints mean two axes, as in torch.
    kernel_size, dilation, padding, stride, padding_mode, same
        As given to `convsym.unfold`.
    out : ndarray, optional
        Where the result goes, of its shape and dtype; it may overlap the input.

    Returns
    -------
    ndarray, shape (N, C, *output_size) or (C, *output_size)
        Of the input's dtype.

    Raises
    ------
    TypeError
        The input is no array of a dtype that is computed, or a parameter is no integer.
    ShapeError
        The columns are not as many, or not as long, as windows of these sizes have them.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import fold
    >>> columns = np.array([[1, 3], [2, 4], [3, 5]])
    >>> fold(columns, (5,), (3,), stride=2)
    array([[1, 2, 6, 4, 5]])
    """
    columns = gate.accept(input, "input")
    parameters = Parameters(stride, padding, dilation, padding_mode=padding_mode, same=same)
    return from_columns(columns, folded_geometry(columns.shape, output_size, kernel_size, parameters), out)


def unfolded_geometry(shape: Shape, kernel_size: object, parameters: Parameters, name: str) -> Geometry:
    """The windows of `unfold` over an array of a shape that the caller calls `name`."""
    rank = window_rank(kernel_size, len(shape), name)
    return sliding.resolve_windows(rank, shape, kernel_size, parameters, "unfold", name)


def folded_geometry(shape: Shape, output_size: object, kernel_size: object, parameters: Parameters) -> Geometry:
    """The windows that columns of a shape are of, over the result of `fold`."""
    rank = folded_rank(output_size, kernel_size)
    sizes = arguments.per_axis(output_size, rank, "output_size", 0)
    kernel = arguments.per_axis(kernel_size, rank, "kernel_size", 1)
    geometry = sliding.resolve_windows(
        rank, (*_lead(shape, kernel), *sizes), kernel, parameters, "fold", "output_size"
    )
    expected = sliding.laid_out_shape(geometry)
    if shape != expected:
        counts = " x ".join(map(str, geometry.outputs))
        raise ShapeError(
            f"input has shape {shape}, that is {shape[-1]} windows, and with output_size={sizes} and "
            f"these parameters there are {expected[-1]} ({counts}); check output_size, stride, padding and dilation"
        )
    return geometry


def as_columns(x: Array, geometry: Geometry, out: Any) -> Array:
    """The windows of an array in standard order as columns, in the caller's memory if there is some."""
    needs = cutting.laying_out(geometry, x.dtype)
    columns = cutting.in_slices(lambda part: sliding.lay_out(part, geometry), x, x.ndim - geometry.rank, needs)
    return delivered(columns.reshape(sliding.laid_out_shape(geometry)), x.dtype, out, None)


def from_columns(columns: Array, geometry: Geometry, out: Any) -> Array:
    """The adjoint of `as_columns`."""
    lead = geometry.public_shapes["x"][: -geometry.rank]
    windows = columns.reshape(*lead, *geometry.kernel, *geometry.outputs)  # a view: axes are parted, none are joined

    def work(part: Array) -> Array:
        return gate.narrowed(sliding.put_back(gate.widened(part), geometry), columns.dtype)

    needs = cutting.putting_back(geometry, columns.dtype)
    return delivered(cutting.in_slices(work, windows, len(lead), needs), columns.dtype, out, None)


def window_rank(kernel_size: object, axes: int, name: str) -> int:
    """Number of spatial axes of `unfold`: as many as the kernel has sizes, two for an int."""
    if isinstance(kernel_size, (tuple, list)):
        return _counted(kernel_size, "kernel_size")
    size = arguments.integer(kernel_size, "kernel_size", 1)
    if axes not in (3, 4):
        raise ShapeError(
            f"kernel_size is {size}, which means two spatial axes as in torch, but {name} has {axes} axes; "
            f"give one number for each spatial axis, e.g. kernel_size={(size,) * max(1, min(5, axes - 2))}"
        )
    return 2


def folded_rank(output_size: object, kernel_size: object) -> int:
    """Number of spatial axes of `fold`: as many as one of the two has sizes, two for ints."""
    for value, name in ((output_size, "output_size"), (kernel_size, "kernel_size")):
        if isinstance(value, (tuple, list)):
            return _counted(value, name)
    return 2


def _counted(sizes: tuple[Any, ...] | list[Any], name: str) -> int:
    if len(sizes) not in RANKS:
        raise ShapeError(
            f"{name}={sizes!r} has {len(sizes)} entries; give one for each spatial axis, {RANKS[0]} to {RANKS[-1]}"
        )
    return len(sizes)


def _lead(shape: Shape, kernel: Shape) -> Shape:
    """Batch and channels of columns of windows."""
    if len(shape) not in (2, 3):
        raise ShapeError(
            f"input has {len(shape)} axes: {shape}; fold needs 3, (N, channels * taps, windows), or 2 without the batch"
        )
    *batch, rows, _ = shape
    taps = prod(kernel)
    if rows % taps:
        raise ShapeError(
            f"input has {rows} rows (input.shape[{len(batch)}]), and with kernel_size={kernel} they must be a multiple "
            f"of {taps}: channels times taps"
        )
    return (*batch, rows // taps)
