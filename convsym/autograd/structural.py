"""Functions that move the elements of tensors and compute nothing: a gradient goes back where its element came from."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from convsym.arguments import PADDING_MODES, Padding, one_of, padding_pairs
from convsym.autograd.leaves import as_tensor
from convsym.autograd.maps import Pad, axis_of, spreading
from convsym.autograd.tape import Tensor, apply
from convsym.errors import ShapeError
from convsym.kernels._generated import rules


def reshape(x: Any, shape: int | Sequence[int]) -> Tensor:
    """The same elements in the same order under another shape.

    Parameters
    ----------
    x : Tensor or ndarray
    shape : int or tuple of int
        One size may be -1.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        The elements do not fill the shape.

    Examples
    --------
    >>> from convsym.autograd import reshape, tensor
    >>> reshape(tensor([1, 2, 3, 4]), (2, -1))
    tensor([[1., 2.],
            [3., 4.]])
    """
    return as_tensor(x).reshape(shape)


def flatten(x: Any, start: int = 0, end: int = -1) -> Tensor:
    """Neighboring axes made one.

    Parameters
    ----------
    x : Tensor or ndarray
    start, end : int
        The first and the last of these axes; all of them without arguments.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import flatten
    >>> flatten(np.ones((2, 3, 4)), 1).shape
    (2, 12)
    """
    t = as_tensor(x)
    if not t.ndim:
        return t.reshape(1)
    first, last = axis_of(start, t.ndim), axis_of(end, t.ndim)
    if first > last:
        raise ShapeError(f"start={start} is behind end={end} in an array of {t.ndim} axes; exchange them")
    return t.reshape(*t.shape[:first], prod(t.shape[first : last + 1]), *t.shape[last + 1 :])


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """Axes of size 1 left out.

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int, tuple of int, or None
        Which; None is all of size 1.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        An axis has another size.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import squeeze
    >>> squeeze(np.ones((1, 3, 1)), 0).shape
    (3, 1)
    """
    t = as_tensor(x)
    given = [place for place, size in enumerate(t.shape) if size == 1] if axis is None else axis
    chosen = {axis_of(each, t.ndim) for each in ([given] if isinstance(given, int) else given)}
    if any(t.shape[place] != 1 for place in chosen):
        raise ShapeError(f"axis={axis} of shape {t.shape} has not size 1, and only such axes can be left out")
    return t.reshape(tuple(size for place, size in enumerate(t.shape) if place not in chosen))


def expand_dims(x: Any, axis: int) -> Tensor:
    """An axis of size 1 put in.

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int
        Its place in the result.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import expand_dims
    >>> expand_dims(np.ones((2, 3)), -1).shape
    (2, 3, 1)
    """
    t = as_tensor(x)
    place = axis_of(axis, t.ndim + 1)
    return t.reshape((*t.shape[:place], 1, *t.shape[place:]))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in another order.

    Parameters
    ----------
    x : Tensor or ndarray
    axes : sequence of int, optional
        For each axis of the result the one that it was; reversed by default.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        Not every axis is named once.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import transpose
    >>> transpose(np.ones((2, 3, 4)), (0, 2, 1)).shape
    (2, 4, 3)
    """
    return as_tensor(x).transpose() if axes is None else as_tensor(x).transpose(tuple(axes))


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Axes moved to other places; the others keep their order.

    Parameters
    ----------
    x : Tensor or ndarray
    source, destination : int or sequence of int

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        There is no such axis, one is named twice, or there are more sources than destinations.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import moveaxis
    >>> moveaxis(np.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    t = as_tensor(x)
    given = ([axes] if isinstance(axes, int) else axes for axes in (source, destination))
    froms, tos = ([axis_of(each, t.ndim) for each in axes] for axes in given)
    if not len(set(froms)) == len(set(tos)) == len(froms) == len(tos):
        raise ShapeError(f"source={source} and destination={destination} do not name as many axes, each of them once")
    order = [place for place in range(t.ndim) if place not in froms]
    for to, place in sorted(zip(tos, froms, strict=True)):
        order.insert(to, place)
    return t.transpose(tuple(order))


def broadcast_to(x: Any, shape: Sequence[int]) -> Tensor:
    """A tensor repeated along axes that it has not, or has with size 1; its gradient is summed over them.

    Parameters
    ----------
    x : Tensor or ndarray
    shape : sequence of int

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        It does not broadcast to that.

    Examples
    --------
    >>> from convsym.autograd import broadcast_to, tensor
    >>> x = tensor([1, 2], requires_grad=True)
    >>> broadcast_to(x, (3, 2)).sum().backward()
    >>> x.grad
    tensor([3., 3.])
    """
    t = as_tensor(x)
    return apply(spreading(t.shape, tuple(shape)), t)


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """The elements in reversed order along axes.

    Parameters
    ----------
    x : Tensor or ndarray
    axis : int, tuple of int, or None
        None is all axes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from convsym.autograd import flip, tensor
    >>> flip(tensor([1, 2, 3]))
    tensor([3., 2., 1.])
    """
    t = as_tensor(x)
    given = range(t.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    chosen = {axis_of(each, t.ndim) for each in given}
    return t[tuple(slice(None, None, -1 if place in chosen else 1) for place in range(t.ndim))]


def pad(x: Any, padding: Padding, padding_mode: str = "zeros", value: float = 0.0) -> Tensor:
    """Elements put around a tensor along its last axes.

    Parameters
    ----------
    x : Tensor or ndarray
    padding : int, tuple of int, or tuple of pairs
        One number for all axes; or one, or (before, after), for each of the last axes. A negative number crops.
    padding_mode : {"zeros", "circular", "reflect", "replicate", "symmetric"}
        What stands there, as of `convsym.conv`.
    value : float
        With "zeros", the number that stands there.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        There are more entries than axes, or the mode is not known.

    Examples
    --------
    >>> from convsym.autograd import pad, tensor
    >>> pad(tensor([1, 2, 3]), ((1, 2),), "circular")
    tensor([3., 1., 2., 3., 1., 2.])
    >>> pad(tensor([1, 2, 3]), ((-1, 2),), value=7)
    tensor([2., 3., 7., 7.])
    """
    t = as_tensor(x)
    one_of(padding_mode, "padding_mode", PADDING_MODES)
    rank = len(padding) if isinstance(padding, (tuple, list)) else t.ndim
    pairs = padding_pairs(padding, rank)
    if isinstance(pairs, str) or rank > t.ndim:
        raise ShapeError(f"padding={padding!r}, and it is numbers, for no more than the {t.ndim} axes of the tensor")
    for place, pair in enumerate(pairs, t.ndim - rank):
        if pair != (0, 0):
            t = _padded(t, place, pair, padding_mode, value)
    return t


def _padded(x: Tensor, place: int, pair: tuple[int, int], mode: str, value: float) -> Tensor:
    """One axis padded or cropped: by a number, or by the elements that the index map of the mode names."""
    low, high = pair
    size = x.shape[place] - max(-low, 0) - max(-high, 0)
    lead = (slice(None),) * place
    x = x[(*lead, slice(max(-low, 0), max(-low, 0) + max(size, 0)))]
    if mode == "zeros":
        widths = [(0, 0)] * x.ndim
        widths[place] = (max(low, 0), max(high, 0))
        return apply(Pad(x.shape, tuple(widths), value), x)
    return x[(*lead, rules.MODES[mode](np.arange(-max(low, 0), size + max(high, 0)), size))]
