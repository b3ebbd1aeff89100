"""What each dtype means: halves are rounded once, complex gradients are adjoints, integers wrap, objects are exact."""

from fractions import Fraction
from functools import cache
from random import Random

import numpy as np
import pytest
import reference
import sympy
from cases import Case
from specs import MODES, spec

import convsym
from convsym import KernelError, gate, grad

INTEGERS = gate.INTEGERS
RANKS = (1, 2, 3, 4, 5)


def results(op, x, w, b, dy, of_x, of_w, **knobs):
    """Every result of an op (True for the transposed one) and of its gradients, by name."""
    forward, prefix = (convsym.conv_transpose, "conv_transpose") if op else (convsym.conv, "conv")
    names = "input weight bias backward jvp hvp double_backward".split()
    by = {name: getattr(grad, f"{prefix}_{name}") for name in names}
    backward = by["backward"](dy, x, w, **knobs)
    second = by["double_backward"](of_x, of_w, b, dy, x, w, **knobs)
    product = by["hvp"](dy, x, w, of_x, of_w, **knobs)
    return {
        "y": forward(x, w, b, **knobs),
        "y without bias": forward(x, w, **knobs),
        "dx": by["input"](x.shape, w, dy, **knobs),
        "dw": by["weight"](x, w.shape, dy, **knobs),
        "dw of each": by["weight"](x, w.shape, dy, reduce_batch=False, **knobs),
        "db": by["bias"](dy, w.ndim - 2),
        "jvp": by["jvp"](x, w, of_x, of_w, b, **knobs),
        **{f"backward {place}": value for place, value in enumerate(backward)},
        **{f"hvp {place}": value for place, value in enumerate(product)},
        **{f"second {place}": value for place, value in enumerate(second)},
    }


def arguments(op, dtype, rank=1, seed=0):
    """Arrays of an op with groups=2 and padding=1 and a kernel of 3: x, w, b, dy and directions."""
    random = np.random.default_rng([seed, rank, op])
    size = (5, 4, 3, 2, 2)[:rank]
    kernel = (3, 3, 2, 2, 2)[:rank]
    x, w = (2, 4, *size), ((4, 3, *kernel) if op else (6, 2, *kernel))
    pads = ((1, 1),) * rank
    y = (2, 6, *(n + 2 - (k - 1) if not op else n - 2 + k - 1 for n, k in zip(size, kernel, strict=True)))
    shapes = x, w, (6,), y, x, w
    found = []
    for shape in shapes:
        values = random.integers(-3, 4, shape)
        if np.dtype(dtype).kind == "c":
            values = values + 1j * random.integers(-3, 4, shape)
        found.append(values.astype(dtype))
    return found, dict(groups=2, padding=pads)


@pytest.mark.parametrize("op", [False, True], ids=["conv", "conv_transpose"])
@pytest.mark.parametrize("dtype", gate.DTYPES)
def test_every_result_has_the_dtype_of_the_operands(dtype, op):
    for rank in RANKS if dtype != "object" else (1, 2):
        arrays, knobs = arguments(op, dtype, rank)
        found = results(op, *arrays, **knobs)
        assert {name: value.dtype for name, value in found.items()} == dict.fromkeys(found, np.dtype(dtype))
        if np.dtype(dtype).kind not in "ub" and rank < 3:  # small integers are exact everywhere, so all dtypes agree
            plain = results(op, *(a.real.astype("int64") for a in arrays), **knobs)
            real = results(op, *(a.real.astype(dtype) for a in arrays), **knobs)
            assert all((real[name] == plain[name].astype(dtype)).all() for name in plain)


@pytest.mark.parametrize("op", [False, True], ids=["conv", "conv_transpose"])
@pytest.mark.parametrize("mode", MODES)
def test_half_numbers_are_single_ones_rounded_once(mode, op):
    arrays, knobs = arguments(op, "float32")
    halves = [(a * np.float32(0.337)).astype("float16") for a in arrays]
    knobs |= dict(padding_mode=mode, flip=True)
    wide = results(op, *(a.astype("float32") for a in halves), **knobs)
    found = results(op, *halves, **knobs)
    expected = {name: value.astype("float16") for name, value in wide.items()}
    assert {name: value.tobytes() for name, value in found.items()} == {
        name: value.tobytes() for name, value in expected.items()
    }
    assert any((expected[name].astype("float32") != wide[name]).any() for name in wide)  # something was rounded


