"""Derivatives of formulas, as formulas: SymPy differentiates the body, δ-elimination solves for the gather form.

The vector–Jacobian product of ``y[T] += body(x[E], …)`` is, before anything is solved, the scatter
``dx[E] += dy[T]·∂body/∂x[E]``: target and access change places, the index relation stays as it is. The gather form
asks, for each element of ``dx``, which points of the relation reach it; that is the δ-elimination lemma below.
"""

import sympy

from convsym.elimination import gather_steps
from convsym.errors import FormulaError, nearest
from convsym.expressions import Term, access, accesses, array_of, indices_of, size, symbol
from convsym.formula import Formula
from convsym.notation import Layout, formula_layout, row
from convsym.rule import Rule, Shown, Step


def vjp(formula, wrt):
    """Derive the vector–Jacobian product of a formula with respect to one operand.

    Parameters
    ----------
    formula : Formula
        Any formula; a `Rule` is differentiated through its scatter form, so second derivatives need no other code.
    wrt : str or tuple of str
        Operand(s) to differentiate by. The cotangent of ``y`` is named ``dy``, the result ``dx``.

    Returns
    -------
    Rule or tuple of Rule

    Raises
    ------
    FormulaError
        `wrt` is no operand, or a derived name is already taken.

    Examples
    --------
    >>> f = Formula("y[o] += x[stride*o + r - padding] * w[r]")
    >>> print(vjp(f, "x"))
    dx[i] += where((i + padding - r) % stride == 0, dy[(i + padding - r)//stride]*w[r], 0)
    >>> print(vjp(f, "w"))
    dw[r] += dy[o]*x[stride*o + r - padding]
    """
    if not isinstance(formula, Formula):
        raise FormulaError(
            f"vjp differentiates a Formula, not {type(formula).__name__}",
            hint="write vjp(Formula('y[o] += x[o + r] * w[r]'), 'x')",
        )
    if not isinstance(wrt, str):
        return tuple(vjp(formula, name) for name in wrt)
    cotangent, result = _derived_names(formula, wrt)
    base = formula.scatter if isinstance(formula, Rule) else formula
    scatter = _scatter(base, wrt, cotangent, result)
    gathered, solved = gather_steps(scatter, range(scatter.rank(result)), cotangent)
    steps = (*_first_steps(base, scatter, gathered, wrt, cotangent), *solved)
    if solved:
        steps += (Step("gather", str(gathered), formula_layout(gathered)),)
    return Rule(gathered, formula, wrt, steps, scatter)


def grouped(formula, axes, index="g"):
    """The formula with one more index that every array shares, such as the group of a grouped convolution.

    Parameters
    ----------
    formula : Formula
    axes : dict
        Where the index stands in each array, e.g. ``{"y": 1, "x": 1, "w": 0}``.
    index : str
        Its name.

    Returns
    -------
    Formula
        It commutes with `vjp`: the new index is bare everywhere.
    """

    def wider(array, indices):
        place = axes[array]
        return (*indices[:place], symbol(index), *indices[place:])

    terms = []
    for term in formula.terms:
        reads = {a: access(array_of(a), wider(array_of(a), indices_of(a))) for a in term.arrays()}
        terms.append(
            Term(
                wider(formula.output, term.target),
                term.body.xreplace(reads),
                tuple(c.xreplace(reads) for c in term.guard),
            )
        )
    order = dict.fromkeys((*formula.order[:2], index, *formula.order))
    return Formula.of(formula.output, formula.operator, terms, like=formula, order=order)


def _derived_names(formula, wrt):
    if wrt not in formula.operands:
        raise FormulaError(f"{wrt!r} is no operand of the formula", str(formula), None, nearest(wrt, formula.operands))
    cotangent, result = "d" + formula.output, "d" + wrt
    taken = {formula.output, *formula.operands, *formula.indices, *formula.parameters}
    for name in (cotangent, result):
        if name in taken or cotangent == result:
            raise FormulaError(
                f"the derived name {name!r} is already taken in the formula",
                str(formula),
                None,
                f"rename {name} in the formula",
            )
    return cotangent, result


def _scatter(base, wrt, cotangent, result):
    """``dx[E] += dy[T]·∂body/∂x[E]``, one term for each access to `wrt`."""
    terms = []
    other = {size(base.output, axis): size(cotangent, axis) for axis in range(base.rank(base.output))}
    for term in base.terms:
        for reading in accesses(term.body):
            if array_of(reading) == wrt:
                variable = sympy.Dummy()
                partial = sympy.diff(term.body.xreplace({reading: variable}), variable).xreplace({variable: reading})
                own = {size(wrt, axis): size(result, axis) for axis in range(len(indices_of(reading)))}
                target = tuple(e.xreplace(own) for e in indices_of(reading))
                source = access(cotangent, tuple(e.xreplace(other) for e in term.target))
                terms.append(Term(target, source * partial, term.guard))
    if not terms:
        raise FormulaError(
            f"{wrt!r} only decides conditions; the formula does not depend on its values otherwise", str(base)
        )
    return Formula.of(result, "+=", terms, like=base, order=(result, cotangent, *base.order))


def _first_steps(base, scatter, gathered, wrt, cotangent):
    """Chain rule, derivative of an access, scatter form."""
    target, term = gathered.terms[0].target, base.terms[0]
    show = Shown(scatter, tuple(e.name for e in target if e.is_Symbol))
    output, source = access(base.output, term.target), access(cotangent, term.target)
    element, result = access(wrt, target), access(scatter.output, target)
    chain = row(
        show.layout(result),
        "=",
        Layout("sum", (row("…"),)),
        show.layout(source),
        Layout("frac", (row("∂", show.layout(output)), row("∂", show.layout(element)))),
    )
    yield Step(
        "chain rule", f"{show.text(result)} = Σ {show.text(source)} · ∂{show.text(output)}/∂{show.text(element)}", chain
    )
    for reading in dict.fromkeys(a for t in base.terms for a in accesses(t.body) if array_of(a) == wrt):
        equations = [sympy.Eq(t, e) for t, e in zip(target, indices_of(reading), strict=True) if t != e]
        text = "".join(f"[{show.text(e)}]" for e in equations) or "1"
        fraction = Layout("frac", (row("∂", show.layout(reading)), row("∂", show.layout(element))))
        deltas = [row("[", show.layout(e), "]") for e in equations] or ["1"]
        yield Step(
            "derivative of an access",
            f"∂{show.text(reading)}/∂{show.text(element)} = {text}",
            row(fraction, "=", *deltas),
        )
    yield Step("scatter", str(scatter), formula_layout(scatter))
