"""Signals as stems and series as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

import numpy as np

from convsym.figures.svg import (
    INK,
    INPUT,
    MUTED,
    RULE,
    WINDOW,
    Part,
    Role,
    above,
    element,
    figure,
    label,
    number,
    text,
)

STROKES = ((INK, ""), (WINDOW.line, "7 3"), (INPUT.line, "2 3"), (MUTED, "9 3 2 3"))
LEFT, TOP, WIDTH, HEIGHT = 64, 10, 340, 200


def signal(
    samples: np.ndarray,
    *,
    channels: Sequence[str] | None = None,
    base: int = 0,
    role: Role = INPUT,
    title: str | None = None,
) -> str:
    """Draw a sampled signal, one strip of stems for each channel.

    Parameters
    ----------
    samples : ndarray, shape (n,) or (channels, n)
        The values; one channel is a monophonic signal, two are stereophonic.
    channels : sequence of str, optional
        The names of the channels.
    base : {0, 1}
        Where the printed indices start.
    role : Role
        The colors.
    title : str, optional
        The heading.

    Returns
    -------
    str
        SVG text.
    """
    table = np.atleast_2d(samples)
    count, n = table.shape
    names = channels or [f"channel {c + base}" for c in range(count)]
    kind = {1: "Monophonic", 2: "Stereophonic"}.get(count, f"{count}-channel")
    strips = [
        above([text(name, 12, color=role.line, anchor="start"), _stems(row, base, role)], gap=2, align=0)
        for name, row in zip(names, table, strict=True)
    ]
    words = f"A signal of {count} channel{'s' * (count != 1)} with {n} samples: "
    words += f"x maps {{{base}, …, {n - 1 + base}}} to ℝ"
    words += {1: "", 2: "²", 3: "³"}.get(count, f"^{count}") + "."
    return figure(above(strips, gap=14), title or f"{kind} signal", words, [role], words)


def _stems(values: np.ndarray, base: int, role: Role, width: float = 560, height: float = 90) -> Part:
    """One channel: a stem and a dot for each sample, with the axis at zero."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    span = (high - low) or 1.0
    step = width / len(values)
    zero = 8 + (height - 16) * high / span
    body = [element("path", d=f"M 0 {number(zero)} H {number(width)}", stroke=MUTED, fill="none")]
    for n, value in enumerate(values):
        x, y = (n + 0.5) * step, 8 + (height - 16) * (high - float(value)) / span
        body.append(
            element("path", d=f"M {number(x)} {number(zero)} V {number(y)}", stroke=role.line, stroke_width=1.5)
        )
        body.append(element("circle", cx=x, cy=y, r=3, fill=role.line, data_sample=n))
    every = max(1, ceil(26 / step))
    body += [
        label(n + base, (n + 0.5) * step, height + 8, 11, color=MUTED, mono=True) for n in range(0, len(values), every)
    ]
    return Part(width, height + 16, tuple(body))


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers that cover a range: multiples of 1, 2 or 5 times a power of ten."""
    high = high if high > low else low + 1
    raw = (high - low) / count
    scale = 10.0 ** floor(log10(raw))
    step = next(scale * m for m in (1, 2, 5, 10) if scale * m >= raw * 0.999)
    return [round(i * step, 10) for i in range(floor(low / step + 1e-9), ceil(high / step - 1e-9) + 1)]


def line_chart(
    series: Mapping[str, Sequence[float]],
    *,
    x_label: str,
    y_label: str,
    first: int = 1,
    title: str = "Chart",
    percent: bool = False,
    low: float | None = None,
) -> str:
    """Draw series of numbers as lines, each named at its end.

    Parameters
    ----------
    series : mapping of str to sequence of float
        The lines by name.
    x_label, y_label : str
        The names of the axes.
    first : int
        The number of the first point.
    title : str
        The heading.
    percent : bool
        Whether the values are printed as percentages.
    low : float, optional
        Where the vertical axis begins; the least value if not given.

    Returns
    -------
    str
        SVG text.
    """
    values = [float(v) for line in series.values() for v in line if isfinite(v)] or [0.0]
    marks = ticks(min(values) if low is None else low, max(values))
    frame = _Frame(marks[0], marks[-1], max(len(line) for line in series.values()))
    body = frame.grid(marks, first, percent)
    body.append(label(x_label, LEFT + WIDTH / 2, TOP + HEIGHT + 34, 12, color=MUTED))
    turned = f"translate(12 {TOP + HEIGHT / 2}) rotate(-90)"
    body.append(element("g", label(y_label, 0, 0, 12, color=MUTED), transform=turned))
    for (name, line), (color, dash) in zip(series.items(), STROKES, strict=False):
        body += frame.line(name, line, color, dash)
    chart = Part(LEFT + WIDTH + 12, TOP + HEIGHT + 44, tuple(body))
    key = above([_key(name, *stroke) for name, stroke in zip(series, STROKES, strict=False)], gap=4, align=0)
    last = "; ".join(f"{name} ends at {float(line[-1]):.4g}" for name, line in series.items())
    return figure(above([chart, key], gap=8), title, f"{y_label} against {x_label}: {last}.")


@dataclass(frozen=True)
class _Frame:
    """The field of a chart: the values at its lower and upper edge, and how many points it is wide."""

    low: float
    high: float
    length: int

    def place(self, n: int, value: float) -> tuple[float, float]:
        """Return the pixel of the n-th value."""
        share = (value - self.low) / (self.high - self.low)
        return LEFT + WIDTH * n / max(self.length - 1, 1), TOP + HEIGHT * (1 - share)

    def grid(self, marks: Sequence[float], first: int, percent: bool) -> list[str]:
        """Draw a rule for every mark, and the numbers on both axes."""
        body = []
        for mark in marks:
            y = self.place(0, mark)[1]
            words = f"{mark:.0%}" if percent else f"{mark:g}"
            body.append(element("path", d=f"M {LEFT} {number(y)} H {LEFT + WIDTH}", stroke=RULE, fill="none"))
            body.append(label(words, LEFT - 8, y, 11, anchor="end", color=MUTED))
        for n in range(0, self.length, max(1, ceil(self.length / 12))):
            body.append(label(n + first, self.place(n, self.low)[0], TOP + HEIGHT + 14, 11, color=MUTED))
        return body

    def line(self, name: str, values: Sequence[float], color: str, dash: str) -> list[str]:
        """Draw a series and a dot at its end; values that are not finite have no place."""
        drawn = [self.place(n, float(v)) for n, v in enumerate(values) if isfinite(v)]
        points = " ".join(",".join(map(number, point)) for point in drawn)
        dots = [element("circle", cx=x, cy=y, r=3, fill=color) for x, y in drawn[-1:]]
        stroke = element(
            "polyline",
            points=points,
            fill="none",
            data_series=name,
            stroke=color,
            stroke_width=2,
            stroke_dasharray=dash,
        )
        return [stroke, *dots]


def _key(name: str, color: str, dash: str) -> Part:
    """A sample of a line with its name."""
    words = text(name, 12, color=MUTED, anchor="start")
    line = element("path", d="M 0 8 H 30", stroke=color, stroke_width=2, stroke_dasharray=dash, fill="none")
    return Part(38 + words.width, words.height, (line, element("g", "".join(words.body), transform="translate(38 0)")))
