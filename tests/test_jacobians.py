"""Jacobians: closed-form counts and patterns against sets of (row, column) that plain loops find."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import product
from random import Random

import numpy as np
import pytest
import sympy
from test_formula import assert_says

from convsym import Formula, FormulaError, ShapeError, jacobian, jacobian_nnz, jacobian_pattern

QUICK, ALL = 12, 90  # geometries of each family


@dataclass(frozen=True)
class Family:
    """A formula, the operand, and what its loops are in plain Python.

    `points` is a generator expression of ``row, column`` pairs over sizes, parameters and ``inside(position, size)``.
    """

    name: str
    text: str
    wrt: str
    points: str
    params: tuple = ()

    def __str__(self):
        return f"{self.name}, d{self.wrt}"

    def reached(self, sizes, params):
        """The set of (row, column) index tuples."""
        names = {name: range(n) for name, n in sizes_by_axis(sizes).items()} | params
        return set(eval(f"({self.points})", names | {"inside": lambda at, extent: 0 <= at < len(extent)}))

    def geometries(self, count):
        """Random sizes and parameters, the output's size too: it may be too small, too large or empty."""
        random = Random(str(self))
        formula = Formula(self.text)
        for _ in range(count):
            extents = {name: random.randint(1, 3) for name in formula.indices}
            sizes = {}
            for array in (*formula.operands, formula.output):
                bare = {axis: name for name in formula.indices for a, axis in formula.bare(name) if a == array}
                sizes[array] = tuple(
                    extents[bare[axis]] if axis in bare else random.choice((0, 1, 2, 4, 5, 7))
                    for axis in range(formula.rank(array))
                )
            low = {"s": 1, "t": 1, "d": 1, "e": 1}
            yield sizes, {name: random.randint(low.get(name, -2), 3) for name in self.params}


def sizes_by_axis(sizes):
    return {f"{array}{axis}": n for array, shape in sizes.items() for axis, n in enumerate(shape)}


LINE = "y[o] += x[s*o + d*r - p]*w[r]"
LAYER = "y[n, g, k, o] += x[n, g, c, s*o + d*r - p]*w[g, k, c, r]"
PLANE = "y[o, q] += x[s*o + d*r - p, t*q + e*v - m]*w[r, v]"
UP = "y[n, k, s*i + d*r - p] += x[n, c, i]*w[c, k, r]"
COSTS = "y[n, d, i, j] += a[n, c, i, j]*b[n, c, i, j + d]"
POSITIONS = "y[i, j] += q[i, k]*a[i - j + p, k]"

IN_LINE = " for o in y0 for r in w0 if inside(s*o + d*r - p, x0)"
IN_LAYER = (" for n in x0 for g in x1 for k in w1 for o in y3 for c in x2 for r in w3"
            " if inside(s*o + d*r - p, x3)")  # fmt: skip
IN_PLANE = (" for o in y0 for q in y1 for r in w0 for v in w1"
            " if inside(s*o + d*r - p, x0) and inside(t*q + e*v - m, x1)")  # fmt: skip
IN_UP = " for n in x0 for k in w1 for c in x1 for i in x2 for r in w2 if inside(s*i + d*r - p, y2)"
IN_COSTS = " for n in a0 for d in y1 for i in a2 for j in a3 for c in a1 if inside(j + d, b3)"
IN_POSITIONS = " for i in q0 for j in y1 for k in q1 if inside(i - j + p, a0)"

