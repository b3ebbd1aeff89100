"""The page on automatic gradients: the lecture's chapter with real output, how the tape works, what is built on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convsym.autograd._rules import RULES
from convsym.autograd.graphs import nodes
from convsym.documents.markdown import blocks, bullets, code, link, page, prose, table
from convsym.documents.tapes import PULLED, RECORDED, VERIFIED, session

SEEDS = "seeds/understanding-convolutions.md"
MEASURED = "measurements/training-2026-11-22.md"

FURTHER = (
    "import convsym",
    "x = convsym.tensor([[1, 2], [3, 4]], requires_grad=True)",
    "a = (3 * (x - 2)**2).mean()",
    "a.backward(retain_graph=True)",
    "a.backward()                           # what is recorded is used up; gradients are added to what is there",
    "x.grad",
    "try:\n    a.backward()\nexcept convsym.TapeError as error:\n    print(error)",
    "x.grad = None",
    "(x * x).backward(gradient=[[1, 0], [0, 10]])",
    "x.grad",
    "with convsym.autograd.no_grad():\n    print((x - 2).grad_fn)",
    "(x - 2).detach().requires_grad",
)
CUSTOM = (
    "import numpy as np",
    "from convsym import autograd, tensor",
    "class Rounded(autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n"
    "        return tensor(np.round(x.data))\n    @staticmethod\n    def backward(ctx, dy):\n        return dy",
    "x = tensor([0.25, 1.75], requires_grad=True)",
    "(Rounded.apply(x) ** 2).sum().backward()",
    "x.grad",
)
CONVOLVED = (
    "import numpy as np",
    "from convsym import autograd, tensor",
    "x = np.array([[[1, 0, 2, 3, 1]]], float)",
    "w = tensor([[[1, -1]]], requires_grad=True)",
    "y = autograd.conv1d(x, w, stride=2)",
    "loss = (autograd.relu(y) ** 2).sum()",
    "print(loss.graph({'w': w, 'y': y, 'loss': loss}))",
    "loss.backward(create_graph=True)       # the way back is recorded, too",
    "w.grad",
    "w.grad.grad_fn",
    "slope, w.grad = w.grad, None",
    "slope.sum().backward()                 # so the gradient has a gradient",
    "w.grad",
)
CORNERS = (
    "from convsym import autograd, tensor",
    "def slope(f, *values):\n    x = tensor(values, requires_grad=True)\n    f(x).sum().backward()\n"
    "    return x.grad.tolist()",
    "slope(autograd.relu, -1, 0, 1)",
    "slope(autograd.abs, -1, 0, 1)",
    "slope(autograd.max, 2, 5, 5)           # ties go to the first",
    "slope(lambda x: autograd.where(x > 0, x**2, -x), -2, 0, 3)",
)
FUNCTIONS = (
    "import numpy as np",
    "from convsym import autograd",
    "from convsym.autograd import check_grads, grad, hvp, jacobian, jvp, vjp",
    "grad(lambda x: x**4)(2.0), grad(grad(lambda x: x**4))(2.0)",
    "signal = np.array([[1.0, 2, 4]])",
    "f = lambda w: autograd.conv1d(signal, w)",
    "w, dw = np.array([[[1.0, 10]]]), np.array([[[0.0, 1]]])",
    "jacobian(f)(w).data.reshape(2, 2)      # rows are outputs, columns are taps",
    "y, dy = jvp(f, (w,), (dw,))",
    "dy",
    "y, pullback = vjp(f, w)",
    "pullback([[1, 100]])",
    "hvp(lambda w: (f(w) ** 2).sum(), (w,), (dw,))",
    "check_grads(f, (w,), order=2)",
)
NETWORK = (
    "import numpy as np",
    "from convsym import autograd, nn",
    "layer = nn.Conv1d(1, 1, 2, bias=False, dtype=np.float64)",
    "layer.weight.data = np.zeros((1, 1, 2))",
    "descent = nn.SGD(layer.parameters(), lr=0.125)",
    "x = np.array([[[0, 0, 1, 1, 0, 1]]], float)",
    "steps = np.array([[[0, 1, 0, -1, 1]]], float)       # what is to be learned: x[o + 1] - x[o]",
    "for _ in range(4):\n    descent.zero_grad()\n    loss = ((layer(x) - steps) ** 2).sum()\n    loss.backward()\n"
    "    descent.step()\n    print(loss.item(), layer.weight.tolist())",
)
LENET = '''from convsym import autograd, nn

net = nn.Sequential(
    nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
    nn.Flatten(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10),
)
adam = nn.Adam(net.parameters(), lr=3e-3)
for images, labels in nn.DataLoader(x, t, batch_size=32, shuffle=True, rng=0, progress=True):
    adam.zero_grad()
    autograd.cross_entropy(net(images), labels).backward()
    adam.step()

nn.save("net.npz", net)                                # arrays by name, never a pickle
nn.load("net.npz", net)
onnx.save(nn.to_onnx(net, (1, 8, 8)), "net.onnx")      # for onnxruntime and others
again = nn.from_onnx("net.onnx")                       # and back: to be run, or trained on'''
SHOWN = ("mul", "div", "pow", "exp", "sigmoid", "relu", "maximum", "matmul", "mean", "max")


def autograd_page() -> dict[str, str]:
    """The page by its path below the directory of documents."""
    return {
        "autograd.md": page(
            "# Automatic gradients",
            prose("""`convsym.autograd` computes gradients of whatever is computed with its functions. It does so the
                way a lecture explains it: a tensor remembers what it was computed by, and the way back applies one
                rule for each step. What is particular is where the rules come from. **No rule is written by hand**:
                each is derived from the formula of its operation, proved, and printed into code. The output on this
                page is real."""),
            "## The example of the lecture",
            _lecture(),
            "## How the tape works",
            _workings(),
            "## Where the rules come from",
            _rules(),
            "## Gradients as functions",
            _functions(),
            "## Networks",
            _networks(),
        )
    }


def _lecture() -> str:
    namespace: dict[str, Any] = {}
    return blocks(
        prose("""A 2 × 2 tensor that gradients are wanted of; 2 is taken away from each element, the results are
            squared and tripled, and the mean is taken:"""),
        code(session(RECORDED, namespace)),
        "![What was recorded](seeds/figures/recorded.svg)",
        prose("""`a.graph()` is this picture in a notebook (a card shows its rule on hover), a tree when printed, and
            text for Graphviz as `a.graph().dot`. The way back gives da/dx, which by hand is 3(x − 2)/2. The check is
            made by the recorded graph itself, run once more on symbols:"""),
        code(session((*PULLED, *VERIFIED), namespace)),
        prose(f"""That much is {link("items 29 to 31 of the seeds", f"{SEEDS}#item-29")}. The lecture went on:
            gradients add up, what was recorded is used up by the way back, results that are no single number need a
            cotangent, and recording can be left off."""),
        code(session(FURTHER, {})),
        prose("""A function may be given a rule of its own, where there is nothing to derive. The slope of rounding is
            0 wherever it has one; this rule passes the cotangent straight through:"""),
        code(session(CUSTOM, {})),
    )  # fmt: skip


def _workings() -> str:
    namespace: dict[str, Any] = {}
    shown = session(CONVOLVED[:-6], namespace)
    recorded = nodes(namespace["loss"])
    places = {id(node): place for place, node in enumerate(recorded, 1)}
    rows = [(places[id(node)], f"`{node.name()}`", _from(node, places), str(node.shape), _kept(node))
            for node in recorded]  # fmt: skip
    return blocks(
        prose("""`convsym/autograd/tape.py` is meant to be read from top to bottom, in one lesson. It says this:"""),
        bullets([
            prose("""**There.** `apply(op, *operands)` computes with the arrays and hangs a *node* on the result: the
                operation, and an edge for each operand, to the node it was computed by or to the leaf that it is. A
                constant has no edge. Arrays are kept only where a rule reads them."""),
            prose("""**The graph** has no cycles, and every node is younger than those it was computed from: nodes are
                numbered as they are made."""),
            prose("""**And back.** The youngest node goes first: all that was computed from its result has then sent
                its cotangent, and they were added up. The operation turns the cotangent of the result into those of
                the operands, which are sent along the edges. What arrives at leaves is the gradient. Then what the
                node kept is let go."""),
            prose("""**Three worlds, one text.** A rule is called with the world it runs in: NumPy's arrays, where it
                is fast; tensors, where the way back is recorded as well, so that gradients have gradients of any
                order (`create_graph=True`); SymPy's symbols, where it is read (`by_hand`)."""),
        ]),
        "A convolution in it:",
        code(shown),
        "What was recorded, oldest first; on the way back it is read from below:",
        table(["", "Node", "Computed from", "Shape", "Keeps"], rows),
        code(session(CONVOLVED[-6:], namespace)),
    )  # fmt: skip


