"""Cards joined by arrows: what a computation is made of, drawn from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from convsym.figures.arrangement import Arrow, Segment, arrange
from convsym.figures.cells import Axis, Cell, cell_width, draw
from convsym.figures.svg import (
    MUTED,
    Part,
    Role,
    above,
    clean,
    element,
    figure,
    label,
    moved,
    number,
    text,
    text_width,
)

PAD, SMALL, TIP, BOLD = 9.0, 11.0, 7.0, 1.15


@dataclass(frozen=True)
class Table:
    """Numbers to show on a card, with the word for what they are."""

    rows: tuple[tuple[str, ...], ...]
    role: Role
    caption: str = ""


@dataclass(frozen=True)
class Card:
    """A box of a diagram: its heading, smaller lines, numbers, what hovering over it shows, and names of its inlets."""

    title: str
    lines: tuple[str, ...]
    role: Role
    hover: str = ""
    tables: tuple[Table, ...] = ()
    inlets: tuple[str, ...] = ()


def diagram(
    cards: Sequence[Card],
    arrows: Sequence[Arrow],
    *,
    title: str,
    description: str,
    roles: Sequence[Role] = (),
    note: str = "",
) -> str:
    """Draw cards in layers, each arrow from the bottom of one to an inlet of another.

    Parameters
    ----------
    cards : sequence of Card
        The boxes.
    arrows : sequence of Arrow
        What leads where; cards by their numbers.
    title, description : str
        Heading, and what the picture shows for those who cannot see it.
    roles : sequence of Role
        The colors to explain.
    note : str
        A sentence below.

    Returns
    -------
    str
        SVG text; each card is a group with ``data-card`` and its own ``<title>``, which browsers show on hover.

    Examples
    --------
    >>> from convsym.figures import INPUT, OUTPUT, Arrow, Card, diagram
    >>> cards = [Card("x", ("(2, 2)",), INPUT), Card("sum", ("()",), OUTPUT, hover="dx += dy")]
    >>> svg = diagram(cards, [Arrow(0, 1)], title="A sum", description="x is added up")
    >>> "<title>dx += dy</title>" in svg
    True
    """
    drawn = [_card(card) for card in cards]
    found = arrange([(part.width, part.height) for part in drawn], arrows)
    body = [_lane(*lane) for lane in found.lanes]
    body += [_line(segment) for segment in found.segments]
    for n, (part, (x, y)) in enumerate(zip(drawn, found.corners, strict=True)):
        body.append(_group(n, cards[n], part, x, y))
    return figure(Part(found.width, found.height, tuple(body)), title, description, roles, note)


def _group(n: int, card: Card, part: Part, x: float, y: float) -> str:
    """A card in its place, with its hover text."""
    inner = (element("title", escape(clean(card.hover))) if card.hover else "") + "".join(part.body)
    return element("g", inner, transform=f"translate({number(x)} {number(y)})", data_card=n)


def _card(card: Card) -> Part:
    """A rounded box with its texts and numbers under each other."""
    rows = [text(card.title, 13, bold=True)]
    rows += [text(line, SMALL, mono=True, color=MUTED) for line in card.lines]
    for table in card.tables:
        rows += [text(table.caption, SMALL, color=MUTED)] if table.caption else []
        rows.append(_table(table))
    inside = above(rows, gap=3)
    named = len(card.inlets) > 1
    slot = max((text_width(name, SMALL) + 6 for name in card.inlets), default=0.0)
    bold = BOLD * text_width(card.title, 13)
    width = max(inside.width + 2 * PAD, bold + PAD, slot * (len(card.inlets) + 1) if named else 0.0)
    top = PAD + SMALL if named else PAD - 2
    height = top + inside.height + PAD - 2
    frame = element(
        "rect", x=0, y=0, width=width, height=height, rx=6, fill=card.role.fill, stroke=card.role.line,
        stroke_dasharray=card.role.dash,
    )  # fmt: skip
    names = [
        label(name, width * (n + 1) / (len(card.inlets) + 1), PAD, SMALL, color=MUTED)
        for n, name in enumerate(card.inlets)
        if named and name
    ]
    return Part(width, height, (frame, *names, moved(inside, (width - inside.width) / 2, top)))


def _table(table: Table) -> Part:
    """Numbers in cells of one width."""
    rows, columns = Axis.of(0, len(table.rows)), Axis.of(0, len(table.rows[0]))
    width = cell_width([word for row in table.rows for word in row], 20, SMALL)
    return draw(rows, columns, lambda i, j: Cell(table.role, table.rows[i][j]), width=width, height=18, font=SMALL)


def _lane(x: float, top: float, bottom: float) -> str:
    """The way of an arrow past the boxes of a layer."""
    return element("path", d=f"M {number(x)} {number(top)} V {number(bottom)}", fill="none", stroke=MUTED)


def _line(segment: Segment) -> str:
    """A curve from layer to layer that stays between them, with a tip where it arrives."""
    (x, y), (u, v) = segment.start, segment.end
    middle = number((y + v) / 2)
    curve = f"M {number(x)} {number(y)} C {number(x)} {middle} {number(u)} {middle} {number(u)} {number(v)}"
    path = element("path", d=curve + _down(segment), fill="none", stroke=MUTED)
    if segment.stop is None:
        return path
    tip = " ".join(f"{number(a)},{number(b)}" for a, b in _tip(u, segment.stop))
    return path + element("polygon", points=tip, fill=MUTED)


def _down(segment: Segment) -> str:
    return "" if segment.stop is None else f" V {number(segment.stop)}"


def _tip(x: float, y: float) -> list[tuple[float, float]]:
    return [(x, y), (x - TIP / 2, y - TIP), (x + TIP / 2, y - TIP)]
