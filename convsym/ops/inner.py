"""The inner product of two vectors, such as one row of a matrix and the vector it is multiplied with."""

from convsym.op import declare

OPS = declare("inner", "z[()] += a[j] * x[j]", doc=__doc__)
