"""Multilinear forms: one number however it is summed up, gathers that are the public functions, a closed law."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest

import convsym
from convsym import ShapeError, grad
from convsym.multilinear import (
    Bias,
    average_pooling,
    convolution,
    exchanged,
    folding,
    transposed_convolution,
    unfolding,
)

FORMS = {
    "conv1d": convolution(1, (2, 4, 9), (6, 2, 3), 2, 1, 2, 2),
    "conv2d": convolution(2, (2, 3, 5, 6), (2, 3, 3, 2), (1, 2), ((1, 0), (-1, 2))),
    "conv2d, unbatched, in a mode": convolution(2, (3, 4, 4), (2, 3, 3, 3), padding=1, padding_mode="reflect"),
    "conv3d, flipped, spread": convolution(3, (1, 2, 3, 2, 3), (2, 2, 2, 1, 2), input_dilation=2, flip=True),
    "conv2d of NHWC": convolution(2, (2, 4, 5, 3), (2, 2, 3, 4), padding="same", axes=("NHWC", "HWIO")),
    "conv_transpose1d": transposed_convolution(1, (2, 4, 3), (4, 1, 3), 2, 1, 1, 2),
    "conv_transpose2d": transposed_convolution(2, (2, 3, 3), (2, 3, 2, 2), (2, 3), padding_mode="circular", padding=1),
    "avg_pool1d": average_pooling(1, (2, 3, 7), 3, 2, 1, count_include_pad=False),
    "avg_pool2d of NHWC": average_pooling(2, (1, 5, 4, 2), (2, 3), [1, 1], axes="NHWC", ceil_mode=True),
    "unfold": unfolding((2, 2, 5, 4), (3, 2), (1, 2), [1, 0], 2),
    "fold": folding((4, 6), [7], (2,)),
    "bias": Bias(2, (2, 3, 4, 5)),
    "bias of NHWC": Bias(2, (4, 5, 3), "HWC"),
}


def numbers(form, dtype=object):
    """Exact values for each slot."""
    generator = np.random.default_rng(1)
    drawn = {slot: generator.integers(-9, 10, (2, *shape)) for slot, shape in form.shapes.items()}
    if dtype is object:
        return {slot: np.vectorize(Fraction, otypes=[object])(array[0]) for slot, array in drawn.items()}
    return {slot: (array[0] + 1j * array[1] if dtype is complex else array[0]) for slot, array in drawn.items()}


def values(form, arrays):
    """The number that the form is, from the gather of each slot."""
    found = []
    for slot, array in arrays.items():
        gathered = form.gather(slot, {other: arrays[other] for other in arrays if other != slot})
        assert gathered.shape == form.shapes[slot]
        found.append((gathered * np.conj(array)).sum())
    return found


def is_closed(form, arrays):
    """Whether all gathers are derivatives of one form."""
    found = [value.real if isinstance(value, complex) else value for value in values(form, arrays)]
    return all(value == found[0] for value in found)


@pytest.mark.parametrize("name", FORMS)
def test_every_gather_is_the_derivative_of_one_form(name):
    form = FORMS[name]
    means = name.startswith("avg_pool")
    assert is_closed(form, numbers(form) if means else numbers(form, int))
    assert hash(form) == hash(replace(form))


@pytest.mark.parametrize("name", ["conv1d", "conv2d of NHWC", "conv_transpose1d", "unfold", "bias"])
def test_complex_gathers_are_adjoint(name):
    assert is_closed(FORMS[name], numbers(FORMS[name], complex))


@dataclass(frozen=True)
class Mutant:
    """A form whose gather of one slot is wrong in one element."""

    form: object
    slot: str

    @property
    def shapes(self):
        return self.form.shapes

    def gather(self, result, operands):
        value = self.form.gather(result, operands)
        if result == self.slot:
            value.flat[0] += 1
        return value


@pytest.mark.parametrize("slot", ["y", "x", "w"])
def test_a_wrong_gather_is_seen(slot):
    form = FORMS["conv1d"]
    assert not is_closed(Mutant(form, slot), numbers(form, int))


@pytest.mark.parametrize("name", ["conv1d", "conv_transpose1d"])
def test_the_law_gives_the_double_backward(name):
    form, arrays = FORMS[name], numbers(FORMS[name], int)
    x, w, dy = arrays["x"], arrays["w"], arrays["y"]
    gx, gw = x[::-1].copy(), w[::-1].copy()
    found = {}
    for result, cotangent in {"x": gx, "w": gw}.items():
        operands = {slot: array for slot, array in arrays.items() if slot != result}
        for wanted in operands:
            term = form.gather(wanted, exchanged(operands, wanted, result, cotangent))
            found[wanted] = found.get(wanted, 0) + term
    said = form.op.parameters
    knobs = {"stride": said.stride, "padding": said.padding, "dilation": said.dilation, "groups": said.groups}
    if name == "conv1d":
        truth = grad.conv_double_backward(gx, gw, None, dy, x, w, **knobs)
    else:
        truth = grad.conv_transpose_double_backward(gx, gw, None, dy, x, w, output_padding=1, **knobs)
    for slot, value in zip("yxw", truth, strict=True):
        np.testing.assert_array_equal(found[slot], value)


def test_gathers_are_the_public_functions():
    x, w, b = np.arange(18.0).reshape(2, 1, 9), np.arange(6.0).reshape(2, 1, 3), np.array([1.0, -1.0])
    form = convolution(1, x.shape, w.shape, 2)
    y = form.gather("y", {"x": x, "w": w})
    np.testing.assert_array_equal(y, convsym.conv1d(x, w, stride=2))
    np.testing.assert_array_equal(form.output(x, w, b), y + Bias(1, y.shape).gather("y", {"b": b}))
    np.testing.assert_array_equal(form.gather("w", {"x": x, "y": y}), grad.conv1d_weight(x, w.shape, y, stride=2))


def test_an_array_of_another_shape_is_told():
    with pytest.raises(ShapeError, match=r"input has shape \(3, 3\), and it must be \(3, 2\)"):
        folding((3, 2), (4,), (3,)).gather("y", {"x": np.ones((3, 3))})
    with pytest.raises(ShapeError, match=r"bias has shape \(2,\), and it must be \(3,\): one number for each channel"):
        Bias(1, (3, 4)).gather("y", {"b": np.ones(2)})
    with pytest.raises(ShapeError, match=r"input_shape has shape \(2, 4\) with 2"):
        _ = convolution(1, (2, 4), (1, 1, 3)).shapes
