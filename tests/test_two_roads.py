"""Every entry of every Jacobian by three roads: compiled kernels, the reference, and the symbolic Jacobian.

The symbolic road writes the formula of the very convolution, padding mode and all, and derives; cropping, stuffing the
input with zeros and flipping the kernel are done to its arrays by hand.
"""

from random import Random

import numpy as np
import pytest
import sympy
from specs import spec

import convsym
from convsym import Formula, grad, jacobian, vjp

QUICK, ALL = 40, 500


def small(number):
    """A spec with at most about 200 entries in each Jacobian."""
    rank = (1, 1, 2, 1, 2, 3)[number % 6]
    random = Random(number)
    while True:
        found = spec(random.choice, ranks=(rank,), batch=1, channels=(random.choice((1, 2)), 1))
        entries = np.prod(found.y_shape) * max(np.prod(found.x_shape), np.prod(found.w_shape))
        if entries <= 400:
            return found


def formula(s):
    """The convolution of a spec with its group axis, as text."""
    axes = range(s.rank)
    reads = [f"stride{a}*o{a} + dilation{a}*r{a} - padding{a}" for a in axes]
    if s.padding_mode != "zeros":
        reads = [f"{s.padding_mode}({read})" for read in reads]
    outputs, taps = (", ".join(f"{letter}{a}" for a in axes) for letter in "or")
    return Formula(f"y[g, k, {outputs}] += x[g, c, {', '.join(reads)}] * w[g, k, c, {taps}]")


class Symbolic:
    """The symbolic road: Jacobians by x and by w as matrices of integers, and the vector-Jacobian products."""

    def __init__(self, s):
        self.s, self.formula, (into, out) = s, formula(s), s.channels
        axes = range(s.rank)
        sizes = [(n - 1) * step + 1 for n, step in zip(s.inputs, s.input_dilation, strict=True)]
        crop = [[max(-side, 0) if s.padding_mode != "zeros" else 0 for side in pair] for pair in s.padding]
        self.kept = tuple(slice(low, size - high) for size, (low, high) in zip(sizes, crop, strict=True))
        self.own = (..., *(slice(None, None, step) for step in s.input_dilation))
        self.stuffed_shape = (s.groups, into, *sizes)
        self.w_shape, self.y_shape = (s.groups, out, into, *s.kernel), (s.groups, out, *s.y_shape[2:])
        self.parameters = {
            **{f"stride{a}": s.stride[a] for a in axes},
            **{f"dilation{a}": s.dilation[a] for a in axes},
            **{f"padding{a}": s.padding[a][0] + crop[a][0] for a in axes},
        }
        stuffed = np.zeros(self.stuffed_shape, object)
        stuffed[self.own] = _integers(s.x).reshape(s.groups, into, *s.inputs)
        self.x = stuffed[(..., *self.kept)]
        self.w = self.flipped(_integers(s.w).reshape(self.w_shape))

    def flipped(self, array):
        return np.flip(array, tuple(range(-self.s.rank, 0))) if self.s.flip else array

    def by_input(self, rows):
        """Arrays of the shape of the formula's x, as arrays of the caller's."""
        whole = np.zeros((len(rows), *self.stuffed_shape), object)
        whole[(..., *self.kept)] = rows.reshape(len(rows), *self.x.shape)
        return whole[self.own].reshape(len(rows), -1)

    def by_weight(self, rows):
        return self.flipped(rows.reshape(len(rows), *self.w_shape)).reshape(len(rows), -1)

    def jacobian(self, wrt):
        """The matrix of `convsym.jacobian`, with numbers for its symbols."""
        sizes = {"x": self.x.shape, "w": self.w_shape, "y": self.y_shape}
        matrix = jacobian(self.formula, wrt, sizes, **self.parameters)
        values = {"x": self.x, "w": self.w}
        dense = np.zeros(matrix.shape, object)
        for place, entry in matrix.todok().items():
            dense[place] = _value(entry, values)
        return self.by_input(dense) if wrt == "x" else self.by_weight(dense)

    def gradient(self, wrt, dy):
        rule = vjp(self.formula, wrt)
        arrays = {"x": self.x, "w": self.w, "dy": _integers(dy).reshape(self.y_shape)}
        del arrays[wrt]
        sizes = {"d" + wrt: self.x.shape if wrt == "x" else self.w_shape}
        found = rule(**arrays, **self.parameters, sizes=sizes)[None]
        return self.by_input(found)[0] if wrt == "x" else self.by_weight(found)[0]


def _value(entry, values):
    """A sum of accesses such as ``w[0, 1, 0]``, with the arrays' numbers."""
    total = 0
    for term in sympy.Add.make_args(entry):
        count, access = term.as_coeff_Mul()
        array, *place = access.args
        total += int(count) * values[str(array)][tuple(map(int, place))]
    return total


def _integers(array):
    return array.astype(np.int64).astype(object)


