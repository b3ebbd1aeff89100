"""Batches of arrays, in a new order for each pass, with a bar that shows how far the pass is."""

import sys
import time
from collections.abc import Iterator
from typing import TextIO

import numpy as np

from convsym.arguments import Number, flag, integer
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.nn.initial import Random
from convsym.terminal import Terminal

_PAUSE = 0.05  # seconds between two looks of the bar


class DataLoader:
    """Batches of arrays that belong together, such as images and labels.

    Parameters
    ----------
    *arrays : ndarray
        All of one length along the first axis.
    batch_size : int
    shuffle : bool
        Whether each pass has a new order.
    drop_last : bool
        Whether a last batch is left out that is not full.
    rng : numpy.random.Generator, int, or None
        Where the orders come from: the same passes for the same seed.
    progress : bool
        Whether a bar is drawn on standard error while a pass is made; only where that is a terminal.

    Attributes
    ----------
    words : str
        What stands beside the bar; set it as training goes on, such as to the loss.

    Raises
    ------
    TypeError, ShapeError
        Arrays of different lengths, none at all, or an argument that is no number.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn
    >>> images, labels = np.zeros((5, 1, 8, 8), np.float32), np.arange(5)
    >>> batches = nn.DataLoader(images, labels, batch_size=2)
    >>> [(x.shape, t.tolist()) for x, t in batches]
    [((2, 1, 8, 8), [0, 1]), ((2, 1, 8, 8), [2, 3]), ((1, 1, 8, 8), [4])]
    >>> len(nn.DataLoader(images, labels, batch_size=2, drop_last=True))
    2
    """

    def __init__(
        self,
        *arrays: Array,
        batch_size: Number = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        rng: Random = None,
        progress: bool = False,
    ) -> None:
        self.arrays = tuple(np.asarray(array) for array in arrays)
        if not arrays:
            raise TypeError("no array is given, and batches are parts of arrays: DataLoader(images, labels, …)")
        for place, array in enumerate(self.arrays):
            if array.ndim == 0 or len(array) != len(self.arrays[0]):
                raise ShapeError(
                    f"array {place} has shape {array.shape}, and it must have {self.arrays[0].shape[:1]} along its "
                    "first axis like the first one: batches are rows of all arrays at once"
                )
        self.batch_size = integer(batch_size, "batch_size", 1)
        self.shuffle, self.drop_last = flag(shuffle, "shuffle"), flag(drop_last, "drop_last")
        self.progress, self.words = flag(progress, "progress"), ""
        self._rng = np.random.default_rng(rng)

    def __len__(self) -> int:
        """The number of batches of a pass."""
        whole, rest = divmod(len(self.arrays[0]), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        """One pass: a tuple for each batch, with a part of every array."""
        order = self._rng.permutation(len(self.arrays[0])) if self.shuffle else None
        batches = (self._batch(place * self.batch_size, order) for place in range(len(self)))
        return self._shown(batches, sys.stderr) if self.progress else batches

    def _batch(self, start: int, order: Array | None) -> tuple[Array, ...]:
        rows = slice(start, start + self.batch_size)
        return tuple(array[rows] if order is None else array[order[rows]] for array in self.arrays)

    def _shown(self, batches: Iterator[tuple[Array, ...]], stream: TextIO) -> Iterator[tuple[Array, ...]]:
        """The batches, and a bar that is taken away when the pass ends, however it ends."""
        terminal, shown = Terminal.of(stream), 0.0
        try:
            for done, batch in enumerate(batches):
                if time.monotonic() - shown > _PAUSE:
                    shown = time.monotonic()
                    terminal.bar(done, len(self), f"batch {done + 1} of {len(self)} {self.words}".rstrip())
                yield batch
        finally:
            terminal.clear()
