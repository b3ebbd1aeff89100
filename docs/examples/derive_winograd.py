"""Winograd's F(4, 3) from scratch: four outputs of a three-tap convolution by six products instead of twelve."""

import math
from dataclasses import replace

import numpy as np
import sympy

from convsym import vjp, winograd

# A tile is one line of index notation: 4 outputs y, 3 taps w, 6 inputs x. Its sum with a cotangent g,
#     T(g, w, x) = Σ g[o]·w[r]·x[o + r],
# holds the coefficients of the polynomial product g(t)·w(t), of degree 5, weighted by x. Six values determine such a
# polynomial, so multiply g and w at six points and interpolate. Infinity is a point too: it reads the leading
# coefficients. These are the points that papers and libraries use:
points = [0, 1, -1, 2, -2, math.inf]
classic = winograd(4, 3, points)
print(classic, end="\n\n")

# Where the rows come from: a row of G evaluates w at a point; a row of BT is a polynomial with its zeros at the others.
t = sympy.Symbol("t")
for place, point in enumerate(classic.points):
    polynomial = sum(entry * t**power for power, entry in enumerate(classic.BT.row(place)))
    print(f"t = {point}: {sympy.factor(polynomial)}")
print()

# Nothing to trust: put symbols in, multiply out, and the convolution reappears.
w, x = sympy.symbols("w:3"), sympy.symbols("x:6")
for place, value in enumerate(classic(w=w, x=x)):
    print(f"y[{place}] = {sympy.expand(value)}")
print(f"verify: {classic.verify().status}, against {classic.formula}", end="\n\n")

# One wrong entry is found, and shown by integers that anybody can check by hand.
entries = classic.BT.as_mutable()
entries[1, 2] += 1
wrong = replace(classic, BT=sympy.ImmutableMatrix(entries)).verify()
print(f"with BT[1, 2] + 1: {wrong.status}: {wrong.counterexample}", end="\n\n")

# The price is accuracy. The transforms add and subtract numbers larger than the answer, and rounding errors grow with
# them. `amplification` says how much further than in the direct sum; it depends on the points alone.
best = winograd(4, 3)
for name, transform in {"classic": classic, "searched": best}.items():
    print(f"{name} points {', '.join(map(str, transform.points))}: amplification {float(transform.amplification):.3g}")
random = np.random.default_rng(0)
for _ in range(1000):
    single = {name: random.uniform(-1, 1, shape).astype("float32") for name, shape in best.shapes.items()}
    exact = best.formula(**{name: array.astype("float64") for name, array in single.items()})
    for transform in (classic, best):
        assert np.abs(transform(**single) - exact).max() <= transform.error_bound("float32")
print("float32 errors of 1000 tiles stay within both bounds", end="\n\n")

# In two dimensions the transforms are applied along both axes: 36 products instead of 144.
plane = best.nested(2)
print(f"{plane.name}: {plane.multiplications} products instead of {plane.direct_multiplications}")
print(f"verify: {plane.verify().status}", end="\n\n")

# The gradients are the other two derivatives of T: the same three matrices, one of them transposed, in other roles.
for operand, kind in {"x": "input", "w": "weight"}.items():
    gradient = winograd(4, 3, points, kind=kind)
    assert gradient.formula == vjp(classic.formula, operand)
    print(f"{gradient.name}: {gradient.formula}")
    print(f"verify: {gradient.verify().status}, amplification {float(gradient.amplification):.3g}")
assert winograd(4, 3, points, kind="input").AT == classic.BT.T
assert winograd(4, 3, points, kind="weight").AT == classic.G.T
