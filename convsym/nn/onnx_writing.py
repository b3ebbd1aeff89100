"""Networks as models of ONNX, which other runtimes execute."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import singledispatch
from types import ModuleType
from typing import Any

import numpy as np

from convsym.arguments import Pairs, shape
from convsym.autograd import Tensor, no_grad
from convsym.averaging import Pooling
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.geometry import Shape
from convsym.nn.convolutions import Convolution
from convsym.nn.layers import AvgPool, Flatten, Linear, ReLU
from convsym.nn.module import Module, Sequential
from convsym.specs.onnx_nodes import attributes

OPSET, IR_VERSION = 19, 9  # the first that has Pad with mode wrap, and the format that was current with it
_PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@dataclass
class Nodes:
    """What is written: nodes in order, and arrays by name.

    Attributes
    ----------
    helper : module
        onnx.helper.
    names : dict of int to str
        Names of the network's parameters, by identity.
    """

    helper: ModuleType
    names: dict[int, str]
    made: list[Any] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)

    def parameter(self, tensor: Tensor) -> str:
        """The name of a parameter, whose values go into the model."""
        name = self.names[id(tensor)]
        self.arrays[name] = tensor.data
        return name

    def constant(self, values: Iterable[int]) -> str:
        """The name of a list of integers, which goes into the model."""
        name = f"constant_{len(self.arrays)}"
        self.arrays[name] = np.array(list(values), np.int64)
        return name

    def add(self, op_type: str, inputs: list[str], attributes: dict[str, Any]) -> str:
        """Add a node with one output, and return the name of that."""
        output = f"{op_type}_{len(self.made)}"
        self.made.append(self.helper.make_node(op_type, inputs, [output], output, **attributes))
        return output


def to_onnx(module: Module, input_shape: Any) -> Any:
    """A network as a model of ONNX: with onnxruntime and others it runs without convsym.

    Parameters
    ----------
    module : Module
        A layer of `convsym.nn`, or a `Sequential` of such.
    input_shape : tuple of int
        Of one example, without the batch, whose size stays open: (1, 28, 28).

    Returns
    -------
    onnx.ModelProto
        With input "x" and output "y"; weights have the names of `Module.named_parameters`. ``onnx.save`` writes it.

    Raises
    ------
    ImportError
        onnx is not installed.
    ShapeError
        The network does not take this shape, or ONNX cannot express a layer; the sentence says which and why.
    TypeError
        A module that has no words in ONNX.

    Examples
    --------
    >>> from convsym import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 10))
    >>> model = nn.to_onnx(net, (1, 4, 4))  # doctest: +SKIP
    >>> onnx.save(model, "net.onnx")  # doctest: +SKIP
    """
    onnx = required()
    parameters = module.named_parameters()
    dtypes = {parameter.dtype for parameter in parameters.values()} or {np.dtype(np.float32)}
    if len(dtypes) > 1:
        raise TypeError(f"the parameters have dtypes {', '.join(sorted(map(str, dtypes)))}, and a model has one")
    dtype = dtypes.pop()
    nodes = Nodes(onnx.helper, {id(parameter): name for name, parameter in parameters.items()})
    example = np.zeros((1, *shape(input_shape, "input_shape")), dtype)
    with no_grad():
        output, result = _chained(module, nodes, "x", example)
    nodes.made.append(onnx.helper.make_node("Identity", [output], ["y"], "y"))
    element = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    graph = onnx.helper.make_graph(
        nodes.made,
        "convsym",
        [onnx.helper.make_tensor_value_info("x", element, ["N", *example.shape[1:]])],
        [onnx.helper.make_tensor_value_info("y", element, ["N", *result.shape[1:]])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in nodes.arrays.items()],
    )
    opset = onnx.helper.make_opsetid("", OPSET)
    model = onnx.helper.make_model(graph, opset_imports=[opset], producer_name="convsym", ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def required() -> Any:
    """The module onnx, or an ImportError that says how to get it."""
    try:
        import onnx
    except ImportError:
        raise ImportError(
            'onnx is not installed, and its files are read and written with it; pip install "convsym[onnx]"'
        ) from None
    return onnx


def _chained(module: Module, nodes: Nodes, name: str, example: Any) -> tuple[str, Any]:
    """The name of a module's output, and the output for the example."""
    if not isinstance(module, Sequential):
        return written(module, nodes, name, example.shape), module(example)
    for layer in module.layers:
        name, example = _chained(layer, nodes, name, example)
    return name, example


