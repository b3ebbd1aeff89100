"""The tape: the seed's example, what is recorded, and the way back."""

import gc
import subprocess
import sys
import threading
import weakref
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import convsym
from convsym import ConvsymError, ShapeError, TapeError, autograd, tensor
from convsym.autograd import Function, enable_grad, is_grad_enabled, no_grad, nodes, replay
from convsym.autograd import tape as core


def leaf(*numbers):
    return tensor(list(numbers), requires_grad=True)


# -------------------------------------------------------------------------------------------------- the seed's example


def test_the_seeds_example():
    x = tensor([[1, 2], [3, 4]], requires_grad=True)
    y = x - 2
    assert repr(y.grad_fn).startswith("<SubBackward0 object at 0x")
    assert y.grad_fn.next_functions[0][0].variable is x
    z = 3 * y**2
    a = z.mean()
    assert a.item() == 4.5
    a.backward()
    assert isinstance(x.grad, autograd.Tensor)
    assert x.grad.tolist() == [[-1.5, 0.0], [1.5, 3.0]]
    names = [node.name() for node in nodes(a)]
    assert names == ["SubBackward0", "PowBackward0", "MulBackward0", "MeanBackward0"]
    assert y.grad_fn.next_functions[1] == (None, 0)
    assert y.grad_fn.next_functions[0][0].name() == "AccumulateGrad"


def test_the_seeds_example_with_fractions():
    half = Fraction(1, 2)
    x = tensor([[half, half * 3], [3, 4]], requires_grad=True)
    (3 * (x - 2) ** 2).mean().backward()
    assert x.grad.tolist() == [[Fraction(3, 2) * (value - 2) for value in row] for row in x.tolist()]


def test_how_a_tensor_prints():
    x = tensor([[1, 2], [3, 4]], requires_grad=True)
    assert repr(x) == "tensor([[1., 2.],\n        [3., 4.]], requires_grad=True)"
    assert repr(x.sum()) == "tensor(10., grad_fn=<SumBackward0>)"
    assert repr(tensor(np.float32([1]))) == "tensor([1.], dtype=float32)"


def test_the_core_is_short():
    assert len(Path(core.__file__).read_text(encoding="utf-8").splitlines()) <= 300


# ------------------------------------------------------------------------------------------------------------- leaves


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([1, 2], np.float64),
        (3, np.float64),
        ([True, False], np.float64),
        (np.arange(3), np.int64),
        (np.float32([1, 2]), np.float32),
        (np.int8(4), np.int8),
        ([[Fraction(1, 2)]], object),
    ],
)
def test_lists_become_float64_and_arrays_keep_their_dtype(data, dtype):
    assert tensor(data).dtype == dtype


def test_a_tensor_has_memory_of_its_own():
    array = np.ones(2)
    x = tensor(array)
    array[0] = 5
    assert x.tolist() == [1.0, 1.0]
    assert tensor(x).data is not x.data


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, np.complex128])
def test_what_has_no_gradient_is_a_type_error(dtype):
    with pytest.raises(TypeError, match=r"requires_grad=True is asked of dtype .*, and real floating-point numbers"):
        tensor(np.ones(2, dtype), requires_grad=True)


@pytest.mark.parametrize("data", ["abc", ["a"], [[1], [1, 2]], b"ab"])
def test_what_holds_no_numbers_is_a_type_error(data):
    with pytest.raises(TypeError, match=r"data (is a|makes no array)"):
        tensor(data)


@pytest.mark.parametrize("data", [None, [None, 1.0], object(), {}])
def test_objects_that_do_not_multiply_are_no_numbers(data):
    with pytest.raises(TypeError, match=r"data is a \w+ of dtype object, and a tensor holds numbers"):
        convsym.tensor(data)


def test_a_number_is_formatted_and_a_tensor_contains():
    loss = convsym.tensor([2.0, 4.0], requires_grad=True).mean()
    assert f"{loss:.2f}" == "3.00" and f"{loss}" == repr(loss)
    assert 2.0 in convsym.tensor([1.0, 2.0]) and 3.0 not in convsym.tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"the format '.1f' is for one number, and the tensor has shape \(2,\)"):
        format(convsym.tensor([1.0, 2.0]), ".1f")
    for look in (len, list):
        with pytest.raises(TypeError, match="a tensor of one number, without axes, has no length; item"):
            look(loss)


