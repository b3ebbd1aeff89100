"""The page on speed, made from a committed measurement: every figure with its goal, losses as plainly as wins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from convsym.bench import charts, summary
from convsym.bench.layers import KINDS, load, set_names
from convsym.bench.peers import OWN
from convsym.bench.results import Row, Run
from convsym.bench.results import load as load_run
from convsym.bench.summary import FLOORS, PLAN, Figure
from convsym.bench.tables import duration
from convsym.documents.markdown import blocks, bullets, page, prose, table

RESULTS = Path("benchmarks", "results")  # beside the directory of documents
COMMAND = "python benchmarks/run.py && convsym doc docs"
_MEANT = {"y": "output", "dx": "gradient by the input", "dw": "gradient by the weight"}


def performance_pages(directory: Path) -> dict[str, str]:
    """The page and its charts, by path below the directory of documents, from the newest measurement beside it.

    Of each other measurement, on another machine, the page has the figures.

    Parameters
    ----------
    directory : Path
        The directory of documents; where no measurement lies in ``../benchmarks/results``, there is no page.

    Returns
    -------
    dict
    """
    found = sorted((directory.resolve().parent / RESULTS).glob("*.json"))
    if not found:
        return {}
    *others, run = map(load_run, found)
    figures = dict(_figures(run))
    charted = {f"figures/{name}.svg": text for name, text in figures.items()}
    return {"performance.md": _page(run, found[-1].name, figures, others)} | charted


def _figures(run: Run) -> Iterator[tuple[str, str]]:
    for threads in _threads(run):
        yield f"ratio-torch-{threads}", charts.ratio_chart(run, threads)
        yield f"ratio-best-{threads}", charts.ratio_chart(run, threads, None)
        yield f"limit-{threads}", charts.limit_chart(run, threads)
        for kind in KINDS:
            if any(kind == row.kind for row in run.rows.values() if row.set == "growth" and row.threads == threads):
                yield f"growth-{kind}-{threads}", charts.growth_chart(run, threads, kind)


def _threads(run: Run) -> list[int]:
    return sorted({row.threads for row in run.rows.values()})


def _page(run: Run, source: str, figures: dict[str, str], others: Sequence[Run]) -> str:
    threads = _threads(run)
    return page(
        "# Speed",
        f"**{run.conditions['note']}**" if "note" in run.conditions else "",
        prose(f"""Measured on {run.machine["date"]} on {run.machine["processor"]} with {run.machine["cpus"]} CPUs,
            kernels of level {run.machine["level"]}. All competitors take turns in one process, with the same number of
            threads; a result is compared with convsym's before it is timed. A ratio is the time of another library by
            convsym's, the best run of each: **above 1 convsym is faster, below 1 it is slower.** convsym is called by
            its public functions with plain arrays, nothing prepared, unless a row says plan; onnxruntime, OpenVINO and
            ncnn have packed the weights beforehand."""),
        prose(f"""Source: `{RESULTS.as_posix()}/{source}`; again on your machine: `{COMMAND}`, or `convsym bench` for a
            short look."""),
        "## Figures and goals",
        table(["figure", "goal", *map(_number, threads)], _goals(run, threads)),
        *(part for other in others for part in _elsewhere(other)),
        "## By set of layers",
        *(_by_set(run, count) for count in threads),
        "## Where torch is faster",
        "Ways that were tried and do not help are [recorded](measurements/attempts-2026-11-22.md).",
        *(_losses(run, count) for count in threads),
        "## Where onnxruntime, OpenVINO, ncnn or torch is faster",
        *(_behind_best(run, count) for count in threads),
        "## Failures and disagreements",
        _news(run),
        "## Charts",
        *(f"![{name}](figures/{name}.svg)" for name in figures),
        "## Where doubled work costs more than it should",
        prose("""Work that is doubled costs more than twice as much where another way to compute takes over or a team of
            threads is called in, where arrays leave the second cache of a core, and
            where results are so large that the system gives new memory for each of them, cleared page by page. Torch's
            growth over the same step is beside ours: where both are steep, it is the memory."""),
        *(_steep(run, count) for count in threads),
        "## Every layer",
        *(_all_rows(run, name, count) for name in set_names() for count in threads),
        "## Conditions",
        bullets(_conditions(run)),
    )


def _elsewhere(run: Run) -> tuple[str, str]:
    """The figures of another machine."""
    threads, machine = _threads(run), run.machine
    heading = f"### On {machine['processor']}, level {machine['level']}, {machine['date']}"
    return heading, table(["figure", "goal", *map(_number, threads)], _goals(run, threads))


def _number(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def _goals(run: Run, threads: list[int]) -> Iterator[list[str]]:
    by_threads = [summary.figures(run, count) for count in threads]
    for same in zip(*by_threads, strict=True):
        first = same[0]
        sign = "≤" if first.at_most else "≥"
        goal = "–" if first.goal is None else f"{sign} {_value(first, first.goal)}"
        yield [first.name, goal, *(_judged(figure) for figure in same)]


def _judged(figure: Figure) -> str:
    if figure.value is None:
        return "not measured"
    text = _value(figure, figure.value)
    return text if figure.reached is None else f"{text} ✓" if figure.reached else f"**{text} ✗**"


def _value(figure: Figure, value: float) -> str:
    return f"{value:.0%}" if figure.percent else f"{value:.2f}"


def _by_set(run: Run, threads: int) -> str:
    """Geometric means of every set: against torch by result, against the best rival plain and by plan."""
    columns = [
        *(summary.means(run, threads, kind, summary.against("torch")) for kind in KINDS),
        summary.means(run, threads, "y", summary.against_best()),
        summary.means(run, threads, "y", summary.against_best(PLAN)),
    ]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [[load(name).title, *(_ratio(column.get(name)) for column in columns)] for name in names]
    head = [_number(threads), *(f"{kind} / torch" for kind in KINDS), "y / best rival", "y / best rival, by plan"]
    return table(head, rows)


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _losses(run: Run, threads: int) -> str:
    """Every layer of the networks below the first floor, the worst first."""
    parts = []
    for kind in KINDS:
        found = summary.below(run, threads, kind, FLOORS[0])
        count = sum(row.ratio("torch") is not None for row in summary.rows_of(run, threads, kind))
        worst = sum(ratio < FLOORS[1] for _, ratio in found)
        words = (
            f"{_number(threads)}, {kind} ({_MEANT[kind]}): {len(found)} of {count} layers below {FLOORS[0]} of torch"
        )
        parts.append(_folded(f"{words}, {worst} below {FLOORS[1]}", ["torch / convsym", "of medians"], [
            (row, [_ratio(ratio), _ratio(row.median["torch"] / row.median[OWN])]) for row, ratio in found
        ]))  # fmt: skip
    return blocks(*parts)


def _folded(title: str, head: list[str], rows: list[tuple[Row, list[str]]]) -> str:
    """A list of layers below its title, shut where it is long."""
    if not rows:
        return f"{title}."
    lines = table(["set", "layer", *head], [[load(row.set).title, row.layer, *cells] for row, cells in rows])
    return blocks(f"<details{' open' if len(rows) <= 12 else ''}><summary>{title}</summary>", lines, "</details>")


def _behind_best(run: Run, threads: int) -> str:
    measure = summary.against_best()
    pairs = [(row, value) for row in summary.rows_of(run, threads, "y") if (value := measure(row)) is not None]
    slower = sorted(((row, value) for row, value in pairs if value < 1), key=lambda pair: pair[1])
    first = {name: sum(_fastest(row) == name for row, _ in pairs) for name in (OWN, *summary.RIVALS)}
    share = ", ".join(f"{name} on {count}" for name, count in first.items())
    words = f"{_number(threads)}: {len(slower)} of {len(pairs)} layers; fastest of all: {share}"
    return _folded(words, ["best / convsym", "the best"], [(row, [_ratio(v), _fastest(row)]) for row, v in slower])


def _fastest(row: Row) -> str:
    return min((name for name in (OWN, *summary.RIVALS) if name in row.best), key=row.best.__getitem__)


def _steep(run: Run, threads: int) -> str:
    steps = summary.growth(run, threads)
    steep = [step for step in steps if step.growth > summary.STEEP]
    large = sum(step.flops >= 2 * summary.LARGE_WORK for step in steps)
    words = f"{_number(threads)}: {len(steps)} steps of doubled work, {large} from {summary.LARGE_WORK:.0e} flops on"
    sizes = {layer.name: layer.bytes for layer in load("growth").layers}
    found = [
        [
            *(step.layer, step.kind, f"{step.growth:.2f}", "–" if step.peer is None else f"{step.peer:.2f}"),
            *(duration(step.seconds), f"{step.flops:.2g}", f"{sizes[step.layer] / 2**20:.1f} MiB"),
        ]
        for step in steep
    ]
    said = f"{words}; {len(steep)} cost more than {summary.STEEP} times the one before."
    return blocks(said, table(["step", "of", "growth", "torch's", "time", "flops", "arrays"], found) if found else "")


def _all_rows(run: Run, name: str, threads: int) -> str:
    """The table of one set, folded."""
    rows = [row for row in run.rows.values() if row.set == name and row.threads == threads]
    if not rows:
        return ""
    peers = list(dict.fromkeys(peer for row in rows for peer in row.best if peer != OWN))
    head = ["layer", "of", OWN, "median", "GFLOP/s", "of limit", *peers]
    body = [[row.layer, row.kind, *_own(run, row), *(_ratio(row.ratio(peer)) for peer in peers)] for row in rows]
    title = f"{load(name).title}, {_number(threads)} ({load(name).source})"
    return blocks(f"<details><summary>{title}</summary>", table(head, body), "</details>")


def _own(run: Run, row: Row) -> list[str]:
    taken, share = row.best.get(OWN), run.share_of_limit(row)
    if taken is None:
        return ["not timed", "–", "–", "–"]
    limit = "–" if share is None else f"{share:.0%}"
    return [duration(taken), duration(row.median[OWN]), f"{row.flops / taken / 1e9:.3g}", limit]


def _news(run: Run) -> str:
    """Who was left out for a reason that is news: a failure or a disagreement, convsym's own before all."""
    news = ("failed", "disagrees", "ended", "convsym")
    places: dict[tuple[bool, str, str], list[str]] = {}
    for row in run.rows.values():
        where = f"{load(row.set).title}, {row.layer} {row.kind}, {_number(row.threads)}"
        for name, reason in row.left_out.items():
            if reason.startswith(news):
                places.setdefault((name != OWN, name, reason), []).append(where)
    said = (f"**{name}** {reason}: {'; '.join(where)}" for (_, name, reason), where in sorted(places.items()))
    return bullets(said) or "None: everybody who can do a layer did, and agreed."


def _conditions(run: Run) -> Iterator[str]:
    for limits in run.limits.values():
        peaks = ", ".join(f"{value / 1e9:.0f} GFLOP/s in {dtype}" for dtype, value in limits.peak.items())
        yield f"limits with {_number(limits.threads)}: {peaks}; {limits.bandwidth / 1e9:.1f} GB/s"
    yield from (f"{name}: {value}" for name, value in run.conditions.items() if name != "note")
    yield from (f"{name}: {value}" for name, value in run.machine.items() if value)
    yield "versions: " + ", ".join(f"{name} {version}" for name, version in run.peers.items())
    yield from (f"{name} took no part: {reason}" for name, reason in run.missing.items() if name not in run.peers)
