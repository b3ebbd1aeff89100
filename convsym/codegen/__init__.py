"""Formulas to source text: pure functions from the registry to file contents; nothing is written here."""

from convsym.codegen.cython import DTYPES, HEADER, kernel_text
from convsym.codegen.loops import nest
from convsym.codegen.rules import rules_text

__all__ = ["generate", "nests"]


def nests(ops):
    """Loop nests of every op that has kernels: its formula and each of its rules.

    Parameters
    ----------
    ops : iterable of Op

    Returns
    -------
    tuple of Nest
    """
    found = []
    for op in ops:
        if op.lane is not None:
            found.append(nest(f"{op.name}_{op.grouped.output}", op.grouped, op.lane))
            found += [nest(f"{op.name}_{rule.output}", rule, op.lane) for rule in op.grouped_rules.values()]
    return tuple(found)


def generate(registry):
    """Contents of the generated files.

    Parameters
    ----------
    registry : mapping of str to Op

    Returns
    -------
    dict
        File name to text; the same registry gives the same bytes.
    """
    ops = [registry[name] for name in sorted(registry)]
    made = nests(ops)
    kernels = "\n\n".join(kernel_text(n, dtype) for n in made for dtype in DTYPES)
    return {"kernels.pxi": f"{HEADER}\n{kernels}", "rules.py": rules_text(made, registry["conv1d"])}
