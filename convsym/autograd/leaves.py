"""Where a computation starts: tensors of numbers."""

from typing import Any

import numpy as np

from convsym.autograd.held import constant, plain
from convsym.autograd.tape import Tensor


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of new memory from an array, a list or a number.

    Parameters
    ----------
    data : array_like
        Arrays keep their dtype; lists and numbers of Python become float64, unless they hold objects.
    dtype : dtype, optional
        Convert to this.
    requires_grad : bool
        Whether gradients by it will be asked for.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        `data` holds no numbers, or numbers that have no gradient where one is asked for.

    Examples
    --------
    >>> import convsym
    >>> x = convsym.tensor([[1, 2], [3, 4]], requires_grad=True)
    >>> a = (3 * (x - 2)**2).mean()
    >>> a.backward()
    >>> a, x.grad
    (tensor(4.5, grad_fn=<MeanBackward0>), tensor([[-1.5,  0. ],
            [ 1.5,  3. ]]))
    """
    try:
        array = np.array(plain(data), dtype)
    except ValueError as error:
        raise TypeError(f"data makes no array ({error}); every row needs as many numbers as the others") from None
    computes = array.dtype.kind != "O" or all(hasattr(type(item), "__mul__") for item in array.flat)
    if array.dtype.kind not in "biufcO" or not computes:
        raise TypeError(f"data is a {type(data).__name__} of dtype {array.dtype}, and a tensor holds numbers")
    if dtype is None and array.dtype.kind in "biu" and not hasattr(data, "dtype"):
        array = array.astype(np.float64)
    return Tensor(array, requires_grad)


def as_tensor(value: Any) -> Tensor:
    """A tensor as it is; an array or a number as one without a gradient."""
    return value if isinstance(value, Tensor) else Tensor(np.asarray(constant(value)))
