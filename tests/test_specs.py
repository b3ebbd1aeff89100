"""Specs without any framework: what they hold, the traps between conventions, equality by two roads, every sentence."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from itertools import product
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
import sympy

import convsym
from convsym import ShapeError, Spec, registry, solver, theorems
from convsym.expressions import ceildiv, size, symbol
from convsym.specs import forms, keras_layers, onnx_nodes
from convsym.specs.comparison import compare
from convsym.specs.forms import as_convolution, as_transposed, form
from convsym.specs.layer import Layer
from convsym.specs.proving import proved_equal
from convsym.specs.relation import Relation, relation


def torch_module(kind, **fields):
    """What stands for a module of torch: a class of that name with its attributes."""
    rank = int(kind[-2])
    known = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "stride": 1, "padding": 0, "dilation": 1}
    known |= {"groups": 1, "output_padding": 0, "padding_mode": "zeros", "bias": None} | fields
    for name in ("kernel_size", "stride", "padding", "dilation", "output_padding"):
        known[name] = (known[name],) * rank if isinstance(known[name], int) else known[name]
    return type(kind, (), known)()


def from_torch(kind, **fields):
    return Spec.from_torch(torch_module(kind, **fields))


def from_keras(kind, in_channels=1, **config):
    return Spec.from_keras({"class_name": kind, "config": {"filters": 1, "use_bias": False, **config}}, in_channels)


def from_onnx(op_type, kernel=(3,), **attributes):
    return Spec.from_onnx({"op_type": op_type, "kernel_shape": kernel, **attributes}, (1, 1, *kernel))


def unknown(this, other):
    """Where no prover is."""
    return "unknown", None


# ------------------------------------------------------------------------------------------------------ the traps

TORCH, STRIDED = from_torch("Conv1d", padding=1), from_torch("Conv1d", padding=1, stride=2)
UP = from_torch("ConvTranspose1d", stride=2, padding=1, output_padding=1)
UP4 = from_torch("ConvTranspose1d", kernel_size=4, stride=2, padding=1)
JAX_UP = Spec.from_jax_transpose((4, 1, 1), (2,), "SAME")
EQUAL = {
    "TF SAME, stride 1": (TORCH, from_keras("Conv1D", kernel_size=3, padding="same")),
    "ONNX SAME_LOWER, stride 2, odd kernel": (STRIDED, from_onnx("Conv", auto_pad="SAME_LOWER", strides=[2])),
    "JAX SAME": (
        from_keras("Conv1D", kernel_size=4, strides=3, padding="same"),
        Spec.from_jax((1, 1, 4), (3,), "SAME"),
    ),
    "TF SAME of 1x1 with stride is no padding": (
        from_torch("Conv2d", kernel_size=1, stride=2),
        from_keras("Conv2D", kernel_size=[1, 1], strides=2, padding="same"),
    ),
    "Keras transposed, even kernel": (UP4, from_keras("Conv1DTranspose", kernel_size=4, strides=2, padding="same")),
    "JAX transposed with transpose_kernel": (
        UP4,
        Spec.from_jax_transpose((4, 1, 1), (2,), "SAME", transpose_kernel=True),
    ),
    "JAX transposed with use_consistent_padding": (
        from_torch("ConvTranspose1d", stride=2, padding=1),
        Spec.from_jax_transpose((3, 1, 1), (2,), [(1, 1)], transpose_kernel=True, use_consistent_padding=True),
    ),
    "JAX transposed is a convolution of the dilated input": (
        JAX_UP,
        Spec.from_jax((1, 1, 4), (1,), [(2, 2)], lhs_dilation=(2,)),
    ),
    "causal": (
        from_keras("Conv1D", kernel_size=3, padding="causal", dilation_rate=2),
        Spec((3,), 1, 1, 1, ((4, 0),), 2),
    ),
    "transposed with stride 1": (from_torch("ConvTranspose1d", padding=1), Spec((3,), 1, 1, padding=1, flip=True)),
    "output_padding is a padding less at the end": (UP, Spec((3,), 1, 1, 2, ((1, 0),), transposed=True)),
    "dilation of a single tap": (from_torch("Conv1d", kernel_size=1, dilation=3), from_torch("Conv1d", kernel_size=1)),
    "a mode that pads nothing": (from_torch("Conv1d", padding_mode="reflect"), from_torch("Conv1d")),
    "layouts": (
        from_torch("Conv2d", padding=1, kernel_size=(3, 3), in_channels=4, out_channels=8, groups=4),
        from_keras("DepthwiseConv2D", 4, kernel_size=3, padding="same", depth_multiplier=2),
    ),
}
DIFFERENT = {
    "TF SAME, stride 2": (STRIDED, from_keras("Conv1D", kernel_size=3, strides=2, padding="same"), 2),
    "Keras transposed, odd kernel: the sizes are right": (
        UP,
        from_keras("Conv1DTranspose", kernel_size=3, strides=2, padding="same"),
        1,
    ),
    "JAX transposed does not flip": (UP4, JAX_UP, 1),
    "JAX transposed reads pairs otherwise": (
        from_torch("ConvTranspose1d", kernel_size=5, stride=2, padding=1),
        Spec.from_jax_transpose((5, 1, 1), (2,), [(1, 1)], transpose_kernel=True),
        1,
    ),
    "SAME_LOWER and SAME_UPPER": (
        from_onnx("Conv", (2,), auto_pad="SAME_LOWER"),
        from_onnx("Conv", (2,), auto_pad="SAME_UPPER"),
        1,
    ),
    "ONNX transposed with output_shape as SAME_LOWER": (
        from_onnx("ConvTranspose", strides=[2], auto_pad="SAME_UPPER"),
        from_onnx("ConvTranspose", strides=[2], auto_pad="SAME_LOWER"),
        1,
    ),
    "causal and same": (
        from_keras("Conv1D", kernel_size=3, padding="causal"),
        from_keras("Conv1D", kernel_size=3, padding="same"),
        1,
    ),
    "torch same and TF SAME with stride": (
        Spec((3,), 1, 1, 3, "same"),
        Spec((3,), 1, 1, 3, "same", same="tf"),
        2,
    ),
    "what is around": (TORCH, from_torch("Conv1d", padding=1, padding_mode="circular"), 1),
    "what is around, seen late": (
        Spec((3,), padding=1, padding_mode="symmetric"),
        Spec((3,), padding=1, padding_mode="circular"),
        2,
    ),
    "flip": (from_torch("Conv1d"), replace(from_torch("Conv1d"), flip=True), 3),
    "groups' transposes have one output more": (
        from_torch("ConvTranspose1d", stride=2),
        from_torch("ConvTranspose1d", stride=2, output_padding=1),
        1,
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_conventions_that_mean_the_same_are_equal_for_every_size(name):
    this, other = EQUAL[name]
    found = this.compare(other)
    assert found.equal and this.equals(other) and this.difference(other) is None, str(found)
    assert found.scope == "every size" or solver.z3() is None
    assert other.equals(this)


@pytest.mark.parametrize("name", DIFFERENT)
def test_conventions_that_differ_are_told_apart_by_the_smallest_input(name):
    this, other, at = DIFFERENT[name]
    found = this.difference(other)
    assert found is not None and not found and not this.equals(other)
    assert found.example.x.shape == (at,)
    assert shown_outputs(this, other, found.example) == found.example.outputs_as_lists()
    assert str(found).startswith(f"different (size {at})") and "this: " in str(found)


def shown_outputs(this, other, example):
    """What convsym's own calls compute of an example, a refusal as a sentence."""
    return [called(spec, example.x, example.w) for spec in (this, other)]


