"""The hyperbolic tangent of every element."""

from convsym.op import declare

OPS = declare("tanh", "y[i] = tanh(x[i])", doc=__doc__, whole=True)
