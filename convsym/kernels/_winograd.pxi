# The drivers of Winograd's transforms. Lanes are channels: a strip of tiles (a row of tiles of a sample, or a part of
# one) is turned into channels last, lane by lane, transformed along its columns and along its rows, and kept point by
# point as [point][tile][channel]; for every point a product of matrices by the register tiles sums over the channels.
# Nothing that a job computes depends on the others, nor on how many tiles its block has. The numbers of a table are
# those of convsym/minimal.py, by name.

cdef struct Minimal:
    Py_ssize_t groups, samples, heights, parts, part, widths  # strips: samples × rows of tiles × parts of a row
    Py_ssize_t m, mr, n, nr  # outputs and points of a tile along a row and along a column; mr = nr = 1 for one axis
    Py_ssize_t block, room, slab  # strips of a block; elements of scratch; elements of one point of a block
    Py_ssize_t into, into_vectors, reach, reach_rows, into_transform  # channels read; elements of a tile read
    Py_ssize_t first_row, first_column, image, group, plane, rows, columns, size
    Py_ssize_t out, out_vectors, step, out_transform  # channels made; vectors of them in a step
    Py_ssize_t out_image, out_group, out_plane, out_rows, out_columns
    Py_ssize_t tile_rows, tile_vectors  # of a register tile, at most


cdef struct MinimalWeights:
    Py_ssize_t groups, into, out, out_vectors, step, chunk, n, nr, transform
    Py_ssize_t group, along_out, along_into, first, start, row, column, size, taps  # first tap of a row, and first row


cdef struct MinimalPairs:
    Py_ssize_t groups, points, into_vectors, out, out_vectors, into_slab, out_slab, row_blocks, add
    Py_ssize_t tile_rows, tile_vectors, blocks  # blocks of tiles; where each of them starts, and the last ends, follows


cdef struct MinimalPart:
    MinimalPairs pairs
    Py_ssize_t begin, end  # of the only block of tiles


cdef struct MinimalKernel:
    Py_ssize_t groups, into, into_vectors, out, n, nr, transform, taps, parts, sums  # parts of sums, and their elements


cdef inline void transform(Py_ssize_t number, real* out, Py_ssize_t along, Py_ssize_t step, const real* x, Py_ssize_t xalong, Py_ssize_t xstep, Py_ssize_t count) noexcept nogil:
    if real is float:
        choose_transform_f32(number)(out, along, step, x, xalong, xstep, count)
    else:
        choose_transform_f64(number)(out, along, step, x, xalong, xstep, count)


cdef inline void transpose(real* out, Py_ssize_t along, const real* x, Py_ssize_t xalong) noexcept nogil:
    if real is float:
        transpose_f32(out, along, x, xalong)
    else:
        transpose_f64(out, along, x, xalong)


cdef inline void product(Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t channels, const real* a, Py_ssize_t am, Py_ssize_t ac, const real* b, Py_ssize_t bc, const real* later, Py_ssize_t step, real* y, Py_ssize_t ym, bint begun) noexcept nogil:
    if real is float:
        choose_product_f32(rows, vectors)(channels, a, am, ac, b, bc, later, step, y, ym, begun)
    else:
        choose_product_f64(rows, vectors)(channels, a, am, ac, b, bc, later, step, y, ym, begun)


cdef inline void laying(Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t channels, const real* a, Py_ssize_t am, Py_ssize_t ac, const real* b, Py_ssize_t bc, real* laid, const real* later, Py_ssize_t step, real* y, Py_ssize_t ym, bint begun) noexcept nogil:
    if real is float:
        choose_laying_f32(rows, vectors)(channels, a, am, ac, b, bc, laid, later, step, y, ym, begun)
    else:
        choose_laying_f64(rows, vectors)(channels, a, am, ac, b, bc, laid, later, step, y, ym, begun)


cdef inline void clear(real* out, Py_ssize_t count) noexcept nogil:
    memset(out, 0, count*sizeof(real))


# ------------------------------------------------------------------------------------------------ channels last

cdef inline Py_ssize_t beyond(const real* place, Py_ssize_t lanes) noexcept nogil:
    """Where a second vector starts after one from here: at the next multiple of its size, from which on all do."""
    cdef Py_ssize_t rest = floormod(<Py_ssize_t>place, lanes*<Py_ssize_t>sizeof(real))
    return lanes - rest//<Py_ssize_t>sizeof(real)


