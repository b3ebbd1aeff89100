"""The command line: results to standard output, messages to standard error, exit codes 0, 1, 2, 3, 130, 141."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process import HEARS_INTERRUPTS

import convsym
from convsym import Formula, cli, registry, residue_classes, solver, vjp
from convsym.codegen import generate

LINE = "y[o] += x[s*o + r]*w[r]"
SCATTER2D = (
    "dx[n, c, stride0*o0 + dilation0*r0 - padding0, stride1*o1 + dilation1*r1 - padding1]"
    " += dy[n, k, o0, o1]*w[k, c, r0, r1]"
)
GATHER2D = (
    "dx[n, c, u, v] += where((u + padding0 - dilation0*r0) % stride0 == 0 and"
    " (v + padding1 - dilation1*r1) % stride1 == 0,"
    " dy[n, k, (u + padding0 - dilation0*r0)//stride0, (v + padding1 - dilation1*r1)//stride1]*w[k, c, r0, r1], 0)"
)


@pytest.fixture
def run(capsys):
    """Exit code, output and messages of a command, in this process."""

    def call(*arguments):
        try:
            code = cli.main(list(arguments))
        except SystemExit as stop:  # argparse
            code = stop.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return call


def assert_result(answer, *pieces, code=0):
    """The result stands on standard output, and nothing on standard error."""
    got, out, err = answer
    assert (got, err) == (code, "")
    assert not [piece for piece in pieces if piece not in out], out


def assert_message(answer, *pieces, code=2):
    """The message stands on standard error, without a traceback, and nothing on standard output."""
    got, out, err = answer
    assert (got, out) == (code, "")
    assert "Traceback" not in err
    assert not [piece for piece in pieces if piece not in err], err


# ---------------------------------------------------------------------------------------------------- derive


def test_derive_shows_the_forms_and_the_steps(run):
    answer = run("derive", LINE, "--wrt", "x")
    rule = vjp(Formula(LINE), "x")
    assert_result(
        answer,
        f"formula   {LINE}\n",
        f"scatter   {rule.scatter}\n",
        f"gather    {rule.gather}\n",
        "steps\n",
        *(step.text for step in rule.steps),
        *(step.lemma for step in rule.steps),
    )


def test_derive_shows_the_residue_classes_of_a_strided_rule(run):
    rule = vjp(Formula(LINE), "x")
    assert_result(run("derive", LINE, "--wrt", "x"), f"residue classes\n  {residue_classes(rule)}\n")
    assert "residue classes" not in run("derive", LINE, "--wrt", "w")[1]
    skewed = "y[i, j] += where((i - j) % 2 == 0, x[i, j]*w[i, j], 0)"  # no classes, and no word of them
    assert_result(run("derive", skewed, "--wrt", "x"), "steps")


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "bias", "relu", "squared_error"])
def test_derive_takes_the_name_of_an_op(run, name):
    for wrt in registry[name].differentiable:
        assert_result(run("derive", name, "--wrt", wrt), str(registry[name].formula), f"d{wrt}[")


def test_derive_prints_other_formats(run):
    assert_result(run("derive", LINE, "--wrt", "x", "--format", "latex"), r"\begin{align*}", r"\end{align*}")
    assert_result(run("derive", LINE, "--wrt", "w", "--format", "cython"), "def kernel_dw_f64(", "noexcept nogil")
    code, out, err = run("derive", LINE, "--wrt", "x", "--format", "python")
    assert (code, err) == (0, "")
    compile(out, "derived", "exec")
    code, out, err = run("derive", LINE, "--wrt", "x", "--format", "json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert Formula(record["gather"]) == vjp(Formula(LINE), "x").gather


# ---------------------------------------------------------------------------------------------- prove and check


def test_prove_proves_one_rule_or_all(run):
    pytest.importorskip("z3")
    assert_result(run("prove", LINE, "--wrt", "x"), "proved: dx[i] += ", "relation: gather form ⇔ scatter form", " ms)")
    assert_result(run("prove", LINE), "proved: dx[", "proved: dw[")
    code, out, err = run("prove", LINE, "--json")
    records = json.loads(out)
    assert (code, err) == (0, "")
    assert [r["status"] for r in records] == ["proved", "proved"]


@pytest.mark.parametrize("claim", [SCATTER2D, GATHER2D], ids=["scatter", "gather"])
def test_check_proves_both_forms_of_a_claim_about_conv2d(run, claim):
    pytest.importorskip("z3")
    assert_result(run("check", "conv2d", "--wrt", "x", "--claim", claim), "proved: ", "for every size")


@pytest.mark.parametrize(
    "old, new",
    [
        ("stride1*o1", "stride0*o1"),
        ("- padding0", "+ padding0"),
        ("r1]", "r0]"),
        ("dilation0*r0", "r0"),
        ("dy[n, k", "-dy[n, k"),
    ],
)
def test_check_refutes_a_claim_with_one_thing_wrong(run, old, new):
    assert old in SCATTER2D
    answer = run("check", "conv2d", "--wrt", "x", "--claim", SCATTER2D.replace(old, new))
    assert_result(answer, "refuted: ", "counter-example: sizes x (", "the true value is ", ", the claim gives ", code=1)


def test_check_as_json_holds_the_counterexample(run):
    code, out, err = run("check", LINE, "--wrt", "x", "--claim", "dx[o + r] += dy[o]*w[r]", "--json")
    record = json.loads(out)
    assert (code, err, record["status"]) == (1, "", "refuted")
    assert record["counterexample"]["params"]["s"] > 1


def test_assumptions_may_make_a_claim_right(run):
    pytest.importorskip("z3")
    same = (
        "check",
        "y[o] += x[o + r - h]*w[r]",
        "--wrt",
        "x",
        "--claim",
        "dx[u] += dy[u + r - h]*w[w.shape[0] - 1 - r]",
    )
    assert run(*same)[0] == 1
    assert_result(run(*same, "--assume", "w.shape[0] == 2*h + 1"), "proved: ")
    assert run(*same, "--assume", "w.shape[0] == 2*h + 2")[0] == 1
    assert_result(run(*same, "--assume", "w.shape[0] == 2*h + 1", "--assume", "h == 1"), "proved: ")


def test_what_the_budget_does_not_decide_is_unknown(run):
    pytest.importorskip("z3")
    solver._proved.clear()  # what another test proved in this process needs no time any more
    answer = run("prove", "conv2d", "--wrt", "x", "--budget", "0.0001")
    assert_result(answer, "unknown: ", "the budget was used up", code=3)


# ---------------------------------------------------------------------------------------------------- messages

WRONG = [
    (
        ("derive", "conv2x", "--wrt", "x"),
        ("'conv2x' is neither a formula nor a registered op", "did you mean 'conv2d'?"),
    ),
    (("derive", "nonsense", "--wrt", "x"), ("neither a formula nor a registered op",)),
    (("derive", "", "--wrt", "x"), ("neither a formula nor a registered op",)),
    (("derive", LINE, "--wrt", "q"), ("'q' is no operand", "known: w, x")),
    (("prove", LINE, "--wrt", "q"), ("'q' is no operand",)),
    (("check", LINE, "--wrt", "x"), ("--wrt and --claim",)),
    (("check", LINE, "--wrt", "x", "--claim", "dx[o +"), ("not a formula", "dx[o +")),
    (("check", LINE, "--wrt", "x", "--claim", "dx[o + r] += dy[o]*v[r]"), ("'v'", "neither dy nor an operand")),
    (("check", LINE, "--wrt", "x", "--claim", "dw[r] += dy[o]*x[o]"), ("writes dw", "named dx")),
    (("check", LINE, "--wrt", "x", "--claim", "dx[r] += dy[r]", "--assume", "s"), ("a condition is a comparison",)),
]


@pytest.mark.parametrize("arguments, pieces", WRONG, ids=lambda value: " ".join(value)[:60])
def test_what_is_wrong_is_a_sentence(run, arguments, pieces):
    assert_message(run(*arguments), "convsym: ", *pieces)


def test_what_cannot_be_done_fails_with_a_sentence(run):
    answer = run("derive", "y[i] += exp(x[i])", "--wrt", "x", "--format", "cython")
    assert_message(answer, "convsym: ", "no kernel text for exp", code=1)


def test_a_wrong_formula_shows_a_caret_under_its_column(run):
    text = "y[o] += x[o:3]*w[r]"
    _, _, err = run("derive", text, "--wrt", "x")
    lines = err.splitlines()
    line = lines.index("  " + text)
    assert lines[line + 1].index("^") - 2 == text.index("o:3")


USAGE = [
    ((), ("usage: convsym", "COMMAND")),
    (("frobnicate",), ("usage: convsym", "invalid choice", "derive")),
    (("derive", LINE), ("--wrt",)),
    (("derive",), ("FORMULA|OP",)),
    (("derive", LINE, "--wrt", "x", "--format", "html"), ("invalid choice", "latex")),
    (("prove", LINE, "--budget", "0"), ("0 is no positive number of seconds",)),
    (("prove", LINE, "--budget", "-1"), ("-1 is no positive number of seconds",)),
    (("prove", LINE, "--budget", "inf"), ("no positive number of seconds",)),
    (("prove", LINE, "--budget", "nan"), ("no positive number of seconds",)),
    (("prove", LINE, "--budget", "soon"), ("--budget", "soon")),
    (("derive", LINE, "--wrt", "x", "more"), ("unrecognized arguments: more",)),
]


@pytest.mark.parametrize("arguments, pieces", USAGE, ids=lambda value: " ".join(value)[:60] or "nothing")
def test_wrong_usage_says_how_it_is_used(run, arguments, pieces):
    assert_message(run(*arguments), "usage: convsym", "error: ", *pieces)


def test_the_budget_is_named_in_words(run):
    assert "_seconds" not in run("prove", LINE, "--budget", "soon")[2]


def test_help_and_version(run):
    assert_result(run("--version"), f"convsym {convsym.__version__}\n")
    assert_result(run("--help"), "derive", "prove", "check", "info", "doc", "tour")
    for command in ("derive", "prove", "check", "info", "doc", "tour", "generate"):
        assert_result(run(command, "--help"), f"usage: convsym {command}")


def test_the_checks_of_results_and_messages_are_strict():
    for answer in ((0, "", "derived"), (1, "derived", ""), (0, "derived", "note")):
        with pytest.raises(AssertionError):
            assert_result(answer, "derived")
    for answer in ((2, "convsym: wrong", ""), (1, "", "convsym: wrong"), (2, "", "Traceback convsym: wrong")):
        with pytest.raises(AssertionError):
            assert_message(answer, "convsym: wrong")


# ------------------------------------------------------------------------------------------- files, configuration


def test_generate_writes_what_is_stale_and_checks_without_writing(run, tmp_path):
    code, out, err = run("generate", str(tmp_path), "--check")
    assert (code, out) == (1, "")
    made = [str(tmp_path / name) for name in sorted(generate(registry))]
    assert err.splitlines() == [f"stale: {path}" for path in made]
    assert list(tmp_path.iterdir()) == []
    assert_result(run("generate", str(tmp_path)), *made)
    assert run("generate", str(tmp_path), "--check") == (0, "", "")
    assert run("generate", str(tmp_path))[1] == ""
    (tmp_path / "kernels" / "_generated" / "rules.py").write_text("# edited\n", encoding="utf-8")
    assert run("generate", str(tmp_path), "--check")[0] == 1


def test_a_directory_that_cannot_be_made_is_a_message(run, tmp_path):
    (tmp_path / "file").write_text("", encoding="ascii")
    assert_message(run("generate", str(tmp_path / "file" / "below")), "convsym: ", "file", "Not a directory", code=1)


def test_info_prints_the_configuration(run):
    kernels = pytest.importorskip("convsym.kernels")
    try:
        kernels.config()
    except convsym.KernelError as error:
        pytest.skip(str(error))
    assert_result(run("info"), convsym.__version__, "levels")


# ---------------------------------------------------------------------------------------- a process of its own

COMMAND = [sys.executable, "-m", "convsym"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(convsym.__file__).parents[1])}


def spawn(*arguments, **options):
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
        encoding="utf-8",
        timeout=60,
        **options,
    )


def test_the_module_is_the_command():
    done = spawn("derive", LINE, "--wrt", "x")
    assert (done.returncode, done.stderr) == (0, "")
    assert "gather    dx[i] += " in done.stdout
    assert spawn("check", LINE, "--wrt", "x", "--claim", "dx[o + r] += dy[o]*w[r]").returncode == 1
    wrong = spawn("derive", "conv2x", "--wrt", "x")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("convsym: 'conv2x'")


def test_a_reader_that_goes_away_is_no_error():
    with subprocess.Popen(
        [*COMMAND, "derive", "conv2d", "--wrt", "x", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        message = process.stderr.read()
        assert process.wait(60) in (0, 141)
    assert message == b""


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_an_interrupt_ends_the_command_quietly():
    program = (
        HEARS_INTERRUPTS + "import os, sys, threading, time\nfrom convsym import cli, proofs\n"
        "proofs.prove = lambda *a, **k: (print('ready', flush=True), time.sleep(30))\n"
        "sys.exit(cli.main(['prove', 'y[o] += x[o + r]*w[r]', '--wrt', 'x']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        assert process.stdout.readline() == "ready\n"
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert time.monotonic() - start < 5
        assert process.stderr.read() == "convsym: stopped\n"


def test_output_that_cannot_say_unicode_is_no_traceback():
    done = subprocess.run(
        [*COMMAND, "derive", LINE, "--wrt", "x"],
        capture_output=True,
        check=False,
        timeout=60,
        env={**ENVIRONMENT, "PYTHONIOENCODING": "ascii"},
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