FAMILIES = (
    Family("line", LINE, "x", "((o,), (s*o + d*r - p,))" + IN_LINE, tuple("sdp")),
    Family("line", LINE, "w", "((o,), (r,))" + IN_LINE, tuple("sdp")),
    Family("groups", LAYER, "x", "((n, g, k, o), (n, g, c, s*o + d*r - p))" + IN_LAYER, tuple("sdp")),
    Family("groups", LAYER, "w", "((n, g, k, o), (g, k, c, r))" + IN_LAYER, tuple("sdp")),
    Family("plane", PLANE, "x", "((o, q), (s*o + d*r - p, t*q + e*v - m))" + IN_PLANE, tuple("sdptem")),
    Family("plane", PLANE, "w", "((o, q), (r, v))" + IN_PLANE, tuple("sdptem")),
    Family("transposed", UP, "x", "((n, k, s*i + d*r - p), (n, c, i))" + IN_UP, tuple("sdp")),
    Family("transposed", UP, "w", "((n, k, s*i + d*r - p), (c, k, r))" + IN_UP, tuple("sdp")),
    Family("causal", "y[t] += x[t - d*r]*w[r]", "x",
           "((t,), (t - d*r,)) for t in y0 for r in w0 if inside(t - d*r, x0)", ("d",)),
    Family("crop or delay", "y[a, t] += x[a, t - p]", "x",
           "((a, t), (a, t - p)) for a in x0 for t in y1 if inside(t - p, x1)", ("p",)),
    Family("subsampling", "y[t] += x[s*t - p]", "x",
           "((t,), (s*t - p,)) for t in y0 if inside(s*t - p, x0)", ("s", "p")),
    Family("insertion of zeros", "y[s*i + p] += x[i]", "x",
           "((s*i + p,), (i,)) for i in x0 if inside(s*i + p, y0)", ("s", "p")),
    Family("up, filter, down", "y[m] += x[i]*h[s*m - d*i]", "x",
           "((m,), (i,)) for m in y0 for i in x0 if inside(s*m - d*i, h0)", ("s", "d")),
    Family("relative positions", POSITIONS, "q", "((i, j), (i, k))" + IN_POSITIONS, ("p",)),
    Family("costs of matching", COSTS, "a", "((n, d, i, j), (n, c, i, j))" + IN_COSTS),
    Family("a sum that misses the entry", "y[i] += x[i]*z[j]", "x", "((i,), (i,)) for i in x0 for j in z0"),
    Family("a function of a read", "y[i] += z[i]*exp(x[i - p])", "z", "((i,), (i,)) for i in z0", ("p",)),
)  # fmt: skip


# ------------------------------------------------------------------- closed forms, read by the test itself

OPERATIONS = {
    sympy.Add: lambda *a: sum(a),
    sympy.Mul: lambda *a: reduce(lambda x, y: x * y, a, 1),
    sympy.Max: max,
    sympy.Min: min,
    sympy.floor: math.floor,
    sympy.ceiling: math.ceil,
    sympy.Pow: lambda base, exponent: Fraction(base) ** exponent,
}


def value(expr, env):
    """A closed form at numbers: sums by a loop, quotients exact."""
    if expr.is_Symbol:
        return env[expr.name]
    if expr.is_Number:
        return Fraction(int(expr.p), int(expr.q)) if expr.q != 1 else int(expr)
    if isinstance(expr, sympy.Sum):
        body, (index, first, last) = expr.args[0], expr.args[1]
        return sum(value(body, env | {index.name: i}) for i in range(value(first, env), value(last, env) + 1))
    return OPERATIONS[expr.func](*(value(a, env) for a in expr.args))


def environment(sizes, params):
    return {f"{a}.shape[{axis}]": n for a, shape in sizes.items() for axis, n in enumerate(shape)} | params


def disagreements(family, count, geometries):
    """Geometries at which a count is not the number of entries that plain loops reach."""
    for sizes, params in geometries:
        if value(count, environment(sizes, params)) != len(family.reached(sizes, params)):
            yield sizes, params


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_count_is_the_number_of_entries_reached(family):
    """17 families × 90 geometries: more than 1500."""
    found = disagreements(family, jacobian_nnz(Formula(family.text), family.wrt), family.geometries(ALL))
    assert next(found, None) is None


def test_there_are_enough_geometries_and_they_differ():
    every = [(str(f), repr(g)) for f in FAMILIES for g in f.geometries(ALL)]
    assert len(set(every)) >= 1000
    reached = [len(f.reached(*g)) for f in FAMILIES for g in f.geometries(ALL)]
    assert sum(n > 0 for n in reached) > 500


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_pattern_is_the_set_of_entries_reached(family):
    formula = Formula(family.text)
    for sizes, params in family.geometries(QUICK):
        pattern = jacobian_pattern(formula, family.wrt, sizes, **params)
        rows, columns = sizes[formula.output], sizes[family.wrt]
        assert pattern.shape == (math.prod(rows), math.prod(columns))
        want = {(flat(row, rows), flat(column, columns)) for row, column in family.reached(sizes, params)}
        assert entries(pattern) == sorted(want)
        assert pattern.nnz == len(want)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_pattern_count_and_sympy_agree_on_many_geometries(family):
    formula = Formula(family.text)
    count = jacobian_nnz(formula, family.wrt)
    for place, (sizes, params) in enumerate(family.geometries(ALL)):
        found = jacobian_pattern(formula, family.wrt, sizes, **params).nnz
        assert found == len(family.reached(sizes, params))
        if place % 9 == 0:
            assert found == int(count.subs(environment(sizes, params)).doit())


