"""The second road: Z3 decides index statements with sizes, strides, dilations and paddings all symbolic.

A term becomes a *keyed relation*. Its key is everything that can be observed of a point: where it writes and which
entries it reads. Each loop index is a function of the key, so a point is counted once by construction of the key, and
two formulas are equal exactly when, for every key, their coefficients add up to the same number.
"""

import time
from dataclasses import dataclass
from functools import lru_cache

import sympy
from sympy.logic.boolalg import And, Not, Or

from convsym.errors import ProofError
from convsym.expressions import accesses, affine, array_of, ceildiv, floordiv, indices_of, mod, names, sign, size, symbol

MISSING = "the prover Z3 is not installed; add it with  pip install 'convsym[prove]'"


@lru_cache(maxsize=1)
def z3():
    """The Z3 module, or None where it is not installed."""
    try:
        import z3 as module
    except ImportError:
        return None
    return module


@dataclass(frozen=True)
class Keyed:
    """One term as a relation on its key.

    Attributes
    ----------
    shape : sympy.Expr
        The body with every access replaced by a placeholder, without its coefficient: what two terms must share to be
        comparable.
    coefficient : sympy.Expr
        Number or product of scalar parameters.
    conditions : tuple
        Conditions on key symbols, sizes and parameters under which the point exists.
    """

    shape: sympy.Basic
    coefficient: sympy.Expr
    conditions: tuple


def key(array, occurrence, axis):
    """The symbol of one component of a key, e.g. ``dy#0[2]``."""
    return sympy.Symbol(f"{array}#{occurrence}[{axis}]")


def keyed(formula, term, rename):
    """Turn a term into a relation on its key.

    Parameters
    ----------
    formula : Formula
    term : Term
    rename : dict
        From an array's name to the array whose sizes it has.

    Returns
    -------
    Keyed

    Raises
    ------
    ProofError
        An index is no function of the key, so that points could coincide.
    """
    body = sympy.expand(term.body) if isinstance(term.body, sympy.Add) else term.body
    reads = sorted(dict.fromkeys(a for e in (body, *term.guard) for a in accesses(e)),
                   key=lambda a: (array_of(a), str(indices_of(a))))
    equations, placeholders, counts = [], {}, {}
    for reading in reads:
        array = array_of(reading)
        occurrence = counts[array] = counts.get(array, -1) + 1
        placeholders[reading] = sympy.Symbol(f"{array}#{occurrence}")
        equations += [(e, key(array, occurrence, axis)) for axis, e in enumerate(indices_of(reading))]
    equations += [(e, key("out", 0, axis)) for axis, e in enumerate(term.target)]
    solution, open_equations = _solve_indices(formula, formula.loops(term), equations)
    sizes = {symbol(n): _renamed_size(n, rename) for t in (term,) for n in _size_names(formula, t)}
    conditions = [sympy.Eq(left.xreplace(solution), right) for left, right in open_equations]
    for name in formula.loops(term):
        conditions += [sympy.Ge(solution[symbol(name)], 0),
                       sympy.Lt(solution[symbol(name)], formula.range_of(name))]
    guards = [c for c in term.guard if not accesses(c)]
    data = sorted((str(c.xreplace(placeholders)) for c in term.guard if accesses(c)))
    conditions += [c.xreplace(solution) for c in guards]
    coefficient, shape = _primitive(body.xreplace(placeholders), set(placeholders.values()))
    conditions = tuple(c.xreplace(sizes) for c in conditions if c != sympy.true)
    return Keyed(sympy.Tuple(shape, *map(sympy.Symbol, data)), coefficient, conditions)


def _size_names(formula, term):
    expressions = [formula.range_of(n) for n in formula.loops(term)]
    found = set().union(term.names(), *map(names, expressions))
    return {n for n in found if ".shape[" in n}


def _renamed_size(name, rename):
    array, axis = name[:-1].split(".shape[")
    return size(rename.get(array, array), int(axis))


def _primitive(body, placeholders):
    """Coefficient and coefficient-free shape of a body; the sign convention makes a shape and its negative equal."""
    if isinstance(body, sympy.Add):
        content, rest = sympy.expand(body).as_content_primitive()
        leading = min(rest.args, key=lambda t: sympy.srepr(abs(t.as_coeff_Mul()[0]) * t.as_coeff_Mul()[1]))
        return (-content, -rest) if leading.as_coeff_Mul()[0] < 0 else (content, rest)
    parts = [_primitive(f, placeholders) if isinstance(f, sympy.Add) else
             (sympy.S.One, f) if f.free_symbols & placeholders else (f, sympy.S.One) for f in sympy.Mul.make_args(body)]
    return sympy.Mul(*(c for c, _ in parts)), sympy.Mul(*(s for _, s in parts))


