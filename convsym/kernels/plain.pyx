from cython.parallel cimport prange
from convsym.kernels._index cimport ceildiv, floordiv, floormod

include "_generated/plain.pxi"

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #else
    #define omp_get_max_threads() 1
    #endif
    /* Visible outside, so that threadpoolctl can tell this library from others. */
    Py_EXPORTED_SYMBOL int convsym_openmp_threads(void) { return omp_get_max_threads(); }
    """
    int convsym_openmp_threads()


def openmp_threads():
    """Threads that a region without a number would have in the calling thread."""
    return convsym_openmp_threads()
