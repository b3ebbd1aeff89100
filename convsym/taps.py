"""Tap tables: a rule of a convolution lowered to integers that the register tiles take.

Along an axis output o reads x at ``read(o, r)``, which is affine: with u = step·q + residue that is q = o + shift in
the residue class of tap r. One such table serves all three rules: y reads the classes of x at o + shift; a class of dx
reads dy at q − shift; dw multiplies both. Padding is where a class reaches beyond its array. No zeros are put between
elements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from convsym.geometry import Geometry
from convsym.kernels._generated import rules

Integers = NDArray[np.intp]

PATTERN = 64  # vectors of a pattern, at most, where it stays within a row


@dataclass(frozen=True)
class Taps:
    """The taps of one axis.

    Attributes
    ----------
    step : int
        Distance of what neighboring outputs read.
    first : tuple of int
        What output 0 reads with each tap.
    shift, residue : tuple of int
        With tap r, output o reads ``step*(o + shift[r]) + residue[r]``.
    """

    step: int
    first: tuple[int, ...]
    shift: tuple[int, ...]
    residue: tuple[int, ...]

    @property
    def classes(self) -> tuple[int, ...]:
        """The residues that taps have."""
        return tuple(sorted(set(self.residue)))


@lru_cache(maxsize=1024)
def taps_of(geometry: Geometry) -> tuple[Taps, ...]:
    """The taps of each axis."""
    return tuple(_taps(geometry, axis) for axis in range(geometry.rank))


def _taps(geometry: Geometry, axis: int) -> Taps:
    """The taps of an axis, from the rule of what an output reads."""
    own = (geometry.stride[axis], geometry.dilation[axis], geometry.padding[axis][0])
    first = rules.read(0, np.arange(geometry.kernel[axis]), *own)
    step = rules.read(1, 0, *own) - rules.read(0, 0, *own)
    shift, residue = np.divmod(first, step)
    return Taps(step, tuple(first.tolist()), tuple(shift.tolist()), tuple(residue.tolist()))


def is_still(geometry: Geometry, axis: int) -> bool:
    """Whether an axis has one tap, which reads every element where it lies."""
    own = taps_of(geometry)[axis]
    return (own.step, own.first) == (1, (0,)) and geometry.inputs[axis] == geometry.outputs[axis]


def has_gaps(geometry: Geometry) -> bool:
    """Whether some elements of x lie in residue classes that no tap reads."""
    return any(len(axis.classes) < axis.step for axis in taps_of(geometry))


@dataclass(frozen=True)
class Axis:
    """One axis of an image: place j of a class holds element ``step*(first + j) + residue`` of the array, or 0.

    Attributes
    ----------
    size : int
        Of the array.
    first, length : int
        What the first place stands for, and how many there are.
    step : int
    residues : tuple of int
        The classes.
    """

    size: int
    first: int
    length: int
    step: int = 1
    residues: tuple[int, ...] = (0,)

    def inside(self, residue: int) -> tuple[int, int, int]:
        """Of a class: places before the array's elements, elements, and the first element."""
        start = rules.first_output(0, self.step, 1, -residue) - self.first
        end = rules.end_output(self.size, 0, self.step, 1, -residue) - self.first
        lead = min(max(start, 0), self.length)
        count = max(min(end, self.length) - lead, 0)
        return lead, count, rules.read(self.first + lead, 0, self.step, 1, -residue)

    @property
    def whole(self) -> bool:
        """Whether it is the array's own axis."""
        return self.residues == (0,) and self.step == 1 and self.first == 0 and self.length == self.size


