"""Items 29 to 31: a computation recorded on a tape, its gradient by the tape and by hand, and the list of figures."""

from __future__ import annotations

import contextlib
import io
import re
from code import InteractiveInterpreter
from typing import Any

from convsym.autograd.graphs import nodes
from convsym.autograd.symbolic import by_hand
from convsym.autograd.tape import Tensor
from convsym.documents.markdown import blocks, code, figure, link, prose, table

RECORDED = (
    "import convsym",
    "x = convsym.tensor([[1, 2], [3, 4]], requires_grad=True)",
    "y = x - 2",
    "y.grad_fn",
    "y.grad_fn.next_functions[0][0].variable is x",
    "z = 3 * y**2",
    "a = z.mean()",
    "a.item()",
)
PULLED = ("a.backward()", "x.grad", "x.grad.shape == x.shape")
VERIFIED = ("from convsym.autograd import by_hand", 'by_hand(a, {"x": x, "a": a})')


def example() -> dict[str, Tensor]:
    """The tensors of the seed's example by their names, after `backward`."""
    made: dict[str, Any] = {}
    session((*RECORDED, *PULLED), made)
    return {name: each for name, each in made.items() if isinstance(each, Tensor)}


class _Console(InteractiveInterpreter):
    """An interpreter for statements that are right: an error ends it."""

    def showtraceback(self) -> None:
        """Let the error go on."""
        raise


def session(lines: tuple[str, ...], namespace: dict[str, Any]) -> str:
    """What an interpreter shows when the statements are typed; addresses of objects are left out."""
    shown = []
    for line in lines:
        shown.append(">>> " + line.replace("\n", "\n... "))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            _Console(namespace).runsource(f"{line}\n")
        shown += re.sub(r"\b0x[0-9a-f]+", "0x…", printed.getvalue()).splitlines()
    return "\n".join(shown)


def automatic() -> str:
    """Item 29."""
    names = example()
    recorded = [(f"`{node.name()}`", f"`{node.op.formula}`", f"`{rule}`")
                for node in nodes(names["a"]) for rule, edge in zip(node.op.rules, node.edges, strict=True)
                if edge is not None]  # fmt: skip
    return blocks(
        prose("""A tensor remembers how it was computed. Here a small matrix x, then y = x − 2, then z = 3y², then the
            mean a of all elements of z:"""),
        code(session(RECORDED, {})),
        figure("recorded", "Fig. 9: what was recorded; in a browser, a card shows its derived rule on hover"),
        prose("""The same graph printed, `print(a.graph({"x": x, "y": y, "z": z, "a": a}))`, with the result first and
            under each line what it was computed from (here after `backward`, so that x has its gradient):"""),
        code(names["a"].graph(names), "text"),
        prose("""Each node knows the rule by which a gradient passes through it. No rule is written down: it is derived
            from the formula of the operation."""),
        table(["Node", "Formula", "Derived rule"], recorded),
    )  # fmt: skip


def verified() -> str:
    """Item 30."""
    namespace: dict[str, Any] = {}
    session(RECORDED, namespace)
    pulled = session(PULLED, namespace)
    (derivative,) = by_hand(namespace["a"], {"x": namespace["x"], "a": namespace["a"]}).derivatives
    same = "are the same formula" if derivative.proved else "differ"
    return blocks(
        prose("""The tape goes back from a to x, node by node, youngest first, and applies the rules (Fig. 10). The
            gradient has the shape of x. (As a row of the Jacobian matrix, with one column for each element of x, it
            would lie flat; shown is always the array in the shape of x.)"""),
        code(pulled),
        prose("""By hand, one puts symbols in place of the numbers. The recorded graph can do that: it runs again on
            symbols, SymPy differentiates the result, and the numbers are put in (Fig. 11):"""),
        code(session(VERIFIED, namespace)),
        prose(f"""The rules of the nodes, applied to symbols, and SymPy's derivative of the whole {same} in every
            element; the numbers of the tape are those of the formula, without rounding."""),
    )


def figures() -> str:
    """Item 31."""
    places = {1: 20, 2: 21, 3: 22, 4: 23, 5: 24, 6: 25, 7: 26, 8: 27, 9: 29, 10: 30, 11: 30}
    rows = ([f"Fig. {number}", link(f"item {place}", f"#item-{place}")] for number, place in places.items())
    return blocks(
        prose("""Every figure is drawn from the formula's index relation, from the arrays of the example, or from what
            the tape recorded; Figs. 5, 10 and 11, which are printed text, are the real output:"""),
        table(["Figure", "Place"], rows),
    )


SECTIONS = {29: automatic, 30: verified, 31: figures}
