# Elements where a condition holds and zeros elsewhere, and elements that are no less than zero: what functions with
# corners and their gradients pass on. A branch for each element would be mistaken half of the time, and a product would
# not keep infinity from a zero.

cdef void select_block(real* out, const unsigned char* chosen, const real* values, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = values[i] if chosen[i] else <real>0


def select_f32(float[::1] out not None, const unsigned char[::1] chosen not None, const float[::1] values not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of s[0] elements."""
    cdef Py_ssize_t job, first
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        first = job*s[0]
        select_block(&out[first], &chosen[first], &values[first], min(s[0], out.shape[0] - first))


def select_f64(double[::1] out not None, const unsigned char[::1] chosen not None, const double[::1] values not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of s[0] elements."""
    cdef Py_ssize_t job, first
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        first = job*s[0]
        select_block(&out[first], &chosen[first], &values[first], min(s[0], out.shape[0] - first))


cdef void where_positive_block(real* out, const real* signs, const real* values, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = values[i] if signs[i] > <real>0 else <real>0


def where_positive_f32(float[::1] out not None, const float[::1] signs not None, const float[::1] values not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of s[0] elements."""
    cdef Py_ssize_t job, first
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        first = job*s[0]
        where_positive_block(&out[first], &signs[first], &values[first], min(s[0], out.shape[0] - first))


def where_positive_f64(double[::1] out not None, const double[::1] signs not None, const double[::1] values not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of s[0] elements."""
    cdef Py_ssize_t job, first
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        first = job*s[0]
        where_positive_block(&out[first], &signs[first], &values[first], min(s[0], out.shape[0] - first))


cdef void positive_block(real* out, const real* values, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = <real>0 if values[i] <= <real>0 else values[i]  # what is no number stays so


def positive_f32(float[::1] out not None, const float[::1] values not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of s[0] elements."""
    cdef Py_ssize_t job, first
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        first = job*s[0]
        positive_block(&out[first], &values[first], min(s[0], out.shape[0] - first))


def positive_f64(double[::1] out not None, const double[::1] values not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of s[0] elements."""
    cdef Py_ssize_t job, first
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        first = job*s[0]
        positive_block(&out[first], &values[first], min(s[0], out.shape[0] - first))
