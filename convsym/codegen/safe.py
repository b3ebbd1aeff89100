"""Names of users that would mean something else in generated code."""

import keyword
import re
from collections.abc import Collection

import sympy

from convsym.errors import KernelError
from convsym.expressions import Term, access, array_of, indices_of, symbol
from convsym.formula import Formula

# Words of C and Cython, of the printers' own variables, and of the functions they call.
_RESERVED = """
auto bint bool case char complex const cdef cimport cpdef ctypedef cppclass default define defined DEF do double
else ELIF ELSE enum extern first float for gil goto IF if include inline int item lane lanes len long lower max min
nogil noexcept NULL object prange public range readonly register restrict return row self short signed sizeof size_t
Py_ssize_t start static stop struct switch threads total typedef typename union unsigned upper void volatile while
floordiv ceildiv floormod numpy np cython zeros shape exp log sqrt tanh sin cos circular reflect replicate symmetric
"""
_WORDS = frozenset(_RESERVED.split()) | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)
_TEMPORARY = re.compile(r"[abpv]\d+\Z|_")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def identifier(name: str) -> str:
    """The name of a printed function, as it was given.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Raises
    ------
    KernelError
        It is no name, or a word that generated code uses itself.
    """
    if not isinstance(name, str) or not _NAME.match(name) or name in _WORDS:
        raise KernelError(f"a function cannot be named {name!r}; a name is ASCII letters, digits and _, and no keyword")
    return name


def safe(formula: Formula, words: Collection[str] = ()) -> tuple[Formula, dict[str, str]]:
    """The formula with every name that generated code could mistake for its own changed by a trailing underscore.

    Parameters
    ----------
    formula : Formula
        A plain formula; of a rule, its gather or scatter form.
    words : set of str
        Further words that no name may be.

    Returns
    -------
    Formula
        The same object where no name needs a change.
    dict
        New name by old name, of those that changed.
    """
    taken = {formula.output, *formula.operands, *formula.indices, *formula.parameters}
    change = {}
    for name in sorted(taken):
        if name in _WORDS or name in words or _TEMPORARY.match(name):
            new = name.lstrip("_") + "_"
            while new in taken or not new[0].isalpha():
                new = "v" + new
            change[name] = new
            taken.add(new)
    return (_renamed(formula, change) if change else formula), change


def _renamed(formula: Formula, change: dict[str, str]) -> Formula:
    def word(name: str) -> str:
        return change.get(name, name)

    def expression(expr: sympy.Basic) -> sympy.Basic:
        sizes = {
            s: sympy.Symbol(word(s.name.split(".")[0]) + s.name[s.name.index(".") :])
            for s in expr.atoms(sympy.Symbol)
            if ".shape[" in s.name
        }
        return expr.xreplace({symbol(old): symbol(new) for old, new in change.items()} | sizes)

    terms = []
    for term in formula.terms:
        reads = {a: access(word(array_of(a)), tuple(map(expression, indices_of(a)))) for a in term.arrays()}
        marks = {a: sympy.Dummy() for a in reads}
        back = {marks[a]: new for a, new in reads.items()}
        terms.append(
            Term(
                tuple(map(expression, term.target)),
                expression(term.body.xreplace(marks)).xreplace(back),
                tuple(expression(c.xreplace(marks)).xreplace(back) for c in term.guard),
            )
        )
    ranges = {word(n): expression(e) for n, e in formula.ranges}
    return Formula.of(
        word(formula.output), formula.operator, terms, like=formula, order=map(word, formula.order), ranges=ranges
    )
