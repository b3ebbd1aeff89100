"""The matrix of a convolution: every entry against plain loops, exact; its pattern and count against the Jacobian's."""

import sys
import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from exact import bits
from matrices import Layer, further, layers, possible
from test_jacobians import environment, value

import convsym
from convsym import ShapeError, jacobian_nnz, jacobian_pattern, linear_operator, registry, toeplitz
from convsym.sparse import Connections, Triplets

W = np.arange(1, 13).reshape(2, 2, 3)


def built(layer, weight):
    return toeplitz(weight, layer.input_shape, **layer.knobs, format="coo").toarray()


def disagreements(build, sample):
    """Layers whose matrix is not the one that plain loops give."""
    for layer in sample:
        weight = layer.weight()
        dense, _ = layer.matrix(weight)
        found = build(layer, weight)
        if found.shape != dense.shape or not np.array_equal(found, dense):
            yield layer


def test_every_entry_is_the_one_of_plain_loops():
    """240 random layers of 1 to 3 axes, all modes and parameters mixed, in integers."""
    assert list(disagreements(built, layers(240))) == []


def test_four_and_five_axes():
    assert list(disagreements(built, layers(6, ranks=(4, 5)))) == []


def test_all_modes_and_parameters_are_among_the_layers():
    sample = list(layers(240))
    assert {layer.padding_mode for layer in sample} == {"zeros", "circular", "reflect", "replicate", "symmetric"}
    assert all(any(max(getattr(la, n)) > 1 for la in sample) for n in ("stride", "dilation", "input_dilation"))
    assert any(min(map(min, la.padding)) < 0 < max(map(max, la.padding)) for la in sample)
    assert any(la.flip for la in sample) and any(la.groups > 1 for la in sample)


def test_a_matrix_that_forgets_a_parameter_is_noticed():
    changes = (
        {"padding_mode": "zeros"}, {"flip": False}, {"input_dilation": (1,)}, {"dilation": (1,)}, {"groups": 1},
    )  # fmt: skip
    for change in changes:
        def mutant(layer, weight, change=change):
            copies = layer.groups if "groups" in change else 1
            weight = np.tile(weight, (1, copies, *(1,) * layer.rank))
            knobs = layer.knobs | change
            return toeplitz(weight, layer.input_shape, **knobs, format="coo").toarray()

        sample = [layer for layer in layers(60) if _possible(layer, change)]
        assert next(disagreements(mutant, sample), None) is not None, change


def _possible(layer, change):
    """Whether the layer with a parameter forgotten still has a window that fits."""
    tuples = {name: value * layer.rank for name, value in change.items() if isinstance(value, tuple)}
    return possible(replace(layer, **tuples))


def test_taps_that_overwrite_one_another_are_noticed(monkeypatch):
    def gather(self, values):
        by_tap = np.moveaxis(values, 3, 0)
        by_pair = np.zeros((self.outputs.size, *by_tap.shape[1:]), values.dtype)
        by_pair[self.pair] = by_tap[self.taps]
        return np.moveaxis(by_pair, 0, -1)

    monkeypatch.setattr(Connections, "gather", gather)
    wrong = list(disagreements(built, layers(60)))
    assert wrong
    assert all(layer.padding_mode != "zeros" for layer in wrong)


def test_the_product_is_the_convolution():
    for layer in layers(60, ranks=(1, 2)):
        weight = layer.weight(np.float64)
        x = np.random.default_rng(1).integers(-9, 10, layer.input_shape).astype(float)
        y = convsym.conv(x, weight, **layer.knobs, algorithm="direct")
        for format in ("csr", "coo"):
            if format == "csr":
                pytest.importorskip("scipy")
            matrix = toeplitz(weight, layer.input_shape, **layer.knobs, format=format)
            assert bits(matrix @ x.ravel(), y.ravel()) == 0


