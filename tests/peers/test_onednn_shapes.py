"""oneDNN: problems of benchdnn, its own test program, computed exactly on integers, forward and both gradients.

The answers are torch's in double precision where torch is installed, else those of NumPy's windows and einsum; every
tenth problem is compared with both.
"""

import csv
from pathlib import Path

import numpy as np
import pytest
from einsum_road import Windows

import convsym
from convsym import grad

try:
    import torch
except ImportError:
    torch = None
else:
    torch.set_num_threads(1)  # the problems are small

with open(Path(__file__).parents[1] / "data" / "conv_shapes_onednn.csv", encoding="ascii", newline="") as lines:
    PROBLEMS = list(csv.DictReader(lines))


def sizes(text):
    return tuple(map(int, text.split("x")))


def by_torch(windows, x, w, dy):
    """Output and gradients from torch.autograd; F.pad crops where padding is negative."""
    x, w, dy = (torch.from_numpy(array.astype(np.float64)) for array in (x, w, dy))
    ends = [side for pair in reversed(windows.padding) for side in pair]
    convolve = getattr(torch.nn.functional, f"conv{len(windows.stride)}d")
    x.requires_grad_()
    w.requires_grad_()
    padded = torch.nn.functional.pad(x, ends)
    y = convolve(padded, w, stride=windows.stride, dilation=windows.dilation, groups=windows.groups)
    return [tensor.detach().numpy() for tensor in (y, *torch.autograd.grad(y, (x, w), dy))]


def by_windows(windows, x, w, dy):
    x, w, dy = (array.astype(np.int64) for array in (x, w, dy))
    return windows.forward(x, w), windows.by_input(x.shape, w, dy), windows.by_weight(x, w.shape[2:], dy)


def name_of(place):
    return f"{place}-{PROBLEMS[place]['source']}"


@pytest.mark.parametrize("place", range(len(PROBLEMS)), ids=name_of)
def test_problem(place):
    problem = PROBLEMS[place]
    batch, groups, into, out = (int(problem[key]) for key in ("batch", "groups", "in_channels", "out_channels"))
    padding = tuple(zip(sizes(problem["pad_lo"]), sizes(problem["pad_hi"]), strict=True))
    windows = Windows(sizes(problem["stride"]), padding, sizes(problem["dilation"]), groups)
    random = np.random.default_rng(place)
    # Sums of at most 600,000 products of numbers up to 4: exact in float32, in any order.
    x, w, dy = (
        random.integers(-4, 5, shape).astype(np.float32)
        for shape in (
            (batch, into, *sizes(problem["input"])),
            (out, into // groups, *sizes(problem["kernel"])),
            (batch, out, *sizes(problem["output"])),
        )
    )
    knobs = {
        "stride": windows.stride,
        "padding": padding,
        "dilation": windows.dilation,
        "groups": groups,
        "algorithm": "direct",
    }
    values = (
        convsym.conv(x, w, **knobs),
        grad.conv_input(x.shape, w, dy, **knobs),
        grad.conv_weight(x, w.shape, dy, **knobs),
    )
    assert values[0].shape == dy.shape
    roads = [by_torch] if torch else []
    if place % 10 == 0 or not torch:
        roads.append(by_windows)
    for road in roads:
        for value, expected in zip(values, road(windows, x, w, dy), strict=True):
            assert np.array_equal(value, expected)


def test_there_are_more_than_a_thousand():
    assert len(PROBLEMS) == 1621
    assert len({tuple(problem.values())[1:-1] for problem in PROBLEMS}) == len(PROBLEMS)
