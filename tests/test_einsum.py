"""Einsum text: NumPy's einsum computes the formula, and what is no einsum is refused with its reason."""

import string

import numpy as np
import pytest
from formulas import EXAMPLES
from plain import filled

from convsym import Formula, FormulaError, vjp
from convsym.codegen.einsum import einsum, einsum_text
from convsym.codegen.formats import PRINTERS
from convsym.expressions import array_of, indices_of

PRODUCTS = [
    ("y[i, j] += a[i, k]*b[k, j]", "ik,kj->ij"),
    ("y[n, k, o] += x[n, c, o]*w[k, c]", "nco,kc->nko"),
    ("y[i] += a[i, j]*x[j]", "ij,j->i"),
    ("y[i] += x[i, i]", "ii->i"),
    ("y[i] += x[i, n]", "in->i"),
    ("y[i] += a[()]*x[i]", ",i->i"),
    ("y[()] += x[i]*z[i]", "i,i->"),
    ("y[i, j] += x[i]*z[j]", "i,j->ij"),
    ("y[j, i] = x[i, j]", "ij->ji"),
    ("y[i] += x[i]**2", "i,i->i"),
    ("y[i] += x[i]**3*w[i]", "i,i,i,i->i"),
    ("y[b, h, q, k] += Q[b, h, q, d]*K[b, h, k, d]", "bhqd,bhkd->bhqk"),
    ("y[row, col] += a[row, inner]*b[inner, col]", "ac,cb->ab"),
    ("y[i0, i1] += a[i0, b]*c[b, i1]", "ab,bc->ac"),
    ("y[Z, _] += a[Z, __]*c[__, _]", "Zb,ba->Za"),
    ("y[i] += a[i, j]*a[i, k]*g[j, k]", "ij,ik,jk->i"),
]
REFUSED = {
    "y[i] += x[i] + z[i]": "it has 2 terms, einsum has one",
    "y[o] += x[o + r]*w[r]": "the subscript o + r is no bare index",
    "y[2*i] += x[i]": "the subscript 2*i is no bare index",
    "y[i] += 2*x[i]": "the factor 2 is no access to an array",
    "y[i] += alpha*x[i]": "the factor alpha is no access to an array",
    "y[i] += exp(x[i])": "the factor exp(x[i]) is no access to an array",
    "y[i] += x[i]/z[i]": "the factor 1/z[i] is no access to an array",
    "y[n, k] += b[k]": "the index n is read by no array",
    "y[i, i] += x[i]": "the index i is written twice",
    "y[i] += where(i > 0, x[i], 0)": "it has the condition i > 0",
    "y[0, i] += x[i]": "the subscript 0 is no bare index",
    "y[i] += x[i, n + 1]": "the subscript n + 1 is no bare index",
    "y[i] += x[i, 2]": "the subscript 2 is no bare index",
}


def assert_computes(formula):
    subscripts, operands = einsum(formula)
    reads = [reading for term in formula.terms for reading in term.arrays()]
    square = len(reads) > len(formula.operands)  # one array at different indices
    sizes = {name: 3 if square else 2 + place % 3 for place, name in enumerate(sorted(formula.indices))}
    shapes = {array_of(a): tuple(sizes[e.name] for e in indices_of(a)) for a in reads}
    arrays = {name: a.astype(np.int64) for name, a in filled(shapes).items()}
    value = np.einsum(subscripts, *(arrays[name] for name in operands))
    assert np.array_equal(value, formula(sizes={n: sizes[n] for n in formula.indices}, **arrays))


@pytest.mark.parametrize("text, subscripts", PRODUCTS)
def test_numpy_computes_what_the_text_says(text, subscripts):
    formula = Formula(text)
    assert einsum(formula)[0] == subscripts
    assert_computes(formula)
    for wrt in formula.operands:
        rule = vjp(formula, wrt)
        product = len(rule.terms) == 1 and rule.terms[0].body.as_coeff_Mul()[0] == 1
        if product and text not in ("y[i] += x[i, i]", "y[i] += x[i, n]"):  # a guard, a broadcast
            assert_computes(rule)


def test_a_wrong_text_is_seen(monkeypatch):
    right = einsum
    monkeypatch.setitem(globals(), "einsum", lambda f: (right(f)[0].replace("ik,kj", "ki,kj"), right(f)[1]))
    with pytest.raises((AssertionError, ValueError)):
        assert_computes(Formula("y[i, j] += a[i, k]*b[k, j]"))


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_einsum_is_refused_with_the_reason(text):
    with pytest.raises(FormulaError) as error:
        einsum(Formula(text, ranges={"n": "y.shape[0]"} if "y[n, k]" in text else None))
    assert f"this is no einsum: {REFUSED[text]}" in str(error.value)
    assert "bare indices" in str(error.value)


def test_every_example_prints_or_is_refused():
    printed = 0
    for example in EXAMPLES:
        formula = Formula(example.text, ranges=dict(example.ranges))
        try:
            einsum(formula)
        except FormulaError as error:
            assert "this is no einsum: " in str(error)
        else:
            printed += 1
            assert_computes(formula)
    assert printed >= 5


def test_there_are_letters_for_52_indices():
    names = [f"i{number}" for number in range(53)]
    for count, fits in ((52, True), (53, False)):
        # Arrays of two axes: NumPy limits the number of axes of one array, not of letters; a term reads 32 elements.
        pairs = [", ".join(names[place : min(place + 2, count)]) for place in range(0, count, 2)]
        formula = Formula(f"y[()] += {'*'.join(f'x{n}[{pair}]' for n, pair in enumerate(pairs))}")
        if fits:
            assert len(set(einsum(formula)[0]) & set(string.ascii_letters)) == 52
            continue
        with pytest.raises(FormulaError) as error:
            einsum(formula)
        assert "53 indices, and there are 52 letters" in str(error.value)


def test_the_line_is_python_and_its_names_are_safe():
    line = einsum_text(Formula("y[i] += lambda_[i, j]*exp[j]"))
    assert line == 'y = einsum("ij,j->i", lambda_, exp_)'
    rule = vjp(Formula("y[i, k] += a[i, j]*b[j, k]"), "b")
    assert PRINTERS["einsum"](rule) == einsum_text(rule) == 'db = einsum("ik,ij->jk", dy, a)'
