"""Transposed convolution: every input is spread over the outputs that a convolution would read it from.

Input i meets tap r at output stride*i + dilation*r - padding, so padding crops the output on both sides. It is the
gradient of a convolution by its input, and runs through that rule's kernels; the two channel axes of its weight stand
the other way round. The least output is the one of the size theorem; output_padding rows or columns more, fewer than
the stride, are written by the same inputs.
"""

from convsym.op import declare

OPS = declare(
    "conv_transpose",
    "y[n, k, stride*i + dilation*r - padding] += x[n, c, i] * w[c, k, r]",
    doc=__doc__,
    spatial="i r",
    ranks=(1, 2, 3, 4, 5),
    symmetric=("padding",),
    groups={"y": 1, "x": 1, "w": 0},
    defaults={"stride": 1, "dilation": 1, "padding": 0},
)
