"""Types: mypy accepts the sources at its strictest, and stubs say what the modules are; both need mypy."""

import ast
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convsym
from convsym.kernels.levels import FEATURES, built, usable

PACKAGE = Path(convsym.__file__).parent
CHECKOUT = Path(__file__).parents[1]


def answer_of(*arguments, where=CHECKOUT, **environment):
    """Exit code and output of a tool of mypy."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", *map(str, arguments)]
    ran = subprocess.run(
        command, cwd=where, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


def strict(*arguments):
    return answer_of("mypy", "--strict", "--config-file", CHECKOUT / "pyproject.toml", *arguments)


def unusable():
    """CPU levels whose module is not there, or would end the process."""
    return set(FEATURES) - set(usable())


def cached_functions():
    """Names of functions that `functools.cache` or `lru_cache` wraps."""
    for found in pkgutil.walk_packages(convsym.__path__, "convsym."):
        if "adapters" not in found.name and found.name.rpartition(".")[2] not in {"__main__", *unusable()}:
            module = importlib.import_module(found.name)
            own = ((name, value) for name, value in vars(module).items() if hasattr(value, "cache_info"))
            yield from (f"{found.name}.{name}" for name, value in own if value.__module__ == found.name)


def stubtest(folder, package, *more):
    """Compare the stubs and signatures of a package in a folder with what it is when it runs."""
    config = ("--mypy-config-file", CHECKOUT / "pyproject.toml")
    return answer_of(
        "mypy.stubtest", package, *config, *more, where=folder, PYTHONPATH=str(folder), MYPYPATH=str(folder)
    )


@pytest.mark.slow
def test_the_sources_are_typed_strictly(tmp_path):
    code, output = strict("--cache-dir", tmp_path)
    assert code == 0, output


@pytest.mark.slow
def test_stubs_and_signatures_are_those_of_the_running_package(tmp_path):
    pytest.importorskip("mypy")
    pytest.importorskip("convsym.kernels.baseline")
    # Adapters have no stubs, and their frameworks may not be there.
    left_out = shutil.ignore_patterns("__pycache__", "adapters", *(f"{level}.*" for level in unusable()))
    shutil.copytree(PACKAGE, tmp_path / "convsym", ignore=left_out)
    # The types of Python's library say that a cached function takes anything; a class inside of a function, which mypy
    # names with its line, is not there before the function has run.
    names = [*(name.replace(".", "[.]") for name in cached_functions()), ".*@[0-9]+"]
    allowed = tmp_path / "allowed"
    allowed.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    code, output = stubtest(tmp_path, "convsym", "--allowlist", allowed, "--ignore-unused-allowlist")
    assert code == 0, output


@pytest.mark.slow
@pytest.mark.parametrize(
    "text, complaint",
    [
        ("import convsym\nconvsym.vjp(3, 'x')\n", "call-overload"),
        ("import convsym\nconvsym.conv7d\n", "attr-defined"),
        ("from convsym import Formula, vjp\nfirst: int = vjp(Formula('y[i] += x[i]'), 'x')\n", "assignment"),
        ("from convsym.kernels import baseline\nbaseline.relu_y_f32(1)\n", "call-arg"),
    ],
)
def test_a_wrong_use_is_seen(text, complaint, tmp_path):
    (tmp_path / "use.py").write_text(text, encoding="utf-8")
    code, output = strict("--cache-dir", tmp_path, tmp_path / "use.py")
    assert code == 1
    assert f"[{complaint}]" in output


@pytest.mark.slow
def test_a_wrong_stub_is_seen(tmp_path):
    package = tmp_path / "mistaken"
    package.mkdir()
    (package / "__init__.py").write_text("def f(a):\n    return a\n", encoding="ascii")
    (package / "__init__.pyi").write_text("def f(a: int, b: int) -> int: ...\n", encoding="ascii")
    code, output = stubtest(tmp_path, "mistaken")
    assert code == 1
    assert 'runtime does not have parameter "b"' in output


def test_the_stub_of_the_package_names_what_it_offers():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    places = {
        alias.name: node.module for node in ast.walk(stub) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    offered = {name: f"convsym.{module}" for name, module in convsym._MODULE_OF.items()}
    modules = {"autograd": "convsym", "grad": "convsym", "nn": "convsym"}
    assert places == offered | modules | {"__version__": "convsym._version"}


def test_every_stub_stands_beside_its_module_and_the_marker_ships():
    assert (PACKAGE / "py.typed").is_file()
    pytest.importorskip("convsym.kernels.baseline")
    for stub in PACKAGE.rglob("*.pyi"):
        modules = [path for path in stub.parent.glob(f"{stub.stem}.*") if path.suffix in (".py", ".so", ".pyd")]
        assert modules or stub.stem in set(FEATURES) - set(built()), stub
