"""One line of index notation: `Formula`, the object everything else in the package is derived from."""

from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cached_property
from numbers import Number

import numpy as np
import sympy

from convsym import evaluation
from convsym.errors import FormulaError, ShapeError, nearest
from convsym.expressions import Term, accesses, affine, array_of, floordiv, indices_of, mod, names, size, symbol, to_text
from convsym.parsing import parse, parse_condition, parse_scalar
from convsym.sizes import last_reads


@dataclass(frozen=True, init=False, repr=False)
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
    terms: tuple
    ranges: tuple
    text: str = field(compare=False)
    order: tuple = field(compare=False)
    sizes: tuple = field(compare=False)
    assume: tuple = field(compare=False)
    symmetric: tuple = field(compare=False)

    def __init__(self, text, *, ranges=None, sizes=None, assume=(), symmetric=()):
        parsed = parse(text)
        given = {name: parse_scalar(value, "range") for name, value in (ranges or {}).items()}
        self._set(parsed.output, parsed.operator, parsed.terms, parsed.ranges | given,
                  tuple(sorted(parsed.columns, key=parsed.columns.get)),
                  {name: parse_scalar(value) for name, value in (sizes or {}).items()},
                  _conditions(assume), tuple(symmetric), text)
        _Check(self, parsed).run()

    def _set(self, output, operator, terms, ranges, order, sizes=(), assume=(), symmetric=(), text=None):
        terms = tuple(t for t in terms if sympy.false not in t.guard)
        values = {"output": output, "operator": operator, "terms": terms, "order": tuple(order),
                  "ranges": tuple(sorted(dict(ranges).items())), "sizes": tuple(sorted(dict(sizes).items())),
                  "assume": tuple(assume), "symmetric": tuple(symmetric)}  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "text", str(self) if text is None else text)

    @classmethod
    def of(cls, output, operator, terms, *, like, order, ranges=None):
        """A formula made of terms; assumptions, sizes and symmetric paddings are those of `like`."""
        made = cls.__new__(cls)
        made._set(output, operator, terms, dict(like.ranges) if ranges is None else ranges, order,
                  assume=like.assume, symmetric=like.symmetric)
        return made

    def assuming(self, assume):
        """The same formula (or rule) under further assumptions, as text."""
        made = type(self).__new__(type(self))
        for part in fields(self):
            object.__setattr__(made, part.name, getattr(self, part.name))
        object.__setattr__(made, "assume", (*self.assume, *_conditions(assume)))
        return made

    # ----------------------------------------------------------------------------------------------- its parts

    @cached_property
    def indices(self):
        """Names of all indices: those standing alone on the left first, then as they appear."""
        found = {e.name: None for t in self.terms for e in t.target if _stands_alone(e)}
        for term in self.terms:
            for reading in term.arrays():
                found |= {e.name: None for e in indices_of(reading) if _stands_alone(e)}
        found |= {name: None for name, _ in self.ranges}
        left = [e.name for t in self.terms[:1] for e in t.target if _stands_alone(e)]
        position = {name: place for place, name in enumerate(self.order)}
        rest = sorted((n for n in found if n not in left), key=lambda n: (position.get(n, len(position)), n))
        return tuple(dict.fromkeys(left)) + tuple(rest)

    @cached_property
    def operands(self):
        """Names of the arrays on the right, as they appear."""
        found = {array_of(a) for t in self.terms for a in t.arrays()}
        return tuple(sorted(found, key=lambda n: (self.order.index(n) if n in self.order else len(self.order), n)))

    @cached_property
    def parameters(self):
        """Names of all parameters, as they appear."""
        extra = [names(e) for _, e in (*self.ranges, *self.sizes)] + [names(c) for c in self.assume]
        found = set().union(*(t.names() for t in self.terms), *extra) - set(self.indices)
        found = {n for n in found if ".shape[" not in n}
        position = {name: place for place, name in enumerate(self.order)}
        return tuple(sorted(found, key=lambda n: (position.get(n, len(position)), n)))

    @cached_property
    def multipliers(self):
        """Parameters that multiply an index or divide; they are at least 1."""
        found = set()
        for term in self.terms:
            conditions = [side for c in term.guard for side in c.args if not accesses(c)]
            reads = [e for a in term.arrays() for e in indices_of(a)]
            for expr in (*term.target, *reads, *conditions):
                found |= _multiplying(expr, self.indices)
        return tuple(p for p in self.parameters if p in found)

    def bare(self, index):
        """Where an index stands alone: ``((array, axis), …)``, operands first, then the output."""
        return self._bare.get(index, ())

    @cached_property
    def _bare(self):
        places = {}
        reads = [a for t in self.terms for a in t.arrays()]
        for reading in sorted(reads, key=lambda a: self.operands.index(array_of(a))):
            for axis, expr in enumerate(indices_of(reading)):
                if _stands_alone(expr):
                    places.setdefault(expr.name, {})[array_of(reading), axis] = None
        for term in self.terms:
            for axis, expr in enumerate(term.target):
                if _stands_alone(expr):
                    places.setdefault(expr.name, {})[self.output, axis] = None
        return {name: tuple(found) for name, found in places.items()}

    def range_of(self, index):
        """The range of an index as an expression of sizes and parameters."""
        return dict(self.ranges).get(index) or size(*self.bare(index)[0])

    def loops(self, term):
        """The indices one term runs over, slowest first."""
        used = term.names()
        return tuple(n for n in self.indices if n in used)

    def rank(self, array):
        """Number of axes of an array of the formula."""
        if array == self.output:
            return len(self.terms[0].target)
        return next(len(indices_of(a)) for t in self.terms for a in t.arrays() if array_of(a) == array)

    def output_size(self, index, high=None):
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

    def last_reads(self, index, high=None):
        """What each access says about the size of an output index; see `output_size`."""
        far = {name: symbol(name) for name in self.symmetric} if high is None else high
        return last_reads(self.terms, index, self.indices, self.range_of, far)

    # ------------------------------------------------------------------------------------------------ printing

    def show(self, expr, strength=0):
        """Text of an expression or condition, in this formula's order of names."""
        return to_text(expr, (*self.indices, *self.operands, *self.order), self.indices, strength)

    def __str__(self):
        ranges = "".join(f" for {name} in range({self.show(e)})" for name, e in self.ranges)
        statements = []
        for target in dict.fromkeys(t.target for t in self.terms):
            left = f"{self.output}[{', '.join(map(self.show, target)) or '()'}]"
            right = "".join(self._summand(t, not place)
                            for place, t in enumerate(t for t in self.terms if t.target == target))
            statements.append(f"{left} {self.operator} " + (f"({right}{ranges})" if ranges else right))
        return "; ".join(statements)

    def _summand(self, term, first):
        """Text of one term with its sign."""
        negative = not term.guard and term.body.as_coeff_Mul()[0] < 0
        body = self.show(-term.body if negative else term.body)
        if term.guard:
            body = f"where({' and '.join(self.show(c, 1) for c in term.guard)}, {body}, 0)"
        elif isinstance(term.body, sympy.Add):
            body = f"1*({body})"
        return ("-" if first else " - ") + body if negative else body if first else " + " + body

    def __repr__(self):
        return f"{type(self).__name__}({str(self)!r})"

    # ---------------------------------------------------------------------------------------------- evaluation

    def __call__(self, *, sizes=None, **values):
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

    def evaluate(self, values, sizes):
        """`__call__` with the keywords as dicts."""
        arrays, exact, dtype = _arrays(self, values)
        env = _parameters(self, values)
        env |= {size(name, axis).name: n for name, a in arrays.items() for axis, n in enumerate(a.shape)}
        extents = _extents(self, env, sizes)
        shape = sizes.get(self.output) or self._shape(extents, env, arrays, exact)
        out = np.zeros(tuple(shape), dtype=object if exact else dtype)
        for term in self.terms:
            for target, result, _ in evaluation.visit(term, self.loops(term), extents, env, arrays, exact):
                evaluation.accumulate(out, target, result)
        return _narrow(out) if exact and dtype != object else out

    def relation(self, sizes, **parameters):
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
        env = _parameters(self, parameters)
        env |= {size(name, axis).name: n for name, shape in sizes.items() for axis, n in enumerate(shape)}
        extents = _extents(self, env, {})
        ones = {name: np.ones(sizes[name], dtype=object) for name in self.operands}
        columns = {}
        for term in self.terms:
            for target, values, here in evaluation.visit(term, self.loops(term), extents, env, ones, True):
                inside = (values != 0) & np.logical_and.reduce(
                    [(0 <= t) & (t < n) for t, n in zip(target, sizes[self.output], strict=True)] or [True])
                found = {name: here[name] for name in self.loops(term)}
                found |= {f"{self.output}[{axis}]": t for axis, t in enumerate(target)}
                for reading in term.arrays():
                    found |= {f"{array_of(reading)}[{axis}]": evaluation.compiled(e, True)(here)
                              for axis, e in enumerate(indices_of(reading))}
                for name, column in found.items():
                    columns.setdefault(name, []).append(np.broadcast_to(column, len(inside))[inside])
        return {name: np.concatenate(parts) for name, parts in columns.items()}

    def _shape(self, extents, env, arrays, exact):
        """Shape of the output: ranges of bare indices, last written index + 1 of the others."""
        shape = []
        for axis, expr in enumerate(self.terms[0].target):
            if _stands_alone(expr) and expr.name in extents:
                shape.append(extents[expr.name])
                continue
            last = -1
            for term in self.terms:
                for target, _, _ in evaluation.visit(term, self.loops(term), extents, env, arrays, exact):
                    last = max(last, int(target[axis].max(initial=-1)))
            shape.append(last + 1)
        return shape


