# Floor division and its relatives, for divisors >= 1: the only integer division in kernels. With cdivision=True the
# operators // and % truncate, and a bound that is rounded towards zero has read past an array; the comparison with
# the remainder puts the rounding right (and changes nothing where the operators floor). Most strides are 1, and a
# division takes longer than all the rest of a short row.

cdef inline Py_ssize_t floordiv(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if b == 1 else a // b - (a % b < 0)


cdef inline Py_ssize_t ceildiv(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if b == 1 else a // b + (a % b > 0)


cdef inline Py_ssize_t floormod(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return 0 if b == 1 else a % b + (b if a % b < 0 else 0)
