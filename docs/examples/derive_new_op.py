"""A new op from a paper: declared like a file of the registry, derived, proved, printed as a kernel, and checked.

Involution (D. Li et al., Involution: Inverting the Inherence of Convolution for Visual Recognition, CVPR 2021): the
kernel belongs to a place, not to a channel; all channels of a group share it.
"""

import numpy as np

from convsym import prove
from convsym.codegen.cython import kernel_text
from convsym.codegen.loops import nest
from convsym.codegen.python import python_text
from convsym.op import declare

# This is all that a file in convsym/ops/ holds. `spatial` letters are repeated for each axis, with the parameters that
# stand in a subscript with them; `lane` is the index along which the innermost compiled loop runs.
OPS = declare(
    "involution",
    "y[n, g, c, o] += x[n, g, c, o + dilation*r - padding] * w[n, g, r, o]",
    doc=__doc__,
    spatial="o r",
    ranks=(1, 2),
    symmetric=("padding",),
    lane="o",
)
line, plane = OPS
print(line)
print(plane, end="\n\n")

# Gradients in one and two dimensions, proved with all sizes, dilations and paddings free.
for op in OPS:
    for operand, rule in op.rules.items():
        print(f"{op.name} by {operand}: {rule}")
        print(f"  {prove(rule, budget=60).status}")
print()

# The kernel is printed from the rule that was proved. Plain loops come from the same object; they run on anything that
# adds and multiplies.
rule = line.rules["w"]
print(kernel_text(nest("involution1d_dw", rule), "f64"))
print(python_text(rule.gather, "involution1d_dw"))

# Checked against the exact reference on integers, for a few geometries.
namespace = {}
exec(python_text(rule.gather, "printed"), namespace)
random = np.random.default_rng(0)
for dilation, padding in ((1, 0), (1, 1), (2, 2), (3, -1)):
    x = random.integers(-9, 10, (2, 2, 3, 9))
    w = random.integers(-9, 10, (2, 2, 3, 9 + 2 * padding - 2 * dilation))
    dy = random.integers(-9, 10, line.formula(x=x, w=w, dilation0=dilation, padding0=padding).shape)
    found = namespace["printed"](np.zeros_like(w), dy, x, dilation, padding)
    expected = rule(dy=dy, x=x, w=w, dilation0=dilation, padding0=padding)
    print(f"dilation {dilation}, padding {padding}: {w.size} elements, equal: {np.array_equal(found, expected)}")
