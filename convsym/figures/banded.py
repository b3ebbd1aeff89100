"""Convolutions as banded Toeplitz matrices, alone and composed, drawn from index relations."""

from __future__ import annotations

import numpy as np

from convsym.figures.cells import (
    Axis,
    Cell,
    bracketed,
    cell_width,
    column_labels,
    draw,
    indexed,
    row_labels,
    shown_value,
)
from convsym.figures.svg import EMPTY, KERNEL, Part, Role, above, beside, box, figure, text


def toeplitz(
    relation: np.ndarray,
    outputs: int,
    inputs: int,
    *,
    kernels: int = 1,
    base: int = 0,
    name: str = "w",
    title: str = "The convolution as a banded Toeplitz matrix",
) -> str:
    """Draw the matrix whose row i, column u holds the weight that carries input u to output i.

    Parameters
    ----------
    relation : ndarray of int, shape (points, 3)
        The index relation: every triple (output, tap, input) that the formula multiplies.
    outputs, inputs : int
        The sizes of the two axes: rows and columns of one block.
    kernels : int
        How many kernels are stacked: one block of rows for each.
    base : {0, 1}
        Where the printed indices start.
    name : str
        The kernel's name.
    title : str
        The heading.

    Returns
    -------
    str
        SVG text; each filled cell bears ``data-row``, ``data-column`` and ``data-tap``.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.figures import toeplitz
    >>> relation = np.array([[i, k, i + k] for i in range(5) for k in range(3)])
    >>> toeplitz(relation, outputs=5, inputs=7).count("data-tap")
    15
    """
    taps = {(int(i), int(u)): int(k) for i, k, u in relation if 0 <= u < inputs and 0 <= i < outputs}
    blocks = (
        _labeled_blocks(taps, outputs, inputs, kernels, base, name)
        if inputs <= 20
        else [_small_block(taps, outputs, inputs, 480 / inputs, j) for j in range(kernels)]
    )
    filled, distinct = len(taps) * kernels, len(set(taps.values())) * kernels
    note = (
        f"{kernels * outputs} × {inputs} matrix: {filled} of {kernels * outputs * inputs} entries are "
        f"weights, all others are structural zeros (sparsity, locality); only {distinct} of the {filled} are "
        "free to differ, since every row repeats the kernel, shifted (stationarity)."
    )
    return figure(above(blocks, gap=6, align=1), title, note, [KERNEL, EMPTY], note)


def composition(
    outer: np.ndarray,
    inner: np.ndarray,
    weights: tuple[np.ndarray, np.ndarray],
    sizes: tuple[int, int, int],
    *,
    title: str = "Two layers composed",
) -> str:
    """Draw the product of two banded matrices: a layer on a layer sees more of the input than either.

    Parameters
    ----------
    outer, inner : ndarray of int, shape (points, 3)
        The index relations (output, tap, input) of the later and of the earlier layer.
    weights : tuple of two ndarrays, shape (taps,)
        Their kernels.
    sizes : tuple of int
        Outputs, hidden samples and inputs.
    title : str
        The heading.

    Returns
    -------
    str
        SVG text; each cell that is no structural zero bears ``data-row`` and ``data-column``.
    """
    outputs, hidden, inputs = sizes
    second = _banded(outer, weights[0], (outputs, hidden))
    first = _banded(inner, weights[1], (hidden, inputs))
    both, late, early = (
        int((pattern > 0).sum(axis=1).max()) for pattern in (second[1] @ first[1], second[1], first[1])
    )
    words = (
        f"The later layer sees {late} samples, the earlier {early}, both together {both}: the product is "
        "banded again, so what is read grows from layer to layer (compositionality)."
    )
    product = (second[0] @ first[0], second[1] @ first[1])
    parts = [
        _band_part(*second, KERNEL, "later layer"),
        text("·", 20),
        _band_part(*first, KERNEL, "earlier layer"),
        text("=", 20),
        _band_part(*product, KERNEL, "both"),
    ]
    return figure(beside(parts, gap=10), title, words, [KERNEL, EMPTY], words)


def _banded(relation: np.ndarray, weight: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The matrix of a layer, and a matrix of ones at its structural non-zeros."""
    values, pattern = np.zeros(shape, weight.dtype), np.zeros(shape, int)
    for i, k, u in relation:
        if 0 <= i < shape[0] and 0 <= u < shape[1]:
            values[i, u] += weight[k]
            pattern[i, u] = 1
    return values, pattern


def _band_part(values: np.ndarray, pattern: np.ndarray, role: Role, name: str) -> Part:
    """A bracketed matrix whose structural zeros are left empty."""
    words = [[shown_value(value.item()) for value in row] for row in values]

    def cell(i: int, j: int) -> Cell:
        return Cell(role, words[i][j], data=(("row", i), ("column", j))) if pattern[i, j] else Cell(EMPTY)

    rows, columns = (Axis.of(0, size, size) for size in values.shape)
    grid = draw(rows, columns, cell, width=cell_width([word for row in words for word in row]))
    return above([bracketed(grid), text(f"{name} {values.shape[0]}×{values.shape[1]}", 12, color=role.line)], gap=4)


def _labeled_blocks(
    taps: dict[tuple[int, int], int], outputs: int, inputs: int, kernels: int, base: int, name: str
) -> list[Part]:
    """One block of rows for each kernel, every weight written in its cell, below the names of the inputs."""
    words = {
        (j, k): indexed(name, j, k, base=base) if kernels > 1 else indexed(name, k, base=base)
        for j in range(kernels)
        for k in set(taps.values())
    }
    width = cell_width(list(words.values()))
    rows, columns = Axis.of(0, outputs, outputs), Axis.of(0, inputs, inputs)

    def block(j: int) -> Part:
        def cell(i: int, u: int) -> Cell:
            k = taps.get((i, u))
            return Cell(EMPTY) if k is None else Cell(KERNEL, words[j, k], data=_marks(i, u, k, j))

        return beside([row_labels(rows, name="y", base=base), draw(rows, columns, cell, width=width)], gap=6)

    return [column_labels(columns, width, name="x", base=base), *(block(j) for j in range(kernels))]


def _small_block(taps: dict[tuple[int, int], int], outputs: int, inputs: int, size: float, kernel: int) -> Part:
    """A block too large for words: only the weights are drawn, inside the frame of the matrix."""
    weights = [
        box(u * size, i * size, size, size, KERNEL, stroke=0.5, data=_marks(i, u, k, kernel))
        for (i, u), k in sorted(taps.items())
    ]
    return Part(inputs * size, outputs * size, (box(0, 0, inputs * size, outputs * size, EMPTY), *weights))


def _marks(row: int, column: int, tap: int, kernel: int) -> tuple[tuple[str, object], ...]:
    return ("row", row), ("column", column), ("tap", tap), ("kernel", kernel)
