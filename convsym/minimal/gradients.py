"""The rule dw by minimal filtering: for every point a product of matrices over all tiles.

Blocks of tiles of dy and of x are transformed, and their products are added to those of the blocks before; in the end
the sums are transformed to taps. Many tiles are summed in parts, each by one thread, which finds in its own cache what
it has transformed. Blocks and parts depend on the geometry alone, so the sums have the same order for any threads; more
threads than there are parts do one part after the other together, and transform several blocks at a time, as each time
all of them wait for the last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, prod
from typing import Any

import numpy as np

from convsym import kernels, scratch
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated.transforms import NUMBERS
from convsym.kernels.tables import Driver
from convsym.minimal.strips import PAIRS, Strips, minimal, reading, register_tile, strips_of
from convsym.strips import Span, even

# Bytes of the points of a block: few enough for the second cache, with the sums of all points beside them; where those
# are more than it holds, as many as the third one has room for, so that they are read and written less often. At v3
# 1.1 to 1.8 times as fast as with 2 MB.
BLOCK, BEYOND = 2**20, 2**23
# Parts of the strips, at most, and tiles of each at least: all sums of a part are read once more.
PARTS, TILES = 8, 512
ALONE = 2**32  # multiply-adds of a part, at most, that a thread does without looking up: about 40 ms
TOGETHER = 6  # blocks that several threads transform at a time, at most
ROW_BLOCKS = 4  # parts of the output channels: each is a job at each point
# Bytes of the sums, at most, where there is one group: with 1024 channels on both sides those of all output channels
# took 139 ms, most of it for new memory, and those of a fifth of them at a time 56.
MOST = 2**25


@dataclass(frozen=True)
class Gradient:
    """The rule dw, ready to be done.

    Attributes
    ----------
    strips : Strips
    parts : tuple
        Strips of each part.
    apart : bool
        Whether each part is done by one thread.
    block, together : int
        Strips of a block, and blocks that are transformed at a time.
    points : Driver
        From dy and x to their points; its table is that of dy and that of x.
    vectors : tuple of int
        Vectors of the channels of dy and of x.
    sizes : tuple of int
        Elements of the points of dy and of x.
    pairs : Driver
        The products, for any blocks; whether to add, and the blocks, are set for each time.
    part : Driver
        Points and products of whole parts, each by one thread.
    kernel : Driver
        From sums to taps.
    sums, room : int
        Elements of the sums of a part, and of a thread's scratch.
    """

    strips: Strips
    parts: tuple[Span, ...]
    apart: bool
    block: int
    together: int
    points: Driver
    vectors: tuple[int, int]
    sizes: tuple[int, int]
    pairs: Driver
    part: Driver
    kernel: Driver
    sums: int
    room: int


@lru_cache(maxsize=512)
def gradient_of(geometry: Geometry, m: int, char: str, level: str, threads: int) -> Gradient:
    """How the rule dw is done with tiles of m outputs along an axis."""
    shapes, strips = kernels.tables.shapes(level), strips_of(geometry, "dw", m)
    lanes, item, groups = shapes.lanes[char], np.dtype(char).itemsize, geometry.groups
    into, out = geometry.channels
    vectors = ceil(out / lanes), ceil(into / lanes)
    sums = _sums(geometry, strips, lanes)
    tile = groups * strips.points * sum(vectors) * lanes * item
    block = _block(strips, tile, BLOCK if sums * item <= BLOCK else BEYOND)
    spans = even(strips.number, _parts(strips))
    work = sums * strips.tiles(0, strips.number)
    apart = threads <= len(spans) and work <= len(spans) * ALONE
    together = 1 if apart or threads == 1 else min(TOGETHER, ceil(strips.number / len(spans) / block))
    wide = (strips.part - 1) * m + strips.n
    room = scratch.lines(2 * strips.nr * wide * lanes)
    slabs = [(block * together * strips.part * count + 1) * lanes for count in vectors]
    sides = {"dy": (m, strips.mr, (0, 0)), "x": (strips.n, strips.nr, strips.first)}
    tables = []
    for (name, (columns, rows, first)), slab in zip(sides.items(), slabs, strict=True):
        numbers = {
            **strips.numbers(),
            **reading(geometry, name, strips, lanes),
            "groups": groups,
            "samples": geometry.batch,
            "block": block,
            "room": room,
            "slab": slab,
            "reach": columns,
            "reach_rows": rows,
            "into_transform": NUMBERS["weight", m, name],
            "first_row": first[0],
            "first_column": first[1],
        }
        tables.append(minimal("both", 0, numbers).table)
    tile_vectors, tile_rows = register_tile(shapes.rows, vectors[1])
    pairs = {
        "groups": groups,
        "points": strips.points,
        "into_vectors": vectors[1],
        "out": out,
        "out_vectors": vectors[0],
        "into_slab": slabs[1],
        "out_slab": slabs[0],
        "row_blocks": min(ROW_BLOCKS, ceil(out / tile_rows)),
        "tile_rows": tile_rows,
        "tile_vectors": tile_vectors,
    }
    kernel = {
        "groups": groups,
        "into": into,
        "into_vectors": vectors[1],
        "out": out,
        "n": strips.n,
        "nr": strips.nr,
        "transform": NUMBERS["weight", m, "dw"],
        "taps": prod(geometry.kernel),
        "parts": len(spans),
        "sums": sums,
    }
    products = minimal("pairs", groups * strips.points * pairs["row_blocks"], pairs)
    points = [groups * strips.points * slab for slab in slabs]
    parts = np.array([sums, room + sum(points), *(first for first, _ in spans), strips.number], np.intp)
    return Gradient(
        strips,
        spans,
        apart,
        block,
        together,
        Driver("minimal_both", np.concatenate(tables), 0),
        vectors,
        (points[0], points[1]),
        products,
        Driver("minimal_part", np.concatenate([*tables, products.table, parts]), len(spans)),
        minimal("kernel", groups * out * vectors[1], kernel),
        sums,
        room,
    )


def _sums(geometry: Geometry, strips: Strips, lanes: int) -> int:
    """Elements of the sums of all points."""
    into, out = geometry.channels
    return geometry.groups * strips.points * out * ceil(into / lanes) * lanes


def _parts(strips: Strips) -> int:
    """Parts of the strips: a power of two."""
    most = min(PARTS, strips.tiles(0, strips.number) // TILES, strips.number)
    return 1 << max(most.bit_length() - 1, 0)


def _block(strips: Strips, each: int, fitting: int) -> int:
    """Strips of a block of so many bytes, of which a tile takes `each`, or of the least that there can be."""
    return min(strips.number, max(1, round(fitting / (each * strips.part))))


@lru_cache(maxsize=512)
def _cut(geometry: Geometry, m: int, char: str, level: str) -> tuple[int, tuple[Span, ...]]:
    """Whether output (1) or input channels (0) are cut, those that are more, and the spans that are done at a time."""
    sums = _sums(geometry, strips_of(geometry, "dw", m), kernels.tables.shapes(level).lanes[char])
    side = int(geometry.channels[1] >= geometry.channels[0])
    most = geometry.channels[side] if geometry.groups == 1 else 1
    return side, even(geometry.channels[side], min(ceil(sums * np.dtype(char).itemsize / MOST), most))


def _of_span(geometry: Geometry, side: int, span: Span) -> Geometry:
    """The geometry with a span of the output channels (1) or of the input channels (0)."""
    into, out = geometry.channels
    count = span[1] - span[0]
    return replace(geometry, channels=(into, count) if side else (count, out))


def run(geometry: Geometry, operands: Mapping[str, Array], out: Array, m: int) -> None:
    """Write the rule dw into `out`."""
    side, cut = _cut(geometry, m, out.dtype.char, kernels.in_use())
    if len(cut) == 1:
        _some_channels(geometry, operands, out, m)
        return
    name = "dy" if side else "x"
    for begin, end in cut:
        own = _of_span(geometry, side, (begin, end))
        given = {**operands, name: np.ascontiguousarray(operands[name][:, :, begin:end])}
        part = out[:, begin:end] if side else out[:, :, begin:end]
        made = part if side else np.empty(own.shapes["w"], out.dtype)
        _some_channels(own, given, made, m)
        if made is not part:
            part[...] = made


def _some_channels(geometry: Geometry, operands: Mapping[str, Array], out: Array, m: int) -> None:
    char, threads = out.dtype.char, kernels.get_num_threads()
    made = gradient_of(geometry, m, char, kernels.in_use(), threads)
    dy, x = operands["dy"].reshape(-1), operands["x"].reshape(-1)
    with scratch.borrowed(_rooms(made, threads), out.dtype) as (total, room):
        if made.apart:
            work = made.sums * made.strips.tiles(0, made.strips.number)
            kernels.drive(made.part, (total, room, dy, x), 1, work, char, threads)
        else:
            for number, part in enumerate(made.parts):
                _one_part(geometry, made, part, total[number * made.sums :], room, dy, x, threads)
        kernels.drive(made.kernel, (out.reshape(-1), total), 1, made.sums * (1 + len(made.parts)), char)


def _rooms(made: Gradient, threads: int) -> tuple[int, int]:
    """Elements of the sums of all parts, and of the points with every thread's scratch."""
    points, sums = sum(made.sizes), made.sums * len(made.parts)
    return sums, threads * (made.room + points) if made.apart else threads * made.room + points


