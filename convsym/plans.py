"""What a call will do and need, known before it is done: algorithm, multiply-adds, traffic, workspace.

The steps of a plan are the layers of `convsym.execution`; a test measures that no call takes more than its plan says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from convsym import fourier, minimal, polyphase, sums
from convsym.choice import Choice, choose, real
from convsym.gate import Array, is_laid_out, sum_dtype
from convsym.geometry import Geometry, Shape
from convsym.kernels import in_use
from convsym.kernels._generated import rules

OPERANDS = {"y": ("x", "w"), "dx": ("dy", "w"), "dw": ("dy", "x")}


@dataclass(frozen=True)
class Step:
    """Memory that a call takes beside its arguments and its result, and what for."""

    purpose: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.bytes:,} bytes: {self.purpose}"


@dataclass(frozen=True)
class Plan:
    """A call before it is done.

    Attributes
    ----------
    algorithm, reason : str
        The algorithm that runs, and why it and no other.
    multiply_adds : int
        Products that are added, all of them inside of the arrays.
    traffic : int
        Bytes of operands and result, each counted once.
    steps : tuple of Step
        What takes memory beside them; at no time more than their sum.
    """

    algorithm: str
    reason: str
    multiply_adds: int
    traffic: int
    steps: tuple[Step, ...]

    @property
    def workspace(self) -> int:
        """Bytes that the call takes beside its arguments and its result, at most."""
        return _bytes(self.steps)


@lru_cache(maxsize=1024)
def plan(
    geometry: Geometry,
    result: str,
    dtype: np.dtype[Any],
    algorithm: str = "auto",
    copied: frozenset[str] = frozenset(),
    kept: bool = False,
) -> Plan:
    """The plan of one rule of a convolution.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    dtype : dtype
    algorithm : {"auto", "direct", "winograd", "fft", "reference"}
    copied : frozenset of str
        Operands whose memory is not laid out as kernels read it.
    kept : bool
        Whether the weights are transformed beforehand.
    """
    made = choose(geometry, result, dtype, algorithm, in_use(), kept)
    count = multiply_adds(geometry) * (4 if dtype.kind == "c" else 1)
    traffic = sum(prod(geometry.shapes[name]) for name in (*OPERANDS[result], result)) * dtype.itemsize
    steps = steps_of(geometry, result, dtype, copied, made, in_use())
    return Plan(made.name, made.reason, count, traffic, steps)


@lru_cache(maxsize=1024)
def steps_of(
    geometry: Geometry, result: str, dtype: np.dtype[Any], copied: frozenset[str], made: Choice, level: str
) -> tuple[Step, ...]:
    """What takes memory in one rule of a convolution by an algorithm at a CPU level; other arguments as of `plan`."""
    sizes = {name: prod(shape) for name, shape in geometry.shapes.items()}
    names = OPERANDS[result]
    wide = sum_dtype(dtype)
    steps = []

    def step(purpose: str, elements: int, item: int = wide.itemsize) -> None:
        if elements:
            steps.append(Step(purpose, elements * item))

    if wide != dtype:
        step("operands and result in float32", sum(sizes[name] for name in (*names, result)))
    step("operands laid out as kernels read them", sum(sizes[name] for name in names if name in copied))
    if geometry.flip:
        step("the flipped kernel", sizes["w"] if "w" in names else sizes["dw"])
    inner = geometry
    if geometry.mode != "zeros":
        inner = geometry.on_extended()
        outer = prod(geometry.shapes["x"][:3])
        step(f"the input extended in mode {geometry.mode}", outer * extending(geometry.extents, inner.inputs))
        step("where its elements come from", 8 * max(inner.inputs), np.dtype(np.intp).itemsize)
    if dtype.kind == "c":
        step("the conjugate of a factor", max(sizes[name] for name in names))
        largest = {name: prod(shape) for name, shape in inner.shapes.items()}
        step("real and imaginary parts", sum(largest[name] for name in names) + 2 * largest[result])
    if inner.is_dilated:
        step("slices of one residue class", _largest_class(inner, names, result))
        parts = [part for part, _, _ in polyphase.classes(inner)]
        taken = max((_algorithm_steps(part, result, dtype, made) for part in parts), key=_bytes, default=())
    else:
        taken = _algorithm_steps(replace(inner, flip=False), result, dtype, made)
    steps += [one for one in taken if one.bytes]
    if "x" in names and inner.margins and dtype.kind in "fc":
        step("zeros around the input, where a factor is not finite", prod(inner.on_padded().shapes["x"]))
    return tuple(steps)


def _algorithm_steps(geometry: Geometry, result: str, dtype: np.dtype[Any], made: Choice) -> tuple[Step, ...]:
    """What the algorithm itself takes."""
    if not geometry.batch:
        return ()
    own = real(dtype)
    if made.name == "winograd":
        taken = minimal.workspace(geometry, result, made.m, own.char)
        return (Step("transformed tiles and weights", taken * own.itemsize), *_direct_steps(geometry, result, own))
    if made.name == "fft":
        return tuple(Step(*one) for one in fourier.steps(geometry, result, own))
    return _direct_steps(geometry, result, own) if made.name == "direct" else ()


def _direct_steps(geometry: Geometry, result: str, dtype: np.dtype[Any]) -> tuple[Step, ...]:
    return (Step("images of a strip, padded", sums.workspace(geometry, result, dtype.char) * dtype.itemsize),)


def _bytes(steps: tuple[Step, ...]) -> int:
    return sum(step.bytes for step in steps)


def workspace(geometry: Geometry, result: str, operands: Mapping[str, Array], made: Choice | None = None) -> int:
    """Bytes that a call with these operands takes beside its arguments and its result, at most."""
    dtype = next(iter(operands.values())).dtype
    copied = frozenset(name for name, array in operands.items() if not is_laid_out(array))
    if made is None:
        made = choose(geometry, result, dtype, "auto", in_use())
    return _bytes(steps_of(geometry, result, dtype, copied, made, in_use()))


def multiply_adds(geometry: Geometry) -> int:
    """Number of products with both factors inside their arrays; the same for all three rules."""
    if geometry.mode != "zeros":
        return _dense(geometry) * prod(geometry.kernel) * prod(geometry.outputs)
    if geometry.is_dilated:
        return sum(multiply_adds(part) for part, _, _ in polyphase.classes(geometry))
    total = _dense(geometry)
    spatial = zip(geometry.inputs, geometry.kernel, geometry.outputs, strict=True)
    steps = zip(geometry.stride, geometry.dilation, geometry.padding, strict=True)
    for (size, kernel, outputs), (stride, dilation, (before, _)) in zip(spatial, steps, strict=True):
        taps = np.arange(kernel)
        first = np.maximum(rules.first_output(taps, stride, dilation, before), 0)
        end = np.minimum(rules.end_output(size, taps, stride, dilation, before), outputs)
        total *= int(np.maximum(end - first, 0).sum())
    return total


def _dense(geometry: Geometry) -> int:
    """Products for each pair of an output position and a tap."""
    return geometry.batch * geometry.groups * prod(geometry.channels)


def extending(before: Shape, after: Shape) -> int:
    """Elements of two neighboring stages while axis after axis gets another size, and of one more stage."""
    sizes = list(before)
    stages = [prod(sizes)]
    for axis, size in enumerate(after):
        sizes[axis] = size
        stages.append(prod(sizes))
    return max(a + b for a, b in pairwise(stages)) + max(stages)


def _largest_class(geometry: Geometry, names: tuple[str, ...], result: str) -> int:
    """Elements of the slices of the class that has most."""
    whole = {"x", "dx"}
    return max(
        (
            sum(prod(part.shapes[name]) for name in (*names, result) if name not in whole or name == result)
            for part, _, _ in polyphase.classes(replace(geometry, mode="zeros"))
        ),
        default=0,
    )
