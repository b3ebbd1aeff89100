"""Items 10 to 15: the gradients of ⊗, with the reversed filter and with the shifted cotangent."""

from __future__ import annotations

from convsym.derivation import hvp, vjp
from convsym.documents.arrays import counting, integers
from convsym.documents.claims import BUDGET, verdict
from convsym.documents.markdown import array, blocks, code, link, math, prose
from convsym.formula import Formula
from convsym.ops import registry
from convsym.proofs import prove
from convsym.rule import Rule

FOLDED = "y[n, k, o] += x[n, c, reflect(stride*o + dilation*r - padding)] * w[k, c, r]"


def by_input() -> str:
    """Item 10."""
    return blocks(
        prose("""Which outputs does input (u, v) reach? Output (i, j) reads it through the filter element with
            u = i + r − h0 and v = j + s − h1. Solved for the output, the machine finds:"""),
        math(registry["same"].rules["x"]),
        prose("""Count the rows of the filter from its other end, r′ = a − 1 − r. Then row u + h0 − r of the cotangent
            is row u + r′ − (a − 1 − h0): this is ⊗ again, with the reversed filter W′ of item 11, but its padding is
            a − 1 − h0. It is the same padding, and dX = dY ⊗ W′, if a − 1 = 2·h0: the filter must be odd for this
            reason, and for no other."""),
        verdict("odd"),
        "An even filter has no center. The same padding on the way back is then wrong, already for one pixel:",
        verdict("even, same padding"),
        "It is not only the smallest one that fails; no even number of rows centered as well as possible is right:",
        verdict("even, even sizes only"),
        prose("""What is right for every filter: p0 rows of zeros above on the way there become a − 1 − p0 rows on the
            way back, and likewise to the left."""),
        verdict("even, swapped padding"),
        "#### Stride, dilation, channels",
        prose("""The general rule is as short. Put stride − 1 zeros between the elements of the cotangent (the condition
            of divisibility below), keep the dilation d, pad with d·(a − 1) − p, reverse the filter **and let input and
            output channels change places**:"""),
        verdict("channels swapped"),
        "Leaving the channels where they are is wrong even where the shapes allow it:",
        verdict("channels not swapped"),
        f"In two dimensions the same holds for each axis; see {link('`conv2d`', '../ops/conv2d.md')}.",
    )


def reversed_filter() -> str:
    """Item 11."""
    formula = registry["reversed_kernel"].formula
    w = counting(2, 3)
    once = formula(w=w)
    return blocks(
        "W′ holds the elements of the filter in reverse order along both axes:",
        math(formula),
        f"For instance, `{array(w)}` becomes `{array(once)}`; reversed once more it is `{array(formula(w=once))}`.",
        "Reversing is a permutation that is its own inverse, hence also its own gradient:",
        verdict("reversal"),
    )


def at_center() -> str:
    """Item 12."""
    same, window = registry["same"], registry["window"]
    x, dy, w = integers(3, 4), integers(3, 4, start=5), integers(3, 3)
    dw = same.rules["w"](x=x, dy=dy, w=w, h0=1, h1=1)
    return blocks(
        prose("""The center of the filter meets input (i, j) in output (i, j). Its gradient is therefore the plain
            product dY ⊙ X over all positions. Both arrays have the same shape here; in item 2 they need not. Put the
            plain product in at the center, and the rule is still right:"""),
        verdict("center"),
        f"In numbers: `x = {array(x)}`, `dy = {array(dy)}`. The rule gives `dw[1, 1] = {dw[1, 1]}`, and "
        f"dY ⊙ X is `{window.formula(x=x, w=dy)}`.",
    )


def by_filter() -> str:
    """Item 13."""
    same, shifted = registry["same"], registry["shifted_window"]
    x, dy, w = integers(3, 4), integers(3, 4, start=5), integers(3, 3)
    dw = same.rules["w"](x=x, dy=dy, w=w, h0=1, h1=1)
    again = [[int(shifted.formula(x=x, w=dy, alpha=r - 1, beta=s - 1)) for s in range(3)] for r in range(3)]
    return blocks(
        "The gradient at every element of the filter, in the form that leaves nothing to interpret:",
        math(same.rules["w"]),
        prose("""Every element is a product ⊙ of the input and the **shifted cotangent**: dY is moved by
            (r − h0, s − h1), which is negative above and to the left of the center. Here the direction of item 4
            decides: content moves **down** by the first number and **to the right** by the second, so the index is
            reduced."""),
        verdict("content moves"),
        "Read with the index increased, the sentence is wrong:",
        verdict("index plus"),
        f"In numbers, with the arrays of item 12: the rule gives `{array(dw)}`, the nine shifted products `{again}`.",
    )


def meaning() -> str:
    """Item 14."""
    loss = registry["squared_error"]
    return blocks(
        prose("""There is always one number at the end of a computation, the **loss L**. dY is an array of the shape of
            Y and holds the derivative of L by each element of Y; dX and dW are meant in the same way. The rules of
            these pages take dY as it is and say nothing about where it comes from; they hold for every L. As an
            example, the squared distance of predictions `z` from targets `t`, one number for each row:"""),
        math(loss.formula, loss.rules["z"]),
    )


def besides() -> str:
    """Item 15."""
    conv, folded = registry["conv1d"], Formula(FOLDED)
    by_folded, mixed = vjp(folded, "x"), vjp(conv.rules["x"], "w")
    return blocks(
        prose(f"""Batch, channels, stride, dilation and padding are in the formulas of
            {link("`conv1d`", "../ops/conv1d.md")} and {link("`conv2d`", "../ops/conv2d.md")}. Groups are one more index
            that every array shares; the compiled kernels carry it:"""),
        math(registry["conv2d"].grouped),
        code(registry["conv2d"].grouped),
        "#### Stride, dilation, channels",
        prose("""The gradient by the input holds all of them. Where no output reads an element, as with a stride beyond
            the reach of the filter, its gradient is zero:"""),
        math(conv.rules["x"], conv.rules["w"]),
        "#### Other paddings",
        prose("""A boundary mode is a function that folds an index back into its axis; the gradient adds up at the
            folded place what every window read there:"""),
        math(folded, by_folded),
        _verdict_of(by_folded),
        "#### Second derivatives",
        prose("""A derivative of a formula is a formula, so it has derivatives of its own. The output is linear in the
            input: differentiated twice by the input it gives zero. The mixed derivative, by input and filter, is 1
            wherever output, tap and input meet, and that is not zero: the gradient by the input, differentiated by
            the filter, with `ddx` as the cotangent of `dx`:"""),
        math(mixed),
        _verdict_of(mixed),
        prose("""So the gradient by the input moves with the filter, in the direction `tw`, and the gradient by the
            filter moves with the input, in the direction `tx`:"""),
        math(*(hvp(conv.formula, wrt, along) for wrt, along in (("x", "w"), ("w", "x")))),
    )


def _verdict_of(rule: Rule) -> str:
    """The verdict on a rule that belongs to no op."""
    proof = prove(rule, BUDGET)
    return f"**{proof.status.capitalize()}**: {proof.reason}."


SECTIONS = {10: by_input, 11: reversed_filter, 12: at_center, 13: by_filter, 14: meaning, 15: besides}
