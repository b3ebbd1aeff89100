"""The weight gradient by register tiles: a sum over positions, which no tap table can move out of the way.

Two schedules. With many output channels, dy is laid with its channels last, so that lanes are channels and every
element of x is one number (*outer products*); with few, lanes are positions and their sums are added last (*dot
products*). Both go over strips of positions, whose sums are added in one fixed order.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, gcd, prod

import numpy as np

from convsym import kernels
from convsym.direct import STRIP, fill_of
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels.tables import Driver, driver
from convsym.taps import Axis, Image, Integers, Taps, all_sums, grid, taps_of

# Elements of the lines of dy whose dot products are made at a time: they stay in the first cache.
LINES = 2**11
TURNED = 64  # positions that are laid anew at a time
SETTLED = 16  # channels that are laid back at a time, at most


@dataclass(frozen=True)
class Part:
    """A strip of positions of some samples.

    Attributes
    ----------
    fill : Driver or None
        How the image of x is made; None where x itself serves.
    lay : Driver or None
        How dy is laid anew; None where it serves as it lies.
    sum : Driver
        The outer or the dot products.
    start : int
        Where the strip starts in dy of one sample.
    sizes : tuple of int
        Elements of both images.
    work : int
        Multiply-adds.
    sums : int
        Partial sums of each element that dot products make.
    """

    fill: Driver | None
    lay: Driver | None
    sum: Driver
    start: int
    sizes: tuple[int, int]
    work: int
    sums: int = 1


def rows_of_strips(geometry: Geometry) -> list[int]:
    """Where strips begin along the first output axis, and where the last ends."""
    height, (into, out) = geometry.outputs[0], geometry.channels
    elements = geometry.groups * (into * prod(geometry.inputs) + out * prod(geometry.outputs))
    count = max(1, min(ceil(elements / STRIP), height // 4))
    return [height * place // count for place in range(count + 1)]


def is_outer(geometry: Geometry, lanes: int) -> bool:
    """Whether lanes are output channels."""
    return 2 * geometry.channels[1] >= lanes


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
    """

    blocks: int
    width: int
    by_channel: bool
    row_blocks: int


@lru_cache(maxsize=512)
def outer_shape(geometry: Geometry, char: str, level: str) -> Outer:
    """How the outer products of a geometry are cut into tiles, for the least estimated time."""
    shapes = kernels.tables.shapes(level)
    lanes = shapes.lanes[char]
    into, out = geometry.channels
    taps, vectors = geometry.kernel[-1], ceil(out / lanes)
    best = None
    for by_channel in (True, False):
        rows, others = (into, prod(geometry.kernel)) if by_channel else (taps, into * prod(geometry.kernel[:-1]))
        for widest, most in shapes.rows.items():
            blocks = ceil(vectors / widest)
            row_blocks = ceil(rows / most)
            m, n = rows / row_blocks, ceil(vectors / blocks)
            time = others * row_blocks * blocks * max(m * n / 2, (m + n) / 2, 4)
            if n in shapes.rows and (best is None or time < best[0]):
                best = (time, Outer(blocks, n * lanes, by_channel, row_blocks))
    assert best is not None  # tiles of one vector exist at every level
    return best[1]


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


