"""Which algorithm makes a rule: a function of shapes without the batch, parameters, dtype and CPU level alone."""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from convsym import fourier, minimal
from convsym.errors import KernelError
from convsym.gate import sum_dtype
from convsym.geometry import Geometry

ALGORITHMS = ("auto", "direct", "winograd", "fft", "reference")
# Taps from which transforms are looked at, and how much less than the direct sum they must be estimated to cost: the
# estimates are of that precision.
TAPS, CHEAPER = 64, 0.7
# Multiply-adds of a group from which Winograd is looked at: 10 µs of the direct sum, less than tiles take to set up.
WORK = 2**20
TILE = 4  # outputs of a tile of Winograd's where he is asked for and none is estimated to pay


@dataclass(frozen=True)
class Choice:
    """An algorithm.

    Attributes
    ----------
    name : {"direct", "winograd", "fft", "reference"}
    reason : str
    m : int
        Outputs of a tile of Winograd's along an axis, else 0.
    """

    name: str
    reason: str
    m: int = 0


@lru_cache(maxsize=2048)
def choose(
    geometry: Geometry, result: str, dtype: np.dtype[Any], algorithm: str, level: str, kept: bool = False
) -> Choice:
    """The algorithm of one rule.

    Parameters
    ----------
    geometry : Geometry
        As the caller means it: in any mode, flipped or not.
    result : {"y", "dx", "dw"}
    dtype : dtype
    algorithm : {"auto", "direct", "winograd", "fft", "reference"}
        What the caller asks for.
    level : {"baseline", "v3", "v4"}
    kept : bool
        Whether the weights are transformed beforehand.

    Returns
    -------
    Choice

    Raises
    ------
    KernelError
        The algorithm that is asked for does not serve this call.
    """
    inner = replace(computed(geometry), batch=1)
    if algorithm == "winograd":
        _check_winograd(inner, dtype)
        own = minimal.choose(inner, result, real(dtype).char, level) or TILE  # a plan has the same as the plain call
        return Choice("winograd", f"asked for; {_tiles(own)}", own)
    if algorithm == "fft":
        if dtype.kind not in "fc":
            raise KernelError(f"algorithm='fft' computes floating-point numbers, and these are {dtype}; use 'direct'")
        return Choice("fft", "asked for")
    if algorithm != "auto":
        return Choice(algorithm, "asked for")
    if dtype.kind == "O":
        return Choice("reference", "objects have no compiled loops")
    if dtype.char not in "fd" or inner.is_dilated:
        return Choice("direct", "all others are chosen for float32 and float64, and an undilated input")
    if _multiply_adds(inner) >= WORK * inner.groups and minimal.serves(inner, dtype):
        m = minimal.choose(inner, result, dtype.char, level, kept)
        if m is not None:
            return Choice("winograd", f"{_tiles(m)} are estimated to be faster than the direct sum", m)
    if _is_large(inner, result, dtype):
        return Choice("fft", "transforms of blocks are estimated to be faster than the direct sum")
    return Choice("direct", "nothing else is estimated to be faster")


def computed(geometry: Geometry) -> Geometry:
    """The geometry that algorithms compute: a mode is done beforehand, a flip is one of the weights."""
    inner = geometry if geometry.mode == "zeros" else geometry.on_extended()
    return replace(inner, flip=False) if inner.flip else inner


def real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What sums are made in: complex numbers in parts, float16 in float32."""
    wide = sum_dtype(dtype)
    return np.dtype(wide.char.lower()) if wide.kind == "c" else wide


def _check_winograd(geometry: Geometry, dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fc" or not minimal.serves(geometry, real(dtype)):
        raise KernelError(
            "algorithm='winograd' computes floating-point numbers with kernels of 3 taps along the last axis or the "
            "last two, and any along a third, of stride and input_dilation 1; here kernel is "
            f"{geometry.kernel}, stride {geometry.stride}, input_dilation {geometry.input_dilation}, "
            f"dtype {dtype}; use algorithm='auto'"
        )


def _tiles(m: int) -> str:
    return f"tiles of {m} outputs along an axis"


def _is_large(geometry: Geometry, result: str, dtype: np.dtype[Any]) -> bool:
    """Whether transforms pay."""
    if prod(geometry.kernel) < TAPS or not all(map(prod, geometry.shapes.values())):
        return False
    return fourier.cost(geometry, result, dtype.itemsize) < CHEAPER * _multiply_adds(geometry)


def _multiply_adds(geometry: Geometry) -> int:
    """Products of a sample, those with zeros too."""
    return geometry.groups * prod(geometry.channels) * prod(geometry.kernel) * prod(geometry.outputs)
