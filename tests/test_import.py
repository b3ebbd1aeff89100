"""What `import convsym` loads, and the names it offers."""

import os
import re
import subprocess
import sys
from importlib import import_module

import pytest
from process import run_python

import convsym

NUMERIC = """
import numpy as np, convsym
y = convsym.conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), np.ones(1))
convsym.grad.conv2d_input((1, 1, 4, 4), np.ones((1, 1, 3, 3)), y)
convsym.config()
"""


def imported(program):
    """Top-level packages that a program imports, by `python -X importtime`."""
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    return {
        name.strip().partition(".")[0] for name in re.findall(r"\|([^|\n]*)$", answer.stderr, re.MULTILINE)
    }


@pytest.mark.parametrize("program", ["import convsym", NUMERIC], ids=["import", "numeric"])
def test_no_sympy_and_no_prover_is_imported(program):
    names = imported(program)
    assert "convsym" in names
    assert not names & {"sympy", "mpmath", "z3", "islpy"}


def test_the_import_alone_loads_no_numpy():
    assert "numpy" not in imported("import convsym")


def test_that_test_can_fail():
    assert "sympy" in imported("import convsym, sympy")


def test_every_name_is_where_the_table_says():
    for name in convsym.__all__:
        assert getattr(convsym, name) is not None
    for name, module in convsym._MODULE_OF.items():
        assert getattr(convsym, name) is getattr(import_module(f"convsym.{module}"), name)
    assert convsym.grad is import_module("convsym.grad")
    assert convsym.autograd is import_module("convsym.autograd")


def test_star_import_and_dir_know_the_lazy_names():
    assert set(convsym.__all__) <= set(dir(convsym))
    assert (
        run_python("from convsym import *; print(conv2d.__name__, grad.conv2d_bias.__name__)")
        == "conv2d conv2d_bias\n"
    )


def test_no_submodule_bears_a_public_functions_name():
    modules = {name.partition(".")[0] for name in os.listdir(os.path.dirname(convsym.__file__))}
    assert not modules & set(convsym._MODULE_OF)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'convsym' has no attribute 'convolved'"):
        _ = convsym.convolved
