"""The meaning of a convolution call: every size and parameter as one number for each axis, checked once.

A public function turns its arguments into a `Geometry`; the work is planned and done from that alone. Sizes
come from the rules generated with the kernels: no formula for one is written here.
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import isqrt
from operator import index

from convsym.errors import ShapeError
from convsym.kernels._generated import rules


@dataclass(frozen=True)
class Geometry:
    """A resolved convolution; tuples hold one entry for each spatial axis, the slowest axis first.

    `padding` holds the pairs (before, after) in elements; a negative number crops. `channels` are the input
    and output channels of one group. `batched` tells whether the arrays of the caller have a batch axis.
    One object serves every call with the same arguments, so what follows from it is computed once.
    """

    batched: bool
    batch: int
    groups: int
    channels: tuple[int, int]
    inputs: tuple[int, ...]
    kernel: tuple[int, ...]
    outputs: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]

    @cached_property
    def rank(self):
        """Number of spatial axes."""
        return len(self.kernel)

    @cached_property
    def shapes(self):
        """Shapes with the group axis, as the kernels see them, by name; a gradient has its array's."""
        into, out = self.channels
        return _with_gradients(
            x=(self.batch, self.groups, into, *self.inputs),
            w=(self.groups, out, into, *self.kernel),
            y=(self.batch, self.groups, out, *self.outputs),
        )

    @cached_property
    def public_shapes(self):
        """Shapes without the group axis, as the caller sees them, by name; a gradient has its array's."""
        into, out = (self.groups * size for size in self.channels)
        batch = (self.batch,) if self.batched else ()
        return _with_gradients(
            x=(*batch, into, *self.inputs),
            w=(out, self.channels[0], *self.kernel),
            y=(*batch, out, *self.outputs),
        )

    @cached_property
    def parameters(self):
        """Scalar parameters of the kernels, by name."""
        return {
            **{f"stride{axis}": value for axis, value in enumerate(self.stride)},
            **{f"dilation{axis}": value for axis, value in enumerate(self.dilation)},
            **{f"padding{axis}": before for axis, (before, _) in enumerate(self.padding)},
        }

    @cached_property
    def margins(self):
        """The zeros around x that windows read, as a pair for each spatial axis; None where they read none."""
        pairs = tuple((max(before, 0), max(after, 0)) for before, after in self.padding)
        return pairs if any(map(any, pairs)) else None

    def on_padded(self):
        """The same windows on an x that already has its `margins` around it."""
        return replace(
            self,
            inputs=tuple(size + sum(pair) for size, pair in zip(self.inputs, self.margins, strict=True)),
            padding=tuple((min(before, 0), min(after, 0)) for before, after in self.padding),
        )


def resolve(rank, input_shape, weight_shape, stride, padding, dilation, groups, names=("input", "weight")):
    """Check the arguments of a convolution of `rank` spatial axes and fix its `Geometry`.

    Parameters
    ----------
    rank : int
    input_shape, weight_shape : tuple of int
        (N, C, i0, …) or (C, i0, …), and (K, C/groups, r0, …).
    stride, dilation : int or tuple of int
    padding : int, tuple of int, tuple of pairs, "same" or "valid"
    groups : int
    names : pair of str
        What the caller calls the two shapes' arguments, for messages.

    Raises
    ------
    TypeError, ShapeError
        A sentence about the argument that is wrong.
    """
    batched = check_rank(rank, input_shape, names[0])
    if len(weight_shape) != rank + 2:
        raise ShapeError(
            f"{names[1]} has shape {weight_shape}; a {rank}-d convolution needs {rank + 2} axes: "
            f"output channels, input channels per group, {_sizes(rank)}"
        )
    return _fitted(
        batched,
        input_shape if batched else (1, *input_shape),
        weight_shape,
        per_axis(stride, rank, "stride", 1),
        _padding(padding, rank),
        per_axis(dilation, rank, "dilation", 1),
        _integer(groups, "groups", 1),
        names,
    )


# Sizes and parameters are plain integers by now; calls repeat, and looking a geometry up takes a tenth of the time.
@lru_cache(maxsize=1024)
def _fitted(batched, input_shape, weight_shape, stride, padding, dilation, groups, names):
    """The Geometry of arguments of the right form, if they fit together."""
    batch, in_channels, *inputs = input_shape
    out_channels, into, *kernel = weight_shape
    _check_groups(groups, in_channels, out_channels, into, input_shape[not batched :], weight_shape, names)
    if 0 in kernel:
        raise ShapeError(f"{names[1]} has shape {weight_shape}, and every kernel size must be at least 1")
    pairs = _same_pairs(kernel, dilation) if padding == "same" else padding
    outputs = tuple(map(_output_size, range(len(kernel)), inputs, kernel, stride, dilation, pairs))
    channels = (into, out_channels // groups)
    return Geometry(
        batched, batch, groups, channels, tuple(inputs), tuple(kernel), outputs, stride, dilation, pairs
    )


def check_rank(rank, shape, name):
    """Whether a shape has a batch axis; a ShapeError if it can be neither."""
    if len(shape) not in (rank + 1, rank + 2):
        raise ShapeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) {name} to a {rank}-d convolution, "
            f"but {name} has {len(shape)} axes: {tuple(shape)}"
        )
    return len(shape) == rank + 2