def called(spec, x, w):
    one = replace(spec, in_channels=1, out_channels=1, groups=1, axes=None, bias=False)
    try:
        return one(x[None].astype(float), w[None, None].astype(float))[0].astype(int).tolist()
    except ShapeError as refused:
        return str(refused)


def test_the_difference_at_stride_2_is_at_even_sizes_only():
    this, other, _ = DIFFERENT["TF SAME, stride 2"]
    odd = this.compare(other, sizes=range(1, 40, 2))
    assert odd.equal and odd.scope == "20 sizes"
    assert this.compare(other, sizes=[7, 9, 12]).example.x.shape == (12,)


def test_a_plane_differs_where_one_axis_does():
    this = Spec((3, 3), stride=(1, 2), padding=1)
    found = this.difference(Spec((3, 3), stride=(1, 2), padding="same", same="tf"))
    assert found.example.x.shape[1] == 2 and "along spatial axis 1" in found.reason
    assert all(isinstance(output, np.ndarray) for output in found.example.outputs)


@pytest.mark.parametrize(("field", "value", "sentence"), [
    ("kernel_size", (5,), "kernel_size is (3,) here and (5,) there"),
    ("groups", 2, "groups is 1 here and 2 there"),
    ("in_channels", 4, "in_channels is 2 here and 4 there"),
    ("out_channels", 4, "out_channels is 2 here and 4 there"),
    ("rank", None, "rank is 1 here and 2 there"),
])  # fmt: skip
def test_layers_that_take_other_arrays_have_no_example(field, value, sentence):
    this = Spec((3,), 2, 2)
    other = Spec((3, 3), 2, 2) if field == "rank" else replace(this, **{field: value})
    found = this.compare(other)
    assert not found and found.example is None
    assert sentence in str(found)


def test_a_bias_is_a_difference():
    found = Spec((3,), bias=True).compare(Spec((3,)))
    assert not found and "this layer adds a bias and the other has none" in found.reason
    assert [output.tolist() for output in found.example.outputs] == [[1], [0]]
    assert "b = 1" in str(found)
    assert "the other layer adds a bias" in Spec((3,)).compare(Spec((3,), bias=True)).reason


def test_a_long_example_is_named_by_its_shape():
    assert "x = array of shape (399,)" in str(Spec((3,), dilation=200).compare(Spec((3,), dilation=200, padding=1)))


def test_layers_that_are_always_zero_along_an_axis_are_not_told_apart_by_another():
    """Stride 2 over an input dilated by 2, shifted by 1: no window meets an element."""
    this = Spec((1, 3), stride=(2, 2), input_dilation=(2, 1), padding=((1, 0), (1, 1)))
    found = this.compare(Spec((1, 3), stride=(2, 2), input_dilation=(2, 1), padding=((1, 0), (0, 2))))
    assert found.equal and "all outputs are 0" in found.reason and found.scope == "size 1"


