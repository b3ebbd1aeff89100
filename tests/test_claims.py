"""Files of gradients written by hand, right ones and wrong ones, as a kernel engineer would have them judged.

Verdicts come from ``convsym check --file``; what is checked of them here uses Python's own reading of the texts.
"""

import ast
import contextlib
import io
import json
import math
import re
import tomllib
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
import sympy
from folding import Folded
from plain import filled, gradient

from convsym import cli

pytest.importorskip("z3")

FILES = sorted(Path(__file__).with_name("claims").glob("*.toml"))
# Whole files that take long to judge.
QUICK_FIRST = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in ("layer", "grouped", "line") else [])
    for path in FILES
]
ENTRIES = [(path, n, e) for path in FILES for n, e in enumerate(tomllib.loads(path.read_text("utf-8"))["claim"])]
RIGHT = [case for case in ENTRIES if case[2]["expect"] == "proved"]
WRONG = [case for case in ENTRIES if case[2]["expect"] == "refuted"]
KINDS = {  # words that stand in the names of wrong claims, and how many of each there are at least
    "sign": 4, "off by one|shifted by one|once more": 3, "reversed|reversal": 5, "missing": 10, "dilation": 8,
    "stride": 10, "exchanged": 8, "even kernel: unswapped padding": 1, "even kernel: swapped the wrong way": 1,
    "offset": 6, "guard": 5, "leftover rows": 4, "channel": 5, "shift|the wrong way|looks back": 4,
    "factor|mean|share|1/": 4, "missing term|one occurrence|forgotten": 8, "twice|doubled|double": 3,
    "last tap|first output|first tap": 3, "wrapped|replicate|reflect|symmetric": 8, "lag|residue": 3,
}  # fmt: skip


def ids(case):
    return f"{case[0].stem}: {case[2]['name']}"


@cache
def judged(path):
    """Exit code and records of ``convsym check --file PATH --json``."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = cli.main(["check", "--file", str(path), "--json", "--budget", "30"])
    return code, json.loads(out.getvalue())


# ------------------------------------------------------------------------------------------- the files themselves

def test_there_are_enough_claims_and_all_differ():
    assert len(RIGHT) >= 60
    assert len(WRONG) >= 60
    said = [(e["formula"], e["claim"], *e.get("assume", ())) for _, _, e in ENTRIES]
    assert len(set(said)) == len(said)
    names = [e["name"] for _, _, e in ENTRIES]
    assert len(set(names)) == len(names)
    assert len({e["formula"] for _, _, e in ENTRIES}) >= 30


@pytest.mark.parametrize("words", KINDS)
def test_every_kind_of_mistake_occurs(words):
    assert sum(bool(re.search(words, e["name"])) for _, _, e in WRONG) >= KINDS[words]


@pytest.mark.parametrize("path", QUICK_FIRST)
def test_the_command_finds_every_claim_as_expected(path):
    code, records = judged(path)
    assert [r["name"] for r in records if not r["ok"]] == []
    assert code == 0
    assert [(r["name"], r["expect"]) for r in records] == [(e["name"], e["expect"]) for p, _, e in ENTRIES if p == path]


@pytest.mark.parametrize("path", QUICK_FIRST)
@pytest.mark.parametrize("wanted", ["proved", "refuted"])
def test_a_flipped_expectation_fails(path, wanted, tmp_path, capsys):
    name, start, claim = next(
        (e["name"], *re.search(rf'name = "{re.escape(e["name"])}".*?(?=\n\n|\Z)', path.read_text("utf-8"), re.S).span())
        for p, _, e in ENTRIES if p == path and e["expect"] == wanted
    )  # fmt: skip
    other = "refuted" if wanted == "proved" else "proved"
    text = "[[claim]]\n" + path.read_text("utf-8")[start:claim].replace(f'expect = "{wanted}"', f'expect = "{other}"')
    flipped = tmp_path / "flipped.toml"
    flipped.write_text(text, encoding="utf-8")
    assert cli.main(["check", "--file", str(flipped), "--json"]) == 1
    (record,) = json.loads(capsys.readouterr().out)
    assert (record["name"], record["expect"], record["status"], record["ok"]) == (name, other, wanted, False)
    assert cli.main(["check", "--file", str(flipped)]) == 1
    assert f"FAIL {wanted}" in capsys.readouterr().out


# ---------------------------------------------------------------------------------- what Python makes of a claim

def readings(entry):
    """Formula and claim as Python reads them; an index of the claim that stands alone nowhere has the range it has in
    the formula."""
    forward, claim = Folded(entry["formula"]), Folded(entry["claim"])
    ranges = {}
    for name in claim.parameters & forward.indices:
        array, axis = (forward.bare.get(name) or [(None, None)])[0]
        ranges[name] = ast.unparse(forward.ranges[name]) if name in forward.ranges else f"{array}.shape[{axis}]"
    return forward, Folded(entry["claim"], ranges)


def true_and_claimed(entry, arrays, params):
    """Both gradients on given arrays; the cotangent stands under the output's name."""
    forward, claim = readings(entry)
    operands = {name: arrays[name] for name in forward.operands}
    truth = gradient(forward, entry["wrt"], operands, arrays[forward.output], params)
    reads = operands | {forward.output: arrays[forward.output], "d" + forward.output: arrays[forward.output]}
    return truth, claim(reads, arrays[entry["wrt"]].shape, params)


