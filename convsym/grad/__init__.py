"""Gradients of the convolutions, with the signatures of torch.nn.grad.

With L a scalar function of y, `grad_output` is dy = ∂L/∂y; the functions give dx = ∂L/∂x, dw = ∂L/∂w and
db = ∂L/∂b. They run the rules that `convsym.vjp` derives.
"""

from convsym.grad.biases import (
    conv1d_bias,
    conv2d_bias,
    conv3d_bias,
    conv_bias,
    conv_transpose1d_bias,
    conv_transpose2d_bias,
    conv_transpose3d_bias,
    conv_transpose_bias,
)
from convsym.grad.convolution_inputs import conv1d_input, conv2d_input, conv3d_input, conv_input
from convsym.grad.convolution_weights import conv1d_weight, conv2d_weight, conv3d_weight, conv_weight
from convsym.grad.directional import conv_hvp, conv_jvp, conv_transpose_hvp, conv_transpose_jvp
from convsym.grad.pooling import avg_pool1d_input, avg_pool2d_input, avg_pool3d_input, avg_pool_input
from convsym.grad.together import (
    conv_backward,
    conv_double_backward,
    conv_transpose_backward,
    conv_transpose_double_backward,
)
from convsym.grad.transposed_inputs import (
    conv_transpose1d_input,
    conv_transpose2d_input,
    conv_transpose3d_input,
    conv_transpose_input,
)
from convsym.grad.transposed_weights import (
    conv_transpose1d_weight,
    conv_transpose2d_weight,
    conv_transpose3d_weight,
    conv_transpose_weight,
)
from convsym.grad.windows import fold_input, unfold_input

__all__ = [
    "avg_pool1d_input",
    "avg_pool2d_input",
    "avg_pool3d_input",
    "avg_pool_input",
    "conv1d_bias",
    "conv1d_input",
    "conv1d_weight",
    "conv2d_bias",
    "conv2d_input",
    "conv2d_weight",
    "conv3d_bias",
    "conv3d_input",
    "conv3d_weight",
    "conv_backward",
    "conv_bias",
    "conv_double_backward",
    "conv_hvp",
    "conv_input",
    "conv_jvp",
    "conv_transpose1d_bias",
    "conv_transpose1d_input",
    "conv_transpose1d_weight",
    "conv_transpose2d_bias",
    "conv_transpose2d_input",
    "conv_transpose2d_weight",
    "conv_transpose3d_bias",
    "conv_transpose3d_input",
    "conv_transpose3d_weight",
    "conv_transpose_backward",
    "conv_transpose_bias",
    "conv_transpose_double_backward",
    "conv_transpose_hvp",
    "conv_transpose_input",
    "conv_transpose_jvp",
    "conv_transpose_weight",
    "conv_weight",
    "fold_input",
    "unfold_input",
]
