"""Squared distance of each row of predictions from its target."""

from convsym.op import declare

OPS = declare("squared_error", "l[n] += (z[n, k] - t[n, k])**2", doc=__doc__, lane="k", wrt="z")
