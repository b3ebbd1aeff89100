"""Blocks that come out non-finite, computed again as direct sums, so that NaN and infinity stay where these have them.

Every value of a block depends on each of its elements, and no multiplication or addition makes a finite number of NaN
or infinity: so a block into which one of them falls comes out non-finite as a whole, as does one that overflows within
the transforms.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from convsym.fourier.lattice import Lattice, Row
from convsym.gate import Array, layout
from convsym.geometry import Geometry
from convsym.kernels._generated import rules

Operands = Mapping[str, Array]
Direct = Callable[[Geometry, str, Operands], Array]
# Lead, second, third and class of taps of a block, as in Lattice.
Cell = tuple[int, int, int, int]


def redo(
    geometry: Geometry, lattice: Lattice, operands: Operands, out: Array, cells: Iterable[Cell], direct: Direct
) -> None:
    """Compute the named blocks of the result again."""
    if lattice.result == "dw":
        _weights(geometry, operands, out, cells, direct)
    elif lattice.result == "y":
        keys = sorted({(lead, group, channel) for lead, group, channel, _ in cells})
        for (lead, group), found in groupby(keys, key=lambda key: key[:2]):
            _outputs(geometry, lattice, lattice.row(lead), group, [key[2] for key in found], operands, out, direct)
    else:
        ordered = sorted((lead, group, taps, channel) for lead, group, channel, taps in cells)
        for (lead, group, taps), same in groupby(ordered, key=lambda key: key[:3]):
            _inputs(geometry, lattice, lattice.row(lead), group, taps, [key[3] for key in same], operands, out, direct)


def _outputs(
    geometry: Geometry,
    lattice: Lattice,
    row: Row,
    group: int,
    channels: list[int],
    operands: Operands,
    out: Array,
    direct: Direct,
) -> None:
    """Outputs of one block: a convolution of the part of x that they read."""
    for _, there, _ in lattice.places("y", row):
        counts, read, padding = [], [], []
        for at, place in enumerate(there):
            outputs = range(place.start, place.stop, place.step)
            own = geometry.stride[at], geometry.dilation[at], geometry.padding[at][0]
            first = rules.read(outputs[0], 0, *own)
            last = rules.read(outputs[-1], geometry.kernel[at] - 1, *own)
            size = geometry.inputs[at]
            start = min(max(first, 0), size)
            stop = min(max(last + 1, start), size)
            counts.append(len(outputs))
            read.append(slice(start, stop))
            padding.append((start - first, last - (stop - 1)))
        part = replace(
            _alone(geometry, geometry.channels[0], len(channels)),
            inputs=tuple(place.stop - place.start for place in read),
            outputs=tuple(counts),
            stride=tuple(axis.read_step for axis in lattice.axes),
            padding=tuple(padding),
        )
        x = operands["x"][row.sample, group][(None, None, ..., *read)]
        w = operands["w"][group][channels][None]
        value = direct(part, "y", {"x": layout(x), "w": layout(w)})
        out[row.sample, group][(channels, *there)] = value[0, 0]


def _inputs(
    geometry: Geometry,
    lattice: Lattice,
    row: Row,
    group: int,
    taps: int,
    channels: list[int],
    operands: Operands,
    out: Array,
    direct: Direct,
) -> None:
    """Reads of one block and one class of taps: the gradient of a convolution of stride 1."""
    weights = {number: there for number, there, _ in lattice.places("w", None)}
    for number, there, here in lattice.places("x", row):
        if number != taps:
            continue
        sizes, kernel, mine, padding = [], [], [], []
        for at, axis in enumerate(lattice.axes):
            i, block = row.along[at]
            base = lattice.blocks[at][block].base
            first, end = base + here[at].start, base + here[at].stop
            count = len(range(weights[taps][at].start, axis.kernel, axis.tap_step))
            outputs = axis.in_class(max(first - count + 1, 0), end, i)
            offset = first - max(first - count + 1, 0)
            last = rules.read(len(range(outputs.start, outputs.stop, outputs.step)) - 1, count - 1, 1, 1, offset)
            sizes.append(end - first)
            kernel.append(count)
            mine.append(outputs)
            padding.append((offset, last - (end - first - 1)))
        ones = (1,) * geometry.rank
        dy = operands["dy"][row.sample, group][(None, None, ..., *mine)]
        part = replace(
            _alone(geometry, len(channels), geometry.channels[1]),
            inputs=tuple(sizes),
            kernel=tuple(kernel),
            outputs=dy.shape[3:],
            stride=ones,
            dilation=ones,
            padding=tuple(padding),
        )
        w = operands["w"][group][(slice(None), channels, *weights[taps])][None]
        out[row.sample, group][(channels, *there)] = direct(part, "dx", {"dy": layout(dy), "w": layout(w)})[0, 0]


def _weights(
    geometry: Geometry, operands: Operands, out: Array, cells: Iterable[Cell], direct: Direct
) -> None:
    """All taps of pairs of channels; channels of dy with the same partners at once."""
    partners: dict[tuple[int, int], set[int]] = {}
    for group, k, c, _ in cells:
        partners.setdefault((group, k), set()).add(c)
    together: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for (group, k), found in partners.items():
        together.setdefault((group, tuple(sorted(found))), []).append(k)
    for (group, into), outs in together.items():
        x, dy = operands["x"][:, group][:, None, list(into)], operands["dy"][:, group][:, None, outs]
        part = replace(_alone(geometry, len(into), len(outs)), batch=geometry.batch)
        value: Any = direct(part, "dw", {"dy": layout(dy), "x": layout(x)})[0]
        out[group][np.ix_(outs, into)] = value


def _alone(geometry: Geometry, into: int, out: int) -> Geometry:
    """One sample and one group."""
    return replace(geometry, batch=1, groups=1, channels=(into, out))
