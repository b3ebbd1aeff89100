# The driver of strips that a thread does alone, from filling the image to the last sweep: what it fills stays in its own
# second cache, and nobody waits for anybody between the steps. The numbers and where the tables start are those of STRIPS
# in convsym/kernels/tables.py.

cdef enum:
    FIELDS = 5  # of a step: whether it fills, its table, its jobs, where what it reads beside the image begins, its results


cdef void strips_job(real* y, real* room, const real* w, const real* x, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A strip of a sample."""
    cdef const Py_ssize_t* first = s + s[5]
    cdef const Py_ssize_t* step
    cdef const Py_ssize_t* table
    cdef Py_ssize_t sample = floordiv(job, s[0]), strip = floormod(job, s[0]), k, i
    y += sample*s[2]
    x += sample*s[1]
    clear_vector(room + s[4])
    for k in range(first[strip], first[strip + 1]):
        step = s + s[6] + k*FIELDS
        table = s + s[7] + step[1]
        for i in range(step[2]):
            if step[0]:
                fill_rows(room, x + step[3], table, i)
            else:
                sweep_job(y + step[4], w + step[3], room, table, i)


cdef void strips_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        strips_job(<float*>arrays[0], <float*>arrays[1] + threadid()*s[3], <const float*>arrays[2], <const float*>arrays[3], s, job)


def strips_f32(float[::1] y not None, float[::1] room not None, const float[::1] w not None, const float[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Strips start ... stop of samples."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&y[0], <void*>&room[0], <void*>&w[0], <void*>&x[0]
    with nogil:
        strips_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void strips_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        strips_job(<double*>arrays[0], <double*>arrays[1] + threadid()*s[3], <const double*>arrays[2], <const double*>arrays[3], s, job)


def strips_f64(double[::1] y not None, double[::1] room not None, const double[::1] w not None, const double[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Strips start ... stop of samples."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&y[0], <void*>&room[0], <void*>&w[0], <void*>&x[0]
    with nogil:
        strips_tiles_f64(arrays, &s[0], start, stop, threads)
