"""Windows in little memory: no call takes more than its needs say, and slices change no bit."""

import tracemalloc
from random import Random

import numpy as np
import pytest
from exact import bits

from convsym import avg_pool, cutting, fold, grad, set_memory_limit, unfold
from convsym.arguments import PADDING_MODES, Parameters
from convsym.sliding import resolve_windows

# What Python itself allocates for a call: tuples, views, an iterator or two.
SMALL_CHANGE = 60_000


def call(seed, size=(9000, 70)):
    """The four calls of random windows: what each needs, and how it is made."""
    random = Random(seed)
    rank = random.choice([1, 2])
    kernel = tuple(random.choice([1, 2, 3, size[rank - 1] // 2]) for _ in range(rank))
    mode = random.choice(PADDING_MODES)
    padding = tuple((random.randint(-1, 3), random.randint(-1, 3)) for _ in range(rank))
    spatial = [size[rank - 1] + random.randrange(9) for _ in range(rank)]
    stride = tuple(random.choice([1, 2, k]) for k in kernel)
    x = np.random.default_rng(seed).normal(size=(2, 3, *spatial)).astype(random.choice("fdDFe"))
    knobs = {"padding": padding, "stride": stride, "padding_mode": mode}
    geometry = resolve_windows(rank, x.shape, kernel, Parameters(**knobs), "a test", "input")
    y = avg_pool(x, kernel, **knobs)
    yield cutting.averaging(geometry, x.dtype), lambda: avg_pool(x, kernel, **knobs)
    yield cutting.sharing(geometry, x.dtype), lambda: grad.avg_pool_input(x.shape, y, kernel, **knobs)
    if max(kernel) <= 3:  # of wide windows the columns would fill the memory
        columns = unfold(x, kernel, **knobs)
        yield cutting.laying_out(geometry, x.dtype), lambda: unfold(x, kernel, **knobs)
        yield cutting.putting_back(geometry, x.dtype), lambda: fold(columns, spatial, kernel, **knobs)


def peak(make):
    """Bytes that a call takes beside its arguments and its result."""
    make()  # what is cached is not counted
    tracemalloc.start()
    made = make()
    most = tracemalloc.get_traced_memory()[1] - made.nbytes
    tracemalloc.stop()
    return most - SMALL_CHANGE


def excess(seed, share=1.0):
    """By how many bytes each call takes more than a share of what it was said to need."""
    return [peak(make) - share * (needs.once + 6 * needs.each) for needs, make in call(seed)]


@pytest.mark.parametrize("seed", range(20))
def test_no_call_takes_more_than_it_needs(seed):
    assert max(excess(seed)) <= 0


def test_needs_that_say_half_would_be_found():
    assert any(max(excess(seed, 0.5)) > 0 for seed in range(30))


@pytest.mark.parametrize("seed", range(20))
def test_a_small_memory_limit_changes_no_bit_and_is_kept(seed):
    for needs, make in call(seed, size=(2000, 50)):
        whole, alone = make(), needs.once + needs.each + needs.made
        for limit in (alone, needs.once + 5 * (needs.each + needs.made) // 2):
            set_memory_limit(limit)
            try:
                assert bits(make(), whole) == 0
                assert peak(make) <= limit
            finally:
                set_memory_limit(None)


def test_what_cannot_be_cut_is_said_beforehand():
    x = np.ones((4, 2, 3, 50, 50))[..., ::2]
    set_memory_limit(1000)
    try:
        unfold(x[0], (2, 2))
        with pytest.raises(MemoryError, match=r"needs [\d,]+ bytes for each channel .* limit is 1,000; raise"):
            unfold(x[0], (2, 2), padding=3, padding_mode="circular")
        with pytest.raises(MemoryError, match=r"raise it with convsym\.set_memory_limit, or give contiguous arrays"):
            avg_pool(x, (2, 2, 2))
        with pytest.raises(MemoryError, match="this call needs"):
            fold(np.ones((12, 4), np.float16), (4, 4), (2, 2), padding=150, stride=200, padding_mode="reflect")
        set_memory_limit(10**6)
        assert avg_pool(x, (2, 2, 2)).shape == (4, 2, 1, 25, 12)
    finally:
        set_memory_limit(None)


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex128", "int8"])
def test_the_gradient_by_the_bias_keeps_the_limit(dtype):
    dy = np.random.default_rng(0).integers(-9, 10, (3, 10, 20, 80)).astype(dtype)[..., ::2]
    whole, channel = grad.conv2d_bias(dy), dy[:, 0].size * max(dy.itemsize, 4)
    for limit in (20 * channel, 7 * channel):
        set_memory_limit(limit)
        try:
            assert peak(lambda: grad.conv2d_bias(dy)) <= limit
            assert bits(grad.conv2d_bias(dy), whole) == 0
        finally:
            set_memory_limit(None)


def test_a_limit_that_leaves_room_for_two_channels_makes_slices_of_two():
    shapes = []

    def work(part):
        shapes.append(part.shape)
        return part + 1

    array = np.arange(60).reshape(3, 5, 4)
    set_memory_limit(21)
    try:
        made = cutting.in_slices(work, array, 2, cutting.Needs(once=1, each=7, made=3))
    finally:
        set_memory_limit(None)
    assert np.array_equal(made, array + 1)
    assert shapes == [(1, 2, 4), (1, 2, 4), (1, 1, 4)] * 3
