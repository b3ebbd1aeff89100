"""Layers of Keras: Conv1D to Conv3D, their transposes and depthwise ones, read from attributes or a config."""

from collections.abc import Mapping
from typing import Any, TypeVar

from convsym.arguments import Pairs, integer, one_of, per_axis
from convsym.errors import ShapeError
from convsym.kernels._generated import rules
from convsym.specs.forms import constant_pairs, unflipped
from convsym.specs.layer import Layer, Texts

L = TypeVar("L", bound=Layer)

_LETTERS = {1: "L", 2: "HW", 3: "DHW"}
KINDS = {
    **{f"Conv{rank}D": rank for rank in _LETTERS},
    **{f"Conv{rank}DTranspose": rank for rank in _LETTERS},
    **{f"DepthwiseConv{rank}D": rank for rank in (1, 2)},
}
_FIELDS = (
    "kernel_size", "strides", "padding", "dilation_rate", "data_format", "groups", "filters", "use_bias",
    "output_padding", "depth_multiplier",
)  # fmt: skip


def read(layer: Any, in_channels: Any, kind: type[L]) -> L:
    """A layer from a Keras layer, or from what keras.layers.serialize makes of it."""
    name, given = _parts(layer)
    rank, transposed, depthwise = KINDS[name], name.endswith("Transpose"), name.startswith("Depthwise")
    kernel = per_axis(_listed(given["kernel_size"]), rank, "kernel_size", 1)
    stride = per_axis(_listed(given.get("strides", 1)), rank, "strides", 1)
    dilation = per_axis(_listed(given.get("dilation_rate", 1)), rank, "dilation_rate", 1)
    if in_channels is None:
        in_channels = _built_channels(layer, -1 if transposed else -2, 1 if depthwise else given.get("groups") or 1)
    groups = given.get("groups") or 1
    if depthwise:
        if in_channels is None:
            raise ShapeError(
                f"a {name} has as many groups as input channels, and the layer is not built; give them: in_channels=…"
            )
        groups = integer(in_channels, "in_channels", 1)
    words = ("valid", "same", "causal") if name == "Conv1D" else ("valid", "same")
    word = one_of(str(given.get("padding", "valid")).lower(), "padding", words)
    bare = Layer(kernel, stride=stride, dilation=dilation, transposed=transposed)
    padding: Pairs | str = _cut(bare, word, _further(given, rank)) if transposed else word
    return kind(
        kernel,
        in_channels,
        given["depth_multiplier"] * groups if depthwise else given["filters"],
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bool(given.get("use_bias", True)),
        transposed=transposed,
        same="tf" if padding == "same" else "symmetric",
        axes=_texts(given.get("data_format"), rank, "GO" if depthwise else "OI" if transposed else "IO"),
    )


def _parts(layer: Any) -> tuple[str, dict[str, Any]]:
    """The name of the class, and its configuration."""
    if isinstance(layer, Mapping):
        if not isinstance(layer.get("config"), Mapping) or "class_name" not in layer:
            raise TypeError(
                "the config does not say of which class it is; give keras.layers.serialize(layer), or "
                "{'class_name': 'Conv2D', 'config': layer.get_config()}"
            )
        names, given = [str(layer["class_name"]).rpartition(">")[2]], dict(layer["config"])
    else:
        names = [cls.__name__ for cls in type(layer).__mro__]
        given = {field: getattr(layer, field) for field in _FIELDS if hasattr(layer, field)}
    name = next((name for name in names if name in KINDS), None)
    if name is not None:
        return name, given
    if names[0].startswith("SeparableConv"):
        raise TypeError(
            f"layer is a {names[0]}, which is two convolutions: a Depthwise{names[0].removeprefix('Separable')} and "
            "one "
            "with kernel size 1; describe each of them"
        )
    raise TypeError(f"layer is a {names[0]}, and a convolution of Keras is needed: {', '.join(KINDS)}")


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _built_channels(layer: Any, axis: int, groups: int) -> int | None:
    """The input channels of a built layer, from the axis of its kernel that has those of one group."""
    kernel = getattr(layer, "kernel", None) if getattr(layer, "built", False) else None
    return None if kernel is None else int(kernel.shape[axis]) * groups


def _further(given: dict[str, Any], rank: int) -> tuple[int, ...] | None:
    stated = given.get("output_padding")
    return None if stated is None else per_axis(_listed(stated), rank, "output_padding", 0)


def _cut(bare: Layer, word: str, further: tuple[int, ...] | None) -> Pairs:
    """What a transposed layer cuts off, from the size that Keras wants of a single element.

    "valid" shows all that a window reaches, "same" as many as the stride; with an output_padding it is counted
    from the window, or from its parity, as Keras has it. Half of what is cut goes before.
    """
    pairs = []
    for axis, (kernel, stride, dilation) in enumerate(zip(bare.kernel_size, bare.stride, bare.dilation, strict=True)):
        reach = rules.transposed_size(1, kernel, stride, dilation, 0, 0)
        if further is None:
            wanted = stride if word == "same" else max(reach, stride)
        else:
            wanted = _least(word, reach) + further[axis]
        low = max(reach - wanted, 0) // 2
        pairs.append((low, reach - wanted - low))
    return tuple(pairs)


