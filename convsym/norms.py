"""The spectral norm of a convolution layer: the factor by which it can stretch its input, with bounds on both sides."""

import sys
from dataclasses import dataclass, replace
from math import fsum, prod, sqrt
from typing import Any

import numpy as np

from convsym.arguments import Number, Padding, PerAxis, integer
from convsym.cycles import Cycle, cycle, largest
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.operators import ConvolutionOperator, linear_operator

# Steps between two looks at whether the iteration has settled.
_LOOK = 8
# Numbers that the basis of an iteration may hold: 256 MB of float64.
_BASIS = 2**25
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class SpectralNorm:
    """The largest singular value of a convolution, and what is certain of it.

    Attributes
    ----------
    value : float
        The best estimate; ``float()`` of the object gives it.
    lower, upper : float
        Bounds of the exact value, rounding errors included.
    exact : bool
        Whether `value` comes out of a closed form, and is exact but for rounding errors; else it is how far the layer
        was seen to stretch a vector.
    """

    value: float
    lower: float
    upper: float
    exact: bool

    def __float__(self) -> float:
        return self.value


def spectral_norm(
    weight: Any,
    input_shape: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    same: str = "symmetric",
    transposed: bool = False,
    output_padding: PerAxis = 0,
    steps: Number = 100,
    tolerance: float = 1e-6,
) -> SpectralNorm:
    """The largest singular value of a convolution layer, which is its Lipschitz constant, with certified bounds.

        ‖A‖ = max ‖A x‖/‖x‖,  A the matrix of `convsym.toeplitz`

    It is exact where the layer lives on a cycle along every axis: in mode "circular" wherever the outputs go round
    a whole number of times (with stride 1 or not), and where windows tile the input without overlap or padding (kernels
    of size 1 among them). There it is the greatest norm over the frequencies of the Fourier transform of the weight.

    Elsewhere `upper` is that norm on a cycle long enough to hold the padded input, times the square root of
    how often the padding mode repeats an element at most; or √(‖A‖₁‖A‖∞), if that is less. `lower` is ‖A v‖/‖v‖ for
    a vector v that Golub–Kahan iteration finds, and `value` is it too, but for the allowance for rounding.

    Parameters
    ----------
    weight : ndarray, shape (K, C/groups, r0, …)
        The kernels w, of any dtype of numbers but object; (C, K/groups, r0, …) if `transposed`. Computed in float64 or
        complex128.
    input_shape : tuple of int
        (C, i0, …) or (N, C, i0, …); the batch does not matter, unless it is empty.
    stride, padding, dilation, groups, padding_mode, input_dilation, flip, same
        As of `convsym.conv`.
    transposed, output_padding
        As of `convsym.linear_operator`.
    steps : int
        Of the iteration, at most; each is one convolution and one transposed one.
    tolerance : float
        The iteration ends as soon as ‖Aᴴu - σv‖ ≤ tolerance·σ. The bounds hold wherever it ends.

    Returns
    -------
    SpectralNorm
        ``value``, ``lower``, ``upper``, ``exact``. The bounds allow for rounding errors of 16·ε·(terms of a sum)
        relative to the Frobenius norm of Σ_r |w[k, c, r]|, which covers sums in any order and LAPACK's singular values.

    Raises
    ------
    TypeError
        `weight` is no array of numbers, or `input_shape` no shape.
    ShapeError
        Sizes, parameters or groups do not fit together; the weight has a NaN or an infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import spectral_norm
    >>> difference = np.array([[[1.0, -1.0]]])
    >>> norm = spectral_norm(difference, (1, 8), padding=((0, 1),), padding_mode="circular")
    >>> round(norm.value, 12), norm.exact
    (2.0, True)
    >>> norm = spectral_norm(difference, (1, 8))
    >>> norm.exact, bool(norm.lower <= 2 * np.cos(np.pi / 16) <= norm.upper)
    (False, True)
    """
    operator = linear_operator(
        weight,
        input_shape,
        stride,
        padding,
        dilation,
        groups,
        padding_mode=padding_mode,
        input_dilation=input_dilation,
        flip=flip,
        same=same,
        transposed=transposed,
        output_padding=output_padding,
    )
    most = integer(steps, "steps", 1)
    if not tolerance >= 0:
        raise ShapeError(f"tolerance is {tolerance!r}, and it must be at least 0")
    scaled, exponent = _scaled(operator.weight)
    if not prod(operator.shape) or not scaled.any():
        return SpectralNorm(0.0, 0.0, 0.0, True)
    # Samples do not see each other: the norm of one is that of all. Adjoints have one norm: so it is always rule y.
    single = replace(operator.geometry, batched=False, batch=1)
    found = _bounded(ConvolutionOperator(single, scaled, "y"), most, tolerance)
    with np.errstate(over="ignore", under="ignore"):
        value, lower, upper = (float(np.ldexp(number, exponent)) for number in (found.value, found.lower, found.upper))
    # Scaling back may round, to an infinity too: the bounds give way by one unit in the last place.
    lower, upper = float(np.nextafter(lower, 0.0)), float(np.nextafter(upper, np.inf))
    return SpectralNorm(min(value, sys.float_info.max), lower, upper, found.exact)


