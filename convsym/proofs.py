"""Proofs: a derived rule, or a gradient somebody wrote by hand, holds for every size and parameter, or it does not."""

import time

import sympy

from convsym import presburger, solver
from convsym.claims import read_claim
from convsym.derivation import vjp
from convsym.elimination import interval
from convsym.enumeration import Space, difference, geometries, stated_fill
from convsym.errors import FormulaError, ProofError
from convsym.expressions import affine, array_of, indices_of, sign, size, symbol, to_text
from convsym.formula import Formula
from convsym.relations import exact_division, key, keyed, renumbered
from convsym.rule import Rule
from convsym.verdict import Counterexample, Obligation, Proof


def prove(rule, budget=10.0):
    """Prove a derived rule for every size, stride, dilation and padding.

    Parameters
    ----------
    rule : Rule or Formula
        What `vjp` returned; of a plain formula the size theorem and the loop bounds are proved.
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
    if not isinstance(rule, Formula):
        raise FormulaError(
            f"prove takes a Rule or a Formula, not {type(rule).__name__}", hint="write prove(vjp(f, 'x'))"
        )
    origin = rule.parent if isinstance(rule, Rule) else rule
    hypotheses = assumptions(origin)
    judge = _Judge(f"{rule}", budget, hypotheses)
    if isinstance(rule, Rule):
        judge.compare((rule, rule.scatter), origin, rule.wrt)
        renamed = _sizes_of(origin, rule.wrt)
        judge.ask(
            "relation: gather form ⇔ scatter form",
            lambda deadline: _same_relation(rule.scatter, rule, renamed, renamed, hypotheses, deadline),
            lambda model: _replay(model, origin, rule, rule.wrt),
        )
        judge.ask(
            "no double count: what a point writes and reads determines it", lambda deadline: _determined(rule, renamed)
        )
        judge.ask(
            "written once: the result's indices are distinct and run over its whole axes",
            lambda deadline: _written_once(rule),
        )
        loops = rule.scatter
    else:
        renamed, loops = {}, rule
    bounds = list(_bound_statements(loops, renamed))
    for name, goal in (*bounds, *_size_statements(origin)):
        judge.ask(name, lambda deadline, goal=goal: solver.valid(hypotheses, goal, deadline))
    questions = [(name, hypotheses, *goal) for name, goal in bounds]
    if isinstance(rule, Rule):
        questions += _relation_questions(rule.scatter, rule, renamed, hypotheses)
    judge.second_road(questions, origin.multipliers)
    return judge.proof()


def check(formula, wrt, claim, *, assume=(), budget=10.0):
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
    claim = read_claim(formula, wrt, claim)
    hypotheses = assumptions(formula)
    judge = _Judge(f"∂({formula})/∂{wrt} is {claim}", budget, hypotheses, start)
    judge.compare((claim,), formula, wrt)
    renamed = _sizes_of(formula, wrt)
    judge.ask(
        "relation: claim ⇔ derived rule",
        lambda deadline: _same_relation(rule.scatter, claim, renamed, renamed, hypotheses, deadline),
        lambda model: _replay(model, formula, claim, wrt),
    )
    return judge.proof()


def _replay(model, formula, claim, wrt):
    """A solver's counter-model as concrete numbers, if they show the difference."""
    geometry = Space(formula).geometry_of(model)
    found = geometry and difference(claim, formula, wrt, geometry)
    return _counterexample(formula, geometry, found) if found else None


def _counterexample(formula, geometry, found):
    return Counterexample(geometry.shapes, geometry.parameters, *found, stated_fill(formula))


def assumptions(formula):
    """What every proof about a formula may assume.

    Sizes are ≥ 0, sizes of axes that share an index are equal, parameters that multiply or divide are ≥ 1, ranges are
    what they are called, and what the formula itself assumes.
    """
    conditions = list(formula.assume)
    for array in (formula.output, *formula.operands):
        conditions += [sympy.Ge(size(array, axis), 0) for axis in range(formula.rank(array))]
    for index in formula.indices:
        places = [size(*place) for place in formula.bare(index)]
        if index in dict(formula.ranges):
            places.append(dict(formula.ranges)[index])
        conditions += [sympy.Eq(places[0], other) for other in places[1:]]
    conditions += [sympy.Ge(symbol(p), 1) for p in formula.multipliers]
    return [c for c in conditions if c != sympy.true]


