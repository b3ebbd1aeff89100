"""Every element raised to one power, any number. The power 0 makes the constant 1, also of 0.

The derivative divides by nothing: at 0 it is 0 for powers above 1.
"""

from convsym.op import declare

OPS = declare("pow", "y[i] = where(p == 0, 1, x[i]**p)", doc=__doc__, whole=True, wrt="x")
