"""Networks of convsym.nn in onnxruntime, and models of ONNX that others made as networks here."""

import io
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from convsym import autograd, nn
from convsym.errors import ShapeError
from convsym.nn.onnx_operators import OPERATORS

onnx = pytest.importorskip("onnx", reason="the peer onnx is not installed")
pytest.importorskip("onnx.backend.test", reason="this onnx comes without its backend tests")
from onnx.backend.test.case.node import collect_testcases  # noqa: E402 - where it is installed

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
LIGHT = sorted((DATA / "light").glob("*.onnx"))
KINDS = ("Conv", "AvgPool", "MaxPool", "BatchNorm", "Linear", "_ReLU", "_Softmax")
CONVERTED = sorted(
    path.parent
    for path in (DATA / "pytorch-converted").glob("*/model.onnx")
    if any(kind in path.parent.name for kind in KINDS)
)
# Node tests of what is refused, by a part of their names, and the sentence. Nothing is dropped out or counted here.
REFUSALS = {
    "averagepool_2d_dilations": "AveragePool has dilations=",
    "averagepool_3d_dilations": "AveragePool has dilations=",
    "batchnorm_epsilon_training": "second output of a node BatchNormalization",
    "batchnorm_example_training": "second output of a node BatchNormalization",
    "dropout_default_mask": "second output of a node Dropout",
    "dropout_mask": "second output of a node Dropout",
    "dropout_zero_ratio_mask": "second output of a node Dropout",
    "maxpool_with_argmax": "second output of a node MaxPool",
}


def session(model):
    runtime = pytest.importorskip("onnxruntime", reason="the peer onnxruntime is not installed")
    return runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def close(a, b, tolerance):
    """Equal up to this share of the largest element."""
    return a.shape == b.shape and np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=1e-30)


