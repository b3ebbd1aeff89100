"""The array gate: what may reach a kernel, and in which form.

Cython's memoryviews let through what they should not (None, masked arrays with the mask lost, unaligned
data), so every array of a public call comes through here. Read-only arrays pass as they are; byte-swapped,
unaligned and non-contiguous ones are copied; arrays of other libraries are read in place through DLPack or the buffer
protocol; everything else is a TypeError that says what to do.
"""

from array import array as buffer  # the one of the standard library
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convsym.errors import ShapeError

Array = NDArray[Any]

FLOATS = ("float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *COMPLEX, *INTEGERS, "object")
_KNOWN = "float16, float32, float64, complex64, complex128, the integers, and object"
# The dtype that stands for each of NumPy's own, by its number: other packages reuse the characters, and types of C
# that have one size (long, long long) are one dtype here.
_COMPUTED = {np.dtype(char).num: np.dtype(np.dtype(char).name) for char in (*"efdFDO", *np.typecodes["AllInteger"])}


def accept(value: object, name: str) -> Array:
    """An argument as a plain array of a dtype that is computed; its memory is not looked at yet.

    Parameters
    ----------
    value : array
        An ndarray (subclasses that only change behavior, as memmap and matrix, count as the array they hold), an array
        of another library in CPU memory (DLPack), or a buffer with a shape.
    name : str
        The argument's name, for messages.

    Returns
    -------
    ndarray
        Of native byte order.

    Raises
    ------
    TypeError
        When `value` is no array, is masked, or has a dtype that is not computed.
    """
    if type(value) is np.ndarray and is_native(value):
        return value
    found = value if isinstance(value, np.ndarray) else _foreign(value, name)
    if isinstance(found, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, and its mask would be ignored; fill it first: {name}.filled(0)")
    native = _COMPUTED.get(found.dtype.num)
    if native is None:
        raise TypeError(
            f"{name} has dtype {found.dtype}, and the dtypes computed are {_KNOWN}; {_dtype_fix(found.dtype, name)}"
        )
    plain = np.asarray(found)
    return plain.view(native) if plain.dtype.isnative else plain.astype(native)


def is_native(array: Array) -> bool:
    """Whether an ndarray is accepted as it stands: of a dtype that is computed, in native byte order."""
    return array.dtype is _COMPUTED.get(array.dtype.num)


def computed(dtype: object, name: str) -> np.dtype[Any]:
    """A dtype that a caller names, if it is computed; of native byte order.

    Raises
    ------
    TypeError
        It is not computed, or no dtype.
    """
    found: np.dtype[Any] = np.dtype(dtype)  # type: ignore[call-overload]  # NumPy says in a TypeError what is none
    native: np.dtype[Any] | None = _COMPUTED.get(found.num)
    if native is None:
        raise TypeError(f"{name} is {found}, and the dtypes computed are {_KNOWN}")
    return native


def same_dtype(arrays: Mapping[str, Array]) -> None:
    """Raise a TypeError that names the first two arguments whose dtypes differ.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Accepted arrays by argument name.
    """
    first = ""
    for name, array in arrays.items():
        if not first:
            first, dtype = name, array.dtype
        elif array.dtype != dtype:
            raise TypeError(
                f"{first} is {dtype} but {name} is {array.dtype}, and dtypes are not mixed; "
                f"convert one, e.g. {name}.astype({first}.dtype)"
            )


def accept_all(**arguments: object) -> dict[str, Array]:
    """Several arguments, accepted and of one dtype; those that are None are left out."""
    return accept_each(**{name: value for name, value in arguments.items() if value is not None})


def accept_each(**arguments: object) -> dict[str, Array]:
    """Several arguments, accepted and of one dtype; None is a TypeError."""
    arrays = {name: accept(value, name) for name, value in arguments.items()}
    same_dtype(arrays)
    return arrays


def accept_out(out: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The array that a caller wants the result in.

    Raises
    ------
    TypeError, ShapeError
        It is no writeable array of the result's shape and dtype, or several of its elements are one.
    """
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out is a {_known_type(out)}, and a NumPy array is needed")
    if out.shape != shape:
        raise ShapeError(f"out has shape {out.shape}, and the result has shape {shape}; np.empty{shape} would fit")
    native = _COMPUTED.get(out.dtype.num)
    if native is None or native != dtype:  # None == float64 for NumPy
        raise TypeError(f"out has dtype {out.dtype}, and the result has {dtype}; np.empty(…, {dtype}) would fit")
    if not out.flags.writeable:
        raise ShapeError("out is read-only; give an array that can be written to")
    if any(size > 1 and step == 0 for size, step in zip(shape, out.strides, strict=True)) and out.size:
        raise ShapeError(f"out has strides {out.strides}, so its elements share memory; give one without a stride 0")
    plain = np.asarray(out)
    return plain.view(dtype) if plain.dtype.isnative else plain


def layout(array: Array) -> Array:
    """The array as a kernel reads it: C-contiguous and aligned, copied only if it is not."""
    return array if is_laid_out(array) else array.copy(order="C")


def is_laid_out(array: Array) -> bool:
    """Whether a kernel can read the array where it is."""
    return array.flags.c_contiguous and array.flags.aligned


def usable(room: Array, operands: Iterable[Array]) -> Array | None:
    """Memory for a result, if a kernel can write to it while it reads the operands; else None."""
    fits = room.flags.carray and room.dtype.isnative and room.dtype.char != "e"  # float16 is summed up elsewhere
    return room if fits and not any(np.may_share_memory(room, array) for array in operands) else None


def widened(array: Array) -> Array:
    """The array in the dtype that sums are made in: float32 for float16, its own for every other."""
    return array.astype(sum_dtype(array.dtype), copy=False)


def sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that sums of elements are made in."""
    return np.dtype(np.float32) if dtype.char == "e" else dtype


def narrowed(array: Array, dtype: np.dtype[Any]) -> Array:
    """A result rounded to the dtype of the operands; what is too large for float16 becomes infinite."""
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def adjoint(array: Array) -> Array:
    """The factor that an array is in a gradient: its complex conjugate; objects count as real."""
    return np.conj(array) if array.dtype.kind == "c" else array


def _foreign(value: object, name: str) -> Array:
    """An array that is not NumPy's, read in place."""
    if hasattr(value, "__dlpack__"):
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            fix = f", e.g. {name}.detach().cpu(){_torch_fix(value)}.numpy()" if hasattr(value, "detach") else ""
            raise TypeError(
                f"{name} is a {_known_type(value)} that NumPy cannot read ({error}); bring it to CPU memory, cut "
                f"it off from its gradient and give it a dtype that NumPy has{fix}"
            ) from None
    if isinstance(value, (memoryview, buffer)):
        try:
            return np.asarray(memoryview(value))
        except ValueError as error:
            raise TypeError(f"{name} is a memoryview that NumPy cannot read ({error}); make it anew") from None
    raise TypeError(_no_array(value, name))


def _torch_fix(tensor: Any) -> str:
    """What a tensor of torch needs before it is an array, beside memory of the CPU and no gradient."""
    if hasattr(tensor, "is_conj") and tensor.is_conj():
        return ".resolve_conj()"
    return ".float()" if "bfloat16" in str(tensor.dtype) or "float8" in str(tensor.dtype) else ""


def _no_array(value: object, name: str) -> str:
    if value is None:
        return f"{name} is None, and an array is needed"
    if hasattr(value, "grad_fn"):
        return (
            f"{name} is a tensor that gradients come to, and functions of convsym itself take NumPy arrays; take the "
            f"function of this name in convsym.autograd, or give {name}.detach().numpy() if no gradient is wanted"
        )
    if hasattr(value, "toarray"):
        return f"{name} is a {_known_type(value)}, and a dense array is needed; convert it: {name}.toarray()"
    numbers = isinstance(value, (list, tuple, int, float, complex))
    fix = ", dtype=np.float64" if numbers and not isinstance(value, complex) else ""
    return f"{name} is a {_known_type(value)}, and a NumPy array is needed; convert it: np.asarray({name}{fix})"


def _known_type(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _dtype_fix(dtype: np.dtype[Any], name: str) -> str:
    if dtype.names:
        return f"take one of its fields, e.g. {name}[{dtype.names[0]!r}]"
    if dtype.isbuiltin == 2:  # registered by another package, as bfloat16 is
        return f"convert it, e.g. {name}.astype(np.float32)"
    if dtype.kind == "b":
        return f"say what True counts, e.g. {name}.astype(np.uint8)"
    if dtype.kind == "f":
        return f"convert it, e.g. {name}.astype(np.float64)"
    if dtype.kind == "c":
        return f"convert it, e.g. {name}.astype(np.complex128)"
    return "convert it to numbers first"
