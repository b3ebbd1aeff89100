"""Every element of an array raised to the power that stands in its place in another one.

The derivative by the power holds for elements above 0, where a logarithm exists.
"""

from convsym.op import declare

OPS = declare("power", "y[i] = a[i]**b[i]", doc=__doc__, whole=True)
