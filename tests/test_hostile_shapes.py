"""Shapes and parameters that no array has: a sentence at once, or the right answer, never a crash or an allocation.

Sizes are computed in Python's integers; what reaches a kernel is far from the end of 64 bits.
"""

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import convsym
from convsym import ShapeError, grad, meaning

FAR = 2**31 + 11
X, W = np.arange(8.0).reshape(1, 1, 8), np.ones((1, 1, 3))
LIMIT = 2**26


@pytest.fixture(autouse=True)
def _limited():
    """The same memory limit on every machine."""
    convsym.set_memory_limit(LIMIT)
    yield
    convsym.set_memory_limit(None)


def repeated(*shape, dtype="float64"):
    """An array of any shape in one element of memory."""
    return np.broadcast_to(np.ones((), dtype), shape)


# Calls, and the error each is.
HOSTILE = {
    "long signal": (lambda: convsym.conv1d(repeated(1, 1, FAR), W), MemoryError),
    "long signal with few outputs": (lambda: convsym.conv1d(repeated(1, 1, FAR), W, stride=2**30), MemoryError),
    "long signal, gradient": (
        lambda: grad.conv1d_weight(repeated(1, 1, FAR), (1, 1, 3), np.ones((1, 1, 3)), stride=2**30),
        MemoryError,
    ),
    "long signal, circular": (
        lambda: convsym.conv1d(repeated(1, 1, FAR), W, padding=1, padding_mode="circular"),
        MemoryError,
    ),
    "long signal, transposed": (lambda: convsym.conv_transpose1d(repeated(1, 1, FAR), W), MemoryError),
    "many channels": (lambda: convsym.conv1d(repeated(1, FAR, 8), repeated(1, FAR, 3)), MemoryError),
    "many samples": (lambda: convsym.conv1d(repeated(2**50, 1, 8), W), MemoryError),
    "image of 2**62 bytes": (
        lambda: convsym.conv2d(repeated(1, 1, 2**31, 2**31, dtype="int8"), repeated(1, 1, 1, 1, dtype="int8")),
        ShapeError,
    ),
    "huge kernel": (lambda: convsym.conv1d(X, repeated(1, 1, FAR)), ShapeError),
    "huge kernel that fits": (lambda: convsym.conv1d(X, repeated(1, 1, FAR), padding=2**30 + 2), MemoryError),
    "gradient by a huge kernel": (lambda: grad.conv1d_weight(X, (1, 1, 2**62), X, padding=2**61), ShapeError),
    "gradient by a huge input": (lambda: grad.conv1d_input((1, 1, 2**62), W, X, stride=2**59), ShapeError),
    "gradient by a large input": (
        lambda: grad.conv1d_input((1, 1, 2**48), W, np.ones((1, 1, 1)), stride=2**48),
        MemoryError,
    ),
    "gradient by a huge batch": (lambda: grad.conv1d_input((2**62, 1, 8), W, X), ShapeError),
    "huge product of channels": (lambda: grad.conv1d_input((2**31, 2**31, 8), W, X), ShapeError),
    "no channels in many groups": (
        lambda: convsym.conv1d(np.ones((1, 0, 8)), np.ones((0, 0, 3)), groups=10**18),
        ShapeError,
    ),
    "many groups": (lambda: convsym.conv1d(X, W, groups=10**18), ShapeError),
    "groups of many channels": (lambda: grad.conv1d_input((1, 10**18 + 1, 8), W, X, groups=2), ShapeError),
    "groups of a large prime": (lambda: grad.conv1d_input((1, 2**61 - 1, 8), W, X, groups=3), ShapeError),
    "output_padding": (lambda: convsym.conv_transpose1d(X, W, output_padding=2**62), ShapeError),
    "output_padding and stride": (
        lambda: convsym.conv_transpose1d(X, W, output_padding=2**62, stride=2**62 + 1),
        ShapeError,
    ),
    "padding and stride": (lambda: convsym.conv1d(X, W, padding=2**62, stride=2**62), ShapeError),
    "full, dilated": (lambda: convsym.conv1d(X, W, padding="full", stride=2**62, dilation=2**62), ShapeError),
    "padding before, crop after": (lambda: convsym.conv1d(X, W, padding=((2**62, -(2**62)),)), ShapeError),
    "zeros around for NaN": (lambda: convsym.conv1d(X, np.nan * W, padding=2**55, stride=2**54), ShapeError),
    **{
        f"{name}={value} {mode}": (
            lambda name=name, value=value, mode=mode: convsym.conv1d(X, W, padding_mode=mode, **{name: value}),
            ShapeError,
        )
        for name, value in (("padding", 2**62), ("stride", 2**62), ("dilation", 2**62), ("input_dilation", 2**62))
        for mode in ("zeros", "circular", "reflect", "replicate", "symmetric")
    },
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_call_is_an_error_at_once(what):
    call, error = HOSTILE[what]
    spent = _measured(call, error)
    assert spent["seconds"] < 2
    assert spent["bytes"] < 2**24


def _measured(call, errors):
    """Seconds and bytes of a call that must be one of some errors."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(errors) as caught:
            call()
        assert len(str(caught.value)) > 30
        refused = "Unable to allocate" in str(caught.value)  # what NumPy asked for in vain counts as a peak
        peak = 0 if refused else tracemalloc.get_traced_memory()[1]
        return {"seconds": time.perf_counter() - start, "bytes": peak}
    finally:
        tracemalloc.stop()


SENTENCES = {
    "position": (
        lambda: convsym.conv1d(X, W, stride=2**62),
        "the number of outputs times stride is 4611686018427387904 along spatial axis 0, and positions are computed "
        "below 2**56; make it smaller",
    ),
    "padding": (lambda: convsym.conv1d(X, W, padding=((2**62, -(2**62)),)), "the padding is 4611686018427387904 along"),
    "kernel": (lambda: grad.conv1d_weight(X, (1, 1, 2**56), X, padding=2**55), "the kernel size times dilation is"),
    "size": (
        lambda: convsym.conv1d(X, W, input_dilation=2**60),
        "the size is 8070450532247928833 along spatial axis 0",
    ),
    "elements": (
        lambda: grad.conv1d_input((2**62, 1, 8), W, X),
        "an array of shape (4611686018427387904, 1, 1, 8) would be needed (with an axis for the groups), and arrays "
        "have fewer than 2**59 elements; make the sizes, the groups or the padding smaller",
    ),
    "divisors": (
        lambda: grad.conv1d_input((1, 10**18 + 1, 8), W, X, groups=2),
        "groups=2 does not divide the 1000000000000000001 input channels (input_size[1]); divisors are 1, 101, …",
    ),
}


@pytest.mark.parametrize("what", SENTENCES)
def test_the_sentences_name_the_number(what):
    call, sentence = SENTENCES[what]
    with pytest.raises(ShapeError) as caught:
        call()
    assert sentence in str(caught.value)


# No number between 2**24 and 2**48: arrays of such sizes may well fit into somebody's memory.
EDGES = (
    1,
    2,
    3,
    0,
    -1,
    -3,
    2**48,
    -(2**48),
    2**56 - 1,
    2**56,
    10**18,
    2**62,
    -(2**62),
    2**63 - 1,
    2**63,
    -(2**63),
    2**80,
)
MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")
ALLOWED = (ShapeError, MemoryError)


def outcome(draw):
    """What is wrong with a call whose every number may be hostile; None if nothing is."""

    def number(*usual):
        return draw(st.sampled_from(EDGES if draw(st.integers(0, 4)) == 4 else usual))

    knobs = dict(
        stride=number(1, 2),
        padding=draw(st.sampled_from((number(0, 1), ((number(0, 1), number(0, 1)),), "same", "full", "causal"))),
        dilation=number(1, 2),
        groups=number(1),
        padding_mode=draw(st.sampled_from(MODES)),
        flip=draw(st.booleans()),
    )
    dilated, further = dict(input_dilation=number(1, 2)), dict(output_padding=number(0))
    size, kernel = (number(1), number(1), number(8)), (number(1), number(1), number(3))
    dtype = draw(st.sampled_from(("float64", "complex64", "int8", "float16")))
    x, w, dy = X.astype(dtype), W.astype(dtype), np.ones((1, 1, draw(st.integers(1, 4))), dtype)
    call = draw(
        st.sampled_from(
            (
                lambda: convsym.conv1d(x, w, **knobs, **dilated),
                lambda: grad.conv1d_input(size, w, dy, **knobs, **dilated),
                lambda: grad.conv1d_weight(x, kernel, dy, **knobs, **dilated),
                lambda: convsym.conv_transpose1d(x, w, **knobs, **further),
                lambda: grad.conv_transpose1d_input(size, w, dy, **knobs, **further),
                lambda: grad.conv_transpose1d_weight(x, kernel, dy, **knobs, **further),
            )
        )
    )
    start = time.perf_counter()
    try:
        found = call()
    except ALLOWED:
        found = x
    except (ArithmeticError, LookupError, TypeError, ValueError, convsym.KernelError) as error:
        return f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    return None if found.dtype == dtype and seconds < 2 else f"{found.dtype}, {seconds} s"


def fuzzed(examples):
    """What went wrong in so many calls."""
    wrong = []

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(data=st.data())
    def run(data):
        found = outcome(data.draw)
        if found is not None:
            wrong.append(found)

    run()
    return wrong


def test_any_numbers_are_a_sentence_or_an_answer():
    assert fuzzed(60) == []


@pytest.mark.slow
def test_any_numbers_are_a_sentence_or_an_answer_for_many():
    assert fuzzed(3000) == []


UNSEEN = ("stride=4611686018427387904 zeros", "padding and stride", "no channels in many groups")


@pytest.mark.parametrize("what", UNSEEN)
def test_without_the_check_of_positions_the_calls_go_wrong(what, monkeypatch):
    monkeypatch.setattr(meaning, "_check_reach", lambda geometry: None)
    try:
        with pytest.raises((ValueError, MemoryError, OverflowError, convsym.KernelError)) as caught:
            HOSTILE[what][0]()
        assert not isinstance(caught.value, ShapeError)
    finally:  # geometries that should not be are not kept
        meaning._fitted.cache_clear()
        meaning._fitted_transposed.cache_clear()


@pytest.mark.parametrize("knobs", [dict(input_dilation=2**40), dict(input_dilation=2**40, dilation=2**39 + 1)], ids=str)
def test_far_apart_elements_are_met_at_once(knobs):
    """A dilated input takes as long as its elements and taps, however far apart these are."""
    y = convsym.conv1d(X, np.array([[[1.0, 10.0, 100.0]]]), stride=2**39, **knobs)
    reads = [2**39 * o + r * knobs.get("dilation", 1) for o in range(y.shape[2]) for r in range(3)]
    stuffed = {2**40 * i: float(i) for i in range(8)}
    weights = (1, 10, 100)
    expected = [sum(weights[r] * stuffed.get(reads[3 * o + r], 0) for r in range(3)) for o in range(y.shape[2])]
    assert y[0, 0].tolist() == expected


@pytest.fixture
def far(tmp_path):
    """A function for arrays with more than 2**31 elements that take next to nothing on disk."""

    def make(dtype, values):
        try:
            stored = np.memmap(tmp_path / f"{dtype}", dtype, "w+", shape=(1, 1, FAR))
        except OSError as error:
            pytest.skip(f"no sparse file here: {error}")
        for place, value in values.items():
            stored[0, 0, place] = value
        return stored

    return make


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_positions_beyond_31_bits(far, dtype):
    """Strides and dilations of 2**30 in an array of 2**31 + 11 elements; nothing is copied."""
    places = {0: 1, 1: 2, 2: 3, 2**30: 4, 2**30 + 1: 5, 2**31: 6, 2**31 + 2: 7, FAR - 1: 8}
    x = far(dtype, places)
    w = np.array([[[1, 10, 3]]], dtype)

    def at(place):
        return places.get(place, 0)

    by_stride = convsym.conv1d(x, w, stride=2**30)
    assert by_stride.tolist() == [[[at(o) + 10 * at(o + 1) + 3 * at(o + 2) for o in (0, 2**30, 2**31)]]]
    by_dilation = convsym.conv1d(x, w, dilation=2**30)
    assert by_dilation.tolist() == [[[at(o) + 10 * at(o + 2**30) + 3 * at(o + 2**31) for o in range(11)]]]
    dw = grad.conv1d_weight(x, (1, 1, 3), np.array([[[1, 2, 3]]], dtype), stride=2**30)
    assert dw.tolist() == [[[at(r) + 2 * at(2**30 + r) + 3 * at(2**31 + r) for r in range(3)]]]
    last = convsym.conv1d(x, w[..., :1], stride=2**30, padding=((-(FAR - 1), 0),))
    assert last.tolist() == [[[8]]]
    back = grad.conv_transpose1d_input((1, 1, 3), w, x, stride=2**30, output_padding=FAR - 2**31 - 3)
    assert back.tolist() == by_stride.tolist()


@pytest.mark.slow
def test_a_kernel_and_a_gradient_beyond_31_bits(far):
    """All of 2**31 + 11 products, and as many entries of a result."""
    x = far("int8", {0: 1, 2**31 + 1: 5, FAR - 1: 7})
    assert convsym.conv1d(x, x).tolist() == [[[1 + 25 + 49]]]
    dx = grad.conv1d_input((1, 1, FAR), np.array([[[1, 2]]], "int8"), np.array([[[3, 4]]], "int8"), stride=2**31)
    assert np.flatnonzero(dx).tolist() == [0, 1, 2**31, 2**31 + 1]
    assert dx[0, 0, [0, 1, 2**31, 2**31 + 1]].tolist() == [3, 6, 4, 8]
