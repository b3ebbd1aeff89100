"""What a convolution is, as properties that hold bit for bit on integers; each comes with a mutant that breaks it.

A property is a function of an implementation and a spec, so that the same text judges the package and its mutants.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from specs import MODES, spec

import convsym
from convsym import grad

PUBLIC = SimpleNamespace(
    conv=convsym.conv,
    conv_transpose=convsym.conv_transpose,
    input=grad.conv_input,
    weight=grad.conv_weight,
    bias=grad.conv_bias,
    transpose_input=grad.conv_transpose_input,
    transpose_weight=grad.conv_transpose_weight,
    jvp=grad.conv_jvp,
    hvp=grad.conv_hvp,
    backward=grad.conv_backward,
    double_backward=grad.conv_double_backward,
    transpose_double_backward=grad.conv_transpose_double_backward,
)
NUMPY_MODE = dict(zeros="constant", circular="wrap", reflect="reflect", replicate="edge", symmetric="symmetric")


def mutant(**functions):
    return SimpleNamespace(**{**vars(PUBLIC), **functions})


def equal(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert (found == expected).all()


def inner(a, b):
    """⟨a, b⟩ in Python's integers, in which nothing is rounded."""
    return sum(int(x) * int(y) for x, y in zip(a.ravel(), b.ravel(), strict=True))


def linear_in_the_input(api, s):
    other = s.numbers(s.x_shape, 5)
    combined = api.conv(2 * s.x - 3 * other, s.w, **s.knobs)
    equal(combined, 2 * api.conv(s.x, s.w, **s.knobs) - 3 * api.conv(other, s.w, **s.knobs))


def linear_in_the_weight(api, s):
    other = s.numbers(s.w_shape, 5)
    combined = api.conv(s.x, 2 * s.w - 3 * other, **s.knobs)
    equal(combined, 2 * api.conv(s.x, s.w, **s.knobs) - 3 * api.conv(s.x, other, **s.knobs))


def affine_in_the_bias(api, s):
    column = s.b.reshape(-1, *(1,) * s.rank)
    equal(api.conv(s.x, s.w, s.b, **s.knobs), api.conv(s.x, s.w, **s.knobs) + column)


def equivariant_under_shifts(api, s):
    """Zeros before the input, as many as the stride, move the output by one; of zeros padding, without dilation."""
    spatial = tuple((step, 0) for step in s.stride)
    moved = api.conv(np.pad(s.x, ((0, 0), (0, 0), *spatial)), s.w, **s.knobs)
    equal(moved[(..., *(slice(1, None),) * s.rank)], api.conv(s.x, s.w, **s.knobs))


def equivariant_on_a_circle(api, s):
    """Rolling the input of a circular convolution rolls its output, where it has the input's size."""
    axes, steps = tuple(range(-s.rank, 0)), (1, 2, 3)[: s.rank]
    knobs = {**s.knobs, "padding": "same"}
    equal(
        api.conv(np.roll(s.x, steps, axes), s.w, **knobs),
        np.roll(api.conv(s.x, s.w, **knobs), steps, axes),
    )


def mirrored(api, s):
    """Input and kernel mirrored give the output mirrored, at stride 1 with the sides of the padding exchanged."""
    axes = tuple(range(-s.rank, 0))
    knobs = {**s.knobs, "padding": tuple(pair[::-1] for pair in s.padding)}
    equal(
        api.conv(np.flip(s.x, axes), np.flip(s.w, axes), **knobs),
        np.flip(api.conv(s.x, s.w, **s.knobs), axes),
    )


def groups_are_separate(api, s):
    knobs = {**s.knobs, "groups": 1}
    parts = zip(np.split(s.x, s.groups, 1), np.split(s.w, s.groups, 0), strict=True)
    equal(api.conv(s.x, s.w, **s.knobs), np.concatenate([api.conv(x, w, **knobs) for x, w in parts], 1))


def batches_are_independent(api, s):
    y = api.conv(s.x, s.w, **s.knobs)
    equal(y, np.stack([api.conv(x, s.w, **s.knobs) for x in s.x]))
    each = api.weight(s.x, s.w_shape, s.dy, reduce_batch=False, **s.knobs)
    equal(
        each, np.stack([api.weight(x, s.w_shape, dy, **s.knobs) for x, dy in zip(s.x, s.dy, strict=True)])
    )
    equal(api.weight(s.x, s.w_shape, s.dy, **s.knobs), each.sum(0, dtype=each.dtype))


