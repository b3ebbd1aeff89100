"""The work of a convolution call: from a `Geometry` and accepted arrays to the result, by the algorithm
asked for.

Forward and gradients are one function, `compute`: a rule is named by its result (`y`, `dx`, `dw`), and its
operands by the letters of the formula. Every layer below it takes one thing away, until a kernel can do the rest: the
flip of the kernel, the padding mode, complex numbers, the dilation of the input. What differs between ranks is the name
of the op, so there is no code for any one rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from convsym import choice, depthwise, fourier, gate, kernels, margins, memory, minimal, plans, polyphase, scratch, sums
from convsym.arguments import one_of
from convsym.choice import Choice
from convsym.errors import KernelError
from convsym.gate import Array
from convsym.geometry import Geometry

Operands = Mapping[str, Array]


@dataclass(frozen=True)
class Kept:
    """What is settled before a call.

    Attributes
    ----------
    choice : Choice
    weights : ndarray, optional
        The weights as Winograd's tiles take them.
    """

    choice: Choice
    weights: Array | None = None


def check_algorithm(algorithm: str) -> None:
    """Raise a ShapeError that lists what is known, unless `algorithm` is."""
    one_of(algorithm, "algorithm", choice.ALGORITHMS)


def compute(
    geometry: Geometry,
    result: str,
    operands: Operands,
    algorithm: str = "auto",
    room: Array | None = None,
    bias: Array | None = None,
    kept: Kept | None = None,
) -> Array:
    """One of the rules of a convolution.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    operands : mapping of str to ndarray
        The two other arrays of the rule (of x, w and dy), as the caller gave them: accepted, of one dtype, without
        group axis.
    algorithm : {"auto", "direct", "winograd", "fft", "reference"}
    room : ndarray, optional
        Memory for the result, in the caller's shape. It may be left unused.
    bias : ndarray, optional
        One number for each channel of the result, added last; it shares no memory with `room`.
    kept : Kept, optional
        The choice made beforehand, in place of `algorithm`.

    Returns
    -------
    ndarray
        In the caller's shape and the operands' dtype; float16 is rounded once, at the end.
    """
    check_algorithm(algorithm)
    dtype = next(iter(operands.values())).dtype
    if kept is None:
        kept = Kept(choice.choose(geometry, result, dtype, algorithm, kernels.in_use()))
    needed = plans.workspace(geometry, result, operands, kept.choice)
    if memory.exceeds(needed):
        return _in_slices(geometry, result, operands, kept.choice, room, bias, needed)
    shapes = geometry.shapes
    grouped = {name: gate.layout(gate.widened(array)).reshape(shapes[name]) for name, array in operands.items()}
    place = None if room is None or (geometry.flip and result == "dw") else gate.usable(room, (*operands.values(),))
    if place is not None:
        place = place.reshape(shapes[result])
    if geometry.flip and "w" in grouped:
        grouped["w"] = gate.layout(geometry.flipped(grouped["w"]))
    value = _extended(geometry, result, grouped, kept, place)
    if geometry.flip and result == "dw":
        value = geometry.flipped(value)
    value = value.reshape(geometry.public_shapes[result])
    if bias is not None:
        value = with_bias(value, gate.widened(bias), geometry.rank)
    return gate.narrowed(value, dtype)


def with_bias(output: Array, bias: Array, rank: int) -> Array:
    """bias[k] added to every output of channel k, in place, last; `output` is (…, K, o0, …)."""
    if output.dtype.char in "fd" and output.flags.c_contiguous:
        kernels.run("bias_y", flat_spatial(output, rank), {"b": gate.layout(bias)}, {})
    else:
        output += bias.reshape(-1, *(1,) * rank)
    return output


def flat_spatial(array: Array, rank: int) -> Array:
    """A view (N, K, o) of a batched or unbatched contiguous array: the spatial axes as one."""
    channels, *spatial = array.shape[-rank - 1 :]
    return array.reshape(prod(array.shape[: -rank - 1]), channels, prod(spatial))


def _in_slices(
    geometry: Geometry,
    result: str,
    operands: Operands,
    made: Choice,
    room: Array | None,
    bias: Array | None,
    needed: int,
) -> Array:
    """A call that needs too much workspace, cut along the batch or the groups, which do not see each other."""
    limit = memory.get_memory_limit()
    count, of = (geometry.groups, "groups") if result == "dw" or geometry.batch < 2 else (geometry.batch, "batch")
    if count < 2:
        raise MemoryError(
            f"this call needs {needed:,} bytes beside its arguments and its result, and the memory limit is {limit:,}; "
            "raise it with convsym.set_memory_limit, or give contiguous arrays and less padding"
        )
    step = max(1, min(count - 1, count * limit // needed))
    while step > 1 and _needed_by_slice(geometry, of, step, result, operands, made) > limit:
        step //= 2
    if result == "dw" and depthwise.is_wide(geometry):  # groups are summed abreast, in the slices too
        step = max(step // depthwise.GROUPS, 1) * depthwise.GROUPS
    if room is not None and not any(np.may_share_memory(room, array) for array in operands.values()):
        value = room
    else:
        value = np.empty(geometry.public_shapes[result], next(iter(operands.values())).dtype)
    for start in range(0, count, step):
        start = max(min(start, count - step), 0)
        part, places = _slice(geometry, of, start, min(start + step, count))
        slices = {name: array[places[name]] for name, array in operands.items()}
        added = None if bias is None else bias[places["b" + result[-1]]]
        value[places[result]] = compute(part, result, slices, room=value[places[result]], bias=added, kept=Kept(made))
    return value


def _needed_by_slice(geometry: Geometry, of: str, step: int, result: str, operands: Operands, made: Choice) -> int:
    """Bytes that a slice takes, and its result where that is made in no place of the whole."""
    part, places = _slice(geometry, of, 0, step)
    slices = {name: array[places[name]] for name, array in operands.items()}
    own = prod(part.shapes[result]) * next(iter(operands.values())).dtype.itemsize
    return plans.workspace(part, result, slices, made) + own


def _slice(geometry: Geometry, of: str, start: int, stop: int) -> tuple[Geometry, dict[str, Any]]:
    """A slice of the batch or of the groups, and where it lies in each of the caller's arrays."""
    count = stop - start
    part = replace(geometry, batch=count) if of == "batch" else replace(geometry, groups=count)
    return part, _places(geometry, of, start, stop)


