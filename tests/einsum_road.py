"""A third road: convolutions and their gradients by NumPy's sliding windows and einsum, in any dtype and rank.

Padding is done by `np.pad`, cropping by slices, dilation by taking every d-th element of a window; which elements meet
is then NumPy's business, and no bound or size is computed here.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

MODES = {"zeros": "constant", "circular": "wrap", "reflect": "reflect", "replicate": "edge", "symmetric": "symmetric"}


@dataclass(frozen=True)
class Windows:
    """What a convolution has beside its arrays; one entry for each spatial axis, padding in pairs."""

    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1
    mode: str = "zeros"
    input_dilation: tuple[int, ...] = ()

    def padded(self, x):
        """The input dilated, cropped and padded."""
        rank = len(self.stride)
        for axis, step in enumerate(self.input_dilation, start=x.ndim - rank):
            stuffed = np.zeros((*x.shape[: axis + 1], step, *x.shape[axis + 1 :]), x.dtype)
            np.moveaxis(stuffed, axis + 1, 0)[0] = x
            x = stuffed.reshape(*x.shape[:axis], -1, *x.shape[axis + 1 :])
            x = np.take(x, range(x.shape[axis] - (step - 1)), axis)
        for axis, (before, after) in enumerate(self.padding, start=x.ndim - rank):
            kept = range(x.shape[axis])[max(-before, 0) :]
            x = np.take(x, kept[: len(kept) - max(-after, 0)], axis)
        ends = ((0, 0), (0, 0), *((max(lo, 0), max(hi, 0)) for lo, hi in self.padding))
        return np.pad(x, ends, MODES[self.mode])

    def seen(self, padded, kernel, outputs=None, writeable=False):
        """Windows (n, c, o0, …, r0, …) of a padded input, the first `outputs` of them where they are given."""
        rank = len(kernel)
        spans = [range(0, size * step, step)[-1] + 1 for size, step in zip(kernel, self.dilation, strict=True)]
        every = np.lib.stride_tricks.sliding_window_view(padded, spans, tuple(range(2, 2 + rank)), writeable=writeable)
        steps = (*(slice(None, None, s) for s in self.stride), *(slice(None, None, d) for d in self.dilation))
        view = every[:, :, *steps]
        return view if outputs is None else view[:, :, *map(slice, outputs)]

    def _apart(self, array, axis):
        """An array with its channel axis as (groups, channels of one group)."""
        return array.reshape(*array.shape[:axis], self.groups, -1, *array.shape[axis + 1 :])

    def forward(self, x, w):
        """y[n, k, o] of x[n, c, i] and w[k, c, r]."""
        kernel = w.shape[2:]
        o, r = _letters(len(kernel))
        seen = self._apart(self.seen(self.padded(x), kernel), 1)
        y = np.einsum(f"ngc{o}{r},gkc{r}->ngk{o}", seen, self._apart(w, 0))
        return y.reshape(y.shape[0], -1, *y.shape[3:])

    def by_weight(self, x, kernel, dy):
        """dw[k, c, r] of sum(dy * y)."""
        o, r = _letters(len(kernel))
        seen = self._apart(self.seen(self.padded(x), kernel, dy.shape[2:]), 1)
        dw = np.einsum(f"ngc{o}{r},ngk{o}->gkc{r}", seen, self._apart(dy, 1))
        return dw.reshape(-1, *dw.shape[2:])

    def by_input(self, shape, w, dy):
        """dx[n, c, i] of sum(dy * y): what reaches each padded element, added to the element it was copied from."""
        count = int(np.prod(shape))
        # Where each padded element was copied from; zeros, which none was, come from place -1.
        places = self.padded(np.arange(1, count + 1).reshape(shape)) - 1
        reached = np.zeros(places.shape, np.result_type(w, dy))
        kernel = w.shape[2:]
        o, _ = _letters(len(kernel))
        seen = self._apart(self.seen(reached, kernel, dy.shape[2:], writeable=True), 1)
        for tap in product(*map(range, kernel)):
            of_tap = np.einsum(f"gkc,ngk{o}->ngc{o}", self._apart(w, 0)[..., *tap], self._apart(dy, 1))
            seen[..., *tap] += of_tap
        dx = np.zeros(count + 1, reached.dtype)
        np.add.at(dx, places, reached)
        return dx[:count].reshape(shape)


def _letters(rank):
    return "ijlmp"[:rank], "uvwxy"[:rank]
