"""Every compiled kernel against the exact reference: the registry's formulas and rules on random integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import convsym
from convsym import Formula, kernels
from convsym.codegen import nests
from convsym.codegen.cython import kernel_text
from convsym.expressions import array_of, indices_of
from convsym.op import Op

GEOMETRIES = 60
PRINTED = "conv1d_dx"


@dataclass(frozen=True)
class Comparison:
    """One kernel against the exact reference: how many numbers were compared, how many bits differed."""

    kernel: str
    rule: Formula
    geometries: int
    numbers: int
    differing: int


@dataclass(frozen=True)
class KernelCheck:
    """Every comparison, the CPU level and threads that computed the kernels' side, and one kernel's source text."""

    level: str
    threads: int
    comparisons: tuple[Comparison, ...]
    source: str

    @property
    def differing(self) -> int:
        """Bits that differ, over all kernels."""
        return sum(each.differing for each in self.comparisons)


def compare(seed: int) -> KernelCheck:
    """Run every kernel of the level in use over random geometries and count the bits that differ.

    Parameters
    ----------
    seed : int
        Decides the geometries and the integers.

    Returns
    -------
    KernelCheck
        One comparison for each formula and each derived rule that was compiled.
    """
    rng = np.random.default_rng(seed)
    found: list[Comparison] = []
    for op in convsym.registry.values():
        if op.lane is not None and op.leveled:
            found += _compare_op(op, rng)
    return KernelCheck(kernels.in_use(), kernels.get_num_threads(), tuple(found), _source())


def _source() -> str:
    """The Cython text of one kernel, generated anew from its rule."""
    made = next(each for each in nests([convsym.registry["conv1d"]]) if each.name == PRINTED)
    return kernel_text(made, "f32").strip()


def _compare_op(op: Op, rng: np.random.Generator) -> list[Comparison]:
    """Compare the op's forward kernel and its gradients."""
    rules = (op.grouped, *op.grouped_rules.values())
    totals = {rule.output: [0, 0] for rule in rules}
    for _ in range(GEOMETRIES):
        parameters = {
            name: int(rng.integers(1, 4) if name in op.grouped.multipliers else rng.integers(3))
            for name in op.grouped.parameters
        }
        shapes, arrays = _draw(op.grouped, parameters, rng)
        for rule in rules:
            numbers, differing = _compare_once(op, rule, shapes[rule.output], arrays, parameters)
            totals[rule.output][0] += numbers
            totals[rule.output][1] += differing
    plain = (op.formula, *op.rules.values())
    return [Comparison(f"{op.name}_{rule.output}", rule, GEOMETRIES, *totals[rule.output]) for rule in plain]


def _draw(
    formula: Formula, parameters: Mapping[str, int], rng: np.random.Generator
) -> tuple[dict[str, tuple[int, ...]], dict[str, np.ndarray]]:
    """Draw sizes and integers: the shapes of all arrays and gradients, and the arrays that are read."""
    extents = {index: int(rng.integers(1, 4)) for index in formula.indices}
    shapes: dict[str, tuple[int, ...]] = {}
    for term in formula.terms:
        for reading in term.arrays():
            # An axis that no index runs over alone is long enough for every window the parameters allow.
            shapes[array_of(reading)] = tuple(
                extents.get(str(each)) or int(rng.integers(7, 12)) for each in indices_of(reading)
            )
    output = formula.output
    arrays = {name: rng.integers(-8, 9, shape) for name, shape in shapes.items()}
    # An output index that nothing read decides, such as the place at which a bias is added.
    sizes = {
        index: extents[index]
        for index in formula.indices
        if [array for array, _ in formula.bare(index)[:1]] == [output]
        and not formula.output_size(index)
    }
    shapes[output] = formula(sizes=sizes, **arrays, **parameters).shape
    arrays[f"d{output}"] = rng.integers(-8, 9, shapes[output])
    return shapes | {f"d{name}": shape for name, shape in shapes.items()}, arrays


def _compare_once(
    op: Op,
    rule: Formula,
    shape: tuple[int, ...],
    arrays: Mapping[str, np.ndarray],
    parameters: Mapping[str, int],
) -> tuple[int, int]:
    """Run one geometry through a kernel and the reference: numbers and differing bits."""
    read = {name: arrays[name] for name in rule.operands}
    expected = rule(sizes={rule.output: shape}, **read, **{name: parameters[name] for name in rule.parameters})
    singles = {name: array.astype(np.float32) for name, array in read.items()}
    got = kernels.run(f"{op.name}_{rule.output}", np.zeros(shape, np.float32), singles, parameters)
    return expected.size, differing_bits(got, expected.astype(np.float32))


def differing_bits(a: np.ndarray, b: np.ndarray) -> int:
    """Return how many bits of two float32 arrays differ."""
    if a.shape != b.shape:
        return 32 * max(a.size, b.size)
    both = np.bitwise_xor(np.ascontiguousarray(a).view(np.uint32), np.ascontiguousarray(b).view(np.uint32))
    return int(np.bitwise_count(both).sum())
