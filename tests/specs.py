"""Random small convolutions on integers, for tests that compare roads and for properties."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

import convsym

MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")


@dataclass(frozen=True)
class Spec:
    """A convolution; tuples have an entry for each spatial axis, `channels` are those of one group (input, output)."""

    batch: int
    groups: int
    channels: tuple
    inputs: tuple
    kernel: tuple
    stride: tuple
    dilation: tuple
    padding: tuple
    input_dilation: tuple
    padding_mode: str
    flip: bool
    dtype: str = "float64"
    seed: int = 0

    @property
    def rank(self):
        return len(self.kernel)

    @property
    def knobs(self):
        """Keyword arguments of the convolution."""
        names = "stride dilation padding groups input_dilation padding_mode flip".split()
        return {name: getattr(self, name) for name in names}

    @property
    def transposed_knobs(self):
        """Keyword arguments of the transposed convolution, which has no dilation of its input."""
        return {name: value for name, value in self.knobs.items() if name != "input_dilation"}

    @property
    def x_shape(self):
        return (self.batch, self.groups * self.channels[0], *self.inputs)

    @property
    def w_shape(self):
        return (self.groups * self.channels[1], self.channels[0], *self.kernel)

    @cached_property
    def y_shape(self):
        return convsym.conv(np.zeros(self.x_shape), np.zeros(self.w_shape), **self.knobs).shape

    def numbers(self, shape, salt=0):
        """Integers from -4 to 4: all sums here are exact in every dtype of 32 bits."""
        random = np.random.default_rng([self.seed, salt, *shape])
        return random.integers(-4, 5, shape).astype(self.dtype)

    @property
    def x(self):
        return self.numbers(self.x_shape, 1)

    @property
    def w(self):
        return self.numbers(self.w_shape, 2)

    @property
    def dy(self):
        return self.numbers(self.y_shape, 3)

    @property
    def b(self):
        return self.numbers(self.w_shape[:1], 4)


def spec(pick, ranks=(1, 2), modes=MODES, dtypes=("float64",), **fixed):
    """A spec whose every choice is `pick` of a sequence; `fixed` overrides fields by their value for each axis."""
    rank = pick(ranks)
    most = {1: 9, 2: 6, 3: 4}[rank]
    mode = pick(modes)

    def axes(options):
        return tuple(pick(options) for _ in range(rank))

    found = Spec(
        batch=pick((1, 2)),
        groups=pick((1, 1, 2, 3)),
        channels=(pick((1, 2)), pick((1, 2))),
        inputs=axes(range(1, most + 1)),
        kernel=axes((1, 2, 3)),
        stride=axes((1, 2, 3)),
        dilation=axes((1, 2, 3)),
        padding=tuple((pick(range(-2, 5)), pick(range(-2, 5))) for _ in range(rank)),
        input_dilation=axes((1, 1, 1, 2, 3)),
        padding_mode=mode,
        flip=pick((False, True)),
        dtype=pick(dtypes),
        seed=pick(range(8)),
    )
    fields = {name: (value,) * rank if name in _PER_AXIS else value for name, value in fixed.items()}
    return _fitting(replace(found, **fields))


_PER_AXIS = ("kernel", "stride", "dilation", "padding", "input_dilation")


def _fitting(found):
    """The spec with as much padding as gives every axis something to read and an output."""
    pairs = []
    for axis, (low, high) in enumerate(found.padding):
        size = (found.inputs[axis] - 1) * found.input_dilation[axis] + 1
        if size + min(low, 0) + min(high, 0) < 1:
            low, high = max(low, 0), max(high, 0)
        missing = found.dilation[axis] * (found.kernel[axis] - 1) + 1 - (size + low + high)
        high += max(missing, 0) if high >= 0 else 0
        low += max(missing, 0) if high < 0 else 0
        pairs.append((low, high))
    return replace(found, padding=tuple(pairs))
