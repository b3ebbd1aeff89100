"""`Spec`: a convolution layer without its weights' values, read from frameworks, written for them, compared and run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convsym.specs.comparison import Comparison, compare
from convsym.specs.layer import Layer
from convsym.specs.translating import TranslatedLayer

if TYPE_CHECKING:
    from convsym.theorems import Theorem


@dataclass(frozen=True, init=False)
class Spec(TranslatedLayer):
    """A convolution layer without its weights' values.

        y[n, k, o0, …] += x[n, c, stride0*o0 + dilation0*r0 - padding0, …] * w[k, c, r0, …]

    or, transposed, the adjoint of that in x. Tuples hold one number for each spatial axis; a single number is for all.

    Attributes
    ----------
    kernel_size : tuple of int
        One size for each of 1 to 5 spatial axes.
    in_channels, out_channels : int or None
        None where the source does not say; only what needs them asks.
    stride, dilation, input_dilation : tuple of int
    padding : tuple of pairs, or str
        Pairs (before, after), or "valid", "same", "full", "causal", as `convsym.conv` takes them.
    groups : int
    bias : bool
        Whether the layer adds one.
    transposed : bool
    output_padding : tuple of int
        Of a transposed layer.
    padding_mode : {"zeros", "circular", "reflect", "replicate", "symmetric"}
    flip : bool
        Whether the kernel is flipped: against cross-correlation, or against the adjoint of that if transposed.
    same : {"symmetric", "tf", "lower"}
        Which convention "same" follows: torch's, TensorFlow's (JAX, ONNX SAME_UPPER), or ONNX SAME_LOWER.
    axes : tuple of three str
        Orders of the axes of input, weight and output, such as ("NHWC", "HWIO", "NHWC"). A G in the weight's is an axis
        for the groups; I may then be left out (Keras's depthwise kernels are "HWGO").

    Raises
    ------
    TypeError, ShapeError
        A sentence about the argument that is wrong.

    Examples
    --------
    >>> from convsym import Spec
    >>> strided = Spec((3,), stride=2, padding=1)
    >>> tensorflow = Spec((3,), stride=2, padding="same", same="tf")
    >>> strided.equals(tensorflow)
    False
    >>> print(strided.compare(tensorflow))
    different (size 2): at size 2 along spatial axis 0 their windows lie differently
    x = [1, 2]
    w = [1, 2, 3]
    this: [8]
    other: [5]
    >>> strided.output_shape((1, 1, 8))
    (1, 1, 4)
    >>> tensorflow.onnx_attributes()["auto_pad"]
    'SAME_UPPER'
    """

    def size_theorem(self, budget: float = 10.0) -> "Theorem":
        """The theorem about the layer's output sizes: that of its padding convention, proved for every size.

        Parameters
        ----------
        budget : float
            Seconds for the proof.

        Returns
        -------
        Theorem
            See `convsym.size_theorems`; padding in numbers, and a transposed layer, have "output padding".

        Examples
        --------
        >>> from convsym import Spec
        >>> print(Spec((3,), padding="causal").size_theorem().statement)
        padding w.shape[2]*dilation0 - dilation0 before the axis: output o0 sees nothing behind stride0*o0
        """
        from convsym.specs.proving import size_theorem

        return size_theorem(self, budget)

    def size_formulas(self) -> tuple[str, ...]:
        """The output size along each spatial axis as text in the input size n, derived from the formula.

        Returns
        -------
        tuple of str

        Examples
        --------
        >>> from convsym import Spec
        >>> Spec((3, 3), stride=2, padding=1).size_formulas()[0]
        '(n - 1)//2 + 1'
        >>> Spec((4, 4), stride=2, padding=1, transposed=True).size_formulas()[0]
        '2*n'
        """
        from convsym.specs.proving import size_formulas

        return size_formulas(self)

    def compare(self, other: Layer, sizes: Iterable[int] | None = None) -> Comparison:
        """Whether another spec computes the same function, for which sizes that is known, and if not, an example.

        Layouts make no difference: axes are matched by their letters, weights by group, output channel, input channel
        and tap. Sizes are at least 1, and every refusal counts alike.

        Parameters
        ----------
        other : Spec
        sizes : iterable of int, optional
            Input sizes to look at, along every axis. By default all up to twice the reach of both layers; and if no
            size tells them apart, a proof for every size, where Z3 is installed.

        Returns
        -------
        Comparison
            True or False as a condition; it prints itself with the example.

        Raises
        ------
        TypeError
            `other` is no Spec.

        Examples
        --------
        >>> from convsym import Spec
        >>> padded = Spec((3,), padding=1)
        >>> print(padded.compare(Spec((3,), padding="same", same="tf")))
        equal (every size): they have one normal form
        """
        if not isinstance(other, Layer):
            raise TypeError(f"other is a {type(other).__name__}, and a Spec is needed; make one: Spec.from_torch(…)")
        return compare(self, other, sizes, _proved_equal)

    def equals(self, other: Layer, sizes: Iterable[int] | None = None) -> bool:
        """Whether another spec computes the same function: `compare` as True or False.

        Parameters
        ----------
        other, sizes
            As of `compare`.

        Returns
        -------
        bool
        """
        return self.compare(other, sizes).equal

    def difference(self, other: Layer, sizes: Iterable[int] | None = None) -> Comparison | None:
        """What tells another spec apart: `compare` where they differ, else None.

        Parameters
        ----------
        other, sizes
            As of `compare`.

        Returns
        -------
        Comparison or None
        """
        found = self.compare(other, sizes)
        return None if found.equal else found


def _proved_equal(this: Layer, other: Layer) -> tuple[str, int | None]:
    """The symbolic side, loaded when it is needed."""
    from convsym.specs.proving import proved_equal

    return proved_equal(this, other)
