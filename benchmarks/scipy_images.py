"""Images of one channel against scipy, side by side: convsym.conv2d, scipy.signal.correlate2d, scipy.ndimage.correlate.

    python benchmarks/scipy_images.py [--seconds 0.3] > docs/measurements/scipy-DATE.md

A row is one job: the same image, kernel and dtype. The calls of a row take turns until the time of the row is over, and
the fastest run of each counts, so that what else the machine does falls on all of them alike.
"""

import argparse
import platform
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np
import scipy
from scipy import ndimage, signal

import convsym

SIZES = (8, 16, 64, 512, 2048)
KERNELS = (3, 5, 11)
LENGTHS = ((1_000, 9), (100_000, 9), (1_000_000, 65))


def fastest(calls, seconds):
    """Microseconds of the fastest run of each call; they take turns, a few at a time when they are short."""
    best, repeats = [float("inf")] * len(calls), [1] * len(calls)
    for place, call in enumerate(calls):
        start = perf_counter()
        call()
        repeats[place] = max(1, int(5e-4 / (perf_counter() - start)))
    end = perf_counter() + seconds
    while perf_counter() < end:
        for place, call in enumerate(calls):
            start = perf_counter()
            for _ in range(repeats[place]):
                call()
            best[place] = min(best[place], (perf_counter() - start) / repeats[place])
    return [1e6 * value for value in best]


def image_job(size, kernel, dtype):
    """The three calls on an image of size × size: conv2d valid and same, then what scipy has for each."""
    rng = np.random.default_rng(size)
    x, w = rng.standard_normal((size, size)).astype(dtype), rng.standard_normal((kernel, kernel)).astype(dtype)
    x3, w4 = x[None], w[None, None]
    calls = [
        lambda: convsym.conv2d(x3, w4),
        lambda: signal.correlate2d(x, w, mode="valid"),
        lambda: convsym.conv2d(x3, w4, padding="same"),
        lambda: ndimage.correlate(x, w, mode="constant"),
    ]
    results = [call().reshape(-1) for call in calls]
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    assert np.allclose(results[0], results[1], atol=tolerance * kernel**2)
    assert np.allclose(results[2], results[3], atol=tolerance * kernel**2)
    return calls


def signal_job(length, kernel, dtype):
    """The three calls on a signal: conv1d, np.correlate, scipy.signal.correlate."""
    rng = np.random.default_rng(length)
    x, w = rng.standard_normal(length).astype(dtype), rng.standard_normal(kernel).astype(dtype)
    x2, w3 = x[None], w[None, None]
    return [
        lambda: convsym.conv1d(x2, w3),
        lambda: np.correlate(x, w, mode="valid"),
        lambda: signal.correlate(x, w, mode="valid", method="direct"),
    ]


def machine():
    """The CPU's family, cores, compiler and versions."""
    facts = convsym.config()
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    cpu = names[0] if names else platform.processor() or platform.machine()
    return (
        f"{cpu}, {len(names) or 'some'} cores, CPU level {facts['levels']['in_use']}; {facts['compiler']}; "
        f"Python {facts['python']}, NumPy {facts['numpy']}, SciPy {scipy.__version__}, convsym {facts['version']}"
    )


def _cpuinfo():
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def table(title, head, rows):
    print(f"\n## {title}\n\n| {' | '.join(head)} |\n|{' ---: |' * len(head)}")
    for row in rows:
        print("|", " | ".join(row), "|", flush=True)


def image_rows(dtype, seconds):
    for size in SIZES:
        for kernel in (k for k in KERNELS if k <= size):
            valid, correlate2d, same, correlate = fastest(image_job(size, kernel, dtype), seconds)
            yield (
                f"{size}²", f"{kernel}×{kernel}", f"{valid:,.1f}", f"{correlate2d:,.1f}", f"{correlate2d / valid:.2f}",
                f"{same:,.1f}", f"{correlate:,.1f}", f"{correlate / same:.2f}",
            )  # fmt: skip


def signal_rows(dtype, seconds):
    for length, kernel in LENGTHS:
        ours, numpy, direct = fastest(signal_job(length, kernel, dtype), seconds)
        yield (
            f"{length:,}", f"{kernel}", f"{ours:,.0f}", f"{numpy:,.0f}", f"{numpy / ours:.2f}",
            f"{direct:,.0f}", f"{direct / ours:.2f}",
        )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.3, help="for each row")
    seconds = parser.parse_args().seconds
    print(f"# Images and signals of one channel against SciPy, {date.today()}\n")
    print(f"Written by `python benchmarks/scipy_images.py`. {machine()}.\n")
    print("Times are microseconds; a ratio is their time over ours, so above 1 convsym is faster.")
    for threads in dict.fromkeys((1, convsym.get_num_threads())):
        convsym.set_num_threads(threads)
        for dtype in ("float32", "float64"):
            where = f"{dtype}, {threads} thread{'s' * (threads > 1)}"
            head = ("image", "kernel", "conv2d valid", "correlate2d", "ratio", "conv2d same", "ndimage", "ratio")
            table(f"Images, {where}", head, image_rows(dtype, seconds))
            head = ("signal", "kernel", "conv1d", "np.correlate", "ratio", "signal.correlate direct", "ratio")
            table(f"Signals, {where}", head, signal_rows(dtype, seconds))


if __name__ == "__main__":
    main()
