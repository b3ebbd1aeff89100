"""The findings as one HTML page that needs nothing else: MathML, inline SVG, no script, no link to fetch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

import numpy as np

import convsym
from convsym import figures
from convsym.digits import Split
from convsym.tour.comparison import PRINTED, KernelCheck
from convsym.tour.findings import Derivation, Refutation
from convsym.tour.network import LAYERS
from convsym.tour.show import counterexample_facts, proof_rows
from convsym.tour.style import STYLE
from convsym.tour.training import Training
from convsym.verdict import Proof

SHOWN = 30


def page(derivation: Derivation, refutation: Refutation, check: KernelCheck, training: Training, split: Split) -> str:
    """Return the report.

    Parameters
    ----------
    derivation, refutation, check, training
        The findings of the four sections.
    split : Split
        The digits, for the pictures.

    Returns
    -------
    str
        A whole HTML document.
    """
    sections = (
        _derivation(derivation),
        _refutation(refutation),
        _kernels(check),
        _training(training, split),
        _learned(training, split),
    )
    summary = _tiles(derivation, refutation, check, training)
    body = "\n".join((
        "<header><h1>convsym</h1><p>A convolution is one line of index notation. Everything below is that "
        "line seen from another side: differentiated, proved, compiled, called, drawn.</p>",
        summary, "</header>", "<main>", *sections, "</main>",
        f"<footer>convsym {escape(convsym.__version__)} · "
        "digits: E. Alpaydin and C. Kaynak, UCI, CC BY 4.0</footer>",
    ))  # fmt: skip
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>convsym tour</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _tiles(derivation: Derivation, refutation: Refutation, check: KernelCheck, training: Training) -> str:
    """The four results in a row."""
    statuses = {proof.status for proof in derivation.proofs}
    verdict = statuses.pop() if len(statuses) == 1 else "mixed"
    tiles = (
        (verdict, "the derived gradients"),
        (refutation.verdict.status, "the wrong gradient"),
        (str(check.differing), "bits differ from the reference"),
        (f"{training.accuracy:.1%}", "of held-out digits read"),
    )
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(words)}</span></div>'
        for value, words in tiles
    ) + "</div>"  # fmt: skip


def _derivation(found: Derivation) -> str:
    """Section 1: the formula, its Toeplitz picture, the rules step by step, the proofs."""
    parts = [_math(found.formula), _code(str(found.formula)), _toeplitz(found)]
    for rule, proof in zip(found.rules, found.proofs, strict=True):
        steps = "".join(
            f"<li><span class=lemma>{escape(step.lemma)}</span>{_code(step.text)}</li>" for step in rule.steps
        )
        parts += [
            f"<h3>The gradient by {escape(rule.wrt)}</h3>",
            _math(rule),
            f"<details open><summary>Derivation</summary><ol>{steps}</ol></details>",
            _proof(proof),
        ]
    return _section(1, "One line, its gradients, and their proof", parts)


def _toeplitz(found: Derivation) -> str:
    """The formula's matrix for a small signal, drawn from the relation that was proved."""
    parameters = {"stride": 1, "dilation": 1, "padding": 1}
    x, w = np.ones((1, 1, 8), int), np.ones((1, 1, 3), int)
    y = found.formula.evaluate({"x": x, "w": w, **parameters}, {})
    shapes = {"x": x.shape, "w": w.shape, "y": y.shape}
    relation = figures.axis_relation(
        found.formula, shapes, parameters, output=("y", 2), kernel=("w", 2), input=("x", 2)
    )
    title = "The formula as a matrix: 8 samples, 3 weights, padding 1"
    return _figure(figures.toeplitz(relation, y.shape[2], x.shape[2], title=title))


def _refutation(found: Refutation) -> str:
    """Section 2: the claim, the counter-example, the right gradient."""
    parts = [
        "<p>Somebody forgot the dilation when solving for <i>o</i>. Tests with dilation 1 all pass.</p>",
        _code(found.claim),
        _proof(found.verdict),
    ]
    if found.verdict.counterexample is not None:
        parts.append(_table(("counter-example", ""), counterexample_facts(found.verdict)))
    parts += ["<p>The derived gradient in scatter form, put to the same check:</p>", _code(found.right)]
    return _section(2, "A gradient written by hand, refuted", [*parts, _proof(found.right_verdict)])


def _kernels(found: KernelCheck) -> str:
    """Section 3: every kernel with its rule and the bits that differ, and one window of a layer."""
    rows = [(each.kernel, str(each.geometries), f"{each.numbers:,}", str(each.differing)) for each in found.comparisons]
    rules = "".join(f"<dt>{escape(each.kernel)}</dt><dd>{_math(each.rule)}</dd>" for each in found.comparisons)
    return _section(3, "The kernels that the rules became", [
        f"<p>CPU level {escape(found.level)}, threads {found.threads}; compared with the exact reference on "
        "integers, over random sizes, strides, dilations and paddings.</p>",
        _table(("kernel", "geometries", "numbers", "differing bits"), rows),
        f"<details><summary>What each computes</summary><dl>{rules}</dl></details>",
        f"<details><summary>What {PRINTED} became</summary>{_code(found.source)}</details>",
        _window(found),
    ])  # fmt: skip


