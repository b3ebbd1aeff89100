"""``axes=``: arrays in any order of their axes, against the same call on transposed copies."""

from itertools import permutations
from random import Random

import numpy as np
import pytest

import convsym
from convsym import ShapeError, grad
from convsym.layouts import Layout

SPATIAL = {1: "W", 2: "HW", 3: "DHW"}
SIZES = dict(N=2, C=4, D=5, H=6, W=7)
# Orders of input, weight and output; None is left out.
ORDERS = {
    "NWC": (1, ("NWC", "WIO", "NWC")),
    "CW": (1, ("CW",)),
    "WC": (1, ("WC", "OWI")),
    "WNC to CNW": (1, ("WNC", "IWO", "CNW")),
    "NHWC": (2, ("NHWC",)),
    "NHWC, HWIO": (2, ("NHWC", "HWIO")),
    "as TensorFlow": (2, ("NHWC", "HWIO", "NHWC")),
    "NHWC to NCHW": (2, ("NHWC", "HWIO", "NCHW")),
    "HWC": (2, ("HWC", "HWIO")),
    "spatial axes swapped in the weight": (2, ("NCHW", "OIWH", "NCHW")),
    "spatial axes swapped in the output": (2, ("NCHW", "OIHW", "NCWH")),
    "other letters": (2, ("NyxC", "xyIO", "Nxy" + "C")),
    "NDHWC": (3, ("NDHWC", "DHWIO", "NDHWC")),
    "WDHC": (3, ("WDHC", "IWOHD", "CHWD")),
}
for number, order in enumerate(Random(4).sample(list(permutations("NCHW")), 6)):
    weight, output = (Random(number).sample(letters, 4) for letters in (list("OIHW"), list("NCHW")))
    ORDERS[f"random {number}"] = (2, tuple(map("".join, (order, weight, output))))


def numbers(shape, seed):
    return np.random.default_rng([seed, *shape]).integers(-4, 5, shape).astype(float)


def reordered(array, letters, wanted):
    """An array with axes named `letters`, as one with axes `wanted`."""
    return np.transpose(array, [letters.index(letter) for letter in wanted])


class Setting:
    """Arrays of one order in standard form and as the caller has them, and the knobs of the op."""

    def __init__(self, name, is_transposed):
        self.rank, texts = ORDERS[name]
        spatial = "".join(letter for letter in texts[0] if letter not in "NC")
        batch = "N" if "N" in texts[0] else ""
        pair = "IO" if is_transposed else "OI"
        self.standard = dict(input=batch + "C" + spatial, weight=pair + spatial, output=batch + "C" + spatial)
        self.order = dict(input=texts[0], weight=(texts[1:2] or (pair + spatial,))[0], output=(texts[2:] or texts)[0])
        self.axes = texts[0] if len(texts) == 1 else texts
        self.knobs = dict(
            stride=tuple(1 + axis % 2 for axis in range(self.rank)),
            padding=tuple((axis, 1) for axis in range(self.rank)),
            groups=2,
        )
        sizes = [5 + axis for axis in range(self.rank)]
        kernel = [3 - axis % 2 for axis in range(self.rank)]
        lead = [2] if batch else []
        self.x = numbers((*lead, 4, *sizes), 1)
        self.w = numbers((4, 3, *kernel) if is_transposed else (6, 2, *kernel), 2)
        self.op = convsym.conv_transpose if is_transposed else convsym.conv
        self.prefix = "conv_transpose" if is_transposed else "conv"
        self.b = numbers((6,), 3)
        self.y = self.op(self.x, self.w, self.b, **self.knobs)
        self.dy = numbers(self.y.shape, 4)

    def theirs(self, role, array):
        """An array in the caller's order."""
        return reordered(array, self.standard[role], self.order[role])

    def function(self, name):
        return getattr(grad, f"{self.prefix}_{name}")


@pytest.mark.parametrize("is_transposed", [False, True], ids=["conv", "conv_transpose"])
@pytest.mark.parametrize("name", ORDERS)
def test_every_op_and_gradient_equals_the_call_on_transposed_arrays(name, is_transposed):
    assert differences(Setting(name, is_transposed)) == []