def test_half_sums_may_pass_what_a_half_can_hold():
    x, w = np.full((1, 3), 60000, "float16"), np.array([[[1, 1, -1]]], "float16")
    assert convsym.conv1d(x, w)[0, 0] == 60000
    assert convsym.conv1d(x, abs(w))[0, 0] == np.inf
    assert grad.conv1d_bias(np.array([[60000, 60000, -60000]], "float16"))[0] == 60000
    few = np.array([[[2048, 1, 1]]], "float16")  # 2048 + 1 is no half
    assert convsym.conv1d(np.ones((1, 3), "float16"), few)[0, 0] == 2050
    bias = np.array([-60000], "float16")
    assert convsym.conv1d(x, abs(w), bias)[0, 0] == np.inf  # 120000, which is infinite for a half
    assert convsym.conv1d(x[:, :2], abs(w[..., :2]), bias)[0, 0] == 60000


def embedded(z, axis):
    """A complex array as a real one with twice the channels: (re, im) in turn."""
    pair = np.stack([z.real, z.imag], axis + 1)
    shape = list(z.shape)
    shape[axis] *= 2
    return pair.reshape(shape)


def embedded_weight(w):
    """The real kernel that does to (re, im) what w does to complex numbers; output and input channels come first."""
    rows = [np.stack([w.real, -w.imag], 2), np.stack([w.imag, w.real], 2)]
    both = np.stack(rows, 1)
    return both.reshape(2 * w.shape[0], 2 * w.shape[1], *w.shape[2:])


def extracted_weight(g, shape):
    """The adjoint of `embedded_weight`: a real gradient as a complex one."""
    parts = g.reshape(shape[0], 2, shape[1], 2, *shape[2:])
    re = parts[:, 0, :, 0] + parts[:, 1, :, 1]
    im = parts[:, 1, :, 0] - parts[:, 0, :, 1]
    return re + 1j * im


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("mode", MODES)
def test_complex_convolutions_and_adjoints_are_those_of_the_real_embedding(mode, dtype):
    (x, w, b, dy, *_), knobs = arguments(False, dtype)
    knobs |= dict(padding_mode=mode, stride=2, input_dilation=2, flip=True)
    y = convsym.conv(x, w, b, **knobs)
    real = convsym.conv(embedded(x, 1), embedded_weight(w), embedded(b, 0), **knobs)
    assert (embedded(y, 1) == real).all()
    dy = dy[..., : y.shape[-1]].copy()
    dx, dw, db = grad.conv_backward(dy, x, w, **knobs)
    of_x, of_w, of_b = grad.conv_backward(embedded(dy, 1), embedded(x, 1), embedded_weight(w), **knobs)
    assert (embedded(dx, 1) == of_x).all()
    assert (dw == extracted_weight(of_w, w.shape)).all()
    assert (embedded(db, 0) == of_b).all()


def real_inner(a, b):
    return int((np.conj(a) * b).sum().real)


@pytest.mark.parametrize("op", [False, True], ids=["conv", "conv_transpose"])
def test_second_order_gradients_of_complex_numbers_are_differences(op):
    (x, w, b, dy, of_x, of_w), knobs = arguments(op, "complex128")
    prefix = "conv_transpose" if op else "conv"
    backward, double = (getattr(grad, f"{prefix}_{name}") for name in ("backward", "double_backward"))
    cotangents = of_x, of_w, b

    def phi(dy, x, w):
        return sum(map(real_inner, cotangents, backward(dy, x, w, **knobs)))

    found = double(*cotangents, dy, x, w, **knobs)
    moved, _ = arguments(op, "complex128", seed=1)
    directions = moved[3], moved[0], moved[1]
    here = dy, x, w
    for place, gradient in enumerate(found):
        there = [a + directions[place] if place == other else a for other, a in enumerate(here)]
        assert real_inner(gradient, directions[place]) == phi(*there) - phi(*here)


