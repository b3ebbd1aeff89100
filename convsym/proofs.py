"""Proofs: a derived rule, or a gradient somebody wrote by hand, holds for every size and parameter, or it does not."""

import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import sympy

from convsym import presburger, solver
from convsym.claims import read_claim
from convsym.counterexamples import replayed, shown
from convsym.derivation import vjp
from convsym.enumeration import cost, difference, geometries
from convsym.errors import FormulaError, ProofError
from convsym.expressions import to_text
from convsym.formula import Formula
from convsym.obligations import (
    Question,
    assumptions,
    bound_statements,
    class_questions,
    class_statements,
    determined,
    fold_questions,
    relation_questions,
    same_relation,
    same_sums,
    size_statements,
    sizes_of,
    written_once,
)
from convsym.records import formula_record
from convsym.residues import ResidueClasses
from convsym.rule import Rule
from convsym.solver import Verdict
from convsym.verdict import Counterexample, Obligation, Proof

_VISITED = 20_000  # points in one comparison of a whole gradient: those of the formula, for each element


def prove(rule: Formula | ResidueClasses, budget: float = 10.0) -> Proof:
    """Prove a derived rule for every size, stride, dilation and padding.

    Parameters
    ----------
    rule : Rule, Formula or ResidueClasses
        What `vjp` returned; of a plain formula the size theorem and the loop bounds are proved, of residue classes
        that each element is in exactly one and that together they compute the rule.
    budget : float
        Seconds after which what is still open is "unknown".

    Returns
    -------
    Proof
        Without the prover, exact enumeration still refutes; what it does not refute is "unknown".

    Examples
    --------
    >>> from convsym import Formula, vjp
    >>> proof = prove(vjp(Formula("y[o] += x[stride*o + r - padding] * w[r]"), "x"))
    >>> proof.counterexample is None
    True
    """
    if isinstance(rule, ResidueClasses):
        return _prove_classes(rule, budget)
    if not isinstance(rule, Formula):
        raise FormulaError(
            f"prove takes a Rule or a Formula, not {type(rule).__name__}", hint="write prove(vjp(f, 'x'))"
        )
    origin = rule.parent if isinstance(rule, Rule) else rule
    hypotheses = assumptions(origin)
    judge = Judge(f"{rule}", budget, hypotheses, asked(rule))
    if isinstance(rule, Rule):
        judge.compare((rule, rule.scatter), origin, rule.wrt)
        renamed = sizes_of(origin, rule.wrt)
        judge.ask(
            "relation: gather form ⇔ scatter form",
            lambda deadline: same_relation(rule.scatter, rule, renamed, renamed, hypotheses, deadline),
            lambda model, deadline: replayed(model, origin, rule, rule.wrt, deadline),
        )
        judge.ask(
            "no double count: what a point writes and reads determines it", lambda deadline: determined(rule, renamed)
        )
        judge.ask(
            "written once: the result's indices are distinct and run over its whole axes",
            lambda deadline: written_once(rule),
        )
        loops = rule.scatter
    else:
        renamed, loops = {}, rule
    for name, question in fold_questions(rule, renamed, hypotheses):
        judge.ask(name, question)
    bounds = list(bound_statements(loops, renamed))
    for name, goal in (*bounds, *size_statements(origin)):
        judge.ask(name, partial(solver.valid, hypotheses, goal))
    questions: list[Question] = [(name, hypotheses, [goal[0]], [goal[1]]) for name, goal in bounds]
    if isinstance(rule, Rule):
        questions += relation_questions(rule.scatter, rule, renamed, hypotheses)
    judge.second_road(questions, origin.multipliers)
    return judge.proof()


def _prove_classes(classes: ResidueClasses, budget: float) -> Proof:
    """Residue classes: disjoint, exhaustive, and together the rule."""
    rule = classes.rule
    origin, sizes = (rule.parent, sizes_of(rule.parent, rule.wrt)) if isinstance(rule, Rule) else (rule, {})
    hypotheses = assumptions(origin)
    judge = Judge(f"the residue classes of {rule}: {classes.text}", budget, hypotheses, asked(rule) | {"classes": True})
    for name, left, right in class_statements(classes):
        judge.ask(name, partial(same_sums, left, right, sizes, hypotheses))
    try:
        questions = list(class_questions(classes, sizes, hypotheses))
    except ProofError:  # an index that is no function of the key; the first road has said so
        questions = []
    judge.second_road(questions, origin.multipliers)
    return judge.proof()


def check(
    formula: Formula, wrt: str, claim: str | Formula, *, assume: str | Iterable[str] = (), budget: float = 10.0
) -> Proof:
    """Judge a gradient somebody wrote by hand.

    Parameters
    ----------
    formula : Formula
        The forward formula.
    wrt : str
        The operand the claim is the gradient of.
    claim : str or Formula
        In scatter form (``dx[n, c, s*o + r] += dy[n, k, o] * w[k, c, r]``) or gather form
        (``dx[n, c, u] += where((u - r) % s == 0, dy[n, k, (u - r)//s] * w[k, c, r], 0)``). Its parameters match the
        formula's by name, its indices by position; ``dx`` and ``dy`` have the shapes of ``x`` and ``y``.
    assume : str or sequence of str
        Further assumptions, e.g. ``"w.shape[2] == 2*h + 1"``.
    budget : float
        Seconds.

    Returns
    -------
    Proof
        With a `counterexample` if the claim is refuted.

    Raises
    ------
    FormulaError
        The claim is not a formula, or names something the formula does not have.

    Examples
    --------
    >>> from convsym import Formula
    >>> f = Formula("y[o] += x[o + r] * w[r]")
    >>> print(check(f, wrt="x", claim="dx[u] += dy[u + r] * w[r]").status)
    refuted
    """
    start = time.monotonic()
    if not isinstance(formula, Formula):
        raise FormulaError(
            f"check judges gradients of a Formula, not of {type(formula).__name__}",
            hint="write check(Formula(...), wrt='x', claim='dx[...] += ...')",
        )
    formula = formula.assuming(assume) if assume else formula
    rule = vjp(formula, wrt)
    claimed = read_claim(formula, wrt, claim)
    hypotheses = assumptions(formula)
    question = {"formula": formula_record(formula), "wrt": [wrt], "claim": str(claimed)}
    judge = Judge(f"∂({formula})/∂{wrt} is {claimed}", budget, hypotheses, question, start)
    judge.compare((claimed,), formula, wrt)
    renamed = sizes_of(formula, wrt)
    judge.ask(
        "relation: claim ⇔ derived rule",
        lambda deadline: same_relation(rule.scatter, claimed, renamed, renamed, hypotheses, deadline),
        lambda model, deadline: replayed(model, formula, claimed, wrt, deadline),
    )
    return judge.proof()


