"""Small pictures as SVG paths: digits and filters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convsym.figures.svg import (
    MUTED,
    WINDOW,
    Part,
    Role,
    above,
    beside,
    box,
    element,
    figure,
    moved,
    number,
    text,
)


def image_grid(
    images: np.ndarray,
    captions: Sequence[str],
    *,
    marks: Sequence[bool] | None = None,
    columns: int = 10,
    pixel: float = 7,
    signed: bool = False,
    title: str = "Images",
) -> str:
    """Draw small gray pictures with a caption below each.

    Parameters
    ----------
    images : ndarray, shape (count, height, width)
        The pictures. Unsigned: the largest value is black; signed: blue is negative, orange positive.
    captions : sequence of str
        The words below each picture.
    marks : sequence of bool, optional
        True draws a caption in the quiet color, False marks it as wrong, with a cross.
    columns : int
        Pictures in one row.
    pixel : float
        The side of a pixel.
    signed : bool
        Whether negative and positive values are told apart.
    title : str
        The heading.

    Returns
    -------
    str
        SVG text.
    """
    parts = []
    for n, (image, caption) in enumerate(zip(images, captions, strict=True)):
        right = marks is None or bool(marks[n])
        words = text(caption if right else f"{caption} ✗", 11, color=MUTED if right else WINDOW.line, bold=not right)
        parts.append(above([raster(image, pixel, signed), words], gap=3))
    width = max((part.width for part in parts), default=0)
    parts = [Part(width, part.height, (moved(part, (width - part.width) / 2, 0),)) for part in parts]
    rows = [beside(parts[n : n + columns], gap=10, align=0) for n in range(0, len(parts), columns)]
    return figure(above(rows, gap=10, align=0), title, f"{len(parts)} pictures: {', '.join(captions)}.")


def raster(image: np.ndarray, pixel: float, signed: bool = False) -> Part:
    """Return one picture; pixels of the same shade share one path, which keeps the text short."""
    peak = float(np.abs(image).max()) or 1.0
    shades = np.rint(np.asarray(image, dtype=float) / peak * 16).astype(int)
    height, width = shades.shape
    paths = []
    for shade in np.unique(shades):
        if shade == 0:
            continue
        d = "".join(
            f"M{number(j * pixel)} {number(i * pixel)}h{number(pixel)}v{number(pixel)}h-{number(pixel)}z"
            for i, j in zip(*np.nonzero(shades == shade), strict=True)
        )
        paths.append(element("path", d=d, fill=_shade(int(shade), signed)))
    frame = box(0, 0, width * pixel, height * pixel, Role("", "#8c959f", "none"))
    return Part(width * pixel, height * pixel, (*paths, frame))


def _shade(level: int, signed: bool) -> str:
    """The color of a level from -16 to 16: gray, or on a scale from blue over white to orange."""
    t = abs(level) / 16
    dark = (27, 31, 36) if not signed else (0, 90, 160) if level < 0 else (190, 90, 0)
    return "#" + "".join(f"{round(255 + (c - 255) * t):02x}" for c in dark)
