"""The angle, in radians, whose cosine every element is."""

from convsym.op import declare

OPS = declare("acos", "y[i] = acos(x[i])", doc=__doc__, whole=True)
