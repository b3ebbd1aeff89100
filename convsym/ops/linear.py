"""A linear layer: the product of every row with each row of a matrix, whose columns belong to the inputs."""

from convsym.op import declare

OPS = declare("linear", "y[n, j] += x[n, i] * w[j, i]", doc=__doc__, whole=True)
