# The drivers of kernels of one tap: products of matrices. What tiles read as vectors is laid into the room of a thread,
# block by block of the sum, so that it lies in the first cache while all rows of the result go by. A job belongs to one
# thread. The numbers and where the tables start are those of POINTWISE in convsym/kernels/tables.py.

cdef struct Pointwise:
    Py_ssize_t groups, rows, parts, parts_first, summed, depth, vectors, blocks  # of the result; the sum; blocks of columns
    Py_ssize_t columns, samples, positions  # all columns; columns of a sample are positions
    Py_ssize_t am, ac, group_a, group_b, image_b, channel_b, group_y, image_y, room, gathered, scattered, early
    Py_ssize_t tile_rows, where, row_place  # tables; of a tile of 0, 1, … vectors the rows


cdef struct Run:
    Py_ssize_t place, count, position  # in a block of columns; its first column, among those of a sample
    Py_ssize_t source, made  # where that lies in B and in the result, or where the sample does if columns lie apart


cdef struct Job:
    Py_ssize_t group, first, vectors, row, end  # of the columns; of the rows


cdef Job pointwise_part(const Pointwise* p, Py_ssize_t job, Py_ssize_t lanes) noexcept nogil:
    """What a job does: blocks of columns differ by one vector at most."""
    cdef Job made
    cdef Py_ssize_t part, block
    if p.parts_first:
        part, block = floormod(job, p.parts), floormod(floordiv(job, p.parts), p.blocks)
    else:
        part, block = floormod(floordiv(job, p.blocks), p.parts), floormod(job, p.blocks)
    made.group = floordiv(job, p.parts*p.blocks)
    made.first = floordiv(block*p.vectors, p.blocks)
    made.vectors = floordiv((block + 1)*p.vectors, p.blocks) - made.first
    made.first *= lanes
    made.row = floordiv(part*p.rows, p.parts)
    made.end = floordiv((part + 1)*p.rows, p.parts)
    return made


