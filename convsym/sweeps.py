"""Sweeps of register tiles over an image: what they read and write, for the results of a residue class.

For y there is one class; the input gradient by a stride has as many as there are outputs that a tap reaches apart.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, prod

import numpy as np

from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated import rules
from convsym.kernels.tables import Driver, Shapes, driver
from convsym.strips import KEPT, STRIP, Span
from convsym.taps import Axis, Image, Integers, Vectors, all_sums, is_still, pitches_of, taps_of, vectors_of

# What becomes of the sums of a tile, as the driver has it: the result, or they go on from it.
MADE, BEGUN = 0, 2
# Elements of an image that one job of its filling takes at most.
FILLED = 2**12
# Elements of an axis that strips are cut along instead of the first one, at least; results of a strip for each that its
# neighbor reads too, from which on that is little.
LONG, SHARED = 128, 4
# Vectors of a tile from which on they must follow each other, and vectors that one job takes at least then.
APART, BLOCK = 4, 32
# Sums, and channels of them, up to which results are most of what moves: a job then takes so many times as many
# vectors, and rows of results are written one after the other. y of 1 to 64 channels, 3×3 on 224×224, took 2.3 times
# as long without, of 1 to 512, 16 taps, stride 8, 3.5 times; 3×1×1 kernels of 45 channels take 1.2 times as long with.
FEW, SHALLOW, RUNS = 2**8, 2**4, 4


@dataclass(frozen=True)
class ResidueClass:
    """A residue class of the result: its counts, and which taps reach it."""

    residues: tuple[int, ...]
    sizes: tuple[int, ...]
    taps: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Piece:
    """What is done with one image.

    Attributes
    ----------
    span : tuple
        Results along the axis that is cut.
    deep, made : tuple
        Channels of a group that are read, and that are made.
    """

    span: Span
    deep: Span
    made: Span


@dataclass(frozen=True)
class Sweep:
    """A sweep over a residue class of the result.

    Attributes
    ----------
    driver : Driver
    start : int
        Where its results start.
    work : int
        Multiply-adds for each sample.
    time : float
        Estimated cycles for each sample.
    """

    driver: Driver
    start: int
    work: int
    time: float


def tiling(rows: int, vectors: int, steps: int, shapes: Shapes) -> tuple[int, int, int]:
    """Blocks of rows, blocks of vectors, and vectors of a tile, for the least estimated time."""
    widest = min(shapes.rows, key=lambda widest: _time(rows, vectors, steps, widest, shapes))
    return ceil(rows / shapes.rows[widest]), ceil(vectors / widest), widest


def time(rows: int, vectors: int, steps: int, shapes: Shapes) -> float:
    """Estimated cycles of so many rows and vectors."""
    return min(_time(rows, vectors, steps, widest, shapes) for widest in shapes.rows)


def _time(rows: int, vectors: int, steps: int, widest: int, shapes: Shapes) -> float:
    """Estimated cycles with tiles of so many vectors.

    A step of m rows and n vectors takes m·n multiply-adds, of which two are done at a time, no less than the four
    cycles that an addition takes; storing takes about three cycles a vector.
    """
    row_blocks, vector_blocks = ceil(rows / shapes.rows[widest]), ceil(vectors / widest)
    m, n = rows / row_blocks, vectors / vector_blocks
    step = max(m * n / 2, (m + 1.5 * n) / 2, 4)
    return row_blocks * vector_blocks * (steps * step + 3 * m * n + 20)


@lru_cache(maxsize=1024)
def classes_of(geometry: Geometry, result: str) -> tuple[ResidueClass, ...]:
    """The residue classes of the result that taps reach."""
    taps = taps_of(geometry)
    if result == "y":
        every = tuple(tuple(range(size)) for size in geometry.kernel)
        return (ResidueClass((0,) * geometry.rank, geometry.outputs, every),)
    found = []
    for residues in product(*(axis.classes for axis in taps)):
        sizes = tuple(
            rules.end_output(size, 0, axis.step, 1, -residue)
            for size, axis, residue in zip(geometry.inputs, taps, residues, strict=True)
        )
        if all(sizes):
            reach = tuple(
                tuple(r for r, own in enumerate(axis.residue) if own == residue)
                for axis, residue in zip(taps, residues, strict=True)
            )
            found.append(ResidueClass(residues, sizes, reach))
    return tuple(found)


@lru_cache(maxsize=1024)
def cut_axis(geometry: Geometry) -> int:
    """The axis along which strips are cut: the first one, or the last if only its neighbors read nothing in common.

    Strips along the first axis are as good where they are long beside what neighbors share.
    """
    last, first = geometry.rank - 1, taps_of(geometry)[0]
    if not is_still(geometry, last) or is_still(geometry, 0) or geometry.outputs[-1] < LONG:
        return 0
    rows = STRIP // (geometry.groups * max(geometry.channels) * prod(geometry.outputs[1:]))
    return 0 if rows >= SHARED * (max(first.shift) - min(first.shift)) else last


def image_of(geometry: Geometry, result: str, span: Span | None = None) -> Image:
    """The image that results of a span along the axis that is cut, or all, and all along the others, read."""
    classes, axes, cut = classes_of(geometry, result), [], cut_axis(geometry)
    for number, axis in enumerate(taps_of(geometry)):
        low, high = span if span and number == cut else (0, max(one.sizes[number] for one in classes))
        moved = axis.shift if result == "y" else [-shift for shift in axis.shift]
        first, length = low + min(moved), high - low + max(moved) - min(moved)
        if result == "y":
            axes.append(Axis(geometry.inputs[number], first, length, axis.step, axis.classes))
        else:
            axes.append(Axis(geometry.outputs[number], first, length))
    return Image(tuple(axes))


def sweep_of(
    geometry: Geometry,
    result: str,
    piece: Piece,
    one: ResidueClass,
    image: Image,
    char: str,
    shapes: Shapes,
) -> Sweep | None:
    """The sweep over a class; None where the piece has none of it."""
    forward, deep, cut = result == "y", piece.deep, cut_axis(geometry)
    begin, end = piece.span[0], min(piece.span[1], one.sizes[cut])
    if end <= begin:
        return None
    into, out = geometry.channels
    rows, channels = piece.made[1] - piece.made[0], deep[1] - deep[0]
    sizes, kernel = geometry.outputs if forward else geometry.inputs, prod(geometry.kernel)
    pitches = pitches_of(sizes)
    steps = [1 if forward else axis.step for axis in taps_of(geometry)]
    places = [step * pitch for step, pitch in zip(steps, pitches, strict=True)]
    aoff, boff = _tables(geometry, forward, begin, one, image)
    box, summed = (*one.sizes[:cut], end - begin, *one.sizes[cut + 1 :]), channels * len(aoff)
    lanes, kept = shapes.lanes[char], KEPT * shapes.lanes[char]
    vectors = vectors_of(box, image.pitches, places, lanes, summed, deep[0] > 0)
    row_blocks, vector_blocks, widest = tiling(rows, vectors.number, summed, shapes)
    few = summed <= FEW and channels <= SHALLOW
    block = BLOCK * RUNS if few else BLOCK if widest > APART else 0
    if block:  # runs of vectors end with the rows
        block = len(vectors.pos) * ceil(block / len(vectors.pos))
        vector_blocks = ceil(vectors.number / block)
    groups = np.arange(geometry.groups)
    made = driver(
        "sweep",
        geometry.groups * row_blocks * vector_blocks,
        groups=geometry.groups,
        rows=rows,
        vectors=vectors.number,
        pattern=len(vectors.pos),
        channels=channels,
        taps=len(aoff),
        am=weights_of(geometry, result),
        ac=apart_of(geometry, result),
        bc=image.size,
        bn=geometry.groups * channels * image.size,
        yn=geometry.groups * rows * prod(sizes),
        ym=prod(sizes),
        row_blocks=row_blocks,
        vector_blocks=vector_blocks,
        vectors_first=int(channels * image.size > kept if len(aoff) == 1 else not few and rows * summed <= kept // 2),
        step=places[-1],
        repeats=1,
        add=BEGUN if deep[0] else MADE,
        widest=widest,
        block=block,
        aoff=aoff,
        boff=boff,
        **_vector_tables(vectors),
        group_a=groups * (out * into * kernel),
        group_b=groups * (channels * image.size),
        group_y=groups * (rows * prod(sizes)),
        repeat_a=[0],
        repeat_b=[0],
    )
    start = begin * places[cut] + sum(residue * pitch for residue, pitch in zip(one.residues, pitches, strict=True))
    cycles = geometry.groups * time(rows, vectors.number, summed, shapes)
    return Sweep(made, start, geometry.groups * rows * prod(box) * summed, cycles)


def apart_of(geometry: Geometry, result: str) -> int:
    """Distance of the weights of neighboring channels that are read."""
    return prod(geometry.kernel) * (1 if result == "y" else geometry.channels[0])


def weights_of(geometry: Geometry, result: str) -> int:
    """Distance of the weights of neighboring channels that are made."""
    return prod(geometry.kernel) * (geometry.channels[0] if result == "y" else 1)


def _vector_tables(vectors: Vectors) -> dict[str, Array]:
    names = ("outer_pos", "outer_place", "pos", "start", "lane", "count", "place", "full", "run")
    return {name: getattr(vectors, name) for name in names}


def _tables(
    geometry: Geometry, forward: bool, begin: int, one: ResidueClass, image: Image
) -> tuple[Integers, Integers]:
    """Offsets of the taps of a class, in the weights and in the image."""
    aoff, boff, cut = [], [], cut_axis(geometry)
    for number, (axis, chosen) in enumerate(zip(taps_of(geometry), one.taps, strict=True)):
        tap = np.array(chosen)
        aoff.append(tap * prod(geometry.kernel[number + 1 :]))
        shift = np.array(axis.shift)[tap] * (1 if forward else -1)
        place = (begin if number == cut else 0) + shift - image.axes[number].first
        classes = image.classes(number, np.array(axis.residue)[tap]) if forward else 0
        boff.append(place * image.pitches[number] + classes)
    return all_sums(aoff), all_sums(boff)


def fill_of(channels: int, image: Image, plane: int, among: int) -> Driver:
    """The driver that makes images of the channels of samples, which lie among so many of theirs."""
    first, lead, count = image.rows()
    block = max(1, FILLED // image.axes[-1].length)
    return driver(
        "fill",
        channels * ceil(len(first) / block),
        rows=len(first),
        length=image.axes[-1].length,
        step=image.axes[-1].step,
        channels=channels,
        image=channels * image.size,
        channel=image.size,
        source_image=among * plane,
        source_channel=plane,
        block=block,
        source=first,
        lead=lead,
        count=count,
    )
