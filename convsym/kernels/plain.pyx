from cython.parallel cimport prange
from convsym.kernels._index cimport ceildiv, floordiv, floormod

include "_generated/plain.pxi"
