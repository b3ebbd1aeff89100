"""A recorded graph as lines of text."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from convsym.autograd.pictures.vertices import Kind, Vertex, listed, shortened

DEEP, LONG = 24, 60


def written(vertices: Sequence[Vertex], left_out: int = 0) -> str:
    """Write a graph as a tree: the result first, under each line what it was computed from.

    What is used twice is written out once and marked ``(above)`` or ``(below)`` elsewhere; a branch that would stand
    too far to the right goes on at the left margin.
    """
    used = Counter(source for vertex in vertices for source in vertex.sources)
    written_out: set[int] = set()
    roots, lines = deque([len(vertices) - 1]), []
    later: set[int] = set()
    while roots:
        stack = [(roots.popleft(), "", "", 0)]
        while stack:
            n, lead, under, depth = stack.pop()
            vertex = vertices[n]
            mark = f"#{n} " if n in later or (used[n] > 1 and not vertex.name) else ""
            if n in written_out or (n in later and depth):
                lines.append(f"{lead}{mark}{vertex.title} ({'above' if n in written_out else 'below'})")
                continue
            if depth >= DEEP and vertex.sources:
                later.add(n)
                roots.append(n)
                lines.append(f"{lead}#{n} {vertex.title} (below)")
                continue
            written_out.add(n)
            lines.append(lead + mark + line(vertex))
            last = len(vertex.sources) - 1
            for place in reversed(range(len(vertex.sources))):
                branch, more = ("└─ ", "   ") if place == last else ("├─ ", "│  ")
                stack.append((vertex.sources[place], under + branch, under + more, depth + 1))
    lines += [f"… and {left_out} older operation{'s' * (left_out > 1)} (limit=None shows all)"] if left_out else []
    return "\n".join(lines)


def line(vertex: Vertex) -> str:
    """A vertex on one line: its title, constants and parameters, shape, numbers."""
    words = [vertex.title]
    words += [", ".join(f"{name}={value}" for name, value in vertex.settings)] if vertex.settings else []
    words.append(vertex.size)
    words += [vertex.kind.value] if vertex.kind in (Kind.LEAF, Kind.CONSTANT) and vertex.name else []
    words += [shortened(listed(vertex.value), LONG)] if vertex.value is not None else []
    words += [f"gradient {shortened(listed(vertex.gradient), LONG)}"] if vertex.gradient is not None else []
    return "  ".join(words)
