"""Calls of JAX: lax.conv_general_dilated and lax.conv_transpose, read from their arguments."""

from collections.abc import Sequence
from typing import Any, TypeVar

from convsym.arguments import Pairs, integer, padding_pairs, per_axis, shape
from convsym.errors import ShapeError
from convsym.kernels._generated import rules
from convsym.specs.forms import as_convolution, as_transposed, constant_pairs, plain
from convsym.specs.layer import Layer, Texts

L = TypeVar("L", bound=Layer)

_SAME = {"SAME": "tf", "SAME_LOWER": "lower"}
_LETTERS = "HWDXY"
_SWAP = str.maketrans("IO", "OI")
# What conv_transpose takes for dimension_numbers that are left out, by rank.
_CHANNELS_LAST = {
    1: ("NHC", "HIO", "NHC"),
    2: ("NHWC", "HWIO", "NHWC"),
    3: ("NHWDC", "HWDIO", "NHWDC"),
}


def read(
    rhs: Any,
    window_strides: Any,
    padding: Any,
    lhs_dilation: Any,
    rhs_dilation: Any,
    dimension_numbers: Any,
    groups: tuple[Any, Any],
    kind: type[L],
) -> L:
    """A layer from the arguments of lax.conv_general_dilated; `groups` are those of features and of the batch."""
    weight, rank = _weight(rhs)
    texts = _texts(dimension_numbers, rank, None)
    features = integer(groups[0], "feature_group_count", 1)
    if integer(groups[1], "batch_group_count", 1) != 1:
        raise ShapeError(
            f"batch_group_count is {groups[1]}, and a layer treats every sample of a batch alike; it must be 1. What "
            "it computes is a weight gradient: see convsym.grad"
        )
    spread = _ordered(lhs_dilation, "lhs_dilation", texts)
    if isinstance(padding, str) and set(spread) != {1}:
        raise ShapeError(
            f"padding={padding!r} with lhs_dilation={spread} is refused by conv_general_dilated; give pairs, or use "
            "Spec.from_jax_transpose"
        )
    same = _SAME.get(padding) if isinstance(padding, str) else None
    return kind(
        _kernel(weight, texts),
        _count(weight, texts, "I") * features,
        _count(weight, texts, "O"),
        stride=_ordered(window_strides, "window_strides", texts),
        padding="same" if same else _sides(padding, texts),
        dilation=_ordered(rhs_dilation, "rhs_dilation", texts),
        groups=features,
        input_dilation=spread,
        same=same or "symmetric",
        axes=texts,
    )


def read_transpose(
    rhs: Any,
    strides: Any,
    padding: Any,
    rhs_dilation: Any,
    dimension_numbers: Any,
    transpose_kernel: bool,
    use_consistent_padding: bool,
    kind: type[L],
) -> L:
    """A layer from the arguments of lax.conv_transpose."""
    weight, rank = _weight(rhs)
    texts = _texts(dimension_numbers, rank, _CHANNELS_LAST.get(rank))
    if transpose_kernel:  # the letters then are those of the convolution that it is the transpose of
        texts = texts[0], texts[1].translate(_SWAP), texts[2]
    bare = Layer(
        _kernel(weight, texts),
        stride=_ordered(strides, "strides", texts),
        dilation=_ordered(rhs_dilation, "rhs_dilation", texts),
        transposed=True,
    )
    if isinstance(padding, str):
        pairs = _cut(bare, padding)
    else:
        pairs = _sides(padding, texts)
        if not use_consistent_padding:  # pairs are of the dilated input, not of the convolution's
            pairs = _turned(bare, pairs)
    return kind(
        bare.kernel_size,
        _count(weight, texts, "I"),
        _count(weight, texts, "O"),
        stride=bare.stride,
        padding=pairs,
        dilation=bare.dilation,
        transposed=True,
        flip=not transpose_kernel,
        axes=texts,
    )


def _cut(bare: Layer, padding: str) -> Pairs:
    """What 'SAME' and 'VALID' of conv_transpose cut off: one element gives as many as the stride, or all it reaches."""
    if padding not in ("SAME", "VALID"):
        raise ShapeError(f"padding={padding!r} is not known to conv_transpose; it is 'SAME', 'VALID' or pairs")
    pairs = []
    for kernel, stride, dilation in zip(bare.kernel_size, bare.stride, bare.dilation, strict=True):
        reach = rules.transposed_size(1, kernel, stride, dilation, 0, 0)
        wanted = stride if padding == "SAME" else max(reach, stride)
        low = max(reach - wanted, 0) // 2
        pairs.append((low, reach - wanted - low))
    return tuple(pairs)


def _turned(bare: Layer, pairs: Pairs) -> Pairs:
    """Padding of the dilated input as padding of the transposed layer."""
    dilated = Layer(
        bare.kernel_size, padding=pairs, dilation=bare.dilation, input_dilation=bare.stride, flip=True
    )
    turned = as_transposed(dilated)
    assert turned is not None  # stride 1, constant padding, zeros around
    return turned.padding  # type: ignore[return-value]


def _weight(rhs: Any) -> tuple[tuple[int, ...], int]:
    weight = shape(tuple(getattr(rhs, "shape", rhs)), "rhs")
    if len(weight) < 3:
        raise ShapeError(f"rhs has shape {weight}, and a convolution needs two axes of channels and one spatial axis")
    return weight, len(weight) - 2


