"""Rectangular arrays of labeled cells: the piece most figures are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convsym.figures.svg import EMPTY, INK, MUTED, Part, Role, box, element, label, number, text_width

CELL = 28
SUBSCRIPTS = str.maketrans("0123456789-", "₀₁₂₃₄₅₆₇₈₉₋")


@dataclass(frozen=True)
class Cell:
    """One cell: its colors, the words in it, a strong frame or not, and what it stands for (``data-…``)."""

    role: Role = EMPTY
    words: str = ""
    strong: Role | None = None
    data: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class Axis:
    """The indices of one axis in the order drawn; ``None`` marks where indices are left out."""

    shown: tuple[int | None, ...]

    @classmethod
    def of(cls, start: int, stop: int, keep: int = 20) -> Axis:
        """All indices of ``range(start, stop)``, or the first and last ones when there are over ``keep``."""
        if stop - start <= keep:
            return cls(tuple(range(start, stop)))
        half = max(keep // 2, 1)
        return cls((*range(start, start + half), None, *range(stop - half, stop)))


def indexed(name: str, *index: int, base: int = 0) -> str:
    """Write an array's element with its indices, counted from ``base``, as subscripts."""
    return name + ",".join(str(i + base).translate(SUBSCRIPTS) for i in index)


def shown_value(value: object) -> str:
    """Write a number as short as it stays readable; words stay as they are."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return f"{value:.3g}" if np.isfinite(value) else str(float(value))
    return str(value)


def cell_width(words: Sequence[str], size: float = CELL, font: float = 12) -> float:
    """Return the width a cell needs to hold the longest of the words."""
    return max([size, *(text_width(each, font, mono=True) + 8 for each in words)])


def draw(
    rows: Axis,
    columns: Axis,
    cell: Callable[[int, int], Cell | None],
    *,
    width: float = CELL,
    height: float = CELL,
    font: float = 12,
) -> Part:
    """Draw ``cell(row, column)`` for every pair of indices; a left-out stretch becomes dots.

    Cells with a strong frame are drawn last, so that no neighbor covers their frame.
    """
    plain: list[str] = []
    strong: list[str] = []
    for n, row in enumerate(rows.shown):
        for m, column in enumerate(columns.shown):
            x, y = m * width, n * height
            if row is None or column is None:
                dots = "⋱" if row is column else "⋮" if row is None else "⋯"
                plain.append(label(dots, x + width / 2, y + height / 2, font, color=MUTED))
                continue
            item = cell(row, column)
            if item is not None:
                (strong if item.strong else plain).append(_cell(item, x, y, width, height, font))
    return Part(len(columns.shown) * width, len(rows.shown) * height, (*plain, *strong))


def _cell(item: Cell, x: float, y: float, width: float, height: float, font: float) -> str:
    """One cell with its words."""
    role = replace(item.role, line=item.strong.line, dash="") if item.strong else item.role
    shape = box(x, y, width, height, role, stroke=2.5 if item.strong else 1, data=item.data)
    return shape + (label(item.words, x + width / 2, y + height / 2, font, mono=True) if item.words else "")


def row_labels(axis: Axis, height: float = CELL, *, name: str = "", base: int = 0, font: float = 11) -> Part:
    """Return the indices of an axis under each other, as high as the rows they name."""
    words = ["" if i is None else f"{name}{i + base}" for i in axis.shown]
    width = max(text_width(each, font, mono=True) for each in words) if words else 0
    return Part(
        width,
        height * len(words),
        tuple(
            label(each, width, height * (n + 0.5), font, anchor="end", mono=True, color=MUTED)
            for n, each in enumerate(words)
            if each
        ),
    )


def column_labels(axis: Axis, width: float = CELL, *, name: str = "", base: int = 0, font: float = 11) -> Part:
    """Return the indices of an axis beside each other; those that would touch are thinned out evenly."""
    words = ["" if i is None else f"{name}{i + base}" for i in axis.shown]
    widest = max((text_width(each, font, mono=True) for each in words), default=0)
    step = max(1, int(-(-(widest + 3) // width)))
    return Part(
        width * len(words),
        font * 1.3,
        tuple(
            label(each, width * (n + 0.5), font * 0.65, font, mono=True, color=MUTED)
            for n, each in enumerate(words)
            if each and n % step == 0
        ),
    )


def bracketed(part: Part, color: str = INK) -> Part:
    """Put square matrix brackets around a part."""
    reach, w, h = 6, part.width + 20, part.height + 6
    left = f"M {reach + 1} 1 H 1 V {number(h - 1)} H {reach + 1}"
    right = f"M {number(w - reach - 1)} 1 H {number(w - 1)} V {number(h - 1)} H {number(w - reach - 1)}"
    bars = element("path", d=f"{left} {right}", fill="none", stroke=color, stroke_width=1.5)
    return Part(w, h, (bars, element("g", "".join(part.body), transform="translate(10 3)")))


def measure(length: float, words: str, *, vertical: bool = False, font: float = 12) -> Part:
    """Return a dimension line with its words: below a width, or beside a height."""
    if vertical:
        line = f"M 1 1 H 9 M 5 1 V {number(length - 1)} M 1 {number(length - 1)} H 9"
        width = 16 + text_width(words, font)
        return Part(
            width,
            length,
            (
                element("path", d=line, fill="none", stroke=MUTED),
                label(words, 14, length / 2, font, anchor="start", color=MUTED),
            ),
        )
    line = f"M 1 1 V 9 M 1 5 H {number(length - 1)} M {number(length - 1)} 1 V 9"
    need = text_width(words, font)
    path = element(
        "path",
        d=line,
        fill="none",
        stroke=MUTED,
        transform=f"translate({number(max(0, (need - length) / 2))} 0)",
    )
    width = max(length, need)
    return Part(width, 14 + font * 1.3, (path, label(words, width / 2, 14 + font * 0.65, font, color=MUTED)))
