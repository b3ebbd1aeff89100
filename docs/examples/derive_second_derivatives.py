"""Second derivatives: the derivative of a formula is a formula, so the same functions are applied again."""

import numpy as np

from convsym import Formula, FormulaError, hvp, jvp, prove, vjp

layer = Formula("y[o] += x[stride*o + r - padding] * w[r]", symmetric=["padding"])
dx, dw = vjp(layer, "x"), vjp(layer, "w")
print("forward", layer)
print("dx     ", dx)
print("dw     ", dw, end="\n\n")

# Double backward. The gradient dx depends on dy and w, linearly on each. Its gradient by dy is the convolution again,
# its gradient by w is the weight gradient with the new cotangent ddx in the place of x.
for rule, operand in ((dx, "dy"), (dx, "w"), (dw, "dy"), (dw, "x")):
    second = vjp(rule, operand)
    print(f"gradient of {rule.output} by {operand}: {second}")
    print(f"  {prove(second, budget=60).status}")
print()

# Forward mode: how y moves when both operands move. A convolution is bilinear, so there are two terms.
print("jvp", jvp(layer, ("x", "w")))
print("jvp of dx along w:", jvp(dx, "w"))

# The Hessian times a vector. Mixed derivatives of a bilinear form are its other gradients; by one operand twice there
# is nothing, and that is said.
print("hvp by x along w:", hvp(layer, "x", "w"))
try:
    hvp(layer, "x")
except FormulaError as error:
    print("hvp by x along x:", str(error).splitlines()[0], end="\n\n")

# A formula that is not linear: squared differences of neighbors, the last one to the 0 behind the end.
loss = Formula("y[()] += (x[i + 1] - x[i])**2")
gradient, curvature = vjp(loss, "x"), hvp(loss, "x")
print("loss    ", loss)
print("gradient", gradient)
print("hvp     ", curvature)

# The gradient is linear here, so its difference along a direction is the product with the Hessian, exactly.
x, direction, one = np.array([3, 1, 4, 1, 5]), np.array([0, 1, 0, -2, 1]), np.array(1)
moved = gradient(dy=one, x=x + direction) - gradient(dy=one, x=x)
print("difference of gradients", moved)
print("hvp                    ", curvature(dy=one, tx=direction))
