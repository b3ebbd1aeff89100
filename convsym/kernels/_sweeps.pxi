# The drivers of the register tiles: what a tile reads and writes comes from tables of integers that the numeric side
# derives from the rules (convsym.taps). Every driver runs a range of jobs; a job belongs to one thread, and what it
# computes does not depend on the others. The places of numbers and tables are those of convsym/kernels/tables.py.

cdef enum:
    MOST = 12  # vectors in a tile

ctypedef fused real:
    float
    double


cdef inline Py_ssize_t lanes_of(real* unused) noexcept nogil:
    if real is float:
        return <Py_ssize_t>(sizeof(lanes_f32)//sizeof(float))
    else:
        return <Py_ssize_t>(sizeof(lanes_f64)//sizeof(double))


cdef inline void run_tile(
    Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t channels, Py_ssize_t taps, const real* a, Py_ssize_t am,
    Py_ssize_t ac, const Py_ssize_t* aoff, const real* b, Py_ssize_t bc, const Py_ssize_t* boff,
    const Py_ssize_t* pos, real* y, Py_ssize_t ym, const Py_ssize_t* place,
) noexcept nogil:
    if real is float:
        choose_tile_f32(rows, vectors)(channels, taps, a, am, ac, aoff, b, bc, boff, pos, y, ym, place)
    else:
        choose_tile_f64(rows, vectors)(channels, taps, a, am, ac, aoff, b, bc, boff, pos, y, ym, place)


cdef inline Py_ssize_t widest(real* unused, Py_ssize_t rows, Py_ssize_t vectors) noexcept nogil:
    """The most vectors, up to so many, that a tile of so many rows comes with."""
    if real is float:
        while choose_tile_f32(rows, vectors) == NULL:
            vectors -= 1
    else:
        while choose_tile_f64(rows, vectors) == NULL:
            vectors -= 1
    return vectors


# ------------------------------------------------------------------------------------------------------------- fill

cdef void fill_rows(real* out, const real* x, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A block of rows of one channel of a padded image, split into residue classes."""
    cdef Py_ssize_t rows = s[0], length = s[1], step = s[2], blocks = ceildiv(rows, s[8])
    cdef Py_ssize_t row = floormod(job, blocks)*s[8], channel = floordiv(job, blocks), i, count, lead
    cdef Py_ssize_t image = floordiv(channel, s[3]), end = min(row + s[8], rows)
    cdef const Py_ssize_t* source = s + s[9]
    cdef const Py_ssize_t* leads = s + s[10]
    cdef const Py_ssize_t* counts = s + s[11]
    cdef const real* here
    channel = floormod(channel, s[3])
    out += image*s[4] + channel*s[5] + row*length
    x += image*s[6] + channel*s[7]
    for row in range(row, end):
        here, lead, count = x + source[row], leads[row], counts[row]
        for i in range(lead):
            out[i] = 0
        if step == 1:
            for i in range(count):
                out[lead + i] = here[i]
        elif step == 2:
            for i in range(count):
                out[lead + i] = here[2*i]
        else:
            for i in range(count):
                out[lead + i] = here[step*i]
        for i in range(lead + count, length):
            out[i] = 0
        out += length


def fill_f32(float[::1] out not None, const float[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of rows of padded images."""
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        fill_rows(&out[0], &x[0], &s[0], job)


def fill_f64(double[::1] out not None, const double[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of rows of padded images."""
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        fill_rows(&out[0], &x[0], &s[0], job)


# ------------------------------------------------------------------------------------------------------------- turn

cdef void turn_block(real* out, const real* dy, const Py_ssize_t* s, Py_ssize_t item) noexcept nogil:
    """A block of positions of a block of channels, channels last; channels that are not there are 0."""
    cdef Py_ssize_t channels = s[0], width = s[1], positions = s[2], block = s[3]
    cdef Py_ssize_t blocks = ceildiv(positions, block), k, o, first, end, here
    cdef Py_ssize_t place = floordiv(item, blocks)
    first = floormod(item, blocks)*block
    end = first + block if first + block < positions else positions
    out += place*positions*width
    here = floormod(place, s[4])*width  # first channel of the block
    place = floordiv(place, s[4])
    dy += floordiv(place, s[7])*s[8] + floormod(place, s[7])*s[5] + here*s[6]
    for k in range(width):
        if here + k < channels:
            for o in range(first, end):
                out[o*width + k] = dy[k*s[6] + o]
        else:
            for o in range(first, end):
                out[o*width + k] = 0


def turn_f32(float[::1] out not None, const float[::1] dy not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of an array with its channels last."""
    cdef Py_ssize_t item
    for item in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        turn_block(&out[0], &dy[0], &s[0], item)


def turn_f64(double[::1] out not None, const double[::1] dy not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of an array with its channels last."""
    cdef Py_ssize_t item
    for item in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        turn_block(&out[0], &dy[0], &s[0], item)


cdef void settle_block(real* dw, const real* made, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A block of channels, turned back from being last; elements of one channel lie together again."""
    cdef Py_ssize_t channels = s[0], width = s[1], elements = s[2], inner = s[3], outer = floordiv(elements, inner)
    cdef Py_ssize_t blocks = ceildiv(channels, s[4]), lane, e, first, end, k, count, pitch
    cdef Py_ssize_t g = floordiv(job, blocks)
    cdef const real* here
    cdef real* out
    k = floormod(job, blocks)*s[4]
    count = min(s[4], channels - k)
    dw += (g*channels + k)*elements
    made += (g*ceildiv(channels, width) + floordiv(k, width))*elements*width + floormod(k, width)
    for first in range(outer):
        for lane in range(count):
            out = dw + lane*elements + first*inner
            here = made + lane + (first*width if s[5] else first*inner*width)
            pitch = outer*width if s[5] else width
            for e in range(inner):
                out[e] = here[e*pitch]


def settle_f32(float[::1] dw not None, const float[::1] made not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of channels."""
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        settle_block(&dw[0], &made[0], &s[0], job)


def settle_f64(double[::1] dw not None, const double[::1] made not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of channels."""
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        settle_block(&dw[0], &made[0], &s[0], job)


# ------------------------------------------------------------------------------------------------------------ sweep

cdef void store(real* y, const real* made, const Py_ssize_t* s, Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t first, bint add) noexcept nogil:
    """The vectors of a tile to where their lanes belong."""
    cdef Py_ssize_t lanes = lanes_of(y), pattern = s[3], step = s[15], m, v, j, part, lane, count
    cdef const real* row
    cdef real* out
    for v in range(vectors):
        j = floormod(first + v, pattern)
        for part in range(s[s[24] + j], s[s[24] + j + 1]):
            count = s[s[26] + part]
            for m in range(rows):
                row = made + (m*vectors + v)*lanes + s[s[25] + part]
                out = y + m*s[11] + s[s[22] + floordiv(first + v, pattern)] + s[s[27] + part]
                if add:
                    for lane in range(count):
                        out[lane*step] += row[lane]
                elif step == 1:
                    for lane in range(count):
                        out[lane] = row[lane]
                else:
                    for lane in range(count):
                        out[lane*step] = row[lane]


cdef void sweep_tile(real* y, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t first) noexcept nogil:
    """One tile of the result: rows from where y and a point, vectors from `first`."""
    cdef Py_ssize_t[MOST] pos
    cdef Py_ssize_t[MOST] place
    cdef char[LARGEST] made_room
    cdef char[LARGEST] sum_room
    cdef real* made = <real*>made_room
    cdef real* total = <real*>sum_room
    cdef Py_ssize_t lanes = lanes_of(y), pattern = s[3], repeats = s[16], v, i, j, n
    cdef bint whole = repeats == 1 and not s[17]
    for v in range(vectors):
        i = floordiv(first + v, pattern)
        j = floormod(first + v, pattern)
        pos[v] = s[s[21] + i] + s[s[23] + j]
        whole = whole and s[s[28] + j]
        place[v] = s[s[22] + i] + s[s[27] + s[s[24] + j]]
    if whole:
        run_tile(rows, vectors, s[4], s[5], a, s[6], s[7], s + s[19], b, s[8], s + s[20], pos, y, s[11], place)
        return
    for v in range(vectors):
        place[v] = v*lanes
    run_tile(rows, vectors, s[4], s[5], a + s[s[32]], s[6], s[7], s + s[19], b + s[s[33]], s[8], s + s[20], pos, made, vectors*lanes, place)
    for n in range(1, repeats):
        run_tile(
            rows, vectors, s[4], s[5], a + s[s[32] + n], s[6], s[7], s + s[19], b + s[s[33] + n], s[8], s + s[20], pos,
            total, vectors*lanes, place,
        )
        for i in range(rows*vectors*lanes):
            made[i] += total[i]
    store(y, made, s, rows, vectors, first, s[17])


cdef void sweep_job(real* y, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A block of rows and vectors of one sample and group."""
    cdef Py_ssize_t blocks = s[12]*s[13], at, g, m, v, rows, end, vectors
    at = floormod(job, blocks)
    job = floordiv(job, blocks)
    g = floormod(job, s[0])
    job = floordiv(job, s[0])
    if s[14]:
        m, v = floormod(at, s[12]), floordiv(at, s[12])
    else:
        m, v = floordiv(at, s[13]), floormod(at, s[13])
    rows = floordiv((m + 1)*s[1], s[12])
    m = floordiv(m*s[1], s[12])
    rows -= m
    end = floordiv((v + 1)*s[2], s[13])
    v = floordiv(v*s[2], s[13])
    y += job*s[10] + s[s[31] + g] + m*s[11]
    a += s[s[29] + g] + m*s[6]
    b += job*s[9] + s[s[30] + g]
    while v < end:
        vectors = widest(y, rows, min(end - v, s[18]))
        sweep_tile(y, a, b, s, rows, vectors, v)
        v += vectors


def sweep_f32(float[::1] y not None, const float[::1] a not None, const float[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Tiles of jobs start ... stop."""
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        sweep_job(&y[0], &a[0], &b[0], &s[0], job)


def sweep_f64(double[::1] y not None, const double[::1] a not None, const double[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Tiles of jobs start ... stop."""
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        sweep_job(&y[0], &a[0], &b[0], &s[0], job)


# -------------------------------------------------------------------------------------------------------------- dot

cdef void dot_job(real* dw, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """Dot products of a block of rows with a block of columns over one block of lines, lane by lane, then together."""
    cdef char[LARGEST] room
    cdef real* made = <real*>room
    cdef Py_ssize_t lanes = lanes_of(dw), blocks = s[3]*s[4], at, g, m, j, rows, columns, i, width
    at = floormod(job, blocks)
    job = floordiv(job, blocks)
    g = floormod(job, s[2])
    job = floordiv(job, s[2])  # which of the repeats: a sample, or a block of lines
    m, j = floordiv(at, s[4]), floormod(at, s[4])
    rows = floordiv((m + 1)*s[0], s[3])
    m = floordiv(m*s[0], s[3])
    rows -= m
    columns = floordiv((j + 1)*s[1], s[4])
    j = floordiv(j*s[1], s[4])
    columns -= j
    a += s[s[11] + job] + g*s[6] + m*s[7]
    b += s[s[12] + job] + g*s[9]
    if real is float:
        choose_dot_f32(rows, columns)(s[s[13] + job], s[5], a, s[7], s[8], b, s[10], s + s[14] + j, made)
    else:
        choose_dot_f64(rows, columns)(s[s[13] + job], s[5], a, s[7], s[8], b, s[10], s + s[14] + j, made)
    dw += (job*s[2] + g)*s[0]*s[1] + m*s[1] + j
    for at in range(rows*columns):
        width = lanes
        while width > 1:
            width = width//2
            for i in range(width):
                made[at*lanes + i] += made[at*lanes + width + i]
    for m in range(rows):
        for j in range(columns):
            dw[m*s[1] + j] = made[(m*columns + j)*lanes]


def dot_f32(float[::1] dw not None, const float[::1] a not None, const float[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Dot products of jobs start ... stop."""
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        dot_job(&dw[0], &a[0], &b[0], &s[0], job)


def dot_f64(double[::1] dw not None, const double[::1] a not None, const double[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Dot products of jobs start ... stop."""
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        dot_job(&dw[0], &a[0], &b[0], &s[0], job)


def lanes():
    """Lanes of a vector, for float32 and float64."""
    return {"f": lanes_of(<float*>NULL), "d": lanes_of(<double*>NULL)}
