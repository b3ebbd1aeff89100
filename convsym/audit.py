"""Many claims at once: a TOML file of gradients somebody wrote by hand, judged one after the other.

[[claim]]
name = "input gradient of the strided layer"
formula = "y[n, k, o] += x[n, c, s*o + r] * w[k, c, r]"   # or op = "conv2d"
wrt = "x"
claim = "dx[n, c, s*o + r] += dy[n, k, o] * w[k, c, r]"
assume = ["w.shape[2] == 2*h + 1"]                         # optional
expect = "proved"                                          # or "refuted"; proved if it is left out
"""

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convsym.errors import FormulaError, nearest
from convsym.formula import Formula
from convsym.ops import registry
from convsym.proofs import check
from convsym.verdict import Proof

_KEYS = {"name", "formula", "op", "wrt", "claim", "assume", "expect"}


@dataclass(frozen=True)
class Judged:
    """One claim of a file, what was expected of it, and its proof."""

    name: str
    expect: str
    proof: Proof

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.proof.status == self.expect


def named(text: str) -> Formula:
    """The formula that a text says, or that of the registered op it names.

    Raises
    ------
    FormulaError
        It is neither.
    """
    if text in registry:
        return registry[text].formula
    if "[" not in text:
        raise FormulaError(f"{text!r} is neither a formula nor a registered op", hint=nearest(text, registry))
    return Formula(text)


def audit(path: str | os.PathLike[str], budget: float = 10.0) -> Iterator[Judged]:
    """Judge all claims of a TOML file.

    Parameters
    ----------
    path : path-like
    budget : float
        Seconds for each claim.

    Yields
    ------
    Judged

    Raises
    ------
    FormulaError
        The file cannot be read, or an entry is not of the form above; it says which.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        entries = tomllib.loads(text).get("claim", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FormulaError(f"{path} cannot be read as TOML: {error}") from None
    if not isinstance(entries, list) or not entries:
        raise FormulaError(f"{path} holds no claim", hint="write [[claim]] and below it formula, wrt and claim")
    for number, entry in enumerate(entries, 1):
        yield _judge(entry, f"claim {number} of {path}", budget)


def _judge(entry: dict[str, Any], place: str, budget: float) -> Judged:
    for key in entry:
        if key not in _KEYS:
            raise FormulaError(f"{place} has the unknown key {key!r}", hint=nearest(key, _KEYS))
    for key in ("wrt", "claim"):
        if not isinstance(entry.get(key), str):
            raise FormulaError(f"{place} lacks the text {key!r}")
    if ("formula" in entry) == ("op" in entry):
        raise FormulaError(f"{place} needs either formula or op")
    expect = entry.get("expect", "proved")
    if expect not in ("proved", "refuted"):
        raise FormulaError(f"{place} expects {expect!r}; a claim can be expected to be 'proved' or 'refuted'")
    assume = entry.get("assume", ())
    formula = named(entry["formula"] if "formula" in entry else entry["op"])
    proof = check(
        formula,
        entry["wrt"],
        entry["claim"],
        budget=budget,
        assume=(assume,) if isinstance(assume, str) else tuple(assume),
    )
    return Judged(str(entry.get("name", place)), expect, proof)
