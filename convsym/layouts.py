"""Orders of axes: arrays as the caller has them, seen as (N, C, spatial) and (O, I, spatial)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from convsym.errors import ShapeError
from convsym.gate import Array

Axes = str | Sequence[str] | None


@dataclass(frozen=True)
class Layout:
    """The order of an array's axes.

    Attributes
    ----------
    places : tuple of int
        The caller's axis for each axis in standard order.
    """

    places: tuple[int, ...]

    def standard(self, array: Array, name: str) -> Array:
        """A view of the caller's array in standard order."""
        self._check(array.shape, name)
        return array.transpose(self.places)

    def standard_shape(self, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
        """A shape of the caller's in standard order."""
        self._check(shape, name)
        return tuple(shape[place] for place in self.places)

    def view(self, array: Array) -> Array:
        """An array in standard order as a view in the caller's."""
        return array.transpose(np.argsort(self.places))

    def _check(self, shape: tuple[int, ...], name: str) -> None:
        if len(shape) != len(self.places):
            raise ShapeError(
                f"{name} has {len(shape)} axes: {shape}, and axes= names {len(self.places)} of them"
            )


@contextmanager
def in_standard_order(axes: Axes) -> Iterator[None]:
    """Errors about shapes that say in which order the shapes are, where it is not the caller's."""
    try:
        yield
    except ShapeError as error:
        if axes is None:
            raise
        raise ShapeError(f"{error} (shapes are said here with the channels before the spatial axes)") from None


@dataclass(frozen=True)
class Layouts:
    """The layouts of a call's arrays; None where the order is the standard one."""

    input: Layout | None = None
    weight: Layout | None = None
    output: Layout | None = None


def read_axes(axes: Axes, rank: int, channels: str = "OI") -> Layouts:
    """The layouts that an argument ``axes=`` asks for.

    Parameters
    ----------
    axes : str, sequence of str, or None
        Letters of the input's axes, such as ``"NHWC"``: N is the batch (left out if there is none), C the channels, any
        other letter a spatial axis. A second text is for the weight (O, I and the same spatial letters; standard order
        if it is left out), a third for the output (as the input if it is left out).
    rank : int
        Number of spatial axes.
    channels : str
        Standard order of the weight's channel axes.

    Raises
    ------
    TypeError, ShapeError
        A sentence about what is wrong with the text.
    """
    if axes is None:
        return Layouts()
    texts = (axes,) if isinstance(axes, str) else tuple(axes) if isinstance(axes, (tuple, list)) else ()
    if not 1 <= len(texts) <= 3 or not all(isinstance(text, str) for text in texts):
        raise TypeError(
            f"axes={axes!r} is not understood; it is a text such as 'NHWC', or up to three: for the input, the weight "
            "and the output, such as ('NHWC', 'HWIO', 'NHWC')"
        )
    given = texts[0]
    spatial = "".join(letter for letter in given if letter not in "NC")
    weight = texts[1] if len(texts) > 1 else channels + spatial
    output = texts[2] if len(texts) > 2 else given
    batch = "N" if "N" in given else ""
    return Layouts(
        _layout(given, batch + "C", spatial, rank),
        _layout(weight, channels, spatial, rank),
        _layout(output, batch + "C", spatial, rank),
    )


def _layout(text: str, channels: str, spatial: str, rank: int) -> Layout:
    standard = channels + spatial
    if sorted(text) != sorted(standard) or len(spatial) != rank or len(set(text)) != len(text):
        raise ShapeError(
            f"axes={text!r} does not name the axes of this array; it needs the letters {' and '.join(channels)} and "
            f"one of its own for each of the {rank} spatial axes, the same ones in every array"
        )
    return Layout(tuple(map(text.index, standard)))
