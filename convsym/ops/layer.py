"""A whole 2-D layer: many small filters, each over all input channels, then one bias for each filter."""

from convsym.op import declare

OPS = declare("layer", "y[n, k, i, j] += x[n, c, i + r, j + s] * w[k, c, r, s] + b[k]", doc=__doc__)
