"""1-D convolution drawn: kernels stacked and shifted, the stacked result, and layer-by-layer products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convsym.figures.cells import (
    CELL,
    Axis,
    Cell,
    bracketed,
    cell_width,
    column_labels,
    draw,
    indexed,
    measure,
    row_labels,
    shown_value,
)
from convsym.figures.svg import (
    EMPTY,
    INPUT,
    KERNEL,
    MUTED,
    OUTPUT,
    PAPER,
    WINDOW,
    Part,
    Role,
    above,
    beside,
    element,
    figure,
    moved,
    text,
)

SHEET = Role("", "#8c959f", PAPER)
OFFSET = 22


def stack_and_shift(
    relation: np.ndarray,
    outputs: int,
    inputs: int,
    *,
    kernels: int = 3,
    base: int = 0,
    title: str = "Kernels stacked and shifted",
) -> str:
    """Draw one sheet of shifted rows for each kernel, the sheets behind one another, times the input.

    Parameters
    ----------
    relation : ndarray of int, shape (points, 3)
        The index relation: every triple (output, tap, input) that the formula multiplies.
    outputs, inputs : int
        The sizes of the two axes.
    kernels : int
        The number of kernels m: one sheet for each.
    base : {0, 1}
        Where the printed indices start.
    title : str
        The heading.

    Returns
    -------
    str
        SVG text; each weight on the front sheet bears ``data-row``, ``data-column`` and ``data-tap``.
    """
    taps = {(int(i), int(u)): int(k) for i, k, u in relation}

    def cell(i: int, u: int) -> Cell:
        k = taps.get((i, u))
        if k is None:
            return Cell(EMPTY)
        return Cell(KERNEL, indexed("w", k, base=base), data=(("row", i), ("column", u), ("tap", k)))

    rows, columns = Axis.of(0, outputs, outputs), Axis.of(0, inputs, inputs)
    sheets = stacked(draw(rows, columns, cell), [f"kernel {j + base}" for j in range(kernels)])
    x = draw(columns, Axis.of(0, 1), lambda u, _: Cell(INPUT, indexed("x", u, base=base)))
    size = measure(inputs * CELL, f"width n = {inputs}")
    high = measure(outputs * CELL, f"{outputs} rows", vertical=True)
    left = above([beside([sheets, high], gap=4, align=1), size], gap=4, align=0)
    words = (
        f"{kernels} kernels of {len(set(taps.values()))} weights; each gives a sheet of {outputs} rows, all "
        f"the same kernel shifted, and the sheets stack to a matrix of {kernels * outputs} × {inputs}."
    )
    return figure(
        beside([left, text("·", 22), above([bracketed(x), text("x", mono=True)], gap=4)], gap=12),
        title,
        words,
        [KERNEL, INPUT, EMPTY],
        words,
    )


def stacked(front: Part, names: list[str]) -> Part:
    """Draw sheets behind one another, the first in front, each with its name on what shows of it."""
    count = len(names)
    depth = OFFSET * (count - 1)
    body = []
    for j in reversed(range(count)):
        x, y = OFFSET * j, depth - OFFSET * j + OFFSET
        tab = element(
            "rect",
            x=x,
            y=y - OFFSET,
            width=front.width,
            height=front.height + OFFSET,
            fill=PAPER,
            stroke=SHEET.line,
        )
        name = text(names[j], 11, color=KERNEL.line, anchor="start")
        body += [tab, moved(name, x + 6, y - OFFSET + (OFFSET - name.height) / 2)]
    body.append(moved(front, 0, depth + OFFSET))
    return Part(front.width + depth, front.height + depth + OFFSET, tuple(body))


def stacked_result(
    x: np.ndarray,
    weight: np.ndarray,
    y: np.ndarray,
    *,
    base: int = 0,
    title: str = "The result: one vector for each kernel",
) -> str:
    """Draw a 1-D input, its kernels and the stack of output vectors, with their numbers.

    Parameters
    ----------
    x : ndarray, shape (n,)
        The input.
    weight : ndarray, shape (m, k)
        The kernels.
    y : ndarray, shape (m, length)
        The result, one vector for each kernel.
    base : {0, 1}
        Where the printed indices start.
    title : str
        The heading.

    Returns
    -------
    str
        SVG text.
    """
    parts = []
    for array, role, name in ((x[:, None], INPUT, "x"), (weight.T, KERNEL, "w"), (y.T, OUTPUT, "y")):
        words = [[shown_value(value.item()) for value in row] for row in array]
        width = cell_width([each for row in words for each in row])
        rows, columns = Axis.of(0, len(words)), Axis.of(0, len(words[0]))
        grid = draw(
            rows,
            columns,
            _cells(role, words),
            width=width,
        )
        labels = [column_labels(columns, width, base=base)] if len(words[0]) > 1 else []
        framed = above([*labels, beside([row_labels(rows, base=base), grid], gap=6)], gap=4, align=1)
        size = "×".join(str(n) for n in (array.T.shape if array.shape[1] > 1 else array.shape[:1]))
        parts.append(above([framed, text(f"{name}: {size}", mono=True, color=role.line)], gap=8))
    caption = (
        f"{len(weight)} kernels of {weight.shape[1]} weights turn {len(x)} samples into {len(y)} vectors of "
        f"{y.shape[1]}: the thickness of the result is the number of kernels."
    )
    return figure(
        beside([parts[0], text("⋆", 20), parts[1], text("=", 20), parts[2]], gap=16),
        title,
        caption,
        [INPUT, KERNEL, OUTPUT],
        caption,
    )


def _cells(role: Role, words: list[list[str]]) -> Callable[[int, int], Cell]:
    """The cell of each element of a table of words."""
    return lambda i, j: Cell(role, words[i][j], data=(("row", i), ("column", j)))


def layer_by_layer(
    relation: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    output: int,
    *,
    base: int = 0,
    title: str = "Scalar products, kernel by kernel",
) -> str:
    """Draw, for one place of the output, every kernel on its window, with the numbers that are multiplied.

    Parameters
    ----------
    relation : ndarray of int, shape (points, 3)
        The index relation: every triple (output, tap, input) that the formula multiplies.
    x : ndarray, shape (channels, n)
        The signal.
    weight : ndarray, shape (kernels, channels, taps)
        The kernels.
    output : int
        The place in the output.
    base : {0, 1}
        Where the printed indices start.
    title : str
        The heading.

    Returns
    -------
    str
        SVG text; each kernel cell bears ``data-tap`` and ``data-column``, the input it is multiplied with.
    """
    taps = {int(u): int(k) for i, k, u in relation if i == output and 0 <= u < x.shape[1]}
    words = [shown_value(value.item()) for value in (*x.ravel(), *weight.ravel())]
    width = cell_width(words)
    columns = Axis.of(0, x.shape[1], x.shape[1])
    rows = Axis.of(0, x.shape[0])
    signal = draw(
        rows,
        columns,
        lambda c, u: Cell(INPUT, shown_value(x[c, u].item()), WINDOW if u in taps else None),
        width=width,
    )
    layers = [above([column_labels(columns, width, name="x", base=base), signal], gap=4)]
    results: list[Part] = []
    for j, kernel in enumerate(weight):
        layers.append(_kernel_layer(kernel, taps, columns, rows, width, j))
        results.append(_sum(kernel, x, taps, indexed("y", j, output, base=base)))
    lines = [
        layers[0],
        *(beside([layer, result], gap=16) for layer, result in zip(layers[1:], results, strict=True)),
    ]
    words_below = (
        "The window of the input (framed) is multiplied with each kernel in turn, channel by channel; the "
        "products are added to one number for each kernel."
    )
    return figure(above(lines, gap=14, align=0), title, words_below, [INPUT, KERNEL, OUTPUT, WINDOW], words_below)


def _kernel_layer(kernel: np.ndarray, taps: dict[int, int], columns: Axis, rows: Axis, width: float, j: int) -> Part:
    """One kernel, each weight below the input it meets."""

    def cell(c: int, u: int) -> Cell | None:
        if u not in taps:
            return None
        return Cell(
            KERNEL,
            shown_value(kernel[c, taps[u]].item()),
            data=(("kernel", j), ("channel", c), ("tap", taps[u]), ("column", u)),
        )

    return draw(rows, columns, cell, width=width)


def _sum(kernel: np.ndarray, x: np.ndarray, taps: dict[int, int], name: str) -> Part:
    """The products of one window written out, and their sum."""
    terms = [(kernel[c, k].item(), x[c, u].item()) for c in range(len(x)) for u, k in sorted(taps.items())]
    written = " + ".join(f"{_signed(w)}·{_signed(value)}" for w, value in terms)
    total = shown_value(sum(w * value for w, value in terms))
    one = Axis.of(0, 1)
    result = draw(one, one, lambda i, j: Cell(OUTPUT, total), width=cell_width([total]))
    head = beside([text(f"{name} =", 14, mono=True, color=OUTPUT.line), result], gap=6)
    return above([head, text(written, 11, mono=True, color=MUTED, anchor="start")], gap=4, align=0)


def _signed(value: float) -> str:
    """Write a factor, in parentheses when it is negative."""
    return f"({shown_value(value)})" if value < 0 else shown_value(value)