@dataclass(frozen=True)
class Image:
    """A padded channel of an array, split into residue classes: class after class, each with the same axes."""

    axes: tuple[Axis, ...]

    @property
    def pitches(self) -> tuple[int, ...]:
        """Distance of neighbors along each axis."""
        return pitches_of([axis.length for axis in self.axes])

    @property
    def plane(self) -> int:
        """Elements of one class."""
        return prod(axis.length for axis in self.axes)

    @property
    def size(self) -> int:
        """Elements of a channel."""
        return self.plane * prod(len(axis.residues) for axis in self.axes)

    @property
    def whole(self) -> bool:
        """Whether it is the array's own channel, so that nothing is copied."""
        return all(axis.whole for axis in self.axes)

    def classes(self, number: int, residues: Integers) -> Integers:
        """How much later classes start because of their residues along one axis."""
        counts = [len(axis.residues) for axis in self.axes[number + 1 :]]
        return np.searchsorted(self.axes[number].residues, residues) * (prod(counts) * self.plane)

    def rows(self) -> Integers:
        """Three rows: of each row of a channel its first element in the array, the places before it, its elements."""
        pitches = pitches_of([axis.size for axis in self.axes])
        parts = []
        for residues in product(*(axis.residues for axis in self.axes)):
            source: Integers = np.zeros(1, np.intp)
            there = np.ones(1, bool)
            for axis, residue, pitch in zip(self.axes[:-1], residues, pitches, strict=False):
                lead, count, element = axis.inside(residue)
                place = np.arange(axis.length)
                inside = (place >= lead) & (place < lead + count)
                source = (source[:, None] + (element + axis.step * (place - lead)) * pitch).ravel()
                there = (there[:, None] & inside).ravel()
            lead, count, element = self.axes[-1].inside(residues[-1])
            there = there & (count > 0)
            parts.append(np.where(there, np.broadcast_arrays(source + element, lead, count), 0))
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Vectors:
    """Vectors of lanes that cover the positions of a result: a pattern, repeated over outer rows.

    Attributes
    ----------
    outer_pos, outer_place : ndarray
        Where each outer row starts in the image and in the result.
    pos : ndarray
        Where each vector of the pattern starts in the image.
    start, lane, count, place : ndarray
        Parts of the vectors that are stored: those of vector j are start[j] … start[j + 1]; of each the first lane, the
        number of lanes, and where they go.
    full : ndarray
        How many vectors from each on are one part of all lanes, and lie one after the other in image and result.
    run : ndarray
        How many vectors from each on lie one after the other.
    """

    outer_pos: Integers
    outer_place: Integers
    pos: Integers
    start: Integers
    lane: Integers
    count: Integers
    place: Integers
    full: Integers
    run: Integers

    @property
    def number(self) -> int:
        """Vectors in all."""
        return len(self.outer_pos) * len(self.pos)


def pitches_of(sizes: Sequence[int]) -> tuple[int, ...]:
    """Distance of neighbors along each axis of an array of these sizes, in elements."""
    return tuple(prod(sizes[place + 1 :]) for place in range(len(sizes)))


def grid(sizes: Sequence[int], pitches: Sequence[int]) -> Integers:
    """Offsets of all points of a box, the last axis fastest."""
    return all_sums([np.arange(size) * pitch for size, pitch in zip(sizes, pitches, strict=True)])


def all_sums(parts: Sequence[Integers]) -> Integers:
    """Sums of one element of each array, those of the last array fastest."""
    total = np.zeros(1, np.intp)
    for part in parts:
        total = (total[:, None] + part).ravel()
    return total


def vectors_of(
    sizes: Sequence[int], pitches: Sequence[int], places: Sequence[int], lanes: int, work: int, once: bool = False
) -> Vectors:
    """The vectors that cover a box of results.

    Parameters
    ----------
    sizes : sequence of int
        Of the box.
    pitches, places : sequence of int
        Distances of neighbors in the image and in the result.
    lanes : int
    work : int
        Steps of a tile; where there are many of them, vectors across rows pay.
    once : bool
        Whether each result is stored once, because it is added to what is there; rows fit into a pattern then.

    Returns
    -------
    Vectors
    """
    rows = _in_rows(sizes, pitches, places, lanes, once)
    across = _across_rows(sizes, pitches, places, lanes, once)

    def cost(vectors: Vectors) -> float:
        parts = len(vectors.lane) + 8 * int((vectors.full == 0).sum())
        return len(vectors.outer_pos) * (len(vectors.pos) * work + 2 * parts + 4)

    return min((rows, across), key=cost)


