"""convsym as a competitor: its public functions with plain arrays, one algorithm by name, or a kept plan."""

from typing import Any, ClassVar

from convsym._version import __version__
from convsym.bench.layers import KINDS
from convsym.bench.peers.peer import Call, Peer, Task
from convsym.kernels import set_num_threads


class Convsym(Peer):
    """Public functions, nothing prepared."""

    name: ClassVar[str] = "convsym"
    module: ClassVar[str] = "convsym"
    distribution: ClassVar[str] = "convsym"
    kinds: ClassVar[tuple[str, ...]] = KINDS

    def __init__(self, threads: int, algorithm: str = "auto") -> None:
        super().__init__(threads)
        self.algorithm = algorithm
        set_num_threads(threads)

    def version(self) -> str:
        """Version of the package."""
        return __version__

    def prepare(self, task: Task) -> Call:
        """A call of `conv…d`, `grad.conv…d_input` or `grad.conv…d_weight`."""
        layer, name, algorithm = task.layer, f"conv{task.layer.rank}d", self.algorithm
        x, w, dy = (task.arrays[key] for key in ("x", "w", "dy"))
        after = (layer.stride, layer.padding, layer.dilation, layer.groups)
        grad: Any = self.library.grad
        if task.kind == "y":
            forward: Any = getattr(self.library, name)
            return lambda: forward(x, w, None, *after, algorithm=algorithm)
        if task.kind == "dx":
            by_input: Any = getattr(grad, f"{name}_input")
            return lambda: by_input(x.shape, w, dy, *after, algorithm=algorithm)
        by_weight: Any = getattr(grad, f"{name}_weight")
        return lambda: by_weight(x, w.shape, dy, *after, algorithm=algorithm)


class Planned(Convsym):
    """A kept plan: checks, choice and what is done to the weight happen once."""

    name: ClassVar[str] = "convsym plan"
    kinds: ClassVar[tuple[str, ...]] = ("y",)

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        if not hasattr(self.library, "plan"):
            raise ImportError("this convsym keeps no plans")

    def prepare(self, task: Task) -> Call:
        """A call of a plan."""
        layer, x, w = task.layer, task.arrays["x"], task.arrays["w"]
        after = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
        kept: Any = self.library.plan(f"conv{layer.rank}d", x.shape, w, **after)
        return lambda: kept(x)
