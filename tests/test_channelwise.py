"""Sums of windows with channels in the lanes: as one axis after the other, for all windows, samples and threads."""

import numpy as np
import pytest
from exact import bits

from convsym import ShapeError, avg_pool2d, channelwise, grad, sliding
from convsym.arguments import Parameters
from convsym.sliding import resolve_windows, spread, sums

DRAWN = 1500


def drawn(rng):
    """Leading axes, and the geometry of windows of any kind over the others."""
    rank = int(rng.integers(1, 4))
    sizes, kernel, stride, dilation = (
        tuple(rng.integers(low, high, rank).tolist()) for low, high in ((1, 14), (1, 5), (1, 5), (1, 3))
    )
    padding = tuple(map(tuple, rng.integers(-1, 3, (rank, 2)).tolist()))
    lead = tuple(rng.integers(1, 6, rng.integers(1, 3)).tolist())
    parameters = Parameters(stride, padding, dilation, ceil_mode=bool(rng.integers(2)))
    return lead, resolve_windows(rank, (*lead, *sizes), kernel, parameters, "pooling", "x")


def served(monkeypatch, work, count, char):
    """How many drawn geometries were summed by tiles, and whether they all gave what slices give."""
    rng, found, agree = np.random.default_rng(0), 0, True
    for _ in range(count):
        try:
            lead, geometry = drawn(rng)
        except ShapeError:  # windows that do not fit
            continue
        result, shape = ("y", geometry.inputs) if work is sums else ("dx", geometry.outputs)
        array = rng.integers(-9, 10, (*lead, *shape)).astype(char)
        if channelwise.serves(geometry, result, array):
            by_tiles = work(array, geometry)
            with monkeypatch.context() as patch:
                patch.setattr(channelwise, "serves", lambda *_: False)
                agree = agree and np.array_equal(by_tiles, work(array, geometry))
            found += 1
    return found, agree


@pytest.mark.parametrize("char", ["f", "d"])
@pytest.mark.parametrize("work", [sums, spread])
def test_tiles_give_what_slices_give(work, char, monkeypatch):
    found, agree = served(monkeypatch, work, DRAWN, char)
    assert found > 50 and agree


def test_a_padding_off_by_one_would_be_noticed(monkeypatch):
    run = channelwise.run
    monkeypatch.setattr(channelwise, "run", lambda g, result, array: np.roll(run(g, result, array), 1, -1))
    assert not served(monkeypatch, sums, 300, "d")[1]


@pytest.mark.parametrize("channels", [1, 3, 16, 21])
def test_bits_depend_on_no_other_sample_no_thread_and_no_layout(channels, threads):
    rng = np.random.default_rng(1)
    x, dy = (rng.standard_normal((40, channels, size, size)).astype(np.float32) for size in (13, 7))
    threads(1)
    y, dx = avg_pool2d(x, 3, 2, 1), grad.avg_pool2d_input(x.shape, dy, 3, 2, 1)
    assert bits(y[5], avg_pool2d(x[5], 3, 2, 1)) == 0
    assert bits(y[:, :1], avg_pool2d(x[:, :1], 3, 2, 1)) == 0
    assert bits(dx[5], grad.avg_pool2d_input(x[5].shape, dy[5], 3, 2, 1)) == 0
    threads(3)
    assert bits(y, avg_pool2d(np.asfortranarray(x), 3, 2, 1)) == 0
    assert bits(dx, grad.avg_pool2d_input(x.shape, np.asfortranarray(dy), 3, 2, 1)) == 0


def test_what_is_not_finite_stays_where_it_is():
    x = np.zeros((2, 20, 8, 8), np.float32)
    x[0, 3, 2, 2], x[1, 4, 5, 5] = np.inf, np.nan
    y = avg_pool2d(x, 2)
    assert np.isinf(y[0, 3, 1, 1]) and np.isnan(y[1, 4, 2, 2])
    assert np.isfinite(y).sum() == y.size - 2
    dx = grad.avg_pool2d_input(x.shape, y, 2)
    assert np.isfinite(dx).sum() == dx.size - 8


def test_large_windows_and_few_windows_are_summed_one_axis_after_the_other():
    for size in (4, 8, 10, 28, 32):
        geometry = resolve_windows(2, (6, size, size), 2, Parameters(2), "pooling", "x")
        assert channelwise.serves(geometry, "y", np.ones((6, size, size), np.float32))
        assert channelwise.serves(geometry, "dx", np.ones((6, size // 2, size // 2), np.float32))
    for kernel, serves in ((2, True), (5, True), (6, False), (8, False)):
        geometry = resolve_windows(2, (32, 16, 16), kernel, Parameters(1), "pooling", "x")
        assert channelwise.serves(geometry, "y", np.ones((32, 16, 16))) is serves
    few = resolve_windows(2, (32, 5, 5), 5, Parameters(1), "pooling", "x")
    assert not channelwise.serves(few, "y", np.ones((32, 5, 5)))
    assert not channelwise.serves(few, "y", np.ones((0, 5, 5)))
    assert sliding.sums(np.ones((32, 5, 5)), few).shape == (32, 1, 1)
