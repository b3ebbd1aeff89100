"""Plain kernels: every dtype, rank and result, against the exact reference; and what kernels refuse."""

import re
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
import pytest
import sympy

from convsym import Formula, KernelError, kernels, registry
from convsym.codegen import generate, nests
from convsym.codegen.cython import kernel_text
from convsym.codegen.loops import FIRST, nest
from convsym.codegen.syntax import CTYPES, INTEGERS
from convsym.expressions import access, accesses, array_of, floordiv, indices_of, mod, size, symbol
from convsym.kernels import preparation
from convsym.kernels._generated.rules import KERNELS

# Every integer type has a character of its own; two of them may be one type with two names.
INTEGER_CHARS = "bBhHiIlLqQ"
CHARS = f"fd{INTEGER_CHARS}p"
RESULTS = ("y", "dx", "dw")
RANKS = range(1, 6)


def rule(rank, result):
    """The formula or rule that a kernel computes."""
    op = registry[f"conv{rank}d"]
    return op.grouped if result == "y" else next(r for r in op.grouped_rules.values() if r.output == result)


@cache
def posed(rank, result, number):
    """Shapes and parameters of one small geometry."""
    random = Random(f"{rank} {result} {number}")
    largest = 7 if rank < 3 else 4
    sizes, parameters = [], {}
    for axis in range(rank):
        taps, stride, dilation, low = (random.randint(*ends) for ends in ((1, 3), (1, 3), (1, 2), (-1, 2)))
        inputs, outputs = random.randint(1, largest), random.randint(1, largest - 1)
        sizes.append((inputs, taps, outputs))
        parameters |= {f"stride{axis}": stride, f"dilation{axis}": dilation, f"padding{axis}": low}
    n, g, c, k = (random.randint(1, 2) for _ in range(4))
    i, r, o = zip(*sizes, strict=True)
    shapes = {"x": (n, g, c, *i), "w": (g, k, c, *r), "y": (n, g, k, *o)}
    return shapes | {f"d{name}": shape for name, shape in shapes.items()}, parameters


def problem(rank, result, dtype, number=0):
    """Operands of the whole range of a dtype, the parameters, and the exact result modulo 2ⁿ."""
    shapes, parameters = posed(rank, result, number)
    made = rule(rank, result)
    rng = np.random.default_rng([rank, number])
    info = np.iinfo(dtype) if dtype.kind in "iu" else None
    low, high = (info.min, info.max) if info else (-9, 9)
    kind = dtype if info else np.int64
    exact = {name: rng.integers(low, high, shapes[name], kind, endpoint=True) for name in made.operands}
    whole = {name: array.astype(object) for name, array in exact.items()}
    value = made(**whole, **parameters, sizes={result: shapes[result]})
    if info:
        value = [(int(v) - info.min) % 2**info.bits + info.min for v in value.flat]
    want = np.array(value, dtype).reshape(shapes[result])
    return {name: array.astype(dtype) for name, array in exact.items()}, parameters, want


def wrong(rank, result, char, number=0, run=kernels.run):
    """Number of values that differ from the exact ones."""
    operands, parameters, want = problem(rank, result, np.dtype(char), number)
    out = np.zeros(want.shape, char)
    assert run(f"conv{rank}d_{result}", out, operands, parameters) is out
    return int((out != want).sum())


# ------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("rank", RANKS)
def test_no_value_differs_in_any_dtype(rank, result):
    """Integers over their whole range, so that sums and products wrap."""
    assert {c: n for number in range(3) for c in CHARS if (n := wrong(rank, result, c, number))} == {}


@pytest.mark.parametrize("result", RESULTS)
def test_a_wrong_kernel_is_seen(result):
    def other(name, out, operands, parameters):
        return kernels.run(name, out, operands, parameters | {"padding0": parameters["padding0"] + 1})

    found = [wrong(rank, result, char, number, other) for rank in (1, 3) for char in "bQf" for number in range(3)]
    assert sum(map(bool, found)) >= len(found) // 2


