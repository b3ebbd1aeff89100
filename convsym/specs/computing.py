"""A layer that runs: its output and its shapes, by the numeric functions of convsym."""

from dataclasses import dataclass
from typing import Any

from convsym.arguments import Pairs, shape
from convsym.errors import ShapeError
from convsym.functional import conv
from convsym.gate import Array, accept
from convsym.geometry import Shape
from convsym.layouts import Axes
from convsym.specs.layer import Layer
from convsym.transposed import conv_transpose


@dataclass(frozen=True, init=False)
class ComputedLayer(Layer):
    """A `Layer` as a function of arrays."""

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `convsym.conv`, or of `convsym.conv_transpose` for a transposed spec.

        Returns
        -------
        dict
            With the weight's axes in standard order where ``axes[1]`` has a G: the arrays that `standard_weight` gives.
        """
        text = self.channel_axes + self.spatial if "G" in self.axes[1] else self.axes[1]
        common = {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "padding_mode": self.padding_mode,
            "flip": self.flip,
            "same": self.same,
            "axes": self._call_axes("N", text),
        }
        own = {"output_padding": self.output_padding} if self.transposed else {"input_dilation": self.input_dilation}
        return common | own

    def __call__(self, x: Any, w: Any, b: Any = None, *, algorithm: str = "auto") -> Array:
        """The output of the layer, computed by convsym.

        Parameters
        ----------
        x : ndarray
            With its axes as ``axes[0]`` has them; the batch axis may be missing.
        w : ndarray
            With its axes as ``axes[1]`` has them.
        b : ndarray, shape (out_channels,), optional
            If the spec has a bias.
        algorithm : {"auto", "direct", "winograd", "fft", "reference"}

        Returns
        -------
        ndarray
            With its axes as ``axes[2]`` has them.

        Raises
        ------
        TypeError, ShapeError, KernelError
            As `convsym.conv`; or the arrays are not those of this layer.
        """
        if self.bias == (b is None):
            raise TypeError(
                "this layer adds a bias, and b is missing" if self.bias else "this layer adds no bias, and b was given"
            )
        array, weight = accept(x, "x"), self.standard_weight(accept(w, "w"))
        batched = self._check_input(array.shape)
        axes = self._call_axes("N" if batched else "")
        if self.transposed:
            return conv_transpose(
                array, weight, b, self.stride, self.padding, self.output_padding, self.groups, self.dilation,
                algorithm=algorithm, padding_mode=self.padding_mode, flip=self.flip, axes=axes, same=self.same,
            )  # fmt: skip
        return conv(
            array, weight, b, self.stride, self.padding, self.dilation, self.groups,
            algorithm=algorithm, padding_mode=self.padding_mode, input_dilation=self.input_dilation, flip=self.flip,
            axes=axes, same=self.same,
        )  # fmt: skip

    def _call_axes(self, batch: str, weight: str = "") -> Axes:
        """The argument axes= of the numeric call, for a weight in standard order by default; None where all are."""
        standard = self.channel_axes + self.spatial
        orders = (self.axes[0], weight or standard, self.axes[2])
        if orders == ("NC" + self.spatial, standard, "NC" + self.spatial):
            return None
        return tuple(text if batch else text.replace("N", "") for text in orders)

    def _check_input(self, sizes: Shape) -> bool:
        """Whether a shape has a batch axis; a ShapeError if it is not one of this layer."""
        text = self.axes[0]
        batched = len(sizes) == len(text)
        letters = text if batched else text.replace("N", "")
        if len(sizes) != len(letters):
            raise ShapeError(f"the input has {len(sizes)} axes: {sizes}, and this layer's are {text!r}, or without N")
        found = sizes[letters.index("C")]
        if self.in_channels is not None and found != self.in_channels:
            raise ShapeError(
                f"the input has {found} channels (axes {letters!r}, shape {sizes}), and this layer takes "
                f"{self.in_channels}"
            )
        return batched

    def _spatial_sizes(self, sizes: Shape) -> Shape:
        letters = self.axes[0] if self._check_input(sizes) else self.axes[0].replace("N", "")
        return tuple(sizes[letters.index(letter)] for letter in self.spatial)

    def output_shape(self, input_shape: Any) -> Shape:
        """The shape of the output, without computing it.

        Parameters
        ----------
        input_shape : tuple of int
            In the order of ``axes[0]``; the batch axis may be missing.

        Returns
        -------
        tuple of int
            In the order of ``axes[2]``; the channels are those of the spec.

        Raises
        ------
        TypeError, ShapeError
            It is no shape that the layer takes, or the output's channels are not known.

        Examples
        --------
        >>> from convsym import Spec
        >>> Spec((3, 3), 8, 16, stride=2, padding="same", axes=("NHWC", "HWIO", "NHWC")).output_shape((1, 7, 8, 8))
        (1, 4, 4, 16)
        """
        sizes = shape(input_shape, "input_shape")
        geometry = self.geometry(self._spatial_sizes(sizes))
        counts = geometry.inputs if self.transposed else geometry.outputs
        known = dict(zip(self.spatial, counts, strict=True))
        letters = self.axes[0] if len(sizes) == self.rank + 2 else self.axes[0].replace("N", "")
        known |= {letter: sizes[letters.index(letter)] for letter in "N" if letter in letters}
        known["C"] = self.out_channels if self.out_channels is not None else sizes[letters.index("C")]
        return tuple(known[letter] for letter in self.axes[2] if letter in known)

    def padding_pairs(self, input_shape: Any) -> Pairs:
        """The padding as pairs (before, after), for an input of this shape.

        Parameters
        ----------
        input_shape : tuple of int
            In the order of ``axes[0]``.

        Returns
        -------
        tuple of pairs of int

        Examples
        --------
        >>> from convsym import Spec
        >>> Spec((3,), stride=2, padding="same", same="tf").padding_pairs((1, 1, 8))
        ((0, 1),)
        """
        return self.geometry(self._spatial_sizes(shape(input_shape, "input_shape"))).padding
