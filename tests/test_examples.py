"""The scripts of docs/examples run, and print what is kept beside them."""

import importlib.util
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def _loaded():
    spec = importlib.util.spec_from_file_location("run_all", EXAMPLES / "run_all.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run_all = _loaded()
NAMES = {
    "conv_gradients",
    "find_mistake",
    "new_op",
    "second_derivatives",
    "strided_layer",
    "transposed",
    "winograd",
}


@pytest.fixture(scope="module")
def printed():
    """What every script prints; they run side by side in processes of their own."""
    pytest.importorskip("z3")
    pytest.importorskip("islpy")
    return run_all.run_all()


@pytest.mark.slow
@pytest.mark.parametrize("script", run_all.SCRIPTS, ids=lambda script: script.stem)
def test_a_script_prints_what_is_kept(script, printed):
    kept = run_all.output_of(script).read_text(encoding="utf-8")
    assert run_all.masked(printed[script]) == run_all.masked(kept)
    assert "unknown" not in printed[script]


def test_every_script_is_here_and_has_its_output_and_its_line():
    assert {script.stem.removeprefix("derive_") for script in run_all.SCRIPTS} == NAMES
    kept = {path.stem for path in (EXAMPLES / "output").iterdir()}
    assert kept == {script.stem for script in run_all.SCRIPTS}
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)]+)\)", readme))
    assert {f"{name}.py" for name in kept} | {f"output/{name}.txt" for name in kept} <= linked
    assert all((EXAMPLES / link).exists() for link in linked)


def test_only_what_changes_by_itself_is_masked():
    assert run_all.masked("proved (12 ms), isl agrees on 15 statements") == "proved (…), isl agrees on … statements"
    assert run_all.masked("x[3] 12 outputs, 7.33") == "x[3] 12 outputs, 7.33"


def test_a_changed_output_is_seen(monkeypatch, capsys):
    kept = {script: run_all.output_of(script).read_text(encoding="utf-8") for script in run_all.SCRIPTS}
    changed = {script: text + (script.stem == "derive_winograd") * "more" for script, text in kept.items()}
    monkeypatch.setattr(run_all, "run_all", lambda: changed)
    monkeypatch.setattr("sys.argv", ["run_all.py"])
    assert run_all.main() == 1
    assert capsys.readouterr().out.split() == ["stale:", str(EXAMPLES / "output" / "derive_winograd.txt")]


def test_a_script_that_fails_is_seen(tmp_path):
    (tmp_path / "derive_nothing.py").write_text("raise ValueError('nothing')")
    with pytest.raises(SystemExit) as error:
        run_all.run(tmp_path / "derive_nothing.py")
    assert "derive_nothing.py fails" in str(error.value)
    assert "ValueError: nothing" in str(error.value)
