"""Records load back as what was recorded, and a record that says anything else is refused."""

import copy
import json

import pytest
from formulas import EXAMPLES
from test_derivation import DIFFERENTIABLE

from convsym import Formula, FormulaError, hvp, jvp, registry, vjp
from convsym.cli import FORMATS
from convsym.codegen.formats import PRINTERS
from convsym.records import (
    MAX_PARENTS,
    SCHEMA,
    formula_from_record,
    formula_record,
    rule_from_record,
    rule_record,
)

CONV = Formula("y[o] += x[stride*o + r - p]*w[r]", symmetric=("p",), assume=("w.shape[0] == 2*p + 1",))
PARTS = ("output", "operator", "terms", "ranges", "sizes", "assume", "symmetric", "indices", "operands", "parameters")


def through_json(record):
    return json.loads(json.dumps(record))


def assert_same(loaded, formula):
    for part in PARTS:
        assert getattr(loaded, part) == getattr(formula, part), part
    assert str(loaded) == str(formula)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_formula_loads_back(example):
    formula = Formula(example.text, ranges=dict(example.ranges))
    loaded = formula_from_record(through_json(formula_record(formula)))
    assert loaded == formula
    assert_same(loaded, formula)


@pytest.mark.parametrize(
    "formula",
    [
        CONV,
        Formula("y[o] += x[o + r]*w[r]", sizes={"o": "x.shape[0]"}),
        Formula("y[o] += x[o + r - h]*w[r]", ranges={"r": "2*h + 1"}, assume=("h >= 1", "x.shape[0] > h")),
        *(op.formula for op in registry.values()),
        jvp(CONV, ("x", "w")),
        hvp(CONV, "x", "w"),
    ],
    ids=str,
)
def test_what_the_text_does_not_hold_loads_back(formula):
    assert_same(formula_from_record(through_json(formula_record(formula))), formula)


@pytest.mark.parametrize("example, wrt", DIFFERENTIABLE)
def test_a_rule_loads_back(example, wrt):
    rule = vjp(Formula(example.text, ranges=dict(example.ranges)), wrt)
    assert_same_rule(rule_from_record(through_json(rule_record(rule))), rule)


def assert_same_rule(loaded, rule):
    assert_same(loaded, rule)
    assert (loaded.wrt, loaded.parent, loaded.scatter, loaded.gather) == (
        rule.wrt,
        rule.parent,
        rule.scatter,
        rule.gather,
    )
    assert loaded.steps == rule.steps


@pytest.mark.parametrize("chain", [("x", "dy"), ("x", "w"), ("w", "x", "dy"), ("w", "dy", "x")])
def test_derivatives_of_derivatives_load_back(chain):
    rule = CONV
    for wrt in chain:
        rule = vjp(rule, wrt) if wrt in rule.operands else rule
    loaded = rule_from_record(through_json(rule_record(rule)))
    assert_same_rule(loaded, rule)
    assert loaded.parent.parent == rule.parent.parent


# Every way in which a record can say something else, as (path, new value, what the sentence names).
FORGED = [
    (("gather",), "dx[i] += dy[i - r]*w[r]", "another gather"),
    (("scatter",), "dx[stride*o - r - p] += dy[o]*w[r]", "another scatter"),
    (("formula",), "y[o] += x[o]*w[r]", "another formula"),
    (("wrt",), "w", "another gather"),
    (("wrt",), "z", "'z' is no operand"),
    (("wrt",), None, "'wrt' of a record is a str, not None"),
    (("wrt",), ["x"], "'wrt' of a record is a str, not a list"),
    (("indices",), ["i"], "another indices"),
    (("parameters",), [], "another parameters"),
    (("steps",), [], "another steps"),
    (("steps", 0, "text"), "0 = 1", "another steps"),
    (("steps", 0, "latex"), "<script>", "another steps"),
    (("steps", 0, "lemma"), "magic", "another steps"),
    (("parent", "formula"), "y[o] += x[stride*o - r - p]*w[r]", "another formula"),
    (("parent", "formula"), "y[o] += x[o + r]*w[r]", "'stride', which is no name of its formula"),
    (("parent", "formula"), "import os", "a formula assigns with"),
    (("parent", "formula"), 3, "'formula' of a record is a str, not 3"),
    (("parent", "sizes"), [], "'sizes' of a record is a dict, not a list"),
    (("parent", "sizes"), {"o": 3}, "holds 3 where a text belongs"),
    (("parent", "symmetric"), ["q"], "q"),
    (("parent", "assume"), [{}], "holds a dict where a text belongs"),
    (("parent", "assume"), ["__import__('os')"], "a condition is a comparison"),
    (("parent", "order"), ["nothing"], "orders 'nothing', which is no name"),
    (("parent", "order"), None, "'order' of a record is a list, not None"),
    (("parent",), None, "'parent' of a record is a dict, not None"),
    (("parent", "schema"), 7, "schema 7; this version reads"),
    (("parent", "kind"), "proof", "the record of a 'proof', not of a 'formula'"),
    (("schema",), SCHEMA + 1, f"schema {SCHEMA + 1}; this version reads {SCHEMA}"),
    (("schema",), "1", "schema '1'; this version reads"),
    (("schema",), True, "schema True; this version reads"),
    (("schema",), None, "schema None; this version reads"),
    (("kind",), "proof", "the record of a 'proof', not of a 'rule'"),
    (("kind",), [], "the record of a a list, not of a 'rule'"),
]


@pytest.mark.parametrize("path, value, sentence", FORGED)
def test_a_record_that_says_anything_else_is_refused(path, value, sentence):
    record = through_json(rule_record(vjp(CONV, "x")))
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(FormulaError) as error:
        rule_from_record(record)
    assert sentence in str(error.value)


@pytest.mark.parametrize("name", rule_record(vjp(CONV, "x")))
def test_a_record_that_lacks_an_entry_is_refused(name):
    record = rule_record(vjp(CONV, "x"))
    del record[name]
    with pytest.raises(FormulaError):
        rule_from_record(record)


@pytest.mark.parametrize(
    "record", [None, 3, [], "rule", {}, {"schema": SCHEMA}, {"schema": SCHEMA, "kind": "rule"}], ids=repr
)
@pytest.mark.parametrize("load", [formula_from_record, rule_from_record])
def test_what_is_no_record_is_a_sentence(load, record):
    with pytest.raises(FormulaError) as error:
        load(record)
    assert "record" in str(error.value)


def test_a_record_that_never_ends_is_refused():
    record = rule_record(vjp(CONV, "x"))
    for _ in range(MAX_PARENTS + 3):
        record = copy.copy(record) | {"parent": record}
    with pytest.raises(FormulaError) as error:
        rule_from_record(record)
    assert f"more than {MAX_PARENTS} derivatives" in str(error.value)
    loop = rule_record(vjp(CONV, "x"))
    loop["parent"] = loop
    with pytest.raises(FormulaError):
        rule_from_record(loop)


def test_the_command_line_knows_every_format():
    assert tuple(PRINTERS) == FORMATS
    record = json.loads(PRINTERS["json"](vjp(CONV, "x")))
    assert_same_rule(rule_from_record(record), vjp(CONV, "x"))
