"""Convolutions as one line of index notation: differentiated, proved, compiled, called, drawn.

    y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r]

Names are imported when they are first used (PEP 562), so `import convsym` loads neither SymPy nor a prover,
and the numeric functions never do.
"""

from importlib import import_module
from typing import Any

from convsym._version import __version__

_MODULE_OF = {
    "Formula": "formula",
    "Rule": "rule",
    "hvp": "derivation",
    "jvp": "derivation",
    "vjp": "derivation",
    "residue_classes": "residues",
    "boundary_pieces": "unfolding",
    "jacobian": "jacobians",
    "jacobian_nnz": "jacobians",
    "jacobian_pattern": "jacobians",
    "Proof": "verdict",
    "prove": "proofs",
    "check": "proofs",
    "Winograd": "tile",
    "winograd": "cooktoom",
    "latex": "notation",
    "mathml": "notation",
    "Op": "op",
    "size_theorems": "theorems",
    "registry": "ops",
    "Spec": "specs",
    "conv": "functional",
    "conv1d": "functional",
    "conv2d": "functional",
    "conv3d": "functional",
    "conv_transpose": "transposed",
    "conv_transpose1d": "transposed",
    "conv_transpose2d": "transposed",
    "conv_transpose3d": "transposed",
    "convolve": "signals",
    "correlate": "signals",
    "fold": "windows",
    "unfold": "windows",
    "avg_pool": "pooling",
    "avg_pool1d": "pooling",
    "avg_pool2d": "pooling",
    "avg_pool3d": "pooling",
    "linear_operator": "operators",
    "spectral_norm": "norms",
    "toeplitz": "sparse",
    "config": "kernels",
    "show_config": "kernels",
    "explain": "accounts",
    "error_bound": "bounds",
    "plan": "kept",
    "get_memory_limit": "memory",
    "set_memory_limit": "memory",
    "get_num_threads": "kernels",
    "set_num_threads": "kernels",
    "register_threadpoolctl": "kernels",
    "threads": "kernels.threads",
    "tensor": "autograd.leaves",
    "ConvsymError": "errors",
    "FormulaError": "errors",
    "KernelError": "errors",
    "ProofError": "errors",
    "ShapeError": "errors",
    "TapeError": "errors",
}
_SUBMODULES = ("autograd", "grad", "nn")

__all__ = ["__version__", *_MODULE_OF, *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"convsym.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'convsym' has no attribute {name!r}")
    value = getattr(import_module(f"convsym.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
