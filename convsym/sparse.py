"""The matrix of a convolution, built from its index relation: which output reads which input with which tap.

The relation is a product over the axes, and so are the entries of the matrix: each axis has its pairs (output, input)
and the taps that connect them, and the combinations of pairs of all axes are the entries. Where a padding mode leads
several taps to one element, their weights are summed along the axis, before the axes are combined; so nothing of the
size of the matrix is ever sorted or searched.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convsym import gate, margins
from convsym.arguments import Number, Padding, PerAxis, one_of
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels._generated import rules
from convsym.operators import ConvolutionOperator, linear_operator

Positions = NDArray[np.intp]

_FORMATS = ("csr", "coo")
# What SciPy's sparse arrays cannot hold.
_FOREIGN = "eO"


@dataclass(frozen=True, eq=False)
class Triplets:
    """A sparse matrix as its entries, each place at most once, in no particular order.

    Attributes
    ----------
    rows, cols : ndarray of intp, shape (nnz,)
    values : ndarray, shape (nnz,)
        Structural entries: some may be 0 because the weight is.
    shape : (int, int)

    Examples
    --------
    >>> import numpy as np
    >>> A = Triplets(np.array([0, 1]), np.array([2, 0]), np.array([5, 7]), (2, 3))
    >>> A.toarray()
    array([[0, 0, 5],
           [7, 0, 0]])
    >>> A @ np.array([1, 10, 100])
    array([500,   7])
    """

    rows: Positions
    cols: Positions
    values: Array
    shape: tuple[int, int]

    # So that `array @ triplets` is a TypeError: NumPy would take the triplets for an element.
    __array_ufunc__ = None

    @property
    def nnz(self) -> int:
        """Number of structural entries."""
        return self.values.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the entries."""
        return self.values.dtype

    @property
    def T(self) -> "Triplets":
        """The transposed matrix; it shares memory."""
        return Triplets(self.cols, self.rows, self.values, (self.shape[1], self.shape[0]))

    def toarray(self) -> Array:
        """The matrix as an ndarray with all its zeros."""
        dense = np.zeros(self.shape, self.dtype)
        dense[self.rows, self.cols] = self.values
        return dense

    def __matmul__(self, x: Any) -> Array:
        """The product with a vector or a matrix, of NumPy's result dtype; float16 is summed in float32."""
        right = gate.accept(x, "x")
        if right.ndim not in (1, 2) or right.shape[0] != self.shape[1]:
            raise ShapeError(
                f"x has shape {right.shape}, and a matrix of shape {self.shape} is multiplied by vectors of shape "
                f"({self.shape[1]},) or matrices of shape ({self.shape[1]}, k)"
            )
        dtype = np.result_type(self.values, right)
        values, right = (gate.widened(array.astype(dtype, copy=False)) for array in (self.values, right))
        product = np.zeros((self.shape[0], *right.shape[1:]), values.dtype)
        np.add.at(product, self.rows, values.reshape(-1, *(1,) * (right.ndim - 1)) * right[self.cols])
        return gate.narrowed(product, dtype)


def toeplitz(
    weight: Any,
    input_shape: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    same: str = "symmetric",
    transposed: bool = False,
    output_padding: PerAxis = 0,
    format: str | None = None,
) -> Any:
    """The matrix A of a convolution, sparse: ``A @ x.ravel() == conv(x, weight, …).ravel()``.

        A[(n, k, o0, …), (n, c, stride0*o0 + dilation0*r0 - padding0, …)] += w[k, c, r0, …]

    Along one axis it is a banded Toeplitz matrix; over several axes, channels and groups, blocks of blocks of these.

    Parameters
    ----------
    weight : ndarray, shape (K, C/groups, r0, …)
        The kernels w, as of `convsym.conv`: any dtype that it takes, 1 to 5 spatial axes; (C, K/groups, r0, …) if
        `transposed`.
    input_shape : tuple of int
        (C, i0, …), or (N, C, i0, …): then A is block diagonal.
    stride, padding, dilation, groups, padding_mode, input_dilation, flip, same
        As of `convsym.conv`: all of its parameters, negative padding included.
    transposed : bool
        Whether A is the matrix of `convsym.conv_transpose`. It is not the `T` of the one without: `input_shape` is that
        of the transposed convolution's own input.
    output_padding : int or tuple of int
        As of `convsym.conv_transpose`.
    format : {"csr", "coo"}, optional
        "csr" is SciPy's ``csr_array``, with sorted columns; "coo" is `Triplets`, which needs no SciPy and holds
        every dtype. By default "csr" where SciPy is installed and holds the dtype (not float16 and object).

    Returns
    -------
    scipy.sparse.csr_array or Triplets
        Of shape (outputs, inputs) and the dtype of `weight`. One entry for each pair of an output and an input that
        some tap connects, also where the weight is 0; where a padding mode connects a pair by several taps, their sum
        (integers modulo 2 to the number of bits; float16 summed in float32). Time and memory are of the order of the
        number of entries.

    Raises
    ------
    TypeError
        `weight` is no array of a dtype that is computed, or format="csr" cannot hold it.
    ShapeError
        Sizes, parameters or groups do not fit together, or the format is not known.
    ModuleNotFoundError
        format="csr" without SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import toeplitz
    >>> toeplitz(np.array([[[1, 2, 3]]]), (1, 5), stride=2, padding=1).toarray()
    array([[2, 3, 0, 0, 0],
           [0, 1, 2, 3, 0],
           [0, 0, 0, 1, 2]])
    >>> toeplitz(np.array([[[1, 2, 3]]]), (1, 4), padding=1, padding_mode="circular").toarray()
    array([[2, 3, 0, 1],
           [1, 2, 3, 0],
           [0, 1, 2, 3],
           [3, 0, 1, 2]])
    """
    operator = linear_operator(
        weight,
        input_shape,
        stride,
        padding,
        dilation,
        groups,
        padding_mode=padding_mode,
        input_dilation=input_dilation,
        flip=flip,
        same=same,
        transposed=transposed,
        output_padding=output_padding,
    )
    if format is not None:
        one_of(format, "format", _FORMATS)
    scipy_sparse = None if format == "coo" else _scipy_sparse(operator.dtype, needed=format == "csr")
    triplets = _triplets(operator)
    if scipy_sparse is None:
        return triplets
    matrix = scipy_sparse.csr_array((triplets.values, (triplets.rows, triplets.cols)), shape=triplets.shape)
    matrix.sort_indices()
    return matrix


