"""Which tiles a layer is done with, if any: estimated from its shapes, without the batch.

The unit is one multiply-add of a vector of lanes in a register tile, 0.25 ns where the constants were measured
(float32, AVX-512, one CPU, November 2026): transforms touch every point of every tile, in memory, and cost as much as
dozens.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod

import numpy as np

from convsym import kernels
from convsym.geometry import Geometry
from convsym.minimal import filters, gradients
from convsym.minimal.strips import strips_of

# Units for a vector at one point: transformed input, result, weights; weights read from beyond the second cache, where
# fewer tiles than that share them; for dw the sums of a point, which are written, read and transformed. Tiles along one
# axis are transformed once, not twice. Where the sums are more than the second cache holds, each block of tiles reads
# and writes them (float32, AVX2, November 2026).
INPUT, RESULT, WEIGHT, READ, SUMS, FAR = 24, 36, 32, 36, 20, 80
# The same for weights and reading them where all tiles are one block, so that transformed weights stay in the cache;
# and where the weights themselves are more than the second cache holds.
ALONE, CACHED = ((17, 17), (32, 24)), 2**19
# The direct sum's units for a multiply-add: it has borders and offsets.
DIRECT = 1.1
# Its units for an element of an image, which count where few rows share it.
FILLED = 2
# How much faster the estimate must be: what it leaves out is of that order. Larger tiles lose digits.
PAYS = {2: 1.15, 4: 1.15, 6: 1.38}
# The choice is the same for one sample and for many, where weights are transformed once for all: what is gained with
# many counts too, as a power.
MANY, ALONE_COUNTS = 64, 0.5

# Positions of the result that the direct sum takes as long for as for fewer: it reads the weights, or writes them.
FEW = {"y": 65, "dx": 110, "dw": 70}
# Units for an element and for a row of the classes of a dilation, copied there and back; for an element of planes,
# which are copied as they are, and of weights whose axes are exchanged.
COPY, ROW, PLANE, MOVED = 6, 60, 3, 6


@dataclass(frozen=True)
class Copies:
    """What is laid anew before tiles are done.

    Attributes
    ----------
    samples : int
        Those that one sample becomes.
    rows : bool
        Whether elements of a row part, not planes of an array.
    weights : int
        Elements of weights that move.
    """

    samples: int = 1
    rows: bool = False
    weights: int = 0

    def time(self, elements: int, row: int) -> float:
        """Units for so many elements, which lie in such rows."""
        each = 0 if self.samples == 1 else COPY + ROW / row if self.rows else PLANE
        return each * elements + MOVED * self.weights


@lru_cache(maxsize=1024)
def choose(geometry: Geometry, copies: Copies, result: str, char: str, level: str, kept: bool) -> int | None:
    """Outputs of a tile for a convolution that a sample becomes several samples of; None for direct."""
    gains = {m: gain(geometry, copies, result, m, char, level, kept) for m in PAYS}
    best = max(gains, key=lambda m: gains[m] / PAYS[m])
    many = gain(geometry, copies, result, best, char, level, kept, MANY)
    return best if gains[best] ** ALONE_COUNTS * many ** (1 - ALONE_COUNTS) > PAYS[best] else None


def _swept(geometry: Geometry, sizes: tuple[int, ...], lanes: int) -> int:
    """Positions that the direct sum has lanes for: of each row, or of all rows with their borders, in whole vectors."""
    if len(sizes) < 2:
        return prod(sizes)
    (height, width), border = sizes[-2:], geometry.kernel[-1] - 1
    rows, across = height * ceil(width / lanes), ceil(((height - 1) * (width + border) + width) / lanes)
    return prod(sizes[:-2]) * min(rows, across) * lanes


def gain(
    geometry: Geometry, copies: Copies, result: str, m: int, char: str, level: str, kept: bool = False, batch: int = 1
) -> float:
    """How many times as fast as the direct sum tiles of m outputs are, as estimated for so many samples."""
    lanes = kernels.tables.shapes(level).lanes[char]
    into, out = geometry.channels if result != "dx" else geometry.channels[::-1]
    strips = strips_of(geometry, result, m)
    samples = batch * copies.samples
    tiles = samples * strips.heights * strips.widths
    vectors, pairs = ceil(out / lanes), into * ceil(out / lanes)
    sizes = geometry.inputs if result == "dx" else geometry.outputs
    swept = _swept(geometry, sizes, lanes)
    direct = max(samples * swept, FEW[result]) * prod(geometry.kernel) * pairs * DIRECT
    if out < lanes and result != "dw":  # its lanes are positions, and tiles have output channels there
        direct = direct * out / lanes + FILLED * samples * into * prod(sizes)
    data, made = (INPUT, RESULT) if strips.nr > 1 else (INPUT / 2, RESULT / 2)
    copied = copies.time(samples * (into + out) * prod(sizes), sizes[-1]) / strips.points
    if result == "dw":
        pairs = out * ceil(into / lanes)
        transforms = tiles * (ceil(into / lanes) + vectors) * data
        size = strips.points * lanes * np.dtype(char).itemsize
        blocks = ceil(size * tiles * (ceil(into / lanes) + vectors) / gradients.BEYOND)
        sums = SUMS if size * pairs <= gradients.BLOCK else FAR * blocks
        return direct / (strips.points * (transforms + copied + pairs * (tiles + sums)))
    alone = ALONE[prod(geometry.channels) * prod(geometry.kernel) > CACHED]
    weights, read = (0, READ) if kept else alone if tiles <= filters.ALONE else (WEIGHT, READ)
    transforms = tiles * (ceil(into / lanes) * data + vectors * made)
    return direct / (strips.points * (transforms + copied + pairs * (weights + max(tiles, read))))
