"""The product of a matrix and a vector. Element i is the inner product of row i with the vector."""

from convsym.op import declare

OPS = declare("matvec", "y[i] += A[i, j] * x[j]", doc=__doc__)
