"""Derivatives of formulas, as formulas: SymPy differentiates the body, δ-elimination solves for the gather form.

The vector–Jacobian product of ``y[T] += body(x[E], …)`` is, before anything is solved, the scatter
``dx[E] += dy[T]·∂body/∂x[E]``: target and access change places, the index relation stays as it is. The gather form
asks, for each element of ``dx``, which points of the relation reach it; that is the δ-elimination lemma below.
"""

from dataclasses import dataclass, field

import numpy as np
import sympy

from convsym.errors import FormulaError, nearest
from convsym.expressions import Term, access, accesses, affine, array_of, ceildiv, floordiv, indices_of, mod, names, sign, symbol, to_text
from convsym.formula import Formula
from convsym.notation import Layout, expression_layout, formula_layout, latex, mathml, row, to_latex, to_mathml

FRESH = ("i", "j", "u", "v", "a", "b", "s", "t")  # names for new target indices, in order of preference

LEMMAS = {
    "chain rule": "the cotangent of an input is the sum, over all outputs, of cotangent times partial derivative",
    "derivative of an access": "∂x[e]/∂x[i] is 1 where e == i and 0 elsewhere (Kronecker's δ)",
    "scatter": "a sum over a δ visits only the points where it is 1: write to the access's own indices",
    "renaming": "an index that stands alone is the target index itself",
    "δ-elimination": "Σ_q δ(i, a·q + b)·g(q) = [a divides i − b]·[(i − b)/a in range]·g((i − b)/a), for a ≥ 1",
    "remaining δ": "no free index is left to solve for, so the equation stays as a guard",
    "gather": "every element of the result is computed on its own, without scattered writes",
}


@dataclass(frozen=True)
class Step:
    """One line of a derivation.

    Attributes
    ----------
    lemma : str
        Name of the lemma used, a key of `LEMMAS`.
    text : str
        The statement.
    layout : Layout
        The statement as typeset mathematics.
    """

    lemma: str
    text: str
    layout: Layout = field(compare=False, repr=False)

    @property
    def latex(self):
        """The statement as LaTeX."""
        return to_latex(self.layout)


@latex.register
def _(obj: Step):
    return obj.latex


@mathml.register
def _(obj: Step):
    return to_mathml(obj.layout)


@dataclass(frozen=True, init=False, repr=False)
class Rule(Formula):
    """A derived formula: its body is the gather form, and it knows where it came from.

    Attributes
    ----------
    parent : Formula
        What was differentiated.
    wrt : str
        The operand it was differentiated by.
    steps : tuple of Step
        The derivation, line by line, each with the lemma it used.
    scatter : Formula
        The same rule before δ-elimination: writes are scattered.
    """

    parent: Formula = field(compare=False)
    wrt: str = field(compare=False)
    steps: tuple = field(compare=False)
    scatter: Formula = field(compare=False)

    def __init__(self, gather, parent, wrt, steps, scatter):
        self._set(gather.output, gather.operator, gather.terms, gather.ranges, gather.order, gather.sizes,
                  gather.assume, gather.symmetric)
        for name, value in {"parent": parent, "wrt": wrt, "steps": steps, "scatter": scatter}.items():
            object.__setattr__(self, name, value)

    @property
    def gather(self):
        """The rule with every element of the result computed on its own (the rule itself, as a plain formula)."""
        return Formula.of(self.output, self.operator, self.terms, like=self, order=self.order, ranges=self.ranges)

    def evaluate(self, values, sizes):
        """Like any formula; the differentiated operand, if given, says how large the result is.

        Without it the result ends with the last element that is written.
        """
        values = dict(values)
        if self.wrt in values:
            sizes = {self.output: np.shape(values[self.wrt]), **sizes}
            if self.wrt not in self.operands:
                del values[self.wrt]
        unread = [e.name for e in self.terms[0].target if all(array == self.output for array, _ in self.bare(e.name))]
        if self.output in sizes or all(name in sizes for name in unread):
            return super().evaluate(values, sizes)
        return self.scatter.evaluate(values, sizes)


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
        raise FormulaError(f"vjp differentiates a Formula, not {type(formula).__name__}",
                           hint="write vjp(Formula('y[o] += x[o + r] * w[r]'), 'x')")
    if not isinstance(wrt, str):
        return tuple(vjp(formula, name) for name in wrt)
    cotangent, result = _derived_names(formula, wrt)
    base = formula.scatter if isinstance(formula, Rule) else formula
    scatter = _scatter(base, wrt, cotangent, result)
    gathered, solved = _gather(scatter, range(scatter.rank(result)), cotangent)
    steps = (*_first_steps(base, scatter, gathered, wrt, cotangent), *solved)
    if solved:
        steps += (Step("gather", str(gathered), formula_layout(gathered)),)
    return Rule(gathered, formula, wrt, steps, scatter)


