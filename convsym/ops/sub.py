"""The difference of two arrays, element by element."""

from convsym.op import declare

OPS = declare("sub", "y[i] = a[i] - b[i]", doc=__doc__, whole=True)
