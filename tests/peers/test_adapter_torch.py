"""PyTorch: its own checkers on the operator and on every function, its transforms, compiler, exporter and autocast."""

import itertools

import numpy as np
import pytest
from adapted import CALLS, CONVOLUTIONS, LINEAR, assert_examples_run

import convsym
from convsym import ShapeError
from convsym.adapters import texts
from convsym.multilinear import average_pooling, convolution, folding, transposed_convolution

torch = pytest.importorskip("torch", reason="the peer torch is not installed")

from torch.autograd.gradcheck import GradcheckError  # noqa: E402  # there is none without the package
from torch.nn import functional  # noqa: E402

from convsym.adapters import torch as adapter  # noqa: E402
from convsym.adapters import torch_operator  # noqa: E402

torch.set_num_threads(1)
FORMS = (
    convolution(2, (2, 4, 3, 4), (2, 2, 2, 3), (1, 2), 1, groups=2),
    transposed_convolution(1, (2, 3), (2, 1, 2), 2),
    average_pooling(1, (1, 2, 5), 2),
    folding((4, 6), (7,), (2,)),
)


def tensors(call, dtype="float64"):
    return tuple(torch.from_numpy(array).requires_grad_() for array in call.arrays(dtype))


def test_examples():
    assert_examples_run(adapter)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: type(form).__name__)
def test_the_operator_is_a_good_one(form):
    for result in form.slots:
        first, second, *_ = (
            *(torch.randn(form.shapes[slot], requires_grad=True) for slot in form.slots if slot != result),
            None,
        )
        torch.library.opcheck(torch.ops.convsym.gather, (first, second, result, texts.write(form)))


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_values_and_first_derivatives_in_both_modes(call):
    operands = tensors(call)
    np.testing.assert_array_equal(call.of(adapter)(*operands).detach(), call.of(convsym)(*call.arrays()))
    function = call.of(adapter)
    assert torch.autograd.gradcheck(
        function, operands, check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True
    )


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_second_derivatives(call):
    assert torch.autograd.gradgradcheck(
        call.of(adapter), tensors(call), check_fwd_over_rev=True, check_batched_grad=True
    )


@pytest.mark.parametrize("call", CONVOLUTIONS, ids=str)
def test_complex_derivatives(call):
    operands = tensors(call, "complex128")
    assert torch.autograd.gradcheck(call.of(adapter), operands, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(call.of(adapter), operands, check_fwd_over_rev=True)


@pytest.mark.parametrize("call", [CONVOLUTIONS[0], LINEAR[1]], ids=str)
def test_the_operator_alone_has_derivatives(call):
    """As compilers and exported graphs call it."""
    form = convolution(1, (2, 4, 5), (4, 2, 2), 2, 1, 2, 2) if call is CONVOLUTIONS[0] else None
    form = form or average_pooling(2, (2, 4, 3), (2, 3), (1, 2), ceil_mode=True)
    text = texts.write(form)

    def alone(*operands):
        return torch.ops.convsym.gather(*operands, *(None,) * (2 - len(operands)), "y", text)

    operands = tensors(call)[: len(form.slots) - 1]
    assert torch.autograd.gradcheck(alone, operands)
    assert torch.autograd.gradgradcheck(alone, operands)


def test_a_derivative_by_the_wrong_operand_is_seen(monkeypatch):
    monkeypatch.setattr(torch_operator, "exchanged", lambda operands, wanted, result, g: {**operands, result: g + 1})
    with pytest.raises(GradcheckError):
        torch.autograd.gradcheck(CONVOLUTIONS[0].of(adapter), tensors(CONVOLUTIONS[0]))


def test_gradients_that_nobody_wants_are_not_computed(monkeypatch):
    computed, gather = [], torch_operator.gather

    def counted(form, result, operands):
        computed.append(result)
        return gather(form, result, operands)

    monkeypatch.setattr(torch_operator, "gather", counted)
    x, w, b = tensors(CONVOLUTIONS[1])
    CONVOLUTIONS[1].of(adapter)(x.detach(), w, b).sum().backward()
    assert computed == ["w"]


# -------------------------------------------------------------------------------------------------- transforms


def adapted(x, w, b=None):
    return adapter.conv2d(x, w, b, stride=(2, 1), padding=1, groups=2)


def own(x, w, b=None):
    return functional.conv2d(x, w, b, stride=(2, 1), padding=1, groups=2)


def loss(function):
    return lambda *operands: (function(*operands) ** 3).sum()


def operands(*lead):
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 4, 5, 4), (6, 2, 3, 2), (6,))
    return [torch.randn((*lead, *shape), generator=generator, dtype=torch.float64) for shape in shapes]


def assert_same(mine, theirs):
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("own_axes", [axes for axes in itertools.product((0, None), repeat=3) if 0 in axes])
def test_vmap(own_axes):
    arrays = [array if axis == 0 else array[0] for array, axis in zip(operands(3), own_axes, strict=True)]
    assert_same(torch.vmap(adapted, own_axes)(*arrays), torch.vmap(own, own_axes)(*arrays))
    first = [torch.vmap(torch.func.grad(loss(f), (0, 1, 2)), own_axes)(*arrays) for f in (adapted, own)]
    assert_same(*first)


