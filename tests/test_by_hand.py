"""Gradients verified by hand: the recorded graph on symbols gives the formula, the rules give it too, numbers agree."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy

import convsym
from convsym import ShapeError
from convsym import autograd as ag
from convsym.autograd import symbolic
from convsym.autograd.derived import Derived
from convsym.autograd.symbolic import by_hand
from convsym.autograd.symbols import SymbolWorld, exact, symbols
from convsym.documents import tapes
from convsym.errors import TapeError


def tensor(data):
    return convsym.tensor(data, requires_grad=True)


def seed_example():
    x = tensor([[1, 2], [3, 4]])
    y = x - 2
    z = 3 * y**2
    a = z.mean()
    return x, a


def test_the_seeds_gradient_by_hand():
    x, a = seed_example()
    a.backward()
    found = by_hand(a, {"x": x, "a": a})
    assert str(found) == (
        "da/dx = 3*(x - 2)/2\nat x = [[1, 2], [3, 4]]: [[-3/2, 0], [3/2, 3]], which backward() gives exactly"
    )
    assert found.equal
    (derivative,) = found.derivatives
    assert derivative.exact.tolist() == [[Fraction(-3, 2), 0], [Fraction(3, 2), 3]]
    assert (x.grad.data == derivative.exact.astype(float)).all()
    numbers = dict(zip(symbols("x", (2, 2)).ravel(), (1, 2, 3, 4), strict=True))
    assert found.expression.xreplace(numbers) == Fraction(9, 2) == Fraction(a.item())


def relu_net():
    w, x = tensor([[1.0, -2.0], [0.5, 3.0]]), tensor([2.0, 1.5])
    return {"w": w, "x": x, "r": ag.relu(w @ x).sum()}


def indexed():
    x = tensor([1.0, -2.0, 4.0])
    return {"x": x, "r": (x[[0, 0, 2]].reshape(3, 1) * x[::-1]).transpose().sum(1)[1]}


def broadcast():
    x, b = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]]), tensor([0.5, 1.0, 2.0])
    return {"x": x, "b": b, "r": ((x - b) * b / 4).sum()}


def extremes():
    x = tensor([[3.0, -1.0], [2.0, 8.0]])
    return {"x": x, "r": (x.max(axis=0) * x.min(axis=1) * abs(x[0])).sum()}


def smooth():
    x = tensor([0.5, 1.5])
    return {
        "x": x,
        "r": (ag.exp(x) * ag.log(x) + ag.sqrt(x) / x + ag.tanh(x) * ag.sigmoid(x) + ag.sin(x) * ag.cos(x)).sum(),
    }


def powers():
    x = tensor([2.0, 4.0])
    return {"x": x, "r": (x**3 + x**-1 + x**0.5).sum()}


def network():
    x, w, b = tensor([[[0.5, 1.0, 1.5]]]), tensor([[[-0.5, 0.0]], [[0.5, 1.0]]]), tensor([0.5, 1.0])
    logits = ag.relu(ag.conv1d(x, w, b)).reshape(1, 4)
    return {"x": x, "w": w, "b": b, "r": ag.cross_entropy(logits, np.array([1]))}


EXAMPLES = {each.__name__: each for each in (relu_net, network, indexed, broadcast, extremes, smooth, powers)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_rules_and_sympys_derivative_are_one_formula_and_numbers_agree(name):
    names = EXAMPLES[name]()
    found = by_hand(names["r"], names)
    names["r"].backward()
    assert [each.by for each in found.derivatives] == [name for name in names if name != "r"]
    for each in found.derivatives:
        assert each.proved
        assert each.error <= 1e-15
        assert np.allclose(names[each.by].grad.data, each.exact.astype(float), rtol=1e-14, atol=0)


class Wrong(Derived):
    """A power whose rule has lost its factor."""

    def backward(self, ops, dy, operands, y, needs):
        return [dy * operands[0]]


def test_a_wrong_rule_is_seen():
    x, a = seed_example()
    node = a.grad_fn.edges[0].edges[1]
    assert node.op.name == "pow"
    node.op = Wrong(node.op.rule, *node.op.parameters)
    found = by_hand(a, {"x": x})
    assert not found.equal and not found.derivatives[0].proved
    assert "SymPy's derivative and that of the rules differ" in str(found)


class Square(ag.Function):
    """x*x, with a rule written by hand."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 2 * x * dy


def test_a_rule_of_ones_own_knows_numbers_only():
    x = tensor([3.0])
    text = str(by_hand(Square.apply(x).sum(), {"x": x}))
    assert text.startswith("dresult/dx = 2*x\nat x = [3]: [6], which backward() gives exactly; SymPy's derivative and")
    assert text.endswith("differ: Square has a rule of its own, which knows numbers only")


@pytest.mark.parametrize(("function", "equal"), [(ag.relu, True), (ag.leaky_relu, True), (ag.elu, True), (abs, True),
                                                 (lambda x: ag.maximum(x, 0.0), False)])  # fmt: skip
