"""δ-elimination: from the scatter form of a rule to its gather form, and from an access to loop bounds.

SymPy's own summation of Kronecker deltas loses the divisibility condition of a stride; these lemmas are ours, and the
prover checks every use of them.
"""

from collections.abc import Iterable

import sympy

from convsym.expressions import (
    Term,
    accesses,
    array_of,
    ceildiv,
    digits,
    floordiv,
    indices_of,
    linear,
    mod,
    names,
    sign,
    symbol,
)
from convsym.formula import Formula
from convsym.layout import row
from convsym.rule import Shown, Step

FRESH = ("i", "j", "u", "v", "a", "b", "s", "t")  # names for new target indices, in order of preference


def gather(scatter: Formula, axes: Iterable[int], cotangent: str) -> Formula:
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


def gather_steps(scatter: Formula, axes: Iterable[int], cotangent: str) -> tuple[Formula, list[Step]]:
    """Gather form over `axes`, and the steps that lead to it."""
    steps: list[Step] = []
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
        ranges={name: e for name, e in scatter.ranges if name in used} | _kept_ranges(scatter, terms),
    )
    return gathered, steps


def _kept_ranges(scatter: Formula, terms: list[Term]) -> dict[str, sympy.Expr]:
    """Ranges of indices that stood alone in the scatter form and nowhere do in the gathered terms."""
    places = {e for t in terms for e in (*t.target, *(i for a in t.arrays() for i in indices_of(a)))}
    used = set().union(*(t.names() for t in terms))
    return {n: scatter.range_of(n) for n in scatter.indices if n in used and symbol(n) not in places}


def _target_names(scatter: Formula, axes: tuple[int, ...]) -> list[str | None]:
    """The index that will stand alone on each of `axes`: the one that already does, or a new one; None elsewhere.

    A second use of the same bare index (a diagonal) needs a new one.
    """
    taken = {*scatter.indices, *scatter.parameters, *scatter.operands, scatter.output}
    result: list[str | None] = []
    for axis in range(len(scatter.terms[0].target)):
        found = {t.target[axis] for t in scatter.terms}
        only = next(iter(found))
        if axis not in axes:
            name: str | None = None
        elif len(found) == 1 and only.is_Symbol and only.name in scatter.indices and only.name not in result:
            name = only.name
        else:
            name = _fresh(scatter, axis, taken)
            taken.add(name)
        result.append(name)
    return result


def _fresh(scatter: Formula, axis: int, taken: set[str]) -> str:
    """``i``, or ``i0`` where the axis's own indices all end with the digit 0 (an axis of an Op)."""
    endings = {n[-1] for n in names(scatter.terms[0].target[axis]) if n in scatter.indices}
    digit = endings.pop() if len(endings) == 1 and next(iter(endings)).isdigit() else ""
    return next(n for n in (*(f + digit for f in FRESH), *(f"i_{k}" for k in range(99))) if n not in taken)


def _solve(scatter: Formula, term: Term, target_names: list[str | None], cotangent: str, steps: list[Step]) -> Term:
    """Apply δ-elimination to each axis of one scatter term that has a target name."""
    target = tuple(e if n is None else symbol(n) for n, e in zip(target_names, term.target, strict=True))
    fixed = {n for n, e in zip(target_names, term.target, strict=True) if n is not None and e == symbol(n)}
    for axis, name in enumerate(target_names):
        expr = term.target[axis]
        if name is None or expr == symbol(name):
            continue
        left, expr, term = _multiplied(scatter, term, name, expr, steps)
        free = [n for n in scatter.loops(term) if n not in fixed and linear(expr, n)]
        pair = digits(expr, free, scatter.range_of)
        unknown = _unknown(term, expr, free, cotangent)
        if pair is not None:
            term = _split_digits(scatter, term, (left, expr), pair, cotangent, steps)
        elif unknown is not None:
            term = _eliminate(scatter, term, (left, expr), unknown, cotangent, steps)
        else:
            guard = sympy.Eq(left, expr)
            term = Term(term.target, term.body, (*term.guard, guard))
            show = Shown(scatter, (name,))
            steps.append(Step("remaining δ", show.text(guard), show.layout(guard)))
    return Term(target, term.body, term.guard)


def _multiplied(
    scatter: Formula, term: Term, name: str, expr: sympy.Expr, steps: list[Step]
) -> tuple[sympy.Expr, sympy.Expr, Term]:
    """Both sides of the equation of one axis; a quotient under its divisibility is multiplied out.

    The read of an input dilation, ``x[N//m]`` where ``m`` divides ``N``, is the relation ``N == m·i`` without division.
    """
    divides = sympy.Eq(mod(*expr.args), 0) if isinstance(expr, floordiv) else None
    if divides is None or divides not in term.guard:
        return symbol(name), expr, term
    number, divisor = expr.args
    equation, show = sympy.Eq(divisor * symbol(name), number), Shown(scatter, (name,))
    given = (sympy.Eq(symbol(name), expr), divides)
    steps.append(
        Step(
            "exact division",
            f"{show.text(given[0])} and {show.text(divides)}  ⇔  {show.text(equation)}",
            row(show.layout(given[0], given), ",", show.layout(divides), "⇔", show.layout(equation)),
        )
    )
    body = term.body.xreplace({expr: symbol(name)})
    guard = tuple(c.xreplace({expr: symbol(name)}) for c in term.guard if c != divides)
    return equation.lhs, number, Term(term.target, body, guard)


