"""JAX's hand-written transpose rules of a convolution, proved from our relation for all sizes.

In ``jax/_src/lax/convolution.py``, per axis of n inputs, a taps, m outputs, stride s, dilation d, padding (p, …) and
input dilation e:

* dX = conv(g, reversed w), window_strides=e, lhs_dilation=s, rhs_dilation=d,
  pad_lo = d(a − 1) − p,  pad_hi = (e(n − 1) + 1) + d(a − 1) − ((m − 1)s + 1) − pad_lo;
* dW = conv(x, g), window_strides=d, lhs_dilation=e, rhs_dilation=s,
  pad_lo = p,  pad_hi = ((m − 1)s + 1) − (e(n − 1) + 1) + d(a − 1) − p.

Each is two statements: that every element is right, and that the convolution so padded has n or a outputs.
"""

import time
from random import Random

import numpy as np
import pytest
import sympy
from plain import Plain, filled, gradient

from convsym import Formula, check, solver
from convsym.expressions import floordiv, size, symbol

pytest.importorskip("z3")

LINE = "y[o] += x[s*o + d*r - p]*w[r]"
LAYER = "y[n, k, o] += x[n, c, s*o + d*r - p]*w[k, c, r]"
PLANE = "y[n, k, o, q] += x[n, c, s*o + d*r - p, t*q + f*v - m]*w[k, c, r, v]"
DILATED = "y[o] += where((s*o + d*r - p) % e == 0, x[(s*o + d*r - p)//e]*w[r], 0)"  # the input is dilated too


def stuffed(array, position, by):
    """Text of a read of an array between whose elements ``by - 1`` zeros stand; `array` has a hole for the place."""
    return f"({position}) % {by} == 0", array.format(f"({position})//{by}")


def dx_line(pad_lo="(d*(w.shape[0] - 1) - p)", tap="w.shape[0] - 1 - r", by="s", dilation="d", index="u"):
    guard, read = stuffed("dy[{}]", f"{index} + {dilation}*r - {pad_lo}", by)
    return f"dx[u] += where({guard}, {read}*w[{tap}], 0)"


# --------------------------------------------------------------------------------------------- every element

RIGHT = [
    (LINE, "x", dx_line()),
    (LINE, "w", "dw[r] += x[d*r + s*o - p]*dy[o]"),
    (LAYER, "x", "dx[n, c, u] += where((u + d*r - (d*(w.shape[2] - 1) - p)) % s == 0,"
     " dy[n, k, (u + d*r - (d*(w.shape[2] - 1) - p))//s]*w[k, c, w.shape[2] - 1 - r], 0)"),
    (LAYER, "w", "dw[k, c, r] += x[n, c, d*r + s*o - p]*dy[n, k, o]"),
    (PLANE, "x", "dx[n, c, u, z] += where((u + d*r - (d*(w.shape[2] - 1) - p)) % s == 0"
     " and (z + f*v - (f*(w.shape[3] - 1) - m)) % t == 0,"
     " dy[n, k, (u + d*r - (d*(w.shape[2] - 1) - p))//s, (z + f*v - (f*(w.shape[3] - 1) - m))//t]"
     "*w[k, c, w.shape[2] - 1 - r, w.shape[3] - 1 - v], 0)"),
    (PLANE, "w", "dw[k, c, r, v] += x[n, c, d*r + s*o - p, f*v + t*q - m]*dy[n, k, o, q]"),
    (DILATED, "x", dx_line(index="e*u")),
    (DILATED, "w", "dw[r] += where((d*r + s*o - p) % e == 0, x[(d*r + s*o - p)//e]*dy[o], 0)"),
]  # fmt: skip

WRONG = [
    ("pad_lo with a changed sign", LINE, "x", dx_line("(d*(w.shape[0] - 1) + p)")),
    ("pad_lo negated", LINE, "x", dx_line("(p - d*(w.shape[0] - 1))")),
    ("pad_lo of the forward pass", LINE, "x", dx_line("p")),
    ("pad_lo without dilation", LINE, "x", dx_line("(w.shape[0] - 1 - p)")),
    ("pad_lo by the size of the kernel", LINE, "x", dx_line("(d*w.shape[0] - p)")),
    ("kernel not reversed", LINE, "x", dx_line(tap="r")),
    ("cotangent stuffed by the dilation", LINE, "x", dx_line(by="d", dilation="s")),
    ("dW: stride and dilation not exchanged", LINE, "w", "dw[r] += x[s*r + d*o - p]*dy[o]"),
    ("dW: padding with a changed sign", LINE, "w", "dw[r] += x[d*r + s*o + p]*dy[o]"),
    ("input dilation forgotten as the stride of dX", DILATED, "x", dx_line()),
    ("input dilated: pad_lo with a changed sign", DILATED, "x", dx_line("(d*(w.shape[0] - 1) + p)", index="e*u")),
    ("dW: input not dilated", DILATED, "w", "dw[r] += x[d*r + s*o - p]*dy[o]"),
]


@pytest.mark.parametrize("text, wrt, claim", RIGHT)
def test_the_transpose_rule_is_proved(text, wrt, claim):
    proof = check(Formula(text), wrt=wrt, claim=claim)
    assert proof.status == "proved", str(proof)


@pytest.mark.parametrize("mistake, text, wrt, claim", WRONG)
def test_the_transpose_rule_with_a_mistake_is_refuted(mistake, text, wrt, claim):
    proof = check(Formula(text), wrt=wrt, claim=claim)
    assert proof.status == "refuted", mistake
    assert max(n for shape in proof.counterexample.sizes.values() for n in shape) <= 4


