"""Typeset formulas: well-formed LaTeX and MathML of everything that prints, and no name gets out unescaped."""

import re
import xml.etree.ElementTree as ET

import pytest
from formulas import EXAMPLES
from test_derivation import DIFFERENTIABLE

import convsym
from convsym import Formula, check, latex, mathml, prove, registry, vjp
from convsym.notation import derivation_latex

MATHML = "{http://www.w3.org/1998/Math/MathML}"
# Elements and how many children each must have; None for any number.
ARITY = {
    "math": None,
    "mrow": None,
    "mi": 0,
    "mn": 0,
    "mo": 0,
    "mspace": 0,
    "mtext": 0,
    "mfrac": 2,
    "msub": 2,
    "msup": 2,
    "msubsup": 3,
    "munder": 2,
    "msqrt": None,
    "mtable": None,
    "mtr": None,
    "mtd": None,
}


def assert_latex(text):
    """Braces and \\left … \\right are balanced, names stand in it escaped, nothing of Python is left."""
    depth = 0
    for mark in re.findall(r"\\.|[{}]", text):
        depth += (mark == "{") - (mark == "}")
        assert depth >= 0, text
    assert depth == 0, text
    assert text.count(r"\left") == text.count(r"\right"), text
    assert not re.search(r"[A-Za-z0-9]_[A-Za-z0-9]", re.sub(r"\\_", "", re.sub(r"_\{", "", text))), text
    assert not any(word in text for word in ("**", "//", "where", "None", "<class", "Symbol", "#", "$$"))
    assert "%" not in text.replace(r"\%", "")
    assert "&" not in text.replace(r"\&", "") or r"\begin{align*}" in text


def assert_mathml(text):
    """One <math> element that parses, of known elements with the children they need."""
    root = ET.fromstring(text)
    assert root.tag == MATHML + "math"
    for node in root.iter():
        name = node.tag.removeprefix(MATHML)
        assert name in ARITY, name
        assert ARITY[name] in (None, len(node)), ET.tostring(node)
        assert len(node) or (node.text or "").strip() or name in ("mspace", "mrow"), ET.tostring(node)
    return "".join(root.itertext())


def printed():
    for example in EXAMPLES:
        yield pytest.param(Formula(example.text, ranges=dict(example.ranges)), id=example.text)
    for parameter in DIFFERENTIABLE:
        example, wrt = parameter.values
        rule = vjp(Formula(example.text, ranges=dict(example.ranges)), wrt)
        yield pytest.param(rule, id=f"{parameter.id}: rule")
        yield pytest.param(rule.scatter, id=f"{parameter.id}: scatter")
    yield from (pytest.param(op, id=f"op {name}") for name, op in registry.items())


@pytest.mark.parametrize("obj", printed())
def test_everything_prints_well_formed(obj):
    assert_latex(latex(obj))
    assert_mathml(mathml(obj))
    for step in getattr(obj, "steps", ()):
        assert_latex(latex(step))
        assert latex(step) == step.latex
        assert_mathml(mathml(step))


@pytest.mark.parametrize(
    "text", ["x_{o", "x_o}", r"\left( x \right) \left[", "x_o", "x % 2", "x**2", "where(x, 1, 2)", "a & b"]
)
def test_latex_that_is_not_well_formed_is_seen(text):
    with pytest.raises(AssertionError):
        assert_latex(text)


@pytest.mark.parametrize(
    "inner", ["<mi>x", "<mfrac><mi>x</mi></mfrac>", "<script/>", "<mi>a<mo>b</mo></mi>", "<mi></mi>", "<mi>&x;</mi>"]
)
def test_mathml_that_is_not_well_formed_is_seen(inner):
    with pytest.raises((AssertionError, ET.ParseError)):
        assert_mathml(f'<math xmlns="{MATHML[1:-1]}">{inner}</math>')


def test_a_convolution_reads_as_in_a_book():
    f = Formula("y[n, k, o] += x[n, c, stride*o + r] * w[k, c, r]")
    assert latex(f) == (r"y_{n, k, o} = \sum_{c, r} x_{n, c, \mathit{stride} \, o + r} \, w_{k, c, r}")
    assert assert_mathml(mathml(f)) == "yn,k,o=∑c,rxn,c,strideo+rwk,c,r"
    rule = vjp(Formula("y[o] += x[s*o + r]*w[r]"), "x")
    assert r"\mid" in latex(rule)
    assert r"\mathrm{d}y" in latex(rule)
    assert r"\frac{i - r}{s}" in latex(rule)
    assert r"\mathrel{+}=" in latex(rule.scatter)


@pytest.mark.parametrize(
    "name", ["a_b", "_x", "x_", "__", "dx_1", "x12", "alpha", "d", "dd", "x_0", "I", "stride0", "w_1_2"]
)
def test_names_are_escaped_and_kept(name):
    f = Formula(f"y[o] += {name}[o + r]*w[r]*{name}q")
    assert_latex(latex(f))
    text = assert_mathml(mathml(f))
    assert name in text
    back = re.sub(r"\\math\w+|[{}\\ ]", "", latex(f)).replace("_", "")
    assert name.replace("_", "") in back


def test_a_proof_prints_its_statement():
    pytest.importorskip("z3")
    f = Formula("y[o] += x[s*o + r]*w[r]")
    for proof in (prove(vjp(f, "x")), check(f, wrt="x", claim="dx[o + r] += dy[o]*w[r]")):
        text = latex(proof)
        assert text.count("{") == text.count("}")
        assert proof.status in text
        assert "%" not in text.replace(r"\%", "")
        assert "_" not in text.replace(r"\_", "")


def test_a_derivation_is_one_environment():
    f = Formula("y[o] += x[s*o + r]*w[r]")
    rule = vjp(f, "x")
    text = derivation_latex(f, rule.steps)
    assert text.startswith("\\begin{align*}\n")
    assert text.endswith("\n\\end{align*}")
    assert text.count(r"\\" + "\n") == len(rule.steps)
    assert_latex(text)
    for step in rule.steps:
        assert step.latex in text


@pytest.mark.parametrize("obj", [None, 3, "y[o] += x[o]", [], object, Formula], ids=repr)
@pytest.mark.parametrize("printer", [latex, mathml])
def test_what_does_not_print_is_a_sentence(printer, obj):
    with pytest.raises(TypeError) as error:
        printer(obj)
    assert f"{printer.__name__} prints a Formula, Rule, Step, Proof or Op, not {type(obj).__name__}" in str(error.value)


def test_the_printers_are_public():
    assert convsym.latex is latex
    assert convsym.mathml is mathml
