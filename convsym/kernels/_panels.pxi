# The drivers of sums with many rows as products of matrices, also where a kernel has several taps: rows of B are the taps
# of all channels, or places for dw. A block of B is laid into the room of a thread, line by line of what taps read, and
# stays in the first cache while all rows of the result go by. What tiles read as numbers is packed beside it, in the order
# in which they read it, where that lies apart. A job belongs to one thread. The numbers and where the tables start are those of PANELS in
# convsym/kernels/tables.py.

cdef enum:
    PIECES = 1024  # of a block of columns, at most
    LINES = 64  # of a block, at most, and taps


cdef struct Panels:
    Py_ssize_t groups, rows, parts, spans, channels, taps, inner, depth  # the result and its jobs; the sum
    Py_ssize_t vectors, blocks, columns, positions, lines, line, step  # columns of all samples; of a sample; what they read
    Py_ssize_t am, ac, group_a, group_b, image_b, channel_b, group_y, image_y, ym, made_step, samples, packed, panel, room
    Py_ssize_t tile_rows, aoff, source, lead, count, element, place  # tables


cdef struct Piece:
    Py_ssize_t source  # in a channel of B
    int place, count  # in the block


cdef struct Stretch:
    Py_ssize_t place, count, made  # in a block of columns, and in the result


cdef struct Columns:
    Piece[PIECES] pieces
    Py_ssize_t[LINES + 1] first  # piece of each tap
    bint[LINES] short  # whether a tap reads less than the block is wide
    Stretch[LINES] stretches
    Py_ssize_t runs


cdef void columns_of(Columns* made, const Panels* p, const Py_ssize_t* s, Py_ssize_t first, Py_ssize_t count, Py_ssize_t width) noexcept nogil:
    """What a block of columns reads with each tap, and where its results go."""
    cdef Py_ssize_t place = 0, sample, position, length, t, base, low, high, i, n, segments = 0, found
    cdef Py_ssize_t[LINES] line, start, begin, source
    cdef Stretch* last
    cdef Piece* piece = &made.pieces[0]
    made.runs = 0
    while place < count:
        sample, position = floordiv(first + place, p.positions), floormod(first + place, p.positions)
        line[segments], start[segments] = floordiv(position, p.line), floormod(position, p.line)
        begin[segments], source[segments] = place, sample*p.image_b
        length = min(count - place, p.line - start[segments])
        i = sample*p.image_y + s[p.place + line[segments]] + start[segments]*p.made_step
        last = &made.stretches[max(made.runs, 1) - 1]
        if made.runs and p.made_step == 1 and last.made + last.count == i:
            last.count += length
        else:
            made.stretches[made.runs].place, made.stretches[made.runs].count, made.stretches[made.runs].made = place, length, i
            made.runs += 1
        segments += 1
        place += length
    for t in range(p.taps):
        made.first[t], found, i = piece - &made.pieces[0], 0, floormod(t, p.inner)
        for n in range(segments):
            base = s[p.source + floordiv(t, p.inner)*p.lines + line[n]]
            length = (begin[n + 1] if n + 1 < segments else count) - begin[n]
            low, high = max(start[n], s[p.lead + i]), min(start[n] + length, s[p.lead + i] + s[p.count + i])
            if base >= 0 and low < high:
                piece.place, piece.count = <int>(begin[n] + low - start[n]), <int>(high - low)
                piece.source = source[n] + base + s[p.element + i] + (low - s[p.lead + i])*p.step
                piece += 1
                found += high - low
        made.short[t] = found < width
    made.first[p.taps] = piece - &made.pieces[0]


