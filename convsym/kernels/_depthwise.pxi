# The drivers of convolutions of many groups with few channels each, depthwise ones above all. Lanes are groups: as many
# of them as there are lanes are turned into a small image with its groups last, summed lane by lane, and turned back. A
# job belongs to one thread and has all it needs in that thread's room. The numbers and where the tables start are those
# of DEPTHWISE in convsym/kernels/tables.py.

cdef struct Depthwise:
    Py_ssize_t groups, blocks, strips, read, made  # blocks of groups; channels of a group that are read and made
    Py_ssize_t source_image, source_group, source_channel, result_image, result_group, result_channel
    Py_ssize_t weights, weight_made  # of a group; distance of those of one channel that is made
    Py_ssize_t width, image, sums, room  # elements of a row that is read, of scratch for one channel, of a thread
    Py_ssize_t classes, gaps, samples
    # Where tables start. Of strips: the first position that is read; the rows that are read; where positions are made.
    Py_ssize_t first, rows, made_first, made_count
    Py_ssize_t row_start, row_place, clear_start, clear_place, clear_count
    # Of classes: terms, vectors of a row, distances; of strips and classes the rows.
    Py_ssize_t term_start, vectors, step, along, box_start, box_read, box_made, aoff, boff


cdef inline void lane_sum(Py_ssize_t count, Py_ssize_t terms, const real* a, const Py_ssize_t* aoff, const real* b, Py_ssize_t step, const Py_ssize_t* boff, real* y, Py_ssize_t along) noexcept nogil:
    if real is float:
        choose_sum_f32(count)(terms, a, aoff, b, step, boff, y, along)
    else:
        choose_sum_f64(count)(terms, a, aoff, b, step, boff, y, along)


cdef inline void lane_twin(Py_ssize_t columns, Py_ssize_t count, const real* a, const real* b, Py_ssize_t step, const Py_ssize_t* boff, real* d) noexcept nogil:
    if real is float:
        choose_twin_f32(columns)(count, a, b, step, boff, d)
    else:
        choose_twin_f64(columns)(count, a, b, step, boff, d)


cdef void groups_last(real* out, const real* x, Py_ssize_t apart, Py_ssize_t count) noexcept nogil:
    """So many neighbors of each group, which lie `apart`."""
    cdef Py_ssize_t lanes = lanes_of(out), i = 0, lane
    while count >= lanes and i < count:
        i = min(i, count - lanes)
        transpose(out + i*lanes, lanes, x + i, apart)
        i += lanes
    while i < count:
        for lane in range(lanes):
            out[i*lanes + lane] = x[lane*apart + i]
        i += 1


cdef void groups_first(real* out, Py_ssize_t apart, const real* x, Py_ssize_t count) noexcept nogil:
    """The reverse."""
    cdef Py_ssize_t lanes = lanes_of(out), i = 0, lane
    while count >= lanes and i < count:
        i = min(i, count - lanes)
        transpose(out + i, apart, x + i*lanes, lanes)
        i += lanes
    while i < count:
        for lane in range(lanes):
            out[lane*apart + i] = x[i*lanes + lane]
        i += 1


cdef void lay_rows(real* image, real* room, const real* x, const Depthwise* d, const Py_ssize_t* s, Py_ssize_t strip) noexcept nogil:
    """The rows of a strip of one channel, groups last, with zeros around them; `room` holds what short rows take."""
    cdef Py_ssize_t lanes = lanes_of(x), width = d.width, rows = s[d.rows + strip], row, i, count, place, length
    cdef const Py_ssize_t* places = s + d.row_place + s[d.row_start + strip]
    x += s[d.first + strip]
    for i in range(s[d.clear_start + strip], s[d.clear_start + strip + 1]):
        clear(image + s[d.clear_place + i], s[d.clear_count + i])
    if width >= lanes:
        for row in range(rows):
            groups_last(image + places[row], x + row*width, d.source_group, width)
        return
    groups_last(room, x, d.source_group, rows*width)
    for row in range(rows):
        memcpy(image + places[row], room + row*width*lanes, width*lanes*sizeof(real))


cdef void sum_rows(real* made, const real* weights, const real* image, const Depthwise* d, const Py_ssize_t* s, Py_ssize_t strip) noexcept nogil:
    """All rows of all classes of a strip of one channel that is made."""
    cdef Py_ssize_t c, i, t, v, n, part, parts
    for c in range(d.classes):
        t, parts = s[d.term_start + c], ceildiv(s[d.vectors + c], SUMS)
        for i in range(s[d.box_start + strip*d.classes + c], s[d.box_start + strip*d.classes + c + 1]):
            for part in range(parts):
                v = floordiv(part*s[d.vectors + c], parts)
                n = floordiv((part + 1)*s[d.vectors + c], parts) - v
                lane_sum(
                    n, s[d.term_start + c + 1] - t, weights, s + d.aoff + t,
                    image + s[d.box_read + i] + v*s[d.step + c], s[d.step + c], s + d.boff + t,
                    made + s[d.box_made + i] + v*s[d.along + c], s[d.along + c],
                )