cdef void turn_in(real* out, const real* x, Py_ssize_t along, Py_ssize_t channels, Py_ssize_t count, Py_ssize_t readable) noexcept nogil:
    """``out[j, i] = x[i*along + j]`` for so many elements j of so many channels i, at most as many as lanes; others 0.

    So many elements are readable from x on: a short row is read beyond its end where that is no end of the array.
    """
    cdef char[4096] room
    cdef real* part = <real*>room
    cdef Py_ssize_t lanes = lanes_of(out), i, j, at = 0
    if channels == lanes and (count >= lanes or (lanes - 1)*along + lanes <= readable):
        while at + lanes <= count:
            transpose(out + at*lanes, lanes, x + at, along)
            at = at + lanes if at else beyond(x, lanes)
        if at < count:
            if count >= lanes:
                at = count - lanes
                transpose(out + at*lanes, lanes, x + at, along)
            else:
                transpose(part, lanes, x, along)
                memcpy(out, part, count*lanes*sizeof(real))
        return
    for j in range(count):
        for i in range(channels):
            out[j*lanes + i] = x[i*along + j]
        for i in range(channels, lanes):
            out[j*lanes + i] = 0


cdef void turn_out(real* out, Py_ssize_t along, const real* x, Py_ssize_t channels, Py_ssize_t count) noexcept nogil:
    """``out[i*along + j] = x[j, i]`` for so many elements j of so many channels i, at most as many as lanes."""
    cdef Py_ssize_t lanes = lanes_of(out), i, j, at = 0
    if channels == lanes and count >= lanes:
        while at + lanes <= count:
            transpose(out + at, along, x + at*lanes, lanes)
            at = at + lanes if at else beyond(out, lanes)
        if at < count:
            at = count - lanes
            transpose(out + at, along, x + at*lanes, lanes)
        return
    for i in range(channels):
        for j in range(count):
            out[i*along + j] = x[j*lanes + i]


cdef bint finite_lanes(const real* x, Py_ssize_t vectors) noexcept nogil:
    """Whether all numbers of so many vectors are finite: 0 times another number is not 0."""
    cdef Py_ssize_t v = 0, i, lanes
    cdef real total = 0
    cdef lanes_f32 a0, a1, a2, a3
    cdef lanes_f64 b0, b1, b2, b3
    if real is float:
        a0 = a1 = a2 = a3 = zero_f32
        while v + 4 <= vectors:
            a0 = a0 + (<const lanes_f32*>x)[v]*zero_f32
            a1 = a1 + (<const lanes_f32*>x)[v + 1]*zero_f32
            a2 = a2 + (<const lanes_f32*>x)[v + 2]*zero_f32
            a3 = a3 + (<const lanes_f32*>x)[v + 3]*zero_f32
            v += 4
        while v < vectors:
            a0 = a0 + (<const lanes_f32*>x)[v]*zero_f32
            v += 1
        a0 = (a0 + a1) + (a2 + a3)
        for i in range(lanes_of(<real*>x)):
            total += (<float*>&a0)[i]
    else:
        b0 = b1 = b2 = b3 = zero_f64
        while v + 4 <= vectors:
            b0 = b0 + (<const lanes_f64*>x)[v]*zero_f64
            b1 = b1 + (<const lanes_f64*>x)[v + 1]*zero_f64
            b2 = b2 + (<const lanes_f64*>x)[v + 2]*zero_f64
            b3 = b3 + (<const lanes_f64*>x)[v + 3]*zero_f64
            v += 4
        while v < vectors:
            b0 = b0 + (<const lanes_f64*>x)[v]*zero_f64
            v += 1
        b0 = (b0 + b1) + (b2 + b3)
        for i in range(lanes_of(<real*>x)):
            total += (<double*>&b0)[i]
    return total == 0


# --------------------------------------------------------------------------------------------------------- strips

cdef inline Py_ssize_t tiles_of(const Minimal* s, Py_ssize_t strip) noexcept nogil:
    return min(s.part, s.widths - floormod(strip, s.parts)*s.part)


