"""The product ⊙ of an array and a filter whose upper left corners lie on each other.

Entries with the same index are multiplied and everything is added. The shapes need not agree: where one of the two
arrays ends, the other meets zeros.
"""

from convsym.op import declare

OPS = declare("window", "z[()] += where(i == r and j == s, x[i, j] * w[r, s], 0)", doc=__doc__)
