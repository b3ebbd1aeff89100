"""Certified bounds of the rounding errors of convolutions by transforms, normwise over a block.

With u the unit roundoff, n the length of the block (the product over its axes) and γ(k) = k·u/(1 − k·u), from
N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1, Lemma 3.5 and section 24.1:

* A product of complex numbers has a relative error of at most √2·γ(2). A transform is a chain of steps, one for each
  prime factor f of n: a diagonal of twiddle factors, and sums of f numbers. The diagonal is unitary; the sums of f = 2
  add u to the relative error in the 2-norm, those of a larger f, made of symmetric pairs as real and imaginary parts,
  at most √(2f)·γ((f + 7)/2). The product of all steps is 1 + ε (Theorem 24.2 is the case f = 2 with a larger
  constant): the spectrum is off by at most ε times its norm.
* Componentwise, in the last transform, a step has √2·γ((f + 7)/2) in place of that: ε'.
* A sum of C products of spectra is off by at most √2·γ(2C) times the sum of absolute products, in whatever order.

By Cauchy's inequality the sum over all frequencies of absolute products of two spectra is at most n·‖a‖·‖b‖, so

    |computed − exact| ≤ factor · Σ ‖a‖·‖b‖,   factor = (1 + ε)²·(1 + √2·γ(2C))·(1 + ε')·(1 + u)^(2·rank) − 1

with the sum over the C products of blocks (the last factor is the division by n, axis by axis), as long as nothing
overflows; a block that overflows is redone directly, with γ(K) for its K products. Where numbers underflow, each
product has an error of at most half the smallest subnormal number more; that acts as if blocks were changed a little.

Assumed of the library: radices 2, 3, 5 (4 and 8 in steps of 2) for these lengths, and twiddle factors within `TWIDDLE`
units. A test measures it.
"""

from fractions import Fraction
from math import inf, log2, nextafter, prod, sqrt
from typing import Any

import numpy as np

from convsym import rounding
from convsym.fourier.choice import Scheme, scheme
from convsym.fourier.lattice import boxes
from convsym.fourier.transforms import factors
from convsym.gate import Array
from convsym.geometry import Geometry, Shape

# Units of roundoff that a twiddle factor may be off: a product of two rounded ones is within 5.
TWIDDLE = 6
_ROOT = Fraction(1415, 1000)  # above √2


def factor(geometry: Geometry, result: str, dtype: np.dtype[Any]) -> float:
    """The factor of a rule, rounded up.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    dtype : dtype
        float32 or float64.

    Returns
    -------
    float
        |computed − exact| ≤ factor · ‖a‖ · ‖b‖ for the 2-norms of the two blocks, all channels of a group, that an
        element of the result comes from (for dw of both arrays); infinite where it says nothing.
    """
    made = scheme(geometry, result, dtype.itemsize)
    return _factor(made.lattice.lengths, _summed(made, geometry), dtype)


def bound(geometry: Geometry, result: str, operands: dict[str, Array]) -> Array:
    """The largest error that each element of a result can have.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    operands : mapping of str to ndarray
        As of `compute`.

    Returns
    -------
    ndarray
        Of the result's shape, in float64, rounded up; NaN or infinite where norms are.
    """
    dtype = next(iter(operands.values())).dtype
    made = scheme(geometry, result, dtype.itemsize)
    summed, size = _summed(made, geometry), prod(made.lattice.lengths)
    out = np.zeros(geometry.shapes[result])
    if not out.size or not all(array.size for array in operands.values()):
        return out
    norms = {name: _norms(made, geometry, name, array) for name, array in operands.items()}
    small = float(np.finfo(dtype).smallest_subnormal) / 2
    changed = _disturbance(size, small)
    with np.errstate(all="ignore"):
        exact = _products(result, norms)
        extra = _products(result, {name: norm + changed for name, norm in norms.items()}) - exact
        ones = {name: np.ones_like(norm) for name, norm in norms.items()}
        # The difference above loses what is below the last place of a sum: changed·(‖a‖ + ‖b‖) is there once more.
        for name in norms:
            extra += _products(result, {**norms, name: changed * ones[name]})
        relative = _factor(made.lattice.lengths, summed, dtype)
        terms = _terms(geometry, result)
        direct = float(rounding.gamma(terms, rounding.unit(dtype)))
        largest = max(float(norm.max()) for norm in norms.values())
        # Neither spectra nor their sums overflow.
        fits = (4.0 * size) * np.maximum(exact, largest) < float(np.finfo(dtype).max)
        total = np.where(fits, relative, max(relative, direct)) * (exact + extra) + extra
        total += 20 * (log2(size + 1) + summed + 1) * small
        total *= 1 + 4e-16 * (size + summed + 16)  # what the norms are off, which are computed in float64
    _spread(made, geometry, result, np.nextafter(total, inf), out)
    return out


