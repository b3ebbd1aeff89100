"""A recorded graph in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Sequence

from convsym.autograd.pictures.vertices import Kind, Vertex, explained, listed

SHAPES = {
    Kind.LEAF: 'shape=box, style=filled, fillcolor="#cfe5f3"',
    Kind.CONSTANT: "shape=box, style=dashed",
    Kind.OPERATION: 'shape=box, style="rounded,filled", fillcolor="#fbe3ac"',
    Kind.EARLIER: 'shape=box, style="rounded,dashed"',
}


def written(vertices: Sequence[Vertex]) -> str:
    """Write a graph as DOT: one statement for each vertex and one for each operand."""
    lines = ["digraph {", "  rankdir=TB;", '  node [fontname="sans-serif"];']
    for n, vertex in enumerate(vertices):
        words = [vertex.title, vertex.size, *(f"{name} = {value}" for name, value in vertex.settings)]
        words += [listed(vertex.value)] if vertex.value is not None else []
        words += [f"gradient {listed(vertex.gradient)}"] if vertex.gradient is not None else []
        tip = _quoted([explained(vertex)])
        lines.append(f"  v{n} [{SHAPES[vertex.kind]}, label={_quoted(words)}, tooltip={tip}];")
    for n, vertex in enumerate(vertices):
        for source, inlet in zip(vertex.sources, vertex.inlets, strict=True):
            mark = f" [label={_quoted([inlet])}]" if inlet and len(vertex.sources) > 1 else ""
            lines.append(f"  v{source} -> v{n}{mark};")
    return "\n".join([*lines, "}", ""])


def _quoted(lines: Sequence[str]) -> str:
    """A string of DOT: backslashes and quotation marks escaped, lines told apart by an escape."""
    text = "\n".join(lines).replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\ufffd")
    return '"' + text.replace("\r", "").replace("\n", "\\n") + '"'
