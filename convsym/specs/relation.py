"""What one axis of a layer computes at one size: which output meets which tap and which input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convsym.errors import ShapeError
from convsym.geometry import Geometry
from convsym.kernels._generated import rules
from convsym.margins import sources
from convsym.specs.layer import Layer

Integers = NDArray[np.int64]

LARGEST = 50_000_000  # outputs times taps: what a gigabyte holds


@dataclass(frozen=True, eq=False)
class Relation:
    """The relation of one axis at one input size.

    Attributes
    ----------
    outputs : int
    met : ndarray of int64, shape (places, 3)
        The triples (output, tap, input) that meet, in ascending order.
    """

    outputs: int
    met: Integers

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Relation):
            return NotImplemented
        return self.outputs == other.outputs and np.array_equal(self.met, other.met)

    __hash__ = None  # type: ignore[assignment]  # it holds an array

    def sums(self, products: Integers, tap: int) -> Integers:
        """Products with the input along axis 0 and the taps along axis `tap`, summed to the outputs along the last."""
        output, taps, inputs = self.met.T
        picked = np.moveaxis(products, tap, 1)[inputs, taps]
        total = np.zeros((self.outputs, *picked.shape[1:]), np.int64)
        np.add.at(total, output, picked)
        return np.moveaxis(total, 0, -1)


def relation(axis: Layer, size: int) -> Relation | str:
    """The relation of one axis at one input size, or the sentence with which the size is refused.

    Parameters
    ----------
    axis : Layer
        Of one spatial axis.
    size : int

    Returns
    -------
    Relation or str

    Raises
    ------
    ShapeError
        The relation is too large to be written out.
    """
    try:
        geometry = axis.geometry((size,))
    except ShapeError as refused:
        return str(refused)
    met = _met(geometry)
    if not axis.transposed:
        return Relation(geometry.outputs[0], met)
    turned = met[:, ::-1]
    return Relation(geometry.inputs[0], turned[np.lexsort(turned.T[::-1])])


def _met(geometry: Geometry) -> Integers:
    """The triples of a convolution: the places that its windows read, one by one."""
    (outputs,), (kernel,) = geometry.outputs, geometry.kernel
    ((before, _),) = geometry.padding
    (stride,), (dilation,), (spacing,) = geometry.stride, geometry.dilation, geometry.input_dilation
    if outputs * kernel > LARGEST:
        raise ShapeError(
            f"a layer with {outputs} outputs and {kernel} taps at input size {geometry.inputs[0]} is compared one by "
            f"one, up to {LARGEST} pairs; its padding or kernel is too large for that"
        )
    taps = np.arange(kernel)[::-1] if geometry.flip else np.arange(kernel)
    windows = np.arange(outputs)[:, None]
    if geometry.mode == "zeros":
        places = rules.read(windows, taps, stride, dilation, before)
    else:
        places = sources(geometry, 0)[rules.read(windows, taps, stride, dilation, 0)]
    inside = (places >= 0) & (places < geometry.extents[0]) & (places % spacing == 0)
    window, tap = np.nonzero(inside)
    return np.stack([window, tap, places[inside] // spacing], axis=1).astype(np.int64)
