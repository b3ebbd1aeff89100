"""PyTorch: the samples of its own operator tests (OpInfo) through the adapter, to second order."""

from functools import cache

import pytest

torch = pytest.importorskip("torch", reason="the peer torch is not installed")
methods = pytest.importorskip(
    "torch.testing._internal.common_methods_invocations", reason="torch's test material needs the package expecttest"
)

from convsym.adapters import torch as adapter  # noqa: E402  # there is none without torch

torch.set_num_threads(1)
CONVOLUTIONS = {"conv1d": 10, "conv2d": 30, "conv3d": 20}
TRANSPOSED = {"conv_transpose1d": 10, "conv_transpose2d": 12, "conv_transpose3d": 10}
LINEAR = {"avg_pool1d": 9, "avg_pool2d": 7, "avg_pool3d": 8, "unfold": 163}
ALL = [
    (name, dtype, place)
    for name, count in {**CONVOLUTIONS, **TRANSPOSED, **LINEAR}.items()
    for dtype in ("float64", "complex128")[: 1 if "pool" in name else 2]
    for place in range(count)
]


@cache
def samples(name, dtype):
    (found,) = (op for op in methods.op_db if op.name == f"nn.functional.{name}" and not op.variant_test_name)
    torch.manual_seed(0)
    return list(found.sample_inputs("cpu", getattr(torch, dtype), requires_grad=True))


def outcome(function, sample):
    """Output, gradients, and gradients of these by everything; cotangents run from -1 to 1."""

    def cotangent(tensor):
        values = torch.linspace(-1, 1, tensor.numel(), dtype=torch.float64).reshape(tensor.shape)
        return values.to(tensor.dtype) * (1 + 0.5j) if tensor.is_complex() else values

    given = (sample.input, *sample.args)
    leaves = [a.detach().clone().requires_grad_() for a in given if isinstance(a, torch.Tensor)]
    remaining = iter(leaves)
    operands = [next(remaining) if isinstance(a, torch.Tensor) else None if a == () else a for a in given]
    y = function(*operands, **sample.kwargs)
    dy = cotangent(y).requires_grad_()
    first = torch.autograd.grad(y, leaves, dy, create_graph=True)
    directions = [cotangent(gradient) for gradient in first]
    second = torch.autograd.grad(first, [dy, *leaves], directions, allow_unused=True, materialize_grads=True)
    return [tensor.detach() for tensor in (y, *first, *second)]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(("name", "dtype", "place"), ALL)
def test_output_gradients_and_gradients_of_gradients(name, dtype, place):
    sample = samples(name, dtype)[place]
    truth = outcome(getattr(torch.nn.functional, name), sample)
    found = outcome(getattr(adapter, name), sample)
    torch.testing.assert_close(found, truth, rtol=1e-9, atol=1e-9)


def test_these_are_all_of_torchs_samples():
    counts = {**CONVOLUTIONS, **TRANSPOSED, **LINEAR}
    assert {name: len(samples(name, "float64")) for name in counts} == counts
