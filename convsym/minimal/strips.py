"""Strips of tiles: how the drivers of minimal filtering walk through an array, and the numbers that tell them.

A strip is a row of tiles of one sample, or a part of one; a block is a run of strips whose points are kept together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np

from convsym.geometry import Geometry
from convsym.kernels._generated import rules
from convsym.kernels.tables import Driver

TAPS = 3
# Tiles of a strip: its rows, channels last, stay in the first cache.
PART = 32

# Numbers of the drivers' tables, in the order in which they are read.
MINIMAL = (
    *("groups", "samples", "heights", "parts", "part", "widths", "m", "mr", "n", "nr", "block", "room", "slab"),
    *("into", "into_vectors", "reach", "reach_rows", "into_transform", "first_row", "first_column"),
    *("image", "group", "plane", "rows", "columns", "size", "out", "out_vectors", "step", "out_transform"),
    *("out_image", "out_group", "out_plane", "out_rows", "out_columns", "tile_rows", "tile_vectors"),
)
WEIGHTS = (
    *("groups", "into", "out", "out_vectors", "step", "chunk", "n", "nr", "transform"),
    *("group", "along_out", "along_into", "first", "start", "row", "column", "size", "taps"),
)
PAIRS = (
    *("groups", "points", "into_vectors", "out", "out_vectors", "into_slab", "out_slab", "row_blocks", "add"),
    *("tile_rows", "tile_vectors", "blocks"),
)
KERNEL = ("groups", "into", "into_vectors", "out", "n", "nr", "transform", "taps", "parts", "sums")
WIDEST = 4  # vectors of a product's tile, as in convsym/codegen/products.py
CHUNK = 8  # input channels whose weights are transformed together; the same in the driver

_LAYOUTS = {
    **dict.fromkeys(("blocks", "points", "both", "results"), MINIMAL),
    **{"weights": WEIGHTS, "pairs": PAIRS, "kernel": KERNEL},
}


@dataclass(frozen=True)
class Strips:
    """The tiles of a result.

    Attributes
    ----------
    m, mr, n, nr : int
        Outputs and points of a tile along a row and along a column.
    heights, widths : int
        Tiles along a column and along a row.
    parts, part : int
        Parts that a row is cut in, and the tiles of each but the last.
    number : int
        Strips of all samples.
    first : tuple of int
        The row and column that the first tile reads first.
    """

    m: int
    mr: int
    n: int
    nr: int
    heights: int
    widths: int
    parts: int
    part: int
    number: int
    first: tuple[int, int]

    @property
    def points(self) -> int:
        """Points of a tile."""
        return self.n * self.nr

    def tiles(self, first: int, last: int) -> int:
        """Tiles of strips first … last."""
        rows, rest = divmod(first, self.parts)
        end_rows, end_rest = divmod(last, self.parts)
        return (end_rows - rows) * self.widths + (end_rest - rest) * self.part

    def numbers(self) -> dict[str, int]:
        """What the tables say of the tiles."""
        names = ("m", "mr", "n", "nr", "heights", "widths", "parts", "part")
        return {name: getattr(self, name) for name in names}


@lru_cache(maxsize=512)
def strips_of(geometry: Geometry, result: str, m: int) -> Strips:
    """The tiles of y, or of dx; those of y also serve dw."""
    tall = geometry.kernel[:-1] == (TAPS,)
    sizes = geometry.inputs if result == "dx" else geometry.outputs
    rows, columns = (1, *sizes)[-2:]
    n = m + TAPS - 1
    heights, widths = ceil(rows / (m if tall else 1)), ceil(columns / m)
    parts = ceil(widths / PART)
    axes = zip(geometry.kernel, geometry.padding, strict=True)
    reads = [rules.read(0, np.arange(size), 1, 1, before) for size, (before, _) in axes]
    first = (0, *(-int(read.max()) if result == "dx" else int(read.min()) for read in reads))[-2:]
    number = geometry.batch * heights * parts
    mr, nr = (m, n) if tall else (1, 1)
    return Strips(m, mr, n, nr, heights, widths, parts, ceil(widths / parts), number, (first[0], first[1]))


def reading(geometry: Geometry, array: str, strips: Strips, lanes: int) -> dict[str, int]:
    """What the tables say of the array that is transformed, x or dy, but for the transform and the reach."""
    forward = array == "x"
    into = geometry.channels[0 if forward else 1]
    rows, columns = (1, *(geometry.inputs if forward else geometry.outputs))[-2:]
    plane = rows * columns
    return {
        "into": into,
        "into_vectors": ceil(into / lanes),
        "image": geometry.groups * into * plane,
        "group": into * plane,
        "plane": plane,
        "rows": rows,
        "columns": columns,
        "size": geometry.batch * geometry.groups * into * plane,
    }


def minimal(name: str, jobs: int, numbers: Mapping[str, int]) -> Driver:
    """A driver of minimal filtering; numbers that it does not read may be missing from its table."""
    values = [numbers.get(key, 0) for key in _LAYOUTS[name]]
    return Driver(f"minimal_{name}", np.array(values, np.intp), jobs)


def register_tile(rows: Mapping[int, int], vectors: int) -> tuple[int, int]:
    """Vectors and rows of the product with most sums, no wider than so many vectors."""
    fitting = [(n, m) for n, m in rows.items() if n <= min(vectors, WIDEST)]
    return max(fitting, key=lambda tile: (tile[0] * tile[1], -sum(tile)))