@singledispatch
def written(layer: Module, nodes: Nodes, name: str, sizes: Shape) -> str:
    """Add the nodes of a layer for an input of a name and a shape, and return the name of the output."""
    raise TypeError(
        f"{type(layer).__name__} has no words in ONNX here; a chain of the layers of convsym.nn has, and "
        "convsym.nn.onnx_writing.written.register gives them to another module"
    )


@written.register
def _convolution(layer: Convolution, nodes: Nodes, name: str, sizes: Shape) -> str:
    spec = layer.spec
    if not spec.transposed:
        pairs = spec.padding_pairs(sizes)
        if (spec.padding_mode != "zeros" and any(map(any, pairs))) or min(map(min, pairs)) < 0:
            name = _padded(nodes, name, pairs, spec.padding_mode)
            pairs = ((0, 0),) * spec.rank
        spec = replace(spec, padding=pairs, padding_mode="zeros")
    op_type, given = attributes(spec)
    inputs = [name, nodes.parameter(layer.weight)]
    return nodes.add(op_type, inputs + ([nodes.parameter(layer.bias)] if layer.bias is not None else []), given)


def _padded(nodes: Nodes, name: str, pairs: Pairs, mode: str) -> str:
    if mode not in _PAD_MODES:
        raise ShapeError(f"padding_mode={mode!r} is unknown to ONNX, whose modes are those of {', '.join(_PAD_MODES)}")
    widths = [0, 0, *(low for low, _ in pairs), 0, 0, *(high for _, high in pairs)]
    return nodes.add("Pad", [name, nodes.constant(widths)], {"mode": _PAD_MODES[mode]})


@written.register
def _pooling(layer: AvgPool, nodes: Nodes, name: str, sizes: Shape) -> str:
    pooling: Pooling = layer.pooling()
    geometry = pooling.geometry(sizes, "input")
    if layer.ceil_mode and layer.count_include_pad:
        raise ShapeError(
            "ceil_mode=True with count_include_pad=True counts what hangs over the padding differently from one ONNX "
            "runtime to the next; give one of them up, or put the elements into padding"
        )
    sides = [side for end in (0, 1) for side in (pair[end] for pair in geometry.padding)]
    given = {
        "kernel_shape": geometry.kernel,
        "strides": geometry.stride,
        "pads": sides,
        "ceil_mode": int(layer.ceil_mode),
        "count_include_pad": int(layer.count_include_pad),
    }
    return nodes.add("AveragePool", [name], given)


@written.register
def _linear(layer: Linear, nodes: Nodes, name: str, sizes: Shape) -> str:
    weight = nodes.parameter(layer.weight)
    bias = [] if layer.bias is None else [nodes.parameter(layer.bias)]
    if len(sizes) == 2:
        return nodes.add("Gemm", [name, weight, *bias], {"transB": 1})
    product = nodes.add("MatMul", [name, nodes.add("Transpose", [weight], {"perm": [1, 0]})], {})
    return nodes.add("Add", [product, *bias], {}) if bias else product


@written.register
def _relu(layer: ReLU, nodes: Nodes, name: str, sizes: Shape) -> str:
    return nodes.add("Relu", [name], {})


@written.register
def _flatten(layer: Flatten, nodes: Nodes, name: str, sizes: Shape) -> str:
    return nodes.add("Flatten", [name], {"axis": 1})
