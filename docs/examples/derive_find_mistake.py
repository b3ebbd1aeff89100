"""Finding the mistake in a published backward: each is refuted by a smallest example, and its mend is proved.

The cases follow bug reports on well-known libraries (the numbers are those of their issues). A report shows a symptom;
the wrong formula here is the index error that has this symptom, written down as somebody would write it by hand.
"""

from convsym import Formula, check

CASES = [
    {
        # Input gradient wrong in the last columns, where the windows do not cover the input: kernel 5, stride 3 and
        # padding 1 leave 2 of 34 columns over. Whoever aligns the windows to the end assumes that none is left.
        "name": "leftover columns (pytorch 25101)",
        "forward": Formula("y[o] += x[s*o + r - p] * w[r]", symmetric=["p"]),
        "wrt": "x",
        "wrong": "dx[x.shape[0] - 1 + p - s*(dy.shape[0] - 1 - o) - (w.shape[0] - 1 - r)] += dy[o] * w[r]",
        "right where": "x.shape[0] + 2*p == s*(y.shape[0] - 1) + w.shape[0]",
        "mend": "dx[s*o + r - p] += dy[o] * w[r]",
    },
    {
        # Transposed convolution with kernel 1 and stride 2: its input gradient took the wrong element of the cotangent.
        "name": "transposed convolution, stride forgotten (pytorch 63314)",
        "forward": Formula("y[s*o + r] += x[o] * w[r]"),
        "wrt": "x",
        "wrong": "dx[o] += dy[o + r] * w[r]",
        "right where": "s == 1",
        "mend": "dx[o] += dy[s*o + r] * w[r]",
    },
    {
        # Padding that is negative in effect crops the input; a backward that pads by at least 0 is offset against it.
        "name": "negative padding (tensorflow 11092, dynet 667)",
        "forward": Formula("y[o] += x[s*o + r - p] * w[r]", symmetric=["p"]),
        "wrt": "x",
        "wrong": "dx[s*o + r] += dy[o] * w[r]",
        "right where": "p == 0",
        "mend": "dx[s*o + r - p] += dy[o] * w[r]",
    },
    {
        # The gradient as a convolution with the reversed kernel needs padding w.shape[0] - 1 - p. It is negative where
        # the forward padding exceeds the kernel, and must not be cut off at 0.
        "name": "more padding than kernel (mlx 833)",
        "forward": Formula("y[o] += x[o + r - p] * w[r]", symmetric=["p"]),
        "wrt": "x",
        "wrong": "dx[i] += dy[i + r] * w[w.shape[0] - 1 - r]",
        "right where": "p == w.shape[0] - 1",
        "mend": "dx[i] += dy[i + r - (w.shape[0] - 1 - p)] * w[w.shape[0] - 1 - r]",
    },
    {
        # "same" padding of an even kernel: the reversed kernel must be padded on the other side.
        "name": "even kernels, padding not swapped",
        "forward": Formula("y[o] += x[o + r - p] * w[r]", symmetric=["p"]),
        "wrt": "x",
        "wrong": "dx[i] += dy[i + r - p] * w[w.shape[0] - 1 - r]",
        "right where": "w.shape[0] == 2*p + 1",
        "mend": "dx[i] += dy[i + p - r] * w[r]",
    },
]

for case in CASES:
    forward, operand = case["forward"], case["wrt"]
    print(case["name"])
    print("  forward   ", forward)

    wrong = check(forward, operand, case["wrong"], budget=60)
    print("  published ", case["wrong"])
    print(f"    {wrong.status}: {wrong.counterexample}")

    # A wrong rule is often right in the cases its author tried.
    special = check(forward, operand, case["wrong"], assume=case["right where"], budget=60)
    print(f"    where {case['right where']}: {special.status}")

    mend = check(forward, operand, case["mend"], budget=60)
    print("  mended    ", case["mend"])
    print(f"    {mend.status}", end="\n\n")
