"""Measure sets of layers, each in a process of its own, and go on when a competitor ends that process."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from convsym._version import __version__
from convsym.bench import machine
from convsym.bench.layers import load
from convsym.bench.peers import OWN, PEERS
from convsym.bench.results import Row, Run, limits_of, row_of
from convsym.bench.roof import BANDWIDTH_IS, PEAK_IS
from convsym.bench.worker import AGAIN, BAR, TOLERANCE
from convsym.errors import KernelError
from convsym.kernels.threads import default_count

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """One set with one number of threads; `again` says whether rows slower than torch's are measured a second time."""

    set: str
    threads: int
    seconds: float
    peers: tuple[str, ...] = tuple(PEERS)
    rows: tuple[tuple[int, str], ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    again: bool = True
    limit_seconds: float = 1.0

    def whole(self) -> "Job":
        """The job with all rows of its set."""
        layers = load(self.set)
        return replace(self, rows=tuple((p, kind) for p in range(len(layers.layers)) for kind in layers.kinds))


def new_run(seconds: float) -> Run:
    """An empty run on this machine."""
    tolerances = ", ".join(f"{value:g} in {dtype}" for dtype, value in TOLERANCE.items())
    return Run(
        machine.facts(),
        {
            "seconds": f"{seconds:g} a competitor and row, {AGAIN} times as many rounds for rows below {BAR} of torch",
            "agreement": f"with convsym's result, to so much of its largest element: {tolerances}",
            "peak": PEAK_IS,
            "bandwidth": BANDWIDTH_IS,
        },
        peers={OWN: __version__},
    )


def measure(run: Run, jobs: Sequence[Job], tell: Tell, finished: Callable[[Job], None]) -> None:
    """Measure jobs into a run.

    Parameters
    ----------
    run : Run
    jobs : sequence of Job
    tell : callable
        Is told what goes on, a line at a time.
    finished : callable
        Is called after each job.
    """
    for job in jobs:
        _measure(run, job.whole(), tell)
        finished(job)


def _measure(run: Run, job: Job, tell: Tell) -> None:
    """One job, in as many processes as it takes."""
    while job.rows:
        doing: dict[str, Any] = {}
        done = 0
        message = ""
        for event in events(job):
            kind = event.pop("event")
            if kind == "limits":
                run.add_limits(limits_of(event))
            elif kind == "peers":
                run.peers |= event["versions"]
                run.missing |= {name: why for name, why in event["missing"].items() if name not in run.peers}
            elif kind == "row":
                row = row_of(event)
                run.add(row)
                tell(_line(row))
                done, doing = done + 1, {}
            elif kind in ("trying", "timing"):
                doing = event
            elif kind == "died":
                message = event["message"]
        job = replace(job, rows=job.rows[done:])
        if job.rows:
            job = _without(run, job, doing, message, tell)


def _without(run: Run, job: Job, doing: dict[str, Any], message: str, tell: Tell) -> Job:
    """What is left of a job whose process died: without the peer that was tried, or without the row."""
    if not doing:
        raise KernelError(f"the process that measures {job.set} ended before its first row: {message}")
    peer, reason = doing.get("peer"), f"ended the process: {message}"
    tell(f"{job.set}: {peer or 'a competitor'} ended the process at {doing['layer']} {doing['kind']}: {message}")
    if peer is not None and peer != OWN:
        return replace(job, left_out={**job.left_out, peer: reason})
    (place, kind), *rest = job.rows
    layer = load(job.set).layers[place]
    run.add(Row(job.set, layer.name, kind, layer.dtype, job.threads, layer.flops, layer.bytes, {}, {}, {OWN: reason}))
    return replace(job, rows=tuple(rest))


def events(job: Job) -> Iterator[dict[str, Any]]:
    """What the process of a job writes; the last event is "died" where it did not come to its end."""
    threads = str(job.threads)
    # The libraries below NumPy read these once, when they are loaded.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    here = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    record = {
        "set": job.set,
        "threads": job.threads,
        "seconds": job.seconds,
        "again": job.again,
        "peers": job.peers,
        "rows": job.rows,
        "left_out": job.left_out,
        "limit_seconds": job.limit_seconds,
        "default_threads": default_count(),
    }
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as messages:
        command = [sys.executable, "-m", "convsym.bench.worker"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=messages, env=environment, text=True
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(json.dumps(record))
                process.stdin.close()
                last = ""
                for line in process.stdout:
                    event = json.loads(line)
                    last = event["event"]
                    yield event
                process.wait()
            finally:
                if process.poll() is None:  # nobody reads on
                    process.kill()
        if last != "end":
            messages.seek(0)
            said = messages.read().strip().splitlines()
            yield {"event": "died", "message": f"exit code {process.returncode}{': ' + said[-1] if said else ''}"}


def _line(row: Row) -> str:
    ratios = ", ".join(f"{name} {row.best[name] / row.best[OWN]:.2f}" for name in row.best if name != OWN)
    own = f"{row.best[OWN] * 1e3:.3g} ms; {ratios}" if OWN in row.best else row.left_out.get(OWN, "not timed")
    return f"{row.set}, {row.threads} threads: {row.layer} {row.kind}: {own}"