def test_numpys_functions_take_tensors_without_a_gradient_as_arrays():
    x = convsym.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.sum(x) == 10 and np.allclose(x, x.data) and np.stack([x, x]).shape == (2, 2, 2)
    x.requires_grad = True
    for function in (np.sum, np.concatenate, np.mean, np.linalg.norm):
        with pytest.raises(TypeError, match="a tensor with a gradient is no array"):
            function(x)


def test_a_complex_number_is_no_start():
    with pytest.raises(TapeError, match="is for one real number, and this one is complex"):
        (convsym.tensor([1.0], requires_grad=True) * 1j).sum().backward()


def test_a_hook_is_a_function():
    x = convsym.tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="hook is 'no', and it is a function that is called with the gradient"):
        x.register_hook("no")
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0]


def test_requires_grad_is_set_on_leaves_alone():
    x = tensor([1.0])
    x.requires_grad = True
    (x * 2).backward()
    assert x.grad.item() == 2.0
    with pytest.raises(TapeError, match=r"requires_grad is set on the result of MulBackward0.*x.detach\(\) is one"):
        (x * 2).requires_grad = True


# ----------------------------------------------------------------------------------------------------------- recording


def test_gradients_accumulate():
    x = leaf(1, 2)
    (x * x).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]
    x.grad = None
    x.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_tensor_used_often_gets_the_sum():
    x = leaf(3)
    y = x * x
    (y + y * x + x).backward()
    assert x.grad.tolist() == [2 * 3 + 3 * 9 + 1]


def test_the_graph_is_used_up_by_backward():
    x = leaf(1, 2)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(TapeError, match=r"MulBackward0 no longer has what its rule reads.*retain_graph=True"):
        y.backward()
    assert isinstance(TapeError("x"), RuntimeError)
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_arrays_are_let_go_by_backward_and_constants_stay():
    x, array = tensor(np.ones(1000), requires_grad=True), np.full(1000, 2.0)
    y = x * array
    z = (y * y).sum()
    kept = [node for node in nodes(z) if node.name() == "MulBackward0"]
    held = weakref.ref(y.data)
    del y
    assert held() is not None
    z.backward()
    assert held() is None
    assert kept[0].operands[1] is array
    assert replay(z, {x: np.zeros(1000)}) == 0.0


def test_addition_keeps_nothing():
    x = tensor(np.ones(1000), requires_grad=True)
    y = (x * 2) + (x * 3)
    assert y.grad_fn.operands == [None, None]
    assert y.grad_fn.value is None


def test_no_grad_records_nothing_and_enable_grad_does_again():
    x = leaf(1)
    with no_grad():
        assert not is_grad_enabled()
        y = x * 2
        with enable_grad():
            z = x * 2
    assert is_grad_enabled()
    assert not y.requires_grad
    assert z.requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert is_grad_enabled()


def test_no_grad_above_a_function():
    @no_grad()
    def double(x):
        return x * 2

    assert not double(leaf(1)).requires_grad
    assert is_grad_enabled()


def test_no_grad_holds_in_its_thread_alone():
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_detach_cuts():
    x = leaf(2)
    y = (x * x).detach()
    assert y.is_leaf
    assert not y.requires_grad
    (x * y).backward()
    assert x.grad.tolist() == [4.0]


def test_cotangents_of_what_is_no_number():
    x = leaf(1, 2, 3)
    y = x * x
    y.backward(gradient=[1, 0, 10])
    assert x.grad.tolist() == [2.0, 0.0, 60.0]
    with pytest.raises(TapeError, match=r"shape \(3,\); sum it up first, y.sum\(\).backward\(\), or say"):
        (x * x).backward()
    with pytest.raises(ShapeError, match=r"gradient has shape \(2,\), and the tensor has \(3,\)"):
        (x * x).backward([1, 2])


