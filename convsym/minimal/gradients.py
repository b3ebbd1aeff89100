"""The rule dw by minimal filtering: for every point a product of matrices over all tiles.

A block of tiles of dy and of x is transformed, and the products are added to those of the blocks before; in the end the
sums are transformed to taps. Blocks depend on the geometry alone, so the sums have the same order for any threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod
from typing import Any

import numpy as np

from convsym import kernels, scratch
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated.transforms import NUMBERS
from convsym.kernels.tables import Driver
from convsym.minimal.strips import Strips, minimal, reading, register_tile, strips_of

# Bytes of the points of a block: more of them, and the sums of all points are read and written less often.
BLOCK = 2**22
ROW_BLOCKS = 4  # parts of the output channels: each is a job at each point


@dataclass(frozen=True)
class Gradient:
    """The rule dw, ready to be done.

    Attributes
    ----------
    strips : Strips
    block : int
        Strips of a block.
    sides : tuple of (str, Driver, int, int)
        The operands: name, driver of their points, vectors of channels, elements of the points of a block.
    pairs : mapping of str to int
        Numbers of the products, but for those that change from block to block.
    kernel : Driver
        From sums to taps.
    sums, room : int
        Elements of the sums, and of a thread's scratch.
    """

    strips: Strips
    block: int
    sides: tuple[tuple[str, Driver, int, int], ...]
    pairs: Mapping[str, int]
    kernel: Driver
    sums: int
    room: int


@lru_cache(maxsize=512)
def gradient_of(geometry: Geometry, m: int, char: str, level: str) -> Gradient:
    """How the rule dw is done with tiles of m outputs along an axis."""
    shapes, strips = kernels.tables.shapes(level), strips_of(geometry, "dw", m)
    lanes, points, groups = shapes.lanes[char], strips.points, geometry.groups
    arrays = {name: reading(geometry, name, strips, lanes) for name in ("dy", "x")}
    vectors = {name: numbers["into_vectors"] for name, numbers in arrays.items()}
    each = groups * points * strips.part * sum(vectors.values()) * lanes * np.dtype(char).itemsize
    block = min(strips.number, max(1, BLOCK // each))
    wide = (strips.part - 1) * m + strips.n
    room = ceil(2 * strips.nr * wide * lanes / scratch.LINE) * scratch.LINE
    reach = {"dy": (m, strips.mr, (0, 0)), "x": (strips.n, strips.nr, strips.first)}
    sides = []
    for name, numbers in arrays.items():
        columns, rows, first = reach[name]
        slab = (block * strips.part * vectors[name] + 1) * lanes
        numbers |= {
            **strips.numbers(),
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
        sides.append((name, minimal("points", 0, numbers), vectors[name], groups * points * slab))
    into, out = geometry.channels
    tile_vectors, tile_rows = register_tile(shapes.rows, vectors["x"])
    pairs = {
        "groups": groups,
        "points": points,
        "into_vectors": vectors["x"],
        "out": out,
        "out_vectors": vectors["dy"],
        "into_slab": arrays["x"]["slab"],
        "out_slab": arrays["dy"]["slab"],
        "row_blocks": min(ROW_BLOCKS, ceil(out / tile_rows)),
        "tile_rows": tile_rows,
        "tile_vectors": tile_vectors,
    }
    kernel = {
        "groups": groups,
        "into": into,
        "into_vectors": vectors["x"],
        "out": out,
        "n": strips.n,
        "nr": strips.nr,
        "transform": NUMBERS["weight", m, "dw"],
        "taps": prod(geometry.kernel),
    }
    return Gradient(
        strips,
        block,
        tuple(sides),
        pairs,
        minimal("kernel", groups * out * vectors["x"], kernel),
        groups * points * out * vectors["x"] * lanes,
        room,
    )


def run(geometry: Geometry, operands: Mapping[str, Array], out: Array, m: int) -> None:
    """Write the rule dw into `out`."""
    char, threads = out.dtype.char, kernels.get_num_threads()
    made = gradient_of(geometry, m, char, kernels.in_use())
    sizes = (made.sums, threads * made.room, *(size for *_, size in made.sides))
    with scratch.borrowed(sizes, out.dtype) as (total, room, *points):
        for first in range(0, made.strips.number, made.block):
            last = min(first + made.block, made.strips.number)
            for (name, driver, vectors, size), there in zip(made.sides, points, strict=True):
                part = Driver(driver.name, driver.table, geometry.groups * (last - first) * vectors)
                work = size * (last - first) // made.block * 4
                arrays: tuple[Any, ...] = (there, room, operands[name].reshape(-1), first)
                kernels.drive(part, arrays, 1, work, char)
            tiles = made.strips.tiles(first, last)
            jobs = geometry.groups * made.strips.points * made.pairs["row_blocks"]
            pairs = minimal("pairs", jobs, {**made.pairs, "tiles": tiles, "add": int(first > 0)})
            kernels.drive(pairs, (total, *points), 1, made.sums * tiles, char)
        kernels.drive(made.kernel, (out.reshape(-1), total), 1, made.sums * 2, char)


def workspace(geometry: Geometry, m: int, char: str) -> int:
    """Elements that `run` borrows."""
    made = gradient_of(geometry, m, char, kernels.in_use())
    return made.sums + kernels.get_num_threads() * made.room + sum(size for *_, size in made.sides)
