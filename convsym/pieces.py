"""How the rules y and dx are cut by the direct sum: strips of the result, and blocks of the channels that are read.

A strip is filled into an image (padded, in residue classes), which stays in the cache while tiles sweep over it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from math import ceil, prod

from convsym import kernels
from convsym.geometry import Geometry
from convsym.kernels.tables import Driver
from convsym.strips import KEPT, Span, even
from convsym.sweeps import Piece, Sweep, apart_of, classes_of, cut_axis, image_of, sweep_of, weights_of
from convsym.taps import PATTERN, Image, has_gaps

# What makes the driver that fills images: of channels, an image, the elements of a channel, and channels among which.
Fill = Callable[[int, Image, int, int], Driver]

# Vectors of the images of a block of channels where those of all channels are too many for the second cache: weights
# are there too.
DEEP = 2**13
# Vectors of a row that strips are cut to, at least; results of a strip for each that its neighbor reads too, at least,
# where the cache alone asks for fewer strips.
VECTORS, SHARED = 4, 3
# Multiply-adds beside which filling one place of an image a second time is nothing.
FILLING = 640


@dataclass(frozen=True)
class Strip:
    """A range of the result along the axis that is cut.

    Attributes
    ----------
    fill : Driver or None
        None where the array itself is the image.
    sweeps : tuple of Sweep
    """

    fill: Driver | None
    sweeps: tuple[Sweep, ...]

    @cached_property
    def work(self) -> int:
        """Multiply-adds for each sample."""
        return sum(sweep.work for sweep in self.sweeps)


@dataclass(frozen=True)
class Cut:
    """How the rule y or dx is cut.

    Attributes
    ----------
    spans : tuple
        Results along the axis that is cut.
    image : int
        Elements of the image of one sample; 0 where the array itself is the image.
    samples : int
        How many samples a thread does at a time.
    gaps : bool
        Whether some of the result belongs to no class.
    channels, deep : int
        How many channels are read, and how many of them at a time, one block added to the other: all, where their
        images fit.
    """

    spans: tuple[Span, ...]
    image: int
    samples: int
    gaps: bool
    channels: int
    deep: int

    @property
    def blocks(self) -> Iterator[Span]:
        """Spans of the channels that are read."""
        return ((first, min(first + self.deep, self.channels)) for first in range(0, self.channels, self.deep))


@lru_cache(maxsize=1024)
def cut(geometry: Geometry, result: str, lanes: int, limit: int | None = None, least: int = 1) -> Cut:
    """How the rule y or dx is cut, for any batch.

    With a limit for the elements of an image no array serves as one. There are at least so many spans, where neighbors
    do not have to fill much of the same for that.
    """
    classes, channels = classes_of(geometry, result), geometry.channels[result == "dx"]
    height = max(one.sizes[cut_axis(geometry)] for one in classes)
    whole = image_of(geometry, result)
    gaps = result == "dx" and has_gaps(geometry)
    filled = all(one.sizes[-1] >= lanes or prod(one.sizes[-2:]) >= lanes for one in classes)
    if whole.whole and filled and limit is None:
        return Cut(((0, height),), 0, 2**62, gaps, channels, channels)  # no vector reaches beyond a channel
    spans = _spans(geometry, result, height, whole, lanes, least)
    largest = max(image_of(geometry, result, span).size for span in (spans[0], spans[-1], spans[len(spans) // 2]))
    each, deep = geometry.groups * channels * largest, channels
    rows_fit_a_pattern = max(one.sizes[-1] for one in classes) <= PATTERN * lanes
    if each > min(KEPT * lanes, limit or KEPT * lanes) and geometry.groups == 1 and rows_fit_a_pattern:
        deep = ceil(channels / min(ceil(each / min(DEEP * lanes, limit or DEEP * lanes)), channels))
        each = largest * deep
    return Cut(spans, each, max(1, KEPT * lanes // each), gaps, channels, deep)


def _spans(
    geometry: Geometry, result: str, height: int, whole: Image, lanes: int, least: int
) -> tuple[Span, ...]:
    """Spans of the result along the axis that is cut, so that what each reads fits into the second cache.

    Neighbors fill what both of them read, which is little beside what many rows of a result do with it. Where that is
    not enough and channels will be done block by block, least is moved.
    """
    axis, kept = cut_axis(geometry), KEPT * lanes
    halo = whole.axes[axis].length - height
    into, out = (geometry.groups * size for size in geometry.channels)
    read, made = (into, out) if result == "y" else (out, into)
    if axis:  # neighbors share nothing, and lie in rows of vectors
        count = max(ceil(read * whole.size / kept), least)
        size = max(ceil(height / (count * lanes)), VECTORS) * lanes
        return tuple((begin, min(begin + size, height)) for begin in range(0, height, size))
    count = min(ceil(read * whole.size / kept), height // max(4 * halo, 1))
    if read * whole.size > count * kept:
        positions = prod(geometry.outputs if result == "y" else geometry.inputs)
        shortest = min(ceil(halo * FILLING / (made // geometry.groups * prod(geometry.kernel))), 4 * halo)

        def moved(spans: int) -> int:
            """Elements of weights, once for each span, and of results, twice for each block of channels."""
            blocks = ceil(read * whole.size * (ceil(height / spans) + halo) / ((height + halo) * DEEP * lanes))
            return spans * made * read * prod(geometry.kernel) // geometry.groups + 2 * blocks * made * positions

        count = min(range(max(count, 1), max(height // max(shortest, 1), count, 1) + 1), key=moved)
    if least > count and height >= least * SHARED * max(halo, 1):
        count = least
    return even(height, max(count, 1))


@lru_cache(maxsize=4096)
def strip(geometry: Geometry, result: str, piece: Piece, fill: Fill | None, char: str, level: str) -> Strip:
    """A piece of the rule y or dx, done with the tiles of a level, for any batch."""
    shapes, image = kernels.tables.shapes(level), image_of(geometry, result, piece.span)
    channels, among = piece.deep[1] - piece.deep[0], geometry.groups * channels_of(geometry, result)[0]
    plane = prod(geometry.inputs if result == "y" else geometry.outputs)
    found = [sweep_of(geometry, result, piece, one, image, char, shapes) for one in classes_of(geometry, result)]
    filled = None if fill is None else fill(geometry.groups * channels, image, plane, among)
    return Strip(filled, tuple(sweep for sweep in found if sweep is not None))


@lru_cache(maxsize=1024)
def is_deep(geometry: Geometry, result: str, lanes: int) -> bool:
    """Whether the channels of a group are added block by block, so that groups are done one after the other."""
    made = cut(replace(geometry, groups=1), result, lanes)
    return made.deep < made.channels


def strips(
    geometry: Geometry,
    result: str,
    cut: Cut,
    fill: Fill | None,
    char: str,
    level: str,
    made: Span | None = None,
) -> list[tuple[Strip, int, int]]:
    """The strips of channels of the result, all or some, each with where what it reads and its weights begin."""
    plane = prod(geometry.inputs if result == "y" else geometry.outputs)
    made = made or (0, channels_of(geometry, result)[1])
    first = made[0] * weights_of(geometry, result)
    return [
        (
            strip(geometry, result, Piece(span, deep, made), fill, char, level),
            deep[0] * plane,
            first + deep[0] * apart_of(geometry, result),
        )
        for span, deep in product(cut.spans, cut.blocks)
    ]


def padded(geometry: Geometry, result: str) -> int:
    """Elements of what is read, with its padding, or of x with its own, whichever are more: what images may take."""
    read = geometry.batch * geometry.groups * channels_of(geometry, result)[0] * image_of(geometry, result).size
    return max(read, prod(geometry.on_padded().shapes["x"]))


def channels_of(geometry: Geometry, result: str) -> tuple[int, int]:
    """Channels of a group that are read, and that are made."""
    into, out = geometry.channels
    return (into, out) if result == "y" else (out, into)


def letter_of(result: str) -> str:
    """The operand that images are made of."""
    return "x" if result == "y" else "dy"
