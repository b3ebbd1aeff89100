"""The weight gradient as dot products: lanes are positions along a line, whose sums are added last.

For few output channels, such as depthwise and one-channel convolutions. Lines of dy are rounded up to whole vectors
with zeros; x is split into the residue classes of its stride, so that every tap reads vectors.
"""

from functools import lru_cache
from math import ceil, prod

import numpy as np

from convsym import kernels
from convsym.direct import fill_of
from convsym.geometry import Geometry
from convsym.kernels.tables import driver
from convsym.strips import Part, Size, Span
from convsym.taps import Axis, Image, Integers, all_sums, grid, taps_of

# Elements of the lines of dy whose dot products are made at a time: they stay in the first cache.
LINES = 2**13


def room(geometry: Geometry, span: Span, size: Size, char: str, level: str) -> tuple[int, int, int]:
    """Elements of the images of x and of dy for a span, and of the sums."""
    (begin, end), (count, groups), (into, out) = span, size, geometry.channels
    cotangent, image = _images(geometry, span, kernels.tables.shapes(level).lanes[char])
    lines = end - begin if geometry.rank == 2 else geometry.outputs[-2] if geometry.rank > 2 else 1
    planes = prod((end - begin, *geometry.outputs[1:])[:-2])
    sums = count * planes * ceil(lines / _held(cotangent)) + 2
    filled = 0 if image.whole else count * groups * into * image.size
    laid = 0 if cotangent.whole else count * groups * out * cotangent.size
    return filled, laid, sums * groups * out * into * prod(geometry.kernel)


def _held(cotangent: Image) -> int:
    """Lines of a block."""
    return max(1, LINES // cotangent.axes[-1].length)


def _images(geometry: Geometry, span: Span, lanes: int) -> tuple[Image, Image]:
    """The images of dy and of x for a span."""
    (begin, end), taps = span, taps_of(geometry)
    box = (end - begin, *geometry.outputs[1:-1], 0)[: geometry.rank]
    last = end - begin if geometry.rank == 1 else geometry.outputs[-1]
    lengths = (*box[:-1], ceil(last / lanes) * lanes)
    lows = (begin, *(0 for _ in lengths[1:]))
    cotangent = [Axis(size, low, length) for size, low, length in zip(geometry.outputs, lows, lengths, strict=True)]
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
    columns = [
        (np.array(own.shift) - min(own.shift)) * pitch + image.classes(number, np.array(own.residue))
        for number, (own, pitch) in enumerate(zip(taps, image.pitches, strict=True))
    ]
    boff = all_sums([np.arange(into) * image.size, *columns])
    row_blocks = ceil(out / max(shapes.dots))
    column_blocks = ceil(len(boff) / shapes.dots[ceil(out / row_blocks)])
    repeat_a, repeat_b, repeat_lines = _repeats(geometry, cotangent, image, box, size)
    made = driver(
        "dot",
        len(repeat_a) * groups * row_blocks * column_blocks,
        rows=out,
        columns=len(boff),
        groups=groups,
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
    fill = None if image.whole else fill_of(groups * into, image, prod(geometry.inputs), geometry.groups * into)
    lay = None if cotangent.whole else fill_of(groups * out, cotangent, prod(geometry.outputs), geometry.groups * out)
    work = count * prod(box) * groups * into * out * prod(geometry.kernel)
    return Part(fill, lay, made, 0, work, len(repeat_a))


def _repeats(
    geometry: Geometry, cotangent: Image, image: Image, box: tuple[int, ...], size: Size
) -> tuple[Integers, Integers, Integers]:
    """For each block of lines of all samples, where it starts in both images and how many lines it has."""
    (count, groups), (into, out) = size, geometry.channels
    planes, lines = box[:-2], box[-2] if geometry.rank > 1 else 1
    starts = np.arange(0, lines, _held(cotangent))
    counts = np.diff([*starts, lines])
    found = []
    for one, channels in ((cotangent, out), (image, into)):
        line = starts * one.pitches[-2] if geometry.rank > 1 else starts
        samples = np.arange(count)[:, None, None] * (groups * channels * one.size)
        found.append((samples + grid(planes, one.pitches[: len(planes)])[:, None] + line).ravel())
    return found[0], found[1], np.tile(counts, count * prod(planes))
