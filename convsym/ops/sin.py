"""The sine of every element, an angle in radians."""

from convsym.op import declare

OPS = declare("sin", "y[i] = sin(x[i])", doc=__doc__, whole=True)