LAYERS = {
    "conv1d": (nn.Conv1d(2, 4, 3, stride=2, padding=1, dilation=2, groups=2, rng=0), (2, 11)),
    "conv2d same": (nn.Conv2d(2, 3, (3, 4), padding="same", rng=0), (2, 7, 6)),
    "conv2d tf": (nn.Conv2d(2, 3, 3, stride=2, padding="same", same="tf", rng=0), (2, 7, 6)),
    "conv2d causal": (nn.Conv1d(2, 3, 3, padding="causal", rng=0), (2, 7)),
    "conv2d pairs": (nn.Conv2d(2, 3, 3, padding=((0, 2), (1, 3)), bias=False, rng=0), (2, 7, 6)),
    "conv2d negative": (nn.Conv2d(2, 3, 3, padding=((-1, 0), (1, -2)), rng=0), (2, 7, 8)),
    "conv2d reflect": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect", rng=0), (2, 5, 6)),
    "conv2d replicate": (nn.Conv2d(2, 3, 3, padding=2, padding_mode="replicate", rng=0), (2, 5, 6)),
    "conv2d circular": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular", rng=0), (2, 5, 6)),
    "conv3d": (nn.Conv3d(2, 3, 2, padding=1, rng=0), (2, 3, 4, 5)),
    "transposed1d": (nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, rng=0), (4, 5)),
    "transposed2d": (nn.ConvTranspose2d(2, 3, 4, stride=2, padding=1, rng=0), (2, 4, 5)),
    "transposed3d": (nn.ConvTranspose3d(2, 3, 2, stride=2, rng=0), (2, 2, 3, 2)),
    "pool": (nn.AvgPool2d(2), (2, 5, 6)),
    "pool padded": (nn.AvgPool2d(3, 2, 1), (2, 5, 6)),
    "pool padded, not counted": (nn.AvgPool1d(3, 2, 1, count_include_pad=False), (2, 6)),
    "pool ceil": (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 6, 7)),
    "linear": (nn.Linear(6, 3, rng=0), (6,)),
    "linear on rows": (nn.Linear(6, 3, rng=0), (4, 5, 6)),
    "linear without bias": (nn.Linear(6, 3, bias=False, rng=0), (6,)),
    "relu": (nn.ReLU(), (2, 3)),
    "flatten": (nn.Flatten(), (2, 3, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_gives_the_same_in_onnxruntime_and_read_back(name):
    layer, shape = LAYERS[name]
    x = np.random.default_rng(1).standard_normal((3, *shape)).astype(np.float32)
    model = nn.to_onnx(layer, shape)
    expected = layer(x).data
    (found,) = session(model).run(None, {"x": x})
    assert close(found, expected, 1e-5)
    assert close(nn.from_onnx(model)(x).data, expected, 1e-6)
    assert not close(found, 1.001 * expected, 1e-5)  # a mutant is seen


def test_a_network_says_what_it_is_and_takes():
    net = nn.from_onnx(nn.to_onnx(nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU()), (1, 8)))
    assert repr(net) == "Network(3 nodes, 2 weights: ('x',) to ('y',))"
    with pytest.raises(TypeError, match=r"2 values are given, and the network takes 1: \('x',\)"):
        net(np.ones((1, 1, 8), np.float32), 1)


def test_what_onnx_cannot_say_is_said():
    class Own(nn.Module):
        def __call__(self, x):
            return x

    cases = [
        (nn.Conv1d(1, 1, 3, padding=1, padding_mode="symmetric"), ShapeError, "padding_mode='symmetric' is unknown"),
        (nn.AvgPool1d(3, 2, 1, ceil_mode=True), ShapeError, "counts what hangs over the padding differently"),
        (nn.Sequential(nn.ReLU(), Own()), TypeError, "Own has no words in ONNX here"),
        (
            nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8, dtype=float)),
            TypeError,
            "the parameters have dtypes float32, float64, and a model has one",
        ),
    ]
    helper = onnx.helper
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Erf", ["x"], ["y"])], "one", values[:1], values[1:])
    with pytest.raises(ShapeError, match="the model has nodes of type Erf, and read are Add, AveragePool, Batch"):
        nn.from_onnx(helper.make_model(graph))
    for layer, error, words in cases:
        with pytest.raises(error, match=words.replace("(", r"\(")):
            nn.to_onnx(layer, (1, 8))


def lenet(rng):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2, rng=rng), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5, rng=rng), nn.ReLU(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120, rng=rng), nn.ReLU(), nn.Linear(120, 84, rng=rng), nn.ReLU(),
        nn.Linear(84, 10, rng=rng),
    )  # fmt: skip


def test_a_network_trained_here_runs_in_onnxruntime_with_equal_outputs(tmp_path):
    rng = np.random.default_rng(0)
    net = lenet(rng)
    x = rng.standard_normal((32, 1, 28, 28)).astype(np.float32)
    labels = rng.integers(0, 10, 32)
    adam = nn.Adam(net.parameters())
    for _ in range(5):
        adam.zero_grad()
        autograd.cross_entropy(net(x), labels).backward()
        adam.step()
    model = nn.to_onnx(net, (1, 28, 28))
    assert {entry.name for entry in model.graph.initializer} == set(net.named_parameters())
    onnx.save(model, tmp_path / "net.onnx")
    expected = net(x).data
    for size in (32, 1, 0):  # the size of the batch is open
        (found,) = session(onnx.load(tmp_path / "net.onnx")).run(None, {"x": x[:size]}) if size else (expected[:0],)
        assert close(found, expected[:size], 1e-5)
    again = nn.from_onnx(tmp_path / "net.onnx")
    assert close(again(x).data, expected, 1e-6)
    # What was read can be trained on: its parameters have the names and the gradients of the network that was written.
    autograd.cross_entropy(again(x), labels).backward()
    net.zero_grad()
    autograd.cross_entropy(net(x), labels).backward()
    for name, parameter in net.named_parameters().items():
        assert close(again.named_parameters()[name].grad.data, parameter.grad.data, 1e-4)


