"""Dilated inputs without zeros between the elements: one ordinary convolution for each residue class.

With the elements of x standing `input_dilation` apart, a window meets one only where its read index is a multiple of
that. Outputs and taps fall into classes by their residue; within a class the quotient is affine again, so the class is
an ordinary convolution of slices of y and w.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import gcd

from convsym.geometry import Geometry
from convsym.kernels._generated import rules


@dataclass(frozen=True)
class Phase:
    """One residue class along one axis: which outputs and taps, and the convolution they form.

    Attributes
    ----------
    outputs, taps : slice
        The elements of y and w that belong to it.
    stride, dilation, before : int
        Parameters of the convolution of these elements with x.
    """

    outputs: slice
    taps: slice
    stride: int
    dilation: int
    before: int


def phases(geometry: Geometry, axis: int) -> Iterator[Phase]:
    """The classes of one axis that have outputs and taps."""
    step = geometry.input_dilation[axis]
    own = (geometry.stride[axis], geometry.dilation[axis], geometry.padding[axis][0])
    period, tap_period = step // gcd(step, own[0]), step // gcd(step, own[1])
    # Taps recur after their period and meet outputs of one residue each, or of none.
    for tap in range(min(tap_period, geometry.kernel[axis])):
        here = rules.read(0, tap, *own)
        first = _least(rules.read(1, tap, *own) - here, here, step)
        if first is None or first >= geometry.outputs[axis]:
            continue
        here, next_output, next_tap = (
            rules.read(output, r, *own) // step
            for output, r in ((first, tap), (first + period, tap), (first, tap + tap_period))
        )
        yield Phase(
            slice(first, None, period), slice(tap, None, tap_period), next_output - here, next_tap - here, -here
        )


def classes(geometry: Geometry) -> Iterator[tuple[Geometry, tuple[slice, ...], tuple[slice, ...]]]:
    """For each class over all axes: its geometry, and its slices of the spatial axes of y and of w."""
    for combination in product(*(tuple(phases(geometry, axis)) for axis in range(geometry.rank))):
        outputs = tuple(phase.outputs for phase in combination)
        taps = tuple(phase.taps for phase in combination)
        kernel, counts = _lengths(taps, geometry.kernel), _lengths(outputs, geometry.outputs)
        part = replace(
            geometry,
            kernel=kernel,
            outputs=counts,
            stride=tuple(phase.stride for phase in combination),
            dilation=tuple(phase.dilation for phase in combination),
            padding=tuple(map(_reach, combination, counts, kernel, geometry.inputs)),
            input_dilation=(1,) * geometry.rank,
        )
        yield part, outputs, taps


def _least(slope: int, start: int, step: int) -> int | None:
    """The least number n >= 0 for which ``slope*n + start`` is a multiple of `step`, if there is one."""
    common = gcd(slope, step)
    if start % common:
        return None
    return -start // common * pow(slope // common, -1, step // common) % (step // common)


def _reach(phase: Phase, outputs: int, kernel: int, size: int) -> tuple[int, int]:
    """How far the windows of a class reach beyond its axis, before and after."""
    last = rules.read(outputs - 1, kernel - 1, phase.stride, phase.dilation, phase.before)
    return phase.before, last - (size - 1)


def _lengths(slices: tuple[slice, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(len(range(*part.indices(size))) for part, size in zip(slices, sizes, strict=True))
