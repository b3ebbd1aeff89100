"""The pages that follow the two seed documents, section by section, and their index."""

from __future__ import annotations

from collections.abc import Callable

from convsym.documents import gradients, matrices, products, same, signals, tapes
from convsym.documents.checklist import GRADIENTS, ITEMS, UNDERSTANDING, Item, item
from convsym.documents.claims import CLAIMS
from convsym.documents.markdown import blocks, bullets, link, page, prose, table

SECTIONS = {
    GRADIENTS: products.SECTIONS | same.SECTIONS | gradients.SECTIONS,
    UNDERSTANDING: matrices.SECTIONS | signals.SECTIONS | tapes.SECTIONS,
}

_TRY = CLAIMS["shift, plus"]
CONVENTIONS = (
    "Indices count from 0. The first index of a matrix is the row and grows downwards, the second is the column and "
    "grows to the right.",
    "Outside its range every array is zero.",
    "[…] is 1 where the condition holds and 0 elsewhere; |w| with the index 0 is the size of axis 0 of `w`.",
    "`dx` is the gradient of one final number L by the array `x`, and has the shape of `x` (item 14). Seeds and "
    "formulas name the same things: X, W, Y are `x`, `w`, `y`.",
    "*Proved* means: for all sizes and all values of the parameters, by machine; *refuted* comes with the smallest "
    "example that was found. Every formula is printed from the object that is proved and computed with; wrong readings "
    "are shown because they are instructive. Try one yourself: "
    f'`convsym check {_TRY.op} --wrt {_TRY.wrt} --claim "{_TRY.text}"`.',
)


def seed_pages() -> dict[str, str]:
    """Pages by path below the directory of documents."""
    return {
        "seeds/README.md": _index(),
        f"seeds/{GRADIENTS}.md": _page(
            GRADIENTS,
            "Convolution and its gradients",
            """One layer with one channel, taken apart: the product ⊙ of an array and a filter, its shift ▷, the layer ⊗
            made of shifted products, and the gradients of all three.""",
        ),
        f"seeds/{UNDERSTANDING}.md": _page(
            UNDERSTANDING,
            "Understanding convolutions and automatic differentiation",
            """From the product of a matrix and a vector to the convolution of signals with several channels, with the
            shapes of all arrays in worked examples.""",
        ),
    }


def _page(name: str, title: str, words: str) -> str:
    contents = bullets(f"{link(f'{number}. {item(number).title}', f'#item-{number}')}" for number in SECTIONS[name])
    return page(
        f"# {title}",
        prose(words),
        contents,
        "## How to read the formulas",
        bullets(CONVENTIONS),
        *(_section(item(number), body) for number, body in SECTIONS[name].items()),
    )


def _section(entry: Item, body: Callable[[], str]) -> str:
    objects = ", ".join(link(f"`{name}`", f"../ops/{name}.md") for name in entry.ops)
    return blocks(
        f'<a id="item-{entry.number}"></a>',
        f"## {entry.number}. {entry.title}",
        f"*Corrected: {entry.correction}.*" if entry.correction else "",
        body(),
        f"Objects: {objects}" if objects else "",
    )


def _index() -> str:
    rows = ((entry.number, link(entry.title, entry.place.removeprefix("seeds/")),
             ", ".join(link(f"`{name}`", f"../ops/{name}.md") for name in entry.ops) or "–",
             entry.correction) for entry in ITEMS)  # fmt: skip
    return page(
        "# The seeds",
        prose("""The package grew from two short texts: one that states the gradients of a convolution layer, and the
            notes of the lecture “Understanding convolutions and automatic gradient” (week 5, part 3, of the deep
            learning course at NYU in spring 2020, notes by Leyi Zhu, Siqi Wang, Tao Wang and Anqi Zhang). These pages
            go through both, item by item, in words of their own; what was wrong or ambiguous is corrected, and the
            correction is shown."""),
        bullets([link("Convolution and its gradients", f"{GRADIENTS}.md") + ": items 1 to 15",
                 link("Understanding convolutions", f"{UNDERSTANDING}.md") + ": items 16 to 31"]),
        table(["Item", "Content", "Objects", "Corrected"], rows),
    )  # fmt: skip
