"""Register tiles of a plain product of matrices, as the points of Winograd's transforms need it.

    Y[m*ym + v] = Σ_c A[m*am + c*ac] * B[c*bc + v]

The vectors v of a row of B lie side by side, and every step asks for one cache line of what is read later: the matrices
of the next point do not fit into the first cache beside those of this one.
"""

from convsym.codegen.cython import HEADER
from convsym.codegen.syntax import DTYPES
from convsym.codegen.tiles import LEVELS

WIDEST = 4  # vectors of a tile, at most


def products_text(level: str) -> str:
    """Text of the tiles of a level for both dtypes, and of the functions that choose among them.

    Parameters
    ----------
    level : {"baseline", "v3", "v4"}

    Returns
    -------
    str
    """
    shapes = [(m, n) for n, most in LEVELS[level].rows.items() if n <= WIDEST for m in range(1, most + 1)]
    parts = [HEADER + _prefetch()]
    for dtype in DTYPES:
        parts.append(f"ctypedef void (*product_{dtype})({_arguments(DTYPES[dtype])}) noexcept nogil\n")
        parts += [_tile(dtype, m, n) for m, n in shapes]
        lines = [f"cdef product_{dtype} choose_product_{dtype}(Py_ssize_t rows, Py_ssize_t vectors) noexcept nogil:"]
        for m, n in shapes:
            lines += [f"    if rows == {m} and vectors == {n}:", f"        return product_{dtype}_{m}x{n}"]
        parts.append("\n".join([*lines, "    return NULL"]) + "\n")
    return "\n\n".join(parts)


def _prefetch() -> str:
    return '''
cdef extern from *:
    """
    #if defined(__GNUC__)
    #define convsym_prefetch(place) __builtin_prefetch(place, 0, 2)
    #else
    #define convsym_prefetch(place)
    #endif
    """
    void convsym_prefetch(const void* place) noexcept nogil
'''


def _arguments(real: str) -> str:
    return (
        f"Py_ssize_t channels, const {real}* a, Py_ssize_t am, Py_ssize_t ac, const {real}* b, Py_ssize_t bc, "
        f"const {real}* later, Py_ssize_t step, {real}* y, Py_ssize_t ym"
    )


def _tile(dtype: str, rows: int, vectors: int) -> str:
    lanes, every = f"lanes_{dtype}", range(vectors)
    return "\n".join(
        [
            f"cdef void product_{dtype}_{rows}x{vectors}({_arguments(DTYPES[dtype])}) noexcept nogil:",
            "    cdef Py_ssize_t c",
            f"    cdef {lanes} " + ", ".join(f"x{v}" for v in every),
            *(f"    cdef {lanes} " + ", ".join(f"c{m}_{v} = zero_{dtype}" for v in every) for m in range(rows)),
            "    for c in range(channels):",
            "        convsym_prefetch(later)",
            "        later += step",
            "        " + "; ".join(f"x{v} = (<const {lanes}*>b)[{v}]" for v in every),
            *("        " + "; ".join(f"c{m}_{v} = c{m}_{v} + a[{m}*am]*x{v}" for v in every) for m in range(rows)),
            "        a += ac",
            "        b += bc",
            *("    " + "; ".join(f"(<{lanes}*>(y + {m}*ym))[{v}] = c{m}_{v}" for v in every) for m in range(rows)),
        ]
    ) + "\n"
