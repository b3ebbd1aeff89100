"""The largest element along an axis: element k, the first of those that are equal. It alone has a derivative."""

from convsym.op import declare

OPS = declare("max", "y[n] += x[n, i] * where(i == k[n], 1, 0)", doc=__doc__, whole=True, wrt="x")
