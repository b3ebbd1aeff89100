"""`convsym bench`: a short measurement on the user's machine."""

import sys
from collections.abc import Sequence
from pathlib import Path

from convsym.bench.layers import KINDS, load
from convsym.bench.peers import OWN, PEERS
from convsym.bench.results import Run
from convsym.bench.running import Job, measure, new_run
from convsym.bench.summary import against, mean_of_set
from convsym.bench.tables import layer_table
from convsym.errors import ShapeError
from convsym.kernels import get_num_threads

QUICK = "quick"
SECONDS = 0.06  # a competitor and row


def bench(
    names: Sequence[str], threads: int | None, seconds: float, json_path: Path | None, peers: Sequence[str] = ()
) -> int:
    """Measure sets of layers against the peers that are installed, and print tables.

    Parameters
    ----------
    names : sequence of str
        Sets of layers; the short look where there are none.
    threads : int, optional
        Threads of every competitor; those of convsym by default.
    seconds : float
        For each competitor and row.
    json_path : Path, optional
        Where the results go as JSON.
    peers : sequence of str
        The only ones to be measured; all that are installed where there are none.

    Returns
    -------
    int
        0, or 1 where a layer has no time of convsym.

    Raises
    ------
    ShapeError
        There is no such set, or no such peer.
    """
    wanted = tuple(names) or (QUICK,)
    for name in wanted:
        load(name)
    unknown = [name for name in peers if name not in PEERS]
    if unknown:
        raise ShapeError(f"there is no peer {unknown[0]!r}; known are {', '.join(PEERS)}")
    count = threads or get_num_threads()
    run = new_run(seconds)
    jobs = [Job(name, count, seconds, tuple(peers) or tuple(PEERS), again=False, limit_seconds=0.5) for name in wanted]
    measure(run, jobs, _progress, lambda job: None)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(report(run, wanted, count))
    if json_path is not None:
        run.save(json_path)
    return 0 if all(OWN in row.best for row in run.rows.values()) else 1


def report(run: Run, names: Sequence[str], threads: int) -> str:
    """What the command prints: the machine, a table for each set, the means, who took no part."""
    limits = run.limits[threads]
    facts = run.machine
    lines = [
        f"convsym {facts['convsym']}, level {facts['level']}, on {facts['processor']}, {facts['cpus']} CPUs",
        f"limits: {limits.peak['float32'] / 1e9:.0f} GFLOP/s in float32 ({run.conditions['peak']}),"
        f" {limits.bandwidth / 1e9:.0f} GB/s ({run.conditions['bandwidth']})",
    ]
    for name in names:
        lines += ["", layer_table(run, name, threads)]
    lines += ["", "Numbers below a peer are its time by convsym's: above 1 convsym is faster."]
    for name in names:
        found = {kind: mean_of_set(run, threads, kind, name, against("torch")) for kind in KINDS}
        means = ", ".join(f"{kind} {value:.2f}" for kind, value in found.items() if value is not None)
        if means:
            lines.append(f"{load(name).title}: geometric mean against torch: {means}")
    absent = {name: why for name, why in run.missing.items() if name in PEERS}
    lines += [f"{name} took no part: {why}" for name, why in absent.items()]
    if "torch" in absent:
        lines.append('Without torch there is nobody to compare gradients with: pip install "convsym[bench]"')
    return "\n".join(lines)


def _progress(line: str) -> None:
    """One line on a terminal that is written over; nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line[:100]}", end="", file=sys.stderr, flush=True)
