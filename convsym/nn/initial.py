"""The first values of parameters."""

from math import prod, sqrt

import numpy as np
from numpy.typing import DTypeLike

from convsym.autograd import Tensor
from convsym.geometry import Shape

Random = np.random.Generator | int | None


def weights(shape: Shape, summed: Shape, dtype: DTypeLike, rng: Random) -> Tensor:
    """A weight before training, so that what comes out of relu has the scale of what went in (He et al. 2015).

    Parameters
    ----------
    shape : tuple of int
    summed : tuple of int
        Sizes of the axes that are summed for one element of the output.
    dtype : dtype
        float32 and float64 begin with the same values, rounded.
    rng : Generator, int, or None

    Returns
    -------
    Tensor
        Normally distributed, of variance 2/n for n summed products. It takes gradients.
    """
    values = np.random.default_rng(rng).standard_normal(shape) * sqrt(2 / max(1, prod(summed)))
    return Tensor(values.astype(dtype), requires_grad=True)


def zeros(size: int, dtype: DTypeLike) -> Tensor:
    """A bias before training."""
    return Tensor(np.zeros(size, dtype), requires_grad=True)
