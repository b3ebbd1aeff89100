"""Models of ONNX as modules: run, differentiated and trained here."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from convsym.autograd import Tensor
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.nn.module import Module
from convsym.nn.onnx_operators import OPERATORS
from convsym.nn.onnx_steps import Step, Value
from convsym.nn.onnx_writing import required

# Inputs that are no weights although they are numbers: what normalization has counted.
_COUNTED = {"BatchNormalization": (3, 4)}
_DOMAINS = ("", "ai.onnx")
_TEXT = (3, 8)  # of the attribute types of an AttributeProto, those that hold text


class Network(Module):
    """A graph of ONNX nodes, made by `from_onnx`.

    Attributes
    ----------
    steps : tuple of Step
        The nodes, in an order in which they can be run.
    weights : dict of str to Tensor
        The parameters, by their names in the file; they take gradients.
    constants : dict of str to ndarray
        The other arrays of the file.
    inputs, outputs : tuple of str
        Names of what `__call__` takes and gives.
    """

    def __init__(
        self,
        steps: tuple[Step, ...],
        weights: dict[str, Tensor],
        constants: dict[str, Array],
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
    ) -> None:
        self.steps, self.weights, self.constants = steps, weights, constants
        self.inputs, self.outputs = inputs, outputs

    def __call__(self, *values: Any) -> Any:
        """The outputs of the graph.

        Parameters
        ----------
        *values : Tensor or ndarray
            As many as the graph has inputs.

        Returns
        -------
        Tensor, or tuple of Tensor
            The one output, or all of them.

        Raises
        ------
        TypeError
            There are more or fewer values than inputs.
        """
        if len(values) != len(self.inputs):
            raise TypeError(f"{len(values)} values are given, and the network takes {len(self.inputs)}: {self.inputs}")
        given = zip(self.inputs, values, strict=True)
        known: dict[str, Value] = {"": None, **self.constants, **self.weights}
        known |= {name: value if isinstance(value, Tensor) else _entered(value) for name, value in given}
        for step in self.steps:
            known[step.outputs[0]] = OPERATORS[step.op_type](step, [known[name] for name in step.inputs])
        results = tuple(known[name] for name in self.outputs)
        return results[0] if len(results) == 1 else results

    def __repr__(self) -> str:
        return f"Network({len(self.steps)} nodes, {len(self.weights)} weights: {self.inputs} to {self.outputs})"

    def _members(self) -> Iterator[tuple[str, object]]:
        return iter(self.weights.items())


def from_onnx(source: Any) -> Network:
    """Read a model of ONNX.

    Parameters
    ----------
    source : str, path, or onnx.ModelProto

    Returns
    -------
    Network
        A module: call it on tensors or arrays, train its parameters. It computes as the model does after training:
        nothing is dropped out, and normalization uses what it has kept.

    Raises
    ------
    ImportError
        onnx is not installed.
    ShapeError
        The model has a node that convsym does not read; the sentence names all of them.
    """
    onnx = required()
    model = onnx.load(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else source
    version = next((entry.version for entry in model.opset_import if entry.domain in _DOMAINS), 1)
    graph = model.graph
    _check(graph)
    steps = tuple(_step(onnx, node, version) for node in graph.node)
    arrays = {entry.name: onnx.numpy_helper.to_array(entry) for entry in graph.initializer}
    arrays = _filled(steps, arrays)
    kept = {step.inputs[place] for step in steps for place in _COUNTED.get(step.op_type, ())}
    kept |= {step.outputs[0] for step in steps if step.op_type == "Constant"}
    learned = {name for name, values in arrays.items() if values.dtype.kind == "f" and name not in kept}
    return Network(
        tuple(step for step in steps if step.outputs[0] not in arrays),
        {name: Tensor(arrays[name].copy(), requires_grad=True) for name in arrays if name in learned},
        {name: array for name, array in arrays.items() if name not in learned},
        tuple(entry.name for entry in graph.input if entry.name not in arrays),
        tuple(entry.name for entry in graph.output),
    )


def _check(graph: Any) -> None:
    """Every node is one of those that are read, and none has a further output that something needs."""
    needed = {name for node in graph.node for name in node.input} | {entry.name for entry in graph.output}
    unknown = sorted(
        {node.op_type for node in graph.node if node.op_type not in OPERATORS or node.domain not in _DOMAINS}
    )
    if unknown:
        raise ShapeError(
            f"the model has nodes of type {', '.join(unknown)}, and read are {', '.join(sorted(OPERATORS))}"
        )
    for node in graph.node:
        if needed & {*node.output[1:]} - {""}:
            raise ShapeError(f"the model uses the second output of a node {node.op_type}, and only the first is read")


def _step(onnx: Any, node: Any, version: int) -> Step:
    given = {entry.name: _attribute(onnx, entry) for entry in node.attribute}
    return Step(node.op_type, version, given, tuple(node.input), tuple(node.output))


def _attribute(onnx: Any, entry: Any) -> Any:
    value = onnx.helper.get_attribute_value(entry)
    if entry.type in _TEXT:
        return value.decode() if isinstance(value, bytes) else [text.decode() for text in value]
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return onnx.helper.tensor_dtype_to_np_dtype(value) if entry.name == "to" else value


def _filled(steps: tuple[Step, ...], arrays: dict[str, Array]) -> dict[str, Array]:
    """The arrays of a file, with those that its nodes make of nothing but arrays: some files fill their weights so."""
    arrays = dict(arrays)
    for step in steps:
        if step.op_type in ("Constant", "ConstantOfShape") and all(name in arrays for name in step.inputs):
            arrays[step.outputs[0]] = OPERATORS[step.op_type](step, [arrays[name] for name in step.inputs])
    return arrays


def _entered(value: Any) -> Value:
    """A caller's array: numbers become a tensor, integers are places."""
    array = np.asarray(value)
    return Tensor(array) if array.dtype.kind == "f" else array
