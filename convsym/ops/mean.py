"""The mean along axes; n stands for the axes that are kept, i for those that are averaged."""

from convsym.op import declare

OPS = declare("mean", "y[n] += x[n, i] / x.shape[1]", doc=__doc__, whole=True)
