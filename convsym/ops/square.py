"""Every element of an array, times itself."""

from convsym.op import declare

OPS = declare("square", "y[i] = x[i]**2", doc=__doc__, whole=True)
