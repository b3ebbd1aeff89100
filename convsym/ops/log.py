"""The natural logarithm of every element."""

from convsym.op import declare

OPS = declare("log", "y[i] = log(x[i])", doc=__doc__, whole=True)
