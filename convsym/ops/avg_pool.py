"""The mean of every window of an array; what lies outside counts as 0 and is counted (torch's count_include_pad)."""

from convsym.op import declare

OPS = declare(
    "avg_pool",
    "y[n, c, o] += x[n, c, stride*o + r - padding] / kernel_size",
    doc=__doc__,
    spatial="o r",
    ranks=(1, 2, 3),
    symmetric=("padding",),
    ranges={"r": "kernel_size"},
    defaults={"padding": 0},
)
