"""Lane by lane: sums whose factors are both vectors, for convolutions of many groups, whose lanes are groups.

    Y[v] = Σ_t A[aoff[t]] * B[v*step + boff[t]]        D[j] += Σ_v A[v] * B[v*step + boff[j]]

All vectors v of the one, and all vectors j of the other stay in registers.
"""

from convsym.codegen.cython import HEADER
from convsym.codegen.syntax import DTYPES

# For each CPU level the most vectors of a sum and of its twin: the accumulators, one factor and, without fused
# multiply-add, a product. The twin takes a register for the address of each of its vectors too.
MOST = {"baseline": (12, 8), "v3": (14, 10), "v4": (16, 12)}


def lanewise_text(level: str) -> str:
    """Text of the sums of a level for both dtypes, and of the functions that choose among them.

    Parameters
    ----------
    level : {"baseline", "v3", "v4"}

    Returns
    -------
    str
    """
    sums, twins = MOST[level]
    parts = [HEADER]
    for dtype, real in DTYPES.items():
        for kind, most, arguments in (("sum", sums, _sum_arguments(real)), ("twin", twins, _twin_arguments(real))):
            write = _sum if kind == "sum" else _twin
            parts.append(f"ctypedef void (*lane_{kind}_{dtype})({arguments}) noexcept nogil\n")
            parts += [write(dtype, count) for count in range(1, most + 1)]
            lines = [f"cdef lane_{kind}_{dtype} choose_{kind}_{dtype}(Py_ssize_t count) noexcept nogil:"]
            for count in range(1, most):
                lines += [f"    if count == {count}:", f"        return lane_{kind}_{dtype}_{count}"]
            parts.append("\n".join([*lines, f"    return lane_{kind}_{dtype}_{most}"]) + "\n")
    parts.append(f"cdef enum:\n    SUMS = {sums}  # vectors of a sum, and of its twin\n    TWINS = {twins}\n")
    return "\n\n".join(parts)


def _sum_arguments(real: str) -> str:
    return (
        f"Py_ssize_t terms, const {real}* a, const Py_ssize_t* aoff, const {real}* b, Py_ssize_t step, "
        f"const Py_ssize_t* boff, {real}* y, Py_ssize_t along"
    )


def _sum(dtype: str, count: int) -> str:
    """A row of so many vectors, `along` elements apart."""
    lanes, every = f"lanes_{dtype}", range(count)
    return "\n".join(
        [
            f"cdef void lane_sum_{dtype}_{count}({_sum_arguments(DTYPES[dtype])}) noexcept nogil:",
            "    cdef Py_ssize_t t",
            f"    cdef const {DTYPES[dtype]}* p",
            f"    cdef {lanes} x, " + ", ".join(f"c{v} = zero_{dtype}" for v in every),
            "    for t in range(terms):",
            f"        x = (<const {lanes}*>(a + aoff[t]))[0]",
            "        p = b + boff[t]",
            *(f"        c{v} = c{v} + x*(<const {lanes}*>(p + {v}*step))[0]" for v in every),
            *(f"    (<{lanes}*>(y + {v}*along))[0] = c{v}" for v in every),
        ]
    ) + "\n"


def _twin_arguments(real: str) -> str:
    return (
        f"Py_ssize_t count, const {real}* a, const {real}* b, Py_ssize_t step, const Py_ssize_t* boff, {real}* d"
    )


def _twin(dtype: str, columns: int) -> str:
    """So many neighboring sums over `count` neighboring vectors of `a`."""
    lanes, every = f"lanes_{dtype}", range(columns)
    return "\n".join(
        [
            f"cdef void lane_twin_{dtype}_{columns}({_twin_arguments(DTYPES[dtype])}) noexcept nogil:",
            "    cdef Py_ssize_t v",
            *(f"    cdef const {DTYPES[dtype]}* b{j} = b + boff[{j}]" for j in every),
            f"    cdef {lanes} x, " + ", ".join(f"c{j} = (<{lanes}*>d)[{j}]" for j in every),
            "    for v in range(count):",
            f"        x = (<const {lanes}*>a)[v]",
            *(f"        c{j} = c{j} + x*(<const {lanes}*>(b{j} + v*step))[0]" for j in every),
            *(f"    (<{lanes}*>d)[{j}] = c{j}" for j in every),
        ]
    ) + "\n"
