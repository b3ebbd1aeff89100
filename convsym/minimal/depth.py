"""The third axis taken away: outputs of one depth are a sample, and the taps along the depth are input channels.

So a kernel of three axes is one of the last two on copies, with as many times the channels that are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.taps import taps_of


def deep(geometry: Geometry) -> bool:
    """Whether there is a third axis."""
    return geometry.rank == 3


@lru_cache(maxsize=512)
def inner(geometry: Geometry, result: str) -> Geometry:
    """The convolution of all depths, whose rule of this name is done."""
    into, out = geometry.channels
    taps, backward = geometry.kernel[0], result == "dx"
    return replace(
        geometry,
        batch=geometry.batch * (geometry.inputs if backward else geometry.outputs)[0],
        channels=(into, out * taps) if backward else (into * taps, out),
        **{
            name: getattr(geometry, name)[1:]
            for name in ("inputs", "kernel", "outputs", "stride", "dilation", "padding", "input_dilation")
        },
    )


def operands_of(geometry: Geometry, result: str, operands: Mapping[str, Array]) -> dict[str, Array]:
    """The operands of the convolution of all depths."""
    shift, depths = taps_of(geometry)[0].shift, inner(geometry, result).batch // geometry.batch
    reads: dict[str, tuple[int, ...]] = {"x": shift, "dy": (0,)} if result != "dx" else {"dy": tuple(-s for s in shift)}
    made = {name: _planes(operands[name], reads[name], depths) for name in reads.keys() & operands.keys()}
    return made | {"w": weights(geometry, result, operands["w"])} if "w" in operands else made


def weights(geometry: Geometry, result: str, weight: Array) -> Array:
    """The weights with their taps along the depth among the channels that are read."""
    moved = weight.swapaxes(2, 3) if result == "dx" else weight
    return np.ascontiguousarray(moved).reshape(inner(geometry, result).shapes["w"])


def join(geometry: Geometry, result: str, parts: Array, out: Array) -> None:
    """The depths of y or dx put together in `out`."""
    whole = parts.reshape(geometry.batch, -1, *parts.shape[1:])
    out[...] = np.moveaxis(whole, 1, 3)


def _planes(array: Array, places: Sequence[int], depths: int) -> Array:
    """For each of so many depths the planes that lie at places beside it, as channels; zeros beyond the array."""
    batch, groups, channels, size, *plane = array.shape
    made = np.empty((batch, depths, groups, channels, len(places), *plane), array.dtype)
    for tap, place in enumerate(places):
        start = min(max(-place, 0), depths)
        end = max(min(size - place, depths), start)
        there: Any = made[:, :, :, :, tap]
        there[:, :start] = there[:, end:] = 0
        there[:, start:end] = np.moveaxis(array[:, :, :, start + place : end + place], 3, 1)
    return made.reshape(batch * depths, groups, channels * len(places), *plane)
