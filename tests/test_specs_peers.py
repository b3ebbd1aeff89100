"""Specs against the frameworks themselves, exact on integers; each part is skipped where its framework is absent."""

from itertools import product
from random import Random

import numpy as np
import pytest

from convsym import ShapeError, Spec
from convsym.specs import forms, jax_calls, onnx_nodes
from convsym.specs.relation import relation


def integers(random, shape):
    return np.array(random.choices(range(-9, 10), k=int(np.prod(shape)))).reshape(shape).astype(np.float64)


def same(ours, theirs):
    theirs = np.asarray(theirs)
    return ours.shape == theirs.shape and (ours == theirs).all()


def outcome(call):
    """What a call computes, None where it refuses."""
    try:
        return call()
    except ShapeError:
        return None


# -------------------------------------------------------------------------------------------------------- torch


def torch_specs(random, ranks=(1, 2)):
    """Fields of layers that torch has."""
    rank, transposed = random.choice(ranks), random.random() < 0.4
    several = lambda *choices: tuple(random.choice(choices) for _ in range(rank))  # noqa: E731
    stride, dilation, kernel = several(1, 2, 3), several(1, 1, 2), several(1, 2, 3, 4)
    mode = "zeros" if transposed else random.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
    padding = several(0, 1, 2)
    if not transposed and random.random() < 0.3:
        padding, stride = random.choice(["same", "valid"]), (1,) * rank
    groups = random.choice([1, 1, 2])
    fields = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "padding_mode": mode}
    if transposed:
        fields["output_padding"] = tuple(
            random.randrange(max(pair)) for pair in zip(stride, dilation, strict=True)
        )
    return rank, transposed, (2 * groups, 3 * groups, kernel), {**fields, "bias": random.random() < 0.5}


def torch_layer(torch, random, ranks=(1, 2)):
    """A random module with integers for weights, and its arrays."""
    rank, transposed, channels, fields = torch_specs(random, ranks)
    module = getattr(torch.nn, f"Conv{'Transpose' if transposed else ''}{rank}d")(*channels, **fields).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(integers(random, tuple(parameter.shape))))
    return module, [None if p is None else p.detach().numpy() for p in (module.weight, module.bias)]


def run_torch(torch, module, x):
    """The module's output, None where torch refuses."""
    try:
        return module(torch.from_numpy(x)).detach().numpy()
    except RuntimeError:
        return None


def test_modules_of_torch_compute_what_their_specs_say():
    torch, random, tried = pytest.importorskip("torch"), Random(0), 0
    for _ in range(150):
        module, (w, b) = torch_layer(torch, random)
        spec = Spec.from_torch(module)
        x = integers(random, (2, spec.in_channels, *(random.randint(3, 8) for _ in spec.kernel_size)))
        theirs = run_torch(torch, module, x)
        if theirs is None:
            continue  # torch's reflect and circular do not fold twice, ours do
        tried += 1
        assert same(spec(x, w, b), theirs), spec
        assert spec.output_shape(x.shape) == theirs.shape
        assert spec.weight_shape == w.shape
        back = spec.to_torch()
        assert type(back) is type(module)
        assert Spec.from_torch(back).equals(spec)
    assert tried > 100


def test_sizes_of_volumes_are_those_of_torch():
    torch, random, tried = pytest.importorskip("torch"), Random(1), 0
    for _ in range(40):
        module, _ = torch_layer(torch, random, ranks=(3,))
        spec = Spec.from_torch(module)
        x = np.zeros((2, spec.in_channels, *(random.randint(3, 8) for _ in spec.kernel_size)))
        theirs = run_torch(torch, module, x)
        if theirs is not None:
            tried += 1
            assert spec.output_shape(x.shape) == theirs.shape
            assert Spec.from_torch(spec.to_torch()).equals(spec)
    assert tried > 20


def test_a_lazy_module_is_read_once_it_has_seen_an_input():
    torch = pytest.importorskip("torch")
    lazy = torch.nn.LazyConvTranspose2d(4, 3)
    with pytest.raises(TypeError, match="module is a LazyConvTranspose2d, which learns its channels"):
        Spec.from_torch(lazy)
    lazy(torch.zeros(1, 2, 4, 4))
    assert Spec.from_torch(lazy).in_channels == 2
    with pytest.raises(TypeError, match="it holds some: 0, 2"):
        Spec.from_torch(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.ReLU(), torch.nn.Conv1d(1, 1, 1)))


