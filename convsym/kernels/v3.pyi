from convsym.kernels.baseline import *
