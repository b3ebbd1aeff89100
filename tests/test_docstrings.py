"""Every example in a docstring runs, and every public function of the numeric side has one."""

import doctest
import inspect
import pkgutil
from importlib import import_module

import pytest

import convsym
from convsym import grad, kernels

COMPILED = {"_cpu", "_cyutility", "baseline", "v3", "v4"}
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(convsym.__path__, "convsym.")
    if name.rpartition(".")[2] not in {*COMPILED, "__main__"}
]
PUBLIC = [
    convsym.conv1d,
    convsym.conv2d,
    *(getattr(grad, name) for name in grad.__all__),
    kernels.config,
    kernels.show_config,
    kernels.get_num_threads,
    kernels.set_num_threads,
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    outcome = doctest.testmod(import_module(name), optionflags=flags)
    assert outcome.failed == 0


@pytest.mark.parametrize("function", PUBLIC, ids=lambda function: function.__name__)
def test_a_public_function_documents_parameters_result_errors_and_shows_an_example(function):
    doc = inspect.getdoc(function)
    parameters = inspect.signature(function).parameters
    assert ">>> " in doc
    assert not parameters or "Parameters\n----------\n" in doc
    documented = doc.partition("Returns\n-------")[0]
    assert not [name for name in parameters if name not in documented]
    assert not parameters or "Raises\n------\n" in doc
