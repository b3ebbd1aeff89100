"""Convolutions with large kernels by fast Fourier transforms of overlapping blocks (overlap-save), through a library.

`compute` makes one rule of a convolution, its output or one of its gradients, of any rank, stride, dilation, groups
and padding: all are one convolution of stride 1 between residue classes (`lattice`), cut into blocks whose cyclic sums
are products of spectra. Weights are transformed once for all samples and blocks; channels are summed as spectra. Blocks
that come out non-finite are redone directly (`repair`); errors are bounded normwise over a block (`accuracy`).
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from operator import add
from typing import Any

import numpy as np

from convsym.fourier import transforms
from convsym.fourier.accuracy import bound, factor
from convsym.fourier.choice import PIECE, Scheme, cost, scheme
from convsym.fourier.lattice import boxes
from convsym.fourier.products import Spectra, each, memory_order, multiply
from convsym.fourier.repair import Cell, Direct, Operands, redo
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels import get_num_threads

__all__ = ["bound", "compute", "cost", "factor", "steps"]

# Threads of one call at most: what a piece takes is counted so often.
TEAM = 8


def compute(
    geometry: Geometry, result: str, operands: Operands, direct: Direct, out: Array | None = None
) -> Array:
    """One of the rules of a convolution, by transforms.

    Parameters
    ----------
    geometry : Geometry
        In mode "zeros", not flipped, its input not dilated.
    result : {"y", "dx", "dw"}
    operands : mapping of str to ndarray
        The two other arrays of the rule (of x, w and dy), in `geometry.shapes`, of one dtype: float32 or float64.
    direct : function of a geometry, a result and operands
        Computes directly what does not come out finite.
    out : ndarray, optional
        Memory for the result.

    Returns
    -------
    ndarray
        Of shape ``geometry.shapes[result]``. The same bits for any number of threads, any batch around a sample and any
        groups around a group.
    """
    dtype = next(iter(operands.values())).dtype
    if out is None:
        out = np.zeros(geometry.shapes[result], dtype)
    else:
        out[...] = 0
    if not out.size or not all(array.size for array in operands.values()):
        return out
    made = scheme(replace(geometry, batch=1), result, dtype.itemsize)
    with _team() as team:
        for part, places in _parts(geometry, made):
            views = {name: array[places[name[-1]]] for name, array in operands.items()}
            _part(made, part, views, out[places[result[-1]]], direct, team)
    return out


def steps(geometry: Geometry, result: str, dtype: np.dtype[Any]) -> tuple[tuple[str, int], ...]:
    """What `compute` takes memory for beside operands and result, and how many bytes at most.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    dtype : dtype

    Returns
    -------
    tuple of (str, int)
        At no time more than their sum.
    """
    if not all(map(prod, geometry.shapes.values())):
        return ()
    made = scheme(replace(geometry, batch=1), result, dtype.itemsize)
    lattice, out = made.lattice, geometry.channels[1]
    classes = len(lattice.tap_classes)
    shown = made.channels * classes if result == "dx" else made.into, out if result == "dx" else made.channels
    rows, groups = made.rows_of(geometry.batch), made.groups_of(geometry.batch, geometry.groups)
    shapes, block = geometry.shapes, prod(lattice.lengths) * made.item
    grids = (
        (classes, rows * groups * geometry.channels[0]),
        (1, rows * groups * out),
        (classes, groups * prod(geometry.channels)),
    )
    moved = max(min(TEAM * max(PIECE, each * block), each * count * block) for each, count in grids)
    names = {"y": ("x", "w"), "dx": ("dy", "w"), "dw": ("dy", "x")}[result]
    again = sum(prod(shapes[name]) // geometry.groups for name in (*names, result))
    return (
        ("spectra of the weights", groups * prod(shown) * made.spectrum),
        ("spectra of blocks", groups * rows * sum(shown) * made.spectrum),
        ("blocks that are being transformed", 6 * moved + 2**16),
        ("a block that is not finite, computed directly", 3 * again * made.item),
    )


@contextmanager
def _team() -> Iterator[Executor | None]:
    """Threads for the pieces of a call; after an interrupt those that have not begun are dropped."""
    threads = min(get_num_threads(), TEAM)
    if threads == 1:
        yield None
        return
    team = ThreadPoolExecutor(threads)
    try:
        yield team
    finally:
        team.shutdown(cancel_futures=True)


def _parts(geometry: Geometry, made: Scheme) -> Iterator[tuple[Geometry, dict[str, Any]]]:
    """Groups and channels of the result whose weights are transformed at a time, and where they lie in x, y and w."""
    into, out = geometry.channels
    by_input = made.lattice.result == "dx"
    step = made.groups_of(geometry.batch, geometry.groups)
    for start in range(0, geometry.groups, step):
        groups = slice(start, min(start + step, geometry.groups))
        for first in range(0, into if by_input else out, made.channels):
            some = slice(first, min(first + made.channels, into if by_input else out))
            every = slice(None)
            c, k = (some, every) if by_input else (every, some)
            count = some.stop - some.start
            part = replace(
                geometry, groups=groups.stop - groups.start, channels=(count, out) if by_input else (into, count)
            )
            yield part, {"x": (every, groups, c), "y": (every, groups, k), "w": (groups, k, c)}


def _part(
    made: Scheme, geometry: Geometry, operands: Operands, out: Array, direct: Direct, team: Executor | None
) -> None:
    """The rule for some groups and channels."""
    result = made.lattice.result
    total = geometry.batch * made.lattice.rows
    rows = made.rows_of(geometry.batch)
    dtype = np.result_type(out.dtype, np.complex64)
    shapes = {"x": (rows, *geometry.shapes["x"][1:3]), "y": (rows, *geometry.shapes["y"][1:3])}
    shapes["w"] = geometry.shapes["w"][:3]
    spectra = {name: Spectra(made, name, shape, dtype) for name, shape in shapes.items()}
    if "w" in operands:
        _transform(made, team, "w", operands["w"], spectra["w"], slice(0, geometry.groups), result == "y")
    cells: list[Cell] = []
    for start in range(0, total, rows):
        lead = slice(start, min(start + rows, total))
        for name in operands.keys() - {"w"}:
            conjugate = (name, result) == ("dy", "dw")
            _transform(made, team, name, operands[name], spectra[name[-1]], lead, conjugate)
        multiply(made, team, spectra["x"], spectra["y"], spectra["w"])
        if result != "dw":
            cells += _restore(made, team, result, spectra[result[-1]], out, lead)
    if result == "dw":
        cells += _restore(made, team, result, spectra["w"], out, slice(0, geometry.groups))
    if cells:
        redo(geometry, made.lattice, operands, out, cells, direct)


def _transform(
    made: Scheme, team: Executor | None, name: str, array: Array, spectra: Spectra, lead: slice, conjugate: bool
) -> None:
    """The spectra of the blocks of an operand, for some leads; those that are left over are 0."""
    lattice, count = made.lattice, lead.stop - lead.start
    spectra.seen[count:] = 0

    def piece(box: Any) -> None:
        found = transforms.forward(lattice.gather(name, array, _moved(box, lead)), lattice.lengths)
        spectra.seen[box] = np.conj(found, out=found) if conjugate else found

    each(team, piece, _pieces(made, name, (count, *spectra.seen.shape[1:3])))


def _restore(
    made: Scheme, team: Executor | None, result: str, spectra: Spectra, out: Array, lead: slice
) -> list[Cell]:
    """The blocks of the result put into their places, and which of them are not finite."""
    lattice = made.lattice
    axes = tuple(range(-len(lattice.lengths), 0))

    def piece(box: Any) -> list[Cell]:
        moved = _moved(box, lead)
        value = transforms.inverse(np.ascontiguousarray(spectra.seen[box]), lattice.lengths, lattice.window(result))
        lattice.scatter(result, out, moved, value)
        finite = np.isfinite(value).all(axis=axes)
        starts = (*(place.start for place in moved), 0)
        return [tuple(map(add, at, starts)) for at in np.argwhere(~finite).tolist()]

    pieces = _pieces(made, result, (lead.stop - lead.start, *spectra.seen.shape[1:3]))
    return [cell for found in each(team, piece, pieces) for cell in found]


def _pieces(made: Scheme, name: str, grid: tuple[int, ...]) -> list[Any]:
    """Boxes of blocks that one thread transforms at a time, as long as can be along what lies together in memory."""
    cell = made.lattice.classes_of(name) * prod(made.lattice.lengths) * made.item
    order = memory_order(made, name)
    found = boxes(tuple(grid[axis] for axis in order), max(1, PIECE // cell))
    return [tuple(box[order.index(axis)] for axis in range(len(grid))) for box in found]


def _moved(box: Any, lead: slice) -> Any:
    """A box of some leads, counted from the first of all."""
    return (slice(box[0].start + lead.start, box[0].stop + lead.start), *box[1:])
