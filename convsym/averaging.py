"""Means of windows: what average pooling and its gradients are computed by.

The sum of each window is taken one axis after the other and divided once; how many elements a window holds is the sum
of a window of ones.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from convsym import arguments, channelwise, cutting, gate, memory, sliding
from convsym.arguments import Padding, Parameters, PerAxis
from convsym.calls import delivered
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.layouts import Layout, read_axes
from convsym.meaning import RANKS
from convsym.rooms import Roomed


@dataclass(frozen=True)
class Pooling:
    """An average pooling, with everything but its arrays, as a caller said it.

    Attributes
    ----------
    rank : int
        Number of spatial axes.
    kernel_size : int or tuple of int
    parameters : Parameters
    count_include_pad : bool
    divisor_override : int or None
    axes : str or None
    """

    rank: int
    kernel_size: object
    parameters: Parameters
    count_include_pad: object
    divisor_override: object
    axes: object

    @classmethod
    def read(
        cls,
        rank: int | None,
        kernel_size: PerAxis,
        stride: PerAxis | None,
        padding: Padding,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: Any,
        padding_mode: str,
        axes: str | None,
        same: str,
    ) -> "Pooling":
        """The arguments of a public function; a rank of None is read off them."""
        step = kernel_size if stride is None else stride
        parameters = Parameters(step, padding, padding_mode=padding_mode, same=same, ceil_mode=ceil_mode)
        found = _rank(kernel_size, axes) if rank is None else rank
        return cls(found, kernel_size, parameters, count_include_pad, divisor_override, axes)

    @property
    def is_plain(self) -> bool:
        """Whether what was said is of the types that are meant, in standard order: equal ones mean the same then."""
        said = self.parameters
        numbers = (self.kernel_size, said.stride, said.padding, said.dilation, self.divisor_override or 0)
        flags, names = (self.count_include_pad, said.ceil_mode), (said.padding_mode, said.same)
        return (
            self.axes is None
            and all(map(_is_plain, numbers))
            and {*map(type, flags)} == {bool}
            and {*map(type, names)} == {str}
        )

    def layout(self) -> Layout | None:
        """The caller's order of axes, of input and output alike."""
        if self.axes is not None and not isinstance(self.axes, str):
            raise TypeError(f"axes={self.axes!r} is not understood; it is one text for input and output, e.g. 'NHWC'")
        return read_axes(self.axes, self.rank).input

    def geometry(self, shape: Shape, name: str) -> Geometry:
        """The windows over an array of a shape in standard order."""
        return sliding.resolve_windows(self.rank, shape, self.kernel_size, self.parameters, "average pooling", name)

    def divisor(self, geometry: Geometry) -> Array | int:
        """What the sum of each window is divided by: one number, or one for each window."""
        included = arguments.flag(self.count_include_pad, "count_include_pad")
        if self.divisor_override is not None:
            return _nonzero(arguments.integer(self.divisor_override, "divisor_override", None))
        if not included and geometry.mode != "zeros":
            raise ShapeError(
                f"count_include_pad=False leaves the padding out of the mean, and padding_mode={geometry.mode!r} fills "
                "it with elements of the input; leave one of the two away"
            )
        return _counts(geometry, included)


@lru_cache(maxsize=256)
def _counts(geometry: Geometry, included: bool) -> Array | int:
    """How many elements each window holds, of the padding too or not: at least one; a number where all hold as many."""
    counts = sliding.counts(geometry.on_extended() if included else geometry)
    if not counts.all():
        place = tuple(int(axis[0]) for axis in np.nonzero(counts == 0))
        raise ShapeError(
            f"the window at {place} lies in the padding alone, and count_include_pad=False leaves it nothing to "
            "average; lessen the padding, or count it"
        )
    counts.flags.writeable = False
    return int(counts.flat[0]) if counts.size and counts.min() == counts.max() else counts


def average(pooling: Pooling, input: object, out: Any) -> Array:
    """The mean of every window."""
    known = _known(pooling, "y", input, None) if out is None else None
    if known is not None:
        return known
    x, layout = _accepted(input, "input"), pooling.layout()
    standard = x if layout is None else layout.standard(x, "input")
    geometry = pooling.geometry(standard.shape, "input")
    divisor = pooling.divisor(geometry)

    def work(part: Array) -> Array:
        wide = gate.widened(part)
        if isinstance(divisor, int) and _is_compiled(geometry, "y", wide):
            return gate.narrowed(channelwise.run(geometry, "y", wide, divisor), x.dtype)
        return gate.narrowed(_quotient(sliding.sums(wide, geometry), divisor), x.dtype)

    needs = cutting.averaging(geometry, x.dtype)
    value = cutting.in_slices(work, standard, standard.ndim - pooling.rank, needs)
    return delivered(value, x.dtype, out, layout)