@dataclass(frozen=True)
class Connections:
    """The index relation along one spatial axis.

    Attributes
    ----------
    outputs, inputs : ndarray of intp, shape (pairs,)
        The pairs that some tap connects, sorted.
    taps, pair : ndarray of intp, shape (points,)
        Every tap that connects a pair, and the number of the pair.
    """

    outputs: Positions
    inputs: Positions
    taps: Positions
    pair: Positions

    def gather(self, values: Array) -> Array:
        """The first spatial axis of `values`, which holds taps, summed into a last axis that holds pairs."""
        by_tap = np.moveaxis(values, 3, 0)
        by_pair = np.zeros((self.outputs.size, *by_tap.shape[1:]), values.dtype)
        np.add.at(by_pair, self.pair, by_tap[self.taps])
        return np.moveaxis(by_pair, 0, -1)


def connections(geometry: Geometry, axis: int) -> Connections:
    """Which outputs read which elements of the input, and with which taps, along a spatial axis.

    Parameters
    ----------
    geometry : Geometry
    axis : int
    """
    window = (geometry.stride[axis], geometry.dilation[axis])
    taps = np.tile(np.arange(geometry.kernel[axis]), geometry.outputs[axis])
    outputs = np.repeat(np.arange(geometry.outputs[axis]), geometry.kernel[axis])
    if geometry.mode == "zeros":
        places = rules.read(outputs, taps, *window, geometry.padding[axis][0])
        inside = (places >= 0) & (places < geometry.extents[axis])
    else:
        places = margins.sources(geometry, axis)[rules.read(outputs, taps, *window, 0)]
        inside = np.ones(places.shape, bool)
    inputs, between = np.divmod(places, geometry.input_dilation[axis])
    inside &= between == 0
    numbers = outputs[inside] * geometry.inputs[axis] + inputs[inside]
    found, pair = np.unique(numbers, return_inverse=True)
    return Connections(*np.divmod(found, max(geometry.inputs[axis], 1)), taps[inside], pair)


def _triplets(operator: ConvolutionOperator) -> Triplets:
    geometry, weight = operator.geometry, operator.weight
    axes = [connections(geometry, axis) for axis in range(geometry.rank)]
    values = gate.widened(weight).reshape(geometry.shapes["w"])
    if geometry.flip:
        values = geometry.flipped(values)
    for axis in axes:
        values = axis.gather(values)
    values = gate.narrowed(values, weight.dtype)
    shape = (geometry.batch, *values.shape)
    batch, group, out, into, *pairs = np.ogrid[tuple(map(slice, shape))]
    outputs = [axis.outputs[pair] for axis, pair in zip(axes, pairs, strict=True)]
    inputs = [axis.inputs[pair] for axis, pair in zip(axes, pairs, strict=True)]
    rows = _flat((batch, group, out, *outputs), geometry.shapes["y"], shape)
    cols = _flat((batch, group, into, *inputs), geometry.shapes["x"], shape)
    size = (prod(geometry.shapes["y"]), prod(geometry.shapes["x"]))
    triplets = Triplets(rows, cols, np.broadcast_to(values, shape).ravel(), size)
    return triplets if operator.rule == "y" else triplets.T


def _flat(indices: tuple[Positions, ...], sizes: tuple[int, ...], shape: tuple[int, ...]) -> Positions:
    """Positions in an array of these sizes, the last index fastest, for all combinations of the indices."""
    total: Positions = np.zeros((1,) * len(shape), np.intp)
    for index, size in zip(indices, sizes, strict=True):
        total = total * size + index
    return np.broadcast_to(total, shape).ravel()


def _scipy_sparse(dtype: np.dtype[Any], needed: bool) -> Any:
    """SciPy's module of sparse arrays; None where it cannot serve and is not needed."""
    if dtype.char in _FOREIGN:
        if needed:
            raise TypeError(
                f"format='csr' cannot hold dtype {dtype}, which SciPy has no sparse arrays of; use format='coo'"
            )
        return None
    try:
        import scipy.sparse
    except ImportError:
        if needed:
            raise ModuleNotFoundError(
                "format='csr' needs SciPy, which is not installed; pip install convsym[scipy], or use format='coo'"
            ) from None
        return None
    return scipy.sparse
