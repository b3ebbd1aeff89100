"""The weight gradient by register tiles: a sum over positions, which no tap table can move out of the way.

With many channels it is made of outer products, with few of dot products, whichever is estimated to take less time.
Either goes over strips of positions, whose sums are added in one fixed order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

from convsym import dots, kernels, outer
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.strips import Size, Span, at_once, spans


@lru_cache(maxsize=1024)
def is_outer(geometry: Geometry, char: str, level: str) -> bool:
    """Whether lanes are output channels: not where these or the input channels are few, and lines are long."""
    return outer.time(geometry, char, level) <= dots.time(geometry, char, level)


@dataclass(frozen=True)
class Schedule:
    """How the weight gradients of a geometry are made.

    Attributes
    ----------
    outer : bool
        Of outer products, or else of dot products.
    samples, groups : int
        Done at a time.
    spans : tuple
        Outputs along the first axis.
    weights : int
        Those of a group.
    rooms : tuple of int
        Elements of the images of x and dy, and of the sums before they are the result.
    """

    outer: bool
    samples: int
    groups: int
    spans: tuple[Span, ...]
    weights: int
    rooms: tuple[int, ...]


@lru_cache(maxsize=1024)
def schedule_of(geometry: Geometry, char: str, level: str) -> Schedule:
    """How the weight gradients of a geometry are made, with the tiles of a level."""
    by_outer = is_outer(geometry, char, level)
    laid = by_outer or dots.is_laid(geometry, char, level)  # dy too
    cut, size = spans(geometry, laid), at_once(geometry, laid)
    room = outer.room if by_outer else dots.room
    longest = max(cut, key=lambda span: span[1] - span[0])
    found = {room(geometry, span, size, char, level) for span in (cut[0], longest)}
    rooms = tuple(map(max, zip(*found, strict=True)))
    return Schedule(by_outer, *size, cut, prod(geometry.shapes["w"][1:]), rooms)


def run(geometry: Geometry, operands: Mapping[str, Array], out: Array) -> None:
    """Write the rule dw into `out`."""
    char, level = out.dtype.char, kernels.in_use()
    schedule = schedule_of(geometry, char, level)
    made, x, dy = _Rooms(geometry, schedule, char, level), operands["x"], operands["dy"]
    for group in range(0, geometry.groups, schedule.groups):
        end = min(group + schedule.groups, geometry.groups)
        made.total[...] = 0
        for begin in range(0, geometry.batch, schedule.samples):
            size = min(schedule.samples, geometry.batch - begin), end - group
            read, given = _from(x, begin, group), _from(dy, begin, group)
            for span in schedule.spans:
                made.add(span, size, read, given)
        made.finish(out[group:end])


def _from(array: Array, sample: int, group: int) -> Array:
    """A flat view that begins at a group of a sample."""
    flat = array.reshape(-1)
    return flat[(sample * array.shape[1] + group) * prod(array.shape[2:]) :] if sample or group else flat


class _Rooms:
    """The memory of a call: images, and sums."""

    def __init__(self, geometry: Geometry, schedule: Schedule, char: str, level: str) -> None:
        self.geometry, self.schedule, self.char, self.level = geometry, schedule, char, level
        self.image, self.laid, sums = [np.empty(size, char) for size in schedule.rooms]
        weights = schedule.groups * schedule.weights
        self.total = sums if schedule.outer else sums[:weights]
        self.partial = sums[weights:]

    def add(self, span: Span, size: Size, x: Array, dy: Array) -> None:
        """Add the sums over a span of outputs."""
        by_outer = self.schedule.outer
        part = (outer if by_outer else dots).part(self.geometry, span, size, self.char, self.level)
        dy = dy[part.start :]
        if part.fill is not None:
            kernels.drive(part.fill, (self.image, x), size[0], kernels.MOVED * self.image.size, self.char)
            x = self.image
        if part.lay is not None:
            work, count = kernels.MOVED * self.laid.size, 1 if by_outer else size[0]
            kernels.drive(part.lay, (self.laid, dy), count, work, self.char)
            dy = self.laid
        if by_outer:
            kernels.drive(part.sum, (self.total, x, dy), 1, part.work, self.char)
            return
        weights = size[1] * self.schedule.weights
        kernels.drive(part.sum, (self.partial, dy, x), 1, part.work, self.char)
        sums, left = self.partial[: part.sums * weights].reshape(part.sums, weights), part.sums
        while left > 1:  # pairs, in an order that is the same for any number of weights
            half = left // 2
            sums[:half] += sums[left - half : left]
            left -= half
        self.total[:weights] += sums[0]

    def finish(self, out: Array) -> None:
        """Lay the sums as the weights are."""
        if self.schedule.outer:
            settle = outer.settle(self.geometry, len(out), self.char, self.level)
            kernels.drive(settle, (out.reshape(-1), self.total), 1, out.size * 8, self.char)
        else:
            out[...] = self.total[: out.size].reshape(out.shape)
