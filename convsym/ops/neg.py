"""Every element with the other sign."""

from convsym.op import declare

OPS = declare("neg", "y[i] = -x[i]", doc=__doc__, whole=True)
