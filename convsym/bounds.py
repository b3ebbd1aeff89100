"""Certified bounds of rounding errors: componentwise of direct sums, normwise of Winograd's tiles and of transforms.

An output is a sum of K products, rounded once for each product and each addition, in whatever order. With u the unit
roundoff, the error is at most γ(K) = K·u/(1 − K·u) times the same sum of absolute values (N. J. Higham, Accuracy and
Stability of Numerical Algorithms, 2nd edition, section 3.1), as long as nothing overflows; where products underflow, at
most half the smallest subnormal number for each of them is added.
"""

from dataclasses import replace
from fractions import Fraction
from math import inf, prod
from typing import Any

import numpy as np

from convsym import execution, fourier, gate, margins, minimal, polyphase, rounding
from convsym.arguments import Number, Padding, Parameters, PerAxis, one_of, shape
from convsym.calls import forward, input_gradient, weight_gradient
from convsym.choice import Choice, choose, computed, real
from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.geometry import Geometry
from convsym.kernels import in_use
from convsym.meaning import weight_rank
from convsym.operations import How, Operation, operation
from convsym.plans import OPERANDS

RESULTS = ("output", "input", "weight")


def error_bound(
    input: Any,
    weight: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    grad_output: Any = None,
    result: str = "output",
    dtype: Any = None,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    same: str = "symmetric",
    transposed: bool = False,
    output_padding: PerAxis = 0,
) -> Any:
    """The largest rounding error that a convolution, a transposed one or one of their gradients can have.

        |computed − exact| ≤ factor · (|a| ⋆ |b|) + underflow,   factor = γ(K),   K products for each element

    for direct sums. Winograd's tiles have a factor of their own, of Σ |a|·|b| over the channels with the largest
    magnitudes in a tile, and transforms one of ‖a‖·‖b‖ over a block.

    A bias is not part of it: adding one rounds once more.

    Parameters
    ----------
    input, weight : ndarray or tuple of int
        The arguments of `convsym.conv` as arrays, or their shapes.
    stride, padding, dilation, groups, padding_mode, input_dilation, flip, same
        As of `convsym.conv`.
    grad_output : ndarray, optional
        The cotangent dy, for the bound of a gradient of arrays.
    result : {"output", "input", "weight"}
        Whether the bound is for the output, or the gradient by the input or the weight.
    dtype : dtype, optional
        Of the arrays, where shapes are given.
    algorithm : {"auto", "direct", "winograd", "fft", "reference"}
        The bound is for this algorithm; "auto" for the one that it chooses.
    transposed : bool
        Whether the arguments are those of `convsym.conv_transpose`.
    output_padding : int or tuple of int
        Of a transposed convolution.

    Returns
    -------
    float or ndarray
        Of shapes the factor; of arrays the bound itself, of the result's shape, in float64 and rounded up.

    Raises
    ------
    TypeError, ShapeError
        As `convsym.conv` or `convsym.conv_transpose`; a TypeError also when shapes are given without a dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import conv2d, error_bound
    >>> shapes = (1, 64, 56, 56), (64, 64, 3, 3)
    >>> print(f"{error_bound(*shapes, padding=1, dtype='float32', algorithm='direct'):.4g}")
    3.433e-05
    >>> x, w = np.random.default_rng(0).normal(size=(2, 1, 3, 8, 8)).astype("float32")
    >>> exact = conv2d(x.astype("float64"), w.astype("float64"))
    >>> bool((abs(conv2d(x, w) - exact) <= error_bound(x, w)).all())
    True
    """
    execution.check_algorithm(algorithm)
    one_of(result, "result", RESULTS)
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    if isinstance(input, (tuple, list)) and isinstance(weight, (tuple, list)):
        if dtype is None:
            raise TypeError("dtype is None, and shapes alone do not tell it; give dtype='float32' or another one")
        sizes = shape(input, "input"), shape(weight, "weight")
        op = operation(weight_rank(sizes[1]), parameters, How(), transposed, output_padding)
        geometry, found = op.geometry(*sizes, ("input", "weight")), gate.computed(dtype, "dtype")
        rule = _rule(op, result)
        return factor(geometry, rule, found, choose(geometry, rule, found, algorithm, in_use()))
    arrays = gate.accept_all(input=input, weight=weight, grad_output=grad_output)
    op = operation(weight_rank(arrays["weight"].shape), parameters, How("direct"), transposed, output_padding)
    geometry = op.geometry(arrays["input"].shape, arrays["weight"].shape, ("input", "weight"))
    own = choose(geometry, _rule(op, result), arrays["input"].dtype, algorithm, in_use())
    return _of_arrays(op, geometry, arrays, result, own)


def factor(geometry: Geometry, result: str, dtype: np.dtype[Any], made: Choice | None = None) -> float:
    """The factor of a rule; 0 for exact dtypes.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    dtype : dtype
    made : Choice, optional
        The algorithm; the direct sum by default, whose factor is γ(K).

    Returns
    -------
    float
        Rounded up; infinite where K·u is 1 or more.
    """
    if dtype.kind not in "fc":
        return 0.0
    if made is not None and made.name in ("winograd", "fft"):
        return _normwise_factor(geometry, result, dtype, made)
    sums = 2 if dtype.kind == "c" else 1  # a part of a complex result adds two sums, and is one part of two
    value = rounding.gamma(sums * products(geometry, result) + sums - 1, rounding.unit(gate.sum_dtype(dtype)))
    if dtype.char == "e":
        own = rounding.unit(dtype)
        value = value * (1 + own) + own
    if sums == 2 and value != inf:
        value = value * Fraction(1415, 1000)  # above √2: both parts of an element may be off
    return rounding.up(value)


