"""The door of small calls: what a call of these shapes and parameters does is remembered, and done again at once.

A convolution of an 8×8 image is some hundred multiply-adds; looking at its arguments with Python costs several times
that. The first call of its kind goes the long way, which checks everything, and leaves a plan here. A plan serves
only calls that cannot differ in meaning: plain ndarrays of the same shapes and native dtype, C-contiguous, aligned and
writeable, and parameters of the very same types and values.
"""

cimport cython

from math import isfinite

from numpy import dtype, ndarray, vdot, zeros

cdef object FLOAT32 = dtype("float32")
cdef object FLOAT64 = dtype("float64")
cdef int LIMIT = 4096  # plans kept; more kinds of calls than that are no loop over small images
cdef dict _plans = {}
cdef int _closed = 0


@cython.final
@cython.auto_pickle(False)
cdef class Plan:
    """One kind of call: the compiled kernel and everything it is called with, but for the arrays.

    Parameters
    ----------
    compiled : callable
        Adds into its first argument.
    shapes : tuple of tuple
        Shapes of result and operands as the kernel takes them, then that of the result as the caller gets it.
    tail : tuple of int
        Parameters, first and last owner item, number of threads.
    padded : bool
        Whether reads fall outside of x, so that a weight that is not finite goes the long way.
    """

    cdef object compiled, y_shape, x_shape, w_shape, public
    cdef tuple tail
    cdef bint padded

    def __init__(self, compiled, tuple shapes, tuple tail, bint padded):
        self.compiled, self.tail, self.padded = compiled, tail, padded
        self.y_shape, self.x_shape, self.w_shape, self.public = shapes

    cdef object run(self, object x, object w, object kind):
        if self.padded and not isfinite(vdot(w, w)):
            return None
        out = zeros(self.y_shape, kind)
        self.compiled(out, x.reshape(self.x_shape), w.reshape(self.w_shape), *self.tail)
        return out.reshape(self.public)


cdef bint _same_kind(object value):
    """Whether equal means the same: 1 == 1.0 == True, but only one of them is an integer here."""
    if type(value) is int or type(value) is str:
        return True
    if type(value) is not tuple:
        return False
    for entry in <tuple>value:
        if type(entry) is not int:
            return False
    return True


def enter(int rank, object x, object w, object stride, object padding, object dilation, object groups):
    """The result of a call whose plan is known, or None: then it goes the long way."""
    if _closed or type(x) is not ndarray or type(w) is not ndarray:
        return None
    kind = x.dtype
    if w.dtype is not kind or not (kind is FLOAT32 or kind is FLOAT64):
        return None
    if not (_same_kind(stride) and _same_kind(padding) and _same_kind(dilation) and type(groups) is int):
        return None
    plan = _plans.get((rank, kind is FLOAT32, x.shape, w.shape, stride, padding, dilation, groups))
    if plan is None:
        return None
    if not (x.flags.carray and w.flags.carray):
        return None
    return (<Plan>plan).run(x, w, kind)


def remember(int rank, object x, object w, object stride, object padding, object dilation, object groups, Plan plan):
    """Keep the plan of a call that went the long way, if calls of its kind may take the door."""
    if _closed or type(x) is not ndarray or type(w) is not ndarray or not (x.dtype is FLOAT32 or x.dtype is FLOAT64):
        return
    if not (_same_kind(stride) and _same_kind(padding) and _same_kind(dilation) and type(groups) is int):
        return
    if len(_plans) >= LIMIT:
        _plans.clear()
    _plans[rank, x.dtype is FLOAT32, x.shape, w.shape, stride, padding, dilation, groups] = plan


def close(bint closed):
    """Close the door while a level other than the chosen one computes, and forget the plans; or open it again."""
    global _closed
    _closed += 1 if closed else -1
    _plans.clear()
