"""Matrices of convolutions by a road of their own: elements are numbered, NumPy pads the numbers, and the plain loops
of the reference say which of them each output reads.
"""

from dataclasses import dataclass, field
from itertools import product
from math import prod
from random import Random

import numpy as np
import reference

MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge", "symmetric": "symmetric"}  # as NumPy calls them


@dataclass(frozen=True)
class Layer:
    """A convolution without values: channels are those of one group (input, output)."""

    inputs: tuple
    kernel: tuple
    channels: tuple = (1, 1)
    groups: int = 1
    batch: int | None = None
    stride: tuple = ()
    padding: tuple = ()
    dilation: tuple = ()
    input_dilation: tuple = ()
    padding_mode: str = "zeros"
    flip: bool = False
    rank: int = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "rank", len(self.kernel))
        neutral = {"stride": 1, "padding": (0, 0), "dilation": 1, "input_dilation": 1}
        for name, value in neutral.items():
            object.__setattr__(self, name, getattr(self, name) or (value,) * self.rank)

    @property
    def knobs(self):
        """Keyword arguments of every function that takes this layer."""
        names = ("stride", "padding", "dilation", "groups", "input_dilation", "padding_mode", "flip")
        return {name: getattr(self, name) for name in names}

    @property
    def input_shape(self):
        batch = () if self.batch is None else (self.batch,)
        return (*batch, self.groups * self.channels[0], *self.inputs)

    @property
    def weight_shape(self):
        return (self.groups * self.channels[1], self.channels[0], *self.kernel)

    def weight(self, dtype=np.int64, seed=0):
        """Small integers, none of them 0; complex ones for complex dtypes."""
        rng = np.random.default_rng([seed, *self.weight_shape])
        values = rng.choice([-4, -3, -2, -1, 1, 2, 3, 4, 5], size=(2, *self.weight_shape))
        return (values[0] + 1j * values[1] if np.dtype(dtype).kind == "c" else values[0]).astype(dtype)

    def extended(self):
        """For each spatial axis, what stands in the padded input: the number of an element of x, or -1 for a zero."""
        for size, step, (lo, hi) in zip(self.inputs, self.input_dilation, self.padding, strict=True):
            line = np.full((size, step), -1)
            line[:, 0] = range(size)
            line = line.ravel()[: line.argmax() + 1]
            line = line[max(-lo, 0) : len(line) - max(-hi, 0)]
            sides = (max(lo, 0), max(hi, 0))
            if self.padding_mode == "zeros" or not any(map(max, self.padding)):
                yield np.pad(line, sides, constant_values=-1)
            else:
                yield np.pad(line, sides, mode=MODES[self.padding_mode])

    def matrix(self, weight):
        """The dense matrix, in Python's integers or whatever the weight holds, by loops over all its points."""
        lines = list(self.extended())
        sizes = tuple(map(len, lines))
        outputs = reference.output_size(sizes, self.kernel, self.stride, self.dilation, ((0, 0),) * self.rank)
        batch = 1 if self.batch is None else self.batch
        rows = np.arange(batch * weight.shape[0] * prod(outputs)).reshape(batch, -1, *outputs)
        columns = np.arange(prod(self.input_shape)).reshape(batch, -1, *self.inputs)
        dense = np.zeros((rows.size, columns.size), object)
        points = reference.relation(
            batch, self.groups, self.channels, sizes, self.kernel, outputs, self.stride, self.dilation,
            ((0, 0),) * self.rank,
        )  # fmt: skip
        kernel = weight.astype(object)
        if self.flip:
            kernel = kernel[(slice(None),) * 2 + (slice(None, None, -1),) * self.rank]
        for out, (n, c, *place), tap in points:
            source = [line[p] for line, p in zip(lines, place, strict=True)]
            if min(source) >= 0:
                dense[rows[out], columns[n, c, *source]] += kernel[tap]
        return dense, outputs


def layers(count, ranks=(1, 2, 3), seed=0):
    """Random layers that have outputs, of every mode and all parameters mixed."""
    random = Random(f"{seed} {ranks}")
    while count:
        rank = random.choice(ranks)
        least, most = {1: (2, 9), 2: (2, 5)}.get(rank, (1, 3))
        layer = Layer(
            inputs=tuple(random.randint(least, most) for _ in range(rank)),
            kernel=tuple(random.randint(1, 4 if rank == 1 else 3 if rank == 2 else 2) for _ in range(rank)),
            channels=(random.randint(1, 2), random.randint(1, 2)),
            groups=random.choice((1, 1, 2)),
            batch=random.choice((None, 1, 2)),
            stride=tuple(random.choice((1, 1, 2, 3)) for _ in range(rank)),
            padding=tuple((random.randint(-1, 4), random.randint(-1, 4)) for _ in range(rank)),
            dilation=tuple(random.choice((1, 1, 2)) for _ in range(rank)),
            input_dilation=tuple(random.choice((1, 1, 1, 2, 3)) for _ in range(rank)),
            padding_mode=random.choice(("zeros", *MODES)),
            flip=random.random() < 0.3,
        )
        if possible(layer):
            count -= 1
            yield layer


def possible(layer):
    """Whether there is something to repeat along every axis, and a window that fits."""
    cropped = [line.size - max(lo, 0) - max(hi, 0) for line, (lo, hi) in _lines(layer)]
    if min(cropped) < 1:
        return False
    sizes = tuple(line.size for line, _ in _lines(layer))
    return min(reference.output_size(sizes, layer.kernel, layer.stride, layer.dilation, ((0, 0),) * layer.rank)) > 0


def _lines(layer):
    zeros = Layer(**{n: getattr(layer, n) for n in ("inputs", "kernel", "padding", "input_dilation")})
    return list(zip(zeros.extended(), layer.padding, strict=True))


def further(layer):
    """Values of output_padding with which a transposed convolution might give the layer's input size back."""
    return product(*(range(max(s, d)) for s, d in zip(layer.stride, layer.dilation, strict=True)))
