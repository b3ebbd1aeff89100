"""Tensors made one, and cut into parts."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from convsym.autograd.held import constant, plain
from convsym.autograd.leaves import as_tensor
from convsym.autograd.maps import Concatenate, Shape, axis_of
from convsym.autograd.structural import expand_dims
from convsym.autograd.tape import Tensor, apply
from convsym.errors import ShapeError


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors one after the other along an axis.

    Parameters
    ----------
    arrays : sequence of Tensor or ndarray
    axis : int

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        There are none, or other axes differ.

    Examples
    --------
    >>> from convsym.autograd import concatenate, tensor
    >>> concatenate([tensor([1, 2]), tensor([3])])
    tensor([1., 2., 3.])
    """
    shapes = [np.shape(constant(plain(array))) for array in arrays]
    if not shapes:
        raise ShapeError("arrays is empty, and there is nothing to concatenate; give at least one tensor")
    place = axis_of(axis, len(shapes[0]))
    if len({_without(shape, place) for shape in shapes}) > 1:
        raise ShapeError(f"shapes {', '.join(map(str, shapes))} differ along another axis than {axis}")
    return apply(Concatenate(place, tuple(shape[place] for shape in shapes)), *arrays)


def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors of one shape along a new axis.

    Parameters
    ----------
    arrays : sequence of Tensor or ndarray
    axis : int
        Place of the new axis.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        There are none, or their shapes differ.

    Examples
    --------
    >>> from convsym.autograd import stack, tensor
    >>> stack([tensor([1, 2]), tensor([3, 4])], axis=1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    return concatenate([expand_dims(array, axis) for array in arrays], axis)


def split(x: Any, sizes: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """A tensor cut along an axis.

    Parameters
    ----------
    x : Tensor or ndarray
    sizes : int or sequence of int
        Size of every part (the last may be smaller), or of each of them.
    axis : int

    Returns
    -------
    list of Tensor

    Raises
    ------
    ShapeError
        The sizes do not add up to that of the axis.

    Examples
    --------
    >>> from convsym.autograd import split, tensor
    >>> split(tensor([1, 2, 3]), 2)
    [tensor([1., 2.]), tensor([3.])]
    """
    t = as_tensor(x)
    place = axis_of(axis, t.ndim)
    whole = t.shape[place]
    if isinstance(sizes, int):
        if sizes < 1:
            raise ShapeError(f"sizes={sizes}, and a part has at least one element")
        sizes = [min(sizes, whole - start) for start in range(0, whole, sizes)]
    stops = np.cumsum([0, *sizes]).tolist()
    if min(sizes, default=0) < 0 or stops[-1] != whole:
        raise ShapeError(f"sizes {tuple(sizes)} do not add up to {whole}, the size of axis {axis}")
    lead = (slice(None),) * place
    return [t[(*lead, slice(start, stop))] for start, stop in pairwise(stops)]


def _without(shape: Shape, place: int) -> Shape:
    return (*shape[:place], *shape[place + 1 :])
