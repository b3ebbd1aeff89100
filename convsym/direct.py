"""The direct sum by register tiles: forward and input gradient as one gather, over strips of the result.

A strip is filled into an image (padded, in residue classes), which stays in the cache while tiles sweep over it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from math import ceil, prod

import numpy as np

from convsym import kernels
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated import rules
from convsym.kernels.tables import Driver, Shapes, driver
from convsym.taps import Axis, Image, Integers, Taps, Vectors, all_sums, taps_of, vectors_of

# Elements of an image that a strip is cut to: it stays in the second cache together with weights and results.
STRIP = 2**18
# Elements of an image that one job of its filling takes at most.
FILLED = 2**12


@dataclass(frozen=True)
class Strip:
    """A range of the result along its first axis.

    Attributes
    ----------
    fill : Driver or None
        None where the array itself is the image.
    sweeps : tuple of (Driver, int)
        The sweeps, and where their results start.
    work : int
        Multiply-adds for each sample.
    """

    fill: Driver | None
    sweeps: tuple[tuple[Driver, int], ...]
    work: int


@dataclass(frozen=True)
class Gather:
    """The rule y or dx of a convolution, ready to be done.

    Attributes
    ----------
    reads : {"x", "dy"}
    strips : tuple of Strip
    image : int
        Elements of the image of one sample; 0 where nothing is copied.
    samples : int
        How many samples are done at a time.
    empty : bool
        Whether there are results that no tap reaches, which are 0.
    """

    reads: str
    strips: tuple[Strip, ...]
    image: int
    samples: int
    empty: bool


@dataclass(frozen=True)
class _Class:
    """A residue class of the result: its counts, which taps reach it, and how far the taps are shifted."""

    residues: tuple[int, ...]
    sizes: tuple[int, ...]
    taps: tuple[tuple[int, ...], ...]


def tiling(rows: int, vectors: int, steps: int, shapes: Shapes) -> tuple[int, int, int]:
    """Blocks of rows, blocks of vectors, and vectors of a tile, for the least estimated time.

    A step of m rows and n vectors takes m·n multiply-adds, of which two are done at a time, no less than the four
    cycles that an addition takes; storing takes about three cycles a vector.
    """

    def time(widest: int) -> float:
        row_blocks, vector_blocks = ceil(rows / shapes.rows[widest]), ceil(vectors / widest)
        m, n = rows / row_blocks, vectors / vector_blocks
        step = max(m * n / 2, (m + 1.5 * n) / 2, 4)
        return row_blocks * vector_blocks * (steps * step + 3 * m * n + 20)

    widest = min(shapes.rows, key=time)
    return ceil(rows / shapes.rows[widest]), ceil(vectors / widest), widest


@lru_cache(maxsize=512)
def gather(geometry: Geometry, result: str, char: str, level: str) -> Gather:
    """How the rule y or dx is done with the tiles of a level, for any batch."""
    shapes = kernels.tables.shapes(level)
    forward = result == "y"
    taps = tuple(taps_of(geometry, axis) for axis in range(geometry.rank))
    classes = tuple(_forward_classes(geometry) if forward else _gradient_classes(geometry, taps))
    into, out = geometry.channels
    channels = into if forward else out
    height = max(one.sizes[0] for one in classes)
    whole = _image(geometry, taps, forward, 0, height, classes)
    per_sample = geometry.groups * channels * whole.size
    count = ceil(per_sample / STRIP)
    halo = whole.axes[0].length - height
    count = max(1, min(count, height // max(4 * halo, 1)))
    steps = [height * place // count for place in range(count + 1)]
    strips, largest = [], 0
    lanes = shapes.lanes[char]
    copies = count > 1 or not whole.whole or not _in_place(geometry, classes, lanes)
    for begin, end in pairwise(steps):
        image = _image(geometry, taps, forward, begin, end, classes) if copies else whole
        strips.append(_strip(geometry, taps, forward, begin, end, classes, image, copies, lanes, shapes))
        largest = max(largest, image.size)
    size = geometry.groups * channels * largest
    samples = max(1, STRIP // size) if copies else 2**62
    empty = not forward and any(len(axis.classes) < axis.step for axis in taps)
    return Gather("x" if forward else "dy", tuple(strips), size if copies else 0, samples, empty)


def _forward_classes(geometry: Geometry) -> Iterator[_Class]:
    yield _Class((0,) * geometry.rank, geometry.outputs, tuple(tuple(range(size)) for size in geometry.kernel))


def _gradient_classes(geometry: Geometry, taps: tuple[Taps, ...]) -> Iterator[_Class]:
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
            yield _Class(residues, sizes, reach)


def _image(
    geometry: Geometry, taps: tuple[Taps, ...], forward: bool, begin: int, end: int, classes: tuple[_Class, ...]
) -> Image:
    """The image that results begin … end along the first axis, and all along the others, read."""
    axes = []
    for number, axis in enumerate(taps):
        low, high = (begin, end) if number == 0 else (0, max(one.sizes[number] for one in classes))
        moved = axis.shift if forward else [-shift for shift in axis.shift]
        first, length = low + min(moved), high - low + max(moved) - min(moved)
        if forward:
            axes.append(Axis(geometry.inputs[number], first, length, axis.step, axis.classes))
        else:
            axes.append(Axis(geometry.outputs[number], first, length))
    return Image(tuple(axes))


def _in_place(geometry: Geometry, classes: tuple[_Class, ...], lanes: int) -> bool:
    """Whether no vector reaches beyond a channel."""
    return all(one.sizes[-1] >= lanes or prod(one.sizes[-2:]) >= lanes for one in classes)


def _strip(
    geometry: Geometry,
    taps: tuple[Taps, ...],
    forward: bool,
    begin: int,
    end: int,
    classes: tuple[_Class, ...],
    image: Image,
    copies: bool,
    lanes: int,
    shapes: Shapes,
) -> Strip:
    into, out = geometry.channels
    rows, channels = (out, into) if forward else (into, out)
    read = geometry.shapes["x" if forward else "y"][3:]
    sizes = geometry.outputs if forward else geometry.inputs
    pitches = [prod(sizes[place + 1 :]) for place in range(len(sizes))]
    kernel = prod(geometry.kernel)
    sweeps, work = [], 0
    for one in classes:
        top = min(end, one.sizes[0])
        if top <= begin:
            continue
        box = (top - begin, *one.sizes[1:])
        steps = [1 if forward else axis.step for axis in taps]
        places = [step * pitch for step, pitch in zip(steps, pitches, strict=True)]
        vectors = vectors_of(box, image.pitches, places, lanes, channels * prod(map(len, one.taps)))
        aoff, boff = _tables(taps, forward, begin, one, image, geometry.kernel)
        row_blocks, vector_blocks, widest = tiling(rows, vectors.number, channels * len(aoff), shapes)
        groups = np.arange(geometry.groups)
        made = driver(
            "sweep",
            geometry.groups * row_blocks * vector_blocks,
            samples=0,
            groups=geometry.groups,
            rows=rows,
            vectors=vectors.number,
            pattern=len(vectors.pos),
            channels=channels,
            taps=len(aoff),
            am=into * kernel if forward else kernel,
            ac=kernel if forward else into * kernel,
            bc=image.size,
            bn=geometry.groups * channels * image.size,
            yn=geometry.groups * rows * prod(sizes),
            ym=prod(sizes),
            row_blocks=row_blocks,
            vector_blocks=vector_blocks,
            vectors_first=int(channels * image.size > STRIP // 2),
            step=places[-1],
            repeats=1,
            add=0,
            widest=widest,
            aoff=aoff,
            boff=boff,
            **_vector_tables(vectors),
            group_a=groups * (out * into * kernel),
            group_b=groups * (channels * image.size),
            group_y=groups * (rows * prod(sizes)),
            repeat_a=[0],
            repeat_b=[0],
        )
        start = begin * places[0] + sum(residue * pitch for residue, pitch in zip(one.residues, pitches, strict=True))
        sweeps.append((made, start))
        work += geometry.groups * rows * prod(box) * channels * len(aoff)
    return Strip(fill_of(geometry.groups * channels, image, prod(read)) if copies else None, tuple(sweeps), work)


def _vector_tables(vectors: Vectors) -> dict[str, Array]:
    names = ("outer_pos", "outer_place", "pos", "start", "lane", "count", "place", "full")
    return {name: getattr(vectors, name) for name in names}


def _tables(
    taps: tuple[Taps, ...], forward: bool, begin: int, one: _Class, image: Image, kernel: tuple[int, ...]
) -> tuple[Integers, Integers]:
    """Offsets of the taps of a class, in the weights and in the image."""
    aoff, boff = [], []
    for number, (axis, chosen) in enumerate(zip(taps, one.taps, strict=True)):
        tap = np.array(chosen)
        aoff.append(tap * prod(kernel[number + 1 :]))
        shift = np.array(axis.shift)[tap] * (1 if forward else -1)
        place = (begin if number == 0 else 0) + shift - image.axes[number].first
        classes = image.classes(number, np.array(axis.residue)[tap]) if forward else 0
        boff.append(place * image.pitches[number] + classes)
    return all_sums(aoff), all_sums(boff)


def fill_of(channels: int, image: Image, plane: int) -> Driver:
    """The driver that makes images of the channels of samples."""
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
        source_image=channels * plane,
        source_channel=plane,
        block=block,
        source=first,
        lead=lead,
        count=count,
    )


def run(geometry: Geometry, result: str, operands: dict[str, Array], out: Array) -> None:
    """Write the rule y or dx into `out`."""
    char = out.dtype.char
    made = gather(geometry, result, char, kernels.in_use())
    if made.empty:
        out[...] = 0
    lanes = kernels.tables.shapes(kernels.in_use()).lanes[char]
    read, flat, weights = operands[made.reads], out.reshape(-1), operands["w"].reshape(-1)
    batch = out.shape[0]
    images, source = out.size // batch, read.size // batch
    read = read.reshape(-1)
    samples = min(batch, made.samples)
    image = np.empty(samples * made.image + lanes, out.dtype) if made.image else None
    if image is not None:
        image[-lanes:] = 0
    for begin in range(0, batch, samples):
        count = min(samples, batch - begin)
        part = read[begin * source :]
        for strip in made.strips:
            if strip.fill is not None:
                kernels.drive(strip.fill, (image, part), count, count * strip.work // 16, char)
            for sweep, start in strip.sweeps:
                arrays = (flat[begin * images + start :], weights, part if image is None else image)
                kernels.drive(sweep, arrays, count, count * strip.work, char)
