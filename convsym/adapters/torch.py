"""The ops for torch on the CPU: one custom operator, differentiable to any order.

The operator is ``torch.ops.convsym.gather``. Its gradients are calls of itself, so derivatives of all orders work,
under vmap, torch.func, forward mode and torch.compile too. Under autocast it computes in float32.

Examples
--------
>>> import torch
>>> from convsym.adapters.torch import conv1d, replace
>>> x = torch.arange(5.0).reshape(1, 5).requires_grad_()
>>> w = torch.tensor([[[1.0, 2.0, 3.0]]], requires_grad=True)
>>> loss = (conv1d(x, w, stride=2) ** 2).sum()
>>> (dx,) = torch.autograd.grad(loss, x, create_graph=True)
>>> dx
tensor([[ 16.,  32.,  88.,  80., 120.]], grad_fn=<...>)
>>> torch.autograd.grad(dx.sum(), w)
(tensor([[[ 80., 104., 128.]]]),)

A model takes these ops in place of torch's by `replace`; weights, hooks and its state stay what they are:

>>> replace(torch.nn.Sequential(torch.nn.Conv2d(1, 6, 5), torch.nn.ReLU()))
Sequential(
  (0): Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1))
  (1): ReLU()
)
"""

from typing import Any

try:
    from torch import Tensor, nn
except ModuleNotFoundError as error:
    fix = 'pip install "convsym[torch]"'
    raise ModuleNotFoundError(f"convsym.adapters.torch needs the package torch; {fix}") from error

from convsym.adapters.functions import AvgPool, Conv, ConvTranspose
from convsym.adapters.functions import Fold as FoldFunction
from convsym.adapters.functions import Unfold as UnfoldFunction
from convsym.adapters.torch_operator import gather

conv, conv1d, conv2d, conv3d = (Conv(gather, rank) for rank in (None, 1, 2, 3))
conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d = (
    ConvTranspose(gather, rank) for rank in (None, 1, 2, 3)
)
avg_pool, avg_pool1d, avg_pool2d, avg_pool3d = (AvgPool(gather, rank) for rank in (None, 1, 2, 3))
unfold, fold = UnfoldFunction(gather), FoldFunction(gather)


class _Conv(nn.Module):
    """What the convolutions share."""

    def forward(self, input: Tensor) -> Any:
        own: Any = self
        return conv(
            input, own.weight, own.bias, own.stride, own.padding, own.dilation, own.groups,
            padding_mode=own.padding_mode,
        )  # fmt: skip


class Conv1d(_Conv, nn.Conv1d):
    """torch.nn.Conv1d, computed by convsym."""


class Conv2d(_Conv, nn.Conv2d):
    """torch.nn.Conv2d, computed by convsym."""


class Conv3d(_Conv, nn.Conv3d):
    """torch.nn.Conv3d, computed by convsym."""


class _ConvTranspose(nn.Module):
    """What the transposed convolutions share."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Any:
        own: Any = self
        rank = len(own.kernel_size)
        further = own._output_padding(
            input, output_size, own.stride, own.padding, own.kernel_size, rank, own.dilation
        )
        return conv_transpose(
            input, own.weight, own.bias, own.stride, own.padding, tuple(further), own.groups, own.dilation
        )


class ConvTranspose1d(_ConvTranspose, nn.ConvTranspose1d):
    """torch.nn.ConvTranspose1d, computed by convsym."""


class ConvTranspose2d(_ConvTranspose, nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d, computed by convsym."""


class ConvTranspose3d(_ConvTranspose, nn.ConvTranspose3d):
    """torch.nn.ConvTranspose3d, computed by convsym."""


class AvgPool1d(nn.AvgPool1d):
    """torch.nn.AvgPool1d, computed by convsym."""

    def forward(self, input: Tensor) -> Any:
        return avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(nn.AvgPool2d):
    """torch.nn.AvgPool2d, computed by convsym."""

    def forward(self, input: Tensor) -> Any:
        return avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip


class AvgPool3d(nn.AvgPool3d):
    """torch.nn.AvgPool3d, computed by convsym."""

    def forward(self, input: Tensor) -> Any:
        return avg_pool3d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip


class Unfold(nn.Unfold):
    """torch.nn.Unfold, computed by convsym."""

    def forward(self, input: Tensor) -> Any:
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(nn.Fold):
    """torch.nn.Fold, computed by convsym."""

    def forward(self, input: Tensor) -> Any:
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)


_OWN = {
    cls.__bases__[-1]: cls
    for cls in (
        *(Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d),
        *(AvgPool1d, AvgPool2d, AvgPool3d, Unfold, Fold),
    )
}


def replace(model: nn.Module) -> nn.Module:
    """Let convsym compute the convolutions, average pooling and windows of a model, in place.

    Parameters
    ----------
    model : torch.nn.Module
        Its modules of torch's own classes become those of this module, the same objects with the same weights: hooks,
        optimizers and state dicts know them still. Modules of other classes, also ones derived from torch's, stay.

    Returns
    -------
    torch.nn.Module
        The model.

    Raises
    ------
    TypeError
        `model` is no module.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Conv1d(1, 1, 3))
    >>> type(replace(model)[0])
    <class 'convsym.adapters.torch.Conv1d'>
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}, and a torch.nn.Module is needed")
    for module in model.modules():
        own = _OWN.get(type(module))
        if own is not None:
            module.__class__ = own
    return model
