"""The meaning of a convolution call: its arguments checked once and resolved to a `Geometry`.

Sizes come from the rules generated with the kernels: no formula for one is written here.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import isqrt, prod

from convsym import arguments
from convsym.arguments import Pairs, Parameters
from convsym.errors import ShapeError
from convsym.geometry import Geometry, Shape, dilated_size
from convsym.kernels._generated import rules
from convsym.kernels.preparation import FARTHEST

RANKS = range(1, 6)
_NAMES = ("input", "weight")
_DIVISORS = 1000  # up to here divisors are looked for; a size that is no array's can have any number of digits


def resolve(
    rank: int, input_shape: Shape, weight_shape: Shape, parameters: Parameters, names: tuple[str, str] = _NAMES
) -> Geometry:
    """Check the arguments of a convolution of `rank` spatial axes and fix its `Geometry`.

    Parameters
    ----------
    rank : int
    input_shape, weight_shape : tuple of int
        (N, C, i0, …) or (C, i0, …), and (K, C/groups, r0, …).
    parameters : Parameters
    names : pair of str
        What the caller calls the two shapes' arguments, for messages.

    Raises
    ------
    TypeError, ShapeError
        A sentence about the argument that is wrong.
    """
    batched = check_rank(rank, input_shape, names[0])
    _check_weight_rank(rank, weight_shape, names[1], "output channels, input channels per group")
    return _fitted(
        batched, input_shape if batched else (1, *input_shape), weight_shape, _normal(parameters, rank), names
    )


def resolve_transposed(
    rank: int,
    input_shape: Shape,
    weight_shape: Shape,
    parameters: Parameters,
    output_padding: object,
    names: tuple[str, str] = _NAMES,
) -> Geometry:
    """The `Geometry` of the convolution whose adjoint a transposed convolution is.

    Its y has the shape of the transposed convolution's input, its x that of the output.

    Parameters
    ----------
    rank : int
    input_shape, weight_shape : tuple of int
        (N, C, i0, …) or (C, i0, …), and (C, K/groups, r0, …).
    parameters : Parameters
    output_padding : int or tuple of int
        Further elements at the end of the output that convolving back does not need.
    names : pair of str

    Raises
    ------
    TypeError, ShapeError
        A sentence about the argument that is wrong.
    """
    batched = check_rank(rank, input_shape, names[0])
    _check_weight_rank(rank, weight_shape, names[1], "input channels, output channels per group")
    further = arguments.per_axis(output_padding, rank, "output_padding", 0)
    shape = input_shape if batched else (1, *input_shape)
    return _fitted_transposed(batched, shape, weight_shape, _normal(parameters, rank), further, names)


@dataclass(frozen=True)
class _Normal:
    """`Parameters` in their normal form: one number for each axis."""

    stride: Shape
    dilation: Shape
    padding: Pairs | str
    groups: int
    input_dilation: Shape
    mode: str
    flip: bool
    same: str
    ceil_mode: bool

    def pairs(self, sizes: Shape, kernel: Shape) -> Pairs:
        """The padding as pairs, for (dilated) input sizes and a kernel."""
        if not isinstance(self.padding, str):
            return self.padding
        convention = self.padding
        if convention == "same" and self.same != "symmetric":
            convention = {"tf": "same upper", "lower": "same lower"}[self.same]
        return tuple(map(rules.PADDINGS[convention], sizes, kernel, self.stride, self.dilation))


def _normal(parameters: Parameters, rank: int) -> _Normal:
    return _Normal(
        arguments.per_axis(parameters.stride, rank, "stride", 1),
        arguments.per_axis(parameters.dilation, rank, "dilation", 1),
        arguments.padding_pairs(parameters.padding, rank),
        arguments.integer(parameters.groups, "groups", 1),
        arguments.per_axis(parameters.input_dilation, rank, "input_dilation", 1),
        arguments.one_of(parameters.padding_mode, "padding_mode", arguments.PADDING_MODES),
        arguments.flag(parameters.flip, "flip"),
        arguments.one_of(parameters.same, "same", arguments.SAME),
        arguments.flag(parameters.ceil_mode, "ceil_mode"),
    )


# Sizes and parameters are plain integers by now; calls repeat, and looking a geometry up takes a tenth of the time.
@lru_cache(maxsize=1024)
def _fitted(
    batched: bool, input_shape: Shape, weight_shape: Shape, normal: _Normal, names: tuple[str, str]
) -> Geometry:
    """The Geometry of arguments of the right form, if they fit together."""
    batch, in_channels, *inputs = input_shape
    out_channels, into, *kernel = weight_shape
    public = input_shape[not batched :]
    axes = _channel_axes(public, weight_shape, names)
    _check_divisors(normal.groups, (in_channels, out_channels), axes)
    if into != in_channels // normal.groups:
        raise ShapeError(
            f"{names[1]} has shape {weight_shape}, so it expects {into * normal.groups} input channels with "
            f"groups={normal.groups}, but {names[0]} has shape {public} with {in_channels}; "
            f"{names[1]}{_shape_suffix(names[1])}[1] must be {in_channels // normal.groups}"
        )
    _check_kernel(weight_shape, names[1])
    extents = tuple(map(dilated_size, inputs, normal.input_dilation))
    pairs = normal.pairs(extents, tuple(kernel))
    outputs = tuple(
        _output_size(axis, size, kernel[axis], normal, pairs[axis]) for axis, size in enumerate(extents)
    )
    return _geometry(batched, batch, (into, out_channels // normal.groups), inputs, kernel, outputs, pairs, normal)


@lru_cache(maxsize=1024)
def _fitted_transposed(
    batched: bool,
    input_shape: Shape,
    weight_shape: Shape,
    normal: _Normal,
    output_padding: Shape,
    names: tuple[str, str],
) -> Geometry:
    """The Geometry of the adjoint of arguments of the right form, if they fit together."""
    batch, in_channels, *inputs = input_shape
    weight_channels, into, *kernel = weight_shape
    public = input_shape[not batched :]
    _check_divisors(normal.groups, (in_channels,), _channel_axes(public, weight_shape, names))
    if weight_channels != in_channels:
        raise ShapeError(
            f"{names[1]} has shape {weight_shape}, so it expects {weight_channels} input channels, but {names[0]} has "
            f"shape {public} with {in_channels}; {names[1]}{_shape_suffix(names[1])}[0] must be {in_channels}"
        )
    _check_kernel(weight_shape, names[1])
    for axis, (further, step, spacing) in enumerate(zip(output_padding, normal.stride, normal.dilation, strict=True)):
        if further >= max(step, spacing):
            raise ShapeError(
                f"output_padding is {further} along spatial axis {axis}, and it must be smaller than stride ({step}) "
                f"or dilation ({spacing}) there: so many elements are left open by the size of the input"
            )
    spread = tuple(map(_spread, inputs, normal.stride, output_padding))
    pairs = normal.pairs(spread, tuple(kernel))
    outputs = tuple(
        _transposed_size(axis, size, kernel[axis], normal, pairs[axis], output_padding[axis], spread[axis])
        for axis, size in enumerate(inputs)
    )
    channels = (into, weight_channels // normal.groups)
    return _geometry(batched, batch, channels, outputs, kernel, inputs, pairs, normal)


def _geometry(
    batched: bool,
    batch: int,
    channels: tuple[int, int],
    inputs: list[int] | Shape,
    kernel: list[int] | Shape,
    outputs: list[int] | Shape,
    pairs: Pairs,
    normal: _Normal,
) -> Geometry:
    geometry = Geometry(
        batched,
        batch,
        normal.groups,
        channels,
        tuple(inputs),
        tuple(kernel),
        tuple(outputs),
        normal.stride,
        normal.dilation,
        pairs,
        normal.input_dilation,
        normal.mode,
        normal.flip,
    )
    _check_reach(geometry)
    return geometry if geometry.mode == "zeros" else _repeatable(geometry)


def _check_reach(geometry: Geometry) -> None:
    """Raise a ShapeError where an array could not be addressed; in Python's integers, which do not overflow."""
    for axis, (before, after) in enumerate(geometry.padding):
        numbers = {
            "the size": geometry.extents[axis],
            "the number of outputs times stride": geometry.outputs[axis] * geometry.stride[axis],
            "the kernel size times dilation": geometry.kernel[axis] * geometry.dilation[axis],
            "the padding": max(abs(before), abs(after)),
        }
        name = max(numbers, key=numbers.__getitem__)
        if numbers[name] >= FARTHEST // 16:
            raise ShapeError(
                f"{name} is {numbers[name]} along spatial axis {axis}, and positions are computed below 2**56; make it "
                "smaller"
            )
    shape = max(geometry.shapes.values(), key=_elements)
    if _elements(shape) >= FARTHEST // 2:
        raise ShapeError(
            f"an array of shape {shape} would be needed (with an axis for the groups), and arrays have fewer than "
            "2**59 elements; make the sizes, the groups or the padding smaller"
        )


