"""The product ⊙ with the filter moved down by alpha rows and to the right by beta columns.

Both arrays are zero outside their frames, so every shift is allowed, a negative one too. Content that moves by
+alpha is read at the index minus alpha.
"""

from convsym.op import declare

OPS = declare("shifted_window", "z[()] += x[r + alpha, s + beta] * w[r, s]", doc=__doc__)
