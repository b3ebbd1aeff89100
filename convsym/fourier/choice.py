"""Lengths of the cyclic sums, and how much is held in memory at a time: the cheapest by a model of measured costs.

Nothing here depends on the batch, on values or on threads, so neither do the bits of a result.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log2, prod

from convsym.fourier.lattice import Axis, Lattice, axes_of
from convsym.fourier.transforms import fitting
from convsym.geometry import Geometry, Shape

# Nanoseconds of one core of an x86-64 with AVX-512, float32 (float64 takes twice as long), measured once with
# scipy.fft: a real number and each factor 2 of the block that it is transformed in (2 to 6 ns for 32² to 256²) …
TRANSFORM = 0.3
# … is copied into its block and into the order of the product;
MOVE = 3.0
# one multiply-add of complex numbers by matrix products (60 GFLOP/s), and one product of matrices called;
MULTIPLY = 0.13
CALL = 1000.0
# one made elementwise;
MULTIPLY_ALONE = 1.3
# what one more row of blocks takes in Python.
ROW = 3000.0
# The multiply-adds of a direct sum in the same nanosecond: three quarters of the peak of 120 a nanosecond.
DIRECT = 90.0
# Pairs of channels up to which products of whole spectra are faster than a product of matrices for each frequency.
PAIRS = 32
# Bytes of spectra of rows (of one channel where they are multiplied whole), of spectra of weights, and of a piece that
# one thread transforms (it stays in its cache).
ROWS_ROOM = 2**25
ROWS_ELEMENTWISE = 2**24
WEIGHTS_ROOM = 2**27
PIECE = 2**20
# Rows of one product of matrices. Its shape never depends on the batch, so neither do its bits.
FEWEST, MOST = 8, 16

# Bytes that do not fit into the room for rows, nanoseconds, lengths.
Priced = tuple[int, float, Shape]


@dataclass(frozen=True)
class Scheme:
    """How a convolution is computed by transforms.

    Attributes
    ----------
    lattice : Lattice
    into, out : int
        Channels of x, with the classes of taps, and of y; of one group.
    rows : int
        Rows that are transformed at a time.
    channels : int
        Channels of the result (of dy, for dw) whose weights are transformed at a time.
    item : int
        Bytes of a real number.
    """

    lattice: Lattice
    into: int
    out: int
    rows: int
    channels: int
    item: int

    @property
    def elementwise(self) -> bool:
        """Whether spectra are multiplied as they lie, without products of matrices."""
        return self.into * self.out <= PAIRS

    @property
    def spectrum(self) -> int:
        """Bytes of the spectrum of a block."""
        return 2 * self.item * prod(self.lattice.frequencies)

    def rows_of(self, batch: int) -> int:
        """Rows at a time where there are so many samples."""
        return min(self.rows, batch * self.lattice.rows) if self.elementwise else self.rows

    def groups_of(self, batch: int, groups: int) -> int:
        """Groups at a time where there are so many samples and groups."""
        weights = self.into * self.out * self.spectrum
        blocks = (self.into + self.out) * self.spectrum * self.rows_of(batch)
        return min(groups, max(1, min(WEIGHTS_ROOM // weights, ROWS_ROOM // blocks)))


@lru_cache(maxsize=1024)
def scheme(geometry: Geometry, result: str, item: int) -> Scheme:
    """The cheapest scheme; the same for every batch."""
    axes, (into, out) = axes_of(geometry), geometry.channels
    made = Lattice(axes, _lengths(geometry, result, item), result)
    return _filled(Scheme(made, into * len(made.tap_classes), out, 1, 1, item))


def _filled(bare: Scheme) -> Scheme:
    """The scheme with as many rows and channels at a time as there is room for."""
    result, blocks = bare.lattice.result, bare.into + bare.out
    rows = max(1, ROWS_ROOM // (blocks * bare.spectrum))
    if bare.elementwise:
        rows = min(rows, max(1, ROWS_ELEMENTWISE // bare.spectrum))
    else:
        wanted = min(max(FEWEST, 1 << (bare.lattice.rows - 1).bit_length()), MOST)
        rows = min(1 << (rows.bit_length() - 1), wanted)
    of_result = bare.into // len(bare.lattice.tap_classes) if result == "dx" else bare.out
    each = bare.into * bare.out // of_result * bare.spectrum
    return replace(bare, rows=rows, channels=min(of_result, max(1, WEIGHTS_ROOM // each)))


def nanoseconds(made: Scheme) -> float:
    """The modeled time of one sample of one group on one core."""
    lattice, size, frequencies = made.lattice, prod(made.lattice.lengths), prod(made.lattice.frequencies)
    number = TRANSFORM * log2(size + 1) + MOVE
    transformed = (made.into * made.out + lattice.rows * (made.into + made.out)) * size * number
    pairs = frequencies * made.into * made.out
    if made.elementwise:
        product = pairs * lattice.rows * MULTIPLY_ALONE
    else:
        calls = -(-lattice.rows // made.rows)
        product = calls * (pairs * made.rows * MULTIPLY + frequencies * CALL)
    return (transformed + product) * made.item / 4 + ROW * lattice.rows * len(lattice.tap_classes)


@lru_cache(maxsize=1024)
def cost(geometry: Geometry, result: str, item: int = 4) -> float:
    """What the transforms cost for one sample, in multiply-adds of a direct sum.

    Parameters
    ----------
    geometry : Geometry
        Its batch is not looked at.
    result : {"y", "dx", "dw"}
    item : int
        Bytes of a real number: 4 or 8.

    Returns
    -------
    float
        To be compared with the multiply-adds of one sample, all groups.
    """
    if not all(map(prod, geometry.shapes.values())):
        return 0.0
    faster = 4 / item  # a direct sum of float64 has half the lanes
    return geometry.groups * nanoseconds(scheme(replace(geometry, batch=1), result, item)) * DIRECT * faster


def _lengths(geometry: Geometry, result: str, item: int) -> Shape:
    """Lengths by coordinate descent, from one block and from blocks of a few kernels."""
    axes, (into, out) = axes_of(geometry), geometry.channels
    choices = [sorted(set(_candidates(axis))) for axis in axes]

    def price(lengths: Shape) -> Priced:
        lattice = Lattice(axes, lengths, result)
        made = _filled(Scheme(lattice, into * len(lattice.tap_classes), out, 1, 1, item))
        over = max(0, (made.into + made.out) * made.spectrum - ROWS_ROOM)
        return over, nanoseconds(made), lengths

    starts = [tuple(found[-1] for found in choices)]
    starts.append(tuple(_nearest(found, 3 * axis.taps) for found, axis in zip(choices, axes, strict=True)))
    return min(_descended(start, choices, price) for start in starts)[2]


def _nearest(lengths: list[int], wanted: int) -> int:
    return min(lengths, key=lambda length: abs(length - wanted))


def _descended(start: Shape, choices: list[list[int]], price: Callable[[Shape], Priced]) -> Priced:
    best = price(start)
    while True:
        here = best
        for axis, lengths in enumerate(choices):
            tried = (price((*best[2][:axis], n, *best[2][axis + 1 :])) for n in lengths)
            best = min(best, *tried)
        if best == here:
            return best


def _candidates(axis: Axis) -> Iterator[int]:
    """The length that takes one block, and those that take 2, 3, 4, 6, 8, 12, … of about equal size."""
    yield fitting(axis.whole)
    count, pieces = axis.count + axis.taps, 2
    while count // pieces >= max(axis.taps // 8, 8):
        length = fitting(-(-axis.count // pieces) + axis.taps - 1)
        if length < axis.whole:
            yield length
        pieces += pieces // 2 if pieces & (pieces - 1) == 0 else pieces // 3
