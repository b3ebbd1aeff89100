"""The array gate: every kind of array as every argument of every op is the right answer, bit for bit, or a sentence.

`ZOO` is the table. A cell that computes must give what the plain C array gives; the others name their error.
"""

from array import array as buffer
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import convsym
from convsym import ShapeError, gate, grad

OUT = "out is a {type}, and a NumPy array is needed"
OUT_DTYPE = "out has dtype {dtype}, and the result has"


@dataclass(frozen=True)
class Kind:
    """One row: how an argument is made from a plain array, and what must come of it.

    `error` and `out_error` are (class, sentence) or None where the answer is right; `plain` gives the plain array that
    means the same; `axes` are the numbers of axes that the kind can have; `package` is what must be installed.
    """

    make: Callable[[np.ndarray], Any]
    dtype: str = "float64"
    error: tuple | None = None
    out_error: tuple | None = None
    plain: Callable[[np.ndarray], np.ndarray] = np.array
    axes: tuple[int, ...] = (1, 2, 3)
    package: str = "numpy"
    arguments: tuple[str, ...] = ("input", "weight", "bias", "grad_output", "out")


class Labeled(np.ndarray):
    """A subclass that must not take part in the computation."""

    def __array_ufunc__(self, *args, **kwargs):
        raise AssertionError("the subclass computes")

    def __array_function__(self, *args, **kwargs):
        raise AssertionError("the subclass computes")


class Capsule:
    """An array of another library: nothing but DLPack."""

    def __init__(self, held):
        self.held = held

    def __dlpack__(self, **options):
        return self.held.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.held.__dlpack_device__()


class Elsewhere(Capsule):
    """An array in the memory of a device."""

    def __dlpack__(self, **options):
        raise BufferError("it is on a device")


def strided(a):
    room = np.full(tuple(2 * size for size in a.shape), 7, a.dtype)
    view = room[(slice(None, None, 2),) * a.ndim]
    view[...] = a
    return view


def backwards(a):
    every = (slice(None, None, -1),) * a.ndim
    return a[every].copy()[every]


