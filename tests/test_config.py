"""Levels, threads and the report: what can be asked for, and the sentence when it cannot be had."""

import json
import re
import shutil
from pathlib import Path

import pytest
from process import run_python

import convsym
from convsym import KernelError, kernels
from convsym.kernels import levels, threads

PROBLEM = "import convsym; print(convsym.config()['problem'])"
CALL = "import numpy as np, convsym; convsym.conv1d(np.ones((1, 1, 3)), np.ones((1, 1, 3)))"


def test_config_holds_the_facts():
    facts = convsym.config()
    assert facts["version"] == convsym.__version__
    assert set(facts["levels"]) == {"built", "usable", "in_use"}
    assert facts["levels"]["in_use"] in facts["levels"]["usable"]
    assert {*facts["levels"]["usable"], *facts["missing"]} == {"baseline", "v3", "v4"}
    assert facts["problem"] is None
    assert facts["compiler"]
    assert facts["threads"] >= 1
    assert facts["numpy"]
    assert json.dumps(facts)


def test_show_config_prints_them(capsys):
    convsym.show_config()
    printed = capsys.readouterr().out
    assert printed.startswith(f"convsym {convsym.__version__}\n")
    for part in ("levels built", "usable here", "in use", "compiler", "OpenMP", "threads", "numpy", "sympy"):
        assert re.search(rf"^  {part}  +\S", printed, re.MULTILINE), part


def test_the_report_imports_no_package_it_names():
    program = (
        "import sys, convsym; convsym.config(); print(sorted({'sympy', 'z3', 'islpy'} & set(sys.modules)))"
    )
    assert run_python(program) == "[]\n"


@pytest.mark.parametrize("level", levels.usable())
def test_convsym_cpu_chooses_the_level(level):
    program = "import sys, convsym; print(convsym.config()['levels']['in_use']); " + CALL
    program += "; print([n for n in ('baseline', 'v3', 'v4') if f'convsym.kernels.{n}' in sys.modules])"
    assert run_python(program, CONVSYM_CPU=level) == f"{level}\n['{level}']\n"


def test_an_unknown_level_is_an_error_that_names_the_known_ones():
    problem = run_python(PROBLEM, CONVSYM_CPU="avx9")
    assert "CONVSYM_CPU=avx9 is not a CPU level; the levels are baseline, v3, v4" in problem
    assert "unset CONVSYM_CPU or set it to baseline" in problem
    program = f"""
        from convsym import KernelError
        try:
            {CALL}
        except KernelError as error:
            print(error)
    """
    assert run_python(program, CONVSYM_CPU="avx9") == problem


def test_a_level_the_cpu_lacks_is_an_error_that_names_the_features():
    program = """
        import convsym
        from convsym.kernels import _cpu, levels

        class Older:
            features = staticmethod(lambda: _cpu.features() - {"fma", "avx512f"})

        real = levels._import
        levels._import = lambda name: Older if name == "_cpu" else real(name)
        print(convsym.config()["problem"], convsym.config()["levels"]["usable"])
    """
    answer = run_python(program, CONVSYM_CPU="v3")
    if "v3" not in levels.built():
        pytest.skip("v3 is not built")
    assert "CONVSYM_CPU=v3 cannot be used here: this CPU lacks " in answer
    assert "fma" in answer
    assert answer.endswith("['baseline']\n")


def test_a_level_that_was_not_built_is_an_error_with_the_reason(monkeypatch):
    record = dict(levels.build_record(), levels={"baseline": []}, missing={"v3": "no v3", "v4": "no v4"})
    monkeypatch.setattr(levels, "build_record", lambda: record)
    monkeypatch.setattr(levels, "usable", lambda: ("baseline",))
    with (
        pytest.raises(KernelError, match=r"level 'v4' cannot be used here: no v4; choose baseline"),
        kernels.using("v4"),
    ):
        pass


