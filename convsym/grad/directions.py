"""Directions and cotangents: arrays that go along with an argument and have its shape."""

from typing import Any

from convsym.errors import ShapeError
from convsym.gate import Array, accept, same_dtype
from convsym.operations import Operation


def like(tangent: Any, name: str, array: Array, of: str) -> Array:
    """A tangent, if it has the dtype and the shape of its argument."""
    found = accept(tangent, name)
    same_dtype({of: array, name: found})
    if found.shape != array.shape:
        raise ShapeError(f"{name} has shape {found.shape}, and {of} has shape {array.shape}; they must be the same")
    return found


def total(terms: list[Array]) -> Array | None:
    """The sum of terms; None of none, which counts as zeros."""
    value: Array | None = sum(terms[1:], terms[0]) if terms else None
    return value


def spread(bias: Array, output: Array, op: Operation) -> Array:
    """One number for each channel, shaped to be added to the output."""
    layout, rank = op.layouts().output, op.rank
    standard = output if layout is None else layout.standard(output, "output")
    channels = standard.shape[-rank - 1]
    if bias.shape != (channels,):
        raise ShapeError(f"the direction of the bias has shape {bias.shape}, and it must be ({channels},)")
    column = bias.reshape((1,) * (standard.ndim - rank - 1) + (channels,) + (1,) * rank)
    return column if layout is None else layout.view(column)
