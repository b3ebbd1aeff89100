"""Calls against each other: they take turns in one process, so that what else the machine does falls on all alike."""

import gc
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from statistics import median

Call = Callable[[], object]
ROUNDS = 6
# Seconds before a turn where several threads are used: those of torch look for work for 7 ms after a call (November
# 2026), on a CPU that the next competitor would be measured with.
REST = 2e-2
LONG = 1e-2  # seconds: a call whose first run takes longer is no short one
_BATCH = 1e-4  # seconds: shorter calls are timed several at a time, for the clock takes 0.05 microseconds itself


@dataclass(frozen=True)
class Timing:
    """Seconds of a call: the best and the median of so many samples."""

    best: float
    median: float
    samples: int


def race(
    calls: Mapping[str, Call],
    seconds: float,
    *,
    rounds: int = ROUNDS,
    rest: float = 0.0,
    long: Collection[str] = (),
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time calls in turns.

    Each round gives every call one turn, and each round begins with another one. A turn lasts ``seconds / rounds`` and
    at least one call; what takes much longer than planned ends after two rounds.

    Parameters
    ----------
    calls : mapping of str to callable
        By the name of the competitor; they have been called before.
    seconds : float
        For each of them.
    rounds : int
    rest : float
        Seconds of sleep before each turn, in which the threads of the one before stop spinning.
    long : collection of str
        Calls that are known to take longer than `LONG`: they are not tried once more before the first round.
    clock : callable
        Tells the time.

    Returns
    -------
    dict of str to Timing
    """
    batches = {name: 1 if name in long else _batch(call, clock) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    names, begin = list(calls), clock()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            if turn >= 2 and clock() - begin > 2 * seconds * len(names):
                break
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                time.sleep(rest)
                samples[name] += _turn(calls[name], batches[name], seconds / rounds, clock)
    finally:
        if collecting:
            gc.enable()
    return {name: Timing(min(each), median(each), len(each)) for name, each in samples.items()}


def _turn(call: Call, batch: int, length: float, clock: Callable[[], float]) -> list[float]:
    """Seconds of one call, as often as fits."""
    taken: list[float] = []
    begin = now = clock()
    while not taken or now - begin < length:
        start = now
        for _ in range(batch):
            call()
        now = clock()
        taken.append((now - start) / batch)
    return taken


def _batch(call: Call, clock: Callable[[], float]) -> int:
    """How many calls make a sample."""
    start = clock()
    call()
    once = clock() - start
    return max(1, int(_BATCH / max(once, 1e-7)))
