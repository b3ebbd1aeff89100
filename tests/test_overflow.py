"""O7 and the flat half of O3: no integer of a kernel exceeds what its table says, and flat addresses lie inside."""

import time

import pytest
import sympy

from convsym import registry, solver
from convsym.codegen import nests
from convsym.codegen.overflow import prove_no_overflow
from convsym.codegen.table import reach

pytest.importorskip("z3")

QUICK = ("bias", "conv1d", "relu", "squared_error")
NESTS = {nest.name: nest for name in (*QUICK, "conv2d") for nest in nests([registry[name]])}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n.startswith("conv2d") else n for n in NESTS]
)
def test_no_integer_of_a_kernel_exceeds_its_table(name):
    proof = prove_no_overflow(NESTS[name], budget=60)
    assert (proof.status, proof.reason) == ("proved", proof.reason)
    assert len(proof.obligations) >= 2


@pytest.mark.parametrize(
    "name", [*(pytest.param(n, marks=pytest.mark.slow) for n in ("conv1d_y", "conv1d_dx")), "conv1d_dw"]
)
def test_a_table_that_leaves_one_term_out_is_refuted(name):
    made = reach(NESTS[name])
    for left_out in range(len(made)):
        proof = prove_no_overflow(NESTS[name], [m for n, m in enumerate(made) if n != left_out])
        # The lane's constant 2 of a dot product is more than any bound of it needs.
        assert proof.status == "refuted" or made[left_out] == (2, (), ())


def inside(length=None):
    """Whether a flat address lies inside the array, for every shape of four axes and every index in range."""
    sizes, indices = sympy.symbols("a:4", integer=True), sympy.symbols("i:4", integer=True)
    flat, total = sympy.Integer(0), sympy.Integer(1)
    for size, index in zip(sizes, indices, strict=True):
        flat, total = flat * size + index, total * size
    given = [c for s, i in zip(sizes, indices, strict=True) for c in (sympy.Ge(i, 0), sympy.Lt(i, s))]
    goal = sympy.And(sympy.Ge(flat, 0), sympy.Lt(flat, total if length is None else length(sizes)))
    return solver.valid(given, goal, time.monotonic() + 30).status


def test_a_flat_address_lies_inside_its_array():
    assert inside() == "proved"
    assert inside(lambda sizes: sympy.Mul(*sizes) - 1) == "refuted"