def test_a_model_that_torch_exported_runs_and_trains_here():
    torch = pytest.importorskip("torch", reason="the peer torch is not installed")
    layers = torch.nn
    peer = layers.Sequential(
        layers.Conv2d(3, 8, 3, stride=2, padding=1), layers.BatchNorm2d(8), layers.ReLU(), layers.MaxPool2d(3, 2, 1),
        layers.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), layers.LeakyReLU(0.1), layers.AvgPool2d(2),
        layers.ConvTranspose2d(8, 4, 2, stride=2), layers.Sigmoid(), layers.AdaptiveAvgPool2d(1), layers.Flatten(),
        layers.Linear(4, 5), layers.LogSoftmax(1),
    ).eval()  # fmt: skip
    peer[1].running_mean.uniform_(-1, 1)
    peer[1].running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 32, 32)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter: that there is a newer one
        torch.onnx.export(peer, (x,), file, dynamo=False)
    net = nn.from_onnx(onnx.load_from_string(file.getvalue()))
    assert close(net(x.numpy()).data, peer(x).detach().numpy(), 1e-5)
    peer(x)[:, 0].sum().backward()
    net(x.numpy())[:, 0].sum().backward()
    gradients = {name: parameter.grad for name, parameter in peer.named_parameters()}
    found = {name: parameter.grad for name, parameter in net.named_parameters().items()}
    shared = [name for name in gradients if name in found]
    assert "11.weight" in shared
    for name in shared:
        assert close(found[name].data, gradients[name].numpy(), 1e-4)


@pytest.mark.parametrize("folder", CONVERTED, ids=lambda path: path.name)
def test_the_models_that_onnx_got_from_torch(folder):
    net = nn.from_onnx(folder / "model.onnx")
    for data in sorted(folder.glob("test_data_set_*")):
        x, y = (onnx.numpy_helper.to_array(onnx.load_tensor(data / f"{kind}_0.pb")) for kind in ("input", "output"))
        assert close(net(x).data, y, 1e-5)


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_whole_networks_that_are_in_onnx(path):
    """Nine networks for images, with their structure whole and their weights all alike."""
    model, net = onnx.load(path), nn.from_onnx(path)
    (entry,) = (entry for entry in model.graph.input if entry.name in net.inputs)
    sizes = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
    x = np.random.default_rng(0).standard_normal(sizes).astype(np.float32)
    (expected,) = session(model).run(None, {net.inputs[0]: x})
    with autograd.no_grad():
        assert close(net(x).data, expected, 1e-4)


@cache
def node_cases():
    """ONNX's own tests of the operators that are read, one node each, by name; types are not cast in networks here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other operators' cases divide by zero and overflow on purpose
        cases = collect_testcases(None)
    alone = [case for case in cases if case.model is not None and len(case.model.graph.node) == 1]
    dropped = {"test_training_dropout", "test_training_dropout_default"}  # by chance, which no network here does
    return {
        case.name: case
        for case in alone
        if case.name not in dropped and case.model.graph.node[0].op_type in {*OPERATORS} - {"Cast"}
    }


@pytest.mark.parametrize("name", node_cases())
def test_onnx_s_own_tests_of_its_operators(name):
    case = node_cases()[name]
    refused = next((words for kind, words in REFUSALS.items() if kind in name), None)
    if refused is not None:
        with pytest.raises(ShapeError, match=refused):
            nn.from_onnx(case.model)(*map(np.asarray, case.data_sets[0][0]))
        return
    net = nn.from_onnx(case.model)
    for inputs, outputs in case.data_sets:
        found = net(*map(np.asarray, inputs))
        for y, expected in zip(found if isinstance(found, tuple) else (found,), outputs, strict=True):
            y, expected = np.asarray(getattr(y, "data", y)), np.asarray(expected)
            assert y.shape == expected.shape
            assert np.allclose(y, expected, 1e-3, 1e-5)


def test_the_files_are_there():
    assert len(LIGHT) >= 9 and len(CONVERTED) >= 40 and len(node_cases()) >= 260
