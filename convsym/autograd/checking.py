"""Gradients checked against differences: whatever is recorded, in every order, along random directions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convsym.autograd.held import plain
from convsym.autograd.leaves import tensor
from convsym.autograd.recording import no_grad
from convsym.autograd.tape import Tensor
from convsym.autograd.transforms import jvp, vjp
from convsym.errors import TapeError
from convsym.gate import Array

_POWER = 1 / 3  # this root of the unit roundoff balances the two errors of a central difference


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    *,
    exact: bool = False,
    step: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    seed: int = 0,
) -> None:
    """Check the gradients of a function by differences along a random direction.

    The derivative in a direction t, projected on a random cotangent dy, is computed in three ways: by `jvp`, by `vjp`,
    and as ``(f(x + h*t) - f(x - h*t))/(2*h)``. Then the same is done for the function that `vjp` computes, order by
    order.

    Parameters
    ----------
    f : callable
        Its result is a tensor, or a tuple of tensors.
    args : sequence of (Tensor, array or number)
        Its arguments, all of them with gradients; float64 is best.
    order : int
        How many orders are checked.
    exact : bool
        Let all be integers, the step be 1, and demand equality: for functions that are polynomials of degree 2 at most,
        such as all that are linear in each argument of two. `args` hold integers then.
    step, rtol, atol : float, optional
        h, and how far results may differ, relative to the largest and absolutely.
    seed : int
        Of the random directions.

    Raises
    ------
    AssertionError
        Two of the three differ; the message says at which order, which and by how much.
    TapeError
        With `exact`, an argument holds other numbers than integers.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import check_grads, conv1d, exp
    >>> check_grads(lambda x: exp(x) * x, [np.array([0.5, 1.0])])
    >>> check_grads(conv1d, [np.ones((1, 1, 5)), np.ones((1, 1, 3))], exact=True)
    """
    values = [np.array(plain(arg), dtype=getattr(plain(arg), "dtype", np.float64)) for arg in args]
    if exact and not all(np.array_equal(value, np.rint(value)) for value in values):
        raise TapeError("exact=True is for integers, and an argument holds other numbers; round them, or leave it out")
    eps = max((float(np.finfo(value.dtype).eps) for value in values), default=0.0)
    h = 1.0 if exact else eps**_POWER if step is None else step
    loose = 0.0 if exact else 100 * eps**0.5
    bounds = _Bounds(h, loose if rtol is None else rtol, loose if atol is None else atol)
    random = np.random.default_rng(seed)

    def draw(like: Array | Tensor) -> Array:
        numbers = random.integers(-3, 4, like.shape) if exact else random.standard_normal(like.shape)
        return np.asarray(numbers, like.dtype)

    for level in range(1, order + 1):
        with no_grad():
            results = _tuple(f(*map(tensor, values)))
        cotangents = [draw(result) for result in results]
        _compare(f, values, [draw(value) for value in values], cotangents, bounds, level)
        f, values = _way_back(f, len(values)), [*values, *cotangents]


@dataclass(frozen=True)
class _Bounds:
    """The step of differences, and how far results may differ."""

    step: float
    rtol: float
    atol: float


def _way_back(f: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The function of arguments and cotangents that computes the gradients by `count` arguments."""

    def gradients(*arguments: Any) -> tuple[Tensor, ...]:
        return vjp(f, *arguments[:count])[1](*arguments[count:])

    return gradients


def _compare(
    f: Callable[..., Any],
    values: Sequence[Array],
    tangents: Sequence[Array],
    cotangents: Sequence[Array],
    bounds: _Bounds,
    level: int,
) -> None:
    """Compute one projection of a derivative on three roads, and raise if they do not meet."""
    _, forward = jvp(f, tuple(values), tuple(tangents))
    backward = vjp(f, *values)[1](*cotangents)
    with no_grad():
        h = bounds.step
        ahead, behind = (
            _tuple(f(*[tensor(x + sign * h * t) for x, t in zip(values, tangents, strict=True)])) for sign in (1, -1)
        )
    slopes = [(plain(one) - plain(other)) / (2 * h) for one, other in zip(ahead, behind, strict=True)]
    found = {
        "jvp": _product(_tuple(forward), cotangents),
        "vjp": _product(backward, tangents),
        "the difference": _product(slopes, cotangents),
    }
    truth, scale = found["the difference"]
    for name, (value, _) in found.items():
        if not abs(value - truth) <= bounds.atol + bounds.rtol * scale:
            raise AssertionError(
                f"derivatives of order {level}: {name} gives {value!r}, and the difference gives {truth!r}; they are "
                f"{abs(value - truth):.3g} apart, and {bounds.atol + bounds.rtol * scale:.3g} is allowed"
            )


def _product(ones: Sequence[Any], others: Sequence[Array]) -> tuple[float, float]:
    """The inner product of arrays, and the sum of the absolute values of its terms."""
    terms = [np.asarray(plain(one), np.float64) * other for one, other in zip(ones, others, strict=True)]
    return float(sum(term.sum() for term in terms)), float(sum(np.abs(term).sum() for term in terms))


def _tuple(values: Any) -> tuple[Any, ...]:
    return values if isinstance(values, tuple) else (values,)
