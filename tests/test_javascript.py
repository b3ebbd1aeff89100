"""JavaScript text: run by node, it equals the exact reference, whatever the names and the signs of the positions."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest
from formulas import EXAMPLES
from plain import Plain, filled
from test_codegen import HOSTILE, ROLES

from convsym import Formula, KernelError, vjp
from convsym.codegen.javascript import RESERVED, javascript_text
from convsym.codegen.python import python_text
from convsym.codegen.safe import safe

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed, so JavaScript cannot be run")
# Strides, dilations and paddings of either sign; shapes of operands; shape of the output.
CONV = "y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r]"
GEOMETRIES = [(stride, dilation, padding) for stride in (1, 2, 3) for dilation in (1, 2) for padding in (-2, 0, 1, 3)]
MODES = [
    f"y[i, o] += x[i, {mode}(2*o + r - p)]*w[r]"
    for mode in ("circular", "reflect", "replicate", "symmetric")
]
OWN_WORDS = """
function let const var new delete typeof instanceof in of this null undefined NaN Infinity Math power data shape
floordiv floormod ceildiv arguments eval await async yield export import super void with debugger static enum
implements package protected constructor prototype console globalThis get set
""".split()


@dataclass(frozen=True)
class Job:
    """A printed function and what it is called with: the result's shape, arrays in order, parameters in order."""

    text: str
    shape: tuple
    arrays: tuple
    parameters: tuple


def executed(jobs):
    """What node computes: a flat list of numbers for each job."""
    sources = []
    for job in jobs:
        arrays = ", ".join(
            f"array({json.dumps([float(v) for v in a.flat])}, {json.dumps(a.shape)})" for a in job.arrays
        )
        arguments = [
            f"array(new Float64Array({int(np.prod(job.shape))}), {json.dumps(job.shape)})",
            *filter(None, [arrays]),
            *map(str, job.parameters),
        ]
        sources.append(f"(() => {{\n{job.text}\nreturn Array.from(printed({', '.join(arguments)}).data);\n}})()")
    program = (
        '"use strict";\nconst array = (data, shape) => ({data: Float64Array.from(data), shape});\n'
        f"process.stdout.write(JSON.stringify([{', '.join(sources)}]));\n"
    )
    answer = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def job(formula, arrays, shape, parameters):
    return Job(
        javascript_text(formula, "printed"),
        tuple(shape),
        tuple(arrays[n] for n in formula.operands),
        tuple(parameters[n] for n in formula.parameters),
    )


def assert_equal(jobs, answers, tolerance=0.0):
    for made, found, expected in zip(jobs, executed(jobs), answers, strict=True):
        np.testing.assert_allclose(
            np.array(found), np.array(expected, float).ravel(), rtol=tolerance, atol=0, err_msg=made.text
        )


@needs_node
@pytest.mark.parametrize("kinds, tolerance", [(("polynomial", "cases"), 0.0), (("quotient", "smooth"), 1e-13)])
def test_printed_formulas_equal_the_reference(kinds, tolerance):
    jobs, answers = [], []
    for example in EXAMPLES:
        if example.kind in kinds:
            plain, arrays, shape, parameters = example.problem()
            formula = Formula(example.text, ranges=dict(example.ranges))
            arrays = {name: a.astype(float) for name, a in arrays.items()}
            jobs.append(job(formula, arrays, shape, parameters))
            answers.append(formula(sizes={plain.output: shape}, **arrays, **parameters))
    assert len(jobs) >= 10
    assert_equal(jobs, answers, tolerance)


@needs_node
def test_printed_gather_rules_equal_the_scatter_for_every_sign_of_padding():
    formula = Formula(CONV)
    jobs, answers = [], []
    for stride, dilation, padding in GEOMETRIES:
        parameters = {"stride": stride, "dilation": dilation, "padding": padding}
        arrays = filled({"x": (2, 2, 7), "w": (3, 2, 2), "dy": (2, 3, 4)})
        for wrt in ("x", "w"):
            rule = vjp(formula, wrt)
            known = {name: arrays[name] for name in rule.gather.operands}
            jobs.append(job(rule.gather, known, arrays[wrt].shape, parameters))
            answers.append(Plain(str(rule.scatter))(known, arrays[wrt].shape, parameters))
    assert len(jobs) >= 40
    assert "floordiv(" in jobs[0].text
    assert_equal(jobs, answers)