def asked(rule: Formula) -> dict[str, Any]:
    """A rule as a question: the formula it came from, and what that was differentiated by, in turn."""
    wrt: list[str] = []
    while isinstance(rule, Rule):
        wrt.insert(0, rule.wrt)
        rule = rule.parent
    return {"formula": formula_record(rule), "wrt": wrt}


class Judge:
    """Collects obligations within a budget and turns them into a verdict."""

    def __init__(
        self,
        statement: str,
        budget: float,
        assumed: Iterable[sympy.Basic],
        question: dict[str, Any],
        start: float | None = None,
    ) -> None:
        self.assumed, self.question = tuple(to_text(c) for c in assumed), question
        self.statement, self.start = statement, time.monotonic() if start is None else start
        if not (isinstance(budget, int | float) and 0 < budget < float("inf")):
            raise ProofError(f"budget is {budget!r}; it is a positive number of seconds")
        self.deadline = self.start + budget
        self.obligations: list[Obligation] = []
        self.open: list[str] = []
        self.geometries = 0
        self.counterexample: Counterexample | None = None

    def compare(self, rules: tuple[Formula, ...], formula: Formula, wrt: str) -> None:
        """Exact comparison over small geometries; for at most a third of the budget."""
        begin = time.monotonic()
        limit = begin + (self.deadline - begin) / 3
        for geometry in geometries(formula, limit=100):
            if time.monotonic() > limit:
                return
            elements = math.prod(geometry.shapes[wrt])
            if any(cost(rule, formula, wrt, geometry) * elements > _VISITED for rule in rules):
                continue
            for rule in rules:
                found = difference(rule, formula, wrt, geometry)
                if found:
                    self.counterexample = shown(formula, geometry, found)
                    self._add("exact integers on small geometries", "refuted", begin)
                    return
            self.geometries += 1

    def ask(
        self,
        name: str,
        question: Callable[[float], Verdict],
        replay: Callable[[dict[str, int], float], Counterexample | None] | None = None,
    ) -> None:
        """Put one question to the prover, unless the answer is settled already."""
        if self.counterexample is not None:
            return
        begin = time.monotonic()
        try:
            if solver.z3() is None:
                raise ProofError(solver.MISSING)
            if begin > self.deadline:
                raise ProofError(f"the budget was used up before {name!r} was asked")
            verdict = question(self.deadline)
            if verdict.status == "refuted" and replay is not None:
                self.counterexample = replay(verdict.model, self.deadline)
        except ProofError as error:
            self.open.append(str(error))
            self._add(name, "unknown", begin)
            return
        status = verdict.status
        if status == "refuted" and replay is not None and self.counterexample is None:
            status = "unknown"
            self.open.append("the prover's counter-model shows no difference in numbers")
        elif status == "unknown":
            self.open.append(f"the prover did not decide {name!r} within the budget")
        self._add(name, status, begin, verdict.smt)

    def second_road(self, questions: list[Question], multipliers: tuple[str, ...]) -> None:
        """Ask isl the same questions with numbers for the multiplying parameters; what it cannot state is left out."""
        if self.counterexample is not None:
            return
        begin, asked, wrong = time.monotonic(), 0, None
        for numbers in presburger.numbered(multipliers):
            for name, hypotheses, left, right in questions:
                if time.monotonic() > self.deadline:
                    break
                try:
                    same = presburger.equal_sets(hypotheses, left, right, numbers)
                except ProofError:
                    continue
                asked += 1
                wrong = wrong or (None if same else name)
        place = f"at numbers for {', '.join(multipliers) or 'nothing'}"
        if wrong:
            self._add(f"{presburger.NAME}, {place}: {wrong}", "refuted", begin)
        elif asked:
            self._add(f"{presburger.NAME} agrees on {asked} statements {place}", "proved", begin)

    def _add(self, name: str, status: str, begin: float, smt: tuple[str, ...] = ()) -> None:
        self.obligations.append(Obligation(name, status, time.monotonic() - begin, smt))

    def proof(self) -> Proof:
        """The verdict: one refuted obligation refutes, one open obligation leaves it unknown."""
        refuted = [o.name for o in self.obligations if o.status == "refuted"]
        if self.counterexample is not None:
            status, reason = "refuted", f"counter-example: {self.counterexample}"
        elif refuted:
            status, reason = "refuted", f"the prover refutes: {refuted[0]}"
        elif self.open:
            status, reason = "unknown", self.open[0]
        else:
            status, reason = (
                "proved",
                "for every size and every value of the parameters (integers that multiply are ≥ 1)",
            )
        seconds = time.monotonic() - self.start
        found = (self.counterexample, self.geometries, self.assumed, self.question)
        return Proof(self.statement, status, tuple(self.obligations), reason, seconds, *found)