def test_using_a_wrong_level_is_an_error():
    with pytest.raises(KernelError, match=r"level 'fast' is not a CPU level"), kernels.using("fast"):
        pass


def test_using_is_left_with_its_block():
    before = kernels.in_use()
    with kernels.using("baseline"):
        assert kernels.in_use() == "baseline"
    assert kernels.in_use() == before


def test_a_level_that_does_not_load_is_an_error(monkeypatch):
    def broken(name):
        raise ImportError("undefined symbol")

    monkeypatch.setattr(levels, "import_module", broken)
    with pytest.raises(
        KernelError, match=r"convsym\.kernels\.v3 was built but does not load \(undefined symbol\); install"
    ):
        levels._import("v3")


def test_without_kernels_the_import_works_and_a_call_says_how_to_build(tmp_path):
    source = Path(convsym.__file__).parent
    shutil.copytree(
        source, tmp_path / "convsym", ignore=shutil.ignore_patterns("*.so", "*.pyd", "_build.json")
    )
    program = f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import convsym
        assert convsym.__file__.startswith({str(tmp_path)!r})
        print(convsym.config()["levels"], convsym.config()["missing"]["v3"])
        try:
            {CALL}
        except convsym.KernelError as error:
            print(error)
    """
    lines = run_python(program).splitlines()
    assert lines[0] == "{'built': [], 'usable': [], 'in_use': None} the kernels are not compiled"
    place = tmp_path / "convsym" / "kernels"
    assert lines[1] == (
        f"no kernels are compiled in {place}, so nothing can be computed; build them with `pip install .` in "
        "the source tree (a C compiler is needed) and run outside of that tree, or with `pip install -e .`"
    )


def test_waiting_threads_sleep_soon_and_the_environment_is_left_as_it_was():
    program = f"import os; {CALL}; print(sorted({{'GOMP_SPINCOUNT', 'OMP_WAIT_POLICY'}} & set(os.environ)))"
    assert run_python(program, OMP_WAIT_POLICY="active") == "['OMP_WAIT_POLICY']\n"
    program = f"import os; os.environ.pop('OMP_WAIT_POLICY', None); {program}"
    assert run_python(program) == "[]\n"
    assert run_python(program, GOMP_SPINCOUNT="7") == "['GOMP_SPINCOUNT']\n"


def test_threads_are_set_and_read():
    default = convsym.get_num_threads()
    if not convsym.config()["openmp"]:
        assert default == 1
        return
    convsym.set_num_threads(3)
    assert convsym.get_num_threads() == 3
    convsym.set_num_threads(None)
    assert convsym.get_num_threads() == default


@pytest.mark.parametrize(
    ("count", "error"),
    [(0, ValueError), (-2, ValueError), (True, ValueError), (1.5, TypeError), ("2", TypeError)],
)
def test_a_wrong_number_of_threads_is_an_error(count, error):
    with pytest.raises(
        error, match=f"count is {re.escape(repr(count))}, and a number of threads is an integer of at least 1"
    ):
        convsym.set_num_threads(count)


def test_the_default_respects_omp_num_threads():
    program = "import convsym; print(convsym.get_num_threads())"
    assert run_python(program, OMP_NUM_THREADS="1,4") == "1\n"
    assert run_python(program, OMP_NUM_THREADS="many") == run_python(program, OMP_NUM_THREADS="")


@pytest.mark.parametrize(
    ("text", "cpus"), [("max 100000", None), ("150000 100000", 2), ("50000 100000", 1), ("", None)]
)
def test_the_quota_of_the_control_group_is_rounded_up(text, cpus, tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "cpu.max")
    assert threads._quota() == cpus


def test_without_openmp_there_is_one_thread(monkeypatch):
    record = dict(levels.build_record(), openmp=False)
    monkeypatch.setattr(threads, "build_record", lambda: record)
    monkeypatch.setattr(threads, "_asked", 4)
    assert convsym.get_num_threads() == 1