def unaligned(a):
    room = np.zeros(a.nbytes + 1, np.uint8)
    view = room[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    assert not view.flags.aligned
    return view


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def field(a):
    room = np.zeros(a.shape, [("tag", "i1"), ("value", a.dtype)])
    room["value"] = a
    return room["value"]


def structured(a):
    return a.copy().view([("value", a.dtype)])


def moved(a):
    return np.moveaxis(np.moveaxis(a, 0, -1).copy(), -1, 0)


def first(a):
    return np.broadcast_to(a.flat[0], a.shape)


def mapped(a, mode="w+"):
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        stored = np.memmap(file, a.dtype, "w+", shape=a.shape)
        stored[...] = a
        stored.flush()
        return stored if mode == "w+" else np.memmap(file, a.dtype, mode, shape=a.shape)


def torch_tensor(a):
    import torch

    return torch.from_numpy(a.copy())


def torch_strided(a):
    import torch

    return torch.from_numpy(strided(a))


def torch_tracked(a):
    import torch

    return torch.from_numpy(a.copy()).requires_grad_()


def torch_brain(a):
    return torch_tensor(a).bfloat16()


def jax_array(a):
    import jax

    return jax.numpy.asarray(a)


def jax_brain(a):
    import jax

    return jax.numpy.asarray(a, jax.numpy.bfloat16)


def brain(name):
    def make(a):
        import ml_dtypes

        return np.zeros(a.shape, getattr(ml_dtypes, name))

    return make


def sparse(a):
    from scipy.sparse import coo_array

    return coo_array(a)


def frame(a):
    import pandas

    return pandas.DataFrame(a) if a.ndim == 2 else pandas.Series(a)


NO_ARRAY = (TypeError, "{name} is a {type}, and a NumPy array is needed; convert it: np.asarray({name}")
NOT_COMPUTED = (TypeError, "{name} has dtype {dtype}, and the dtypes computed are float16, float32, float64")
UNREADABLE = (TypeError, "{name} is a {type} that NumPy cannot read (")
NOT_OUT = (TypeError, OUT)
OTHER_OUT = (TypeError, OUT_DTYPE)
AXES = (ShapeError, "{name} has")
SHARED = (ShapeError, "so its elements share memory; give one without a stride 0")
READ_ONLY = (ShapeError, "out is read-only; give an array that can be written to")


def refused(make, **rest):
    """A kind of dtype that is not computed; its fix is the last word of the sentence."""
    fix = rest.pop("fix")
    error = (TypeError, f"{NOT_COMPUTED[1]}, complex64, complex128, the integers, and object; {fix}")
    return Kind(make, error=error, out_error=OTHER_OUT, **rest)


ZOO = {
    "C": Kind(np.copy),
    "Fortran": Kind(np.asfortranarray),
    "axes moved": Kind(moved),
    "strided": Kind(strided),
    "negative strides": Kind(backwards),
    "field of a record": Kind(field),
    "unaligned": Kind(unaligned),
    "unaligned complex": Kind(unaligned, "complex64"),
    "byteswapped": Kind(lambda a: a.astype(a.dtype.newbyteorder())),
    "byteswapped float32": Kind(lambda a: a.astype(a.dtype.newbyteorder()), "float32"),
    "byteswapped complex": Kind(lambda a: a.astype(a.dtype.newbyteorder()), "complex128"),
    "byteswapped int": Kind(lambda a: a.astype(a.dtype.newbyteorder()), "int32"),
    "byteswapped unaligned": Kind(lambda a: unaligned(a.astype(a.dtype.newbyteorder()))),
    "dtype with metadata": Kind(lambda a: a.astype(np.dtype(a.dtype, metadata={"unit": "m"}))),
    "read-only": Kind(read_only, out_error=READ_ONLY),
    "one element repeated": Kind(first, plain=lambda a: first(a).copy(), out_error=READ_ONLY),
    "one row repeated": Kind(
        lambda a: np.lib.stride_tricks.as_strided(a[:1].copy(), a.shape, (0, *a.strides[1:])),
        plain=lambda a: np.broadcast_to(a[:1], a.shape).copy(),
        out_error=SHARED,
    ),
    "memmap": Kind(mapped),
    "memmap read-only": Kind(lambda a: mapped(a, "r"), out_error=READ_ONLY),
    "matrix": Kind(np.matrix, axes=(2,)),
    "subclass": Kind(lambda a: a.copy().view(Labeled)),
    "recarray": Kind(lambda a: a.copy().view(np.recarray)),
    "0-d": Kind(lambda a: np.array(1.0), error=AXES, out_error=(ShapeError, "out has shape ()")),
    "masked": Kind(
        lambda a: np.ma.masked_less(a, 2),
        error=(TypeError, "{name} is a masked array, and its mask would be ignored; fill it first: {name}.filled(0)"),
        out_error=(TypeError, "out is a numpy.ma.MaskedArray, and a NumPy array is needed"),
    ),
    "masked without a mask": Kind(
        np.ma.masked_array, error=(TypeError, "{name} is a masked array"), out_error=(TypeError, "out is a numpy.ma")
    ),
    "structured": refused(structured, fix="take one of its fields, e.g. {name}['value']"),
    "void": refused(lambda a: a.view("V8"), fix="convert it to numbers first"),
    "bool": refused(lambda a: a > 1, fix="say what True counts, e.g. {name}.astype(np.uint8)"),
    "long double": refused(lambda a: a.astype("g"), fix="convert it, e.g. {name}.astype(np.float64)"),
    "complex long double": refused(lambda a: a.astype("G"), fix="convert it, e.g. {name}.astype(np.complex128)"),
    "text": refused(lambda a: a.astype(str), fix="convert it to numbers first"),
    "bytes": refused(lambda a: a.astype("S"), fix="convert it to numbers first"),
    "variable text": refused(lambda a: a.astype(np.dtypes.StringDType()), fix="convert it to numbers first"),
    "times": refused(lambda a: a.astype("M8[s]"), fix="convert it to numbers first"),
    "durations": refused(lambda a: a.astype("m8[s]"), fix="convert it to numbers first"),
    "list": Kind(np.ndarray.tolist, error=(TypeError, NO_ARRAY[1] + ", dtype=np.float64)"), out_error=NOT_OUT),
    "tuple": Kind(lambda a: tuple(a), error=(TypeError, NO_ARRAY[1] + ", dtype=np.float64)"), out_error=NOT_OUT),
    "float": Kind(lambda a: 1.0, error=(TypeError, NO_ARRAY[1] + ", dtype=np.float64)"), out_error=NOT_OUT),
    "complex": Kind(lambda a: 1j, error=(TypeError, NO_ARRAY[1] + ")"), out_error=NOT_OUT),
    "scalar of NumPy": Kind(lambda a: a.flat[0], error=NO_ARRAY, out_error=NOT_OUT),
    "text of Python": Kind(lambda a: "1 2 3", error=NO_ARRAY, out_error=NOT_OUT),
    "iterator": Kind(iter, error=NO_ARRAY, out_error=NOT_OUT),
    "mapping": Kind(lambda a: {0: a}, error=NO_ARRAY, out_error=NOT_OUT),
    "object": Kind(lambda a: object(), error=NO_ARRAY, out_error=NOT_OUT),
    "None": Kind(
        lambda a: None,
        error=(TypeError, "{name} is None, and an array is needed"),
        arguments=("input", "weight", "grad_output"),
    ),
    "memoryview": Kind(memoryview, out_error=NOT_OUT),
    "memoryview of the standard library": Kind(
        lambda a: memoryview(buffer("d", a.ravel())).cast("b").cast("d", a.shape), out_error=NOT_OUT
    ),
    "memoryview of half numbers": Kind(memoryview, "float16", out_error=NOT_OUT),
    "memoryview of bools": Kind(
        lambda a: memoryview(a > 1), error=(TypeError, "{name} has dtype bool, and"), out_error=NOT_OUT
    ),
    "memoryview released": Kind(
        lambda a: (view := memoryview(a)).release() or view, error=UNREADABLE, out_error=NOT_OUT
    ),
    "array.array": Kind(lambda a: buffer("d", a.ravel()), axes=(1,), out_error=NOT_OUT),
    "array.array too flat": Kind(lambda a: buffer("d", a.ravel()), axes=(2, 3), error=AXES, out_error=NOT_OUT),
    "array.array of text": Kind(
        lambda a: buffer("w" if "w" in __import__("array").typecodes else "u", "ab"),
        error=(TypeError, "{name} has dtype <U1, and the dtypes computed are"),
        out_error=NOT_OUT,
    ),
    "DLPack": Kind(Capsule, out_error=NOT_OUT),
    "DLPack float32": Kind(Capsule, "float32", out_error=NOT_OUT),
    "DLPack elsewhere": Kind(Elsewhere, error=UNREADABLE, out_error=NOT_OUT),
    "torch": Kind(torch_tensor, package="torch", out_error=NOT_OUT),
    "torch float32": Kind(torch_tensor, "float32", package="torch", out_error=NOT_OUT),
    "torch complex": Kind(torch_tensor, "complex64", package="torch", out_error=NOT_OUT),
    "torch int": Kind(torch_tensor, "int64", package="torch", out_error=NOT_OUT),
    "torch strided": Kind(torch_strided, package="torch", out_error=NOT_OUT),
    "torch requires_grad": Kind(
        torch_tracked,
        package="torch",
        error=(
            TypeError,
            "cut it off from its gradient and give it a dtype that NumPy has, e.g. "
            "{name}.detach().cpu().numpy()",
        ),
        out_error=NOT_OUT,
    ),
    "torch bfloat16": Kind(
        torch_brain, package="torch", error=(TypeError, "{name}.detach().cpu().float().numpy()"), out_error=NOT_OUT
    ),
    "torch conjugate": Kind(
        lambda a: torch_tensor(a.astype(np.complex128)).conj(),
        package="torch",
        error=(TypeError, "{name}.detach().cpu().resolve_conj().numpy()"),
        out_error=NOT_OUT,
    ),
    "torch bool": Kind(
        lambda a: torch_tensor(a > 1),
        package="torch",
        error=(TypeError, "{name} has dtype bool, and the dtypes computed are"),
        out_error=NOT_OUT,
    ),
    "torch sparse": Kind(lambda a: torch_tensor(a).to_sparse(), package="torch", error=UNREADABLE, out_error=NOT_OUT),
    "torch meta": Kind(lambda a: torch_tensor(a).to("meta"), package="torch", error=UNREADABLE, out_error=NOT_OUT),
    "jax": Kind(jax_array, "float32", package="jax", out_error=NOT_OUT),
    "jax bfloat16": Kind(jax_brain, package="jax", error=UNREADABLE, out_error=NOT_OUT),
    "scipy sparse": Kind(
        sparse,
        package="scipy.sparse",
        error=(TypeError, "{name} is a {type}, and a dense array is needed; convert it: {name}.toarray()"),
        out_error=NOT_OUT,
    ),
    "pandas": Kind(frame, package="pandas", axes=(1, 2), error=NO_ARRAY, out_error=NOT_OUT),
    # int1, float8_e4m3b11fnuz, complex32 and bcomplex32 carry characters that NumPy gives to dtypes that are computed.
    **{
        name: refused(brain(name), package="ml_dtypes", fix="convert it, e.g. {name}.astype(np.")
        for name in "bfloat16 float8_e5m2 float8_e4m3b11fnuz int1 int4 complex32 bcomplex32".split()
    },
    **{name: Kind(np.copy, name) for name in gate.DTYPES if name != "float64"},
    "C's long long": Kind(lambda a: a.astype("q"), "int64"),
    "C's unsigned long long": Kind(lambda a: a.astype("Q"), "uint64"),
}

PLAIN = MappingProxyType(
    {
        "input": (4, 7),
        "weight": (6, 2, 3),
        "transposed": (4, 3, 3),
        "bias": (6,),
        "grad_output": (6, 7),
    }
)
KNOBS = MappingProxyType(dict(padding=1, groups=2))
# The calls, by name: the arguments they take, the shape of their result, and the call itself.
CALLS: dict[str, tuple[tuple[str, ...], tuple[int, ...], Callable]] = {
    "conv1d": (
        ("input", "weight", "bias", "out"),
        (6, 7),
        lambda input, weight, bias, out: convsym.conv1d(input, weight, bias, out=out, **KNOBS),
    ),
    "conv1d again": (  # the second call of a kind takes a shorter way
        ("input", "weight"),
        (6, 7),
        lambda input, weight: [convsym.conv1d(input, weight, **KNOBS) for _ in "12"][1],
    ),
    "conv1d_input": (
        ("weight", "grad_output", "out"),
        (4, 7),
        lambda weight, grad_output, out: grad.conv1d_input((4, 7), weight, grad_output, out=out, **KNOBS),
    ),
    "conv1d_weight": (
        ("input", "grad_output", "out"),
        (6, 2, 3),
        lambda input, grad_output, out: grad.conv1d_weight(input, (6, 2, 3), grad_output, out=out, **KNOBS),
    ),
    "conv1d_bias": (("grad_output",), (6,), lambda grad_output: grad.conv1d_bias(grad_output)),
    "conv_backward": (
        ("grad_output", "input", "weight"),
        (6, 2, 3),
        lambda grad_output, input, weight: grad.conv_backward(grad_output, input, weight, **KNOBS)[1],
    ),
    "conv_transpose1d": (
        ("input", "transposed", "bias", "out"),
        (6, 7),
        lambda input, transposed, bias, out: convsym.conv_transpose1d(input, transposed, bias, out=out, **KNOBS),
    ),
    "conv_transpose1d_input": (
        ("transposed", "grad_output", "out"),
        (4, 7),
        lambda transposed, grad_output, out: grad.conv_transpose1d_input(
            (4, 7), transposed, grad_output, out=out, **KNOBS
        ),
    ),
    "conv_transpose1d_weight": (
        ("input", "grad_output", "out"),
        (4, 3, 3),
        lambda input, grad_output, out: grad.conv_transpose1d_weight(
            input, (4, 3, 3), grad_output, out=out, **KNOBS
        ),
    ),
    "conv_transpose1d_bias": (("grad_output",), (6,), lambda grad_output: grad.conv_transpose1d_bias(grad_output)),
}


def numbers(shape, dtype="float64"):
    """Integers from 0 to 3: sums of their products here fit every dtype."""
    random = np.random.default_rng(len(shape) * 100 + sum(shape))
    return random.integers(0, 4, shape).astype(dtype)


def argument_name(slot):
    return "weight" if slot == "transposed" else slot


def cells(kind):
    """The calls and arguments that a kind can stand in."""
    for call, (slots, result, _) in CALLS.items():
        for slot in slots:
            shape = result if slot == "out" else PLAIN[slot]
            if argument_name(slot) in kind.arguments and len(shape) in kind.axes:
                yield call, slot, shape


def verdict(kind, call, slot, shape):
    """What is wrong with one cell of the table; None if nothing is."""
    slots, _, function = CALLS[call]
    others = {other: None if other == "out" else numbers(PLAIN[other], kind.dtype) for other in slots}
    values = numbers(shape, kind.dtype)
    value = kind.make(np.zeros_like(values) if slot == "out" else values)
    error = kind.out_error if slot == "out" else kind.error
    if error is not None:
        words = dict(name=argument_name(slot), type=_type_name(value), dtype=getattr(value, "dtype", ""))
        return _refusal(lambda: function(**{**others, slot: value}), error[0], error[1].format(**words))
    expected = function(**(others if slot == "out" else {**others, slot: kind.plain(values)}))
    found = function(**{**others, slot: value})
    if slot == "out" and found is not value:
        return "out is not what is returned"
    if slot != "out" and type(found) is not np.ndarray:
        return f"the result is a {type(found)}"
    return _difference(np.asarray(found), expected)


def _difference(found, expected):
    if found.dtype.newbyteorder("=") != expected.dtype or found.shape != expected.shape:
        return f"{found.dtype} {found.shape} instead of {expected.dtype} {expected.shape}"
    if expected.dtype == object:
        return None if found.tolist() == expected.tolist() else "other objects"
    return None if found.astype(expected.dtype).tobytes() == expected.tobytes() else "other bits"


def _refusal(call, error, sentence):
    try:
        call()
    except (TypeError, ValueError, LookupError, AttributeError, BufferError, RuntimeError) as caught:
        if not isinstance(caught, error):
            return f"{type(caught).__name__}: {caught}"
        return None if sentence in str(caught) else f"{caught} does not say: {sentence}"
    return "it computed"


def _type_name(value):
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.filterwarnings("ignore:.*matrix:PendingDeprecationWarning")
def test_every_cell_is_the_right_answer_or_a_sentence(name):
    kind = ZOO[name]
    pytest.importorskip(kind.package)
    wrong = {
        (call, argument_name(slot)): found
        for call, slot, shape in cells(kind)
        if (found := verdict(kind, call, slot, shape)) is not None
    }
    assert wrong == {}


def _bare(value, name):
    return np.asarray(value)


def _unswapped(value, name):
    found = np.asarray(value)
    return found.view(found.dtype.newbyteorder("="))


# Gates that let through what they should not, and rows of the table that must see it.
LEAKS = {
    "masks are lost": (_bare, "accept", ("masked", "masked without a mask")),
    "lists are taken": (_bare, "accept", ("list", "tuple")),
    "bytes are not swapped": (_unswapped, "accept", ("byteswapped", "byteswapped int")),
    "layouts are taken as they are": (lambda array: array, "layout", ("Fortran", "strided")),
    "out is taken as it is": (lambda out, shape, dtype: out, "accept_out", ("masked", "list", "bool")),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_table_sees_a_gate_that_leaks(leak, monkeypatch):
    function, name, rows = LEAKS[leak]
    monkeypatch.setattr(gate, name, function)
    for row in rows:
        assert any(_leaked(ZOO[row], cell) for cell in cells(ZOO[row])), row


def _leaked(kind, cell):
    try:
        return verdict(kind, *cell) is not None
    except (TypeError, ValueError, LookupError, AttributeError, convsym.KernelError):
        return True


def test_dtypes_are_not_mixed_in_any_pair():
    wrong = []
    for call, (slots, _, function) in CALLS.items():
        names = sorted((slot for slot in slots if slot != "out"), key=list(PLAIN).index)
        for slot in names[1:]:
            others = {s: None if s == "out" else numbers(PLAIN[s]) for s in slots}
            others[slot] = others[slot].astype("float32")
            first_name = argument_name(names[0])
            said = f"{first_name} is float64 but {argument_name(slot)} is float32, and dtypes are not mixed"
            found = _refusal(lambda f=function, o=others: f(**o), TypeError, said)
            if found:
                wrong.append((call, slot, found))
    assert wrong == []


# Sizes of zero one by one: (input, weight, groups) of conv1d with padding 1, and the shape of the output.
ZEROS = {
    "batch": ((0, 4, 7), (6, 2, 3), 2, (0, 6, 7)),
    "input channels": ((2, 0, 7), (6, 0, 3), 1, (2, 6, 7)),
    "output channels": ((2, 4, 7), (0, 4, 3), 1, (2, 0, 7)),
    "all channels": ((2, 0, 7), (0, 0, 3), 1, (2, 0, 7)),
    "spatial axis": ((2, 4, 0), (6, 4, 2), 1, (2, 6, 1)),
    "unbatched channels": ((0, 7), (6, 0, 3), 1, (6, 7)),
}


@pytest.mark.parametrize("where", ZEROS)
@pytest.mark.parametrize("dtype", ["float64", "float16", "complex64", "int64", "object"])
def test_sizes_of_zero_give_empty_arrays_or_zeros(where, dtype):
    input, weight, groups, output = ZEROS[where]
    x, w, dy = np.ones(input, dtype), np.ones(weight, dtype), np.ones(output, dtype)
    b = np.arange(weight[0]).astype(dtype)
    knobs = dict(padding=1, groups=groups)
    y = convsym.conv1d(x, w, b, **knobs)
    assert (y == np.broadcast_to(b[:, None], output)).all()
    results = {
        "y": (y, output),
        "dx": (grad.conv1d_input(input, w, dy, **knobs), input),
        "dw": (grad.conv1d_weight(x, weight, dy, **knobs), weight),
        "db": (grad.conv1d_bias(dy), weight[:1]),
    }
    assert {name: (value.shape, value.dtype) for name, (value, _) in results.items()} == {
        name: (shape, np.dtype(dtype)) for name, (_, shape) in results.items()
    }
    assert not results["dx"][0].any()
    assert not results["dw"][0].any()


def test_a_transposed_convolution_of_nothing_is_its_bias():
    x, w, b = np.ones((0, 4, 7)), np.ones((4, 6, 3)), np.arange(6.0)
    assert convsym.conv_transpose1d(x, w, b).shape == (0, 6, 9)
    none = convsym.conv_transpose1d(np.ones((2, 0, 7)), np.ones((0, 6, 3)), b)
    assert (none == np.broadcast_to(b[:, None], (2, 6, 9))).all()
    assert grad.conv_transpose1d_weight(x, w.shape, np.ones((0, 6, 9))).shape == w.shape
    assert not grad.conv_transpose1d_weight(x, w.shape, np.ones((0, 6, 9))).any()
