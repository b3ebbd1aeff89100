"""The second road: Z3 decides index statements with sizes, strides, dilations and paddings all symbolic."""

import time
from dataclasses import dataclass
from functools import lru_cache

import sympy
from sympy.logic.boolalg import And, Not, Or

from convsym.boundary import cases, is_folded
from convsym.errors import ProofError
from convsym.expressions import ceildiv, floordiv, mod, names

MISSING = 'the prover Z3 is not installed; add it with  pip install "convsym[prove]"'


@lru_cache(maxsize=1)
def z3():
    """The Z3 module, or None where it is not installed."""
    try:
        import z3 as module
    except ImportError:
        return None
    return module


class Translator:
    """SymPy expressions and conditions to Z3, over unbounded integers; floor division needs a positive divisor.

    With `native`, a floor is the solver's own division; else an unknown quotient, whose bounds are in `axioms`.
    """

    def __init__(self, native=True):
        self.module, self.native = z3(), native
        self.known = {}
        self.quotients, self.axioms = {}, []

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
        if is_folded(expr):
            return self.folded(expr)
        parts = [self.term(a) for a in expr.args]
        if isinstance(expr, sympy.Add):
            return sum(parts[1:], parts[0])
        if isinstance(expr, sympy.Mul):
            return m.Product(*parts)
        if isinstance(expr, floordiv):
            return self.quotient(*parts)
        if isinstance(expr, ceildiv):
            return -self.quotient(-parts[0], parts[1])
        if isinstance(expr, mod):
            return parts[0] % parts[1] if self.native else parts[0] - parts[1] * self.quotient(*parts)
        if isinstance(expr, sympy.Pow) and expr.exp.is_Integer:
            if expr.exp > 0:
                return m.Product(*parts[:1] * int(expr.exp))  # of integers an integer, which may be divided
            return 1 / m.Product(*[m.ToReal(parts[0])] * -int(expr.exp))
        raise ProofError(f"{expr} cannot be put to the prover")

    def folded(self, expr):
        """A boundary mode by its definition; on an empty axis it is outside."""
        m, result = self.module, None
        for condition, value in reversed(cases(expr)):
            value = self.term(value)
            result = value if result is None else m.If(self.condition(condition), value, result)
        return m.If(self.term(expr.args[1]) >= 1, result, m.IntVal(-1))

    def quotient(self, a, b):
        """The floor of a/b as an unknown between its bounds: products suit the solver better than its own division."""
        m = self.module
        if self.native:
            return a / b
        found = self.quotients.get((a.sexpr(), b.sexpr()))
        if found is None:
            found = m.Int(f"quotient{len(self.quotients)}")
            self.quotients[a.sexpr(), b.sexpr()] = found
            self.axioms.append(m.Implies(b >= 1, m.And(b * found <= a, a < b * found + b)))
        return found

    def condition(self, expr):
        m = self.module
        if expr in (sympy.true, sympy.false):
            return m.BoolVal(bool(expr))
        if isinstance(expr, (And, Or)):
            return (m.And if isinstance(expr, And) else m.Or)(*(self.condition(a) for a in expr.args))
        if isinstance(expr, Not):
            return m.Not(self.condition(expr.args[0]))
        left, right = self.term(expr.lhs), self.term(expr.rhs)
        return {
            sympy.Eq: lambda: left == right,
            sympy.Ne: lambda: left != right,
            sympy.Lt: lambda: left < right,
            sympy.Le: lambda: left <= right,
            sympy.Gt: lambda: left > right,
            sympy.Ge: lambda: left >= right,
        }[type(expr)]()

    def total(self, relations):
        """Sum of the coefficients of the relations whose point exists."""
        m = self.module
        summands = [m.Q(0, 1)]
        for relation in relations:
            coefficient = self.term(relation.coefficient)
            coefficient = m.ToReal(coefficient) if m.is_int(coefficient) else coefficient
            summands.append(m.If(m.And(*map(self.condition, relation.conditions)), coefficient, m.Q(0, 1)))
        return m.Sum(*summands)


@dataclass(frozen=True)
class Verdict:
    """What the solver said.

    Attributes
    ----------
    status : str
        proved, refuted or unknown.
    model : dict
        Of a refutation: values by variable name.
    smt : tuple of str
        Of a proof: SMT-LIB texts, each unsatisfiable.
    """

    status: str
    model: dict
    smt: tuple = ()


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
        part = next(part for part in components([*hypotheses, goal]) if goal in part)
        return _decide(tuple(c for c in hypotheses if c in part), goal, deadline)
    left, right = goal
    common = [c for c in left if c in right]
    left, right = [c for c in left if c not in common], [c for c in right if c not in common]
    smt = ()
    for part in components([*hypotheses, *common, *left, *right]):
        sides = [And(*(c for c in side if c in part)) for side in (left, right)]
        if sides[0] == sides[1]:
            continue
        verdict = _decide(
            tuple(c for c in (*hypotheses, *common) if c in part), Or(And(*sides), And(*map(Not, sides))), deadline
        )
        if verdict.status != "proved":
            return verdict
        smt += verdict.smt
    return Verdict("proved", {}, smt)


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
    verdict = _refute(hypotheses, lambda translate: translate.condition(goal), deadline)
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
                return Verdict("proved", {}, tuple(text for v in verdicts for text in v.smt))
            if len(pairs) == 1:
                return verdicts[0]
    return _refute(hypotheses, lambda translate: translate.total(left) == translate.total(right), deadline)


# Seconds for each way of writing a floor division, in turn: neither suits the solver always, and most statements
# take milliseconds with the right one.
_TURNS = ((True, 0.25), (False, 1.0), (True, 2.0), (False, 1e9))


def _refute(hypotheses, goal, deadline):
    """Look for a counter-model; `goal` makes the statement with a translator."""
    m = z3()
    for native, seconds in _TURNS:
        translate = Translator(native)
        solver = m.Solver()
        statement = goal(translate)
        solver.add(*map(translate.condition, hypotheses), m.Not(statement), *translate.axioms)
        answer = _ask(solver, min(deadline, time.monotonic() + seconds))
        if answer == m.unsat:
            return Verdict("proved", {}, (solver.to_smt2(),))
        if answer == m.sat:
            return Verdict("refuted", _small_model(solver, translate.known, deadline))
        if time.monotonic() > deadline:
            break
    return Verdict("unknown", {})


def version():
    """Name and version of the solver, or None where it is not installed."""
    return None if z3() is None else f"Z3 {z3().get_version_string()}"


def recheck(smt, deadline):
    """Put a recorded SMT-LIB text to the solver again; proved if it is still unsatisfiable."""
    m = z3()
    solver = m.Solver()
    solver.from_string(smt)
    answer = _ask(solver, deadline)
    return Verdict("proved" if answer == m.unsat else "refuted" if answer == m.sat else "unknown", {})


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