def test_a_leaf_is_its_own_gradient():
    x = leaf(5)
    x.backward()
    assert x.grad.tolist() == [1.0]


@pytest.mark.parametrize("make", [lambda: tensor([1.0]), lambda: tensor([1.0]) * 2])
def test_nothing_to_derive_is_told(make):
    with pytest.raises(TapeError, match=r"nothing that it was computed from has requires_grad=True.*no_grad\(\)"):
        make().backward()


def test_second_order():
    x = leaf(1, 2)
    (x**3).sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    assert first.tolist() == [3.0, 12.0]
    assert first.requires_grad
    (first * tensor([1, 10])).sum().backward()
    assert x.grad.tolist() == [6.0, 120.0]


def test_every_order():
    x = leaf(2)
    y = x**5
    for expected in (80, 160, 240, 240, 120):
        y.backward(create_graph=True)
        y, x.grad = x.grad, None
        assert y.tolist() == [expected]


def test_a_leaf_is_changed_in_place_where_nothing_is_recorded():
    x = leaf(1, 2)
    held = x
    (x * x).sum().backward()
    with no_grad():
        x -= 0.5 * x.grad
        x += 1.0
        x *= 4.0
        x /= 2.0
    assert x is held
    assert x.tolist() == [2.0, 2.0]
    with pytest.raises(TapeError, match=r"changed in place.*do it under convsym.autograd.no_grad\(\)"):
        x -= 1.0
    total = x * 0
    total += x
    total.sum().backward()
    assert x.grad.tolist() == [3.0, 5.0]


def test_gradients_of_results_are_kept_where_that_is_asked():
    x = tensor([1, 2]).requires_grad_()
    y = x * x
    y.retain_grad()
    x.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [2.0, 8.0]
    assert x.grad.tolist() == [4.0, 32.0]
    y.grad.data *= 0
    assert x.grad.tolist() == [4.0, 32.0]


def test_gradients_are_not_recorded_without_create_graph():
    x = leaf(2)
    (x * x).backward()
    assert not x.grad.requires_grad


# ------------------------------------------------------------------------------------------------------------- hooks


def test_hooks_see_gradients_and_may_change_them():
    x = leaf(1, 2)
    y = x * 2
    seen = []
    handle = y.register_hook(lambda dy: seen.append(dy.tolist()))
    y.register_hook(lambda dy: dy * 10)
    x.register_hook(lambda dx: dx + 1)
    y.backward([1, 2], retain_graph=True)
    assert seen == [[1.0, 2.0]]
    assert x.grad.tolist() == [21.0, 41.0]
    handle.remove()
    y.backward([1, 2])
    assert len(seen) == 1


def test_a_hook_of_a_leaf_is_called_once_with_the_sum():
    x, seen = leaf(1), []
    x.register_hook(lambda dx: seen.append(dx.item()))
    (x * 2 + x * 3).backward()
    assert seen == [5.0]


def test_a_hook_where_no_gradient_comes_and_one_of_a_wrong_shape():
    with pytest.raises(TapeError, match="a hook waits for a gradient, and this tensor gets none"):
        tensor([1.0]).register_hook(print)
    x = leaf(1, 2)
    x.register_hook(lambda dx: dx.sum())
    with pytest.raises(ShapeError, match=r"a hook gave shape \(\) for a gradient of shape \(2,\)"):
        x.sum().backward()


def test_a_hook_is_recorded_with_create_graph():
    x = leaf(3)
    x.register_hook(lambda dx: dx * dx)
    (x * x).backward(create_graph=True)
    first, x.grad, x.hooks = x.grad, None, ()
    first.backward()
    assert first.tolist() == [36.0]
    assert x.grad.tolist() == [24.0]


# ---------------------------------------------------------------------------------------------------------- functions


class Square(Function):
    @staticmethod
    def forward(ctx, x, scale):
        y = x * x * scale
        ctx.save_for_backward(x, y)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        assert y.tolist() == (x * x * ctx.scale).tolist()
        assert ctx.needs_input_grad == (True, False)
        return dy * x * (2 * ctx.scale), None


