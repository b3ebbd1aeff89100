"""Certificates: those of the registry ship and are proved again; a forged one is rejected with a sentence."""

import json
import os
import re
import zipfile
from pathlib import Path

import pytest
import sympy
from process import run_python
from test_formula import assert_says

from convsym import Formula, ProofError, Rule, check, cli, prove, registry, size_theorems, solver, vjp
from convsym.certificates import is_fresh, owed, replay, shipped, write
from convsym.verdict import certificate

z3 = pytest.importorskip("z3")

OWED = owed(registry)
LINE = "y[o] += x[stride*o + dilation*r - padding]*w[r]"
VOLATILE = ("seconds", "solver", "geometries")  # times, versions, and how far the enumeration came in its time


def masked(record):
    """A record without what changes by itself."""
    if isinstance(record, dict):
        return {key: masked(value) for key, value in record.items() if key not in VOLATILE}
    return [masked(entry) for entry in record] if isinstance(record, list) else record


def saved(proof, path):
    proof.save(path)
    return json.loads(path.read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------ what ships


def test_every_rule_of_the_registry_has_its_certificate_and_no_other_ships():
    """A missing or stale one: run `convsym prove --all --save convsym/data/certificates` and commit."""
    assert sorted(shipped()) == sorted(OWED)
    assert {name for name, rule in OWED.items() if not is_fresh(shipped()[name], rule)} == set()


def test_what_is_compiled_and_what_is_stated_are_both_certified():
    for name, op in registry.items():
        stated = {str(rule) for rule in op.rules.values()}
        compiled = {str(rule) for rule in op.grouped_rules.values()} if op.lane is not None else set()
        own = {str(rule) for key, rule in OWED.items() if key.split(".")[0] == name}
        assert stated | compiled <= own


def test_a_stale_or_missing_certificate_is_seen(tmp_path):
    file = tmp_path / "shift.dw.json"
    assert not is_fresh(file, OWED["shift.dw"])
    file.write_text(shipped()["shift.dw"].read_text(encoding="utf-8"), encoding="utf-8")
    assert is_fresh(file, OWED["shift.dw"])
    assert not is_fresh(file, OWED["window.dw"])
    changed = registry["shift"].formula.assuming("w.shape[0] >= 2")
    assert not is_fresh(file, vjp(changed, "w"))


@pytest.mark.parametrize("name", [n for n in OWED if (registry[n.split(".")[0]].rank or 1) < 2 and n[:5] != "layer"])
def test_a_shipped_certificate_is_proved_again(name):
    proof = replay(shipped()[name], budget=60)
    assert proof.status == "proved", str(proof)
    assert proof.statement == str(OWED[name])
    assert any(o.smt for o in proof.obligations)


@pytest.mark.slow
def test_all_shipped_certificates_are_proved_again_by_the_command(capsys):
    assert cli.main(["prove", "--all", "--budget", "120"]) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"^proved: ", out, re.M)) == len(OWED)


def test_every_text_of_a_shipped_certificate_is_unsatisfiable():
    """A second reading, by Z3's own parser alone; one canonical text serves many axes, so each is asked once."""
    texts = {t for file in shipped().values() for o in json.loads(file.read_text("utf-8"))["obligations"]
             for t in o["smt"]}  # fmt: skip
    assert len(texts) > 50
    short = sorted(texts, key=len)[:60]
    assert {str(asked(text)) for text in short} == {"unsat"}


def asked(text, seconds=20):
    solver = z3.Solver(ctx=z3.Context())
    solver.set("timeout", 1000 * seconds)
    solver.from_string(text)
    return solver.check()


def test_the_second_reading_sees_a_text_that_proves_nothing():
    (text,) = json.loads(shipped()["matvec.dx"].read_text("utf-8"))["obligations"][0]["smt"]
    weaker = "\n".join(line for line in text.splitlines() if "(not " not in line)
    assert weaker != text
    assert str(asked(weaker)) == "sat"


def test_they_are_small():
    sizes = [len(file.read_bytes()) for file in shipped().values()]
    assert max(sizes) < 32_000  # five axes
    assert sum(sizes) < 640_000  # 100 kB in a wheel


def test_the_package_declares_them():
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert '"data/certificates/*.json"' in text


def test_they_are_read_from_a_zip_too(tmp_path):
    archive = tmp_path / "some.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("matvec.dx.json", shipped()["matvec.dx"].read_text("utf-8"))
    assert replay(zipfile.Path(archive, "matvec.dx.json")).status == "proved"