cdef void strip_in(real* v, real* room, const real* x, const Minimal* s, Py_ssize_t strip, Py_ssize_t group, Py_ssize_t c) noexcept nogil:
    """Vector c of the channels of a strip to its points; v is where the strip begins."""
    cdef Py_ssize_t lanes = lanes_of(<real*>x), place = floormod(strip, s.parts), up = floordiv(strip, s.parts)
    cdef Py_ssize_t sample = floordiv(up, s.heights), tiles = tiles_of(s, strip)
    up = floormod(up, s.heights)
    cdef Py_ssize_t columns = (tiles - 1)*s.m + s.reach, row = up*s.mr + s.first_row
    cdef Py_ssize_t column = place*s.part*s.m + s.first_column, channels = min(lanes, s.into - c*lanes)
    cdef Py_ssize_t top = max(-row, 0), bottom = min(s.reach_rows, s.rows - row)
    cdef Py_ssize_t left = max(-column, 0), right = min(columns, s.columns - column)
    cdef Py_ssize_t width = s.into_vectors*lanes, wide = right - left, offset, i, t, p
    cdef real* raw = room
    cdef real* made
    v += c*lanes
    if top >= bottom or left >= right:
        for p in range(s.nr*s.n):
            for t in range(tiles):
                clear(v + p*s.slab + t*width, lanes)
        return
    made = room + s.reach_rows*wide*lanes
    if s.nr == 1:
        raw = made + left*lanes
    offset = sample*s.image + group*s.group + c*lanes*s.plane + (row + top)*s.columns + column + left
    clear(raw, top*wide*lanes)
    if wide == s.columns:
        turn_in(raw + top*wide*lanes, x + offset, s.plane, channels, (bottom - top)*wide, s.size - offset)
    else:
        for i in range(top, bottom):
            turn_in(raw + i*wide*lanes, x + offset, s.plane, channels, wide, s.size - offset)
            offset += s.columns
    clear(raw + bottom*wide*lanes, (s.reach_rows - bottom)*wide*lanes)
    if s.nr > 1:
        transform(s.into_transform, made + left*lanes, columns*lanes, lanes, raw, wide*lanes, lanes, wide)
    for i in range(s.nr):
        clear(made + i*columns*lanes, left*lanes)
        clear(made + (i*columns + right)*lanes, (columns - right)*lanes)
        transform(s.into_transform, v + i*s.n*s.slab, s.slab, width, made + i*columns*lanes, lanes, s.m*lanes, tiles)


cdef void multiply(real* made, Py_ssize_t made_slab, const real* v, const real* u, const Minimal* s, Py_ssize_t vectors, Py_ssize_t tiles) noexcept nogil:
    """The products of the points of so many tiles with a step of output channels, summed over input channels.

    While it works at one point, it asks for the weights of the next: a vector of each row of them in each block of tiles.
    """
    cdef Py_ssize_t lanes = lanes_of(<real*>v), width = s.into_vectors*lanes, row = vectors*lanes, p, k, j, t, b, end
    cdef Py_ssize_t blocks = ceildiv(tiles, s.tile_rows)
    cdef const real* later
    for p in range(s.nr*s.n):
        k = 0
        while k < vectors:
            j = min(s.tile_vectors, vectors - k)
            t = 0
            for b in range(blocks):
                end = floordiv((b + 1)*tiles, blocks)
                later = u + (s.into*row + b*lanes if b < vectors else 0)
                product(
                    end - t, j, s.into, v + p*s.slab + t*width, width, 1, u + k*lanes, row, later, row if b < vectors else 0,
                    made + p*made_slab + t*row + k*lanes, row, False,
                )
                t = end
            k += j
        u += s.into*row


