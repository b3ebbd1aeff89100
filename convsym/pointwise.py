"""The direct sum of kernels of one tap, as products of matrices: C[m, n] = Σ A[m, r]·B[r, n] for y, dx and dw.

Columns are positions, of all samples, for y and dx, and input channels for dw. A block of B is laid into a thread's
room, so that it lies in the first cache in rows that follow each other while all rows of C go by.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import ceil, prod

from convsym import kernels, scratch
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels.tables import Course, Shapes, driver
from convsym.rooms import Roomed
from convsym.strips import STRIP
from convsym.taps import grid, pitches_of, taps_of

# Vectors of a block of columns, at most. Elements of a block of B: the first cache holds it; or the second one, where
# rows of A come from beyond it and are read in longer runs (four times as long are 2 to 9 % faster still, and take more
# memory than an image and some tiles).
WIDEST, BLOCK, LONG = 4, 2**13, 2**14
# Jobs that there should be for threads, and rows of one at least: each lays its own block of B.
JOBS, ROWS = 16, 64
# The operands in the order in which drivers take them.
READ = {"y": ("w", "x"), "dx": ("w", "dy"), "dw": ("dy", "x")}


@lru_cache(maxsize=1024)
def serves(geometry: Geometry, result: str) -> bool:
    """Whether a rule is a product of matrices, with rows and a sum that are worth laying anew what is read."""
    if prod(geometry.kernel) > 1 or any(map(any, geometry.padding)) or geometry.is_dilated:
        return False
    if result == "dx" and geometry.inputs != geometry.outputs:
        return False  # with strides
    return min(geometry.channels) >= 8


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
    positions, places = prod(geometry.outputs), prod(geometry.inputs)
    rows, summed, columns = {
        "y": (out, into, geometry.batch * positions),
        "dx": (into, out, geometry.batch * positions),
        "dw": (out, positions, into),
    }[result]
    vectors = ceil(columns / lanes)
    blocks = _blocks(rows, vectors, shapes)
    width = ceil(vectors / blocks) * lanes
    large = rows * summed > STRIP  # then a part of the rows stays in the cache, and blocks of columns go by
    parts = max(1, min(ceil(rows * summed / STRIP if large else JOBS / (groups * blocks)), rows // ROWS))
    depth = ceil(summed / ceil(summed * width / (LONG if large and forward else BLOCK)))
    read = out if result == "dx" else into
    steps = [axis.step for axis in taps_of(geometry)]
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
        "ac": into if result == "dx" else 1,
        "group_a": out * (positions if result == "dw" else into),
        "group_b": read * places,
        "image_b": groups * read * places,
        "channel_b": places,
        "group_y": rows * (into if result == "dw" else positions),
        "image_y": groups * rows * positions,
        "room": scratch.lines(depth * width),
        "gathered": int(geometry.inputs != geometry.outputs),
        "early": int(columns * (rows + summed) > STRIP),
    }
    apart = [step * pitch for step, pitch in zip(steps, pitches_of(geometry.inputs), strict=True)]
    name = "pointwise_dw" if result == "dw" else "pointwise"
    tables = {
        "tile_rows": [0, *(_height(rows, wide, shapes) for wide in range(1, WIDEST + 1))],
        "where": grid(geometry.outputs, apart) if numbers["gathered"] else [],
    }
    made = driver(name, groups * blocks * parts, **numbers, **tables)
    return Roomed(made, 1, numbers["room"], groups * out * into * geometry.batch * positions)


def _height(rows: int, wide: int, shapes: Shapes) -> int:
    """Rows of a tile of so many vectors."""
    return ceil(rows / ceil(rows / shapes.rows[wide]))


def _blocks(rows: int, vectors: int, shapes: Shapes) -> int:
    """Blocks of columns for the least estimated time of their tiles: of multiply-adds, or of what is read."""

    def time(blocks: int) -> float:
        total = 0.0
        for wide, count in ((vectors // blocks, blocks - vectors % blocks), (vectors // blocks + 1, vectors % blocks)):
            if count:
                m = _height(rows, wide, shapes)
                total += count * ceil(rows / m) * (max(m * wide, m + wide + 2, 8) / 2 + 1)
        return total

    return min(range(ceil(vectors / WIDEST), vectors + 1), key=time)
