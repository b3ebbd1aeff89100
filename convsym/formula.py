"""One line of index notation: `Formula`, the object everything else in the package is derived from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy

from convsym import binding
from convsym.binding import Sizes
from convsym.expressions import Term, access, accesses, array_of, indices_of, names, size, stands_alone, symbol, to_text
from convsym.layout import formula_layout
from convsym.parsing import parse, parse_condition, parse_scalar
from convsym.sizes import LastRead, last_reads, multiplying
from convsym.typesetting import to_latex
from convsym.validation import Validation

# Expressions by name.
Named = Mapping[str, sympy.Expr] | Iterable[tuple[str, sympy.Expr]]


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Formula:
    """A tensor formula in index notation, e.g. ``y[n, k, o] += x[n, c, stride*o + r - padding] * w[k, c, r]``.

    A name that stands alone in some subscript (or is a key of `ranges`) is an index; any other name inside brackets
    is an integer parameter. Indices that appear only on the right are summed. Reading an array outside its range
    gives 0; a write outside is dropped. `conv` formulas written this way are cross-correlations.

    Parameters
    ----------
    text : str
        One assignment with ``+=`` (starts at 0 and adds) or ``=``.
    ranges : dict, optional
        Range of an index that stands alone nowhere (or another name for the size of one that does), as text or int.
    sizes : dict, optional
        Size of an output index, as text or int, where the last-read rule is not wanted.
    assume : str or sequence of str, optional
        Conditions that narrow what is proved, e.g. ``"w.shape[2] == 2*h + 1"``.
    symmetric : sequence of str, optional
        Padding parameters that also pad the far side; they enlarge the output (torch's size rule).

    Raises
    ------
    FormulaError
        The text is not a formula; a caret stands under the column.

    Examples
    --------
    >>> f = Formula("y[o] += x[stride*o + r - padding] * w[r]")
    >>> f.indices, f.parameters
    (('o', 'r'), ('stride', 'padding'))
    >>> f(x=[1, 2, 3, 4, 5], w=[1, 10], stride=2)
    array([21, 43])
    """

    output: str
    operator: str
    terms: tuple[Term, ...]
    ranges: tuple[tuple[str, sympy.Expr], ...]
    text: str
    order: tuple[str, ...]
    sizes: tuple[tuple[str, sympy.Expr], ...]
    assume: tuple[sympy.Basic, ...]
    symmetric: tuple[str, ...]

    def __init__(
        self,
        text: str,
        *,
        ranges: Mapping[str, str | int] | None = None,
        sizes: Mapping[str, str | int] | None = None,
        assume: str | Iterable[str] = (),
        symmetric: Iterable[str] = (),
    ) -> None:
        parsed = parse(text)
        given = {name: parse_scalar(value, "range") for name, value in (ranges or {}).items()}
        self._set(
            parsed.output,
            parsed.operator,
            parsed.terms,
            parsed.ranges | given,
            tuple(sorted(parsed.columns, key=parsed.columns.__getitem__)),
            {name: parse_scalar(value) for name, value in (sizes or {}).items()},
            _conditions(assume),
            tuple(symmetric),
            text,
        )
        Validation(self, parsed).run()

    def _set(
        self,
        output: str,
        operator: str,
        terms: Iterable[Term],
        ranges: Named,
        order: Iterable[str],
        sizes: Named = (),
        assume: Iterable[sympy.Basic] = (),
        symmetric: Iterable[str] = (),
        text: str | None = None,
    ) -> None:
        # Conditions of a guard stand in one canonical order, so that equal formulas are equal objects.
        terms = tuple(
            Term(t.target, t.body, tuple(sorted(set(t.guard), key=to_text)))
            for t in terms
            if sympy.false not in t.guard
        )
        # So do statements: terms that write to one place are printed together.
        places = tuple(dict.fromkeys(t.target for t in terms))
        terms = tuple(sorted(terms, key=lambda t: places.index(t.target)))
        values = {
            "output": output,
            "operator": operator,
            "terms": terms,
            "order": tuple(order),
            "ranges": tuple(sorted(dict(ranges).items())),
            "sizes": tuple(sorted(dict(sizes).items())),
            "assume": tuple(assume),
            "symmetric": tuple(symmetric),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "text", str(self) if text is None else text)

    def __eq__(self, other: object) -> bool:
        """Equal in what is computed: output, operator, terms and ranges; a rule equals the formula it says."""
        return isinstance(other, Formula) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[Any, ...]:
        return self.output, self.operator, self.terms, self.ranges

    @classmethod
    def of(
        cls,
        output: str,
        operator: str,
        terms: Iterable[Term],
        *,
        like: Formula,
        order: Iterable[str],
        ranges: Named | None = None,
    ) -> Formula:
        """A formula made of terms; assumptions, sizes and symmetric paddings are those of `like`."""
        made = cls.__new__(cls)
        made._set(
            output,
            operator,
            terms,
            dict(like.ranges) if ranges is None else ranges,
            order,
            assume=like.assume,
            symmetric=like.symmetric,
        )
        return made

    def assuming(self, assume: str | Iterable[str]) -> Self:
        """The same formula (or rule) under further assumptions, as text."""
        return self._with(assume=(*self.assume, *_conditions(assume)))

    def ordered(self, names: Iterable[str]) -> Self:
        """The same formula with its arrays, indices and parameters in another order of appearance."""
        return self._with(order=tuple(names))

    def _with(self, **changed: Any) -> Self:
        made = type(self).__new__(type(self))
        for part in fields(self):
            object.__setattr__(made, part.name, changed.get(part.name, getattr(self, part.name)))
        return made

    # ----------------------------------------------------------------------------------------------- its parts

    @cached_property
    def indices(self) -> tuple[str, ...]:
        """Names of all indices: those standing alone on the left first, then as they appear."""
        found = {e.name: None for t in self.terms for e in t.target if stands_alone(e)}
        for term in self.terms:
            for reading in term.arrays():
                found |= {e.name: None for e in indices_of(reading) if stands_alone(e)}
        found |= {name: None for name, _ in self.ranges}
        left = [e.name for t in self.terms[:1] for e in t.target if stands_alone(e)]
        position = {name: place for place, name in enumerate(self.order)}
        rest = sorted((n for n in found if n not in left), key=lambda n: (position.get(n, len(position)), n))
        return tuple(dict.fromkeys(left)) + tuple(rest)

    @cached_property
    def operands(self) -> tuple[str, ...]:
        """Names of the arrays on the right, as they appear."""
        found = {array_of(a) for t in self.terms for a in t.arrays()}
        return tuple(sorted(found, key=lambda n: (self.order.index(n) if n in self.order else len(self.order), n)))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters, as they appear."""
        extra = [names(e) for _, e in (*self.ranges, *self.sizes)] + [names(c) for c in self.assume]
        found = set().union(*(t.names() for t in self.terms), *extra) - set(self.indices)
        found = {n for n in found if ".shape[" not in n}
        position = {name: place for place, name in enumerate(self.order)}
        return tuple(sorted(found, key=lambda n: (position.get(n, len(position)), n)))

    @cached_property
    def multipliers(self) -> tuple[str, ...]:
        """Parameters that multiply an index or divide; they are at least 1."""
        found = set().union(*(multiplying(e, self.indices) for e in self.index_expressions()))
        return tuple(p for p in self.parameters if p in found)

    def index_expressions(self) -> Iterator[sympy.Basic]:
        """All index arithmetic of the formula: subscripts on both sides, and conditions on indices."""
        for term in self.terms:
            yield from term.target
            for reading in term.arrays():
                yield from indices_of(reading)
            for condition in term.guard:
                if not accesses(condition):
                    yield condition

    def bare(self, index: str) -> tuple[tuple[str, int], ...]:
        """Where an index stands alone: ``((array, axis), …)``, operands first, then the output."""
        return self._bare.get(index, ())

    @cached_property
    def _bare(self) -> dict[str, tuple[tuple[str, int], ...]]:
        places: dict[str, dict[tuple[str, int], None]] = {}
        reads = [a for t in self.terms for a in t.arrays()]
        for reading in sorted(reads, key=lambda a: self.operands.index(array_of(a))):
            for axis, expr in enumerate(indices_of(reading)):
                if stands_alone(expr):
                    places.setdefault(expr.name, {})[array_of(reading), axis] = None
        for term in self.terms:
            for axis, expr in enumerate(term.target):
                if stands_alone(expr):
                    places.setdefault(expr.name, {})[self.output, axis] = None
        return {name: tuple(found) for name, found in places.items()}

    def range_of(self, index: str) -> sympy.Expr:
        """The range of an index as an expression of sizes and parameters."""
        return dict(self.ranges).get(index) or size(*self.bare(index)[0])

    def loops(self, term: Term) -> tuple[str, ...]:
        """The indices one term runs over, slowest first."""
        used = term.names()
        return tuple(n for n in self.indices if n in used)

    def rank(self, array: str) -> int:
        """Number of axes of an array of the formula."""
        if array == self.output:
            return len(self.terms[0].target)
        return next(len(indices_of(a)) for t in self.terms for a in t.arrays() if array_of(a) == array)

    def output_size(self, index: str, high: Mapping[str, sympy.Expr] | None = None) -> tuple[sympy.Expr, ...]:
        """Size of an output index: what `sizes` says, the range of a bare index, or the last-read rule.

        Parameters
        ----------
        index : str
            An index that stands alone on the left.
        high : dict, optional
            Padding at the far side by name of the padding parameter; the default pads the far side of symmetric
            parameters as much as the near side.

        Returns
        -------
        tuple of sympy.Expr
            Candidates; the size is the smallest, and at least 0.
        """
        if index in dict(self.sizes):
            return (dict(self.sizes)[index],)
        if index in dict(self.ranges):
            return (dict(self.ranges)[index],)
        inner = [place for place in self.bare(index) if place[0] != self.output]
        if inner:
            return (size(*inner[0]),)
        return tuple(last.size for last in self.last_reads(index, high))

    def last_reads(self, index: str, high: Mapping[str, sympy.Expr] | None = None) -> tuple[LastRead, ...]:
        """What each access says about the size of an output index; see `output_size`."""
        far = {name: symbol(name) for name in self.symmetric} if high is None else high
        return last_reads(self.terms, index, self.indices, self.range_of, far)

    # ------------------------------------------------------------------------------------------------ printing

    def show(self, expr: sympy.Basic, strength: int = 0) -> str:
        """Text of an expression or condition, in this formula's order of names."""
        return to_text(expr, (*self.indices, *self.operands, *self.order), self.indices, strength)

    def __str__(self) -> str:
        return self.written("".join(f" for {name} in range({self.show(e)})" for name, e in self.ranges))

    def written(self, ranges: str = "") -> str:
        """The statements, each with the text of its ranges; by default without: shorter to read, not canonical."""
        statements = []
        for target in dict.fromkeys(t.target for t in self.terms):
            left = self.show(access(self.output, target))
            right = "".join(
                self._summand(t, not place) for place, t in enumerate(t for t in self.terms if t.target == target)
            )
            statements.append(f"{left} {self.operator} " + (f"({right}{ranges})" if ranges else right))
        return "; ".join(statements)

    def _summand(self, term: Term, first: bool) -> str:
        """Text of one term with its sign."""
        negative = not term.guard and term.body.as_coeff_Mul()[0] < 0
        body = self.show(-term.body if negative else term.body)
        if term.guard:
            body = f"where({' and '.join(self.show(c, 1) for c in term.guard)}, {body}, 0)"
        elif isinstance(term.body, sympy.Add):
            body = f"1*({body})"
        return ("-" if first else " - ") + body if negative else body if first else " + " + body

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def _repr_latex_(self) -> str:
        return f"$${to_latex(formula_layout(self))}$$"

    # ---------------------------------------------------------------------------------------------- evaluation

    def __call__(self, *, sizes: Sizes | None = None, **values: Any) -> np.ndarray:
        """Evaluate by the exact reference.

        Parameters
        ----------
        sizes : dict, optional
            Size of an output index (by its name) or shape of the output (by the array's name).
        **values
            Arrays (NumPy arrays or nested lists of ints, Fractions, floats or SymPy expressions) and integer
            parameters by name. A parameter left out takes its neutral value: 1 where it multiplies an index, 0
            where it is added.

        Returns
        -------
        numpy.ndarray
            int64 for integers that fit, the common float type for floats, object otherwise.

        Raises
        ------
        FormulaError
            A name is unknown, or an operand is missing.
        ShapeError
            Arrays that share an index disagree in its size, or a rank is wrong.
        """
        return self.evaluate(values, dict(sizes or {}))

    def evaluate(self, values: Mapping[str, Any], sizes: Sizes) -> np.ndarray:
        """`__call__` with the keywords as dicts."""
        return binding.evaluate(self, values, sizes)

    def shape(
        self, shapes: Mapping[str, Sequence[int]], *, sizes: Sizes | None = None, **parameters: int
    ) -> tuple[int, ...]:
        """Shape of the output for given shapes of the operands.

        Parameters
        ----------
        shapes : dict
            Shape of every operand by its name.
        sizes : dict, optional
            As for a call.
        **parameters
            Integer parameters; those left out are neutral.

        Returns
        -------
        tuple of int
        """
        return binding.output_shape(self, shapes, parameters, dict(sizes or {}))

    def relation(self, sizes: Mapping[str, Sequence[int]], **parameters: int) -> dict[str, np.ndarray]:
        """The points of the index relation: one row of index values for each point whose accesses all lie inside.

        Parameters
        ----------
        sizes : dict
            Shape of every array by name, the output included.
        **parameters
            Integer parameters.

        Returns
        -------
        dict
            ``{index or access text: int array}``; the text of an access's axis is e.g. ``"x[2]"``.
        """
        return binding.relation(self, sizes, parameters)


def _conditions(assume: str | Iterable[str]) -> tuple[sympy.Basic, ...]:
    texts = (assume,) if isinstance(assume, str) else assume
    return tuple(condition for text in texts for condition in parse_condition(text))
