"""A strided layer by hand: what the guard of its input gradient means, and the residue classes it splits into."""

import numpy as np

from convsym import Formula, check, prove, residue_classes, vjp

layer = Formula("y[o] += x[stride*o + r] * w[r]")
rule = vjp(layer, "x")
print("forward ", layer)
print("scatter ", rule.scatter)
print("gather  ", rule, end="\n\n")

# The guard. Input i is read by output o through tap r where i = stride*o + r. For given i and r there is such an o only
# if stride divides i - r; then it is the quotient. Write the divisors down for stride 3, five inputs and two taps:
for i in range(5):
    taps = [f"o = {(i - r) // 3} through r = {r}" for r in range(2) if (i - r) % 3 == 0]
    print(f"x[{i}] is read by {', '.join(taps) or 'no output: its gradient is a true zero'}")
print()

# Forgetting the guard is the classic mistake: the floor of a quotient that is no integer is an index of another output.
careless = check(layer, "x", "dx[i] += dy[(i - r)//stride] * w[r]")
print("without the guard:", careless.status)
print(" ", careless.counterexample, end="\n\n")

# Residue classes. Fix stride = 2 and split the taps into even ones, r = 2*t, and odd ones, r = 2*t + 1. Then i is
# 2*(o + t) or 2*(o + t) + 1: even inputs meet even taps only, and each class is an ordinary convolution of stride 1.
# Nothing is divided and nothing is tested, which is why fast kernels are written this way.
two = Formula("y[o] += x[2*o + r] * w[r]")
even, odd = "dx[2*o + 2*t] += dy[o] * w[2*t]", "dx[2*o + 2*t + 1] += dy[o] * w[2*t + 1]"
classes = Formula(f"{even}; {odd}", ranges={"t": "(w.shape[0] + 1)//2"})
print("two classes:", classes)
print("  against the derived rule:", check(two, "x", classes, budget=60).status)

# Each class matters. With the odd one left out, half of the inputs lose their gradient.
half = check(two, "x", Formula(even, ranges={"t": "(w.shape[0] + 1)//2"}))
print("  even taps alone:", half.status)
print("   ", half.counterexample, end="\n\n")

# The classes need not be found by hand: they follow from the guard, for any stride, and are proved like a rule.
print("classes for every stride, of every residue a:")
print(" ", residue_classes(rule), prove(residue_classes(rule)).status, sep="  ")
print("and for stride 3:")
print("  " + str(residue_classes(rule, stride=3)).replace("\n", "\n  "), end="\n\n")

# And in numbers: both forms, computed exactly.
dy, w, x = np.array([1, 2, 3]), np.array([1, 10, 100]), np.zeros(7, int)
print("rule   ", vjp(two, "x")(dy=dy, w=w, x=x))
print("classes", classes(dy=dy, w=w, sizes={"dx": x.shape}))
