"""What networks end in: linear layers and losses, as compositions."""

from math import prod
from typing import Any

import numpy as np

from convsym.arguments import one_of
from convsym.autograd.arithmetic import square
from convsym.autograd.derived import PLAIN, Pick
from convsym.autograd.held import plain
from convsym.autograd.leaves import as_tensor
from convsym.autograd.reductions import log_softmax
from convsym.autograd.tape import Tensor, apply
from convsym.errors import ShapeError

REDUCTIONS = ("mean", "sum", "none")


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """A linear layer.

        y[n, j] += x[n, i] * weight[j, i];  y[n, j] += bias[j]

    Parameters
    ----------
    x : Tensor or ndarray, shape (…, I)
    weight : Tensor or ndarray, shape (J, I)
    bias : Tensor or ndarray, shape (J,), optional

    Returns
    -------
    Tensor, shape (…, J)

    Raises
    ------
    ShapeError
        The rows of `weight` are not as long as those of `x`.

    Examples
    --------
    >>> from convsym.autograd import linear, tensor
    >>> linear(tensor([[1, 2]]), tensor([[3, 4], [5, 6]]), tensor([0, 1]))
    tensor([[11., 18.]])
    """
    t, w = as_tensor(x), as_tensor(weight)
    if not t.ndim or w.ndim != 2 or t.shape[-1] != w.shape[1]:
        raise ShapeError(f"x has shape {t.shape} and weight {w.shape}; they must be (…, I) and (J, I)")
    y = apply(PLAIN["linear"], t if t.ndim == 2 else t.reshape(prod(t.shape[:-1]), w.shape[1]), w)
    y = y if bias is None else y + bias
    return y if t.ndim == 2 else y.reshape(*t.shape[:-1], w.shape[0])


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """The mean of squared differences.

    Parameters
    ----------
    input, target : Tensor or ndarray
        Of one shape.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        The shapes differ, for broadcasting here is most often a mistake.

    Examples
    --------
    >>> from convsym.autograd import mse_loss, tensor
    >>> mse_loss(tensor([1, 2]), tensor([1, 4])).item()
    2.0
    """
    x, t = as_tensor(input), as_tensor(target)
    if x.shape != t.shape:
        raise ShapeError(f"input has shape {x.shape} and target {t.shape}, and they must be equal")
    return reduced(square(x - t), reduction)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """How improbable the right classes are, from logits: the negative `log_softmax` there.

        l[n] = -weight[t[n]] * log_softmax(x)[n, t[n]]

    Parameters
    ----------
    input : Tensor or ndarray, shape (C,), (N, C) or (N, C, …)
        Logits x of C classes.
    target : ndarray or Tensor
        The classes t, integers of shape (), (N,) or (N, …); or probabilities of the shape of `input`.
    weight : ndarray or Tensor, shape (C,), optional
        Of each class; the mean is then weighted.
    ignore_index : int
        Classes of this number do not count.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float
        The part, from 0 to 1, of the target that is spread evenly over all classes.

    Returns
    -------
    Tensor
        A number, or with ``reduction="none"`` one for each target.

    Raises
    ------
    ShapeError
        Shapes do not fit together, a class is not among the C, or the reduction is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym.autograd import cross_entropy, tensor
    >>> x = tensor([[0, 0], [0, 0]], requires_grad=True)
    >>> loss = cross_entropy(x, np.array([0, 1]))
    >>> loss.backward()
    >>> loss.item(), x.grad
    (0.6931471805599..., tensor([[-0.25,  0.25],
            [ 0.25, -0.25]]))
    """
    x, classes = as_tensor(input), plain(target)
    axis = min(1, x.ndim - 1)
    log_p = log_softmax(x, axis)
    if np.shape(classes) == x.shape and np.asarray(classes).dtype.kind not in "iu":
        return _by_probabilities(log_p, as_tensor(target), weight, reduction, label_smoothing, axis)
    t = _checked(np.asarray(classes), x.shape, axis, ignore_index)
    counted = t != ignore_index
    known = t if counted.all() else np.where(counted, t, 0)
    losses = -apply(Pick(known.reshape(*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.shape, axis), log_p)
    if known is t and weight is None and not label_smoothing:
        return reduced(losses, reduction)
    scale = counted.astype(x.dtype) if weight is None else as_tensor(weight)[known] * counted
    losses = losses * scale
    if label_smoothing:
        spread = log_p if weight is None else log_p * _along(as_tensor(weight), axis, x.ndim)
        even = -spread.sum(axis) * counted / x.shape[axis]
        losses = losses * (1 - label_smoothing) + even * label_smoothing
    return losses.sum() / scale.sum() if reduction == "mean" else reduced(losses, reduction)


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The mean of losses, their sum, or they themselves."""
    one_of(reduction, "reduction", REDUCTIONS)
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def _by_probabilities(
    log_p: Tensor, target: Tensor, weight: Any, reduction: str, label_smoothing: float, axis: int
) -> Tensor:
    """The loss of targets that are probabilities; its mean is over targets, whatever their weights."""
    count = log_p.shape[axis]
    smooth = target * (1 - label_smoothing) + label_smoothing / count if label_smoothing else target
    weighted = log_p * smooth if weight is None else log_p * smooth * _along(as_tensor(weight), axis, log_p.ndim)
    losses = -weighted.sum(axis)
    return reduced(losses, reduction)


def _along(weight: Tensor, axis: int, rank: int) -> Tensor:
    """Numbers of the classes, so that they broadcast along their axis."""
    return weight.reshape(tuple(-1 if place == axis else 1 for place in range(rank)))


def _checked(t: Any, shape: tuple[int, ...], axis: int, ignore_index: int) -> Any:
    expected = (*shape[:axis], *shape[axis + 1 :])
    if t.dtype.kind not in "iu" or t.shape != expected:
        raise ShapeError(
            f"target has shape {t.shape} and dtype {t.dtype}, and for logits of shape {shape} it is classes, integers "
            f"of shape {expected}, or probabilities of shape {shape}"
        )
    if not t.size or (t.min() >= 0 and t.max() < shape[axis]):
        return t
    wrong = t[(t != ignore_index) & ((t < 0) | (t >= shape[axis]))]
    if wrong.size:
        raise ShapeError(f"target has the class {wrong.flat[0]}, and classes are from 0 to {shape[axis] - 1}")
    return t
