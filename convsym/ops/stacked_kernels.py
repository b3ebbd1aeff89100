"""1-D convolution of one channel with several kernels: each is shifted along the signal, the results are stacked."""

from convsym.op import declare

OPS = declare("stacked_kernels", "y[k, o] += x[o + r] * w[k, r]", doc=__doc__)