@pytest.mark.parametrize(
    "knobs",
    [{"padding": "same", "stride": 2, "same": "tf"}, {"padding": "same", "stride": (2, 3), "same": "lower"},
     {"padding": "causal", "dilation": 2}, {"padding": "full"}, {"padding": "valid"}, {"padding": -1, "stride": 7}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("mode", ["zeros", "symmetric"])
def test_every_form_of_padding(knobs, mode):
    x, weight = np.arange(98.0).reshape(2, 7, 7), np.arange(18.0).reshape(2, 1, 3, 3)
    y = convsym.conv(x, weight, groups=2, padding_mode=mode, algorithm="direct", **knobs)
    matrix = toeplitz(weight, x.shape, groups=2, padding_mode=mode, **knobs)
    assert np.array_equal(matrix @ x.ravel(), y.ravel())


def test_memory_is_of_the_order_of_the_entries():
    for size in (20, 40):
        tracemalloc.start()
        matrix = toeplitz(np.ones((6, 6, 3, 3)), (6, size, size), padding=1, padding_mode="reflect", format="coo")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50 * matrix.nnz  # 24 of them are the triplets


def test_transposed_is_the_matrix_of_the_transposed_convolution():
    seen = 0
    for layer in layers(150):
        if max(layer.input_dilation) > 1:
            continue
        weight = layer.weight()
        dense, outputs = layer.matrix(weight)
        channels = layer.groups * layer.channels[1]
        shape = (*layer.input_shape[: -layer.rank - 1], channels, *outputs)
        knobs = {name: value for name, value in layer.knobs.items() if name != "input_dilation"}
        for more in further(layer):
            try:
                matrix = toeplitz(weight, shape, **knobs, transposed=True, output_padding=more, format="coo")
            except ShapeError:  # nothing would be left, or there is nothing to repeat, at this size
                continue
            if matrix.shape == dense.T.shape and _size(weight, shape, knobs, more) == layer.inputs:
                assert np.array_equal(matrix.toarray(), dense.T)
                seen += 1
    assert seen > 40


def _size(weight, shape, knobs, more):
    return linear_operator(weight, shape, **knobs, transposed=True, output_padding=more).geometry.inputs


def test_the_product_of_the_transposed_matrix_is_the_transposed_convolution():
    weight = np.arange(24.0).reshape(2, 2, 2, 3)
    for mode in ("zeros", "circular", "replicate"):
        knobs = dict(stride=2, padding=1, output_padding=1, groups=2, dilation=(1, 2), padding_mode=mode)
        x = np.arange(2 * 2 * 3 * 4.0).reshape(2, 2, 3, 4)
        y = convsym.conv_transpose(x, weight, **knobs, algorithm="direct")
        matrix = toeplitz(weight, x.shape, transposed=True, **knobs, format="coo")
        assert bits(matrix @ x.ravel(), y.ravel()) == 0


# ------------------------------------------------------------------- pattern and count


def numbers(layer):
    """What the formula of the grouped op calls the sizes and parameters of a layer without padding mode."""
    (into, out), batch = layer.channels, layer.batch or 1
    operator = linear_operator(layer.weight(), layer.input_shape, **layer.knobs)
    sizes = {
        "x": (batch, layer.groups, into, *layer.inputs),
        "w": (layer.groups, out, into, *layer.kernel),
        "y": (batch, layer.groups, out, *operator.geometry.outputs),
    }
    return sizes, operator.geometry.parameters


def plain_layers(count, rank):
    for layer in layers(count, ranks=(rank,), seed=5):
        yield replace(layer, padding_mode="zeros", input_dilation=(), padding=tuple((0, 3) for _ in layer.kernel))


@pytest.mark.parametrize("rank", [1, 2])
def test_the_number_of_entries_is_the_closed_form(rank):
    count = jacobian_nnz(registry[f"conv{rank}d"].grouped, "x")
    for layer in plain_layers(20, rank):
        sizes, parameters = numbers(layer)
        matrix = toeplitz(layer.weight(), layer.input_shape, **layer.knobs, format="coo")
        assert matrix.nnz == matrix.values.size == value(count, environment(sizes, parameters))


@pytest.mark.parametrize("rank", [1, 2])
def test_the_pattern_is_the_one_of_the_jacobian(rank):
    formula = registry[f"conv{rank}d"].grouped
    for layer in plain_layers(8, rank):
        sizes, parameters = numbers(layer)
        pattern = jacobian_pattern(formula, "x", sizes, **parameters)
        matrix = toeplitz(layer.weight(), layer.input_shape, **layer.knobs, format="coo")
        order = np.lexsort((matrix.cols, matrix.rows))
        assert matrix.shape == pattern.shape
        assert np.array_equal(matrix.cols[order], pattern.indices)
        assert np.array_equal(np.bincount(matrix.rows, minlength=matrix.shape[0]), np.diff(pattern.indptr))


def test_entries_are_kept_where_the_weight_is_zero():
    assert toeplitz(np.zeros((1, 1, 3)), (1, 5), format="coo").nnz == 9


def test_no_place_is_listed_twice():
    for layer in layers(60, seed=2):
        matrix = toeplitz(layer.weight(), layer.input_shape, **layer.knobs, format="coo")
        assert len(set(zip(matrix.rows.tolist(), matrix.cols.tolist(), strict=True))) == matrix.nnz


# ------------------------------------------------------------------- dtypes and forms


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16", "i1", "u1", "i2", "u4", "i8", "O"])
def test_the_dtype_is_kept(dtype):
    layer = Layer((5,), (3,), (2, 2), padding=((2, 2),), padding_mode="symmetric")
    weight = (layer.weight(dtype) if dtype[0] in "fc" else abs(layer.weight())).astype(dtype)
    matrix = toeplitz(weight, layer.input_shape, **layer.knobs)
    assert matrix.dtype == np.dtype(dtype)
    assert np.array_equal(matrix.toarray(), layer.matrix(weight)[0].astype(dtype))


def test_fractions_are_exact():
    weight = np.array([[[Fraction(1, 3), Fraction(2, 3)]]], object)
    matrix = toeplitz(weight, (1, 2), padding=1, padding_mode="replicate")
    assert matrix.toarray().tolist() == [[1, 0], [Fraction(1, 3), Fraction(2, 3)], [0, 1]]
    assert (matrix @ np.array([3, 6], object)).tolist() == [3, 5, 6]


def test_integers_wrap():
    matrix = toeplitz(np.array([[[100, 100]]], np.int8), (1, 1), padding=1, padding_mode="replicate", format="coo")
    assert matrix.toarray().tolist() == [[-56], [-56]]


def test_half_numbers_are_summed_in_single():
    weight = np.full((1, 1, 4), 2049, np.float16)  # 2048 in float16
    weight[0, 0, 1:] = 1
    matrix = toeplitz(weight, (1, 1), padding=((0, 3),), padding_mode="replicate")
    assert matrix.dtype == np.float16
    assert matrix.toarray().item() == 2052  # 2051 would be 2048 if each sum were rounded to float16
    ones = Triplets(np.zeros(3, int), np.arange(3), np.ones(3, np.float16), (1, 3))
    assert (ones @ np.array([2048, 1, 1], np.float16)).item() == 2050


def test_scipys_form_is_the_default_and_sorted():
    sparse = pytest.importorskip("scipy.sparse")
    matrix = toeplitz(W, (2, 5), padding=2, padding_mode="reflect")
    assert isinstance(matrix, sparse.csr_array)
    assert matrix.has_sorted_indices and matrix.has_canonical_format
    assert isinstance(toeplitz(W.astype(object), (2, 5)), Triplets)
    assert isinstance(toeplitz(W.astype(np.float16), (2, 5)), Triplets)


def test_without_scipy_there_are_triplets(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "scipy"] or ["scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    matrix = toeplitz(W, (2, 5))
    assert isinstance(matrix, Triplets)
    with pytest.raises(ModuleNotFoundError) as caught:
        toeplitz(W, (2, 5), format="csr")
    assert str(caught.value) == (
        "format='csr' needs SciPy, which is not installed; pip install convsym[scipy], or use format='coo'"
    )


@pytest.mark.parametrize("shape", [(0, 2, 5), (2, 0, 5), (0, 5)])
def test_nothing_has_a_matrix_without_entries(shape):
    matrix = toeplitz(W[:, : shape[-2]], shape, format="coo")
    assert matrix.nnz == 0
    assert matrix.toarray().shape == ((2 if len(shape) == 2 else shape[0] * 2) * 3, 0)
    assert toeplitz(W[:0], (2, 5), format="coo").shape == (0, 10)


def test_triplets_are_a_small_matrix():
    matrix = toeplitz(W, (2, 5), format="coo")
    dense = matrix.toarray()
    x = np.arange(20.0).reshape(10, 2)
    assert np.array_equal(matrix @ x, dense @ x)
    assert np.array_equal(matrix.T.toarray(), dense.T)
    assert (matrix @ x[:, 0]).dtype == np.float64
    with pytest.raises(TypeError):
        x.T @ matrix


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: toeplitz(W, (2, 5), format="csc"), ShapeError,
            "format='csc' is not known; it is one of 'csr' or 'coo'",
        ),
        (
            lambda: toeplitz(W.astype(object), (2, 5), format="csr"), TypeError,
            "format='csr' cannot hold dtype object, which SciPy has no sparse arrays of; use format='coo'",
        ),
        (
            lambda: toeplitz(W[:1, :1], (2**62, 1, 3)), ShapeError,
            "an array of shape (4611686018427387904, 1, 1, 3) would be needed (with an axis for the groups), and "
            "arrays have fewer than 2**59 elements; make the sizes, the groups or the padding smaller",
        ),
        (
            lambda: toeplitz(W, (2, 5), format="coo") @ np.ones(9), ShapeError,
            "x has shape (9,), and a matrix of shape (6, 10) is multiplied by vectors of shape (10,) or matrices of "
            "shape (10, k)",
        ),
        (
            lambda: toeplitz(W, (3, 5)), ShapeError,
            "weight has shape (2, 2, 3), so it expects 2 input channels with groups=1, but input_shape has shape "
            "(3, 5) with 3; weight.shape[1] must be 3",
        ),
        (
            lambda: toeplitz(W, (3, 5), groups=2), ShapeError,
            "groups=2 does not divide the 3 input channels (input_shape[0]); divisors are 1, 3",
        ),
        (
            lambda: toeplitz(None, (2, 5)), TypeError, "weight is None, and an array is needed",
        ),
    ],
)  # fmt: skip
def test_every_error_is_a_sentence(call, error, sentence):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == sentence
