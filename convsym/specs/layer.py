"""What a convolution layer is, without the values of its weights."""

from dataclasses import dataclass, replace

from convsym import arguments
from convsym.arguments import Number, Padding, Pairs, Parameters, PerAxis
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.layouts import Axes, read_axes
from convsym.meaning import RANKS, resolve, resolve_transposed

Texts = tuple[str, str, str]
_LETTERS = {1: "L", 2: "HW", 3: "DHW", 4: "UDHW", 5: "VUDHW"}


@dataclass(frozen=True, init=False)
class Layer:
    """Everything of a convolution layer but its weights' values: checked, with one number for each spatial axis.

    `convsym.Spec` is this with the ways to and from the frameworks; see there for the attributes.
    """

    kernel_size: Shape
    in_channels: int | None
    out_channels: int | None
    stride: Shape
    padding: Pairs | str
    dilation: Shape
    groups: int
    bias: bool
    transposed: bool
    output_padding: Shape
    padding_mode: str
    input_dilation: Shape
    flip: bool
    same: str
    axes: Texts

    def __init__(
        self,
        kernel_size: object,
        in_channels: Number | None = None,
        out_channels: Number | None = None,
        stride: PerAxis = 1,
        padding: Padding = 0,
        dilation: PerAxis = 1,
        groups: Number = 1,
        bias: bool = False,
        transposed: bool = False,
        output_padding: PerAxis = 0,
        padding_mode: str = "zeros",
        input_dilation: PerAxis = 1,
        flip: bool = False,
        same: str = "symmetric",
        axes: Axes = None,
    ) -> None:
        kernel = _kernel(kernel_size)
        rank = len(kernel)
        fields = {
            "kernel_size": kernel,
            "in_channels": None if in_channels is None else arguments.integer(in_channels, "in_channels", 1),
            "out_channels": None if out_channels is None else arguments.integer(out_channels, "out_channels", 1),
            "stride": arguments.per_axis(stride, rank, "stride", 1),
            "padding": arguments.padding_pairs(padding, rank),
            "dilation": arguments.per_axis(dilation, rank, "dilation", 1),
            "groups": arguments.integer(groups, "groups", 1),
            "bias": arguments.flag(bias, "bias"),
            "transposed": arguments.flag(transposed, "transposed"),
            "output_padding": arguments.per_axis(output_padding, rank, "output_padding", 0),
            "padding_mode": arguments.one_of(padding_mode, "padding_mode", arguments.PADDING_MODES),
            "input_dilation": arguments.per_axis(input_dilation, rank, "input_dilation", 1),
            "flip": arguments.flag(flip, "flip"),
            "same": arguments.one_of(same, "same", arguments.SAME),
            "axes": _texts(axes, rank, bool(transposed)),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        _check_channels(self)
        _check_kind(self)

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.kernel_size)

    @property
    def channel_axes(self) -> str:
        """The weight's channel axes in standard order."""
        return "IO" if self.transposed else "OI"

    @property
    def spatial(self) -> str:
        """The letters of the spatial axes."""
        return "".join(letter for letter in self.axes[0] if letter not in "NC")

    @property
    def weight_shape(self) -> Shape:
        """Shape of the weight, its axes in the order of ``axes[1]``.

        Raises
        ------
        ShapeError
            The numbers of channels are not known.
        """
        into, out = known_channels(self)
        sizes = dict(zip(self.spatial, self.kernel_size, strict=True)) | {"G": self.groups, "I": into, "O": out}
        shared = "IO" if "G" in self.axes[1] else self.channel_axes[1]  # counted for one group
        sizes |= {letter: sizes[letter] // self.groups for letter in shared}
        return tuple(sizes[letter] for letter in self.axes[1])

    def parameters(self) -> Parameters:
        """What the numeric calls need to know beside the arrays."""
        return Parameters(
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            padding_mode=self.padding_mode,
            input_dilation=self.input_dilation,
            flip=self.flip,
            same=self.same,
        )

    def geometry(self, sizes: Shape) -> Geometry:
        """The geometry of one channel, for an input of these spatial sizes.

        Raises
        ------
        ShapeError
            The layer does not take these sizes.
        """
        parameters, kernel, shape = replace(self.parameters(), groups=1), (1, 1, *self.kernel_size), (1, 1, *sizes)
        if self.transposed:
            return resolve_transposed(self.rank, shape, kernel, parameters, self.output_padding)
        return resolve(self.rank, shape, kernel, parameters)

    def axis(self, number: int) -> "Layer":
        """One spatial axis alone, with one channel."""
        return Layer(
            (self.kernel_size[number],),
            stride=self.stride[number],
            padding=self.padding if isinstance(self.padding, str) else (self.padding[number],),
            dilation=self.dilation[number],
            transposed=self.transposed,
            output_padding=self.output_padding[number],
            padding_mode=self.padding_mode,
            input_dilation=self.input_dilation[number],
            flip=self.flip,
            same=self.same,
        )

    def standard_weight(self, weight: Array) -> Array:
        """The weight with its axes in standard order, one of all groups first: what the numeric calls take.

        Raises
        ------
        ShapeError
            It is not of this layer's shape.
        """
        text = self.axes[1]
        self._check_weight(weight.shape)
        if "I" not in text:
            weight, text = weight[..., None], text + "I"
        grouped = "G" in text
        order = ("G" if grouped else "") + self.channel_axes + self.spatial
        weight = weight.transpose([text.index(letter) for letter in order])
        return weight.reshape(-1, *weight.shape[2:]) if grouped else weight

    def _check_weight(self, shape: Shape) -> None:
        text = self.axes[1]
        kernel = [shape[text.index(letter)] for letter in self.spatial] if len(shape) == len(text) else []
        if tuple(kernel) != self.kernel_size:
            raise ShapeError(
                f"weight has shape {shape}, and its axes are {text!r} with kernel size {self.kernel_size} along "
                f"{', '.join(self.spatial)}"
            )
        if None not in (self.in_channels, self.out_channels) and shape != self.weight_shape:
            raise ShapeError(f"weight has shape {shape}, and this layer's has {self.weight_shape}: axes {text!r}")


def known_channels(layer: Layer) -> tuple[int, int]:
    """The numbers of input and output channels.

    Raises
    ------
    ShapeError
        One of them is not known.
    """
    for name, count in (("in_channels", layer.in_channels), ("out_channels", layer.out_channels)):
        if count is None:
            raise ShapeError(
                f"{name} is not known, and it is needed here; add it: dataclasses.replace(spec, {name}=…)"
            )
    return layer.in_channels or 0, layer.out_channels or 0


def _kernel(kernel_size: object) -> Shape:
    if not isinstance(kernel_size, (tuple, list)):
        raise TypeError(
            f"kernel_size is {kernel_size!r}, and it must be a tuple with one size for each spatial axis, such as "
            "(3, 3)"
        )
    if len(kernel_size) not in RANKS:
        raise ShapeError(
            f"kernel_size={kernel_size!r} has {len(kernel_size)} entries, and a convolution has {RANKS[0]} to "
            f"{RANKS[-1]} spatial axes"
        )
    return tuple(arguments.integer(size, f"kernel_size[{axis}]", 1) for axis, size in enumerate(kernel_size))


def _check_channels(layer: Layer) -> None:
    """The number of groups must divide the numbers of channels, where they are known."""
    for name, count in (("in_channels", layer.in_channels), ("out_channels", layer.out_channels)):
        if count is not None and count % layer.groups:
            raise ShapeError(f"groups={layer.groups} does not divide {name}={count}")


def _check_kind(layer: Layer) -> None:
    """What only one of the two kinds of layers has."""
    if layer.transposed and any(step > 1 for step in layer.input_dilation):
        raise ShapeError(
            f"input_dilation={layer.input_dilation} is of convolutions, and this layer is transposed: what its stride "
            "does is dilating the input"
        )
    if not layer.transposed and any(layer.output_padding):
        raise ShapeError(
            f"output_padding={layer.output_padding} is of transposed convolutions, and this layer is none; padding "
            "after the input enlarges its output"
        )
    for axis, further in enumerate(layer.output_padding):
        least = max(layer.stride[axis], layer.dilation[axis])
        if further >= least:
            raise ShapeError(
                f"output_padding[{axis}] is {further}, and it must be smaller than stride ({layer.stride[axis]}) or "
                f"dilation ({layer.dilation[axis]}) there; a negative padding after the axis enlarges the output too"
            )


def _texts(axes: Axes, rank: int, transposed: bool) -> Texts:
    """Orders of the axes of input, weight and output; read_axes knows all of them but those of a weight with a G."""
    channels = "IO" if transposed else "OI"
    given = ("NC" + _LETTERS[rank],) if axes is None else (axes,) if isinstance(axes, str) else tuple(axes)
    if not 1 <= len(given) <= 3 or not all(isinstance(text, str) for text in given):
        read_axes(axes, rank, channels)
    spatial = "".join(letter for letter in given[0] if letter not in "NC")
    weight = given[1] if len(given) > 1 else channels + spatial
    output = given[2] if len(given) > 2 else given[0]
    plain = weight
    if weight.count("G") == 1:
        plain = weight.replace("G", "") if "I" in weight else weight.replace("G", "I")
    read_axes((given[0], plain, output), rank, channels)
    if "N" not in given[0]:
        raise ShapeError(
            f"axes={given[0]!r} has no N for the batch; arrays without a batch axis leave it out "
            "themselves"
        )
    return given[0], weight, output
