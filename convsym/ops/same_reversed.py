"""The layer ⊗ with every element of the filter in reverse order: the convolution of signal processing.

Fed with the cotangent of `same`, it gives the cotangent of its input.
"""

from convsym.op import declare

OPS = declare(
    "same_reversed",
    "y[i, j] += x[i + r - h0, j + s - h1] * w[w.shape[0] - 1 - r, w.shape[1] - 1 - s]",
    doc=__doc__,
    symmetric=("h0", "h1"),
    ranges={"r": "w.shape[0]", "s": "w.shape[1]"},
    assume=("w.shape[0] == 2*h0 + 1", "w.shape[1] == 2*h1 + 1"),
)