def _elements(shape: Shape) -> int:
    """Number of elements; sizes of 0 count as 1, as NumPy counts them."""
    return prod(max(1, size) for size in shape)


def _repeatable(geometry: Geometry) -> Geometry:
    """A geometry with a padding mode, if there is something to repeat; in mode "zeros" if it pads nothing."""
    for axis, (size, pair) in enumerate(zip(geometry.extents, geometry.padding, strict=True)):
        if size + sum(min(side, 0) for side in pair) < 1 and max(pair) > 0:
            raise ShapeError(
                f"padding_mode={geometry.mode!r} repeats elements of the input, and along spatial axis {axis} there is "
                f"none: size {size} with padding {pair}; use padding_mode='zeros' or a larger input"
            )
    return geometry if geometry.margins else replace(geometry, mode="zeros")


def check_rank(rank: int, shape: Shape, name: str, op: str = "convolution") -> bool:
    """Whether a shape has a batch axis; a ShapeError if it can be neither."""
    if len(shape) not in (rank + 1, rank + 2):
        raise ShapeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) {name} to a {rank}-d {op}, "
            f"but {name} has {len(shape)} axes: {tuple(shape)}"
        )
    return len(shape) == rank + 2


def weight_rank(weight_shape: Shape, name: str = "weight") -> int:
    """Number of spatial axes of a weight: two fewer than it has axes."""
    rank = len(weight_shape) - 2
    if rank not in RANKS:
        raise ShapeError(
            f"{name} has {len(weight_shape)} axes: {weight_shape}; a convolution of {RANKS[0]} to {RANKS[-1]} spatial "
            f"axes needs {RANKS[0] + 2} to {RANKS[-1] + 2}: two of channels, then the kernel sizes"
        )
    return rank


