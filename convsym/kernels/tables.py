"""The tables that the tile drivers take: numbers first, then where each table starts, then the tables.

The drivers are in `_sweeps.pxi`, `_strips.pxi`, `_depthwise.pxi`, `_pointwise.pxi`, `_panels.pxi` and `_windows.pxi`;
they read numbers and tables by their places in `FILL`, `TURN`, `SETTLE`, `INTERLEAVE`, `SWEEP`, `STRIPS`, `DOT`,
`DEPTHWISE`, `POINTWISE`, `PANELS` and `WINDOWS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convsym.kernels.levels import load

# Names of the numbers and of the tables, in the order in which the drivers count them.
FILL = (
    ("rows", "length", "step", "channels", "image", "channel", "source_image", "source_channel", "block"),
    ("source", "lead", "count"),
)
TURN = (
    (
        *("channels", "width", "positions", "block", "blocks", "source_group", "source_channel"),
        *("groups", "source_image"),
    ),
    (),
)
SETTLE = (("channels", "width", "elements", "block", "group", "channel", "groups", "image"), ())
INTERLEAVE = (
    (
        *("samples", "channels", "positions", "block", "sample", "image", "source_image", "source_channel"),
        *("first", "clears"),
    ),
    ("place", "run", "clear_start", "clear_count"),
)
SWEEP = (
    (
        *("groups", "rows", "vectors", "pattern", "channels", "taps", "am", "ac", "bc", "bn", "yn", "ym"),
        *("row_blocks", "vector_blocks", "vectors_first", "step", "repeats", "add", "widest", "block"),
    ),
    (
        *("aoff", "boff", "outer_pos", "outer_place", "pos", "start", "lane", "count", "place", "full"),
        *("group_a", "group_b", "group_y", "repeat_a", "repeat_b", "run"),
    ),
)
STRIPS = (("count", "operand", "result", "room", "image"), ("first", "steps", "tables"))
DOT = (
    (
        *("rows", "columns", "groups", "row_blocks", "column_blocks", "vectors"),
        *("group_a", "am", "al", "group_b", "bl", "block", "panel"),
    ),
    ("repeat_a", "repeat_b", "repeat_lines", "boff"),
)
POINTWISE = (
    (
        *("groups", "rows", "parts", "parts_first", "summed", "depth", "vectors", "blocks", "columns", "samples"),
        *("positions", "am", "ac", "group_a", "group_b", "image_b", "channel_b", "group_y", "image_y", "room"),
        *("gathered", "scattered", "early"),
    ),
    ("tile_rows", "where", "row_place"),
)
PANELS = (
    (
        *("groups", "rows", "parts", "spans", "channels", "taps", "inner", "depth"),
        *("vectors", "blocks", "columns", "positions", "lines", "line", "step"),
        *("am", "ac", "group_a", "group_b", "image_b", "channel_b", "group_y", "image_y", "ym", "made_step"),
        *("samples", "packed", "panel", "room"),
    ),
    ("tile_rows", "aoff", "source", "lead", "count", "element", "place"),
)
DEPTHWISE = (
    (
        *("groups", "blocks", "strips", "read", "made", "source_image", "source_group", "source_channel"),
        *("result_image", "result_group", "result_channel", "weights", "weight_made"),
        *("width", "image", "sums", "room", "classes", "gaps", "samples"),
    ),
    (
        *("first", "rows", "made_first", "made_count", "row_start", "row_place"),
        *("clear_start", "clear_place", "clear_count", "term_start", "vectors", "step", "along"),
        *("box_start", "box_read", "box_made", "aoff", "boff"),
    ),
)
WINDOWS = (
    (
        *("channels", "source", "rows", "block", "lead", "count", "element", "divisor"),
        *("step", "pitch", "made", "apart", "room"),
    ),
    ("row_start", "row_source", "row_made", "tap_start", "tap"),
)


@dataclass(frozen=True)
class Driver:
    """A driver with its table.

    Attributes
    ----------
    name : str
        One of ``"fill"``, ``"turn"``, ``"settle"``, ``"interleave"``, ``"sweep"``, ``"dot"``, ``"depthwise"``,
        ``"pointwise"``, ``"windows"``, ``"select"`` and others like these.
    table : ndarray
    jobs : int
        Jobs for each sample, or in all.
    """

    name: str
    table: NDArray[np.intp]
    jobs: int


_LAYOUTS = {
    **{"fill": FILL, "turn": TURN, "settle": SETTLE, "interleave": INTERLEAVE, "sweep": SWEEP},
    **{"strips": STRIPS, "dot": DOT},
    **{"depthwise": DEPTHWISE, "depthwise_dw": DEPTHWISE, "pointwise": POINTWISE, "pointwise_dw": POINTWISE},
    **{"panels": PANELS, "panels_dw": PANELS},
    **{"windows": WINDOWS, "windows_back": WINDOWS},
}


def driver(name: str, jobs: int, **entries: Any) -> Driver:
    """A driver with its numbers and tables, each given by name.

    Raises
    ------
    KeyError
        One is missing.
    """
    numbers, tables = _LAYOUTS[name]
    arrays = [np.asarray(entries[key], np.intp) for key in tables]
    offset = len(numbers) + len(tables)
    starts = offset + np.cumsum([0, *(array.size for array in arrays)])[:-1]
    head = [*(entries[key] for key in numbers), *starts[: len(tables)]]
    return Driver(name, np.concatenate([np.array(head, np.intp), *arrays]), jobs)


@dataclass(frozen=True)
class Step:
    """One run of a driver.

    Attributes
    ----------
    driver : Driver
    samples : int
        How often its jobs are there.
    work : int
        Multiply-adds of all jobs.
    arrays : tuple of (str, int)
        What each array is part of, "out", "room" or an operand by its name, and the element it starts with.
    """

    driver: Driver
    samples: int
    work: int
    arrays: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Course:
    """A call that is some runs of drivers, one after the other.

    Attributes
    ----------
    steps : tuple of Step
    room, each : int
        Elements of memory that it takes, and for each thread.
    zeros : int
        How many elements at the end of the room are zero.
    cleared : bool
        Whether the steps leave out some of the result, which is zero.
    watched : str or None
        What must be finite afterwards, "out" or an operand.
    """

    steps: tuple[Step, ...]
    room: int = 0
    each: int = 0
    zeros: int = 0
    cleared: bool = False
    watched: str | None = None


@dataclass(frozen=True)
class Shapes:
    """The tiles of a level.

    Attributes
    ----------
    rows : mapping
        For each number of vectors, the most rows.
    dots : mapping
        For each number of rows, the most columns of a dot product.
    lanes : mapping
        Lanes of a vector by the character of the dtype.
    """

    rows: Mapping[int, int]
    dots: Mapping[int, int]
    lanes: Mapping[str, int]


def cycles(rows: float, vectors: float) -> float:
    """Cycles of a step of a tile: two multiply-adds or two reads are done at a time, and an addition takes four."""
    return max(rows * vectors / 2, (rows + vectors) / 2, 4)


@lru_cache(maxsize=4)
def shapes(level: str) -> Shapes:
    """The tiles of a compiled level."""
    module = load(level)
    rows, dots = module.shapes()
    return Shapes(rows, dots, module.lanes())
