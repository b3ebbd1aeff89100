"""Correlation and convolution of two signals of NumPy arrays, with SciPy's meaning and up to five axes.

Each is one call of a convolution with one channel: the kernel as it is (its complex conjugate), or flipped.
"""

from dataclasses import dataclass
from numbers import Complex, Integral, Real
from typing import Any

import numpy as np

from convsym import arguments, gate
from convsym.arguments import Parameters
from convsym.calls import delivered, forward
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.meaning import RANKS, resolve
from convsym.operations import How, Operation

MODES = ("full", "same", "valid")
BOUNDARIES = {"fill": "zeros", "wrap": "circular", "symm": "symmetric"}


def correlate(
    a: Any,
    v: Any,
    mode: str = "full",
    *,
    boundary: str = "fill",
    fillvalue: Any = 0,
    same: str = "lower",
    algorithm: str = "auto",
    out: Any = None,
) -> Array:
    """Correlation of two arrays of 1 to 5 axes, as `scipy.signal.correlate` defines it.

        z[k0, …] = sum over l0, … of a[l0, …] * conj(v[l0 - k0 + N0 - 1, …])    (mode "full"; N0, … the sizes of v)

    Parameters
    ----------
    a : ndarray
        The first signal: any dtype of `convsym.conv`.
    v : ndarray
        The second, of the same dtype and with as many axes; its complex conjugate is used.
    mode : {"full", "same", "valid"}
        Every place where the two meet; the middle of that, of the size of `a`; or where the smaller lies within the
        larger, whichever of the two that is.
    boundary : {"fill", "wrap", "symm"}
        What stands around `a`: `fillvalue`, its own elements again, or mirrored (the edge element twice).
    fillvalue : number
        Of boundary "fill".
    same : {"lower", "symmetric", "tf"}
        Where the middle of an even number of elements is: "lower" as in `scipy.signal.correlate`; "symmetric" (or "tf",
        which means the same here) one element later, as in `scipy.signal.correlate2d`.
    algorithm : {"auto", "direct", "winograd", "fft", "reference"}
        As of `convsym.conv`.
    out : ndarray, optional
        Where the result goes, of its shape and dtype; it may overlap the signals.

    Returns
    -------
    ndarray
        Of the signals' dtype, exact for integers (modulo 2 to the number of bits). Along each axis of sizes M and N:
        M + N - 1, M, or abs(M - N) + 1 elements.

    Raises
    ------
    TypeError
        An argument is no array of a dtype that is computed, or the dtypes differ: they are not promoted.
    ShapeError
        The numbers of axes differ or are more than 5, a signal is empty, or mode "valid" finds no larger one.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import correlate
    >>> a, v = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5])
    >>> correlate(a, v)
    array([0.5, 2. , 3.5, 3. , 0. ])
    >>> correlate(a, v, "same", boundary="wrap")
    array([2. , 3.5, 3.5])
    >>> correlate(np.eye(3), np.ones((2, 2)), "valid")
    array([[2., 1.],
           [1., 2.]])
    """
    signals = _accepted(a, v)
    how = _Mode(arguments.one_of(mode, "mode", MODES), boundary, fillvalue, same, algorithm)
    first, second = signals["a"], gate.adjoint(signals["v"])
    if mode == "valid" and _is_smaller(first.shape, second.shape):
        # What slides is the larger one: the same products in the opposite order of places, conjugated.
        turned = gate.adjoint(how.slide(signals["v"], gate.adjoint(first), flip=False))
        return delivered(gate.layout(np.flip(turned)), first.dtype, out, None)
    return delivered(how.slide(first, second, flip=False), first.dtype, out, None)