@pytest.mark.parametrize("number", range(12))
def test_complex_gradients_are_those_of_torch(number):
    torch = pytest.importorskip("torch")
    s = spec(Random(number).choice, modes=("zeros",), input_dilation=1, flip=False, padding=(1, 1))
    random = np.random.default_rng(number)

    def numbers(shape):
        return (random.integers(-4, 5, shape) + 1j * random.integers(-4, 5, shape)).astype("complex128")

    x, w = numbers(s.x_shape), numbers(s.w_shape)
    knobs = dict(stride=s.stride, padding=(1,) * s.rank, dilation=s.dilation, groups=s.groups)
    tx, tw = (torch.tensor(a, requires_grad=True) for a in (x, w))
    try:
        y = convsym.conv(x, w, **knobs)
    except convsym.ShapeError:
        pytest.skip("the kernel does not fit")
    ty = getattr(torch.nn.functional, f"conv{s.rank}d")(tx, tw, **knobs)
    assert (ty.detach().numpy() == y).all()
    dy = numbers(y.shape)
    expected = torch.autograd.grad(ty, (tx, tw), torch.tensor(dy), create_graph=True)
    found = grad.conv_backward(dy, x, w, needs=("input", "weight"), **knobs)
    assert all((e.detach().numpy() == f).all() for e, f in zip(expected, found[:2], strict=True))
    # Second order: what torch makes of cotangents of dx and dw.
    of_x, of_w = numbers(x.shape), numbers(w.shape)
    tdy = torch.tensor(dy, requires_grad=True)
    first = torch.autograd.grad(ty, (tx, tw), tdy, create_graph=True)
    cotangents = torch.tensor(of_x), torch.tensor(of_w)
    expected = torch.autograd.grad(first, (tdy, tx, tw), cotangents, allow_unused=True)
    found = grad.conv_double_backward(of_x, of_w, None, dy, x, w, **knobs)
    assert all((e.numpy() == f).all() for e, f in zip(expected, found, strict=True))


@cache
def triples(case):
    outputs = reference.output_size(case.inputs, case.kernel, case.stride, case.dilation, case.padding)
    knobs = case.inputs, case.kernel, outputs, case.stride, case.dilation, case.padding
    return outputs, tuple(reference.relation(case.batch, case.groups, case.channels, *knobs))


WRAPPING = {
    rank: Case(
        (5, 4, 3, 2, 2)[:rank],
        (3, 2, 2, 2, 1)[:rank],
        (2, 1, 1, 1, 1)[:rank],
        ((1, 2), (0, 1), (1, 0), (-1, 1), (0, 0))[:rank],
        (1, 2, 1, 1, 1)[:rank],
        2,
        (1, 2),
        1 + (rank < 3),
    )
    for rank in RANKS
}


def wrapped(places, shape, dtype):
    """Python integers modulo 2**n."""
    bits = 8 * np.dtype(dtype).itemsize
    result = np.zeros(shape, dtype)
    for place, value in places.items():
        value %= 2**bits
        result[place] = value - 2**bits if value > np.iinfo(dtype).max else value
    return result


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("rank", RANKS)
def test_integers_are_exact_modulo_their_size(rank, dtype):
    case = WRAPPING[rank]
    into, out = case.channels
    outputs, points = triples(case)
    random, bounds = np.random.default_rng(rank), np.iinfo(dtype)
    x_shape, w_shape = (case.batch, 2 * into, *case.inputs), (2 * out, into, *case.kernel)
    x, w, dy, b = (
        random.integers(bounds.min, bounds.max, shape, dtype, endpoint=True)
        for shape in (x_shape, w_shape, (case.batch, 2 * out, *outputs), (2 * out,))
    )
    as_dict = [{place: int(value) for place, value in np.ndenumerate(a)} for a in (x, w, dy)]
    plain = reference.convolution(*as_dict[:2], points)
    dx, dw, db = reference.gradients(*as_dict, points)
    biased = {(n, k, *o): plain.get((n, k, *o), 0) + int(b[k]) for n, k, *o in np.ndindex(dy.shape)}
    knobs = dict(stride=case.stride, padding=case.padding, dilation=case.dilation, groups=2)
    for algorithm in ("direct", "auto"):
        knobs["algorithm"] = algorithm
        found = {
            "y": (convsym.conv(x, w, b, **knobs), biased, dy.shape),
            "dx": (grad.conv_input(x.shape, w, dy, **knobs), dx, x.shape),
            "dw": (grad.conv_weight(x, w.shape, dy, **knobs), dw, w.shape),
            "db": (grad.conv_bias(dy, rank), db, b.shape),
        }
        for name, (value, places, shape) in found.items():
            expected = wrapped(places, shape, dtype)
            assert value.dtype == expected.dtype, name
            assert (value == expected).all(), name


def test_a_saturating_sum_would_be_seen():
    """What wraps is not what clips: the case has sums beyond every dtype."""
    case = WRAPPING[1]
    outputs, points = triples(case)
    x = {(n, c, i): 127 for n in range(2) for c in range(2) for i in range(5)}
    w = {(k, c, r): 127 for k in range(4) for c in range(1) for r in range(3)}
    y = reference.convolution(x, w, points)
    clipped = np.zeros((2, 4, *outputs), "int8")
    for place, value in y.items():
        clipped[place] = np.clip(value, -128, 127)
    found = convsym.conv(np.full((2, 2, 5), 127, "int8"), np.full((4, 1, 3), 127, "int8"), None, 2, ((1, 2),), groups=2)
    assert (found != clipped).any()
    assert (found == wrapped(y, clipped.shape, "int8")).all()


