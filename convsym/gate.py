"""The array gate: what may reach a kernel, and in which form.

Cython's memoryviews let through what they should not (None, masked arrays with the mask lost, unaligned
data), so every array of a public call comes through here. Read-only arrays pass as they are; byte-swapped,
unaligned and non-contiguous ones are copied; everything else is a TypeError that says what to do.
"""

import numpy as np

DTYPES = ("float32", "float64")
_CHARS = tuple(np.dtype(name).char for name in DTYPES)


def accept(value, name):
    """An argument as a plain array of a dtype that has kernels; its memory is not looked at yet.

    Parameters
    ----------
    value : ndarray
        Subclasses that only change behavior (memmap, matrix) count as the array they hold.
    name : str
        The argument's name, for messages.

    Returns
    -------
    ndarray
        Of native byte order.

    Raises
    ------
    TypeError
        When `value` is no array, is masked, or has a dtype without kernels.
    """
    if type(value) is np.ndarray and value.dtype.isnative and value.dtype.char in _CHARS:
        return value
    if not isinstance(value, np.ndarray):
        raise TypeError(_no_array(value, name))
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and its mask would be ignored; fill it first: {name}.filled(0)"
        )
    native = value.dtype.newbyteorder("=")
    if native.char not in _CHARS:
        raise TypeError(
            f"{name} has dtype {value.dtype}, and the dtypes computed are {' and '.join(DTYPES)}; "
            + _dtype_fix(native, name)
        )
    return np.asarray(value).astype(native, copy=False)


def same_dtype(arrays):
    """Raise a TypeError that names the first two arguments whose dtypes differ.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Accepted arrays by argument name.
    """
    first = None
    for name, array in arrays.items():
        if first is None:
            first, dtype = name, array.dtype
        elif array.dtype != dtype:
            raise TypeError(
                f"{first} is {dtype} but {name} is {array.dtype}, and dtypes are not mixed; "
                f"convert one, e.g. {name}.astype({first}.dtype)"
            )


def layout(array):
    """The array as a kernel reads it: C-contiguous and aligned, copied only if it is not."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else array.copy(order="C")


def _no_array(value, name):
    if value is None:
        return f"{name} is None, and an array of {' or '.join(DTYPES)} is needed"
    kind = type(value)
    known = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    fix = ", dtype=np.float64" if isinstance(value, (list, tuple, int, float)) else ""
    return f"{name} is a {known}, and a NumPy array is needed; convert it: np.asarray({name}{fix})"


def _dtype_fix(dtype, name):
    if dtype.names:
        return f"take one of its fields, e.g. {name}[{dtype.names[0]!r}]"
    if dtype.kind in "biufO":
        return f"convert it, e.g. {name}.astype(np.float64)"
    return (
        "complex values can be computed part by part" if dtype.kind == "c" else "convert it to numbers first"
    )