def _from(node: Any, places: dict[int, int]) -> str:
    return ", ".join("constant" if edge is None else str(places.get(id(edge), "leaf")) for edge in node.edges)


def _kept(node: Any) -> str:
    inputs, output = node.op.saves
    return " and ".join(["operands"] * inputs + ["result"] * output) or "nothing"


def _rules() -> str:
    return blocks(
        prose("""**Elementwise functions, sums and products** are small files of the registry, one formula each.
            `convsym generate` derives the rule for each operand and prints both as Python that runs in all three
            worlds (`convsym/autograd/_rules.py`), so differentiating needs no SymPy. Some of them:"""),
        table(["Operation", "Formula", "Derived rules", "Printed"], list(_derived())),
        prose(f"""All {len(RULES)} of them have pages among the {link("ops", "ops/README.md")}. Cross-entropy, softmax
            and the like are compositions and have no rule."""),
        prose("""**Reshaping, transposing, indexing, padding, joining** move elements and compute nothing: each is a
            map of indices, and its rule is the map reversed. An element that is read twice gets the sum; one that is
            not read gets 0; axes that were broadcast are summed."""),
        prose(f"""**Convolutions** of all kinds, pooling and windows are one form, a sum of products over an index
            relation, and their gradients are its other gathers. The gradient of a gather is a gather, so no order of
            differentiation needs code of its own: {link("one law", "adapters.md#one-law")}."""),
        prose("""**Corners.** At a corner the formula says which side counts: `relu` is `where(x > 0, x, 0)`, so at 0
            its slope is that of the constant."""),
        code(session(CORNERS, {})),
    )  # fmt: skip


