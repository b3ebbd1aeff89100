"""Every element kept between two bounds; the derivative is 1 at a bound and 0 beyond it."""

from convsym.op import declare

OPS = declare("clip", "y[i] = minimum(maximum(x[i], low), high)", doc=__doc__, whole=True, wrt="x")
