"""PyTorch: models whose convolutions convsym computes: torch's own module inputs, state, and whole trainings."""

import copy

import numpy as np
import pytest

from convsym.digits import split_digits

torch = pytest.importorskip("torch", reason="the peer torch is not installed")
modules = pytest.importorskip(
    "torch.testing._internal.common_modules", reason="torch's test material needs the package expecttest"
)

from torch import nn  # noqa: E402  # there is none without the package
from torch.utils.checkpoint import checkpoint  # noqa: E402

from convsym.adapters import torch as adapter  # noqa: E402

torch.set_num_threads(1)
COUNTS = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), 16),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"), 2),
    **{"AvgPool1d": 4, "AvgPool2d": 7, "AvgPool3d": 15},
}


def inputs(name):
    """What torch's tests make a module of and call it with."""
    (info,) = (info for info in modules.module_db if info.module_cls is getattr(nn, name))
    torch.manual_seed(0)
    return list(
        info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=True, training=True)
    )


def outcome(model, x, further=()):
    """Output and all gradients."""
    y = model(x, *further)
    cotangent = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    return y, torch.autograd.grad(y, [x, *model.parameters()], cotangent)


def assert_replaced_is_same(model, x, further=()):
    twin = adapter.replace(copy.deepcopy(model))
    assert type(twin) is getattr(adapter, type(model).__name__)
    assert repr(twin) == repr(model)
    torch.testing.assert_close(outcome(twin, x, further), outcome(model, x, further), rtol=1e-11, atol=1e-11)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", COUNTS)
def test_modules_as_torch_tests_them(name):
    found = inputs(name)
    assert len(found) >= 2
    for sample in found:
        made = sample.constructor_input
        model = getattr(nn, name)(*made.args, **made.kwargs).double()
        (x,) = sample.forward_input.args
        assert_replaced_is_same(model, x.detach().requires_grad_())


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [1, "same", "valid", (2, 0)])
def test_padding_modes(mode, padding):
    model = nn.Conv2d(4, 6, (3, 2), padding=padding, padding_mode=mode, dilation=(1, 2), groups=2, dtype=torch.float64)
    assert_replaced_is_same(model, torch.randn(2, 4, 6, 7, dtype=torch.float64, requires_grad=True))


def test_windows_and_a_wanted_output_size():
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert_replaced_is_same(nn.Unfold((2, 3), 1, 1, (1, 2)), x)
    columns = nn.Unfold((2, 3), padding=1)(x).detach().requires_grad_()
    assert_replaced_is_same(nn.Fold((4, 5), (2, 3), padding=1), columns)
    assert_replaced_is_same(nn.ConvTranspose2d(3, 2, 3, 2, 1, dtype=torch.float64), x, [[8, 9]])
    assert_replaced_is_same(nn.AvgPool2d(3, 2, 1, True, False, 5), x)


def network(dtype):
    """A LeNet for the digits, with every kind of module that is replaced in two dimensions."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, padding_mode="reflect"), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(6, 12, 3, padding=1, groups=2), nn.ReLU(), nn.AvgPool2d(2),
        nn.ConvTranspose2d(12, 8, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10),
    ).to(dtype)  # fmt: skip


def losses(model, dtype, steps=120):
    """The losses of a training on the digits in batches of 64."""
    split = split_digits()
    images = torch.from_numpy(split.train_images.astype(np.float64)).to(dtype)[:, None] / 16
    labels = torch.from_numpy(split.train_labels.astype(np.int64))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    found = []
    for step in range(steps):
        batch = slice(64 * step % 1408, 64 * step % 1408 + 64)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return np.array(found)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-3)], ids=str)
def test_a_replaced_model_trains_to_the_same_losses(dtype, tolerance):
    model = network(dtype)
    twin = adapter.replace(copy.deepcopy(model))
    assert sum(type(module).__module__ == adapter.__name__ for module in twin) == 5
    truth, found = losses(model, dtype), losses(twin, dtype)
    assert truth[-5:].mean() < truth[:5].mean() / 3
    np.testing.assert_allclose(found, truth, rtol=tolerance)


def test_replaced_modules_are_the_same_objects():
    model = network(torch.float32)
    calls = []
    model[0].register_forward_hook(lambda *arguments: calls.append(len(arguments)))
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    state, first = copy.deepcopy(model.state_dict()), model[0]
    assert adapter.replace(model) is model
    assert model[0] is first
    assert isinstance(first, nn.Conv2d)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in state.items())
    assert optimizer.param_groups[0]["params"][0] is first.weight
    model(torch.zeros(1, 1, 8, 8))
    assert calls == [3]


def test_replaced_models_are_compiled_saved_recomputed_and_stacked(tmp_path):
    model = network(torch.float64)
    twins = [adapter.replace(network(torch.float64)) for _ in range(3)]
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(twins[0], backend="aot_eager", fullgraph=True)(x), model(x))
    torch.save(twins[0], tmp_path / "model")
    torch.testing.assert_close(torch.load(tmp_path / "model", weights_only=False)(x), model(x))
    torch.testing.assert_close(checkpoint(twins[0], x, use_reentrant=False), model(x))
    for scale, twin in enumerate(twins, 1):
        twin[0].weight.data *= scale
    parameters, buffers = torch.func.stack_module_state(twins)

    def called(*state):
        return torch.func.functional_call(twins[0], state, (x,))

    stacked = torch.vmap(called)(parameters, buffers)
    torch.testing.assert_close(stacked, torch.stack([twin(x) for twin in twins]))


def test_modules_of_other_classes_stay():
    class Own(nn.Conv2d):
        pass

    model = nn.Sequential(Own(1, 1, 1), nn.Linear(1, 1))
    assert [type(module) for module in adapter.replace(model)] == [Own, nn.Linear]
    with pytest.raises(TypeError, match=r"model is a list, and a torch\.nn\.Module is needed"):
        adapter.replace([model])
