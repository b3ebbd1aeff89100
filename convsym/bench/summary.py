"""Figures over a run: means, floors, growth, and the goals they are held against."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import exp, log
from statistics import median

from convsym.bench.layers import KINDS, load
from convsym.bench.peers import OWN, TORCH
from convsym.bench.results import Row, Run

RIVALS = ("onnxruntime", "openvino", "ncnn", "torch")
PLAN = "convsym plan"
FLOORS = (0.95, 0.85)
MOST_BELOW = 0.02  # share of layers that may fall below the first floor
LARGE_WORK = 1e7  # flops from which the growth of cost counts
STEEP = 2.5  # a step of doubled work that costs more than this is listed
Measure = Callable[[Row], float | None]


@dataclass(frozen=True)
class Figure:
    """A measured figure and its goal; `value` is None where nothing was measured, `goal` where none is set."""

    name: str
    value: float | None
    goal: float | None
    at_most: bool = False
    percent: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None where there is nothing to say."""
        if self.value is None or self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal


@dataclass(frozen=True)
class Step:
    """One doubling of the work: seconds after it, and by how much they grew, and torch's over the same step."""

    kind: str
    chain: str
    layer: str
    flops: int
    seconds: float
    growth: float
    peer: float | None


def geometric_mean(values: Iterable[float]) -> float | None:
    """The geometric mean of positive numbers; None of none."""
    logs = [log(value) for value in values]
    return exp(sum(logs) / len(logs)) if logs else None


def against(peer: str, own: str = OWN) -> Measure:
    """The ratio of a peer's time to convsym's."""
    return lambda row: row.ratio(peer, own)


def against_best(own: str = OWN) -> Measure:
    """The ratio of the best rival's time to convsym's; None where no rival has a time."""

    def ratio(row: Row) -> float | None:
        found = [value for value in (row.ratio(rival, own) for rival in RIVALS) if value is not None]
        return min(found, default=None)

    return ratio


def rows_of(run: Run, threads: int, kind: str | None = None, name: str | None = None) -> list[Row]:
    """Rows of one number of threads, of one result or all, of one set or of all that count as networks."""
    return [
        row
        for row in run.rows.values()
        if row.threads == threads
        and kind in (None, row.kind)
        and (row.set == name if name else load(row.set).role == "network")
    ]


def means(run: Run, threads: int, kind: str, measure: Measure) -> dict[str, float]:
    """The geometric mean of a measure over each set of the networks."""
    values: dict[str, list[float]] = {}
    for row in rows_of(run, threads, kind):
        value = measure(row)
        if value is not None:
            values.setdefault(row.set, []).append(value)
    return {name: mean for name, each in values.items() if (mean := geometric_mean(each)) is not None}


def overall(run: Run, threads: int, kind: str, measure: Measure) -> float | None:
    """The geometric mean over the sets, each weighted equally."""
    return geometric_mean(means(run, threads, kind, measure).values())


def mean_of_set(run: Run, threads: int, kind: str, name: str, measure: Measure) -> float | None:
    """The geometric mean over the rows of one set."""
    found = (measure(row) for row in rows_of(run, threads, kind, name))
    return geometric_mean(value for value in found if value is not None)


def below(run: Run, threads: int, kind: str, floor: float, peer: str = "torch") -> list[tuple[Row, float]]:
    """Rows of the networks whose ratio is below a floor, the worst first."""
    found = ((row, row.ratio(peer)) for row in rows_of(run, threads, kind))
    return sorted(
        ((row, ratio) for row, ratio in found if ratio is not None and ratio < floor), key=lambda pair: pair[1]
    )


def share_below(run: Run, threads: int, kind: str, floor: float, peer: str = "torch") -> float | None:
    """Share of the rows of the networks with a ratio to the peer that fall below a floor."""
    count = sum(row.ratio(peer) is not None for row in rows_of(run, threads, kind))
    return len(below(run, threads, kind, floor, peer)) / count if count else None


def growth(run: Run, threads: int) -> list[Step]:
    """Every doubling of the work, with what it cost."""
    return list(_steps(run, threads))


def _steps(run: Run, threads: int) -> Iterator[Step]:
    for kind in KINDS:
        before: Row | None = None
        for row in rows_of(run, threads, kind, "growth"):
            taken = row.best.get(OWN)
            if before is not None and before.chain == row.chain and taken is not None:
                peers = before.best.get(TORCH), row.best.get(TORCH)
                peer = peers[1] / peers[0] if peers[0] and peers[1] else None
                yield Step(kind, row.chain, row.layer, row.flops, taken, taken / before.best[OWN], peer)
            before = row if taken is not None else None


def median_growth(run: Run, threads: int) -> float | None:
    """The median growth over the steps whose work before doubling is large."""
    found = [step.growth for step in growth(run, threads) if step.flops >= 2 * LARGE_WORK]
    return median(found) if found else None


def figures(run: Run, threads: int) -> list[Figure]:
    """The figures of a run with their goals, in the order of the page."""
    return [
        *(figure for kind in KINDS for figure in _against_torch(run, threads, kind)),
        Figure("y against the best rival, plain", overall(run, threads, "y", against_best()), 1.0),
        Figure("y against the best rival, by plan", overall(run, threads, "y", against_best(PLAN)), 1.2),
        *_dense(run, threads),
        *_of_set(run, threads, "one_channel", "one channel 2048x2048, 5x5", KINDS, 10.0),
        *_of_set(run, threads, "depthwise", "depthwise", KINDS, 2.5),
        *_of_set(run, threads, "first_layers", "first layers", ("dx",), 4.0),
        *_of_set(run, threads, "float64", "float64", KINDS, 1.5),
        Figure("rows that convsym has no time of", _untimed(run, threads), 0.0, at_most=True),
        Figure("median growth of cost when work doubles", median_growth(run, threads), 2.1, at_most=True),
    ]


def _untimed(run: Run, threads: int) -> float | None:
    rows = [row for row in run.rows.values() if row.threads == threads]
    return float(sum(OWN not in row.best for row in rows)) if rows else None


def _against_torch(run: Run, threads: int, kind: str) -> Iterator[Figure]:
    yield Figure(f"{kind} against torch", overall(run, threads, kind, against("torch")), 1.8)
    for floor, most in zip(FLOORS, (MOST_BELOW, 0.0), strict=True):
        share = share_below(run, threads, kind, floor)
        yield Figure(f"{kind}: share of layers below {floor} of torch", share, most, at_most=True, percent=True)


def _dense(run: Run, threads: int) -> Iterator[Figure]:
    """Rates of dense layers as shares of the multiply-add peak, the geometric mean over the layers."""
    limits = run.limits.get(threads)
    names = ((f"{OWN} direct", 0.75), (f"{OWN} winograd", None), (PLAN, 1.3), (OWN, None))
    for name, goal in names:
        rows = [row for row in rows_of(run, threads, "y", "dense") if name in row.best] if limits else []
        shares = [row.flops / row.best[name] / limits.peak[row.dtype] for row in rows if limits]
        title = f"dense 3x3 layers, {name}: rate by the multiply-add peak"
        yield Figure(title, geometric_mean(shares), goal, percent=True)


def _of_set(run: Run, threads: int, name: str, title: str, kinds: tuple[str, ...], goal: float) -> Iterator[Figure]:
    for kind in kinds:
        yield Figure(f"{title}: {kind} against torch", mean_of_set(run, threads, kind, name, against("torch")), goal)