@needs_node
@pytest.mark.parametrize("text", MODES)
def test_boundary_modes_are_printed_with_the_text(text):
    """Forward and, as a scatter, backward; also folded several times, and on an axis of one element."""
    formula = Formula(text)
    jobs, answers = [], []
    for size in (1, 2, 5):
        for p in (-3, 0, 4, 9):
            arrays = filled({"x": (2, size), "w": (3,), "dy": (2, 4)})
            forward = {"x": arrays["x"], "w": arrays["w"]}
            backward = {"dy": arrays["dy"], "w": arrays["w"]}
            scatter = vjp(formula, "x").scatter
            jobs += [job(formula, forward, (2, 4), {"p": p}), job(scatter, backward, (2, size), {"p": p})]
            answers += [formula(sizes={"y": (2, 4)}, **forward, p=p), scatter(sizes={"dx": (2, size)}, **backward, p=p)]
            check_python(formula, forward, (2, 4), p, answers[-2])
            check_python(scatter, backward, (2, size), p, answers[-1])
    assert_equal(jobs, answers)


def check_python(formula, arrays, shape, p, expected):
    namespace = {}
    exec(compile(python_text(formula, "printed"), "printed", "exec"), namespace)
    out = np.zeros(shape, object)
    namespace["printed"](out, *(arrays[n] for n in formula.operands), p)
    assert np.array_equal(out, expected)


@needs_node
def test_a_wrong_text_is_seen():
    formula = Formula("y[o] += x[2*o - r]*w[r]")
    arrays = filled({"x": (6,), "w": (3,)})
    right = job(formula, arrays, (3,), {})
    wrong = Job(right.text.replace("2*o - r", "2*o + r"), right.shape, right.arrays, right.parameters)
    expected = formula(sizes={"y": (3,)}, **arrays)
    assert_equal([right], [expected])
    with pytest.raises(AssertionError):
        assert_equal([wrong], [expected])


@needs_node
def test_floor_division_rounds_down_and_the_remainder_is_not_negative():
    formula = Formula("y[i] += (i - a)//b*10 + (i - a) % b")
    jobs = [job(formula, {}, (40,), {"a": 20, "b": b}) for b in range(1, 8)]
    assert_equal(jobs, [[(i - 20) // b * 10 + (i - 20) % b for i in range(40)] for b in range(1, 8)])


@needs_node
def test_hostile_names_compute_the_rule():
    jobs, answers = [], []
    for role, template in ROLES.items():
        for name in dict.fromkeys([*OWN_WORDS, *HOSTILE[::5]]):
            try:
                rule = vjp(Formula(template.replace("NAME", name)), "x")
            except ValueError:  # a keyword of Python is no name
                continue
            shapes = {n: (2, 3) if n == "d" + rule.parent.output else (2,) for n in rule.gather.operands}
            arrays, parameters = filled(shapes), dict.fromkeys(rule.gather.parameters, 2)
            jobs.append(job(rule.gather, arrays, (2, 7), parameters))
            answers.append(Plain(str(rule.scatter))(arrays, (2, 7), parameters))
            assert role
    assert len(jobs) >= 150
    assert_equal(jobs, answers)


@pytest.mark.parametrize("word", OWN_WORDS)
def test_words_of_javascript_are_not_names(word):
    if word not in ("of", "prototype", "get", "set"):  # these are names in JavaScript too
        assert word in RESERVED or word in safe_words(word)
    try:
        text = javascript_text(Formula(f"y[o] += {word}[o + r]*w[r]"), "f")
    except ValueError:
        return
    code = re.sub(r"//.*", "", text)
    if word not in ("of", "prototype", "get", "set"):
        assert f"{word}.data" not in code


def safe_words(word):
    """The word, if the printers of every language change it."""
    try:
        return safe(Formula(f"y[o] += {word}[o]"))[1]
    except ValueError:
        return (word,)


@pytest.mark.parametrize("name", ["", "a b", "f(){}//", "x; alert(1)", "1f", "f\n", "é", "if", None, "f*/", "a.b"])
@pytest.mark.parametrize("printer", [javascript_text, python_text])
def test_a_function_has_a_name_or_none_is_printed(printer, name):
    with pytest.raises(KernelError) as error:
        printer(Formula("y[o] += x[o]"), name)
    assert f"a function cannot be named {name!r}" in str(error.value)
