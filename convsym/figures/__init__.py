"""Figures as SVG text, drawn from index relations, arrays and shapes; never from typed geometry."""

from convsym.figures.banded import composition, toeplitz
from convsym.figures.boxes import Shape, dimension_boxes
from convsym.figures.charts import line_chart, signal
from convsym.figures.images import image_grid
from convsym.figures.layers import layer_by_layer, stack_and_shift, stacked_result
from convsym.figures.matrices import matrix, matrix_vector
from convsym.figures.planes import padding_plane, window
from convsym.figures.relations import axis_relation
from convsym.figures.svg import EMPTY, GRADIENT, INPUT, KERNEL, OUTPUT, PADDING, WINDOW, Role

__all__ = [
    "EMPTY",
    "GRADIENT",
    "INPUT",
    "KERNEL",
    "OUTPUT",
    "PADDING",
    "WINDOW",
    "Role",
    "Shape",
    "axis_relation",
    "composition",
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
