"""Every window of an array, laid out beside each other (im2col): what a convolution multiplies with its kernel.

Element r of window o; outside of the array it is 0. The gradient adds every element of the windows back to the place
it was read from: that is fold (col2im), the exact adjoint.
"""

from convsym.op import declare

OPS = declare(
    "unfold",
    "y[n, c, r, o] = x[n, c, stride*o + dilation*r - padding]",
    doc=__doc__,
    spatial="o r",
    ranks=(1, 2, 3),
    symmetric=("padding",),
    ranges={"r": "kernel_size"},
    defaults={"stride": 1, "dilation": 1, "padding": 0},
)
