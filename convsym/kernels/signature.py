"""What a caller has to know of a compiled kernel; the generated table `_generated/rules.py` is made of these."""

from dataclasses import dataclass


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
    """

    name: str
    result: str
    operands: tuple[str, ...]
    parameters: tuple[str, ...]
    owners: tuple[int, ...]
    extents: tuple[tuple[str, int], ...]
    tiled: int | None
