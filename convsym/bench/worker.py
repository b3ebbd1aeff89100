"""The process that measures one set of layers with one number of threads; a library that ends it ends nothing else.

It reads a job as JSON from standard input and writes events, one JSON object a line, to standard output.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from convsym.bench import roof
from convsym.bench.layers import Layer, LayerSet, load
from convsym.bench.peers import OWN, Peer, Task, open_peers
from convsym.bench.peers.peer import Call
from convsym.bench.timing import race
from convsym.gate import Array

# Results must agree with convsym's to so much of the largest of them, before anything is timed. Winograd in float32
# loses three digits of seven; a wrong padding, stride or layout is off by the size of the numbers.
TOLERANCE = {"float32": 2e-3, "float64": 1e-9}
REST = 2e-3  # seconds in which another library's threads stop spinning

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


def measure(
    layers: LayerSet, layer: Layer, kind: str, peers: Mapping[str, Peer], job: Mapping[str, Any], emit: Emit
) -> dict[str, Any]:
    """The record of one row: check every competitor once, then time those that agree."""
    task, threads = Task(layer, kind), job["threads"]
    calls: dict[str, Call] = {}
    left_out: dict[str, str] = {}
    truth: Array | None = None
    for name, peer in peers.items():
        reason = job["left_out"].get(name) or peer.lacks(task)
        if not reason:
            emit({"event": "trying", "peer": name, "layer": layer.name, "kind": kind})
            call, result, reason = _tried(peer, task)
            if name == OWN:
                truth = result
            if result is not None:
                reason = disagreement(result, truth, layer.dtype)
            if call is not None and not reason:
                calls[name] = call
        if reason:
            left_out[name] = reason
    emit({"event": "timing", "layer": layer.name, "kind": kind})
    found = race(calls, job["seconds"], rounds=job["rounds"], rest=REST if threads > 1 else 0.0) if OWN in calls else {}
    return {
        "set": layers.name,
        "layer": layer.name,
        "kind": kind,
        "dtype": layer.dtype,
        "threads": threads,
        "flops": layer.flops,
        "bytes": layer.bytes,
        "best": {name: timing.best for name, timing in found.items()},
        "median": {name: timing.median for name, timing in found.items()},
        "left_out": left_out,
        "chain": layer.chain,
    }


def _tried(peer: Peer, task: Task) -> tuple[Call | None, Array | None, str]:
    """The call of a peer, its result, and why there is none."""
    try:
        call = peer.prepare(task)
        return call, peer.array(call()), ""
    except peer.failures() as error:
        return None, None, f"failed: {type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"


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
