"""The process that measures one set of layers with one number of threads; a library that ends it ends nothing else.

It reads a job as JSON from standard input and writes events, one JSON object a line, to standard output.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from convsym.bench import roof
from convsym.bench.layers import Layer, LayerSet, load
from convsym.bench.peers import OWN, TORCH, Peer, Task, open_peers
from convsym.bench.peers.peer import Call
from convsym.bench.timing import LONG, REST, ROUNDS, Timing, race
from convsym.gate import Array

# Results must agree with convsym's to so much of the largest of them, before anything is timed. Winograd in float32
# loses three digits of seven; a wrong padding, stride or layout is off by the size of the numbers.
TOLERANCE = {"float32": 2e-3, "float64": 1e-9}
BAR = 0.95  # rows that fall below it against torch are measured again
AGAIN = 4  # times as many rounds

Emit = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Measure a job."""
    job = json.load(sys.stdin)
    # Libraries write to standard output as they please: events keep the old one for themselves.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def emit(event: Mapping[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    layers, threads = load(job["set"]), job["threads"]
    emit({"event": "limits", **asdict(roof.measure(threads, job["limit_seconds"]))})
    names = tuple(name for name in job["peers"] if name in layers.peers or not layers.peers)
    peers, missing = open_peers(names, threads, layers.algorithms, job["default_threads"])
    emit({"event": "peers", "versions": {n: p.version() for n, p in peers.items()}, "missing": missing})
    for place, kind in job["rows"]:
        row = measure(layers, layers.layers[place], kind, peers, job, emit)
        emit({"event": "row", "place": place, **row})
    emit({"event": "end"})


@dataclass
class Checked:
    """What a first run of every competitor says: who is timed, who is not and why."""

    calls: dict[str, Call] = field(default_factory=dict)
    long: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)


def measure(
    layers: LayerSet, layer: Layer, kind: str, peers: Mapping[str, Peer], job: Mapping[str, Any], emit: Emit
) -> dict[str, Any]:
    """The record of one row: check every competitor once, then time those that agree."""
    checked = check(Task(layer, kind), peers, job["left_out"], emit)
    emit({"event": "timing", "layer": layer.name, "kind": kind})
    found, first = _timed(checked, job)
    return {
        "set": layers.name,
        "layer": layer.name,
        "kind": kind,
        "dtype": layer.dtype,
        "threads": job["threads"],
        "flops": layer.flops,
        "bytes": layer.bytes,
        "best": {name: timing.best for name, timing in found.items()},
        "median": {name: timing.median for name, timing in found.items()},
        "left_out": checked.left_out,
        "chain": layer.chain,
        "first": {name: timing.best for name, timing in first.items()},
    }


def _timed(checked: Checked, job: Mapping[str, Any]) -> tuple[dict[str, Timing], dict[str, Timing]]:
    """Times of the competitors, and those of a first measurement where one was not enough."""
    if OWN not in checked.calls:
        return {}, {}
    rest, seconds = REST if job["threads"] > 1 else 0.0, job["seconds"]
    found = race(checked.calls, seconds, rest=rest, long=checked.long)
    if not job["again"] or TORCH not in found or found[TORCH].best >= BAR * found[OWN].best:
        return found, {}
    return race(checked.calls, AGAIN * seconds, rounds=AGAIN * ROUNDS, rest=rest, long=checked.long), found


def check(task: Task, peers: Mapping[str, Peer], left_out: Mapping[str, str], emit: Emit) -> Checked:
    """Run every competitor that can do a task once, convsym first, and compare the results with convsym's."""
    made, truth = Checked(), None
    for name, peer in peers.items():
        if task.kind not in peer.kinds:
            continue  # no competitor, so nothing is left out
        reason = left_out.get(name) or peer.lacks(task)
        if not reason:
            emit({"event": "trying", "peer": name, "layer": task.layer.name, "kind": task.kind})
            try:
                call = peer.prepare(task)
                begin = perf_counter()
                returned = call()
                if perf_counter() - begin > LONG:
                    made.long.add(name)
                result = peer.array(returned)
            except peer.failures() as error:
                reason = f"failed: {type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
            else:
                truth = result if name == OWN else truth
                reason = disagreement(result, truth, task.layer.dtype)
        if reason:
            made.left_out[name] = reason
        else:
            made.calls[name] = call
    return made


def disagreement(result: Array, truth: Array | None, dtype: str) -> str:
    """Why a result is not convsym's; nothing where it is."""
    if truth is None:
        return "convsym has no result to compare with"
    if result.size != truth.size:
        return f"disagrees: its result has {result.size} elements, convsym's has {truth.size}"
    scale = float(np.abs(truth).max(initial=0)) or 1.0
    off = float(np.abs(result.reshape(truth.shape) - truth).max(initial=0)) / scale
    return "" if off <= TOLERANCE[dtype] else f"disagrees by {off:.2g} of the largest result"


if __name__ == "__main__":
    main()
