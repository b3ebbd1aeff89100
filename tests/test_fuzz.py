"""No text of 10,000 characters takes longer than it may, and none raises anything but an error of this package."""

import re
from itertools import islice
from random import Random

import pytest
import sympy
from fuzzing import BUDGET, FAMILIES, READING, SLACK, Hanging, complaint, limited, measured, mutated, texts
from test_formula import assert_says

from convsym import Formula, FormulaError, check, prove, vjp
from convsym.limits import MAX_TEXT
from convsym.unfolding import boundary_pieces

pytest.importorskip("z3")


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_largest_texts_of_every_family_are_answered_soon(family):
    for size in (31, 32, 64, 128):
        text = FAMILIES[family](Random(family), size)[:MAX_TEXT]
        read, spent, answer = measured(text)
        assert complaint(read, spent) is None, (answer, text[:200])


@pytest.mark.parametrize("family", FAMILIES)
def test_small_texts_of_every_family_are_read_and_larger_ones_are_answered_soon(family):
    dice = Random(family)
    for size in (3, 12):
        text = FAMILIES[family](dice, size)[:MAX_TEXT]
        read, spent, answer = measured(text, budget=0.1)
        assert complaint(read, spent, 0.1) is None, (answer, text[:200])
        assert size > 3 or not answer.startswith("refused"), (answer, text)


def test_random_texts_are_answered_soon():
    for family, text in islice(texts(seed=1), 8):
        read, spent, answer = measured(text, budget=0.1)
        assert complaint(read, spent, 0.1) is None, (family, answer, text[:300])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_random_texts_are_answered_soon(seed):
    for family, text in islice(texts(seed), 120):
        read, spent, answer = measured(text)
        assert complaint(read, spent) is None, (family, answer, text[:300])


def test_what_takes_too_long_is_seen():
    assert complaint(READING + 0.1, 0) == f"reading and deriving took {READING + 0.1:.1f} s"
    assert "took" in complaint(0, 2 * (BUDGET + SLACK) + 0.1)
    assert complaint(READING, BUDGET) is None
    with pytest.raises(Hanging), limited(1):
        while True:
            pass


def test_another_error_goes_through(monkeypatch):
    def broken(*_, **__):
        raise MemoryError

    monkeypatch.setattr("fuzzing.prove", broken)
    with pytest.raises(MemoryError):
        measured("y[i] += x[i]")


def test_mutations_differ_from_the_text_and_from_each_other():
    dice, text = Random(0), "y[o] += x[s*o + r]*w[r]"
    found = {mutated(dice, text) for _ in range(100)}
    assert len(found - {text}) > 80


TOO_LARGE = [
    ("y[i] += " + "*".join(f"x[i + {k}]" for k in range(33)), "one term reads 33 elements; at most 32 are read"),
    ("y[i] += (x[i] + x[i + 1] + x[i + 2])**16 * (x[i] + 1)**2",
     "multiplied out, the value has 459 terms; at most 256 are read"),
    ("y[i] += exp(tanh(exp(tanh(exp(x[i])))))",
     "functions, quotients and powers of sums stand in each other more than 4 deep"),
    ("y[i] += x[((((i + 1)//2 + 1)//2 + 1)//2 + 1)//2//2]", "stand in each other more than 4 deep"),
    ("y[i] += where(" + " or ".join(f"i > {k}" for k in range(65)) + ", x[i], 0)",
     "the condition makes 65 comparisons; at most 64 are read"),
    ("; ".join(f"y[i + {k}] += x[i]" for k in range(129)), "the formula has 129 terms; at most 128 are read"),
]  # fmt: skip


@pytest.mark.parametrize("text, sentence", TOO_LARGE, ids=lambda value: value[:40])
def test_what_is_too_large_is_a_sentence(text, sentence):
    with pytest.raises(FormulaError) as error:
        Formula(text)
    assert_says(error, sentence)


@pytest.mark.parametrize("text, _", TOO_LARGE, ids=lambda value: value[:40])
def test_a_little_less_is_read(text, _):
    changes = [("*x[i + 32]", ""), (" * (x[i] + 1)**2", ""), ("exp(tanh(", "(("), ("//2//2", ""), (" or i > 64", ""),
               ("; y[i + 128] += x[i]", "")]  # fmt: skip
    for old, new in changes:
        text = text.replace(old, new, 1)
    assert Formula(text).operands == ("x",)


def test_values_without_an_order_are_a_sentence_and_refute_nothing():
    f = Formula("y[i] = where(sqrt(x[i]) > 1, z[i], 0)")
    with pytest.raises(FormulaError) as error:
        f(x=[sympy.Integer(-1)], z=[1])
    assert_says(error, "a condition compares values that have no order")
    assert check(Formula("y[i] = where(sqrt(x[i] - 5) > 1, z[i], 0)"), wrt="z",
                 claim="dz[i] += where(sqrt(x[i] - 5) > 1, dy[i], 0)").status != "refuted"  # fmt: skip


def test_a_division_by_zero_refutes_nothing():
    f = Formula("y[i] = z[i]/(x[i] - 1)")
    assert check(f, wrt="z", claim="dz[i] += dy[i]/(x[i] - 1)").status == "proved"


def test_very_many_pieces_are_left_open_with_the_reason():
    axes = range(5)
    places = ", ".join(f"reflect(i{k} - p)" for k in axes)
    proof = prove(vjp(Formula(f"y[{', '.join(f'i{k}' for k in axes)}] += x[{places}]"), "x"), budget=20)
    assert proof.status == "unknown"
    assert re.search(r"the folded axes have \d+ combinations of pieces; at most 81 are solved", proof.reason)


def test_a_fold_of_a_fold_is_proved_and_has_no_pieces():
    rule = vjp(Formula("y[i] += x[reflect(circular(i + 1, n), n)]"), "x")
    assert prove(rule).status == "proved"
    with pytest.raises(FormulaError) as error:
        boundary_pieces(rule)
    assert_says(error, "the position circular(i + 1, n) is folded more than once")