def _products(result: str, norms: dict[str, Array]) -> Array:
    """Σ ‖a‖·‖b‖ for every block of the result, with the axes lead, second, third, class of taps."""
    subscripts = {"y": "ngcj,gkcj->ngk", "dx": "ngk,gkcj->ngcj", "dw": "ngk,ngcj->gkcj"}[result]
    arrays = {name[-1]: norm[..., 0] if name[-1] == "y" else norm for name, norm in norms.items()}
    pair = {"y": "xw", "dx": "yw", "dw": "yx"}[result]
    value: Array = np.einsum(subscripts, *(arrays[letter] for letter in pair), optimize=True)
    return value[..., None] if result == "y" else value


def _norms(made: Scheme, geometry: Geometry, name: str, array: Array) -> Array:
    """2-norms of the blocks of an operand, in float64."""
    lattice = made.lattice
    shape = _grid(made, geometry, name)
    norms = np.zeros((*shape, lattice.classes_of(name)))
    axes = tuple(range(4, 4 + len(lattice.lengths)))
    for box in boxes(shape, max(1, 2**18 // prod(lattice.lengths))):
        values = abs(lattice.gather(name, array, box).astype(np.float64))
        with np.errstate(all="ignore"):
            largest = values.max(axis=axes, keepdims=True, initial=0)
            scaled = values / np.where(largest > 0, largest, 1)  # squares neither overflow nor underflow
            norms[box] = np.sqrt((scaled**2).sum(axis=axes)) * largest.reshape(norms[box].shape)
    return norms


def _spread(made: Scheme, geometry: Geometry, result: str, values: Array, out: Array) -> None:
    """One number for each block, put at all of its elements."""
    window = [stop - start for start, stop in made.lattice.window(result)]
    shape = _grid(made, geometry, result)
    for box in boxes(shape, max(1, 2**18 // prod(made.lattice.lengths))):
        value = values[box]
        wide = np.broadcast_to(value.reshape(*value.shape, *(1,) * len(window)), (*value.shape, *window))
        made.lattice.scatter(result, out, box, wide)


def _grid(made: Scheme, geometry: Geometry, name: str) -> Shape:
    """Numbers of leads, seconds and thirds."""
    shape = geometry.shapes[name]
    return shape[:3] if name[-1] == "w" else (geometry.batch * made.lattice.rows, *shape[1:3])


def _summed(made: Scheme, geometry: Geometry) -> int:
    """Products of spectra that are added for one spectrum of the result."""
    return {"y": made.into, "dx": made.out, "dw": geometry.batch * made.lattice.rows}[made.lattice.result]


def _terms(geometry: Geometry, result: str) -> int:
    """Products that a direct sum adds for one element."""
    w, y = geometry.shapes["w"], geometry.shapes["y"]
    return prod({"y": w[2:], "dx": (w[1], *w[3:]), "dw": (y[0], *y[3:])}[result])


def _factor(lengths: Shape, summed: int, dtype: np.dtype[Any]) -> float:
    unit = rounding.unit(dtype)
    norm = component = Fraction(1)
    for f in (f for length in lengths for f in factors(length)):
        twiddles = (1 + _ROOT * rounding.gamma(2, unit)) * (1 + TWIDDLE * unit)
        pairs = _ROOT * rounding.gamma((f + 7) // 2, unit)
        norm *= twiddles * (1 + (unit if f == 2 else pairs * _above_root(f)))
        component *= twiddles * (1 + (unit if f == 2 else pairs))
    if 2 * summed * unit >= 1:
        return inf
    value = norm**2 * (1 + _ROOT * rounding.gamma(2 * summed, unit)) * component * (1 + unit) ** (2 * len(lengths)) - 1
    return rounding.up(value)


def _above_root(number: int) -> Fraction:
    return Fraction(nextafter(sqrt(number), inf))


def _disturbance(size: int, small: float) -> float:
    """Norm of a change of a block of `size` numbers that has the effect of underflows in its transform."""
    return 10 * (log2(size) + 1) * sqrt(size) * small * 2
