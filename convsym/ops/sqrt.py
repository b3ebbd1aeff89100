"""The square root of every element."""

from convsym.op import declare

OPS = declare("sqrt", "y[i] = sqrt(x[i])", doc=__doc__, whole=True)
