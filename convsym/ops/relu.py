"""Rectifier: negative values become 0. At 0 its derivative is taken from the left, so it is 0."""

from convsym.op import declare

OPS = declare("relu", "y[n, i] = where(x[n, i] > 0, x[n, i], 0)", doc=__doc__, lane="i", whole=True)
