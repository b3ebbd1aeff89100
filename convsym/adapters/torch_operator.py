"""The gathers as one custom operator of torch, ``torch.ops.convsym.gather``, whose gradients are calls of itself.

A form is given to the operator as its text. The operator is what compilers, exporters and autocast see. Transforms of
torch.func and forward mode do not see through operators of torch.library (torch 2.13 takes their tangents for zero), so
eager calls go through a `torch.autograd.Function` with the same gradients.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from convsym import gate
from convsym.adapters import instances, texts
from convsym.gate import Array
from convsym.multilinear import Form, exchanged

_AXES = SimpleNamespace(moveaxis=torch.movedim, broadcast_to=torch.broadcast_to)  # what vmap knows rules for
_DTYPES = {getattr(torch, name) for name in gate.DTYPES if hasattr(torch, name)}
_written = lru_cache(maxsize=1024)(texts.write)


def _compute(operands: Sequence[Tensor], result: str, form: str) -> Tensor:
    read = texts.read(form)
    slots = _operands(read, result)
    return torch.from_numpy(read.gather(result, dict(zip(slots, map(_array, operands), strict=True))))


def _array(operand: Tensor) -> Array:
    """The memory of a tensor as an array."""
    if operand.dtype not in _DTYPES:
        raise TypeError(
            f"a tensor is {operand.dtype}, and convsym computes {', '.join(map(str, gate.DTYPES[:5]))} and integers; "
            "convert it, e.g. with .float(), or compute under torch.autocast('cpu')"
        )
    array: Array = operand.detach().resolve_conj().resolve_neg().numpy()
    return array


def _fake(operands: Sequence[Tensor], result: str, form: str) -> Tensor:
    return operands[0].new_empty(texts.read(form).shapes[result])


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    operands, ctx.result, ctx.form = inputs
    ctx.save_for_backward(*operands)


def _backward(ctx: Any, cotangent: Tensor) -> tuple[Any, None, None]:
    return _gradients(texts.read(ctx.form), ctx, cotangent, ctx.needs_input_grad[0]), None, None


def _gradients(form: Form, ctx: Any, cotangent: Tensor, needed: Sequence[bool]) -> list[Tensor | None]:
    """The gradients by all operands that are needed; each is a gather of the same form."""
    operands = dict(zip(_operands(form, ctx.result), ctx.saved_tensors, strict=True))
    return [
        gather(form, slot, exchanged(operands, slot, ctx.result, cotangent)) if wanted else None
        for slot, wanted in zip(operands, needed, strict=True)
    ]


def _vectorized(info: Any, in_dims: Any, operands: Sequence[Tensor], result: str, form: str) -> tuple[Tensor, int]:
    read = texts.read(form)
    arrays, own = {}, set()
    for slot, operand, place in zip(_operands(read, result), operands, in_dims[0], strict=True):
        arrays[slot] = operand if place is None else operand.movedim(place, 0)
        if place is not None:
            own.add(slot)
    return instances.gathered(_AXES, _applied, read, result, arrays, own), 0


def _operands(form: Form, result: str) -> tuple[str, ...]:
    """The slots that a gather reads, in their order."""
    return tuple(slot for slot in form.slots if slot != result)


def _applied(form: Form, result: str, operands: Mapping[str, Tensor]) -> Tensor:
    """A gather by the operator alone."""
    return _operator([operands[slot] for slot in _operands(form, result)], result, _written(form))


_operator = torch.library.custom_op("convsym::gather", _compute, mutates_args=(), device_types="cpu")
_operator.register_fake(_fake)
_operator.register_autograd(_backward, setup_context=_remember)
_operator.register_vmap(_vectorized)
_operator.register_autocast("cpu", torch.float32)


class _Gather(torch.autograd.Function):
    """The operator for transforms that do not see through one of torch.library: torch.func and forward mode."""

    generate_vmap_rule = True

    @staticmethod
    def forward(form: Form, result: str, *operands: Tensor) -> Tensor:
        return _operator(list(operands), result, _written(form))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.form, ctx.result, *operands = inputs
        ctx.save_for_backward(*operands)
        ctx.save_for_forward(*operands)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
        return None, None, *_gradients(ctx.form, ctx, cotangent, ctx.needs_input_grad[2:])

    @staticmethod
    def jvp(ctx: Any, form: None, result: None, *tangents: Tensor | None) -> Tensor:
        operands = dict(zip(_operands(ctx.form, ctx.result), ctx.saved_tensors, strict=True))
        directions = dict(zip(operands, tangents, strict=True))
        terms = [
            gather(ctx.form, ctx.result, {**operands, slot: tangent})
            for slot, tangent in directions.items()
            if tangent is not None
        ]
        return sum(terms[1:], terms[0])


def gather(form: Form, result: str, operands: Mapping[str, Tensor]) -> Tensor:
    arrays = [operands[slot] for slot in _operands(form, result)]
    if torch.compiler.is_compiling():
        return _operator(arrays, result, texts.write(form))
    if torch.is_autocast_enabled("cpu"):
        arrays = [_single(array) for array in arrays]
    return _Gather.apply(form, result, *arrays)


def _single(operand: Tensor) -> Tensor:
    """A tensor as autocast has it for this operator."""
    return operand.float() if operand.is_floating_point() and operand.dtype is not torch.float64 else operand
