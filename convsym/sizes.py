"""How large an output is: the last-read theorem, derived from the accesses of a formula.

The largest index whose last read lies inside an axis: with every other index where it makes the access largest,
``a·o + rest ≤ size − 1`` is solved for ``o``; the count is ``floor((size − 1 − rest)/a) + 1``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import sympy

from convsym.boundary import folded
from convsym.expressions import (
    Term,
    accesses,
    affine,
    array_of,
    floordiv,
    indices_of,
    mod,
    names,
    sign,
    size,
    symbol,
)


@dataclass(frozen=True)
class LastRead:
    """What one access says about the size of an output index.

    Attributes
    ----------
    size : sympy.Expr
        The largest size that keeps the access inside.
    read : sympy.Expr
        The farthest position read, as a function of the output index.
    limit : sympy.Expr
        The last position that counts as inside.
    """

    size: sympy.Expr
    read: sympy.Expr
    limit: sympy.Expr


def last_reads(
    terms: Iterable[Term],
    index: str,
    indices: tuple[str, ...],
    range_of: Callable[[str], sympy.Expr],
    high: Mapping[str, sympy.Expr],
) -> tuple[LastRead, ...]:
    """What each access that an output index moves says about its size.

    Parameters
    ----------
    terms : iterable of Term
    index : str
        The output index.
    indices : tuple of str
        All indices of the formula.
    range_of : callable
        From an index name to the expression of its range.
    high : dict
        From the name of a padding parameter to the padding at the far side of the axes it shifts.

    Returns
    -------
    tuple of LastRead
        The size is the smallest of theirs, and never negative. Empty where no access determines the index.
    """
    found = []
    for term in terms:
        for reading in accesses(term.body):
            for axis, expr in enumerate(map(folded, indices_of(reading))):
                split = affine(expr, indices)
                if split is None or sign(dict(split[0]).get(index, sympy.S.Zero)) != 1:
                    continue
                rest = split[1]
                for name, coefficient in split[0]:
                    if name != index and sign(coefficient) == 1:
                        rest += coefficient * (range_of(name) - 1)
                far = sum(value for name, value in high.items() if name in names(expr))
                own, limit = dict(split[0])[index], size(array_of(reading), axis) + far - 1
                bound = (limit - rest).expand()
                count = (bound if own == 1 else floordiv(bound, own)) + 1
                found.append(LastRead(count, (own * symbol(index) + rest).expand(), limit))
    return tuple(dict.fromkeys(found))


def multiplying(expr: sympy.Basic, indices: Iterable[str]) -> set[str]:
    """Parameters that multiply an index, or divide, in an index expression."""
    found: set[str] = set()
    for node in sympy.preorder_traversal(expr):
        if isinstance(node, (floordiv, mod)):
            found |= names(node.args[1])
        if isinstance(node, sympy.Mul) and names(node) & set(indices):
            found |= names(node)
    return found - set(indices)
