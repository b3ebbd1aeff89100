"""Limits of this machine, measured in the run they are used in: multiply-adds a second and bytes a second."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from convsym.kernels.levels import in_use, load

PEAK_IS = "multiply-adds of vectors in registers, nothing else, on every thread"
BANDWIDTH_IS = "a copy of 64 MiB by NumPy, bytes read and written"
_COUNT, _ROOM, _BYTES = 1 << 20, 1 << 12, 64 << 20


@dataclass(frozen=True)
class Limits:
    """Flops a second by dtype, bytes a second, and the number of threads they were measured with."""

    threads: int
    peak: dict[str, float]
    bandwidth: float

    def seconds(self, flops: int, bytes: int, dtype: str) -> float:
        """The least time for so much work and so much traffic."""
        return max(flops / self.peak[dtype], bytes / self.bandwidth)


def measure(threads: int, seconds: float = 1.0) -> Limits:
    """Measure the limits."""
    peaks = {dtype: peak(dtype, threads, seconds / 3) for dtype in ("float32", "float64")}
    return Limits(threads, peaks, bandwidth(threads, seconds / 3))


def peak(dtype: str, threads: int, seconds: float) -> float:
    """Floating-point operations a second that the multiply-add units of this machine reach: see `PEAK_IS`."""
    rooms = np.full((threads, _ROOM), 0.5, dtype)
    spin = getattr(load(in_use()), "peak_f32" if dtype == "float32" else "peak_f64")
    flops: int = spin(rooms, _COUNT)
    return flops / _fastest(lambda: spin(rooms, _COUNT), seconds)


def bandwidth(threads: int, seconds: float) -> float:
    """Bytes a second between processor and memory: see `BANDWIDTH_IS`."""
    source, target = (np.ones(_BYTES, np.uint8) for _ in range(2))
    pieces = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    if threads == 1:
        return 2 * _BYTES / _fastest(lambda: np.copyto(target, source), seconds)
    with ThreadPoolExecutor(threads) as pool:
        return 2 * _BYTES / _fastest(lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pieces)), seconds)


def _fastest(call: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest call within a time, of three at least."""
    taken: list[float] = []
    end = perf_counter() + seconds
    while len(taken) < 3 or perf_counter() < end:
        start = perf_counter()
        call()
        taken.append(perf_counter() - start)
    return min(taken)
