"""The kernel of two 1-D convolutions in a row: w comes first, u is applied to its result."""

from convsym.op import declare

OPS = declare("composed_kernel", "v[r + s] += w[r] * u[s]", doc=__doc__)
