"""The vertices of a recorded graph as plain data, and the words that every picture uses for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

SMALL, COLUMNS, LONG = 16, 8, 40


class Kind(Enum):
    """What a vertex is; the value is the word for it."""

    LEAF = "leaf"
    CONSTANT = "constant"
    OPERATION = "operation"
    EARLIER = "earlier"


@dataclass(frozen=True)
class Vertex:
    """One leaf, constant array or operation of a recorded computation.

    Attributes
    ----------
    kind : Kind
        A leaf gets a gradient, a constant gets none; an ``EARLIER`` operation has sources that were left out.
    name : str
        The name it was given, or an empty string.
    op : str
        What the operation is called; empty for leaves and constants.
    shape, dtype : tuple of int, str
        Of the array, or of the operation's result.
    operands : tuple of (str, str)
        For each operand what the formula calls it, and its name or, where it is one constant number, that number.
    settings : tuple of (str, str)
        Static parameters as they are shown.
    formula : str
        The operation's formula.
    rules : tuple of str
        The derived rule for every operand that gets a gradient.
    value, gradient : ndarray or None
        The numbers, where there are few of them and they are known.
    sources : tuple of int
        The vertices it was computed from, in the order of the operands.
    inlets : tuple of str
        What the formula calls each of the sources; empty strings where it is not known.
    """

    kind: Kind
    name: str
    shape: tuple[int, ...]
    dtype: str
    op: str = ""
    operands: tuple[tuple[str, str], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    formula: str = ""
    rules: tuple[str, ...] = ()
    value: np.ndarray | None = None
    gradient: np.ndarray | None = None
    sources: tuple[int, ...] = ()
    inlets: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name and what it is: ``y = sub(x, 2)``, ``x``, ``constant``; a dot stands for what has no name."""
        if not self.op:
            return self.name or self.kind.value
        told = any(words for _, words in self.operands)
        what = f"({', '.join(words or '·' for _, words in self.operands)})" if told else ""
        return (f"{self.name} = " if self.name else "… " * (self.kind is Kind.EARLIER)) + shortened(self.op + what)

    @property
    def size(self) -> str:
        """Its shape, with the dtype where no operation tells it."""
        return str(self.shape) if self.op else f"{self.shape} {self.dtype}"


def shown(value: object) -> str:
    """Write one number (or whatever stands for it) as short as it stays readable."""
    if isinstance(value, float | np.floating):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e6 else f"{number:.4g}"
    if isinstance(value, complex | np.complexfloating):
        return f"{value:.3g}"
    return shortened(str(value))


def shortened(words: str, most: int = LONG) -> str:
    """Cut words that are too long for a card or a line."""
    return words if len(words) <= most else words[: most - 1] + "…"


def listed(value: Any) -> str:
    """Write an array as nested lists."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return f"[{', '.join(map(listed, value))}]" if isinstance(value, list) else shown(value)


def rows(value: np.ndarray | None, most: int = SMALL) -> tuple[tuple[str, ...], ...]:
    """The numbers as rows of a table, or nothing where they are unknown, too many or no table."""
    if value is None or not 0 < value.size <= most:
        return ()
    while value.ndim > 2 and value.shape[0] == 1:
        value = value[0]
    if value.ndim > 2 or (value.ndim and value.shape[-1] > COLUMNS):
        return ()
    return tuple(tuple(shown(each) for each in row.tolist()) for row in np.atleast_2d(value))


def setting(value: Any) -> str:
    """Write a static parameter: an index as one types it, an array by its shape."""
    if isinstance(value, slice):
        ends = [("" if end is None else str(end)) for end in (value.start, value.stop, value.step)]
        return ":".join(ends if value.step is not None else ends[:2])
    if value is Ellipsis:
        return "…"
    if isinstance(value, np.ndarray) and value.size > 4:
        return f"{value.dtype} {value.shape}"
    if isinstance(value, np.ndarray):
        return listed(value)
    if isinstance(value, tuple):
        inside = ", ".join(map(setting, value))
        return shortened(f"({inside},)" if len(value) == 1 else f"({inside})")
    return shown(value)


def explained(vertex: Vertex) -> str:
    """The text shown on hover: what is computed, from what, and the derived rules."""
    head = f"{vertex.title}: shape {vertex.shape}, {vertex.dtype}"
    if vertex.kind is Kind.LEAF:
        return head + "\nleaf: gradients that arrive here are added up in .grad"
    if vertex.kind is Kind.CONSTANT:
        return head + "\nconstant: no gradient goes here"
    if vertex.kind is Kind.EARLIER:
        return head + "\nwhat it was computed from is not drawn"
    lines = [head]
    lines += [f"formula: {vertex.formula}"] if vertex.formula else []
    named = [f"{name} = {words}" for name, words in (*vertex.operands, *vertex.settings) if name and words]
    lines += [f"here: {', '.join(named)}"] if named else []
    kind = "derived rule" if vertex.formula else "rule, written by hand"
    return "\n".join([*lines, *(f"{kind}: {rule}" for rule in vertex.rules)])