cdef void depthwise_job(real* y, real* room, const real* x, const real* w, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """A strip of a block of groups of a sample."""
    cdef const Depthwise* d = <const Depthwise*>s
    cdef Py_ssize_t lanes = lanes_of(y), strip = floormod(job, d.strips), c, group
    cdef real* made = room + d.read*d.image
    cdef real* weights = made + d.sums
    job = floordiv(job, d.strips)
    group = min(floormod(job, d.blocks)*lanes, d.groups - lanes)
    job = floordiv(job, d.blocks)
    x += job*d.source_image + group*d.source_group
    y += job*d.result_image + group*d.result_group + s[d.made_first + strip]
    groups_last(weights, w + group*d.weights, d.weights, d.weights)
    for c in range(d.read):
        lay_rows(room + c*d.image, made, x + c*d.source_channel, d, s, strip)
    for c in range(d.made):
        if d.gaps:
            clear(made, d.sums)
        sum_rows(made, weights + c*d.weight_made, room, d, s, strip)
        groups_first(y + c*d.result_channel, d.result_group, made, s[d.made_count + strip])


cdef void depthwise_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        depthwise_job(<float*>arrays[0], <float*>arrays[1] + threadid()*(<const Depthwise*>s).room, <const float*>arrays[2], <const float*>arrays[3], s, job)


def depthwise_f32(float[::1] y not None, float[::1] room not None, const float[::1] x not None, const float[::1] w not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Strips of blocks of groups, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&y[0], <void*>&room[0], <void*>&x[0], <void*>&w[0]
    with nogil:
        depthwise_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void depthwise_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        depthwise_job(<double*>arrays[0], <double*>arrays[1] + threadid()*(<const Depthwise*>s).room, <const double*>arrays[2], <const double*>arrays[3], s, job)


def depthwise_f64(double[::1] y not None, double[::1] room not None, const double[::1] x not None, const double[::1] w not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Strips of blocks of groups, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&y[0], <void*>&room[0], <void*>&x[0], <void*>&w[0]
    with nogil:
        depthwise_tiles_f64(arrays, &s[0], start, stop, threads)


cdef void depthwise_pairs(real* dw, real* room, const real* x, const real* dy, const Py_ssize_t* s, Py_ssize_t job) noexcept nogil:
    """The weight gradient of a block of groups, over all strips of all samples."""
    cdef const Depthwise* d = <const Depthwise*>s
    cdef Py_ssize_t lanes = lanes_of(dw), group = min(job*lanes, d.groups - lanes), n, strip, c, k, i, j, count
    cdef Py_ssize_t columns = s[d.term_start + 1]
    cdef real* made = room + d.read*d.image
    cdef real* sums = made + d.sums
    clear(sums, d.made*columns*lanes)
    for n in range(d.samples):
        for strip in range(d.strips):
            for c in range(d.read):
                lay_rows(
                    room + c*d.image, made, x + n*d.source_image + group*d.source_group + c*d.source_channel, d, s, strip
                )
            for k in range(d.made):
                groups_last(
                    made, dy + n*d.result_image + group*d.result_group + k*d.result_channel + s[d.made_first + strip],
                    d.result_group, s[d.made_count + strip],
                )
                for i in range(s[d.box_start + strip], s[d.box_start + strip + 1]):
                    j = 0
                    while j < columns:
                        count = min(columns - j, TWINS)
                        lane_twin(
                            count, s[d.vectors], made + s[d.box_made + i], room + s[d.box_read + i], s[d.step],
                            s + d.boff + j, sums + (k*columns + j)*lanes,
                        )
                        j += count
    groups_first(dw + group*d.weights, d.weights, sums, d.weights)


cdef void depthwise_dw_tiles_f32(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        depthwise_pairs(<float*>arrays[0], <float*>arrays[1] + threadid()*(<const Depthwise*>s).room, <const float*>arrays[2], <const float*>arrays[3], s, job)


def depthwise_dw_f32(float[::1] dw not None, float[::1] room not None, const float[::1] x not None, const float[::1] dy not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Weight gradients of blocks of groups, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&dw[0], <void*>&room[0], <void*>&x[0], <void*>&dy[0]
    with nogil:
        depthwise_dw_tiles_f32(arrays, &s[0], start, stop, threads)


cdef void depthwise_dw_tiles_f64(void** arrays, const Py_ssize_t* s, Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    cdef Py_ssize_t job
    for job in prange(start, stop, schedule="static", num_threads=threads):
        depthwise_pairs(<double*>arrays[0], <double*>arrays[1] + threadid()*(<const Depthwise*>s).room, <const double*>arrays[2], <const double*>arrays[3], s, job)


def depthwise_dw_f64(double[::1] dw not None, double[::1] room not None, const double[::1] x not None, const double[::1] dy not None, const Py_ssize_t[::1] s not None, Py_ssize_t start, Py_ssize_t stop, int threads):
    """Weight gradients of blocks of groups, jobs start ... stop."""
    cdef (void*)[4] arrays
    arrays[0], arrays[1], arrays[2], arrays[3] = <void*>&dw[0], <void*>&room[0], <void*>&x[0], <void*>&dy[0]
    with nogil:
        depthwise_dw_tiles_f64(arrays, &s[0], start, stop, threads)
