"""correlate and convolve against the sum typed by hand, NumPy, and SciPy: every bit of integers."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import reference
from exact import bits

from convsym import ShapeError, convolve, correlate

FEW_AXES = [
    ((1,), (1,)),
    ((5,), (3,)),
    ((5,), (4,)),
    ((2,), (5,)),
    ((4,), (4,)),
    ((4, 5), (3, 2)),
    ((2, 3), (4, 5)),
    ((3, 4), (4, 2)),
    ((1, 6), (3, 1)),
]
MANY_AXES = [((3, 2, 4), (2, 2, 3)), ((2, 1, 3, 2), (2, 3, 3, 2)), ((2, 1, 2, 3, 2), (1, 1, 2, 2, 2))]
MODES = ("full", "same", "valid")
BOUNDARIES = {"wrap": "wrap", "symm": "symmetric"}


def integers(shape, seed=0, dtype=float):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(dtype)


def gaussian(shape, seed=0):
    """Complex numbers with integer parts."""
    return integers(shape, seed) + 1j * integers(shape, seed + 100)


def is_ordered(a, v):
    """Whether one of two shapes lies within the other."""
    return all(m >= n for m, n in zip(a, v, strict=True)) or all(m <= n for m, n in zip(a, v, strict=True))


def by_hand(a, v, mode, late=False, flip=False):
    """The definition, in Python's own integers or complex numbers."""
    w = np.flip(v) if flip else np.conj(v)
    sums = reference.correlation(
        dict(zip(np.ndindex(a.shape), a.ravel().tolist(), strict=True)),
        dict(zip(np.ndindex(w.shape), w.ravel().tolist(), strict=True)),
        v.shape,
    )
    full = np.zeros([m + n - 1 for m, n in zip(a.shape, v.shape, strict=True)], a.dtype)
    for place, value in sums.items():
        full[place] = value
    return np.ascontiguousarray(full[reference.correlation_part(mode, a.shape, v.shape, late)])


def differing(fill, compute_correlation=correlate, compute_convolution=convolve, shapes=FEW_AXES):
    """Calls of which the answer is not the one of the definition."""
    found = []
    for (m, n), mode, late in product(shapes, MODES, (False, True)):
        if mode == "valid" and not is_ordered(m, n):
            continue
        a, v, same = fill(m, 1), fill(n, 2), "symmetric" if late else "lower"
        for name, compute, flip in (("correlate", compute_correlation, False), ("convolve", compute_convolution, True)):
            value = compute(a, v, mode, same=same)
            if value.dtype != a.dtype or not np.array_equal(value, by_hand(a, v, mode, late, flip)):
                found.append((name, m, n, mode, same))
    return found


@pytest.mark.parametrize("fill", [integers, gaussian])
def test_both_are_the_sum_typed_by_hand(fill):
    assert differing(fill) == []


def test_a_forgotten_conjugate_and_a_forgotten_order_are_seen():
    def plain(a, v, mode, same):
        return correlate(a, np.conj(v), mode, same=same)

    def unturned(a, v, mode, same):
        value = correlate(a, v, mode, same=same)
        return np.flip(value) if mode == "valid" and a.size < v.size else value

    assert {call[0] for call in differing(gaussian, plain)} == {"correlate"}
    assert differing(integers, plain) == []
    assert {call[3] for call in differing(integers, unturned)} == {"valid"}


@pytest.mark.parametrize("mode", ["full", "valid"])
def test_one_axis_is_as_in_numpy(mode):
    for m, n in product((1, 2, 5, 6), repeat=2):
        a, v = gaussian((m,), 1), gaussian((n,), 2)
        assert np.array_equal(convolve(a, v, mode), np.convolve(a, v, mode))
        assert np.array_equal(correlate(a, v, mode), np.correlate(a, v, mode))
        if m >= n:
            assert np.array_equal(convolve(a, v, "same"), np.convolve(a, v, "same"))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_what_stands_around_is_numpys_padding(boundary):
    for (m, n), flip in product(FEW_AXES, (False, True)):
        a, v = gaussian(m, 1), gaussian(n, 2)
        around = np.pad(a, [(size - 1, size - 1) for size in n], mode=BOUNDARIES[boundary])
        compute = convolve if flip else correlate
        full = compute(around, v, "valid")
        for mode, late in product(("full", "same"), (False, True)):
            same = "tf" if late else "lower"
            kept = full[reference.correlation_part(mode, m, n, late)]
            assert np.array_equal(compute(a, v, mode, boundary=boundary, same=same), kept)


