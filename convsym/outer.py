"""The weight gradient as outer products: lanes are output channels, and every element of x is one number.

dy is laid with its channels last, so that a tile of dw stays in registers while all positions of a strip go by; strides
and dilations of x are steps of a scalar, so x is only padded, and not even that where nothing lies outside.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod

import numpy as np

from convsym import kernels
from convsym.geometry import Geometry
from convsym.kernels.tables import Driver, cycles, driver
from convsym.strips import Part, Size, Span
from convsym.sweeps import fill_of
from convsym.taps import Axis, Image, Integers, Taps, all_sums, grid, taps_of

TURNED = 64  # positions that are laid anew at a time
# Cycles that a step of a tile takes beside its multiply-adds, and for each vector that it reads (from the second cache,
# for every tile goes over all positions); those of an element of dy that is laid. Measured on 90 layers (v4, 1 CPU).
STEP, READ, LAID = 4, 1, 1


@dataclass(frozen=True)
class Outer:
    """The shapes of the outer products of a geometry.

    Attributes
    ----------
    blocks, width : int
        Blocks of output channels and their size, a multiple of the lanes.
    by_channel : bool
        Whether the rows of a tile are input channels, or else the taps of the last axis.
    row_blocks : int
    time : float
        Estimated cycles for each position.
    """

    blocks: int
    width: int
    by_channel: bool
    row_blocks: int
    time: float


@lru_cache(maxsize=512)
def outer_shape(geometry: Geometry, char: str, level: str) -> Outer:
    """How the outer products of a geometry are cut into tiles, for the least estimated time."""
    shapes = kernels.tables.shapes(level)
    lanes = shapes.lanes[char]
    into, out = geometry.channels
    taps, vectors = geometry.kernel[-1], ceil(out / lanes)
    best: Outer | None = None
    for by_channel in (True, False):
        rows, others = (into, prod(geometry.kernel)) if by_channel else (taps, into * prod(geometry.kernel[:-1]))
        for widest, most in shapes.rows.items():
            blocks = ceil(vectors / widest)
            row_blocks = ceil(rows / most)
            m, n = rows / row_blocks, ceil(vectors / blocks)
            step = cycles(m, n) + STEP + READ * n
            time = others * row_blocks * blocks * step + LAID * out
            if n in shapes.rows and (best is None or time < best.time):
                best = Outer(blocks, n * lanes, by_channel, row_blocks, time)
    assert best is not None  # tiles of one vector exist at every level
    return best


def time(geometry: Geometry, char: str, level: str) -> float:
    """Estimated cycles for one sample and group."""
    return outer_shape(geometry, char, level).time * prod(geometry.outputs)


def _image(geometry: Geometry, taps: tuple[Taps, ...], begin: int, end: int) -> Image:
    """All elements of x from the first to the last that outputs begin … end along the first axis read."""
    axes = []
    for number, axis in enumerate(taps):
        low, high = (begin, end) if number == 0 else (0, geometry.outputs[number])
        first, last = min(axis.first) + axis.step * low, max(axis.first) + axis.step * (high - 1)
        axes.append(Axis(geometry.inputs[number], first, last - first + 1))
    return Image(tuple(axes))


def _offsets(taps: tuple[Taps, ...], image: Image) -> Integers:
    """Where the first output reads with each combination of taps."""
    return all_sums(
        [(np.array(axis.first) - min(axis.first)) * pitch for axis, pitch in zip(taps, image.pitches, strict=True)]
    )


def _owners(
    geometry: Geometry, taps: tuple[Taps, ...], image: Image, by_channel: bool
) -> tuple[int, int, Integers]:
    """Rows of the tiles, their distance in the image, and where those of each owner start."""
    into, offsets = geometry.channels[0], _offsets(taps, image)
    if by_channel:
        return into, image.size, offsets
    own = taps[-1].first
    distance = own[1] - own[0] if len(own) > 1 else 0
    return len(own), distance, (np.arange(into)[:, None] * image.size + offsets[:: len(own)]).ravel()


def room(geometry: Geometry, span: Span, size: Size, char: str, level: str) -> tuple[int, int, int]:
    """Elements of the images of x and of dy for a span, and of the sums."""
    (begin, end), (count, groups) = span, size
    cut, into = outer_shape(geometry, char, level), geometry.channels[0]
    image = _image(geometry, taps_of(geometry), begin, end)
    filled = 0 if image.whole else count * groups * into * image.size
    turned = count * groups * cut.blocks * cut.width * (end - begin) * prod(geometry.outputs[1:])
    return filled, turned, groups * cut.blocks * cut.width * into * prod(geometry.kernel)


@lru_cache(maxsize=512)
def part(geometry: Geometry, span: Span, size: Size, char: str, level: str) -> Part:
    """Outer products over a span of outputs along the first axis, of so many samples and groups."""
    (begin, end), (count, groups), taps = span, size, taps_of(geometry)
    cut, lanes = outer_shape(geometry, char, level), kernels.tables.shapes(level).lanes[char]
    into, out = geometry.channels
    image, box = _image(geometry, taps, begin, end), (end - begin, *geometry.outputs[1:])
    positions, planes = prod(box), box[:-2]
    lines = box[-2] if geometry.rank > 1 else 1
    rows, am, owners = _owners(geometry, taps, image, cut.by_channel)
    steps = [axis.step * pitch for axis, pitch in zip(taps, image.pitches, strict=True)]
    group, block, owner = (
        place.ravel() for place in np.indices((groups, cut.blocks, len(owners)), dtype=np.intp)
    )
    # Where x itself serves, samples lie apart with all their groups.
    sample = (geometry.groups if image.whole else groups) * into * image.size
    samples, vectors, apart = np.arange(count)[:, None], np.arange(0, cut.width, lanes), 1 if cut.by_channel else rows
    made = driver(
        "sweep",
        len(group) * cut.row_blocks,
        groups=len(group),
        rows=rows,
        vectors=len(vectors),
        pattern=len(vectors),
        channels=lines,
        taps=box[-1],
        am=am,
        ac=steps[-2] if geometry.rank > 1 else 0,
        bc=box[-1] * cut.width,
        bn=0,
        yn=0,
        ym=(len(owners) if cut.by_channel else 1) * cut.width,
        row_blocks=cut.row_blocks,
        vector_blocks=1,
        vectors_first=0,
        step=1,
        repeats=count * prod(planes),
        add=1,
        widest=len(vectors),
        block=0,
        aoff=np.arange(box[-1]) * steps[-1],
        boff=np.arange(box[-1]) * cut.width,
        outer_pos=[0],
        outer_place=[0],
        pos=vectors,
        start=np.arange(len(vectors) + 1),
        lane=np.zeros(len(vectors)),
        count=np.full(len(vectors), lanes),
        place=vectors,
        full=np.arange(len(vectors), 0, -1),
        run=np.arange(len(vectors), 0, -1),
        group_a=group * (into * image.size) + owners[owner],
        group_b=(group * cut.blocks + block) * (positions * cut.width),
        group_y=((group * cut.blocks + block) * (rows * len(owners)) + owner * apart) * cut.width,
        repeat_a=(samples * sample + grid(planes, steps[: len(planes)])).ravel(),
        repeat_b=(
            samples * (groups * cut.blocks * positions * cut.width)
            + np.arange(prod(planes)) * (lines * box[-1] * cut.width)
        ).ravel(),
    )
    turn = driver(
        "turn",
        count * groups * cut.blocks * ceil(positions / TURNED),
        channels=out,
        width=cut.width,
        positions=positions,
        block=TURNED,
        blocks=cut.blocks,
        source_group=out * prod(geometry.outputs),
        groups=groups,
        source_image=geometry.groups * out * prod(geometry.outputs),
        source_channel=prod(geometry.outputs),
    )
    fill = None if image.whole else fill_of(groups * into, image, prod(geometry.inputs), geometry.groups * into)
    work = count * positions * groups * into * out * prod(geometry.kernel)
    return Part(fill, turn, made, begin * prod(box[1:]), work)


@lru_cache(maxsize=512)
def settle(geometry: Geometry, groups: int, char: str, level: str) -> Driver:
    """How the outer products are laid as the weights are."""
    cut, channels = outer_shape(geometry, char, level), geometry.channels[1]
    lanes, elements = kernels.tables.shapes(level).lanes[char], geometry.channels[0] * prod(geometry.kernel)
    return driver(
        "settle",
        groups * ceil(channels / lanes),
        channels=channels,
        width=cut.width,
        elements=elements,
        block=lanes,
        group=channels * elements,
        channel=elements,
        groups=groups,
        image=0,
    )
