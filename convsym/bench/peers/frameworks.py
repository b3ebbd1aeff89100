"""torch and jax: the two that have gradients."""

from typing import Any, ClassVar

import numpy as np

from convsym.bench.layers import KINDS
from convsym.bench.peers.peer import Call, Peer, Task
from convsym.gate import Array


class Torch(Peer):
    """torch.nn.functional, and aten::convolution_backward with a mask for one gradient at a time."""

    name: ClassVar[str] = "torch"
    module: ClassVar[str] = "torch"
    distribution: ClassVar[str] = "torch"
    kinds: ClassVar[tuple[str, ...]] = KINDS

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.library.set_num_threads(threads)
        self.library.set_grad_enabled(False)

    def prepare(self, task: Task) -> Call:
        """A call on tensors that share the memory of the arrays."""
        torch, layer = self.library, task.layer
        x, w, dy = (torch.from_numpy(task.arrays[key]) for key in ("x", "w", "dy"))
        after = tuple(map(list, (layer.stride, layer.padding, layer.dilation)))
        if task.kind == "y":
            forward: Any = getattr(torch.nn.functional, f"conv{layer.rank}d")
            return lambda: forward(x, w, None, *after, layer.groups)
        backward, none = torch.ops.aten.convolution_backward, [0] * layer.rank
        mask = [task.kind == "dx", task.kind == "dw", False]
        return lambda: backward(dy, x, w, None, *after, False, none, layer.groups, mask)

    def array(self, result: Any) -> Array:
        """The output, or the gradient that was asked for."""
        tensors = result if isinstance(result, tuple) else (result,)
        found: Array = next(tensor for tensor in tensors if tensor is not None).numpy()
        return found


class Jax(Peer):
    """jax.lax.conv_general_dilated and its vjp, compiled; it decides on its threads itself."""

    name: ClassVar[str] = "jax"
    module: ClassVar[str] = "jax"
    distribution: ClassVar[str] = "jax"
    kinds: ClassVar[tuple[str, ...]] = KINDS
    default_threads_only: ClassVar[bool] = True

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.library.config.update("jax_platforms", "cpu")
        self.library.config.update("jax_enable_x64", True)

    def prepare(self, task: Task) -> Call:
        """A jitted call, waited for."""
        jax, layer = self.library, task.layer
        x, w, dy = (jax.numpy.asarray(task.arrays[key]) for key in ("x", "w", "dy"))
        pairs = [(p, p) for p in layer.padding]

        def forward(x: Any, w: Any) -> Any:
            return jax.lax.conv_general_dilated(
                x, w, layer.stride, pairs, rhs_dilation=layer.dilation, feature_group_count=layer.groups
            )

        if task.kind == "y":
            compiled = jax.jit(forward)
            return lambda: compiled(x, w).block_until_ready()
        if task.kind == "dx":
            by_input = jax.jit(lambda w, dy: jax.vjp(lambda x: forward(x, w), x)[1](dy)[0])
            return lambda: by_input(w, dy).block_until_ready()
        by_weight = jax.jit(lambda x, dy: jax.vjp(lambda w: forward(x, w), w)[1](dy)[0])
        return lambda: by_weight(x, dy).block_until_ready()

    def array(self, result: Any) -> Array:
        """The array on the host."""
        return np.asarray(result)