# ------------------------------------------------------------------------------------------ equality by two roads


def random_axis(random, kernel):
    """An axis of a layer; few values, so that many pairs are equal."""
    mode = random.choice(["zeros"] * 5 + ["circular", "reflect", "replicate", "symmetric"])
    common = {"stride": random.randint(1, 3), "dilation": random.randint(1, 2), "flip": random.random() < 0.3}
    common |= {"same": random.choice(["symmetric", "tf", "lower"]), "padding_mode": mode}
    words = ["valid", "same", "same", "full", "causal"]
    pairs = ((random.randint(-1, 2), random.randint(-1, 2)),)
    padding = random.choice([*words, pairs, pairs, pairs])
    if random.random() < 0.3 and padding != "same":
        further = random.randrange(max(common["stride"], common["dilation"]))
        return Layer((kernel,), padding=padding, transposed=True, output_padding=further, **common)
    return Layer((kernel,), padding=padding, input_dilation=random.choice([1, 1, 1, 2]), **common)


def alike(this, other, n):
    found = relation(this, n), relation(other, n)
    if any(isinstance(met, str) for met in found):
        return all(isinstance(met, str) for met in found)
    return found[0] == found[1]


def pairs_of_axes(count, seed):
    """Pairs of random axes; every third one is a layer said otherwise."""
    random = Random(seed)
    for number in range(count):
        kernel = random.randint(1, 3)
        this, other = random_axis(random, kernel), random_axis(random, kernel)
        if number % 3 == 0:
            other = as_convolution(this) if this.transposed else as_transposed(this)
        yield this, this if other is None else other


def test_equal_normal_forms_are_equal_relations_and_the_prover_agrees_with_long_looking():
    pytest.importorskip("z3")
    seen = {"form": 0, "proved": 0, "refuted": 0}
    for this, other in pairs_of_axes(100, 0):
        equal = all(alike(this, other, n) for n in range(1, 61))
        if form(this) == form(other):
            assert equal, (this, other)
            seen["form"] += 1
        status, at = proved_equal(this, other)
        assert (status, equal) in {("proved", True), ("refuted", False), ("unknown", True), ("unknown", False)}
        if status == "refuted":
            assert not alike(this, other, at)
        if status == "unknown":  # only modes of padding are not put to the prover
            assert {this.padding_mode, other.padding_mode} != {"zeros"}
        else:
            seen[status] += 1
        assert compare(this, other, None, unknown).equal == equal
    assert seen["form"] > 30 and seen["proved"] > 15 and seen["refuted"] > 15


@pytest.mark.parametrize("turned", [
    lambda layer, pairs: pairs,
    lambda layer, pairs: forms.__dict__["_right"](layer, [(high, low) for low, high in pairs]),
    lambda layer, pairs: [(low + 1, high - 1) for low, high in forms.__dict__["_right"](layer, pairs)],
])  # fmt: skip
def test_a_normal_form_with_a_mistake_is_seen(turned, monkeypatch):
    monkeypatch.setattr(forms, "_right", forms._turned, raising=False)
    monkeypatch.setattr(forms, "_turned", turned)
    with pytest.raises(AssertionError):
        test_equal_normal_forms_are_equal_relations_and_the_prover_agrees_with_long_looking()


def test_a_relation_is_what_the_call_computes():
    """The triples of random axes, multiplied and summed, against the numeric functions."""
    random, tried = Random(1), 0
    for _ in range(150):
        axis, n = random_axis(random, random.randint(1, 3)), random.randint(1, 9)
        met = relation(axis, n)
        x, w = (np.array(random.choices(range(-9, 10), k=size)) for size in (n, axis.kernel_size[0]))
        spec = Spec(*(getattr(axis, name) for name in Layer.__dataclass_fields__))
        if isinstance(met, str):
            assert called(spec, x, w) == met
            continue
        tried += 1
        assert met.sums(np.multiply.outer(x, w), 1).tolist() == called(spec, x, w)
    assert tried > 80


def test_conventions_look_at_a_size_only_through_its_remainder_by_the_stride():
    """For every kernel, stride and dilation: the total of "same" does not change when the size grows by the stride."""
    pytest.importorskip("z3")
    total = theorems.conventions(registry["conv1d"].formula).total
    stride, n = symbol("stride0"), size("x", 2)
    later = total.xreplace({n: n + stride})
    times, more = symbol("times"), symbol("more")
    known = [sympy.Ge(stride, 1), sympy.Eq(ceildiv(n, stride), times), sympy.Eq(ceildiv(n + stride, stride), more)]
    verdict = solver.valid(known, sympy.Eq(more, times + 1), time.monotonic() + 20)
    assert verdict.status == "proved"
    grown = total.xreplace({ceildiv(n, stride): times}), later.xreplace({ceildiv(n + stride, stride): times + 1})
    assert sympy.expand(grown[0] - grown[1]) == 0


