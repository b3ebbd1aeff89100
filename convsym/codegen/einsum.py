"""Formula to the text of einsum, where it is one: a single product of accesses whose subscripts are bare indices."""

from string import ascii_letters

import sympy

from convsym.codegen.safe import safe
from convsym.errors import FormulaError
from convsym.expressions import array_of, indices_of, is_access
from convsym.formula import Formula


def einsum(formula: Formula) -> tuple[str, tuple[str, ...]]:
    """The subscripts of einsum and the operands in their order.

    Parameters
    ----------
    formula : Formula or Rule

    Returns
    -------
    subscripts : str
        E.g. ``"nkc,kcr->nkr"``. An index named by one letter keeps it; the others take the letters that are free, in
        order.
    operands : tuple of str
        Names of arrays, one for each group of letters; an array that is a factor twice stands twice.

    Raises
    ------
    FormulaError
        The formula is no einsum; the sentence says why.

    Examples
    --------
    >>> from convsym import Formula
    >>> einsum(Formula("scores[b, h, query, key] += q[b, h, query, d] * k[b, h, key, d]"))
    ('bhad,bhcd->bhac', ('q', 'k'))
    """
    if len(formula.terms) != 1:
        raise _refusal(formula, f"it has {len(formula.terms)} terms, einsum has one")
    (term,) = formula.terms
    if term.guard:
        raise _refusal(formula, f"it has the condition {formula.show(term.guard[0])}")
    reads = _factors(formula, term.body)
    for reading in (*reads, None):
        for expr in term.target if reading is None else indices_of(reading):
            if not expr.is_Symbol or expr.name not in formula.indices:
                raise _refusal(formula, f"the subscript {formula.show(expr)} is no bare index")
    written, read = [e.name for e in term.target], {e.name for a in reads for e in indices_of(a)}
    for index in formula.indices:
        if index not in read:
            raise _refusal(formula, f"the index {index} is read by no array")
        if written.count(index) > 1:
            raise _refusal(formula, f"the index {index} is written twice")
    letters = _letters(formula)
    groups = ["".join(letters[e.name] for e in indices_of(a)) for a in reads]
    return f"{','.join(groups)}->{''.join(letters[n] for n in written)}", tuple(array_of(a) for a in reads)


def einsum_text(formula: Formula) -> str:
    """A formula as a line of Python that calls ``einsum``.

    Parameters
    ----------
    formula : Formula or Rule

    Returns
    -------
    str

    Raises
    ------
    FormulaError
        The formula is no einsum; the sentence says why.

    Examples
    --------
    >>> from convsym import Formula, vjp
    >>> print(einsum_text(vjp(Formula("y[i, k] += a[i, j] * b[j, k]"), "a")))
    da = einsum("ik,jk->ij", dy, b)
    """
    subscripts, operands = einsum(formula)
    change = safe(formula)[1]
    result, *arrays = (change.get(name, name) for name in (formula.output, *operands))
    return f'{result} = einsum("{subscripts}", {", ".join(arrays)})'


def _factors(formula: Formula, body: sympy.Expr) -> list[sympy.Expr]:
    """The accesses of a product, each as often as it is a factor, in the formula's order."""
    reads: list[sympy.Expr] = []
    for factor in sympy.Mul.make_args(body):
        base, exponent = factor.as_base_exp()
        if not is_access(base) or not exponent.is_Integer or exponent < 1:
            raise _refusal(formula, f"the factor {formula.show(factor)} is no access to an array")
        reads += [base] * int(exponent)
    return sorted(reads, key=lambda a: (formula.operands.index(array_of(a)), formula.show(a)))


def _letters(formula: Formula) -> dict[str, str]:
    """A letter for each index."""
    own = {name: name for name in formula.indices if len(name) == 1 and name in ascii_letters}
    free = (letter for letter in ascii_letters if letter not in own)
    if len(formula.indices) > len(ascii_letters):
        raise _refusal(formula, f"it has {len(formula.indices)} indices, and there are {len(ascii_letters)} letters")
    return {name: own.get(name) or next(free) for name in formula.indices}


def _refusal(formula: Formula, reason: str) -> FormulaError:
    hint = "einsum multiplies arrays at bare indices, e.g. a[i, j]*b[j, k]"
    return FormulaError(f"this is no einsum: {reason}", str(formula), None, hint)
