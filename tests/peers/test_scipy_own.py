"""SciPy: its own tests of convolve, convolve2d, correlate and correlate2d, run from its wheel on convsym's functions.

What fails is exactly what convsym means to do otherwise, each with its reason.
"""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("scipy", reason="the peer scipy is not installed")
pytest.importorskip("scipy.signal.tests.test_signaltools", reason="this scipy comes without its tests")

CLASSES = ("TestConvolve", "TestConvolve2d", "TestCorrelate", "TestCorrelateReal", "TestCorrelateComplex")
NO_AXES = "signals without axes give an array without axes, not a number"
EXTENDED = "long doubles are no dtype that is computed"
DIFFERENCES = {
    "TestConvolve.test_zero_rank[numpy]": NO_AXES,
    "TestConvolve.test_convolve_method[numpy]": "it convolves bools, which convsym refuses: what does True count?",
    "TestConvolve2d.test_fillvalue_errors[numpy]": "the error is a TypeError with other words",
    "TestConvolve2d.test_fillvalue_empty[numpy]": "the error is a TypeError",
    "TestConvolve2d.test_invalid_dims[numpy]": "any number of axes up to five is computed",
    "TestCorrelateComplex.test_rank0[numpy-complex64]": NO_AXES,
    "TestCorrelateComplex.test_rank0[numpy-complex128]": NO_AXES,
    "test_convolve_longdtype_input[numpy-longdouble]": EXTENDED,
    "test_convolve_longdtype_input[numpy-clongdouble]": EXTENDED,
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What became of each of SciPy's tests: "passed", "failed" or "skipped", by name."""
    folder = tmp_path_factory.mktemp("scipy")
    chosen = " or ".join((*CLASSES, "test_convolve_longdtype_input"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "on_convsym", "-p", "no:cacheprovider", "-k", chosen]
    command += ["--junitxml=outcomes.xml", "--pyargs", "scipy.signal.tests.test_signaltools"]
    path = os.pathsep.join((str(Path(__file__).parent), os.environ["PYTHONPATH"]))
    # An environment that asks for SciPy's other array libraries would run other tests.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SCIPY_")}
    environment |= {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode in (0, 1), answer.stdout + answer.stderr
    found = {}
    for case in ElementTree.parse(folder / "outcomes.xml").iter("testcase"):
        group = case.get("classname").rpartition("test_signaltools")[2].lstrip(".")
        kinds = {child.tag for child in case}
        kind = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[f"{group}.{case.get('name')}".lstrip(".")] = kind
    return found


def test_what_fails_is_what_is_meant_to_differ(outcomes):
    assert {name for name, kind in outcomes.items() if kind == "failed"} == set(DIFFERENCES)


def test_more_than_a_hundred_pass(outcomes):
    kinds = list(outcomes.values())
    assert kinds.count("passed") >= 110, outcomes
    assert kinds.count("skipped") <= 8, outcomes


def test_the_functions_are_convsyms(outcomes):
    """What convsym refuses fails, so it is convsym that was called."""
    assert outcomes["TestConvolve2d.test_invalid_dims[numpy]"] == "failed"
