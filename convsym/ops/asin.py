"""The angle, in radians, whose sine every element is."""

from convsym.op import declare

OPS = declare("asin", "y[i] = asin(x[i])", doc=__doc__, whole=True)