def test_a_padding_is_constant_where_no_size_changes_it():
    grid = product(range(1, 5), range(1, 7), (1, 2), ("full", "same"), ("symmetric", "tf", "lower"), (1, 2))
    for kernel, stride, dilation, word, same, spacing in grid:
        axis = Layer((kernel,), None, None, stride, word, dilation, same=same, input_dilation=spacing)
        first = axis.geometry((20,)).padding
        constant = all(axis.geometry((n,)).padding == first for n in range(10, 20))
        assert forms.constant_pairs(axis) == (first if constant else None), axis


# ------------------------------------------------------------------------------------------------------- shapes


def test_output_shapes_are_those_of_the_outputs():
    random = Random(2)
    for _ in range(60):
        axis = random_axis(random, random.randint(1, 3))
        spec = Spec(*(getattr(axis, name) for name in Layer.__dataclass_fields__))
        n = random.randint(5, 9)
        spec = replace(spec, in_channels=2, out_channels=4, groups=2, axes=("NLC", None, "CNL")[:1])
        x, w = np.ones((3, n, 2)), np.ones(spec.weight_shape)
        assert spec(x, w).shape == spec.output_shape(x.shape)
        assert spec(x[0], w).shape == spec.output_shape(x[0].shape)
        assert spec.padding_pairs(x.shape) == spec.geometry((n,)).padding


def test_the_size_formula_counts_the_outputs():
    random, tried = Random(3), 0
    for _ in range(80):
        axis = random_axis(random, random.randint(1, 3))
        spec = Spec(*(getattr(axis, name) for name in Layer.__dataclass_fields__))
        text, _, total = spec.size_formulas()[0].partition(", where total = ")
        for n in range(1, 12):
            met = relation(axis, n)
            names = {"n": n, "max": max, "total": eval(total, {"n": n, "max": max}) if total else None}
            expected = 0 if isinstance(met, str) else met.outputs
            if not (axis.padding_mode != "zeros" and isinstance(met, str)):
                assert max(0, eval(text, names)) == expected, (spec, n)
                tried += 1
    assert tried > 500


@pytest.mark.parametrize(("spec", "name"), [
    (Spec((3,)), "output padding"), (Spec((3,), padding="valid"), "valid"), (Spec((3,), padding="full"), "full"),
    (Spec((3,), padding="same"), "same"), (Spec((3,), padding="same", same="tf"), "same upper"),
    (Spec((3,), padding="same", same="lower"), "same lower"), (Spec((3,), padding="causal"), "causal"),
    (Spec((3,), padding="same", transposed=True), "output padding"),
])  # fmt: skip
def test_the_size_theorem_is_that_of_the_convention(spec, name):
    theorem = spec.size_theorem()
    assert theorem.name == name
    assert theorem.proof.status == ("proved" if solver.z3() else "unknown")


def test_a_spec_is_frozen_compares_and_prints():
    spec = Spec((3, 3), padding=1)
    assert spec == Spec((3, 3), padding=((1, 1), (1, 1))) and hash(spec) == hash(Spec((3, 3), padding=1))
    assert spec.stride == (1, 1) and spec.axes == ("NCHW", "OIHW", "NCHW") and spec.rank == 2
    assert repr(spec).startswith("Spec(kernel_size=(3, 3), in_channels=None")
    assert eval(repr(spec), {"Spec": Spec}) == spec
    with pytest.raises(FrozenInstanceError):
        spec.stride = 2


def test_grouped_and_depthwise_weights_are_put_in_order():
    x, w = np.arange(24.0).reshape(1, 6, 4), np.arange(24.0).reshape(3, 4, 2)
    spec = from_keras("DepthwiseConv1D", 4, kernel_size=3, depth_multiplier=2, padding="same")
    assert spec.weight_shape == w.shape and spec.axes[1] == "LGO"
    standard = spec.standard_weight(w)
    assert standard.shape == (8, 1, 3)
    y = spec(x, w)
    for channel, multiple in product(range(4), range(2)):
        alone = convsym.conv1d(
            np.ascontiguousarray(x[:, :, channel][:, None]), np.ascontiguousarray(w[:, channel, multiple][None, None]),
            padding="same", same="tf",
        )  # fmt: skip
        assert (y[..., 2 * channel + multiple] == alone[:, 0]).all()
    given = spec.arguments()
    assert (convsym.conv(x, standard, **given) == y).all()


def test_the_arguments_are_those_of_the_numeric_call():
    x, w = np.arange(12.0).reshape(1, 2, 6), np.arange(12.0).reshape(2, 2, 3)
    spec = Spec((3,), 2, 2, stride=2, transposed=True, output_padding=1, padding=1, bias=True)
    b = np.array([1.0, 2.0])
    assert (convsym.conv_transpose(x, w, b, **spec.arguments()) == spec(x, w, b)).all()


# ------------------------------------------------------------------------------------------- to frameworks, as dicts


def round_trips(spec):
    """The spec said in each framework's words and read again; a framework that cannot is left out."""
    ways: dict[str, Callable] = {
        "onnx": lambda: Spec.from_onnx(spec.onnx_attributes(), onnx_weight(spec)),
        "jax": lambda: jax_read(spec.to_jax(), spec),
        "jax_transpose": lambda: jax_read(spec.to_jax_transpose(), spec),
        "keras": lambda: Spec.from_keras(spec.to_keras(), spec.in_channels),
        "torch": lambda: from_torch(convsym.specs.torch_modules.name_of(spec), **torch_fields(spec)),
    }
    for name, way in ways.items():
        try:
            yield name, way()
        except ShapeError:
            continue


