"""SciPy, OpenCV and NumPy: what people use for images and signals without a framework."""

from typing import Any, ClassVar

import numpy as np

from convsym.bench.layers import Layer
from convsym.bench.peers.peer import Call, Peer, Task
from convsym.gate import Array

MOST_PLANES = 64  # a loop in Python over more planes than that measures the loop


class _OfPlanes(Peer):
    """A library that filters one plane with one kernel: depthwise layers go plane by plane."""

    def lacks_layer(self, layer: Layer) -> str:
        """Channels that are added, many planes, strides."""
        if not layer.is_planes:
            return "does not add channels"
        if layer.input[0] * layer.input[1] > MOST_PLANES:
            return f"takes one plane at a time, and these are more than {MOST_PLANES}"
        return "has no stride and no dilation" if layer.is_spread else ""

    def array(self, result: Any) -> Array:
        """The planes as one array; `worker` gives it the shape of the output."""
        return np.stack(result)


def _planes(task: Task) -> list[tuple[Array, Array]]:
    """Every plane of the input with its kernel."""
    x, w = task.arrays["x"], task.arrays["w"]
    return [(plane, w[c, 0]) for image in x for c, plane in enumerate(image)]


def _needs_same(layer: Layer) -> str:
    return "" if layer.is_same else "gives as many outputs as inputs"


class SciPySignal(_OfPlanes):
    """scipy.signal.correlate, by the method it chooses, or correlate2d for kernels up to 9 x 9."""

    name: ClassVar[str] = "scipy.signal"
    module: ClassVar[str] = "scipy.signal"
    distribution: ClassVar[str] = "scipy"

    def lacks_layer(self, layer: Layer) -> str:
        """No padding but "same" and "valid"."""
        padded = any(layer.padding) and not layer.is_same
        return super().lacks_layer(layer) or ("pads by the kernel or not at all" if padded else "")

    def prepare(self, task: Task) -> Call:
        """One call for each plane."""
        signal, pairs = self.library, _planes(task)
        mode = "same" if task.layer.is_same and any(task.layer.padding) else "valid"
        small = task.layer.rank == 2 and max(task.layer.weight[2:]) <= 9
        filtered = signal.correlate2d if small else signal.correlate
        return lambda: [filtered(plane, kernel, mode) for plane, kernel in pairs]


class SciPyImages(_OfPlanes):
    """scipy.ndimage.correlate with zeros around the image."""

    name: ClassVar[str] = "scipy.ndimage"
    module: ClassVar[str] = "scipy.ndimage"
    distribution: ClassVar[str] = "scipy"

    def lacks_layer(self, layer: Layer) -> str:
        """Outputs as many as inputs."""
        return super().lacks_layer(layer) or _needs_same(layer)

    def prepare(self, task: Task) -> Call:
        """One call for each plane."""
        correlate, pairs = self.library.correlate, _planes(task)
        return lambda: [correlate(plane, kernel, mode="constant") for plane, kernel in pairs]


class OpenCv(_OfPlanes):
    """cv2.filter2D with zeros around the image."""

    name: ClassVar[str] = "opencv"
    module: ClassVar[str] = "cv2"
    distribution: ClassVar[str] = "opencv-python-headless"
    ranks: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.library.setNumThreads(threads)

    def version(self) -> str:
        """Version of the library, whichever of its packages it came with."""
        return str(self.library.__version__)

    def failures(self) -> tuple[type[Exception], ...]:
        """Its own error descends from nothing but Exception."""
        return (*super().failures(), self.library.error)

    def lacks_layer(self, layer: Layer) -> str:
        """Outputs as many as inputs."""
        return super().lacks_layer(layer) or _needs_same(layer)

    def prepare(self, task: Task) -> Call:
        """One call for each plane."""
        filtered, border, pairs = self.library.filter2D, self.library.BORDER_CONSTANT, _planes(task)
        return lambda: [filtered(plane, -1, kernel, borderType=border) for plane, kernel in pairs]


class NumPy(Peer):
    """The recipe for NumPy alone: windows as a view, and a tensordot that copies them."""

    name: ClassVar[str] = "numpy"
    module: ClassVar[str] = "numpy"
    distribution: ClassVar[str] = "numpy"

    def lacks_layer(self, layer: Layer) -> str:
        """Groups and dilation need more than the recipe."""
        return "the recipe has no groups and no dilation" if layer.groups > 1 or {*layer.dilation} != {1} else ""

    def prepare(self, task: Task) -> Call:
        """Padding, windows, product."""
        layer, x, w = task.layer, task.arrays["x"], task.arrays["w"]
        axes = tuple(range(2, 2 + layer.rank))
        around = ((0, 0), (0, 0), *((p, p) for p in layer.padding))
        steps = (slice(None), slice(None), *(slice(None, None, s) for s in layer.stride))
        summed = ((1, *(axis + layer.rank for axis in axes)), tuple(range(1, w.ndim)))

        def run() -> object:
            padded = np.pad(x, around) if any(layer.padding) else x
            windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axes)[steps]
            return np.moveaxis(np.tensordot(windows, w, summed), -1, 1)

        return run
