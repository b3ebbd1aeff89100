"""No overflow: the proof that a kernel's integers stay below what its table says, so that a caller can check it.

The table (`convsym.codegen.table.reach`) holds a sum of products of sizes and parameters for each kernel; before a
kernel runs, its value is computed in Python's integers and compared with 2**60. Here the prover confirms that no number
of the loop nest exceeds it, whatever the sizes and parameters.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import sympy

from convsym import solver
from convsym.codegen.loops import Nest
from convsym.codegen.table import Monomial, arithmetic, reach
from convsym.expressions import size, symbol, to_text
from convsym.obligations import assumptions
from convsym.proofs import Judge
from convsym.verdict import Proof


def prove_no_overflow(nest: Nest, bound: Sequence[Monomial] | None = None, budget: float = 10.0) -> Proof:
    """Prove that no integer of a loop nest exceeds the sum of monomials that the table of kernels states.

    Parameters
    ----------
    nest : Nest
    bound : sequence of monomials, optional
        Another bound to be judged; the table's by default.
    budget : float
        Seconds.

    Returns
    -------
    Proof

    Examples
    --------
    >>> from convsym import Formula
    >>> from convsym.codegen import nest
    >>> from convsym.codegen.overflow import prove_no_overflow
    >>> made = nest("bias_y", Formula("y[n, k, o] += b[k]"), "o")
    >>> prove_no_overflow(made).statement
    'no integer of bias_y exceeds y.shape[2] + 2048'
    """
    found, ranges = arithmetic(nest)
    monomials = reach(nest) if bound is None else bound
    largest = {p: symbol(f"{p}_abs") for p in nest.formula.parameters if p not in nest.formula.multipliers}
    total = sympy.Add(*(_product(m, largest) for m in monomials))
    hypotheses = [*_given(nest, ranges), *_absolute(largest)]
    judge = Judge(f"no integer of {nest.name} exceeds {to_text(total)}", budget, hypotheses, {})
    # Products first: with them the sums are linear, which the prover decides at once.
    products = list(_products(found, ranges))
    for goal in products:
        judge.ask(to_text(goal), partial(solver.valid, hypotheses, goal))
    for expr in dict.fromkeys(found):
        for goal in (sympy.Le(expr, total), sympy.Le(-expr, total)):
            if goal != sympy.true:
                judge.ask(to_text(goal), partial(solver.valid, [*hypotheses, *products], goal))
    return judge.proof()


def _given(nest: Nest, ranges: dict[sympy.Symbol, sympy.Expr]) -> Iterator[sympy.Basic]:
    """What holds where a kernel computes: no axis is empty, and every name is in its range."""
    formula = nest.formula
    yield from assumptions(formula)
    for array in (formula.output, *formula.operands):
        yield from (sympy.Ge(size(array, axis), 1) for axis in range(formula.rank(array)))
    for name, limit in ranges.items():
        yield sympy.Ge(name, 0)
        yield sympy.Lt(name, limit)


def _products(found: Sequence[sympy.Expr], ranges: dict[sympy.Symbol, sympy.Expr]) -> Iterator[sympy.Basic]:
    """A parameter times an index is at least 0 and at most the parameter times the index's range."""
    seen = dict.fromkeys(node for expr in found for node in sympy.preorder_traversal(expr) if node.is_Mul)
    for node in seen:
        indices = [f for f in node.args if f in ranges]
        if len(indices) == 1:
            rest = node / indices[0]
            if rest.is_Symbol:
                yield sympy.Ge(node, 0)
                yield sympy.Le(node, rest * ranges[indices[0]])


def _absolute(largest: dict[str, sympy.Symbol]) -> Iterator[sympy.Basic]:
    """The sizes of parameters of either sign."""
    for name, above in largest.items():
        yield sympy.Ge(above, symbol(name))
        yield sympy.Ge(above, -symbol(name))


def _product(monomial: Monomial, largest: dict[str, sympy.Symbol]) -> sympy.Expr:
    number, parameters, sizes = monomial
    factors = [largest.get(p, symbol(p)) for p in parameters] + [size(array, axis) for array, axis in sizes]
    return sympy.Mul(sympy.Integer(number), *factors)
