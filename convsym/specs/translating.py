"""A layer that is read from the frameworks and written for them."""

from dataclasses import dataclass
from typing import Any, Self

from convsym.specs import jax_calls, keras_layers, onnx_nodes, torch_modules
from convsym.specs.computing import ComputedLayer


@dataclass(frozen=True, init=False)
class TranslatedLayer(ComputedLayer):
    """A `ComputedLayer` in the words of torch, ONNX, JAX and Keras."""

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
        """The module of torch.nn that computes this layer.

        Returns
        -------
        torch.nn.Module
            With weights as torch initializes them, in torch's order of axes. A flipped kernel with stride 1, or a
            dilated input, is a ConvTranspose.

        Raises
        ------
        ImportError
            torch is not installed.
        ShapeError
            torch cannot express the layer, or the channels are not known; the sentence says what can be done.
        """
        return torch_modules.write(self)

    def torch_arguments(self) -> dict[str, Any]:
        """The arguments of the module that `to_torch` makes, without torch.

        Returns
        -------
        dict

        Raises
        ------
        ShapeError
            As `to_torch`.

        Examples
        --------
        >>> from convsym import Spec
        >>> Spec.from_jax((8, 3, 4), (1,), "SAME").torch_arguments()["padding"]
        'same'
        """
        return torch_modules.arguments(self)

    def to_onnx(self) -> Any:
        """The node of ONNX that computes this layer.

        Returns
        -------
        NodeProto
            With inputs X, W and, with a bias, B, and output Y; their axes are in ONNX's order.

        Raises
        ------
        ImportError
            onnx is not installed.
        ShapeError
            ONNX cannot express the layer; the sentence says what can be done.
        """
        return onnx_nodes.write(self)

    def onnx_attributes(self) -> dict[str, Any]:
        """The type ("op_type") and the attributes of the node that `to_onnx` makes, without onnx.

        Returns
        -------
        dict

        Raises
        ------
        ShapeError
            As `to_onnx`.

        Examples
        --------
        >>> from convsym import Spec
        >>> Spec((3, 3), padding=((0, 1), (2, 3))).onnx_attributes()["pads"]
        (0, 2, 1, 3)
        """
        op_type, given = onnx_nodes.attributes(self)
        return {"op_type": op_type, **given}

    def to_jax(self) -> dict[str, Any]:
        """The arguments of jax.lax.conv_general_dilated beside the arrays.

        Returns
        -------
        dict
            Numbers per axis in the order of the weight's spatial axes.

        Raises
        ------
        ShapeError
            That function cannot express the layer; the sentence says what can.

        Examples
        --------
        >>> from convsym import Spec
        >>> Spec((4,), stride=2, padding=1, transposed=True, flip=True).to_jax()["lhs_dilation"]
        (2,)
        """
        return jax_calls.arguments(self)

    def to_jax_transpose(self) -> dict[str, Any]:
        """The arguments of jax.lax.conv_transpose beside the arrays.

        Returns
        -------
        dict
            With padding in pairs, which that function takes for those of the dilated input.

        Raises
        ------
        ShapeError
            That function cannot express the layer; the sentence says what can.

        Examples
        --------
        >>> from convsym import Spec
        >>> given = Spec((4,), stride=2, padding=1, transposed=True).to_jax_transpose()
        >>> given["padding"], given["transpose_kernel"]
        (((2, 2),), True)
        """
        return jax_calls.transpose_arguments(self)

    def to_keras(self) -> dict[str, Any]:
        """What keras.layers.deserialize makes the layer of.

        Returns
        -------
        dict
            The class and its configuration, channels last or first as ``axes[0]`` has them.

        Raises
        ------
        ShapeError
            Keras cannot express the layer, or its output channels are not known; the sentence says what can be done.

        Examples
        --------
        >>> from convsym import Spec
        >>> Spec((5,), 8, 8, padding="causal").to_keras()["config"]["padding"]
        'causal'
        """
        return keras_layers.config(self)