def _normwise_factor(geometry: Geometry, result: str, dtype: np.dtype[Any], made: Choice) -> float:
    """The factor of Winograd's tiles or of transforms, of the real sums that are made."""
    inner = computed(geometry)
    if inner.is_dilated:
        parts = [replace(part, flip=False) for part, _, _ in polyphase.classes(inner)]
        return max((_normwise_factor(part, result, dtype, made) for part in parts), default=0.0)
    if made.name == "winograd":
        return minimal.factor(inner, result, made.m, real(dtype))
    return fourier.factor(inner, result, real(dtype))


def products(geometry: Geometry, result: str) -> int:
    """How many products are added, at most, for one element of a rule's result; a test counts them."""
    w, y = geometry.shapes["w"], geometry.shapes["y"]
    summed = {"y": w[2:], "dx": (w[1], *w[3:]), "dw": (y[0], *y[3:])}[result]
    return prod(summed) + _folds(geometry, result)


def _folds(geometry: Geometry, result: str) -> int:
    """Additions when the gradient of an extended input is folded back into it."""
    if result != "dx" or geometry.mode == "zeros":
        return 0
    return prod(geometry.on_extended().inputs)


def _of_arrays(op: Operation, geometry: Geometry, arrays: dict[str, Array], result: str, made: Choice) -> Array:
    dtype = arrays["input"].dtype
    big = {name: abs(array).astype(np.float64) for name, array in arrays.items()}
    if result != "output" and "grad_output" not in big:
        raise ShapeError(f"the bound of the gradient by the {result} needs grad_output")
    if result == "output":
        total = forward(op, big["input"], big["weight"])
    elif result == "input":
        total = input_gradient(op, big["input"].shape, big["weight"], big["grad_output"])
    else:
        total = weight_gradient(op, big["input"], big["weight"].shape, big["grad_output"])
    if dtype.kind not in "fc":
        return np.zeros_like(total)
    rule = _rule(op, result)
    if made.name in ("winograd", "fft"):
        return _normwise(op, geometry, big, rule, dtype, made, total)
    terms = 2 * products(geometry, rule) + 2
    # The sum of absolute values is itself computed in float64, with an error of its own.
    slack = 1 + 2 * factor(geometry, rule, np.dtype(np.float64))
    tiny = float(np.finfo(dtype).smallest_subnormal)
    bound: Array = np.nextafter(total * (factor(geometry, rule, dtype) * slack) + terms * tiny, inf)
    return bound


def _normwise(
    op: Operation,
    geometry: Geometry,
    big: dict[str, Array],
    rule: str,
    dtype: np.dtype[Any],
    made: Choice,
    total: Array,
) -> Array:
    """The bound of Winograd's tiles or of transforms, for arrays of absolute values.

    Norms only grow with absolute values, so the four products of complex parts have no larger bounds each.
    """
    own = real(dtype)
    names = {op.roles.input: "input", "w": "weight", op.roles.cotangent: "grad_output"}
    operands = {
        name: np.nextafter(big[names[name]], inf).astype(own).reshape(geometry.shapes[name]) for name in OPERANDS[rule]
    }
    if geometry.flip and "w" in operands:
        operands["w"] = geometry.flipped(operands["w"])
    if geometry.mode != "zeros" and "x" in operands:
        operands["x"] = margins.extend(operands["x"], geometry)
    value = _computed_bound(computed(geometry), rule, operands, made)
    if geometry.mode != "zeros" and rule == "dx":
        value = margins.fold_back(value, geometry)
    if geometry.flip and rule == "dw":
        value = geometry.flipped(value)
    value = value.reshape(total.shape) * (1 + 4 * float(rounding.unit(own)))
    added = _folds(geometry, rule) + (dtype.kind == "c") + prod(geometry.input_dilation) - 1
    if added:  # additions of what the algorithm has made
        value += float(rounding.gamma(added, rounding.unit(own))) * (total + value)
    if dtype.kind == "c":
        value *= 2 * 1.415
    if dtype.char == "e":
        value += float(rounding.unit(dtype)) * (total + value) + float(np.finfo(dtype).smallest_subnormal)
    bound: Array = np.nextafter(value, inf)
    return bound


def _computed_bound(geometry: Geometry, rule: str, operands: dict[str, Array], made: Choice) -> Array:
    """The bound of what an algorithm computes; of a dilated input class by class."""
    if made.name == "winograd":
        return minimal.bound(geometry, rule, operands, made.m)
    if not geometry.is_dilated:
        return fourier.bound(geometry, rule, operands)
    value = np.zeros(geometry.shapes[rule])
    for part, outputs, taps in polyphase.classes(geometry):
        places: dict[str, Any] = {"y": (..., *outputs), "w": (..., *taps), "x": ...}
        slices = {name: gate.layout(array[places[name[-1]]]) for name, array in operands.items()}
        value[places[rule[-1]]] += fourier.bound(part, rule, slices)
    return value


def _rule(op: Operation, result: str) -> str:
    """The rule that a result is of the geometry of an op."""
    return {"output": op.roles.output, "input": op.roles.gradient, "weight": "dw"}[result]
