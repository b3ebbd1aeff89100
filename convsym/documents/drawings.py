"""The figures of the seeds' pages, drawn from index relations and from the arrays of the examples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convsym import figures
from convsym.documents import tapes
from convsym.documents.arrays import integers
from convsym.documents.matrices import KERNELS, LATER, MATRIX, ROWS, SAMPLES, VECTOR, example
from convsym.documents.same import FILTER, PLANE, REACH
from convsym.figures import INPUT, KERNEL, OUTPUT, Shape
from convsym.ops import registry


def figure_files() -> dict[str, str]:
    """SVG texts by path below the directory of documents."""
    made = _matrices() | _signals() | _planes() | _boxes() | _recorded()
    return {f"seeds/figures/{name}.svg": text for name, text in sorted(made.items())}


def _matrices() -> dict[str, str]:
    x, w, y, _ = example()
    shapes = {"x": x.shape, "w": w.shape, "y": y.shape}
    relation = _axis("stacked_kernels", shapes, {}, 1, 1, 0)
    hidden = {"x": (ROWS,), "w": (1, 2), "y": (1, ROWS - 1)}
    outer = _axis("stacked_kernels", hidden, {}, 1, 1, 0)
    return {
        "matrix-rows": figures.matrix_vector(MATRIX, VECTOR, by="rows"),
        "matrix-columns": figures.matrix_vector(MATRIX, VECTOR, by="columns"),
        "stack-and-shift": figures.stack_and_shift(relation, ROWS, SAMPLES, kernels=KERNELS),
        "stacked-result": figures.stacked_result(x, w, y),
        "toeplitz": figures.toeplitz(relation, ROWS, SAMPLES, kernels=KERNELS),
        "composition": figures.composition(outer, relation, (LATER, w[0]), (ROWS - 1, ROWS, SAMPLES)),
    }


def _signals() -> dict[str, str]:
    mono, stereo = integers(16), integers(2, 16)
    x, w = integers(1, 2, 8), integers(2, 2, 3, start=4)
    shapes = {"x": x.shape, "w": w.shape, "y": (1, 2, 6)}
    relation = _axis("conv1d", shapes, {"stride0": 1, "dilation0": 1, "padding0": 0}, 2, 2, 2)
    return {
        "mono-signal": figures.signal(mono),
        "stereo-signal": figures.signal(stereo, channels=["left", "right"]),
        "layer-by-layer": figures.layer_by_layer(relation, x[0], w, 2),
    }


def _planes() -> dict[str, str]:
    shapes, moved = {"x": PLANE, "w": FILTER, "y": PLANE}, {"alpha": 2, "beta": 1}
    same = [_axis("same", shapes, REACH, axis, axis, axis) for axis in range(2)]
    shifted = registry["shifted_window"].formula
    windows = []
    for axis in range(2):
        triples = figures.axis_relation(shifted, {"x": PLANE, "w": FILTER, "z": ()}, moved,
                                        output=("w", axis), kernel=("w", axis), input=("x", axis))  # fmt: skip
        triples[:, 0] = 0  # ⊙ has one output only
        windows.append(triples)
    large = {"x": (1, 20, 64, 128), "w": (16, 20, 3, 5), "y": (1, 16, 64, 128)}
    steps = {f"{name}{axis}": value for axis, padding in enumerate((1, 2))
             for name, value in (("stride", 1), ("dilation", 1), ("padding", padding))}  # fmt: skip
    wide = [_axis("conv2d", large, steps, axis, axis, axis) for axis in (2, 3)]
    return {
        "window": figures.window(windows, PLANE, FILTER, (1, 1), (0, 0), names=("x", "w", "z"),
                                 title="The filter moved down by 2 and to the right by 1"),
        "same-padding": figures.padding_plane(same, PLANE, [(0, 0), (4, 4)], title="Zeros read by “same” padding"),
        "padding": figures.padding_plane(wide, (64, 128), [(0, 0), (63, 127)], title="Padding (1, 2)"),
    }  # fmt: skip


def _boxes() -> dict[str, str]:
    line, plane = ("channels", "samples"), ("channels", "rows", "columns")
    one = [("x", (1, 2, 64), ("signal", *line), INPUT), ("w", (16, 2, 3), ("kernels", "channels", "taps"), KERNEL),
           ("y", (1, 16, 62), ("signal", *line), OUTPUT)]  # fmt: skip
    two = [("x", (1, 20, 64, 128), ("image", *plane), INPUT), ("w", (16, 20, 3, 5), ("kernels", *plane), KERNEL),
           ("y", (1, 16, 62, 124), ("image", *plane), OUTPUT)]  # fmt: skip
    return {
        "dimensions-1d": figures.dimension_boxes([Shape(*each) for each in one], title="1-D: 2 channels to 16"),
        "dimensions-2d": figures.dimension_boxes([Shape(*each) for each in two], title="2-D: 20 channels to 16"),
    }


def _recorded() -> dict[str, str]:
    names = tapes.example()
    return {"recorded": names["a"].graph(names).svg}


def _axis(
    op: str,
    shapes: Mapping[str, tuple[int, ...]],
    parameters: Mapping[str, int],
    output: int,
    kernel: int,
    source: int,
) -> np.ndarray:
    """The index relation of one axis of an op with operands x and w and the result y."""
    return figures.axis_relation(
        registry[op].formula, shapes, parameters, output=("y", output), kernel=("w", kernel), input=("x", source)
    )
