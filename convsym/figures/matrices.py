"""Matrices and matrix-vector products, drawn from numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convsym.figures.cells import (
    Axis,
    Cell,
    bracketed,
    cell_width,
    draw,
    shown_value,
)
from convsym.figures.svg import INPUT, KERNEL, OUTPUT, Part, Role, above, beside, figure, text


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
    return above([bracketed(grid), text(name, 13, mono=True, color=role.line)] if name else [bracketed(grid)], gap=4)


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
