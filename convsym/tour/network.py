"""A small convolutional network whose every gradient is a derived rule: none is written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import convsym
from convsym import grad, kernels

CLASSES = 10


@dataclass(frozen=True)
class Layer:
    """A convolution with bias: shape of its kernels (out, in, height, width), stride and padding."""

    shape: tuple[int, int, int, int]
    stride: int
    padding: int


LAYERS = (Layer((16, 1, 3, 3), 1, 1), Layer((32, 16, 3, 3), 2, 1), Layer((CLASSES, 32, 4, 4), 1, 0))


@dataclass(frozen=True)
class Parameters:
    """Kernels and biases, one of each for every layer."""

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """All arrays, the weights first."""
        return (*self.weights, *self.biases)

    @classmethod
    def of(cls, arrays: Sequence[np.ndarray]) -> Parameters:
        """Put arrays in the order of `arrays` back in their places."""
        return cls(tuple(arrays[: len(LAYERS)]), tuple(arrays[len(LAYERS) :]))


def initial(rng: np.random.Generator) -> Parameters:
    """Draw weights so that layers keep the variance of their input (He et al. 2015); biases start at 0."""
    weights = [rng.standard_normal(layer.shape) * np.sqrt(2 / np.prod(layer.shape[1:])) for layer in LAYERS]
    # A tenth of the variance in the last layer: the first scores are small, so no class starts out ahead.
    weights[-1] *= np.sqrt(0.1)
    return Parameters(
        tuple(weight.astype(np.float32) for weight in weights),
        tuple(np.zeros(layer.shape[0], np.float32) for layer in LAYERS),
    )


def forward(parameters: Parameters, images: np.ndarray) -> list[np.ndarray]:
    """Run the network.

    Parameters
    ----------
    parameters : Parameters
        The kernels and biases.
    images : ndarray of float32, shape (n, 1, 8, 8)
        The digits, from 0 to 1.

    Returns
    -------
    list of ndarray
        What each layer makes before the relu; the last, (n, 10, 1, 1), are the scores.
    """
    made: list[np.ndarray] = []
    for layer, weight, bias in zip(LAYERS, parameters.weights, parameters.biases, strict=True):
        x = relu(made[-1]) if made else images
        made.append(convsym.conv2d(x, weight, bias, layer.stride, layer.padding))
    return made


def scores(parameters: Parameters, images: np.ndarray) -> np.ndarray:
    """Return the scores (n, 10) of images (n, 1, 8, 8)."""
    return forward(parameters, images)[-1].reshape(len(images), CLASSES)


def gradients(parameters: Parameters, images: np.ndarray, targets: np.ndarray) -> tuple[float, Parameters]:
    """Return the mean loss of a batch and its gradient for every parameter.

    Parameters
    ----------
    parameters : Parameters
        The kernels and biases.
    images : ndarray of float32, shape (n, 1, 8, 8)
        The digits, from 0 to 1.
    targets : ndarray of float32, shape (n, 10)
        1 at the right class, 0 elsewhere.

    Returns
    -------
    loss : float
        The squared error, averaged over the batch.
    gradient : Parameters
        Arrays in the shape of the parameters.
    """
    made = forward(parameters, images)
    z = made[-1].reshape(targets.shape)
    loss = float(squared_error(z, targets).mean())
    dy = squared_error_gradient(z, targets).reshape(made[-1].shape)
    weights, biases = [], []
    for n in reversed(range(len(LAYERS))):
        layer, weight = LAYERS[n], parameters.weights[n]
        x = relu(made[n - 1]) if n else images
        weights.append(grad.conv2d_weight(x, weight.shape, dy, layer.stride, layer.padding))
        biases.append(grad.conv2d_bias(dy))
        if n:
            dx = grad.conv2d_input(x.shape, weight, dy, layer.stride, layer.padding)
            dy = relu_gradient(dx, made[n - 1])
    return loss, Parameters(tuple(reversed(weights)), tuple(reversed(biases)))


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0), by the kernel of the registry's formula."""
    rows = x.reshape(len(x), -1)
    return kernels.run("relu_y", np.zeros_like(rows), {"x": rows}, {}).reshape(x.shape)


def relu_gradient(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return dx of relu, by the derived rule."""
    rows = x.reshape(len(x), -1)
    operands = {"dy": dy.reshape(rows.shape), "x": rows}
    return kernels.run("relu_dx", np.zeros_like(rows), operands, {}).reshape(x.shape)


def squared_error(z: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the squared error of every row of scores, by the kernel of the registry's formula."""
    return kernels.run("squared_error_l", np.zeros(len(z), z.dtype), {"z": z, "t": targets}, {})


def squared_error_gradient(z: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return dz for the mean over the rows, by the derived rule: the mean's weights are its cotangent."""
    dl = np.full(len(z), 1 / len(z), z.dtype)
    return kernels.run("squared_error_dz", np.zeros_like(z), {"dl": dl, "z": z, "t": targets}, {})
