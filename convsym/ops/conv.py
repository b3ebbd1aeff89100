"""Convolution of several channels, as neural networks use the word: a cross-correlation, the kernel is not flipped.

Stride, dilation and padding are per axis; input outside its range counts as 0. With groups, every group of channels
is convolved on its own.
"""

from convsym.op import declare

OPS = declare(
    "conv",
    "y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r]",
    doc=__doc__,
    spatial="o r",
    ranks=(1, 2, 3, 4, 5),
    symmetric=("padding",),
    lane="o",
    leveled=(1, 2),
    groups={"y": 1, "x": 1, "w": 0},
    defaults={"stride": 1, "dilation": 1, "padding": 0},
)