def test_a_function_of_ones_own():
    x = leaf(1, 2)
    y = Square.apply(x, 3.0)
    assert y.grad_fn.name() == "SquareBackward0"
    y.sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_a_function_of_ones_own_in_second_order():
    x = leaf(1, 2)
    Square.apply(x, 3.0).sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    first.sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


class Exponential(Function):
    @staticmethod
    def forward(ctx, x):
        y = autograd.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[0]


def test_a_saved_result_is_connected_and_no_cycle():
    x = leaf(0, 1)
    y = Exponential.apply(x)
    y.sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    first.sum().backward()
    assert np.array_equal(x.grad.data, np.exp([0.0, 1.0]))
    gc.collect()
    gc.disable()
    try:
        dead = weakref.ref(y.grad_fn)
        del y, first
        assert dead() is None
    finally:
        gc.enable()


class Wrong(Function):
    @staticmethod
    def forward(ctx, x, how):
        ctx.how = how
        return x.data if how == "array" else x * 2

    @staticmethod
    def backward(ctx, dy):
        return {"few": dy, "shape": (dy[:1].reshape(1, 1, 1), None)}[ctx.how]


@pytest.mark.parametrize(
    ("how", "error", "sentence"),
    [
        ("array", TypeError, "Wrong.forward gave a ndarray, and it gives one tensor"),
        ("few", TapeError, "Wrong.backward gave 1 gradients, and forward took 2 arguments; give one for each"),
        ("shape", ShapeError, r"WrongBackward0 gives a gradient of shape \(1, 1, 1\) for an operand of shape \(2,\)"),
    ],
)
def test_a_wrong_function_is_told(how, error, sentence):
    with pytest.raises(error, match=sentence):
        Wrong.apply(leaf(1, 2), how).sum().backward()


# ------------------------------------------------------------------------------------------------ arrays and tensors


@pytest.mark.parametrize("make", [lambda x, a: x - a, lambda x, a: a - x, lambda x, a: np.float64(3) * x / 2])
def test_arrays_and_numbers_compute_with_tensors(make):
    x, array = leaf(1, 2), np.array([3.0, 4.0])
    y = make(x, array)
    assert isinstance(y, autograd.Tensor)
    assert np.array_equal(y.data, make(x.data, array))


def test_comparisons_are_plain_arrays():
    x = leaf(1, 2, 3)
    for mask in (x > 2, x >= 3.0, np.full(3, 2.0) < x, x != np.array([1, 2, 4])):
        assert type(mask) is np.ndarray
        assert mask.tolist() == [False, False, True]
    assert x in [x]
    assert {x: 1}[x] == 1


@pytest.mark.parametrize("function", [np.exp, np.add.reduce, lambda x: np.add(x, 1, out=np.ones(2))])
def test_numpys_functions_do_not_lose_gradients_silently(function):
    with pytest.raises(TypeError, match=r"numpy\.\S+ takes no tensor.*convsym.autograd, or x.detach\(\).numpy\(\)"):
        function(leaf(1, 2))


def test_a_tensor_with_a_gradient_is_no_array():
    x = leaf(1, 2)
    with pytest.raises(TypeError, match=r"NumPy would lose the gradient; take the function of convsym.autograd"):
        np.asarray(x)
    with pytest.raises(TapeError, match=r"say so: x.detach\(\).numpy\(\)"):
        x.numpy()
    assert np.asarray(x.detach()).tolist() == x.detach().numpy().tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["conv1d", "avg_pool1d", "unfold"])
def test_numeric_functions_name_the_module_that_takes_tensors(name):
    second = np.ones((1, 1, 2)) if name == "conv1d" else (2,)
    with pytest.raises(TypeError, match=r"input is a tensor.*function of this name in convsym.autograd"):
        getattr(convsym, name)(tensor(np.ones((1, 1, 4))), second)


def test_an_element_cannot_be_written():
    with pytest.raises(TypeError, match=r"cannot be written.*convsym.autograd.where\(mask, value, x\)"):
        leaf(1, 2)[0] = 3


@pytest.mark.parametrize("other", [[1, 2], "a", None, np.ma.ones(2)])
def test_other_operands_are_told(other):
    with pytest.raises(TypeError, match=r"tensors compute with tensors, NumPy arrays and numbers; make it one"):
        leaf(1, 2) * other


