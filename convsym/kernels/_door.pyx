# cython: binding=False
"""The door of repeated calls: what a call of these shapes and parameters does is remembered, and done again at once.

A convolution of an 8×8 image is some hundred multiply-adds; looking at its arguments with Python costs a hundred times
that. The first call of its kind goes the long way, which checks everything, and leaves here what it found: for a small
call a plan, which is a kernel and its numbers, and for any other a route that begins behind the checks. They serve only
calls that cannot differ in meaning: plain ndarrays of the same shapes and dtype, for a plan C-contiguous and aligned, and
parameters of the very same types and values. What differs is not judged here: None sends it the long way.
"""

cimport cython
from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from convsym.kernels._index cimport floordiv

from numpy import empty, ndarray

cdef extern from "Python.h":
    # Functions of NumPy take their arguments without a tuple, and this is how the limited API of 3.11 calls so.
    object PyObject_CallFunctionObjArgs(object function, ...)

ctypedef void (*Entry)(void** arrays, const Py_ssize_t* numbers) noexcept nogil

cdef enum:
    AXES = 8  # of an array, group axis included
    NUMBERS = 64  # shapes of three arrays, three parameters for each of five axes, number of items
    LIMIT = 4096  # kinds of calls kept; more than that are no loop
    LONG = 8192  # multiply-adds from which other threads get the interpreter meanwhile

cdef object EMPTY = empty
cdef dict _known = {}
cdef int _closed = 0


cdef struct Size:
    int axes
    Py_ssize_t[AXES] shape
    Py_ssize_t elements


cdef Size _size(tuple shape) except *:
    cdef Size size
    cdef int axis
    if len(shape) > AXES:
        raise ValueError(f"a plan has at most {AXES} axes, and {shape} has {len(shape)}")
    size.axes, size.elements = len(shape), 1
    for axis in range(size.axes):
        size.shape[axis] = shape[axis]
        size.elements *= size.shape[axis]
    return size


cdef bint _serves(const Py_buffer* view, const Size* size, Py_ssize_t item) noexcept:
    """Whether an array is of this shape, C-contiguous and aligned. The stride of an axis of one element says nothing."""
    cdef Py_ssize_t step = item
    cdef int axis
    if view.ndim != size.axes or <Py_ssize_t>view.buf % item:
        return False
    for axis in range(size.axes - 1, -1, -1):
        if view.shape[axis] != size.shape[axis] or (view.strides[axis] != step and size.shape[axis] != 1):
            return False
        step *= size.shape[axis]
    return True


cdef bint _is_shape(const Py_buffer* view, const Size* size) noexcept:
    cdef int axis
    if view.ndim != size.axes:
        return False
    for axis in range(size.axes):
        if view.shape[axis] != size.shape[axis]:
            return False
    return True


cdef bint _is_of(object array, object kind) except -1:
    return type(array) is ndarray and array.dtype is kind


cdef bint _overlap(const Py_buffer* a, const Py_buffer* b) noexcept:
    return <char*>a.buf < <char*>b.buf + b.len and <char*>b.buf < <char*>a.buf + a.len


cdef bint _finite(const void* start, Py_ssize_t count, Py_ssize_t item) noexcept nogil:
    """Whether no element is NaN or infinite, without a branch for each: the bits of the exponent are not all set.

    The floats have 4 and 8 bytes.
    """
    cdef Py_ssize_t i
    cdef int bad = 0
    if item == 4:
        for i in range(count):
            bad |= (<const unsigned int*>start)[i] & 0x7F800000u == 0x7F800000u
    else:
        for i in range(count):
            bad |= (<const unsigned long long*>start)[i] & 0x7FF0000000000000u == 0x7FF0000000000000u
    return not bad


