"""The hyperbolic sine of every element."""

from convsym.op import declare

OPS = declare("sinh", "y[i] = sinh(x[i])", doc=__doc__, whole=True)
