"""Convolution layers as the frameworks describe them: read, written, compared, run.

A `Spec` says everything of a layer but its weights' values. It is read from torch, ONNX, JAX and Keras without
importing any of them, and written for each; two specs are compared as functions, and where they differ an input
shows it.
"""

from convsym.specs.comparison import Comparison, Example
from convsym.specs.spec import Spec

__all__ = ["Comparison", "Example", "Spec"]
