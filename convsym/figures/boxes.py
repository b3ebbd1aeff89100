"""Arrays as boxes: how many channels deep, how high and wide, how many of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

from convsym.figures.svg import (
    MUTED,
    Part,
    Role,
    above,
    beside,
    element,
    figure,
    label,
    number,
    text,
    text_width,
)

SLOPE = 0.55


@dataclass(frozen=True)
class Shape:
    """An array to draw: its name, its size along each axis, what each axis is called, and its role.

    The first axis counts boxes (samples or kernels), the second is the depth (channels), the rest are space.
    """

    name: str
    sizes: tuple[int, ...]
    axes: tuple[str, ...]
    role: Role


def dimension_boxes(
    shapes: Sequence[Shape], *, symbols: Sequence[str] = ("⋆", "="), title: str = "Dimensions", note: str = ""
) -> str:
    """Draw arrays as boxes beside each other, each axis with its size.

    Parameters
    ----------
    shapes : sequence of Shape
        The arrays: for a convolution the input, the kernels and the output.
    symbols : sequence of str
        What stands between them.
    title : str
        The heading.
    note : str
        A sentence below.

    Returns
    -------
    str
        SVG text; each box bears ``data-shape``.

    Examples
    --------
    >>> from convsym.figures import INPUT, Shape, dimension_boxes
    >>> svg = dimension_boxes([Shape("x", (1, 2, 64), ("samples", "channels", "length"), INPUT)])
    >>> "data-shape=\\"1,2,64\\"" in svg
    True
    """
    for shape in shapes:
        if not 3 <= len(shape.sizes) <= 4 or len(shape.axes) != len(shape.sizes):
            raise ValueError(
                f"{shape.name} has sizes {shape.sizes} and axes {shape.axes}, but a box has 3 or 4 sizes "
                "and a name for each"
            )
    parts: list[Part] = []
    for n, shape in enumerate(shapes):
        parts += [text(symbols[n - 1], 20)] if 0 < n <= len(symbols) else []
        parts.append(_array(shape))
    words = "; ".join(
        f"{shape.name} is " + " × ".join(f"{size} {axis}" for size, axis in zip(shape.sizes, shape.axes, strict=True))
        for shape in shapes
    )
    roles = list(dict.fromkeys(shape.role for shape in shapes))
    return figure(beside(parts, gap=14), title, words + ".", roles, note)


def extent(size: int) -> float:
    """Return the pixels for a size: they grow with its logarithm, so that 3 and 128 both stay legible."""
    return 16 + 22 * log2(max(size, 1))


def _array(shape: Shape) -> Part:
    """All boxes of one array (a few of them where there are many), with the words for every axis."""
    count, depth, *space = shape.sizes
    height = extent(space[0]) if len(space) == 2 else 22
    front = _cuboid(extent(space[-1]), height, 4 + 10 * log2(max(depth, 1)), shape)
    if count > 1:
        dots = [text("⋮", 16, color=MUTED)] if count > 3 else []
        copies = [front] * min(count, 3)
        pile = above([*copies[:2], *dots, *copies[2:]], gap=6)
    else:
        pile = front
    shown = "×".join(map(str, shape.sizes))
    lines = [text(f"{shape.name}  {shown}", 13, mono=True, color=shape.role.line, bold=True)]
    lines += [text(f"{size} {axis}", 12, color=MUTED) for size, axis in zip(shape.sizes, shape.axes, strict=True)]
    return above([pile, above(lines, gap=1)], gap=10)


def _cuboid(width: float, height: float, depth: float, shape: Shape) -> Part:
    """A box seen from the upper right, its depth and spatial sizes written on its edges."""
    role, sizes = shape.role, shape.sizes
    dx, dy = depth * 0.8, depth * SLOPE
    left = text_width(str(sizes[2]), 11) + 6 if len(sizes) == 4 else 0
    right = text_width(str(sizes[1]), 11) + 8

    def face(points: Sequence[tuple[float, float]], shade: float, shown: str = "") -> str:
        return element(
            "polygon",
            points=" ".join(f"{number(x + left)},{number(y + 2)}" for x, y in points),
            fill=role.fill,
            fill_opacity=shade,
            stroke=role.line,
            stroke_linejoin="round",
            data_shape=shown,
        )

    front = [(0, dy), (width, dy), (width, dy + height), (0, dy + height)]
    body = [
        face([(0, dy), (dx, 0), (dx + width, 0), (width, dy)], 0.55),
        face([(width, dy), (width + dx, 0), (width + dx, height), (width, height + dy)], 0.75),
        face(front, 1, ",".join(map(str, sizes))),
    ]
    marks = [
        (sizes[-1], left + width / 2, dy + height + 12, "middle"),
        (sizes[1], left + width + dx / 2 + 6, dy / 2 + height + 10, "start"),
    ]
    marks += [(sizes[2], left - 5, dy + height / 2, "end")] if len(sizes) == 4 else []
    body += [label(size, x, y, 11, anchor=anchor, color=MUTED) for size, x, y, anchor in marks]
    return Part(left + max(width + dx, width + dx / 2 + right) + 2, dy + height + 22, tuple(body))