def _stands_alone(expr):
    return expr.is_Symbol and ".shape[" not in expr.name


def _conditions(assume):
    texts = (assume,) if isinstance(assume, str) else assume
    return tuple(condition for text in texts for condition in parse_condition(text))


def _multiplying(expr, indices):
    """Parameters that multiply an index, or divide, in an index expression."""
    found = set()
    for node in sympy.preorder_traversal(expr):
        if isinstance(node, (floordiv, mod)):
            found |= names(node.args[1])
        if isinstance(node, sympy.Mul) and names(node) & set(indices):
            found |= names(node)
    return found - set(indices)


# ------------------------------------------------------------------------------------------- checks of the text

@dataclass(frozen=True)
class _Check:
    """The rules a text must keep once indices and parameters are known."""

    formula: Formula
    parsed: object

    def fail(self, message, name, hint=None):
        raise FormulaError(message, self.parsed.text, self.parsed.columns.get(name), hint)

    def run(self):
        formula = self.formula
        arrays = {formula.output, *formula.operands}
        if formula.output in formula.operands:
            self.fail(f"{formula.output} is written and read in the same formula", formula.output,
                      "give the result a name of its own")
        for name in (*formula.indices, *formula.parameters):
            if name in arrays:
                self.fail(f"{name} is used both as an array and as an index or parameter", name, "rename one of them")
        if "sizes" in arrays or "sizes" in formula.parameters:
            self.fail("the name 'sizes' is taken by the call of a formula", "sizes", "rename it")
        for term in formula.terms:
            for expr in (*term.target, *(e for a in term.arrays() for e in indices_of(a))):
                self.affine(expr)
        if formula.operator == "=":
            self.assignment()
        self.known(dict(formula.ranges), "ranges")
        self.known(dict(formula.sizes), "sizes")
        for name in formula.symmetric:
            if name not in formula.parameters:
                self.fail(f"symmetric names {name!r}, which is no parameter", None, nearest(name, formula.parameters))

    def affine(self, expr):
        opaque = {node: sympy.Dummy() for node in sympy.preorder_traversal(expr) if isinstance(node, (floordiv, mod))}
        for node in opaque:
            self.affine(node.args[0])
            if names(node.args[1]) & set(self.formula.indices):
                self.fail("an index cannot stand in a divisor", min(names(node.args[1])))
        if affine(expr.xreplace(opaque), self.formula.indices) is None:
            culprit = min(names(expr) & set(self.formula.indices))
            self.fail(f"the index expression {self.formula.show(expr)} is not affine: "
                      "it multiplies indices", culprit, "an index may be multiplied by integers and parameters only")

    def assignment(self):
        for term in self.formula.terms:
            bare = [e.name for e in term.target if _stands_alone(e)]
            if len(bare) < len(term.target) or len(set(bare)) < len(bare):
                self.fail("= needs distinct, bare indices on the left", self.formula.output, "write += to add up")
            summed = set(self.formula.loops(term)) - set(bare)
            if summed:
                self.fail(f"= has no summed index, but {min(summed)} appears only on the right", min(summed),
                          "write += to sum over it")

    def known(self, given, what):
        used = {n for t in self.formula.terms for n in t.names()}
        for name in given:
            if name not in used:
                self.fail(f"{what} names {name!r}, which is no index of the formula", None,
                          nearest(name, self.formula.indices))


