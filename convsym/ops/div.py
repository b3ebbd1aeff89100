"""The quotient of two arrays, element by element."""

from convsym.op import declare

OPS = declare("div", "y[i] = a[i] / b[i]", doc=__doc__, whole=True)