def test_dtypes_promote_and_gradients_come_back_in_their_own():
    x, w = tensor(np.float32([1, 2]), requires_grad=True), tensor([3.0, 4.0], requires_grad=True)
    y = x * w
    assert y.dtype == np.float64
    y.sum().backward()
    assert (x.grad.dtype, w.grad.dtype) == (np.float32, np.float64)
    assert (x * 2.5).dtype == (x * np.float64(2.5)).dtype == np.float32


def test_errors_are_of_the_family():
    assert issubclass(TapeError, ConvsymError)
    assert convsym.TapeError is TapeError


# ----------------------------------------------------------------------------------------------------- who owns what


def test_gradients_own_their_memory():
    a, b, c = leaf(1, 2), leaf(3, 4), leaf(5, 6)
    given = np.array([1.0, 1.0])
    (a + b + c.reshape(1, 2).reshape(2)).backward(given)
    for gradient in (a.grad, b.grad, c.grad):
        assert gradient.data.flags.writeable
        gradient.data *= 2
    assert a.grad.tolist() == b.grad.tolist() == c.grad.tolist() == [2.0, 2.0]
    assert given.tolist() == [1.0, 1.0]


def test_a_shared_gradient_would_be_seen():
    """The mutant: without copies the two leaves of a sum would share their gradient."""
    a, b = leaf(1, 2), leaf(3, 4)
    found = core.pull_back([(a + b, [1, 1])], keep=False, again=False)
    assert np.shares_memory(found[a], found[b])


def test_an_array_of_the_callers_is_not_written_to():
    x, array = leaf(1, 2), np.array([3.0, 4.0])
    (x * array).sum().backward()
    x.grad.data += 1
    assert array.tolist() == [3.0, 4.0]


def test_no_cycles_are_left_behind():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1, 2)
        z = autograd.exp(x) / (x + 1)
        z.retain_grad()
        y = z.max()
        y.backward(create_graph=True)
        dead = [weakref.ref(node) for node in nodes(y)]
        x.grad = None
        del y, z
        assert [each() for each in dead] == [None] * len(dead)
    finally:
        gc.enable()


def test_a_long_chain_is_walked_and_let_go():
    x = leaf(1)
    y = x
    for _ in range(20_000):
        y = y + 0.0
    y.backward()
    assert x.grad.tolist() == [1.0]
    del y


# ------------------------------------------------------------------------------------------------------------- replay


def test_a_graph_is_replayed_on_other_leaves():
    x, w = leaf(1, 2), leaf(3, 4)
    y = (autograd.exp(x) * w - x[0]).sum()
    y.backward()
    other = np.array([0.5, -1.0])
    assert replay(y, {x: other}) == (np.exp(other) * w.data - other[0]).sum()
    assert replay(x, {x: other}) is other
    assert replay(y, {}) == y.data


# -------------------------------------------------------------------------------------------------------------- memory

STEPS = """
import resource, sys
import numpy as np
from convsym import autograd, tensor
random = np.random.default_rng(0)
x = random.standard_normal((2, 1, 12, 12))
w, b, v = (tensor(random.standard_normal(shape), requires_grad=True) for shape in ((4, 1, 3, 3), (4,), (10, 100)))

def step(again):
    h = autograd.avg_pool2d(autograd.relu(autograd.conv2d(x, w, b)), 2)
    loss = autograd.cross_entropy(autograd.linear(h.reshape(2, 100), v), np.array([1, 7]))
    loss.backward(create_graph=again)
    for p in (w, b, v):
        p.data -= 0.01 * p.grad.data
        p.grad = None

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

steps = int(sys.argv[1])
for count in range(steps // 10):
    step(count % 2)
start = resident()
for count in range(steps):
    step(count % 2)
print(resident() - start)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_memory_does_not_drift_over_ten_thousand_steps():
    ran = subprocess.run([sys.executable, "-c", STEPS, "10000"], capture_output=True, text=True, check=True)
    assert int(ran.stdout) <= 2 << 20
