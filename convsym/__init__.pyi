from convsym import autograd, grad, nn
from convsym._version import __version__
from convsym.accounts import explain
from convsym.autograd.leaves import tensor
from convsym.bounds import error_bound
from convsym.cooktoom import winograd
from convsym.derivation import hvp, jvp, vjp
from convsym.errors import ConvsymError, FormulaError, KernelError, ProofError, ShapeError, TapeError
from convsym.formula import Formula
from convsym.functional import conv, conv1d, conv2d, conv3d
from convsym.jacobians import jacobian, jacobian_nnz, jacobian_pattern
from convsym.kept import plan
from convsym.kernels import config, get_num_threads, register_threadpoolctl, set_num_threads, show_config
from convsym.kernels.threads import threads
from convsym.memory import get_memory_limit, set_memory_limit
from convsym.norms import spectral_norm
from convsym.notation import latex, mathml
from convsym.op import Op
from convsym.operators import linear_operator
from convsym.ops import registry
from convsym.pooling import avg_pool, avg_pool1d, avg_pool2d, avg_pool3d
from convsym.proofs import check, prove
from convsym.residues import residue_classes
from convsym.rule import Rule
from convsym.signals import convolve, correlate
from convsym.sparse import toeplitz
from convsym.specs import Spec
from convsym.theorems import size_theorems
from convsym.tile import Winograd
from convsym.transposed import conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d
from convsym.unfolding import boundary_pieces
from convsym.verdict import Proof
from convsym.windows import fold, unfold

__all__ = [
    "ConvsymError",
    "Formula",
    "FormulaError",
    "KernelError",
    "Op",
    "Proof",
    "ProofError",
    "Rule",
    "ShapeError",
    "Spec",
    "TapeError",
    "Winograd",
    "__version__",
    "autograd",
    "avg_pool",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "boundary_pieces",
    "check",
    "config",
    "conv",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolve",
    "correlate",
    "error_bound",
    "explain",
    "fold",
    "get_memory_limit",
    "get_num_threads",
    "grad",
    "hvp",
    "jacobian",
    "jacobian_nnz",
    "jacobian_pattern",
    "jvp",
    "latex",
    "linear_operator",
    "mathml",
    "nn",
    "plan",
    "prove",
    "register_threadpoolctl",
    "registry",
    "residue_classes",
    "set_memory_limit",
    "set_num_threads",
    "show_config",
    "size_theorems",
    "spectral_norm",
    "tensor",
    "threads",
    "toeplitz",
    "unfold",
    "vjp",
    "winograd",
]