@pytest.mark.parametrize("family", FAMILIES[:2] + FAMILIES[6:13], ids=str)
def test_sympy_evaluates_the_count_too(family):
    count = jacobian_nnz(Formula(family.text), family.wrt)
    for sizes, params in family.geometries(3):
        assert int(count.subs(environment(sizes, params)).doit()) == len(family.reached(sizes, params))


def flat(place, shape):
    return reduce(lambda total, pair: total * pair[1] + pair[0], zip(place, shape, strict=True), 0)


def entries(pattern):
    """The pattern's (row, column) pairs, in its own order."""
    assert pattern.indptr[0] == 0
    assert pattern.indptr[-1] == len(pattern.indices)
    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    return list(zip(rows.tolist(), pattern.indices.tolist(), strict=True))


@pytest.mark.parametrize("family", [f for f in FAMILIES if "exp" not in f.text], ids=str)
def test_the_matrix_has_an_entry_exactly_where_the_pattern_says(family):
    formula = Formula(family.text)
    for sizes, params in family.geometries(3):
        matrix = jacobian(formula, family.wrt, sizes, **params)
        pattern = jacobian_pattern(formula, family.wrt, sizes, **params)
        assert matrix.shape == pattern.shape
        assert sorted((int(i), int(j)) for i, j, _ in matrix.row_list()) == entries(pattern)


# ------------------------------------------------------------------------------------------------- mutants

