"""The house: a module imports only from its left; ops come through the registry alone; modules are small."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import convsym

PACKAGE = Path(convsym.__file__).parent
# Left to right; a name stands for the module or for all modules of the package. `import convsym` counts as `grad`,
# the last of the public numeric functions that it offers.
LINE = """
    errors _version kernels.signature
    expressions boundary layout typesetting evaluation limits grammar parsing sizes binding validation formula notation
    rule elimination derivation congruences residues unfolding records jacobians relations claims enumeration smtlib
    solver presburger
    obligations verdict counterexamples proofs theorems tile cooktoom
    codegen op ops audit certificates
    kernels arguments gate rounding geometry meaning layouts margins polyphase memory scratch rooms taps strips sweeps
    pieces direct interleaved depthwise pointwise panels matrices outer dots reduction sums channelwise minimal fourier
    choice plans cutting execution operations shortcuts calls bounds sliding windows averaging pooling multilinear
    signals functional transposed operators sparse cycles norms grad accounts kept specs terminal digits figures
    autograd.arrayop autograd.arrays autograd._rules autograd._texts autograd.primitives autograd.maps autograd.derived
    autograd.forms autograd.held autograd.worlds autograd.recording autograd.algebra autograd.graphs autograd.pictures
    autograd.tape autograd.leaves autograd.custom autograd.convolutions autograd.transposed autograd.pooling
    autograd.arithmetic autograd.elementary autograd.activations autograd.reductions autograd.structural
    autograd.joining autograd.losses autograd.transforms autograd.checking autograd.symbols autograd.symbolic autograd
    nn adapters bench documents tour cli __main__
""".split()
NUMERIC = tuple(LINE[LINE.index("kernels") : LINE.index("grad") + 1])
# algorithm="reference" evaluates the formula itself, so this one function reaches for the registry when it is called.
EXCEPTION = ("execution", "ops")


def module_name(path):
    """Name within the package: ``codegen.cython``, ``ops`` for ``ops/__init__.py``, ``""`` for the package itself."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


SOURCES = {module_name(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def imported(source):
    """Modules of the package that a source imports anywhere, also within functions; ``""`` is the package itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {resolved(node.module, alias.name) for alias in node.names}
    return {name.removeprefix("convsym").lstrip(".") for name in found if name.partition(".")[0] == "convsym"}


def resolved(module, name):
    """The module that ``from module import name`` reads."""
    if module == "convsym" and name in convsym._MODULE_OF:
        return f"convsym.{convsym._MODULE_OF[name]}"
    inner = f"{module}.{name}"
    return inner if inner.removeprefix("convsym.") in SOURCES else module


def under(module, place):
    return module == place or module.startswith(f"{place}.")


def position(module):
    """Place in the line; the longest name that fits."""
    if module == "":
        return LINE.index("grad")
    places = [place for place in LINE if under(module, place)]
    assert places, f"convsym.{module} has no place in the line"
    return LINE.index(max(places, key=len))


def forbidden(module, source):
    """Sentences about the imports of a module that the house does not allow."""
    numeric = any(under(module, place) for place in NUMERIC)
    for name in sorted(imported(source)):
        if position(name) > position(module):
            yield f"{module} imports {name or 'convsym'}, which stands right of it"
        if under(name, "ops") and name != "ops":
            yield f"{module} imports the op file {name}; ops are reached through convsym.ops"
        own = ("errors", "_version", "kernels") if under(module, "kernels") else ("errors", "_version", *NUMERIC)
        if numeric and not any(under(name, place) for place in own) and (module, name) != EXCEPTION:
            yield f"{module} computes, and imports {name or 'convsym'}"


@pytest.mark.parametrize("module", [name for name in SOURCES if name])
def test_a_module_imports_only_from_its_left(module):
    assert list(forbidden(module, SOURCES[module])) == []


def test_the_package_itself_loads_no_module():
    assert imported(SOURCES[""]) == {"_version"}


def test_no_modules_import_each_other():
    arrows = {name: imported(source) - {""} for name, source in SOURCES.items() if name}
    assert list(TopologicalSorter(arrows).static_order())


@pytest.mark.parametrize(
    ("module", "source", "sentence"),
    [
        ("errors", "import convsym.gate", "errors imports gate, which stands right of it"),
        ("formula", "def f():\n    from convsym import proofs", "formula imports proofs, which stands right of it"),
        ("formula", "from convsym import prove", "formula imports proofs, which stands right of it"),
        ("derivation", "import convsym", "derivation imports convsym, which stands right of it"),
        ("documents", "from convsym.ops import conv", "documents imports the op file ops.conv"),
        ("gate", "from convsym.expressions import size", "gate computes, and imports expressions"),
        ("kernels.levels", "from convsym import parsing", "kernels.levels computes, and imports parsing"),
        ("geometry", "from convsym.ops import registry", "geometry computes, and imports ops"),
    ],
)
def test_a_forbidden_import_is_seen(module, source, sentence):
    assert any(found.startswith(sentence) for found in forbidden(module, source))


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_is_small(module):
    generated = module in ("kernels._generated.rules", "autograd._rules")
    assert generated or len(SOURCES[module].splitlines()) <= 400


@pytest.mark.parametrize("module", SOURCES)
def test_no_error_is_swallowed_and_no_keyword_passed_on_unseen(module):
    for node in ast.walk(ast.parse(SOURCES[module])):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None
            assert ast.unparse(node.type) not in ("Exception", "BaseException")
        if isinstance(node, ast.Call) and any(keyword.arg is None for keyword in node.keywords):
            passed = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg is None]
            assert "kwargs" not in passed
