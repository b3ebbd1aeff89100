"""The weight gradient by register tiles: a sum over positions, which no tap table can move out of the way.

With many channels it is made of outer products, with few of dot products, whichever is estimated to take less time.
Either goes over strips of positions, whose sums are added in one fixed order.
"""

from collections.abc import Mapping
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


def is_laid(geometry: Geometry, char: str, level: str) -> bool:
    """Whether dy is laid anew."""
    return is_outer(geometry, char, level) or dots.is_laid(geometry, char, level)


@lru_cache(maxsize=1024)
def rooms(geometry: Geometry, char: str, level: str) -> tuple[int, ...]:
    """Elements of the images of x and dy, and of the sums before they are the result."""
    laid, schedule = is_laid(geometry, char, level), outer if is_outer(geometry, char, level) else dots
    cut = spans(geometry, laid)
    longest = max(cut, key=lambda span: span[1] - span[0])
    found = {schedule.room(geometry, span, at_once(geometry, laid), char, level) for span in (cut[0], longest)}
    return tuple(map(max, zip(*found, strict=True)))


def run(geometry: Geometry, operands: Mapping[str, Array], out: Array) -> None:
    """Write the rule dw into `out`."""
    char, level = out.dtype.char, kernels.in_use()
    laid = is_laid(geometry, char, level)
    samples, groups = at_once(geometry, laid)
    made = _Rooms(geometry, char, level)
    for group in range(0, geometry.groups, groups):
        end = min(group + groups, geometry.groups)
        made.total[...] = 0
        for begin in range(0, geometry.batch, samples):
            size = min(samples, geometry.batch - begin), end - group
            x, dy = (_from(operands[name], begin, group) for name in ("x", "dy"))
            for span in spans(geometry, laid):
                made.add(span, size, x, dy)
        made.finish(out[group:end])


def _from(array: Array, sample: int, group: int) -> Array:
    """A flat view that begins at a group of a sample."""
    start = (sample * array.shape[1] + group) * prod(array.shape[2:])
    return array.reshape(-1)[start:]


class _Rooms:
    """The memory of a call: images, and sums."""

    def __init__(self, geometry: Geometry, char: str, level: str) -> None:
        self.geometry, self.char, self.level = geometry, char, level
        self.outer = is_outer(geometry, char, level)
        self.image, self.laid, sums = (np.empty(size, char) for size in rooms(geometry, char, level))
        weights = at_once(geometry, is_laid(geometry, char, level))[1] * prod(geometry.shapes["w"][1:])
        self.total = sums if self.outer else sums[:weights]
        self.partial = sums[weights:]

    def add(self, span: Span, size: Size, x: Array, dy: Array) -> None:
        """Add the sums over a span of outputs."""
        schedule = outer if self.outer else dots
        part = schedule.part(self.geometry, span, size, self.char, self.level)
        dy = dy[part.start :]
        if part.fill is not None:
            kernels.drive(part.fill, (self.image, x), size[0], kernels.MOVED * self.image.size, self.char)
            x = self.image
        if part.lay is not None:
            work, count = kernels.MOVED * self.laid.size, 1 if self.outer else size[0]
            kernels.drive(part.lay, (self.laid, dy), count, work, self.char)
            dy = self.laid
        if self.outer:
            kernels.drive(part.sum, (self.total, x, dy), 1, part.work, self.char)
            return
        weights = size[1] * prod(self.geometry.shapes["w"][1:])
        kernels.drive(part.sum, (self.partial, dy, x), 1, part.work, self.char)
        sums, left = self.partial[: part.sums * weights].reshape(part.sums, weights), part.sums
        while left > 1:  # pairs, in an order that is the same for any number of weights
            half = left // 2
            sums[:half] += sums[left - half : left]
            left -= half
        self.total[:weights] += sums[0]

    def finish(self, out: Array) -> None:
        """Lay the sums as the weights are."""
        if self.outer:
            settle = outer.settle(self.geometry, len(out), self.char, self.level)
            kernels.drive(settle, (out.reshape(-1), self.total), 1, out.size * 8, self.char)
        else:
            out[...] = self.total[: out.size].reshape(out.shape)