def convolve(
    a: Any,
    v: Any,
    mode: str = "full",
    *,
    boundary: str = "fill",
    fillvalue: Any = 0,
    same: str = "lower",
    algorithm: str = "auto",
    out: Any = None,
) -> Array:
    """Convolution of two arrays of 1 to 5 axes, as `scipy.signal.convolve` defines it.

        z[k0, …] = sum over l0, … of a[l0, …] * v[k0 - l0, …]    (mode "full")

    Parameters
    ----------
    a : ndarray
        The first signal: any dtype of `convsym.conv`.
    v : ndarray
        The second, of the same dtype and with as many axes.
    mode, boundary, fillvalue, algorithm, out
        As of `correlate`.
    same : {"lower", "symmetric", "tf"}
        Where the middle of an even number of elements is: "lower" as in SciPy, in every number of axes; "symmetric" (or
        "tf") one element later.

    Returns
    -------
    ndarray
        Of the signals' dtype; sizes as of `correlate`.

    Raises
    ------
    TypeError, ShapeError
        As `correlate`.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import convolve
    >>> convolve(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5]))
    array([0. , 1. , 2.5, 4. , 1.5])
    >>> convolve(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5]), "same", fillvalue=1)
    array([1.5, 2.5, 4. ])
    """
    signals = _accepted(a, v)
    how = _Mode(arguments.one_of(mode, "mode", MODES), boundary, fillvalue, same, algorithm)
    first, second = signals["a"], signals["v"]
    if mode == "valid" and _is_smaller(first.shape, second.shape):
        first, second = second, first
    return delivered(how.slide(first, second, flip=True), first.dtype, out, None)


@dataclass(frozen=True)
class _Mode:
    """Which places are computed, what stands around the first signal, and by which algorithm."""

    mode: str
    boundary: str
    fillvalue: Any
    same: str
    algorithm: str

    def slide(self, x: Array, w: Array, flip: bool) -> Array:
        """The sums of products of `x` and of `w` at every place; in mode "valid" the larger one is `x`."""
        around = BOUNDARIES[arguments.one_of(self.boundary, "boundary", tuple(BOUNDARIES))]
        fill = _number(self.fillvalue, x.dtype) if around == "zeros" else 0
        parameters = Parameters(padding=self.mode, padding_mode=around, flip=flip, same=self.same)
        if x.ndim == 0:
            with np.errstate(over="ignore", invalid="ignore"):
                return np.asarray(x * w)
        if fill != 0:
            sides = resolve(x.ndim, (1, *x.shape), (1, 1, *w.shape), parameters).padding
            x, parameters = np.pad(x, sides, constant_values=fill), Parameters(flip=flip)
        value: Array = forward(Operation(x.ndim, parameters, How(self.algorithm)), x[None], w[None, None])[0]
        return value


def _accepted(a: object, v: object) -> dict[str, Array]:
    """Both signals, if they have one dtype, as many axes, and elements."""
    signals = {"a": gate.accept(a, "a"), "v": gate.accept(v, "v")}
    gate.same_dtype(signals)
    first, second = signals["a"].shape, signals["v"].shape
    if len(first) != len(second):
        raise ShapeError(
            f"a has {len(first)} axes and v has {len(second)}, and they must have as many; "
            "add axes of size 1 to one of them, e.g. v[None]"
        )
    if len(first) > RANKS[-1]:
        raise ShapeError(f"a and v have {len(first)} axes, and signals of up to {RANKS[-1]} are computed")
    for name, shape in (("a", first), ("v", second)):
        if 0 in shape:
            raise ShapeError(f"{name} has shape {shape}, and a signal without elements has no correlation")
    return signals


def _is_smaller(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether the first lies within the second; a ShapeError if neither lies within the other."""
    if all(size >= other for size, other in zip(first, second, strict=True)):
        return False
    if all(size <= other for size, other in zip(first, second, strict=True)):
        return True
    raise ShapeError(
        f"mode='valid' needs one signal that is at least as large as the other along every axis, and a has shape "
        f"{first}, v has shape {second}; use mode='full' or 'same'"
    )


def _number(value: Any, dtype: np.dtype[Any]) -> Any:
    """The number around a signal, if elements of its dtype can have that value."""
    kinds: dict[str, tuple[type, str]] = {
        "i": (Integral, "an integer"),
        "u": (Integral, "an integer"),
        "f": (Real, "a real number"),
        "c": (Complex, "a number"),
        "O": (object, "a number"),
    }
    kind, words = kinds[dtype.kind]
    if not isinstance(value, kind) or isinstance(value, np.ndarray):
        raise TypeError(f"fillvalue is {value!r} ({type(value).__name__}), and {words} is needed for dtype {dtype}")
    if kind is Integral and not np.iinfo(dtype).min <= int(value) <= np.iinfo(dtype).max:  # type: ignore[call-overload]
        raise ShapeError(f"fillvalue is {value}, and dtype {dtype} does not have that number")
    return value
