"""The shift ▷: content moves down by alpha rows and to the right by beta columns, on a plane that is zero elsewhere.

What moves by +alpha is read at the index minus alpha. The frame of the result reaches as far as the moved content.
"""

from convsym.op import declare

OPS = declare("shift", "v[i, j] = w[i - alpha, j - beta]", doc=__doc__)
