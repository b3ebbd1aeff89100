"""ONNX: the numbers of its node tests, and of the models that it got from PyTorch, both as its wheel holds them."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import convsym

onnx = pytest.importorskip("onnx", reason="the peer onnx is not installed")
pytest.importorskip("onnx.backend.test", reason="this onnx comes without its backend tests")

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
MODELS = sorted(
    path.parent
    for kind in ("pytorch-converted", "pytorch-operator")
    for path in (DATA / kind).glob("*/model.onnx")
    if any(word in path.parent.name.lower() for word in ("conv", "avgpool2d", "avgpool3d"))
)
# Operators and the number of node tests of each that were there when this was written.
OPERATORS = {
    "Conv": 6,
    "ConvTranspose": 11,
    "ConvInteger": 2,
    "Col2Im": 5,
    "AveragePool": 20,
    "GlobalAveragePool": 2,
}


@cache
def cases():
    """The node tests of OPERATORS by name: attributes and inputs of the one node, and its output."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other operators' cases divide by zero and overflow on purpose
        everything = collect_testcases(None)
    found = {}
    for case in everything:
        (node, *more) = case.model.graph.node
        if node.op_type in OPERATORS and not more:
            (inputs, (output,)) = case.data_sets[0]
            found[case.name] = (node.op_type, attributes(node), [np.asarray(array) for array in inputs], output)
    return found


def attributes(node):
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def pairs(pads):
    """Paddings (before, after) for each axis: ONNX has those before first, then those after."""
    return tuple(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True))


def knobs(given, rank):
    """The parameters that Conv and ConvTranspose share."""
    return {
        "stride": tuple(given.get("strides", (1,) * rank)),
        "dilation": tuple(given.get("dilations", (1,) * rank)),
        "groups": given.get("group", 1),
    }


def around(given, rank):
    """The padding of Conv and AveragePool, and which "same" is meant."""
    automatic = given.get("auto_pad", b"NOTSET").decode()
    if automatic == "NOTSET":
        return {"padding": pairs(given.get("pads", (0,) * 2 * rank))}
    if automatic == "VALID":
        return {"padding": "valid"}
    return {"padding": "same", "same": "lower" if automatic == "SAME_LOWER" else "tf"}


def conv(given, x, w, bias=None):
    rank = w.ndim - 2
    return convsym.conv(x, w, bias, **around(given, rank), **knobs(given, rank))


def conv_integer(given, x, w, x_zero=0, w_zero=0):
    """Numbers count from zero points; the padding is the zero point of x."""
    channels = np.reshape(w_zero, (-1, *(1,) * (w.ndim - 1)))
    return conv(given, x.astype(np.int32) - np.int32(x_zero), w.astype(np.int32) - channels.astype(np.int32))


def conv_transpose(given, x, w, bias=None):
    rank = w.ndim - 2
    shared = knobs(given, rank)
    upper = given.get("auto_pad", b"NOTSET") == b"SAME_UPPER"
    wanted = given.get("output_shape")
    if given.get("auto_pad", b"NOTSET").startswith(b"SAME") and wanted is None:
        wanted = [size * step for size, step in zip(x.shape[2:], shared["stride"], strict=True)]
    if wanted is None:
        padding, further = pairs(given.get("pads", (0,) * 2 * rank)), tuple(given.get("output_padding", (0,) * rank))
        return convsym.conv_transpose(x, w, bias, padding=padding, output_padding=further, **shared)
    # The size decides the padding: what is too much is cut off on both sides, what is missing stands at the end.
    whole = convsym.conv_transpose(x, w, **shared).shape[2:]
    padding = []
    for extra in (have - want for have, want in zip(whole, wanted, strict=True)):
        half = extra // 2 if upper else extra - extra // 2
        padding.append((half, extra - half) if extra > 0 else (0, extra))
    return convsym.conv_transpose(x, w, bias, padding=tuple(padding), **shared)


def col2im(given, columns, output_size, kernel_size):
    rank = len(kernel_size)
    size, kernel = tuple(map(int, output_size)), tuple(map(int, kernel_size))
    shared = knobs(given, rank)
    shared.pop("groups")
    return convsym.fold(columns, size, kernel, padding=pairs(given.get("pads", (0,) * 2 * rank)), **shared)


def average_pool(given, x):
    """A mean over windows with gaps, which average pooling has not, is a convolution with a kernel of ones."""
    kernel = tuple(given["kernel_shape"])
    rank = len(kernel)
    shared = knobs(given, rank) | around(given, rank)
    hanging, counted = bool(given.get("ceil_mode", 0)), bool(given.get("count_include_pad", 0))
    if set(shared["dilation"]) == {1}:
        place = {key: value for key, value in shared.items() if key not in ("dilation", "groups")}
        return convsym.avg_pool(x, kernel, ceil_mode=hanging, count_include_pad=counted, **place)
    assert x.shape[:2] == (1, 1)
    assert not any(map(any, shared["padding"]))
    if hanging:
        # One window more may hang over the end, and counts the elements that it holds.
        steps = zip(x.shape[2:], kernel, shared["stride"], shared["dilation"], strict=True)
        shared["padding"] = tuple((0, -(size - spacing * (k - 1) - 1) % step) for size, k, step, spacing in steps)
    ones = np.ones((1, 1, *kernel), x.dtype)
    return convsym.conv(x, ones, **shared) / convsym.conv(np.ones_like(x), ones, **shared)


def global_average_pool(given, x):
    return convsym.avg_pool(x, x.shape[2:])


COMPUTE = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "ConvInteger": conv_integer,
    "Col2Im": col2im,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
}


# Numbers that ONNX states with four digits only.
ROUNDED = ("test_averagepool_2d_ceil_last_window_starts_on_pad",)


def assert_close(value, expected, tolerance=1e-5):
    assert value.dtype == expected.dtype
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance * float(np.abs(expected).max(initial=0)))


@pytest.mark.parametrize("name", cases())
def test_node(name):
    operator, given, inputs, output = cases()[name]
    assert_close(COMPUTE[operator](given, *inputs), output, 4e-4 if name in ROUNDED else 1e-5)


def test_no_node_test_is_missed():
    counts = {operator: sum(case[0] == operator for case in cases().values()) for operator in OPERATORS}
    assert all(counts[operator] >= count for operator, count in OPERATORS.items()), counts


def stored(path):
    """The array of a file with a serialized tensor."""
    return onnx.numpy_helper.to_array(onnx.load_tensor(path))


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_model(folder):
    graph = onnx.load(folder / "model.onnx").graph
    (node,) = graph.node
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    free = [value.name for value in graph.input if value.name not in arrays]
    data = folder / "test_data_set_0"
    arrays |= {name: stored(data / f"input_{place}.pb") for place, name in enumerate(free)}
    value = COMPUTE[node.op_type](attributes(node), *(arrays[name] for name in node.input))
    assert_close(value, stored(data / "output_0.pb"))


def test_no_model_is_missed():
    assert len(MODELS) >= 35