def _scaled(weight: Array) -> tuple[Array, int]:
    """The weight in float64 or complex128, over a power of 2 that makes its largest part about 1, and the exponent."""
    if weight.dtype.kind == "O":
        raise TypeError(
            "weight has dtype object, and a spectral norm is computed in floating point; give weight.astype(np.float64)"
        )
    wide = weight.astype(np.complex128 if weight.dtype.kind == "c" else np.float64, order="C")
    parts = wide.view(np.float64)
    if not np.isfinite(parts).all():
        raise ShapeError(
            "weight has a NaN or an infinity, and a spectral norm needs finite numbers; np.isfinite(weight) shows where"
        )
    exponent = int(np.frexp(np.abs(parts).max(initial=0.0))[1])
    return np.ldexp(parts, -exponent).view(wide.dtype), exponent


def _bounded(operator: ConvolutionOperator, steps: int, tolerance: float) -> SpectralNorm:
    geometry = operator.geometry
    cycles = [cycle(geometry, axis) for axis in range(geometry.rank)]
    weight = operator.weight.reshape(geometry.shapes["w"])
    if geometry.flip:
        weight = geometry.flipped(weight)
    copies = sqrt(prod(part.copies for part in cycles))
    on_cycle = copies * largest(weight, cycles)
    slack = copies * _rounding(weight, cycles)
    if all(part.exact for part in cycles):
        return SpectralNorm(on_cycle, max(on_cycle - slack, 0.0), on_cycle + slack, True)
    value = _stretch(operator, _most_stretched(operator, steps, tolerance))
    return SpectralNorm(value, max(value - slack, 0.0), min(on_cycle, _product(operator)) + slack, False)


def _rounding(weight: Array, cycles: list[Cycle]) -> float:
    """Allowance for rounding on cycles that occur once: in the sums of the transform, in a product, in LAPACK."""
    _, out, into, *kernel = weight.shape
    rows, columns = (prod(part.sides[side] for part in cycles) for side in (0, 1))
    terms = (out * rows + into * columns) * prod(kernel) * prod(part.copies for part in cycles)
    sums = np.abs(weight).sum(axis=tuple(range(3, weight.ndim)))
    frobenius = np.sqrt((sums**2).sum(axis=(1, 2))).max()
    return float(16 * _EPSILON * terms * sqrt(rows) * frobenius)


def _product(operator: ConvolutionOperator) -> float:
    """√(‖A‖₁‖A‖∞): the largest sum of moduli of a row, and of a column."""
    moduli = replace(operator, weight=np.abs(operator.weight))
    sums = [side @ np.ones(side.shape[1]) for side in (moduli, moduli.T)]
    return sqrt(float(sums[0].max()) * float(sums[1].max()))


def _stretch(operator: ConvolutionOperator, vector: Array) -> float:
    return _length(operator @ vector) / _length(vector)


def _length(vector: Array) -> float:
    """The Euclidean norm, its sum rounded once."""
    return sqrt(fsum(vector.view(np.float64) ** 2))


def _most_stretched(operator: ConvolutionOperator, steps: int, tolerance: float) -> Array:
    """A vector that is stretched about as far as any, from iterations that start anew where the last one ended."""
    rows, columns = operator.shape
    # One more than there are rows: a vector in which A vanishes can come up among the first.
    room = min(steps, rows + 1, columns, max(_BASIS // (rows + columns), 2))
    vector = np.random.default_rng(0).standard_normal(columns).astype(operator.dtype)
    for _ in range(-(-steps // room)):
        vector, settled = _golub_kahan(operator, vector, room, tolerance)
        if settled:
            break
    return vector


def _golub_kahan(operator: ConvolutionOperator, start: Array, steps: int, tolerance: float) -> tuple[Array, bool]:
    """The right singular vector of the largest singular value within a Krylov space, and whether it is one of A's.

    Golub and Kahan's bidiagonalization, orthogonalized against all earlier vectors: A V = U B, Aᴴ U = V Bᵀ + β v eᵀ.
    """
    rows, columns = operator.shape
    left, right = np.zeros((steps, rows), start.dtype), np.zeros((steps + 1, columns), start.dtype)
    bidiagonal = np.zeros((steps, steps))
    right[0] = start / np.linalg.norm(start)
    for step in range(steps):
        image = _orthogonal(operator @ right[step], left[:step])
        bidiagonal[step, step] = alpha = np.linalg.norm(image)
        inner = bidiagonal[: step + 1, : step + 1]
        negligible = _EPSILON * np.linalg.norm(inner)
        if alpha > negligible:
            left[step] = image / alpha
        back = _orthogonal(operator.rmatvec(left[step]), right[: step + 1])
        beta = np.linalg.norm(back)
        last = beta <= negligible or step + 1 == steps
        if last or not (step + 1) % _LOOK:
            coefficients, values, combination = np.linalg.svd(inner)
            settled = bool(beta * abs(coefficients[step, 0]) <= tolerance * values[0])
            if last or settled:
                break
        bidiagonal[step, step + 1] = beta
        right[step + 1] = back / beta
    return combination[0] @ right[: step + 1], settled


def _orthogonal(vector: Array, basis: Array) -> Array:
    """What is left of a vector outside the space of orthonormal rows; twice is enough (Kahan and Parlett)."""
    for _ in range(2):
        vector = vector - (basis.conj() @ vector) @ basis
    return vector
