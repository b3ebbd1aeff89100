"""Items 1 to 5: the layer, the product ⊙, the shift ▷ and their gradients."""

from __future__ import annotations

from itertools import product
from typing import Any

from convsym.documents.arrays import counting, integers
from convsym.documents.claims import verdict
from convsym.documents.markdown import array, blocks, bullets, figure, math, prose
from convsym.formula import Formula
from convsym.ops import registry

# ▷ as it is often misread: the moved filter keeps its old frame, and what leaves the frame is lost.
OWN_FRAME = Formula(
    "z[()] += where(i == r and j == s, x[i, j] * w[r - alpha, s - beta], 0)",
    ranges={"r": "w.shape[0]", "s": "w.shape[1]"},
)


def layer() -> str:
    """Item 1."""
    op = registry["layer"]
    return blocks(
        prose("""A layer slides many small filters over its input; each filter reads all input channels and yields one
            output channel. Then every output channel gets its own number, the bias:"""),
        math(op.formula),
        prose("""Each term of the sum has its own summed indices: the bias is added once, not once for each product.
            Its gradient collects what arrives at the channel, over the batch and over all positions:"""),
        math(op.rules["b"]),
        "The same, as a claim about the bias alone (all positions counted by one index):",
        verdict("bias"),
    )


def window() -> str:
    """Item 2."""
    formula = registry["window"].formula
    x, w, tall = counting(3, 4), integers(2, 2), counting(4, 1)
    return blocks(
        prose("""Lay the filter `w` on the array `x`, upper left corners on each other, multiply what lies on top of
            each other and add up:"""),
        math(formula),
        prose("""The brackets say which elements meet: those with the same row and the same column. The result is
            called `z`, so that no letter means both a result and an index. All positions take part, whatever numbers
            stand there. Nothing is said about the shapes: where one array ends, the other one meets zeros."""),
        bullets([
            f"`x = {array(x)}`, `w = {array(w)}` give `z = {formula(x=x, w=w)}`.",
            f"The filter hangs over the edge: `x = {array(x)}`, `w = {array(tall)}` give `z = {formula(x=x, w=tall)}`.",
        ]),
    )  # fmt: skip


def window_gradients() -> str:
    """Item 3."""
    rules = registry["window"].rules
    return blocks(
        prose("""The product is linear in each array, so each gradient is the other array; but the two may differ in
            shape, and a gradient has the shape of what it belongs to. Derived:"""),
        math(rules["w"], rules["x"]),
        prose("""Solving the brackets leaves a statement about domains. The gradient by `w` is `x` where `x` has an
            element there; the gradient by `x` is `w` below the filter **and zero everywhere else**. (The size of
            axis 0 of an array `w` is printed as |w| with the index 0.)"""),
        verdict("window, dw"),
        verdict("window, dx"),
    )


def shift() -> str:
    """Item 4."""
    shifted, moved, window = (registry[name].formula for name in ("shifted_window", "shift", "window"))
    x, w, small = counting(5, 5), counting(3, 3), counting(2, 2)
    shifts: list[dict[str, Any]] = [{"alpha": a, "beta": b} for a, b in product(range(-4, 5), repeat=2)]
    values = [int(shifted(x=x, w=w, **by)) for by in shifts]
    plane = [int(window(x=x, w=moved(w=w, **by, sizes={"v": x.shape}))) for by in shifts]
    frame = [int(OWN_FRAME(x=x, w=w, **by)) for by in shifts]
    wrong, differing = (sum(a != b for a, b in zip(values, found, strict=True)) for found in (frame, plane))
    return blocks(
        prose("""▷ moves content. One direction, fixed once: **what moves by +alpha is read at the index minus alpha**.
            The first index counts rows, so alpha moves **down**; the second counts columns, so beta moves **to the
            right**:"""),
        math(moved),
        f"Moved down by 1 and to the right by 2, `{array(small)}` becomes `{array(moved(w=small, alpha=1, beta=2))}`.",
        prose(
            """Lay the moved filter on the array: this is the shifted product. In coordinates of the filter it reads"""
        ),
        math(shifted),
        figure("window", "One window: the filter moved down by 2 and to the right by 1"),
        prose("""What is moved is the filter, not the result, which is a single number. And it moves on a plane that is
            zero outside the frame, without end. If the moved filter were cut off at its old frame, shifts
            down or to the right would lose elements that still lie on `x`:"""),
        prose(f"""With a 5×5 array and a 3×3 filter of positive numbers, {wrong} of the {len(shifts)} shifts from
            (−4, −4) to (4, 4) come out wrong that way, and {differing} on the plane."""),
        verdict("shift, own frame"),
    )


def shift_gradients() -> str:
    """Item 5."""
    return blocks(
        "The array that stays is read at the index **plus** the shift, the filter that moves at index **minus** shift:",
        verdict("shift, dw"),
        verdict("shift, dx"),
        prose("""Both read zeros outside their frames, so the second holds for every element of `x`. The derived rule
            writes these conditions out:"""),
        math(registry["shifted_window"].rules["x"]),
        "With the sign the other way round it is wrong:",
        verdict("shift, plus"),
    )


SECTIONS = {1: layer, 2: window, 3: window_gradients, 4: shift, 5: shift_gradients}