def average_gradient(pooling: Pooling, input_size: object, grad_output: object, out: Any) -> Array:
    """The adjoint of `average`: every element gets its share of the windows that hold it."""
    known = _known(pooling, "dx", grad_output, input_size) if out is None else None
    if known is not None:
        return known
    dy, layout = _accepted(grad_output, "grad_output"), pooling.layout()
    size = arguments.shape(input_size, "input_size")
    if layout is not None:
        size, standard = layout.standard_shape(size, "input_size"), layout.standard(dy, "grad_output")
    else:
        standard = dy
    geometry = pooling.geometry(size, "input_size")
    expected = (*size[: -pooling.rank], *geometry.outputs)
    if standard.shape != expected:
        raise ShapeError(
            f"grad_output has shape {standard.shape}, and with these sizes and parameters the output has "
            f"shape {expected}; check input_size, stride, padding and ceil_mode"
        )
    divisor = pooling.divisor(geometry)

    def work(part: Array) -> Array:
        wide = gate.widened(part)
        if isinstance(divisor, int) and _is_compiled(geometry, "dx", wide):
            return gate.narrowed(channelwise.run(geometry, "dx", wide, divisor), dy.dtype)
        return gate.narrowed(sliding.spread(_quotient(wide, divisor), geometry), dy.dtype)

    needs = cutting.sharing(geometry, dy.dtype)
    value = cutting.in_slices(work, standard, standard.ndim - pooling.rank, needs)
    return delivered(value, dy.dtype, out, layout)


def _is_compiled(geometry: Geometry, result: str, array: Array) -> bool:
    """Whether sums that are divided by one number are divided where they are made."""
    return geometry.mode == "zeros" and channelwise.serves(geometry, result, array)


def _known(pooling: Pooling, result: str, array: object, size: object) -> Array | None:
    """The result of a call whose kind is known, of an array as kernels read it; None for others."""
    if type(array) is not np.ndarray or array.dtype.char not in "fd":
        return None
    asked: Any = array.shape if result == "y" else size
    if not (pooling.is_plain and _is_plain(asked) and gate.is_native(array) and gate.is_laid_out(array)):
        return None
    route = _route(pooling, result, asked, array.shape, array.dtype.char)
    if route is None or memory.exceeds(route[0].elements * array.itemsize):
        return None
    jobs, shape = route
    out = np.empty(shape, array.dtype)
    jobs.run(out, [array])
    return out


@lru_cache(maxsize=256)
def _route(pooling: Pooling, result: str, size: Shape, shape: Shape, char: str) -> tuple[Roomed, Shape] | None:
    """What calls of a kind do, and the shape of what they make; None where more is to be looked at."""
    geometry = pooling.geometry(size, "input" if result == "y" else "input_size")
    lead, divisor = size[: -pooling.rank], pooling.divisor(geometry)
    outputs = (*lead, *geometry.outputs)
    array = np.broadcast_to(np.zeros((), char), shape)
    if not isinstance(divisor, int) or shape != (size if result == "y" else outputs):
        return None
    if not _is_compiled(geometry, result, array):
        return None
    return channelwise.plan(geometry, result, prod(lead), divisor), outputs if result == "y" else size


def _is_plain(value: object) -> bool:
    """Whether a value is made of integers, so that values that are equal mean the same."""
    return type(value) is int or (type(value) is tuple and all(map(_is_plain, value)))


def _accepted(value: object, name: str) -> Array:
    """An array whose dtype has means."""
    array = gate.accept(value, name)
    if array.dtype.kind in "iu":
        raise TypeError(
            f"{name} has dtype {array.dtype}, and the mean of integers is none in general; "
            f"convert it first, e.g. {name}.astype(np.float64)"
        )
    return array


def _quotient(value: Array, divisor: Array | int) -> Array:
    """Each number divided once; the parts of a complex one apart, so that one of them alone may be infinite or NaN."""
    if isinstance(divisor, np.ndarray):
        divisor = divisor.astype(value.real.dtype)
    if value.dtype.kind != "c":
        quotient: Array = value / divisor
        return quotient
    parts = np.empty_like(value)
    parts.real, parts.imag = value.real / divisor, value.imag / divisor
    return parts


def _nonzero(divisor: int) -> int:
    if divisor == 0:
        raise ShapeError("divisor_override is 0, and nothing can be divided by it; None divides by the count")
    return divisor


def _rank(kernel_size: object, axes: object) -> int:
    """Number of spatial axes, from what tells it."""
    if isinstance(kernel_size, (tuple, list)):
        found, what = len(kernel_size), f"kernel_size={kernel_size!r} has {len(kernel_size)} entries"
    elif isinstance(axes, str):
        found = len(axes.replace("N", "").replace("C", ""))
        what = f"axes={axes!r} has {found} spatial axes"
    else:
        size = arguments.integer(kernel_size, "kernel_size", 1)
        raise ShapeError(
            f"kernel_size is {size}, and that leaves open how many axes are spatial; give one number for each, e.g. "
            f"kernel_size={(size, size)}, or call avg_pool1d, avg_pool2d or avg_pool3d"
        )
    if found not in RANKS:
        raise ShapeError(f"{what}, and there may be {RANKS[0]} to {RANKS[-1]} spatial axes")
    return found
