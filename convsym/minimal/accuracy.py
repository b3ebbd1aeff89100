"""What minimal filtering may be off by: a factor times norms over tiles, from the exact matrices alone.

A tile of y is Σ_c AT·[(G·w_c) ⊙ (BT·x_c)], multiplied out a sum of terms whose magnitudes add up to growth·|w_c|·|x_c|
at most, |·| the largest magnitude in a tile. Every term meets at most K roundings: in each transform the rounded entry,
the product and the additions of a row, along each axis; one product; and the additions over the channels. So

    |computed − exact| ≤ γ(K)·growth·Σ_c |w_c|·|x_c| + underflow,   γ(K) = K·u/(1 − K·u)

(Higham, Accuracy and Stability of Numerical Algorithms, §3.1, for any order of the sums). What is done directly,
because it came out as no finite number, is off by no more. Products that underflow are off by half of the smallest
number each, which later transforms and factors magnify by the sums of their rows.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from math import inf, prod
from typing import Any

import numpy as np

from convsym import rounding
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated.transforms import GROWTH, ROWS
from convsym.minimal.strips import Strips, strips_of

_NAMES = {"y": ("forward", "y", "w", "x"), "dx": ("forward", "y", "w", "x"), "dw": ("weight", "dw", "dy", "x")}


@lru_cache(maxsize=512)
def factor(geometry: Geometry, result: str, m: int, dtype: np.dtype[Any]) -> float:
    """The factor of the norms, rounded up; infinite where there are too many roundings to bound.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    m : {2, 4, 6}
    dtype : dtype
        float32 or float64.
    """
    axes = sum(size > 1 for size in geometry.kernel)
    kind, *names = _NAMES[result]
    growth = Fraction(*GROWTH[kind, m]) ** axes
    transforms = axes * sum(ROWS[kind, m, name][0] + 1 for name in names)
    strips = strips_of(geometry, result, m)
    summed, products = _summed(geometry, result, strips)
    direct = products if result == "dw" else prod(geometry.kernel) * products
    each = prod(geometry.kernel) if result != "dw" else strips.m * strips.mr
    unit = rounding.unit(dtype)
    growing = rounding.gamma(transforms + summed, unit) * growth
    return rounding.up(max(growing, rounding.gamma(direct, unit) * each))


def _summed(geometry: Geometry, result: str, strips: Strips) -> tuple[int, int]:
    """Roundings of the sum over channels or tiles, at most, and terms of the direct sum, for dw of an element."""
    if result != "dw":
        channels = geometry.channels[0 if result == "y" else 1]
        return channels, channels
    tiles = geometry.batch * strips.heights * strips.widths
    return tiles + strips.number, geometry.batch * prod(geometry.outputs)


def bound(geometry: Geometry, result: str, operands: Mapping[str, Array], m: int) -> Array:
    """What a result may be off by, element by element.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    operands : mapping of str to ndarray
        With group axis.
    m : {2, 4, 6}

    Returns
    -------
    ndarray
        float64, of `geometry.shapes[result]`, rounded up.
    """
    dtype = next(iter(operands.values())).dtype
    strips = strips_of(geometry, result, m)
    big = {name: _flat(abs(array).astype(np.float64), geometry) for name, array in operands.items()}
    if result == "dw":
        dy, x = _tile_norms(big["dy"], strips, (0, 0), True), _tile_norms(big["x"], strips, strips.first, False)
        total = np.einsum("ngkt,ngct->gkc", dy, x)
        sums = dy.sum(axis=(0, 3))[:, :, None] + x.sum(axis=(0, 3))[:, None]
        terms = geometry.batch * x.shape[-1]
    else:
        read = _tile_norms(big["x" if result == "y" else "dy"], strips, strips.first, False)
        weight = big["w"].max(axis=(-2, -1))
        weight = weight if result == "y" else weight.swapaxes(1, 2)
        total = np.einsum("gkc,ngct->ngkt", weight, read)
        sums = weight.sum(-1)[None, :, :, None] + read.sum(2)[:, :, None]
        terms = read.shape[2]
    slack = 1 + 2.0**-20  # the norms are themselves sums in float64
    value = total * slack * factor(geometry, result, m, dtype) + _underflow(geometry, result, m, dtype, sums, terms)
    return np.nextafter(_spread(value, geometry, result, strips), inf)


def _underflow(geometry: Geometry, result: str, m: int, dtype: np.dtype[Any], sums: Array, terms: int) -> Array:
    """The part of products that underflow; twice, for what meets roundings besides."""
    axes = sum(size > 1 for size in geometry.kernel)
    kind, *names = _NAMES[result]
    tiny = float(np.finfo(dtype).smallest_subnormal)
    rows = [float(Fraction(*ROWS[kind, m, name][1])) for name in names]
    own = [ROWS[kind, m, name][0] * tiny * (1 + row) for name, row in zip(names, rows, strict=True)]
    out, first, second = (row**axes for row in rows)
    magnified = max(first * own[2], second * own[1])
    return np.asarray(2 * (out * (magnified * sums + terms * (own[1] * own[2] + tiny)) + own[0]))


def _flat(array: Array, geometry: Geometry) -> Array:
    """With two spatial axes, the first of size 1 where there is one."""
    return array.reshape(*array.shape[:-1], *(1,) * (2 - geometry.rank), array.shape[-1])


def _tile_norms(array: Array, strips: Strips, first: tuple[int, int], own: bool) -> Array:
    """Largest magnitude that each tile reads, (n, g, c, tiles): of x, or of its own outputs in dy."""
    reach = (strips.mr, strips.m) if own else (strips.nr, strips.n)
    steps, counts = (strips.mr, strips.m), (strips.heights, strips.widths)
    for axis in (-2, -1):
        count, step, size = counts[axis], steps[axis], array.shape[axis]
        parts = []
        for tile in range(count):
            start = tile * step + first[axis]
            part = np.take(array, range(max(start, 0), max(min(start + reach[axis], size), 0)), axis)
            parts.append(part.max(axis, initial=0.0, keepdims=True))
        array = np.concatenate(parts, axis)
    return array.reshape(*array.shape[:-2], -1)


def _spread(value: Array, geometry: Geometry, result: str, strips: Strips) -> Array:
    """One number for each tile, or for all taps, to every element of the result."""
    if result == "dw":
        return np.broadcast_to(value.reshape(*value.shape, *(1,) * geometry.rank), geometry.shapes["w"])
    shape = geometry.shapes[result]
    rows, columns = (1, *shape[3:])[-2:]
    tiles = value.reshape(*value.shape[:-1], strips.heights, strips.widths)
    wide = tiles.repeat(strips.mr, axis=-2).repeat(strips.m, axis=-1)[..., :rows, :columns]
    return wide.reshape(shape)