@pytest.mark.parametrize("fillvalue", [3, -0.5, np.float32(2), np.nan])
def test_the_number_around(fillvalue):
    for m, n in FEW_AXES:
        a, v = integers(m, 1), integers(n, 2)
        around = np.pad(a, [(size - 1, size - 1) for size in n], constant_values=fillvalue)
        full = convolve(around, v, "valid")
        kept = full[reference.correlation_part("same", m, n)]
        assert np.array_equal(convolve(a, v, fillvalue=fillvalue), full, equal_nan=True)
        assert np.array_equal(convolve(a, v, "same", fillvalue=fillvalue), kept, equal_nan=True)
        if is_ordered(m, n):
            assert bits(convolve(a, v, "valid", fillvalue=fillvalue), convolve(a, v, "valid")) == 0


@pytest.mark.parametrize("mode", MODES)
def test_scipy_says_the_same(mode):
    scipy = pytest.importorskip("scipy.signal")
    for m, n in FEW_AXES:
        a, v = gaussian(m, 1), gaussian(n, 2)
        if mode == "valid" and not is_ordered(m, n):
            for refusing in (correlate, convolve, scipy.correlate, scipy.convolve):
                with pytest.raises(ValueError, match="valid"):
                    refusing(a, v, mode)
            continue
        assert np.array_equal(correlate(a, v, mode), scipy.correlate(a, v, mode, method="direct"))
        assert np.array_equal(convolve(a, v, mode), scipy.convolve(a, v, mode, method="direct"))


@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("mode", MODES)
def test_scipy_says_the_same_of_images(mode, boundary):
    scipy = pytest.importorskip("scipy.signal")
    for m, n in (shapes for shapes in FEW_AXES if len(shapes[0]) == 2):
        if mode == "valid" and not is_ordered(m, n):
            continue
        a, v = gaussian(m, 1), gaussian(n, 2)
        for fillvalue in (0, 2 - 1j):
            ours = convolve(a, v, mode, boundary=boundary, fillvalue=fillvalue)
            assert np.array_equal(ours, scipy.convolve2d(a, v, mode, boundary, fillvalue))
            ours = correlate(a, v, mode, boundary=boundary, fillvalue=fillvalue, same="symmetric")
            theirs = scipy.correlate2d(a, v, mode, boundary, fillvalue)
            turned = (
                mode == "valid" and a.size < v.size
            )  # there correlate2d conjugates the other one; correlate does not
            assert np.array_equal(ours, np.conj(theirs) if turned else theirs)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float16", "float32", "complex64"])
def test_every_dtype_is_computed_and_integers_wrap(dtype):
    def fill(shape, seed):
        return (integers(shape, seed) * 20 if np.dtype(dtype).kind in "iu" else integers(shape, seed)).astype(dtype)

    for (m, n), compute in product(FEW_AXES, (correlate, convolve)):
        a, v = fill(m, 1), fill(n, 2)
        wide = np.dtype(dtype).kind in "iu"
        exact = compute(a.astype("i8" if wide else "c16"), v.astype("i8" if wide else "c16"))
        assert compute(a, v).dtype == dtype
        assert np.array_equal(compute(a, v), exact.astype(dtype) if wide else exact)


@pytest.mark.parametrize("fill", [integers, gaussian])
def test_up_to_five_axes_are_the_sum_typed_by_hand(fill):
    assert differing(fill, shapes=MANY_AXES) == []


def test_up_to_five_axes_are_as_in_scipy():
    scipy = pytest.importorskip("scipy.signal")
    for (m, n), mode in product(MANY_AXES, MODES):
        a, v = integers(m, 1, np.int64), integers(n, 2, np.int64)
        if mode != "valid" or is_ordered(m, n):
            assert bits(correlate(a, v, mode), scipy.correlate(a, v, mode, method="direct")) == 0
            assert bits(convolve(a, v, mode), scipy.convolve(a, v, mode, method="direct")) == 0


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_boundaries_of_volumes_are_numpys_padding(boundary):
    a, v = integers((3, 2, 4), 1), integers((2, 3, 2), 2)
    around = np.pad(a, [(size - 1, size - 1) for size in v.shape], mode=BOUNDARIES[boundary])
    assert np.array_equal(correlate(a, v, boundary=boundary), correlate(around, v, "valid"))


def test_zero_axes_are_a_product():
    assert correlate(np.array(2j), np.array(3j)) == 6
    assert convolve(np.array(2j), np.array(3j), "valid") == -6
    assert convolve(np.array(2.0), np.array(3.0)).shape == ()