MUTANTS = {
    "floor for ceiling": lambda e: e.replace(sympy.ceiling, sympy.floor),
    "ceiling for floor": lambda e: e.replace(sympy.floor, sympy.ceiling),
    "one tap less": lambda e: e.replace(sympy.Sum, lambda body, limits: sympy.Sum(body, (limits[0], 2, limits[2]))),
    "one tap more": lambda e: e.replace(sympy.Sum, lambda body, limits: sympy.Sum(body, (limits[0], 0, limits[2]))),
    "stride and dilation exchanged": lambda e: e.subs({"s": "d", "d": "s"}, simultaneous=True),
    "no dilation": lambda e: e.subs("d", 1),
    "padding of the other sign": lambda e: e.subs("p", -sympy.Symbol("p")),
    "output one larger": lambda e: e.subs("y.shape[0]", sympy.Symbol("y.shape[0]") + 1),
    "input one smaller": lambda e: e.subs("x.shape[0]", sympy.Symbol("x.shape[0]") - 1),
    "twice": lambda e: 2 * e,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_brute_force_sees_a_wrong_count(name):
    family = FAMILIES[0]
    text = jacobian_nnz(Formula(family.text), family.wrt)
    plain = text.xreplace({s: sympy.Symbol(s.name) for s in text.free_symbols})
    wrong = MUTANTS[name](plain)
    assert wrong != plain
    assert next(disagreements(family, wrong, family.geometries(ALL)), None) is not None


# ----------------------------------------------------------------------------------------- whatever the values

VALUE_FREE = [
    ("y[i] += (x[i] - t[i])**2", "x", {"x": (3,), "t": (3,)}, [(0, 0), (1, 1), (2, 2)]),
    ("y[i] += log(x[i])*t[i]", "t", {"x": (3,), "t": (3,)}, [(0, 0), (1, 1), (2, 2)]),
    ("y[i] = where(x[i] > 1, t[i], 0)", "t", {"x": (3,), "t": (3,)}, [(0, 0), (1, 1), (2, 2)]),
    ("y[i] = maximum(x[2*i], x[2*i + 1])", "x", {"x": (4,)}, [(0, 0), (0, 1), (1, 2), (1, 3)]),
    ("y[()] += abs(x[i + 1] - x[i])", "x", {"x": (4,)}, [(0, 0), (0, 1), (0, 2), (0, 3)]),
    ("y[i] += (x[i + 1] - x[i])**2", "x", {"x": (3,)}, [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]),
    ("y[i] += x[i]/x[i + 1]", "x", {"x": (3,)}, [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]),
    ("y[i] += x[i - 1]*exp(t[i - 1])", "x", {"x": (2,), "t": (1,), "y": (4,)}, [(1, 0), (2, 1)]),
]


@pytest.mark.parametrize("text, wrt, sizes, want", VALUE_FREE)
def test_no_value_decides_the_pattern(text, wrt, sizes, want):
    formula = Formula(text)
    sizes = {"y": (len({row for row, _ in want}),) * formula.rank("y")} | sizes
    assert entries(jacobian_pattern(formula, wrt, sizes)) == want


def test_a_parameter_that_is_0_leaves_the_pattern():
    pattern = jacobian_pattern(Formula("y[i] += alpha*x[i]"), "x", {"x": (2,)}, alpha=0)
    assert entries(pattern) == [(0, 0), (1, 1)]


# ------------------------------------------------------------------------------------------------ sentences

UNCOUNTED = [
    ("y[i] += x[i + 1] - x[i]", "x", "one term"),
    ("y[i] += where(i > 0, x[i], 0)", "x", "no condition"),
    ("y[o] += x[circular(o + r)]*w[r]", "x", "may share an entry"),
    ("y[o] += x[circular(o + r)]*w[r]", "w", "cannot be counted axis by axis"),
    ("y[o] += x[o + a + b]*u[a]*v[b]", "x", "may share an entry"),
    ("y[a + b] += x[c]*u[a]*v[b]", "x", "may share an entry"),
    ("y[()] += x[i//2]*z[i]", "x", "may share an entry"),
    ("y[o] += x[s*o + r, t*o - r]*w[r]", "x", "cannot be counted axis by axis"),
    ("y[i] += x[i]*w[3]", "x", "cannot be counted axis by axis"),
    ("y[i] += x[3 - i]", "x", "moves 3 - i forward"),
]


@pytest.mark.parametrize("text, wrt, piece", UNCOUNTED)
def test_what_has_no_closed_form_is_a_sentence(text, wrt, piece):
    with pytest.raises(FormulaError) as error:
        jacobian_nnz(Formula(text), wrt)
    assert_says(error, piece)


def test_wrong_arguments_are_sentences():
    f = Formula("y[o] += x[o + r]*w[r]")
    for call in (jacobian, jacobian_pattern):
        with pytest.raises(FormulaError) as error:
            call(f, "v", {"x": (3,), "w": (2,)})
        assert_says(error, "'v' is no operand")
        with pytest.raises(ShapeError) as error:
            call(f, "x", {"x": (3,)})
        assert_says(error, "says nothing of w")
        with pytest.raises(ShapeError) as error:
            call(f, "x", {"x": (3, 3), "w": (2,)})
        assert_says(error, "(3, 3)", "1 axes")
        with pytest.raises(FormulaError) as error:
            call(f, "x", {"x": (3,), "w": (2,)}, stride=2)
        assert_says(error, "'stride' is no parameter")
    with pytest.raises(FormulaError) as error:
        jacobian_nnz(f, "v")
    assert_says(error, "'v' is no operand")
    with pytest.raises(FormulaError) as error:
        jacobian(Formula("y[o] += J[o + r]*w[r]"), "w", {"J": (3,), "w": (2,)})
    assert_says(error, "'J'", "taken")


def test_families_reach_what_their_formulas_say():
    """The loops above are those of the formulas: the values of the forward pass agree."""
    random = Random(1)
    for family in FAMILIES[:2]:
        for sizes, params in family.geometries(QUICK):
            x, w = ([random.randint(-3, 3) for _ in range(sizes[a][0])] for a in "xw")
            y = [0] * sizes["y"][0]
            for o, r in product(range(len(y)), range(len(w))):
                u = params["s"] * o + params["d"] * r - params["p"]
                y[o] += x[u] * w[r] if 0 <= u < len(x) else 0
            assert list(Formula(LINE)(x=x, w=w, sizes={"y": sizes["y"]}, **params)) == y