@pytest.mark.parametrize("claim", [RIGHT[0][2], RIGHT[6][2]])
def test_a_changed_sign_is_right_only_without_the_padding(claim):
    changed, text = claim.replace("- 1) - p)", "- 1) + p)"), LINE if claim == RIGHT[0][2] else DILATED
    assert check(Formula(text), wrt="x", claim=changed, assume="p == 0").status == "proved"
    assert check(Formula(text), wrt="x", claim=changed, assume="p != 0").status == "refuted"


# --------------------------------------------------------------------------------------- number of outputs

n, a, m, s, d, e, p = map(symbol, "namsdep")
LONG = {"x": e * (n - 1) + 1, "w": d * (a - 1) + 1, "y": s * (m - 1) + 1}  # sizes when zeros stand between


def outputs(stride, length, window, lo, hi):
    """Number of outputs by our size rule, of a window that has its dilation and an array that is stuffed already."""
    f = Formula("z[u] += G[stride*u + r - lo]*v[r]")
    (found,) = f.output_size("u", high={"lo": symbol("hi")})
    values = {symbol("stride"): stride, size("G", 0): length, size("v", 0): window, symbol("lo"): lo, symbol("hi"): hi}
    return found.xreplace(values)


def dx_outputs(hi=0, lo=0):
    pad_lo = d * (a - 1) - p + lo
    pad_hi = LONG["x"] + LONG["w"] - 1 - LONG["y"] - (d * (a - 1) - p) + hi
    return outputs(e, LONG["y"], LONG["w"], pad_lo, pad_hi)


def dw_outputs(hi=0):
    return outputs(d, LONG["x"], LONG["y"], p, LONG["y"] - LONG["x"] + LONG["w"] - 1 - p + hi)


def proved(count, want):
    """Whether our size rule gives the wanted number for all sizes, strides, dilations and paddings."""
    count = count.replace(floordiv, lambda top, by: floordiv(sympy.expand(top), by))
    known = [sympy.Ge(one, 1) for one in (n, a, m, s, d, e)]
    return solver.valid(known, sympy.Eq(count, want, evaluate=False), time.monotonic() + 10).status


def test_the_transposes_have_as_many_outputs_as_the_arrays_have_elements():
    assert proved(dx_outputs(), n) == "proved"
    assert proved(dw_outputs(), a) == "proved"


@pytest.mark.parametrize("count, want", [
    (dx_outputs(hi=1).xreplace({e: sympy.S.One}), n), (dx_outputs(hi=-1), n), (dx_outputs(hi=-2 * p), n),
    (dx_outputs(lo=2 * p), n), (dw_outputs(hi=-1), a), (dw_outputs(hi=2 * p), a), (dw_outputs(hi=d), a),
])  # fmt: skip
def test_another_padding_gives_another_number_of_outputs(count, want):
    assert proved(count, want) == "refuted"


def test_rows_left_over_are_why_pad_hi_knows_the_size():
    """By the end of the last window instead of the size, dX is too small exactly where rows are left over."""
    by_window = dx_outputs(hi=LONG["y"] + LONG["w"] - 1 - 2 * p - n).xreplace({e: sympy.S.One})
    assert proved(by_window, n) == "refuted"
    assert proved(by_window, s * (m - 1) + d * (a - 1) + 1 - 2 * p) == "proved"


# ------------------------------------------------------------------------------------------------ in numbers

def conv_general_dilated(lhs, rhs, stride, pad_lo, pad_hi, lhs_dilation, rhs_dilation):
    """What ``lax.conv_general_dilated`` says of one axis: stuff, pad or crop, slide."""
    def between(array, by):
        long = np.zeros((len(array) - 1) * by + 1, object)
        long[::by] = array
        return long

    lhs, rhs = between(lhs, lhs_dilation), between(rhs, rhs_dilation)
    lhs = np.array([lhs[i] if 0 <= i < len(lhs) else 0 for i in range(-pad_lo, len(lhs) + pad_hi)], object)
    count = (len(lhs) - len(rhs)) // stride + 1
    return [lhs[stride * i : stride * i + len(rhs)] @ rhs for i in range(max(0, count))]


def test_the_rules_in_numbers_are_the_gradients():
    """Hundreds of random geometries; the paddings are evaluated from the same expressions that were proved."""
    random, plain, tried = Random(0), Plain(LINE), 0
    for _ in range(500):
        env = {one: random.randint(1, top) for one, top in ((n, 9), (a, 4), (s, 3), (d, 3), (e, 1))}
        env[p] = random.randint(-3, 4)
        far = random.randint(-2, 3)
        count = (env[n] + env[p] + far - (env[d] * (env[a] - 1) + 1)) // env[s] + 1
        if count < 1:
            continue
        env[m], tried = count, tried + 1
        params = {one.name: env[one] for one in (s, d, p)}
        arrays = filled({"x": (env[n],), "w": (env[a],)})
        g = filled({"g": (count,)})["g"]
        lo = int((d * (a - 1) - p).xreplace(env))
        hi = int((LONG["x"] + LONG["w"] - 1 - LONG["y"]).xreplace(env)) - lo
        dx = conv_general_dilated(g, arrays["w"][::-1], 1, lo, hi, env[s], env[d])
        assert dx == list(gradient(plain, "x", arrays, g, params))
        hi = int((LONG["y"] - LONG["x"] + LONG["w"] - 1 - p).xreplace(env))
        dw = conv_general_dilated(arrays["x"], g, env[d], env[p], hi, 1, env[s])
        assert dw == list(gradient(plain, "w", arrays, g, params))
    assert tried > 300
