"""Discrete Fourier transforms of real arrays along their last axes, by the library that is installed.

`scipy.fft` transforms several rows at once in the lanes of a vector and is 3 to 5 times as fast as `numpy.fft`; both
keep float32. Work is split into pieces by this package, not by the library, so that no thread count changes a bit.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np

from convsym.gate import Array
from convsym.geometry import Shape

RADICES = (2, 3, 5)


@cache
def library() -> Any:
    """The module that transforms: `scipy.fft` if there is one, else `numpy.fft`."""
    return import_module("scipy.fft") if find_spec("scipy") else np.fft


def forward(values: Array, lengths: Shape) -> Array:
    """The spectrum of the last axes, filled up with zeros to these lengths.

    The axes that are transformed last are filled up last, so that no row of zeros is transformed.
    """
    spectrum = library().rfft(values, lengths[-1], axis=-1)
    for axis in range(2, len(lengths) + 1):
        spectrum = library().fft(spectrum, lengths[-axis], axis=-axis)
    return np.asarray(spectrum)


def inverse(spectrum: Array, lengths: Shape, window: tuple[tuple[int, int], ...]) -> Array:
    """The real values of a spectrum within a window; what lies outside of it is not transformed further."""
    for axis in range(len(lengths), 1, -1):
        spectrum = library().ifft(spectrum, lengths[-axis], axis=-axis)
        start, stop = window[-axis]
        spectrum = spectrum[_nth_last(slice(start, stop), axis)]
    return np.asarray(library().irfft(spectrum, lengths[-1], axis=-1)[..., slice(*window[-1])])


def _nth_last(place: slice, axis: int) -> Any:
    """An index of one axis, counted from the last."""
    return (..., place, *(slice(None),) * (axis - 1))


def fitting(least: int) -> int:
    """The least length of at least this size whose prime factors are `RADICES`."""
    return next(n for n in _lengths(max(least - 1, 1).bit_length()) if n >= least)


def factors(length: int) -> list[int]:
    """Prime factors of a length."""
    found = []
    for radix in RADICES:
        while length % radix == 0:
            length //= radix
            found.append(radix)
    return found


@cache
def _lengths(bits: int) -> tuple[int, ...]:
    """All lengths up to 2**bits, in order."""
    most = 2**bits
    found = [{radix**power for power in range(bits + 1) if radix**power <= most} for radix in RADICES]
    return tuple(sorted({a * b * c for a, b, c in product(*found) if a * b * c <= most}))
