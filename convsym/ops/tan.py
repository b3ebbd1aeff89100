"""The tangent of every element, an angle in radians."""

from convsym.op import declare

OPS = declare("tan", "y[i] = tan(x[i])", doc=__doc__, whole=True)
