"""What a competitor is: a library that is imported when it is opened, and makes a call for a task."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np

from convsym.bench.layers import KINDS, Layer
from convsym.gate import Array

Call = Callable[[], object]


@dataclass(frozen=True)
class Task:
    """One layer and what of it is computed: y from x and w, dx from dy and w, dw from x and dy."""

    layer: Layer
    kind: str

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """x, w and dy: normal numbers, the same for the same layer."""
        rng = np.random.default_rng(5)
        shapes = {"x": self.layer.input, "w": self.layer.weight, "dy": self.layer.shapes["y"]}
        return {name: rng.standard_normal(shape, np.dtype(self.layer.dtype)) for name, shape in shapes.items()}


class Peer(ABC):
    """A competitor. To open one imports its library, so it may raise an ImportError.

    Attributes
    ----------
    name, module, distribution : str
        What it is called, what is imported, and of which package on PyPI.
    kinds, dtypes, ranks
        What it computes.
    default_threads_only : bool
        Whether it cannot be told a number of threads, so that it runs at the default alone.
    """

    name: ClassVar[str]
    module: ClassVar[str]
    distribution: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = ("y",)
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3)
    default_threads_only: ClassVar[bool] = False

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.library: Any = import_module(self.module)

    def version(self) -> str:
        """Version of the library."""
        return version(self.distribution)

    def failures(self) -> tuple[type[Exception], ...]:
        """Errors that it raises where it cannot do a task."""
        return (ArithmeticError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)

    def lacks(self, task: Task) -> str:
        """Why a task is not for this peer; nothing where it is."""
        layer = task.layer
        if task.kind not in self.kinds:
            return "has no gradients" if task.kind in KINDS else f"does not know {task.kind}"
        if layer.dtype not in self.dtypes:
            return f"does not compute {layer.dtype}"
        if layer.rank not in self.ranks:
            return f"has no {layer.rank}-d convolution"
        return self.lacks_layer(layer)

    def lacks_layer(self, layer: Layer) -> str:
        """Why a layer is not for this peer, beyond its kinds, dtypes and ranks."""
        return ""

    @abstractmethod
    def prepare(self, task: Task) -> Call:
        """The call that is timed: everything that a user does once is done before."""

    def array(self, result: Any) -> Array:
        """A result of the call as a NumPy array."""
        return np.asarray(result)
