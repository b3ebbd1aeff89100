"""The weight gradient by register tiles: a sum over positions, which no tap table can move out of the way.

With many channels it is made of outer products, with few of dot products, whichever is estimated to take less time.
Either goes over strips of positions, whose sums are added in one fixed order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod

from convsym import dots, kernels, outer, scratch
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels.tables import Course, Step
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


def bound(geometry: Geometry, result: str, char: str, level: str) -> Callable[[Mapping[str, Array], Array], None]:
    """What writes the rule dw, the one that there is, into an array."""
    return partial(_run, geometry, schedule_of(geometry, char, level), char, level)


def course(geometry: Geometry, result: str, char: str, level: str) -> Course | None:
    """The rule dw as steps of a call; None where samples, groups or sums are done one after the other."""
    schedule, size = schedule_of(geometry, char, level), (geometry.batch, geometry.groups)
    by_outer = schedule.outer
    parts = [(outer if by_outer else dots).part(geometry, span, size, char, level) for span in schedule.spans]
    alone = by_outer or (len(parts) == 1 and parts[0].sums == 1)
    if size[0] > schedule.samples or size[1] > schedule.groups or not alone:
        return None
    image, laid, sums = schedule.rooms
    steps, total = [], ("room", image + laid) if by_outer else ("out", 0)
    for part in parts:
        x, dy = ("x", 0), ("dy", part.start)
        if part.fill is not None:
            steps.append(Step(part.fill, size[0], kernels.MOVED * image, (("room", 0), x)))
            x = ("room", 0)
        if part.lay is not None:
            steps.append(Step(part.lay, 1 if by_outer else size[0], kernels.MOVED * laid, (("room", image), dy)))
            dy = ("room", image)
        steps.append(Step(part.sum, 1, part.work, (total, x, dy) if by_outer else (total, dy, x)))
    if by_outer:
        weights = prod(geometry.shapes["w"])
        steps.append(Step(outer.settle(geometry, size[1], char, level), 1, weights * 8, (("out", 0), total)))
    return Course(tuple(steps), image + laid + sums * by_outer, zeros=sums * by_outer)


def _run(
    geometry: Geometry, schedule: Schedule, char: str, level: str, operands: Mapping[str, Array], out: Array
) -> None:
    x, dy = operands["x"], operands["dy"]
    with scratch.borrowed(schedule.rooms, out.dtype) as rooms:
        made = _Rooms(geometry, schedule, char, level, rooms)
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

    def __init__(
        self, geometry: Geometry, schedule: Schedule, char: str, level: str, rooms: Sequence[Array]
    ) -> None:
        self.geometry, self.schedule, self.char, self.level = geometry, schedule, char, level
        self.image, self.laid, sums = rooms
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