@pytest.mark.parametrize("char", INTEGER_CHARS)
def test_sums_and_products_wrap(char):
    """The largest and the least numbers, where one product alone leaves the type."""
    info = np.iinfo(char)
    for a in (info.min, info.max):
        for b in (info.min, info.max):
            x, w = np.full((1, 1, 2, 5), a, char), np.full((1, 1, 2, 3), b, char)
            out = np.zeros((1, 1, 1, 3), char)
            kernels.run("conv1d_y", out, {"x": x, "w": w}, {"stride0": 1, "dilation0": 1, "padding0": 0})
            assert out.tolist() == [[[[(6 * a * b - info.min) % 2**info.bits + info.min] * 3]]]


@pytest.mark.parametrize("char", "fiB")
@pytest.mark.parametrize("result", RESULTS)
def test_a_kernel_adds_and_reads_what_is_read_only(result, char):
    operands, parameters, want = problem(3, result, np.dtype(char))
    for array in operands.values():
        array.flags.writeable = False
    out = np.ones(want.shape, char)
    kernels.run(f"conv3d_{result}", out, operands, parameters)
    assert np.array_equal(out, want + out.dtype.type(1))


@pytest.mark.parametrize("char", "fi")
@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("empty", ["n", "g", "k", "c", "i", "r", "o", "ir", "iro"])
def test_axes_of_no_size(empty, result, char):
    """Sums over nothing are 0, so `out` keeps what it holds."""
    n, g, k, c, i, r, o = (0 if name in empty else 2 for name in "ngkciro")
    shapes = {"x": (n, g, c, i, 2, 2), "w": (g, k, c, r, 2, 2), "y": (n, g, k, o, 2, 2)}
    shapes |= {f"d{name}": shape for name, shape in shapes.items()}
    out = np.full(shapes[result], 7, char)
    operands = {name: np.ones(shapes[name], char) for name in rule(3, result).operands}
    kernels.run(f"conv3d_{result}", out, operands, posed(3, result, 0)[1])
    assert (out == 7).all()


@pytest.mark.parametrize("char", "fi")
@pytest.mark.parametrize("result", RESULTS)
def test_bits_do_not_depend_on_threads_or_blocks(result, char, threads, monkeypatch):
    monkeypatch.setattr(kernels, "THREADED_WORK", 0)
    shapes, parameters = posed(3, result, 1)
    rng = np.random.default_rng(3)
    operands = {name: (100 * rng.standard_normal(shapes[name])).astype(char) for name in rule(3, result).operands}

    def bits():
        out = np.zeros(shapes[result], char)
        return kernels.run(f"conv3d_{result}", out, operands, parameters).tobytes()

    threads(1)
    expected = bits()
    for count in (2, 3, 8):
        threads(count)
        assert bits() == expected
    for work in (1, 100, 2**40):
        monkeypatch.setattr(kernels, "BLOCK_WORK", work)
        assert bits() == expected


# ------------------------------------------------------------------------------------------- what is refused

ONE = {"stride0": 1, "dilation0": 1, "padding0": 0}


def refused(name="conv1d_y", out=None, parameters=None, **operands):
    """The sentence with which a call of conv1d_y is refused."""
    out = np.zeros((1, 1, 1, 3), "i4") if out is None else out
    arrays = {"x": np.ones((1, 1, 1, 5), "i4"), "w": np.ones((1, 1, 1, 3), "i4")} | operands
    before = out.copy()
    with pytest.raises(KernelError) as error:
        kernels.run(name, out, arrays, ONE | (parameters or {}))
    assert np.array_equal(out, before)
    return str(error.value)


def test_an_unknown_kernel_is_refused():
    assert "no kernel is named 'conv9d_y'; the kernels are bias_y, bias_db, conv1d_y" in refused("conv9d_y")


