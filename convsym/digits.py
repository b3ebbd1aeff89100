"""The handwritten digits that are shipped with the package (UCI, CC BY 4.0; see data/README.md)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np

HELD_OUT = 360


@dataclass(frozen=True)
class Split:
    """Digits divided once and for all into images to learn from and images held out.

    Attributes
    ----------
    train_images, held_images : ndarray of uint8, shape (n, 8, 8)
        Gray values from 0 (paper) to 16 (ink).
    train_labels, held_labels : ndarray of uint8, shape (n,)
        The digit that each image shows.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    held_images: np.ndarray
    held_labels: np.ndarray


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the 1,797 images of handwritten digits and their labels.

    Returns
    -------
    images : ndarray of uint8, shape (1797, 8, 8)
        Gray values from 0 (paper) to 16 (ink).
    labels : ndarray of uint8, shape (1797,)
        The digit that each image shows.

    Examples
    --------
    >>> from convsym.digits import load_digits
    >>> images, labels = load_digits()
    >>> images.shape, int(images.max()), labels[:5].tolist()
    ((1797, 8, 8), 16, [0, 1, 2, 3, 4])
    """
    path = resources.files("convsym") / "data" / "digits.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return archive["images"], archive["labels"]


def split_digits() -> Split:
    """Divide the digits into 1,437 to learn from and 360 held out, always the same ones.

    The order comes from NumPy's legacy generator because its stream is frozen: the same images are held out
    with every version of NumPy.

    Returns
    -------
    Split
        The four arrays.

    Examples
    --------
    >>> from convsym.digits import split_digits
    >>> split = split_digits()
    >>> split.train_images.shape, split.held_images.shape
    ((1437, 8, 8), (360, 8, 8))
    """
    images, labels = load_digits()
    order = np.random.RandomState(0).permutation(len(images))
    held, train = order[:HELD_OUT], order[HELD_OUT:]
    return Split(images[train], labels[train], images[held], labels[held])
