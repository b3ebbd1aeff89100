"""The direct sum of many groups of few channels, depthwise convolution above all: lanes are groups.

As many groups as there are lanes are turned into a small padded image with its groups last. There every tap of every
output is one vector, wherever it lies, so neither strides nor borders nor short rows leave lanes idle.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, prod
from typing import Any

import numpy as np

from convsym import kernels, scratch
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels.tables import Course, driver
from convsym.rooms import Roomed
from convsym.strips import Span, even
from convsym.sweeps import ResidueClass, classes_of
from convsym.taps import Axis, Image, Integers, all_sums, has_gaps, pitches_of, taps_of

# Products of a group's channels up to which lanes are groups; elements of a thread's room, for which any size from
# 2**13 to 2**18 was as fast, and the most of them where one line of a strip takes more.
CHANNELS, ROOM, MOST = 4, 2**15, 2**17
# Groups from which lanes are groups at every level: slices of a call that have so many are done as the whole.
GROUPS = 16
# The operands in the order in which drivers take them.
READ = {"y": ("x", "w"), "dx": ("dy", "w"), "dw": ("x", "dy")}


@dataclass(frozen=True)
class _Strip:
    """A span of the result along its first axis: what it reads, and what is made.

    Attributes
    ----------
    image : Image
    first, rows : int, ndarray
        The first position that is read, and where each row from there on goes in the image.
    made_first, made_count : int
        Positions that are made.
    boxes : tuple of (ndarray, ndarray)
        Of every residue class where its rows are read in the image, and where they go among what is made.
    """

    image: Image
    first: int
    rows: Integers
    made_first: int
    made_count: int
    boxes: tuple[tuple[Integers, Integers], ...]

    def gaps(self, width: int) -> tuple[Integers, Integers]:
        """Places of the image that no row fills, and how many from each on."""
        starts = np.concatenate([[0], self.rows + width])
        counts = np.concatenate([self.rows, [self.image.size]]) - starts
        return starts[counts > 0], counts[counts > 0]


def is_wide(geometry: Geometry) -> bool:
    """Whether there are many groups of few channels."""
    return geometry.groups >= GROUPS and prod(geometry.channels) <= CHANNELS


@lru_cache(maxsize=1024)
def serves(geometry: Geometry, result: str, char: str, level: str) -> bool:
    """Whether there are many groups of few channels, groups for all lanes, and room for what one line of them reads."""
    lanes = kernels.tables.shapes(level).lanes[char]
    if not is_wide(geometry) or geometry.groups < lanes:
        return False
    return _image(_lifted(geometry), result, (0, 1)).size * max(geometry.channels) * lanes <= MOST


def room(geometry: Geometry, result: str, char: str, level: str) -> int:
    """Elements of the rooms of all threads."""
    return plan(geometry, result, char, level).elements


def bound(geometry: Geometry, result: str, char: str, level: str) -> Callable[[Mapping[str, Array], Array], None]:
    """What writes a rule into an array."""
    return plan(geometry, result, char, level).bound(READ[result])


def course(geometry: Geometry, result: str, char: str, level: str) -> Course:
    """A rule as a step of a call."""
    return plan(geometry, result, char, level).course(READ[result])


@lru_cache(maxsize=1024)
def plan(geometry: Geometry, result: str, char: str, level: str) -> Roomed:
    """The jobs of a rule: those of each sample for y and dx, of the whole batch for dw."""
    lifted, lanes, forward = _lifted(geometry), kernels.tables.shapes(level).lanes[char], result != "dx"
    strips = [_strip(lifted, result, span) for span in _spans(lifted, result, lanes)]
    into, out = geometry.channels
    arrays = (into, lifted.inputs), (out, lifted.outputs)
    (read, source), (made, target) = arrays if forward else arrays[::-1]
    weights, blocks = into * out * prod(geometry.kernel), ceil(geometry.groups / lanes)
    image = max(one.image.size for one in strips) * lanes
    short = max(len(one.rows) for one in strips) * source[-1] if source[-1] < lanes else 0
    sums = max(short, *(one.made_count for one in strips)) * lanes
    numbers = {
        "groups": geometry.groups,
        "blocks": blocks,
        "strips": len(strips),
        "read": read,
        "made": made,
        "source_image": geometry.groups * read * prod(source),
        "source_group": read * prod(source),
        "source_channel": prod(source),
        "result_image": geometry.groups * made * prod(target),
        "result_group": made * prod(target),
        "result_channel": prod(target),
        "weights": weights,
        "weight_made": (into if forward else 1) * prod(geometry.kernel) * lanes,
        "width": source[-1],
        "image": image,
        "sums": sums,
        "room": scratch.lines(read * image + sums + weights * lanes),
        "samples": geometry.batch,
    }
    tables = _strip_tables(strips, source[-1], lanes) | _class_tables(
        lifted, result, strips[0].image.pitches, image, lanes
    )
    by_weight = result == "dw"
    name, jobs, samples = ("depthwise_dw", 1, 1) if by_weight else ("depthwise", len(strips), geometry.batch)
    work = geometry.batch * geometry.groups * weights * prod(lifted.outputs)
    return Roomed(driver(name, blocks * jobs, **numbers, **tables), samples, numbers["room"], work)


def _lifted(geometry: Geometry) -> Geometry:
    """A line as an image of one row."""
    if geometry.rank > 1:
        return geometry
    return replace(
        geometry,
        inputs=(1, *geometry.inputs),
        kernel=(1, *geometry.kernel),
        outputs=(1, *geometry.outputs),
        stride=(1, *geometry.stride),
        dilation=(1, *geometry.dilation),
        padding=((0, 0), *geometry.padding),
        input_dilation=(1, 1),
    )


def _classes(geometry: Geometry, result: str) -> tuple[ResidueClass, ...]:
    return classes_of(geometry, "dx" if result == "dx" else "y")


def _spans(geometry: Geometry, result: str, lanes: int) -> tuple[Span, ...]:
    """Spans of the places of a residue class along the first axis."""
    height = max(one.sizes[0] for one in _classes(geometry, result))
    whole, line = (_image(geometry, result, (0, length)) for length in (height, 1))
    made = prod(geometry.inputs if result == "dx" else geometry.outputs)
    size = (max(geometry.channels) * whole.size + made) * lanes
    count = max(1, min(ceil(size / ROOM), height // (2 * line.axes[0].length)))
    while count < height and ceil(height / count) * size > 4 * height * ROOM:
        count += 1
    return even(height, count)


def _image(geometry: Geometry, result: str, span: Span) -> Image:
    """All that is read for a span of the result, and all of the array along the other axes."""
    classes, axes = _classes(geometry, result), []
    for number, axis in enumerate(taps_of(geometry)):
        low, high = span if number == 0 else (0, max(one.sizes[number] for one in classes))
        if result == "dx":
            size, first, last = geometry.outputs[number], low - max(axis.shift), high - 1 - min(axis.shift)
        else:
            size, step = geometry.inputs[number], axis.step
            first, last = step * low + min(axis.first), step * (high - 1) + max(axis.first)
        if number:
            first, last = min(first, 0), max(last, size - 1)
        axes.append(Axis(size, first, last - first + 1))
    return Image(tuple(axes))


def _strip(geometry: Geometry, result: str, span: Span) -> _Strip:
    """What a span of the result reads, and what is made."""
    image, (low, high) = _image(geometry, result, span), span
    source, target = geometry.inputs, geometry.outputs
    if result == "dx":
        source, target = target, source
    lead, count, element = image.axes[0].inside(0)
    places = [lead + np.arange(count), *(np.arange(axis.size) - axis.first for axis in image.axes[1:-1])]
    rows = all_sums([place * pitch for place, pitch in zip(places, image.pitches, strict=False)])
    steps, pitches = _steps(geometry, result), pitches_of(target)
    classes = _classes(geometry, result)
    last = high == max(one.sizes[0] for one in classes)  # what lies behind it belongs to no class
    begin, end = steps[0][1] * low * pitches[0], (target[0] if last else steps[0][1] * high) * pitches[0]
    origin = sum(-axis.first * pitch for axis, pitch in zip(image.axes, image.pitches, strict=True))
    boxes = []
    for one in classes:
        box = [np.arange(low, min(high, one.sizes[0])), *map(np.arange, one.sizes[1:-1])]
        read = [q * step * pitch for q, (step, _), pitch in zip(box, steps, image.pitches, strict=False)]
        made = [q * step * pitch for q, (_, step), pitch in zip(box, steps, pitches, strict=False)]
        start = sum(residue * pitch for residue, pitch in zip(one.residues, pitches, strict=True))
        boxes.append((all_sums(read) + origin, all_sums(made) + start - begin))
    return _Strip(
        image, element * prod(source[1:]) if count else 0, rows - image.axes[-1].first, begin, end - begin, tuple(boxes)
    )


def _steps(geometry: Geometry, result: str) -> list[tuple[int, int]]:
    """Along each axis how far neighbors are apart in the image, and among what is made."""
    return [(1, axis.step) if result == "dx" else (axis.step, 1) for axis in taps_of(geometry)]


def _strip_tables(strips: list[_Strip], width: int, lanes: int) -> dict[str, Any]:
    """The tables of strips: their entries one after the other, and where those of each strip start."""
    gaps = [one.gaps(width) for one in strips]
    boxes = [box for one in strips for box in one.boxes]
    return {
        "first": [one.first for one in strips],
        "rows": [len(one.rows) for one in strips],
        "made_first": [one.made_first for one in strips],
        "made_count": [one.made_count for one in strips],
        "row_start": _starts([one.rows for one in strips]),
        "row_place": np.concatenate([one.rows for one in strips]) * lanes,
        "clear_start": _starts([places for places, _ in gaps]),
        "clear_place": np.concatenate([places for places, _ in gaps]) * lanes,
        "clear_count": np.concatenate([counts for _, counts in gaps]) * lanes,
        "box_start": _starts([read for read, _ in boxes]),
        "box_read": np.concatenate([read for read, _ in boxes]) * lanes,
        "box_made": np.concatenate([made for _, made in boxes]) * lanes,
    }


def _starts(parts: list[Integers]) -> Integers:
    return np.cumsum([0, *map(len, parts)])


def _class_tables(
    geometry: Geometry, result: str, pitches: tuple[int, ...], channel: int, lanes: int
) -> dict[str, Any]:
    """The terms of every residue class: where their weights and what they read lie."""
    (into, out), kernel, taps = geometry.channels, prod(geometry.kernel), taps_of(geometry)
    classes, (step, along) = _classes(geometry, result), _steps(geometry, result)[-1]
    aoff, boff = [], []
    for one in classes:
        weight, place = [], []
        for number, (axis, own) in enumerate(zip(taps, one.taps, strict=True)):
            tap = np.array(own)
            weight.append(tap * prod(geometry.kernel[number + 1 :]))
            moved = -np.array(axis.shift) if result == "dx" else np.array(axis.first)
            place.append(moved[tap] * pitches[number] * lanes)
        channels, distance = (out, into * kernel) if result == "dx" else (into, kernel)
        aoff.append(all_sums([np.arange(channels) * distance, *weight]) * lanes)
        boff.append(all_sums([np.arange(channels) * channel, *place]))
    return {
        "classes": len(classes),
        "gaps": int(result == "dx" and has_gaps(geometry)),
        "term_start": _starts(aoff),
        "vectors": [one.sizes[-1] for one in classes],
        "step": np.full(len(classes), step * lanes),
        "along": np.full(len(classes), along * lanes),
        "aoff": np.concatenate(aoff),
        "boff": np.concatenate(boff),
    }