@pytest.mark.parametrize("char", ["e", "D", "?", "O", "M8[s]", "g"])
def test_other_dtypes_are_refused(char):
    said = refused(out=np.zeros((1, 1, 1, 3), char))
    assert said.startswith("conv1d_y computes float32, float64 and the integers of 8 to 64 bits, and y is")
    with pytest.raises(KernelError) as error:
        kernels.run("relu_y", np.zeros((1, 2), "i4"), {"x": np.ones((1, 2), "i4")}, {})
    assert "relu_y computes float32 and float64, and y is int32; convert the arrays" in str(error.value)


def test_mixed_dtypes_are_refused():
    assert "w is float32 and y is int32; kernels take arrays of one dtype" in refused(w=np.ones((1, 1, 1, 3), "f4"))
    assert "w is uint32 and y is int32" in refused(w=np.ones((1, 1, 1, 3), "u4"))


@pytest.mark.parametrize("array", [
    np.ones((1, 1, 1, 10), "i4")[..., ::2],
    np.ones((1, 1, 1, 21), "i1").reshape(-1)[1:].view("i4").reshape(1, 1, 1, 5),
])  # fmt: skip
def test_layouts_that_would_need_a_copy_are_refused(array):
    assert "x is not as kernels need it: C-contiguous, aligned and in native byte order" in refused(x=array)
    wide = np.zeros((1, 1, 1, 6), "i4")
    assert "y is not as kernels need it" in refused(out=wide[..., ::2])


def test_swapped_bytes_are_refused():
    swapped = np.dtype("i4").newbyteorder()
    x, w, y = (np.ones((1, 1, 1, size), swapped) for size in (5, 3, 3))
    assert "native byte order" in refused(out=y, x=x, w=w)


def test_another_number_of_axes_is_refused():
    assert "x of conv1d_y has 3 axes, (1, 1, 5), and it needs 4" in refused(x=np.ones((1, 1, 5), "i4"))


@pytest.mark.parametrize("char", "fi")
def test_a_result_that_is_read_only_is_refused(char):
    out = np.zeros((1, 1, 1, 3), char)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        kernels.run("conv1d_y", out, {"x": np.ones((1, 1, 1, 5), char), "w": np.ones((1, 1, 1, 3), char)}, ONE)


@pytest.mark.parametrize("size", [0, 5])
@pytest.mark.parametrize("char", "fi")
def test_sizes_that_disagree_are_refused_even_where_nothing_is_added(char, size):
    arrays = {"x": np.ones((2, 1, 1, size), char), "w": np.ones((1, 1, 1, 3), char)}
    with pytest.raises(ValueError, match="y and x disagree in the size of n"):
        kernels.run("conv1d_y", np.zeros((1, 1, 1, 3), char), arrays, ONE)


@pytest.mark.parametrize("name", ["stride0", "dilation0"])
@pytest.mark.parametrize("value", [0, -1])
def test_parameters_below_one_are_refused(name, value):
    """A division by 0 would end the process."""
    assert f"{name} is {value}, and conv1d_y needs it to be at least 1" in refused(parameters={name: value})


HOSTILE = [2**31, 2**32 + 1, 2**59, 2**62, 2**63 - 1, 2**64, 10**30]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["stride0", "dilation0", "padding0", "-padding0"])
@pytest.mark.parametrize("char", "fi")
@pytest.mark.parametrize("result", RESULTS)
def test_parameters_that_lead_too_far_are_computed_or_refused(result, char, name, value):
    """What is computed is right: nothing wraps around; the exact reference is asked with the same numbers."""
    shapes = {"x": (1, 1, 1, 5), "w": (1, 1, 1, 3), "y": (1, 1, 1, 3)}
    shapes |= {f"d{key}": shape for key, shape in shapes.items()}
    parameters = ONE | {name.lstrip("-"): -value if name[0] == "-" else value}
    operands = {key: np.ones(shapes[key], char) for key in rule(1, result).operands}
    out = np.zeros(shapes[result], char)
    try:
        kernels.run(f"conv1d_{result}", out, operands, parameters)
    except KernelError as error:
        assert 4 * value > preparation.FARTHEST
        assert f"conv1d_{result} would compute with positions up to" in str(error)
        assert "kernels compute with positions below 2**60; make the largest of stride0=" in str(error)
        return
    assert value < preparation.FARTHEST
    few = {key: max(-50, min(50, number)) for key, number in parameters.items()}  # 50 leads outside as well
    want = rule(1, result)(**operands, **few, sizes={result: shapes[result]})
    assert np.array_equal(out, want)


