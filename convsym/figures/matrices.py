"""Matrices, matrix-vector products and Toeplitz matrices, drawn from numbers and index relations."""

from __future__ import annotations

from collections.abc import Sequence

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
from convsym.figures.svg import EMPTY, INPUT, KERNEL, OUTPUT, Part, Role, above, beside, box, figure, text


def matrix_part(values: Sequence[Sequence[object]], role: Role, name: str = "") -> Part:
    """Return a bracketed matrix with its name below, as a part of a larger figure."""
    words = [[shown_value(value) for value in row] for row in values]
    width = cell_width([each for row in words for each in row])
    grid = draw(
        Axis.of(0, len(words)),
        Axis.of(0, len(words[0]) if words else 0),
        lambda i, j: Cell(role, words[i][j], data=(("row", i), ("column", j))),
        width=width,
    )
    return above(
        [bracketed(grid), text(name, 13, mono=True, color=role.line)] if name else [bracketed(grid)], gap=4
    )


def matrix(values: object, *, name: str = "", role: Role = INPUT, title: str = "Matrix") -> str:
    """Draw a matrix of numbers or words.

    Parameters
    ----------
    values : array_like, shape (rows, columns)
        What stands in the cells; a vector is drawn as one row.
    name : str
        The name below it.
    role : Role
        Its colors.
    title : str
        The heading.

    Returns
    -------
    str
        SVG text.

    Examples
    --------
    >>> from convsym.figures import matrix
    >>> matrix([[1, 2], [3, 4]], name="W").count("<rect")
    6
    """
    table = np.atleast_2d(np.asarray(values, dtype=object))
    return figure(
        matrix_part(table.tolist(), role, name),
        title,
        f"A matrix of {table.shape[0]} rows and {table.shape[1]} columns.",
        [role],
    )


def matrix_vector(values: object, vector: object, *, by: str = "rows", title: str | None = None) -> str:
    """Draw a matrix-vector product read by rows (inner products) or by columns (a weighted sum).

    Parameters
    ----------
    values : array_like, shape (m, n)
        The matrix A.
    vector : array_like, shape (n,)
        The vector x.
    by : {"rows", "columns"}
        Which of the two readings to draw.
    title : str, optional
        The heading.

    Returns
    -------
    str
        SVG text; the numbers of the product are worked out from the arguments.
    """
    if by not in ("rows", "columns"):
        raise ValueError(f"by is {by!r}, but a matrix-vector product is read by 'rows' or by 'columns'")
    table, x = np.asarray(values), np.asarray(vector)
    result = matrix_part((table @ x)[:, None].tolist(), OUTPUT, "A·x")
    if by == "rows":
        lines = [
            beside(
                [
                    matrix_part([row.tolist()], KERNEL),
                    text("·"),
                    matrix_part([x.tolist()], INPUT),
                    text("="),
                    text(shown_value((row @ x).item()), mono=True, color=OUTPUT.line),
                ],
                gap=8,
            )
            for row in table
        ]
        picture = beside([above(lines, gap=6, align=0), text("→"), result], gap=14)
        words = "Each output is the inner product of one row with x."
    else:
        terms: list[Part] = []
        for column, weight in zip(table.T, x, strict=True):
            terms += [text("+")] if terms else []
            terms += [
                text(shown_value(weight.item()), mono=True, color=INPUT.line),
                text("×"),
                matrix_part(column[:, None].tolist(), KERNEL),
            ]
        picture = beside([*terms, text("="), result], gap=8)
        words = "The output is the sum of the columns, each weighted with one element of x."
    return figure(picture, title or f"A·x, read by {by}", words, [INPUT, KERNEL, OUTPUT], words)


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


def _small_block(
    taps: dict[tuple[int, int], int], outputs: int, inputs: int, size: float, kernel: int
) -> Part:
    """A block too large for words: only the weights are drawn, inside the frame of the matrix."""
    weights = [
        box(u * size, i * size, size, size, KERNEL, stroke=0.5, **dict(_marks(i, u, k, kernel)))
        for (i, u), k in sorted(taps.items())
    ]
    return Part(inputs * size, outputs * size, (box(0, 0, inputs * size, outputs * size, EMPTY), *weights))


def _marks(row: int, column: int, tap: int, kernel: int) -> tuple[tuple[str, object], ...]:
    return ("row", row), ("column", column), ("tap", tap), ("kernel", kernel)
