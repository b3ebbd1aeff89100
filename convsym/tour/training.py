"""Learning to read digits: batches, Adam, and what is measured after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from convsym.digits import Split
from convsym.tour.network import CLASSES, Parameters, gradients, initial, scores, squared_error

BATCH = 16
RATE = 3e-3
INK = 16


@dataclass(frozen=True)
class Epoch:
    """What was measured after a pass through the training images."""

    number: int
    loss: float
    held_loss: float
    accuracy: float


@dataclass(frozen=True)
class Training:
    """The outcome: the measurements, what was learned, and the class read in every held-out image."""

    epochs: tuple[Epoch, ...]
    parameters: Parameters
    predictions: np.ndarray

    @property
    def accuracy(self) -> float:
        """The share of held-out images that are read correctly at the end."""
        return self.epochs[-1].accuracy


@dataclass(frozen=True)
class Adam:
    """The state of Kingma and Ba's optimizer (2015): running means of gradients and of their squares."""

    mean: tuple[np.ndarray, ...]
    square: tuple[np.ndarray, ...]
    steps: int = 0

    @classmethod
    def start(cls, parameters: Parameters) -> Adam:
        """Return the state before the first step."""
        zeros = tuple(np.zeros_like(array) for array in parameters.arrays)
        return cls(zeros, zeros)

    def step(self, parameters: Parameters, gradient: Parameters, rate: float) -> tuple[Adam, Parameters]:
        """Return the next state and the parameters moved against the gradient."""
        keep, keep_square, n = 0.9, 0.99, self.steps + 1
        mean = tuple(keep * m + (1 - keep) * g for m, g in zip(self.mean, gradient.arrays, strict=True))
        square = tuple(
            keep_square * s + (1 - keep_square) * g * g for s, g in zip(self.square, gradient.arrays, strict=True)
        )
        moved = [
            array - rate * (m / (1 - keep**n)) / (np.sqrt(s / (1 - keep_square**n)) + 1e-8)
            for array, m, s in zip(parameters.arrays, mean, square, strict=True)
        ]
        return Adam(mean, square, n), Parameters.of(moved)


def train(split: Split, seed: int, epochs: int, watch: Callable[[int, int, Epoch | None], None]) -> Training:
    """Train the network on the digits.

    Parameters
    ----------
    split : Split
        The images to learn from and those held out.
    seed : int
        Decides the first weights and the order of the images.
    epochs : int
        Passes through the training images, at least 1.
    watch : callable
        Called with (steps done, steps in all, the epoch just finished or None).

    Returns
    -------
    Training
        The same numbers for the same seed on the same CPU level.
    """
    rng = np.random.default_rng(seed)
    images, targets = prepared(split.train_images), one_hot(split.train_labels)
    held, held_targets = prepared(split.held_images), one_hot(split.held_labels)
    parameters = initial(rng)
    state, history = Adam.start(parameters), []
    batches = -(-len(images) // BATCH)
    for epoch in range(epochs):
        order, losses = rng.permutation(len(images)), []
        for chosen in np.array_split(order, batches):
            loss, gradient = gradients(parameters, images[chosen], targets[chosen])
            rate = RATE * (1 - state.steps / (epochs * batches))
            state, parameters = state.step(parameters, gradient, rate)
            losses.append(loss * len(chosen))
            watch(state.steps, epochs * batches, None)
        z = scores(parameters, held)
        right = float(np.mean(z.argmax(axis=1) == split.held_labels))
        held_loss = float(squared_error(z, held_targets).mean())
        history.append(Epoch(epoch + 1, sum(losses) / len(images), held_loss, right))
        watch(state.steps, epochs * batches, history[-1])
    return Training(tuple(history), parameters, z.argmax(axis=1))


def prepared(images: np.ndarray) -> np.ndarray:
    """Return images (n, 8, 8) as float32 (n, 1, 8, 8) from 0 to 1."""
    return images[:, None].astype(np.float32) / INK


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Return targets (n, 10): 1 at the label, 0 elsewhere."""
    targets: np.ndarray = np.eye(CLASSES, dtype=np.float32)[labels]
    return targets
