"""Gradients of whatever is computed with tensors: a tape, and functions that it records.

Every rule was derived from the formula of what it differentiates.
"""

from convsym.autograd.custom import Context, Function
from convsym.autograd.graphs import nodes, replay
from convsym.autograd.leaves import tensor
from convsym.autograd.recording import enable_grad, is_grad_enabled, no_grad
from convsym.autograd.tape import Node, Tensor, apply

__all__ = [
    "Context",
    "Function",
    "Node",
    "Tensor",
    "apply",
    "enable_grad",
    "is_grad_enabled",
    "no_grad",
    "nodes",
    "replay",
    "tensor",
]
