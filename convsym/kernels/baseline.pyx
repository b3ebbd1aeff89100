from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset
from convsym.kernels._index cimport ceildiv, floordiv, floormod

include "_generated/kernels.pxi"
include "_generated/tiles_baseline.pxi"
include "_generated/products_baseline.pxi"
include "_generated/transforms.pxi"
include "_generated/transposes_baseline.pxi"
include "_generated/lanewise_baseline.pxi"
include "_sweeps.pxi"
include "_strips.pxi"
include "_winograd.pxi"
include "_depthwise.pxi"
include "_pointwise.pxi"
include "_panels.pxi"
include "_select.pxi"
include "_windows.pxi"
include "_entries.pxi"
