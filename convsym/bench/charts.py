"""Charts of a run as SVG: ratios and shares of the limit by set, and cost against work."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log, log2, log10

from convsym.bench.layers import KINDS, load
from convsym.bench.peers import OWN
from convsym.bench.results import Row, Run
from convsym.bench.summary import RIVALS, STEEP, Measure, against, against_best, geometric_mean, growth, rows_of
from convsym.bench.tables import duration
from convsym.figures.svg import (
    GRADIENT,
    INK,
    INPUT,
    KERNEL,
    MUTED,
    OUTPUT,
    RULE,
    WINDOW,
    Part,
    Role,
    element,
    figure,
    label,
    number,
    text_width,
)

WIDTH, LEFT, STRIP, GAP = 520, 200, 9, 10
NEAR = 70  # the left edge of the chart of cost
_CHAINS = {"channels": OUTPUT, "pixels": INPUT, "batch": KERNEL}
_ROLES = {"y": OUTPUT, "dx": INPUT, "dw": KERNEL}
_SHARES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis: values from low to high on a length of pixels; what lies outside is set on its end."""

    low: float
    high: float
    length: float

    def place(self, value: float) -> float:
        """The pixel of a value."""
        inside = min(max(value, self.low), self.high)
        return self.length * log(inside / self.low) / log(self.high / self.low)


@dataclass(frozen=True)
class Strip:
    """Values in one color under each other's name: a dot for each, a bar at their geometric mean."""

    role: Role
    values: tuple[float, ...]


def ratio_chart(run: Run, threads: int, peer: str | None = "torch") -> str:
    """Ratios of a peer's time to convsym's, or of the best rival's where `peer` is None.

    Parameters
    ----------
    run : Run
    threads : int
    peer : str, optional

    Returns
    -------
    str
        SVG text.
    """
    measure = against(peer) if peer else against_best()
    kinds = KINDS if peer else ("y",)
    groups = _groups(run, threads, {kind: _Series(_ROLES[kind], kind, measure) for kind in kinds})
    values = [value for strips in groups.values() for strip in strips for value in strip.values] or [1.0]
    low, high = floor(log2(min(*values, 0.5))), ceil(log2(max(*values, 2.0)))
    step = ceil((high - low) / 12)
    powers = range(ceil(low / step) * step, high + 1, step)  # 1 is among them
    marks = {2.0**power: f"{2.0**power:g}" if power >= 0 else f"1/{2**-power}" for power in powers}
    whom = peer or "the best of " + ", ".join(RIVALS)
    title = f"Time of {whom} by convsym's, {_number(threads)}"
    note = "A dot is a layer, a bar the geometric mean of its set. Right of 1 convsym is faster, left of it slower."
    roles = [Role(kind, _ROLES[kind].line, _ROLES[kind].fill) for kind in kinds]
    return figure(_strips(groups, marks, Scale(2.0**low, 2.0**high, WIDTH), 1.0), title, note, roles, note)


def limit_chart(run: Run, threads: int) -> str:
    """Shares of the limit that convsym and the best rival reach in the forward pass.

    Parameters
    ----------
    run : Run
    threads : int

    Returns
    -------
    str
        SVG text.
    """

    def best_rival(row: Row) -> float | None:
        return max((s for rival in RIVALS if (s := run.share_of_limit(row, rival)) is not None), default=None)

    series = {
        OWN: _Series(OUTPUT, "y", run.share_of_limit),
        "best rival": _Series(GRADIENT, "y", best_rival),
    }
    groups = _groups(run, threads, series)
    marks = {share: f"{share:g}".replace("0.", ".") if share < 0.01 else f"{share:.0%}" for share in _SHARES[1:]}
    title = f"Share of the limit in the forward pass, {_number(threads)}"
    note = (
        "The limit of a layer is the larger of its flops by the multiply-add peak and its bytes by the bandwidth, both"
        " measured in the same run; Winograd does fewer multiplications, and caches are faster than memory, so a share"
        " may pass 100%."
    )
    roles = [Role(name, one.role.line, one.role.fill) for name, one in series.items()]
    return figure(_strips(groups, marks, Scale(_SHARES[0], _SHARES[-1], WIDTH), 1.0), title, note, roles, note)


