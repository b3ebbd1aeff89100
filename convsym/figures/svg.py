"""Pieces of a picture as SVG text: parts know their size and are set side by side, so nothing overlaps."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

SANS = "system-ui,'Segoe UI',Helvetica,Arial,'DejaVu Sans',sans-serif"
MONO = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"
INK, MUTED, PAPER, RULE = "#1b1f24", "#57606a", "#ffffff", "#d0d7de"


@dataclass(frozen=True)
class Role:
    """What a shape stands for; the hues are those of Okabe and Ito, which color-blind readers tell apart."""

    name: str
    line: str
    fill: str
    dash: str = ""


INPUT = Role("input", "#0072b2", "#cfe5f3")
KERNEL = Role("kernel", "#b87700", "#fbe3ac")
OUTPUT = Role("output", "#00795a", "#c3e8db")
GRADIENT = Role("gradient", "#9c3f75", "#f1d3e3")
PADDING = Role("padding (reads 0)", "#8c959f", "#f3f4f6", "3 2")
WINDOW = Role("window", "#c24b00", "none")
EMPTY = Role("structural zero", "#d0d7de", "#ffffff")


@dataclass(frozen=True)
class Part:
    """A piece of a picture: its size in pixels and its SVG elements, drawn from its own upper left corner."""

    width: float
    height: float
    body: tuple[str, ...] = ()


def number(value: float) -> str:
    """Write a coordinate with at most two decimals, so that the text does not depend on the machine."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def element(tag: str, content: str | None = None, **attributes: object) -> str:
    """Return one SVG element; ``_`` in an attribute's name stands for ``-``, and every value is escaped."""
    words = [tag]
    for name, value in attributes.items():
        if value is not None and value != "":
            shown = number(value) if isinstance(value, int | float) else str(value)
            words.append(f"{name.rstrip('_').replace('_', '-')}={quoteattr(clean(shown))}")
    opening = " ".join(words)
    return f"<{opening}/>" if content is None else f"<{opening}>{content}</{tag}>"


def clean(text: str) -> str:
    """Replace the characters that XML 1.0 forbids, which no escape can carry."""
    return "".join(
        c if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff") else "\ufffd"
        for c in text
    )


def text_width(content: str, size: float, mono: bool = False) -> float:
    """Estimate a line's width on the safe side: the widest common fonts stay below it."""
    shown = [c for c in content if not unicodedata.combining(c)]
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in shown)
    return size * (wide + (len(shown) - wide) * (0.61 if mono else 0.6))


def text(
    content: object,
    size: float = 13,
    *,
    mono: bool = False,
    color: str = INK,
    bold: bool = False,
    anchor: str = "middle",
) -> Part:
    """Return one line of text as a part, set in the middle or at the start of the width it may need."""
    words = str(content)
    width, height = text_width(words, size, mono), size * 1.3
    x = 0.0 if anchor == "start" else width / 2
    return Part(width, height, (label(words, x, height / 2, size, anchor=anchor, mono=mono, color=color, bold=bold),))


def label(
    content: object,
    x: float,
    y: float,
    size: float = 13,
    *,
    anchor: str = "middle",
    mono: bool = False,
    color: str = INK,
    bold: bool = False,
) -> str:
    """Return text whose middle is at ``y``, by an offset in pixels since renderers differ on baselines."""
    return element(
        "text",
        escape(clean(str(content))),
        x=x,
        y=y + 0.35 * size,
        font_size=size,
        text_anchor=anchor if anchor != "start" else None,
        fill=color,
        font_family=MONO if mono else None,
        font_weight="600" if bold else None,
    )


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    role: Role,
    *,
    stroke: float = 1,
    data: Iterable[tuple[str, object]] = (),
) -> str:
    """Return a rectangle in the colors of its role; ``data`` become ``data-…`` attributes for tests."""
    marks = {f"data_{name}": str(value) for name, value in data}
    return element(
        "rect",
        x=x,
        y=y,
        width=width,
        height=height,
        fill=role.fill,
        stroke=role.line,
        stroke_width=stroke,
        stroke_dasharray=role.dash,
        **marks,
    )


