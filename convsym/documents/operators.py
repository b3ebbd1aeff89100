"""One page for each op of the registry: formula, sizes, rules with their derivations and proofs, kernels."""

from __future__ import annotations

from collections.abc import Iterable

import sympy

from convsym.codegen.whole import whole
from convsym.documents.checklist import ITEMS
from convsym.documents.claims import proof_of
from convsym.documents.markdown import blocks, bullets, code, joined, link, math, numbered, page, prose, table
from convsym.expressions import names
from convsym.formula import Formula
from convsym.kernels._generated.rules import KERNELS
from convsym.op import Op
from convsym.ops import registry
from convsym.rule import LEMMAS, Rule
from convsym.verdict import Proof

# Every axis adds the same lines once more: an op with more than this many is in the index only.
AXES = 2


def op_pages() -> dict[str, str]:
    """Pages by path below the directory of documents."""
    pages = {f"ops/{name}.md": _page(registry[name]) for name in with_pages()}
    return {"ops/README.md": _index()} | pages


def with_pages() -> list[str]:
    """Names of the ops that have a page, sorted."""
    return [name for name in sorted(registry) if (registry[name].rank or 0) <= AXES]


def _index() -> str:
    linked = with_pages()
    rows = ((link(f"`{name}`", f"{name}.md") if name in linked else f"`{name}`", f"`{registry[name].formula}`",
             ", ".join(map(str, _items(name))) or "–") for name in sorted(registry))  # fmt: skip
    return page(
        "# Ops",
        prose("""Every op of the registry: a formula with a name. What a page says beyond the first paragraph is
            derived from that formula. Ops of more axes than two are derived and proved like the others; their pages
            would say the same with more axes."""),
        table(["Op", "Formula", f"Items of {link('the seeds', '../seeds/README.md')}"], rows),
    )


def _page(op: Op) -> str:
    return page(
        f"# {op.name}",
        op.doc,
        "## Formula",
        math(op.formula),
        code(op.formula),
        bullets(_facts(op)),
        *(_rule(op, wrt, rule) for wrt, rule in op.rules.items()),
        _arrays(op),
        "## Kernels",
        _kernels(op),
        _seeds(op.name),
    )


def _facts(op: Op) -> Iterable[str]:
    """Names and sizes, each a short line."""
    formula = op.formula
    left = {e.name for e in formula.terms[0].target if e.is_Symbol}
    summed = [f"`{name}`" for name in formula.indices if name not in left]
    if summed:
        yield f"Summed: {joined(summed)}."
    for name in formula.parameters:
        sizes = set().union(*(names(expr) for _, expr in formula.ranges))
        kind = "at least 1" if name in formula.multipliers else "at least 0" if name in sizes else "any integer"
        default = op.defaults.get(name.rstrip("0123456789"))
        yield f"`{name}`: {kind}" + ("." if default is None else f"; {default} by default.")
    yield from (f"Assumed: `{formula.show(condition)}`." for condition in formula.assume)
    yield from (_size(formula, axis, expr) for axis, expr in enumerate(formula.terms[0].target))
    if formula.symmetric and not set(formula.symmetric) & set().union(*map(names, formula.terms[0].target)):
        yield f"{joined([f'`{name}`' for name in formula.symmetric])}: the far side is padded as much as the near side."


def _size(formula: Formula, axis: int, expr: sympy.Expr) -> str:
    """How large one axis of the result is."""
    where = f"Size of `{formula.output}` on axis {axis}"
    if not (expr.is_Symbol and expr.name in formula.indices):
        cropped = [f"`{name}`" for name in formula.symmetric if name in names(expr)]
        less = f", less the {joined(cropped)} that is cropped at the far side too" if cropped else ""
        return f"{where}: the last written `{formula.show(expr)}`, plus 1{less}."
    sizes = [f"`{formula.show(size)}`" for size in formula.output_size(expr.name)]
    if not sizes:
        return f"{where}, index `{expr.name}`: whatever the caller asks for; no array on the right decides it."
    if any(array != formula.output for array, _ in formula.bare(expr.name)) or expr.name in dict(formula.ranges):
        return f"{where}, index `{expr.name}`: {sizes[0]}."
    return f"{where}, index `{expr.name}`: {' or '.join(sizes)}, and at least 0."


def _rule(op: Op, wrt: str, rule: Rule) -> str:
    steps = (blocks(f"{step.lemma}: {LEMMAS[step.lemma]}.", math(step)) for step in rule.steps)
    scatter = f"Scattered, it reads `{rule.scatter}`." if rule.scatter != rule.gather else ""
    return blocks(
        f"## Gradient by `{wrt}`",
        math(rule),
        code(rule),
        scatter,
        "Derivation:",
        numbered(steps),
        obligations(proof_of(op.name, wrt)),
    )


def obligations(proof: Proof) -> str:
    """A proof as a table, without times."""
    rows = ((each.status, each.name) for each in proof.obligations)
    return blocks(
        f"**{proof.status.capitalize()}** {proof.reason}:",
        table(["Status", "Obligation"], rows),
        f"Exact integers agree on {proof.geometries} small geometries as well.",
    )


def _arrays(op: Op) -> str:
    """What `convsym.autograd` computes of an op on whole arrays."""
    if not op.whole:
        return ""
    found = {op.formula.output: whole(op.formula)} | {r.output: whole(r, op.formula) for r in op.rules.values()}
    return blocks(
        "## On whole arrays",
        prose("""Every index stands for any number of axes, and `convsym.autograd` records the op on tensors. A gradient
            reads the result where that is cheaper than computing the same again."""),
        table(["Result", "Computed as"], ((f"`{name}`", f"`{made.shown}`") for name, made in found.items())),
    )


def _kernels(op: Op) -> str:
    names = [f"{op.name}_{result}" for result in (op.formula.output, *(rule.output for rule in op.rules.values()))]
    made = [KERNELS[name] for name in names if name in KERNELS]
    if not made:
        return "None: functions of whole arrays do the work." if op.whole else "None: this op lives in formulas only."
    rows = []
    for kernel in made:
        owners = ", ".join(f"`{kernel.result}[{axis}]`" for axis in kernel.owners)
        names_ = [_names(each) for each in ((kernel.name,), (kernel.result,), kernel.operands, kernel.parameters)]
        rows.append([*names_, owners])
    words = "Threads share the owner axes: each element of the result is computed by one thread, in one order."
    grouped = "The kernels carry one more axis, the group." if op.groups else ""
    head = ["Kernel", "Result", "Operands", "Parameters", "Owner axes"]
    return blocks(table(head, rows), f"{words} {grouped}".strip())


def _names(found: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in found) or "–"


def _items(name: str) -> list[int]:
    return [item.number for item in ITEMS if name in item.ops]


def _seeds(name: str) -> str:
    links = [link(f"item {item.number}", f"../{item.place}") for item in ITEMS if name in item.ops]
    return blocks("## In the seeds", f"{joined(links).capitalize()}.") if links else ""
