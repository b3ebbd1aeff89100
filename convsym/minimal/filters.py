"""The rules y and dx by minimal filtering: dx is the y of dy and the turned kernel.

Where there are many blocks, a thread does a whole block in its own cache; where there are few, all threads do one block
together: first its points, then steps of its output channels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, prod
from typing import Any

import numpy as np

from convsym import kernels, scratch
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated.transforms import NUMBERS
from convsym.kernels.tables import Driver
from convsym.minimal.strips import CHUNK, MINIMAL, TAPS, WIDEST, Strips, minimal, reading, register_tile, strips_of

# Bytes of a block's points and sums: with the weights they stay in the second cache of one CPU. Where the weights are
# too many for it, a block has so many tiles at least that reading them again for each block costs little. Measured on
# eight layers: 64 channels 244 to 335 GFLOP/s from the worst to the best block, 512 channels 216 to 451.
CACHE, WEIGHTS, TILES = 2**19, 2**20, 48
# What a block costs beside its strips, as a share of a whole one; and how busy threads must be with their own blocks.
SHORT, BUSY = 0.1, 0.85
# Tiles that are one block in any case, and bytes of the weights of a step then.
ALONE, STEP = 64, 5 * 2**18


@dataclass(frozen=True)
class Filter:
    """The rule y or dx, ready to be done.

    Attributes
    ----------
    reads : {"x", "dy"}
    driver : Driver
        Of whole blocks; for the points and the results of a block its table serves too.
    strips : Strips
    block, steps, vectors : int
        Strips of a block, steps of output channels, vectors of input channels.
    room, points : int
        Elements of a thread's scratch, and of the points of a block that threads share; 0 where they share none.
    work : int
        Multiply-adds of the products.
    """

    reads: str
    driver: Driver
    strips: Strips
    block: int
    steps: int
    vectors: int
    room: int
    points: int
    work: int


def is_alone(geometry: Geometry, result: str, m: int) -> bool:
    """Whether all strips are one block: the weights of a step are then transformed where they are used, once."""
    strips = strips_of(geometry, result, m)
    return strips.number * strips.part <= ALONE


@lru_cache(maxsize=512)
def filter_of(
    geometry: Geometry, result: str, m: int, char: str, level: str, threads: int, alone: bool = False
) -> Filter:
    """How the rule y or dx is done with tiles of m outputs along an axis; alone with weights as they are."""
    shapes, strips = kernels.tables.shapes(level), strips_of(geometry, result, m)
    lanes = shapes.lanes[char]
    reads = "x" if result == "y" else "dy"
    numbers = {**strips.numbers(), **reading(geometry, reads, strips, lanes)}
    vectors, out = numbers["into_vectors"], geometry.channels[1 if result == "y" else 0]
    out_vectors = ceil(out / lanes)
    tile_vectors, tile_rows = register_tile(shapes.rows, out_vectors)
    step = tile_vectors
    points = strips.points
    item = np.dtype(char).itemsize
    fitting = max(1, round(CACHE / (points * strips.part * (vectors + step) * lanes * item)))
    if points * numbers["into"] * out_vectors * lanes * item > WEIGHTS:
        fitting = max(fitting, ceil(TILES / strips.part))
    if alone:
        block, shared = strips.number, True
        step = _step(out_vectors, points * numbers["into"] * lanes * item, threads)
        tile_vectors, tile_rows = register_tile(shapes.rows, step)
    else:
        block, shared = _block(strips.number, geometry.groups, fitting, threads)
    slab = (block * strips.part * vectors + 1) * lanes
    wide = (strips.part - 1) * m + strips.n
    lines = max((strips.nr + strips.mr) * strips.part * m, 2 * strips.nr * wide)
    room = lines * lanes + points * (block * strips.part * step * lanes + (0 if shared else slab))
    room += points * numbers["into"] * step * lanes if alone else 0
    room = scratch.lines(room)
    rows, columns = (1, *(geometry.outputs if result == "y" else geometry.inputs))[-2:]
    numbers |= {
        "groups": geometry.groups,
        "samples": geometry.batch,
        "block": block,
        "room": room,
        "slab": slab,
        "reach": strips.n,
        "reach_rows": strips.nr,
        "into_transform": NUMBERS["forward", m, "x"],
        "first_row": strips.first[0],
        "first_column": strips.first[1],
        "out": out,
        "out_vectors": out_vectors,
        "step": step,
        "out_transform": NUMBERS["forward", m, "y"],
        "out_image": geometry.groups * out * rows * columns,
        "out_group": out * rows * columns,
        "out_plane": rows * columns,
        "out_rows": rows,
        "out_columns": columns,
        "tile_rows": tile_rows,
        "tile_vectors": tile_vectors,
    }
    tiles = geometry.batch * strips.heights * strips.widths
    return Filter(
        reads,
        minimal("blocks", ceil(strips.number / block) * geometry.groups, numbers),
        strips,
        block,
        ceil(out_vectors / step),
        vectors,
        room,
        geometry.groups * points * slab if shared else 0,
        geometry.groups * tiles * points * numbers["into"] * out_vectors * lanes,
    )


def _step(vectors: int, each: int, threads: int) -> int:
    """Vectors of output channels in a step: one for each thread, and with weights that stay in the second cache."""
    most = min(WIDEST, max(1, STEP // each), max(1, vectors // threads))
    return ceil(vectors / ceil(vectors / most))


def _block(strips: int, groups: int, fitting: int, threads: int) -> tuple[int, bool]:
    """Strips of a block, and whether threads share blocks: where blocks of their own would leave some of them idle."""
    fitting = min(strips, fitting)
    if threads == 1:
        return fitting, False

    def busy(block: int) -> float:
        """Share of the time that threads are at work; short blocks read the weights more often."""
        jobs = ceil(strips / block) * groups
        most = min(ceil(jobs / threads) * block, strips * groups)
        return strips * groups / (threads * most) * block / (block + SHORT * fitting)

    block = max(range(1, min(strips, 2 * fitting) + 1), key=busy)
    if busy(block) * (block + SHORT * fitting) / block < BUSY:
        return min(strips, 2 * fitting), True
    return block, False


@lru_cache(maxsize=512)
def weights_of(
    geometry: Geometry, result: str, m: int, char: str, level: str, step: int = 0
) -> tuple[Driver, int]:
    """How the weights of the rule y or dx are transformed, and how many elements that makes; in steps of vectors."""
    shapes, strips = kernels.tables.shapes(level), strips_of(geometry, result, m)
    lanes, taps = shapes.lanes[char], prod(geometry.kernel)
    forward = result == "y"
    into, out = geometry.channels if forward else geometry.channels[::-1]
    out_vectors, turn = ceil(out / lanes), 1 if forward else -1
    numbers = {
        "groups": geometry.groups,
        "into": into,
        "out": out,
        "out_vectors": out_vectors,
        "step": step or register_tile(shapes.rows, out_vectors)[0],
        "chunk": CHUNK,
        "n": strips.n,
        "nr": strips.nr,
        "transform": NUMBERS["forward", m, "w"],
        "group": into * out * taps,
        "along_out": into * taps if forward else taps,
        "along_into": taps if forward else out * taps,
        "first": 0 if forward else TAPS - 1,
        "start": 0 if forward else TAPS - 1,
        "row": turn,
        "column": turn,
        "size": geometry.groups * into * out * taps,
        "taps": taps,
    }
    jobs = geometry.groups * ceil(out_vectors / numbers["step"]) * ceil(into / CHUNK)
    return minimal("weights", jobs, numbers), geometry.groups * strips.points * into * out_vectors * lanes


def prepare_weights(geometry: Geometry, result: str, weight: Array, m: int, into: Array | None = None) -> Array:
    """The transformed weights of the rule y or dx, which depend on nothing but the weights, m and the CPU level."""
    char = weight.dtype.char
    driver, size = weights_of(geometry, result, m, char, kernels.in_use())
    u = scratch.aligned((size,), weight.dtype) if into is None else into
    kernels.drive(driver, (u, weight.reshape(-1)), 1, size * 4, char)
    return u


def run(
    geometry: Geometry, result: str, operands: Mapping[str, Array], out: Array, m: int, weights: Array | None
) -> Array:
    """Write the rule y or dx into `out`; which strips of which groups came out with a number that is not finite."""
    char, level, threads = out.dtype.char, kernels.in_use(), kernels.get_num_threads()
    alone = weights is None and is_alone(geometry, result, m)
    made = filter_of(geometry, result, m, char, level, threads, alone)
    size = weights_of(geometry, result, m, char, level)[1] if weights is None and not alone else 0
    bad = np.zeros((geometry.groups, made.strips.number, made.steps), np.uint8)
    with scratch.borrowed((size, threads * made.room, made.points), out.dtype) as (u, room, v):
        flat, read = out.reshape(-1), operands[made.reads].reshape(-1)
        if alone:
            given: list[Any] = [flat, room, read, operands["w"].reshape(-1), bad.reshape(-1)]
            _alone(geometry, result, m, made, given, v, threads)
        else:
            u = prepare_weights(geometry, result, operands["w"], m, u) if weights is None else weights
            given = [flat, room, read, u, bad.reshape(-1)]
            if made.points:
                _together(geometry.groups, made, given, v, threads)
            else:
                kernels.drive(made.driver, given, 1, made.work, char, threads)
    return np.asarray(bad.any(axis=-1))


def _alone(geometry: Geometry, result: str, m: int, made: Filter, arrays: list[Any], v: Array, threads: int) -> None:
    """One block: its points, then each step of output channels from its weights."""
    out, room, read, w, bad = arrays
    char, step = out.dtype.char, int(made.driver.table[MINIMAL.index("step")])
    weights = weights_of(geometry, result, m, char, kernels.in_use(), step)[0]
    points = replace(made.driver, name="minimal_points", jobs=geometry.groups * made.strips.number * made.vectors)
    given: list[Any] = [v, room, read, 0]
    kernels.drive(points, given, 1, made.work // 8, char, threads)
    table = np.concatenate([made.driver.table, weights.table])
    results = Driver("minimal_alone", table, geometry.groups * made.steps)
    kernels.drive(results, [out, room, v, w, bad], 1, made.work, char, threads)


def workspace(geometry: Geometry, result: str, m: int, char: str, weights: bool) -> int:
    """Elements that `run` borrows, with the transformed weights where they are not given."""
    level, threads = kernels.in_use(), kernels.get_num_threads()
    alone = weights and is_alone(geometry, result, m)
    made = filter_of(geometry, result, m, char, level, threads, alone)
    weights = weights and not alone
    return threads * made.room + made.points + (weights_of(geometry, result, m, char, level)[1] if weights else 0)


def _together(groups: int, made: Filter, arrays: list[Any], v: Array, threads: int) -> None:
    """Block by block, each done by all threads: its points, then steps of its output channels."""
    out, room, read, u, bad = arrays
    for first in range(0, made.strips.number, made.block):
        count = min(made.block, made.strips.number - first)
        work = made.work * count // made.strips.number
        points = replace(made.driver, name="minimal_points", jobs=groups * count * made.vectors)
        results = replace(made.driver, name="minimal_results", jobs=groups * made.steps)
        given: list[Any] = [v, room, read, first]
        kernels.drive(points, given, 1, work // 8, out.dtype.char, threads)
        given = [out, room, v, u, bad, first]
        kernels.drive(results, given, 1, work, out.dtype.char, threads)
