"""A recorded graph drawn: a card for each vertex, computed from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convsym.autograd.pictures.vertices import SMALL, Kind, Vertex, explained, rows
from convsym.figures import (
    EMPTY,
    GRADIENT,
    INPUT,
    KERNEL,
    OUTPUT,
    PADDING,
    Arrow,
    Card,
    Table,
    diagram,
)

ROLES = {
    Kind.LEAF: replace(INPUT, name="leaf: keeps its gradient"),
    Kind.CONSTANT: replace(PADDING, name="constant: no gradient"),
    Kind.OPERATION: replace(KERNEL, name="operation"),
    Kind.EARLIER: replace(EMPTY, name="earlier, not drawn further"),
}
RESULT = replace(OUTPUT, name="result")
SPINE, SPOKEN, MANY = 64.0, 40, 40


def drawn(vertices: Sequence[Vertex], left_out: int = 0) -> str:
    """Draw a graph as SVG; one of many vertices shows single numbers only, so that it stays readable."""
    most = SMALL if len(vertices) <= MANY else 1
    cards = [_card(vertex, n == len(vertices) - 1, most) for n, vertex in enumerate(vertices)]
    roles = [card.role for card in cards] + [table.role for card in cards for table in card.tables]
    result = vertices[-1]
    are = "operation is" if left_out == 1 else "operations are"
    note = f"{left_out} older {are} not drawn; graph(limit=None) draws all." if left_out else ""
    return diagram(
        cards,
        _arrows(vertices),
        title=f"How {result.name or 'the result'} was computed",
        description=_told(vertices, left_out),
        roles=[role for role in (*ROLES.values(), RESULT, GRADIENT) if role in roles],
        note=note,
    )


def _card(vertex: Vertex, last: bool, most: int) -> Card:
    """A vertex as a card: the result in a color of its own."""
    role = RESULT if last and vertex.op else ROLES[vertex.kind]
    shown = ((vertex.value, role, ""), (vertex.gradient, GRADIENT, "gradient"))
    tables = [Table(rows(value, most), color, words) for value, color, words in shown if rows(value, most)]
    lines = (vertex.size, *(f"{name} = {value}" for name, value in vertex.settings))
    return Card(vertex.title, lines, role, explained(vertex), tuple(tables), vertex.inlets)


def _arrows(vertices: Sequence[Vertex]) -> list[Arrow]:
    """An arrow for each operand; the one with the longest history stands straight above its operation."""
    depth: list[int] = []
    arrows = []
    for n, vertex in enumerate(vertices):
        heights = [depth[source] for source in vertex.sources]
        depth.append(max(heights, default=-1) + 1)
        spine = heights.index(max(heights)) if heights else 0
        for place, source in enumerate(vertex.sources):
            weight = SPINE if place == spine and vertices[source].op else 1.0
            arrows.append(Arrow(source, n, place, len(vertex.sources), weight))
    return arrows


def _told(vertices: Sequence[Vertex], left_out: int) -> str:
    """The graph in words, for those who cannot see it."""
    said = []
    for n, vertex in enumerate(vertices[-SPOKEN:], max(len(vertices) - SPOKEN, 0)):
        sources = ", ".join(_called(source, vertices[source]) for source in vertex.sources)
        made = f" of {sources}" if sources else ""
        said.append(f"{_called(n, vertex)} has shape {vertex.shape}{': ' + vertex.op + made if vertex.op else ''}.")
    older = len(vertices) - len(said) + left_out
    return " ".join([*([f"{older} older ones are not told."] if older else []), *said])


def _called(n: int, vertex: Vertex) -> str:
    return vertex.name or f"{vertex.op or vertex.kind.value} {n}"
