"""PyTorch: the samples of its own operator tests (OpInfo) through the tape, in first and second order.

Every sample of every operator that the tape has is computed twice, by torch and by the tape, from the same numbers:
the result, the gradients for a random cotangent, and the gradients of these for random cotangents.
"""

from functools import cache

import numpy as np
import pytest

from convsym import autograd
from convsym.autograd import vjp

torch = pytest.importorskip("torch", reason="the peer torch is not installed")
methods = pytest.importorskip(
    "torch.testing._internal.common_methods_invocations", reason="torch's test material needs the package expecttest"
)
torch.set_num_threads(1)

# ------------------------------------------------------------------------------- torch's calls, in the tape's own words


def binary(function):
    def call(a, b, alpha=1):
        return function(a, b if alpha == 1 else alpha * b)

    return call


def divided(a, b, rounding_mode=None):
    assert rounding_mode is None
    return autograd.div(a, b)


def reduced(function):
    def call(x, dim=None, keepdim=False, dtype=None):
        axis = dim if isinstance(dim, int) or dim is None else tuple(dim) or None
        return function(x, axis if x.ndim else None, keepdim)

    return call


def along(function):
    """A number is an array of one element here, as torch takes it."""

    def call(x, dim=-1, keepdim=None, dtype=None):
        axis = dim if isinstance(dim, int) else tuple(dim) or None
        t = x if x.ndim else x.reshape(1)
        y = function(t, axis) if keepdim is None else function(t, axis, keepdim)
        return y if x.ndim else y.reshape(())

    return call


def shaped(x, *shape):
    return x.reshape(*shape)


def permuted(x, dims):
    return autograd.transpose(x, dims)


def exchanged(x, dim0, dim1):
    return x.swapaxes(dim0, dim1) if x.ndim else x


def unsqueezed(x, dim):
    return autograd.expand_dims(x, dim)


def squeezed(x, dim=None):
    sizes = [dim] if isinstance(dim, int) else dim
    if sizes is None:
        return autograd.squeeze(x)
    return autograd.squeeze(x, [each for each in sizes if x.ndim and x.shape[each] == 1])


def expanded(x, shape):
    lead = len(shape) - x.ndim
    return autograd.broadcast_to(x, [x.shape[i - lead] if size == -1 else size for i, size in enumerate(shape)])


def moved(x, source, destination):
    return autograd.moveaxis(x, source, destination) if x.ndim else x


def joined(tensors, dim=0):
    full = [x for x in tensors if x.shape != (0,)]  # torch takes these beside arrays of more axes
    return autograd.concatenate(full or tensors, dim)


def parts(x, split_size_or_sections, dim=0):
    return tuple(autograd.split(x, split_size_or_sections, dim))


def taken(x, key):
    return x[key]


def flattened(x, start_dim=0, end_dim=-1):
    return autograd.flatten(x, start_dim, end_dim)


def reversed_along(x, dims):
    return autograd.flip(x, dims) if x.ndim else x


def pooled(function):
    def call(x, kernel_size, stride=None, *others, **knobs):
        return function(x, kernel_size, stride if stride != () else None, *others, **knobs)

    return call


def padded(x, pad, mode="constant", value=None):
    modes = {"constant": "zeros", "circular": "circular", "reflect": "reflect", "replicate": "replicate"}
    pairs = tuple(zip(pad[::2], pad[1::2], strict=True))[::-1]
    return autograd.pad(x, pairs, modes[mode], value or 0.0)


def clamped(x, min=None, max=None):
    if all(bound is None or isinstance(bound, (int, float)) for bound in (min, max)):
        return autograd.clip(x, -np.inf if min is None else min, np.inf if max is None else max)
    y = x if min is None else autograd.maximum(x, min)
    return y if max is None else autograd.minimum(y, max)


def smooth(x, beta=1.0, threshold=20.0):
    return autograd.where(x * beta > threshold, x, autograd.softplus(x * beta) / beta)


def exponential(x, alpha=1.0, inplace=False):
    return autograd.elu(x, alpha)


def unfolded(x, kernel_size, dilation=1, padding=0, stride=1):
    return autograd.unfold(x, kernel_size, dilation, padding, stride)


def chosen(a, condition, b):
    return autograd.where(condition, a, b)


def squares(x, target, size_average=None, reduce=None, reduction="mean"):
    return autograd.mse_loss(x, target, reduction)


CALLS = {
    "add": binary(autograd.add),
    "sub": binary(autograd.sub),
    "mul": autograd.mul,
    "div": divided,
    "pow": autograd.pow,
    "maximum": autograd.maximum,
    "minimum": autograd.minimum,
    "clamp": clamped,
    "where": chosen,
    "sum": reduced(autograd.sum),
    "mean": reduced(autograd.mean),
    "max": reduced(autograd.max),
    "min": reduced(autograd.min),
    "logsumexp": along(autograd.logsumexp),
    "softmax": along(autograd.softmax),
    "log_softmax": along(autograd.log_softmax),
    "matmul": autograd.matmul,
    "mm": autograd.matmul,
    "bmm": autograd.matmul,
    "mv": autograd.matmul,
    "dot": autograd.matmul,
    "reshape": shaped,
    "view": shaped,
    "flatten": flattened,
    "permute": permuted,
    "transpose": exchanged,
    "unsqueeze": unsqueezed,
    "squeeze": squeezed,
    "expand": expanded,
    "broadcast_to": expanded,
    "movedim": moved,
    "cat": joined,
    "stack": autograd.stack,
    "split": parts,
    "flip": reversed_along,
    "__getitem__": taken,
    "nn.functional.relu": lambda x, inplace=False: autograd.relu(x),
    "nn.functional.leaky_relu": lambda x, negative_slope=0.01: autograd.leaky_relu(x, negative_slope),
    "nn.functional.elu": exponential,
    "nn.functional.softplus": smooth,
    "nn.functional.linear": autograd.linear,
    "nn.functional.mse_loss": squares,
    "nn.functional.cross_entropy": autograd.cross_entropy,
    "nn.functional.pad": padded,
    "nn.functional.unfold": unfolded,
} | {
    name: getattr(autograd, name)
    for name in "neg reciprocal square sqrt exp log sin cos tan asin acos atan sinh cosh tanh sigmoid abs".split()
}
CALLS |= {
    f"nn.functional.{name}{rank}d": getattr(autograd, f"{name}{rank}d")
    for name in ("conv", "conv_transpose")
    for rank in (1, 2, 3)
} | {f"nn.functional.avg_pool{rank}d": pooled(getattr(autograd, f"avg_pool{rank}d")) for rank in (1, 2, 3)}
VARIANTS = {"max": ("reduction_with_dim", "reduction_no_dim"), "min": ("reduction_with_dim", "reduction_no_dim")}
VARIANTS |= {"div": ("no_rounding_mode",), "nn.functional.pad": ("constant", "reflect", "replicate", "circular")}


