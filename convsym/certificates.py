"""Certificates: proofs as files, which are checked again by asking again.

What a file says is never believed. Its question is derived anew; then nothing counts as proved but statements whose
SMT-LIB text stands in the file, and each of those is put to the solver again.
"""

import json
import os
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from convsym import presburger, proofs, solver
from convsym.derivation import vjp
from convsym.errors import ConvsymError, ProofError
from convsym.op import Op
from convsym.records import MAX_PARENTS, formula_from_record
from convsym.residues import residue_classes
from convsym.rule import Rule
from convsym.theorems import size_theorem
from convsym.verdict import CERTIFICATE, STATUSES, Proof, certificate

Place = str | os.PathLike[str] | Traversable  # a file, also one within the package

_TEXTS = ("statement", "status")
_LISTS = ("assumptions", "obligations")


def read(path: Place) -> dict[str, Any]:
    """A saved certificate as plain data.

    Parameters
    ----------
    path : path-like
        What `Proof.save` wrote.

    Returns
    -------
    dict

    Raises
    ------
    ProofError
        The file is no certificate of this schema; it says why.
    """
    file = Path(path) if isinstance(path, str | os.PathLike) else path
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ProofError(f"{path} is no certificate: {error}") from None
    if not isinstance(record, dict) or record.get("kind") != "certificate":
        raise ProofError(f"{path} is no certificate: it holds no record of that kind")
    if record.get("schema") != CERTIFICATE or isinstance(record["schema"], bool):
        raise ProofError(f"{path} has schema {record.get('schema')!r:.40}; this version reads {CERTIFICATE}")
    _checked(record, path)
    return record


def _checked(record: dict[str, Any], path: Place) -> None:
    """Raise where an entry is missing or of another kind."""
    kinds = dict.fromkeys(_TEXTS, str) | dict.fromkeys(_LISTS, list) | {"question": dict, "solver": str}
    for name, kind in kinds.items():
        if not isinstance(record.get(name), kind):
            raise ProofError(f"{path} is no certificate: its entry {name!r} is no {kind.__name__}")
    for entry in record["obligations"]:
        fits = isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get("smt"), list)
        if not fits or not all(isinstance(text, str) for text in entry["smt"]):
            raise ProofError(f"{path} is no certificate: an obligation has a name and a list of SMT-LIB texts")
    for place in (record, *record["obligations"]):
        if place.get("status") not in STATUSES:
            raise ProofError(
                f"{path} holds the status {place.get('status')!r:.40}; a status is {', '.join(STATUSES[:-1])} or "
                f"{STATUSES[-1]}"
            )


def replay(path: Place, budget: float = 10.0) -> Proof:
    """Check a saved certificate again.

    Parameters
    ----------
    path : path-like
        What `Proof.save` wrote.
    budget : float
        Seconds.

    Returns
    -------
    Proof
        Proved only if the certificate proves what it states; unknown where the solver is missing or gives no answer.
        What was not proved is asked anew.

    Raises
    ------
    ProofError
        The file is no certificate, or it does not prove what it states; it says where.
    """
    record = read(path)
    if record["status"] != "proved":
        proof = _ask(record["question"], budget, path)
        _same_question(record, proof, path)
        return proof
    with solver.only(text for o in record["obligations"] for text in o["smt"]):
        proof = _ask(record["question"], budget, path)
    _same_question(record, proof, path)
    if proof.status == "refuted" or solver.z3() is None:
        return proof
    _same_obligations(record, proof, budget, path)
    return proof


def _ask(question: dict[str, Any], budget: float, path: Place) -> Proof:
    """Derive what a certificate is about, and have it judged."""
    try:
        formula = formula_from_record(question.get("formula"))
        if "theorem" in question:
            return size_theorem(formula, question["theorem"], question.get("index"), budget).proof
        (*wrt,) = question["wrt"]
        if len(wrt) > MAX_PARENTS:
            raise ProofError(f"it differentiates {len(wrt)} times; at most {MAX_PARENTS} are read")
        if "claim" in question:
            if len(wrt) != 1:
                raise ProofError(f"a claim is about one operand, not about {len(wrt)}")
            return proofs.check(formula, wrt[0], question["claim"], budget=budget)
        for name in wrt:
            formula = vjp(formula, name)
        return proofs.prove(residue_classes(formula) if "classes" in question else formula, budget)
    except (ConvsymError, KeyError, TypeError) as error:
        raise ProofError(f"the question of {path} cannot be asked: {error}") from None