cdef Py_ssize_t runs_of(Run* runs, const Pointwise* p, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    """The parts of a block of columns that belong to one sample each."""
    cdef Py_ssize_t number = 0, place = 0, sample, position, length
    while place < count:
        sample, position = floordiv(first + place, p.positions), floormod(first + place, p.positions)
        length = min(count - place, p.positions - position)
        runs[number].place, runs[number].count, runs[number].position = place, length, position
        runs[number].source = sample*p.image_b + (0 if p.gathered else position)
        runs[number].made = sample*p.image_y + (0 if p.scattered else position)
        number += 1
        place += length
    return number


cdef void lay_columns(real* room, const real* b, const Pointwise* p, const Py_ssize_t* s, const Run* runs, Py_ssize_t number, Py_ssize_t count, Py_ssize_t width, Py_ssize_t depth) noexcept nogil:
    """So many rows of a block of columns, one after the other; zeros where there are no columns."""
    cdef Py_ssize_t c, n, i
    for c in range(depth):
        for n in range(number):
            if p.gathered:
                for i in range(runs[n].count):
                    room[runs[n].place + i] = b[runs[n].source + s[p.where + runs[n].position + i]]
            else:
                copy(room + runs[n].place, b + runs[n].source, runs[n].count)
        for i in range(count, width):
            room[i] = 0
        room += width
        b += p.channel_b


cdef void add_rows(real* y, Py_ssize_t apart, const real* made, Py_ssize_t width, Py_ssize_t rows, const Run* runs, Py_ssize_t number, bint first) noexcept nogil:
    """A tile to where its columns belong: what the first block of the sum gives is stored, later ones are added."""
    cdef Py_ssize_t m, n, i
    cdef real* out
    for n in range(number):
        for m in range(rows):
            out = y + runs[n].made + m*apart
            if first:
                copy(out, made + m*width + runs[n].place, runs[n].count)
            else:
                for i in range(runs[n].count):
                    out[i] += made[m*width + runs[n].place + i]


cdef void scatter_rows(real* y, const real* made, const Pointwise* p, const Py_ssize_t* s, Py_ssize_t width, Py_ssize_t row, Py_ssize_t rows, const Run* runs, Py_ssize_t number, bint first) noexcept nogil:
    """The same where neither the columns nor the rows of the result lie in a row."""
    cdef Py_ssize_t m, n, i
    cdef const Py_ssize_t* where
    cdef const real* here
    cdef real* out
    for n in range(number):
        where = s + p.where + runs[n].position
        for m in range(rows):
            here = made + m*width + runs[n].place
            out = y + runs[n].made + s[p.row_place + row + m]
            if first:
                for i in range(runs[n].count):
                    out[where[i]] = here[i]
            else:
                for i in range(runs[n].count):
                    out[where[i]] += here[i]


cdef inline void ask_for(real* y, Py_ssize_t apart, Py_ssize_t rows, Py_ssize_t count) noexcept nogil:
    """Ask for the lines of a tile's results, which arrive while it is summed."""
    cdef Py_ssize_t m, i
    for m in range(rows):
        i = 0
        while i < count:
            convsym_prefetch_result(y + m*apart + i)
            i += lanes_of(y)
        convsym_prefetch_result(y + m*apart + count - 1)


cdef void pointwise_job(real* y, real* room, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A part of the rows of a block of columns of a group."""
    cdef const Pointwise* p = <const Pointwise*>s
    cdef char[LARGEST + SLACK] made_room
    cdef real* made = <real*>made_room
    cdef real* out
    cdef Run[64] runs
    cdef const real* later
    cdef Py_ssize_t lanes = lanes_of(y), v, m, rows, count, number, c = 0, depth, apart
    cdef Job own = pointwise_part(p, job, lanes)
    cdef Py_ssize_t width = own.vectors*lanes, most = s[p.tile_rows + own.vectors]
    cdef bint whole
    a += own.group*p.group_a
    b += own.group*p.group_b
    y += own.group*p.group_y
    count = min(width, p.columns - own.first)
    number = runs_of(&runs[0], p, own.first, count)
    whole = number == 1 and count == width
    while c < p.summed:
        depth = min(p.depth, p.summed - c)
        if not whole or p.gathered:
            lay_columns(room, b + c*p.channel_b, p, s, &runs[0], number, count, width, depth)
        m, v = own.row, 0
        while m < own.end:
            rows = min(most, own.end - m)
            # One vector of each row of the next block of columns is asked for with every tile, by its last element:
            # lines need not begin with vectors. The tile that lays asks for two.
            later = b + runs[0].source + c*p.channel_b + min(v + own.vectors + 1, 2*own.vectors)*lanes - 1
            v += 2 if v == 0 else 1
            out, apart = made, width
            if c == 0 and whole and not p.scattered:
                out, apart = y + runs[0].made + m*p.positions, p.positions
                if p.early:
                    ask_for(out, apart, rows, width)
            if m == own.row and whole and not p.gathered:
                laying(
                    rows, own.vectors, depth, a + m*p.am + c*p.ac, p.am, p.ac, b + runs[0].source + c*p.channel_b,
                    p.channel_b, room, later, p.channel_b, out, apart, False,
                )
            else:
                product(
                    rows, own.vectors, depth, a + m*p.am + c*p.ac, p.am, p.ac, room, width, later, p.channel_b, out, apart,
                    False,
                )
            if p.scattered:
                scatter_rows(y, made, p, s, width, m, rows, &runs[0], number, c == 0)
            elif out == made:
                add_rows(y + m*p.positions, p.positions, made, width, rows, &runs[0], number, c == 0)
            m += rows
        c += depth


cdef void pointwise_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        pointwise_job(<float*>arrays[0], <float*>arrays[1] + threadid()*(<const Pointwise*>s).room, <const float*>arrays[2], <const float*>arrays[3], s, job)


def pointwise_f32(float[::1] y not None, float[::1] room not None, const float[::1] a not None, const float[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks of columns, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&y[0], <void*>&room[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        pointwise_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void pointwise_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        pointwise_job(<double*>arrays[0], <double*>arrays[1] + threadid()*(<const Pointwise*>s).room, <const double*>arrays[2], <const double*>arrays[3], s, job)


def pointwise_f64(double[::1] y not None, double[::1] room not None, const double[::1] a not None, const double[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks of columns, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&y[0], <void*>&room[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        pointwise_tiles_f64(arrays, &s[0], start, stop, threads)


cdef void lay_turned(real* room, const real* b, Py_ssize_t apart, Py_ssize_t channels, Py_ssize_t width, Py_ssize_t count) noexcept nogil:
    """So many positions, channels last; zeros for channels that are not there."""
    cdef Py_ssize_t lanes = lanes_of(b), k = 0, i, lane
    while k < width:
        i = 0
        while count >= lanes and k + lanes <= channels and i < count:
            i = min(i, count - lanes)
            transpose(room + i*width + k, width, b + k*apart + i, apart)
            i += lanes
        while i < count:
            for lane in range(k, k + lanes):
                room[i*width + lane] = b[lane*apart + i] if lane < channels else 0
            i += 1
        k += lanes


cdef void lay_gathered(real* room, const real* b, Py_ssize_t apart, const Py_ssize_t* where, Py_ssize_t channels, Py_ssize_t width, Py_ssize_t count) noexcept nogil:
    """The same of positions that lie apart."""
    cdef Py_ssize_t k, i
    for k in range(channels):
        for i in range(count):
            room[i*width + k] = b[k*apart + where[i]]
    for k in range(channels, width):
        for i in range(count):
            room[i*width + k] = 0


cdef void pointwise_pairs(real* dw, real* room, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """The weight gradient: a part of the rows, of a block of columns, of a group; the sum goes over all positions."""
    cdef const Pointwise* p = <const Pointwise*>s
    cdef char[LARGEST + SLACK] made_room
    cdef real* made = <real*>made_room
    cdef Run run
    cdef Py_ssize_t lanes = lanes_of(dw), m, rows, n, c, depth
    cdef Job own = pointwise_part(p, job, lanes)
    cdef Py_ssize_t width = own.vectors*lanes, most = s[p.tile_rows + own.vectors]
    a += own.group*p.group_a
    b += own.group*p.group_b + own.first*p.channel_b
    dw += own.group*p.group_y + own.first
    run.place, run.made, run.count = 0, 0, min(width, p.columns - own.first)
    for n in range(p.samples):
        c = 0
        while c < p.positions:
            depth = min(p.depth, p.positions - c)
            if p.gathered:
                lay_gathered(room, b + n*p.image_b, p.channel_b, s + p.where + c, run.count, width, depth)
            else:
                lay_turned(room, b + n*p.image_b + c, p.channel_b, run.count, width, depth)
            m = own.row
            while m < own.end:
                rows = min(most, own.end - m)
                product(
                    rows, own.vectors, depth, a + n*p.image_y + m*p.am + c, p.am, 1, room, width, room, 0, made, width, False
                )
                add_rows(dw + m*p.columns, p.columns, made, width, rows, &run, 1, n == 0 and c == 0)
                m += rows
            c += depth


cdef void pointwise_dw_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        pointwise_pairs(<float*>arrays[0], <float*>arrays[1] + threadid()*(<const Pointwise*>s).room, <const float*>arrays[2], <const float*>arrays[3], s, job)


def pointwise_dw_f32(float[::1] dw not None, float[::1] room not None, const float[::1] a not None, const float[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks of the weight gradient, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&dw[0], <void*>&room[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        pointwise_dw_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void pointwise_dw_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        pointwise_pairs(<double*>arrays[0], <double*>arrays[1] + threadid()*(<const Pointwise*>s).room, <const double*>arrays[2], <const double*>arrays[3], s, job)


def pointwise_dw_f64(double[::1] dw not None, double[::1] room not None, const double[::1] a not None, const double[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks of the weight gradient, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&dw[0], <void*>&room[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        pointwise_dw_tiles_f64(arrays, &s[0], start, stop, threads)
