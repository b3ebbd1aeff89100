"""The product of two arrays, element by element."""

from convsym.op import declare

OPS = declare("mul", "y[i] = a[i] * b[i]", doc=__doc__, whole=True)
