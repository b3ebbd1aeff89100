"""The direct sum as products of matrices with many rows: C[m, n] = Σ A[m, r]·B[r, n] for y, dx and dw.

For y and dx rows of B are the taps of all channels, and columns are positions of all samples; the input gradient is
such a product for each residue class of its positions. For dw the sum goes over positions, and columns are the taps of
all channels. B is nowhere as a whole: a block of it is laid into a thread's room, where it lies in the first cache in
rows that follow each other while all rows of C go by.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from math import ceil, prod
from typing import Any

import numpy as np

from convsym import kernels, rooms, scratch
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels.tables import Course, Shapes, Step, driver
from convsym.pieces import channels_of, padded
from convsym.pointwise import READ, blocks_of, height
from convsym.sweeps import ResidueClass, apart_of, classes_of, weights_of
from convsym.taps import Axis, Integers, all_sums, has_gaps, pitches_of, taps_of

# Vectors of a block of B, which stays in the first cache; places of it that weight gradients add at most; elements of
# packed rows of A, which stay in the second, at most and at least.
BLOCK, DEEP, PACKED, LEAST = 2**10, 2**9, 2**16, 2**12
# Jobs that there should be where they pack nothing; columns of one, and rows, at least.
JOBS, COLUMNS, ROWS = 16, 128, 64
# Taps, lines, and pieces of lines, that the driver has places for in a block.
TAPS, LINES, PIECES = 64, 64, 1024

# What is worth laying anew, as measured at level v3. Rows for each lane, at least, and from which on weight gradients
# are faster for any image; outputs of a smaller one's, at least.
SOME, MANY, LARGE = 8, 16, 2**13
# Outputs of a row from which on y gains with few taps; from which on it does with strides too, or where weights are too
# many for the caches; taps and weights. Input gradients gain for shorter rows, if there are enough positions.
LONG, SHORT, FEW_TAPS, HEAVY = 100, 28, 9, 2**20
ROW, POSITIONS = 14, 128


@lru_cache(maxsize=1024)
def serves(geometry: Geometry, result: str, char: str, level: str) -> bool:
    """Whether a rule has so many rows that it is worth laying anew what is read."""
    lanes, taps = kernels.tables.shapes(level).lanes[char], prod(geometry.kernel)
    made = geometry.channels[1] if result == "dw" else channels_of(geometry, result)[1]
    if taps > TAPS or min(geometry.channels) < 8 or made < SOME * lanes:
        return False
    if result == "dw":
        return made >= MANY * lanes or prod(geometry.outputs) >= LARGE
    strided, heavy = any(axis.step > 1 for axis in taps_of(geometry)), prod(geometry.shapes["w"][1:]) >= HEAVY
    line = min(one.sizes[-1] for one in classes_of(geometry, result))
    if result == "y":
        return line >= SHORT and (heavy or (taps <= FEW_TAPS and (strided or line >= LONG)))
    positions = min(prod(one.sizes) for one in classes_of(geometry, result))
    return (strided or heavy) and line >= ROW and positions >= POSITIONS


def room(geometry: Geometry, result: str, char: str, level: str) -> int:
    """Elements of the rooms of all threads."""
    return course(geometry, result, char, level).each * kernels.get_num_threads()


def bound(geometry: Geometry, result: str, char: str, level: str) -> Callable[[Mapping[str, Array], Array], None]:
    """What writes a rule into an array."""
    return rooms.following(partial(course, geometry, result, char, level))


def course(geometry: Geometry, result: str, char: str, level: str) -> Course:
    """A rule as steps of a call, for the threads that there are now."""
    return _course(geometry, result, char, level, kernels.get_num_threads())


@lru_cache(maxsize=1024)
def _course(geometry: Geometry, result: str, char: str, level: str, threads: int) -> Course:
    lanes, shapes = kernels.tables.shapes(level).lanes[char], kernels.tables.shapes(level)
    if result == "dw":
        steps = [_pairs(geometry, lanes, shapes, threads)]
    else:
        steps = [_class(geometry, result, one, lanes, shapes, threads) for one in classes_of(geometry, result)]
    each = max(room for _, room in steps)
    return Course(tuple(step for step, _ in steps), each=each, cleared=result == "dx" and has_gaps(geometry))


def _class(
    geometry: Geometry, result: str, one: ResidueClass, lanes: int, shapes: Shapes, threads: int
) -> tuple[Step, int]:
    """A residue class of y or dx, and the elements of the room of a thread."""
    forward, groups, (read, rows) = result == "y", geometry.groups, channels_of(geometry, result)
    taps, columns = prod(map(len, one.taps)), geometry.batch * prod(one.sizes)
    vectors = ceil(columns / lanes)
    blocks = blocks_of(rows, vectors, shapes)
    wide = ceil(vectors / blocks)
    depth = ceil(read / ceil(read / max(1, BLOCK // (taps * _best(rows, shapes)))))  # the same for any batch
    laid = scratch.lines(depth * taps * wide * lanes)
    if forward:  # weights are read where they lie
        spans = max(1, min(blocks, columns // COLUMNS, JOBS))
        parts = max(1, min(ceil(JOBS / (groups * spans)), rows // ROWS))
        panel = 0
    else:
        most = min(PACKED, max(padded(geometry, result) // threads - laid, LEAST))
        parts = min(ceil(rows * depth * taps / most), rows)
        spans = _shares(groups * parts, blocks, threads)
        panel = scratch.lines(ceil(rows / parts) * depth * taps)
    sizes = {"rows": rows, "parts": parts, "spans": spans, "depth": depth, "columns": columns, "blocks": blocks}
    return _step(geometry, result, one, shapes, read * taps, laid, panel, sizes | {"vectors": vectors})


def _pairs(geometry: Geometry, lanes: int, shapes: Shapes, threads: int) -> tuple[Step, int]:
    """The weight gradient, and the elements of the room of a thread."""
    groups, (read, rows), taps = geometry.groups, geometry.channels, prod(geometry.kernel)
    columns, summed = read * taps, geometry.batch * prod(geometry.outputs)
    vectors = ceil(columns / lanes)
    blocks = blocks_of(rows, vectors, shapes)
    wide = ceil(vectors / blocks)
    # Pieces of lines have places; the first and the last line may be short.
    most = min(BLOCK // wide, DEEP, geometry.outputs[-1] * (min(PIECES // taps, LINES) - 2) + 2)
    depth = ceil(summed / ceil(summed / most))
    around = ceil(depth / lanes) * lanes
    laid = scratch.lines(around * (wide + 1) * lanes)
    if geometry.batch == 1:  # dy is read where it lies
        parts, spans, panel = 1, min(blocks, JOBS), 0
    else:
        parts = min(ceil(rows * around / PACKED), rows)
        spans = _shares(groups * parts, blocks, threads)
        panel = scratch.lines(ceil(rows / parts) * around)
    (one,) = classes_of(geometry, "y")
    sizes = {"rows": rows, "parts": parts, "spans": spans, "depth": depth, "columns": columns, "blocks": blocks}
    return _step(geometry, "dw", one, shapes, summed, laid, panel, sizes | {"vectors": vectors})


def _step(
    geometry: Geometry,
    result: str,
    one: ResidueClass,
    shapes: Shapes,
    summed: int,
    laid: int,
    panel: int,
    sizes: Mapping[str, int],
) -> tuple[Step, int]:
    """A step of a call, which lays B and packs A into so many elements of a room; and the elements of that room."""
    wide, jobs = ceil(sizes["vectors"] / sizes["blocks"]), geometry.groups * sizes["parts"] * sizes["spans"]
    made = driver(
        "panels_dw" if result == "dw" else "panels",
        jobs,
        **_numbers(geometry, result, one),
        **sizes,
        packed=int(panel > 0),
        panel=panel,
        room=laid + panel,
        tile_rows=[height(sizes["rows"], wide, shapes)],
    )
    arrays = (("out", 0), ("room", 0), *((name, 0) for name in READ[result]))
    return Step(made, 1, geometry.groups * sizes["rows"] * sizes["columns"] * summed, arrays), laid + panel


def _shares(jobs: int, blocks: int, threads: int) -> int:
    """Spans of columns, so few that little is packed twice, but as many that threads have the same to do."""
    return min(blocks, threads) if jobs % threads else 1


def _best(rows: int, shapes: Shapes) -> int:
    """Vectors of a block of columns where there are many."""
    many = 2**8
    return ceil(many / blocks_of(rows, many, shapes))


def _numbers(geometry: Geometry, result: str, one: ResidueClass) -> dict[str, Any]:
    """Where a rule's operands and its result lie, and what each tap reads."""
    backward, taps = result == "dx", taps_of(geometry)
    into, out = geometry.channels
    inputs, outputs = prod(geometry.inputs), prod(geometry.outputs)
    weights = prod(geometry.shapes["w"][1:])
    aoff, source, last = _tables(geometry, not backward, one)
    shape = geometry.inputs if backward else geometry.outputs
    steps = [axis.step if backward else 1 for axis in taps]
    lines = [
        (np.arange(size) * step + residue) * pitch
        for size, step, residue, pitch in zip(one.sizes, steps, one.residues, pitches_of(shape), strict=True)
    ]
    read, made = (out * outputs, into * inputs) if backward else (into * inputs, out * outputs)
    return {
        "groups": geometry.groups,
        "channels": out if backward else into,
        "taps": len(aoff),
        "inner": len(one.taps[-1]),
        "positions": prod(one.sizes),
        "lines": prod(one.sizes[:-1]),
        "line": one.sizes[-1],
        "step": 1 if backward else taps[-1].step,
        "am": outputs if result == "dw" else weights_of(geometry, result),
        "ac": 1 if result == "dw" else apart_of(geometry, result),
        "group_a": made if result == "dw" else weights,
        "group_b": read,
        "image_b": geometry.groups * read,
        "channel_b": outputs if backward else inputs,
        "group_y": weights if result == "dw" else made,
        "image_y": geometry.groups * made,
        "ym": prod(shape),
        "made_step": steps[-1],
        "samples": geometry.batch,
        "aoff": aoff,
        "source": source,
        "lead": last[0],
        "count": last[1],
        "element": last[2],
        "place": all_sums(lines[:-1]) + lines[-1][0],
    }