def shape_argument(value, name):
    """A shape that a caller gave as an argument, as a tuple of ints."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} is {value!r}, and a shape is needed: a tuple of integers")
    return tuple(_integer(size, f"{name}[{axis}]", 0) for axis, size in enumerate(value))


def per_axis(value, rank, name, least):
    """An int for all axes, or one for each, as a tuple."""
    if not isinstance(value, (tuple, list)):
        return (_integer(value, name, least),) * rank
    if len(value) not in (1, rank):
        raise ShapeError(
            f"{name}={value!r} has {len(value)} entries, and the convolution has {rank} spatial axes; "
            f"give one integer or {rank}"
        )
    entries = tuple(_integer(entry, f"{name}[{axis}]", least) for axis, entry in enumerate(value))
    return entries * (rank // len(entries))


def _padding(padding, rank):
    """Padding in any of its forms, as a pair (before, after) for each axis; "same" stays as it is."""
    if isinstance(padding, str):
        if padding == "same":
            return padding
        if padding != "valid":
            raise ShapeError(
                f"padding={padding!r} is not known; it is an integer, one for each axis, pairs "
                "(before, after) for each axis, 'same' or 'valid'"
            )
        padding = 0
    if isinstance(padding, (tuple, list)) and any(isinstance(entry, (tuple, list)) for entry in padding):
        if len(padding) != rank or any(
            not isinstance(entry, (tuple, list)) or len(entry) != 2 for entry in padding
        ):
            raise ShapeError(
                f"padding={padding!r} mixes forms or has the wrong length; with pairs it is one pair "
                f"(before, after) for each of the {rank} spatial axes"
            )
        return tuple(
            tuple(_integer(side, f"padding[{axis}][{place}]", None) for place, side in enumerate(pair))
            for axis, pair in enumerate(padding)
        )
    return tuple([(side, side) for side in per_axis(padding, rank, "padding", None)])


def _same_pairs(kernel, dilation):
    """The padding that keeps the size at stride 1, with the odd element at the end."""
    totals = map(rules.same_padding, kernel, dilation)
    return tuple((total // 2, total - total // 2) for total in totals)


def _integer(value, name, least):
    if type(value) is int and (least is None or value >= least):
        return value
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}), and an integer is needed") from None
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, and an integer is needed")
    if least is not None and number < least:
        raise ShapeError(f"{name} is {number}, and it must be at least {least}")
    return number


def _check_groups(groups, in_channels, out_channels, into, input_shape, weight_shape, names):
    """The channel axes of input and weight must agree with the number of groups."""
    input_name, weight_name = names
    channel_axis = 1 if len(input_shape) == len(weight_shape) else 0
    for count, kind, place in (
        (in_channels, "input", f"{input_name}{_shape_suffix(input_name)}[{channel_axis}]"),
        (out_channels, "output", f"{weight_name}{_shape_suffix(weight_name)}[0]"),
    ):
        if count % groups:
            raise ShapeError(
                f"groups={groups} does not divide the {count} {kind} channels ({place}); "
                f"divisors are {', '.join(map(str, _divisors(count)))}"
            )
    if into != in_channels // groups:
        raise ShapeError(
            f"{weight_name} has shape {weight_shape}, so it expects {into * groups} input channels with "
            f"groups={groups}, but {input_name} has shape {input_shape} with {in_channels}; "
            f"{weight_name}{_shape_suffix(weight_name)}[1] must be {in_channels // groups}"
        )


def _divisors(count):
    small = [d for d in range(1, isqrt(count) + 1) if count % d == 0]
    return sorted({*small, *(count // d for d in small)})


def _output_size(axis, size, kernel, stride, dilation, pair):
    """Outputs along one axis; none at all is an error, as in torch."""
    count = rules.output_size(size, kernel, stride, dilation, *pair)
    if count < 1:
        raise ShapeError(
            f"the kernel is larger than the padded input along spatial axis {axis}: kernel size {kernel} "
            f"with dilation {dilation} against input size {size} with padding {pair}; "
            "enlarge the padding or the input"
        )
    return count


def _with_gradients(**shapes):
    return {**shapes, **{f"d{name}": shape for name, shape in shapes.items()}}


def _shape_suffix(name):
    return "" if name.endswith("_size") else ".shape"


def _sizes(rank):
    return ", ".join(f"kernel size {axis}" for axis in range(rank))
