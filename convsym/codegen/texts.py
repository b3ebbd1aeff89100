"""The module of texts to be read: formula and derived rules of ops whose kernels are compiled."""

from collections.abc import Iterable
from typing import Any

from convsym.codegen.cython import HEADER

_DOC = '''"""What ops compute and what was derived from it, as text: shown where ops are recorded."""

from collections.abc import Mapping
from types import MappingProxyType

'''


def texts_text(ops: Iterable[Any]) -> str:
    """Text of the module.

    Parameters
    ----------
    ops : iterable of Op

    Returns
    -------
    str
    """
    entries: list[str] = []
    for op in ops:
        entries.append(_entry(op.name, op.formula, op.rules))
        if op.grouped is not op.formula:
            entries.append(_entry(f"{op.name}.grouped", op.grouped, op.grouped_rules))
    return f"{HEADER}{_DOC}TEXTS: Mapping[str, Mapping[str, str]] = MappingProxyType({{\n{''.join(entries)}}})\n"


def _entry(name: str, formula: Any, rules: Any) -> str:
    texts = {formula.output: str(formula)} | {operand: str(rule) for operand, rule in rules.items()}
    lines = "".join(f"        {slot!r}: {text!r},\n" for slot, text in texts.items())
    return f"    {name!r}: {{\n{lines}    }},\n"
