"""The module of ops on whole arrays: a function of each formula, one of each derived rule, and the table of them."""

from collections.abc import Iterable, Iterator
from typing import Any

from convsym.codegen.cython import HEADER
from convsym.codegen.whole import Whole, whole

_DOC = '''"""Ops on whole arrays with derived gradients; functions are looked up in `ops`, such as `autograd.arrays`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from convsym.autograd.arrayop import ArrayOp, count, positions
'''


def gradients_text(ops: Iterable[Any]) -> str:
    """Text of the module.

    Parameters
    ----------
    ops : iterable of Op
        Those that are not done on whole arrays are left out.

    Returns
    -------
    str
    """
    functions: list[str] = []
    entries: list[str] = []
    for op in ops:
        if op.whole:
            functions += _functions(op)
            entries.append(f"    {op.name!r}: {_entry(op)},\n")
    table = f"RULES: Mapping[str, ArrayOp] = MappingProxyType({{\n{''.join(entries)}}})\n"
    return "\n\n".join([f"{HEADER}{_DOC}", *functions, table])


def _functions(op: Any) -> Iterator[str]:
    """The function of the formula, then one for each rule."""
    forward = whole(op.formula)
    given = (*op.formula.operands, *op.formula.parameters, *(("axis",) if _is_reduced(op) else ()))
    yield _function(op.name, given, op.formula.text, forward)
    for operand, rule in op.rules.items():
        made = whole(rule, op.formula)
        yield _function(f"{op.name}_d{operand}", ("dy", *_reads(made)), str(rule), made)


def _function(name: str, arguments: Iterable[str], doc: str, made: Whole) -> str:
    given = ", ".join(f"{argument}: Any" for argument in ("ops", *arguments))
    return f'def {name}({given}) -> Any:\n    """{doc}"""\n    return {made.text}\n'


def _entry(op: Any) -> str:
    """What the table says of an op."""
    made = {operand: whole(rule, op.formula) for operand, rule in op.rules.items()}
    backward = ", ".join(f"{operand!r}: {op.name}_d{operand}" for operand in made)
    reads = {operand: _reads(each) for operand, each in made.items()}
    rules = {operand: str(rule) for operand, rule in op.rules.items()}
    code = {"y": whole(op.formula).shown} | {operand: each.shown for operand, each in made.items()}
    first = (op.name, op.formula.text, op.formula.operands, op.formula.parameters, _is_reduced(op))
    return f"ArrayOp({', '.join(map(repr, first))}, {op.name}, {{{backward}}}, {reads}, {rules}, {code})"


def _reads(made: Whole) -> tuple[str, ...]:
    """What a rule's function takes after the cotangent, which always is ``dy``."""
    return tuple(name for name in made.reads if name != "dy")


def _is_reduced(op: Any) -> bool:
    """Whether its functions take axes."""
    return any("axis" in whole(each, parent).reads for each, parent in _texts(op))


def _texts(op: Any) -> Iterator[tuple[Any, Any]]:
    yield op.formula, None
    yield from ((rule, op.formula) for rule in op.rules.values())
