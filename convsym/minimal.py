"""Winograd's minimal filtering: kernels of three taps along an axis, by fewer products than the direct sum has.

A result is cut into tiles of m outputs along an axis. The elements that a tile reads and the weights are transformed to
m + 2 points along each axis, multiplied there and summed over the channels, and the sums are transformed back. The
matrices are those of `convsym.winograd`; y and dx, which is the y of dy and the turned kernel, are one rule here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from convsym import direct, kernels
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated.transforms import GROWTH, NUMBERS
from convsym.kernels.tables import Driver
from convsym.taps import taps_of

TAPS = 3
# Bytes of a block's points and sums: with the weights of a step they stay in the second cache of one CPU.
CACHE = 5 * 2**18
# Tiles of a strip: its rows, channels last, stay in the first cache.
PART = 16

# Numbers of the tables, in the order in which the drivers read them.
MINIMAL = (
    *("groups", "samples", "heights", "parts", "part", "widths", "m", "mr", "n", "nr", "block", "room", "slab"),
    *("into", "into_vectors", "reach", "reach_rows", "into_transform", "first_row", "first_column"),
    *("image", "group", "plane", "rows", "columns", "size", "out", "out_vectors", "step", "out_transform"),
    *("out_image", "out_group", "out_plane", "out_rows", "out_columns", "tile_rows", "tile_vectors"),
)
WEIGHTS = (
    *("groups", "into", "out", "out_vectors", "step", "chunk", "n", "nr", "transform"),
    *("group", "along_out", "along_into", "first", "row", "column", "size", "taps"),
)
CHUNK = 8  # input channels whose weights are transformed together; the same in the driver


@dataclass(frozen=True)
class Filter:
    """The rule y or dx by minimal filtering, ready to be done.

    Attributes
    ----------
    reads : {"x", "dy"}
    weights : Driver
    weight_size : int
        Elements of the transformed weights.
    driver : Driver
        Of whole blocks; points and results of a block have the same table.
    strips : int
        Strips of all samples, of which a block has `block`.
    block, room, points, steps : int
        Strips of a block, elements of a thread's scratch, elements of a block's points, and steps of output channels.
    split : bool
        Whether the threads work at one block together.
    work : int
        Multiply-adds of the products.
    """

    reads: str
    weights: Driver
    weight_size: int
    driver: Driver
    strips: int
    block: int
    room: int
    points: int
    steps: int
    split: bool
    work: int


def serves(geometry: Geometry, result: str, dtype: np.dtype[np.generic]) -> bool:
    """Whether a rule can be done so: three taps along the last one or two axes, one along the others, no steps."""
    return (
        dtype.char in "fd"
        and geometry.rank in (1, 2)
        and geometry.kernel in ((TAPS,), (TAPS, TAPS), (1, TAPS))
        and set(geometry.stride + geometry.dilation + geometry.input_dilation) == {1}
        and geometry.mode == "zeros"
        and min(*geometry.inputs, *geometry.outputs, *geometry.channels, geometry.batch, geometry.groups) > 0
    )


def _tall(geometry: Geometry) -> bool:
    """Whether tiles extend along two axes."""
    return geometry.kernel[:-1] == (TAPS,)


@lru_cache(maxsize=512)
def filter_of(geometry: Geometry, result: str, m: int, char: str, level: str, threads: int) -> Filter:
    """How the rule y or dx is done with tiles of m outputs along an axis."""
    shapes = kernels.tables.shapes(level)
    lanes, item = shapes.lanes[char], np.dtype(char).itemsize
    forward, tall = result == "y", _tall(geometry)
    into, out = geometry.channels if forward else geometry.channels[::-1]
    read, made = (geometry.inputs, geometry.outputs) if forward else (geometry.outputs, geometry.inputs)
    (rows, columns), (out_rows, out_columns) = ((1, *sizes)[-2:] for sizes in (read, made))
    n, points = m + TAPS - 1, (m + TAPS - 1) ** (1 + tall)
    mr, nr = (m, n) if tall else (1, 1)
    shifts = [taps_of(geometry, axis).shift for axis in range(geometry.rank)]
    first = (0, *(min(shift) if forward else -max(shift) for shift in shifts))[-2:]
    into_vectors, out_vectors = ceil(into / lanes), ceil(out / lanes)
    heights, widths = ceil(out_rows / mr), ceil(out_columns / m)
    parts = ceil(widths / PART)
    part = ceil(widths / parts)
    strips = geometry.batch * heights * parts
    tile_vectors, tile_rows = register_tile(shapes.rows, out_vectors)
    step = tile_vectors
    each = points * part * (into_vectors + step) * lanes * item
    block = min(strips, max(1, round(CACHE / each)))
    jobs = ceil(strips / block) * geometry.groups
    if threads > 1 and jobs < 4 * threads:
        block = max(1, min(block, ceil(strips * geometry.groups / threads)))
        jobs = ceil(strips / block) * geometry.groups
    split = threads > 1 and jobs < 0.85 * threads * ceil(jobs / threads)
    if split:
        block = min(strips, max(1, round(2 * CACHE / each)))
        jobs = ceil(strips / block) * geometry.groups
    slab = (block * part * into_vectors + 1) * lanes
    wide = (part - 1) * m + n
    scratch = max((nr + m * (tall + 1)) * part * m, 2 * nr * wide) * lanes + points * block * part * step * lanes
    room = scratch + (0 if split else points * slab)
    room = -(-room // 64) * 64 + 64
    table = dict(
        groups=geometry.groups,
        samples=geometry.batch,
        heights=heights,
        parts=parts,
        part=part,
        widths=widths,
        m=m,
        mr=mr,
        n=n,
        nr=nr,
        block=block,
        room=room,
        slab=slab,
        into=into,
        into_vectors=into_vectors,
        reach=n,
        reach_rows=nr,
        into_transform=NUMBERS["forward", m, "x"],
        first_row=first[0],
        first_column=first[1],
        image=geometry.groups * into * rows * columns,
        group=into * rows * columns,
        plane=rows * columns,
        rows=rows,
        columns=columns,
        size=geometry.batch * geometry.groups * into * rows * columns,
        out=out,
        out_vectors=out_vectors,
        step=step,
        out_transform=NUMBERS["forward", m, "y"],
        out_image=geometry.groups * out * out_rows * out_columns,
        out_group=out * out_rows * out_columns,
        out_plane=out_rows * out_columns,
        out_rows=out_rows,
        out_columns=out_columns,
        tile_rows=tile_rows,
        tile_vectors=tile_vectors,
    )
    taps = prod(geometry.kernel)
    turn = 1 if forward else -1
    weights = dict(
        groups=geometry.groups,
        into=into,
        out=out,
        out_vectors=out_vectors,
        step=step,
        chunk=CHUNK,
        n=n,
        nr=nr,
        transform=NUMBERS["forward", m, "w"],
        group=into * out * taps,
        along_out=into * taps if forward else taps,
        along_into=taps if forward else out * taps,
        first=0 if forward else taps - 1,
        row=turn * TAPS,
        column=turn,
        size=geometry.groups * into * out * taps,
        taps=taps,
    )
    return Filter(
        "x" if forward else "dy",
        _driver("minimal_weights", WEIGHTS, weights, geometry.groups * out_vectors * ceil(into / CHUNK)),
        geometry.groups * points * into * out_vectors * lanes,
        _driver("minimal_blocks", MINIMAL, table, jobs),
        strips,
        block,
        room,
        geometry.groups * points * slab,
        ceil(out_vectors / step),
        split,
        geometry.groups * geometry.batch * heights * widths * points * into * out_vectors * lanes,
    )


def _driver(name: str, names: tuple[str, ...], numbers: dict[str, int], jobs: int) -> Driver:
    return Driver(name, np.array([numbers[key] for key in names], np.intp), jobs)


def register_tile(rows: object, vectors: int) -> tuple[int, int]:
    """Vectors and rows of the register tile with most sums, no wider than so many vectors."""
    return max(((n, m) for n, m in rows.items() if n <= vectors), key=lambda tile: (tile[0] * tile[1], -sum(tile)))


def prepare_weights(geometry: Geometry, result: str, weight: Array, m: int) -> Array:
    """The transformed weights of the rule y or dx, which depend on nothing but the weights, m and the CPU level."""
    made = _made(geometry, result, m, weight.dtype.char)
    u = np.empty(made.weight_size, weight.dtype)
    work = made.weight_size * 4
    kernels.drive(made.weights, (u, weight.reshape(-1)), 1, work, weight.dtype.char)
    return u


def _made(geometry: Geometry, result: str, m: int, char: str) -> Filter:
    return filter_of(geometry, result, m, char, kernels.in_use(), kernels.get_num_threads())


def run(
    geometry: Geometry, result: str, operands: dict[str, Array], out: Array, m: int, weights: Array | None = None
) -> None:
    """Write the rule y or dx into `out`."""
    char = out.dtype.char
    made = _made(geometry, result, m, char)
    u = prepare_weights(geometry, result, operands["w"], m) if weights is None else weights
    read, flat = operands[made.reads].reshape(-1), out.reshape(-1)
    bad = np.zeros(geometry.groups * made.strips * made.steps, np.uint8)
    room = np.empty(kernels.get_num_threads() * made.room, out.dtype)
    if made.split:
        _together(geometry, made, flat, room, read, u, bad)
    else:
        kernels.drive(made.driver, (flat, room, read, u, bad), 1, made.work, char)


def _together(
    geometry: Geometry, made: Filter, flat: Array, room: Array, read: Array, u: Array, bad: NDArray[np.uint8]
) -> None:
    """Block by block, each done by all threads: its points, then steps of its output channels."""
    char = flat.dtype.char
    v = np.empty(made.points, flat.dtype)
    vectors = int(made.driver.table[MINIMAL.index("into_vectors")])
    for first in range(0, made.strips, made.block):
        count = min(made.block, made.strips - first)
        work = made.work * count // made.strips
        points, results = (
            replace(made.driver, name=f"minimal_{name}", jobs=geometry.groups * jobs)
            for name, jobs in (("points", count * vectors), ("results", made.steps))
        )
        kernels.drive(points, (v, room, read, first), 1, work // 8, char)
        kernels.drive(results, (flat, room, v, u, bad, first), 1, work, char)