def _check_weight_rank(rank: int, weight_shape: Shape, name: str, channels: str) -> None:
    if len(weight_shape) != rank + 2:
        sizes = ", ".join(f"kernel size {axis}" for axis in range(rank))
        raise ShapeError(
            f"{name} has shape {weight_shape}; a {rank}-d convolution needs {rank + 2} axes: {channels}, {sizes}"
        )


def _check_kernel(weight_shape: Shape, name: str) -> None:
    if 0 in weight_shape[2:]:
        raise ShapeError(f"{name} has shape {weight_shape}, and every kernel size must be at least 1")


def _channel_axes(input_shape: Shape, weight_shape: Shape, names: tuple[str, str]) -> tuple[str, str]:
    """How the caller writes the number of channels of the input and of the weight."""
    axis = 1 if len(input_shape) == len(weight_shape) else 0
    return f"{names[0]}{_shape_suffix(names[0])}[{axis}]", f"{names[1]}{_shape_suffix(names[1])}[0]"


def _check_divisors(groups: int, counts: tuple[int, ...], places: tuple[str, str]) -> None:
    """The number of groups must divide the numbers of channels."""
    for count, kind, place in zip(counts, ("input", "output"), places, strict=False):
        if count % groups:
            raise ShapeError(
                f"groups={groups} does not divide the {count} {kind} channels ({place}); "
                f"divisors are {_divisors(count)}"
            )


def _divisors(count: int) -> str:
    """The divisors of a number of channels; the first ones where it is too large to look for all."""
    small = [d for d in range(1, min(isqrt(count), _DIVISORS) + 1) if count % d == 0]
    all_of_them = sorted({*small, *(count // d for d in small)}) if count <= _DIVISORS**2 else [*small, "…"]
    return ", ".join(map(str, all_of_them))


def _output_size(axis: int, size: int, kernel: int, normal: _Normal, pair: tuple[int, int]) -> int:
    """Outputs along one axis; none at all is an error, as in torch."""
    stride, dilation = normal.stride[axis], normal.dilation[axis]
    count = rules.output_size(size, kernel, stride, dilation, *pair)
    if normal.ceil_mode and _hangs_over(count, size, kernel, stride, dilation, pair):
        count += 1
    if count < 1:
        raise ShapeError(
            f"the kernel is larger than the padded input along spatial axis {axis}: kernel size {kernel} "
            f"with dilation {dilation} against input size {size} with padding {pair}; "
            "enlarge the padding or the input"
        )
    return count


def _hangs_over(
    count: int, size: int, kernel: int, stride: int, dilation: int, pair: tuple[int, int]
) -> bool:
    """Whether a further window covers elements that `count` windows leave over, and starts before the padding after."""
    before, after = pair
    last = rules.read(count - 1, kernel - 1, stride, dilation, before)
    first = rules.read(count, 0, stride, dilation, before)
    return last < size - 1 + after and first < size + min(after, 0)


def _spread(size: int, stride: int, further: int) -> int:
    """The size from which "same" windows make `size` outputs: what named paddings of a transposed call refer to."""
    return dilated_size(size, stride) + further


def _transposed_size(
    axis: int, size: int, kernel: int, normal: _Normal, pair: tuple[int, int], further: int, spread: int
) -> int:
    """Outputs of a transposed convolution along one axis; none at all is an error, as in torch.

    A "same" padding is that of the output's own size, in which `output_padding` is counted already.
    """
    stride, dilation = normal.stride[axis], normal.dilation[axis]
    count = rules.transposed_size(size, kernel, stride, dilation, *pair) + further
    if normal.padding == "same":
        count = spread
    if count < 1 or size < 1:
        raise ShapeError(
            f"the output of the transposed convolution is empty along spatial axis {axis}: input size {size}, kernel "
            f"size {kernel}, stride {stride}, dilation {dilation}, padding {pair}; lessen the padding or enlarge "
            "the input"
        )
    return count


def _shape_suffix(name: str) -> str:
    return "" if name.endswith(("_size", "_shape")) else ".shape"