def test_sizes_that_lead_too_far_are_refused_unless_nothing_is_added():
    x, w, out = (np.ones(shape, "i1") for shape in ((0, 1, 1, 2**62), (1, 1, 1, 1), (0, 1, 1, 2**62)))
    assert kernels.run("conv1d_y", out, {"x": x, "w": w}, ONE) is out
    plan = preparation.prepared("baseline", "conv1d_y", "b", (1, 1, 1, 2**60), (1, 1, 1, 2**60), (1, 1, 1, 1))
    with pytest.raises(KernelError) as error:
        plan.scalars(ONE)
    assert "below 2**60; make the largest of stride0=1" in str(error.value)


def _symbolic(name):
    """The arithmetic of a kernel as its nest states it: bounds, checked positions, indices that are computed."""
    made = next(n for n in nests([registry[name.partition("_")[0]]]) if n.name == name)
    checks = [c for level in (made.checks, *(loop.checks for loop in made.loops)) for c in level]
    found = [*made.lower, *made.upper, *(c.expr for c in checks if c.name), *made.target]
    found += [e for a in accesses(made.body) for e in indices_of(a)]
    return made, [e for e in found if not (e.is_Symbol and e.name in made.formula.indices)]


@pytest.mark.parametrize("name", ["conv1d_y", "conv1d_dx", "conv2d_dw", "conv3d_dx"])
def test_no_position_of_a_kernel_is_beyond_its_reach(name):
    """Every partial sum of every expression, with each index at either end of its range."""
    made, expressions = _symbolic(name)
    kernel, formula, random, found = KERNELS[name], made.formula, Random(name), 0
    for _ in range(30):
        shapes = {a: tuple(random.choice((1, 2, 9, 10**4)) for _ in range(formula.rank(a)))
                  for a in (formula.output, *formula.operands)}  # fmt: skip
        values = {p: random.choice((1, 3, 10**6)) for p in kernel.parameters}
        values |= {p: random.choice((-(10**7), 0, 10**7)) for p in kernel.parameters if p not in kernel.positive}
        env = {size(a, axis): n for a, shape in shapes.items() for axis, n in enumerate(shape)}
        env |= {symbol(key): value for key, value in values.items()}
        ends = {symbol(n): random.choice((0, 1)) * (env[formula.range_of(n)] - 1) for n in formula.indices}
        ends[FIRST] = env[size(formula.output, kernel.tiled)] - 1 if kernel.tiled else 0
        farthest = preparation._reach(kernel, shapes, values)
        for expr in expressions:
            for part in sympy.preorder_traversal(expr):
                counts = range(1, len(part.args) + 1) if part.is_Add else ()
                for each in (part, *(part.func(*part.args[:count]) for count in counts)):
                    number = sympy.sympify(each.xreplace(env | ends), strict=True)
                    assert not number.is_Integer or abs(number) <= farthest, (each, expr)
                    found += number.is_Integer
    assert found > 1000


def test_a_reach_that_is_too_small_is_seen():
    """Without the product of stride and outputs, the farthest position is beyond it."""
    kernel = KERNELS["conv1d_y"]
    less = replace(kernel, reach=tuple(m for m in kernel.reach if "stride0" not in m[1]))
    shapes, values = {"y": (1, 1, 1, 9), "x": (1, 1, 1, 2), "w": (1, 1, 1, 2)}, ONE | {"stride0": 10**6}
    assert preparation._reach(less, shapes, values) < 8 * 10**6 < preparation._reach(kernel, shapes, values)


