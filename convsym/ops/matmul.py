"""The product of two matrices, or of two stacks of them; n stands for all axes but the last two."""

from convsym.op import declare

OPS = declare("matmul", "y[n, i, j] += a[n, i, k] * b[n, k, j]", doc=__doc__, whole=True)
