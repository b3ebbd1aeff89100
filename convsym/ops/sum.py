"""The sum along axes; n stands for the axes that are kept, i for those that are summed."""

from convsym.op import declare

OPS = declare("sum", "y[n] += x[n, i]", doc=__doc__, whole=True)
