"""A layer of one channel with p0 rows of zeros above and p1 columns of zeros to the left, output as large as input.

The filter may have any size, even ones included; what is missing below and to the right is zero as well.
"""

from convsym.op import declare

OPS = declare(
    "padded",
    "y[i, j] += x[i + r - p0, j + s - p1] * w[r, s]",
    doc=__doc__,
    ranges={"i": "x.shape[0]", "j": "x.shape[1]"},
)
