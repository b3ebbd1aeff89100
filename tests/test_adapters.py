"""What all adapters share, without their frameworks: public functions, forms as texts, many instances at once."""

import doctest
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from process import run_python

import convsym
from convsym import ShapeError
from convsym.adapters import instances, texts
from convsym.adapters.functions import AvgPool, Conv, ConvTranspose, Fold, Unfold
from convsym.multilinear import average_pooling, convolution, folding, transposed_convolution, unfolding

FORMS = {
    "conv1d": convolution(1, (2, 4, 9), (6, 2, 3), [2], [[1, 0]], 2, np.int64(2)),
    "conv2d, unbatched, in a mode": convolution(2, (3, 4, 4), (2, 3, 3, 3), padding=1, padding_mode="reflect"),
    "conv_transpose1d": transposed_convolution(1, (2, 4, 3), (4, 1, 3), 2, 1, 1, 2),
    "avg_pool2d": average_pooling(2, (2, 1, 5, 4), (2, 3), 1, ceil_mode=True),
    "avg_pool1d, unbatched": average_pooling(1, (2, 6), 2),
    "unfold": unfolding((2, 2, 5, 4), (3, 2), (1, 2), [1, 0], 2),
    "fold, unbatched": folding((4, 6), [7], (2,)),
}


MISSING = """
import sys
sys.modules["{name}"] = None
try:
    import convsym.adapters.{name}
except ModuleNotFoundError as error:
    print(error)
"""


def numbers(shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


def test_functions_are_those_of_convsym():
    def gather(form, result, operands):
        return form.gather(result, operands)

    x, w, b = numbers((2, 4, 5, 6)), numbers((6, 2, 3, 2), 1), numbers(6, 2)
    knobs = {"padding": ((1, 0), (2, -1)), "dilation": (1, 2), "groups": 2}
    for rank in (None, 2):
        found = Conv(gather, rank)(x, w, b, (2, 1), **knobs, flip=True)
        np.testing.assert_array_equal(found, convsym.conv2d(x, w, b, (2, 1), **knobs, flip=True))
    w = numbers((4, 3, 3, 2), 1)
    knobs = {"output_padding": (1, 0), "padding": 1, "groups": 2}
    found = ConvTranspose(gather)(x, w, b, 2, **knobs)
    np.testing.assert_array_equal(found, convsym.conv_transpose2d(x, w, b, 2, **knobs))
    np.testing.assert_array_equal(AvgPool(gather, 2)(x, 2, 1, 1, True), convsym.avg_pool2d(x, 2, 1, 1, True))
    columns = Unfold(gather)(x, 3, padding=1)
    np.testing.assert_array_equal(columns, convsym.unfold(x, 3, padding=1))
    found = Fold(gather)(columns, (5, 6), 3, padding=1)
    np.testing.assert_array_equal(found, convsym.fold(columns, (5, 6), 3, padding=1))
    with pytest.raises(ShapeError, match=r"bias has shape \(1,\), and it must be \(3,\): one number for each output"):
        Conv(gather, 2)(x, numbers((3, 4, 1, 1)), np.ones(1))


def test_the_law_on_the_page_about_adapters():
    page = (Path(__file__).parents[1] / "docs" / "adapters.md").read_text(encoding="utf-8")
    section = page.partition("## One law")[2].partition("\n## ")[0].replace("```", "")
    test = doctest.DocTestParser().get_doctest(section, {}, "One law", "adapters.md", 0)
    assert len(test.examples) == 8
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.parametrize("name", ["torch", "jax", "autograd"])
def test_a_framework_that_is_missing_is_named(name):
    said = run_python(MISSING.format(name=name))
    assert said == f'convsym.adapters.{name} needs the package {name}; pip install "convsym[{name}]"\n'


def test_what_adapters_share_loads_no_framework():
    loaded = run_python("import sys, convsym.adapters.functions, convsym.adapters.texts; print(*sys.modules)").split()
    assert "convsym.multilinear" in loaded
    assert not {"torch", "jax", "autograd", "sympy"} & set(loaded)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_read_from_its_text(name):
    assert texts.read(texts.write(FORMS[name])) == FORMS[name]


@pytest.mark.parametrize("text", ["print(1)", "Convolution(1)", "texts.Convolution()", "Operation(rank=print())"])
def test_a_text_of_something_else_is_refused(text):
    with pytest.raises(ValueError, match=r"is no form"):
        texts.read(text)


@dataclass(frozen=True)
class Stack:
    """Arrays of a form for several instances; the slots in `own` have one each."""

    form: object
    own: frozenset
    count: int = 3

    def arrays(self, result):
        shapes = {slot: self.form.shapes[slot] for slot in self.form.slots if slot != result}
        lead = {slot: (self.count,) * (slot in self.own) for slot in shapes}
        return {slot: numbers((*lead[slot], *shape), place) for place, (slot, shape) in enumerate(shapes.items())}

    def one_by_one(self, result, arrays):
        def instance(place):
            return {slot: array[place] if slot in self.own else array for slot, array in arrays.items()}

        return np.stack([self.form.gather(result, instance(place)) for place in range(self.count)])


def at_once(form, result, operands):
    return form.gather(result, operands)


def agree(stack, result, gather=at_once):
    arrays = stack.arrays(result)
    own = stack.own - {result}
    found = instances.gathered(np, gather, stack.form, result, arrays, own)
    return np.array_equal(found, stack.one_by_one(result, arrays))


@pytest.mark.parametrize("name", FORMS)
def test_many_instances_at_once_are_each_alone(name):
    form = FORMS[name]
    if "avg_pool" in name:  # sums of quarters and halves are exact
        form = replace(form, pooling=replace(form.pooling, divisor_override=4))
    for result in form.slots:
        operands = [slot for slot in form.slots if slot != result]
        for own in [{slot} for slot in operands] + [set(operands)]:
            assert agree(Stack(form, frozenset(own)), result)


def test_instances_within_instances():
    form = FORMS["conv1d"]
    x, w = numbers((5, 3, *form.shapes["x"])), numbers((5, *form.shapes["w"]), 1)

    def inner(form, result, operands):
        return instances.gathered(np, at_once, form, result, operands, {"x"})

    def outer(form, result, operands):
        return instances.gathered(np, at_once, form, result, operands, {"x", "w"}, 0)

    found = np.stack([inner(form, "y", {"x": x[place], "w": w[place]}) for place in range(5)])
    for place in range(3):
        np.testing.assert_array_equal(found[:, place], outer(form, "y", {"x": x[:, place], "w": w}))
    both = instances.gathered(np, lambda *call: instances.gathered(np, at_once, *call, {"x", "w"}), form, "y",
                              {"x": x, "w": w[:, None].repeat(3, 1)}, {"x", "w"}, 1)  # fmt: skip
    np.testing.assert_array_equal(found, both)


def test_instances_that_are_mixed_up_are_seen():
    def mixed(form, result, operands):
        return form.gather(result, operands)[::-1]

    assert not agree(Stack(FORMS["conv1d"], frozenset("x")), "y", mixed)