def differences(s):
    """Names of results that differ from those of transposed copies."""
    x, w, dy = s.theirs("input", s.x), s.theirs("weight", s.w), s.theirs("output", s.dy)
    knobs = dict(axes=s.axes, **s.knobs)
    tangents = numbers(s.x.shape, 5), numbers(s.w.shape, 6)
    of_x, of_w = s.theirs("input", tangents[0]), s.theirs("weight", tangents[1])
    pairs = {
        "y": (s.op(x, w, s.b, **knobs), s.theirs("output", s.y)),
        "out": (
            s.op(x, w, s.b, out=np.empty(s.theirs("output", s.y).shape), **knobs),
            s.theirs("output", s.y),
        ),
        "dx": (
            s.function("input")(x.shape, w, dy, **knobs),
            s.theirs("input", s.function("input")(s.x.shape, s.w, s.dy, **s.knobs)),
        ),
        "dw": (
            s.function("weight")(x, w.shape, dy, **knobs),
            s.theirs("weight", s.function("weight")(s.x, s.w.shape, s.dy, **s.knobs)),
        ),
        "db": (s.function("bias")(dy, s.rank, axes=s.axes), s.function("bias")(s.dy, s.rank)),
        "ẏ": (
            s.function("jvp")(x, w, of_x, of_w, s.b, **knobs),
            s.theirs("output", s.function("jvp")(s.x, s.w, *tangents, s.b, **s.knobs)),
        ),
    }
    for sample in range(len(s.x)) if "N" in s.order["input"] else ():
        each = s.function("weight")(x, w.shape, dy, reduce_batch=False, **knobs)
        alone = s.function("weight")(s.x[sample], s.w.shape, s.dy[sample], **s.knobs)
        pairs[f"dw of sample {sample}"] = each[sample], s.theirs("weight", alone)
    roles = {"backward": ("input", "weight", None), "double_backward": ("output", "input", "weight")}
    calls = {
        "backward": ((dy, x, w), (s.dy, s.x, s.w)),
        "double_backward": ((of_x, of_w, s.b, dy, x, w), (*tangents, s.b, s.dy, s.x, s.w)),
        "hvp": ((dy, x, w, of_x, of_w), (s.dy, s.x, s.w, *tangents)),
    }
    for call, (theirs, plain) in calls.items():
        found, expected = s.function(call)(*theirs, **knobs), s.function(call)(*plain, **s.knobs)
        for part, (value, plain_value) in enumerate(zip(found, expected, strict=True)):
            role = roles.get(call, ("input", "weight"))[part]
            pairs[f"{call}[{part}]"] = value, plain_value if role is None else s.theirs(role, plain_value)
    return [
        key
        for key, (found, expected) in pairs.items()
        if found.shape != expected.shape or not (found == expected).all() or not found.flags.c_contiguous
    ]


X, W = numbers((1, 5, 6, 2), 1), numbers((3, 2, 4, 3), 2)
ERRORS = {
    "number": (dict(axes=5), TypeError, "axes=5 is not understood; it is a text such as 'NHWC', or up to three"),
    "four": (dict(axes=("NHWC",) * 4), TypeError, "is not understood"),
    "none of them": (dict(axes=()), TypeError, "axes=() is not understood"),
    "no text": (dict(axes=("NHWC", None)), TypeError, "is not understood"),
    "no channels": (
        dict(axes="NHWD"),
        ShapeError,
        "axes='NHWD' does not name the axes of this array; it needs the letters N and C and one of its own for each of "
        "the 2 spatial axes, the same ones in every array",
    ),
    "letter twice": (dict(axes="NHHC"), ShapeError, "axes='NHHC' does not name the axes"),
    "too few": (dict(axes="NHC"), ShapeError, "one of its own for each of the 2 spatial axes"),
    "other letters in the weight": (dict(axes=("NHWC", "XYIO")), ShapeError, "axes='XYIO' does not name"),
    "weight without O": (dict(axes=("NHWC", "HWIN")), ShapeError, "it needs the letters O and I"),
    "batch in the output only": (dict(axes=("HWC", "HWIO", "NHWC")), ShapeError, "axes='NHWC' does not name"),
    "unbatched": (dict(axes="HWC"), ShapeError, "input has 4 axes: (1, 5, 6, 2), and axes= names 3 of them"),
}


@pytest.mark.parametrize("what", ERRORS)
def test_wrong_axes_are_a_sentence(what):
    knobs, error, sentence = ERRORS[what]
    w = np.transpose(W, (2, 3, 1, 0))
    with pytest.raises(error) as caught:
        convsym.conv2d(X, w, **knobs)
    assert sentence in str(caught.value)


def test_shapes_in_errors_are_said_in_an_order_that_is_said():
    order = "(shapes are said here with the channels before the spatial axes)"
    with pytest.raises(ShapeError) as caught:
        convsym.conv2d(X, W[:, :1], axes="NHWC")
    assert "input has shape (1, 2, 5, 6) with 2; weight.shape[1] must be 2 " + order in str(caught.value)
    with pytest.raises(ShapeError) as caught:
        grad.conv2d_weight(X, W.shape, np.ones((1, 2, 3, 3)), axes="NHWC")
    assert "grad_output has shape (1, 3, 2, 3)" in str(caught.value)
    assert order in str(caught.value)
    with pytest.raises(ShapeError) as caught:
        convsym.conv2d(X[0].transpose(2, 0, 1), W[:, :1])
    assert order not in str(caught.value)


def test_sizes_are_in_the_callers_order_too():
    dy = np.ones((1, 2, 4, 3))
    assert grad.conv2d_input((1, 5, 6, 2), W, dy, axes="NHWC").shape == (1, 5, 6, 2)
    with pytest.raises(ShapeError, match="input_size has 3 axes: \\(5, 6, 2\\), and axes= names 4 of them"):
        grad.conv2d_input((5, 6, 2), W, dy, axes="NHWC")


def _not_inverted(self, array):
    return array.transpose(self.places)


def test_an_order_that_is_not_inverted_would_be_seen(monkeypatch):
    setting = Setting("WNC to CNW", False)
    assert differences(setting) == []
    monkeypatch.setattr(Layout, "view", _not_inverted)
    assert differences(setting) != []
