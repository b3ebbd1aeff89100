"""The direct sum by register tiles: forward and input gradient as one gather, over strips of the result.

A strip is filled into an image (padded, in residue classes), which stays in the cache while tiles sweep over it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import ceil, prod

import numpy as np

from convsym import kernels
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated import rules
from convsym.kernels.tables import Driver, Shapes, driver
from convsym.strips import STRIP, Span, even
from convsym.taps import PATTERN, Axis, Image, Integers, Vectors, all_sums, has_gaps, pitches_of, taps_of, vectors_of

# Elements of an image that one job of its filling takes at most, and of the images of a block of channels where those
# of all channels are too many for the second cache: weights are there too.
FILLED, DEEP = 2**12, 2**17
# Multiply-adds beside which filling one place of an image a second time is nothing.
FILLING = 640
# Vectors of a tile from which on they must follow each other, and vectors that one job takes at least then.
APART, BLOCK = 4, 32


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
class Cut:
    """How the rule y or dx is cut.

    Attributes
    ----------
    spans : tuple
        Results along the first axis.
    image : int
        Elements of the image of one sample; 0 where the array itself is the image.
    samples : int
        How many samples a thread does at a time.
    gaps : bool
        Whether some of the result belongs to no class.
    channels, deep : int
        How many channels are read, and how many of them at a time, one block added to the other: all, where their
        images fit.
    """

    spans: tuple[Span, ...]
    image: int
    samples: int
    gaps: bool
    channels: int
    deep: int

    @property
    def blocks(self) -> Iterator[Span]:
        """Spans of the channels that are read."""
        return ((first, min(first + self.deep, self.channels)) for first in range(0, self.channels, self.deep))


@dataclass(frozen=True)
class ResidueClass:
    """A residue class of the result: its counts, and which taps reach it."""

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


@lru_cache(maxsize=1024)
def cut(geometry: Geometry, result: str, lanes: int) -> Cut:
    """How the rule y or dx is cut, for any batch."""
    classes, channels = classes_of(geometry, result), geometry.channels[result == "dx"]
    height = max(one.sizes[0] for one in classes)
    whole = _image(geometry, result, (0, height))
    gaps = result == "dx" and has_gaps(geometry)
    if whole.whole and all(one.sizes[-1] >= lanes or prod(one.sizes[-2:]) >= lanes for one in classes):
        return Cut(((0, height),), 0, 2**62, gaps, channels, channels)  # no vector reaches beyond a channel
    spans = _spans(geometry, result, height, whole)
    largest = max(_image(geometry, result, span).size for span in (spans[0], spans[-1], spans[len(spans) // 2]))
    each, deep = geometry.groups * channels * largest, channels
    rows_fit_a_pattern = max(one.sizes[-1] for one in classes) <= PATTERN * lanes
    if each > STRIP and geometry.groups == 1 and rows_fit_a_pattern:
        deep = ceil(channels / min(ceil(each / DEEP), channels))
        each = largest * deep
    return Cut(spans, each, max(1, STRIP // each), gaps, channels, deep)


def _spans(geometry: Geometry, result: str, height: int, whole: Image) -> tuple[Span, ...]:
    """Spans of the result along its first axis, so that what each reads fits into the second cache.

    Neighbors fill what both of them read, which is little beside what many rows of a result do with it. Where that is
    not enough and channels will be done block by block, least is moved.
    """
    halo = whole.axes[0].length - height
    into, out = (geometry.groups * size for size in geometry.channels)
    read, made = (into, out) if result == "y" else (out, into)
    count = min(ceil(read * whole.size / STRIP), height // max(4 * halo, 1))
    if read * whole.size > count * STRIP:
        positions = prod(geometry.outputs if result == "y" else geometry.inputs)
        least = min(ceil(halo * FILLING / (made // geometry.groups * prod(geometry.kernel))), 4 * halo)

        def moved(spans: int) -> int:
            """Elements of weights, once for each span, and of results, twice for each block of channels."""
            blocks = ceil(read * whole.size * (ceil(height / spans) + halo) / ((height + halo) * DEEP))
            return spans * made * read * prod(geometry.kernel) // geometry.groups + 2 * blocks * made * positions

        count = min(range(max(count, 1), max(height // max(least, 1), count, 1) + 1), key=moved)
    count = max(count, 1)
    return even(height, count)


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


def _image(geometry: Geometry, result: str, span: Span) -> Image:
    """The image that results of a span along the first axis, and all along the others, read."""
    classes, axes = classes_of(geometry, result), []
    for number, axis in enumerate(taps_of(geometry)):
        low, high = span if number == 0 else (0, max(one.sizes[number] for one in classes))
        moved = axis.shift if result == "y" else [-shift for shift in axis.shift]
        first, length = low + min(moved), high - low + max(moved) - min(moved)
        if result == "y":
            axes.append(Axis(geometry.inputs[number], first, length, axis.step, axis.classes))
        else:
            axes.append(Axis(geometry.outputs[number], first, length))
    return Image(tuple(axes))


@lru_cache(maxsize=4096)
def strip(geometry: Geometry, result: str, span: Span, deep: Span, char: str, level: str) -> Strip:
    """A span of the rule y or dx and of the channels that are read, done with the tiles of a level, for any batch."""
    shapes, image = kernels.tables.shapes(level), _image(geometry, result, span)
    copies = cut(geometry, result, shapes.lanes[char]).image > 0
    channels, among = (geometry.groups * count for count in (deep[1] - deep[0], geometry.channels[result == "dx"]))
    plane = prod(geometry.inputs if result == "y" else geometry.outputs)
    made = [_sweep(geometry, result, span, deep, one, image, char, shapes) for one in classes_of(geometry, result)]
    sweeps, starts, works = zip(*(entry for entry in made if entry is not None), strict=True)
    fill = fill_of(channels, image, plane, among) if copies else None
    return Strip(fill, tuple(zip(sweeps, starts, strict=True)), sum(works))


def _sweep(
    geometry: Geometry,
    result: str,
    span: Span,
    deep: Span,
    one: ResidueClass,
    image: Image,
    char: str,
    shapes: Shapes,
) -> tuple[Driver, int, int] | None:
    """The sweep over a class, where its results start, and its multiply-adds; None where the span has none of it."""
    (begin, end), forward = (span[0], min(span[1], one.sizes[0])), result == "y"
    if end <= begin:
        return None
    into, out = geometry.channels
    rows, channels = out if forward else into, deep[1] - deep[0]
    sizes, kernel = geometry.outputs if forward else geometry.inputs, prod(geometry.kernel)
    pitches = pitches_of(sizes)
    steps = [1 if forward else axis.step for axis in taps_of(geometry)]
    places = [step * pitch for step, pitch in zip(steps, pitches, strict=True)]
    aoff, boff = _tables(geometry, forward, begin, one, image)
    box, summed = (end - begin, *one.sizes[1:]), channels * len(aoff)
    vectors = vectors_of(box, image.pitches, places, shapes.lanes[char], summed, deep[0] > 0)
    row_blocks, vector_blocks, widest = tiling(rows, vectors.number, summed, shapes)
    block = len(vectors.pos) * ceil(BLOCK / len(vectors.pos)) if widest > APART else 0
    if block:  # runs of vectors end with the rows
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
        am=into * kernel if forward else kernel,
        ac=_apart(geometry, result),
        bc=image.size,
        bn=geometry.groups * channels * image.size,
        yn=geometry.groups * rows * prod(sizes),
        ym=prod(sizes),
        row_blocks=row_blocks,
        vector_blocks=vector_blocks,
        vectors_first=int(channels * image.size > STRIP if len(aoff) == 1 else rows * summed <= STRIP // 2),
        step=places[-1],
        repeats=1,
        add=int(deep[0] > 0),
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
    start = begin * places[0] + sum(residue * pitch for residue, pitch in zip(one.residues, pitches, strict=True))
    return made, start, geometry.groups * rows * prod(box) * summed


def _apart(geometry: Geometry, result: str) -> int:
    """Distance of the weights of neighboring channels that are read."""
    return prod(geometry.kernel) * (1 if result == "y" else geometry.channels[0])


def _vector_tables(vectors: Vectors) -> dict[str, Array]:
    names = ("outer_pos", "outer_place", "pos", "start", "lane", "count", "place", "full", "run")
    return {name: getattr(vectors, name) for name in names}


def _tables(
    geometry: Geometry, forward: bool, begin: int, one: ResidueClass, image: Image
) -> tuple[Integers, Integers]:
    """Offsets of the taps of a class, in the weights and in the image."""
    aoff, boff = [], []
    for number, (axis, chosen) in enumerate(zip(taps_of(geometry), one.taps, strict=True)):
        tap = np.array(chosen)
        aoff.append(tap * prod(geometry.kernel[number + 1 :]))
        shift = np.array(axis.shift)[tap] * (1 if forward else -1)
        place = (begin if number == 0 else 0) + shift - image.axes[number].first
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


@lru_cache(maxsize=1024)
def _is_deep(geometry: Geometry, result: str, lanes: int) -> bool:
    """Whether the channels of a group are added block by block, so that groups are done one after the other."""
    made = cut(replace(geometry, groups=1), result, lanes)
    return made.deep < made.channels


def room(geometry: Geometry, result: str, lanes: int) -> int:
    """Elements of the images of the rule y or dx."""
    if geometry.groups > 1 and _is_deep(geometry, result, lanes):
        geometry = replace(geometry, groups=1)
    return _together(geometry, cut(geometry, result, lanes), lanes)[1]


def _together(geometry: Geometry, made: Cut, lanes: int) -> tuple[int, int]:
    """Samples done at a time, for each thread as many as fit into its second cache; elements of their images."""
    samples = min(geometry.batch, made.samples * kernels.get_num_threads())
    return samples, samples * made.image + lanes if made.image else 0


def run(geometry: Geometry, result: str, operands: Mapping[str, Array], out: Array) -> None:
    """Write the rule y or dx into `out`."""
    char, level, batch = out.dtype.char, kernels.in_use(), geometry.batch
    lanes, letter = kernels.tables.shapes(level).lanes[char], "x" if result == "y" else "dy"
    if geometry.groups > 1 and _is_deep(geometry, result, lanes):
        for n, g in product(range(batch), range(geometry.groups)):
            place = {"w": slice(g, g + 1)}
            own = {name: array[place.get(name, np.s_[n : n + 1, g : g + 1])] for name, array in operands.items()}
            run(replace(geometry, batch=1, groups=1), result, own, out[n : n + 1, g : g + 1])
        return
    made, steps = _steps(geometry, result, char, level)
    if made.gaps:
        out[...] = 0
    read = operands[letter].reshape(-1)
    weights, flat = operands["w"].reshape(-1), out.reshape(-1)
    each, source = out.size // batch, read.size // batch
    samples, size = _together(geometry, made, lanes)
    image = np.empty(size, out.dtype)
    image[-lanes:] = 0
    for begin in range(0, batch, samples):
        count, part, results = min(samples, batch - begin), read[begin * source :], flat[begin * each :]
        for todo, channel, weight in steps:
            if todo.fill is not None:
                kernels.drive(todo.fill, (image, part[channel:]), count, kernels.MOVED * image.size, char)
            for sweep, start in todo.sweeps:
                arrays = (results[start:], weights[weight:], part if todo.fill is None else image)
                kernels.drive(sweep, arrays, count, count * todo.work, char)


@lru_cache(maxsize=1024)
def _steps(
    geometry: Geometry, result: str, char: str, level: str
) -> tuple[Cut, tuple[tuple[Strip, int, int], ...]]:
    """How a rule is cut, and its strips with where the channels that they read begin, and their weights."""
    made = cut(geometry, result, kernels.tables.shapes(level).lanes[char])
    plane, apart = prod(geometry.inputs if result == "y" else geometry.outputs), _apart(geometry, result)
    steps = [
        (strip(geometry, result, span, deep, char, level), deep[0] * plane, deep[0] * apart)
        for span, deep in product(made.spans, made.blocks)
    ]
    return made, tuple(steps)