def test_at_a_kink_the_rules_state_a_side(function, equal):
    x = tensor([0.0])
    (derivative,) = by_hand(function(x).sum(), {"x": x}).derivatives
    assert derivative.proved == equal and "x[0] = 0 is a kink" in derivative.remarks


def test_wrong_numbers_are_seen(monkeypatch):
    x, a = seed_example()
    monkeypatch.setattr(symbolic, "_taped", lambda result, leaves: {"x": np.array([[-1.5, 0.0], [1.5, 3.5]])})
    found = by_hand(a, {"x": x})
    assert not found.equal and found.derivatives[0].error == pytest.approx(0.5 / 3)


def test_elements_that_differ_get_a_line_each():
    m = tensor([[1.0, 2.0], [3.0, 4.0]])
    text = str(by_hand((m @ m)[0, 1] * 1, {"m": m}))
    assert text.splitlines()[:4] == [
        "dresult/dm[0, 0] = m[0, 1]",
        "dresult/dm[0, 1] = m[0, 0] + m[1, 1]",
        "dresult/dm[1, 0] = 0",
        "dresult/dm[1, 1] = m[0, 1]",
    ]


def test_choices_are_made_by_the_numbers_and_told():
    text = str(by_hand(*(lambda n: (n["r"], n))(relu_net())))
    assert "as long as 2" not in text
    assert "w[1, 0]*x[0] + w[1, 1]*x[1] > 0" in text
    assert "the largest and smallest elements stay where they are" in str(by_hand(*(lambda n: (n["r"], n))(extremes())))


def test_leaves_without_a_name_keep_their_numbers_without_rounding():
    x, w = tensor([1.0]), tensor([0.1])
    assert str(by_hand((x * w * x).sum(), {"x": x})).startswith("dresult/dx = 0.2*x\n")
    assert exact(np.array([0.5, np.inf])).tolist() == [Fraction(1, 2), sympy.oo]


def test_convolutions_on_symbols():
    x, w = tensor([[[1.0, 2.0, 4.0]]]), tensor([[[1.0, -1.0]]])
    found = by_hand((ag.conv1d(x, w) ** 2).sum(), {"x": x, "w": w})
    assert found.equal
    assert sympy.expand(found.derivatives[1].expressions[0, 0, 0]).free_symbols >= set(
        symbols("x", (1, 1, 3)).ravel()[:2]
    )


def test_conditions_of_symbols_are_arrays():
    x = symbols("x", (2,))
    world = SymbolWorld({x[0]: sympy.Integer(1), x[1]: sympy.Integer(-1)})
    assert world.where((x > 0) & (x <= 1), x, 0).tolist() == [x[0], 0]
    assert world.where(x != 0, 1, 2).tolist() == [1, 1] and world.where(x == 1, 1, 2).tolist() == [1, 2]
    assert world.kinks == ["x[0] = 1 is a kink"]
    assert world.maximum(x, -x).tolist() == [x[0], -x[1]] and world.minimum(x, 5).tolist() == [x[0], x[1]]
    assert world.abs(x).tolist() == [x[0], -x[1]] and (x < 1).tolist() == [x[0] < 1, x[1] < 1]
    assert world.plain(2 * x).tolist() == [2.0, -2.0]
    assert len(set(world.decided)) == 13


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda x, a: by_hand(x * 2, {"x": x}),
            ShapeError,
            "result has shape (2, 2), and the derivative of one number",
        ),
        (lambda x, a: by_hand(a, {}), TapeError, "names has nothing, and none of it is a leaf that"),
        (lambda x, a: by_hand(a, {"a": a, "_x": x}), TapeError, "names has 'a', '_x', and none of it is a leaf that"),
        (lambda x, a: by_hand(a, dict.fromkeys("abcdefghijk")), TapeError, "names has 11 names, and none of it"),
        (
            lambda x, a: big(),
            ShapeError,
            "names has leaves of 300 elements, and formulas are written for 256; name fewer",
        ),
    ],
)
def test_what_cannot_be_derived_by_hand_is_refused(call, error, sentence):
    with pytest.raises(error) as caught:
        call(*seed_example())
    assert sentence in str(caught.value)


def big():
    x = tensor(np.ones(300))
    return by_hand(x.sum(), {"x": x})


def test_the_seeds_page_has_what_the_tape_says():
    x, a = seed_example()
    page = (Path(__file__).parent.parent / "docs" / "seeds" / "understanding-convolutions.md").read_text(
        encoding="utf-8"
    )
    assert str(by_hand(a, {"x": x, "a": a})) in page
    assert tapes.session(tapes.RECORDED, {}) in page and "<SubBackward0 object at 0x…>" in page
    assert tapes.session(("one = 1", "one + 1", "None", "object()"), {}).splitlines()[1:3] == [">>> one + 1", "2"]