def stuffed(array, steps):
    """An array with zeros between its elements along the last axes."""
    lead = array.shape[: -len(steps)]
    sizes = array.shape[-len(steps) :]
    result = np.zeros((*lead, *((n - 1) * step + 1 for n, step in zip(sizes, steps, strict=True))), array.dtype)
    result[(..., *(slice(None, None, step) for step in steps))] = array
    return result


def dilation_is_a_stuffed_kernel(api, s):
    knobs = {**s.knobs, "dilation": 1}
    equal(api.conv(s.x, s.w, **s.knobs), api.conv(s.x, stuffed(s.w, s.dilation), **knobs))


def input_dilation_is_a_stuffed_input(api, s):
    knobs = {**s.knobs, "input_dilation": 1}
    x = stuffed(s.x, s.input_dilation)
    equal(api.conv(s.x, s.w, **s.knobs), api.conv(x, s.w, **knobs))
    equal(api.weight(s.x, s.w_shape, s.dy, **s.knobs), api.weight(x, s.w_shape, s.dy, **knobs))
    own = (..., *(slice(None, None, step) for step in s.input_dilation))
    equal(api.input(s.x_shape, s.w, s.dy, **s.knobs), api.input(x.shape, s.w, s.dy, **knobs)[own])


def padding_is_an_explicit_pad(api, s):
    """Negative padding crops first; then NumPy pads, with as many folds as it takes."""
    x = stuffed(s.x, s.input_dilation)
    for axis, pair in enumerate(s.padding, 2):
        low, high = (max(-side, 0) for side in pair)
        x = x[(slice(None),) * axis + (slice(low, x.shape[axis] - high),)]
        width = [(0, 0)] * x.ndim
        width[axis] = tuple(max(side, 0) for side in pair)
        x = np.pad(x, width, NUMPY_MODE[s.padding_mode])
    knobs = {**s.knobs, "padding": 0, "input_dilation": 1, "padding_mode": "zeros"}
    equal(api.conv(s.x, s.w, **s.knobs), api.conv(x, s.w, **knobs))
    equal(api.weight(s.x, s.w_shape, s.dy, **s.knobs), api.weight(x, s.w_shape, s.dy, **knobs))


def flip_turns_the_kernel(api, s):
    axes, knobs = tuple(range(-s.rank, 0)), {**s.knobs, "flip": not s.flip}
    equal(api.conv(s.x, s.w, **s.knobs), api.conv(s.x, np.flip(s.w, axes), **knobs))
    equal(api.input(s.x_shape, s.w, s.dy, **s.knobs), api.input(s.x_shape, np.flip(s.w, axes), s.dy, **knobs))
    equal(
        api.weight(s.x, s.w_shape, s.dy, **s.knobs),
        np.flip(api.weight(s.x, s.w_shape, s.dy, **knobs), axes),
    )


def transposed_is_the_input_gradient(api, s):
    """With output_padding for what a stride leaves over; its gradients are the convolution and the gradient by w."""
    most = tuple(map(max, s.stride, s.dilation))
    largest = api.conv_transpose(
        s.dy, s.w, output_padding=tuple(size - 1 for size in most), **s.transposed_knobs
    ).shape[2:]
    further = tuple(size - 1 - (end - own) for size, end, own in zip(most, largest, s.inputs, strict=True))
    knobs = {**s.transposed_knobs, "output_padding": further}
    equal(api.conv_transpose(s.dy, s.w, **knobs), api.input(s.x_shape, s.w, s.dy, **s.knobs))
    equal(api.transpose_input(s.dy.shape, s.w, s.x, **knobs), api.conv(s.x, s.w, **s.knobs))
    equal(
        api.transpose_weight(s.dy, s.w_shape, s.x, **knobs),
        api.weight(s.x, s.w_shape, s.dy, **s.knobs),
    )


def gradients_are_adjoints(api, s):
    """⟨y, dy⟩ = ⟨x, dx⟩ = ⟨w, dw⟩, and ⟨b, db⟩ is what the bias adds."""
    dx, dw, db = api.backward(s.dy, s.x, s.w, **s.knobs)
    y = api.conv(s.x, s.w, **s.knobs)
    assert inner(y, s.dy) == inner(s.x, dx) == inner(s.w, dw)
    assert inner(api.conv(s.x, s.w, s.b, **s.knobs) - y, s.dy) == inner(s.b, db)
    equal(dx, api.input(s.x_shape, s.w, s.dy, **s.knobs))
    equal(dw, api.weight(s.x, s.w_shape, s.dy, **s.knobs))
    equal(db, api.bias(s.dy, s.rank))


