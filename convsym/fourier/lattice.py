"""A convolution of any stride and dilation as one of stride and dilation 1, cut into blocks for cyclic sums.

Along one axis output o meets tap r at ``read(o, r)``. Outputs fall into residue classes i, taps into classes j, so that
within a pair of classes the read is ``reads[i][j] + read_step*(a + t)``, with a and t counted within their classes:
every pair is a convolution a + t = m of stride 1 with the elements ``m`` of one residue class of x. Classes of outputs
do not see each other (as samples of a batch), classes of taps are added up (as channels). No element is computed to be
thrown away, and none is a zero between others.

A cyclic sum of length n computes a + t = m where no two of the numbers that occur differ by n without being equal.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import gcd, prod
from typing import Any

import numpy as np

from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.kernels._generated import rules

Place = tuple[slice, ...]


@dataclass(frozen=True)
class Axis:
    """The residue classes along one axis.

    Attributes
    ----------
    size, outputs, kernel : int
        Sizes of x, y and w.
    output_step, tap_step, read_step : int
        How far apart the outputs, the taps and the reads of one class are.
    reads : tuple of tuple of int
        What the first output of class i reads with the first tap of class j.
    """

    size: int
    outputs: int
    kernel: int
    output_step: int
    tap_step: int
    read_step: int
    reads: tuple[tuple[int, ...], ...]

    @cached_property
    def count(self) -> int:
        """Outputs of the largest class."""
        return len(range(0, self.outputs, self.output_step))

    @cached_property
    def taps(self) -> int:
        """Taps of the largest class."""
        return len(range(0, self.kernel, self.tap_step))

    def inside(self, i: int, j: int) -> tuple[int, int]:
        """The range of m whose reads lie inside x, for a pair of classes."""
        own = 0, self.read_step, 1, -self.reads[i][j]
        first = max(rules.first_output(*own), 0)
        return first, max(min(rules.end_output(self.size, *own), self.count + self.taps - 1), first)

    @cached_property
    def needed(self) -> tuple[int, int]:
        """The range of m outside of which x is 0 for every pair of classes."""
        ranges = [self.inside(i, j) for i, row in enumerate(self.reads) for j in range(len(row))]
        filled = [(first, end) for first, end in ranges if first < end] or [(0, 0)]
        return min(first for first, _ in filled), max(end for _, end in filled)

    @cached_property
    def whole(self) -> int:
        """The least length of a cyclic sum that holds the axis in one block."""
        first, end = self.needed
        return max(end, self.count + self.taps - 1 - first, self.count, self.taps)

    def in_class(self, start: int, stop: int, i: int) -> slice:
        """The outputs number start to stop of class i, at most those that there are."""
        mine = range(i, self.outputs, self.output_step)[start:stop]
        return slice(mine.start, mine.stop, mine.step) if mine else slice(0, 0, 1)


@dataclass(frozen=True)
class Block:
    """One cyclic sum along one axis: it starts at `base`, and has outputs and reads of these ranges."""

    base: int
    outputs: tuple[int, int]
    reads: tuple[int, int]


def blocks(axis: Axis, length: int, result: str) -> tuple[Block, ...]:
    """The blocks of an axis for cyclic sums of a length; each element of the result is in one of them."""
    low, high = axis.needed
    if length >= axis.whole:
        return (Block(0, (0, axis.count), (low, high)),)
    step = length - (axis.taps - 1)
    if result == "dx":
        starts = [(start, min(start + step, high)) for start in range(low, high, step)]
        return tuple(
            Block(m - axis.taps + 1, (max(m - axis.taps + 1, 0), min(end, axis.count)), (m, end)) for m, end in starts
        )
    starts = [(start, min(start + step, axis.count)) for start in range(0, axis.count, step)]
    return tuple(Block(a, (a, end), (a, end + axis.taps - 1)) for a, end in starts)


@dataclass(frozen=True)
class Row:
    """One block of one class of outputs of one sample; `along` each axis the number of the class and of the block."""

    sample: int
    along: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Lattice:
    """All axes, with the lengths of their cyclic sums, for one result.

    Arrays of blocks have the axes (lead, second, third, class of taps, positions …). The lead is a row for x and y and
    a group for w; second and third are group and channel for x and y, and the two channels for w.
    """

    axes: tuple[Axis, ...]
    lengths: Shape
    result: str

    @cached_property
    def blocks(self) -> tuple[tuple[Block, ...], ...]:
        """Blocks of every axis."""
        return tuple(blocks(axis, n, self.result) for axis, n in zip(self.axes, self.lengths, strict=True))

    @cached_property
    def tap_classes(self) -> tuple[tuple[int, ...], ...]:
        """Classes of taps, over all axes."""
        return tuple(product(*(range(len(axis.reads[0])) for axis in self.axes)))

    @cached_property
    def rows(self) -> int:
        """Rows of a sample."""
        return prod(len(axis.reads) * len(found) for axis, found in zip(self.axes, self.blocks, strict=True))

    @cached_property
    def frequencies(self) -> Shape:
        """Sizes of the spectrum of a block; that of real numbers needs half of the last axis."""
        return (*self.lengths[:-1], self.lengths[-1] // 2 + 1)

    def row(self, number: int) -> Row:
        """A row by its number among all samples."""
        sample, number = divmod(number, self.rows)
        along = []
        for axis, found in zip(reversed(self.axes), reversed(self.blocks), strict=True):
            number, block = divmod(number, len(found))
            number, i = divmod(number, len(axis.reads))
            along.append((i, block))
        return Row(sample, tuple(along[::-1]))

    def window(self, name: str) -> tuple[tuple[int, int], ...]:
        """Where the elements of x, y or w lie within a block, along each axis."""
        return self._windows[name[-1]]

    @cached_property
    def _windows(self) -> dict[str, tuple[tuple[int, int], ...]]:
        found: dict[str, tuple[tuple[int, int], ...]] = {"w": tuple((0, axis.taps) for axis in self.axes)}
        for name in "xy":
            offsets = [
                [(start - block.base, stop - block.base) for block in along for start, stop in [_range(block, name)]]
                for along in self.blocks
            ]
            found[name] = tuple(
                (min((start for start, _ in each), default=0), max((stop for _, stop in each), default=0))
                for each in offsets
            )
        return found

    def classes_of(self, name: str) -> int:
        """Classes of taps that an array has; y has none."""
        return 1 if name[-1] == "y" else len(self.tap_classes)

    def places(self, name: str, row: Row | None) -> list[tuple[int, Place, Place]]:
        """For each class of taps: its number, where its elements lie in the array, and where in the block."""
        if row is None:
            along = [[_taps(axis, j) for j in range(len(axis.reads[0]))] for axis in self.axes]
        else:
            tables = self._outputs if name[-1] == "y" else self._reads
            along = [table[place] for table, place in zip(tables, row.along, strict=True)]
        pairs = [list(zip(*found, strict=True)) for found in product(*along)]
        return [(number, *pair) for number, pair in enumerate(pairs) if all(here.start < here.stop for here in pair[1])]

    @cached_property
    def _outputs(self) -> list[dict[tuple[int, int], list[tuple[slice, slice]]]]:
        """For each axis, class and block: where its outputs lie in y and in the block."""
        return [
            {
                (i, number): [_output(axis, i, block)]
                for i in range(len(axis.reads))
                for number, block in enumerate(found)
            }
            for axis, found in zip(self.axes, self.blocks, strict=True)
        ]

    @cached_property
    def _reads(self) -> list[dict[tuple[int, int], list[tuple[slice, slice]]]]:
        """For each axis, class and block: where the reads of each class of taps lie in x and in the block."""
        return [
            {
                (i, number): [_read(axis, i, j, block) for j in range(len(row))]
                for i, row in enumerate(axis.reads)
                for number, block in enumerate(found)
            }
            for axis, found in zip(self.axes, self.blocks, strict=True)
        ]

    def gather(self, name: str, array: Array, box: Place) -> Array:
        """Blocks of an array, with zeros around; box says which leads, second and third."""
        lead, second, third = (range(part.start, part.stop) for part in box)
        extent = [stop for _, stop in self.window(name)]
        segment = np.zeros((len(lead), len(second), len(third), self.classes_of(name), *extent), array.dtype)
        for at, number in enumerate(lead):
            row = None if name[-1] == "w" else self.row(number)
            source = array[number if row is None else row.sample, box[1], box[2]]
            for j, there, here in self.places(name, row):
                segment[at, :, :, j][_last(here)] = source[_last(there)]
        return segment

    def scatter(self, name: str, array: Array, box: Place, value: Array) -> None:
        """Blocks put into an array; their positions are those of the window."""
        starts = [start for start, _ in self.window(name)]
        for at, number in enumerate(range(box[0].start, box[0].stop)):
            row = None if name[-1] == "w" else self.row(number)
            target = array[number if row is None else row.sample, box[1], box[2]]
            for j, there, here in self.places(name, row):
                shifted = [slice(part.start - by, part.stop - by) for part, by in zip(here, starts, strict=True)]
                target[_last(there)] = value[at, :, :, j][_last(tuple(shifted))]


@lru_cache(maxsize=1024)
def axes_of(geometry: Geometry) -> tuple[Axis, ...]:
    """The residue classes of every axis of a convolution."""
    return tuple(_axis(geometry, axis) for axis in range(geometry.rank))


def _axis(geometry: Geometry, at: int) -> Axis:
    own = geometry.stride[at], geometry.dilation[at], geometry.padding[at][0]
    outputs, kernel = geometry.outputs[at], geometry.kernel[at]
    here = rules.read(0, 0, *own)
    by_output, by_tap = rules.read(1, 0, *own) - here, rules.read(0, 1, *own) - here
    common = gcd(by_output, by_tap)
    output_step, tap_step = by_tap // common, by_output // common
    reads = tuple(
        tuple(rules.read(i, j, *own) for j in range(min(tap_step, kernel))) for i in range(min(output_step, outputs))
    )
    return Axis(
        geometry.inputs[at], outputs, kernel, output_step, tap_step, rules.read(output_step, 0, *own) - here, reads
    )


def _range(block: Block, name: str) -> tuple[int, int]:
    return block.outputs if name[-1] == "y" else block.reads


def _last(place: Place) -> Any:
    """An index of the last axes."""
    return (..., *place)


def _taps(axis: Axis, j: int) -> tuple[slice, slice]:
    mine = range(j, axis.kernel, axis.tap_step)
    return slice(mine.start, mine.stop, mine.step), slice(0, len(mine))


def _output(axis: Axis, i: int, block: Block) -> tuple[slice, slice]:
    place = axis.in_class(*block.outputs, i)
    start = block.outputs[0] - block.base
    return place, slice(start, start + len(range(place.start, place.stop, place.step)))


def _read(axis: Axis, i: int, j: int, block: Block) -> tuple[slice, slice]:
    first, end = axis.inside(i, j)
    first, end = max(first, block.reads[0]), min(end, block.reads[1])
    if first >= end:
        return slice(0, 0, 1), slice(0, 0)
    start, last = (rules.read(m, 0, axis.read_step, 1, -axis.reads[i][j]) for m in (first, end - 1))
    return slice(start, last + 1, axis.read_step), slice(first - block.base, end - block.base)


def boxes(shape: Shape, most: int) -> list[Any]:
    """An index grid cut into boxes of at most `most` cells each, but at least one."""
    steps, inner = [], 1
    for size in reversed(shape):
        steps.append(max(1, min(size, most // inner)))
        inner *= max(size, 1)
    ranges = [
        [slice(start, min(start + step, size)) for start in range(0, size, step)]
        for size, step in zip(shape, reversed(steps), strict=True)
    ]
    return list(product(*ranges))