cdef inline void lay_tap(real* out, const real* b, const Panels* p, const Columns* columns, Py_ssize_t t, Py_ssize_t width) noexcept nogil:
    """What a tap reads of a channel for a block of columns; zeros where it reads nothing."""
    cdef Py_ssize_t lanes = lanes_of(b), n, i = 0
    cdef const Piece* piece
    if columns.short[t]:
        while i < width:
            clear_vector(out + i)
            i += lanes
    for n in range(columns.first[t], columns.first[t + 1]):
        piece = &columns.pieces[n]
        if p.step == 1:
            copy(out + piece.place, b + piece.source, piece.count)
        elif p.step == 2:
            copy_alternate(out + piece.place, b + piece.source, piece.count)
        else:
            for i in range(piece.count):
                out[piece.place + i] = b[piece.source + i*p.step]


cdef void lay_down(real* room, const real* b, const Panels* p, const Columns* columns, Py_ssize_t channels, Py_ssize_t width) noexcept nogil:
    """So many channels of a block of columns, tap by tap."""
    cdef Py_ssize_t c, t
    for c in range(channels):
        for t in range(p.taps):
            lay_tap(room, b, p, columns, t, width)
            room += width
        b += p.channel_b


cdef void pack_rows(real* panel, const real* a, const Panels* p, const Py_ssize_t* s, Py_ssize_t rows, Py_ssize_t most, Py_ssize_t channels) noexcept nogil:
    """The weights of so many rows and channels, tile by tile."""
    cdef Py_ssize_t m, count, c, t, i, taps = channels*p.taps
    cdef const real* here
    cdef const real* tap
    cdef real* out
    for c in range(channels):
        m = 0
        while m < rows:
            count = min(most, rows - m)
            here, out = a + m*p.am, panel + m*taps + c*p.taps*count
            for t in range(p.taps):
                tap = here + s[p.aoff + t]
                if count == 6:
                    out[0], out[1], out[2] = tap[0], tap[p.am], tap[2*p.am]
                    out[3], out[4], out[5] = tap[3*p.am], tap[4*p.am], tap[5*p.am]
                else:
                    for i in range(count):
                        out[i] = tap[i*p.am]
                out += count
            m += count
        a += p.ac


cdef void take_stretches(real* made, const real* y, const Panels* p, Py_ssize_t width, Py_ssize_t rows, const Columns* columns) noexcept nogil:
    """What was made of a tile so far, from where its columns belong: the sum goes on from it wherever they lie."""
    cdef Py_ssize_t m, n, i, count, step = p.made_step
    cdef const real* here
    cdef real* out
    for n in range(columns.runs):
        count = columns.stretches[n].count
        for m in range(rows):
            here, out = y + columns.stretches[n].made + m*p.ym, made + m*width + columns.stretches[n].place
            if step == 1:
                copy(out, here, count)
            else:
                for i in range(count):
                    out[i] = here[i*step]


cdef void put_stretches(real* y, const real* made, const Panels* p, Py_ssize_t width, Py_ssize_t rows, const Columns* columns) noexcept nogil:
    """A tile to where its columns belong."""
    cdef Py_ssize_t m, n, i, count, step = p.made_step
    cdef const real* here
    cdef real* out
    for n in range(columns.runs):
        count = columns.stretches[n].count
        for m in range(rows):
            out, here = y + columns.stretches[n].made + m*p.ym, made + m*width + columns.stretches[n].place
            if step == 1:
                copy(out, here, count)
            else:
                for i in range(count):
                    out[i*step] = here[i]


cdef void ask_stretches(real* y, const Panels* p, Py_ssize_t rows, const Columns* columns) noexcept nogil:
    """Ask for the lines of a tile's results, which arrive while it is summed."""
    cdef Py_ssize_t m, n, i, end, line = 64//<Py_ssize_t>sizeof(real)
    for n in range(columns.runs):
        end = (columns.stretches[n].count - 1)*p.made_step
        for m in range(rows):
            i = 0
            while i < end:
                convsym_prefetch_result(y + columns.stretches[n].made + m*p.ym + i)
                i += line
            convsym_prefetch_result(y + columns.stretches[n].made + m*p.ym + end)


