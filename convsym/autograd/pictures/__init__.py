"""Pictures of what a tape recorded: SVG, Graphviz text and a tree, from one plain description."""

from convsym.autograd.pictures.graph import Graph
from convsym.autograd.pictures.reading import read
from convsym.autograd.pictures.vertices import Kind, Vertex, explained

__all__ = ["Graph", "Kind", "Vertex", "explained", "read"]
