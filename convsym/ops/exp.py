"""The exponential function of every element."""

from convsym.op import declare

OPS = declare("exp", "y[i] = exp(x[i])", doc=__doc__, whole=True)