def _window(found: KernelCheck) -> str:
    """One window of the network's second layer, drawn from the formula of its kernel."""
    formula = next(each.rule for each in found.comparisons if each.kernel == "conv2d_y")
    layer = LAYERS[1]
    settings = {"stride": layer.stride, "dilation": 1, "padding": layer.padding}
    parameters = {f"{name}{axis}": value for name, value in settings.items() for axis in (0, 1)}
    x, w = np.ones((1, 1, 8, 8), int), np.ones((1, 1, *layer.shape[2:]), int)
    y = formula.evaluate({"x": x, "w": w, **parameters}, {})
    shapes = {"x": x.shape, "w": w.shape, "y": y.shape}
    relations = [
        figures.axis_relation(formula, shapes, parameters, output=("y", n), kernel=("w", n), input=("x", n))
        for n in (2, 3)
    ]
    return _figure(
        figures.window(
            relations,
            x.shape[2:],
            w.shape[2:],
            y.shape[2:],
            (0, 1),
            title="One window of the second layer, stride 2",
        )
    )


def _training(found: Training, split: Split) -> str:
    """Section 4: the curves."""
    loss = figures.line_chart(
        {
            "training": [each.loss for each in found.epochs],
            "held out": [each.held_loss for each in found.epochs],
        },
        x_label="epoch", y_label="squared error", title="Loss", low=0,
    )  # fmt: skip
    accuracy = figures.line_chart(
        {"held out": [each.accuracy for each in found.epochs]},
        x_label="epoch", y_label="digits read correctly", title="Accuracy", percent=True,
    )  # fmt: skip
    held = len(split.held_labels)
    words = (
        f"<p>Three convolutions with bias and relu, {len(split.train_labels):,} real digits to learn from, "
        f"{held} held out: <b>{round(found.accuracy * held)} of {held}</b> are read correctly. Every "
        "gradient is a derived rule.</p>"
    )
    return _section(4, "A network that reads handwritten digits", [words, _figure(loss, accuracy)])


def _learned(found: Training, split: Split) -> str:
    """Section 5: digits with what was read, and the filters of the first layer."""
    wrong = np.flatnonzero(found.predictions != split.held_labels)
    some = np.arange(min(SHOWN, len(split.held_labels)))
    digits = _digits(found, split, some, "Held-out digits and what was read")
    missed = _digits(found, split, wrong, "All that were misread") if len(wrong) else ""
    filters = figures.image_grid(
        found.parameters.weights[0][:, 0], [str(n) for n in range(LAYERS[0].shape[0])],
        columns=8, pixel=14, signed=True, title="Learned filters of the first layer (blue −, orange +)",
    )  # fmt: skip
    return _section(5, "What it read and what it learned", [_figure(digits, missed), _figure(filters)])


def _digits(found: Training, split: Split, chosen: np.ndarray, title: str) -> str:
    """Some held-out digits; below each what was read, and the truth where that is wrong."""
    read, truth = found.predictions[chosen], split.held_labels[chosen]
    captions = [str(a) if a == b else f"{a}, is {b}" for a, b in zip(read, truth, strict=True)]
    return figures.image_grid(split.held_images[chosen], captions, marks=read == truth, title=title)


def _section(number: int, title: str, parts: Iterable[str]) -> str:
    return f"<section>\n<h2><span>{number}</span> {escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def _math(obj: object) -> str:
    return f'<div class="math">{_inline(convsym.mathml(obj))}</div>'


def _code(words: str) -> str:
    return f"<pre>{escape(words)}</pre>"


def _figure(*pictures: str) -> str:
    return "<figure>" + "".join(map(_inline, pictures)) + "</figure>"


def _inline(element: str) -> str:
    """Leave out the namespaces, which HTML knows, so that no address at all stands in the page."""
    return re.sub(r' xmlns="[^"]*"', "", element)


def _proof(proof: Proof) -> str:
    """A verdict with its obligations."""
    rows = [(status, name, time.strip("()")) for status, name, time in proof_rows(proof)]
    reason = f"<p>{escape(proof.reason)}</p>" if proof.status == "unknown" else ""
    head = f'<p><span class="verdict {proof.status}">{proof.status}</span> in {proof.seconds:.2f} s</p>'
    return head + reason + (_table(("status", "statement", "time"), rows) if rows else "")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f"<th>{escape(each)}</th>" for each in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'