def _texts(numbers: Any, rank: int, default: Texts | None) -> Texts:
    """dimension_numbers as texts; a ConvDimensionNumbers holds places instead of letters."""
    if numbers is None:
        spatial = _LETTERS[:rank]
        return default or ("NC" + spatial, "OI" + spatial, "NC" + spatial)
    if hasattr(numbers, "lhs_spec"):
        places = (("NC", numbers.lhs_spec), ("OI", numbers.rhs_spec), ("NC", numbers.out_spec))
        texts = [
            "".join(letter for _, letter in sorted(zip(place, names + _LETTERS[:rank], strict=True)))
            for names, place in places
        ]
        return texts[0], texts[1], texts[2]
    if not isinstance(numbers, (tuple, list)) or len(numbers) != 3 or not all(isinstance(n, str) for n in numbers):
        raise TypeError(
            f"dimension_numbers is {numbers!r}, and it is None, a ConvDimensionNumbers, or three texts such as "
            "('NHWC', 'HWIO', 'NHWC')"
        )
    for text, others in zip(numbers, ("NC", "OI", "NC"), strict=True):
        if len(set(text)) != len(text) or set(text) != {*others, *numbers[0]} - ({*"NC"} - {*others}):
            raise ShapeError(
                f"dimension_numbers={tuple(numbers)!r} do not belong together: {text!r} needs {others[0]}, {others[1]} "
                "and the spatial letters that the others have, each once"
            )
    return numbers[0], numbers[1], numbers[2]


def _orders(texts: Texts) -> tuple[str, str]:
    """The spatial letters in the order of the input, which is ours, and in that of the weight, which is JAX's."""
    return "".join(c for c in texts[0] if c not in "NC"), "".join(c for c in texts[1] if c not in "IO")


def _permuted(entries: Sequence[Any], given: str, wanted: str) -> tuple[Any, ...]:
    found = dict(zip(given, entries, strict=True))
    return tuple(found[letter] for letter in wanted)


def _ordered(value: Any, name: str, texts: Texts) -> tuple[int, ...]:
    """Numbers that JAX has in the order of the weight's axes, in the order of the input's."""
    ours, theirs = _orders(texts)
    if value is None:
        value = 1
    return _permuted(per_axis(_listed(value), len(theirs), name, 1), theirs, ours)


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _sides(padding: Any, texts: Texts) -> Pairs:
    ours, theirs = _orders(texts)
    if isinstance(padding, str) and padding != "VALID":
        raise ShapeError(f"padding={padding!r} is not known to JAX; it is 'SAME', 'SAME_LOWER', 'VALID' or pairs")
    pairs = padding_pairs(0 if isinstance(padding, str) else tuple(map(_listed, padding)), len(theirs))
    return _permuted(pairs, theirs, ours)


def _kernel(weight: tuple[int, ...], texts: Texts) -> tuple[int, ...]:
    if len(texts[1]) != len(weight):
        raise ShapeError(f"rhs has shape {weight}, and dimension_numbers names its axes {texts[1]!r}")
    sizes = dict(zip(texts[1], weight, strict=True))
    return tuple(sizes[letter] for letter in _orders(texts)[0])


def _count(weight: tuple[int, ...], texts: Texts, letter: str) -> int:
    return weight[texts[1].index(letter)]


def arguments(layer: Layer) -> dict[str, Any]:
    """Arguments of lax.conv_general_dilated.

    Raises
    ------
    ShapeError
        It cannot express the layer; the sentence says what can.
    """
    found = _without_mode(plain(layer))
    found = plain(as_convolution(found) or found)
    if found.flip or found.transposed:
        raise ShapeError(
            "conv_general_dilated does not flip kernels, and this layer's is flipped against it; "
            "spec.to_jax_transpose() says it with transpose_kernel=True, or flip the weight's values"
        )
    pairs, texts = constant_pairs(found), _named(found)
    ours, theirs = _orders(texts)
    return {
        "window_strides": _permuted(found.stride, ours, theirs),
        "padding": _NAMES[found.same] if pairs is None else _permuted(pairs, ours, theirs),
        "lhs_dilation": _permuted(found.input_dilation, ours, theirs),
        "rhs_dilation": _permuted(found.dilation, ours, theirs),
        "dimension_numbers": texts,
        "feature_group_count": found.groups,
    }


def transpose_arguments(layer: Layer) -> dict[str, Any]:
    """Arguments of lax.conv_transpose.

    Raises
    ------
    ShapeError
        It cannot express the layer; the sentence says what can.
    """
    found = _without_mode(plain(layer))
    turned = as_transposed(found)
    if turned is None or found.groups != 1:
        raise ShapeError(
            f"conv_transpose has stride 1 over the dilated input, the same padding for every size and no groups, "
            "and this "
            f"layer has stride {found.stride}, padding {found.padding!r} and groups={found.groups}; see spec.to_jax()"
        )
    texts, pairs = _named(turned), as_convolution(turned).padding  # type: ignore[union-attr]
    ours, theirs = _orders(texts)
    if not turned.flip:
        texts = texts[0], texts[1].translate(_SWAP), texts[2]
    return {
        "strides": _permuted(turned.stride, ours, theirs),
        "padding": _permuted(pairs, ours, theirs),
        "rhs_dilation": _permuted(turned.dilation, ours, theirs),
        "dimension_numbers": texts,
        "transpose_kernel": not turned.flip,
    }


_NAMES = {same: name for name, same in _SAME.items()}


def _without_mode(layer: Layer) -> Layer:
    if layer.padding_mode != "zeros":
        raise ShapeError(
            f"padding_mode={layer.padding_mode!r} is unknown to jax.lax, which pads with zeros; use jax.numpy.pad "
            "(mode wrap, "
            "reflect, edge or symmetric), then convolve with padding 0"
        )
    return layer


def _named(layer: Layer) -> Texts:
    """The orders of axes in JAX's letters, which have no groups of their own."""
    given = layer.axes
    return (given[0], "OI" + layer.spatial, given[2]) if "G" in given[1] else given