def _least(word: str, reach: int) -> int:
    """What Keras counts an output_padding from, for a window that reaches so far."""
    return reach % 2 if word == "same" else reach


def _texts(data_format: Any, rank: int, channels: str) -> Texts:
    spatial = _LETTERS[rank]
    known = ("channels_last", "channels_first")
    form = one_of(data_format or "channels_last", "data_format", known)
    text = f"N{spatial}C" if form == known[0] else f"NC{spatial}"
    return text, spatial + channels, text


def config(layer: Layer) -> dict[str, Any]:
    """What keras.layers.deserialize makes the layer of.

    Raises
    ------
    ShapeError
        Keras cannot express the layer; the sentence says what can.
    """
    found = _keras_form(layer)
    given: dict[str, Any] = {"filters": found.out_channels, "kernel_size": found.kernel_size, "strides": found.stride}
    given |= _padding(found)
    given |= {
        "data_format": "channels_first" if layer.axes[0].startswith("NC") else "channels_last",
        "dilation_rate": found.dilation,
        "use_bias": found.bias,
    }
    name = f"Conv{found.rank}DTranspose" if found.transposed else f"Conv{found.rank}D"
    if not found.transposed:
        given["groups"] = found.groups
    return {"module": "keras.layers", "class_name": name, "config": given, "registered_name": None}


def _keras_form(layer: Layer) -> Layer:
    """The layer as Keras says it."""
    if layer.rank not in _LETTERS:
        raise ShapeError(f"the layer has {layer.rank} spatial axes, and Keras has 1 to 3; convsym.conv takes up to 5")
    if layer.out_channels is None:
        raise ShapeError(
            "out_channels is not known, and it is needed here; add it: dataclasses.replace(spec, "
            "out_channels=…)"
        )
    found = unflipped(layer)
    if found.padding_mode != "zeros":
        raise ShapeError(
            f"padding_mode={found.padding_mode!r} is unknown to Keras, which pads with zeros; pad with "
            "keras.ops.pad before "
            "it and take padding='valid'"
        )
    if any(step > 1 for step in found.input_dilation):
        raise ShapeError(
            f"input_dilation={found.input_dilation} with stride {found.stride} and flip={found.flip} has no layer "
            "in Keras, "
            "where only transposed ones dilate their input: with stride 1 and a flipped kernel"
        )
    if found.flip:
        raise ShapeError(
            "Keras does not flip kernels, and this layer's is flipped against Keras's; flip the weight's "
            "values"
        )
    if max(found.stride) > 1 and max(found.dilation) > 1:
        raise ShapeError(
            f"Keras refuses strides over 1 together with a dilation_rate over 1, and this layer has {found.stride} and "
            f"{found.dilation}; keras.ops.conv may take them, depending on the backend"
        )
    if found.transposed and found.groups != 1:
        raise ShapeError(
            f"groups={found.groups} is unknown to Keras's transposed layers; split the channels and use one layer "
            "for each"
        )
    return found


def _padding(layer: Layer) -> dict[str, Any]:
    """The words of Keras that mean this padding."""
    if layer.transposed:
        return _transposed_padding(layer)
    pairs = constant_pairs(layer)
    for word in ("valid", "same", "causal")[: 3 if layer.rank == 1 else 2]:
        said = Layer(layer.kernel_size, stride=layer.stride, padding=word, dilation=layer.dilation, same="tf")
        if constant_pairs(said) == pairs and (pairs is not None or layer.same == "tf"):
            return {"padding": word}
    raise ShapeError(
        f"padding={layer.padding!r} (same={layer.same!r}) with stride {layer.stride} is none of Keras's: 'valid', "
        "'same' "
        f"(as TensorFlow has it) and, in 1-D, 'causal'; put a ZeroPadding{layer.rank}D or Cropping{layer.rank}D "
        "before it "
        "and take padding='valid'"
    )


def _transposed_padding(layer: Layer) -> dict[str, Any]:
    pairs = constant_pairs(layer) or ()
    wanted = tuple((low, high - more) for (low, high), more in zip(pairs, layer.output_padding, strict=True))
    kernels = tuple(zip(layer.kernel_size, layer.stride, layer.dilation, strict=True))
    reaches = [rules.transposed_size(1, *numbers, 0, 0) for numbers in kernels]
    shown = [rules.transposed_size(1, *numbers, *pair) for numbers, pair in zip(kernels, wanted, strict=True)]
    for word in ("valid", "same"):
        counted = tuple(size - _least(word, reach) for size, reach in zip(shown, reaches, strict=True))
        allowed = all(0 <= more < step for more, step in zip(counted, layer.stride, strict=True))
        for further in (None, counted) if allowed else (None,):
            if _cut(layer, word, further) == wanted:
                return {"padding": word, "output_padding": further}
    raise ShapeError(
        f"the output is cut by {wanted} at its ends, and no padding and output_padding of Keras's {layer.rank}-D "
        f"transposed layer does that; take padding='valid' and a Cropping{layer.rank}D behind it"
    )
