"""Generated Cython text compiled into a module of its own, for tests."""

import importlib.util
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

# A source file of the checkout: the wheel holds compiled modules only.
INDEX = Path(__file__).parents[1] / "convsym" / "kernels" / "_index.pxd"
PROGRAM = """
    import sys
    from Cython.Build import cythonize
    from setuptools import Extension, setup
    directives = dict(language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True)
    modules = cythonize([Extension({name!r}, [{name!r} + ".pyx"], extra_compile_args={flags!r})],
                        compiler_directives=directives, quiet=True)
    sys.argv = ["setup.py", "-q", "build_ext", "--inplace"]
    setup(ext_modules=modules, py_modules=[])
"""


def compiled(name, kernels, folder):
    """A module with kernels for the baseline level, without threads; skips where nothing can be compiled.

    `kernels` are texts as `kernel_text` prints them. What they divide with is the package's own.
    """
    pytest.importorskip("Cython", reason="compiling generated text needs Cython")
    pytest.importorskip("setuptools", reason="compiling generated text needs setuptools")
    text = "from cython.parallel cimport prange\n\n" + INDEX.read_text(encoding="utf-8") + "\n\n".join(kernels)
    (folder / f"{name}.pyx").write_text(text, encoding="utf-8")
    flags = [] if sysconfig.get_platform().startswith("win") else ["-O0", "-g0"]
    program = textwrap.dedent(PROGRAM.format(name=name, flags=flags))
    answer = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    if answer.returncode and not _has_compiler(folder):
        pytest.skip("no C compiler here")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (path,) = folder.glob(f"{name}*{sysconfig.get_config_var('EXT_SUFFIX')}")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _has_compiler(folder):
    (folder / "probe.c").write_text("int main(void) { return 0; }\n", encoding="ascii")
    program = "from setuptools._distutils.ccompiler import new_compiler; new_compiler().compile(['probe.c'])"
    return subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, check=False).returncode == 0