def moved(part: Part, x: float, y: float) -> str:
    """Return the part's elements as one group, moved by (x, y)."""
    return element("g", "".join(part.body), transform=f"translate({number(x)} {number(y)})")


def beside(parts: Iterable[Part], gap: float = 16, align: float = 0.5) -> Part:
    """Set parts from left to right; ``align`` is 0 for tops in line, 1 for bottoms, 0.5 for middles."""
    row = list(parts)
    height = max((part.height for part in row), default=0)
    body, x = [], 0.0
    for part in row:
        body.append(moved(part, x, (height - part.height) * align))
        x += part.width + gap
    return Part(max(x - gap, 0), height, tuple(body))


def above(parts: Iterable[Part], gap: float = 12, align: float = 0.5) -> Part:
    """Set parts from top to bottom; ``align`` is 0 for left edges in line, 0.5 for middles."""
    column = list(parts)
    width = max((part.width for part in column), default=0)
    body, y = [], 0.0
    for part in column:
        body.append(moved(part, (width - part.width) * align, y))
        y += part.height + gap
    return Part(width, max(y - gap, 0), tuple(body))


def framed(part: Part, margin: float) -> Part:
    """Return the part with an empty margin around it."""
    return Part(part.width + 2 * margin, part.height + 2 * margin, (moved(part, margin, margin),))


def wrapped(content: str, width: float, size: float = 12, color: str = MUTED) -> Part:
    """Return text broken into lines no wider than ``width``."""
    lines: list[str] = []
    for word in content.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return above([text(line, size, color=color) for line in lines], gap=2)


def legend(roles: Sequence[Role], width: float) -> Part:
    """Return the key to the colors, in as many rows as the width asks for."""
    rows: list[list[Part]] = [[]]
    for role in roles:
        swatch = Part(14, 14, (box(1, 1, 12, 12, role, stroke=2 if role.fill == "none" else 1),))
        entry = beside([swatch, text(role.name, 12, color=MUTED, anchor="start")], gap=6)
        if rows[-1] and sum(part.width + 18 for part in rows[-1]) + entry.width > width:
            rows.append([])
        rows[-1].append(entry)
    return above([beside(row, gap=18) for row in rows], gap=6)


def figure(part: Part, title: str, description: str, roles: Sequence[Role] = (), note: str = "") -> str:
    """Return a whole SVG document: heading, picture, note and key on an opaque light ground.

    Parameters
    ----------
    part : Part
        The picture.
    title : str
        The heading, also read out by screen readers.
    description : str
        What the picture shows, for those who cannot see it.
    roles : sequence of Role
        The colors to explain below the picture.
    note : str
        A sentence below the picture.

    Returns
    -------
    str
        SVG text, the same bytes for the same arguments.
    """
    width = max(part.width, text_width(title, 16), 320)
    rows = [text(title, 16, bold=True), part]
    rows += [wrapped(note, width)] if note else []
    rows += [legend(list(dict.fromkeys(roles)), width)] if roles else []
    whole = framed(above(rows, gap=14), 20)
    head = (element("title", escape(clean(title))), element("desc", escape(clean(description))))
    ground = element(
        "rect", x=0.5, y=0.5, width=whole.width - 1, height=whole.height - 1, rx=8, fill=PAPER, stroke=RULE
    )
    size = f"0 0 {number(whole.width)} {number(whole.height)}"
    return (
        element(
            "svg",
            "\n".join(("", *head, ground, *whole.body, "")),
            xmlns="http://www.w3.org/2000/svg",
            viewBox=size,
            width=whole.width,
            height=whole.height,
            role="img",
            aria_label=title,
            font_family=SANS,
        )
        + "\n"
    )
