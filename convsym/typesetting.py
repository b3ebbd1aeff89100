"""A layout as LaTeX and as MathML.

Both printers draw the same tree, so a page and a paper cannot disagree. Names are escaped; nothing of a user's text
reaches the output unescaped.
"""

from xml.sax.saxutils import escape

from convsym.layout import GREEK, Layout

_LATEX = {
    "≠": r"\ne",
    "≤": r"\le",
    "≥": r"\ge",
    "∂": r"\partial",
    "⇔": r"\iff",
    "∣": r"\mid",
    "·": r"\cdot",
    "∧": r"\land",
    "∨": r"\lor",
    "¬": r"\lnot",
    "…": r"\dots",
    "⌊": r"\left\lfloor",
    "⌋": r"\right\rfloor",
    "+=": r"\mathrel{+}=",
    "mod": r"\bmod",
    "(": r"\left(",
    ")": r"\right)",
    "[": r"\left[",
    "]": r"\right]",
    "{": r"\{",
    "}": r"\}",
}
# Signs that mean something to TeX, in text; what a browser reads as markup is spelled as well.
_IN_TEXT = {c: "\\" + c for c in "_%$&#{}"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "δ": r"$\delta$",
    "∂": r"$\partial$",
    "\n": " ",
}
_OPEN, _CLOSE = frozenset("([⌊"), frozenset(")]⌋")


def text_latex(text: str) -> str:
    """Any text as it may stand within ``\\text{…}`` or ``\\texttt{…}``: nothing in it is a command or markup.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> print(text_latex("dx[i] += x_pad[i % 2]"))
    dx[i] += x\\_pad[i \\% 2]
    """
    return "".join(_IN_TEXT.get(character, character) for character in text)


def to_latex(node: Layout) -> str:
    """LaTeX of a layout."""
    kind, parts = node.kind, node.parts
    if kind == "row":
        return _spaced([to_latex(p) for p in parts])
    if kind == "name":
        escaped = text_latex(parts[0])
        return escaped if len(parts[0]) == 1 else rf"\mathit{{{escaped}}}"
    if kind == "greek":
        return rf"\{parts[0]}"
    if kind == "word":
        return rf"\{'operatorname' if len(parts[0]) > 1 else 'mathrm'}{{{text_latex(parts[0])}}}"
    if kind in ("op", "number"):
        sign: str = parts[0]
        return _LATEX.get(sign, sign)
    if kind == "thin":
        return r"\,"
    if kind == "frac":
        return rf"\frac{{{to_latex(parts[0])}}}{{{to_latex(parts[1])}}}"
    if kind == "sum":
        return rf"\sum_{{{to_latex(parts[0])}}}"
    mark = "_" if kind == "sub" else "^"
    return f"{_grouped(to_latex(parts[0]))}{mark}{{{to_latex(parts[1])}}}"


def _spaced(texts: list[str]) -> str:
    line = ""
    for text in texts:
        opened, closes = line.endswith((r"\left(", r"\left[", "|")), text in (r"\right)", r"\right]", "|")
        tight = not line or text == "," or opened or closes
        line += text if tight or line.endswith(r"\mathrm{d}") else " " + text
    return line


def _grouped(base: str) -> str:
    return base if len(base) == 1 or (base.startswith(r"\mathit{") and base.count("{") == 1) else f"{{{base}}}"


def to_mathml(node: Layout) -> str:
    """A ``<math>`` element of a layout."""
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{_mathml(node)}</math>'


def _mathml(node: Layout) -> str:
    kind, parts = node.kind, node.parts
    if kind == "row":
        inner = "".join(_mathml(p) for p in parts)
        return inner if len(parts) == 1 else f"<mrow>{inner}</mrow>"
    if kind == "name":
        return f"<mi>{escape(parts[0])}</mi>"
    if kind == "greek":
        return f"<mi>{GREEK[parts[0]]}</mi>"
    if kind == "word":
        return f'<mi mathvariant="normal">{escape(parts[0])}</mi>'
    if kind == "number":
        return f"<mn>{escape(parts[0])}</mn>"
    if kind == "op":
        form = ' form="prefix"' if parts[0] in _OPEN else ' form="postfix"' if parts[0] in _CLOSE else ""
        return f"<mo{form}>{escape(parts[0])}</mo>"
    if kind == "thin":
        return '<mspace width="0.17em"/>'
    if kind == "sum":
        return f'<munder><mo largeop="true" movablelimits="false">∑</mo>{_one(parts[0])}</munder>'
    tag = {"frac": "mfrac", "sub": "msub", "sup": "msup"}[kind]
    return f"<{tag}>{_one(parts[0])}{_one(parts[1])}</{tag}>"


def _one(node: Layout) -> str:
    """A node as exactly one element, as fractions and scripts need."""
    return f"<mrow>{_mathml(node)}</mrow>"
