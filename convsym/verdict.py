"""What a proof is: its status, what it rests on, and the counter-example of a refutation."""

import json
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from convsym import solver
from convsym.errors import ProofError
from convsym.notation import latex
from convsym.typesetting import text_latex

CERTIFICATE = 1  # schema of saved certificates


@dataclass(frozen=True)
class Obligation:
    """One statement that had to hold.

    Attributes
    ----------
    name, status : str
        What it says; proved, refuted or unknown.
    seconds : float
        The time it took.
    smt : tuple of str
        SMT-LIB texts whose unsatisfiability is the proof; empty where the structure of the formula is.
    """

    name: str
    status: str
    seconds: float
    smt: tuple = field(default=(), repr=False)


@dataclass(frozen=True)
class Counterexample:
    """Concrete integers for which a claim is wrong.

    Attributes
    ----------
    sizes : dict
        Shape of every array of the formula.
    params : dict
        Integer parameters.
    index : tuple of int
        Where the claim's value is wrong.
    expected, claimed : int
        The true value there and the claim's, on the arrays that `fill` states.
    fill : str
        How the arrays are filled.
    """

    sizes: dict
    params: dict
    index: tuple
    expected: int
    claimed: int
    fill: str

    def __str__(self):
        shapes = ", ".join(f"{name} {shape}" for name, shape in self.sizes.items())
        params = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return (
            f"sizes {shapes}; {params + '; ' if params else ''}at index {self.index} the true value is "
            f"{self.expected}, the claim gives {self.claimed} ({self.fill})"
        )


@dataclass(frozen=True)
class Proof:
    """A verdict and what it rests on.

    Attributes
    ----------
    statement : str
        What was judged.
    status : str
        "proved" for all sizes and parameters, "refuted" by a counter-example, or "unknown".
    obligations : tuple of Obligation
    reason : str
        Why, in a sentence.
    seconds : float
    counterexample : Counterexample or None
    geometries : int
        Number of small geometries on which exact integers agreed, whatever the prover says.
    assumptions : tuple of str
        What was assumed.
    """

    statement: str
    status: str
    obligations: tuple
    reason: str
    seconds: float
    counterexample: Counterexample | None = None
    geometries: int = 0
    assumptions: tuple = ()

    def save(self, path):
        """Write a certificate: statement, assumptions, SMT-LIB texts, solver and version, times, as JSON.

        Parameters
        ----------
        path : path-like
        """
        Path(path).write_text(json.dumps(certificate(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def __bool__(self):
        return self.status == "proved"

    def __str__(self):
        lines = [f"{self.status}: {self.statement}", f"  {self.reason}"]
        if self.geometries:
            lines.append(f"  exact integers agree on {self.geometries} small geometries")
        lines += [f"  {o.status:8} {o.name} ({1000 * o.seconds:.0f} ms)" for o in self.obligations]
        return "\n".join(lines)

    def _repr_latex_(self):
        return f"$${latex(self)}$$"

    def _repr_html_(self):
        agreed = (("geometries", f"exact integers agree on {self.geometries} small ones"),) if self.geometries else ()
        rows = [("statement", self.statement), ("reason", self.reason), *agreed]
        rows += [(o.status, f"{o.name} ({1000 * o.seconds:.0f} ms)") for o in self.obligations]
        cells = "".join(f"<tr><th>{escape(head)}</th><td>{escape(text)}</td></tr>" for head, text in rows)
        return f"<table><caption>{escape(self.status)}</caption><tbody>{cells}</tbody></table>"


def worst(statuses):
    """The status of a whole whose parts have these: one refuted part refutes, one open part leaves it unknown."""
    return next(s for s in ("refuted", "unknown", "proved") if s in statuses)


def certificate(proof):
    """A proof as plain data that can be checked again; see `Proof.save`."""
    return {
        "schema": CERTIFICATE,
        "kind": "certificate",
        "statement": proof.statement,
        "status": proof.status,
        "assumptions": list(proof.assumptions),
        "solver": solver.version(),
        "seconds": round(proof.seconds, 4),
        "geometries": proof.geometries,
        "obligations": [
            {"name": o.name, "status": o.status, "seconds": round(o.seconds, 4), "smt": list(o.smt)}
            for o in proof.obligations
        ],
    }


def replay(path, budget=10.0):
    """Check a saved certificate again: every recorded statement is put to the solver anew.

    Parameters
    ----------
    path : path-like
        What `Proof.save` wrote.
    budget : float
        Seconds.

    Returns
    -------
    Proof
        Refuted if a statement turns out satisfiable, unknown where the solver is missing or gives no answer.

    Raises
    ------
    ProofError
        The file is no certificate.
    """
    start = time.monotonic()
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        claimed = [(o["name"], o["status"], tuple(o["smt"])) for o in record["obligations"]]
        statement, status, assumptions = record["statement"], record["status"], tuple(record["assumptions"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProofError(f"{path} is no certificate: {error}") from None
    if solver.z3() is None:
        return Proof(statement, "unknown", (), solver.MISSING, 0.0, assumptions=assumptions)
    found = []
    for name, before, smt in claimed:
        begin = time.monotonic()
        statuses = {solver.recheck(text, start + budget).status for text in smt} or {before}
        now = worst(statuses)
        found.append(Obligation(name, now, time.monotonic() - begin, smt))
    status = worst({status, *(o.status for o in found)})
    reason = f"{sum(len(o.smt) for o in found)} recorded statements checked again with {solver.version()}"
    return Proof(statement, status, tuple(found), reason, time.monotonic() - start, assumptions=assumptions)


@latex.register
def _(obj: Proof):
    return rf"\text{{{text_latex(obj.status)}: }}\;\texttt{{{text_latex(obj.statement)}}}"