def _unknown(
    term: Term, expr: sympy.Expr, free: list[str], cotangent: str
) -> tuple[str, sympy.Expr, sympy.Expr] | None:
    """The index to solve for, its coefficient and the rest.

    One of the cotangent's own if possible, and one whose coefficient has a known sign.
    """
    known = {n: found for n in free if (found := linear(expr, n)) and sign(found[0]) is not None}
    own = {e.name for a in accesses(term.body) if array_of(a) == cotangent for e in indices_of(a) if e.is_Symbol}
    chosen = next((n for n in known if n in own), next(iter(known), None))
    return None if chosen is None else (chosen, *known[chosen])


def _eliminate(
    scatter: Formula,
    term: Term,
    equation: tuple[sympy.Expr, sympy.Expr],
    solved: tuple[str, sympy.Expr, sympy.Expr],
    cotangent: str,
    steps: list[Step],
) -> Term:
    """δ-elimination lemma on one axis: replace the unknown by the solution of an equation."""
    unknown, coefficient, rest = solved
    difference = sympy.expand(equation[0] - rest)
    if sign(coefficient) == -1:
        coefficient, difference = -coefficient, -difference
    divides: tuple[sympy.Basic, ...] = ()
    solution = difference
    if coefficient != 1:
        solution = floordiv(difference, coefficient)
        divides = (sympy.Eq(mod(difference, coefficient), 0),)
    return _replace(scatter, term, equation, {unknown: solution}, divides, cotangent, ("δ-elimination", steps))


def _split_digits(
    scatter: Formula,
    term: Term,
    equation: tuple[sympy.Expr, sympy.Expr],
    pair: tuple[str, str, sympy.Expr, sympy.Expr],
    cotangent: str,
    steps: list[Step],
) -> Term:
    """Digit lemma on one axis: ``number == C·a + b`` with ``0 ≤ b < C`` has one solution."""
    high, low, base, rest = pair
    number = sympy.expand(equation[0] - rest)
    solution = {high: floordiv(number, base), low: mod(number, base)}
    return _replace(scatter, term, equation, solution, (), cotangent, ("digits", steps))


def _replace(
    scatter: Formula,
    term: Term,
    equation: tuple[sympy.Expr, sympy.Expr],
    solution: dict[str, sympy.Expr],
    guards: tuple[sympy.Basic, ...],
    cotangent: str,
    record: tuple[str, list[Step]],
) -> Term:
    """Put a solution into a term, guard it where nothing else does, and record the step."""
    lemma, steps = record
    for unknown, value in solution.items():
        if not (_zero_outside(term, unknown, cotangent) or isinstance(value, mod)):
            guards += (sympy.Ge(value, 0), sympy.Lt(value, scatter.range_of(unknown)))
    steps.append(_solution_step(scatter, lemma, equation, solution, guards))
    replaced = term.replace({symbol(n): e for n, e in solution.items()})
    return Term(replaced.target, replaced.body, (*replaced.guard, *guards))


def _zero_outside(term: Term, index: str, cotangent: str) -> bool:
    """Whether the cotangent is a factor that reads `index` as it stands, so that it is 0 outside the range."""
    factors = sympy.Mul.make_args(term.body)
    return any(symbol(index) in indices_of(a) for a in factors if accesses(a) == (a,) and array_of(a) == cotangent)


def _solution_step(
    scatter: Formula,
    lemma: str,
    equation: tuple[sympy.Expr, sympy.Expr],
    solution: dict[str, sympy.Expr],
    guards: tuple[sympy.Basic, ...],
) -> Step:
    new = names(equation[0]) - {*scatter.indices, *scatter.parameters}
    show = Shown(scatter, tuple(n for n in sorted(new) if ".shape[" not in n))
    given = sympy.Eq(*equation)
    solved = (*(sympy.Eq(symbol(n), e) for n, e in solution.items()), *guards)
    layouts = [show.layout(c, guards) for c in (given, *solved)]
    return Step(
        lemma,
        f"{show.text(given)}  ⇔  {' and '.join(map(show.text, solved))}",
        row(layouts[0], "⇔", layouts[1], *(part for c in layouts[2:] for part in (",", c))),
    )


def interval(expr: sympy.Expr, name: str, length: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
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