def _same_question(record: dict[str, Any], proof: Proof, path: Place) -> None:
    for name, found in (("statement", proof.statement), ("assumptions", list(proof.assumptions))):
        if record[name] != found:
            raise ProofError(f"the {name} of {path} is not what its question says: {_shown(found)}")


def _same_obligations(record: dict[str, Any], proof: Proof, budget: float, path: Place) -> None:
    """Raise unless the certificate holds exactly the texts that prove what has to hold."""
    recorded = {o["name"]: o for o in record["obligations"] if not _second(o["name"])}
    needed = {o.name: o for o in proof.obligations if not _second(o.name)}
    for name in {**needed, **recorded}:
        if name not in recorded:
            raise ProofError(f"{path} says nothing of what has to hold: {name}")
        if name not in needed:
            raise ProofError(f"{path} holds an obligation that nothing needs: {name}")
        late = needed[name].status == "unknown" and proof.seconds >= budget
        proved = needed[name].status == "proved" and list(needed[name].smt) == recorded[name]["smt"]
        if not proved and not late:
            raise ProofError(f"the SMT-LIB texts of {path} do not say what has to hold: {name}")


def _second(name: str) -> bool:
    """Whether an obligation is the answer of isl, which has no text and need not be installed."""
    return name.startswith(presburger.NAME)


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) < 300 else f"{text[:300]} …"


# ------------------------------------------------------------------------------------------ the registry's own


def shipped() -> dict[str, Traversable]:
    """The certificates of all registered ops, as they ship with the package.

    Returns
    -------
    dict
        From a name such as ``conv2d.dx`` to the file; ``.grouped`` follows the op where groups are compiled in.

    Examples
    --------
    >>> replay(shipped()["matvec.dx"]).statement
    'dx[j] += dy[i]*A[i, j]'
    """
    folder = resources.files("convsym") / "data" / "certificates"
    return {file.name.removesuffix(".json"): file for file in sorted(folder.iterdir(), key=lambda f: f.name)}


def owed(registry: Mapping[str, Op]) -> dict[str, Rule]:
    """The rules that certificates are kept of: those of every op, and those that are compiled.

    Parameters
    ----------
    registry : mapping of str to Op

    Returns
    -------
    dict
        From the certificate's name to the rule.
    """
    found: dict[str, Rule] = {}
    for name in sorted(registry):
        op = registry[name]
        found |= {f"{name}.{rule.output}": rule for rule in op.rules.values()}
        if op.groups and op.lane is not None:
            found |= {f"{name}.grouped.{rule.output}": rule for rule in op.grouped_rules.values()}
    return found


def is_fresh(path: Path | Traversable, rule: Rule) -> bool:
    """Whether a file certifies a rule as it is derived today; nothing is put to the solver."""
    if not path.is_file():
        return False
    record = read(path)
    return (record["statement"], record["status"], record["question"]) == (str(rule), "proved", proofs.asked(rule))


def _holds(path: Place, budget: float) -> bool:
    try:
        return bool(replay(path, budget))
    except ProofError:
        return False


def write(rules: Mapping[str, Rule], directory: str | os.PathLike[str], budget: float = 60.0) -> Iterator[Path]:
    """Prove rules and save a certificate of each that has none, or one that no longer proves it.

    Parameters
    ----------
    rules : dict
        From `owed`.
    directory : path-like
    budget : float
        Seconds for each proof.

    Yields
    ------
    Path
        Each file, once it is written; files of rules that are no more are deleted.

    Raises
    ------
    ProofError
        A rule is not proved.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rule in rules.items():
        path = folder / f"{name}.json"
        if is_fresh(path, rule) and _holds(path, budget):
            continue
        proof = proofs.prove(rule, budget)
        if not proof:
            raise ProofError(f"no certificate of {name} is written, its proof is {proof.status}: {proof.reason}")
        path.write_text(json.dumps(certificate(proof), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        yield path
    for path in folder.glob("*.json"):
        if path.stem not in rules:
            path.unlink()