def _in_rows(sizes: Sequence[int], pitches: Sequence[int], places: Sequence[int], lanes: int, once: bool) -> Vectors:
    """Vectors within rows; the last one of a row begins earlier, so that it ends with the row."""
    size = sizes[-1]
    if size > lanes:
        number = ceil(size / (PATTERN * lanes))
        size = min(ceil(size / (number * lanes)) * lanes, size)
    pieces = _covering(sizes[-1], size)
    first = _covering(size, lanes)
    lane = _stored(first, lanes) if once else np.zeros_like(first)
    count, place = min(lanes, size) - lane, (first + lane) * places[-1]
    return Vectors(
        all_sums([grid(sizes[:-1], pitches[:-1]), pieces]),
        all_sums([grid(sizes[:-1], places[:-1]), pieces * places[-1]]),
        first,
        np.arange(len(first) + 1),
        lane,
        count,
        place,
        *_runs(first, place, (count == lanes) & (places[-1] == 1), lanes),
    )


def _stored(first: Integers, lanes: int) -> Integers:
    """How many lanes of each vector belong to the one before."""
    return np.maximum(np.append(0, first[:-1] + lanes) - first, 0)


def _covering(size: int, length: int) -> Integers:
    """Where pieces start that cover an axis; the last one ends with the axis."""
    return np.minimum(np.arange(0, size, length), max(size - length, 0))


def _runs(first: Integers, place: Integers, full: NDArray[np.bool_], lanes: int) -> tuple[Integers, Integers]:
    """From each vector on, how many are full and lie one after the other in image and result; in the image alone."""
    image = np.diff(first) == lanes
    result = image & (np.diff(place) == lanes) & full[:-1] & full[1:]
    return lengths(result) * full, lengths(image)


def lengths(joined: NDArray[np.bool_]) -> Integers:
    """How many elements from each on are joined, given of each but the last whether it is with the next one."""
    ends = np.flatnonzero(np.append(~joined, True)) + 1
    places = np.arange(len(joined) + 1)
    lengths: Integers = ends[np.searchsorted(ends, places, side="right")] - places
    return lengths


def _across_rows(
    sizes: Sequence[int], pitches: Sequence[int], places: Sequence[int], lanes: int, once: bool
) -> Vectors:
    """Vectors over the rows of a plane one after the other, with the places between rows that belong to no result."""
    if len(sizes) < 2 or sizes[-1] > PATTERN * lanes // 4:
        return _in_rows(sizes, pitches, places, lanes, once)
    (height, size), pitch = sizes[-2:], pitches[-2]
    flat = (height - 1) * pitch + size
    first = _covering(flat, lanes)
    begin = first + _stored(first, lanes) if once else first
    starts = zip(first.tolist(), begin.tolist(), strict=True)
    parts = [_parts(f, b, f + lanes, height, size, pitch, (places[-2], places[-1])) for f, b in starts]
    lane, count, place = np.array([part for own in parts for part in own], np.intp).reshape(-1, 3).T
    full = np.array([places[-1] == 1 and len(own) == 1 and own[0][:2] == (0, lanes) for own in parts])
    start = np.cumsum([0, *map(len, parts)])
    return Vectors(
        grid(sizes[:-2], pitches[:-2]),
        grid(sizes[:-2], places[:-2]),
        first,
        start,
        lane,
        count,
        place,
        *_runs(first, place[start[:-1]], full, lanes),
    )


def _parts(
    first: int, low: int, high: int, height: int, size: int, pitch: int, places: tuple[int, int]
) -> list[tuple[int, int, int]]:
    """The parts of a vector, low to high, that lie in rows: lane, number of lanes, place; neighbors are joined."""
    made: list[tuple[int, int, int]] = []
    for row in range(first // pitch, min((high - 1) // pitch, height - 1) + 1):
        begin, end = max(low, row * pitch), min(high, row * pitch + size)
        if begin >= end:
            continue
        lane, count, place = begin - first, end - begin, row * places[0] + (begin - row * pitch) * places[1]
        if made and places[1] == 1 and made[-1][0] + made[-1][1] == lane and made[-1][2] + made[-1][1] == place:
            made[-1] = (made[-1][0], made[-1][1] + count, made[-1][2])
        else:
            made.append((lane, count, place))
    return made
