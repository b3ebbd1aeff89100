"""A derived rule as text, in every format of the command line."""

import json
from collections.abc import Callable

from convsym.codegen.cython import kernel_text
from convsym.codegen.einsum import einsum_text
from convsym.codegen.javascript import javascript_text
from convsym.codegen.loops import nest
from convsym.codegen.python import python_text
from convsym.errors import FormulaError
from convsym.notation import derivation_latex
from convsym.records import rule_record
from convsym.residues import residue_classes
from convsym.rule import Rule


def _text(rule: Rule) -> str:
    forms = f"formula   {rule.parent}\nscatter   {rule.scatter}\ngather    {rule.gather}\n\nsteps"
    steps = (f"  {step.lemma}\n      {step.text}" for step in rule.steps)
    return "\n".join([forms, *steps, *_classes(rule)])


def _classes(rule: Rule) -> list[str]:
    """Lines about the residue classes of a strided rule."""
    try:
        classes = residue_classes(rule)
    except FormulaError:  # a condition that does not split axis by axis
        return []
    return ["", "residue classes", *(f"  {made}" for made in classes)] if classes.axes else []


PRINTERS: dict[str, Callable[[Rule], str]] = {
    "text": _text,
    "latex": lambda rule: derivation_latex(rule.parent, rule.steps),
    "python": lambda rule: python_text(rule.gather, f"vjp_{rule.wrt}"),
    "cython": lambda rule: kernel_text(nest(f"kernel_{rule.output}", rule), "f64"),
    "javascript": lambda rule: javascript_text(rule.gather, f"vjp_{rule.wrt}"),
    "einsum": einsum_text,
    "json": lambda rule: json.dumps(rule_record(rule), indent=2, ensure_ascii=False),
}
