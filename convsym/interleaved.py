"""The direct sum with samples side by side: lanes are samples, so neither small images nor strides leave them empty.

Samples become the last axis of one image, along which no tap moves. They are laid so on the way to their padded places,
some at a time, and results are turned back; what lies between is the direct sum, with the same bits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import product
from math import ceil, prod

import numpy as np

from convsym import kernels, pieces, rooms
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels.tables import Course, Driver, Step, driver
from convsym.strips import Span, even
from convsym.sweeps import FILLED, fill_of
from convsym.taps import Image, Integers, has_gaps, lengths, taps_of

# Samples that are side by side, about; how much faster they must be; channels that are made at a time, at least.
TOGETHER, WORTH, ROWS = 16, 1.08, 16
# Cycles for an element that is copied to its image, or picked with a stride; for a result that is stored with
# one; for an element of x or y that is turned, by vectors of samples or one by one. From 18 layers (v4, 1 CPU).
COPIED, PICKED, SCATTERED, TURNED, LOOSE = 0.4, 3.5, 3.0, 1.4, 2.5


@dataclass(frozen=True)
class Cutting:
    """How a rule is cut, with samples side by side.

    Attributes
    ----------
    sizes : tuple of (int, int)
        How many samples are side by side, and how often so many are, one after the other.
    made : tuple
        Spans of the channels of the result, done one after the other.
    image : int
        Elements of the largest image.
    results : int
        Elements of the most results of a span.
    most : int
        How many images memory has room for.
    """

    sizes: tuple[tuple[int, int], ...]
    made: tuple[Span, ...]
    image: int
    results: int
    most: int


@lru_cache(maxsize=1024)
def cutting(geometry: Geometry, result: str, lanes: int) -> Cutting:
    """How the rule y or dx is cut, so that it takes no more memory than a padded operand, if it can."""
    count, channels = max(1, geometry.batch // TOGETHER), pieces.channels_of(geometry, result)[1]
    size, more = divmod(geometry.batch, count)
    sizes = tuple((samples, often) for samples, often in ((size + 1, more), (size, count - more)) if often)
    image = max(_cut(geometry, result, size, lanes).image for size, _ in sizes)
    each = sizes[0][0] * geometry.groups * prod(geometry.shapes[result][3:])
    limit = pieces.padded(geometry, result) - lanes
    blocks = 1 if geometry.groups > 1 else max(1, min(ceil(each * channels / max(limit - image, 1)), channels // ROWS))
    made = even(channels, blocks)
    results = each * max(end - begin for begin, end in made)
    return Cutting(sizes, made, image, results, limit // (image + results))


def serves(geometry: Geometry, result: str, char: str, level: str) -> bool:
    """Whether samples side by side are estimated to be faster, in no more memory than a padded operand takes."""
    lanes = kernels.tables.shapes(level).lanes[char]
    if geometry.batch < 2 or (result == "dx" and has_gaps(geometry)):
        return False
    cut = cutting(geometry, result, lanes)
    kinds = geometry, _beside(geometry, cut.sizes[0][0])
    if not cut.most or (geometry.groups > 1 and any(pieces.is_deep(kind, result, lanes) for kind in kinds)):
        return False
    return _gain(geometry, result, char, level) >= WORTH


def _beside(geometry: Geometry, samples: int) -> Geometry:
    """The same of so many samples along a last axis."""
    return replace(
        geometry,
        batch=1,
        inputs=(*geometry.inputs, samples),
        outputs=(*geometry.outputs, samples),
        kernel=(*geometry.kernel, 1),
        stride=(*geometry.stride, 1),
        dilation=(*geometry.dilation, 1),
        padding=(*geometry.padding, (0, 0)),
        input_dilation=(*geometry.input_dilation, 1),
    )


@lru_cache(maxsize=1024)
def _gain(geometry: Geometry, result: str, char: str, level: str) -> float:
    """Estimated time of samples one by one over that of samples side by side."""
    lanes, letter = kernels.tables.shapes(level).lanes[char], pieces.letter_of(result)
    each = {name: prod(geometry.shapes[name][1:]) for name in (letter, result)}
    whole, strided = pieces.cut(geometry, result, lanes), taps_of(geometry)[-1].step > 1
    filled = whole.image * len(whole.spans) * ceil(whole.channels / whole.deep)
    copied, stored = (PICKED if strided and result == "y" else COPIED), SCATTERED * (strided and result == "dx")
    alone = pieces.strips(geometry, result, whole, fill_of if whole.image else None, char, level)
    cut = cutting(geometry, result, lanes)
    turned = TURNED if cut.sizes[-1][0] >= lanes else LOOSE
    beside = turned * geometry.batch * (len(cut.made) * each[letter] + each[result])
    for (size, often), made in product(cut.sizes, cut.made):
        beside += often * _time(_strips(geometry, result, size, made, char, level))
    return geometry.batch * (_time(alone) + filled * copied + each[result] * stored) / beside


def _time(strips: list[tuple[pieces.Strip, int, int]]) -> float:
    return sum(sweep.time for todo, _, _ in strips for sweep in todo.sweeps)


def bound(geometry: Geometry, result: str, char: str, level: str) -> Callable[[Mapping[str, Array], Array], None]:
    """What writes the rule y or dx into an array."""
    return rooms.following(partial(course, geometry, result, char, level))


def room(geometry: Geometry, result: str, char: str, level: str) -> int:
    """Elements of memory that the rule y or dx takes."""
    lanes = kernels.tables.shapes(level).lanes[char]
    cut = cutting(geometry, result, lanes)
    return _most(cut, kernels.get_num_threads()) * (cut.results + cut.image) + lanes


def course(geometry: Geometry, result: str, char: str, level: str) -> Course:
    """The rule y or dx as steps of a call."""
    return _course(geometry, result, char, level, kernels.get_num_threads())


@lru_cache(maxsize=1024)
def _course(geometry: Geometry, result: str, char: str, level: str, threads: int) -> Course:
    """The steps; each thread has samples of its own, where there are enough of them, and memory."""
    lanes, letter = kernels.tables.shapes(level).lanes[char], pieces.letter_of(result)
    each = {name: prod(geometry.shapes[name][1:]) for name in (letter, result)}
    positions, cut = prod(geometry.shapes[result][3:]), cutting(geometry, result, lanes)
    most = _most(cut, threads)
    steps, first, image = [], 0, ("room", most * cut.results)
    for size, count in _runs(cut, most):
        for made in cut.made:
            for todo, channel, weight in _strips(geometry, result, size, made, char, level):
                assert todo.fill is not None
                source = letter, first * each[letter] + channel // size
                steps.append(Step(todo.fill, count, kernels.MOVED * cut.image * count, (image, source)))
                for sweep in todo.sweeps:
                    arrays = ("room", sweep.start), ("w", weight), image
                    steps.append(Step(sweep.driver, count, todo.work * count, arrays))
            turned = _turned_back(geometry, result, size, made, lanes)
            place = first * each[result] + made[0] * positions
            steps.append(Step(turned, count, kernels.MOVED * cut.results * count, (("out", place), ("room", 0))))
        first += size * count
    return Course(tuple(steps), most * (cut.results + cut.image) + lanes, zeros=lanes)


def _most(cut: Cutting, threads: int) -> int:
    """How many images there are at a time."""
    return max(1, min(threads, sum(often for _, often in cut.sizes), cut.most))


def _runs(cut: Cutting, most: int) -> Iterator[tuple[int, int]]:
    """How many samples are side by side, and how many such images there are at a time."""
    for size, often in cut.sizes:
        yield from ((size, min(most, often - done)) for done in range(0, often, most))


def _strips(
    geometry: Geometry, result: str, samples: int, made: Span, char: str, level: str
) -> list[tuple[pieces.Strip, int, int]]:
    """The strips of so many samples side by side."""
    cut = _cut(geometry, result, samples, kernels.tables.shapes(level).lanes[char])
    return pieces.strips(_beside(geometry, samples), result, cut, interleave_of, char, level, made)


def _cut(geometry: Geometry, result: str, samples: int, lanes: int) -> pieces.Cut:
    """The strips of so many samples side by side, half of the memory for images and half for results."""
    return pieces.cut(_beside(geometry, samples), result, lanes, pieces.padded(geometry, result) // 2)


def _turned_back(geometry: Geometry, result: str, samples: int, made: Span, lanes: int) -> Driver:
    """The driver that lays some channels of results of samples side by side as samples are."""
    positions, each = prod(geometry.shapes[result][3:]), prod(geometry.shapes[result][1:])
    channels = geometry.groups * (made[1] - made[0])
    return driver(
        "settle",
        channels * ceil(samples / lanes),
        channels=samples,
        width=samples,
        elements=positions,
        block=lanes,
        group=positions,
        channel=each,
        groups=channels,
        image=samples * each,
    )


def interleave_of(channels: int, image: Image, plane: int, among: int) -> Driver:
    """The driver that makes an image of channels of samples side by side, which lie among so many of theirs."""
    samples = image.axes[-1].size
    source, _, count = image.rows()
    rows, zero = np.flatnonzero(count), np.flatnonzero(count == 0)
    positions = source[rows] // samples
    first, end = (int(positions.min()), int(positions.max()) + 1) if len(rows) else (0, 1)
    place: Integers = np.full(end - first, -1)
    place[positions - first] = rows * samples
    clear = [run for run in np.split(zero, np.flatnonzero(np.diff(zero) > 1) + 1) if len(run)]
    block = max(1, FILLED // samples)
    return driver(
        "interleave",
        channels * ceil(len(place) / block),
        samples=samples,
        channels=channels,
        positions=len(place),
        block=block,
        sample=among * plane // samples,
        image=image.size,
        source_image=among * plane,
        source_channel=plane // samples,
        first=first,
        clears=len(clear),
        place=place,
        run=lengths(np.diff(place) == samples) * (place >= 0),
        clear_start=[run[0] * samples for run in clear],
        clear_count=[len(run) * samples for run in clear],
    )