def torch_fields(spec):
    given = spec.torch_arguments()
    return given | {"bias": given["bias"] or None}


def onnx_weight(spec):
    transposed = spec.onnx_attributes()["op_type"] == "ConvTranspose"
    return replace(spec, axes=None, transposed=transposed, output_padding=0, input_dilation=1, stride=1).weight_shape


def jax_read(given, spec):
    dims = given["dimension_numbers"]
    letters = {"I": spec.in_channels // spec.groups, "O": spec.out_channels}
    letters |= dict(zip([c for c in dims[0] if c not in "NC"], spec.kernel_size, strict=True))
    if given.get("transpose_kernel"):
        letters |= {"O": letters["I"], "I": letters["O"]}
    shape = tuple(letters[c] for c in dims[1])
    return (Spec.from_jax_transpose if "strides" in given else Spec.from_jax)(shape, **given)


def random_spec(random):
    rank = random.randint(1, 2)
    axes = [random_axis(random, random.randint(1, 3)) for _ in range(rank)]
    first = axes[0]
    padding = first.padding if isinstance(first.padding, str) else tuple(
        axis.padding[0] if not isinstance(axis.padding, str) else (1, 1) for axis in axes
    )  # fmt: skip
    groups = random.choice([1, 1, 2])
    return Spec(
        tuple(axis.kernel_size[0] for axis in axes), 2 * groups, 4 * groups, tuple(a.stride[0] for a in axes),
        padding, tuple(a.dilation[0] for a in axes), groups, transposed=first.transposed,
        input_dilation=1 if first.transposed else tuple(a.input_dilation[0] for a in axes), flip=first.flip,
        same=first.same, padding_mode=first.padding_mode,
    )  # fmt: skip


def test_what_is_said_in_a_frameworks_words_is_read_as_the_same_function():
    random, seen = Random(4), {}
    for _ in range(250):
        spec = random_spec(random)
        for name, back in round_trips(spec):
            found = compare(spec, replace(back, bias=False), None, unknown)
            assert found.equal, (name, spec, back, str(found))
            seen[name] = seen.get(name, 0) + 1
    assert set(seen) == {"onnx", "jax", "jax_transpose", "keras", "torch"} and min(seen.values()) > 15, seen


def test_swapped_pads_are_seen(monkeypatch):
    monkeypatch.setattr(onnx_nodes, "_sides", lambda pairs: tuple(side for pair in pairs for side in pair))
    with pytest.raises(AssertionError):
        test_what_is_said_in_a_frameworks_words_is_read_as_the_same_function()


def test_keras_transposed_padding_is_that_of_the_convolution_whose_transpose_it_is():
    """TensorFlow's road: what the layer makes of n elements is the adjoint of a SAME convolution of that size."""
    tried = 0
    for kernel, stride, n in product(range(1, 7), range(1, 5), range(1, 6)):
        for further in (None, *range(stride)):
            spec = from_keras(
                "Conv1DTranspose", kernel_size=kernel, strides=stride, padding="same", output_padding=further
            )
            wanted = n * stride if further is None else (n - 1) * stride + kernel % 2 + further
            if wanted < 1 or -(-wanted // stride) != n:
                continue  # TensorFlow has no such layer
            tried += 1
            forward = relation(Layer((kernel,), stride=stride, padding="same", same="tf"), wanted)
            assert adjoint(forward, wanted) == relation(spec, n), (kernel, stride, n, further)
    assert tried > 200


def adjoint(met, outputs):
    turned = met.met[:, ::-1]
    return Relation(outputs, turned[np.lexsort(turned.T[::-1])])


def test_a_keras_layer_that_cuts_at_the_wrong_end_is_seen(monkeypatch):
    right = keras_layers._cut
    monkeypatch.setattr(keras_layers, "_cut", lambda *given: tuple((high, low) for low, high in right(*given)))
    with pytest.raises(AssertionError):
        test_keras_transposed_padding_is_that_of_the_convolution_whose_transpose_it_is()


def test_nothing_heavy_is_imported_until_it_is_needed():
    program = (
        "import sys, convsym\n"
        "spec = convsym.Spec.from_onnx({'op_type': 'Conv', 'kernel_shape': [3], 'pads': [1, 1]})\n"
        "assert spec.equals(convsym.Spec((3,), padding='same', same='tf'))\n"
        "assert not spec.equals(convsym.Spec((3,), padding=2))\n"
        "assert spec.output_shape((1, 1, 5)) == (1, 1, 5)\n"
        "spec.onnx_attributes(), spec.to_jax(), convsym.Spec((3,), 1, 1).torch_arguments()\n"
        "print({'sympy', 'z3', 'torch', 'onnx', 'jax', 'keras'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"


# ------------------------------------------------------------------------------------------------------ sentences


class LazyConv2d:
    """Its name is what counts."""


class Sequential:
    def named_modules(self):
        return [("", self), ("0", torch_module("Conv2d")), ("1", LazyConv2d())]


FLIPPED, DILATED = Spec((3,), 1, 1, 2, flip=True), Spec((3,), 1, 1, stride=2, input_dilation=2)
TF = Spec((3,), 1, 1, stride=2, padding="same", same="tf")
CIRCULAR = Spec((3,), 1, 1, padding=1, padding_mode="circular")
UPPED, FOUR = Spec((3,), 1, 1, 2, ((0, 1),), transposed=True), Spec((1, 1, 1, 1), 1, 1)
SYMMETRIC, NEGATIVE = replace(CIRCULAR, padding_mode="symmetric"), Spec((3,), 1, 1, padding=((-1, 0),))
CONV = {"op_type": "Conv", "kernel_shape": [3]}
NODE = SimpleNamespace(op_type="Relu", attribute=[], input=["X"])
SEPARABLE = type("SeparableConv2D", (), {"kernel_size": (3, 3)})()
W = np.ones((1, 1, 3))

TYPE_ERRORS = {
    "kernel": (lambda: Spec(3), "kernel_size is 3, and it must be a tuple with one size for each spatial axis"),
    "axes": (lambda: Spec((3,), axes=(1, 2)), "axes=(1, 2) is not understood"),
    "bias": (lambda: Spec((3,), bias=1), "bias is 1 (int), and it must be True or False"),
    "transposed": (lambda: Spec((3,), transposed="yes"), "transposed is 'yes' (str), and it must be True or False"),
    "stride": (lambda: Spec((3,), stride=1.5), "stride is 1.5 (float), and an integer is needed"),
    "torch": (lambda: Spec.from_torch(3), "module is a int, and a convolution of torch.nn is needed: Conv1d, Conv2d"),
    "torch class": (lambda: Spec.from_torch(dict), "module is the class dict, and a convolution of torch.nn is needed"),
    "torch lazy": (
        lambda: Spec.from_torch(LazyConv2d()),
        "module is a LazyConv2d, which learns its channels from its first input; call it once, then it is an ordinary "
        "Conv2d",
    ),
    "torch container": (lambda: Spec.from_torch(Sequential()), "ConvTranspose3d; it holds some: 0"),
    "onnx": (lambda: Spec.from_onnx(3), "node is a int, and a NodeProto is needed (or a dict with 'op_type' and"),
    "onnx type": (lambda: Spec.from_onnx(NODE), "node is of type 'Relu', and a Conv or ConvTranspose is needed"),
    "jax numbers": (
        lambda: Spec.from_jax((1, 1, 3), (1,), "SAME", dimension_numbers="NCH"),
        "dimension_numbers is 'NCH', and it is None, a ConvDimensionNumbers, or three texts such as ('NHWC', 'HWIO',",
    ),
    "keras": (lambda: Spec.from_keras(3), "layer is a int, and a convolution of Keras is needed: Conv1D, Conv2D"),
    "keras config": (
        lambda: Spec.from_keras({"filters": 8, "kernel_size": 3}),
        "the config does not say of which class it is; give keras.layers.serialize(layer), or {'class_name': 'Conv2D'",
    ),
    "keras separable": (
        lambda: Spec.from_keras(SEPARABLE),
        "layer is a SeparableConv2D, which is two convolutions: a DepthwiseConv2D and one with kernel size 1",
    ),
    "bias missing": (lambda: Spec((3,), bias=True)(W, W), "this layer adds a bias, and b is missing"),
    "bias given": (lambda: Spec((3,))(W, W, np.ones(1)), "this layer adds no bias, and b was given"),
    "other": (lambda: TORCH.compare(torch_module("Conv1d")), "other is a Conv1d, and a Spec is needed; make one: Spec"),
    "shape": (lambda: TORCH.output_shape(5), "input_shape is 5, and a shape is needed: a tuple of integers"),
}  # fmt: skip
SHAPE_ERRORS = {
    "kernel rank": (lambda: Spec((1,) * 6), "kernel_size=(1, 1, 1, 1, 1, 1) has 6 entries, and a convolution has 1 to"),
    "kernel zero": (lambda: Spec((3, 0)), "kernel_size[1] is 0, and it must be at least 1"),
    "groups": (lambda: Spec((3,), 4, 6, groups=4), "groups=4 does not divide out_channels=6"),
    "input dilation": (
        lambda: Spec((3,), transposed=True, input_dilation=2),
        "input_dilation=(2,) is of convolutions, and this layer is transposed: what its stride does is dilating",
    ),
    "output padding": (
        lambda: Spec((3,), output_padding=1, stride=2),
        "output_padding=(1,) is of transposed convolutions, and this layer is none; padding after the input enlarges",
    ),
    "output padding size": (
        lambda: Spec((3,), output_padding=2, stride=2, transposed=True),
        "output_padding[0] is 2, and it must be smaller than stride (2) or dilation (1) there; a negative padding afte",
    ),
    "axes": (lambda: Spec((3, 3), axes=("NHWC", "HWIX")), "axes='HWIX' does not name the axes of this array"),
    "axes without batch": (lambda: Spec((3,), axes="CL"), "axes='CL' has no N for the batch; arrays without a batch a"),
    "weight": (
        lambda: Spec((3,))(W, np.ones((1, 1, 4))),
        "weight has shape (1, 1, 4), and its axes are 'OIL' with kernel size (3,) along L",
    ),
    "weight channels": (
        lambda: Spec((3,), 1, 2)(W, W), "weight has shape (1, 1, 3), and this layer's has (2, 1, 3): axes 'OIL'"
    ),
    "input channels": (
        lambda: Spec((3,), 2, 1)(W, np.ones((1, 2, 3))),
        "the input has 1 channels (axes 'NCL', shape (1, 1, 3)), and this layer takes 2",
    ),
    "input axes": (
        lambda: Spec((3,)).output_shape((3,)), "the input has 1 axes: (3,), and this layer's are 'NCL', or without N"
    ),
    "channels": (
        lambda: Spec((3,)).torch_arguments(),
        "in_channels is not known, and it is needed here; add it: dataclasses.replace(spec, in_channels=…)",
    ),
    "too large": (
        lambda: Spec((3,), padding=10**9).compare(Spec((3,), padding=10**9 + 1)),
        "a layer with 1999999999 outputs and 3 taps at input size 1 is compared one by one, up to 50000000 pairs; its",
    ),
    "torch rank": (lambda: FOUR.torch_arguments(), "the layer has 4 spatial axes, and torch has 1 to 3; convsym.conv"),
    "torch same": (
        lambda: TF.torch_arguments(),
        "padding='same' (same='tf') with stride (2,) depends on the input's size, and torch pads the same for every "
        "size; pad with torch.nn.functional.pad by spec.padding_pairs(input_shape)",
    ),
    "torch asymmetric": (
        lambda: replace(TORCH, padding=((1, 0),)).torch_arguments(),
        "padding=((1, 0),) is not the same before and after, or negative, and torch pads both ends alike; put "
        "torch.nn.functional.pad before it",
    ),
    "torch same, stride": (lambda: Spec((4,), 1, 1, 2, "same").torch_arguments(), "padding=((1, 2),) is not the same"),
    "torch negative": (lambda: NEGATIVE.torch_arguments(), "padding=((-1, 0),) is not the same before and after, or n"),
    "torch flip": (lambda: FLIPPED.to_torch(), "torch does not flip kernels, and this layer's is flipped against torc"),
    "torch input dilation": (
        lambda: DILATED.torch_arguments(), "input_dilation=(2,) with stride (2,), flip=False and padding_mode='zeros' h"
    ),
    "torch mode": (lambda: SYMMETRIC.torch_arguments(), "padding_mode='symmetric' is none of torch's: zeros, reflect,"),
    "torch transposed mode": (
        lambda: Spec((3,), 1, 1, padding=1, padding_mode="reflect", transposed=True).torch_arguments(),
        "padding_mode='reflect' is refused by torch's ConvTranspose1d, which has zeros only; convsym.conv_transpose",
    ),
    "torch cut": (
        lambda: UPPED.torch_arguments(),
        "along spatial axis 0 the output is cut by 0 at its start and 1 at its end, and torch cuts as much at both "
        "ends, then adds an output_padding of 0 to 1 at the end; take padding=0 and crop the output",
    ),
    "onnx kernel": (
        lambda: Spec.from_onnx({"op_type": "Conv"}),
        "the node has no kernel_shape, which ONNX then takes from the weight; give the weight's shape: weight_shape=…",
    ),
    "onnx kernels": (
        lambda: Spec.from_onnx(CONV, (1, 1, 4)), "kernel_shape is (3,), and weight_shape (1, 1, 4) has (4,)"
    ),
    "onnx both": (
        lambda: Spec.from_onnx({**CONV, "auto_pad": "SAME_UPPER", "pads": [1, 1]}),
        "auto_pad is SAME_UPPER and pads is (1, 1), and a node has one or the other",
    ),
    "onnx auto_pad": (lambda: Spec.from_onnx({**CONV, "auto_pad": "SAME"}), "auto_pad='SAME' is not known; it is one"),
    "onnx pads": (
        lambda: Spec.from_onnx({**CONV, "pads": [1]}),
        "pads=(1,) has 1 entries, and 1 spatial axes need 2: first all that come before, then all that come after",
    ),
    "onnx output_shape": (
        lambda: Spec.from_onnx({**CONV, "op_type": "ConvTranspose", "output_shape": [9]}),
        "output_shape=(9,) makes the padding depend on the input; give its spatial sizes: input_sizes=…",
    ),
    "onnx mode": (
        lambda: CIRCULAR.onnx_attributes(),
        "padding_mode='circular' is unknown to ONNX's Conv, which pads with zeros; put a Pad node (mode reflect, edge",
    ),
    "onnx flip": (lambda: FLIPPED.to_onnx(), "ONNX does not flip kernels, and this layer's is flipped against ONNX's"),
    "onnx input dilation": (lambda: DILATED.onnx_attributes(), "input_dilation=(2,) with stride (2,) and flip=False h"),
    "onnx negative": (
        lambda: NEGATIVE.onnx_attributes(), "padding=((-1, 0),) is negative, and pads of ONNX are at least 0; put a Sli"
    ),
    "onnx further": (
        lambda: Spec((3,), 1, 1, 2, ((0, -2),), transposed=True).onnx_attributes(),
        "along spatial axis 0 the output has 2 elements more than its windows reach, and ONNX's output_padding is "
        "smaller than stride or dilation (2); put a Pad node behind it",
    ),
    "jax batch": (
        lambda: Spec.from_jax((1, 1, 3), (1,), "SAME", batch_group_count=2),
        "batch_group_count is 2, and a layer treats every sample of a batch alike; it must be 1",
    ),
    "jax string": (
        lambda: Spec.from_jax((1, 1, 3), (1,), "SAME", (2,)),
        "padding='SAME' with lhs_dilation=(2,) is refused by conv_general_dilated; give pairs, or use",
    ),
    "jax padding": (lambda: Spec.from_jax((1, 1, 3), (1,), "FULL"), "padding='FULL' is not known to JAX; it is 'SAME'"),
    "jax transposed padding": (
        lambda: Spec.from_jax_transpose((3, 1, 1), (1,), "SAME_LOWER"),
        "padding='SAME_LOWER' is not known to conv_transpose; it is 'SAME', 'VALID' or pairs",
    ),
    "jax rhs": (lambda: Spec.from_jax((3, 1), (1,), "SAME"), "rhs has shape (3, 1), and a convolution needs two axes"),
    "jax length": (
        lambda: Spec.from_jax((3, 1, 1), (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")),
        "rhs has shape (3, 1, 1), and dimension_numbers names its axes 'HWIO'",
    ),
    "jax letters": (
        lambda: Spec.from_jax((3, 1, 1), (1,), "VALID", dimension_numbers=("NHC", "WIO", "NHC")),
        "dimension_numbers=('NHC', 'WIO', 'NHC') do not belong together: 'WIO' needs O, I and the spatial letters that",
    ),
    "jax flip": (lambda: FLIPPED.to_jax(), "conv_general_dilated does not flip kernels, and this layer's is flipped a"),
    "jax mode": (lambda: CIRCULAR.to_jax(), "padding_mode='circular' is unknown to jax.lax, which pads with zeros; us"),
    "jax transpose": (
        lambda: TF.to_jax_transpose(),
        "conv_transpose has stride 1 over the dilated input, the same padding for every size and no groups, and this "
        "layer has stride (2,), padding 'same' and groups=1; see spec.to_jax()",
    ),
    "keras depthwise": (
        lambda: from_keras("DepthwiseConv2D", None, kernel_size=3, depth_multiplier=1),
        "a DepthwiseConv2D has as many groups as input channels, and the layer is not built; give them: in_channels=…",
    ),
    "keras padding": (
        lambda: from_keras("Conv2D", kernel_size=3, padding="causal"),
        "padding='causal' is not known; it is one of 'valid' or 'same'",
    ),
    "keras format": (
        lambda: from_keras("Conv2D", kernel_size=3, data_format="NHWC"), "data_format='NHWC' is not known; it is one of"
    ),
    "keras rank": (lambda: FOUR.to_keras(), "the layer has 4 spatial axes, and Keras has 1 to 3; convsym.conv takes u"),
    "keras channels": (lambda: Spec((3,)).to_keras(), "out_channels is not known, and it is needed here; add it: data"),
    "keras flip": (lambda: FLIPPED.to_keras(), "Keras does not flip kernels, and this layer's is flipped against Kera"),
    "keras mode": (lambda: CIRCULAR.to_keras(), "padding_mode='circular' is unknown to Keras, which pads with zeros;"),
    "keras input dilation": (lambda: DILATED.to_keras(), "input_dilation=(2,) with stride (2,) and flip=False has no"),
    "keras both": (
        lambda: Spec((3,), 1, 1, 2, dilation=2).to_keras(),
        "Keras refuses strides over 1 together with a dilation_rate over 1, and this layer has (2,) and (2,)",
    ),
    "keras groups": (
        lambda: Spec((3,), 2, 2, groups=2, transposed=True).to_keras(),
        "groups=2 is unknown to Keras's transposed layers; split the channels and use one layer for each",
    ),
    "keras pairs": (
        lambda: STRIDED.to_keras(),
        "with stride (2,) is none of Keras's: 'valid', 'same' (as TensorFlow has it) and, in 1-D, 'causal'; put a "
        "ZeroPadding1D or Cropping1D before it and take padding='valid'",
    ),
    "keras cut": (
        lambda: UP.to_keras(),
        "the output is cut by ((1, 0),) at its ends, and no padding and output_padding of Keras's 1-D transposed "
        "layer does that; take padding='valid' and a Cropping1D behind it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPE_ERRORS)
def test_type_errors_are_sentences(name):
    make, sentence = TYPE_ERRORS[name]
    with pytest.raises(TypeError) as caught:
        make()
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", SHAPE_ERRORS)
def test_shape_errors_are_sentences(name):
    make, sentence = SHAPE_ERRORS[name]
    with pytest.raises(ShapeError) as caught:
        make()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("write", "framework", "instead"), [
    ("to_torch", "torch", "spec.torch_arguments()"), ("to_onnx", "onnx", "spec.onnx_attributes()"),
])  # fmt: skip
def test_without_the_framework_the_dict_is_named(write, framework, instead, monkeypatch):
    monkeypatch.setitem(sys.modules, framework, None)
    with pytest.raises(ImportError, match="is not installed") as caught:
        getattr(Spec((3,), 1, 1), write)()
    assert f"{framework} is not installed; {instead} gives the" in str(caught.value)