def stated_arrays(fill, sizes):
    """Arrays as a counter-example's sentence says."""
    first, step, by, modulus = map(int, re.search(
        r"flat entry j of array number a is (-?\d+) \+ \((\d+)\*j \+ (\d+)\*a\) % (\d+)", fill).groups())  # fmt: skip
    numbers = {name: int(n) for name, n in re.findall(r"(\w+) (\d+)", fill.split("numbers: ")[1])}
    return {
        name: np.array(
            [first + (step * j + by * numbers[name]) % modulus for j in range(math.prod(shape))], object
        ).reshape(shape)
        for name, shape in sizes.items()
    }


def holds(entry, sizes, params):
    """Whether the claim's assumptions hold, and parameters that multiply are at least 1."""
    names = {name: type("Array", (), {"shape": tuple(shape)}) for name, shape in sizes.items()} | params
    return all(eval(condition, dict(names)) for condition in entry.get("assume", ()))


def counted(value, unit):
    """A value as an integer of a unit; rounded only where it is no quotient of integers."""
    number = sympy.N(sympy.sympify(value) / sympy.sympify(unit), 60)
    assert unit.startswith("10**-") or abs(number - number.round()) < 1e-50
    return int(number.round())


def assert_real(entry, found):
    """The counter-example's numbers are what the formula and the claim give there, and they are small."""
    forward, _ = readings(entry)
    assert set(found["sizes"]) == {*forward.operands, forward.output}
    assert set(found["params"]) == forward.parameters
    assert all(0 <= n <= 4 for shape in found["sizes"].values() for n in shape)
    assert all(-2 <= n <= 4 for n in found["params"].values())
    assert holds(entry, found["sizes"], found["params"])
    arrays = stated_arrays(found["fill"], found["sizes"])
    truth, have = true_and_claimed(entry, arrays, found["params"])
    place = tuple(found["index"])
    assert [counted(truth[place], found["unit"]), counted(have[place], found["unit"])] == [
        found["expected"], found["claimed"]]  # fmt: skip
    assert truth[place] != have[place]


@pytest.mark.parametrize("case", WRONG, ids=ids)
def test_a_wrong_claim_is_refuted_by_a_small_and_real_counterexample(case):
    path, number, entry = case
    record = judged(path)[1][number]
    assert record["status"] == "refuted", record["reason"]
    assert_real(entry, record["counterexample"])


@pytest.mark.parametrize("case", WRONG[::16], ids=ids)
@pytest.mark.parametrize("change", [{"expected": 10_000}, {"claimed": -10_000}, {"sizes": None}])
def test_a_counterexample_that_lies_is_seen(case, change):
    path, number, entry = case
    found = judged(path)[1][number]["counterexample"]
    sizes = {name: [0 for _ in shape] for name, shape in found["sizes"].items()}
    lying = found | change | ({"sizes": sizes} if "sizes" in change else {})
    with pytest.raises((AssertionError, IndexError)):
        assert_real(entry, lying)


# ------------------------------------------------------------------------------------------------- right claims

def geometries(entry, count):
    """Random sizes and parameters for which the assumptions hold."""
    forward, _ = readings(entry)
    random = Random(entry["name"])
    ranged = {n.id for node in forward.ranges.values() for n in ast.walk(node) if isinstance(n, ast.Name)}
    at_least_1 = ranged | {n for n in forward.parameters if n not in ("p", "m", "padding", "mu", "D")}
    for _ in range(20_000):
        params = {n: random.randint(1 if n in at_least_1 else -1, 3) for n in sorted(forward.parameters)}
        extents = {n: random.randint(1, 3) for n in sorted(forward.indices)}
        for name, other in same_axis(forward):
            extents[name] = extents[other]
        sizes = {
            array: tuple(
                next((extents[n] for n, places in sorted(forward.bare.items()) if (array, axis) in places),
                     random.randint(1, 5 if len(extents) < 6 else 3))
                for axis in range(rank)
            )
            for array, rank in sorted(forward.ranks.items())
        }  # fmt: skip
        if holds(entry, sizes, params):
            yield sizes, params


def same_axis(forward):
    """Pairs of indices that stand alone on one axis, as in ``x[i, t]*x[j, t]``."""
    owner = {}
    for name, places in sorted(forward.bare.items()):
        for place in places:
            if owner.setdefault(place, name) != name:
                yield name, owner[place]


def differs(entry, count):
    """Whether plain loops tell a claim from the gradient in one of some geometries."""
    tried = 0
    for sizes, params in islice(geometries(entry, count), count):
        truth, have = true_and_claimed(entry, filled(sizes, tried, low=1, high=99), params)
        tried += 1
        if any(a != b for a, b in zip(truth.flat, have.flat, strict=True)):
            return True
    assert tried == count, "the assumptions hold too rarely"
    return False


@pytest.mark.parametrize("case", RIGHT, ids=ids)
def test_a_right_claim_is_proved_and_plain_loops_agree(case):
    path, number, entry = case
    record = judged(path)[1][number]
    assert record["status"] == "proved", record["reason"]
    assert record["counterexample"] is None
    assert not differs(entry, 3)


@pytest.mark.slow
@pytest.mark.parametrize("case", RIGHT, ids=ids)
def test_plain_loops_agree_with_a_right_claim_on_many_geometries(case):
    assert not differs(case[2], 40)


def test_plain_loops_see_most_wrong_claims_by_themselves():
    """The comparison above is no formality."""
    seen = [differs(entry, 12) for _, _, entry in WRONG[::6]]
    assert sum(seen) >= 0.8 * len(seen)
