"""The smaller one of two elements. Where they are equal, the first counts: its derivative is 1, the other's 0."""

from convsym.op import declare

OPS = declare("minimum", "y[i] = minimum(a[i], b[i])", doc=__doc__, whole=True)