def _sizes_of(formula, wrt):
    return {"d" + formula.output: formula.output, "d" + wrt: wrt}


# -------------------------------------------------------------------------------------------------- obligations


class _Judge:
    """Collects obligations within a budget and turns them into a verdict."""

    def __init__(self, statement, budget, assumed=(), start=None):
        self.assumed = tuple(to_text(c) for c in assumed)
        self.statement, self.start = statement, time.monotonic() if start is None else start
        if not (isinstance(budget, int | float) and 0 < budget < float("inf")):
            raise ProofError(f"budget is {budget!r}; it is a positive number of seconds")
        self.deadline = self.start + budget
        self.obligations, self.open = [], []
        self.geometries, self.counterexample = 0, None

    def compare(self, rules, formula, wrt):
        """Exact comparison over small geometries; for at most a third of the budget."""
        begin = time.monotonic()
        limit = begin + (self.deadline - begin) / 3
        for geometry in geometries(formula, limit=100):
            for rule in rules:
                found = difference(rule, formula, wrt, geometry)
                if found:
                    self.counterexample = _counterexample(formula, geometry, found)
                    self._add("exact integers on small geometries", "refuted", begin)
                    return
            self.geometries += 1
            if time.monotonic() > limit:
                break

    def ask(self, name, question, replay=None):
        """Put one question to the prover, unless the answer is settled already."""
        if self.counterexample is not None:
            return
        begin = time.monotonic()
        try:
            if solver.z3() is None:
                raise ProofError(solver.MISSING)
            verdict = question(self.deadline)
        except ProofError as error:
            self.open.append(str(error))
            self._add(name, "unknown", begin)
            return
        status = verdict.status
        if status == "refuted" and replay is not None:
            self.counterexample = replay(verdict.model)
            if self.counterexample is None:
                status = "unknown"
                self.open.append("the prover's counter-model shows no difference in numbers")
        elif status == "unknown":
            self.open.append(f"the prover did not decide {name!r} within the budget")
        self._add(name, status, begin, verdict.smt)

    def second_road(self, questions, multipliers):
        """Ask isl the same questions with numbers for the multiplying parameters; what it cannot state is left out."""
        if self.counterexample is not None:
            return
        begin, asked, wrong = time.monotonic(), 0, None
        for numbers in presburger.numbered(multipliers):
            for name, hypotheses, left, right in questions:
                try:
                    same = presburger.equal_sets(hypotheses, left, right, numbers)
                except ProofError:
                    continue
                asked += 1
                wrong = wrong or (None if same else name)
        if wrong:
            self._add(f"isl, at numbers for {', '.join(multipliers) or 'nothing'}: {wrong}", "refuted", begin)
        elif asked:
            self._add(
                f"isl agrees on {asked} statements at numbers for {', '.join(multipliers) or 'nothing'}",
                "proved",
                begin,
            )

    def _add(self, name, status, begin, smt=()):
        self.obligations.append(Obligation(name, status, time.monotonic() - begin, smt))

    def proof(self):
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
        found = (self.counterexample, self.geometries, self.assumed)
        return Proof(self.statement, status, tuple(self.obligations), reason, seconds, *found)


def _same_relation(truth, claim, truth_sizes, claim_sizes, hypotheses, deadline):
    """Two formulas for one array are the same function of the arrays they read."""
    lemma = solver.valid(*exact_division(), deadline)
    if lemma.status != "proved":
        return solver.Verdict("unknown", {})
    left = [k for t in truth.terms for k in renumbered(keyed(truth, t, truth_sizes))]
    right = [k for t in claim.terms for k in renumbered(keyed(claim, t, claim_sizes))]
    in_bounds = _key_bounds((truth, claim), truth_sizes)
    smt = lemma.smt
    for shape in dict.fromkeys(k.shape for k in (*left, *right)):
        sides = [[k for k in side if k.shape == shape] for side in (left, right)]
        verdict = solver.equal_counts([*hypotheses, *in_bounds(shape)], *sides, deadline)
        if verdict.status != "proved":
            return verdict
        smt += verdict.smt
    return solver.Verdict("proved", {}, smt)


