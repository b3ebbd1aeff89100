"""The gathers as one custom operator of torch, ``torch.ops.convsym.gather``, whose gradients are calls of itself.

A form is given to the operator as its text. The operator is what compilers, exporters and autocast see. Transforms of
torch.func and forward mode do not see through operators of torch.library (torch 2.13 takes their tangents for zero), so
eager calls go through a `torch.autograd.Function` with the same gradients.
"""

from collections.abc import Mapping
from functools import lru_cache
from inspect import signature
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from convsym import gate
from convsym.adapters import instances, texts
from convsym.gate import Array
from convsym.multilinear import ARGUMENTS, Form, exchanged

_AXES = SimpleNamespace(moveaxis=torch.movedim, broadcast_to=torch.broadcast_to)  # what vmap knows rules for
_DTYPES = {getattr(torch, name) for name in gate.DTYPES if hasattr(torch, name)}
_written = lru_cache(maxsize=1024)(texts.write)


def _compute(first: Tensor, second: Tensor | None, result: str, form: str) -> Tensor:
    read = texts.read(form)
    arrays = {slot: _array(operand, ARGUMENTS[slot]) for slot, operand in _named(read, result, first, second).items()}
    return torch.from_numpy(gate.layout(read.gather(result, arrays)))


def _array(operand: Tensor, name: str) -> Array:
    """The memory of a tensor as an array."""
    if operand.dtype not in _DTYPES:
        raise TypeError(
            f"{name} is {operand.dtype}, and convsym computes {', '.join(gate.FLOATS + gate.COMPLEX)} and integers; "
            f"convert it, e.g. {name}.float(), or compute under torch.autocast('cpu')"
        )
    array: Array = operand.numpy(force=True)  # conjugates that wait are resolved
    return array


def _fake(first: Tensor, second: Tensor | None, result: str, form: str) -> Tensor:
    return first.new_empty(texts.read(form).shapes[result])


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    first, second, ctx.result, form = inputs
    ctx.form = texts.read(form)
    ctx.save_for_backward(first, second)


def _backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients by all operands that are needed; each is a gather of the same form."""
    operands = _named(ctx.form, ctx.result, *ctx.saved_tensors)
    needed = dict(zip(operands, ctx.needs_input_grad, strict=False))
    gradients = [
        gather(ctx.form, slot, exchanged(operands, slot, ctx.result, cotangent)) if needed[slot] else None
        for slot in operands
    ]
    return (*gradients, *(None,) * (4 - len(gradients)))


def _vectorized(
    info: Any, in_dims: tuple[int | None, ...], first: Tensor, second: Tensor | None, result: str, form: str
) -> tuple[Tensor, int]:
    read = texts.read(form)
    operands = _named(read, result, first, second)
    places = {slot: place for slot, place in zip(operands, in_dims, strict=False) if place is not None}
    moved = {
        slot: operand.movedim(places[slot], 0) if slot in places else operand for slot, operand in operands.items()
    }
    return instances.gathered(_AXES, _applied, read, result, moved, places.keys()), 0


def _named(form: Form, result: str, first: Any, second: Any) -> dict[str, Any]:
    """The operands of a gather by the slots that it reads, in their order."""
    slots = [slot for slot in form.slots if slot != result]
    return dict(zip(slots, (first, second), strict=False))


def _placed(form: Form, result: str, operands: Mapping[str, Any]) -> tuple[Any, Any]:
    """The operands of a gather in the order of the slots that it reads; None where there is no second one."""
    first, second, *_ = (*(operands[slot] for slot in form.slots if slot != result), None)
    return first, second


def _applied(form: Form, result: str, operands: Mapping[str, Tensor]) -> Tensor:
    """A gather by the operator alone."""
    return _operator(*_placed(form, result, operands), result, _written(form))


_operator = torch.library.custom_op("convsym::gather", _compute, mutates_args=(), device_types="cpu")
_operator.register_fake(_fake)
_operator.register_autograd(_backward, setup_context=_remember)
_operator.register_vmap(_vectorized)
_operator.register_autocast("cpu", torch.float32)


class _Gather(torch.autograd.Function):
    """The operator for transforms that do not see through one of torch.library: torch.func and forward mode."""

    generate_vmap_rule = True

    @staticmethod
    def forward(first: Tensor, second: Tensor | None, result: str, form: str) -> Tensor:
        return _operator(first, second, result, form)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _remember(ctx, inputs, output)
        ctx.save_for_forward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        return _backward(ctx, cotangent)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        """A gather is linear in each operand."""
        operands = _named(ctx.form, ctx.result, *ctx.saved_tensors)
        terms = [
            gather(ctx.form, ctx.result, {**operands, slot: tangent})
            for slot, tangent in zip(operands, tangents, strict=False)
            if tangent is not None
        ]
        return sum(terms[1:], terms[0])


# torch looks the signature up in every call, and reading it anew takes as long as a small convolution.
_Gather.forward.__signature__ = signature(_Gather.forward)  # type: ignore[attr-defined]  # functions take any


def gather(form: Form, result: str, operands: Mapping[str, Tensor]) -> Tensor:
    """A gather of tensors, differentiable to any order."""
    first, second = _placed(form, result, operands)
    if torch.compiler.is_compiling():
        return _operator(first, second, result, texts.write(form))
    if torch.is_autocast_enabled("cpu"):
        first, second = _single(first), _single(second)
    return _Gather.apply(first, second, result, _written(form))


def _single(operand: Any) -> Any:
    """A tensor as autocast has it for this operator; None where there is none."""
    if operand is None or not operand.is_floating_point() or operand.dtype is torch.float64:
        return operand
    return operand.float()
