"""δ-elimination: from the scatter form of a rule to its gather form, and from an access to loop bounds.

SymPy's own summation of Kronecker deltas loses the divisibility condition of a stride; these lemmas are ours, and the
prover checks every use of them.
"""

import sympy

from convsym.errors import FormulaError
from convsym.expressions import (
    Term,
    accesses,
    affine,
    array_of,
    ceildiv,
    floordiv,
    indices_of,
    mod,
    names,
    sign,
    symbol,
)
from convsym.formula import Formula
from convsym.notation import expression_layout, row
from convsym.rule import Shown, Step

FRESH = ("i", "j", "u", "v", "a", "b", "s", "t")  # names for new target indices, in order of preference


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
    return gather_steps(scatter, axes, cotangent)[0]


def gather_steps(scatter, axes, cotangent):
    """Gather form over `axes`, and the steps that lead to it."""
    steps = []
    names_ = _target_names(scatter, tuple(axes))
    if all(n is None or e == symbol(n) for t in scatter.terms for n, e in zip(names_, t.target, strict=True)):
        return scatter, steps
    terms = [_solve(scatter, term, names_, cotangent, steps) for term in scatter.terms]
    used = set().union(*(t.names() for t in terms))
    order = dict.fromkeys((scatter.output, *filter(None, names_), *scatter.order))
    gathered = Formula.of(
        scatter.output,
        scatter.operator,
        terms,
        like=scatter,
        order=order,
        ranges={name: e for name, e in scatter.ranges if name in used},
    )
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
            raise FormulaError(
                f"the index {scatter.show(expr)} cannot be solved for an index of its own; the scatter form stands",
                str(scatter),
            )
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
    inside = (
        ()
        if _zero_outside(term, unknown, cotangent)
        else (sympy.Ge(solution, 0), sympy.Lt(solution, scatter.range_of(unknown)))
    )
    steps.append(_elimination_step(scatter, name, expr, unknown, solution, (*divides, *inside)))
    replaced = term.replace({symbol(unknown): solution})
    return Term(replaced.target, replaced.body, (*replaced.guard, *divides, *inside))


def _zero_outside(term, index, cotangent):
    """Whether the cotangent is a factor that reads `index` as it stands, so that it is 0 outside the range."""
    factors = sympy.Mul.make_args(term.body)
    return any(symbol(index) in indices_of(a) for a in factors if accesses(a) == (a,) and array_of(a) == cotangent)


def _elimination_step(scatter, name, expr, unknown, solution, guards):
    show = Shown(scatter, (name,))
    equation, solved = sympy.Eq(symbol(name), expr), (sympy.Eq(symbol(unknown), solution), *guards)
    layouts = [show.layout(c, guards) for c in (equation, *solved)]
    return Step(
        "δ-elimination",
        f"{show.text(equation)}  ⇔  {' and '.join(map(show.text, solved))}",
        row(layouts[0], "⇔", layouts[1], *(part for c in layouts[2:] for part in (",", c))),
    )


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