def test_vmap_over_other_axes_and_within_vmap():
    x, w, _ = operands(3)
    x, w = x.movedim(0, 2), w.movedim(0, -1)
    assert_same(*(torch.vmap(f, (2, -1), 1)(x, w) for f in (adapted, own)))
    every = [torch.vmap(torch.vmap(f, (None, -1)), (2, None))(x, w) for f in (adapted, own)]
    assert every[0].shape[:2] == (3, 3)
    assert_same(*every)


@pytest.mark.parametrize("call", LINEAR, ids=str)
def test_vmap_of_what_is_linear(call):
    (x,) = call.arrays()
    stack = torch.from_numpy(np.stack([x, 2 * x, x + 1]))
    alone = torch.stack([call.of(adapter)(part) for part in stack])
    assert_same(torch.vmap(call.of(adapter))(stack), alone)


def test_functional_transforms():
    x, w, b = operands()
    for transform in (torch.func.grad, torch.func.hessian, lambda f: torch.func.jacrev(torch.func.jacfwd(f))):
        small = (x[:1, :, :3, :2], w[:, :, :2, :1], b)
        assert_same(*(transform(loss(f))(*small) for f in (adapted, own)))
    directions = [array + 1 for array in (x, w, b)]
    assert_same(*(torch.func.jvp(f, (x, w, b), tuple(directions)) for f in (adapted, own)))


def test_per_sample_gradients_and_hessian_vector_products():
    x, w, b = operands()
    assert_same(*(torch.vmap(torch.func.grad(loss(f), 1), (0, None, None))(x, w, b) for f in (adapted, own)))
    assert_same(*(torch.func.jvp(torch.func.grad(loss(f), 1), (x, w, b), (x, w, b))[1] for f in (adapted, own)))


# ------------------------------------------------------------------------------------- compiler, exporter, autocast


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_without_a_break_for_several_shapes():
    torch._dynamo.reset()
    compiled = torch.compile(loss(adapted), backend="aot_eager", fullgraph=True)
    for batch in (2, 3, 5):
        arrays = [array.requires_grad_() for array in operands()]
        arrays[0] = arrays[0].detach().repeat(batch, 1, 1, 1).requires_grad_()
        found = torch.autograd.grad(compiled(*arrays), arrays)
        assert_same(found, torch.autograd.grad(loss(own)(*arrays), arrays))


def test_an_exported_program_holds_the_operator():
    class Model(torch.nn.Module):
        def forward(self, x, w, b):
            return adapted(x, w, b)

    arrays = tuple(operands())
    program = torch.export.export(Model(), arrays)
    assert any(node.target is torch.ops.convsym.gather.default for node in program.graph.nodes)
    assert_same(program.module()(*arrays), own(*arrays))


@pytest.mark.parametrize("given", [torch.bfloat16, torch.float16, torch.float32])
def test_autocast_computes_in_float32(given):
    x, w, b = (array.float() for array in operands())
    x = x.to(given).requires_grad_()
    w.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = adapted(x, w, b)
        by_operator = torch.ops.convsym.gather(x, w, "y", texts.write(
            convolution(2, x.shape, w.shape, (2, 1), 1, groups=2)))  # fmt: skip
    assert y.dtype == by_operator.dtype == torch.float32
    torch.testing.assert_close(y, own(x.float(), w, b), rtol=1e-4, atol=1e-4)
    (y**2).sum().backward()
    assert x.grad.dtype == given
    assert w.grad.dtype == torch.float32


def test_other_memory_is_read_where_it_is():
    x, w, b = operands()
    strided = x.to(memory_format=torch.channels_last)
    assert_same(adapted(strided, w.transpose(2, 3), b), own(x, w.transpose(2, 3), b))
    z = torch.complex(x, x + 1)
    assert_same(adapted(z.conj(), torch.complex(w, w).conj()), own(z.conj(), torch.complex(w, w).conj()))
    assert_same(adapted(x.half(), w.half()).double(), convsym_half(x, w))
    assert adapted(x.to("meta"), w.to("meta")).shape == own(x, w).shape


def convsym_half(x, w):
    halves = (array.half().numpy() for array in (x, w))
    return torch.from_numpy(convsym.conv2d(*halves, stride=(2, 1), padding=1, groups=2)).double()


def test_errors_are_sentences():
    x, w, b = operands()
    with pytest.raises(TypeError, match=r"input is torch.bfloat16, and convsym computes .* under torch.autocast"):
        adapted(x.bfloat16(), w.bfloat16())
    with pytest.raises(TypeError, match="input is float64 but weight is float32, and dtypes are not mixed"):
        adapted(x, w.float())
    with pytest.raises(ShapeError, match=r"bias has shape \(1,\), and it must be \(6,\)"):
        adapted(x, w, b[:1])
    with pytest.raises(ShapeError, match="padding_mode='mirror' is not known"):
        adapter.conv2d(x, w, padding_mode="mirror")
