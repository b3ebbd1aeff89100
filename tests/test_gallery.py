"""The gallery: formulas from papers and libraries, derived, proved or honestly open, and checked by enumeration."""

import math
from functools import cache

import numpy as np
import pytest
import sympy
from folding import Folded
from gallery import GALLERY
from plain import Form, filled
from test_jacobians import entries, value

from convsym import Formula, FormulaError, ShapeError, jacobian, jacobian_nnz, jacobian_pattern, jvp, prove, vjp

pytest.importorskip("z3")

CASES = [(entry, wrt) for entry in GALLERY for wrt in entry.shapes]
IDS = [f"{entry}, d{wrt}" for entry, wrt in CASES]


def arrays_of(entry, seed=0):
    """Distinct positive integers, so that no product or difference vanishes by accident."""
    return filled(entry.shapes, seed, low=2, high=9_999)


@cache
def dense(entry, wrt):
    """The Jacobian as a dense array, rows before columns, from the text as Python reads it."""
    plain, arrays = Folded(entry.text), arrays_of(entry)
    result = np.zeros((math.prod(entry.shape), math.prod(entry.shapes[wrt])), object)
    places = list(np.ndindex(entry.shapes[wrt]))
    try:
        units = np.empty(entry.shapes[wrt], object)
        for place in places:
            units[place] = Form({place: 1})
        y = plain(arrays | {wrt: units}, entry.shape, entry.params)
        for row, form in enumerate(y.flat):
            for column, place in enumerate(places):
                result[row, column] = getattr(form, "coefficients", {}).get(place, 0)
    except (TypeError, sympy.SympifyError):  # not linear: SymPy differentiates, entry by entry
        moving = sympy.Symbol("moving")
        for column, place in enumerate(places):
            moved = arrays[wrt].copy()
            moved[place] = moving if entry.kind != "cases" else Dual(moved[place], 1)
            y = plain(arrays | {wrt: moved}, entry.shape, entry.params)
            for row, v in enumerate(y.flat):
                slope = v.slope if isinstance(v, Dual) else sympy.diff(v, moving).subs(moving, arrays[wrt][place])
                result[row, column] = slope
    return result


class Dual:
    """A number with a slope: cases are decided by the number, ties as `maximum` and `abs` decide them."""

    def __init__(self, number, slope=0):
        self.number, self.slope = number, slope

    def __add__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.number + other.number, self.slope + other.slope)

    def __mul__(self, number):
        return Dual(self.number * number, self.slope * number)

    def __sub__(self, other):
        return self + -1 * other

    def __rsub__(self, other):
        return -1 * self + other

    def __neg__(self):
        return -1 * self

    def __ge__(self, other):
        return self.number >= getattr(other, "number", other)

    def __le__(self, other):
        return self.number <= getattr(other, "number", other)

    __radd__, __rmul__ = __add__, __mul__


def sizes_of(entry):
    return entry.shapes | {Formula(entry.text).output: entry.shape}


def test_the_gallery_is_large_and_every_formula_has_a_source():
    assert len(GALLERY) >= 25
    assert len({e.name for e in GALLERY}) == len({e.text for e in GALLERY}) == len(GALLERY)
    assert all(e.source and set(e.shapes) == set(Formula(e.text).operands) for e in GALLERY)


@pytest.mark.parametrize("entry", GALLERY, ids=str)
def test_the_size_rule_gives_the_stated_shape(entry):
    """Where the source's size is another one than that of the last read, it has to be given."""
    f = Formula(entry.text)
    try:
        shape = f.shape(entry.shapes, **entry.params)
    except ShapeError as error:
        shape = str(error)
    assert (shape != entry.shape) == entry.given, shape


@pytest.mark.parametrize("entry", GALLERY, ids=str)
def test_a_formula_of_the_gallery_and_its_rules_round_trip(entry):
    f = Formula(entry.text)
    assert Formula(str(f)) == f
    for wrt in f.operands:
        rule = vjp(f, wrt)
        assert Formula(str(rule)) == rule.gather
        assert Formula(str(rule.scatter)) == rule.scatter


