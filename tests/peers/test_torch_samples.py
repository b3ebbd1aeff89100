"""PyTorch: the samples and the wrong calls of its own operator tests (OpInfo), read from its wheel.

Every sample is computed by torch.autograd in double precision from the same numbers: the output, the gradients, and
the gradients of the gradients. What convsym may be off by is the rounding of a sum: the number of its terms times the
sum of their absolute values, both of which torch computes too.
"""

from dataclasses import dataclass
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
CONVOLUTIONS = tuple(f"conv{kind}{rank}d" for kind in ("", "_transpose") for rank in (1, 2, 3))
DTYPES = ("float32", "float64", "complex128")
SAMPLES = dict(zip(CONVOLUTIONS, (10, 30, 20, 10, 12, 10), strict=True))  # as many as torch 2.13 has


@dataclass(frozen=True)
class Sample:
    """A call of an operator as torch's tests make it, with cotangents for the gradients and for theirs."""

    name: str
    place: int
    dtype: str

    def __str__(self):
        return f"{self.name}-{self.place}-{self.dtype}"


@cache
def operators():
    """torch's descriptions of the operators, by their short names."""
    found = {op.name.removeprefix("nn.functional."): op for op in methods.op_db if not op.variant_test_name}
    return {name: found[name] for name in CONVOLUTIONS}


@cache
def samples(name, dtype):
    torch.manual_seed(0)
    return list(operators()[name].sample_inputs("cpu", getattr(torch, dtype)))


def tensors(sample):
    """Input, weight, bias or None, and the keywords of a sample."""
    found = samples(sample.name, sample.dtype)[sample.place]
    (weight, bias) = found.args
    return found.input.detach(), weight.detach(), None if bias is None else bias.detach(), dict(found.kwargs)


ALL = [Sample(name, place, dtype) for name in CONVOLUTIONS for dtype in DTYPES for place in range(SAMPLES[name])]


def by_torch(name, operands, cotangents, knobs):
    """Output, gradients and second gradients; cotangents of the output and of the gradients by x, w and b."""
    leaves = [None if leaf is None else leaf.clone().requires_grad_() for leaf in operands]
    present = [leaf for leaf in leaves if leaf is not None]
    y = getattr(torch.nn.functional, name)(*leaves, **knobs)
    dy = cotangents[0].clone().requires_grad_()
    first = torch.autograd.grad(y, present, dy, create_graph=True)
    second = torch.autograd.grad(first, (dy, leaves[0], leaves[1]), cotangents[1 : 1 + len(present)])
    return [tensor.detach().numpy() for tensor in (y, *first, *second)]


def by_convsym(name, operands, cotangents, knobs):
    arrays = [None if operand is None else operand.numpy() for operand in operands]
    dy, *directions = (cotangent.numpy() for cotangent in cotangents)
    kind = name[:-2]
    x, w, b = arrays
    y = getattr(convsym, name)(x, w, b, **knobs)
    needs = ("input", "weight") if b is None else ("input", "weight", "bias")
    first = getattr(grad, f"{kind}_backward")(dy, x, w, needs=needs, **knobs)
    directions = (*directions[:2], None if b is None else directions[2])
    second = getattr(grad, f"{kind}_double_backward")(*directions, dy, x, w, **knobs)
    apart = (
        getattr(grad, f"{name}_input")(x.shape, w, dy, **knobs),
        getattr(grad, f"{name}_weight")(x, w.shape, dy, **knobs),
    )
    assert all(np.array_equal(one, other) for one, other in zip(apart, first, strict=False))
    return [y, *first[: len(needs)], *second]


@cache
def computed(sample):
    """For each result: what convsym computes, what torch does in double precision, and by how much they may differ."""
    x, w, b, knobs = tensors(sample)
    operands = (x, w, b)
    generator = torch.Generator().manual_seed(sample.place)

    def like(tensor):
        return torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)

    y = getattr(torch.nn.functional, sample.name)(*operands, **knobs)
    cotangents = [like(tensor) for tensor in (y, *(operand for operand in operands if operand is not None))]
    if x.is_complex():
        cotangents = [tensor * (1 + 0.5j) for tensor in cotangents]
    mine = by_convsym(sample.name, operands, cotangents, knobs)
    wide = torch.complex128 if x.is_complex() else torch.float64

    def mapped(function):
        both = [[None if t is None else function(t) for t in group] for group in (operands, cotangents)]
        return by_torch(sample.name, *both, knobs)

    right = mapped(lambda tensor: tensor.to(wide))
    sums = mapped(lambda tensor: tensor.abs().to(torch.float64))
    terms = mapped(lambda tensor: torch.ones(tensor.shape, dtype=torch.float64))
    unit = np.finfo(sample.dtype).eps
    # A complex product is four real ones, and torch rounds too.
    return [
        (value, truth, 4 * (count + 2) * unit * total)
        for value, truth, total, count in zip(mine, right, sums, terms, strict=True)
    ]


def assert_close(results, sample):
    for value, truth, bound in results:
        assert value.dtype == sample.dtype
        assert value.shape == truth.shape
        assert np.all(np.abs(value.astype(truth.dtype) - truth) <= bound)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("sample", ALL, ids=str)
def test_output(sample):
    assert_close(computed(sample)[:1], sample)


@pytest.mark.parametrize("sample", ALL, ids=str)
def test_gradients(sample):
    assert_close(computed(sample)[1:-3], sample)


@pytest.mark.parametrize("sample", ALL, ids=str)
def test_gradients_of_gradients(sample):
    assert_close(computed(sample)[-3:], sample)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_no_sample_is_missed(name):
    assert [len(samples(name, dtype)) for dtype in DTYPES] == [SAMPLES[name]] * len(DTYPES)


def test_a_wrong_gradient_would_be_seen():
    """The mutant: the gradients of another stride differ by more than the bound, in every order."""
    sample = Sample("conv1d", 0, "float64")
    ours = [value for value, _, _ in computed(sample)]
    for value, (_, truth, bound) in zip(ours, computed(sample), strict=True):
        shifted = np.roll(value.ravel(), 1).reshape(value.shape)
        assert not np.all(np.abs(shifted - truth) <= bound)


# --------------------------------------------------------------------------------------------------------- wrong calls


def wrong_calls():
    return [
        pytest.param(name, error.sample_input, id=f"{name}-{place}")
        for name in CONVOLUTIONS[:3]
        for place, error in enumerate(operators()[name].error_inputs("cpu"))
    ]


@pytest.mark.parametrize(("name", "sample"), wrong_calls())
def test_a_wrong_call_is_a_sentence(name, sample):
    """28 of torch's 30 wrong calls are errors with a sentence; padding -1 and "same" with a stride compute here."""
    x, w, b = (tensor.numpy() for tensor in (sample.input, *sample.args))
    if name == "conv3d" and (sample.kwargs.get("padding") == (-1,) or sample.kwargs.get("stride") == 2):
        y = convsym.conv3d(x, w, b, **sample.kwargs)
        assert y.shape[-3:] == ((1, 1, 1) if "groups" not in sample.kwargs else (5, 1, 5))
        return
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(convsym, name)(x, w, b, **sample.kwargs)
    sentence = str(caught.value)
    assert isinstance(caught.value, (ConvsymError, TypeError))
    assert len(sentence.split()) >= 6
    assert any(word in sentence for word in ("input", "weight", "bias", "stride", "dilation", "groups", "padding"))


def test_torch_has_thirty_wrong_calls():
    assert len(wrong_calls()) == 30