# ------------------------------------------------------------------------------------------- how they are written


def test_writing_again_changes_nothing_and_writing_anew_only_times(tmp_path):
    few = {name: OWED[name] for name in ("matvec.dx", "shift.dw", "same.dx")}
    assert [p.name for p in write(few, tmp_path)] == [f"{name}.json" for name in few]
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert list(write(few, tmp_path)) == []
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    for name in few:
        assert masked(json.loads(before[f"{name}.json"])) == masked(json.loads(shipped()[name].read_text("utf-8")))


def test_writing_repairs_what_does_not_prove_and_deletes_what_is_no_more(tmp_path):
    few = {"shift.dw": OWED["shift.dw"]}
    (path,) = write(few, tmp_path)
    record = json.loads(path.read_text("utf-8"))
    record["obligations"][0]["smt"] = []
    path.write_text(json.dumps(record), encoding="utf-8")
    (tmp_path / "gone.dx.json").write_text("{}", encoding="utf-8")
    assert list(write(few, tmp_path)) == [path]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shift.dw.json"]
    assert replay(path).status == "proved"


def test_what_is_not_proved_is_not_written(tmp_path):
    rule = vjp(Formula("y[o] += x[o + r]*w[r]"), "x")
    wrong = Rule(Formula("dx[i] += -dy[i - r]*w[r]"), rule.parent, rule.wrt, rule.steps, rule.scatter)
    with pytest.raises(ProofError) as error:
        list(write({"line.dx": wrong}, tmp_path))
    assert_says(error, "no certificate of line.dx is written, its proof is refuted: counter-example: sizes ")
    assert list(tmp_path.iterdir()) == []


PROGRAM = """
    import json
    from convsym import Formula, prove, vjp
    from convsym.verdict import certificate
    for text, wrt in (("y[i, j] += x[reflect(s*i + j - p)]*w[i, j]", "w"), ("y[o] += x[s*o + d*r - p]*w[r]", "x")):
        record = certificate(prove(vjp(Formula(text), wrt)))
        texts = [(o["name"], o["status"], o["smt"]) for o in record["obligations"]]
        print(json.dumps([record["statement"], record["assumptions"], record["question"], texts]))
"""


def test_certificates_depend_neither_on_the_hash_seed_nor_on_what_was_proved_before(monkeypatch):
    found = set()
    for seed, before in ((0, "pass"), (1, 'prove(vjp(Formula("y[n, o] += x[n, t*o + r]*w[r]"), "x"))')):
        monkeypatch.setitem(os.environ, "PYTHONHASHSEED", str(seed))
        found.add(run_python(PROGRAM.replace("    for text", f"    {before}\n    for text")))
    assert len(found) == 1


# -------------------------------------------------------------------------------------- every kind of statement


