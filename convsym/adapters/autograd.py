"""The ops for the package autograd, differentiable to any order in both modes.

Every gather is one primitive, whose gradients are gathers of the same kind. autograd's gradients of complex numbers are
not conjugated, so cotangents are conjugated on their way in and out.

Examples
--------
>>> import autograd.numpy as np
>>> from autograd import grad
>>> from convsym.adapters.autograd import conv1d
>>> x, w = np.arange(5.0).reshape(1, 5), np.array([[[1.0, 2.0, 3.0]]])
>>> loss = lambda x, w: np.sum(conv1d(x, w, stride=2) ** 2)
>>> grad(loss)(x, w)
array([[ 16.,  32.,  88.,  80., 120.]])
>>> grad(lambda w: np.sum(grad(loss)(x, w)))(w)
array([[[ 80., 104., 128.]]])
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

try:
    import autograd.numpy as np
    from autograd.extend import defjvp, defvjp, primitive
except ModuleNotFoundError as error:
    fix = 'pip install "convsym[autograd]"'
    raise ModuleNotFoundError(f"convsym.adapters.autograd needs the package autograd; {fix}") from error

from convsym.adapters.functions import AvgPool, Conv, ConvTranspose, Fold, Unfold
from convsym.gate import Array
from convsym.multilinear import Form, exchanged


def _compute(form: Form, result: str, slots: tuple[str, ...], *arrays: Array) -> Array:
    return form.gather(result, dict(zip(slots, arrays, strict=True)))


_primitive = primitive(_compute)


def _gather(form: Form, result: str, operands: Mapping[str, Any]) -> Any:
    return _primitive(form, result, tuple(operands), *operands.values())


def _gradient(
    place: int, answer: Array, form: Form, result: str, slots: tuple[str, ...], *arrays: Array
) -> Callable[[Array], Array]:
    """The gradient by the operand at a place, as a function of the cotangent."""
    operands = dict(zip(slots, arrays, strict=True))

    def gradient(cotangent: Array) -> Any:
        given = exchanged(operands, slots[place], result, _conjugate(cotangent))
        return _conjugate(_gather(form, slots[place], given))

    return gradient


def _derivative(
    place: int, tangent: Array, answer: Array, form: Form, result: str, slots: tuple[str, ...], *arrays: Array
) -> Any:
    """The derivative in a direction of the operand at a place: a gather is linear in it."""
    return _gather(form, result, {**dict(zip(slots, arrays, strict=True)), slots[place]: tangent})


def _conjugate(array: Any) -> Any:
    return np.conj(array) if np.iscomplexobj(array) else array


_PLACES = (0, 1)  # two operands at most
_STATIC = 3  # arguments of the primitive in front of them
_ARGUMENTS = tuple(_STATIC + place for place in _PLACES)
defvjp(_primitive, *(partial(_gradient, place) for place in _PLACES), argnums=_ARGUMENTS)
defjvp(_primitive, *(partial(_derivative, place) for place in _PLACES), argnums=_ARGUMENTS)

conv, conv1d, conv2d, conv3d = (Conv(_gather, rank) for rank in (None, 1, 2, 3))
conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d = (
    ConvTranspose(_gather, rank) for rank in (None, 1, 2, 3)
)
avg_pool, avg_pool1d, avg_pool2d, avg_pool3d = (AvgPool(_gather, rank) for rank in (None, 1, 2, 3))
unfold, fold = Unfold(_gather), Fold(_gather)
