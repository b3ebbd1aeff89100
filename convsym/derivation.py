"""Derivatives of formulas, as formulas: SymPy differentiates the body, δ-elimination solves for the gather form.

The vector–Jacobian product of ``y[T] += body(x[E], …)`` is, before anything is solved, the scatter
``dx[E] += dy[T]·∂body/∂x[E]``: target and access change places, the index relation stays as it is. The gather form
asks, for each element of ``dx``, which points of the relation reach it; that is the δ-elimination lemma below.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import overload

import sympy

from convsym.elimination import gather, gather_steps
from convsym.errors import FormulaError, nearest
from convsym.expressions import Term, access, accesses, array_of, indices_of, names, size, symbol
from convsym.formula import Formula
from convsym.layout import Layout, formula_layout, row
from convsym.rule import Rule, Shown, Step


@overload
def vjp(formula: Formula, wrt: str) -> Rule: ...
@overload
def vjp(formula: Formula, wrt: tuple[str, ...] | list[str]) -> tuple[Rule, ...]: ...
def vjp(formula: Formula, wrt: str | tuple[str, ...] | list[str]) -> Rule | tuple[Rule, ...]:
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
    _check_sizes(formula)
    cotangent, result = _derived_names(formula, wrt)
    base = formula.scatter if isinstance(formula, Rule) else formula
    scatter = _scatter(base, wrt, cotangent, result)
    gathered, solved = gather_steps(scatter, range(scatter.rank(result)), cotangent)
    steps = (*_first_steps(base, scatter, gathered, wrt, cotangent), *solved)
    if solved:
        steps += (Step("gather", str(gathered), formula_layout(gathered)),)
    return Rule(gathered, formula, wrt, steps, scatter)


def jvp(formula: Formula, wrt: str | Iterable[str]) -> Formula:
    """Derive the Jacobian–vector product: how the output moves when operands move along tangents.

    Parameters
    ----------
    formula : Formula
        Any formula, a `Rule` included.
    wrt : str or tuple of str
        Operand(s) that move; the tangent of ``x`` is named ``tx``, that of the output ``ty``.

    Returns
    -------
    Formula
        Of the same index relation; it reads the operands and the tangents.

    Raises
    ------
    FormulaError
        `wrt` is no operand, or a derived name is already taken.

    Examples
    --------
    >>> print(jvp(Formula("y[o] += x[2*o + r] * w[r]"), ("x", "w")))
    ty[o] += tx[2*o + r]*w[r] + x[2*o + r]*tw[r]
    """
    _check_sizes(formula)
    moving = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    result, *_ = _free_names(formula, "t" + formula.output, *("t" + name for name in moving))
    base = formula.scatter if isinstance(formula, Rule) else formula
    terms = []
    sizes = same_sizes(base, {base.output: result} | {name: "t" + name for name in moving})
    for name in moving:
        for term, reading, partial in partials(base, name):
            terms.append(
                Term(term.target, access("t" + name, indices_of(reading)) * partial, term.guard).replace(sizes)
            )
    order = [new for n in base.order for new in (("t" + n, n) if n in moving else (n,))]
    ranges = {name: e.xreplace(sizes) for name, e in base.ranges}
    made = Formula.of(result, "+=", terms, like=base, order=(result, *order), ranges=ranges)
    if not isinstance(formula, Rule):
        return made
    cotangent = "d" + formula.parent.output
    return gather(made, range(base.rank(base.output)), "t" + cotangent if cotangent in moving else cotangent)


def hvp(formula: Formula, wrt: str, along: str | None = None) -> Formula:
    """Derive a second derivative times a vector: how the gradient by one operand moves when another one does.

    Parameters
    ----------
    formula : Formula
    wrt : str
        Operand of the gradient.
    along : str, optional
        Operand that moves, by default `wrt`; its tangent is named like ``tw``.

    Returns
    -------
    Formula
        ``tdx``, the tangent of the gradient ``dx`` at a fixed cotangent.

    Raises
    ------
    FormulaError
        The gradient does not depend on the operand, so the product is zero.

    Examples
    --------
    >>> print(hvp(Formula("y[o] += x[o + r] * w[r]"), "x", "w"))
    tdx[i] += dy[i - r]*tw[r]
    """
    along = wrt if along is None else along
    gradient = vjp(formula, wrt)
    if along in formula.operands and along not in gradient.operands:
        raise FormulaError(f"the gradient by {wrt} does not depend on {along}, so this product is zero", str(gradient))
    return jvp(gradient, along)


def grouped(formula: Formula, axes: Mapping[str, int], index: str = "g") -> Formula:
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

    def wider(array: str, indices: tuple[sympy.Expr, ...]) -> tuple[sympy.Expr, ...]:
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


def _check_sizes(formula: Formula) -> None:
    """Raise where a text speaks of the size of an array that it has not: nothing could say how large that is.

    A rule may: it keeps the sizes of operands that it does not read.
    """
    if isinstance(formula, Rule):
        return
    arrays = (formula.output, *formula.operands)
    spoken = (*(e for _, e in (*formula.ranges, *formula.sizes)), *formula.assume)
    for name in sorted(set().union(*(t.names() for t in formula.terms), *map(names, spoken))):
        if ".shape[" not in name:
            continue
        array, axis = name[:-1].split(".shape[")
        column = formula.text.find(name)
        place = (formula.text, column if column >= 0 else None)
        if array not in arrays:
            message = f"{name} is a size of {array}, which the formula neither reads nor writes"
            raise FormulaError(message, *place, nearest(array, arrays))
        if int(axis) >= formula.rank(array):
            raise FormulaError(
                f"{name} is the size of axis {axis}, and {array} has {formula.rank(array)} (counted from 0)", *place
            )


def _derived_names(formula: Formula, wrt: str) -> tuple[str, ...]:
    if wrt not in formula.operands:
        raise FormulaError(f"{wrt!r} is no operand of the formula", str(formula), None, nearest(wrt, formula.operands))
    return _free_names(formula, "d" + formula.output, "d" + wrt)


def _free_names(formula: Formula, *derived: str) -> tuple[str, ...]:
    """Derived names, none of which may be in use."""
    taken = {*formula.operands, *formula.indices, *formula.parameters}
    for name in derived:
        if name in taken or derived.count(name) > 1:
            raise FormulaError(
                f"the derived name {name!r} is already taken in the formula",
                str(formula),
                None,
                f"rename {name} in the formula",
            )
    return derived


def partials(formula: Formula, wrt: str) -> Iterator[tuple[Term, sympy.Expr, sympy.Expr]]:
    """Every access to an operand with the partial derivative of its term's body by it, as SymPy differentiates it.

    Parameters
    ----------
    formula : Formula
        Of a rule, the scatter form is taken: its accesses are affine.
    wrt : str

    Yields
    ------
    (Term, access, sympy.Expr)

    Raises
    ------
    FormulaError
        `wrt` is no operand, or only decides conditions.
    """
    base = formula.scatter if isinstance(formula, Rule) else formula
    if wrt not in base.operands:
        raise FormulaError(f"{wrt!r} is no operand of the formula", str(base), None, nearest(wrt, base.operands))
    found = [(t, a) for t in base.terms for a in accesses(t.body) if array_of(a) == wrt]
    if not found:
        raise FormulaError(
            f"{wrt!r} only decides conditions; the formula does not depend on its values otherwise", str(base)
        )
    for term, reading in found:
        variable = sympy.Dummy()
        partial = sympy.diff(term.body.xreplace({reading: variable}), variable)
        if any(not power.exp.is_Rational for power in partial.atoms(sympy.Pow)):
            partial = sympy.powsimp(partial, combine="exp")  # x**p/x, as SymPy leaves it, is not defined at 0
        yield term, reading, partial.xreplace({variable: reading})


def same_sizes(formula: Formula, renamed: Mapping[str, str]) -> dict[sympy.Symbol, sympy.Symbol]:
    """Replacement of the size symbols of arrays by those of the derived arrays that have the same shape."""
    return {size(old, axis): size(new, axis) for old, new in renamed.items() for axis in range(formula.rank(old))}


def _scatter(base: Formula, wrt: str, cotangent: str, result: str) -> Formula:
    """``dx[E] += dy[T]·∂body/∂x[E]``, one term for each access to `wrt`."""
    terms = []
    sizes = same_sizes(base, {base.output: cotangent, wrt: result})
    for term, reading, partial in partials(base, wrt):
        terms.append(Term(indices_of(reading), access(cotangent, term.target) * partial, term.guard).replace(sizes))
    ranges = {name: e.xreplace(sizes) for name, e in base.ranges}
    return Formula.of(result, "+=", terms, like=base, order=(result, cotangent, *base.order), ranges=ranges)


def _first_steps(base: Formula, scatter: Formula, gathered: Formula, wrt: str, cotangent: str) -> Iterator[Step]:
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
        deltas = [row("[", show.layout(e), "]") for e in equations] or [row("1")]
        yield Step(
            "derivative of an access",
            f"∂{show.text(reading)}/∂{show.text(element)} = {text}",
            row(fraction, "=", *deltas),
        )
    yield Step("scatter", str(scatter), formula_layout(scatter))