def gather(scatter, axes, cotangent):
    """Solve the given axes of a scatter form; the others stay scattered.

    Parameters
    ----------
    scatter : Formula
        ``dx[E] += dy[…]·…``.
    axes : iterable of int
        Axes of the result to solve.
    cotangent : str
        The array whose indices are solved for first, and whose zero outside its range guards them.

    Returns
    -------
    Formula
    """
    return _gather(scatter, axes, cotangent)[0]


def interval(expr, name, length):
    """Loop bounds of one index: where it keeps an access inside an axis, the other indices given.

    The interval lemma: for ``a ≥ 1``, ``0 ≤ a·q + b < length`` holds exactly for
    ``ceil(−b/a) ≤ q < floor((length − 1 − b)/a) + 1``.

    Parameters
    ----------
    expr : sympy.Expr
        Index expression ``a·q + b``.
    name : str
        The index ``q``.
    length : sympy.Expr
        Size of the axis.

    Returns
    -------
    tuple of sympy.Expr
        First value and the value after the last.
    """
    coefficient = sympy.expand(expr).coeff(symbol(name))
    rest = sympy.expand(expr - coefficient * symbol(name))
    if coefficient == 1:
        return -rest, sympy.expand(length - rest)
    return ceildiv(-rest, coefficient), floordiv(sympy.expand(length - 1 - rest), coefficient) + 1


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
        terms.append(Term(wider(formula.output, term.target), term.body.xreplace(reads),
                          tuple(c.xreplace(reads) for c in term.guard)))
    order = dict.fromkeys((*formula.order[:2], index, *formula.order))
    return Formula.of(formula.output, formula.operator, terms, like=formula, order=order)


def _derived_names(formula, wrt):
    if wrt not in formula.operands:
        raise FormulaError(f"{wrt!r} is no operand of the formula", str(formula), None,
                           nearest(wrt, formula.operands))
    cotangent, result = "d" + formula.output, "d" + wrt
    taken = {formula.output, *formula.operands, *formula.indices, *formula.parameters}
    for name in (cotangent, result):
        if name in taken or cotangent == result:
            raise FormulaError(f"the derived name {name!r} is already taken in the formula", str(formula), None,
                               f"rename {name} in the formula")
    return cotangent, result


def _scatter(base, wrt, cotangent, result):
    """``dx[E] += dy[T]·∂body/∂x[E]``, one term for each access to `wrt`."""
    terms = []
    for term in base.terms:
        for reading in accesses(term.body):
            if array_of(reading) == wrt:
                variable = sympy.Dummy()
                partial = sympy.diff(term.body.xreplace({reading: variable}), variable).xreplace({variable: reading})
                terms.append(Term(indices_of(reading), access(cotangent, term.target) * partial, term.guard))
    if not terms:
        raise FormulaError(f"{wrt!r} only decides conditions; the formula does not depend on its values otherwise",
                           str(base))
    return Formula.of(result, "+=", terms, like=base, order=(result, cotangent, *base.order))


def _gather(scatter, axes, cotangent):
    """Gather form over `axes`, and the steps that lead to it."""
    steps = []
    names_ = _target_names(scatter, tuple(axes))
    if all(n is None or e == symbol(n) for t in scatter.terms for n, e in zip(names_, t.target, strict=True)):
        return scatter, steps
    terms = [_solve(scatter, term, names_, cotangent, steps) for term in scatter.terms]
    used = set().union(*(t.names() for t in terms))
    order = dict.fromkeys((scatter.output, *filter(None, names_), *scatter.order))
    gathered = Formula.of(scatter.output, scatter.operator, terms, like=scatter, order=order,
                          ranges={name: e for name, e in scatter.ranges if name in used})
    return gathered, steps


def _target_names(scatter, axes):
    """The index that will stand alone on each of `axes`: the one that already does, or a new one; None elsewhere.

    A second use of the same bare index (a diagonal) needs a new one.
    """
    taken = {*scatter.indices, *scatter.parameters, *scatter.operands, scatter.output}
    result = []
    for axis in range(len(scatter.terms[0].target)):
        found = {t.target[axis] for t in scatter.terms}
        only = next(iter(found))
        if axis not in axes:
            name = None
        elif len(found) == 1 and only.is_Symbol and only.name in scatter.indices and only.name not in result:
            name = only.name
        else:
            name = _fresh(scatter, axis, taken)
            taken.add(name)
        result.append(name)
    return result


def _fresh(scatter, axis, taken):
    """``i``, or ``i0`` where the axis's own indices all end with the digit 0 (an axis of an Op)."""
    endings = {n[-1] for n in names(scatter.terms[0].target[axis]) if n in scatter.indices}
    digit = endings.pop() if len(endings) == 1 and next(iter(endings)).isdigit() else ""
    return next(n for n in (*(f + digit for f in FRESH), *(f"i_{k}" for k in range(99))) if n not in taken)


