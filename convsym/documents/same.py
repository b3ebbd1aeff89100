"""Items 6 to 9: the layer ⊗, its padding, and the columns of its Jacobian."""

from __future__ import annotations

import numpy as np

from convsym.documents.arrays import counting
from convsym.documents.claims import verdict
from convsym.documents.counts import column_count, count_text, counted, total
from convsym.documents.markdown import array, blocks, bullets, code, figure, link, math, prose, table
from convsym.ops import registry

PLANE, FILTER, REACH = (5, 5), (3, 3), {"h0": 1, "h1": 1}


def otimes() -> str:
    """Item 6."""
    impulse, w = np.zeros((3, 3), int), counting(3, 3)
    impulse[1, 1] = 1
    plain, reversed_ = (registry[name].formula(x=impulse, w=w, h0=1, h1=1) for name in ("same", "same_reversed"))
    return blocks(
        prose("""⊗ takes an array and a filter and gives an array: one ⊙ for every place. Its filter is **not** flipped,
            so in the words of signal processing it is a cross-correlation. What signal processing calls a convolution
            is the same layer with the reversed filter (item 11):"""),
        math(registry["same_reversed"].formula),
        "An impulse in the middle of 3×3 zeros tells the two apart:",
        bullets([
            f"`w = {array(w)}`",
            f"⊗ answers with the filter reversed, `{array(plain)}`;",
            f"the convolution of signal processing answers with the filter itself, `{array(reversed_)}`.",
        ]),
    )  # fmt: skip


def same_padding() -> str:
    """Item 7."""
    return blocks(
        prose("""“Same” means: the output is as large as the input. The filter has an odd number of rows, 2·h0 + 1, and
            of columns, 2·h1 + 1, and its center lies on the output's place:"""),
        math(registry["same"].formula),
        prose("""So output (i, j) is the product ⊙ shifted by (i − h0, j − h1), in the sense of item 4. It is not the
            product shifted by (i, j): that window would start, not be centered, at the output's place. Two formulas
            that are linear in the filter agree exactly if their gradients by the filter agree, so the two readings can
            be judged:"""),
        verdict("same, shifted back"),
        verdict("same, not shifted back"),
        prose(f"""The size is proved, not assumed: one of the obligations of {link("the op", "../ops/same.md")} is that
            the last index of the output is the last one whose window still ends inside the padded input."""),
    )


def hidden_zeros() -> str:
    """Item 8."""
    return blocks(
        prose("""No padding is written anywhere in the formula. It is a convention of reading: **outside its range every
            array is zero**. The first and the last window of a 5×5 array under a 3×3 filter show how far that
            reaches:"""),
        figure("same-padding", "The zeros that “same” reads around a 5×5 array with a 3×3 filter"),
        prose(f"""This is the case of one channel, one array, stride 1 and dilation 1. The general rule has a batch,
            channels, and for each axis a stride, a dilation and a padding; it is the formula of
            {link("`conv2d`", "../ops/conv2d.md")}:"""),
        math(registry["conv2d"].formula),
    )


def column_counts() -> np.ndarray:
    """How many outputs each input reaches, counted in the index relation."""
    points = registry["same"].formula.relation({"x": PLANE, "w": FILTER, "y": PLANE}, **REACH)
    counts = np.zeros(PLANE, int)
    np.add.at(counts, (points["x[0]"], points["x[1]"]), 1)
    return counts


def jacobian_columns() -> str:
    """Item 9."""
    counts, formula = column_counts(), registry["same"].formula
    sizes = {"x": PLANE, "w": FILTER, "y": PLANE}
    nnz = counted(total("same"), sizes, **REACH)
    agreeing = sum(
        counts[u, v] == counted(column_count(0) * column_count(1), sizes, u=u, v=v, **REACH)
        for u, v in np.ndindex(PLANE)
    )
    corner, edge, inside = counts[0, 0], counts[0, 2], counts[2, 2]
    head = ["row of x ╲ column of x", *map(str, range(PLANE[1]))]
    return blocks(
        prose("""Arrange all partial derivatives in a matrix: a row for every output, a column for every input. An
            element counts as non-zero when some product of the formula joins the two, whatever number the filter
            holds there (a *structural* non-zero). A column then has one entry for each output whose window contains
            that input. With an a×b filter these are a·b **only in the interior**; at the border windows are missing.
            Counted in the index relation, for a 5×5 array and a 3×3 filter:"""),
        table(head, ([i, *row] for i, row in enumerate(counts.tolist()))),
        f"A corner has {corner}, an edge {edge}, the inside {inside} = 3 · 3.",
        prose("""The closed form for every size follows from the gradient by the input (item 10), in which output row
            u + r − h0 is read: the loop bounds of r say how many taps meet an output that exists. With an odd filter,
            column (u, v) has as many elements as the product of"""),
        code("\n".join(count_text(formula, column_count(axis)) for axis in (0, 1)), "text"),
        f"elements: at the sizes above, these are the same numbers in {agreeing} of {counts.size} columns. "
        "All columns together, `jacobian_nnz` of the forward formula gives, one sum over the taps for each axis:",
        code(count_text(formula, total("same")), "text"),
        f"At the sizes above it is {nnz}, the sum of the table, {counts.sum()}. With stride, dilation and channels "
        f"({link('`conv1d`', '../ops/conv1d.md')}) the count is",
        code(count_text(registry["conv1d"].formula, total("conv1d")), "text"),
    )


SECTIONS = {6: otimes, 7: same_padding, 8: hidden_zeros, 9: jacobian_columns}
