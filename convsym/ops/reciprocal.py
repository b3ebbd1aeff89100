"""One divided by every element."""

from convsym.op import declare

OPS = declare("reciprocal", "y[i] = 1 / x[i]", doc=__doc__, whole=True)