cdef void panels_job(real* y, real* room, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A part of the rows of a span of blocks of columns of a group."""
    cdef const Panels* p = <const Panels*>s
    cdef char[LARGEST + SLACK] made_room
    cdef real* made = <real*>made_room
    cdef real* panel = room + p.room - p.panel
    cdef real* out
    cdef const real* read
    cdef Columns columns
    cdef Py_ssize_t lanes = lanes_of(y), span = floormod(job, p.spans), part = floormod(floordiv(job, p.spans), p.parts)
    cdef Py_ssize_t group = floordiv(job, p.spans*p.parts), row = floordiv(part*p.rows, p.parts), end = floordiv((part + 1)*p.rows, p.parts)
    cdef Py_ssize_t block, begin, vectors, width, count, c = 0, channels, m, rows, most, apart, am, ac
    cdef bint whole
    most = s[p.tile_rows]
    a += group*p.group_a
    b += group*p.group_b
    y += group*p.group_y
    while c < p.channels:
        channels = min(p.depth, p.channels - c)
        if p.packed:
            pack_rows(panel, a + row*p.am + c*p.ac, p, s, end - row, most, channels)
        for block in range(floordiv(span*p.blocks, p.spans), floordiv((span + 1)*p.blocks, p.spans)):
            begin = floordiv(block*p.vectors, p.blocks)
            vectors = floordiv((block + 1)*p.vectors, p.blocks) - begin
            begin, width = begin*lanes, vectors*lanes
            count = min(width, p.columns - begin)
            columns_of(&columns, p, s, begin, count, width)
            whole = columns.runs == 1 and count == width and p.made_step == 1
            lay_down(room, b + c*p.channel_b, p, &columns, channels, width)
            m = row
            while m < end:
                rows = min(most, end - m)
                ask_stretches(y + m*p.ym, p, rows, &columns)
                out, apart = made, width
                if whole:
                    out, apart = y + columns.stretches[0].made + m*p.ym, p.ym
                elif c > 0:
                    take_stretches(made, y + m*p.ym, p, width, rows, &columns)
                if p.packed:
                    read, am, ac = panel + (m - row)*channels*p.taps, 1, rows
                else:
                    read, am, ac = a + m*p.am + c*p.ac, p.am, 1
                product(rows, vectors, channels*p.taps, read, am, ac, room, width, room, 0, out, apart, c > 0)
                if out == made:
                    put_stretches(y + m*p.ym, made, p, width, rows, &columns)
                m += rows
        c += channels


cdef void lay_across(real* room, real* rows, const real* b, const Panels* p, const Columns* columns, Py_ssize_t first, Py_ssize_t count, Py_ssize_t width, Py_ssize_t depth) noexcept nogil:
    """So many taps of channels, from a first on, side by side at each place of a block; zeros beyond them."""
    cdef Py_ssize_t lanes = lanes_of(b), j = 0, lane, i
    while j < width:
        for lane in range(lanes):
            if j + lane < count:
                i = first + j + lane
                lay_tap(rows + lane*depth, b + floordiv(i, p.taps)*p.channel_b, p, columns, floormod(i, p.taps), depth)
            else:
                clear(rows + lane*depth, depth)
        i = 0
        while i < depth:
            transpose(room + i*width + j, width, rows + i, depth)
            i += lanes
        j += lanes


cdef void pack_lines(real* panel, const real* a, const Panels* p, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t depth, const Columns* columns) noexcept nogil:
    """So many rows of a block of the sum, one after the other."""
    cdef Py_ssize_t m, n
    for m in range(rows):
        for n in range(columns.runs):
            copy(panel + columns.stretches[n].place, a + columns.stretches[n].made + (row + m)*p.am, columns.stretches[n].count)
        panel += depth


cdef void panels_pairs(real* dw, real* room, const real* a, const real* b, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """The weight gradient: a part of the rows of a span of blocks of columns of a group."""
    cdef const Panels* p = <const Panels*>s
    cdef char[LARGEST + SLACK] made_room
    cdef real* made = <real*>made_room
    cdef real* panel = room + p.room - p.panel
    cdef real* turned
    cdef real* out
    cdef const real* read
    cdef Columns columns
    cdef Py_ssize_t lanes = lanes_of(dw), span = floormod(job, p.spans), part = floormod(floordiv(job, p.spans), p.parts)
    cdef Py_ssize_t group = floordiv(job, p.spans*p.parts), row = floordiv(part*p.rows, p.parts), end = floordiv((part + 1)*p.rows, p.parts)
    cdef Py_ssize_t block, begin, vectors, width, count, n = 0, depth, around, m, rows, i, k, apart, most = s[p.tile_rows]
    a += group*p.group_a
    b += group*p.group_b
    dw += group*p.group_y
    while n < p.positions*p.samples:
        depth = min(p.depth, p.positions*p.samples - n)
        around = ceildiv(depth, lanes)*lanes
        columns_of(&columns, p, s, n, depth, depth)
        if p.packed:
            pack_lines(panel, a, p, row, end - row, around, &columns)
        for block in range(floordiv(span*p.blocks, p.spans), floordiv((span + 1)*p.blocks, p.spans)):
            begin = floordiv(block*p.vectors, p.blocks)
            vectors = floordiv((block + 1)*p.vectors, p.blocks) - begin
            begin, width = begin*lanes, vectors*lanes
            count = min(width, p.columns - begin)
            turned = room + lanes*around
            lay_across(turned, room, b, p, &columns, begin, count, width, around)
            m = row
            while m < end:
                rows = min(most, end - m)
                read, k = a + columns.stretches[0].made + m*p.am, p.am
                if p.packed:
                    read, k = panel + (m - row)*around, around
                if count == width:
                    out, apart = dw + m*p.columns + begin, p.columns
                else:
                    out, apart = made, width
                product(rows, vectors, depth, read, k, 1, turned, width, turned, 0, out, apart, n > 0 and out != made)
                if out == made:
                    for k in range(rows):
                        for i in range(count):
                            dw[(m + k)*p.columns + begin + i] = made[k*width + i] + (dw[(m + k)*p.columns + begin + i] if n else 0)
                m += rows
        n += depth


cdef void panels_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        panels_job(<float*>arrays[0], <float*>arrays[1] + threadid()*(<const Panels*>s).room, <const float*>arrays[2], <const float*>arrays[3], s, job)


def panels_f32(float[::1] y not None, float[::1] room not None, const float[::1] a not None, const float[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Spans of columns, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&y[0], <void*>&room[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        panels_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void panels_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        panels_job(<double*>arrays[0], <double*>arrays[1] + threadid()*(<const Panels*>s).room, <const double*>arrays[2], <const double*>arrays[3], s, job)


def panels_f64(double[::1] y not None, double[::1] room not None, const double[::1] a not None, const double[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Spans of columns, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&y[0], <void*>&room[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        panels_tiles_f64(arrays, &s[0], start, stop, threads)


cdef void panels_dw_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        panels_pairs(<float*>arrays[0], <float*>arrays[1] + threadid()*(<const Panels*>s).room, <const float*>arrays[2], <const float*>arrays[3], s, job)


def panels_dw_f32(float[::1] dw not None, float[::1] room not None, const float[::1] a not None, const float[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Spans of columns, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&dw[0], <void*>&room[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        panels_dw_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void panels_dw_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        panels_pairs(<double*>arrays[0], <double*>arrays[1] + threadid()*(<const Panels*>s).room, <const double*>arrays[2], <const double*>arrays[3], s, job)


def panels_dw_f64(double[::1] dw not None, double[::1] room not None, const double[::1] a not None, const double[::1] b not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Spans of columns, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&dw[0], <void*>&room[0], <void*>&a[0], <void*>&b[0]
    with nogil:
        panels_dw_tiles_f64(arrays, &s[0], start, stop, threads)
