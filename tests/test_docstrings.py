"""Every example in a docstring runs, and every public function has one."""

import doctest
import inspect
import pkgutil
from importlib import import_module
from itertools import product

import pytest

import convsym
from convsym import grad
from convsym.kernels._generated import rules

COMPILED = {"_cpu", "_cyutility", "_door", "baseline", "v3", "v4"}
# Modules that need another framework; their examples run in tests/peers.
FOREIGN = {f"convsym.adapters.{name}" for name in ("autograd", "jax", "torch", "torch_operator")}
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(convsym.__path__, "convsym.")
    if name.rpartition(".")[2] not in {*COMPILED, "__main__"} and name not in FOREIGN
]
OFFERED = [getattr(convsym, name) for name in convsym.__all__] + [getattr(grad, name) for name in grad.__all__]
COMPUTING = (
    "convsym.functional",
    "convsym.grad",
    "convsym.kernels.threads",
    "convsym.pooling",
    "convsym.signals",
    "convsym.windows",
)
FUNCTIONS = [offered for offered in OFFERED if inspect.isroutine(offered)]
CLASSES = [offered for offered in OFFERED if inspect.isclass(offered)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    outcome = doctest.testmod(import_module(name), optionflags=flags)
    assert outcome.failed == 0


def test_there_are_functions():
    assert {convsym.conv2d, convsym.vjp, convsym.prove, convsym.latex, grad.conv2d_bias} <= set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_public_function_documents_parameters_result_errors_and_shows_an_example(function):
    doc = inspect.getdoc(function)
    parameters = inspect.signature(function).parameters
    assert ">>> " in doc or function is convsym.mathml  # its markup is no reading
    assert not parameters or "Parameters\n----------\n" in doc
    documented = doc.partition("Returns\n-------")[0]
    assert not [name for name in parameters if name not in documented]
    assert "Raises\n------\n" in doc or not parameters or function.__module__ not in COMPUTING


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_public_class_says_what_it_is(cls):
    assert len(inspect.getdoc(cls)) > 20


@pytest.mark.parametrize("function", [convsym.conv1d, convsym.conv2d])
def test_the_size_rule_in_the_docstring_is_the_derived_one(function):
    text = next(line.partition("O = ")[2] for line in function.__doc__.splitlines() if "O = " in line)
    stated = compile(text, "docstring", "eval")
    grid = product(range(6), range(1, 4), (1, 2, 3), (1, 2), (0, 2), (-1, 1))
    for size, kernel, stride, dilation, before, after in grid:
        names = {"L": size, "R": kernel, "stride": stride, "dilation": dilation, "before": before, "after": after}
        assert eval(stated, {"max": max}, names) == rules.output_size(size, kernel, stride, dilation, before, after)