def test_examples_tell_real_modules_apart():
    """The outputs that an example shows are those of torch."""
    torch, random, told = pytest.importorskip("torch"), Random(2), 0
    for _ in range(60):
        pair = [torch_specs(random, (1,)) for _ in range(2)]
        specs = []
        for rank, transposed, (_, _, kernel), fields in pair:
            fields = fields | {"groups": 1, "bias": False}
            module = getattr(torch.nn, f"Conv{'Transpose' if transposed else ''}{rank}d")(1, 1, pair[0][2][2], **fields)
            specs.append((Spec.from_torch(module), module.double()))
            assert kernel
        found = specs[0][0].compare(specs[1][0])
        if found.equal:
            continue
        for (_, module), output in zip(specs, found.example.outputs, strict=True):
            with torch.no_grad():
                module.weight.copy_(torch.from_numpy(found.example.w[None, None].astype(float)))
            theirs = run_torch(torch, module, found.example.x[None, None].astype(float))
            if isinstance(output, str) or theirs is None:
                assert theirs is None
            else:
                told += 1
                assert same(output[None, None], theirs)
    assert told > 50


# --------------------------------------------------------------------------------------------------------- ONNX


def onnx_node(helper, random):
    """A random Conv or ConvTranspose, with what its reference implementation takes."""
    rank, transposed = random.randint(1, 2), random.random() < 0.4
    several = lambda *choices: [random.choice(choices) for _ in range(rank)]  # noqa: E731
    groups = 1 if transposed else random.choice([1, 1, 2])  # the reference mixes up groups of transposed nodes
    given = {"kernel_shape": several(1, 2, 3, 4), "strides": several(1, 2, 3), "dilations": several(1, 1, 2)}
    given["group"] = groups
    auto = random.choice(["", "", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if auto:
        given["auto_pad"] = auto
    else:
        given["pads"] = several(0, 1, 2) + several(0, 1, 2)
    if transposed:
        given["output_padding"] = [random.randrange(step) for step in given["strides"]]  # dilations count in torch only
    channels = (2, 3) if transposed else (3 * groups, 2)
    node = helper.make_node("ConvTranspose" if transposed else "Conv", ["X", "W", "B"], ["Y"], **given)
    return node, integers(random, (*channels, *given["kernel_shape"]))


def run_onnx(onnx, node, *arrays):
    from onnx.reference import ReferenceEvaluator

    inputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, None) for name in node.input]
    output = onnx.helper.make_tensor_value_info("Y", onnx.TensorProto.DOUBLE, None)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", inputs, [output]))
    return ReferenceEvaluator(model).run(None, dict(zip(node.input, arrays, strict=True)))[0]


def cut_too_much(spec):
    return spec.transposed and not isinstance(spec.padding, str) and min(map(min, spec.padding)) < 0


def test_nodes_of_onnx_compute_what_their_specs_say():
    onnx, random, tried = pytest.importorskip("onnx"), Random(3), 0
    for _ in range(150):
        node, w = onnx_node(onnx.helper, random)
        spec = Spec.from_onnx(node, w)
        x = integers(random, (2, spec.in_channels, *(random.randint(3, 8) for _ in spec.kernel_size)))
        b = integers(random, (spec.out_channels,))
        ours = outcome(lambda: spec(x, w, b))  # noqa: B023
        if ours is None or cut_too_much(spec):
            continue  # the reference's col2im does not take negative pads, which SAME_* may ask for
        tried += 1
        assert same(ours, run_onnx(onnx, node, x, w, b)), (spec, node)
        back = spec.to_onnx()
        assert Spec.from_onnx(back, w).equals(spec)
        assert same(ours, run_onnx(onnx, back, x, w, b)), (spec, back)
    assert tried > 80


def test_swapped_pads_are_seen_by_the_reference(monkeypatch):
    pytest.importorskip("onnx")
    right = onnx_nodes._padding

    def swapped(bare, given, input_sizes):
        padding, same = right(bare, given, input_sizes)
        return padding if isinstance(padding, str) else tuple((high, low) for low, high in padding), same

    monkeypatch.setattr(onnx_nodes, "_padding", swapped)
    with pytest.raises(AssertionError):
        test_nodes_of_onnx_compute_what_their_specs_say()


def test_the_size_that_a_transposed_node_asks_for_is_made():
    onnx = pytest.importorskip("onnx")
    x, w = np.arange(10.0).reshape(1, 1, 10), np.arange(1.0, 5).reshape(1, 1, 4)
    for wanted, auto in product(range(16, 22), ("NOTSET", "SAME_UPPER", "SAME_LOWER")):
        node = onnx.helper.make_node(
            "ConvTranspose", ["X", "W"], ["Y"], strides=[2], output_shape=[wanted], auto_pad=auto
        )
        spec = Spec.from_onnx(node, w, x.shape[2:])
        assert spec.output_shape(x.shape)[-1] == wanted
        if auto != "NOTSET":  # there the reference forgets output_shape
            assert same(spec(x, w), run_onnx(onnx, node, x, w))


