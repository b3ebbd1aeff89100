"""Gradients of convolutions and transposed convolutions by their bias: sums of the cotangent."""

from typing import Any

from convsym.calls import bias_gradient
from convsym.gate import Array
from convsym.layouts import Axes


def conv1d_bias(grad_output: Any, *, axes: Axes = None) -> Array:
    """Gradient of `convsym.conv1d` with respect to its bias.

        db[k] += dy[n, k, o]

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, O) or (K, O)
        The cotangent dy: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    axes : str or sequence of str, optional
        As given to `convsym.conv1d`.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv1d_bias(np.arange(6.0).reshape(2, 3))
    array([ 3., 12.])
    """
    return bias_gradient(1, grad_output, axes)


def conv2d_bias(grad_output: Any, *, axes: Axes = None) -> Array:
    """Gradient of `convsym.conv2d` with respect to its bias.

        db[k] += dy[n, k, o0, o1]

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        The cotangent dy: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    axes : str or sequence of str, optional
        As given to `convsym.conv2d`.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv2d_bias(np.arange(8.0).reshape(2, 2, 2))
    array([ 6., 22.])
    """
    return bias_gradient(2, grad_output, axes)


def conv3d_bias(grad_output: Any, *, axes: Axes = None) -> Array:
    """Gradient of `convsym.conv3d` with respect to its bias.

        db[k] += dy[n, k, o0, o1, o2]

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, O0, O1, O2) or (K, O0, O1, O2)
        The cotangent dy: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    axes : str or sequence of str, optional
        As given to `convsym.conv3d`.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv3d_bias(np.ones((4, 2, 1, 2, 2), int))
    array([16, 16])
    """
    return bias_gradient(3, grad_output, axes)


def conv_bias(grad_output: Any, rank: int, *, axes: Axes = None) -> Array:
    """Gradient of `convsym.conv` with respect to its bias.

        db[k] += dy[n, k, o0, …]

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        The cotangent dy: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    rank : int
        Number of spatial axes, which the shape alone does not tell.
    axes : str or sequence of str, optional
        As given to `convsym.conv`.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_bias(np.arange(6).reshape(2, 3), 1)
    array([ 3, 12])
    """
    return bias_gradient(rank, grad_output, axes)


def conv_transpose1d_bias(grad_output: Any, *, axes: Axes = None) -> Array:
    """Gradient of `convsym.conv_transpose1d` with respect to its bias.

        db[k] += dy[n, k, o]

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, O) or (K, O)
        The cotangent dy: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    axes : str or sequence of str, optional
        As given to `convsym.conv_transpose1d`.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose1d_bias(np.arange(6.0).reshape(2, 3))
    array([ 3., 12.])
    """
    return bias_gradient(1, grad_output, axes)


def conv_transpose2d_bias(grad_output: Any, *, axes: Axes = None) -> Array:
    """Gradient of `convsym.conv_transpose2d` with respect to its bias.

        db[k] += dy[n, k, o0, o1]

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, O0, O1) or (K, O0, O1)
        The cotangent dy: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    axes : str or sequence of str, optional
        As given to `convsym.conv_transpose2d`.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose2d_bias(np.arange(8.0).reshape(2, 2, 2))
    array([ 6., 22.])
    """
    return bias_gradient(2, grad_output, axes)


def conv_transpose3d_bias(grad_output: Any, *, axes: Axes = None) -> Array:
    """Gradient of `convsym.conv_transpose3d` with respect to its bias.

        db[k] += dy[n, k, o0, o1, o2]

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, O0, O1, O2) or (K, O0, O1, O2)
        The cotangent dy: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    axes : str or sequence of str, optional
        As given to `convsym.conv_transpose3d`.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose3d_bias(np.ones((4, 2, 1, 2, 2), int))
    array([16, 16])
    """
    return bias_gradient(3, grad_output, axes)


def conv_transpose_bias(grad_output: Any, rank: int, *, axes: Axes = None) -> Array:
    """Gradient of `convsym.conv_transpose` with respect to its bias.

        db[k] += dy[n, k, o0, …]

    Parameters
    ----------
    grad_output : ndarray, shape (N, K, o0, …) or (K, o0, …)
        The cotangent dy: float16, float32, float64, complex64, complex128, any integer dtype, or object.
    rank : int
        Number of spatial axes, which the shape alone does not tell.
    axes : str or sequence of str, optional
        As given to `convsym.conv_transpose`.

    Returns
    -------
    ndarray, shape (K,)
        db.

    Raises
    ------
    TypeError, ShapeError
        When `grad_output` is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import grad
    >>> grad.conv_transpose_bias(np.arange(6).reshape(2, 3), 1)
    array([ 3, 12])
    """
    return bias_gradient(rank, grad_output, axes)