KINDS = {
    "rule": lambda: prove(vjp(Formula(LINE, symmetric=["padding"]), "x")),
    "second derivative": lambda: prove(vjp(vjp(Formula(LINE), "x"), "dy")),
    "formula": lambda: prove(Formula(LINE)),
    "sizes": lambda: prove(vjp(Formula("y[o] += x[o + r - h]*w[r]", ranges={"r": "2*h + 1"}, assume=["h >= 1"]), "x")),
    "claim": lambda: check(Formula(LINE), "x", "dx[stride*o + dilation*r - padding] += dy[o]*w[r]"),
    "claim under an assumption": lambda: check(
        Formula("y[o] += x[o + r - h]*w[r]"), "x", "dx[u] += dy[u + r - h]*w[w.shape[0] - 1 - r]",
        assume=("w.shape[0] == 2*h + 1",),
    ),
    "claim that counts": lambda: check(
        Formula("y[o] += x[2*o + r]*w[r]"), "x", "dx[u] += where((u - r) % 4 == 0, dy[(u - r)//2]*w[r], 0)"
        " + where((u - r) % 4 == 2, dy[(u - r)//2]*w[r], 0)",
    ),
    "several cases": lambda: prove(vjp(Formula("y[i] = maximum(x[2*i], x[2*i + 1])"), "x")),
    "boundary modes": lambda: prove(vjp(Formula("y[o] += x[reflect(s*o + r - p)]*w[r]"), "x")),
    "size theorem": lambda: size_theorems(Formula(LINE, symmetric=["padding"]))[1].proof,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_of_any_statement_is_proved_again(kind, tmp_path):
    path = tmp_path / "proof.json"
    proof = KINDS[kind]()
    assert proof.status == "proved", str(proof)
    record = saved(proof, path)
    again = replay(path)
    assert again.status == "proved", str(again)
    assert masked(certificate(again)) == masked(record)


def test_what_was_refuted_or_left_open_is_asked_anew(tmp_path):
    wrong = check(Formula("y[o] += x[o + r]*w[r]"), "x", "dx[o] += dy[o]*w[r]")
    saved(wrong, tmp_path / "wrong.json")
    again = replay(tmp_path / "wrong.json")
    assert (again.status, again.counterexample) == ("refuted", wrong.counterexample)


def test_without_the_prover_a_certificate_is_unknown(tmp_path, monkeypatch):
    KINDS["claim"]().save(tmp_path / "proof.json")
    monkeypatch.setattr("convsym.solver.z3", lambda: None)
    proof = replay(tmp_path / "proof.json")
    assert proof.status == "unknown"
    assert "convsym[prove]" in proof.reason


def test_a_tiny_budget_leaves_a_certificate_open(tmp_path):
    KINDS["rule"]().save(tmp_path / "proof.json")
    assert replay(tmp_path / "proof.json", budget=1e-6).status == "unknown"


def test_without_isl_nothing_is_missing(tmp_path, monkeypatch):
    assert any(o.name.startswith("isl") for o in KINDS["rule"]().obligations)
    KINDS["rule"]().save(tmp_path / "proof.json")
    monkeypatch.setattr("convsym.presburger.islpy", lambda: None)
    assert replay(tmp_path / "proof.json").status == "proved"


# --------------------------------------------------------------------------------------------------- forgeries


UNSAT = "(assert false)\n(check-sat)\n"


def changed(record, **entries):
    return record | entries


def obligation(record, number=0, **entries):
    found = [dict(o) for o in record["obligations"]]
    found[number] |= entries
    return record | {"obligations": found}


def other(text):
    return certificate(prove(vjp(Formula(text), "x")))


FORGERIES = {
    "another statement": (
        lambda r: changed(r, statement="dx[i] += dy[i]"),
        ("the statement of ", " is not what its question says: dx[i] += where("),
    ),
    "another question": (
        lambda r: changed(r, question=other("y[o] += x[2*o]")["question"]),
        ("the statement of ", "is not what its question says"),
    ),
    "all but the texts": (
        lambda r: other("y[o] += x[o - p]*w[o]") | {"obligations": r["obligations"]},
        ("do not say what has to hold: relation",),
    ),
    "an assumption that is not in the question": (
        lambda r: changed(r, assumptions=[*r["assumptions"], "stride == 1"]),
        ("the assumptions of ", "is not what its question says"),
    ),
    "an unknown status": (
        lambda r: changed(r, status="prooved"),
        ("holds the status 'prooved'; a status is refuted, unknown or proved",),
    ),
    "an unknown status of an obligation": (
        lambda r: obligation(r, status="fine"),
        ("holds the status 'fine'; a status is",),
    ),
    "a text that is unsatisfiable for another reason": (
        lambda r: obligation(r, smt=[UNSAT] * len(r["obligations"][0]["smt"])),
        ("the SMT-LIB texts of ", "do not say what has to hold: relation"),
    ),
    "one text weakened": (
        lambda r: obligation(r, smt=[t.replace("(not ", "(and false ", 1) for t in r["obligations"][0]["smt"]]),
        ("do not say what has to hold: relation",),
    ),
    "no text": (lambda r: obligation(r, smt=[]), ("do not say what has to hold: relation",)),
    "texts exchanged": (
        lambda r: obligation(
            obligation(r, smt=r["obligations"][3]["smt"]), 3, smt=r["obligations"][0]["smt"]
        ),
        ("do not say what has to hold: ",),
    ),
    "an obligation left out": (
        lambda r: changed(r, obligations=r["obligations"][1:]),
        ("says nothing of what has to hold: relation",),
    ),
    "an obligation renamed": (
        lambda r: obligation(r, name="everything"),
        ("says nothing of what has to hold: relation",),
    ),
    "an obligation added": (
        lambda r: changed(r, obligations=[*r["obligations"], {"name": "P = NP", "status": "proved", "smt": [UNSAT]}]),
        ("holds an obligation that nothing needs: P = NP",),
    ),
    "a newer schema": (lambda r: changed(r, schema=2), ("has schema 2; this version reads 1",)),
    "no schema": (lambda r: {k: v for k, v in r.items() if k != "schema"}, ("has schema None; this version reads 1",)),
    "true as schema": (lambda r: changed(r, schema=True), ("has schema True",)),
    "no solver": (lambda r: changed(r, solver=None), ("is no certificate: its entry 'solver' is no str",)),
    "another kind": (lambda r: changed(r, kind="proof"), ("is no certificate: it holds no record of that kind",)),
    "a list": (lambda r: [r], ("is no certificate",)),
    "a statement that is no text": (lambda r: changed(r, statement=3), ("its entry 'statement' is no str",)),
    "obligations that are none": (lambda r: changed(r, obligations=[3]), ("an obligation has a name and a list",)),
    "texts that are none": (lambda r: obligation(r, smt=[3]), ("an obligation has a name and a list",)),
    "no question": (lambda r: changed(r, question={}), ("the question of ", " cannot be asked: ")),
    "a question of another operand": (
        lambda r: changed(r, question=r["question"] | {"wrt": ["v"]}), ("cannot be asked: 'v' is no operand",),
    ),
    "a question of very many derivatives": (
        lambda r: changed(r, question=r["question"] | {"wrt": ["x"] * 999}), ("it differentiates 999 times",),
    ),
    "a claim about two operands": (
        lambda r: changed(r, question=r["question"] | {"wrt": ["x", "w"], "claim": "dx[i] += dy[i]"}),
        ("cannot be asked: a claim is about one operand, not about 2",),
    ),
    "a formula that is none": (
        lambda r: changed(r, question=r["question"] | {"formula": r["question"]["formula"] | {"formula": "import os"}}),
        ("cannot be asked: a formula assigns with += or =",),
    ),
    "an unknown theorem": (
        lambda r: changed(r, question=r["question"] | {"theorem": "samee"}),
        ("cannot be asked: 'samee' is no size theorem", "did you mean 'same'?"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return saved(KINDS["rule"](), tmp_path_factory.mktemp("honest") / "proof.json")


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_certificate_is_rejected_with_a_sentence(forgery, honest, tmp_path, capsys):
    forge, pieces = FORGERIES[forgery]
    path = tmp_path / "forged.json"
    path.write_text(json.dumps(forge(honest)), encoding="utf-8")
    with pytest.raises(ProofError) as error:
        replay(path)
    assert_says(error, *pieces)
    assert cli.main(["prove", "--replay", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("convsym: ")


@pytest.mark.parametrize("text", ["", "{", "null", "[" * 100_000, "\x00"])
def test_a_file_that_is_no_json_is_rejected_with_a_sentence(text, tmp_path):
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProofError) as error:
        replay(path)
    assert_says(error, "is no certificate")


def test_a_rule_that_was_tampered_with_does_not_certify_itself(tmp_path):
    rule = vjp(Formula("y[o] += x[o + r]*w[r]"), "x")
    gather = Formula("dx[i] += dy[i - r]*w[r] + where(i > 80, dy[i], 0)")
    proof = prove(Rule(gather, rule.parent, rule.wrt, rule.steps, rule.scatter))
    assert proof.status != "proved"
    path = tmp_path / "proof.json"
    record = saved(proof, path)
    path.write_text(json.dumps(record | {"status": "proved"}), encoding="utf-8")
    with pytest.raises(ProofError):
        replay(path)


# ------------------------------------------------------------------------------------------------ the text itself


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_plain_smt_lib(kind):
    for obligation_ in KINDS[kind]().obligations:
        for text in obligation_.smt:
            assert text.count("(") == text.count(")")
            assert text.endswith("(check-sat)\n")
            assert re.fullmatch(r"(\((declare-const|assert) .*\)\n)+\(check-sat\)\n", text)
            assert not re.search(r"[^|\w.]-\d", text), "a negative number is written (- 1)"


def test_nothing_but_recorded_texts_counts_as_proved():
    x = sympy.Symbol("x")
    goal = sympy.Ge(x * x + 7, x)
    with solver.only(()):
        assert solver.valid((), goal, 10**9).status == "unknown"
    assert solver.valid((), goal, 10**9).status == "proved"


def test_the_command_takes_one_thing_to_prove(capsys):
    assert cli.main(["prove", "conv1d", "--all"]) == 2
    assert "prove takes either a formula (or op) or --replay FILE or --all" in capsys.readouterr().err
