"""The weight gradient as dot products: lanes are positions along a line, whose sums are added last.

For few channels, such as those of depthwise and first layers. Lines of dy that are whole vectors are read where they
lie, others are rounded up with zeros; x is split into the residue classes of its stride, so that every tap reads
vectors.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, prod

import numpy as np

from convsym import kernels
from convsym.geometry import Geometry, Shape
from convsym.kernels.tables import Shapes, cycles, driver
from convsym.strips import Part, Size, Span, spans
from convsym.sweeps import fill_of
from convsym.taps import Axis, Image, Integers, all_sums, grid, pitches_of, taps_of

# Elements of the lines of dy whose dot products are summed together, and of the lines of a tile's rows that are gone
# over at a time: they stay in the first cache. Tiles of columns that a job does, at most; the same in the driver.
LINES, HELD, PANEL = 2**13, 2**12, 8
# Cycles that a multiply-add of a tile takes for one that it could, those of a line beside them, those of adding the
# lanes of a product, and those of an element of dy that is laid, or of x where it is split. Measured on 90 layers too.
ADDED, LINE, LANES, LAID, SPLIT = 1.6, 12, 25, 1.5, 2.5


def room(geometry: Geometry, span: Span, size: Size, char: str, level: str) -> tuple[int, int, int]:
    """Elements of the images of x and of dy for a span, and of the sums."""
    (begin, end), (count, groups), (into, out) = span, size, geometry.channels
    cotangent, image = _images(geometry, span, kernels.tables.shapes(level).lanes[char])
    lines = end - begin if geometry.rank == 2 else geometry.outputs[-2] if geometry.rank > 2 else 1
    planes = prod((end - begin, *geometry.outputs[1:])[:-2])
    sums = count * planes * ceil(lines / _together(cotangent.axes[-1].length)) + 2
    filled = 0 if image.whole else count * groups * into * image.size
    laid = count * groups * out * cotangent.size if is_laid(geometry, char, level) else 0
    return filled, laid, sums * groups * out * into * prod(geometry.kernel)


def time(geometry: Geometry, char: str, level: str) -> float:
    """Estimated cycles for one sample and group."""
    shapes, (into, out) = kernels.tables.shapes(level), geometry.channels
    size, columns = geometry.outputs[-1], into * prod(geometry.kernel)
    vectors = ceil(size / shapes.lanes[char])
    row_blocks, rows, column_blocks = _blocks(geometry, shapes)
    tiles = row_blocks * column_blocks * (ADDED * vectors * cycles(rows, columns / column_blocks) + LINE)
    lines = prod(geometry.outputs[:-1])
    together = min(_together(size), *geometry.outputs[-2:-1], lines)
    laid = LAID * out * size if is_laid(geometry, char, level) else 0
    split = SPLIT * into * prod(geometry.inputs) if geometry.stride[-1] > 1 else 0
    return lines * (tiles + LANES * out * columns / together + laid) + split


def _blocks(geometry: Geometry, shapes: Shapes) -> tuple[int, int, int]:
    """Blocks of rows, the rows of the largest, and blocks of columns."""
    into, out = geometry.channels
    row_blocks = ceil(out / max(shapes.dots))
    rows = ceil(out / row_blocks)
    return row_blocks, rows, ceil(into * prod(geometry.kernel) / shapes.dots[rows])


def _together(length: int) -> int:
    """Lines of so many elements whose dot products are summed together."""
    return max(1, LINES // length)


def is_laid(geometry: Geometry, char: str, level: str) -> bool:
    """Whether dy is laid anew: its lines are no whole vectors as they lie, or cut."""
    if geometry.outputs[-1] % kernels.tables.shapes(level).lanes[char]:
        return True
    return geometry.rank == 1 and len(spans(geometry, False)) > 1


def _images(geometry: Geometry, span: Span, lanes: int) -> tuple[Image, Image]:
    """The images of dy and of x for a span."""
    (begin, end), taps = span, taps_of(geometry)
    box = (end - begin, *geometry.outputs[1:-1], 0)[: geometry.rank]
    last = end - begin if geometry.rank == 1 else geometry.outputs[-1]
    lengths = (*box[:-1], ceil(last / lanes) * lanes)
    lows = (begin, *(0 for _ in lengths[1:]))
    # A line that is rounded up ends with zeros, not with what the next span begins with.
    sizes = (*geometry.outputs[:-1], last if geometry.rank > 1 else end)
    cotangent = [Axis(size, low, length) for size, low, length in zip(sizes, lows, lengths, strict=True)]
    image = [
        Axis(size, low + min(own.shift), length + max(own.shift) - min(own.shift), own.step, own.classes)
        for size, low, length, own in zip(geometry.inputs, lows, lengths, taps, strict=True)
    ]
    return Image(tuple(cotangent)), Image(tuple(image))


@lru_cache(maxsize=512)
def part(geometry: Geometry, span: Span, size: Size, char: str, level: str) -> Part:
    """Dot products over a span of outputs along the first axis, of so many samples and groups."""
    (begin, end), (count, groups), taps = span, size, taps_of(geometry)
    shapes = kernels.tables.shapes(level)
    lanes = shapes.lanes[char]
    into, out = geometry.channels
    box = (end - begin, *geometry.outputs[1:])
    vectors = ceil(box[-1] / lanes)
    cotangent, image = _images(geometry, span, lanes)
    in_place = not is_laid(geometry, char, level)
    columns = [
        (np.array(own.shift) - min(own.shift)) * pitch + image.classes(number, np.array(own.residue))
        for number, (own, pitch) in enumerate(zip(taps, image.pitches, strict=True))
    ]
    boff = all_sums([np.arange(into) * image.size, *columns])
    row_blocks, most_rows, column_blocks = _blocks(geometry, shapes)
    plane = prod(geometry.outputs) if in_place else cotangent.size
    pitches = pitches_of(geometry.outputs) if in_place else cotangent.pitches
    lines = box[-2] if geometry.rank > 1 else 1
    starts = np.arange(0, lines, _together(vectors * lanes))
    repeats = [  # where an array itself serves, its samples lie apart with all their groups
        _repeats(box, starts, its, (geometry.groups if whole else groups) * channel, count)
        for its, whole, channel in ((pitches, in_place, out * plane), (image.pitches, image.whole, into * image.size))
    ]
    made = driver(
        "dot",
        len(repeats[0]) * groups * row_blocks * ceil(column_blocks / PANEL),
        rows=out,
        columns=len(boff),
        groups=groups,
        row_blocks=row_blocks,
        column_blocks=column_blocks,
        vectors=vectors,
        group_a=out * plane,
        am=plane,
        al=vectors * lanes,
        group_b=into * image.size,
        bl=image.pitches[-2] if geometry.rank > 1 else 0,
        block=max(1, HELD // (most_rows * vectors * lanes)),
        panel=PANEL,
        repeat_a=repeats[0],
        repeat_b=repeats[1],
        repeat_lines=np.tile(np.diff([*starts, lines]), len(repeats[0]) // len(starts)),
        boff=boff,
    )
    fill = None if image.whole else fill_of(groups * into, image, prod(geometry.inputs), geometry.groups * into)
    lay = None if in_place else fill_of(groups * out, cotangent, prod(geometry.outputs), geometry.groups * out)
    work = count * prod(box) * groups * into * out * prod(geometry.kernel)
    return Part(fill, lay, made, begin * pitches[0] if in_place else 0, work, len(repeats[0]))


def _repeats(box: Shape, starts: Integers, pitches: Sequence[int], sample: int, count: int) -> Integers:
    """Where each block of lines of all samples starts in an image."""
    planes = grid(box[:-2], pitches[: len(box[:-2])])[:, None]
    lines = starts * (pitches[-2] if len(box) > 1 else 1)
    return (np.arange(count)[:, None, None] * sample + planes + lines).ravel()