def _solve_indices(formula, loops, equations):
    """Every loop index as an expression of the key, and the equations that remain as conditions."""
    solution, remaining = {}, list(equations)
    unknown = set(loops)
    while unknown:
        found = _next_solution(formula, unknown, remaining, solution)
        if found is None:
            raise ProofError(f"the index {min(unknown)} is not determined by what {formula} reads and writes, so its "
                             "points cannot be told apart")
        name, value, used = found
        solution[symbol(name)] = value
        unknown.remove(name)
        if used is not None:
            remaining.remove(used)
    return solution, remaining


def _next_solution(formula, unknown, equations, solution):
    """An index that stands alone in an access, or else one that a single equation decides."""
    for equation in equations:
        if equation[0].is_Symbol and equation[0].name in unknown:
            return equation[0].name, equation[1], equation
    for left, right in equations:
        parts = affine(left, formula.indices)
        inside = [(n, c) for n, c in parts[0] if n in unknown] if parts else []
        if len(inside) == 1 and sign(inside[0][1]) is not None:
            name, coefficient = inside[0]
            difference = (right - (left - coefficient * symbol(name)).xreplace(solution)).expand()
            if sign(coefficient) < 0:
                coefficient, difference = -coefficient, -difference
            return name, difference if coefficient == 1 else floordiv(difference, coefficient), None
    return None


# ------------------------------------------------------------------------------------------------- translation

