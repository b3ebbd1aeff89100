# The drivers of sums of windows over each channel, and of their adjoint: rows are added first, then the places of a row.
# Both go over many rows at once, laid in the room of a thread with the zeros that windows read around them. The numbers
# and where the tables start are those of WINDOWS in convsym/kernels/tables.py.

cdef struct Windows:
    Py_ssize_t channels, source, rows, block  # of all samples; elements of one; its rows of sums, and those of a job
    Py_ssize_t lead, count, element  # zeros before what is read of a row, how many elements of it, and the first of them
    Py_ssize_t divisor  # of every sum
    Py_ssize_t step, pitch, made, apart, room  # classes of a row and places in each; elements of a row that is made
    Py_ssize_t row_start, row_source, row_made, tap_start, tap  # tables: rows that are added, and that one is for; places


cdef inline void add_two(real* out, const real* a, const real* b, Py_ssize_t count) noexcept nogil:
    """The sum of two runs; the last vector begins earlier, so that it ends with them."""
    cdef Py_ssize_t lanes = lanes_of(out), i = 0
    if count < lanes:
        for i in range(count):
            out[i] = a[i] + b[i]
        return
    while i < count:
        i = min(i, count - lanes)
        if real is float:
            (<lanes_f32*>(out + i))[0] = (<const lanes_f32*>(a + i))[0] + (<const lanes_f32*>(b + i))[0]
        else:
            (<lanes_f64*>(out + i))[0] = (<const lanes_f64*>(a + i))[0] + (<const lanes_f64*>(b + i))[0]
        i += lanes


cdef inline void add_up(real* out, const real* base, const Py_ssize_t* offsets, Py_ssize_t number, Py_ssize_t count) noexcept nogil:
    """The sum of so many runs, in their order."""
    cdef const real* b
    cdef Py_ssize_t n, i
    if number == 0:
        memset(out, 0, count*sizeof(real))
        return
    if number == 1:
        copy(out, base + offsets[0], count)
        return
    add_two(out, base + offsets[0], base + offsets[1], count)
    for n in range(2, number):
        b = base + offsets[n]
        for i in range(count):
            out[i] += b[i]


cdef void add_rows_up(real* room, const real* x, const Windows* p, const Py_ssize_t* s, Py_ssize_t first, Py_ssize_t rows, Py_ssize_t length) noexcept nogil:
    """The sums of rows, each with its zeros around it."""
    cdef Py_ssize_t channel = floordiv(first, p.rows), row = floormod(first, p.rows), n, start
    x += channel*p.source + p.element
    for n in range(rows):
        start = s[p.row_start + row]
        if p.count < length:
            memset(room, 0, p.lead*sizeof(real))
            memset(room + p.lead + p.count, 0, (length - p.lead - p.count)*sizeof(real))
        add_up(room + p.lead, x, s + p.row_source + start, s[p.row_start + row + 1] - start, p.count)
        room += length
        row += 1
        if row == p.rows:
            row = 0
            x += p.source


cdef inline void divide(real* x, Py_ssize_t divisor, Py_ssize_t count) noexcept nogil:
    """Every element divided once."""
    cdef Py_ssize_t i
    cdef real by = <real>divisor
    if divisor != 1:
        for i in range(count):
            x[i] /= by


cdef void split(real* out, const real* x, Py_ssize_t step, Py_ssize_t apart, Py_ssize_t count) noexcept nogil:
    """The classes of places ``step`` apart, one after the other."""
    cdef Py_ssize_t i, k
    if step == 2:
        for i in range(count):
            out[i] = x[2*i]
        for i in range(count):
            out[apart + i] = x[2*i + 1]
        return
    for k in range(step):
        for i in range(count):
            out[k*apart + i] = x[step*i + k]


cdef void join(real* out, const real* x, Py_ssize_t step, Py_ssize_t apart, Py_ssize_t count) noexcept nogil:
    """So many places of every class beside each other again."""
    cdef Py_ssize_t i, k
    if step == 2:
        for i in range(count):
            out[2*i] = x[i]
            out[2*i + 1] = x[apart + i]
        return
    for k in range(step):
        for i in range(count):
            out[step*i + k] = x[k*apart + i]


cdef void windows_job(real* y, real* room, const real* x, const Windows* p, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """Sums of windows: of a run of rows."""
    cdef Py_ssize_t first = job*p.block, rows = min(p.block, p.channels*p.rows - first), count = rows*p.pitch, n
    cdef real* classes = room
    cdef real* sums
    add_rows_up(room, x, p, s, first, rows, p.step*p.pitch)
    if p.step > 1:
        classes = room + p.step*p.apart
        split(classes, room, p.step, p.apart, count)
    y += first*p.made
    if p.made == p.pitch:
        add_up(y, classes, s + p.tap, s[p.tap_start + 1], count)
        divide(y, p.divisor, count)
        return
    sums = classes + p.step*p.apart
    add_up(sums, classes, s + p.tap, s[p.tap_start + 1], count)
    divide(sums, p.divisor, count)
    for n in range(rows):
        copy(y + n*p.made, sums + n*p.pitch, p.made)


cdef void windows_back_job(real* dx, real* room, const real* dy, const Windows* p, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """The number of each window added to its elements: of a run of rows, each of which may be there several times."""
    cdef Py_ssize_t first = job*p.block, rows = min(p.block, p.channels*p.rows - first), n, k, start, end
    cdef Py_ssize_t channel = floordiv(first, p.rows), row = floormod(first, p.rows)
    cdef real* classes = room + p.apart
    cdef real* joined = classes + p.step*p.apart
    add_rows_up(room, dy, p, s, first, rows, p.pitch)
    divide(room, p.divisor, rows*p.pitch)
    for k in range(p.step):
        start = s[p.tap_start + k]
        add_up(classes + k*p.apart, room, s + p.tap + start, s[p.tap_start + k + 1] - start, rows*p.pitch)
    join(joined, classes, p.step, p.apart, rows*p.pitch)
    dx += channel*s[p.row_made + p.rows]*p.made
    for n in range(rows):
        start, end = s[p.row_made + row], s[p.row_made + row + 1]
        for k in range(start, end):
            copy(dx + k*p.made, joined + n*p.step*p.pitch, p.made)
        row += 1
        if row == p.rows:
            row = 0
            dx += end*p.made


def windows_f32(float[::1] y not None, float[::1] room not None, const float[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Sums of windows, runs of rows start ... stop."""
    cdef Py_ssize_t job
    cdef const Windows* p = <const Windows*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        windows_job(&y[0], &room[threadid()*p.room], &x[0], p, &s[0], job)


def windows_f64(double[::1] y not None, double[::1] room not None, const double[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Sums of windows, runs of rows start ... stop."""
    cdef Py_ssize_t job
    cdef const Windows* p = <const Windows*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        windows_job(&y[0], &room[threadid()*p.room], &x[0], p, &s[0], job)


def windows_back_f32(float[::1] dx not None, float[::1] room not None, const float[::1] dy not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """The adjoint of sums of windows, runs of rows start ... stop."""
    cdef Py_ssize_t job
    cdef const Windows* p = <const Windows*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        windows_back_job(&dx[0], &room[threadid()*p.room], &dy[0], p, &s[0], job)


def windows_back_f64(double[::1] dx not None, double[::1] room not None, const double[::1] dy not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """The adjoint of sums of windows, runs of rows start ... stop."""
    cdef Py_ssize_t job
    cdef const Windows* p = <const Windows*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        windows_back_job(&dx[0], &room[threadid()*p.room], &dy[0], p, &s[0], job)