def _outer_part(
    geometry: Geometry, taps: tuple[Taps, ...], begin: int, end: int, count: int, char: str, level: str
) -> Part:
    """Outer products over outputs begin … end along the first axis, of `count` samples."""
    cut, lanes = outer_shape(geometry, char, level), kernels.tables.shapes(level).lanes[char]
    into, out = geometry.channels
    image, box = _image(geometry, taps, begin, end), (end - begin, *geometry.outputs[1:])
    positions, planes = prod(box), box[:-2]
    lines = box[-2] if geometry.rank > 1 else 1
    rows, am, owners = _owners(geometry, taps, image, cut.by_channel)
    steps = [axis.step * pitch for axis, pitch in zip(taps, image.pitches, strict=True)]
    group, block, owner = (
        place.ravel() for place in np.indices((geometry.groups, cut.blocks, len(owners)), dtype=np.intp)
    )
    samples, vectors = np.arange(count)[:, None], np.arange(0, cut.width, lanes)
    made = driver(
        "sweep",
        len(group) * cut.row_blocks,
        samples=0,
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
        ym=cut.width,
        row_blocks=cut.row_blocks,
        vector_blocks=1,
        vectors_first=0,
        step=1,
        repeats=count * prod(planes),
        add=1,
        widest=len(vectors),
        aoff=np.arange(box[-1]) * steps[-1],
        boff=np.arange(box[-1]) * cut.width,
        outer_pos=[0],
        outer_place=[0],
        pos=vectors,
        start=np.arange(len(vectors) + 1),
        lane=np.zeros(len(vectors)),
        count=np.full(len(vectors), lanes),
        place=vectors,
        full=np.ones(len(vectors)),
        group_a=group * (into * image.size) + owners[owner],
        group_b=(group * cut.blocks + block) * (positions * cut.width),
        group_y=((group * cut.blocks + block) * len(owners) + owner) * (rows * cut.width),
        repeat_a=(samples * (geometry.groups * into * image.size) + grid(planes, steps[: len(planes)])).ravel(),
        repeat_b=(
            samples * (geometry.groups * cut.blocks * positions * cut.width)
            + np.arange(prod(planes)) * (lines * box[-1] * cut.width)
        ).ravel(),
    )
    turn = driver(
        "turn",
        count * geometry.groups * cut.blocks * ceil(positions / TURNED),
        channels=out,
        width=cut.width,
        positions=positions,
        block=TURNED,
        blocks=cut.blocks,
        source_image=out * prod(geometry.outputs),
        source_channel=prod(geometry.outputs),
    )
    fill = None if image.whole else fill_of(geometry.groups * into, image, prod(geometry.inputs))
    size = 0 if fill is None else geometry.groups * into * image.size
    turned = geometry.groups * cut.blocks * positions * cut.width
    work = count * positions * geometry.groups * into * out * prod(geometry.kernel)
    return Part(fill, turn, made, begin * prod(box[1:]), (size * count, turned * count), work)


def _dot_part(
    geometry: Geometry, taps: tuple[Taps, ...], begin: int, end: int, count: int, char: str, level: str
) -> Part:
    """Dot products over outputs begin … end along the first axis, of `count` samples."""
    shapes = kernels.tables.shapes(level)
    lanes = shapes.lanes[char]
    into, out = geometry.channels
    box = (end - begin, *geometry.outputs[1:])
    vectors = ceil(box[-1] / lanes)
    lows = (begin, *(0 for _ in box[1:]))
    cotangent = Image(
        tuple(
            Axis(size, low, length)
            for size, low, length in zip(geometry.outputs, lows, (*box[:-1], vectors * lanes), strict=True)
        )
    )
    axes = [
        Axis(size, low + min(own.shift), length + max(own.shift) - min(own.shift), own.step, own.classes)
        for size, low, length, own in zip(geometry.inputs, lows, (*box[:-1], vectors * lanes), taps, strict=True)
    ]
    image = Image(tuple(axes))
    columns = [
        (np.array(own.shift) - min(own.shift)) * pitch + image.classes(number, np.array(own.residue))
        for number, (own, pitch) in enumerate(zip(taps, image.pitches, strict=True))
    ]
    boff = all_sums([np.arange(into) * image.size, *columns])
    row_blocks = ceil(out / max(shapes.dots))
    column_blocks = ceil(len(boff) / shapes.dots[ceil(out / row_blocks)])
    repeat_a, repeat_b, repeat_lines = _repeats(geometry, cotangent, image, box, count)
    made = driver(
        "dot",
        len(repeat_a) * geometry.groups * row_blocks * column_blocks,
        rows=out,
        columns=len(boff),
        groups=geometry.groups,
        row_blocks=row_blocks,
        column_blocks=column_blocks,
        vectors=vectors,
        group_a=out * cotangent.size,
        am=cotangent.size,
        al=vectors * lanes,
        group_b=into * image.size,
        bl=image.pitches[-2] if geometry.rank > 1 else 0,
        repeat_a=repeat_a,
        repeat_b=repeat_b,
        repeat_lines=repeat_lines,
        boff=boff,
    )
    fill = fill_of(geometry.groups * into, image, prod(geometry.inputs))
    lay = None if cotangent.whole else fill_of(geometry.groups * out, cotangent, prod(geometry.outputs))
    sizes = geometry.groups * into * image.size, 0 if lay is None else geometry.groups * out * cotangent.size
    work = count * prod(box) * geometry.groups * into * out * prod(geometry.kernel)
    return Part(fill, lay, made, 0, (count * sizes[0], count * sizes[1]), work, len(repeat_a))


