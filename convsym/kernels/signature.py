"""What a caller has to know of a compiled kernel; the generated table `_generated/rules.py` is made of these."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lift:
    """How a kernel is one of more axes: those that are put in front of its own are of size 1.

    Attributes
    ----------
    kernel : str
        Name of the kernel of more axes, e.g. ``"conv5d_dx"``; it is compiled for every dtype.
    axes : int
        How many axes are put in.
    places : tuple of int
        Axis before which they are put, for the result and each operand.
    parameters : tuple of str or int
        For each parameter of the kernel of more axes, its name here or its neutral value.
    """

    kernel: str
    axes: int
    places: tuple[int, ...]
    parameters: tuple[str | int, ...]


@dataclass(frozen=True)
class Kernel:
    """Signature of one kernel, the same for every dtype and CPU level.

    Attributes
    ----------
    name : str
        Op and result, e.g. ``"conv2d_dx"``.
    result : str
        Array that is added to; the first argument.
    operands : tuple of str
        Arrays that are read, in the order of the arguments.
    parameters : tuple of str
        Integer parameters, after the arrays.
    owners : tuple of int
        Axes of the result that number the owner items; each item may be computed by another thread.
    extents : tuple of (str, int)
        Array and axis of every loop; the product of these sizes is the number of multiply-adds.
    tiled : int or None
        Axis of the result that is cut into tiles of `TILE` elements, each of them an owner item.
    ranks : tuple of int
        Number of axes of the result and of each operand.
    positive : tuple of str
        Parameters that are at least 1.
    reach : tuple of (int, tuple of str, tuple of (str, int))
        Monomials, each a coefficient, parameters and sizes; no index arithmetic of the kernel exceeds their sum.
    leveled : bool
        Whether it is compiled for every CPU level, in float32 and float64.
    lift : Lift or None
        How every other dtype is computed (and these two, where it is not leveled); None where it is not.
    """

    name: str
    result: str
    operands: tuple[str, ...]
    parameters: tuple[str, ...]
    owners: tuple[int, ...]
    extents: tuple[tuple[str, int], ...]
    tiled: int | None
    ranks: tuple[int, ...]
    positive: tuple[str, ...]
    reach: tuple[tuple[int, tuple[str, ...], tuple[tuple[str, int], ...]], ...]
    leveled: bool
    lift: Lift | None
