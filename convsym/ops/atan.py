"""The angle, in radians, whose tangent every element is."""

from convsym.op import declare

OPS = declare("atan", "y[i] = atan(x[i])", doc=__doc__, whole=True)