# ------------------------------------------------------------------------------------------ binding of arguments

def _arrays(formula, values):
    """Operands as arrays, whether they are exact, and the type of the result."""
    known = (*formula.operands, *formula.parameters)
    for name in values:
        if name not in known:
            raise FormulaError(f"{name!r} is neither an operand nor a parameter", str(formula), None,
                               nearest(name, known))
    found = {}
    for name in formula.operands:
        if name not in values:
            raise FormulaError(f"the operand {name!r} is missing", str(formula), None,
                               f"call it with {', '.join(n + '=...' for n in formula.operands)}")
        array = np.asarray(values[name])
        if array.dtype.kind not in "iufcO" or not all(isinstance(v, Number | sympy.Basic) for v in array.flat[:1]):
            raise FormulaError(f"{name} holds {array.dtype}; a formula is evaluated on numbers")
        if array.ndim != formula.rank(name):
            raise ShapeError(f"{name} has {array.ndim} axes {array.shape}; the formula reads it with "
                             f"{formula.rank(name)}: {formula}")
        found[name] = array
    dtype = np.result_type(*found.values()) if found else np.dtype(np.int64)
    exact = dtype.kind in "iuO"
    return {n: a.astype(object if exact else dtype) for n, a in found.items()}, exact, dtype


def _parameters(formula, values):
    """Values of the parameters; those left out are neutral."""
    env, multipliers = {}, formula.multipliers
    inside = set().union(*(names(e) for t in formula.terms for a in t.arrays() for e in indices_of(a)),
                         *(names(e) for t in formula.terms for e in t.target))
    for name in formula.parameters:
        if name not in values:
            if name not in inside:
                raise FormulaError(f"the parameter {name!r} is missing", str(formula), None, f"call it with {name}=...")
            env[name] = 1 if name in multipliers else 0
            continue
        value = values[name]
        if name in inside:
            if isinstance(value, bool | np.bool) or not isinstance(value, int | np.integer):
                raise FormulaError(f"the parameter {name} is {value!r}; it stands in an index, so it is an integer")
            value = int(value)
        elif not isinstance(value, Number | sympy.Basic):
            raise FormulaError(f"the parameter {name} is {value!r}; it is a number")
        if name in multipliers and value < 1:
            raise FormulaError(f"the parameter {name} is {value}; it multiplies an index or divides, so it is at least 1")
        env[name] = Fraction(value) if isinstance(value, Fraction) else value
    return env


