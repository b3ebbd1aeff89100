"""The logistic function of every element: every number becomes one between 0 and 1."""

from convsym.op import declare

OPS = declare("sigmoid", "y[i] = 1 / (1 + exp(-x[i]))", doc=__doc__, whole=True)
