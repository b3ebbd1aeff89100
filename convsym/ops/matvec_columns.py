"""The columns of a matrix, each multiplied by one element of a vector; their sum is the matrix–vector product."""

from convsym.op import declare

OPS = declare("matvec_columns", "c[i, j] = A[i, j] * x[j]", doc=__doc__)
