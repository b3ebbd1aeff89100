"""PyTorch: its samples of unfold and average pooling, with torch.nn.functional.fold beside each unfold.

The ops are linear: the gradient of the gradient by the cotangent is the op again. Torch computes in double precision.
"""

from functools import cache

import numpy as np
import pytest

import convsym
from convsym import ConvsymError, grad

torch = pytest.importorskip("torch", reason="the peer torch is not installed")
methods = pytest.importorskip(
    "torch.testing._internal.common_methods_invocations", reason="torch's test material needs the package expecttest"
)

torch.set_num_threads(1)
COUNTS = {"unfold": 163, "avg_pool1d": 9, "avg_pool2d": 7, "avg_pool3d": 8}
DTYPES = {"unfold": ("float32", "float64", "complex128")}
ALL = [
    (name, dtype, place)
    for name, count in COUNTS.items()
    for dtype in DTYPES.get(name, ("float32", "float64"))
    for place in range(count)
]
# What torch refuses and convsym computes: padding that crops, and more than half a window of it.
LEGAL_HERE = {
    *(("avg_pool1d", place) for place in (0, 1)),
    *(("avg_pool2d", place) for place in (2, 3)),
    *(("avg_pool3d", place) for place in (2, 3)),
}


@cache
def operator(name):
    return next(op for op in methods.op_db if op.name == f"nn.functional.{name}")


@cache
def samples(name, dtype):
    torch.manual_seed(0)
    return list(operator(name).sample_inputs("cpu", getattr(torch, dtype)))


def wide(tensor):
    """A copy in double precision."""
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64).clone()


def assert_close(value, truth, dtype):
    truth = truth.detach().numpy()
    assert value.dtype == dtype
    assert value.shape == truth.shape
    unit = np.finfo(dtype).eps
    np.testing.assert_allclose(value.astype(truth.dtype), truth, rtol=30 * unit, atol=200 * unit)


def arguments(sample):
    """The arguments of a sample; torch also writes the default of `stride`, None, as an empty tuple."""
    return [None if argument == () else argument for argument in sample.args]


def called(function, sample, x):
    return function(x, *arguments(sample), **sample.kwargs)


@pytest.mark.parametrize(("name", "dtype", "place"), ALL)
def test_output_gradient_and_gradient_of_the_gradient(name, dtype, place):
    sample = samples(name, dtype)[place]
    x = sample.input.detach()
    leaf = wide(x).requires_grad_()
    y = called(getattr(torch.nn.functional, name), sample, leaf)
    assert_close(called(getattr(convsym, name), sample, x.numpy()), y, dtype)
    generator = torch.Generator().manual_seed(place)
    dy = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(x.dtype).requires_grad_()
    (dx,) = torch.autograd.grad(y, leaf, wide(dy), create_graph=True)
    by_input = getattr(grad, f"{name}_input")
    cotangent = dy.detach().numpy()
    assert_close(by_input(tuple(x.shape), cotangent, *arguments(sample), **sample.kwargs), dx, dtype)
    (again,) = torch.autograd.grad(dx, dy, wide(x))
    assert_close(called(getattr(convsym, name), sample, x.numpy()), again, dtype)


@pytest.mark.parametrize(("dtype", "place"), [(dtype, place) for name, dtype, place in ALL if name == "unfold"])
def test_fold_and_its_gradient(dtype, place):
    sample = samples("unfold", dtype)[place]
    size = tuple(sample.input.shape[-2:])
    columns = called(torch.nn.functional.unfold, sample, sample.input.detach())
    leaf = wide(columns).requires_grad_()
    y = torch.nn.functional.fold(leaf, size, *sample.args, **sample.kwargs)
    assert_close(convsym.fold(columns.numpy(), size, *sample.args, **sample.kwargs), y, dtype)
    dy = sample.input.detach().reshape(y.shape)
    (dx,) = torch.autograd.grad(y, leaf, wide(dy))
    by_input = grad.fold_input(tuple(columns.shape), dy.numpy(), size, *sample.args, **sample.kwargs)
    assert_close(by_input, dx, dtype)


@pytest.mark.parametrize("name", COUNTS)
def test_no_sample_is_missed(name):
    assert len(samples(name, "float64")) == COUNTS[name]


WRONG = [
    pytest.param(name, place, error, id=f"{name}-{place}")
    for name in list(COUNTS)[1:]
    for place, error in enumerate(operator(name).error_inputs("cpu"))
]


@pytest.mark.parametrize(("name", "place", "error"), WRONG)
def test_a_wrong_call_is_a_sentence(name, place, error):
    sample = error.sample_input
    x = sample.input.numpy()
    if (name, place) in LEGAL_HERE:
        assert called(getattr(convsym, name), sample, x).shape
        return
    with pytest.raises((ValueError, TypeError)) as caught:
        called(getattr(convsym, name), sample, x)
    assert isinstance(caught.value, (ConvsymError, TypeError))
    assert len(str(caught.value).split()) >= 6