def _extents(formula, env, sizes):
    """Range of every index as an integer."""
    extents = {}
    ranges = dict(formula.ranges)
    for index in formula.indices:
        agree = {place: env[size(*place).name] for place in formula.bare(index) if size(*place).name in env}
        if index in ranges:
            extents[index] = max(0, int(evaluation.compiled(ranges[index], True)(env)))
        elif agree:
            extents[index] = next(iter(agree.values()))
        for (array, axis), n in agree.items():
            if n != extents[index]:
                raise ShapeError(f"{array} has size {n} on axis {axis}, but index {index} runs to {extents[index]} "
                                 f"elsewhere; arrays that share an index agree in its size: {formula}")
    left = [i for i in formula.indices if i not in extents]
    for index in left:
        extents[index] = _output_extent(formula, index, env, sizes)
    return extents


def _output_extent(formula, index, env, sizes):
    if index in sizes:
        return int(sizes[index])
    if formula.output in sizes:
        axis = dict((array, axis) for array, axis in formula.bare(index))[formula.output]
        return int(sizes[formula.output][axis])
    candidates = formula.output_size(index)
    if not candidates:
        raise ShapeError(f"no read decides how large {index} of {formula.output} is: {formula}; "
                         f"say so with sizes={{{index!r}: ...}}")
    return max(0, min(int(evaluation.compiled(c, True)(env)) for c in candidates))


def _narrow(out):
    """Exact integers as int64 where they fit."""
    limit = np.iinfo(np.int64)
    if all(isinstance(v, int) and limit.min <= v <= limit.max for v in out.flat):
        return out.astype(np.int64)
    return out
