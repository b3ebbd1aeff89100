"""What a call of a kernel needs that its parameters and values do not change: looked up once for its shapes.

Leveled kernels are compiled for float32 and float64. Everything else goes through the plain ones: their arrays have
five spatial axes, of which the first are of size 1, and their integers are unsigned. Neither costs a copy: plain
kernels take flat arrays and their shapes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convsym.errors import KernelError
from convsym.kernels._generated.rules import KERNELS, TILE
from convsym.kernels.levels import load
from convsym.kernels.signature import Kernel, Lift

Array = NDArray[Any]
_FLOATS = {"f": "f32", "d": "f64"}  # by the character of the dtype
_KINDS = {"f": "f", "i": "u", "u": "u"}
_SUFFIXES = ("f32", "f64", "u8", "u16", "u32", "u64")
# Positions stay below this, so that no sum of a few of them, nor the distance in bytes, leaves 64 bits.
FARTHEST = 2**60
# Parameters up to this are not looked at one by one where the sizes leave room.
_COMMON = 2**20


@dataclass(frozen=True)
class Prepared:
    """A kernel for arrays of certain shapes and one dtype.

    Attributes
    ----------
    kernel : Kernel
    compiled : callable
        The function of a compiled module.
    entry : capsule
        The same for compiled callers, see `convsym.codegen.cython`.
    items, work : int
        Number of owner items and of multiply-adds.
    shapes : dict
        Shape of each array by name.
    roomy : bool
        Whether no parameter up to 2**20 can make positions that are too large.
    lift : Lift or None
        How the parameters become those of a plain kernel; None for a leveled one.
    wide : tuple of ndarray
        The shapes that a plain kernel takes.
    unsigned : dtype or None
        What integers are viewed as.
    """

    kernel: Kernel
    compiled: Callable[..., None]
    entry: object
    items: int
    work: int
    shapes: dict[str, tuple[int, ...]]
    roomy: bool
    lift: Lift | None = None
    wide: tuple[Array, ...] = ()
    unsigned: np.dtype[Any] | None = None

    def arguments(self, arrays: Sequence[Array], parameters: Mapping[str, int]) -> list[Any]:
        """The arrays and parameters that the compiled function is called with.

        Parameters
        ----------
        arrays : sequence of ndarray
            The result and the operands.
        parameters : mapping of str to int

        Returns
        -------
        list
            Views of the arrays, for a plain kernel their shapes, then the parameters.

        Raises
        ------
        KernelError
            An array is not as kernels need it, or a parameter leads too far.
        """
        names = (self.kernel.result, *self.kernel.operands)
        for name, array in zip(names, arrays, strict=True):
            _check(name, array, names[0], arrays[0].dtype)
        if self.lift is not None:
            arrays = [array.reshape(-1) for array in arrays]
        if self.unsigned is not None:
            arrays = [array.view(self.unsigned) for array in arrays]
        return [*arrays, *self.wide, *self.scalars(parameters)]

    def numbers(self, parameters: Mapping[str, int]) -> tuple[int, ...]:
        """The row of numbers that the entry is called with: shapes, parameters, number of items."""
        shapes = self.wide or [self.shapes[name] for name in (self.kernel.result, *self.kernel.operands)]
        return (*(int(size) for shape in shapes for size in shape), *self.scalars(parameters), self.items)

    def scalars(self, parameters: Mapping[str, int]) -> list[int]:
        """The parameters in the order of the compiled function, after a look at how far they lead."""
        kernel = self.kernel
        own = [parameters[key] for key in kernel.parameters]
        for key in kernel.positive:
            if parameters[key] < 1:
                raise KernelError(f"{key} is {parameters[key]}, and {kernel.name} needs it to be at least 1")
        largest = max(map(abs, own), default=0)
        if largest > _COMMON or not self.roomy:
            farthest = _reach(kernel, self.shapes, parameters) if self.work else largest
            if farthest >= FARTHEST:
                values = ", ".join(f"{key}={parameters[key]}" for key in kernel.parameters)
                raise KernelError(
                    f"{kernel.name} would compute with positions up to {farthest}, and kernels compute with positions "
                    f"below 2**60; make the largest of {values or 'the sizes'} smaller"
                )
        if self.lift is None:
            return own
        return [parameters[p] if isinstance(p, str) else p for p in self.lift.parameters]


def signature(name: str) -> Kernel:
    """A kernel of the table; a KernelError that names all of them where there is none."""
    if name not in KERNELS:
        raise KernelError(f"no kernel is named {name!r}; the kernels are {', '.join(KERNELS)}")
    return KERNELS[name]


@lru_cache(maxsize=1024)
def prepared(level: str, name: str, char: str, *shapes: tuple[int, ...]) -> Prepared:
    """Look a kernel up.

    Parameters
    ----------
    level : str
        The CPU level in use.
    name : str
        A kernel of `KERNELS`.
    char : str
        Character of the dtype.
    *shapes : tuple of int
        Of the result and the operands.

    Returns
    -------
    Prepared

    Raises
    ------
    KernelError
        There is no such kernel, or none of this dtype, or an array has another number of axes.
    """
    kernel = signature(name)
    arrays = (kernel.result, *kernel.operands)
    for array, shape, axes in zip(arrays, shapes, kernel.ranks, strict=True):
        if len(shape) != axes:
            raise KernelError(f"{array} of {name} has {len(shape)} axes, {shape}, and it needs {axes}")
    shape_of = dict(zip(arrays, shapes, strict=True))
    common = dict.fromkeys(kernel.parameters, _COMMON)
    items = prod(shape_of[kernel.result][axis] for axis in kernel.owners)
    if kernel.tiled is not None:
        items *= -(-shape_of[kernel.result][kernel.tiled] // TILE)
    work = prod(shape_of[array][axis] for array, axis in kernel.extents) if items else 0
    roomy = _reach(kernel, shape_of, common) < FARTHEST
    if kernel.leveled and char in _FLOATS:
        module, function = load(level), f"{name}_{_FLOATS[char]}"
        return Prepared(
            kernel, getattr(module, function), module.ENTRIES[function], items, work, shape_of, roomy
        )
    dtype = np.dtype(char)
    suffix = f"{_KINDS.get(dtype.kind, '?')}{8 * dtype.itemsize}"
    lift = kernel.lift
    if lift is None or suffix not in _SUFFIXES:
        allowed = "float32 and float64" if lift is None else "float32, float64 and the integers of 8 to 64 bits"
        raise KernelError(f"{name} computes {allowed}, and {kernel.result} is {dtype}; convert the arrays")
    module, function = load("plain"), f"{lift.kernel}_{suffix}"
    ones = (1,) * lift.axes
    wide = [shape[:place] + ones + shape[place:] for shape, place in zip(shapes, lift.places, strict=True)]
    unsigned = np.dtype(f"u{dtype.itemsize}") if dtype.kind == "i" else None
    widened = tuple(np.array(shape, np.intp) for shape in wide)
    compiled, entry = getattr(module, function), module.ENTRIES[function]
    return Prepared(kernel, compiled, entry, items, work, shape_of, roomy, lift, widened, unsigned)


def _check(name: str, array: Array, result: str, dtype: np.dtype[Any]) -> None:
    """Raise where a view would not be the array, or would have to be a copy."""
    if array.dtype is not dtype and array.dtype != dtype:
        raise KernelError(f"{name} is {array.dtype} and {result} is {dtype}; kernels take arrays of one dtype")
    flags = array.flags
    if not (flags.c_contiguous and flags.aligned and dtype.isnative):
        raise KernelError(
            f"{name} is not as kernels need it: C-contiguous, aligned and in native byte order; "
            "numpy.require(array, requirements='CA') makes the first two, .astype(dtype.newbyteorder('=')) the third"
        )


def _reach(kernel: Kernel, shapes: Mapping[str, tuple[int, ...]], parameters: Mapping[str, int]) -> int:
    """What no number in the kernel's index arithmetic exceeds."""
    return sum(
        number * prod(abs(int(parameters[key])) for key in keys) * prod(shapes[array][axis] for array, axis in sizes)
        for number, keys, sizes in kernel.reach
    )