def _relation_questions(truth, claim, sizes, hypotheses):
    """The relation of two one-term formulas as a question for isl."""
    if len(truth.terms) == len(claim.terms) == 1:
        try:
            left, right = keyed(truth, truth.terms[0], sizes), keyed(claim, claim.terms[0], sizes)
        except ProofError:
            return
        bounds = _key_bounds((truth, claim), sizes)(left.shape)
        yield "relation", [*hypotheses, *bounds], left.conditions, right.conditions


def _key_bounds(formulas, rename):
    """Conditions that the components of a key lie inside their arrays: those of the target, and of reads outside of
    which the term is 0. A read inside a sum or a function is 0 there, which the term need not be."""

    def bounds(shape):
        powers = [factor.as_base_exp() for factor in sympy.Mul.make_args(shape.args[0])]
        vanishing = {base.name for base, exponent in powers if base.is_Symbol and exponent.is_positive}
        found = []
        for name in sorted({n for n in vanishing if "#" in n} | {"out#0"}):
            array, occurrence = name.split("#")
            formula = next(f for f in formulas if array == "out" or array in f.operands)
            owner = formula.output if array == "out" else array
            for axis in range(formula.rank(owner)):
                component = key(array, int(occurrence), axis)
                found += [sympy.Ge(component, 0), sympy.Lt(component, size(rename.get(owner, owner), axis))]
        return found

    return bounds


def _determined(rule, rename):
    """Raises where an index is no function of what its point reads and writes."""
    for term in rule.terms:
        keyed(rule, term, rename)
    return solver.Verdict("proved", {})


def _written_once(rule):
    """Distinct bare indices, each running over exactly the axis it writes."""
    for term in rule.terms:
        bare = [e.name for e in term.target if e.is_Symbol]
        whole = all((rule.output, axis) in rule.bare(name) for axis, name in enumerate(bare))
        if len(bare) < len(term.target) or len(set(bare)) < len(bare) or not whole:
            raise ProofError("the gather form does not own each element by an index of its own")
    return solver.Verdict("proved", {})


def _bound_statements(formula, rename):
    """For each access and each index in it: the solved loop bounds hold exactly where the access is in range."""
    seen = set()
    for term in formula.terms:
        places = [(array_of(a), axis, e) for a in term.arrays() for axis, e in enumerate(indices_of(a))]
        places += [(formula.output, axis, e) for axis, e in enumerate(term.target)]
        for array, axis, expr in places:
            parts = affine(expr, formula.indices)
            if expr.is_Symbol or parts is None or (array, axis, expr) in seen:
                continue
            seen.add((array, axis, expr))
            length = size(rename.get(array, array), axis)
            for name, coefficient in parts[0]:
                if sign(coefficient) == 1:
                    lower, upper = interval(expr, name, length)
                    inside = (sympy.Ge(expr, 0), sympy.Lt(expr, length))
                    within = (sympy.Ge(symbol(name), lower), sympy.Lt(symbol(name), upper))
                    yield (
                        f"bounds of {name}: inside axis {axis} of {array} ⇔ within the solved bounds",
                        (inside, within),
                    )


def _size_statements(formula):
    """For each output index sized by its reads: the last index still reads inside, the next one does not."""
    for index in formula.indices:
        places = formula.bare(index)
        if not places or places[0][0] != formula.output or index in dict(formula.sizes) | dict(formula.ranges):
            continue
        for last in formula.last_reads(index):
            largest = sympy.And(
                sympy.Le(last.read.xreplace({symbol(index): last.size - 1}), last.limit, evaluate=False),
                sympy.Gt(last.read.xreplace({symbol(index): last.size}), last.limit, evaluate=False),
                evaluate=False,
            )
            yield f"size: {formula.show(last.size)} is the largest {index} range whose last read is inside", largest