def fractions(shape, seed):
    random, count = Random(seed), int(np.prod(shape))
    return np.array([Fraction(random.randint(-9, 9), random.randint(1, 9)) for _ in range(count)]).reshape(shape)


@pytest.mark.parametrize("mode", MODES)
def test_fractions_stay_fractions(mode):
    """Against the same numbers over one denominator, in integers."""
    x, w, b, dy = (fractions(shape, seed) for seed, shape in enumerate([(1, 2, 4), (2, 1, 3), (2,), (1, 2, 7)]))
    knobs = dict(groups=2, padding=((1, 1),), padding_mode=mode, input_dilation=2)
    whole = 2520  # a multiple of 1 … 9
    ints = [np.array([int(v * whole) for v in a.flat], "int64").reshape(a.shape) for a in (x, w, b, dy)]
    y = convsym.conv(x, w, b, **knobs)
    expected = convsym.conv(*ints[:2], ints[2] * whole, **knobs)
    assert {type(v) for v in y.flat} == {Fraction}
    assert [v * whole**2 for v in y.flat] == expected.ravel().tolist()
    for found, plain in zip(
        grad.conv_backward(dy, x, w, **knobs), grad.conv_backward(ints[3], ints[0], ints[1], **knobs), strict=True
    ):
        scale = whole if found.ndim == 1 else whole**2
        assert [v * scale for v in found.flat] == plain.ravel().tolist()


def symbols(name, shape):
    return np.array([sympy.Symbol(f"{name}{place}") for place in range(int(np.prod(shape)))]).reshape(shape)


IMAGE = Case((3, 2), (2, 2), (1, 2), ((1, 0), (0, 1)), groups=2, channels=(1, 1), batch=1)


@pytest.mark.parametrize("case", [WRAPPING[1], IMAGE], ids=str)
def test_symbols_give_the_formula_and_its_derivatives(case):
    rank, groups, (into, out) = len(case.kernel), case.groups, case.channels
    outputs, points = triples(case)
    x = symbols("x", (case.batch, groups * into, *case.inputs))
    w = symbols("w", (groups * out, into, *case.kernel))
    dy = symbols("g", (case.batch, groups * out, *outputs))
    knobs = dict(stride=case.stride, padding=case.padding, dilation=case.dilation, groups=groups)
    y = convsym.conv(x, w, **knobs)
    plain = reference.convolution(dict(np.ndenumerate(x)), dict(np.ndenumerate(w)), points)
    assert all(sympy.expand(y[place] - plain.get(place, 0)) == 0 for place in np.ndindex(y.shape))
    loss = sympy.expand(sum(dy.ravel() * y.ravel()))
    dx, dw, db = grad.conv_backward(dy, x, w, **knobs)
    assert all(sympy.expand(dx[place] - sympy.diff(loss, x[place])) == 0 for place in np.ndindex(x.shape))
    assert all(sympy.expand(dw[place] - sympy.diff(loss, w[place])) == 0 for place in np.ndindex(w.shape))
    assert all(sympy.expand(db[k] - dy[:, k].sum()) == 0 for k in range(len(db)))
    back = convsym.conv_transpose(dy, w, output_padding=_further(case), **knobs)
    assert all(sympy.expand(back[place] - dx[place]) == 0 for place in np.ndindex(x.shape))
    assert rank == back.ndim - 2


def _further(case):
    """What the stride leaves over at the end of each axis."""
    spans = zip(case.inputs, case.padding, case.extents, case.stride, strict=True)
    return tuple((size + sum(pair) - extent) % step for size, pair, extent, step in spans)


def test_objects_have_no_compiled_loops():
    x = np.array([[Fraction(1, 2)]])
    with pytest.raises(KernelError) as caught:
        convsym.conv1d(x, x[None], algorithm="direct")
    assert "there are none for dtype object; use algorithm='reference'" in str(caught.value)


def _rounded_twice(array):
    return array


def test_a_half_that_is_summed_as_a_half_would_be_seen(monkeypatch):
    monkeypatch.setattr(gate, "widened", _rounded_twice)
    with pytest.raises((AssertionError, KernelError, KeyError)):
        test_half_sums_may_pass_what_a_half_can_hold()


def test_a_gradient_without_conjugates_would_be_seen(monkeypatch):
    monkeypatch.setattr(gate, "adjoint", _rounded_twice)
    with pytest.raises(AssertionError):
        test_complex_convolutions_and_adjoints_are_those_of_the_real_embedding("zeros", "complex128")