@cython.final
@cython.auto_pickle(False)
cdef class Plan:
    """One kind of small call: a compiled kernel and everything it is called with, but for the arrays.

    Parameters
    ----------
    entry : capsule
        Of a module's `ENTRIES`; the kernel adds into its first array.
    numbers : tuple of int
        What the entry takes beside the arrays: shapes as the kernel sees them, parameters, number of items.
    shapes : tuple of tuple of int
        Of the result and the two operands as callers have them.
    kind : dtype
        Of all three.
    watched : int
        The operand, 0 or 1, that must be finite, because what it is multiplied with lies partly outside of its array;
        -1 for none.
    work : int
        Multiply-adds.
    """

    cdef object entry, kind
    cdef tuple public
    cdef Entry function
    cdef Py_ssize_t[NUMBERS] numbers
    cdef Size out, a, b
    cdef Py_ssize_t item, work
    cdef int watched
    cdef bint shut  # made while a level other than the chosen one computed

    def __cinit__(self, entry, tuple numbers, tuple shapes, kind, int watched, Py_ssize_t work):
        cdef Py_ssize_t place
        if len(numbers) > NUMBERS:
            raise ValueError(f"a plan has at most {NUMBERS} numbers, and here are {len(numbers)}")
        self.function = <Entry>PyCapsule_GetPointer(entry, "convsym.entry")
        self.entry, self.kind, self.watched, self.work = entry, kind, watched, work
        for place in range(len(numbers)):
            self.numbers[place] = numbers[place]
        self.public = shapes[0]
        self.out, self.a, self.b = _size(shapes[0]), _size(shapes[1]), _size(shapes[2])
        self.item = kind.itemsize
        self.shut = _closed > 0

    def __call__(self, a, b, out=None):
        # The result for two operands, in `out` or a new array; None for those that the plan does not serve.
        cdef Py_buffer first, second
        if _closed or self.shut or not (_is_of(a, self.kind) and _is_of(b, self.kind)):
            return None
        PyObject_GetBuffer(a, &first, PyBUF_STRIDES)
        PyObject_GetBuffer(b, &second, PyBUF_STRIDES)
        try:
            return self.run(&first, &second, out)
        finally:
            PyBuffer_Release(&first)
            PyBuffer_Release(&second)

    cdef object run(self, const Py_buffer* a, const Py_buffer* b, object out):
        if not (_serves(a, &self.a, self.item) and _serves(b, &self.b, self.item)):
            return None
        if self.watched == 0 and not _finite(a.buf, self.a.elements, self.item):
            return None
        if self.watched == 1 and not _finite(b.buf, self.b.elements, self.item):
            return None
        return self.fill(a, b, out)

    cdef object fill(self, const Py_buffer* a, const Py_buffer* b, object out):
        cdef Py_buffer result
        cdef (void*)[3] arrays
        cdef bint given = out is not None
        if not given:
            out = PyObject_CallFunctionObjArgs(EMPTY, <PyObject*>self.public, <PyObject*>self.kind, NULL)
        elif not _is_of(out, self.kind):
            return None
        PyObject_GetBuffer(out, &result, PyBUF_STRIDES)
        try:
            if given and (result.readonly or not _serves(&result, &self.out, self.item)):
                return None
            if given and (_overlap(&result, a) or _overlap(&result, b)):
                return None
            arrays[0], arrays[1], arrays[2] = result.buf, a.buf, b.buf
            memset(result.buf, 0, result.len)
            if self.work < LONG:
                self.function(arrays, self.numbers)
            else:
                with nogil:
                    self.function(arrays, self.numbers)
            return out
        finally:
            PyBuffer_Release(&result)


include "_steps.pxi"


@cython.final
@cython.auto_pickle(False)
cdef class Kept:
    """A plan with its second operand.

    Parameters
    ----------
    plan : Plan
    b : ndarray
        Of the plan's shape and dtype, C-contiguous; nobody writes to it later.
    """

    cdef Plan plan
    cdef Py_buffer b

    def __cinit__(self, Plan plan, b):
        if b.dtype is not plan.kind:
            raise TypeError(f"the plan is for {plan.kind}, and the array is {b.dtype}")
        PyObject_GetBuffer(b, &self.b, PyBUF_STRIDES)
        self.plan = plan
        if not _serves(&self.b, &plan.b, plan.item):
            raise ValueError(f"the plan is not for an array of shape {b.shape} and strides {b.strides}")

    def __dealloc__(self):
        PyBuffer_Release(&self.b)  # nothing, if there is none

    def __call__(self, a, out=None):
        # The result for the first operand, in `out` or a new array; None for one that the plan does not serve.
        cdef Py_buffer first
        if _closed or self.plan.shut or not _is_of(a, self.plan.kind):
            return None
        PyObject_GetBuffer(a, &first, PyBUF_STRIDES)
        try:
            return self.plan.run(&first, &self.b, out)
        finally:
            PyBuffer_Release(&first)


@cython.final
@cython.auto_pickle(False)
cdef class Kind:
    """One kind of calls: what they are called with beside the arrays, and what is done then.

    Parameters
    ----------
    code : int
        Which function it is.
    x, w : ndarray
        Two operands of the kind.
    steps : tuple
        Size, output padding, stride, padding, dilation, groups and algorithm, each as it was given.
    plan : Plan or None
        For a small call.
    tiles : Steps or None
        For one that runs tile drivers, and no more.
    route : callable
        For any other: called with the operands, `out` and `bias`, it need not look at what makes the kind.
    """

    cdef int code
    cdef object size, further, stride, padding, dilation, groups, algorithm, route, kind
    cdef Plan plan
    cdef Steps tiles
    cdef Size a, b

    def __cinit__(self, int code, x, w, tuple steps, Plan plan, Steps tiles, route):
        self.code, self.plan, self.tiles, self.route, self.kind = code, plan, tiles, route, x.dtype
        self.size, self.further, self.stride, self.padding, self.dilation, self.groups, self.algorithm = steps
        self.a, self.b = _size(x.shape), _size(w.shape)

    cdef bint fits(
        self, int code, object size, object further,
        object stride, object padding, object dilation, object groups, object algorithm,
    ) except -1:
        return (
            code == self.code
            and _same(size, self.size)
            and _same(further, self.further)
            and _same(stride, self.stride)
            and _same(padding, self.padding)
            and _same(dilation, self.dilation)
            and _same(groups, self.groups)
            and _same(algorithm, self.algorithm)
        )


