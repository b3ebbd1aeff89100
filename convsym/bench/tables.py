"""Results as text for a terminal."""

from collections.abc import Iterable, Sequence

from convsym.bench.layers import load
from convsym.bench.peers import OWN
from convsym.bench.results import Row, Run

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def duration(seconds: float) -> str:
    """A time with three digits and its unit."""
    scale, unit = next((each for each in _UNITS if seconds >= 0.9995 * each[0]), _UNITS[-1])
    value = seconds / scale
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {unit}"


def layer_table(run: Run, name: str, threads: int) -> str:
    """The rows of a set: convsym's time, rate and share of the limit, then what each peer takes by convsym's time.

    Parameters
    ----------
    run : Run
    name : str
        Of a set.
    threads : int

    Returns
    -------
    str
        Lines of text; reasons for what is not timed stand below.
    """
    rows = [row for row in run.rows.values() if row.set == name and row.threads == threads]
    peers = _peers(rows)
    head = ["layer", "of", OWN, "GFLOP/s", "of limit", *peers]
    body = [[row.layer, row.kind, *_own(run, row), *(_times(row.ratio(peer)) for peer in peers)] for row in rows]
    number = "1 thread" if threads == 1 else f"{threads} threads"
    lines = [f"{load(name).title}, {number}", *aligned([head, *body])]
    return "\n".join([*lines, *(f"  {text}" for text in _notes(rows))])


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Cells in columns: the first two to the left, the others to the right."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _peers(rows: Iterable[Row]) -> list[str]:
    """Everybody who was timed but convsym, in the order of the first row that has them."""
    return list(dict.fromkeys(name for row in rows for name in row.best if name != OWN))


def _own(run: Run, row: Row) -> tuple[str, str, str]:
    taken, share = row.best.get(OWN), run.share_of_limit(row)
    if taken is None or share is None:
        return "-", "-", "-"
    return duration(taken), f"{row.flops / taken / 1e9:.3g}", f"{share:.0%}"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _notes(rows: Iterable[Row]) -> list[str]:
    """Everything that failed or disagreed; what a library does not claim to do is no news."""
    told: dict[tuple[str, str], str] = {}
    for row in rows:
        for name, reason in row.left_out.items():
            if reason.startswith(("failed", "disagrees", "ended", "convsym")):
                told.setdefault((name, reason), f"{name} at {row.layer} {row.kind}: {reason}")
    return list(told.values())