# ---------------------------------------------------------------------------------------------------------- JAX


def jax_numbers(random, rank):
    """Three orders of axes, spatial letters in any order."""
    spatial = "HW"[:rank]
    texts = []
    for letters in ("NC", "OI", "NC"):
        text = list(letters + spatial)
        random.shuffle(text)
        texts.append("".join(text))
    return tuple(texts)


def jax_call(random):
    """A random call of conv_general_dilated, and the shapes of its arrays."""
    rank = random.randint(1, 2)
    several = lambda *choices: tuple(random.choice(choices) for _ in range(rank))  # noqa: E731
    groups = random.choice([1, 1, 2])
    given = {"window_strides": several(1, 2, 3), "rhs_dilation": several(1, 2), "feature_group_count": groups}
    given["padding"] = random.choice(["SAME", "SAME_LOWER", "VALID", None, None])
    if given["padding"] is None:
        given["padding"] = [(random.randint(-1, 2), random.randint(-1, 2)) for _ in range(rank)]
        given["lhs_dilation"] = several(1, 2)
    given["dimension_numbers"] = jax_numbers(random, rank)
    sizes = {"N": 2, "C": 2 * groups, "O": 3 * groups, "I": 2} | {c: random.randint(4, 8) for c in "HW"}
    kernel = sizes | {c: random.randint(1, 3) for c in "HW"}
    texts = given["dimension_numbers"]
    return given, tuple(sizes[c] for c in texts[0]), tuple(kernel[c] for c in texts[1])


def run_jax(function, x, w, given):
    return np.asarray(function(x.astype(np.int32), w.astype(np.int32), **given))


def test_calls_of_jax_compute_what_their_specs_say():
    lax, random, tried = pytest.importorskip("jax").lax, Random(4), 0
    for _ in range(40):
        given, x_shape, w_shape = jax_call(random)
        x, w = integers(random, x_shape), integers(random, w_shape)
        spec = Spec.from_jax(w, **given)
        ours = outcome(lambda: spec(x, w))  # noqa: B023
        if ours is None:
            continue
        tried += 1
        assert same(ours, run_jax(lax.conv_general_dilated, x, w, given)), (spec, given)
        assert spec.weight_shape == w.shape and spec.output_shape(x.shape) == ours.shape
        if tried % 4 == 0:
            assert same(ours, run_jax(lax.conv_general_dilated, x, w, spec.to_jax()))
        assert Spec.from_jax(w, **spec.to_jax()).equals(spec)
    assert tried > 20


