"""Whether two layers compute the same function, and an input that tells them apart where they do not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from convsym.arguments import integer
from convsym.specs.forms import enough, form
from convsym.specs.layer import Layer
from convsym.specs.relation import Integers, Relation, relation

Answer = tuple[str, int | None]  # proved, refuted at a size, or unknown
Prover = Callable[[Layer, Layer], Answer]

LARGEST = 4096  # sizes looked at, one by one: seconds at most


@dataclass(frozen=True)
class Example:
    """An input that tells two layers apart, of one batch and one channel.

    Attributes
    ----------
    x : ndarray of int64, shape (i0, …)
    w : ndarray of int64, shape (r0, …)
    b : int or None
        The bias, where one of them adds one and the other does not.
    outputs : pair of ndarray of int64 or str
        What each computes, or the sentence with which it refuses the input.
    """

    x: Integers
    w: Integers
    b: int | None
    outputs: tuple[Integers | str, Integers | str]

    def outputs_as_lists(self) -> list[object]:
        """The outputs as nested lists, for printing and comparing."""
        return [output if isinstance(output, str) else output.tolist() for output in self.outputs]

    def __str__(self) -> str:
        bias = [] if self.b is None else [f"b = {self.b}"]
        made = [
            f"{name}: {'refused: ' + output if isinstance(output, str) else _text(output)}"
            for name, output in zip(("this", "other"), self.outputs, strict=True)
        ]
        return "\n".join([f"x = {_text(self.x)}", f"w = {_text(self.w)}", *bias, *made])


@dataclass(frozen=True)
class Comparison:
    """The answer to whether two layers compute the same.

    Attributes
    ----------
    equal : bool
    scope : str
        For which sizes the answer is known: "every size", or those that were looked at.
    reason : str
    example : Example or None
        Where they differ, an input that shows it; None where no input fits both.
    """

    equal: bool
    scope: str
    reason: str
    example: Example | None = None

    def __bool__(self) -> bool:
        return self.equal

    def __str__(self) -> str:
        head = f"{'equal' if self.equal else 'different'} ({self.scope}): {self.reason}"
        return head if self.example is None else f"{head}\n{self.example}"


def compare(this: Layer, other: Layer, sizes: Iterable[int] | None, prove: Prover) -> Comparison:
    """Compare two layers as functions of input, weight and bias.

    Parameters
    ----------
    this, other : Layer
    sizes : iterable of int, optional
        Input sizes to look at along each axis; by default so many that every remainder and border occurs, and beyond
        them the prover.
    prove : callable
        (axis, axis) to ("proved", None), ("refuted", size) or ("unknown", None), for every size.
    """
    unlike = _unlike(this, other)
    if unlike:
        return Comparison(False, "every size", unlike)
    if this.bias != other.bias:
        return _biased(this, other)
    looked = None if sizes is None else tuple(integer(size, "sizes", 1) for size in sizes)
    scopes, reasons = [], []
    for number in range(this.rank):
        axes = this.axis(number), other.axis(number)
        told, scope, reason = _first_difference(axes, looked, prove)
        if told is not None:
            return _different(this, other, number, told)
        scopes.append(scope)
        reasons.append(reason)
    weakest = max(zip(scopes, reasons, strict=True), key=lambda pair: pair[0] != "every size")
    return Comparison(True, *weakest)


def _unlike(this: Layer, other: Layer) -> str:
    """Why no input and weight fit both layers, if so."""
    for name in ("rank", "kernel_size", "groups", "in_channels", "out_channels"):
        mine, theirs = getattr(this, name), getattr(other, name)
        if None not in (mine, theirs) and mine != theirs:
            return f"{name} is {mine} here and {theirs} there, so they do not take the same input and weight"
    return ""


def _biased(this: Layer, other: Layer) -> Comparison:
    """Two layers of which one adds a bias."""
    sizes = tuple(_taken(this, other, number) for number in range(this.rank))
    x, w = np.zeros(sizes, np.int64), np.zeros(this.kernel_size, np.int64)
    outputs = _output(this, x, w, int(this.bias)), _output(other, x, w, int(other.bias))
    who = "this layer adds a bias and the other" if this.bias else "the other layer adds a bias and this one"
    return Comparison(False, "every size", f"{who} has none", Example(x, w, 1, outputs))


def _first_difference(
    axes: tuple[Layer, Layer], looked: Sequence[int] | None, prove: Prover
) -> tuple[int | None, str, str]:
    """The smallest size at which two axes differ; or None, for which sizes they do not, and why."""
    if form(axes[0]) == form(axes[1]):
        return None, "every size", "they have one normal form"
    for size in looked if looked is not None else range(1, _telling(axes) + 1):
        if not _alike(*(relation(axis, size) for axis in axes)):
            return size, "", ""
    status, refuted = prove(*axes)
    if status == "refuted" and refuted is not None and looked is None:
        return refuted, "", ""
    if status == "proved":
        return None, "every size", "their index relations are proved equal"
    scope = f"sizes 1 to {_telling(axes)}" if looked is None else f"{len(looked)} sizes"
    return None, scope, "they meet the same outputs, taps and inputs at every size that was looked at"


def _telling(axes: tuple[Layer, Layer]) -> int:
    """Up to which size to look: beyond the reach of both borders, and every remainder by both strides twice."""
    reach = sum(2 * enough(axis, 0) + axis.output_padding[0] for axis in axes)
    reach += sum(abs(side) for axis in axes if not isinstance(axis.padding, str) for side in axis.padding[0])
    return min(LARGEST, reach + 2 * prod(axis.stride[0] * axis.input_dilation[0] for axis in axes))


def _alike(this: Relation | str, other: Relation | str) -> bool:
    """Whether two relations are the same; all refusals count as one."""
    if isinstance(this, str) or isinstance(other, str):
        return isinstance(this, str) and isinstance(other, str)
    return this == other


def _different(this: Layer, other: Layer, number: int, size: int) -> Comparison:
    """The answer where an axis differs at a size."""
    sizes = tuple(size if axis == number else _taken(this, other, axis) for axis in range(this.rank))
    found = relation(this.axis(number), size), relation(other.axis(number), size)
    x, w = _ascending(sizes), _ascending(this.kernel_size)
    outputs = _output(this, x, w), _output(other, x, w)
    where = f"along spatial axis {number}"
    if isinstance(found[0], str) or isinstance(found[1], str):
        reason = f"{'this' if isinstance(found[0], str) else 'the other'} refuses an input of size {size} {where}"
    elif found[0].outputs != found[1].outputs:
        reason = f"an input of size {size} {where} gives {found[0].outputs} and {found[1].outputs} outputs"
    else:
        reason = f"at size {size} {where} their windows lie differently"
        if np.array_equal(*outputs):  # sums that happen to be equal; a single element and a single tap tell more
            _, tap, place = min(set(map(tuple, found[0].met)) ^ set(map(tuple, found[1].met)))
            x, w = _unit(sizes, number, place), _unit(this.kernel_size, number, tap)
            outputs = _output(this, x, w), _output(other, x, w)
        if np.array_equal(*outputs):
            reason += ", but along another axis they meet nothing: all outputs are 0"
            return Comparison(True, f"size {size}", reason)
    return Comparison(False, f"size {size}", reason, Example(x, w, None, outputs))


def _taken(this: Layer, other: Layer, number: int) -> int:
    """A small size that both layers take along an axis, so that every tap meets something if that can be."""
    best = 0, 1
    for size in (*range(1, 17), *(32 << doubled for doubled in range(9))):
        found = [relation(layer.axis(number), size) for layer in (this, other)]
        taps = min(0 if isinstance(met, str) else 1 + len(set(met.met[:, 1].tolist())) for met in found)
        best = max(best, (taps, size), key=lambda pair: pair[0])
        if taps > this.kernel_size[number]:
            break
    return best[1]


def _output(layer: Layer, x: Integers, w: Integers, b: int = 0) -> Integers | str:
    """The output of one channel, summed over the relations of all axes; or why it is refused."""
    total: Integers = np.multiply.outer(x, w)
    for number, size in enumerate(x.shape):
        met = relation(layer.axis(number), size)
        if isinstance(met, str):
            return met
        total = met.sums(total, layer.rank - number)  # inputs left, taps left, outputs done
    return total + b


def _text(array: Integers) -> str:
    return str(array.tolist()) if array.size <= 64 else f"array of shape {array.shape}"


def _ascending(shape: tuple[int, ...]) -> Integers:
    return np.arange(1, prod(shape) + 1, dtype=np.int64).reshape(shape)


def _unit(shape: tuple[int, ...], axis: int, place: int) -> Integers:
    """1 along the places of one index of an axis, 0 elsewhere."""
    unit = np.zeros(shape, np.int64)
    np.moveaxis(unit, axis, 0)[place] = 1
    return unit