def directions_are_differences(api, s):
    """Of a bilinear map the differences with step 1 are exact."""
    of_x, of_w = s.numbers(s.x_shape, 5), s.numbers(s.w_shape, 6)
    moved = api.conv(s.x + of_x, s.w + of_w, s.b, **s.knobs) - api.conv(s.x, s.w, **s.knobs)
    equal(api.jvp(s.x, s.w, of_x, of_w, s.b, **s.knobs), moved - api.conv(of_x, of_w, **s.knobs))
    by_x, by_w = api.hvp(s.dy, s.x, s.w, of_x, of_w, **s.knobs)
    equal(
        by_x,
        api.input(s.x_shape, s.w + of_w, s.dy, **s.knobs) - api.input(s.x_shape, s.w, s.dy, **s.knobs),
    )
    equal(
        by_w,
        api.weight(s.x + of_x, s.w_shape, s.dy, **s.knobs) - api.weight(s.x, s.w_shape, s.dy, **s.knobs),
    )


def second_gradients_are_differences(api, s):
    """Φ = ⟨gx, dx⟩ + ⟨gw, dw⟩ + ⟨gb, db⟩ is linear in dy, in x and in w."""
    cotangents = s.numbers(s.x_shape, 5), s.numbers(s.w_shape, 6), s.numbers(s.b.shape, 7)

    def phi(dy, x, w):
        return sum(map(inner, cotangents, api.backward(dy, x, w, **s.knobs)))

    here = s.dy, s.x, s.w
    found = api.double_backward(*cotangents, *here, **s.knobs)
    for place, (gradient, array) in enumerate(zip(found, here, strict=True)):
        direction = s.numbers(array.shape, 8)
        there = [a + direction if other == place else a for other, a in enumerate(here)]
        assert gradient.shape == array.shape
        assert inner(gradient, direction) == phi(*there) - phi(*here)


