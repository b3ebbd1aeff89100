"""The filter with all its elements in reverse order, along both axes; doing it twice changes nothing."""

from convsym.op import declare

OPS = declare(
    "reversed_kernel",
    "v[r, s] = w[w.shape[0] - 1 - r, w.shape[1] - 1 - s]",
    doc=__doc__,
    ranges={"r": "w.shape[0]", "s": "w.shape[1]"},
)
