"""The hyperbolic cosine of every element."""

from convsym.op import declare

OPS = declare("cosh", "y[i] = cosh(x[i])", doc=__doc__, whole=True)