cdef bint strip_out(real* y, real* room, const real* made, Py_ssize_t made_slab, const Minimal* s, Py_ssize_t vectors, Py_ssize_t strip, Py_ssize_t group, Py_ssize_t k) noexcept nogil:
    """Vector k of the output channels of a strip from its points, which begin at `made`; whether all is finite."""
    cdef Py_ssize_t lanes = lanes_of(y), place = floormod(strip, s.parts), up = floordiv(strip, s.parts)
    cdef Py_ssize_t sample = floordiv(up, s.heights), tiles = tiles_of(s, strip), columns = tiles*s.m, i
    up = floormod(up, s.heights)*s.mr
    place *= s.part*s.m
    cdef Py_ssize_t rows = min(s.mr, s.out_rows - up), wide = min(columns, s.out_columns - place)
    cdef Py_ssize_t channels = min(lanes, s.out - k*lanes)
    cdef real* done = room
    for i in range(s.nr):
        transform(s.out_transform, room + i*columns*lanes, lanes, s.m*lanes, made + i*s.n*made_slab, made_slab, vectors*lanes, tiles)
    if s.nr > 1:
        done = room + s.nr*columns*lanes
        transform(s.out_transform, done, wide*lanes, lanes, room, columns*lanes, lanes, wide)
    y += sample*s.out_image + group*s.out_group + k*lanes*s.out_plane + up*s.out_columns + place
    if wide == s.out_columns:
        turn_out(y, s.out_plane, done, channels, rows*wide)
    else:
        for i in range(rows):
            turn_out(y + i*s.out_columns, s.out_plane, done + i*wide*lanes, channels, wide)
    return finite_lanes(done, rows*wide)


cdef inline Py_ssize_t weights_of(const real* u, const Minimal* s, Py_ssize_t group, Py_ssize_t number) noexcept nogil:
    """Where the transformed weights of a step begin."""
    return s.nr*s.n*s.into*lanes_of(<real*>u)*(group*s.out_vectors + number*s.step)


cdef void step_out(real* y, real* room, const real* v, const real* u, unsigned char* bad, const Minimal* s, Py_ssize_t first, Py_ssize_t last, Py_ssize_t group, Py_ssize_t number) noexcept nogil:
    """A step of output channels of the strips first ... last, from their points and the weights of the step."""
    cdef Py_ssize_t lanes = lanes_of(y), vectors = min(s.step, s.out_vectors - number*s.step), tiles = 0, strip, k
    cdef Py_ssize_t width = s.into_vectors*lanes, made_slab
    cdef Py_ssize_t total = s.samples*s.heights*s.parts, steps = ceildiv(s.out_vectors, s.step)
    for strip in range(first, last):
        tiles += tiles_of(s, strip)
    made_slab = tiles*vectors*lanes
    multiply(room, made_slab, v, u, s, vectors, tiles)
    tiles = 0
    for strip in range(first, last):
        for k in range(vectors):
            if not strip_out(
                y, room + s.nr*s.n*made_slab, room + (tiles*vectors + k)*lanes, made_slab, s, vectors, strip, group,
                number*s.step + k,
            ):
                bad[(group*total + strip)*steps + number] = 1
        tiles += tiles_of(s, strip)


# ------------------------------------------------------------------------------------------------------- drivers

cdef void blocks_job(real* y, real* room, const real* x, const real* u, unsigned char* bad, const Minimal* s, Py_ssize_t job) noexcept nogil:
    """A block of strips of one group: points, products, results, one after the other in the cache of one thread."""
    cdef Py_ssize_t lanes = lanes_of(y), group = floormod(job, s.groups), first = floordiv(job, s.groups)*s.block
    cdef Py_ssize_t last = min(first + s.block, s.samples*s.heights*s.parts), strip, c, tiles = 0
    cdef Py_ssize_t width = s.into_vectors*lanes
    cdef real* free = room + s.nr*s.n*s.slab
    for strip in range(first, last):
        for c in range(s.into_vectors):
            strip_in(room + tiles*width, free, x, s, strip, group, c)
        tiles += tiles_of(s, strip)
    for c in range(ceildiv(s.out_vectors, s.step)):
        step_out(y, free, room, u + weights_of(u, s, group, c), bad, s, first, last, group, c)


