"""onnxruntime, OpenVINO and ncnn: runtimes for inference, which pack constant weights beforehand."""

from importlib import import_module
from math import prod
from typing import Any, ClassVar

import numpy as np

from convsym.bench.layers import Layer
from convsym.bench.peers.peer import Call, Peer, Task
from convsym.gate import Array


class OnnxRuntime(Peer):
    """A model of one Conv node whose weight is a constant; needs the package onnx to write it."""

    name: ClassVar[str] = "onnxruntime"
    module: ClassVar[str] = "onnxruntime"
    distribution: ClassVar[str] = "onnxruntime"
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.onnx: Any = import_module("onnx")

    def failures(self) -> tuple[type[Exception], ...]:
        """Its own errors descend from nothing but Exception."""
        state = self.library.capi.onnxruntime_pybind11_state
        return (*super().failures(), state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented)

    def prepare(self, task: Task) -> Call:
        """A run of a session."""
        helper, layer, x = self.onnx.helper, task.layer, task.arrays["x"]
        node = helper.make_node(
            "Conv",
            ["x", "w"],
            ["y"],
            strides=layer.stride,
            pads=(*layer.padding, *layer.padding),
            dilations=layer.dilation,
            group=layer.groups,
        )
        infos = [helper.make_tensor_value_info(name, 1, layer.shapes[name]) for name in ("x", "y")]
        weight = self.onnx.numpy_helper.from_array(task.arrays["w"], "w")
        graph = helper.make_graph([node], "layer", infos[:1], infos[1:], [weight])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = self.library.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        session = self.library.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"x": x})[0]


class OpenVino(Peer):
    """A compiled model of one convolution; inputs and outputs share their memory with NumPy."""

    name: ClassVar[str] = "openvino"
    module: ClassVar[str] = "openvino"
    distribution: ClassVar[str] = "openvino"
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)

    def prepare(self, task: Task) -> Call:
        """An inference by one request."""
        openvino, layer, x, w = self.library, task.layer, task.arrays["x"], task.arrays["w"]
        ops = import_module("openvino.opset13")
        source = ops.parameter(list(x.shape), np.float32)
        pads = list(layer.padding)
        if layer.groups == 1:
            node = ops.convolution(source, ops.constant(w), layer.stride, pads, pads, layer.dilation)
        else:
            grouped = w.reshape(layer.groups, -1, *w.shape[1:])
            node = ops.group_convolution(source, ops.constant(grouped), layer.stride, pads, pads, layer.dilation)
        # On processors with bfloat16 units the default is to round to it.
        config = {
            "INFERENCE_NUM_THREADS": self.threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        model = openvino.Model([node], [source], "layer")
        request = openvino.Core().compile_model(model, "CPU", config).create_infer_request()
        return lambda: request.infer({0: x}, share_inputs=True, share_outputs=True)[0]


class Ncnn(Peer):
    """A net of one convolution layer, on single images as ncnn has them, in float32 throughout."""

    name: ClassVar[str] = "ncnn"
    module: ClassVar[str] = "ncnn"
    distribution: ClassVar[str] = "ncnn"
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)

    def lacks_layer(self, layer: Layer) -> str:
        """No batch."""
        return "takes one image at a time" if layer.input[0] != 1 else ""

    def prepare(self, task: Task) -> Call:
        """An extraction."""
        ncnn, image = self.library, np.ascontiguousarray(task.arrays["x"][0])
        net = ncnn.Net()
        net.opt.num_threads = self.threads
        for option in ("bf16_storage", "fp16_storage", "fp16_packed", "fp16_arithmetic"):
            setattr(net.opt, f"use_{option}", False)
        text = f"7767517\n2 2\nInput in 0 1 x\n{_ncnn_layer(task.layer)}\n"
        if net.load_param_mem(text) != 0:
            raise RuntimeError("ncnn does not read the model")
        # A tag of four bytes says that float32 follows. A net may go on reading from this memory.
        self.model = bytes(4) + task.arrays["w"].tobytes()
        net.load_model_mem(self.model)

        def run() -> object:
            extractor = net.create_extractor()
            extractor.input("x", ncnn.Mat(image))
            code, output = extractor.extract("y")
            if code != 0:
                raise RuntimeError(f"ncnn ends with code {code}")
            return output

        return run

    def array(self, result: Any) -> Array:
        """With the batch axis that ncnn does not have."""
        return np.array(result)[None]


def _ncnn_layer(layer: Layer) -> str:
    """The line of a convolution in the text of an ncnn model; axes from the fastest on: w, h, d."""
    numbers = {0: layer.weight[0]}
    # Keys of kernel, dilation, stride, padding before and after along w; ten more along h, twenty more along d.
    for axis, along in enumerate(reversed(range(layer.rank))):
        pad = layer.padding[along]
        keyed = {1: layer.weight[2 + along], 2: layer.dilation[along], 3: layer.stride[along], 4: pad}
        numbers |= {10 * axis + key: value for key, value in keyed.items()}
        numbers[(15, 16, 17)[axis]] = pad
    numbers[6] = prod(layer.weight)
    if layer.groups > 1:
        numbers[7] = layer.groups
    kind = "ConvolutionDepthWise" if layer.groups > 1 else "Convolution"
    suffix = {1: "1D", 2: "", 3: "3D"}[layer.rank]
    return f"{kind}{suffix} layer 1 1 x y " + " ".join(f"{key}={value}" for key, value in sorted(numbers.items()))
