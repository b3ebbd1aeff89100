"""Nodes of ONNX: Conv and ConvTranspose, read from their attributes."""

from collections.abc import Mapping
from typing import Any, TypeVar

from convsym.arguments import Pairs, integer, one_of, per_axis, shape
from convsym.errors import ShapeError
from convsym.kernels._generated import rules
from convsym.specs.forms import constant_pairs, unflipped
from convsym.specs.layer import Layer

L = TypeVar("L", bound=Layer)

KINDS = ("Conv", "ConvTranspose")
AUTO_PAD = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
_SAME = {"SAME_UPPER": "tf", "SAME_LOWER": "lower"}
# Of the attribute types of an AttributeProto, those that these nodes have.
_INT, _STRING, _INTS = 2, 3, 7


def read(node: Any, weight_shape: Any, input_sizes: Any, kind: type[L]) -> L:
    """A layer from a NodeProto, or from a dict with op_type and the attributes by name."""
    op_type, given, inputs = _parts(node)
    transposed = op_type == "ConvTranspose"
    weight = None if weight_shape is None else shape(_shape_of(weight_shape), "weight_shape")
    kernel = _kernel(given, weight)
    rank = len(kernel)
    groups = integer(given.get("group", 1), "group", 1)
    into, out = (None, None) if weight is None else (weight[1], weight[0])
    if weight is not None:
        into, out = (weight[0], weight[1] * groups) if transposed else (weight[1] * groups, weight[0])
    further = per_axis(given.get("output_padding", 0), rank, "output_padding", 0)
    bare = Layer(
        kernel,
        stride=given.get("strides", 1),
        dilation=given.get("dilations", 1),
        transposed=transposed,
        output_padding=further if transposed else 0,
    )
    padding, same = _padding(bare, given, input_sizes)
    return kind(
        kernel,
        into,
        out,
        stride=bare.stride,
        padding=padding,
        dilation=bare.dilation,
        groups=groups,
        bias=len(inputs) > 2 and bool(inputs[2]),
        transposed=transposed,
        output_padding=bare.output_padding,
        same=same,
    )


def _parts(node: Any) -> tuple[str, dict[str, Any], list[str]]:
    """Type, attributes and inputs of a node."""
    if isinstance(node, Mapping):
        given = dict(node)
        op_type, inputs = given.pop("op_type", None), list(given.pop("input", ("X", "W")))
    elif hasattr(node, "op_type") and hasattr(node, "attribute"):
        op_type, inputs = node.op_type, list(node.input)
        given = {entry.name: _value(entry) for entry in node.attribute}
    else:
        raise TypeError(
            f"node is a {type(node).__name__}, and a NodeProto is needed (or a dict with 'op_type' and the "
            "attributes); "
            "those of a model are in model.graph.node"
        )
    if op_type not in KINDS:
        raise TypeError(f"node is of type {op_type!r}, and a Conv or ConvTranspose is needed")
    auto = given.get("auto_pad", "NOTSET")
    given["auto_pad"] = one_of(auto.decode() if isinstance(auto, bytes) else auto, "auto_pad", AUTO_PAD)
    return op_type, given, inputs


def _value(entry: Any) -> Any:
    fields = {_INT: "i", _STRING: "s", _INTS: "ints"}
    value = getattr(entry, fields[entry.type]) if entry.type in fields else None
    return tuple(value) if value is not None and entry.type == _INTS else value


def _shape_of(value: Any) -> Any:
    return tuple(getattr(value, "shape", value))


def _kernel(given: dict[str, Any], weight: tuple[int, ...] | None) -> tuple[int, ...]:
    stated = given.get("kernel_shape")
    if stated is None and weight is None:
        raise ShapeError(
            "the node has no kernel_shape, which ONNX then takes from the weight; give the weight's shape: "
            "weight_shape=…"
        )
    if stated is not None and weight is not None and tuple(stated) != weight[2:]:
        raise ShapeError(f"kernel_shape is {tuple(stated)}, and weight_shape {weight} has {weight[2:]}")
    return tuple(stated) if stated is not None else weight[2:]  # type: ignore[index]


