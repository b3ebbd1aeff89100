"""The work of a convolution call: from a `Geometry` and accepted arrays to the result, by the algorithm
asked for.

Forward and gradients are one function, `compute`: a rule is named by its result (`y`, `dx`, `dw`), and its
operands by the letters of the formula. What differs between ranks is the name of the op, so there is no code
for any one rank.
"""

from math import isfinite, prod

import numpy as np

from convsym import gate, kernels
from convsym.errors import ShapeError

ALGORITHMS = ("auto", "direct", "reference")


def check_algorithm(algorithm):
    """Raise a ShapeError that lists what is known, unless `algorithm` is."""
    if algorithm not in ALGORITHMS:
        known = ", ".join(map(repr, ALGORITHMS))
        raise ShapeError(f"algorithm={algorithm!r} is not known; it is one of {known}")


def compute(geometry, result, operands, algorithm):
    """One of the rules of a convolution.

    Parameters
    ----------
    geometry : Geometry
    result : {"y", "dx", "dw"}
    operands : mapping of str to ndarray
        The two other arrays of the rule (of x, w and dy), as the caller gave them: accepted, without group
        axis.
    algorithm : {"auto", "direct", "reference"}

    Returns
    -------
    ndarray
        In the caller's shape.
    """
    check_algorithm(algorithm)
    shapes = geometry.shapes
    grouped = {name: gate.layout(array).reshape(shapes[name]) for name, array in operands.items()}
    out = np.zeros(shapes[result], next(iter(operands.values())).dtype)
    work = _reference if algorithm == "reference" else _direct
    work(geometry, result, grouped, out)
    return out.reshape(geometry.public_shapes[result])


def remember(geometry, x, w, stride, padding, dilation, groups):
    """Leave a plan at the door for small forward calls of this kind."""
    shapes = [geometry.shapes[name] for name in ("y", "x", "w")]
    found = kernels.small(f"conv{geometry.rank}d_y", shapes, x.dtype.char, geometry.parameters)
    if found is not None:
        compiled, tail = found
        plan = kernels.door().Plan(compiled, (*shapes, geometry.public_shapes["y"]), tail, bool(geometry.margins))
        kernels.door().remember(geometry.rank, x, w, stride, padding, dilation, groups, plan)


def add_bias(output, bias, rank):
    """Add bias[k] to every output of channel k, in place, last; `output` is (…, K, o0, …)."""
    kernels.run("bias_y", _flat_spatial(output, rank), {"b": gate.layout(bias)}, {})
    return output


def sum_to_bias(grad_output, rank):
    """The gradient of the bias: the sum of dy over batch and spatial axes, of shape (K,)."""
    dy = _flat_spatial(gate.layout(grad_output), rank)
    return kernels.run("bias_db", np.zeros(dy.shape[1], dy.dtype), {"dy": dy}, {})


def _direct(geometry, result, operands, out):
    """The loop nest of the derived rule, compiled.

    The nests leave out the points that lie outside of x, where the formula has the product of 0 and the other
    factor. That is 0 as long as the other factor is finite; where it is not, the zeros are put around x.
    """
    if "x" in operands and geometry.margins:
        other = next(array for name, array in operands.items() if name != "x")
        if not _all_finite(other):
            operands = {**operands, "x": np.pad(operands["x"], ((0, 0),) * 3 + geometry.margins)}
            geometry = geometry.on_padded()
    kernels.run(f"conv{geometry.rank}d_{result}", out, operands, geometry.parameters)


def _all_finite(array):
    """Whether no element is NaN or infinite; it may say no when the squares overflow."""
    return isfinite(np.vdot(array, array))


def _reference(geometry, result, operands, out):
    """The formula itself, evaluated exactly as it is written; slow, for comparison. Loads SymPy."""
    from convsym.ops import registry

    op = registry[f"conv{geometry.rank}d"]
    rule = op.grouped if result == "y" else op.grouped_rules[result.removeprefix("d")]
    out[...] = rule(**operands, **geometry.parameters, sizes={result: out.shape})


def _flat_spatial(array, rank):
    """A view (N, K, o) of a batched or unbatched contiguous array: the spatial axes as one."""
    channels, *spatial = array.shape[-rank - 1 :]
    return array.reshape(prod(array.shape[: -rank - 1]), channels, prod(spatial))
