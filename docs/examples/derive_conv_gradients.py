"""A convolution's three gradients: derived line by line, proved for every size, and seen in numbers."""

import numpy as np

from convsym import Formula, prove, vjp

# One axis, several channels, a bias. What stands alone in a subscript is an index (n, k, o, c, r); `stride`,
# `dilation` and `padding` are parameters and stay symbols. Indices that appear only on the right are summed.
layer = Formula("y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r] + b[k]", symmetric=["padding"])
print("forward  ", layer, end="\n\n")

# A gradient is derived in two moves. Differentiating gives the scatter form, in which target and access change places.
# Solving its index equation gives the gather form: every element of the result is computed on its own.
for operand in ("x", "w", "b"):
    rule = vjp(layer, operand)
    print(f"gradient by {operand}")
    for step in rule.steps:
        print(f"  {step.lemma + ':':26}{step.text}")

    # The proof holds for all sizes, strides, dilations and paddings at once. "unknown" would be said, too.
    proof = prove(rule, budget=60)
    print(f"  {proof.status}, {len(proof.obligations)} obligations")
    for obligation in proof.obligations:
        print(f"    {obligation.status}: {obligation.name}")
    print()

# The same objects compute, exactly on integers. With a cotangent of ones the bias gradient counts the outputs.
numbers = {"x": np.arange(7).reshape(1, 1, 7), "w": np.array([[[1, 10, 100]]])}
knobs = {"stride": 2, "padding": 1}
y = layer(**numbers, b=[0], **knobs)
print("y ", y.ravel())
ones = np.ones_like(y)
print("dx", vjp(layer, "x")(dy=ones, w=numbers["w"], x=numbers["x"], **knobs).ravel())
print("dw", vjp(layer, "w")(dy=ones, x=numbers["x"], w=numbers["w"], **knobs).ravel())
print("db", vjp(layer, "b")(dy=ones, b=[0]).ravel())
