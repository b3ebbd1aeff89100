"""The same training in torch: the same first weights, batches and optimizer give the same losses, step by step."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from convsym import autograd, nn
from convsym.digits import split_digits

torch = pytest.importorskip("torch", reason="the peer torch is not installed")

_SPEC = importlib.util.spec_from_file_location(
    "train_digits", Path(__file__).parents[2] / "docs" / "examples" / "train_digits.py"
)
digits = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(digits)

STEPS, BATCH = 150, 32


def lenet():
    """The network of `train_digits.lenet`, in torch."""
    layers = torch.nn
    return layers.Sequential(
        layers.Conv2d(1, 32, 3, padding=1), layers.ReLU(), layers.AvgPool2d(2),
        layers.Conv2d(32, 64, 3, padding=1), layers.ReLU(), layers.AvgPool2d(2),
        layers.Flatten(), layers.Linear(256, 128), layers.ReLU(), layers.Linear(128, 10),
    ).double()  # fmt: skip


def batches(steps):
    split, rng = split_digits(), np.random.default_rng(5)
    x, labels = digits.prepared(split.train_images, np.float64), split.train_labels.astype(np.int64)
    for _ in range(steps):
        rows = rng.choice(len(x), BATCH, replace=False)
        yield x[rows], labels[rows]


def losses(net, optimizer, steps=STEPS):
    """The loss of each batch before the step that it leads to, here or in torch."""
    theirs = isinstance(net, torch.nn.Module)
    cross_entropy = torch.nn.functional.cross_entropy if theirs else autograd.cross_entropy
    tensor = torch.from_numpy if theirs else np.asarray
    found = []
    for x, labels in batches(steps):
        optimizer.zero_grad()
        loss = cross_entropy(net(tensor(x)), tensor(labels))
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return np.array(found)


def pair(seed=0):
    """A network here and one in torch with the same weights."""
    net, peer = digits.lenet(np.random.default_rng(seed), np.float64), lenet()
    names = dict(peer.named_parameters())
    assert list(names) == list(net.named_parameters())
    with torch.no_grad():
        for name, parameter in net.named_parameters().items():
            names[name].copy_(torch.from_numpy(parameter.data))
    return net, peer


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (lambda p: nn.Adam(p, 1e-3), lambda p: torch.optim.Adam(p, 1e-3)),
        (lambda p: nn.SGD(p, 0.05, 0.9, 1e-4), lambda p: torch.optim.SGD(p, 0.05, 0.9, weight_decay=1e-4)),
    ],
    ids=["adam", "sgd"],
)
def test_the_loss_curve_is_torch_s(own, other):
    net, peer = pair()
    here = losses(net, own(net.parameters()))
    there = losses(peer, other(peer.parameters()))
    assert np.abs(here - there).max() < 1e-4
    assert here[-10:].mean() < 0.5 < 2 < here[0]  # something is learned on the way


def test_another_step_size_would_be_noticed():
    net, peer = pair()
    here = losses(net, nn.Adam(net.parameters(), 1.01e-3), 20)
    there = losses(peer, torch.optim.Adam(peer.parameters(), 1e-3), 20)
    assert np.abs(here - there).max() > 1e-4


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_optimizers_move_as_torch_s_do(decay):
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal((3, 4)), rng.standard_normal((20, 3, 4))
    for own, other in (
        (lambda p: nn.SGD(p, 0.1, 0.8, decay), lambda p: torch.optim.SGD(p, 0.1, 0.8, weight_decay=decay)),
        (lambda p: nn.SGD(p, 0.1), lambda p: torch.optim.SGD(p, 0.1)),
        (
            lambda p: nn.Adam(p, 0.1, (0.7, 0.9), 1e-4, decay),
            lambda p: torch.optim.Adam(p, 0.1, (0.7, 0.9), 1e-4, decay),
        ),
    ):
        here, there = autograd.tensor(start, requires_grad=True), torch.tensor(start, requires_grad=True)
        steps = own([here]), other([there])
        for gradient in gradients:
            here.grad, there.grad = autograd.tensor(gradient), torch.from_numpy(gradient)
            for optimizer in steps:
                optimizer.step()
        assert np.allclose(here.data, there.detach().numpy(), rtol=1e-12, atol=1e-14)
