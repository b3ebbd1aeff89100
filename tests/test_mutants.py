"""Mutants: a wrong rule is refuted, and the kernels generated from it fail the very comparison that the kernels pass.

The kernels of a mutant come from a mutated rule by the package's own code generation and are compiled here, together
with kernels of the rules as they are: the control, in which nothing may differ.
"""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from cases import GEOMETRIES
from compiled import compiled
from exact import differing, problem

from convsym import Formula, Rule, prove, registry, vjp
from convsym.codegen.cython import kernel_text
from convsym.codegen.loops import nest

pytest.importorskip("z3")

# What is done to the forward formula before it is differentiated by the operand; the parent stays as it was.
MUTANTS = {
    "flipped_sign": ("- padding0", "+ padding0"),
    "flipped_value": ("+= x", "+= -x"),
    "off_by_one": ("- padding0", "- padding0 + 1"),
    "missing_stride": ("stride0*o0", "o0"),
    "missing_dilation": ("dilation0*r0", "r0"),
    "swapped_stride": ("stride1*o1", "stride0*o1"),
    "swapped_channels": ("w[k, c, r0]", "w[c, k, r0]"),
}
# A bound of the innermost loop, of the range test of a position: done to the generated text.
BOUNDS = {
    "upper_bound": ("    if lower >= upper:", "    upper -= 1\n{indent}    if lower >= upper:"),
    "lower_bound": ("    if lower >= upper:", "    lower += 1\n{indent}    if lower >= upper:"),
    "position_bound": ("if p0 < 0 or", "if p0 <= 0 or"),
}
RANK = {name: 2 if "1" in "".join(pair) else 1 for name, pair in MUTANTS.items()}
LANE = {1: "o0", 2: "o1"}


def rules(rank, change=None):
    """The grouped forward formula and its rules of a rank, mutated."""
    op = registry[f"conv{rank}d"]
    wrong = op.grouped if change is None else mutated(op.grouped, change)
    made = {"y": wrong}
    for wrt in op.differentiable:
        found = vjp(wrong, wrt)
        made["d" + wrt] = Rule(found.gather, op.grouped, wrt, found.steps, found.scatter)
    return made


def mutated(formula, change):
    old, new = (grouped_text(part) for part in change)
    text = str(formula)
    assert old in text
    wrong = Formula(text.replace(old, new))
    return Formula.of(wrong.output, wrong.operator, wrong.terms, like=formula, order=formula.order)


def grouped_text(text):
    return text.replace("w[", "w[g, ")


def fits(name, rank):
    """Whether a mutant's kernels are of a rank."""
    return RANK[name] == rank


@pytest.mark.parametrize("name", MUTANTS)
def test_the_mutated_rules_are_refuted(name):
    for result, rule in rules(RANK[name], MUTANTS[name]).items():
        if result != "y":
            proof = prove(rule)
            assert proof.status == "refuted", result
            assert proof.counterexample.expected != proof.counterexample.claimed


def test_the_control_is_proved():
    assert all(prove(rule).status == "proved" for result, rule in rules(1).items() if result != "y")


def texts():
    """Text of every kernel of the control and of the mutants, by (mutant, rank, result, dtype)."""
    for rank in (1, 2):
        for name in (None, *(n for n in MUTANTS if fits(n, rank))):
            for result, rule in rules(rank, MUTANTS.get(name)).items():
                for dtype in ("f32", "f64") if name is None else ("f32",):
                    made = nest(f"conv{rank}d_{result}_{name or 'control'}", rule, LANE[rank])
                    text = kernel_text(made, dtype)
                    yield (name, rank, result, dtype), text
                    if name is None and dtype == "f32":
                        yield from bound_mutants(rank, result, text)


def bound_mutants(rank, result, text):
    for name, (old, new) in BOUNDS.items():
        if old in text and rank == (2 if name == "position_bound" else 1):
            wrong = "\n".join(
                line.replace(old, new.format(indent=" " * (len(line) - len(line.lstrip()) - 4)))
                for line in text.split("\n")
            )
            yield (name, rank, result, "f32"), wrong.replace("_control_", f"_{name}_")


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    return compiled("mutants", [text for _, text in texts()], tmp_path_factory.mktemp("mutants"))


def computed(module, name, results=("y", "dx", "dw")):
    """A function like `exact.public` that computes with the kernels of a mutant (None: of the control)."""

    def compute(posed, dtype):
        case = posed.case
        rank = len(case.kernel)
        (into, out), batch = case.channels, case.batch
        shapes = {
            "x": (batch, case.groups, into, *case.inputs),
            "w": (case.groups, out, into, *case.kernel),
            "y": (batch, case.groups, out, *posed.y.shape[2:]),
        }
        arrays = {n: a.astype(dtype).reshape(shapes[n]) for n, a in (("x", posed.x), ("w", posed.w))}
        arrays["dy"] = posed.dy.astype(dtype).reshape(shapes["y"])
        parameters = {
            f"{n}{axis}": value
            for axis in range(rank)
            for n, value in (
                ("stride", case.stride[axis]),
                ("dilation", case.dilation[axis]),
                ("padding", case.padding[axis][0]),
            )
        }
        found = {}
        for result in results:
            formula, items = owners(rank, result, name)
            value = np.zeros_like(arrays[{"y": "dy"}.get(result, result[1:])])
            kernel = f"conv{rank}d_{result}_{name or 'control'}"
            function = getattr(module, f"{kernel}_{'f32' if dtype == 'float32' else 'f64'}")
            count = math.prod(value.shape[axis] for axis in items)
            operands = [arrays[n] for n in formula.operands]
            function(value, *operands, *(parameters[n] for n in formula.parameters), 0, count, 1)
            found[result] = value.reshape(getattr(posed, result).shape)
        return found

    return compute


@cache
def owners(rank, result, name):
    made = nest("k", rules(rank, MUTANTS.get(name))[result], LANE[rank])
    return made.formula, [axis for _, axis in made.owners]


def test_nothing_differs_with_the_kernels_of_the_rules_as_they_are(module):
    for case in GEOMETRIES:
        for dtype in ("float32", "float64"):
            assert differing(problem(case), dtype, computed(module, None)) == {}, str(case)


@pytest.mark.parametrize("name, result", [(name, result) for name in MUTANTS for result in ("y", "dx", "dw")])
def test_the_kernels_of_a_mutant_are_caught(module, name, result):
    square = [replace(case, channels=(2, 2)) for case in GEOMETRIES[:40]]
    caught = [
        case
        for case in (*GEOMETRIES, *square)
        if fits(name, len(case.kernel))
        and runs(name, case)
        and differing(problem(case), "float32", computed(module, name, (result,)))
    ]
    assert len(caught) >= 3


def runs(name, case):
    """Swapped channels need as many inputs as outputs: the kernels trust the shapes that they are given."""
    return name != "swapped_channels" or case.channels[0] == case.channels[1] > 1


@pytest.mark.parametrize("name, result", [(name, result) for name in BOUNDS for result in ("y", "dx", "dw")])
def test_a_bound_off_by_one_is_caught(module, name, result):
    rank = 2 if name == "position_bound" else 1
    caught = [
        case
        for case in GEOMETRIES
        if len(case.kernel) == rank and differing(problem(case), "float32", computed(module, name, (result,)))
    ]
    assert len(caught) >= 20
