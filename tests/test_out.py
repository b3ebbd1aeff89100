"""``out=``: the result goes where the caller says, whatever that array looks like and whatever it overlaps."""

from itertools import product

import numpy as np
import pytest

import convsym
from convsym import ShapeError, gate, grad

N, C, K, SIZE = 2, 4, 6, 9


def numbers(shape, dtype="float64"):
    """Small integers that depend on the shape; complex ones where the dtype is."""
    random = np.random.default_rng(sum(shape) + len(shape))
    values = random.integers(-4, 5, shape)
    return (values + 1j * random.integers(-4, 5, shape) if np.dtype(dtype).kind == "c" else values).astype(dtype)


SHAPES = {"input": (N, C, SIZE), "weight": (K, C // 2, 3), "bias": (K,), "grad_output": (N, K, SIZE)}
# Transposed convolutions have their weight's channels the other way round.
SHAPES |= {"transposed": (C, K // 2, 3)}


def knobs(**more):
    return dict(padding=1, groups=2) | more


# Every function that takes out=, with what decides the way to the result: (arguments, call, shape of the result).
CALLS = {
    "conv1d": (("input", "weight"), lambda x, w, **o: convsym.conv1d(x, w, **knobs(**o)), (N, K, SIZE)),
    "bias": (("input", "weight", "bias"), lambda x, w, b, **o: convsym.conv1d(x, w, b, **knobs(**o)), (N, K, SIZE)),
    "conv": (("input", "weight"), lambda x, w, **o: convsym.conv(x, w, **knobs(**o)), (N, K, SIZE)),
    "flip": (("input", "weight"), lambda x, w, **o: convsym.conv1d(x, w, **knobs(flip=True, **o)), (N, K, SIZE)),
    "circular": (
        ("input", "weight", "bias"),
        lambda x, w, b, **o: convsym.conv1d(x, w, b, **knobs(padding_mode="circular", **o)),
        (N, K, SIZE),
    ),
    "dilated input": (
        ("input", "weight"),
        lambda x, w, **o: convsym.conv1d(x, w, **knobs(input_dilation=2, **o)),
        (N, K, 2 * SIZE - 1),
    ),
    "reference": (
        ("input", "weight"),
        lambda x, w, **o: convsym.conv1d(x, w, **knobs(algorithm="reference", **o)),
        (N, K, SIZE),
    ),
    "unbatched": (
        ("input", "weight"),
        lambda x, w, out=None: convsym.conv1d(x[0], w, **knobs(out=None if out is None else out[0]))[None],
        (1, K, SIZE),
    ),
    "conv1d_input": (
        ("weight", "grad_output"),
        lambda w, dy, **o: grad.conv1d_input(SHAPES["input"], w, dy, **knobs(**o)),
        (N, C, SIZE),
    ),
    "reflect input": (
        ("weight", "grad_output"),
        lambda w, dy, **o: grad.conv1d_input(SHAPES["input"], w, dy, **knobs(padding_mode="reflect", **o)),
        (N, C, SIZE),
    ),
    "conv1d_weight": (
        ("input", "grad_output"),
        lambda x, dy, **o: grad.conv1d_weight(x, SHAPES["weight"], dy, **knobs(**o)),
        (K, C // 2, 3),
    ),
    "flip weight": (
        ("input", "grad_output"),
        lambda x, dy, **o: grad.conv1d_weight(x, SHAPES["weight"], dy, **knobs(flip=True, **o)),
        (K, C // 2, 3),
    ),
    "weight of each sample": (
        ("input", "grad_output"),
        lambda x, dy, **o: grad.conv1d_weight(x, SHAPES["weight"], dy, **knobs(reduce_batch=False, **o)),
        (N, K, C // 2, 3),
    ),
    "conv_transpose1d": (
        ("input", "transposed", "bias"),
        lambda x, w, b, **o: convsym.conv_transpose1d(x, w, b, **knobs(**o)),
        (N, K, SIZE),
    ),
    "conv_transpose1d symmetric": (
        ("input", "transposed"),
        lambda x, w, **o: convsym.conv_transpose1d(x, w, **knobs(padding_mode="symmetric", **o)),
        (N, K, SIZE),
    ),
    "conv_transpose1d_input": (
        ("transposed", "grad_output"),
        lambda w, dy, **o: grad.conv_transpose1d_input(SHAPES["input"], w, dy, **knobs(**o)),
        (N, C, SIZE),
    ),
    "conv_transpose1d_weight": (
        ("input", "grad_output"),
        lambda x, dy, **o: grad.conv_transpose1d_weight(x, SHAPES["transposed"], dy, **knobs(**o)),
        (C, K // 2, 3),
    ),
}
DTYPES = ("float64", "float32", "float16", "complex64", "int32", "object")


def unaligned(shape, dtype):
    room = np.zeros(int(np.prod(shape)) * np.dtype(dtype).itemsize + 1, np.uint8)
    return room[1:].view(dtype).reshape(shape)


def moved(shape, dtype):
    return np.moveaxis(np.zeros((*shape[1:], shape[0]), dtype), -1, 0)


def inner(shape, dtype):
    return np.zeros([size + 2 for size in shape], dtype)[(slice(1, -1),) * len(shape)]


# Arrays that a result can go to.
ROOMS = {
    "C": np.zeros,
    "Fortran": lambda shape, dtype: np.zeros(shape, dtype, order="F"),
    "strided": lambda shape, dtype: np.zeros((*shape[:-1], 3 * shape[-1]), dtype)[..., ::3],
    "backwards": lambda shape, dtype: np.zeros(shape, dtype)[::-1, :, ::-1],
    "axes moved": moved,
    "byteswapped": lambda shape, dtype: np.zeros(shape, np.dtype(dtype).newbyteorder()),
    "unaligned": unaligned,
    "part of a larger one": inner,
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", CALLS)
def test_the_result_is_written_and_out_is_returned(call, dtype):
    names, function, shape = CALLS[call]
    arguments = [numbers(SHAPES[name], dtype) for name in names]
    expected = function(*arguments)
    assert expected.shape == shape
    assert expected.dtype == dtype
    for room, make in ROOMS.items():
        if dtype == "object" and room in ("unaligned", "byteswapped"):
            continue  # there is no such array of objects
        out = make(shape, dtype)
        out[...] = 7
        whole = out if out.base is None else out.base
        untouched = whole.copy()
        returned = function(*arguments, out=out)
        assert call == "unbatched" or returned is out, room
        assert (out == expected).all(), room
        if room in ("strided", "part of a larger one"):  # what lies between and around stays
            out[...] = 7
            assert (whole == untouched).all()


def test_out_may_hold_anything_before():
    x, w = numbers(SHAPES["input"]), numbers(SHAPES["weight"])
    out = np.full((N, K, SIZE), np.nan)
    assert np.isfinite(convsym.conv1d(x, w, out=out, **knobs())).all()


@pytest.mark.parametrize("dtype", ["float64", "float16", "complex64", "int16"])
@pytest.mark.parametrize("call", CALLS)
def test_out_may_overlap_every_argument_in_every_way(call, dtype):
    names, function, shape = CALLS[call]
    arguments = {name: numbers(SHAPES[name], dtype) for name in names}
    expected = function(*arguments.values())
    for name, values in arguments.items():
        for start, step in product(range(0, values.size, max(1, values.size // 8)), (1, -1, 2)):
            room, array, out = _overlapping(values, shape, dtype, start, step)
            assert np.shares_memory(array, out)
            returned = function(*[array if other == name else arguments[other] for other in names], out=out)
            assert (returned == expected).all(), (name, start, step)
            del room


def _overlapping(values, shape, dtype, start, step):
    """An array with some values, and one of a shape that begins at its element `start` and goes in steps."""
    size = int(np.prod(shape))
    before = 2 * size
    room = np.zeros(before + values.size + 2 * size, dtype)
    array = room[before : before + values.size].reshape(values.shape)
    array[...] = values
    stop = before + start + step * size
    return room, array, room[before + start : stop : step].reshape(shape)


SQUARE = (4, 2, 3)  # a weight that takes arrays of four channels to arrays of four channels
ITSELF = {
    "y": lambda a, out: convsym.conv1d(a, numbers(SQUARE), numbers((4,)), out=out, **knobs()),
    "dx": lambda a, out: grad.conv1d_input(a.shape, numbers(SQUARE), a, out=out, **knobs()),
    "transposed": lambda a, out: convsym.conv_transpose1d(a, numbers(SQUARE), numbers((4,)), out=out, **knobs()),
    "transposed dx": lambda a, out: grad.conv_transpose1d_input(a.shape, numbers(SQUARE), a, out=out, **knobs()),
}


@pytest.mark.parametrize("call", ITSELF)
def test_an_argument_itself_may_be_out(call):
    array = numbers((N, 4, SIZE))
    expected = ITSELF[call](array.copy(), None)
    assert (ITSELF[call](array, array) == expected).all()


def test_all_arguments_may_be_one_array():
    x = numbers((3, 3, 3))
    expected = convsym.conv1d(x.copy(), x.copy(), padding=1)
    assert (convsym.conv1d(x, x, padding=1, out=x) == expected).all()
    a = numbers((3, 3, 3))
    b = a.reshape(-1)[:3]
    expected = convsym.conv1d(a.copy(), a.copy(), b.copy(), padding=1)
    assert (convsym.conv1d(a, a, b, padding=1, out=a) == expected).all()


X, W, B, DY = (numbers(SHAPES[name]) for name in ("input", "weight", "bias", "grad_output"))
ERRORS = {
    "list": (lambda out: convsym.conv1d(X, W, out=[out], **knobs()), TypeError, "out is a list, and a NumPy array"),
    "shape": (
        lambda out: convsym.conv1d(X, W, out=out[:1], **knobs()),
        ShapeError,
        "out has shape (1, 6, 9), and the result has shape (2, 6, 9); np.empty(2, 6, 9) would fit",
    ),
    "broadcast": (lambda out: convsym.conv1d(X, W, out=out[:, :, None], **knobs()), ShapeError, "(2, 6, 1, 9)"),
    "dtype": (
        lambda out: convsym.conv1d(X, W, out=out.astype("f4"), **knobs()),
        TypeError,
        "out has dtype float32, and the result has float64; np.empty(…, float64) would fit",
    ),
    "read-only": (lambda out: convsym.conv1d(X, W, out=_locked(out), **knobs()), ShapeError, "out is read-only"),
    "one element": (
        lambda out: convsym.conv1d(X, W, out=np.lib.stride_tricks.as_strided(out, out.shape, (0, 0, 8)), **knobs()),
        ShapeError,
        "out has strides (0, 0, 8), so its elements share memory",
    ),
    "gradient shape": (
        lambda out: grad.conv1d_input(X.shape, W, DY, out=out, **knobs()),
        ShapeError,
        "out has shape (2, 6, 9), and the result has shape (2, 4, 9)",
    ),
    "axes": (
        lambda out: convsym.conv1d(X, W, axes=("NCW", "OIW", "NWC"), out=out, **knobs()),
        ShapeError,
        "out has shape (2, 6, 9), and the result has shape (2, 9, 6)",
    ),
    # What is wrong elsewhere is found before anything is written.
    "bias": (lambda out: convsym.conv1d(X, W, B[:3], out=out, **knobs()), ShapeError, "bias has shape (3,)"),
    "bias dtype": (lambda out: convsym.conv1d(X, W, B.astype(int), out=out, **knobs()), TypeError, "bias is int64"),
    "groups": (lambda out: convsym.conv1d(X, W, out=out, padding=1, groups=3), ShapeError, "groups=3 does not"),
    "padding": (lambda out: convsym.conv1d(X, W, out=out, groups=2, padding=-9), ShapeError, "the kernel is larger"),
    "algorithm": (lambda out: convsym.conv1d(X, W, out=out, **knobs(algorithm="fast")), ShapeError, "algorithm='fast'"),
    "grad_output": (
        lambda out: grad.conv1d_weight(X, W.shape, out[:, :, :-1], out=W, **knobs()),
        ShapeError,
        "grad_output has shape (2, 6, 8)",
    ),
    "reduce_batch": (
        lambda out: grad.conv1d_weight(X, W.shape, out, out=W, **knobs(reduce_batch=1)),
        TypeError,
        "reduce_batch is 1 (int), and it must be True or False",
    ),
}


def _locked(array):
    view = array.view()
    view.flags.writeable = False
    return view


@pytest.mark.parametrize("what", ERRORS)
def test_a_wrong_call_is_a_sentence_and_writes_nothing(what):
    call, error, sentence = ERRORS[what]
    out, weight = np.full((N, K, SIZE), 7.0), W.copy()
    with pytest.raises(error) as caught:
        call(out)
    assert sentence in str(caught.value)
    assert (out == 7).all()
    assert (weight == W).all()


def _as_it_is(room, operands):
    """A mutant: any contiguous memory is written to, also while it is read."""
    return room if room.flags.carray and room.dtype.isnative and room.dtype.char != "e" else None


def test_a_result_written_while_its_operands_are_read_would_be_seen(monkeypatch):
    monkeypatch.setattr(gate, "usable", _as_it_is)
    with pytest.raises(AssertionError):
        test_out_may_overlap_every_argument_in_every_way("conv1d", "float64")
    with pytest.raises(AssertionError):
        test_all_arguments_may_be_one_array()
