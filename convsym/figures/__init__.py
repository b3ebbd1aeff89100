"""Figures as SVG text, drawn from index relations, arrays and shapes; never from typed geometry.

``axis_relation`` reads formulas and so loads SymPy; it is loaded when it is asked for, as pictures need no algebra.
"""

from typing import TYPE_CHECKING

from convsym.figures.arrangement import Arrow
from convsym.figures.banded import composition, toeplitz
from convsym.figures.boxes import Shape, dimension_boxes
from convsym.figures.charts import line_chart, signal
from convsym.figures.diagrams import Card, Table, diagram
from convsym.figures.images import image_grid
from convsym.figures.layers import layer_by_layer, stack_and_shift, stacked_result
from convsym.figures.matrices import matrix, matrix_vector
from convsym.figures.planes import padding_plane, window
from convsym.figures.svg import EMPTY, GRADIENT, INPUT, KERNEL, OUTPUT, PADDING, WINDOW, Role

if TYPE_CHECKING:
    from convsym.figures.relations import axis_relation

__all__ = [
    "EMPTY",
    "GRADIENT",
    "INPUT",
    "KERNEL",
    "OUTPUT",
    "PADDING",
    "WINDOW",
    "Arrow",
    "Card",
    "Role",
    "Shape",
    "Table",
    "axis_relation",
    "composition",
    "diagram",
    "dimension_boxes",
    "image_grid",
    "layer_by_layer",
    "line_chart",
    "matrix",
    "matrix_vector",
    "padding_plane",
    "signal",
    "stack_and_shift",
    "stacked_result",
    "toeplitz",
    "window",
]


def __getattr__(name: str) -> object:
    if name == "axis_relation":
        from convsym.figures.relations import axis_relation

        return axis_relation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
