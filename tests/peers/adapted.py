"""Calls that the adapters of all frameworks are tested with, as small as checks by differences need them."""

import doctest
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Call:
    """A call of an adapter's function.

    Attributes
    ----------
    function : str
    shapes : tuple of tuple of int
        Of the arrays it takes: the input, then weight and bias where it has them.
    arguments : dict
    """

    function: str
    shapes: tuple
    arguments: dict = field(default_factory=dict)

    def arrays(self, dtype="float64", seed=0):
        generator = np.random.default_rng(seed)
        drawn = [generator.standard_normal((2, *shape)) for shape in self.shapes]
        made = [pair[0] + 1j * pair[1] if np.dtype(dtype).kind == "c" else pair[0] for pair in drawn]
        return tuple(array.astype(dtype) for array in made)

    def of(self, adapter):
        """The function of its arrays alone, in a module that has one of this name."""
        function = getattr(adapter, self.function)
        return lambda *arrays: function(*arrays, **self.arguments)

    def __str__(self):
        said = ",".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.function}-{self.shapes[0]}-{said}".replace(" ", "")


CONVOLUTIONS = (
    Call("conv1d", ((2, 4, 5), (4, 2, 2), (4,)), {"stride": 2, "dilation": 2, "padding": 1, "groups": 2}),
    Call("conv2d", ((2, 2, 3, 4), (3, 2, 2, 2), (3,)), {"padding": ((1, 0), (-1, 1)), "stride": [2, 1]}),
    Call("conv2d", ((2, 3, 3), (1, 2, 2, 3)), {"padding": 1, "padding_mode": "reflect"}),
    Call("conv3d", ((1, 1, 2, 2, 3), (2, 1, 2, 1, 2), (2,)), {"input_dilation": 2, "flip": True}),
    Call("conv", ((1, 5), (1, 1, 3)), {"padding": "same", "algorithm": "fft"}),
    Call("conv_transpose1d", ((2, 2, 3), (2, 1, 3), (2,)), {"stride": 2, "output_padding": 1, "groups": 2}),
    Call("conv_transpose2d", ((1, 2, 2), (1, 2, 2, 3)), {"padding": 1, "padding_mode": "circular", "stride": (2, 1)}),
)
LINEAR = (
    Call("avg_pool1d", ((2, 2, 5), ), {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    Call("avg_pool2d", ((2, 4, 3), ), {"kernel_size": (2, 3), "stride": [1, 2], "ceil_mode": True}),
    Call("unfold", ((2, 1, 4, 3), ), {"kernel_size": (2, 2), "dilation": (1, 2), "padding": [1, 0], "stride": 2}),
    Call("fold", ((4, 6), ), {"output_size": [7], "kernel_size": (2,)}),
)
CALLS = (*CONVOLUTIONS, *LINEAR)


def assert_examples_run(module):
    """The examples in the docstrings of a module give what they say."""
    outcome = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 5
    assert outcome.failed == 0