def test_fractions_are_exact():
    thirds = np.array([Fraction(1, 3), Fraction(1, 6)], dtype=object)
    assert correlate(thirds, thirds).tolist() == [Fraction(1, 18), Fraction(5, 36), Fraction(1, 18)]
    assert convolve(thirds, thirds, "same", fillvalue=Fraction(1, 2)).tolist() == [Fraction(7, 36), Fraction(1, 9)]


def test_out_takes_the_result_even_where_it_overlaps():
    a, v = integers((3, 5), 1), integers((3, 3), 2)
    expected = correlate(a, v, "same")
    assert correlate(a, v, "same", out=a) is a
    assert bits(a, expected) == 0
    assert correlate(v, v, out=(room := np.empty((5, 5)))) is room


def test_layouts_of_memory_do_not_matter_and_the_result_is_contiguous():
    a, v = integers((4, 6), 1), integers((2, 3), 2)
    for mode in MODES:
        expected = correlate(a, v, mode)
        assert expected.flags.c_contiguous
        assert bits(correlate(np.asfortranarray(a), v.astype(">f8"), mode), expected) == 0
        assert correlate(v, a, mode).flags.c_contiguous


X, IMAGE = np.arange(3.0), np.ones((2, 3))
TYPE_ERRORS = {
    "list": (lambda: correlate([1.0], X), "a is a list, and a NumPy array is needed"),
    "none": (lambda: convolve(X, None), "v is None, and an array is needed"),
    "mixed": (lambda: correlate(X, X.astype("f4")), "a is float64 but v is float32, and dtypes are not mixed"),
    "bool": (lambda: convolve(X > 0, X > 0), "a has dtype bool"),
    "fill of floats": (
        lambda: convolve(X, X, fillvalue=1j),
        "fillvalue is 1j (complex), and a real number is needed for dtype float64",
    ),
    "fill of integers": (
        lambda: convolve(X.astype(int), X.astype(int), fillvalue=0.5),
        "fillvalue is 0.5 (float), and an integer is needed for dtype int64",
    ),
    "fill array": (
        lambda: convolve(X * 1j, X * 1j, fillvalue=np.ones(1)),
        "fillvalue is array([1.]) (ndarray), and a number is needed for dtype complex128",
    ),
    "out": (lambda: correlate(X, X, out=[0.0]), "out is a list, and a NumPy array is needed"),
}
SHAPE_ERRORS = {
    "axes": (
        lambda: correlate(IMAGE, X),
        "a has 2 axes and v has 1, and they must have as many; add axes of size 1 to one of them, e.g. v[None]",
    ),
    "no axes": (lambda: correlate(X, np.array(1.0)), "a has 1 axes and v has 0"),
    "six axes": (
        lambda: convolve(np.ones((1,) * 6), np.ones((1,) * 6)),
        "a and v have 6 axes, and signals of up to 5 are computed",
    ),
    "empty": (lambda: correlate(X[:0], X), "a has shape (0,), and a signal without elements has no correlation"),
    "empty second": (lambda: convolve(IMAGE, IMAGE[:0]), "v has shape (0, 3), and a signal without elements"),
    "valid": (
        lambda: correlate(IMAGE, IMAGE.T.copy(), "valid"),
        "mode='valid' needs one signal that is at least as large as the other along every axis, and a has shape "
        "(2, 3), v has shape (3, 2); use mode='full' or 'same'",
    ),
    "mode": (lambda: correlate(X, X, "half"), "mode='half' is not known; it is one of 'full', 'same' or 'valid'"),
    "boundary": (
        lambda: convolve(X, X, boundary="reflect"),
        "boundary='reflect' is not known; it is one of 'fill', 'wrap' or 'symm'",
    ),
    "same": (lambda: convolve(X, X, "same", same="upper"), "same='upper' is not known"),
    "fill": (
        lambda: convolve(X.astype("u1"), X.astype("u1"), fillvalue=-1),
        "fillvalue is -1, and dtype uint8 does not have that number",
    ),
    "algorithm": (lambda: convolve(X, X, algorithm="gemm"), "algorithm='gemm' is not known"),
    "out": (lambda: correlate(X, X, out=np.zeros(3)), "out has shape (3,), and the result has shape (5,)"),
}


@pytest.mark.parametrize(("call", "sentence"), TYPE_ERRORS.values(), ids=TYPE_ERRORS)
def test_a_wrong_type_is_a_sentence(call, sentence):
    with pytest.raises(TypeError) as caught:
        call()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("call", "sentence"), SHAPE_ERRORS.values(), ids=SHAPE_ERRORS)
def test_a_wrong_shape_or_value_is_a_sentence(call, sentence):
    with pytest.raises(ShapeError) as caught:
        call()
    assert sentence in str(caught.value)
