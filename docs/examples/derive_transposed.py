"""The transposed convolution is the input gradient; output_padding says which of several input sizes is meant."""

import numpy as np

from convsym import Formula, check, prove, registry, size_theorems, vjp

layer = Formula("y[n, k, o] += x[n, c, stride*o + r - padding] * w[k, c, r]", symmetric=["padding"])
print("convolution ", layer)

# Differentiate by x and read the scatter form with other names (dy is the input, dx the output, k and c swapped):
# that is what libraries call a transposed convolution. No other definition is needed, nor another proof.
back = vjp(layer, "x")
print("its adjoint ", back.scatter)
transposed = Formula("y[n, c, stride*o + r - padding] += x[n, k, o] * w[k, c, r]")
print("transposed  ", transposed)
print("the adjoint is proved:", prove(back, budget=60).status)
forward_again = "dx[n, k, o] += dy[n, c, stride*o + r - padding] * w[k, c, r]"
print("its own gradient is the convolution again:", check(transposed, "x", forward_again, budget=60).status, end="\n\n")

# Which size does it have? A strided convolution forgets: several input sizes give one output size.
kernel, stride, padding = 3, 2, 1
sizes = {}
for size in range(1, 13):
    outputs = layer.shape({"x": (1, 1, size), "w": (1, 1, kernel)}, stride=stride, padding=padding)[-1]
    sizes.setdefault(outputs, []).append(size)
print(f"kernel {kernel}, stride {stride}, padding {padding}")
for outputs, inputs in sizes.items():
    print(f"  {outputs} output{'s' * (outputs > 1)} from {' or '.join(map(str, inputs))} inputs")
print()

# Going back, somebody has to say which one was meant. The smallest is what the last written index gives; output_padding
# is added to it. The theorem below is derived from the size rule and proved with all symbols free.
for theorem in size_theorems(registry["conv1d"].formula, budget=60):
    if theorem.name == "output padding":
        print(f"{theorem.name}: {theorem.statement}")
        print(f"  {theorem.proof.status}", end="\n\n")

# The elements that output_padding adds need not be zero: a window may reach them although the smallest size left them
# out. Where padding cuts the windows off, they carry values.
x, w = np.array([[[1, 2]]]), np.array([[[1, 10, 100]]])
smallest = sizes[2][0]
for extra in range(stride):
    y = transposed(x=x, w=w, stride=stride, padding=padding, sizes={"y": (1, 1, smallest + extra)})
    print(f"output_padding {extra}: {y.ravel()}")
