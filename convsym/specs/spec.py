"""`Spec`: a convolution layer without its weights' values, read from frameworks, written for them, compared and run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from convsym.specs import jax_calls, keras_layers, onnx_nodes, torch_modules
from convsym.specs.comparison import Comparison, compare
from convsym.specs.computing import ComputedLayer
from convsym.specs.layer import Layer

if TYPE_CHECKING:
    from convsym.theorems import Theorem


@dataclass(frozen=True, init=False)
class Spec(ComputedLayer):
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

    @classmethod
    def from_torch(cls, module: Any) -> Self:
        """The spec of a module of torch.nn: Conv1d to Conv3d, ConvTranspose1d to ConvTranspose3d.

        Parameters
        ----------
        module : torch.nn.Module
            Or anything with the class name and the attributes of one; torch is not imported.

        Returns
        -------
        Spec

        Raises
        ------
        TypeError
            It is no convolution, or a lazy one that has not seen an input.
        """
        return torch_modules.read(module, cls)

    @classmethod
    def from_onnx(cls, node: Any, weight_shape: Any = None, input_sizes: Any = None) -> Self:
        """The spec of a node of ONNX: Conv or ConvTranspose.

        Parameters
        ----------
        node : NodeProto or dict
            A dict holds "op_type" and the attributes by name; onnx is not imported.
        weight_shape : tuple of int or array, optional
            Of the input W: the channels, and the kernel size where the node does not state it.
        input_sizes : tuple of int, optional
            Spatial sizes of the input: only for an output_shape, which makes the padding depend on them.

        Returns
        -------
        Spec

        Raises
        ------
        TypeError, ShapeError
            It is no such node, or its attributes do not fit together.

        Examples
        --------
        >>> from convsym import Spec
        >>> node = {"op_type": "Conv", "kernel_shape": [3, 3], "pads": [0, 1, 2, 3]}
        >>> Spec.from_onnx(node).padding
        ((0, 2), (1, 3))
        """
        return onnx_nodes.read(node, weight_shape, input_sizes, cls)

    @classmethod
    def from_jax(
        cls,
        rhs: Any,
        window_strides: Any,
        padding: Any,
        lhs_dilation: Any = None,
        rhs_dilation: Any = None,
        dimension_numbers: Any = None,
        feature_group_count: int = 1,
        batch_group_count: int = 1,
    ) -> Self:
        """The spec of a call of jax.lax.conv_general_dilated.

        Parameters
        ----------
        rhs : array or tuple of int
            The weight, or its shape.
        window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, feature_group_count, batch_group_count
            As of that function: numbers per axis in the order of the weight's spatial axes, whatever the input's is.

        Returns
        -------
        Spec

        Raises
        ------
        TypeError, ShapeError
            The arguments do not fit together, or batch_group_count is not 1.

        Examples
        --------
        >>> from convsym import Spec
        >>> Spec.from_jax((3, 3, 8, 16), (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")).same
        'tf'
        """
        groups = feature_group_count, batch_group_count
        return jax_calls.read(
            rhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, groups, cls
        )

    @classmethod
    def from_jax_transpose(
        cls,
        rhs: Any,
        strides: Any,
        padding: Any,
        rhs_dilation: Any = None,
        dimension_numbers: Any = None,
        transpose_kernel: bool = False,
        use_consistent_padding: bool = False,
    ) -> Self:
        """The spec of a call of jax.lax.conv_transpose.

        Without ``transpose_kernel=True`` JAX does not flip the kernel, so the spec's is flipped: it is not the adjoint
        of the convolution with that kernel.

        Parameters
        ----------
        rhs : array or tuple of int
            The weight, or its shape.
        strides, padding, rhs_dilation, dimension_numbers, transpose_kernel, use_consistent_padding
            As of that function; pairs of padding are of the dilated input unless use_consistent_padding is True.

        Returns
        -------
        Spec

        Raises
        ------
        TypeError, ShapeError
            The arguments do not fit together.

        Examples
        --------
        >>> from convsym import Spec
        >>> spec = Spec.from_jax_transpose((4, 4, 8, 3), (2, 2), "SAME")
        >>> spec.flip, spec.padding, spec.out_channels
        (True, ((1, 1), (1, 1)), 3)
        """
        return jax_calls.read_transpose(
            rhs, strides, padding, rhs_dilation, dimension_numbers, transpose_kernel, use_consistent_padding, cls
        )

    @classmethod
    def from_keras(cls, layer: Any, in_channels: int | None = None) -> Self:
        """The spec of a layer of Keras: Conv1D to Conv3D, their transposes, DepthwiseConv1D and 2D; without activation.

        Parameters
        ----------
        layer : keras.layers.Layer or dict
            A dict is what keras.layers.serialize gives, or {"class_name": …, "config": layer.get_config()}; Keras is
            not imported. Mind that get_config() of a transposed layer may leave out its output_padding.
        in_channels : int, optional
            Where the layer is not built; a depthwise one needs it.

        Returns
        -------
        Spec

        Raises
        ------
        TypeError, ShapeError
            It is no such layer, or its configuration does not fit together.

        Examples
        --------
        >>> from convsym import Spec
        >>> config = {"filters": 8, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same"}
        >>> Spec.from_keras({"class_name": "Conv2DTranspose", "config": config}).padding
        ((0, 1), (0, 1))
        """
        return keras_layers.read(layer, in_channels, cls)

    def to_torch(self) -> Any:
        """The module of torch.nn, with weights as torch initializes them, in torch's order of axes."""
        return torch_modules.write(self)

    def torch_arguments(self) -> dict[str, Any]:
        """The arguments of that module, without torch; a ShapeError says what torch cannot do, and what can."""
        return torch_modules.arguments(self)

    def to_onnx(self) -> Any:
        """The NodeProto, with inputs X, W and, with a bias, B; its axes are in ONNX's order."""
        return onnx_nodes.write(self)

    def onnx_attributes(self) -> dict[str, Any]:
        """Type and attributes of that node, without onnx; a ShapeError says what ONNX cannot do, and what can."""
        op_type, given = onnx_nodes.attributes(self)
        return {"op_type": op_type, **given}

    def to_jax(self) -> dict[str, Any]:
        """Arguments of jax.lax.conv_general_dilated beside the arrays; a ShapeError says what it cannot do."""
        return jax_calls.arguments(self)

    def to_jax_transpose(self) -> dict[str, Any]:
        """Arguments of jax.lax.conv_transpose beside the arrays; a ShapeError says what it cannot do."""
        return jax_calls.transpose_arguments(self)

    def to_keras(self) -> dict[str, Any]:
        """What keras.layers.deserialize makes the layer of; a ShapeError says what Keras cannot do, and what can."""
        return keras_layers.config(self)

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