class Translator:
    """SymPy expressions and conditions to Z3, over unbounded integers; floor division needs a positive divisor."""

    def __init__(self):
        self.module = z3()
        self.known = {}

    def variable(self, name):
        return self.known.setdefault(name, self.module.Int(name))

    def term(self, expr):
        m = self.module
        if expr.is_Symbol:
            return self.variable(expr.name)
        if expr.is_Integer:
            return m.IntVal(int(expr))
        if expr.is_Rational:
            return m.Q(int(expr.p), int(expr.q))
        parts = [self.term(a) for a in expr.args]
        if isinstance(expr, sympy.Add):
            return sum(parts[1:], parts[0])
        if isinstance(expr, sympy.Mul):
            return m.Product(*parts)
        if isinstance(expr, floordiv):
            return parts[0] / parts[1]
        if isinstance(expr, ceildiv):
            return -(-parts[0] / parts[1])
        if isinstance(expr, mod):
            return parts[0] % parts[1]
        if isinstance(expr, sympy.Pow) and expr.exp.is_Integer:
            power = m.Product(*[m.ToReal(parts[0])] * abs(int(expr.exp)))
            return power if expr.exp > 0 else 1 / power
        raise ProofError(f"{expr} cannot be put to the prover")

    def condition(self, expr):
        m = self.module
        if expr in (sympy.true, sympy.false):
            return m.BoolVal(bool(expr))
        if isinstance(expr, (And, Or)):
            return (m.And if isinstance(expr, And) else m.Or)(*(self.condition(a) for a in expr.args))
        if isinstance(expr, Not):
            return m.Not(self.condition(expr.args[0]))
        left, right = self.term(expr.lhs), self.term(expr.rhs)
        return {sympy.Eq: lambda: left == right, sympy.Ne: lambda: left != right, sympy.Lt: lambda: left < right,
                sympy.Le: lambda: left <= right, sympy.Gt: lambda: left > right,
                sympy.Ge: lambda: left >= right}[type(expr)]()  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What the solver said: `status` proved, refuted or unknown; a model of a refutation by variable name."""

    status: str
    model: dict


def valid(hypotheses, goal, deadline):
    """Whether the goal follows from the hypotheses, for all integers.

    Parameters
    ----------
    hypotheses : sequence of sympy conditions
    goal : tuple of two tuples of conditions, or a condition
        A pair is proved equivalent, each side a conjunction.
    deadline : float
        `time.monotonic()` value at which to give up.

    Returns
    -------
    Verdict
    """
    if not isinstance(goal, tuple):
        return _decide(tuple(hypotheses), goal, deadline)
    left, right = goal
    common = [c for c in left if c in right]
    left, right = [c for c in left if c not in common], [c for c in right if c not in common]
    for part in components([*hypotheses, *common, *left, *right]):
        sides = [And(*(c for c in side if c in part)) for side in (left, right)]
        if sides[0] == sides[1]:
            continue
        verdict = _decide(tuple(c for c in (*hypotheses, *common) if c in part),
                          Or(And(*sides), And(*map(Not, sides))), deadline)
        if verdict.status != "proved":
            return verdict
    return Verdict("proved", {})


def components(conditions):
    """Split conditions into groups that share no variable: an axis at a time."""
    groups = []
    for condition in dict.fromkeys(conditions):
        used = set(names(condition))
        touching = [g for g in groups if g[0] & used]
        groups = [g for g in groups if not g[0] & used]
        groups.append((used.union(*(g[0] for g in touching)), [*(c for g in touching for c in g[1]), condition]))
    return [set(group) for _, group in groups]


_proved = {}  # canonical text of a statement -> its verdict


def _decide(hypotheses, goal, deadline):
    """Ask Z3 whether a condition follows; a statement proved once, for one axis, serves every axis and rank."""
    canonical = _canonical(hypotheses, goal)
    if canonical in _proved:
        return _proved[canonical]
    translate = Translator()
    verdict = _refute([translate.condition(c) for c in hypotheses], translate.condition(goal), translate, deadline)
    if verdict.status == "proved":
        _proved[canonical] = verdict
    return verdict


def equal_counts(hypotheses, left, right, deadline):
    """Whether, for every key, the coefficients of the existing points add up to the same number on both sides.

    Parameters
    ----------
    hypotheses : sequence of sympy conditions
    left, right : sequence of Keyed
        Relations of one shape.
    deadline : float

    Returns
    -------
    Verdict
    """
    if len(left) == len(right):
        pairs = list(zip(left, right, strict=True))
        if all(a.coefficient == b.coefficient for a, b in pairs):
            verdicts = [valid(hypotheses, (a.conditions, b.conditions), deadline) for a, b in pairs]
            if all(v.status == "proved" for v in verdicts):
                return verdicts[0]
            if len(pairs) == 1:
                return verdicts[0]
    m, translate = z3(), Translator()

    def total(relations):
        return m.Sum(*(m.If(m.And(*map(translate.condition, k.conditions)), m.ToReal(translate.term(k.coefficient))
                            if m.is_int(translate.term(k.coefficient)) else translate.term(k.coefficient), m.Q(0, 1))
                       for k in relations), m.Q(0, 1))

    return _refute([translate.condition(c) for c in hypotheses], total(left) == total(right), translate, deadline)


def _refute(hypotheses, goal, translate, deadline):
    """Look for a counter-model, a small one once there is one."""
    m = z3()
    solver = m.Solver()
    solver.add(*hypotheses, m.Not(goal))
    answer = _ask(solver, deadline)
    if answer == m.unsat:
        return Verdict("proved", {})
    if answer == m.unknown:
        return Verdict("unknown", {})
    return Verdict("refuted", _small_model(solver, translate.known, deadline))


def _ask(solver, deadline):
    solver.set("timeout", max(1, int(1000 * (deadline - time.monotonic()))))
    return solver.check()


def _small_model(solver, variables, deadline):
    """A model within the smallest box that has one."""
    m = z3()
    model = solver.model()
    for bound in (2, 3, 4, 6, 9, 14, 24):
        solver.push()
        solver.add(*(m.And(-bound <= v, v <= bound) for v in variables.values()))
        found = _ask(solver, deadline) == m.sat
        if found:
            model = solver.model()
        solver.pop()
        if found:
            break
    values = {name: model.eval(v, model_completion=True) for name, v in variables.items()}
    return {name: v.as_long() for name, v in values.items() if m.is_int_value(v)}


def _canonical(hypotheses, goal):
    """The statement with its variables numbered in order of appearance."""
    order, pieces = {}, []
    for condition in (*sorted(hypotheses, key=str), goal):
        for node in sympy.preorder_traversal(condition):
            if node.is_Symbol:
                pieces.append(f"v{order.setdefault(node.name, len(order))}")
            else:
                pieces.append(f"{type(node).__name__}{node if not node.args else len(node.args)}")
    return " ".join(pieces)