@pytest.mark.parametrize("entry, wrt", CASES, ids=IDS)
def test_a_rule_of_the_gallery_is_proved_or_says_why_not(entry, wrt):
    proof = prove(vjp(Formula(entry.text), wrt), budget=30)
    if wrt in entry.open:
        assert proof.status == "unknown", str(proof)
        assert entry.open[wrt] in proof.reason
        assert proof.geometries > 0
    else:
        assert proof.status == "proved", str(proof)


@pytest.mark.parametrize("entry, wrt", CASES, ids=IDS)
def test_a_rule_of_the_gallery_is_the_transposed_jacobian(entry, wrt):
    f = Formula(entry.text)
    rule = vjp(f, wrt)
    cotangent = filled({"dy": entry.shape}, seed=1)["dy"]
    values = {"d" + f.output: cotangent} | arrays_of(entry)
    values = {name: a for name, a in values.items() if name in rule.operands}
    want = dense(entry, wrt).T @ cotangent.reshape(-1)
    for form in (rule.gather, rule.scatter):
        params = {name: v for name, v in entry.params.items() if name in form.parameters}
        have = form(**values, **params, sizes={"d" + wrt: entry.shapes[wrt]})
        assert same(have.reshape(-1), want)


@pytest.mark.parametrize("entry", GALLERY, ids=str)
def test_a_tangent_of_the_gallery_is_the_jacobian_times_it(entry):
    f = Formula(entry.text)
    moving = f.operands
    tangents = filled({"t" + name: entry.shapes[name] for name in moving}, seed=2)
    formula = jvp(f, moving)
    values = {n: a for n, a in (arrays_of(entry) | tangents).items() if n in formula.operands}
    have = formula(**values, **entry.params, sizes={"t" + f.output: entry.shape})
    want = sum((dense(entry, name) @ tangents["t" + name].reshape(-1) for name in moving), 0)
    assert same(have.reshape(-1), want)


def same(have, want):
    return all(a == b or sympy.simplify(a - b) == 0 for a, b in zip(have, want, strict=True))


@pytest.mark.parametrize("entry, wrt", CASES, ids=IDS)
def test_the_pattern_is_that_of_the_jacobian(entry, wrt):
    f, want = Formula(entry.text), dense(entry, wrt)
    pattern = jacobian_pattern(f, wrt, sizes_of(entry), **entry.params)
    assert pattern.shape == want.shape
    found = entries(pattern)
    assert found == sorted(set(found))
    nonzero = {(int(i), int(j)) for i, j in zip(*np.nonzero(want != 0), strict=True)}
    if entry.kind == "cases":  # an entry of the other case counts too
        assert nonzero < set(found)
    else:
        assert nonzero == set(found)
@pytest.mark.parametrize("entry, wrt", CASES, ids=IDS)
def test_the_count_is_that_of_the_pattern_or_a_sentence(entry, wrt):
    f = Formula(entry.text)
    if wrt in entry.uncounted:
        with pytest.raises(FormulaError) as error:
            jacobian_nnz(f, wrt)
        assert len(str(error.value)) > 20
        return
    env = {f"{a}.shape[{axis}]": n for a, shape in sizes_of(entry).items() for axis, n in enumerate(shape)}
    found = value(jacobian_nnz(f, wrt), env | entry.params)
    assert found == jacobian_pattern(f, wrt, sizes_of(entry), **entry.params).nnz


@pytest.mark.parametrize("entry, wrt", [c for c in CASES if c[0].kind != "cases"], ids=lambda part: str(part))
def test_the_matrix_is_the_jacobian(entry, wrt):
    """Entries are expressions in the elements of the operands; the test puts numbers in."""
    matrix, want = jacobian(Formula(entry.text), wrt, sizes_of(entry), **entry.params), dense(entry, wrt)
    assert matrix.shape == want.shape
    values = {sympy.Symbol(name): number for name, number in entry.params.items()}
    for name, array in arrays_of(entry).items():
        base = sympy.IndexedBase(name)
        values |= {base[place]: array[place] for place in np.ndindex(array.shape)}
    have = {(int(i), int(j)): v.xreplace(values) for i, j, v in matrix.row_list()}
    assert have.keys() == {(int(i), int(j)) for i, j in zip(*np.nonzero(want != 0), strict=True)}
    assert same(have.values(), [want[place] for place in have])
