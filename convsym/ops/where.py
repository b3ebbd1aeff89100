"""An element of one array where a condition holds, of another one elsewhere; only the chosen one has a derivative."""

from convsym.op import declare

OPS = declare("where", "y[i] = where(c[i] != 0, a[i], b[i])", doc=__doc__, whole=True, wrt="a b")
