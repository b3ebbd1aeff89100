"""The direct sum of kernels of one tap, as products of matrices: C[m, n] = Σ A[m, r]·B[r, n] for y, dx and dw.

Columns are positions, of all samples, for y and dx, and input channels for dw. The input gradient of kernels whose taps
read nothing in common is one too: its rows are the taps of all input channels. A block of B is laid into a thread's
room, so that it lies in the first cache in rows that follow each other while all rows of C go by.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import ceil, prod

import numpy as np

from convsym import kernels, scratch
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels.tables import Course, Shapes, driver
from convsym.rooms import Roomed
from convsym.strips import STRIP
from convsym.taps import Integers, all_sums, grid, pitches_of, taps_of

# Vectors of a block of columns, at most. Vectors of a block of B: the first cache holds it; or the second one, where
# rows of A come from beyond it and are read in longer runs (four times as long are 2 to 9 % faster still, and take more
# memory than an image and some tiles).
WIDEST, BLOCK, LONG = 4, 2**9, 2**10
# Jobs that there should be for threads, and rows of one at least: each lays its own block of B.
JOBS, ROWS = 16, 64
# The operands in the order in which drivers take them.
READ = {"y": ("w", "x"), "dx": ("w", "dy"), "dw": ("dy", "x")}


@lru_cache(maxsize=1024)
def serves(geometry: Geometry, result: str) -> bool:
    """Whether a rule is a product of matrices, with rows and a sum that are worth laying anew what is read."""
    if any(map(any, geometry.padding)) or min(geometry.channels) < 8:
        return False
    if result == "dx":  # every tap has a residue class of its own, and all of them read dy alike
        return all(len({*axis.residue}) == len(axis.shift) and not any(axis.shift) for axis in taps_of(geometry))
    return prod(geometry.kernel) == 1 and not geometry.is_dilated


def room(geometry: Geometry, result: str, char: str, level: str) -> int:
    """Elements of the rooms of all threads."""
    return plan(geometry, result, char, level).elements


def bound(geometry: Geometry, result: str, char: str, level: str) -> Callable[[Mapping[str, Array], Array], None]:
    """What writes a rule into an array."""
    return plan(geometry, result, char, level).bound(READ[result])


def course(geometry: Geometry, result: str, char: str, level: str) -> Course:
    """A rule as a step of a call."""
    return plan(geometry, result, char, level).course(READ[result])


@lru_cache(maxsize=1024)
def plan(geometry: Geometry, result: str, char: str, level: str) -> Roomed:
    """The jobs of a rule."""
    shapes, (into, out) = kernels.tables.shapes(level), geometry.channels
    lanes, groups, forward = shapes.lanes[char], geometry.groups, result == "y"
    positions, places, taps = prod(geometry.outputs), prod(geometry.inputs), prod(geometry.kernel)
    rows, summed, columns = {
        "y": (out, into, geometry.batch * positions),
        "dx": (into * taps, out, geometry.batch * positions),
        "dw": (out, positions, into),
    }[result]
    vectors = ceil(columns / lanes)
    blocks = blocks_of(rows, vectors, shapes)
    width = ceil(vectors / blocks) * lanes
    large = rows * summed > STRIP  # then a part of the rows stays in the cache, and blocks of columns go by
    parts = max(1, min(ceil(rows * summed / STRIP if large else JOBS / (groups * blocks)), rows // ROWS))
    depth = ceil(summed / ceil(summed * width / ((LONG if large and forward else BLOCK) * lanes)))
    read, made = {
        "y": (into * places, out * positions),
        "dx": (out * positions, into * places),
        "dw": (into * places, out * positions),
    }[result]
    apart, lie_apart = _apart(geometry), places != positions
    numbers = {
        "groups": groups,
        "rows": rows,
        "parts": parts,
        "parts_first": int(not large),
        "summed": summed,
        "depth": depth,
        "vectors": vectors,
        "blocks": blocks,
        "columns": columns,
        "samples": geometry.batch,
        "positions": positions,
        "am": {"y": into, "dx": 1, "dw": positions}[result],
        "ac": rows if result == "dx" else 1,
        "group_a": out * (positions if result == "dw" else into * taps),
        "group_b": read,
        "image_b": groups * read,
        "channel_b": positions if result == "dx" else places,
        "group_y": rows * into if result == "dw" else made,
        "image_y": groups * made,
        "room": scratch.lines(depth * width),
        "gathered": int(lie_apart and result != "dx"),
        "scattered": int(lie_apart and result == "dx"),
        "early": int(columns * (rows + summed) > STRIP),
    }
    name = "pointwise_dw" if result == "dw" else "pointwise"
    tables = {
        "tile_rows": [0, *(height(rows, wide, shapes) for wide in range(1, WIDEST + 1))],
        "where": grid(geometry.outputs, apart) if lie_apart else [],
        "row_place": _row_places(geometry) if numbers["scattered"] else [],
    }
    work = groups * out * into * taps * geometry.batch * positions
    cleared = result == "dx" and positions * taps < places
    return Roomed(driver(name, groups * blocks * parts, **numbers, **tables), 1, numbers["room"], work, cleared)


def _apart(geometry: Geometry) -> list[int]:
    """How far neighboring outputs read apart along each axis."""
    return [axis.step * pitch for axis, pitch in zip(taps_of(geometry), pitches_of(geometry.inputs), strict=True)]


def _row_places(geometry: Geometry) -> Integers:
    """Where the first result of each tap of each input channel lies."""
    pitches = pitches_of(geometry.inputs)
    classes = [np.array(axis.residue) * pitch for axis, pitch in zip(taps_of(geometry), pitches, strict=True)]
    return all_sums([np.arange(geometry.channels[0]) * prod(geometry.inputs), *classes])


def height(rows: int, wide: int, shapes: Shapes) -> int:
    """Rows of a tile of so many vectors."""
    return ceil(rows / ceil(rows / shapes.rows[wide]))


def blocks_of(rows: int, vectors: int, shapes: Shapes) -> int:
    """Blocks of columns for the least estimated time of their tiles: of multiply-adds, or of what is read."""

    def time(blocks: int) -> float:
        total = 0.0
        for wide, count in ((vectors // blocks, blocks - vectors % blocks), (vectors // blocks + 1, vectors % blocks)):
            if count:
                m = height(rows, wide, shapes)
                total += count * ceil(rows / m) * (max(m * wide, m + wide + 2, 8) / 2 + 1)
        return total

    return min(range(ceil(vectors / WIDEST), vectors + 1), key=time)