@cache
def samples(name):
    """The samples of an operator in double precision, in torch's own order."""
    wanted = VARIANTS.get(name, ("",))
    found = [op for op in methods.op_db if op.name == name and op.variant_test_name in wanted]
    torch.manual_seed(0)
    return [sample for op in found for sample in op.sample_inputs("cpu", torch.float64, requires_grad=True)]


def mapped(tree, make):
    """A call's arguments with its tensors replaced."""
    if isinstance(tree, (list, tuple)):
        return type(tree)(mapped(each, make) for each in tree)
    if isinstance(tree, dict):
        return {key: mapped(each, make) for key, each in tree.items()}
    return make(tree) if isinstance(tree, torch.Tensor) else tree


def leaves_of(sample):
    """The tensors of a sample that gradients are by."""
    found = []
    mapped((sample.input, sample.args, sample.kwargs), lambda t: found.append(t) if t.requires_grad else None)
    return found


def several(values):
    return values if isinstance(values, tuple) else (values,)


def by_torch(name, sample):
    """Results, cotangents, gradients, cotangents of these, and gradients of the gradients."""
    op = next(op for op in methods.op_db if op.name == name and op.variant_test_name in VARIANTS.get(name, ("",)))
    leaves = leaves_of(sample)
    result = op(sample.input, *sample.args, **sample.kwargs)
    results = tuple(y for y in (result if isinstance(result, (tuple, list)) else (result,)) if y.is_floating_point())
    generator = torch.Generator().manual_seed(1)

    def like(t):
        return torch.randn(t.shape, generator=generator, dtype=torch.float64)

    cotangents = [like(y).requires_grad_() for y in results]
    first = torch.autograd.grad(results, leaves, cotangents, create_graph=True)
    directions = [like(x) for x in leaves]
    second = [None] * (len(leaves) + len(results))
    connected = [(dx, t) for dx, t in zip(first, directions, strict=True) if dx.requires_grad]
    if connected:
        ones, others = zip(*connected, strict=True)
        second = torch.autograd.grad(ones, (*leaves, *cotangents), others, allow_unused=True)
    zeros = [*leaves, *cotangents]
    second = [torch.zeros_like(x) if dx is None else dx for dx, x in zip(second, zeros, strict=True)]
    groups = (results, cotangents, first, directions, second)
    return [[t.detach().numpy(force=True) for t in group] for group in groups]


def by_tape(name, sample, cotangents, directions):
    """Results, gradients, and gradients of the gradients."""
    leaves = leaves_of(sample)
    values = [t.detach().numpy() for t in leaves]
    place = {id(t): index for index, t in enumerate(leaves)}

    def call(*given):
        def make(t):
            return given[place[id(t)]] if id(t) in place else t.numpy()

        arguments = mapped(tuple(sample.args), make)
        return CALLS[name](mapped(sample.input, make), *arguments, **mapped(dict(sample.kwargs), make))

    def gradients(*given):
        return vjp(call, *given[: len(values)])[1](*given[len(values) :])

    results, pullback = vjp(call, *values)
    first = pullback(*cotangents)
    second = vjp(gradients, *values, *cotangents)[1](*directions)
    return [[t.data for t in group] for group in (several(results), first, second)]


def apart(mine, known):
    """How far results are from each other, as a part of the largest number."""
    scale = max((float(np.abs(each).max(initial=0)) for each in known), default=0) or 1.0
    return max((float(np.abs(a - b).max(initial=0)) for a, b in zip(mine, known, strict=True)), default=0.0) / scale


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_samples(name):
    for sample in samples(name):
        results, cotangents, first, directions, second = by_torch(name, sample)
        mine = by_tape(name, sample, cotangents, directions)
        for order, (ours, known) in enumerate(zip(mine, (results, first, second), strict=True)):
            assert [a.shape for a in ours] == [b.shape for b in known], (order, sample)
            assert apart(ours, known) <= 1e-10, (order, sample)


def test_no_sample_is_missed():
    """As many as torch 2.13 has; every one has tensors that gradients are by."""
    assert sum(len(samples(name)) for name in CALLS) == 754
    assert all(leaves_of(sample) for name in CALLS for sample in samples(name))


def test_a_wrong_gradient_would_be_seen():
    """The mutant: a sine whose slope is that of a cosine differs in the first order."""
    sample = samples("sin")[0]
    results, cotangents, first, directions, second = by_torch("sin", sample)
    mine = by_tape("cos", sample, cotangents, directions)
    assert all(apart(ours, known) > 1e-3 for ours, known in zip(mine, (results, first, second), strict=True))