# ------------------------------------------------------------------------------------------------ what is printed


def test_the_widest_convolution_is_printed_for_every_dtype():
    names = re.findall(r"^def (\w+)\(", generate(registry)["kernels/_generated/plain.pxi"], re.MULTILINE)
    assert sorted(names) == sorted(f"conv5d_{result}_{dtype}" for result in RESULTS for dtype in CTYPES)


@pytest.mark.parametrize("text", ["y[o] += x[o + r]*w[r]/v[r]", "y[i] = where(x[i] > 0, x[i], 0)", "y[i] = x[i]/2"])
def test_a_rule_that_is_not_the_same_for_every_integer_is_refused(text):
    made = nest("k", Formula(text))
    assert kernel_text(made, "f32")
    with pytest.raises(KernelError) as error:
        kernel_text(made, "u8")
    assert "k is no sum of products, so it has no kernel of integers" in str(error.value)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_products_of_integers_never_overflow_as_int(dtype):
    """C computes with what is narrower than int in int, and 65535 * 65535 is more than an int holds."""
    text = kernel_text(nest("k", Formula("y[o] += x[o + r]**2*w[r]")), dtype)
    cast = "<unsigned int>" if dtype in ("u8", "u16") else ""
    assert f" row[o] += {cast}({cast}b0[o]*b0[o])*a0\n" in text


# ------------------------------------------------------------------------------------ fewer axes than five


def lowered(formula, lift):
    """A formula whose first axes are of size 1: indices 0 and parameters neutral, they are left out."""
    added = {n for n in formula.indices if n[-1].isdigit() and int(n[-1]) < lift.axes}
    rename = {symbol(n): symbol(f"{n[:-1]}{int(n[-1]) - lift.axes}")
              for n in formula.indices if n[-1].isdigit() and n not in added}  # fmt: skip
    rename |= dict.fromkeys(map(symbol, added), sympy.S.Zero)
    rename |= {symbol(n): sympy.Integer(value) if isinstance(value, int) else symbol(value)
               for n, value in zip(formula.parameters, lift.parameters, strict=True)}  # fmt: skip
    places = dict(zip((formula.output, *formula.operands), lift.places, strict=True))

    def settled(expr):
        expr = expr.xreplace(rename).replace(mod, lambda a, b: sympy.S.Zero if b == 1 else mod(a, b))
        return expr.replace(floordiv, lambda a, b: a if b == 1 else floordiv(a, b))

    def fewer(array, indices):
        new, place = tuple(map(settled, indices)), places[array]
        assert new[place : place + lift.axes] == (0,) * lift.axes
        return (*new[:place], *new[place + lift.axes :])

    (term,) = formula.terms
    reads = {a: access(array_of(a), fewer(array_of(a), indices_of(a))) for a in term.arrays()}
    guard = {settled(c) for c in term.guard} - {sympy.true}
    return fewer(formula.output, term.target), term.body.xreplace(reads), guard


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("rank", RANKS)
def test_a_kernel_of_more_axes_of_size_one_is_that_of_fewer(rank, result):
    lift = KERNELS[f"conv{rank}d_{result}"].lift
    (term,) = rule(rank, result).terms
    assert lift.kernel == f"conv5d_{result}"
    assert lowered(rule(5, result), lift) == (term.target, term.body, set(term.guard))


def test_a_wrong_lift_is_seen():
    lift = KERNELS["conv2d_y"].lift
    swapped = replace(lift, parameters=tuple("padding0" if p == "padding1" else p for p in lift.parameters))
    (term,) = rule(2, "y").terms
    assert lowered(rule(5, "y"), swapped) != (term.target, term.body, set(term.guard))
