"""A window on the input plane and the zeros read around it, drawn from the index relation of each axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convsym.figures.cells import CELL, Axis, Cell, column_labels, draw, row_labels
from convsym.figures.svg import (
    INPUT,
    KERNEL,
    OUTPUT,
    PADDING,
    WINDOW,
    Part,
    Role,
    above,
    beside,
    figure,
    text,
)


def window(
    relations: Sequence[np.ndarray],
    input_shape: Sequence[int],
    kernel_shape: Sequence[int],
    output_shape: Sequence[int],
    at: Sequence[int],
    *,
    roles: tuple[Role, Role, Role] = (INPUT, KERNEL, OUTPUT),
    names: tuple[str, str, str] = ("x", "w", "y"),
    base: int = 0,
    title: str = "One window",
) -> str:
    """Draw which cells of the input the kernel meets for one output.

    Parameters
    ----------
    relations : sequence of two ndarrays of int, shape (points, 3)
        The index relation of each axis, (output, tap, input). Inputs outside the plane are drawn as padding.
    input_shape, kernel_shape, output_shape : sequence of two int
        The sizes of the three planes.
    at : sequence of two int
        The output whose window is drawn.
    roles, names : tuple of three
        Colors and names of the three planes.
    base : {0, 1}
        Where the printed indices start.
    title : str
        The heading.

    Returns
    -------
    str
        SVG text; each cell of the window bears ``data-row``, ``data-column`` and ``data-tap``.
    """
    taps = [{int(u): int(k) for i, k, u in axis if i == where} for axis, where in zip(relations, at, strict=True)]
    axes = [_padded_axis(axis, size) for axis, size in zip(relations, input_shape, strict=True)]
    plane = _plane(axes, input_shape, [taps], roles[0], base, taps_shown=True)
    kernel = draw(
        *_axes(kernel_shape),
        lambda i, j: Cell(roles[1], _pair(i, j, base), data=(("kernel", f"{i},{j}"),)),
        font=10,
    )
    output = draw(*_axes(output_shape), lambda i, j: Cell(roles[2], strong=WINDOW if (i, j) == tuple(at) else None))
    shapes = (input_shape, kernel_shape, output_shape)
    parts = [
        above([part, text(f"{name} {shape[0]}×{shape[1]}", mono=True, color=role.line)], gap=6)
        for part, name, shape, role in zip((plane, kernel, output), names, shapes, roles, strict=True)
    ]
    place = ", ".join(str(i + base) for i in at)
    words = f"Framed: the cells that {names[2]}[{place}] sums over, and the kernel element each one meets."
    padded = any(
        ((axis[:, 2] < 0) | (axis[:, 2] >= size)).any() for axis, size in zip(relations, input_shape, strict=True)
    )
    return figure(
        beside([parts[0], text("⋆", 20), parts[1], text("=", 20), parts[2]], gap=14),
        title,
        words,
        [*roles, WINDOW, *([PADDING] if padded else [])],
        words,
    )


def padding_plane(
    relations: Sequence[np.ndarray],
    input_shape: Sequence[int],
    windows: Sequence[Sequence[int]],
    *,
    base: int = 0,
    title: str = "Padding",
) -> str:
    """Draw the input plane with the zeros read around it, and the windows of some outputs.

    Parameters
    ----------
    relations : sequence of two ndarrays of int, shape (points, 3)
        Every (output, tap, input) read on each axis, those outside the input too: they are the padding.
    input_shape : sequence of two int
        Height and width of the input; long axes are drawn by their ends.
    windows : sequence of pairs of int
        The outputs whose windows are framed, such as the first and the last.
    base : {0, 1}
        Where the printed indices start.
    title : str
        The heading.

    Returns
    -------
    str
        SVG text; padding cells bear ``data-padding``.
    """
    axes = [_padded_axis(axis, size) for axis, size in zip(relations, input_shape, strict=True)]
    taps = [
        [{int(u): int(k) for i, k, u in axis if i == where} for axis, where in zip(relations, at, strict=True)]
        for at in windows
    ]
    plane = _plane(axes, input_shape, taps, INPUT, base)
    ends = [
        (max(0, -int(axis[:, 2].min())), max(0, int(axis[:, 2].max()) + 1 - size))
        for axis, size in zip(relations, input_shape, strict=True)
    ]
    outputs = [int(axis[:, 0].max()) + 1 for axis in relations]
    words = (
        f"Input {input_shape[0]}×{input_shape[1]}; zeros read: {ends[0][0]} above, {ends[0][1]} below, "
        f"{ends[1][0]} to the left, {ends[1][1]} to the right; output {outputs[0]}×{outputs[1]}."
    )
    return figure(plane, title, words, [INPUT, PADDING, WINDOW], words)


def _padded_axis(relation: np.ndarray, size: int) -> Axis:
    """The indices that are read or exist on one axis, shortened in the middle when there are many."""
    return Axis.of(min(0, int(relation[:, 2].min())), max(size, int(relation[:, 2].max()) + 1), 16)


def _plane(
    axes: Sequence[Axis],
    shape: Sequence[int],
    windows: Sequence[Sequence[dict[int, int]]],
    role: Role,
    base: int,
    *,
    taps_shown: bool = False,
) -> Part:
    """The input plane with padding cells and framed windows, its indices at the top and on the left."""

    def cell(i: int, j: int) -> Cell:
        inside = 0 <= i < shape[0] and 0 <= j < shape[1]
        met = next(((rows[i], columns[j]) for rows, columns in windows if i in rows and j in columns), None)
        marks: list[tuple[str, object]] = [("row", i), ("column", j)]
        marks += [] if inside else [("padding", 1)]
        marks += [("tap", f"{met[0]},{met[1]}")] if met else []
        words = _pair(*met, base) if met and taps_shown else "" if inside else "0"
        return Cell(role if inside else PADDING, words, WINDOW if met else None, tuple(marks))

    width = CELL if max(len(axis.shown) for axis in axes) <= 12 else 24
    grid = draw(axes[0], axes[1], cell, width=width, height=width, font=10)
    labels = row_labels(axes[0], width, base=base)
    corner = beside([labels, grid], gap=6)
    top = column_labels(axes[1], width, base=base)
    return above([top, corner], gap=4, align=1)


def _axes(shape: Sequence[int]) -> tuple[Axis, Axis]:
    """Both axes of a small plane."""
    return Axis.of(0, shape[0]), Axis.of(0, shape[1])


def _pair(i: int, j: int, base: int) -> str:
    """Two indices of one element, close together so that they fit a cell."""
    return f"{i + base},{j + base}"
