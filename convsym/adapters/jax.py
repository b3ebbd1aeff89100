"""The ops for JAX on the CPU, under jit, vmap and reverse-mode differentiation of any order.

Every gather is one function with a `jax.custom_vjp` that computes in a callback; its gradients are gathers of the same
kind. JAX's gradients of complex numbers are not conjugated, so cotangents are conjugated on their way in and out.

Examples
--------
>>> import jax
>>> import jax.numpy as jnp
>>> from convsym.adapters.jax import conv1d
>>> x, w = jnp.arange(5.0).reshape(1, 5), jnp.array([[[1.0, 2.0, 3.0]]])
>>> loss = lambda x, w: (conv1d(x, w, stride=2) ** 2).sum()
>>> jax.jit(jax.grad(loss))(x, w)
Array([[ 16.,  32.,  88.,  80., 120.]], dtype=float32)
>>> jax.grad(lambda w: jax.grad(loss)(x, w).sum())(w)
Array([[[ 80., 104., 128.]]], dtype=float32)
>>> jax.vmap(jax.grad(loss), in_axes=(0, None))(jnp.stack([x, 2 * x]), w)[1]
Array([[ 32.,  64., 176., 160., 240.]], dtype=float32)
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

try:
    import jax
    import jax.numpy as jnp
except ModuleNotFoundError as error:
    fix = 'pip install "convsym[jax]"'
    raise ModuleNotFoundError(f"convsym.adapters.jax needs the package jax; {fix}") from error

from convsym import gate
from convsym.adapters import instances
from convsym.adapters.functions import AvgPool, Conv, ConvTranspose, Fold, Unfold
from convsym.gate import Array
from convsym.multilinear import ARGUMENTS, Form, exchanged

Operands = dict[str, Any]


def _compute(form: Form, result: str, operands: Mapping[str, Any]) -> Array:
    """A gather of arrays as a callback gets them: every vmap around it has put an axis in front, of size 1 where an
    operand is shared."""
    arrays = {slot: np.asarray(array) for slot, array in operands.items()}
    before = {slot: array.ndim - len(form.shapes[slot]) for slot, array in arrays.items()}
    outer = max(before.values())
    if not outer:
        return form.gather(result, arrays)
    own = {slot for slot, array in arrays.items() if array.shape[outer - 1] > 1}
    for slot in arrays.keys() - own:
        arrays[slot] = arrays[slot].squeeze(outer - 1)
    if own:
        many: Array = instances.gathered(np, _compute, form, result, arrays, own, outer - 1)
        return many
    return np.expand_dims(_compute(form, result, arrays), outer - 1)


def _gather(form: Form, result: str, operands: Operands) -> Any:
    gate.accept_each(**{ARGUMENTS[slot]: np.empty(0, array.dtype) for slot, array in operands.items()})
    return _differentiable(form, result, operands)


def _called(form: Form, result: str, operands: Operands) -> Any:
    dtype = next(iter(operands.values())).dtype
    shape = jax.ShapeDtypeStruct(form.shapes[result], dtype)
    return jax.pure_callback(partial(_compute, form, result), shape, operands, vmap_method="expand_dims")


def _forward(form: Form, result: str, operands: Operands) -> tuple[Any, tuple[Operands, Operands]]:
    values = {slot: operand.value for slot, operand in operands.items()}
    wanted = {slot: () if operand.perturbed else None for slot, operand in operands.items()}
    return _differentiable(form, result, values), (values, wanted)


def _backward(form: Form, result: str, kept: tuple[Operands, Operands], cotangent: Any) -> tuple[Operands]:
    operands, wanted = kept
    given = jnp.conj(cotangent)
    gradients = {
        slot: jnp.conj(_differentiable(form, slot, exchanged(operands, slot, result, given)))
        for slot in operands
        if wanted[slot] is not None
    }
    return ({slot: gradients.get(slot) for slot in operands},)


_differentiable = jax.custom_vjp(_called, nondiff_argnums=(0, 1))
_differentiable.defvjp(_forward, _backward, symbolic_zeros=True)

conv, conv1d, conv2d, conv3d = (Conv(_gather, rank) for rank in (None, 1, 2, 3))
conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d = (
    ConvTranspose(_gather, rank) for rank in (None, 1, 2, 3)
)
avg_pool, avg_pool1d, avg_pool2d, avg_pool3d = (AvgPool(_gather, rank) for rank in (None, 1, 2, 3))
unfold, fold = Unfold(_gather), Fold(_gather)