def _repeats(
    geometry: Geometry, cotangent: Image, image: Image, box: tuple[int, ...], count: int
) -> tuple[Integers, Integers, Integers]:
    """For each block of lines of all samples, where it starts in both images and how many lines it has."""
    into, out = geometry.channels
    planes, lines = box[:-2], box[-2] if geometry.rank > 1 else 1
    starts = np.arange(0, lines, max(1, LINES // cotangent.axes[-1].length))
    counts = np.diff([*starts, lines])
    found = []
    for one, channels in ((cotangent, out), (image, into)):
        line = starts * one.pitches[-2] if geometry.rank > 1 else starts
        samples = np.arange(count)[:, None, None] * (geometry.groups * channels * one.size)
        found.append((samples + grid(planes, one.pitches[: len(planes)])[:, None] + line).ravel())
    return found[0], found[1], np.tile(counts, count * prod(planes))


@lru_cache(maxsize=512)
def parts_of(geometry: Geometry, count: int, char: str, level: str) -> tuple[Part, ...]:
    """The strips of so many samples."""
    lanes = kernels.tables.shapes(level).lanes[char]
    taps = tuple(taps_of(geometry, axis) for axis in range(geometry.rank))
    make = _outer_part if is_outer(geometry, lanes) else _dot_part
    steps = rows_of_strips(geometry)
    return tuple(make(geometry, taps, begin, end, count, char, level) for begin, end in pairwise(steps))


def run(geometry: Geometry, operands: dict[str, Array], out: Array) -> None:
    """Write the rule dw into `out`."""
    char, level = out.dtype.char, kernels.in_use()
    outer = is_outer(geometry, kernels.tables.shapes(level).lanes[char])
    x, dy = operands["x"].reshape(-1), operands["dy"].reshape(-1)
    each_x, each_dy = x.size // geometry.batch, dy.size // geometry.batch
    samples = max(1, min(geometry.batch, STRIP // (each_x + each_dy)))
    rooms = [part.sizes for part in parts_of(geometry, samples, char, level)]
    image, laid = (np.empty(max(sizes), out.dtype) for sizes in zip(*rooms, strict=True))
    total = np.zeros(_room(geometry, char, level) if outer else out.size, out.dtype)
    for begin in range(0, geometry.batch, samples):
        count = min(samples, geometry.batch - begin)
        for part in parts_of(geometry, count, char, level):
            here, there = x[begin * each_x :], dy[begin * each_dy + part.start :]
            if part.fill is not None:
                kernels.drive(part.fill, (image, here), count, part.work // 16, char)
                here = image
            if part.lay is not None:
                kernels.drive(part.lay, (laid, there), 1 if outer else count, part.work // 16, char)
                there = laid
            if outer:
                kernels.drive(part.sum, (total, here, there), 1, part.work, char)
            else:
                partial = np.empty((part.sums, out.size), out.dtype)
                kernels.drive(part.sum, (partial.reshape(-1), there, here), 1, part.work, char)
                total += partial.sum(axis=0)
    if outer:
        kernels.drive(_settle(geometry, char, level), (out.reshape(-1), total), 1, out.size * 8, char)
    else:
        out[...] = total.reshape(out.shape)


def _room(geometry: Geometry, char: str, level: str) -> int:
    """Elements of the result with its output channels last."""
    cut = outer_shape(geometry, char, level)
    return geometry.groups * cut.blocks * cut.width * geometry.channels[0] * prod(geometry.kernel)


def _settle(geometry: Geometry, char: str, level: str) -> Driver:
    """How the outer products are laid as the weights are."""
    cut, channels = outer_shape(geometry, char, level), geometry.channels[1]
    elements = geometry.channels[0] * prod(geometry.kernel)
    return driver(
        "settle",
        geometry.groups * ceil(channels / gcd(SETTLED, cut.width)),
        channels=channels,
        width=cut.width,
        elements=elements,
        inner=prod(geometry.kernel) if cut.by_channel else elements,
        block=gcd(SETTLED, cut.width),
        inner_first=int(cut.by_channel),
    )