def minimal_blocks_f32(float[::1] y not None, float[::1] room not None, const float[::1] x not None, const float[::1] u not None, unsigned char[::1] bad not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop; every thread has its own scratch."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        blocks_job(&y[0], &room[threadid()*t.room], &x[0], &u[0], &bad[0], t, job)


def minimal_blocks_f64(double[::1] y not None, double[::1] room not None, const double[::1] x not None, const double[::1] u not None, unsigned char[::1] bad not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Blocks start ... stop; every thread has its own scratch."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        blocks_job(&y[0], &room[threadid()*t.room], &x[0], &u[0], &bad[0], t, job)


cdef void points_job(real* v, real* room, const real* x, const Minimal* s, Py_ssize_t first, Py_ssize_t job) noexcept nogil:
    """A vector of channels of one strip of a group."""
    cdef Py_ssize_t c = floormod(job, s.into_vectors), tiles = 0, strip
    job = floordiv(job, s.into_vectors)
    cdef Py_ssize_t group = floormod(job, s.groups), last = floordiv(job, s.groups)
    for strip in range(last):
        tiles += tiles_of(s, first + strip)
    v += group*s.nr*s.n*s.slab + tiles*s.into_vectors*lanes_of(<real*>v)
    strip_in(v, room, x, s, first + last, group, c)


def minimal_points_f32(float[::1] v not None, float[::1] room not None, const float[::1] x not None, Py_ssize_t first, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Points of the strips from `first` on, of all groups; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        points_job(&v[0], &room[threadid()*t.room], &x[0], t, first, job)


def minimal_points_f64(double[::1] v not None, double[::1] room not None, const double[::1] x not None, Py_ssize_t first, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Points of the strips from `first` on, of all groups; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        points_job(&v[0], &room[threadid()*t.room], &x[0], t, first, job)


cdef void both_job(real* v, real* room, const real* dy, const real* x, const Minimal* s, Py_ssize_t first, Py_ssize_t jobs, Py_ssize_t job) noexcept nogil:
    """Points of dy for the first jobs, of x for the others; x has its own table and its own place, behind those of dy."""
    if job < jobs:
        points_job(v, room, dy, s, first, job)
    else:
        points_job(v + s.groups*s.nr*s.n*s.slab, room, x, s + 1, first, job - jobs)


def minimal_both_f32(float[::1] v not None, float[::1] room not None, const float[::1] dy not None, const float[::1] x not None, Py_ssize_t first, Py_ssize_t jobs, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Points of dy and of x of the strips from `first` on, of all groups; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        both_job(&v[0], &room[threadid()*t.room], &dy[0], &x[0], t, first, jobs, job)


def minimal_both_f64(double[::1] v not None, double[::1] room not None, const double[::1] dy not None, const double[::1] x not None, Py_ssize_t first, Py_ssize_t jobs, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Points of dy and of x of the strips from `first` on, of all groups; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        both_job(&v[0], &room[threadid()*t.room], &dy[0], &x[0], t, first, jobs, job)


cdef void results_job(real* y, real* room, const real* v, const real* u, unsigned char* bad, const Minimal* s, Py_ssize_t first, Py_ssize_t job) noexcept nogil:
    """A step of output channels of one group, of the block of strips that begins with `first`."""
    cdef Py_ssize_t steps = ceildiv(s.out_vectors, s.step), group = floordiv(job, steps)
    cdef Py_ssize_t last = min(first + s.block, s.samples*s.heights*s.parts)
    job = floormod(job, steps)
    step_out(y, room, v + group*s.nr*s.n*s.slab, u + weights_of(u, s, group, job), bad, s, first, last, group, job)


def minimal_results_f32(float[::1] y not None, float[::1] room not None, const float[::1] v not None, const float[::1] u not None, unsigned char[::1] bad not None, Py_ssize_t first, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Results of a block of strips, whose points are in v; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        results_job(&y[0], &room[threadid()*t.room], &v[0], &u[0], &bad[0], t, first, job)


def minimal_results_f64(double[::1] y not None, double[::1] room not None, const double[::1] v not None, const double[::1] u not None, unsigned char[::1] bad not None, Py_ssize_t first, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Results of a block of strips, whose points are in v; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        results_job(&y[0], &room[threadid()*t.room], &v[0], &u[0], &bad[0], t, first, job)


# ------------------------------------------------------------------------------------------------------- weights

cdef enum:
    CHUNK = 8  # input channels whose weights are transformed together
    LARGEST_ROOM = CHUNK*9*64 + CHUNK*8*3*64  # bytes of their taps, and of the first transform of F(6, 3)
    LARGEST_KERNEL = 8*3*64 + 16*64  # bytes of the first transform of the points of dw, and of taps; rows are read whole
    LARGEST_POINTS = 8*8*64  # bytes of a vector of every point
    LARGEST_TAPS = 16*16*4 + 64  # bytes of the taps of a vector, and of the row that reaches beyond them


cdef void weights_vector(real* u, const real* w, const MinimalWeights* s, Py_ssize_t group, Py_ssize_t first, Py_ssize_t vectors, Py_ssize_t k) noexcept nogil:
    """Points of a chunk of input channels for vector k of the output channels; rows of u have so many vectors."""
    cdef char[LARGEST_ROOM] room_of_bytes
    cdef real* taps = <real*>room_of_bytes
    cdef Py_ssize_t lanes = lanes_of(u), count = min(CHUNK, s.into - first), channels = min(lanes, s.out - k*lanes), c, i
    cdef Py_ssize_t place = s.into*vectors*lanes, offset = group*s.group + k*lanes*s.along_out + first*s.along_into
    cdef real* made = taps + CHUNK*s.taps*lanes
    if s.along_into == s.taps:
        turn_in(taps, w + offset, s.along_out, channels, count*s.taps, s.size - offset)
    else:
        for c in range(count):
            turn_in(taps + c*s.taps*lanes, w + offset, s.along_out, channels, s.taps, s.size - offset)
            offset += s.along_into
    taps += s.first*lanes
    if s.nr == 1:
        transform(s.transform, u, place, vectors*lanes, taps, s.column*lanes, s.taps*lanes, count)
        return
    transform(s.transform, made, lanes, s.n*lanes, taps, s.column*lanes, 3*lanes, 3*count)
    made += s.start*s.n*lanes
    for i in range(s.n):
        transform(
            s.transform, u + i*place, s.n*place, vectors*lanes, made + i*lanes, s.row*s.n*lanes, 3*s.n*lanes, count,
        )


cdef void weights_chunk(real* u, const real* w, const MinimalWeights* s, Py_ssize_t group, Py_ssize_t number, Py_ssize_t first) noexcept nogil:
    """Points of a chunk of input channels for a step of output channels, laid out as the products read them."""
    cdef Py_ssize_t lanes = lanes_of(u), vectors = min(s.step, s.out_vectors - number*s.step), k
    for k in range(vectors):
        weights_vector(u + (first*vectors + k)*lanes, w, s, group, first, vectors, number*s.step + k)


cdef void weights_job(real* u, const real* w, const MinimalWeights* s, Py_ssize_t job) noexcept nogil:
    cdef Py_ssize_t chunks = ceildiv(s.into, CHUNK), steps = ceildiv(s.out_vectors, s.step)
    cdef Py_ssize_t first = floormod(job, chunks)*CHUNK, number = floormod(floordiv(job, chunks), steps)
    cdef Py_ssize_t group = floordiv(job, chunks*steps)
    u += s.nr*s.n*s.into*lanes_of(u)*(group*s.out_vectors + number*s.step)
    weights_chunk(u, w, s, group, number, first)


def minimal_weights_f32(float[::1] u not None, const float[::1] w not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Transformed weights; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const MinimalWeights* t = <const MinimalWeights*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        weights_job(&u[0], &w[0], t, job)


def minimal_weights_f64(double[::1] u not None, const double[::1] w not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Transformed weights; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const MinimalWeights* t = <const MinimalWeights*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        weights_job(&u[0], &w[0], t, job)


cdef void alone_job(real* y, real* room, const real* v, const real* w, unsigned char* bad, const Minimal* s, Py_ssize_t job) noexcept nogil:
    """A step of output channels of one group, of all strips, whose points are in v: its weights stay in the cache."""
    cdef const MinimalWeights* t = <const MinimalWeights*>(s + 1)
    cdef Py_ssize_t steps = ceildiv(s.out_vectors, s.step), group = floordiv(job, steps), number = floormod(job, steps), c
    for c in range(ceildiv(s.into, CHUNK)):
        weights_chunk(room, w, t, group, number, c*CHUNK)
    step_out(
        y, room + s.nr*s.n*s.into*s.step*lanes_of(y), v + group*s.nr*s.n*s.slab, room, bad, s, 0,
        s.samples*s.heights*s.parts, group, number,
    )


def minimal_alone_f32(float[::1] y not None, float[::1] room not None, const float[::1] v not None, const float[::1] w not None, unsigned char[::1] bad not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Results of the only block of strips from weights as they are; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        alone_job(&y[0], &room[threadid()*t.room], &v[0], &w[0], &bad[0], t, job)


def minimal_alone_f64(double[::1] y not None, double[::1] room not None, const double[::1] v not None, const double[::1] w not None, unsigned char[::1] bad not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Results of the only block of strips from weights as they are; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const Minimal* t = <const Minimal*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        alone_job(&y[0], &room[threadid()*t.room], &v[0], &w[0], &bad[0], t, job)


# ------------------------------------------------------------------------------------------------ weight gradient

cdef void pairs_job(real* d, const real* dy, const real* x, const MinimalPairs* s, Py_ssize_t job) noexcept nogil:
    """Products of some output channels with all input channels at one point, summed over blocks of tiles one by one.

    While it works at some rows of sums, it asks for the next ones, as many lines as there are tiles.
    """
    cdef char[LARGEST] room
    cdef real* made = <real*>room
    cdef Py_ssize_t lanes = lanes_of(d), width = s.into_vectors*lanes, rest = s.out_vectors*lanes, k, c, m, b, j, i, n
    cdef Py_ssize_t part = floormod(job, s.row_blocks), place = floordiv(job, s.row_blocks), tiles
    cdef Py_ssize_t last = floordiv((part + 1)*s.out, s.row_blocks), line = 64//<Py_ssize_t>sizeof(real)
    cdef const Py_ssize_t* starts = <const Py_ssize_t*>(s + 1)
    cdef real* sums
    cdef real* later
    d += place*s.out*width
    x += place*s.into_slab
    dy += place*s.out_slab
    k = floordiv(part*s.out, s.row_blocks)
    while k < last:
        m = min(s.tile_rows, last - k)
        c = 0
        while c < s.into_vectors:
            j = min(s.tile_vectors, s.into_vectors - c)
            sums = d + k*width + c*lanes
            later = d + (k + m)*width + c*lanes*m
            for n in range(s.blocks):
                i, tiles = starts[n], starts[n + 1] - starts[n]
                if n == 0 and not s.add:
                    product(m, j, tiles, dy + i*rest + k, 1, rest, x + i*width + c*lanes, width, later, line, sums, width, False)
                    continue
                product(m, j, tiles, dy + i*rest + k, 1, rest, x + i*width + c*lanes, width, later, line, made, j*lanes, False)
                for b in range(m):
                    for i in range(j*lanes):
                        sums[b*width + i] += made[b*j*lanes + i]
            c += j
        k += m


def minimal_pairs_f32(float[::1] d not None, const float[::1] dy not None, const float[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Products of the points of dy and x, summed over a block of tiles; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const MinimalPairs* t = <const MinimalPairs*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        pairs_job(&d[0], &dy[0], &x[0], t, job)


def minimal_pairs_f64(double[::1] d not None, const double[::1] dy not None, const double[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Products of the points of dy and x, summed over a block of tiles; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const MinimalPairs* t = <const MinimalPairs*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        pairs_job(&d[0], &dy[0], &x[0], t, job)


cdef inline const Py_ssize_t* part_numbers(const Py_ssize_t* s) noexcept nogil:
    """Elements of the sums of a part, and of a thread's room; then where parts start, and the last one ends."""
    return <const Py_ssize_t*>(<const MinimalPairs*>(<const Minimal*>s + 2) + 1)


cdef void part_job(real* d, real* room, const real* dy, const real* x, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """All products of a part of the strips: block by block they are transformed and multiplied in the cache of a thread."""
    cdef const Minimal* t = <const Minimal*>s
    cdef const MinimalPairs* p = <const MinimalPairs*>(t + 2)
    cdef const Py_ssize_t* rest = part_numbers(s)
    cdef Py_ssize_t first = rest[2 + job], end = rest[3 + job], last, jobs, strip, j
    cdef real* points = room + t.room
    cdef MinimalPart own
    own.pairs = p[0]
    own.pairs.blocks, own.pairs.add, own.begin = 1, 0, 0
    d += job*rest[0]
    while first < end:
        last = min(first + t.block, end)
        jobs = t.groups*(last - first)*t.into_vectors
        for j in range(jobs + t.groups*(last - first)*(t + 1).into_vectors):
            both_job(points, room, dy, x, t, first, jobs, j)
        own.end = 0
        for strip in range(first, last):
            own.end += tiles_of(t, strip)
        for j in range(p.groups*p.points*p.row_blocks):
            pairs_job(d, points, points + t.groups*t.nr*t.n*t.slab, &own.pairs, j)
        own.pairs.add = 1
        first = last


def minimal_part_f32(float[::1] d not None, float[::1] room not None, const float[::1] dy not None, const float[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Sums of the products of parts start ... stop of the strips."""
    cdef Py_ssize_t job
    cdef const Py_ssize_t* rest = part_numbers(&s[0])
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        part_job(&d[0], &room[threadid()*rest[1]], &dy[0], &x[0], &s[0], job)


def minimal_part_f64(double[::1] d not None, double[::1] room not None, const double[::1] dy not None, const double[::1] x not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Sums of the products of parts start ... stop of the strips."""
    cdef Py_ssize_t job
    cdef const Py_ssize_t* rest = part_numbers(&s[0])
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        part_job(&d[0], &room[threadid()*rest[1]], &dy[0], &x[0], &s[0], job)


cdef inline void add_parts(real* out, const real* d, const MinimalKernel* s, Py_ssize_t place) noexcept nogil:
    """One vector of every point, summed over the parts in their order."""
    cdef Py_ssize_t lanes = lanes_of(out), point, part
    for point in range(s.nr*s.n):
        copy_vector(out + point*lanes, d + point*place)
        for part in range(1, s.parts):
            add_vector(out + point*lanes, d + part*s.sums + point*place)


cdef void kernel_job(real* dw, const real* d, const MinimalKernel* s, Py_ssize_t job) noexcept nogil:
    """The taps of one output channel for a vector of input channels."""
    cdef char[LARGEST_KERNEL] room_of_bytes
    cdef char[LARGEST_POINTS] room_of_points
    cdef real* room = <real*>room_of_bytes
    cdef Py_ssize_t lanes = lanes_of(dw), points = s.nr*s.n, place = s.out*s.into_vectors*lanes
    cdef Py_ssize_t c = floormod(job, s.into_vectors), k = floordiv(job, s.into_vectors)
    cdef Py_ssize_t group = floordiv(k, s.out), channels = min(lanes, s.into - c*lanes)
    cdef real* made = room
    d += (group*points*s.out + floormod(k, s.out))*s.into_vectors*lanes + c*lanes
    if s.parts > 1:
        add_parts(<real*>room_of_points, d, s, place)
        d, place = <real*>room_of_points, lanes
    if s.nr == 1:
        transform(s.transform, made, lanes, 0, d, place, 0, 1)
    else:
        transform(s.transform, room, s.n*lanes, lanes, d, s.n*place, place, s.n)
        made = room + 3*s.n*lanes
        transform(s.transform, made, lanes, 3*lanes, room, lanes, s.n*lanes, 3)
    turn_taps(dw + (k*s.into + c*lanes)*s.taps, made, channels, s.taps)


cdef void turn_taps(real* out, const real* x, Py_ssize_t channels, Py_ssize_t taps) noexcept nogil:
    """``out[i, j] = x[j, i]`` for the taps j of so many channels i: rows are written over the ends of those before."""
    cdef char[LARGEST_TAPS] room
    cdef real* part = <real*>room
    cdef Py_ssize_t lanes = lanes_of(out), i, j
    if channels == lanes and taps <= lanes:
        transpose(part, taps, x, lanes)
        memcpy(out, part, channels*taps*sizeof(real))
        return
    for i in range(channels):
        for j in range(taps):
            out[i*taps + j] = x[j*lanes + i]


def minimal_kernel_f32(float[::1] dw not None, const float[::1] d not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """The weight gradient from its points; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const MinimalKernel* t = <const MinimalKernel*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        kernel_job(&dw[0], &d[0], t, job)


def minimal_kernel_f64(double[::1] dw not None, const double[::1] d not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """The weight gradient from its points; jobs start ... stop."""
    cdef Py_ssize_t job
    cdef const MinimalKernel* t = <const MinimalKernel*>&s[0]
    for job in prange(start, stop, schedule="static", num_threads=threads, nogil=True):
        kernel_job(&dw[0], &d[0], t, job)