def _tables(geometry: Geometry, forward: bool, one: ResidueClass) -> tuple[Integers, Integers, Integers]:
    """Where taps lie in the weights, and where they read.

    Returns
    -------
    aoff : ndarray
        Where each tap lies.
    source : ndarray
        For each tap of all axes but the last, where each line reads; -1 where it does not.
    last : ndarray, (3, taps)
        For each tap of the last axis the places before those that read, their number, and what the first reads.
    """
    arrays, inside = geometry.inputs if forward else geometry.outputs, []
    for axis, size, chosen, read in zip(taps_of(geometry), one.sizes, one.taps, arrays, strict=True):
        met = [
            Axis(read, axis.shift[tap], size, axis.step, (axis.residue[tap],)).inside(axis.residue[tap])
            if forward
            else Axis(read, -axis.shift[tap], size).inside(0)
            for tap in chosen
        ]
        inside.append(np.array(met, np.intp))
    aoff = all_sums([np.array(taps) * pitch for taps, pitch in zip(one.taps, pitches_of(geometry.kernel), strict=True)])
    source = np.zeros((1, 1), np.intp)
    steps = [axis.step if forward else 1 for axis in taps_of(geometry)]
    outer = zip(inside[:-1], one.sizes[:-1], steps, pitches_of(arrays), strict=False)
    for own, size, step, pitch in outer:
        lead, count, element = own.T[:, :, None]
        place = np.arange(size) - lead
        there = (place >= 0) & (place < count)
        reads = np.where(there, (element + step * place) * pitch, -1)[None, :, None, :]
        before = source[:, None, :, None]
        source = np.where((before >= 0) & (reads >= 0), before + reads, -1).reshape(len(source) * len(own), -1)
    return aoff, source.ravel(), inside[-1].T
