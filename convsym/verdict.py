"""What a proof is: its status, what it rests on, and the counter-example of a refutation."""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from convsym import solver
from convsym.notation import latex
from convsym.records import SCHEMA
from convsym.typesetting import text_latex

CERTIFICATE = 1  # schema of saved certificates
STATUSES = ("refuted", "unknown", "proved")  # from worst to best


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
    smt: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Counterexample:
    """Concrete integers for which a claim is wrong, the smallest sizes found by bounding and shrinking.

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
    unit : str
        What `expected` and `claimed` count: "1", a fraction such as "1/6" of which both values are multiples, or
        "10**-9" where a value is no quotient of integers and is rounded.
    """

    sizes: dict[str, tuple[int, ...]]
    params: dict[str, int]
    index: tuple[int, ...]
    expected: int
    claimed: int
    fill: str
    unit: str = "1"

    def __str__(self) -> str:
        shapes = ", ".join(f"{name} {shape}" for name, shape in self.sizes.items())
        params = ", ".join(f"{name}={value}" for name, value in self.params.items())
        unit = "" if self.unit == "1" else f" in units of {self.unit}"
        return (
            f"sizes {shapes}; {params + '; ' if params else ''}at index {self.index} the true value is "
            f"{self.expected}, the claim gives {self.claimed}{unit} ({self.fill})"
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
    question : dict
        What was asked, as plain data: enough to ask it again.
    """

    statement: str
    status: str
    obligations: tuple[Obligation, ...]
    reason: str
    seconds: float
    counterexample: Counterexample | None = None
    geometries: int = 0
    assumptions: tuple[str, ...] = ()
    question: dict[str, Any] = field(default_factory=dict, repr=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a certificate: statement, question, assumptions, SMT-LIB texts, solver and version, times, as JSON.

        Parameters
        ----------
        path : path-like
        """
        Path(path).write_text(json.dumps(certificate(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def __bool__(self) -> bool:
        return self.status == "proved"

    def __str__(self) -> str:
        lines = [f"{self.status}: {self.statement}", f"  {self.reason}"]
        if self.geometries:
            lines.append(f"  exact integers agree on {self.geometries} small geometries")
        lines += [f"  {o.status:8} {o.name} ({1000 * o.seconds:.0f} ms)" for o in self.obligations]
        return "\n".join(lines)

    def _repr_latex_(self) -> str:
        return f"$${latex(self)}$$"

    def _repr_html_(self) -> str:
        agreed = (("geometries", f"exact integers agree on {self.geometries} small ones"),) if self.geometries else ()
        rows = [("statement", self.statement), ("reason", self.reason), *agreed]
        rows += [(o.status, f"{o.name} ({1000 * o.seconds:.0f} ms)") for o in self.obligations]
        cells = "".join(f"<tr><th>{escape(head)}</th><td>{escape(text)}</td></tr>" for head, text in rows)
        return f"<table><caption>{escape(self.status)}</caption><tbody>{cells}</tbody></table>"


def worst(statuses: Collection[str]) -> str:
    """The status of a whole whose parts have these: one refuted part refutes, one open part leaves it unknown."""
    return next(s for s in STATUSES if s in statuses)


def certificate(proof: Proof) -> dict[str, Any]:
    """A proof as plain data that can be checked again; see `Proof.save` and `convsym.certificates`."""
    return {
        "schema": CERTIFICATE,
        "kind": "certificate",
        "statement": proof.statement,
        "status": proof.status,
        "assumptions": list(proof.assumptions),
        "question": proof.question,
        "solver": solver.version(),
        "seconds": round(proof.seconds, 4),
        "geometries": proof.geometries,
        "obligations": [
            {"name": o.name, "status": o.status, "seconds": round(o.seconds, 4), "smt": list(o.smt)}
            for o in proof.obligations
        ],
    }


def proof_record(proof: Proof) -> dict[str, Any]:
    """A proof as plain data."""
    found = proof.counterexample
    return {
        "schema": SCHEMA,
        "kind": "proof",
        "statement": proof.statement,
        "status": proof.status,
        "reason": proof.reason,
        "seconds": round(proof.seconds, 4),
        "geometries": proof.geometries,
        "obligations": [{"name": o.name, "status": o.status, "seconds": round(o.seconds, 4)}
                        for o in proof.obligations],
        "counterexample": found and {
            "sizes": {name: list(shape) for name, shape in found.sizes.items()},
            "params": dict(found.params),
            "index": list(found.index),
            "expected": found.expected,
            "claimed": found.claimed,
            "unit": found.unit,
            "fill": found.fill,
        },
    }  # fmt: skip


@latex.register
def _(obj: Proof) -> str:
    return rf"\text{{{text_latex(obj.status)}: }}\;\texttt{{{text_latex(obj.statement)}}}"