def _one_part(
    geometry: Geometry, made: Gradient, part: Span, total: Array, room: Array, dy: Array, x: Array, threads: int
) -> None:
    """The sums of a part, by all threads together."""
    char, span, (begin, end) = total.dtype.char, made.block * made.together, part
    points = room[threads * made.room :]
    for first in range(begin, end, span):
        last = min(first + span, end)
        jobs = [geometry.groups * (last - first) * vectors for vectors in made.vectors]
        given: list[Any] = [points, room, dy, x, first, jobs[0]]
        work = sum(made.sizes) * (last - first) // span * 4
        kernels.drive(Driver(made.points.name, made.points.table, sum(jobs)), given, 1, work, char, threads)
        pairs = _pairs(made, first, last, first > begin)
        work = made.sums * made.strips.tiles(first, last)
        kernels.drive(pairs, (total, points, points[made.sizes[0] :]), 1, work, char)


def _pairs(made: Gradient, first: int, last: int, add: bool) -> Driver:
    """The driver of the products of the blocks of strips first … last."""
    starts = [made.strips.tiles(first, strip) for strip in (*range(first, last, made.block), last)]
    table = np.concatenate([made.pairs.table, starts])
    table[PAIRS.index("add")] = add
    table[PAIRS.index("blocks")] = len(starts) - 1
    return Driver(made.pairs.name, table, made.pairs.jobs)


def workspace(geometry: Geometry, m: int, char: str) -> int:
    """Elements that `run` borrows."""
    level, threads = kernels.in_use(), kernels.get_num_threads()
    side, cut = _cut(geometry, m, char, level)
    own = _of_span(geometry, side, max(cut, key=lambda span: span[1] - span[0]))
    copied = sum(prod(own.shapes[name]) for name in ("y" if side else "xw")) if len(cut) > 1 else 0
    return sum(_rooms(gradient_of(own, m, char, level, threads), threads)) + copied
