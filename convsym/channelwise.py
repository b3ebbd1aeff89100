"""Sums of windows over each channel, and their adjoint, compiled: rows are added first, then the places of a row.

Which path is taken, and in which order is added, depends on the spatial sizes and the dtype alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, product
from math import ceil, prod
from typing import Any

import numpy as np

from convsym import gate, scratch
from convsym.gate import Array
from convsym.geometry import Geometry, Shape
from convsym.kernels._generated import rules
from convsym.kernels.tables import driver
from convsym.rooms import Roomed
from convsym.taps import Axis, Taps, pitches_of, taps_of

# Elements of a window up to which adding them at once is faster than one axis after the other.
ELEMENTS = 32
# Classes of places along a row, at most.
STEP = 8
# Elements that the rows of a job take: they stay in the first cache. Multiply-adds that one takes as long as.
ROOM, WORK = 2**12, 10


def serves(geometry: Geometry, result: str, array: Array) -> bool:
    """Whether the windows of an array are summed here: they are many and small.

    Parameters
    ----------
    geometry : Geometry
        Of windows over each channel, with zero padding.
    result : {"y", "dx"}
        The sums, or the adjoint.
    array : ndarray
        What is read, (…, i0, …) or (…, o0, …).
    """
    return array.dtype.char in "fd" and array.size > 0 and _serves(geometry)


@lru_cache(maxsize=1024)
def _serves(geometry: Geometry) -> bool:
    # Windows of which there are few for their size are summed by halves, which is more exact.
    few = any(count < size for count, size in zip(geometry.outputs, geometry.kernel, strict=True))
    # A last window that hangs over reads nothing where the input is cropped.
    cropped = any(after < 0 for _, after in geometry.padding)
    return not few and not cropped and prod(geometry.kernel) <= ELEMENTS and geometry.stride[-1] <= STEP


def workspace(geometry: Geometry, result: str, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Elements that the work takes beside what is read and made: once, and for each channel of each sample.

    Both are 0 where it is not done here.
    """
    if dtype.char not in "fd" or not _serves(geometry):
        return 0, 0
    copied = prod(geometry.inputs if result == "y" else geometry.outputs)  # where elements do not lie together
    return plan(geometry, result, 1, 1).elements, copied


def run(geometry: Geometry, result: str, array: Array, divisor: int = 1) -> Array:
    """The sum of each window, or the number of each window added to all its elements.

    Parameters
    ----------
    geometry, result, array
        As `serves` takes them.
    divisor : int
        The sums, or the sums of rows of such numbers, are divided by it.

    Returns
    -------
    ndarray
        With the leading axes of `array`.
    """
    lead = array.shape[: -geometry.rank]
    out = np.empty((*lead, *(geometry.outputs if result == "y" else geometry.inputs)), array.dtype)
    plan(geometry, result, prod(lead), divisor).run(out, [gate.layout(array)])
    return out


def plan(geometry: Geometry, result: str, channels: int, divisor: int) -> Roomed:
    """The jobs of `run` for so many channels of all samples."""
    return _plan(_alone(geometry), result, channels, divisor)


@lru_cache(maxsize=1024)
def _alone(geometry: Geometry) -> Geometry:
    """The windows over one channel: what is planned depends on no more."""
    return replace(geometry, batched=True, batch=1, groups=1, channels=(1, 1))


@lru_cache(maxsize=1024)
def _plan(geometry: Geometry, result: str, channels: int, divisor: int) -> Roomed:
    """The jobs for so many channels."""
    last, forward = taps_of(geometry)[-1], result == "y"
    step, span = last.step, max(last.shift) - min(last.shift)
    source, made = (geometry.inputs, geometry.outputs) if forward else (geometry.outputs, geometry.inputs)
    pitch = (made[-1] if forward else ceil(made[-1] / step)) + span
    # A row in the room: of the input from the first place that a window reads, or of the windows that reach it.
    length, first = (step * pitch, step * min(last.shift)) if forward else (pitch, -max(last.shift))
    lead, count, element = Axis(source[-1], first, length).inside(0)
    every, block = _rows(geometry, source, forward), max(1, ROOM // (step * pitch))
    new = [0, *(place for place in range(1, len(every)) if forward or every[place] != every[place - 1])]
    rows, apart = [every[place] for place in new], scratch.lines(block * pitch + span)
    places = _places(last, apart, forward)
    numbers = {
        "channels": channels,
        "source": prod(source),
        "rows": len(rows),
        "block": block,
        "lead": lead,
        "count": count,
        "element": element,
        "divisor": divisor,
        "step": step,
        "pitch": pitch,
        "made": made[-1],
        "apart": apart,
        "room": scratch.lines((2 * step + 1) * apart),
    }
    made_by = driver(
        "windows" if forward else "windows_back",
        ceil(channels * len(rows) / block),
        row_start=_starts(rows),
        row_source=list(chain(*rows)),
        row_made=[*new, len(every)],
        tap_start=_starts(places),
        tap=list(chain(*places)),
        **numbers,
    )
    return Roomed(made_by, 1, numbers["room"], WORK * channels * (prod(source) + prod(made)))


def _places(axis: Taps, apart: int, forward: bool) -> list[list[int]]:
    """Where the places are that are added: of all classes of the input, or for each class the windows that reach it."""
    added = list(zip(axis.residue, axis.shift, strict=True))
    if forward:
        return [[residue * apart + shift - min(axis.shift) for residue, shift in added]]
    return [[max(axis.shift) - shift for residue, shift in added if residue == own] for own in range(axis.step)]


def _rows(geometry: Geometry, source: Shape, forward: bool) -> list[list[int]]:
    """For each row that is made, where the rows start that are added."""
    axes = [
        [[place * pitch for place in met] for met in _met(geometry, axis, forward)]
        for axis, pitch in enumerate(pitches_of(source)[:-1])
    ]
    return [[sum(places) for places in product(*met)] for met in product(*axes)]


def _met(geometry: Geometry, axis: int, forward: bool) -> list[list[int]]:
    """For each window its elements along an axis, or for each element the windows that it is in."""
    outputs, inputs = geometry.outputs[axis], geometry.inputs[axis]
    own = (geometry.stride[axis], geometry.dilation[axis], geometry.padding[axis][0])
    met: list[list[int]] = [[] for _ in range(outputs if forward else inputs)]
    for output, tap in product(range(outputs), range(geometry.kernel[axis])):
        element = rules.read(output, tap, *own)
        if 0 <= element < inputs:
            met[output if forward else element].append(element if forward else output)
    return met


def _starts(parts: Sequence[Sequence[int]]) -> Array:
    return np.cumsum([0, *map(len, parts)])