def named_padding(api, s):
    """What names mean: same by the least padding that gives ⌈size/stride⌉ outputs, full by what windows can reach."""
    knobs = s.knobs
    size, kernel, step, (stride,) = s.inputs[0], s.kernel[0], s.dilation[0], s.stride

    def outputs(total, stride):
        found = {**knobs, "padding": ((0, total),), "stride": stride}
        try:
            return api.conv(s.x, s.w, **found).shape[2]
        except convsym.ShapeError:
            return 0

    def padded(low, high):
        return api.conv(s.x, s.w, **{**knobs, "padding": ((low, high),)})

    wanted = -(-size // stride)
    least = next(total for total in range(100) if outputs(total, stride) >= wanted)
    equal(api.conv(s.x, s.w, **{**knobs, "padding": "same", "same": "tf"}), padded(least // 2, least - least // 2))
    equal(api.conv(s.x, s.w, **{**knobs, "padding": "same", "same": "lower"}), padded(least - least // 2, least // 2))
    total = next(total for total in range(100) if outputs(total, 1) >= size)
    equal(api.conv(s.x, s.w, **{**knobs, "padding": "same"}), padded(total // 2, total - total // 2))
    equal(api.conv(s.x, s.w, **{**knobs, "padding": "causal"}), padded(total, 0))
    reach = step * (kernel - 1)
    equal(api.conv(s.x, s.w, **{**knobs, "padding": "full"}), padded(reach, reach))
    if outputs(0, stride):
        equal(api.conv(s.x, s.w, **{**knobs, "padding": "valid"}), padded(0, 0))


def causal_means_from_the_past(api, s):
    """Changing the input after a position changes no output before it."""
    place = s.inputs[0] // 2
    later = s.x.copy()
    later[:, :, place:] += 1
    knobs = {**s.knobs, "padding": "causal"}
    before = -(-place // s.stride[0])
    equal(api.conv(later, s.w, **knobs)[..., :before], api.conv(s.x, s.w, **knobs)[..., :before])


ZEROS = dict(modes=("zeros",))
# Property, what it restricts, and an implementation that does not have it.
PROPERTIES = {
    linear_in_the_input: ({}, mutant(conv=lambda x, w, **k: convsym.conv(x, w, **k) + 1)),
    linear_in_the_weight: ({}, mutant(conv=lambda x, w, **k: convsym.conv(x, abs(w), **k))),
    affine_in_the_bias: (
        {},
        mutant(conv=lambda x, w, b=None, **k: convsym.conv(x, w, b if b is None else b[::-1].copy(), **k)),
    ),
    equivariant_under_shifts: (
        ZEROS | dict(input_dilation=1),
        mutant(conv=lambda x, w, **k: (y := convsym.conv(x, w, **k)) * np.arange(1, y.shape[-1] + 1)),
    ),
    equivariant_on_a_circle: (
        dict(modes=("circular",), stride=1, input_dilation=1),
        mutant(conv=lambda x, w, **k: convsym.conv(x, w, **{**k, "padding_mode": "replicate"})),
    ),
    mirrored: (
        dict(stride=1),
        mutant(
            conv=lambda x, w, **k: convsym.conv(x, w, **{**k, "padding": tuple(map(sorted, k["padding"]))})
        ),
    ),
    groups_are_separate: (
        {},
        mutant(conv=lambda x, w, **k: convsym.conv(x[:, ::-1] if k["groups"] > 1 else x, w, **k)),
    ),
    batches_are_independent: (
        {},
        mutant(conv=lambda x, w, **k: convsym.conv(x[::-1] if x.ndim == w.ndim else x, w, **k)),
    ),
    dilation_is_a_stuffed_kernel: (
        {},
        mutant(conv=lambda x, w, **k: convsym.conv(x, w if k["dilation"] == 1 else np.flip(w, -1), **k)),
    ),
    input_dilation_is_a_stuffed_input: (
        {},
        mutant(
            conv=lambda x, w, **k: convsym.conv(x, w, **k)
            if k["input_dilation"] == 1
            else convsym.conv(np.flip(x, -1), w, **k)
        ),
    ),
    padding_is_an_explicit_pad: (
        {},
        mutant(
            conv=lambda x, w, **k: convsym.conv(
                x, w, **{**k, "padding_mode": {"reflect": "symmetric"}.get(k["padding_mode"], k["padding_mode"])}
            )
        ),
    ),
    flip_turns_the_kernel: (
        {},
        mutant(weight=lambda x, size, dy, **k: grad.conv_weight(x, size, dy, **{**k, "flip": False})),
    ),
    transposed_is_the_input_gradient: (
        dict(input_dilation=1),
        mutant(input=lambda size, w, dy, **k: grad.conv_input(size, w, dy, **{**k, "padding_mode": "zeros"})),
    ),
    gradients_are_adjoints: (
        {},
        mutant(
            backward=lambda dy, x, w, **k: grad.conv_backward(dy, x, w, **{**k, "padding_mode": "zeros"}),
            input=lambda size, w, dy, **k: grad.conv_input(size, w, dy, **{**k, "padding_mode": "zeros"}),
            weight=lambda x, size, dy, **k: grad.conv_weight(x, size, dy, **{**k, "padding_mode": "zeros"}),
        ),
    ),
    directions_are_differences: (
        {},
        mutant(jvp=lambda x, w, of_x, of_w, of_b, **k: grad.conv_jvp(x, w, of_x, of_w, **k)),
    ),
    second_gradients_are_differences: (
        {},
        mutant(
            double_backward=lambda gx, gw, gb, dy, x, w, **k: grad.conv_double_backward(gx, gw, None, dy, x, w, **k)
        ),
    ),
    named_padding: (
        dict(ranks=(1,), input_dilation=1),
        mutant(
            conv=lambda x, w, **k: convsym.conv(x, w, **(k | {"same": "tf"} if k["padding"] == "same" else k))
        ),
    ),
    causal_means_from_the_past: (
        ZEROS | dict(ranks=(1,), input_dilation=1, flip=False),
        mutant(conv=lambda x, w, **k: convsym.conv(x, w, **{**k, "padding": "same"})),
    ),
}
NAMES = [f.__name__ for f in PROPERTIES]
RULES = {f.__name__: (f, *rest) for f, rest in PROPERTIES.items()}


def specs(**restrictions):
    options = dict(ranks=(1, 1, 2), modes=MODES, dtypes=("float64", "float32", "int64")) | restrictions

    @st.composite
    def build(draw):
        return spec(lambda choices: draw(st.sampled_from(choices)), **options)

    return build()


def how(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def holds(name, examples, **more):
    rule, restrictions, _ = RULES[name]

    @how(examples)
    @given(s=specs(**restrictions, **more))
    def run(s):
        rule(PUBLIC, s)

    run()


@pytest.mark.parametrize("name", NAMES)
def test_the_property_holds(name):
    holds(name, 30)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_property_holds_for_many(name):
    holds(name, 400)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if RULES[name][1].get("ranks") != (1,)])
def test_the_property_holds_in_three_dimensions(name):
    holds(name, 100, ranks=(3,))


_GENERATE = [phase for phase in settings.get_profile("default").phases if phase.name == "generate"]


def _breaks(rule, api, s):
    try:
        rule(api, s)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_the_property_tells_a_mutant(name):
    rule, restrictions, wrong = RULES[name]
    try:
        find(specs(**restrictions), lambda s: _breaks(rule, wrong, s), settings=settings(how(100), phases=_GENERATE))
    except NoSuchExample:
        pytest.fail(f"no spec of {name} tells the mutant from the package")

