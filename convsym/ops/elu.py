"""Negative values tend to -alpha. At 0 the derivative is taken from the left, so it is alpha."""

from convsym.op import declare

OPS = declare("elu", "y[i] = where(x[i] > 0, x[i], alpha*(exp(x[i]) - 1))", doc=__doc__, whole=True, wrt="x")
