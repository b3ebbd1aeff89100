from cython.parallel cimport prange
from convsym.kernels._index cimport ceildiv, floordiv, floormod

include "_generated/kernels.pxi"
include "_generated/tiles_baseline.pxi"
include "_sweeps.pxi"
