"""The public printers: one function for LaTeX, one for MathML, for every object that has a typeset form."""

from collections.abc import Iterable
from functools import singledispatch
from typing import Any

from convsym.formula import Formula
from convsym.layout import formula_layout
from convsym.typesetting import text_latex, to_latex, to_mathml


@singledispatch
def latex(obj: Any) -> str:
    """Print a formula, rule, derivation step, proof or op as LaTeX.

    Parameters
    ----------
    obj : Formula, Rule, Step, Proof or Op

    Returns
    -------
    str
        LaTeX for math mode, without delimiters.

    Raises
    ------
    TypeError
        For any other object.

    Examples
    --------
    >>> from convsym import Formula
    >>> print(latex(Formula("y[o] += x[o + r] * w[r]")))
    y_{o} = \\sum_{r} x_{o + r} \\, w_{r}
    """
    raise TypeError(f"latex prints a Formula, Rule, Step, Proof or Op, not {type(obj).__name__}")


@singledispatch
def mathml(obj: Any) -> str:
    """Print a formula, rule, derivation step, proof or op as presentation MathML.

    Parameters
    ----------
    obj : Formula, Rule, Step, Proof or Op

    Returns
    -------
    str
        One ``<math>`` element.

    Raises
    ------
    TypeError
        For any other object.
    """
    raise TypeError(f"mathml prints a Formula, Rule, Step, Proof or Op, not {type(obj).__name__}")


@latex.register
def _(obj: Formula) -> str:
    return to_latex(formula_layout(obj))


@mathml.register
def _(obj: Formula) -> str:
    return to_mathml(formula_layout(obj))


def derivation_latex(formula: Formula, steps: Iterable[Any]) -> str:
    """The derivation line by line as an ``align*`` environment, each line with the lemma it uses.

    Parameters
    ----------
    formula : Formula
        What is differentiated.
    steps : sequence of Step

    Returns
    -------
    str
    """
    lines = [rf"  & {latex(formula)} && \text{{formula}}"]
    lines += [rf"  & {step.latex} && \text{{{text_latex(step.lemma)}}}" for step in steps]
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"