def _derived() -> Iterable[tuple[str, ...]]:
    for name in SHOWN:
        op = RULES[name]
        rules = "<br>".join(f"`{rule}`" for rule in op.rules.values())
        printed = "<br>".join(f"`{op.code[operand]}`" for operand in op.rules)
        yield link(f"`{name}`", f"ops/{name}.md"), f"`{op.formula}`", rules, printed


def _functions() -> str:
    return blocks(
        prose("""The same without touching tensors, on functions of arrays; they nest. (`convsym.grad` without
            `autograd` is something else: the gradients of convolutions with the signatures of `torch.nn.grad`.)"""),
        code(session(FUNCTIONS, {})),
        prose("""`check_grads` compares with differences along random directions, both ways, to any order, and says
            nothing when all is well; where f is linear in each argument, a check on integers is exact."""),
    )


def _networks() -> str:
    return blocks(
        prose("""`convsym.nn` has what a small network needs: `Conv1d/2d/3d`, `ConvTranspose1d/2d/3d`, `Linear`,
            `ReLU`, `AvgPool1d/2d/3d`, `Flatten`, `Sequential`; `SGD` and `Adam`; `DataLoader`. One layer learns to
            take differences, in numbers that are exact:"""),
        code(session(NETWORK, {})),
        "A LeNet for the handwritten digits that come with the package, and what can be done with it then:",
        code(LENET),
        bullets([
            prose(f"""{link("`train_digits.py`", "examples/train_digits.py")} trains it and reads at least 98 % of the
                digits that were held out (mean of five seeds, a test); the same training in torch has the same
                losses, to 1e-4 in float64 (a test)."""),
            link("Measured", MEASURED) + ": accuracy, and the time of a training step beside torch's.",
            prose("""`nn.from_onnx` reads convolutions, pooling, normalization, matrices and what moves elements;
                ONNX's own tests of these operators, the models it got from torch, and seven of its nine networks for
                images are tests here. `nn.to_onnx` writes chains of the layers above; both need the extra `onnx`."""),
        ]),
    )  # fmt: skip
