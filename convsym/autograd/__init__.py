"""Functions of tensors that have gradients, of any order: the tape, and what can be recorded on it.

Every rule was derived from the formula of what it differentiates; the functions in `convsym` itself compute with arrays
and know nothing of gradients.
"""

from typing import TYPE_CHECKING, Any

from convsym.autograd.activations import elu, leaky_relu, relu, sigmoid, softplus
from convsym.autograd.arithmetic import (
    abs,
    add,
    clip,
    div,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    reciprocal,
    sqrt,
    square,
    sub,
    where,
)
from convsym.autograd.checking import check_grads
from convsym.autograd.convolutions import conv, conv1d, conv2d, conv3d
from convsym.autograd.custom import Context, Function
from convsym.autograd.elementary import acos, asin, atan, cos, cosh, exp, log, sin, sinh, tan, tanh
from convsym.autograd.graphs import nodes, replay
from convsym.autograd.joining import concatenate, split, stack
from convsym.autograd.leaves import tensor
from convsym.autograd.losses import cross_entropy, linear, mse_loss
from convsym.autograd.pooling import avg_pool, avg_pool1d, avg_pool2d, avg_pool3d, fold, unfold
from convsym.autograd.recording import enable_grad, is_grad_enabled, no_grad
from convsym.autograd.reductions import log_softmax, logsumexp, matmul, max, mean, min, softmax, sum
from convsym.autograd.structural import (
    broadcast_to,
    expand_dims,
    flatten,
    flip,
    moveaxis,
    pad,
    reshape,
    squeeze,
    transpose,
)
from convsym.autograd.tape import Node, Tensor, apply
from convsym.autograd.transforms import grad, hvp, jacobian, jvp, value_and_grad, vjp
from convsym.autograd.transposed import conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d

if TYPE_CHECKING:
    from convsym.autograd.symbolic import by_hand
else:

    def __getattr__(name: str) -> Any:
        if name != "by_hand":
            raise AttributeError(f"module 'convsym.autograd' has no attribute {name!r}")
        from convsym.autograd.symbolic import by_hand  # it loads SymPy

        return by_hand


__all__ = [
    "Context",
    "Function",
    "Node",
    "Tensor",
    "abs",
    "acos",
    "add",
    "apply",
    "asin",
    "atan",
    "avg_pool",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "broadcast_to",
    "by_hand",
    "check_grads",
    "clip",
    "concatenate",
    "conv",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cos",
    "cosh",
    "cross_entropy",
    "div",
    "elu",
    "enable_grad",
    "exp",
    "expand_dims",
    "flatten",
    "flip",
    "fold",
    "grad",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "mse_loss",
    "mul",
    "neg",
    "no_grad",
    "nodes",
    "pad",
    "pow",
    "reciprocal",
    "relu",
    "replay",
    "reshape",
    "sigmoid",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "sub",
    "sum",
    "tan",
    "tanh",
    "tensor",
    "transpose",
    "unfold",
    "value_and_grad",
    "vjp",
    "where",
]