cdef bint _same(object value, object mine) except -1:
    """Whether parameters are the same; equal is not enough: 1 == 1.0 == True, but only one of them is an integer."""
    return value is mine or (_is_plain(value) and type(value) is type(mine) and value == mine)


cdef bint _is_plain(object value) noexcept:
    """Whether a parameter is None, an integer, a word or a tuple of integers."""
    if value is None or type(value) is int or type(value) is str:
        return True
    if type(value) is not tuple:
        return False
    for entry in <tuple>value:
        if type(entry) is not int:
            return False
    return True


cdef bint _all_plain(
    object size, object further, object stride, object padding, object dilation, object groups, object algorithm
) noexcept:
    return (
        _is_plain(size)
        and _is_plain(further)
        and _is_plain(stride)
        and _is_plain(padding)
        and _is_plain(dilation)
        and _is_plain(groups)
        and _is_plain(algorithm)
    )


cdef size_t _mixed(size_t key, size_t value) noexcept:
    """One more number in a key; keys that are alike by chance cost time, no more."""
    return (key ^ value) * <size_t>0x9E3779B97F4A7C15 ^ key >> 32


cdef size_t _key(
    int code, const Py_buffer* x, const Py_buffer* w, object size, object further,
    object stride, object padding, object dilation, object groups, object algorithm,
) except? 0:
    cdef size_t key = _mixed(code, hash(algorithm))
    cdef int axis
    for axis in range(x.ndim):
        key = _mixed(key, x.shape[axis])
    for axis in range(w.ndim):
        key = _mixed(key, w.shape[axis])
    key = _mixed(_mixed(key, x.itemsize), hash(stride))
    key = _mixed(_mixed(key, hash(padding)), hash(dilation))
    key = _mixed(key, hash(groups))
    return key if size is None and further is None else _mixed(_mixed(key, hash(size)), hash(further))


def enter(
    int code, x, w, bias, size, further, stride, padding, dilation, groups,
    algorithm, padding_mode, input_dilation, flip, out, axes, same,
):
    """The result of a call whose kind is known, or None: then it goes the long way."""
    cdef Py_buffer first, second
    cdef Kind known
    if _closed or type(x) is not ndarray or type(w) is not ndarray:
        return None
    if not _is_simple(padding_mode, input_dilation, flip, axes, same):
        return None
    if not _all_plain(size, further, stride, padding, dilation, groups, algorithm):
        return None
    kind = x.dtype
    if w.dtype is not kind or (bias is not None and not _is_of(bias, kind)):
        return None
    PyObject_GetBuffer(x, &first, PyBUF_STRIDES)
    PyObject_GetBuffer(w, &second, PyBUF_STRIDES)
    try:
        known = _known.get(
            _key(code, &first, &second, size, further, stride, padding, dilation, groups, algorithm)
        )
        if known is None or known.kind is not kind:
            return None
        if not known.fits(code, size, further, stride, padding, dilation, groups, algorithm):
            return None
        if known.plan is not None and bias is None:
            made = known.plan.run(&first, &second, out)
            if made is not None:
                return made
        if known.tiles is not None and out is None:
            if bias is None:
                made = known.tiles.run(&first, &second)
            else:
                made = known.tiles.with_bias(&first, &second, bias)
            if made is not None:
                return made
        if not (_is_shape(&first, &known.a) and _is_shape(&second, &known.b)):
            return None
    finally:
        PyBuffer_Release(&first)
        PyBuffer_Release(&second)
    return known.route(x, w, out, bias)


cdef bint _is_simple(
    object padding_mode, object input_dilation, object flip, object axes, object same
) except -1:
    """Whether a call is what the door knows in all but its shapes and steps."""
    return (
        axes is None
        and flip is False
        and type(input_dilation) is int
        and input_dilation == 1
        and type(padding_mode) is str
        and padding_mode == "zeros"
        and type(same) is str
        and same == "symmetric"
    )


def remember(int code, x, w, tuple steps, Plan plan, Steps tiles, route):
    """Keep what is done for a kind of simple calls, one of which went the long way; see `Kind`."""
    cdef Py_buffer first, second
    if _closed or type(x) is not ndarray or type(w) is not ndarray or w.dtype is not x.dtype:
        return
    size, further, stride, padding, dilation, groups, algorithm = steps
    if not _all_plain(size, further, stride, padding, dilation, groups, algorithm):
        return
    if len(_known) >= LIMIT:
        _known.clear()
    PyObject_GetBuffer(x, &first, PyBUF_STRIDES)
    PyObject_GetBuffer(w, &second, PyBUF_STRIDES)
    try:
        key = _key(code, &first, &second, size, further, stride, padding, dilation, groups, algorithm)
        _known[key] = Kind(code, x, w, steps, plan, tiles, route)
    finally:
        PyBuffer_Release(&first)
        PyBuffer_Release(&second)


def forget():
    """Forget what is known: something that it was judged by has changed."""
    _known.clear()


def close(bint closed):
    """Close the door while a level other than the chosen one computes, and forget what is known; or open it again."""
    global _closed
    _closed += 1 if closed else -1
    _known.clear()
