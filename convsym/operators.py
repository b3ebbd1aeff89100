"""Convolutions as linear operators: products with vectors, without a matrix.

A convolution is linear in its input, its matrix that of the rule y; the transposed matrix is that of the rule dx. An
operator is a geometry, a weight and the name of one of the two.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from convsym import arguments, execution, gate
from convsym.arguments import Number, Padding, Parameters, PerAxis
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.meaning import weight_rank
from convsym.operations import How, operation

_READS = {"y": "x", "dx": "dy"}
_TRANSPOSED = {"y": "dx", "dx": "y"}


@dataclass(frozen=True, eq=False)
class ConvolutionOperator:
    """A convolution, or a transposed one, as a matrix that is never built; see `linear_operator`.

    It has what SciPy asks of an operator, so ``scipy.sparse.linalg`` (lsqr, svds, cg, …) takes it as it is.

    Attributes
    ----------
    geometry : Geometry
        Of the convolution; of a transposed one, of the convolution it is the adjoint of.
    weight : ndarray
    rule : {"y", "dx"}
        The rule that is applied: y is the convolution, dx the transposed one.
    algorithm : str
    """

    geometry: Geometry
    weight: Array
    rule: str
    algorithm: str = "auto"

    # So that `array @ operator` is a TypeError: NumPy would take the operator for an element.
    __array_ufunc__ = None

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns: the sizes of the output and the input."""
        shapes = self.geometry.public_shapes
        return prod(shapes[self.rule]), prod(shapes[_READS[self.rule]])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the weight, which is that of the entries."""
        return self.weight.dtype

    @cached_property
    def T(self) -> "ConvolutionOperator":
        """The transposed operator."""
        return replace(self, rule=_TRANSPOSED[self.rule])

    @cached_property
    def H(self) -> "ConvolutionOperator":
        """The adjoint operator: transposed, with the conjugate weight."""
        return replace(self.T, weight=gate.adjoint(self.weight))

    def adjoint(self) -> "ConvolutionOperator":
        """`H`, by the name that SciPy has for it."""
        return self.H

    def transpose(self) -> "ConvolutionOperator":
        """`T`, by the name that SciPy has for it."""
        return self.T

    def matvec(self, x: Any) -> Array:
        """A @ x for a vector of shape (columns,) or (columns, 1); the result has the like shape.

        Raises
        ------
        TypeError, ShapeError
            x is no array of numbers, or has another shape.
        """
        vector = gate.accept(x, "x")
        columns = self.shape[1]
        if vector.shape not in ((columns,), (columns, 1)):
            raise ShapeError(
                f"x has shape {vector.shape}, and this operator of shape {self.shape} takes vectors of shape "
                f"({columns},) or ({columns}, 1); give x.ravel(), or several columns to matmat"
            )
        return self._columns(vector.reshape(columns, 1)).reshape(self.shape[0], *vector.shape[1:])

    def matmat(self, x: Any) -> Array:
        """A @ x for a matrix of shape (columns, k), its columns as one batch; the result has shape (rows, k).

        Raises
        ------
        TypeError, ShapeError
            x is no array of numbers, or has another shape.
        """
        matrix = gate.accept(x, "x")
        if matrix.ndim != 2 or matrix.shape[0] != self.shape[1]:
            raise ShapeError(
                f"x has shape {matrix.shape}, and this operator of shape {self.shape} takes matrices of shape "
                f"({self.shape[1]}, k)"
            )
        return self._columns(matrix)

    def rmatvec(self, y: Any) -> Array:
        """A.H @ y for a vector: the adjoint, exactly; errors as of `matvec`."""
        return self.H.matvec(y)

    def rmatmat(self, y: Any) -> Array:
        """A.H @ y for a matrix; errors as of `matmat`."""
        return self.H.matmat(y)

    def __matmul__(self, x: Any) -> Array:
        return self.matmat(x) if np.ndim(x) == 2 else self.matvec(x)

    def to_scipy(self) -> Any:
        """The same as a ``scipy.sparse.linalg.LinearOperator``, which can be added to and composed with others.

        Raises
        ------
        ModuleNotFoundError
            SciPy is not installed.
        """
        try:
            from scipy.sparse.linalg import LinearOperator
        except ImportError:
            raise ModuleNotFoundError(
                "to_scipy() needs SciPy, which is not installed; pip install convsym[scipy], or use matvec and rmatvec"
            ) from None
        return LinearOperator(
            self.shape,
            matvec=self.matvec,
            rmatvec=self.rmatvec,
            matmat=self.matmat,
            rmatmat=self.rmatmat,
            dtype=self.dtype,
        )

    def _columns(self, matrix: Array) -> Array:
        """The product with a matrix: one more batch axis, in the dtype that NumPy gives to such products."""
        dtype = np.result_type(self.weight, matrix)
        count, reads = matrix.shape[1], _READS[self.rule]
        stacked = replace(self.geometry, batched=True, batch=count * self.geometry.batch)
        operands = {
            reads: matrix.T.astype(dtype).reshape(stacked.public_shapes[reads]),
            "w": self.weight.astype(dtype, copy=False),
        }
        value = execution.compute(stacked, self.rule, operands, self.algorithm)
        return gate.narrowed(value, dtype).reshape(count, self.shape[0]).T


def linear_operator(
    weight: Any,
    input_shape: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    same: str = "symmetric",
    transposed: bool = False,
    output_padding: PerAxis = 0,
) -> ConvolutionOperator:
    """A convolution as a linear operator A, with ``A @ x.ravel() == conv(x, weight, …).ravel()``, and its adjoint.

        (A x)[n, k, o0, …] = Σ x[n, c, stride0*o0 + dilation0*r0 - padding0, …] * w[k, c, r0, …]

    Parameters
    ----------
    weight : ndarray, shape (K, C/groups, r0, …)
        The kernels w, as of `convsym.conv`: any dtype that it takes, 1 to 5 spatial axes; (C, K/groups, r0, …) if
        `transposed`.
    input_shape : tuple of int
        (C, i0, …), or (N, C, i0, …): then A is block diagonal.
    stride, padding, dilation, groups, algorithm, padding_mode, input_dilation, flip, same
        As of `convsym.conv`.
    transposed : bool
        Whether A is the operator of `convsym.conv_transpose`. It is not the `T` of the one without: `input_shape` is
        that of the transposed convolution's own input.
    output_padding : int or tuple of int
        As of `convsym.conv_transpose`.

    Returns
    -------
    ConvolutionOperator
        With ``shape``, ``dtype``, ``matvec``, ``rmatvec`` (the exact adjoint: it conjugates), ``matmat``, ``rmatmat``,
        ``T``, ``H``, ``@`` and ``to_scipy()``. SciPy's ``aslinearoperator``, and so its solvers, take it as it is.
        Products have the dtype that NumPy gives to products of the weight and the vector.

    Raises
    ------
    TypeError
        `weight` is no array of a dtype that is computed, or `input_shape` no shape.
    ShapeError
        Sizes, parameters or groups do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import linear_operator
    >>> A = linear_operator(np.array([[[1, 10, 100]]]), (1, 4), padding=1)
    >>> A.shape
    (4, 4)
    >>> A @ np.array([1.0, 2.0, 3.0, 4.0])
    array([210., 321., 432.,  43.])
    >>> A.rmatvec(np.array([1.0, 0.0, 0.0, 0.0]))
    array([ 10., 100.,   0.,   0.])
    """
    execution.check_algorithm(algorithm)
    w = gate.accept(weight, "weight")
    rank = weight_rank(w.shape)
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    op = operation(rank, parameters, How(algorithm), transposed, output_padding)
    geometry = op.geometry(arguments.shape(input_shape, "input_shape"), w.shape, ("input_shape", "weight"))
    return ConvolutionOperator(geometry, w, op.roles.output, algorithm)
