"""The direct sum by register tiles: forward and input gradient as one gather, over strips of the result.

A thread does a strip alone, from filling its image to the last sweep, where there are enough of them; where there are
not, threads do every step together.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from itertools import product
from math import ceil, prod

import numpy as np

from convsym import kernels, rooms, scratch
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels.tables import Course, Driver, Step, driver
from convsym.pieces import Cut, cut, is_deep, letter_of, padded, strips
from convsym.strips import STRIP
from convsym.sweeps import fill_of
from convsym.taps import Integers

# How much longer than on average the busiest thread may take where each does strips alone; how many strips are cut for
# each, at least; results for each element of an image from which on one image is enough for all.
UNEVEN, PARTS, FEW = 1.08, 2, 32


def room(geometry: Geometry, result: str, char: str, level: str) -> int:
    """Elements of the images of the rule y or dx."""
    lanes, threads = kernels.tables.shapes(level).lanes[char], kernels.get_num_threads()
    if geometry.groups > 1 and is_deep(geometry, result, lanes):
        geometry = replace(geometry, batch=1, groups=1)
    made, alone = _cut(geometry, result, lanes, threads)
    return threads * _room(made, lanes) if alone else _shared_room(geometry, made, lanes, threads)[1]


def bound(geometry: Geometry, result: str, char: str, level: str) -> Callable[[Mapping[str, Array], Array], None]:
    """What writes the rule y or dx into an array."""
    return rooms.following(partial(course, geometry, result, char, level))


def course(geometry: Geometry, result: str, char: str, level: str) -> Course:
    """The rule y or dx as steps of a call, for the threads that there are now."""
    return _course(geometry, result, char, level, kernels.get_num_threads())


@lru_cache(maxsize=1024)
def _course(geometry: Geometry, result: str, char: str, level: str, threads: int) -> Course:
    lanes = kernels.tables.shapes(level).lanes[char]
    if geometry.groups > 1 and is_deep(geometry, result, lanes):
        one = _course(replace(geometry, batch=1, groups=1), result, char, level, threads)
        return _group_by_group(geometry, result, one)
    made, alone = _cut(geometry, result, lanes, threads)
    if alone:
        return _alone(geometry, result, made, char, level)
    return _together(geometry, result, made, char, level, threads)


def _cut(geometry: Geometry, result: str, lanes: int, threads: int) -> tuple[Cut, bool]:
    """How a rule is cut for so many threads, and whether each of them does strips alone."""
    whole = cut(geometry, result, lanes)
    for made in (whole, cut(geometry, result, lanes, least=_least(geometry, whole, result, threads))):
        jobs = geometry.batch * len(made.spans)
        even = ceil(jobs / threads) * threads <= UNEVEN * jobs
        if made.image and even and threads * made.image <= padded(geometry, result):
            return made, True
    return whole, False


def _least(geometry: Geometry, made: Cut, result: str, threads: int) -> int:
    """How many strips there must be so that every thread has as many as the others.

    As many as there are, where one thread does all, where images are so small that reading each other's is nothing, or
    where weights, which every strip reads, do not stay in the cache.
    """
    work = geometry.batch * geometry.groups * prod((*geometry.channels, *geometry.kernel, *geometry.outputs))
    few = work < kernels.THREADED_WORK * kernels.TILED or prod(geometry.shapes["w"]) > STRIP
    if few or (len(made.spans) == 1 and made.image * FEW < prod(geometry.shapes[result][1:])):
        return len(made.spans)
    return threads * max(PARTS, ceil(len(made.spans) / threads))


def _alone(geometry: Geometry, result: str, made: Cut, char: str, level: str) -> Course:
    """A thread does a strip alone."""
    parts = strips(geometry, result, made, fill_of, char, level)
    letter, blocks = letter_of(result), len(parts) // len(made.spans)
    tables: dict[bytes, tuple[int, Integers]] = {}
    steps: list[tuple[int, ...]] = []
    first = [0]

    def add(kind: int, own: Driver, read: int, start: int) -> None:
        """A step, whose table is there once for all strips that it is the same for."""
        place = sum(table.size for _, table in tables.values())
        found, _ = tables.setdefault(own.table.tobytes(), (place, own.table))
        steps.append((kind, found, own.jobs, read, start))

    for number, (todo, channel, weight) in enumerate(parts):
        if todo.fill is not None:
            add(1, todo.fill, channel, 0)
        for sweep in todo.sweeps:
            add(0, sweep.driver, weight, sweep.start)
        if (number + 1) % blocks == 0:
            first.append(len(steps))
    room = _room(made, kernels.tables.shapes(level).lanes[char])
    whole = driver(
        "strips",
        len(made.spans),
        count=len(made.spans),
        operand=prod(geometry.shapes[letter][1:]),
        result=prod(geometry.shapes[result][1:]),
        room=room,
        image=made.image,
        first=first,
        steps=np.array(steps).ravel(),
        tables=np.concatenate([table for _, table in tables.values()]),
    )
    filled = kernels.MOVED * made.image * len(parts)
    work = geometry.batch * (sum(todo.work for todo, _, _ in parts) + filled)
    step = Step(whole, geometry.batch, work, (("out", 0), ("room", 0), ("w", 0), (letter, 0)))
    return Course((step,), each=room, cleared=made.gaps)


def _room(made: Cut, lanes: int) -> int:
    """Elements of an image, and of the vector that may be read beyond it."""
    return scratch.lines(made.image + lanes)


def _shared_room(geometry: Geometry, made: Cut, lanes: int, threads: int) -> tuple[int, int]:
    """Samples that threads do together, for each as many as fit into its second cache; elements of their images."""
    samples = min(geometry.batch, made.samples * threads)
    return samples, samples * made.image + lanes if made.image else 0


def _together(geometry: Geometry, result: str, made: Cut, char: str, level: str, threads: int) -> Course:
    """Threads do the steps of some samples together."""
    lanes = kernels.tables.shapes(level).lanes[char]
    parts = strips(geometry, result, made, fill_of if made.image else None, char, level)
    letter, batch, steps = letter_of(result), geometry.batch, []
    each = {name: prod(geometry.shapes[name][1:]) for name in (letter, result)}
    samples, room = _shared_room(geometry, made, lanes, threads)
    for begin in range(0, batch, samples):
        count, source, place = min(samples, batch - begin), begin * each[letter], begin * each[result]
        for todo, channel, weight in parts:
            image = letter, source
            if todo.fill is not None:
                image = "room", 0
                steps.append(Step(todo.fill, count, kernels.MOVED * room, (image, (letter, source + channel))))
            for sweep in todo.sweeps:
                arrays = ("out", place + sweep.start), ("w", weight), image
                steps.append(Step(sweep.driver, count, count * todo.work, arrays))
    return Course(tuple(steps), room, zeros=lanes if room else 0, cleared=made.gaps)


def _group_by_group(geometry: Geometry, result: str, one: Course) -> Course:
    """The steps of one group of a sample for each of them."""
    each = {name: prod(geometry.shapes[name][2:]) for name in (letter_of(result), result)}
    each["out"], weights, steps = each.pop(result), prod(geometry.shapes["w"][1:]), []
    for n, g in product(range(geometry.batch), range(geometry.groups)):
        first = {name: (n * geometry.groups + g) * size for name, size in each.items()} | {"w": g * weights}
        for step in one.steps:
            arrays = tuple((name, start + first.get(name, 0)) for name, start in step.arrays)
            steps.append(replace(step, arrays=arrays))
    return replace(one, steps=tuple(steps))
