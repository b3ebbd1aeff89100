"""Products of spectra, and the order in which they lie in memory.

A spectrum of blocks is seen with the axes (lead, second, third, class of taps, frequencies …) in any case. Where
channels are many, frequencies lie before them in memory, so that each frequency is a product of matrices for the BLAS;
where they are few, frequencies lie last and whole spectra are multiplied.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from math import prod
from typing import Any

import numpy as np

from convsym.fourier.choice import PIECE, Scheme
from convsym.fourier.lattice import boxes
from convsym.gate import Array
from convsym.geometry import Shape

# What is multiplied for each result, in the order of the product of matrices; and which arrays have their rows (w: its
# output channels) as columns for that. In y and dx all rows are columns, whose number is that of whole vectors: so each
# is a lane, and its bits are the same in every column.
FACTORS = {"y": "wx", "dx": "wy", "dw": "yx"}
TRANSPOSED = {("x", "y"), ("y", "y"), ("x", "dx"), ("y", "dx"), ("w", "dx"), ("y", "dw")}
# Multiply-adds of one product of matrices up to which OpenBLAS uses no threads of its own. Theirs wait for each other
# in loops, and the pieces have threads already.
SERIAL = 2**15


def each(team: Executor | None, function: Callable[[Any], Any], pieces: list[Any]) -> list[Any]:
    """The function of every piece, by a team of threads if there is one, without warnings of overflow."""

    def quiet(piece: Any) -> Any:
        with np.errstate(all="ignore"):  # what is not finite is found and redone
            return function(piece)

    return list(map(quiet, pieces) if team is None or len(pieces) == 1 else team.map(quiet, pieces))


def memory_order(scheme: Scheme, name: str) -> tuple[int, int, int]:
    """The axes lead, second and third in the order in which `Spectra` lie in memory."""
    if scheme.elementwise:
        return 0, 1, 2
    group, rows = (0, 1) if name[-1] == "w" else (1, 0)
    return (group, 2, rows) if (name[-1], scheme.lattice.result) in TRANSPOSED else (group, rows, 2)


class Spectra:
    """The spectra of blocks of x, y or w, in the order that the scheme multiplies them in.

    Attributes
    ----------
    seen : ndarray
        With the axes lead, second, third, class of taps, frequencies.
    matrices : ndarray
        With the axes group, frequency, and two of a matrix, so that neither factor is transposed for its product; or,
        for whole spectra, as `seen` with the classes joined to the third axis and the frequencies to one.
    """

    def __init__(self, scheme: Scheme, name: str, shape: Shape, dtype: np.dtype[Any]) -> None:
        lead, second, third = shape
        frequencies, classes = scheme.lattice.frequencies, scheme.lattice.classes_of(name)
        flat = prod(frequencies)
        if scheme.elementwise:
            self.seen = np.zeros((lead, second, third, classes, *frequencies), dtype)
            self.matrices = self.seen.reshape(lead, second, third * classes, flat)
            return
        group, rows = (lead, second) if name == "w" else (second, lead)
        if (name, scheme.lattice.result) in TRANSPOSED:
            held = np.zeros((group, *frequencies, third, classes, rows), dtype)
            self.matrices = held.reshape(group, flat, third * classes, rows)
            held = np.moveaxis(held, -1, -3)
        else:
            held = np.zeros((group, *frequencies, rows, third, classes), dtype)
            self.matrices = held.reshape(group, flat, rows, third * classes)
        seen = np.moveaxis(held, (-3, -2, -1), (1, 2, 3))
        self.seen = seen if name == "w" else np.swapaxes(seen, 0, 1)


def multiply(scheme: Scheme, team: Executor | None, x: Spectra, y: Spectra, w: Spectra) -> None:
    """One of the three spectra from the two others: y = Σ x·w̄, x = Σ y·w, w += Σ ȳ·x; the conjugates are there."""
    result, arrays = scheme.lattice.result, {"x": x.matrices, "y": y.matrices, "w": w.matrices}
    frequencies = prod(scheme.lattice.frequencies)
    if not scheme.elementwise:
        left, right = (arrays[name] for name in FACTORS[result])
        out = arrays[result[-1]]
        held = 2 * scheme.item * sum(array[0, 0].size for array in (left, right, out))
        pieces = boxes((left.shape[0], frequencies), max(1, 2 * PIECE // held))
        each(team, lambda piece: _matrices(left[piece], right[piece], out[piece], result == "dw"), pieces)
        return
    rows, groups = x.matrices.shape[:2]
    if result == "dw":
        pieces = boxes((groups, frequencies), max(1, PIECE // (2 * scheme.item * rows)))
        each(team, lambda piece: _whole_weights(piece, arrays["x"], arrays["y"], arrays["w"]), pieces)
    else:
        cells = max(1, PIECE // (scheme.spectrum * max(scheme.into, scheme.out)))
        pieces = boxes((rows, groups), cells)
        each(team, lambda piece: _whole(result, piece, arrays["x"], arrays["y"], arrays["w"]), pieces)


def _matrices(left: Array, right: Array, out: Array, add: bool) -> None:
    """A range of frequencies, each a product of matrices, some of its rows at a time."""
    count = max(2, SERIAL // (right.shape[-2] * right.shape[-1]))
    for start in range(0, left.shape[-2], count):
        some = (..., slice(start, start + count), slice(None))
        if add:
            out[some] += np.matmul(left[some], right)
        else:
            np.matmul(left[some], right, out=out[some])


def _whole_weights(piece: Any, x: Array, y: Array, w: Array) -> None:
    """Products of whole spectra, for some groups and frequencies, summed over the rows."""
    groups, some = piece
    for k in range(w.shape[1]):
        for c in range(w.shape[2]):
            w[groups, k, c, some] += (y[:, groups, k, some] * x[:, groups, c, some]).sum(axis=0)


def _whole(result: str, piece: Any, x: Array, y: Array, w: Array) -> None:
    """Products of whole spectra, for some rows and groups."""
    rows, groups = piece
    for k in range(w.shape[1]):
        for c in range(w.shape[2]):
            here, there, weight = x[rows, groups, c], y[rows, groups, k], w[groups, k, c]
            if result == "y":
                _add_product(there, here, weight, first=c == 0)
            else:
                _add_product(here, there, weight, first=k == 0)


def _add_product(out: Array, a: Array, b: Array, first: bool) -> None:
    if first:
        np.multiply(a, b, out=out)
    else:
        out += a * b
