"""The second road: Z3 decides index statements with sizes, strides, dilations and paddings all symbolic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy
from sympy.logic.boolalg import And, Not, Or

from convsym.expressions import names
from convsym.relations import Keyed
from convsym.smtlib import Script

MISSING = 'the prover Z3 is not installed; add it with  pip install "convsym[prove]"'


@lru_cache(maxsize=1)
def z3() -> Any:
    """The Z3 module, or None where it is not installed."""
    try:
        import z3 as module
    except ImportError:
        return None
    return module


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
    model: dict[str, int]
    smt: tuple[str, ...] = ()


def valid(
    hypotheses: Sequence[sympy.Basic],
    goal: sympy.Basic | tuple[Sequence[sympy.Basic], Sequence[sympy.Basic]],
    deadline: float,
) -> Verdict:
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
    smt: tuple[str, ...] = ()
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


def components(conditions: Iterable[sympy.Basic]) -> list[set[sympy.Basic]]:
    """Split conditions into groups that share no variable: an axis at a time."""
    groups: list[tuple[set[str], list[sympy.Basic]]] = []
    for condition in dict.fromkeys(conditions):
        used = set(names(condition))
        touching = [g for g in groups if g[0] & used]
        groups = [g for g in groups if not g[0] & used]
        groups.append((used.union(*(g[0] for g in touching)), [*(c for g in touching for c in g[1]), condition]))
    return [set(group) for _, group in groups]


_proved: dict[str, bool] = {}  # canonical text of a statement -> how floors were written when it was proved
_recorded: ContextVar[frozenset[str] | None] = ContextVar(
    "the texts of a certificate that is being checked", default=None
)


@contextmanager
def only(recorded: Iterable[str]) -> Iterator[None]:
    """Within this context nothing counts as proved but statements whose SMT-LIB text is recorded, once they are
    checked again."""
    token = _recorded.set(frozenset(recorded))
    try:
        yield
    finally:
        _recorded.reset(token)


def _decide(hypotheses: tuple[sympy.Basic, ...], goal: sympy.Basic, deadline: float) -> Verdict:
    """Ask Z3 whether a condition follows; a statement proved once, for one axis, serves every axis and rank."""

    def statement(script: Script) -> str:
        return script.condition(goal)

    if _recorded.get() is not None:
        return _refute(hypotheses, statement, deadline)
    canonical = _canonical(hypotheses, goal)
    if canonical in _proved:
        return Verdict("proved", {}, (_text(hypotheses, statement, _proved[canonical]),))
    verdict = _refute(hypotheses, statement, deadline)
    if verdict.status == "proved":
        _proved[canonical] = verdict.smt == (_text(hypotheses, statement, True),)
    return verdict


def _text(hypotheses: tuple[sympy.Basic, ...], statement: Callable[[Script], str], native: bool) -> str:
    script = Script(native)
    return str(script.refute(hypotheses, statement(script)))


def equal_counts(
    hypotheses: Sequence[sympy.Basic], left: Sequence[Keyed], right: Sequence[Keyed], deadline: float
) -> Verdict:
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
    return _refute(hypotheses, lambda script: f"(= {script.total(left)} {script.total(right)})", deadline)


# Seconds for each way of writing a floor division, in turn: neither suits the solver always, and most statements
# take milliseconds with the right one.
_TURNS = ((True, 0.25), (False, 1.0), (True, 2.0), (False, 8.0), (True, 1e9), (False, 1e9))


def _refute(hypotheses: Sequence[sympy.Basic], statement: Callable[[Script], str], deadline: float) -> Verdict:
    """Look for a counter-model; `statement` makes the text of the statement with a script."""
    m, recorded = z3(), _recorded.get()
    for native, seconds in _TURNS:
        script = Script(native)
        script.refute(hypotheses, statement(script))
        text = str(script)
        if recorded is not None and text not in recorded:
            continue
        solver = m.Solver(ctx=m.Context())  # its own, so that no earlier question changes how it searches
        solver.from_string(text)
        answer = _ask(solver, min(deadline, time.monotonic() + seconds))
        if answer == m.unsat:
            return Verdict("proved", {}, (text,))
        if answer == m.sat:
            return Verdict("refuted", _small_model(solver, script.variables, deadline))
        if time.monotonic() > deadline:
            break
    return Verdict("unknown", {})


def version() -> str | None:
    """Name and version of the solver, or None where it is not installed."""
    return None if z3() is None else f"Z3 {z3().get_version_string()}"


def _ask(solver: Any, deadline: float) -> Any:
    solver.set("timeout", max(1, int(1000 * (deadline - time.monotonic()))))
    return solver.check()


_SHRINKING = 3.0  # seconds at most for making a counter-model small, and a tenth of it for each question


def _small_model(solver: Any, variables: dict[str, str], deadline: float) -> dict[str, int]:
    """The smallest counter-model, by bounding and shrinking: first the sizes, all together and then one by one, then
    what the parameters amount to, then the rest."""
    m = z3()
    integers = {name: m.Int(name, solver.ctx) for name in variables}
    sizes = [v for name, v in sorted(integers.items()) if ".shape[" in name]
    others = [[v for n, v in sorted(integers.items()) if ".shape[" not in n and ("#" in n) == key] for key in (0, 1)]
    amounts = [m.Sum(sizes)] if len(sizes) > 1 else []
    amounts += sizes
    amounts += [m.Sum([m.If(v >= 0, v, -v) for v in group]) for group in others if group]
    deadline = min(deadline, time.monotonic() + _SHRINKING)
    model = solver.model()
    for amount in amounts:
        model = _least(solver, amount, model, deadline)
    values = {name: model.eval(v, model_completion=True) for name, v in integers.items()}
    return {name: v.as_long() for name, v in values.items() if m.is_int_value(v)}


def _least(solver: Any, amount: Any, model: Any, deadline: float) -> Any:
    """A model in which an amount, which is never negative, is least; what is found stays asserted."""
    low, high = 0, model.eval(amount, model_completion=True).as_long()
    step = 1
    while low < high and time.monotonic() < deadline:
        # From below in growing steps, then by halves: what is small is found at once.
        middle = min(low + step - 1, (low + high) // 2)
        solver.push()
        solver.add(amount <= middle)
        answer = _ask(solver, min(deadline, time.monotonic() + _SHRINKING / 10))
        if answer == z3().sat:
            model = solver.model()
            high = model.eval(amount, model_completion=True).as_long()
        else:
            low, step = middle + 1, 2 * step
        solver.pop()
    solver.add(amount <= high)
    return model


def _canonical(hypotheses: tuple[sympy.Basic, ...], goal: sympy.Basic) -> str:
    """The statement with its variables numbered in order of appearance."""
    order: dict[str, int] = {}
    pieces = []
    for condition in (*sorted(hypotheses, key=str), goal):
        for node in sympy.preorder_traversal(condition):
            if node.is_Symbol:
                pieces.append(f"v{order.setdefault(node.name, len(order))}")
            else:
                pieces.append(f"{type(node).__name__}{node if not node.args else len(node.args)}")
    return " ".join(pieces)
