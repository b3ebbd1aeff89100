"""The errors of convsym: one parent and five children, each message a sentence.

A message names the argument, what it was, what is allowed, and the nearest fix. Shape and formula errors are
``ValueError`` as well, so that code written for NumPy or torch catches them.
"""

import difflib
from collections.abc import Iterable


class ConvsymError(Exception):
    """Parent of every error that convsym raises on purpose."""


class FormulaError(ConvsymError, ValueError):
    """The text of a formula, or the way it is used, is wrong.

    Parameters
    ----------
    message : str
        The sentence.
    text : str, optional
        The formula the sentence is about; printed below it.
    column : int, optional
        Position in `text` that a caret points at.
    hint : str, optional
        The nearest fix.
    """

    def __init__(
        self, message: str, text: str | None = None, column: int | None = None, hint: str | None = None
    ) -> None:
        self.text, self.column, self.hint = text, column, hint
        lines = [message]
        if text is not None:
            lines += _pointed(text, column)
        if hint is not None:
            lines.append("  " + hint)
        super().__init__("\n".join(lines))


class ShapeError(ConvsymError, ValueError):
    """Sizes of arrays, or integers that decide them, do not fit together."""


class ProofError(ConvsymError):
    """A statement cannot be put to the prover at all (not: it is false)."""


class KernelError(ConvsymError):
    """No compiled kernel can serve: none was built, or the level or algorithm asked for does not serve here."""


class TapeError(ConvsymError, RuntimeError):
    """A gradient is asked for where the tape has none: nothing was recorded, or what was recorded is used up."""


def _pointed(text: str, column: int | None, width: int = 100) -> list[str]:
    """The line of `text` that holds `column` (cut to `width`), and a caret under it."""
    if column is None:
        return ["  " + line[:width] for line in text.splitlines()[:3]]
    column = min(column, len(text))
    start = text.rfind("\n", 0, column) + 1
    line = text[start:].split("\n", 1)[0]
    first = max(0, column - start - width // 2)
    return ["  " + line[first : first + width], "  " + " " * (column - start - first) + "^"]


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known word closest to `name`, or lists what is known."""
    words = sorted(known)
    match = difflib.get_close_matches(name, words, n=1)
    if match:
        return f"did you mean {match[0]!r}?"
    return f"known: {', '.join(words)}" if words else "none is known here"