def test_numbers_per_axis_in_the_wrong_order_are_seen(monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setattr(jax_calls, "_permuted", lambda entries, given, wanted: tuple(entries))
    with pytest.raises(AssertionError):
        test_calls_of_jax_compute_what_their_specs_say()


def test_the_default_numbers_and_places_of_jax():
    jax = pytest.importorskip("jax")
    random = Random(5)
    x, w = integers(random, (1, 5, 6, 2)), integers(random, (3, 2, 2, 3))
    numbers = jax.lax.conv_dimension_numbers(x.shape, w.shape, ("NHWC", "HWIO", "NHWC"))
    spec = Spec.from_jax(w, (2, 1), "SAME", dimension_numbers=numbers)
    given = {"window_strides": (2, 1), "padding": "SAME", "dimension_numbers": numbers}
    assert same(spec(x, w), run_jax(jax.lax.conv_general_dilated, x, w, given))
    assert Spec.from_jax((4, 2, 3, 3), (1, 1), "VALID").axes == ("NCHW", "OIHW", "NCHW")


def test_transposed_calls_of_jax_compute_what_their_specs_say():
    lax, random, tried = pytest.importorskip("jax").lax, Random(6), 0
    for _ in range(40):
        rank = random.randint(1, 2)
        several = lambda *choices: tuple(random.choice(choices) for _ in range(rank))  # noqa: B023, E731
        given = {"strides": several(1, 2, 3), "rhs_dilation": several(1, 2)}
        given["padding"] = random.choice(["SAME", "VALID", None, None])
        if given["padding"] is None:
            given["padding"] = [(random.randint(-1, 3), random.randint(-1, 3)) for _ in range(rank)]
            given["use_consistent_padding"] = random.random() < 0.5
        given["transpose_kernel"] = random.random() < 0.5
        given["dimension_numbers"] = random.choice([None, jax_numbers(random, rank)])
        texts = given["dimension_numbers"] or {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC")}[rank]
        channels = {"I": 3, "O": 2} if given["transpose_kernel"] else {"I": 2, "O": 3}
        sizes = {"N": 2, "C": 2} | channels | {c: random.randint(1, 5) for c in "HW"}
        x = integers(random, tuple(sizes[c] for c in texts[0]))
        sizes |= {c: random.randint(1, 4) for c in "HW"}
        w = integers(random, tuple(sizes[c] for c in texts[1]))
        spec = Spec.from_jax_transpose(w, **given)
        ours = outcome(lambda: spec(x, w))  # noqa: B023
        if ours is None:
            continue
        tried += 1
        assert same(ours, run_jax(lax.conv_transpose, x, w, given)), (spec, given)
        assert spec.weight_shape == w.shape and spec.out_channels == 3
        assert Spec.from_jax_transpose(w, **spec.to_jax_transpose()).equals(spec)
        if tried % 4 == 0:
            assert same(ours, run_jax(lax.conv_transpose, x, w, spec.to_jax_transpose()))
    assert tried > 20


def test_a_transposed_call_that_forgets_to_turn_its_padding_is_seen(monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setattr(jax_calls, "_turned", lambda bare, pairs: pairs)
    with pytest.raises(AssertionError):
        test_transposed_calls_of_jax_compute_what_their_specs_say()


def test_keras_transposed_layers_are_what_jax_says_they_are():
    """conv_transpose with transpose_kernel=True is documented as keras.layers.Conv2DTranspose."""
    lax, random = pytest.importorskip("jax").lax, Random(7)
    for kernel, stride, padding in product((1, 2, 3, 4, 5), (1, 2, 3), ("same", "valid")):
        config = {"filters": 2, "kernel_size": [kernel], "strides": stride, "padding": padding, "use_bias": False}
        spec = Spec.from_keras({"class_name": "Conv1DTranspose", "config": config}, in_channels=3)
        x, w = integers(random, (1, 4, 3)), integers(random, (kernel, 2, 3))
        given = {"strides": (stride,), "padding": padding.upper(), "transpose_kernel": True}
        assert spec.weight_shape == w.shape
        assert same(spec(x, w), run_jax(lax.conv_transpose, x, w, given)), (kernel, stride, padding)


# ------------------------------------------------------------------------------------------- one to another


def test_what_torch_computes_the_others_compute_when_told():
    """The same arrays, the same integers, from torch's module through its spec to ONNX and JAX."""
    torch, onnx = pytest.importorskip("torch"), pytest.importorskip("onnx")
    lax, random, told = pytest.importorskip("jax").lax, Random(8), {"onnx": 0, "jax": 0, "jax transposed": 0}
    for _ in range(60):
        module, (w, b) = torch_layer(torch, random)
        spec = Spec.from_torch(module)
        if spec.padding_mode != "zeros":
            continue
        x = integers(random, (2, spec.in_channels, *(random.randint(4, 8) for _ in spec.kernel_size)))
        theirs = run_torch(torch, module, x)
        if theirs is None:
            continue
        further = zip(spec.output_padding, spec.stride, strict=True)
        if not (spec.transposed and spec.groups > 1) and all(more < step for more, step in further):
            arrays = [array for array in (x, w, b) if array is not None]
            assert same(run_onnx(onnx, spec.to_onnx(), *arrays), theirs)
            told["onnx"] += 1
        bare = theirs - (0 if b is None else b.reshape(-1, *(1,) * spec.rank))
        if not spec.transposed:
            assert same(run_jax(lax.conv_general_dilated, x, w, spec.to_jax()), bare)
            told["jax"] += 1
        elif spec.groups == 1:
            assert same(run_jax(lax.conv_transpose, x, w, spec.to_jax_transpose()), bare)
            told["jax transposed"] += 1
    assert min(told.values()) > 3


def test_a_flipped_convolution_is_a_transposed_module():
    torch = pytest.importorskip("torch")
    spec = Spec((3,), 2, 4, padding=1, flip=True)
    module = spec.to_torch()
    assert type(module) is torch.nn.ConvTranspose1d
    assert Spec.from_torch(module).equals(spec)
    assert relation(Spec.from_torch(module).axis(0), 5) == relation(spec.axis(0), 5)


def test_a_transposed_layer_with_a_wrong_normal_form_is_seen_by_torch(monkeypatch):
    pytest.importorskip("torch"), pytest.importorskip("onnx"), pytest.importorskip("jax")
    right = forms._turned
    monkeypatch.setattr(
        forms, "_turned", lambda layer, pairs: tuple((low + 1, high - 1) for low, high in right(layer, pairs))
    )
    with pytest.raises(AssertionError):
        test_what_torch_computes_the_others_compute_when_told()
