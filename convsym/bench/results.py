"""What was measured: rows of times, with the facts of the machine; written to and read from JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from convsym.bench.peers import OWN
from convsym.bench.roof import Limits
from convsym.errors import ShapeError

FORMAT = 1


@dataclass(frozen=True)
class Row:
    """One layer, one result, one number of threads.

    Attributes
    ----------
    set, layer, kind, dtype, chain : str
    threads, flops, bytes : int
    best, median : dict of str to float
        Seconds by competitor.
    left_out : dict of str to str
        Why a competitor was not timed.
    first : dict of str to float
        The best times of the first measurement, where the row was measured again.
    """

    set: str
    layer: str
    kind: str
    dtype: str
    threads: int
    flops: int
    bytes: int
    best: dict[str, float] = field(default_factory=dict)
    median: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    chain: str = ""
    first: dict[str, float] = field(default_factory=dict)

    def ratio(self, peer: str, own: str = OWN) -> float | None:
        """How many times as long as convsym a peer takes; None where one of them has no time."""
        if peer not in self.best or own not in self.best:
            return None
        return self.best[peer] / self.best[own]

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells rows apart."""
        return self.set, self.layer, self.kind, self.threads


@dataclass
class Run:
    """A whole measurement.

    Attributes
    ----------
    machine : dict of str to str
        Processor, compiler, versions, date.
    conditions : dict of str to str
        How it was measured.
    limits : dict of int to Limits
        By the number of threads.
    peers : dict of str to str
        Versions of the competitors.
    missing : dict of str to str
        Why others took no part.
    rows : dict of tuple to Row
        By their keys.
    """

    machine: dict[str, str]
    conditions: dict[str, str]
    limits: dict[int, Limits] = field(default_factory=dict)
    peers: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    rows: dict[tuple[str, str, str, int], Row] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Take a row in, in the place of one that is there already."""
        self.rows[row.key] = row

    def add_limits(self, found: Limits) -> None:
        """Take limits in; of several measurements the highest counts."""
        known = self.limits.get(found.threads, found)
        peak = {dtype: max(value, known.peak[dtype]) for dtype, value in found.peak.items()}
        self.limits[found.threads] = Limits(found.threads, peak, max(found.bandwidth, known.bandwidth))

    def share_of_limit(self, row: Row, name: str = OWN) -> float | None:
        """The least possible time over the time taken; None where there is none."""
        limits, taken = self.limits.get(row.threads), row.best.get(name)
        return None if limits is None or taken is None else limits.seconds(row.flops, row.bytes, row.dtype) / taken

    def save(self, path: Path) -> None:
        """Write JSON, one row a line."""
        head = {
            "format": FORMAT,
            "machine": self.machine,
            "conditions": self.conditions,
            "limits": [asdict(limits) for limits in self.limits.values()],
            "peers": self.peers,
            "missing": self.missing,
        }
        body = json.dumps(head, indent=1, ensure_ascii=False, sort_keys=True)[:-2]
        rows = ",\n".join("  " + json.dumps(_rounded(asdict(row)), ensure_ascii=False) for row in self.rows.values())
        path.write_text(f'{body},\n "rows": [\n{rows}\n ]\n}}\n', encoding="utf-8")


def load(path: Path) -> Run:
    """Read what `Run.save` wrote.

    Raises
    ------
    ShapeError
        The file is of another kind.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ShapeError(f"{path} holds no measurement of format {FORMAT}; write one with `convsym bench --json FILE`")
    run = Run(data["machine"], data["conditions"], peers=data["peers"], missing=data["missing"])
    run.limits = {entry["threads"]: limits_of(entry) for entry in data["limits"]}
    for entry in data["rows"]:
        row = row_of(entry)
        run.rows[row.key] = row
    return run


def row_of(entry: Mapping[str, Any]) -> Row:
    """A row from its record."""
    return Row(**{name: entry[name] for name in Row.__dataclass_fields__ if name in entry})


def limits_of(entry: Mapping[str, Any]) -> Limits:
    """Limits from their record."""
    return Limits(entry["threads"], entry["peak"], entry["bandwidth"])


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    """Four digits of every time, and no empty entries."""
    for name in ("best", "median", "first"):
        record[name] = {peer: float(f"{seconds:.4g}") for peer, seconds in record[name].items()}
    return {name: value for name, value in record.items() if value not in ({}, "")}
