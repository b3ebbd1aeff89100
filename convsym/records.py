"""Formulas and rules as JSON-able dicts with a schema number, which load back.

A loaded rule is derived again and compared: what a file says is never believed.
"""

from collections.abc import Mapping
from typing import Any

from convsym.derivation import vjp
from convsym.errors import FormulaError
from convsym.formula import Formula
from convsym.rule import Rule

SCHEMA = 1
MAX_PARENTS = 8  # derivatives of derivatives that a record may hold


def formula_record(formula: Formula) -> dict[str, Any]:
    """A formula as plain data.

    Parameters
    ----------
    formula : Formula

    Returns
    -------
    dict
        Its canonical text (with the ranges), and what the text does not hold: sizes, assumptions, symmetric paddings,
        and the order of its names.

    Examples
    --------
    >>> formula_record(Formula("y[o] += x[o + r - p] * w[r]", symmetric=("p",)))["symmetric"]
    ['p']
    """
    return {
        "schema": SCHEMA,
        "kind": "formula",
        "formula": str(formula),
        "sizes": {name: formula.show(expr) for name, expr in formula.sizes},
        "assume": [formula.show(condition) for condition in formula.assume],
        "symmetric": list(formula.symmetric),
        "order": [name for name in dict.fromkeys(formula.order) if name in _names(formula)],
    }


def rule_record(rule: Rule) -> dict[str, Any]:
    """A derived rule as plain data.

    Parameters
    ----------
    rule : Rule

    Returns
    -------
    dict
        Texts of the formula, of the rule's two forms and of its steps; `parent` is the record of what was
        differentiated, a formula or another rule.
    """
    parent = rule.parent
    return {
        "schema": SCHEMA,
        "kind": "rule",
        "formula": str(parent),
        "wrt": rule.wrt,
        "gather": str(rule.gather),
        "scatter": str(rule.scatter),
        "indices": list(rule.indices),
        "parameters": list(rule.parameters),
        "steps": [{"lemma": s.lemma, "text": s.text, "latex": s.latex} for s in rule.steps],
        "parent": rule_record(parent) if isinstance(parent, Rule) else formula_record(parent),
    }


def formula_from_record(record: Any) -> Formula:
    """The formula that a record says.

    Parameters
    ----------
    record : dict
        What `formula_record` made.

    Returns
    -------
    Formula
        Equal to the one that was recorded, with its sizes, assumptions and symmetric paddings.

    Raises
    ------
    FormulaError
        The record has another schema or kind, lacks an entry, or its text is no formula.

    Examples
    --------
    >>> f = Formula("y[o] += x[o + r - p] * w[r]", symmetric=("p",))
    >>> formula_from_record(formula_record(f)) == f
    True
    """
    _expect(record, "formula")
    kinds = {"formula": str, "sizes": dict, "assume": list, "symmetric": list, "order": list}
    text, sizes, assume, symmetric, order = (_entry(record, name, kind) for name, kind in kinds.items())
    for value in (*sizes, *sizes.values(), *assume, *symmetric, *order):
        if not isinstance(value, str):
            raise FormulaError(f"the record of a formula holds {_shown(value)} where a text belongs")
    formula = Formula(text, sizes=sizes, assume=tuple(assume), symmetric=tuple(symmetric))
    for name in order:
        if name not in _names(formula):
            raise FormulaError(f"the record orders {_shown(name)}, which is no name of its formula", str(formula))
    return formula.ordered(order)


def rule_from_record(record: Any) -> Rule:
    """The rule that a record says, derived again.

    Parameters
    ----------
    record : dict
        What `rule_record` made.

    Returns
    -------
    Rule

    Raises
    ------
    FormulaError
        The record has another schema or kind, lacks an entry, or says anything else than what is derived from its
        formula.

    Examples
    --------
    >>> rule = vjp(Formula("y[o] += x[2*o + r] * w[r]"), "x")
    >>> rule_from_record(rule_record(rule)) == rule
    True
    >>> rule_from_record(rule_record(rule) | {"scatter": "dx[2*o - r] += dy[o] * w[r]"})
    Traceback (most recent call last):
    ...
    convsym.errors.FormulaError: the record says another scatter than what is derived from its formula
      dx[2*o + r] += dy[o]*w[r]
    """
    parents = [record]
    _expect(record, "rule")
    while isinstance(parent := _entry(parents[-1], "parent", dict), dict) and parent.get("kind") == "rule":
        _expect(parent, "rule")
        parents.append(parent)
        if len(parents) > MAX_PARENTS:
            raise FormulaError(f"the record holds more than {MAX_PARENTS} derivatives of derivatives")
    derived: Rule = vjp(formula_from_record(parent), _entry(parents.pop(), "wrt", str))
    for said in reversed(parents):
        derived = vjp(derived, _entry(said, "wrt", str))
    truth, said = rule_record(derived), record
    while truth["kind"] == "rule":
        _compare(said, truth)
        truth, said = truth["parent"], said["parent"]
    return derived


def _names(formula: Formula) -> set[str]:
    return {formula.output, *formula.operands, *formula.indices, *formula.parameters}


def _compare(said: Mapping[str, Any], truth: Mapping[str, Any]) -> None:
    for name, value in truth.items():
        if name not in said:
            raise FormulaError(f"the record has no entry {name!r}")
        if name != "parent" and said[name] != value:
            shown = value if isinstance(value, str) else None
            raise FormulaError(f"the record says another {name} than what is derived from its formula", shown)


def _expect(record: Any, kind: str) -> None:
    """Raise unless the record is one of this schema and kind."""
    if not isinstance(record, dict):
        raise FormulaError(f"a record is a dict, not {type(record).__name__}", hint="read it with json.loads")
    if record.get("schema") != SCHEMA or isinstance(record.get("schema"), bool):
        raise FormulaError(f"the record has schema {_shown(record.get('schema'))}; this version reads {SCHEMA}")
    if record.get("kind") != kind:
        raise FormulaError(f"this is the record of a {_shown(record.get('kind'))}, not of a {kind!r}")


def _entry(record: Mapping[str, Any], name: str, kind: type) -> Any:
    if not isinstance(record.get(name), kind):
        raise FormulaError(f"the entry {name!r} of a record is a {kind.__name__}, not {_shown(record.get(name))}")
    return record[name]


def _shown(value: Any) -> str:
    """A value of somebody's file, as a short word."""
    return f"{value!r:.40}" if isinstance(value, int | str | None) else f"a {type(value).__name__}"
