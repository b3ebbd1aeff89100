"""The cosine of every element, an angle in radians."""

from convsym.op import declare

OPS = declare("cos", "y[i] = cos(x[i])", doc=__doc__, whole=True)
