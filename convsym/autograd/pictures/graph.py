"""A recorded computation that shows itself."""

from __future__ import annotations

from dataclasses import dataclass

from convsym.autograd.pictures import dots, drawings, trees
from convsym.autograd.pictures.vertices import Vertex


@dataclass(frozen=True)
class Graph:
    """A computation as the tape recorded it.

    ``print`` shows a tree, a notebook a picture; `tree`, `svg` and `dot` are the texts.

    Attributes
    ----------
    vertices : tuple of Vertex
        Leaves, constant arrays and operations, each once; sources stand before what is computed from them, and the
        result is last.
    left_out : int
        How many older operations were left out.

    Examples
    --------
    >>> import convsym
    >>> x = convsym.tensor([[1, 2], [3, 4]], requires_grad=True)
    >>> y = x - 2
    >>> (y * y).sum().graph({"x": x, "y": y})
    sum  ()  6
    └─ mul(y, y)  (2, 2)  [[1, 0], [1, 4]]
       ├─ y = sub(x, 2)  (2, 2)  [[-1, 0], [1, 2]]
       │  └─ x  (2, 2) float64  leaf  [[1, 2], [3, 4]]
       └─ y = sub(x, 2) (above)
    """

    vertices: tuple[Vertex, ...]
    left_out: int = 0

    @property
    def svg(self) -> str:
        """The picture as SVG text: a card for each vertex, with its derived rules on hover."""
        return drawings.drawn(self.vertices, self.left_out)

    @property
    def dot(self) -> str:
        """The graph in the language of Graphviz, with the derived rules as tooltips."""
        return dots.written(self.vertices)

    @property
    def tree(self) -> str:
        """The graph as lines of text, the result first; what is used twice is written out once."""
        return trees.written(self.vertices, self.left_out)

    def __str__(self) -> str:
        return self.tree

    def __repr__(self) -> str:
        return self.tree

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """The same picture inline: some notebooks show SVG as an image, and images do not react to the mouse."""
        return f'<div style="overflow-x: auto">{self.svg}</div>'
