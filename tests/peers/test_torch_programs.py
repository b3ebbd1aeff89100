"""PyTorch: random programs of many operations, through both tapes, in first and second order.

A program takes three arrays and applies operations to whatever it has so far, so that values are used several times,
broadcast, indexed and joined; its result is one number to which every value contributes.
"""

import random

import numpy as np
import pytest

import convsym
from convsym import autograd

torch = pytest.importorskip("torch", reason="the peer torch is not installed")
torch.set_num_threads(1)

SHAPES = ((2, 3), (3,), (2, 2, 5))
MOST = 200  # elements of a value

# Name: the number of operands, and the same on the tape and in torch; the last argument is a random integer ≥ 0.
OPS = {
    "add": (2, lambda a, b, k: a + b, lambda a, b, k: a + b),
    "mul": (2, lambda a, b, k: a * b, lambda a, b, k: a * b),
    "sub": (2, lambda a, b, k: 2 - a - b, lambda a, b, k: 2 - a - b),
    "div": (2, lambda a, b, k: a / (b * b + 1.5), lambda a, b, k: a / (b * b + 1.5)),
    "matmul": (2, lambda a, b, k: a @ b, lambda a, b, k: a @ b),
    "maximum": (2, lambda a, b, k: autograd.maximum(a, b + 0.123), lambda a, b, k: torch.maximum(a, b + 0.123)),
    "tanh": (1, lambda x, k: autograd.tanh(x), lambda x, k: torch.tanh(x)),
    "exp": (1, lambda x, k: autograd.exp(autograd.sin(x)), lambda x, k: torch.exp(torch.sin(x))),
    "relu": (1, lambda x, k: autograd.relu(x), lambda x, k: torch.relu(x)),
    "power": (1, lambda x, k: autograd.sigmoid(x) ** (k % 4), lambda x, k: torch.sigmoid(x) ** (k % 4)),
    "where": (1, lambda x, k: autograd.where(x > 0.1, 3 * x, abs(x)), lambda x, k: torch.where(x > 0.1, 3 * x, abs(x))),
    "detach": (1, lambda x, k: x * x.detach(), lambda x, k: x * x.detach()),
    "sum": (1, lambda x, k: x.sum(k % x.ndim), lambda x, k: x.sum(k % x.ndim)),
    "mean": (1, lambda x, k: x.mean(k % x.ndim, keepdims=True), lambda x, k: x.mean(k % x.ndim, keepdim=True)),
    "max": (1, lambda x, k: x.max(k % x.ndim), lambda x, k: x.max(k % x.ndim).values),
    "softmax": (1, lambda x, k: autograd.softmax(x, k % x.ndim), lambda x, k: torch.softmax(x, k % x.ndim)),
    "transpose": (1, lambda x, k: x.T, lambda x, k: x.permute(*range(x.ndim)[::-1])),
    "reshape": (1, lambda x, k: x.reshape(-1, 1), lambda x, k: x.reshape(-1, 1)),
    "element": (1, lambda x, k: x[k % len(x)], lambda x, k: x[k % len(x)]),
    "slice": (1, lambda x, k: x[..., 1:], lambda x, k: x[..., 1:]),
    "repeats": (1, lambda x, k: x[np.array([0, -1, 0])], lambda x, k: x[torch.tensor([0, -1, 0])]),
    "join": (1, lambda x, k: autograd.concatenate([x, 2 * x]), lambda x, k: torch.cat([x, 2 * x])),
    "stack": (1, lambda x, k: autograd.stack([x, -x]), lambda x, k: torch.stack([x, -x])),
    "flip": (1, lambda x, k: autograd.flip(x, 0), lambda x, k: x.flip(0)),
    "expand": (1, lambda x, k: autograd.broadcast_to(x, (2, *x.shape)), lambda x, k: x.expand(2, *x.shape)),
    "conv": (1, lambda x, k: autograd.conv1d(x, x[:, :, :2], padding=1, stride=1 + k % 2),
             lambda x, k: torch.conv1d(x, x[:, :, :2], padding=1, stride=1 + k % 2)),
    "pool": (1, lambda x, k: autograd.avg_pool1d(x, 2, padding=1), lambda x, k: torch.avg_pool1d(x, 2, padding=1)),
}  # fmt: skip


def program(seed):
    """Steps (operation, places of the operands, integer) that can be taken one after the other."""
    chance = random.Random(seed)
    values = [convsym.tensor(np.ones(shape)) for shape in SHAPES]
    steps = []
    while len(steps) < 4 + seed % 12:
        name = chance.choice(list(OPS))
        places = [chance.randrange(len(values)) for _ in range(OPS[name][0])]
        step = (name, places, chance.randrange(100))
        try:
            value = OPS[name][1](*(values[place] for place in places), step[2])
        except (ValueError, IndexError):
            continue  # these shapes do not fit the operation
        if value.ndim and 0 < value.size <= MOST:
            values.append(value)
            steps.append(step)
    return steps


def run(steps, leaves, world):
    """The result of a program on the tape (1) or in torch (2): all values go into it."""
    values = list(leaves)
    for name, places, k in steps:
        values.append(OPS[name][world](*(values[place] for place in places), k))
    total = values[-1].sum()
    for value in values[:-1]:
        total = total + 0.01 * (value * value).sum()
    return total


def taped(steps, arrays):
    """Result, gradients, and gradients of their squared length, on the tape."""
    leaves = [convsym.tensor(array, requires_grad=True) for array in arrays]
    total = run(steps, leaves, 1)
    total.backward(create_graph=True)
    first = [leaf.grad for leaf in leaves]
    length = sum((gradient * gradient).sum() for gradient in first)
    for leaf in leaves:
        leaf.grad = None
    length.backward()
    return [total.item(), *(gradient.data for gradient in first), *(leaf.grad.data for leaf in leaves)]


def expected(steps, arrays):
    """The same in torch."""
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    total = run(steps, leaves, 2)
    first = torch.autograd.grad(total, leaves, create_graph=True)
    second = torch.autograd.grad(sum((gradient * gradient).sum() for gradient in first), leaves)
    return [total.item(), *(gradient.detach().numpy() for gradient in first), *(each.numpy() for each in second)]


def differing(seed):
    """Whether the two tapes differ on a program."""
    arrays = [np.random.default_rng(seed).normal(size=shape) for shape in SHAPES]
    steps = program(seed)
    pairs = zip(taped(steps, arrays), expected(steps, arrays), strict=True)
    return not all(np.allclose(ours, theirs, rtol=1e-8, atol=1e-9 * np.abs(theirs).max()) for ours, theirs in pairs)


@pytest.mark.parametrize("seeds", [range(start, start + 50) for start in range(0, 300, 50)], ids=str)
def test_programs_have_the_same_derivatives(seeds):
    assert [seed for seed in seeds if differing(seed)] == []


def test_every_operation_occurs_often():
    taken = [name for seed in range(300) for name, _, _ in program(seed)]
    assert min(taken.count(name) for name in OPS) >= 10


def test_a_cotangent_that_is_lost_is_seen(monkeypatch):
    monkeypatch.setitem(OPS, "mul", (2, lambda a, b, k: a * b.detach(), OPS["mul"][2]))
    used = [seed for seed in range(60) if any(name == "mul" for name, _, _ in program(seed))]
    assert sum(map(differing, used)) == len(used) >= 10
