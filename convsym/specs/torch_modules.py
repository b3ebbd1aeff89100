"""Layers of torch: nn.Conv1d to ConvTranspose3d, read from their attributes."""

from typing import Any, TypeVar

from convsym.errors import ShapeError
from convsym.specs.forms import constant_pairs, unflipped
from convsym.specs.layer import Layer, known_channels

L = TypeVar("L", bound=Layer)

KINDS = {f"{kind}{rank}d": rank for kind in ("Conv", "ConvTranspose") for rank in (1, 2, 3)}
_MODES = ("zeros", "reflect", "replicate", "circular")


def read(module: Any, kind: type[L]) -> L:
    """A layer from a module of torch.nn, or from anything with its class name and attributes."""
    names = [cls.__name__ for cls in type(module).__mro__]
    name = next((name for name in names if name in KINDS), None)
    if names[0].startswith("Lazy") and "Conv" in names[0]:
        raise TypeError(
            f"module is a {names[0]}, which learns its channels from its first input; call it once, then it is an "
            f"ordinary {names[0].removeprefix('Lazy')}"
        )
    if name is None:
        raise TypeError(
            f"module is {_what(module)}, and a convolution of torch.nn is needed: {', '.join(KINDS)}"
            + _inner(module)
        )
    transposed = name.startswith("ConvTranspose")
    return kind(
        tuple(module.kernel_size),
        module.in_channels,
        module.out_channels,
        stride=tuple(module.stride),
        padding=module.padding if isinstance(module.padding, str) else tuple(module.padding),
        dilation=tuple(module.dilation),
        groups=module.groups,
        bias=module.bias is not None,
        transposed=transposed,
        output_padding=tuple(module.output_padding) if transposed else 0,
        padding_mode=module.padding_mode,
    )


def _what(module: object) -> str:
    return f"the class {module.__name__}" if isinstance(module, type) else f"a {type(module).__name__}"


def _inner(module: Any) -> str:
    """Where a module holds convolutions, how to reach them."""
    children = getattr(module, "named_modules", None)
    if isinstance(module, type) or children is None:
        return ""
    found = [path for path, child in children() if path and type(child).__name__ in KINDS]
    return f"; it holds some: {', '.join(found[:3])}" if found else ""


def name_of(layer: Layer) -> str:
    """The class of torch.nn that a layer needs.

    Raises
    ------
    ShapeError
        torch has none.
    """
    return f"{'ConvTranspose' if _torch_form(layer).transposed else 'Conv'}{layer.rank}d"


def arguments(layer: Layer) -> dict[str, Any]:
    """The arguments of that class.

    Raises
    ------
    ShapeError
        torch cannot express the layer; the sentence says what can.
    """
    into, out = known_channels(layer)
    layer = _torch_form(layer)
    pairs = constant_pairs(layer)
    if pairs is None:
        raise ShapeError(
            f"padding={layer.padding!r} (same={layer.same!r}) with stride {layer.stride} depends on the input's size, "
            "and torch pads the same for every size; pad with torch.nn.functional.pad by "
            "spec.padding_pairs(input_shape), then convolve with padding=0"
        )
    padding, further = (_cut if layer.transposed else _around)(layer, pairs)
    given: dict[str, Any] = {
        "in_channels": into,
        "out_channels": out,
        "kernel_size": layer.kernel_size,
        "stride": layer.stride,
        "padding": padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
        "bias": layer.bias,
        "padding_mode": layer.padding_mode,
    }
    return {**given, "output_padding": further} if layer.transposed else given


def write(layer: Layer) -> Any:
    """The module, its weights as torch initializes them.

    Raises
    ------
    ImportError
        torch is not installed.
    ShapeError
        torch cannot express the layer.
    """
    given, name = arguments(layer), name_of(layer)
    try:
        from torch import nn
    except ImportError:
        raise ImportError(
            "torch is not installed; spec.torch_arguments() gives the arguments of the module without it"
        ) from None
    return getattr(nn, name)(**given)


def _torch_form(layer: Layer) -> Layer:
    """The layer as torch says it: no dilated input, no flipped kernel."""
    if layer.rank > 3:
        raise ShapeError(f"the layer has {layer.rank} spatial axes, and torch has 1 to 3; convsym.conv takes up to 5")
    found = unflipped(layer)
    if any(step > 1 for step in found.input_dilation):
        raise ShapeError(
            f"input_dilation={found.input_dilation} with stride {found.stride}, flip={found.flip} and "
            f"padding_mode={found.padding_mode!r} has no module in torch, where only ConvTranspose dilates its "
            "input: with "
            "stride 1, zeros around and a flipped kernel; put the zeros between the elements by hand"
        )
    if found.flip:
        raise ShapeError(
            "torch does not flip kernels, and this layer's is flipped against torch's; flip the weight's values along "
            "the spatial axes and take dataclasses.replace(spec, flip=…) with the other value"
        )
    if found.padding_mode not in _MODES:
        raise ShapeError(
            f"padding_mode={found.padding_mode!r} is none of torch's: {', '.join(_MODES)}; pad with numpy.pad, then "
            "convolve with padding=0"
        )
    if found.transposed and found.padding_mode != "zeros":
        raise ShapeError(
            f"padding_mode={found.padding_mode!r} is refused by torch's ConvTranspose{layer.rank}d, which has zeros "
            "only; convsym.conv_transpose computes it"
        )
    return found


def _around(layer: Layer, pairs: Any) -> tuple[Any, None]:
    """The padding of a convolution: the same before and after, not negative."""
    if all(before == after >= 0 for before, after in pairs):
        return tuple(before for before, _ in pairs), None
    if not _is_same(layer, pairs):
        raise ShapeError(
            f"padding={pairs!r} is not the same before and after, or negative, and torch pads both ends alike; put "
            "torch.nn.functional.pad before it, then convolve with padding=0"
        )
    return "same", None


def _is_same(layer: Layer, pairs: Any) -> bool:
    """Whether torch's padding="same" is this padding; it wants stride 1."""
    same = Layer(layer.kernel_size, padding="same", dilation=layer.dilation)
    return constant_pairs(same) == pairs and set(layer.stride) == {1}


def _cut(layer: Layer, pairs: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a transposed convolution cuts off both ends alike, and adds at the end of the output."""
    padding = tuple(before for before, _ in pairs)
    added = zip(pairs, layer.output_padding, strict=True)
    further = tuple(before - after + more for (before, after), more in added)
    for number, (before, more) in enumerate(zip(padding, further, strict=True)):
        least = max(layer.stride[number], layer.dilation[number])
        if before < 0 or not 0 <= more < least:
            cut = before, before - more
            raise ShapeError(
                f"along spatial axis {number} the output is cut by {cut[0]} at its start and {cut[1]} at its end, and "
                f"torch cuts as much at both ends, then adds an output_padding of 0 to {least - 1} at the end; take "
                "padding=0 and crop the output"
            )
    return padding, further
