"""Negative values are multiplied by a slope. At 0 the derivative is taken from the left, so it is the slope."""

from convsym.op import declare

OPS = declare("leaky_relu", "y[i] = where(x[i] > 0, x[i], slope*x[i])", doc=__doc__, whole=True, wrt="x")