def _solve(scatter, term, target_names, cotangent, steps):
    """Apply δ-elimination to each axis of one scatter term that has a target name."""
    target = tuple(e if n is None else symbol(n) for n, e in zip(target_names, term.target, strict=True))
    fixed = {n for n, e in zip(target_names, term.target, strict=True) if n is not None and e == symbol(n)}
    for name, equation in zip(target_names, range(len(target)), strict=True):
        expr = term.target[equation]
        if name is None or expr == symbol(name):
            continue
        parts = affine(expr, scatter.indices)
        if parts is None:
            raise FormulaError(f"the index {scatter.show(expr)} cannot be solved for an index of its own; "
                               "the scatter form stands", str(scatter))
        unknown = _unknown(term, parts[0], fixed, cotangent)
        if unknown is None:
            guard = sympy.Eq(symbol(name), expr)
            term = Term(term.target, term.body, (*term.guard, guard))
            steps.append(Step("remaining δ", scatter.show(guard), expression_layout(guard, scatter)))
        else:
            term = _eliminate(scatter, term, name, expr, unknown, cotangent, steps)
    return Term(target, term.body, term.guard)


def _unknown(term, coefficients, fixed, cotangent):
    """The index to solve for: one of the cotangent's own if possible, and one whose coefficient has a known sign."""
    free = [n for n, coefficient in coefficients if n not in fixed and sign(coefficient) is not None]
    own = {e.name for a in accesses(term.body) if array_of(a) == cotangent for e in indices_of(a) if e.is_Symbol}
    return next((n for n in free if n in own), free[0] if free else None)


def _eliminate(scatter, term, name, expr, unknown, cotangent, steps):
    """δ-elimination lemma on one axis: replace `unknown` by the solution of ``name == expr``."""
    coefficient = dict(affine(expr, scatter.indices)[0])[unknown]
    difference = sympy.expand(symbol(name) - (expr - coefficient * symbol(unknown)))
    if sign(coefficient) < 0:
        coefficient, difference = -coefficient, -difference
    divides, solution = (), difference
    if coefficient != 1:
        solution = floordiv(difference, coefficient)
        divides = (sympy.Eq(mod(difference, coefficient), 0),)
    inside = () if _zero_outside(term, unknown, cotangent) else (
        sympy.Ge(solution, 0), sympy.Lt(solution, scatter.range_of(unknown)))
    steps.append(_elimination_step(scatter, name, expr, unknown, solution, (*divides, *inside)))
    replaced = term.replace({symbol(unknown): solution})
    return Term(replaced.target, replaced.body, (*replaced.guard, *divides, *inside))


def _zero_outside(term, index, cotangent):
    """Whether the cotangent is a factor that reads `index` as it stands, so that it is 0 outside the range."""
    factors = sympy.Mul.make_args(term.body)
    return any(symbol(index) in indices_of(a) for a in factors if accesses(a) == (a,) and array_of(a) == cotangent)


@dataclass(frozen=True)
class _Show:
    """Text and layout of expressions that mix the scatter form's names with the new indices of the result."""

    scatter: Formula
    new: tuple

    def text(self, expr):
        indices = (*self.new, *self.scatter.indices)
        return to_text(expr, (*indices, *self.scatter.operands, *self.scatter.order), indices)

    def layout(self, expr, exact=()):
        return expression_layout(expr, self.scatter, self.new, exact)


def _elimination_step(scatter, name, expr, unknown, solution, guards):
    show = _Show(scatter, (name,))
    equation, solved = sympy.Eq(symbol(name), expr), (sympy.Eq(symbol(unknown), solution), *guards)
    layouts = [show.layout(c, guards) for c in (equation, *solved)]
    return Step("δ-elimination", f"{show.text(equation)}  ⇔  {' and '.join(map(show.text, solved))}",
                row(layouts[0], "⇔", layouts[1], *(part for c in layouts[2:] for part in (",", c))))


def _first_steps(base, scatter, gathered, wrt, cotangent):
    """Chain rule, derivative of an access, scatter form."""
    target, term = gathered.terms[0].target, base.terms[0]
    show = _Show(scatter, tuple(e.name for e in target if e.is_Symbol))
    output, source = access(base.output, term.target), access(cotangent, term.target)
    element, result = access(wrt, target), access(scatter.output, target)
    chain = row(show.layout(result), "=", Layout("sum", (row("…"),)), show.layout(source),
                Layout("frac", (row("∂", show.layout(output)), row("∂", show.layout(element)))))
    yield Step("chain rule", f"{show.text(result)} = Σ {show.text(source)} · "
               f"∂{show.text(output)}/∂{show.text(element)}", chain)
    for reading in dict.fromkeys(a for t in base.terms for a in accesses(t.body) if array_of(a) == wrt):
        equations = [sympy.Eq(t, e) for t, e in zip(target, indices_of(reading), strict=True) if t != e]
        text = "".join(f"[{show.text(e)}]" for e in equations) or "1"
        fraction = Layout("frac", (row("∂", show.layout(reading)), row("∂", show.layout(element))))
        deltas = [row("[", show.layout(e), "]") for e in equations] or ["1"]
        yield Step("derivative of an access", f"∂{show.text(reading)}/∂{show.text(element)} = {text}",
                   row(fraction, "=", *deltas))
    yield Step("scatter", str(scatter), formula_layout(scatter))
