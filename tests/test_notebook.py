"""What a notebook shows, and what hostile text becomes in LaTeX, MathML and HTML: text."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from test_notation import assert_latex, assert_mathml

import convsym
from convsym import Formula, FormulaError, check, latex, prove, registry, vjp, winograd
from convsym.layout import Layout, row
from convsym.rule import Step
from convsym.typesetting import text_latex, to_latex, to_mathml
from convsym.verdict import Obligation, Proof

F = Formula("y[o] += x[s*o + r]*w[r]")
SHOWN = {
    "formula": F,
    "rule": vjp(F, "x"),
    "scatter": vjp(F, "x").scatter,
    "step": vjp(F, "x").steps[0],
    "op": registry["conv2d"],
    "winograd": winograd(2, 3),
    "gradient": winograd(2, 3, kind="weight").nested(2),
    "proof": Proof("∂(y[o] += x_a[o % 2])/∂x_a", "proved", (), "for every size", 0.1),
}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script>",
    "'\"><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "<iframe src=javascript:alert(1)>",
    "<body onload=alert(1)>",
    '<math><mi//xlink:href="data:x,<script>alert(4)</script>">',
    "<maction actiontype=statusline#http://x>",
    "<style>@import 'x'</style>",
    "<link rel=stylesheet href=x>",
    "<meta http-equiv=refresh content=0>",
    "<object data=x>",
    "<embed src=x>",
    "<form action=javascript:alert(1)>",
    "<input onfocus=alert(1) autofocus>",
    "<details open ontoggle=alert(1)>",
    "<!--<img src=--><img src=x onerror=alert(1)//-->",
    "]]><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "&lt;script&gt;",
    "&#60;script&#62;alert(1)",
    "<?php system('id') ?>",
    r"\href{javascript:alert(1)}{x}",
    r"\url{javascript:alert(1)}",
    r"\unicode{<img src=x onerror=alert(1)>}",
    r"\style{x:expression(alert(1))}{y}",
    r"\class{x}{y}",
    r"\html{<b>}",
    r"\htmlData{x=1}{y}",
    r"\includegraphics{x}",
    r"\input{/etc/passwd}",
    r"\write18{id}",
    r"}\href{javascript:alert(1)}{",
    r"$\href{javascript:alert(1)}{x}$",
    "$$x$$",
    "\\\\",
    "\\",
    "}",
    "{",
    "$",
    "%",
    "#1",
    "^^M",
    "a&b",
    "~",
    r"\newcommand{\x}{\x\x}\x",
    "x\n\\end{align*}",
    "^^5chref{x}{y}",
]


class Tags(HTMLParser):
    """Tags, attributes and comments that a browser would see, and the text that is left."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.odd, self.text = set(), [], [], ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data

    def odd_thing(self, data):
        self.odd.append(data)

    handle_comment = handle_decl = handle_pi = unknown_decl = odd_thing


def assert_html(source, *texts):
    """Nothing but a plain table; the texts can be read in it."""
    seen = Tags(source)
    assert seen.tags <= {"table", "caption", "tbody", "tr", "th", "td"}, seen.tags
    assert (seen.attributes, seen.odd) == ([], [])
    assert not [text for text in texts if text not in seen.text]


COMMANDS = {
    "text",
    "texttt",
    "operatorname",
    "mathit",
    "mathrm",
    "textbackslash",
    "textasciicircum",
    "textasciitilde",
    "textless",
    "textgreater",
    "delta",
    "partial",
}


def assert_only_text(source):
    """No command but those that spell signs, no math and no markup; braces are balanced."""
    assert set(re.findall(r"\\([A-Za-z]+)", re.sub(r"\\\\", " ", source))) <= COMMANDS, source
    bare = source.replace(r"$\delta$", "").replace(r"$\partial$", "")
    assert not re.search(r"(?<!\\)[$%&#_^~<>\n]", bare), source
    assert "\\\\" not in source
    depth = 0
    for mark in re.findall(r"\\.|[{}]", source):
        depth += (mark == "{") - (mark == "}")
        assert depth >= 0, source
    assert depth == 0, source


@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_shows_latex(name):
    obj = SHOWN[name]
    shown = obj._repr_latex_()
    assert shown == f"$${latex(obj)}$$"
    assert "$$" not in shown[2:-2]
    if name not in ("winograd", "gradient", "proof"):
        assert_latex(shown[2:-2])
    assert not re.search(r"<[A-Za-z/!?]", shown)


def test_a_proof_is_a_table():
    pytest.importorskip("z3")
    right, wrong = prove(vjp(F, "x")), check(F, wrt="x", claim="dx[o + r] += dy[o]*w[r]")
    assert_html(right._repr_html_(), "proved", *(o.name for o in right.obligations), right.statement)
    assert_html(wrong._repr_html_(), "refuted", wrong.reason, wrong.statement)
    assert "exact integers agree" in right._repr_html_()


def test_there_are_enough_hostile_texts():
    assert len(set(HOSTILE)) == len(HOSTILE) >= 50


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_no_formula_and_no_name(text):
    for source in (text, f"y[o] += {text}[o]", f"y[{text}] += x[o]", f"y[o] += x[o + {text}]"):
        if source.startswith("y[o] += x[o + ") and text in ("#1", "%"):
            continue
        with pytest.raises(FormulaError):
            Formula(source)
    with pytest.raises(FormulaError):
        vjp(F, text)
    with pytest.raises(FormulaError):
        Formula("y[o] += x[o]", ranges={"o": text})
    with pytest.raises(FormulaError):
        Formula("y[o] += x[o]", assume=text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_text(text):
    """Proofs and steps may carry any text: certificates are files of somebody else."""
    proof = Proof(text, text, (Obligation(text, text, 0.0),), text, 0.0, geometries=1)
    assert_html(proof._repr_html_(), text)
    assert_only_text(text_latex(text))
    assert_only_text(latex(proof).replace(r"\;", ""))
    assert proof._repr_latex_() == f"$${latex(proof)}$$"
    for kind in ("name", "word"):
        layout = Layout(kind, (text,))
        assert_only_text(to_latex(layout))
        if text.strip():
            assert text in assert_mathml(to_mathml(row("=", layout)))
    step = replace(vjp(F, "x").steps[0], lemma=text)
    lines = convsym.notation.derivation_latex(F, [step]).splitlines()
    assert len(lines) == 4
    assert_only_text(lines[2].partition(r"&& \text{")[2].removesuffix("}"))
    assert isinstance(step, Step)


@pytest.mark.parametrize("source", ["<b>x</b>", "<td onclick='x'>", "<!-- x -->", "<script>", "<td style='x'>"])
def test_markup_that_is_not_a_plain_table_is_seen(source):
    with pytest.raises(AssertionError):
        assert_html(f"<table>{source}</table>")


@pytest.mark.parametrize("source", [r"\href{a}{b}", "$x$", "a_b", "a%b", "a}", "{a", "a & b", "<b", r"\\", "a^b", "#"])
def test_latex_that_is_not_only_text_is_seen(source):
    with pytest.raises(AssertionError):
        assert_only_text(source)
