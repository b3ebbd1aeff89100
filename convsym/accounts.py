"""`explain`: what a call means, does, costs and promises, before it is made."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from convsym import arguments, bounds, execution, gate
from convsym.arguments import Number, Padding, Parameters, PerAxis
from convsym.choice import choose
from convsym.geometry import Geometry
from convsym.kernels import get_num_threads, in_use
from convsym.operations import KINDS, How, named, split_name
from convsym.plans import OPERANDS, Plan, plan

# What error factors are factors of.
_NORMS = {
    "direct": "the sum of absolute products",
    "reference": "the sum of absolute products",
    "winograd": "the sum over channels of the largest magnitudes of both factors in a tile",
    "fft": "the norms of both blocks",
}


@dataclass(frozen=True)
class Explanation:
    """A call explained; it prints itself.

    Attributes
    ----------
    op : str
        The op and what of it is computed.
    formula : str
        The rule that runs.
    shapes : dict of str to tuple
        Shapes of input, weight and output.
    sizes : str
        The formula of the output's size, with this call's numbers.
    geometry : Geometry
        What every parameter is along every axis; of a transposed op that of the convolution it is the adjoint of.
    plan : Plan
        Algorithm, multiply-adds, traffic, workspace.
    error_factor : float
        The rounding error is at most this times the sum of absolute products, for direct sums; for other algorithms
        times what its printed line says. 0 is exact.
    level : str
        CPU level of the kernels.
    threads : int
        Threads that a large call may use.
    """

    op: str
    formula: str
    shapes: dict[str, tuple[int, ...]]
    sizes: str
    geometry: Geometry
    plan: Plan
    error_factor: float
    level: str
    threads: int

    @property
    def flops(self) -> int:
        """Floating-point operations: a multiplication and an addition for each product."""
        return 2 * self.plan.multiply_adds

    def __str__(self) -> str:
        made = self.plan
        shapes = ", ".join(f"{name} {shape}" for name, shape in self.shapes.items())
        lines = [
            self.op,
            f"  rule       {self.formula}",
            f"  shapes     {shapes}",
            f"  axes       {_along_axes(self.geometry)}",
            f"  size       {self.sizes}",
            f"  algorithm  {made.algorithm}: {made.reason}; level {self.level}, up to {self.threads} threads",
            f"  work       {self.flops:,} flops ({made.multiply_adds:,} multiply-adds)",
            f"  traffic    {made.traffic:,} bytes of arguments and result: "
            f"{self.flops / max(made.traffic, 1):.1f} flops a byte",
            f"  workspace  {made.workspace:,} bytes" + "".join(f"\n             {step}" for step in made.steps),
            f"  error      at most {self.error_factor:.3g} times {_NORMS[made.algorithm]}"
            if self.error_factor
            else "  error      none: exact",
        ]
        return "\n".join(lines)


def explain(
    op: str,
    input: Any,
    weight: Any,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: Number = 1,
    *,
    output_padding: PerAxis = 0,
    dtype: Any = None,
    algorithm: str = "auto",
    padding_mode: str = "zeros",
    input_dilation: PerAxis = 1,
    flip: bool = False,
    same: str = "symmetric",
    kept: bool = False,
) -> Explanation:
    """What a call of a convolution or one of its gradients means, does and costs. Nothing is computed.

    Parameters
    ----------
    op : str
        ``"conv2d"``, ``"conv_transpose1d"``, …, or a gradient: ``"conv2d_input"``, ``"conv2d_weight"``.
    input, weight : ndarray or tuple of int
        The arguments of the op, or their shapes.
    stride, padding, dilation, groups, output_padding, algorithm, padding_mode, input_dilation, flip, same
        As given to the op, by name for the transposed ones.
    dtype : dtype, optional
        Of the arrays, where shapes are given; float32 by default.
    kept : bool
        Whether the weights are prepared beforehand, as by `convsym.plan`.

    Returns
    -------
    Explanation

    Raises
    ------
    TypeError, ShapeError
        As the op; a ShapeError also when `op` is not known.

    Examples
    --------
    >>> from convsym import explain
    >>> print(explain("conv1d", (8, 3, 32), (16, 3, 5), stride=2))  # doctest: +ELLIPSIS
    conv1d: output
      rule       y[n, k, o0] += x[n, c, stride0*o0 + dilation0*r0 - padding0]*w[k, c, r0]
      shapes     input (8, 3, 32), weight (16, 3, 5), output (8, 16, 14)
      axes       stride (2,), padding ((0, 0),), dilation (1,), groups 1
      size       o0: (x.shape[2] + dilation0 + 2*padding0 - w.shape[2]*dilation0 - 1)//stride0 + 1 = 14
      algorithm  direct: nothing else is estimated to be faster; level ..., up to ... threads
      work       53,760 flops (26,880 multiply-adds)
      traffic    11,200 bytes of arguments and result: 4.8 flops a byte
      workspace  ... bytes
                 ... bytes: images of a strip, padded
      error      at most 8.94e-07 times the sum of absolute products
    """
    execution.check_algorithm(algorithm)
    name, kind = split_name(op)
    parameters = Parameters(stride, padding, dilation, groups, padding_mode, input_dilation, flip, same)
    shapes, arrays, found = _shapes(input, weight, dtype)
    called = named(op, shapes["weight"], parameters, How(algorithm), output_padding)
    geometry = called.geometry(shapes["input"], shapes["weight"], ("input", "weight"))
    shapes["output"] = geometry.public_shapes[called.roles.output]
    full = f"{name.rstrip('12345d')}{called.rank}d"
    rule = called.roles.rule(kind)
    return Explanation(
        f"{name}: {KINDS[kind]}",
        str(_rule(full, kind)),
        shapes,
        _sizes(full, shapes["output"], geometry),
        geometry,
        plan(geometry, rule, found, algorithm, _copied(arrays, called.roles.input, rule), kept),
        bounds.factor(geometry, rule, found, choose(geometry, rule, found, algorithm, in_use(), kept)),
        in_use(),
        get_num_threads(),
    )


def _shapes(
    input: Any, weight: Any, dtype: Any
) -> tuple[dict[str, tuple[int, ...]], dict[str, gate.Array], np.dtype[Any]]:
    """Shapes of the arguments, which may be arrays or shapes themselves, those that are arrays, and the dtype."""
    shapes, arrays = {}, {}
    for name, value in (("input", input), ("weight", weight)):
        if isinstance(value, (tuple, list)):
            shapes[name] = arguments.shape(value, name)
        else:
            arrays[name] = gate.accept(value, name)
            shapes[name] = arrays[name].shape
    gate.same_dtype(arrays)
    own = next((array.dtype for array in arrays.values()), np.float32)
    return shapes, arrays, gate.computed(own if dtype is None else dtype, "dtype")


def _copied(arrays: dict[str, gate.Array], input_role: str, rule: str) -> frozenset[str]:
    """Operands of the rule that do not lie as kernels read them."""
    roles = {"input": input_role, "weight": "w"}
    apart = {roles[name] for name, array in arrays.items() if not gate.is_laid_out(array)}
    return frozenset(apart & set(OPERANDS[rule]))


def _along_axes(geometry: Geometry) -> str:
    """The parameters of a call as they are used, resolved to one number or pair for each axis."""
    said = {"stride": geometry.stride, "padding": geometry.padding, "dilation": geometry.dilation}
    if geometry.is_dilated:
        said["input_dilation"] = geometry.input_dilation
    text = ", ".join(f"{name} {value}" for name, value in said.items()) + f", groups {geometry.groups}"
    mode = "" if geometry.mode == "zeros" else f", padding_mode {geometry.mode}"
    return text + mode + (", flip" if geometry.flip else "")


def _rule(name: str, kind: str) -> object:
    """The formula of an op or the rule of its gradient. Loads SymPy."""
    from convsym.ops import registry

    op = registry[name]
    return op.rules[{"_input": "x", "_weight": "w"}[kind]] if kind else op.formula


def _sizes(name: str, output: tuple[int, ...], geometry: Geometry) -> str:
    """The derived size of every spatial axis of the output, with its value."""
    from convsym.ops import registry

    formula, rank = registry[name].formula, geometry.rank
    texts = []
    for axis, (place, value) in enumerate(zip(formula.terms[0].target[-rank:], output[-rank:], strict=True)):
        if place.is_Symbol:
            rules = " or ".join(formula.show(size) for size in formula.output_size(place.name))
            texts.append(f"{place.name}: {rules} = {value}{_meant(geometry, axis)}")
        else:
            end = "less the padding behind, plus output_padding"
            texts.append(f"axis {axis}: the last {formula.show(place)}, plus 1, {end} = {value}")
    return "; ".join(texts)


def _meant(geometry: Geometry, axis: int) -> str:
    """What a formula of a size means by its letters, where that is more than the parameters of their names."""
    (before, after), words = geometry.padding[axis], []
    if before != after:
        words.append(f"padding{axis} the mean of {before} and {after}")
    if geometry.input_dilation[axis] > 1:
        words.append(f"x the dilated input of size {geometry.extents[axis]}")
    return f" ({', '.join(words)})" if words else ""
