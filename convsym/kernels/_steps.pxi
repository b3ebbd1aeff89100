# A call that is a few runs of tile drivers, one after the other, without Python between them. Looking the same things up
# again takes 10 µs while they are in the caches, and four times that after a layer whose arrays have pushed them out.

ctypedef void (*Tiles)(
    void** arrays, const Py_ssize_t* table, Py_ssize_t start, Py_ssize_t stop, int threads
) noexcept nogil

cdef enum:
    STEPS = 16  # of a call, at most
    ARRAYS = 4  # of a step, at most
    LINE = 64  # bytes of a cache line, at which memory of a call starts
    RESULT = 0  # what arrays of a step are parts of: the result, the operands, or the room
    FIRST = 1
    SECOND = 2
    ROOM = 3

MOST_STEPS = STEPS
cdef object ARRAY = ndarray


cdef struct Step:
    Tiles function
    const Py_ssize_t* table
    Py_ssize_t jobs, work
    int[ARRAYS] whole
    Py_ssize_t[ARRAYS] offset


cdef inline Py_ssize_t _to_line(const char* place) noexcept nogil:
    """Bytes to where the next cache line starts."""
    return -<Py_ssize_t>place & LINE - 1


@cython.final
@cython.auto_pickle(False)
cdef class Steps:
    """One kind of call that runs tile drivers: everything that they are called with, but for the arrays.

    Parameters
    ----------
    steps : tuple
        Of each its driver's capsule, table, jobs and multiply-adds, and its arrays: of each which it is part of (0 the
        result, 1 and 2 the operands, 3 the room) and the first byte.
    shapes : tuple of tuple of int
        Of the result and the two operands as callers have them.
    kind : dtype
        Of all three.
    room, each, zeros : int
        Bytes of memory that the call takes, and for each thread, and that are zero at the end of the room.
    cleared : bool
        Whether the result is made zero first.
    watched : int
        Which of result and operands must be finite afterwards; -1 for none.
    threads : callable
        Gives how many threads there are now.
    threaded : int
        Multiply-adds from which more than one thread does a step.
    aligned : int
        Bytes from which on a result starts a cache line.
    bias : tuple or None
        Capsule and numbers of the kernel that adds a number to each channel of the result, and how many there are.
    """

    cdef tuple public, held
    cdef Entry adding
    cdef Py_ssize_t[NUMBERS] numbers
    cdef object kind, threads, padded
    cdef Step[STEPS] steps
    cdef int count, watched
    cdef Size out, a, b
    cdef Py_ssize_t item, room, each, zeros, threaded, aligned, channels
    cdef bint cleared, shut, long_enough

    def __cinit__(
        self, tuple steps, tuple shapes, kind, Py_ssize_t room, Py_ssize_t each, Py_ssize_t zeros,
        bint cleared, int watched, threads, Py_ssize_t threaded, Py_ssize_t aligned, tuple bias,
    ):
        cdef Py_buffer view
        cdef int place
        if len(steps) > STEPS:
            raise ValueError(f"a call at the door has at most {STEPS} steps, and here are {len(steps)}")
        self.kind, self.item, self.public, self.held = kind, kind.itemsize, shapes[0], steps
        self.out, self.a, self.b = _size(shapes[0]), _size(shapes[1]), _size(shapes[2])
        self.room, self.each, self.threads, self.threaded = room, each, threads, threaded
        self.zeros, self.cleared, self.watched, self.aligned = zeros, cleared, watched, aligned
        self.adding, self.channels = NULL, -1
        if bias is not None:
            self.adding = <Entry>PyCapsule_GetPointer(bias[0], "convsym.entry")
            self.channels = bias[2]
            for place in range(len(bias[1])):
                self.numbers[place] = bias[1][place]
        self.padded = self.out.elements + floordiv(LINE, self.item)
        self.shut, self.count, self.long_enough = _closed > 0, len(steps), False
        for place, (entry, table, jobs, work, arrays) in enumerate(steps):
            self.steps[place].function = <Tiles>PyCapsule_GetPointer(entry, "convsym.tiles")
            PyObject_GetBuffer(table, &view, PyBUF_STRIDES)
            self.steps[place].table = <const Py_ssize_t*>view.buf  # `held` holds the table
            PyBuffer_Release(&view)
            self.steps[place].jobs, self.steps[place].work = jobs, work
            self.long_enough = self.long_enough or work >= threaded
            for array, (whole, offset) in enumerate(arrays):
                self.steps[place].whole[array], self.steps[place].offset[array] = whole, offset

    def __call__(self, a, b, out=None, bias=None):
        # The result for two operands in a new array; None for those, and for an `out`, that go the long way.
        cdef Py_buffer first, second
        if _closed or out is not None or not (_is_of(a, self.kind) and _is_of(b, self.kind)):
            return None
        PyObject_GetBuffer(a, &first, PyBUF_STRIDES)
        PyObject_GetBuffer(b, &second, PyBUF_STRIDES)
        try:
            return self.run(&first, &second) if bias is None else self.with_bias(&first, &second, bias)
        finally:
            PyBuffer_Release(&first)
            PyBuffer_Release(&second)

    cdef object with_bias(self, const Py_buffer* a, const Py_buffer* b, bias):
        """The result with a number added to each of its channels, last; None as of `run`."""
        cdef Py_buffer added, result
        cdef (void*)[2] arrays
        PyObject_GetBuffer(bias, &added, PyBUF_STRIDES)
        try:
            if added.ndim != 1 or added.shape[0] != self.channels or added.strides[0] != self.item:
                return None
            if <Py_ssize_t>added.buf % self.item:
                return None
            out = self.run(a, b)
            if out is None:
                return None
            PyObject_GetBuffer(out, &result, PyBUF_STRIDES)
            arrays[0], arrays[1] = result.buf, added.buf
            with nogil:
                self.adding(arrays, self.numbers)
            PyBuffer_Release(&result)
            return out
        finally:
            PyBuffer_Release(&added)

    cdef object run(self, const Py_buffer* a, const Py_buffer* b):
        """The result; None for operands that are not as the drivers read them."""
        cdef (char*)[ARRAYS] whole
        cdef Py_buffer result
        cdef char* room = NULL
        cdef int threads = 1
        cdef Py_ssize_t size
        cdef bint right = True
        if self.shut or not (_serves(a, &self.a, self.item) and _serves(b, &self.b, self.item)):
            return None
        if self.long_enough:
            threads = self.threads()
        out = self.empty()
        PyObject_GetBuffer(out, &result, PyBUF_STRIDES)
        size = self.room + self.each*threads
        if size > 0:
            room = <char*>malloc(size + LINE)
            if room == NULL:
                PyBuffer_Release(&result)
                return None
        whole[RESULT], whole[FIRST], whole[SECOND] = <char*>result.buf, <char*>a.buf, <char*>b.buf
        whole[ROOM] = room + _to_line(room)
        with nogil:
            if self.zeros > 0:
                memset(whole[ROOM] + self.room - self.zeros, 0, self.zeros)
            if self.cleared:
                memset(result.buf, 0, result.len)
            self.walk(whole, threads)
            if self.watched >= 0:
                right = _finite(whole[self.watched], self.elements(self.watched), self.item)
            free(room)
        PyBuffer_Release(&result)
        return out if right else None

    cdef Py_ssize_t elements(self, int whole) noexcept nogil:
        return self.out.elements if whole == RESULT else self.a.elements if whole == FIRST else self.b.elements

    cdef void walk(self, char** whole, int threads) noexcept nogil:
        cdef (void*)[ARRAYS] arrays
        cdef Step* step
        cdef int place, array
        for place in range(self.count):
            step = &self.steps[place]
            for array in range(ARRAYS):
                arrays[array] = whole[step.whole[array]] + step.offset[array]
            step.function(
                arrays, step.table, 0, step.jobs, <int>min(threads, step.jobs) if step.work >= self.threaded else 1
            )

    cdef object empty(self):
        """A new result, at the start of a cache line unless it is small."""
        cdef Py_buffer view
        cdef object offset
        if self.out.elements*self.item < self.aligned:
            return PyObject_CallFunctionObjArgs(EMPTY, <PyObject*>self.public, <PyObject*>self.kind, NULL)
        memory = PyObject_CallFunctionObjArgs(EMPTY, <PyObject*>self.padded, <PyObject*>self.kind, NULL)
        PyObject_GetBuffer(memory, &view, PyBUF_STRIDES)
        offset = _to_line(<char*>view.buf)
        PyBuffer_Release(&view)
        return PyObject_CallFunctionObjArgs(
            ARRAY, <PyObject*>self.public, <PyObject*>self.kind, <PyObject*>memory, <PyObject*>offset, NULL
        )
