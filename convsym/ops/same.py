"""The layer ⊗ of one channel whose output has the size of its input ("same" padding).

The filter has an odd number of rows and of columns, 2*h0 + 1 and 2*h1 + 1, and its center lies on the output's place.
The filter is not flipped: this is a cross-correlation.
"""

from convsym.op import declare

OPS = declare(
    "same",
    "y[i, j] += x[i + r - h0, j + s - h1] * w[r, s]",
    doc=__doc__,
    symmetric=("h0", "h1"),
    assume=("w.shape[0] == 2*h0 + 1", "w.shape[1] == 2*h1 + 1"),
)
