# The drivers of the register tiles: what a tile reads and writes comes from tables of integers that the numeric side
# derives from the rules (convsym.taps). Every driver runs a range of jobs; a job belongs to one thread, and what it
# computes does not depend on the others. Jobs are shared out evenly and in order, so that a thread finds in its own cache
# what it made of the same samples in the step before. The places of numbers and tables are those of convsym/kernels/tables.py.

cdef enum:
    MOST = 16  # vectors in a tile
    SLACK = 64  # bytes that the last vector may be read beyond a tile
    LARGEST_TURNED = 16*16*4  # bytes of as many vectors as there are lanes
    PANEL = 8  # tiles of columns that a job of dot products does, at most
    MADE = 0  # what becomes of the sums of a tile: the result,
    ADDED = 1  # or they are added to it at last,
    BEGUN = 2  # or go on from it

ctypedef fused real:
    float
    double


cdef inline Py_ssize_t lanes_of(const real* unused) noexcept nogil:
    if real is float:
        return <Py_ssize_t>(sizeof(lanes_f32)//sizeof(float))
    else:
        return <Py_ssize_t>(sizeof(lanes_f64)//sizeof(double))


cdef inline void run_tile(
    Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t channels, Py_ssize_t taps, const real* a, Py_ssize_t am,
    Py_ssize_t ac, const Py_ssize_t* aoff, const real* b, Py_ssize_t bc, const Py_ssize_t* boff,
    const Py_ssize_t* pos, real* y, Py_ssize_t ym, const Py_ssize_t* place, bint begun,
) noexcept nogil:
    if real is float:
        choose_tile_f32(rows, vectors)(channels, taps, a, am, ac, aoff, b, bc, boff, pos, y, ym, place, begun)
    else:
        choose_tile_f64(rows, vectors)(channels, taps, a, am, ac, aoff, b, bc, boff, pos, y, ym, place, begun)


cdef inline Py_ssize_t widest(real* unused, Py_ssize_t rows, Py_ssize_t vectors) noexcept nogil:
    """The most vectors, up to so many, that a tile of so many rows comes with."""
    if real is float:
        while choose_tile_f32(rows, vectors) == NULL:
            vectors -= 1
    else:
        while choose_tile_f64(rows, vectors) == NULL:
            vectors -= 1
    return vectors


cdef inline void copy_vector(real* out, const real* x) noexcept nogil:
    if real is float:
        (<lanes_f32*>out)[0] = (<const lanes_f32*>x)[0]
    else:
        (<lanes_f64*>out)[0] = (<const lanes_f64*>x)[0]


cdef inline void add_vector(real* out, const real* x) noexcept nogil:
    if real is float:
        (<lanes_f32*>out)[0] = (<lanes_f32*>out)[0] + (<const lanes_f32*>x)[0]
    else:
        (<lanes_f64*>out)[0] = (<lanes_f64*>out)[0] + (<const lanes_f64*>x)[0]


cdef inline void clear_vector(real* out) noexcept nogil:
    if real is float:
        (<lanes_f32*>out)[0] = zero_f32
    else:
        (<lanes_f64*>out)[0] = zero_f64


cdef inline void copy(real* out, const real* x, Py_ssize_t count) noexcept nogil:
    """Copy so many elements; the last vector begins earlier, so that it ends with them."""
    cdef Py_ssize_t lanes = lanes_of(out), i = 0
    if count < lanes:
        if 2*count >= lanes:
            memcpy(out, x, lanes//2*sizeof(real))
            memcpy(out + count - lanes//2, x + count - lanes//2, lanes//2*sizeof(real))
        elif 4*count >= lanes:
            memcpy(out, x, lanes//4*sizeof(real))
            memcpy(out + count - lanes//4, x + count - lanes//4, lanes//4*sizeof(real))
        else:
            for i in range(count):
                out[i] = x[i]
        return
    while i + lanes <= count:
        copy_vector(out + i, x + i)
        i += lanes
    if i < count:
        copy_vector(out + count - lanes, x + count - lanes)


cdef inline void copy_alternate(real* out, const real* x, Py_ssize_t count) noexcept nogil:
    """Copy so many elements, every other one; the last vector begins earlier, so that it ends with them."""
    cdef Py_ssize_t lanes = lanes_of(out), i = 0
    if count < lanes:
        for i in range(count):
            out[i] = x[2*i]
        return
    while i < count:
        i = min(i, count - lanes)
        if real is float:
            alternate_f32(out + i, x + 2*i)
        else:
            alternate_f64(out + i, x + 2*i)
        i += lanes


cdef inline void clear_places(real* out, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t length) noexcept nogil:
    """Zeros at places begin … end of a row, and perhaps around them."""
    cdef Py_ssize_t lanes = lanes_of(out)
    if length < lanes:
        while begin < end:
            out[begin] = 0
            begin += 1
        return
    while begin < end:
        clear_vector(out + min(begin, length - lanes))
        begin += lanes


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
        clear_places(out, 0, lead if count > 0 else length, length)
        clear_places(out, lead + count, length, length)
        if step == 1:
            copy(out + lead, here, count)
        elif step == 2:
            copy_alternate(out + lead, here, count)
        else:
            for i in range(count):
                out[lead + i] = here[step*i]
        out += length


cdef void fill_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        fill_rows(<float*>arrays[0], <const float*>arrays[1], s, job)


def fill_f32(float[::1] out not None, const float[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of rows of padded images."""
    cdef (void*)[2] arrays
    arrays[0], arrays[1] = <void*>&out[0], <void*>&x[0]
    with nogil:
        fill_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void fill_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        fill_rows(<double*>arrays[0], <const double*>arrays[1], s, job)


def fill_f64(double[::1] out not None, const double[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of rows of padded images."""
    cdef (void*)[2] arrays
    arrays[0], arrays[1] = <void*>&out[0], <void*>&x[0]
    with nogil:
        fill_tiles_f64(arrays, &s[0], start, stop, threads)


# ------------------------------------------------------------------------------------------------------------- turn

cdef void turn_block(real* out, const real* dy, const Py_ssize_t* s, Py_ssize_t item) noexcept nogil:
    """A block of positions of a block of channels, channels last; channels that are not there are 0."""
    cdef Py_ssize_t channels = s[0], width = s[1], positions = s[2], block = s[3]
    cdef Py_ssize_t blocks = ceildiv(positions, block), lanes = lanes_of(out), k, o, first, end, here
    cdef Py_ssize_t place = floordiv(item, blocks)
    first = floormod(item, blocks)*block
    end = first + block if first + block < positions else positions
    out += place*positions*width
    here = floormod(place, s[4])*width  # first channel of the block
    place = floordiv(place, s[4])
    dy += floordiv(place, s[7])*s[8] + floormod(place, s[7])*s[5] + here*s[6]
    k = 0
    while k < width:
        if here + k + lanes <= channels and end - first >= lanes:
            o = first
            while o < end:
                o = min(o, end - lanes)
                transpose(out + o*width + k, width, dy + k*s[6] + o, s[6])
                o += lanes
            k += lanes
            continue
        for o in range(first, end):
            out[o*width + k] = dy[k*s[6] + o] if here + k < channels else 0
        k += 1


cdef void turn_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        turn_block(<float*>arrays[0], <const float*>arrays[1], s, job)


def turn_f32(float[::1] out not None, const float[::1] dy not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of an array with its channels last."""
    cdef (void*)[2] arrays
    arrays[0], arrays[1] = <void*>&out[0], <void*>&dy[0]
    with nogil:
        turn_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void turn_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        turn_block(<double*>arrays[0], <const double*>arrays[1], s, job)


def turn_f64(double[::1] out not None, const double[::1] dy not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of an array with its channels last."""
    cdef (void*)[2] arrays
    arrays[0], arrays[1] = <void*>&out[0], <void*>&dy[0]
    with nogil:
        turn_tiles_f64(arrays, &s[0], start, stop, threads)


cdef void settle_block(real* dw, const real* made, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A block of channels, turned back from being last."""
    cdef Py_ssize_t channels = s[0], width = s[1], elements = s[2], lanes = lanes_of(dw), lane, e = 0, count
    cdef Py_ssize_t blocks = ceildiv(channels, s[3]), g = floordiv(job, blocks), k = floormod(job, blocks)*s[3]
    count = min(s[3], channels - k)
    dw += floordiv(g, s[6])*s[7] + floormod(g, s[6])*s[4] + k*s[5]
    made += (g*ceildiv(channels, width) + floordiv(k, width))*elements*width + floormod(k, width)
    while e < elements:
        if count == lanes and elements >= lanes:
            e = min(e, elements - lanes)
            transpose(dw + e, s[5], made + e*width, width)
            e += lanes
            continue
        for lane in range(count):
            dw[lane*s[5] + e] = made[e*width + lane]
        e += 1


cdef void settle_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        settle_block(<float*>arrays[0], <const float*>arrays[1], s, job)


def settle_f32(float[::1] dw not None, const float[::1] made not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of channels."""
    cdef (void*)[2] arrays
    arrays[0], arrays[1] = <void*>&dw[0], <void*>&made[0]
    with nogil:
        settle_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void settle_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        settle_block(<double*>arrays[0], <const double*>arrays[1], s, job)


def settle_f64(double[::1] dw not None, const double[::1] made not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of channels."""
    cdef (void*)[2] arrays
    arrays[0], arrays[1] = <void*>&dw[0], <void*>&made[0]
    with nogil:
        settle_tiles_f64(arrays, &s[0], start, stop, threads)


# ------------------------------------------------------------------------------------------------------- interleave

cdef void interleave_block(real* out, const real* x, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A block of positions of one channel of some samples, side by side, to their places in a padded image."""
    cdef char[LARGEST_TURNED] room
    cdef real* turned = <real*>room
    cdef Py_ssize_t samples = s[0], positions = s[2], lanes = lanes_of(out), blocks = ceildiv(positions, s[3])
    cdef Py_ssize_t channel = floordiv(job, blocks), block = floormod(job, blocks), i, n, p, end
    cdef const Py_ssize_t* place = s + s[10]
    cdef const Py_ssize_t* run = s + s[11]
    cdef const Py_ssize_t* clear = s + s[12]
    cdef const Py_ssize_t* count = s + s[13]
    out += channel*s[5]
    i = floordiv(channel, s[1])
    x += i*s[6] + (channel - i*s[1])*s[7] + s[8]
    for i in range(floordiv(block*s[9], blocks), floordiv((block + 1)*s[9], blocks)):
        memset(out + clear[i], 0, count[i]*sizeof(real))
    p, end = block*s[3], min((block + 1)*s[3], positions)
    while samples >= lanes and end - p >= lanes:
        n = 0
        while n < samples:
            n = min(n, samples - lanes)
            if run[p] >= lanes:
                transpose(out + place[p] + n, samples, x + n*s[4] + p, s[4])
            else:
                transpose(turned, lanes, x + n*s[4] + p, s[4])
                for i in range(lanes):
                    if place[p + i] >= 0:
                        copy_vector(out + place[p + i] + n, turned + i*lanes)
            n += lanes
        p += lanes
    for i in range(p, end):
        if place[i] >= 0:
            for n in range(samples):
                out[place[i] + n] = x[n*s[4] + i]


cdef void interleave_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        interleave_block(<float*>arrays[0], <const float*>arrays[1], s, job)


def interleave_f32(float[::1] out not None, const float[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of positions of padded images of samples side by side."""
    cdef (void*)[2] arrays
    arrays[0], arrays[1] = <void*>&out[0], <void*>&x[0]
    with nogil:
        interleave_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void interleave_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        interleave_block(<double*>arrays[0], <const double*>arrays[1], s, job)


def interleave_f64(double[::1] out not None, const double[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop of positions of padded images of samples side by side."""
    cdef (void*)[2] arrays
    arrays[0], arrays[1] = <void*>&out[0], <void*>&x[0]
    with nogil:
        interleave_tiles_f64(arrays, &s[0], start, stop, threads)


# ------------------------------------------------------------------------------------------------------------ sweep

cdef void store(real* y, const real* made, const Py_ssize_t* s, Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
    """The vectors of a tile to where their lanes belong, in the order of their places."""
    cdef Py_ssize_t lanes = lanes_of(y), step = s[15], m, v, part, lane, count, end
    cdef bint loose, add = s[17] == ADDED
    cdef const Py_ssize_t* start = s + s[25]
    cdef const Py_ssize_t* places = s + s[28]
    cdef const real* row
    cdef real* out
    for v in range(vectors):
        end = start[j + 1]
        for part in range(start[j], end):
            count, lane = s[s[27] + part], s[s[26] + part]
            row = made + v*lanes + lane
            out = y + s[s[23] + i] + places[part]
            # A vector may be stored beyond its part where the next part is stored after it, and covers that.
            loose = step == 1 and s[17] == MADE and (part + 1 < end or (v + 1 < vectors and j + 1 < s[3]))
            if loose and places[part + 1] == places[part] + count and s[s[27] + part + 1] + count >= lanes:
                for m in range(rows):
                    copy_vector(out + m*s[11], row + m*vectors*lanes)
            elif step == 1 and not add:
                for m in range(rows):
                    copy(out + m*s[11], row + m*vectors*lanes, count)
            else:
                for m in range(rows):
                    scatter(out + m*s[11], row + m*vectors*lanes, count, step, add)
        j += 1
        if j == s[3]:
            i, j = i + 1, 0


cdef void take(real* made, const real* y, const Py_ssize_t* s, Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
    """The vectors of a tile from where their lanes belong."""
    cdef Py_ssize_t lanes = lanes_of(y), m, v, part, k
    cdef const Py_ssize_t* start = s + s[25]
    cdef const real* out
    cdef real* row
    for v in range(vectors):
        for part in range(start[j], start[j + 1]):
            row = made + v*lanes + s[s[26] + part]
            out = y + s[s[23] + i] + s[s[28] + part]
            for m in range(rows):
                for k in range(s[s[27] + part]):
                    row[m*vectors*lanes + k] = out[m*s[11] + k*s[15]]
        j += 1
        if j == s[3]:
            i, j = i + 1, 0


cdef inline void scatter(real* out, const real* row, Py_ssize_t count, Py_ssize_t step, bint add) noexcept nogil:
    cdef Py_ssize_t lane
    if add and step == 1:
        if count == lanes_of(out):
            add_vector(out, row)
            return
        for lane in range(count):
            out[lane] += row[lane]
    elif add:
        for lane in range(count):
            out[lane*step] += row[lane]
    elif step == 2:
        for lane in range(count):
            out[2*lane] = row[lane]
    else:
        for lane in range(count):
            out[lane*step] = row[lane]


cdef void sweep_tile(real* y, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
    """One tile of the result: rows from where y and a point, vectors from the j-th of the i-th outer row."""
    cdef Py_ssize_t[MOST] pos
    cdef Py_ssize_t[MOST] place
    cdef char[LARGEST + SLACK] made_room
    cdef char[LARGEST] sum_room
    cdef real* made = <real*>made_room
    cdef real* total = <real*>sum_room
    cdef Py_ssize_t lanes = lanes_of(y), repeats = s[16], v, n, row = i, at = j
    cdef bint whole = repeats == 1 and s[17] != ADDED, begun = s[17] == BEGUN
    if vectors > APART:
        pos[0] = s[s[22] + i] + s[s[24] + j]
        place[0] = s[s[23] + i] + s[s[28] + s[s[25] + j]]
        whole = whole and s[s[29] + j] >= vectors
    else:
        for v in range(vectors):
            pos[v] = s[s[22] + row] + s[s[24] + at]
            place[v] = s[s[23] + row] + s[s[28] + s[s[25] + at]]
            whole = whole and s[s[29] + at] > 0
            at += 1
            if at == s[3]:
                row, at = row + 1, 0
    if whole:
        run_tile(rows, vectors, s[4], s[5], a, s[6], s[7], s + s[20], b, s[8], s + s[21], pos, y, s[11], place, begun)
        return
    for v in range(min(vectors, APART)):
        place[v] = v*lanes
    if begun:
        take(made, y, s, rows, vectors, i, j)
    run_tile(
        rows, vectors, s[4], s[5], a + s[s[33]], s[6], s[7], s + s[20], b + s[s[34]], s[8], s + s[21], pos,
        made, vectors*lanes, place, begun,
    )
    for n in range(1, repeats):
        run_tile(
            rows, vectors, s[4], s[5], a + s[s[33] + n], s[6], s[7], s + s[20], b + s[s[34] + n], s[8], s + s[21], pos,
            total, vectors*lanes, place, False,
        )
        for v in range(rows*vectors*lanes):
            made[v] += total[v]
    store(y, made, s, rows, vectors, i, j)


cdef Py_ssize_t sweep_run(real* y, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t i, Py_ssize_t j, Py_ssize_t most) noexcept nogil:
    """Tiles of full vectors that follow each other in image and result; how many of the vectors they are."""
    cdef Py_ssize_t[MOST] pos
    cdef Py_ssize_t[MOST] place
    cdef Py_ssize_t lanes = lanes_of(y), v, o, done = 0
    cdef bint begun = s[17] == BEGUN
    most = min(most, s[s[29] + j])
    if most < vectors or s[16] > 1 or s[17] == ADDED:
        return 0
    for v in range(min(vectors, APART)):
        pos[v] = s[s[22] + i] + s[s[24] + j] + v*lanes
        place[v] = s[s[23] + i] + s[s[28] + s[s[25] + j]] + v*lanes
    while done + vectors <= most:
        o = done*lanes
        run_tile(
            rows, vectors, s[4], s[5], a, s[6], s[7], s + s[20], b + o, s[8], s + s[21], pos, y + o, s[11], place, begun
        )
        done += vectors
    return done


cdef inline void fetch(const real* b, const Py_ssize_t* s, Py_ssize_t m) noexcept nogil:
    """Ask for a share of what the next vectors read, when every channel of theirs lies in a page of its own."""
    cdef Py_ssize_t c, v, lanes = lanes_of(b)
    for c in range(floordiv(m*s[4], s[12]), floordiv((m + 1)*s[4], s[12])):
        for v in range(s[18]):
            ahead(b + c*s[8] + v*lanes)


cdef void sweep_job(real* y, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A block of rows and vectors of one sample and group."""
    cdef Py_ssize_t blocks = s[12]*s[13], at, g, m, v, rows, end, vectors, done, i, j
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
    if s[19] > 0:
        v *= s[19]
        end = min(v + s[19], s[2])
    else:
        end = floordiv((v + 1)*s[2], s[13])
        v = floordiv(v*s[2], s[13])
    y += job*s[10] + s[s[32] + g] + m*s[11]
    a += s[s[30] + g] + m*s[6]
    b += job*s[9] + s[s[31] + g]
    i, j = floordiv(v, s[3]), floormod(v, s[3])
    if s[6] == 1 and s[14] and j + s[18] < s[3]:
        fetch(b + s[s[22] + i] + s[s[24] + j + s[18]] + s[s[21]], s, floormod(at, s[12]))
    while v < end:
        vectors = min(end - v, s[18])
        if vectors > APART:
            vectors = max(APART, min(vectors, s[s[35] + j]))
        vectors = widest(y, rows, vectors)
        done = sweep_run(y, a, b, s, rows, vectors, i, j, end - v)
        if done == 0:
            sweep_tile(y, a, b, s, rows, vectors, i, j)
            done = vectors
        v += done
        j += done
        while j >= s[3]:
            i, j = i + 1, j - s[3]


cdef void sweep_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        sweep_job(<float*>arrays[0], <const float*>arrays[1], <const float*>arrays[2], s, job)


def sweep_f32(float[::1] y not None, const float[::1] a not None, const float[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Tiles of jobs start ... stop."""
    cdef (void*)[3] arrays
    arrays[0], arrays[1], arrays[2] = <void*>&y[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        sweep_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void sweep_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        sweep_job(<double*>arrays[0], <const double*>arrays[1], <const double*>arrays[2], s, job)


def sweep_f64(double[::1] y not None, const double[::1] a not None, const double[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Tiles of jobs start ... stop."""
    cdef (void*)[3] arrays
    arrays[0], arrays[1], arrays[2] = <void*>&y[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        sweep_tiles_f64(arrays, &s[0], start, stop, threads)


# -------------------------------------------------------------------------------------------------------------- dot

cdef void add_lanes(real* out, const real* made, Py_ssize_t number) noexcept nogil:
    """The sum of the lanes of each vector, halves first; vectors are turned, so that as many as there are lanes are added."""
    cdef char[LARGEST_TURNED] room
    cdef real* turned = <real*>room
    cdef Py_ssize_t lanes = lanes_of(out), first = 0, width, i
    while first < number:
        transpose(turned, lanes, made + first*lanes, lanes)
        width = lanes
        while width > 1:
            width = width//2
            for i in range(width):
                add_vector(turned + i*lanes, turned + (width + i)*lanes)
        copy_vector(out + first, turned)
        first += lanes


cdef inline void run_dot(
    Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t lines, Py_ssize_t vectors, const real* a, Py_ssize_t am,
    Py_ssize_t al, const real* b, Py_ssize_t bl, const Py_ssize_t* boff, real* made,
) noexcept nogil:
    if real is float:
        choose_dot_f32(rows, columns)(lines, vectors, a, am, al, b, bl, boff, made)
    else:
        choose_dot_f64(rows, columns)(lines, vectors, a, am, al, b, bl, boff, made)


cdef inline Py_ssize_t first_column(const Py_ssize_t* s, Py_ssize_t tile) noexcept nogil:
    return floordiv(tile*s[1], s[4])


cdef void dot_job(real* dw, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """Dot products of a block of rows with a panel of columns over one block of lines, lane by lane, then together.

    Some of the lines are done at a time, with all columns, so that those of the rows stay in the first cache.
    """
    cdef char[PANEL*LARGEST + LARGEST_TURNED] room
    cdef char[LARGEST_TURNED] room_of_sums
    cdef real* made = <real*>room
    cdef real* sums = <real*>room_of_sums
    cdef Py_ssize_t panels = ceildiv(s[4], s[12]), first = floormod(job, panels)*s[12], last = min(first + s[12], s[4])
    cdef Py_ssize_t apart = LARGEST//<Py_ssize_t>sizeof(real), g, m, j, k, n, l = 0, rows, columns, lines
    job = floordiv(job, panels)
    m = floormod(job, s[3])
    job = floordiv(job, s[3])
    g = floormod(job, s[2])
    job = floordiv(job, s[2])  # which of the repeats: a sample, or a block of lines
    rows = floordiv((m + 1)*s[0], s[3])
    m = floordiv(m*s[0], s[3])
    rows -= m
    a += s[s[13] + job] + g*s[6] + m*s[7]
    b += s[s[14] + job] + g*s[9]
    dw += (job*s[2] + g)*s[0]*s[1] + m*s[1]
    memset(room, 0, (last - first)*LARGEST)
    lines = s[s[15] + job]
    while l < lines:
        for k in range(first, last):
            j = first_column(s, k)
            columns = first_column(s, k + 1) - j
            run_dot(
                rows, columns, min(s[11], lines - l), s[5], a + l*s[8], s[7], s[8], b + l*s[10], s[10], s + s[16] + j,
                made + (k - first)*apart,
            )
        l += s[11]
    for k in range(first, last):
        j = first_column(s, k)
        columns = first_column(s, k + 1) - j
        add_lanes(sums, made + (k - first)*apart, rows*columns)
        for m in range(rows):
            for n in range(columns):
                dw[m*s[1] + j + n] = sums[m*columns + n]


cdef void dot_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        dot_job(<float*>arrays[0], <const float*>arrays[1], <const float*>arrays[2], s, job)


def dot_f32(float[::1] dw not None, const float[::1] a not None, const float[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Dot products of jobs start ... stop."""
    cdef (void*)[3] arrays
    arrays[0], arrays[1], arrays[2] = <void*>&dw[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        dot_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void dot_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        dot_job(<double*>arrays[0], <const double*>arrays[1], <const double*>arrays[2], s, job)


def dot_f64(double[::1] dw not None, const double[::1] a not None, const double[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Dot products of jobs start ... stop."""
    cdef (void*)[3] arrays
    arrays[0], arrays[1], arrays[2] = <void*>&dw[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        dot_tiles_f64(arrays, &s[0], start, stop, threads)


def lanes():
    """Lanes of a vector, for float32 and float64."""
    return {"f": lanes_of(<float*>NULL), "d": lanes_of(<double*>NULL)}