class Numeric:
    """The numeric road: Jacobians out of unit vectors, by one algorithm."""

    def __init__(self, s, algorithm):
        self.s, self.knobs = s, {**s.knobs, "algorithm": algorithm}
        self.transposed = {**s.transposed_knobs, "algorithm": algorithm}

    def y(self):
        return convsym.conv(self.s.x, self.s.w, **self.knobs)

    def columns(self):
        """The Jacobian by the input from forward calls: each unit input is a sample of one batch."""
        count = int(np.prod(self.s.x_shape))
        y = convsym.conv(_units(self.s.x_shape), self.s.w, **self.knobs)
        return y.reshape(count, -1).T

    def rows(self):
        """The same from gradients: each unit cotangent is a sample."""
        units = _units(self.s.y_shape)
        return grad.conv_input((len(units), *self.s.x_shape[1:]), self.s.w, units, **self.knobs).reshape(len(units), -1)

    def rows_of_weight(self):
        """The Jacobian by the weight from gradients of each sample."""
        units = _units(self.s.y_shape)
        x = np.repeat(self.s.x, len(units), 0)
        each = grad.conv_weight(x, self.s.w_shape, units, reduce_batch=False, **self.knobs)
        return each.reshape(len(units), -1)

    def columns_of_weight(self):
        """The same from forward calls with unit weights."""
        columns = []
        for unit in np.eye(int(np.prod(self.s.w_shape))):
            y = convsym.conv(self.s.x, unit.reshape(self.s.w_shape), **self.knobs)
            columns.append(y.ravel())
        return np.stack(columns, 1)

    def transposed_columns(self):
        """The transposed Jacobian by the input from transposed convolutions of units; None where x is dilated."""
        if any(step > 1 for step in self.s.input_dilation):
            return None
        units = _units(self.s.y_shape)
        most = tuple(map(max, self.s.stride, self.s.dilation))
        last = convsym.conv_transpose(
            units[:1], self.s.w, output_padding=tuple(n - 1 for n in most), **self.transposed
        ).shape[2:]
        further = tuple(n - 1 - end + own for n, end, own in zip(most, last, self.s.inputs, strict=True))
        found = convsym.conv_transpose(units, self.s.w, output_padding=further, **self.transposed)
        return found.reshape(len(units), -1)


def _units(shape):
    """Every unit vector of a shape with a batch axis of 1, as one batch."""
    count = int(np.prod(shape))
    return np.eye(count).reshape(count, *shape[1:])


def differences(s, kernel=None):
    """The names of all matrices and gradients that are not what the symbolic road says."""
    symbolic, kernel = Symbolic(s), kernel or Numeric(s, "direct")
    reference = Numeric(s, "reference")
    by_x, by_w = symbolic.jacobian("x"), symbolic.jacobian("w")
    x, w = s.x.ravel(), s.w.ravel()
    dx, dw = symbolic.gradient("x", s.dy), symbolic.gradient("w", s.dy)
    found = {
        "J of x, forward": (kernel.columns(), by_x),
        "J of x, backward": (kernel.rows(), by_x),
        "J of x, transposed": (kernel.transposed_columns(), by_x),
        "J of w, forward": (kernel.columns_of_weight(), by_w),
        "J of w, backward": (kernel.rows_of_weight(), by_w),
        "y": (kernel.y().ravel(), by_x @ x),
        "y by w": (kernel.y().ravel(), by_w @ w),
        "dx": (grad.conv_input(s.x_shape, s.w, s.dy, **kernel.knobs).ravel(), dx),
        "dw": (grad.conv_weight(s.x, s.w_shape, s.dy, **kernel.knobs).ravel(), dw),
        "dx of J": (s.dy.ravel() @ by_x, dx),
        "reference y": (reference.y().ravel(), by_x @ x),
        "reference dx": (grad.conv_input(s.x_shape, s.w, s.dy, **reference.knobs).ravel(), dx),
        "reference dw": (grad.conv_weight(s.x, s.w_shape, s.dy, **reference.knobs).ravel(), dw),
    }
    return [
        name
        for name, (one, other) in found.items()
        if one is not None and (one.shape != other.shape or (one != other).any())
    ]


@pytest.mark.parametrize("number", range(QUICK))
def test_kernel_reference_and_symbolic_jacobian_agree(number):
    assert differences(small(number)) == []


@pytest.mark.slow
@pytest.mark.parametrize("start", range(QUICK, ALL, 20))
def test_kernel_reference_and_symbolic_jacobian_agree_for_many(start):
    assert {number: found for number in range(start, start + 20) if (found := differences(small(number)))} == {}


def test_the_small_specs_have_everything():
    """What is drawn covers every mode, both signs of padding, and every knob, in every rank."""
    found = [small(number) for number in range(QUICK)]
    assert {s.padding_mode for s in found} == {"zeros", "circular", "reflect", "replicate", "symmetric"}
    assert {s.rank for s in found} == {1, 2, 3}
    assert {s.flip for s in found} == {True, False}
    assert {s.groups for s in found} == {1, 2, 3}
    for values in ("stride", "dilation", "input_dilation", "kernel"):
        assert {1, 2, 3} <= {n for s in found for n in getattr(s, values)}
    assert {-2, -1, 0, 1, 2, 3, 4} <= {side for s in found for pair in s.padding for side in pair}


class Off(Numeric):
    """A kernel whose backward pass by the input pads one less."""

    def rows(self):
        units = _units(self.s.y_shape)
        low = tuple((before - 1, after + 1) for before, after in self.s.padding)
        size = (len(units), *self.s.x_shape[1:])
        return grad.conv_input(size, self.s.w, units, **{**self.knobs, "padding": low}).reshape(len(units), -1)


def test_a_wrong_kernel_would_be_seen():
    s = next(s for s in map(small, range(QUICK)) if s.padding_mode == "zeros" and max(s.kernel) > 1)
    assert differences(s, Off(s, "direct")) == ["J of x, backward"]
