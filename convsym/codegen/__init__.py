"""Formulas to source text: pure functions from the registry to file contents; nothing is written here."""

from collections.abc import Iterable, Mapping
from typing import Any

from convsym.codegen.cython import HEADER, entries_text, kernel_text
from convsym.codegen.gradients import gradients_text
from convsym.codegen.lanewise import lanewise_text
from convsym.codegen.loops import Nest, nest
from convsym.codegen.products import products_text
from convsym.codegen.rules import rules_text
from convsym.codegen.stubs import driver_stubs, openmp_stub, stub_text
from convsym.codegen.syntax import CTYPES, DTYPES
from convsym.codegen.table import table_text
from convsym.codegen.texts import texts_text
from convsym.codegen.tiles import LEVELS, tiles_text
from convsym.codegen.transforms import growth_text, transforms_text
from convsym.codegen.transposes import transposes_text

__all__ = ["generate", "nests"]


def nests(ops: Iterable[Any]) -> tuple[Nest, ...]:
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


def generate(registry: Mapping[str, Any]) -> dict[str, str]:
    """Contents of the generated files.

    Parameters
    ----------
    registry : mapping of str to Op

    Returns
    -------
    dict
        Text by path below ``convsym``; the same registry gives the same bytes. ``kernels.pxi`` is compiled for
        every CPU level, ``plain.pxi`` once, with the kernels of every dtype; ``tiles_….pxi``, ``products_….pxi``,
        ``transposes_….pxi`` and ``lanewise_….pxi`` are for their level, ``transforms.pxi`` for every level, and
        ``transforms.py`` says what is in it; ``baseline.pyi`` and ``plain.pyi`` are the stubs of the compiled modules.
        ``_rules.py`` has the functions of ops on whole arrays, ``_texts.py`` the formulas and rules of the others.
    """
    ops = [registry[name] for name in sorted(registry)]
    leveled = nests(op for op in ops if op.leveled)
    plain = nests(op for op in ops if op.plain == op.name)
    rules = rules_text(table_text(ops, nests), registry["conv1d"])
    compiled = {
        "_generated/kernels.pxi": _text(leveled, DTYPES),
        "_generated/plain.pxi": _text(plain, CTYPES, True),
        "_generated/rules.py": rules,
        **{f"_generated/tiles_{level}.pxi": tiles_text(level) for level in LEVELS},
        **{f"_generated/products_{level}.pxi": products_text(level) for level in LEVELS},
        **{f"_generated/transposes_{level}.pxi": transposes_text(level) for level in LEVELS},
        **{f"_generated/lanewise_{level}.pxi": lanewise_text(level) for level in LEVELS},
        "_generated/transforms.pxi": transforms_text(),
        "_generated/transforms.py": growth_text(),
        "baseline.pyi": stub_text(leveled, DTYPES) + driver_stubs(DTYPES),
        "plain.pyi": stub_text(plain, CTYPES, True) + openmp_stub(),
    }
    below = {f"kernels/{name}": text for name, text in compiled.items()}
    texts = texts_text(op for op in ops if not op.whole and (op.rank or op.lane is not None))
    return below | {"autograd/_rules.py": gradients_text(ops), "autograd/_texts.py": texts}


def _text(made: tuple[Nest, ...], dtypes: Iterable[str], flat: bool = False) -> str:
    kernels = {f"{n.name}_{dtype}": kernel_text(n, dtype, flat) for n in made for dtype in dtypes}
    made_text = "\n\n".join([*kernels.values(), entries_text(kernels)])
    return f"{HEADER}\n{made_text}"
