"""The pages for users are true: every promise names tests that exist, every example runs; and the promises that no
other file keeps."""

import doctest
import inspect
import re
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from exact import bits

import convsym
from convsym import errors, explain, grad, registry
from convsym.kernels._generated import rules

ROOT = Path(__file__).parents[1]
PROMISES = ROOT / "docs" / "promises.md"
NAMED = re.compile(r"`(tests/(?:peers/)?test_\w+\.py)(?:::(\w+))?`")


def unkept(text):
    """Promises that name no test, and tests that are named and not there."""
    for promise in re.findall(r"^\* .*(?:\n  .*)*", text, re.MULTILINE):
        named = NAMED.findall(promise)
        if not named:
            yield f"no test keeps: {promise}"
        for file, test in named:
            source = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).exists() else ""
            if not source or (test and f"def {test}(" not in source):
                yield f"{file}::{test} is not there"


def test_every_promise_names_a_test_that_exists():
    assert list(unkept(PROMISES.read_text(encoding="utf-8"))) == []


def test_a_promise_without_its_test_would_be_noticed():
    assert list(unkept("* Always faster.\n* Kept by `tests/test_kernels.py::test_nothing`.")) == [
        "no test keeps: * Always faster.",
        "tests/test_kernels.py::test_nothing is not there",
    ]


@pytest.mark.parametrize("page", ["coming-from.md", "numeric.md"])
def test_the_examples_of_a_page_run(page):
    text = re.sub("```(python)?", "", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    test = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    assert len(test.examples) > 20
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_formulas_of_the_numeric_page_are_the_registrys():
    text = (ROOT / "docs" / "numeric.md").read_text(encoding="utf-8")
    named = {name: registry[f"{name}1d"] for name in ("conv", "conv_transpose", "unfold", "avg_pool")}
    stated = re.findall(r"^\| (?:`[\w/]+`, )?`(\w+)`(?: \| (\w+) \| `\w+`)? \| `(.*)` \|$", text, re.MULTILINE)
    assert len(stated) == 9
    for name, by, formula in stated:
        op = named[name]
        assert formula == str(op.rules[{"input": "x", "weight": "w"}[by]].scatter if by else op.formula)


# ---------------------------------------------------------------- the differences that docs/coming-from.md speaks of


def test_the_modes_have_the_names_of_numpy_and_other_ones_in_ndimage():
    ndimage = pytest.importorskip("scipy.ndimage")
    row, tap = np.arange(1.0, 5.0), np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    for ours, theirs in {
        "symmetric": "reflect",
        "reflect": "mirror",
        "replicate": "nearest",
        "circular": "wrap",
        "zeros": "constant",
    }.items():
        y = convsym.conv1d(row[None], tap[None, None], padding=2, padding_mode=ours)[0]
        assert bits(y, ndimage.correlate1d(row, tap, mode=theirs)) == 0


def test_the_transposed_convolution_of_jax_is_the_flipped_one():
    if find_spec("jax") is None:
        pytest.skip("jax is not installed")
    from jax import lax

    fill = np.random.default_rng(0)
    x = fill.integers(-5, 6, (1, 5, 2)).astype(np.float32)
    w = fill.integers(-5, 6, (3, 2, 4)).astype(np.float32)  # spatial, in, out
    theirs = np.asarray(lax.conv_transpose(x, w, (2,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")))
    ours = convsym.conv_transpose(x, w, stride=2, flip=True, axes=("NWC", "WIO", "NWC"))
    assert bits(ours, theirs[:, : ours.shape[1]]) == 0


def test_same_of_tensorflow_depends_on_the_size_where_there_is_a_stride():
    w = np.ones((1, 1, 3))
    widths = [convsym.conv1d(np.ones((1, size)), w, stride=2, padding="same", same="tf")[0] for size in (4, 5)]
    assert [list(width) for width in widths] == [[3, 2], [2, 3, 2]]


# ---------------------------------------------------------------------------------- promises that are kept here


def test_the_choice_depends_on_no_value():
    x, w = np.ones((1, 2, 8, 8)), np.ones((2, 2, 3, 3))
    made = {str(explain("conv2d", array, w).plan) for array in (x, x * np.nan, x * 0, -x)}
    assert len(made) == 1


def test_no_product_with_the_zeros_between_dilated_elements():
    x, w = np.array([[1.0, 2.0, 3.0]]), np.array([[[np.inf, 1.0]]])
    y = convsym.conv1d(x, w, input_dilation=2)
    assert np.array_equal(y, [[np.inf, 2.0, np.inf, 3.0]])


def test_only_an_out_that_lies_apart_takes_memory():
    x, w = np.ones((2, 4, 64, 64)), np.ones((4, 4, 3, 3))
    size = convsym.conv2d(x, w).nbytes
    for out, arrays in ((np.empty((2, 4, 62, 62)), 0), (np.empty((2, 4, 62, 124))[..., ::2], 1)):
        tracemalloc.start()
        convsym.conv2d(x, w, out=out)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert arrays * size <= taken < arrays * size + 60_000


def test_calls_from_several_threads_at_once_give_the_same_bits():
    fill = np.random.default_rng(0)
    x, w = fill.normal(size=(2, 8, 40, 40)), fill.normal(size=(8, 8, 3, 3))
    alone = convsym.conv2d(x, w), grad.conv2d_weight(x, w.shape, convsym.conv2d(x, w))
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda _: convsym.conv2d(x, w), range(16)))
        weights = list(pool.map(lambda _: grad.conv2d_weight(x, w.shape, alone[0]), range(16)))
    assert [bits(y, alone[0]) for y in outputs] == [0] * 16
    assert [bits(dw, alone[1]) for dw in weights] == [0] * 16


def test_the_rules_that_may_not_change():
    assert [rules.output_size(10, 3, 2, 1, 1, high) for high in (0, 1, 2)] == [5, 5, 6]
    assert rules.transposed_size(5, 3, 2, 1, 1, 1) == 9
    names = list(inspect.signature(convsym.conv2d).parameters)
    assert names[:7] == ["input", "weight", "bias", "stride", "padding", "dilation", "groups"]
    names = list(inspect.signature(convsym.conv_transpose2d).parameters)
    assert names[:8] == ["input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"]
    assert issubclass(errors.ShapeError, ValueError)
    assert issubclass(errors.FormulaError, ValueError)
