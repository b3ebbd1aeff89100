"""Every element without its sign. At 0 its derivative is taken from the right, so it is 1."""

from convsym.op import declare

OPS = declare("abs", "y[i] = abs(x[i])", doc=__doc__, whole=True)
