"""The bias of a layer: one number per output channel, added at every position; its gradient is a plain sum."""

from convsym.op import declare

OPS = declare("bias", "y[n, k, o] += b[k]", doc=__doc__, lane="o")