def _places(geometry: Geometry, of: str, start: int, stop: int) -> dict[str, Any]:
    """Where a slice of the batch or of the groups lies in each of the caller's arrays, and in a bias of x or y."""
    if of == "batch":
        every: Any = slice(None)
        places = {name: slice(start, stop) if name[-1] in "xy" else every for name in geometry.shapes}
        return {**places, "bx": every, "by": every}
    before = (slice(None),) * geometry.batched
    into, out = (slice(start * size, stop * size) for size in geometry.channels)
    place = {"x": (*before, into), "y": (*before, out), "w": (out,)}
    return {**{name: place[name[-1]] for name in geometry.shapes}, "bx": into, "by": out}


def _extended(
    geometry: Geometry, result: str, operands: Operands, kept: Kept, room: Array | None
) -> Array:
    """The padding mode taken away: x is extended by copies of its own elements; its gradient is folded back."""
    if geometry.mode == "zeros":
        return _in_parts(geometry, result, operands, kept, room)
    inner = geometry.on_extended()
    if "x" in operands:
        operands = {**operands, "x": gate.layout(margins.extend(operands["x"], geometry))}
    value = _in_parts(inner, result, operands, kept, room if result != "dx" else None)
    return margins.fold_back(value, geometry) if result == "dx" else value


