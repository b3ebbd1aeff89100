"""Arguments of convolution calls: numbers, one for each axis, and shapes, each checked as it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import SupportsIndex

from convsym.errors import ShapeError

Number = SupportsIndex
PerAxis = Number | Sequence[Number]
Padding = PerAxis | Sequence[Sequence[Number]] | str
Pairs = tuple[tuple[int, int], ...]

PADDING_NAMES = ("valid", "same", "full", "causal")
PADDING_MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")
SAME = ("symmetric", "tf", "lower")


@dataclass(frozen=True)
class Parameters:
    """What a caller said of a convolution beside its arrays, as it was said.

    Attributes
    ----------
    stride, dilation, input_dilation : int or tuple of int
        At least 1; one for all spatial axes, or one for each.
    padding : int, tuple of int, tuple of pairs, or str
        Elements put around the input: one number, one for each axis, ``((before, after), …)``, or one of "valid",
        "same", "full", "causal". A negative number crops.
    groups : int
    padding_mode : {"zeros", "circular", "reflect", "replicate", "symmetric"}
    flip : bool
        Whether the kernel is flipped: convolution as mathematics has it.
    same : {"symmetric", "tf", "lower"}
        Which convention "same" padding follows.
    ceil_mode : bool
        Whether a last window counts that hangs over the end of the padded input.
    """

    stride: PerAxis = 1
    padding: Padding = 0
    dilation: PerAxis = 1
    groups: Number = 1
    padding_mode: str = "zeros"
    input_dilation: PerAxis = 1
    flip: bool = False
    same: str = "symmetric"
    ceil_mode: bool = False


def integer(value: object, name: str, least: int | None) -> int:
    """An integer argument, at least `least`.

    Raises
    ------
    TypeError
        It is no integer; a bool is none.
    ShapeError
        It is too small.
    """
    if type(value) is int and (least is None or value >= least):
        return value
    try:
        number = index(value)  # type: ignore[arg-type]  # what has no __index__ is told below
    except TypeError:
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}), and an integer is needed") from None
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, and an integer is needed")
    if least is not None and number < least:
        raise ShapeError(f"{name} is {number}, and it must be at least {least}")
    return number


def per_axis(value: object, rank: int, name: str, least: int | None) -> tuple[int, ...]:
    """An int for all axes, or one for each, as a tuple of `rank` ints."""
    if not isinstance(value, (tuple, list)):
        return (integer(value, name, least),) * rank
    if len(value) not in (1, rank):
        raise ShapeError(
            f"{name}={value!r} has {len(value)} entries, and the call has {rank} spatial axes; "
            f"give one integer or {rank}"
        )
    entries = tuple(integer(entry, f"{name}[{axis}]", least) for axis, entry in enumerate(value))
    return entries * (rank // len(entries))


def padding_pairs(padding: object, rank: int) -> Pairs | str:
    """Padding in any of its forms, as a pair (before, after) for each axis; a name stays as it is."""
    if isinstance(padding, str):
        return one_of(padding, "padding", PADDING_NAMES, "an integer, one for each axis, pairs (before, after), ")
    if isinstance(padding, (tuple, list)) and any(isinstance(entry, (tuple, list)) for entry in padding):
        if len(padding) != rank or any(
            not isinstance(entry, (tuple, list)) or len(entry) != 2 for entry in padding
        ):
            raise ShapeError(
                f"padding={padding!r} mixes forms or has the wrong length; with pairs it is one pair "
                f"(before, after) for each of the {rank} spatial axes"
            )
        pairs = []
        for axis, (before, after) in enumerate(padding):
            name = f"padding[{axis}]"
            pairs.append((integer(before, f"{name}[0]", None), integer(after, f"{name}[1]", None)))
        return tuple(pairs)
    return tuple((side, side) for side in per_axis(padding, rank, "padding", None))


def one_of(value: object, name: str, known: Sequence[str], otherwise: str = "") -> str:
    """An argument that is one of a few words; `otherwise` says what else it may be."""
    if isinstance(value, str) and value in known:
        return value
    words = ", ".join(map(repr, known[:-1])) + f" or {known[-1]!r}"
    raise ShapeError(f"{name}={value!r} is not known; it is {otherwise or 'one of '}{words}")


def flag(value: object, name: str) -> bool:
    """An argument that is True or False and nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}), and it must be True or False")
    return value


def shape(value: object, name: str) -> tuple[int, ...]:
    """A shape that a caller gave as an argument, as a tuple of ints."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} is {value!r}, and a shape is needed: a tuple of integers")
    return tuple(integer(size, f"{name}[{axis}]", 0) for axis, size in enumerate(value))
