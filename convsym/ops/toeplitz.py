"""The banded Toeplitz matrix of each kernel: row o holds the kernel, shifted by o places; all else is zero.

Its number of rows is how often the kernel is shifted; its number of columns follows from the last place written.
"""

from convsym.op import declare

OPS = declare("toeplitz", "T[k, o, o + r] += w[k, r]", doc=__doc__, ranges={"o": "rows"})
