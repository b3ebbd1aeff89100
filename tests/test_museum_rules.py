"""The bug museum: published wrong gradients that are errors of an index, each beside the right one.

Numbers in `assume` are those of the report where the mistake needs them.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from test_claims import stated_arrays, true_and_claimed

from convsym import Formula, check, prove, vjp

pytest.importorskip("z3")

PYTORCH = "https://github.com/pytorch/pytorch/issues/"
ONEDNN = "https://github.com/uxlfoundation/oneDNN/blob/main/tests/benchdnn/inputs/conv/harness_conv_regression_general"


@dataclass(frozen=True)
class Case:
    """A row of the museum: what was computed, by which operand, rightly and as published."""

    name: str
    link: str
    formula: str
    wrt: str
    right: str
    wrong: str
    assume: tuple = ()

    def __str__(self):
        return self.name


FROM_THE_END = ("dx[n, c, u] += where((x.shape[2] - u + p - w.shape[2] + r) % s == 0,"
                " dy[n, k, y.shape[2] - 1 - (x.shape[2] - u + p - w.shape[2] + r)//s]*w[k, c, r], 0)")  # fmt: skip
GUARDED = "where((u + p - r) % s == 0, dy[n, k, (u + p - r)//s]*w[k, c, r], 0)"

CASES = (
    Case("the last columns, which no window covers, are 0", PYTORCH + "25101",
         "y[n, k, o] += x[n, c, s*o + r - p]*w[k, c, r]", "x",
         f"dx[n, c, u] += {GUARDED}",
         f"dx[n, c, u] += {GUARDED} + where(u == s*dy.shape[2] + r - p, dy[n, k, dy.shape[2] - 1]*w[k, c, r], 0)",
         ("s == 3", "p == 1", "w.shape[2] == 5", "x.shape[2] == 32", "y.shape[2] == 10")),
    Case("dW where the stride is larger than the kernel", PYTORCH + "68868",
         "y[n, g, k, o] += x[n, g, c, s*o + r - p]*w[g, k, c, r]", "w",
         "dw[g, k, c, r] += dy[n, g, k, o]*x[n, g, c, s*o + r - p]",
         "dw[g, k, c, r] += dy[n, g, k, o]*x[n, g, c, 2*o + r - p]",
         ("s == 4", "p == 1", "w.shape[3] == 2")),
    Case("dX of a transposed convolution takes the wrong element", PYTORCH + "63314",
         "y[n, k, s*i + r] += x[n, c, i]*w[c, k, r]", "x",
         "dx[n, c, i] += dy[n, k, s*i + r]*w[c, k, r]",
         "dx[n, c, i] += dy[n, k, i + r]*w[c, k, r]",
         ("s == 2", "w.shape[2] == 1")),
    Case("channels behind the last whole vector of four", PYTORCH + "21597",
         "y[n, g, k, o] += x[n, g, c, o + r]*w[g, k, c, r]", "x",
         "dx[n, g, c, u] += dy[n, g, k, u - r]*w[g, k, c, r]",
         "dx[n, g, c, u] += where(c < x.shape[2]//4*4, dy[n, g, k, u - r]*w[g, k, c, r], 0)",
         ("x.shape[2] == 6",)),
    Case("a column of a matrix read as if it were contiguous", PYTORCH + "18948",
         "y[o] += x[o + r, 0]*w[r]", "w",
         "dw[r] += dy[o]*x[o + r, 0]",
         "dw[r] += dy[o]*x[(o + r)//x.shape[1], (o + r) % x.shape[1]]",
         ("x.shape[0] == 3", "x.shape[1] == 3")),
    Case("a channel differs from the run of that channel alone", PYTORCH + "23042",
         "y[n, c, o] += x[n, c, s*o + r]*w[c, r]", "w",
         "dw[c, r] += dy[n, c, o]*x[n, c, s*o + r]",
         "dw[c, r] += dy[n, c, o]*x[n, 0, s*o + r]",
         ("s == 2",)),
    Case("cropping by a negative padding runs into the next row", "https://github.com/openxla/xla/issues/48713",
         "y[n, i, j, k] += x[n, i, j - p, c]*w[c, k]", "x",
         "dx[n, i, u, c] += dy[n, i, u + p, k]*w[c, k]",
         "dx[n, i + (j - p)//x.shape[2], (j - p) % x.shape[2], c] += dy[n, i, j, k]*w[c, k]",
         ("p == -5",)),
    Case("cropping by a negative padding is forgotten", "https://github.com/openxla/xla/issues/48713",
         "y[n, i, j, k] += x[n, i, j - p, c]*w[c, k]", "x",
         "dx[n, i, j - p, c] += dy[n, i, j, k]*w[c, k]",
         "dx[n, i, j, c] += dy[n, i, j, k]*w[c, k]",
         ("p == -5", "x.shape[2] == 8", "y.shape[2] == 4")),
    Case("negative padding with a stride: dX starts elsewhere", "https://github.com/tensorflow/tensorflow/issues/11092",
         "y[n, k, o] += x[n, c, s*o + r - p]*w[k, c, r]", "x",
         f"dx[n, c, u] += {GUARDED}",
         "dx[n, c, u] += where((u - r) % s == 0, dy[n, k, (u - r)//s]*w[k, c, r], 0)",
         ("p < 0",)),
    Case("negative padding with a stride: the offset is rounded", "https://github.com/clab/dynet/issues/667",
         "y[n, k, o] += x[n, c, s*o + r - p]*w[k, c, r]", "x",
         "dx[n, c, s*o + r - p] += dy[n, k, o]*w[k, c, r]",
         "dx[n, c, s*o + r - p//s*s] += dy[n, k, o]*w[k, c, r]",
         ("p < 0",)),
    Case("a convolution without spatial axes", "https://github.com/jax-ml/jax/issues/7240",
         "y[n, k] += x[n, c]*w[k, c]", "x",
         "dx[n, c] += dy[n, k]*w[k, c]",
         "dx[n, c] += dy[n, k]*w[c, k]"),
    Case("the gradient of a gradient exchanges batch and channels", "https://github.com/jax-ml/jax/issues/380",
         "v[k, c, r] += g[n, k, o]*x[n, c, o + r]", "g",
         "dg[n, k, o] += dv[k, c, r]*x[n, c, o + r]",
         "dg[n, k, o] += dv[k, c, r]*x[c, n, o + r]"),
    Case("padding at the end only, taken as padding at the start", "https://github.com/ml-explore/mlx/issues/2038",
         "y[n, k, a, b, d] += x[n, c, 2*a + h, 2*b + i, 2*d + j]*w[k, c, h, i, j]", "x",
         "dx[n, c, 2*a + h, 2*b + i, 2*d + j] += dy[n, k, a, b, d]*w[k, c, h, i, j]",
         "dx[n, c, 2*a + h - 1, 2*b + i - 1, 2*d + j - 1] += dy[n, k, a, b, d]*w[k, c, h, i, j]"),
    Case("padding larger than the kernel less one, clipped in the backward pass",
         "https://github.com/ml-explore/mlx/issues/833",
         "y[n, k, o] += x[n, c, o + r - p]*w[k, c, r]", "x",
         "dx[n, c, u] += dy[n, k, u + p - r]*w[k, c, r]",
         "dx[n, c, u] += dy[n, k, u + 2 - r]*w[k, c, r]",
         ("p == 4", "w.shape[2] == 3")),
    Case("ih1iw9 oh1ow4 kh1kw3 sh1sw2, backward by data", ONEDNN,
         "y[n, k, o, q] += x[n, c, o + r, t*q + e]*w[k, c, r, e]", "x",
         "dx[n, c, u, v] += where((v - e) % t == 0, dy[n, k, u - r, (v - e)//t]*w[k, c, r, e], 0)",
         "dx[n, c, u, v] += where((v - e) % t == 0 and v < 8, dy[n, k, u - r, (v - e)//t]*w[k, c, r, e], 0)",
         ("t == 2", "x.shape[2] == 1", "x.shape[3] == 9", "w.shape[2] == 1", "w.shape[3] == 3", "y.shape[3] == 4",
          "y.shape[2] == 1")),
    Case("ih7 oh11 kh3 ph2, padded by 4 at the other end", ONEDNN,
         "y[n, k, o] += x[n, c, o + r - p]*w[k, c, r]", "x",
         "dx[n, c, u] += dy[n, k, u + p - r]*w[k, c, r]",
         "dx[n, c, u] += dy[n, k, u + 4 - r]*w[k, c, r]",
         ("p == 2", "x.shape[2] == 7", "w.shape[2] == 3", "y.shape[2] == 11")),
    Case("wrapping on each chunk instead of the whole", "https://github.com/dask/dask-image/issues/242",
         "y[i] += x[circular(i + r - p)]*w[r]", "x",
         "dx[circular(i + r - p)] += dy[i]*w[r]",
         "dx[i//2*2 + (i + r - p) % 2] += dy[i]*w[r]"),
    Case("overlap on one side of a chunk only", "https://github.com/dask/dask/issues/5448",
         "y[i] += x[i + r - p]*w[r]", "x",
         "dx[u] += dy[u - r + p]*w[r]",
         "dx[u] += where(u//2 <= (u - r + p)//2, dy[u - r + p]*w[r], 0)"),
    Case("chunks whose overlap is not trimmed", "https://github.com/dask/dask/issues/6717",
         "y[i] += x[i + r - p]*w[r]", "w",
         "dw[r] += dy[i]*x[i + r - p]",
         "dw[r] += dy[i]*x[i + r - p] + where(i == 2, dy[i]*x[i + r - p], 0)"),
    # ------------------------------------------------------------------------------- reports of users
    Case("dW of groups", PYTORCH + "51430",
         "y[n, g*K + k, o] += (x[n, g*C + c, o + r]*w[g*K + k, c, r]"
         " for g in range(groups) for k in range(K) for c in range(C))", "w",
         "dw[g*K + k, c, r] += (dy[n, g*K + k, o]*x[n, g*C + c, o + r]"
         " for g in range(groups) for k in range(K) for c in range(C))",
         "dw[g*K + k, c, r] += (dy[n, g*K + k, o]*x[n, c*groups + g, o + r]"
         " for g in range(groups) for k in range(K) for c in range(C))"),
    Case("dilation forgotten in torch.nn.grad", PYTORCH + "13008",
         "y[n, k, o] += x[n, c, s*o + d*r - p]*w[k, c, r]", "w",
         "dw[k, c, r] += dy[n, k, o]*x[n, c, s*o + d*r - p]",
         "dw[k, c, r] += dy[n, k, o]*x[n, c, s*o + r - p]"),
    Case("dilation forgotten in a gradient for each sample", "https://github.com/pytorch/opacus/issues/137",
         "y[n, k, o] += x[n, c, o + d*r]*w[n, k, c, r]", "w",
         "dw[n, k, c, r] += dy[n, k, o]*x[n, c, o + d*r]",
         "dw[n, k, c, r] += dy[n, k, o]*x[n, c, o + r]"),
    Case("rows left over where the stride does not divide", "https://github.com/PKUFlyingPig/CMU10-714/issues/6",
         "y[n, k, o] += x[n, c, s*o + r - p]*w[k, c, r]", "x",
         "dx[n, c, u] += where((u + p - (w.shape[2] - 1) + r) % s == 0,"
         " dy[n, k, (u + p - (w.shape[2] - 1) + r)//s]*w[k, c, w.shape[2] - 1 - r], 0)",
         FROM_THE_END),
)  # fmt: skip

# Rows that are no errors of an index: nothing that a claim could say.
ELSEWHERE = {
    "pytorch#84488, #56922": "an offset in bytes overflows",
    "pytorch#23069": "a crash",
    "pytorch#73193": "a stride, dilation or number of groups of 0 is not checked",
    "jax#11517": "an output of negative size aborts; the size rule is test_sizes_of_the_museum's",
    "dl4j#7281": "memory is overrun; the loop bounds are test_loop_bounds_of_the_museum's",
    "oneDNN DNNL-949, DNNL-982": "the reports do not say what is wrong",
    "scipy#15927": "NaN and the choice of an algorithm",
    "scipy#10761": "an offset in bytes overflows",
    "scipy#7217, #6076": "the type of the result",
    "numerics in general": "compiler flags and fork",
}


def entry(case):
    return {"formula": case.formula, "claim": case.wrong, "wrt": case.wrt, "assume": list(case.assume)}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_published_gradient_is_refuted(case):
    proof = check(Formula(case.formula), wrt=case.wrt, claim=case.wrong, assume=case.assume)
    assert proof.status == "refuted", str(proof)
    found = proof.counterexample
    arrays = stated_arrays(found.fill, found.sizes)
    truth, have = true_and_claimed(entry(case), arrays, found.params)
    assert (truth[found.index], have[found.index]) == (found.expected, found.claimed)
    assert found.expected != found.claimed
    names = {name: type("Array", (), {"shape": shape}) for name, shape in found.sizes.items()} | found.params
    assert all(eval(condition, dict(names)) for condition in case.assume)
    assert max((math.prod(shape) for shape in found.sizes.values()), default=0) <= 200


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_right_gradient_is_proved_with_and_without_the_published_numbers(case):
    for assume in {case.assume, ()}:
        proof = check(Formula(case.formula), wrt=case.wrt, claim=case.right, assume=assume)
        assert proof.status == "proved", str(proof)


def test_every_case_has_a_link_of_its_own_project():
    assert len(CASES) >= 20
    assert all(case.link.startswith("https://github.com/") for case in CASES)
    assert all(ELSEWHERE.values())


def test_sizes_of_the_museum():
    """jax#11517: padding (5, 16), (−5, 1) on an image of 2×3: the second axis has −1 elements, so none."""
    f = Formula("y[i, j] += x[i + r - p, j + e - q]*w[r, e]", symmetric=("p",))
    assert f.shape({"x": (2, 3), "w": (1, 1)}, p=5, q=-5) == (12, 0)


def test_loop_bounds_of_the_museum():
    """dl4j#7281: a kernel of (2, 1) on an image of width 1, stride (1, 1): all reads and writes are inside."""
    f = Formula("y[n, k, o, q] += x[n, c, s*o + r, t*q + e]*w[k, c, r, e]")
    for wrt in ("x", "w"):
        bounds = [o for o in prove(vjp(f, wrt)).obligations if o.name.startswith("bounds")]
        assert len(bounds) >= 4
        assert {o.status for o in bounds} == {"proved"}
    assert np.array_equal(f(x=np.ones((1, 1, 2, 1), int), w=np.ones((1, 1, 2, 1), int)), [[[[2]]]])


def test_rows_counted_from_the_end_are_right_where_none_is_left_over():
    f = Formula("y[n, k, o] += x[n, c, s*o + r - p]*w[k, c, r]")
    whole = "x.shape[2] + 2*p == s*(y.shape[2] - 1) + w.shape[2]"
    assert check(f, wrt="x", claim=FROM_THE_END, assume=whole).status == "proved"
    assert check(f, wrt="x", claim=FROM_THE_END, assume=whole.replace("==", "== 1 +")).status == "refuted"