def _padding(bare: Layer, given: dict[str, Any], input_sizes: Any) -> tuple[Pairs | str, str]:
    """The padding, and which "same" is meant."""
    auto, pads = given["auto_pad"], given.get("pads")
    if auto != "NOTSET" and pads is not None and any(pads):
        raise ShapeError(f"auto_pad is {auto} and pads is {tuple(pads)}, and a node has one or the other")
    if bare.transposed and given.get("output_shape") is not None:
        wanted = per_axis(tuple(given["output_shape"])[-bare.rank :], bare.rank, "output_shape", 1)
        if input_sizes is None:
            raise ShapeError(
                f"output_shape={wanted} makes the padding depend on the input; give its spatial sizes: input_sizes=…"
            )
        sizes = per_axis(tuple(_shape_of(input_sizes)), bare.rank, "input_sizes", 1)
        return _cut(bare, sizes, wanted, auto), "symmetric"
    if auto in _SAME and bare.transposed:  # the output is stride times as large as the input: one element gives stride
        return _cut(bare, (1,) * bare.rank, bare.stride, auto), "symmetric"
    if auto in _SAME:
        return "same", _SAME[auto]
    if pads is None or auto == "VALID":
        return "valid", "symmetric"
    sides = tuple(integer(side, f"pads[{place}]", None) for place, side in enumerate(pads))
    if len(sides) != 2 * bare.rank:
        raise ShapeError(
            f"pads={sides} has {len(sides)} entries, and {bare.rank} spatial axes need {2 * bare.rank}: first all that "
            "come before, then all that come after"
        )
    return tuple(zip(sides[: bare.rank], sides[bare.rank :], strict=True)), "symmetric"


def _cut(bare: Layer, sizes: tuple[int, ...], wanted: tuple[int, ...], auto: str) -> Pairs:
    """What a transposed node cuts off so that its output has the wanted sizes; the odd element by the convention."""
    pairs = []
    for number, size in enumerate(sizes):
        whole = rules.transposed_size(
            size, bare.kernel_size[number], bare.stride[number], bare.dilation[number], 0, 0
        )
        total = whole + bare.output_padding[number] - wanted[number]
        half = total // 2
        pairs.append((half, total - half) if auto == "SAME_UPPER" else (total - half, half))
    return tuple(pairs)


def attributes(layer: Layer) -> tuple[str, dict[str, Any]]:
    """Type and attributes of a node.

    Raises
    ------
    ShapeError
        ONNX cannot express the layer; the sentence says what can.
    """
    layer = unflipped(layer)
    if layer.padding_mode != "zeros":
        raise ShapeError(
            f"padding_mode={layer.padding_mode!r} is unknown to ONNX's {_type(layer)}, which pads with zeros; put a "
            "Pad node "
            "(mode reflect, edge or wrap) before it"
        )
    if any(step > 1 for step in layer.input_dilation):
        raise ShapeError(
            f"input_dilation={layer.input_dilation} with stride {layer.stride} and flip={layer.flip} has no node in "
            "ONNX, "
            "where only ConvTranspose dilates its input: with stride 1 and a flipped kernel"
        )
    if layer.flip:
        raise ShapeError(
            "ONNX does not flip kernels, and this layer's is flipped against ONNX's; flip the weight's "
            "values"
        )
    given: dict[str, Any] = {
        "kernel_shape": layer.kernel_size,
        "strides": layer.stride,
        "dilations": layer.dilation,
        "group": layer.groups,
    }
    pairs = constant_pairs(layer)
    if pairs is None:
        return _type(layer), given | {"auto_pad": {"tf": "SAME_UPPER", "lower": "SAME_LOWER"}[layer.same]}
    if not layer.transposed:
        return "Conv", given | {"pads": _sides(pairs)}
    # A negative end of the padding is what the output has more.
    shared = [(low, high - more) for (low, high), more in zip(pairs, layer.output_padding, strict=True)]
    pairs, further = tuple((low, max(high, 0)) for low, high in shared), tuple(max(-high, 0) for _, high in shared)
    for number, more in enumerate(further):
        least = max(layer.stride[number], layer.dilation[number])
        if more >= least:
            raise ShapeError(
                f"along spatial axis {number} the output has {more} elements more than its windows reach, and ONNX's "
                f"output_padding is smaller than stride or dilation ({least}); put a Pad node behind it"
            )
    return "ConvTranspose", given | {"pads": _sides(pairs), "output_padding": further}


def _type(layer: Layer) -> str:
    return KINDS[layer.transposed]


def _sides(pairs: Pairs) -> tuple[int, ...]:
    """ONNX's order: all that come before, then all that come after; none of them negative."""
    sides = (*(low for low, _ in pairs), *(high for _, high in pairs))
    if min(sides) < 0:
        raise ShapeError(
            f"padding={pairs!r} is negative, and pads of ONNX are at least 0; put a Slice node (or, for an output, "
            "a Pad "
            "node) beside it"
        )
    return sides


def write(layer: Layer) -> Any:
    """The node, with inputs X, W and, with a bias, B, and output Y.

    Raises
    ------
    ImportError
        onnx is not installed.
    ShapeError
        ONNX cannot express the layer.
    """
    op_type, given = attributes(layer)
    try:
        from onnx import helper
    except ImportError:
        raise ImportError(
            "onnx is not installed; spec.onnx_attributes() gives the attributes of the node without it"
        ) from None
    return helper.make_node(op_type, ["X", "W", "B"][: 2 + layer.bias], ["Y"], **given)