def growth_chart(run: Run, threads: int, kind: str = "y") -> str:
    """Seconds against flops when the work is doubled step by step, both axes logarithmic.

    Parameters
    ----------
    run : Run
    threads : int
    kind : {"y", "dx", "dw"}

    Returns
    -------
    str
        SVG text.
    """
    rows = [row for row in rows_of(run, threads, kind, "growth") if OWN in row.best]
    flops, seconds = [float(row.flops) for row in rows] or [1.0], [row.best[OWN] for row in rows] or [1.0]
    across, up = _decades(flops, WIDTH), _decades(seconds, 260)
    body = [*_axes(across, up), *_ideal(across, up, rows)]
    steep = {step.layer for step in growth(run, threads) if step.kind == kind and step.growth > STEEP}
    for chain, role in _CHAINS.items():
        mine = [row for row in rows if row.chain == chain]
        points = [(NEAR + across.place(row.flops), 10 + up.length - up.place(row.best[OWN])) for row in mine]
        line = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        body.append(element("polyline", points=line, fill="none", stroke=role.line, stroke_width=2, data_series=chain))
        for row, (x, y) in zip(mine, points, strict=True):
            color, size = (WINDOW.line, 4) if row.layer in steep else (role.line, 3)
            body.append(element("circle", cx=x, cy=y, r=size, fill=color, data_step=row.layer))
    chart = Part(NEAR + WIDTH + 40, up.length + 50, tuple(body))
    title = f"Cost against work, {kind}, {_number(threads)}"
    note = "Each step doubles the work; the dashed line grows with it."
    note += f" A large dot costs more than {STEEP} times the one before."
    roles = [Role(f"{name} doubled", role.line, role.fill) for name, role in _CHAINS.items()]
    return figure(chart, title, note, roles, note)


@dataclass(frozen=True)
class _Series:
    """Values of the rows of one result, in a color."""

    role: Role
    kind: str
    measure: Measure


def _number(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def _groups(run: Run, threads: int, series: Mapping[str, _Series]) -> dict[str, list[Strip]]:
    """The strips of every set of the networks, by the title of the set."""
    names = dict.fromkeys(row.set for row in rows_of(run, threads))
    made = {}
    for name in names:
        strips = []
        for one in series.values():
            found = (one.measure(row) for row in rows_of(run, threads, one.kind, name))
            strips.append(Strip(one.role, tuple(value for value in found if value is not None)))
        made[load(name).title] = strips
    return made


def _strips(groups: Mapping[str, Sequence[Strip]], marks: Mapping[float, str], scale: Scale, one: float) -> Part:
    """Strips of dots under each other, named at the left, on a grid of marks."""
    body, y = [], 8.0
    for name, strips in groups.items():
        height = STRIP * len(strips)
        size = min(12.0, 12 * (LEFT - 16) / text_width(name, 12))
        body.append(label(name, LEFT - 10, y + height / 2, size, anchor="end", color=INK))
        for place, strip in enumerate(strips):
            body += _dots(strip, scale, y + STRIP * (place + 0.5))
        y += height + GAP
    lines = []
    for value, words in marks.items():
        x = LEFT + scale.place(value)
        strong = value == one
        lines.append(element("path", d=f"M {number(x)} 0 V {number(y)}", stroke=INK if strong else RULE, fill="none"))
        lines.append(label(words, x, y + 12, 11, color=INK if strong else MUTED))
    return Part(LEFT + WIDTH + 24, y + 22, (*lines, *body))


def _dots(strip: Strip, scale: Scale, y: float) -> list[str]:
    drawn = [
        element(
            "circle",
            cx=LEFT + scale.place(v),
            cy=y,
            r=2.6,
            fill=strip.role.line,
            fill_opacity="0.45",
            data_dot=f"{v:.4g}",
        )
        for v in strip.values
    ]
    mean = geometric_mean(strip.values)
    if mean is not None:
        x = LEFT + scale.place(mean)
        drawn.append(
            element("rect", x=x - 1.5, y=y - 4.5, width=3, height=9, fill=strip.role.line, data_mean=f"{mean:.4g}")
        )
    return drawn


def _decades(values: Iterable[float], length: float) -> Scale:
    """A scale from one power of ten to another that holds the values."""
    found = list(values)
    low, high = floor(log10(min(found))), ceil(log10(max(found)))
    return Scale(10.0**low, 10.0 ** max(high, low + 1), length)


def _axes(across: Scale, up: Scale) -> list[str]:
    """A rule at every power of ten on both axes."""
    body = []
    bottom = 10 + up.length
    for power in range(round(log10(up.low)), round(log10(up.high)) + 1):
        y = bottom - up.place(10.0**power)
        body.append(element("path", d=f"M {NEAR} {number(y)} H {NEAR + WIDTH}", stroke=RULE, fill="none"))
        body.append(label(duration(10.0**power), NEAR - 8, y, 11, anchor="end", color=MUTED))
    for power in range(round(log10(across.low)), round(log10(across.high)) + 1):
        x = NEAR + across.place(10.0**power)
        body.append(element("path", d=f"M {number(x)} 10 V {number(bottom)}", stroke=RULE, fill="none"))
        body.append(label(f"{10.0**power:.0e} flops", x, bottom + 14, 11, color=MUTED))
    return body


def _ideal(across: Scale, up: Scale, rows: Sequence[Row]) -> list[str]:
    """A dashed line through the largest work along which cost grows as work does."""
    if not rows:
        return []
    last = max(rows, key=lambda row: row.flops)
    rate = last.best[OWN] / last.flops
    ends = [flops for flops in (max(across.low, up.low / rate), min(across.high, up.high / rate))]
    points = [(NEAR + across.place(f), 10 + up.length - up.place(f * rate)) for f in ends]
    path = "M " + " L ".join(f"{number(x)} {number(y)}" for x, y in points)
    return [element("path", d=path, stroke=MUTED, stroke_dasharray="5 4", fill="none")]