def _in_parts(
    geometry: Geometry, result: str, operands: Operands, kept: Kept, room: Array | None
) -> Array:
    """Complex numbers taken away: a product of two is four of real ones."""
    dtype = next(iter(operands.values())).dtype
    if dtype.kind != "c" or kept.choice.name == "reference":
        return by_algorithm(geometry, result, operands, kept, room)
    (first, a), (second, b) = operands.items()

    def product(left: Array, right: Array) -> Array:
        parts = {first: gate.layout(left), second: gate.layout(right)}
        return by_algorithm(geometry, result, parts, kept, None)

    value = np.empty(geometry.shapes[result], dtype)
    value.real = product(a.real, b.real) - product(a.imag, b.imag)
    value.imag = product(a.real, b.imag) + product(a.imag, b.real)
    return value


def by_algorithm(
    geometry: Geometry, result: str, operands: Operands, kept: Kept, room: Array | None
) -> Array:
    """A rule in zero padding, not flipped, of operands as kernels read them; in `room`, or in new memory."""
    dtype = next(iter(operands.values())).dtype
    name = kept.choice.name
    if dtype.kind == "O" and name != "reference":
        raise KernelError(
            f"algorithm={name!r} runs compiled loops, and there are none for dtype object; use algorithm='reference'"
        )
    out = scratch.aligned(geometry.shapes[result], dtype) if room is None else room
    if not geometry.batch:
        out[...] = 0
    elif name == "reference":
        _reference(geometry, result, operands, out)
    elif geometry.is_dilated:
        _by_phases(geometry, result, operands, name, out)
    elif name == "winograd":
        minimal.run(geometry, result, operands, out, kept.choice.m, kept.weights)
    else:
        _undilated(geometry, result, operands, name, out)
    return out


def _undilated(geometry: Geometry, result: str, operands: Operands, name: str, out: Array) -> None:
    if name == "fft":
        fourier.compute(geometry, result, dict(operands), _directly, out)
    else:
        sums.run(geometry, result, operands, out)


def _directly(geometry: Geometry, result: str, operands: Operands) -> Array:
    """A rule by the direct sum, in new memory."""
    laid = {name: gate.layout(array) for name, array in operands.items()}
    out = np.empty(geometry.shapes[result], next(iter(laid.values())).dtype)
    sums.run(geometry, result, laid, out)
    return out


def _by_phases(geometry: Geometry, result: str, operands: Operands, name: str, out: Array) -> None:
    """The dilation of the input taken away: one convolution of slices for each residue class."""
    out[...] = 0
    for part, outputs, taps in polyphase.classes(geometry):
        mine, its = (..., *outputs), (..., *taps)
        places: dict[str, Any] = {"y": mine, "dy": mine, "w": its, "dw": its, "x": ..., "dx": ...}
        out[places[result]] += _of_slices(part, result, operands, places, name)


def _of_slices(geometry: Geometry, result: str, operands: Operands, places: Mapping[str, Any], name: str) -> Array:
    """A convolution of slices, which are gone when the next ones are made."""
    slices = {key: gate.layout(array[places[key]]) for key, array in operands.items()}
    value = np.empty(geometry.shapes[result], next(iter(slices.values())).dtype)
    _undilated(geometry, result, slices, name, value)
    return value


def _reference(geometry: Geometry, result: str, operands: Operands, out: Array) -> None:
    """The formula itself, evaluated exactly as it is written; slow, for comparison. Loads SymPy.

    A dilated input gets its zeros here, so that nothing of the classes is relied on.
    """
    from convsym.ops import registry

    op = registry[f"conv{geometry.rank}d"]
    rule = op.grouped if result == "y" else op.grouped_rules[result.removeprefix("d")]
    stuffed = replace(geometry, inputs=geometry.extents, input_dilation=(1,) * geometry.rank)
    if "x" in operands:
        operands = {**operands, "x": margins.dilate(operands["x"], geometry)}
    value = rule(**operands, **geometry.parameters, sizes={result: stuffed.shapes[result]})
    out[...] = value[margins.kept(geometry)] if result == "dx" else value
