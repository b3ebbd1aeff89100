"""Register tiles of a plain product of matrices, as the points of Winograd's transforms need it.

    Y[m*ym + v] = Σ_c A[m*am + c*ac] * B[c*bc + v]

The vectors v of a row of B lie side by side, and every step asks for one cache line of what is read later, where a core
can do that beside its multiply-adds: the matrices of the next point do not fit into the first cache beside those of
this one. Its twin reads B from afar, and lays it side by side for the tiles that come after it: a copy made between
multiply-adds costs nothing.
"""

from convsym.codegen.cython import HEADER
from convsym.codegen.syntax import DTYPES
from convsym.codegen.tiles import LEVELS, chooser, lanes_of

WIDEST = 4  # vectors of a tile, at most
# Steps in a row: so few branches are foreseen, and the next tile begins while this one ends. 16 to 96 channels on
# 112×112 took 1.13 times as long with single steps, sums of 128 channels and more as long as now.
STEPS = 4


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
    for dtype, real in DTYPES.items():
        for kind in ("product", "laying"):
            parts.append(f"ctypedef void (*{kind}_kernel_{dtype})({_arguments(kind, real)}) noexcept nogil\n")
            asks = kind == "laying" or LEVELS[level].asks > 1
            parts += [_tile(kind, dtype, m, n, asks) for m, n in shapes]
            parts.append(chooser(dtype, kind, shapes))
    return "\n\n".join(parts)


def _prefetch() -> str:
    return '''
cdef extern from *:
    """
    #if defined(__GNUC__)
    #define convsym_prefetch(place) __builtin_prefetch(place, 0, 2)
    #define convsym_prefetch_result(place) __builtin_prefetch(place, 1, 3)
    #else
    #define convsym_prefetch(place)
    #define convsym_prefetch_result(place)
    #endif
    """
    void convsym_prefetch(const void* place) noexcept nogil
    void convsym_prefetch_result(void* place) noexcept nogil
'''


def _arguments(kind: str, real: str) -> str:
    laid = f"{real}* laid, " if kind == "laying" else ""
    return (
        f"Py_ssize_t channels, const {real}* a, Py_ssize_t am, Py_ssize_t ac, const {real}* b, Py_ssize_t bc, {laid}"
        f"const {real}* later, Py_ssize_t step, {real}* y, Py_ssize_t ym, bint begun"
    )


def _tile(kind: str, dtype: str, rows: int, vectors: int, asks: bool) -> str:
    lanes, every = f"lanes_{dtype}", range(vectors)
    step = [
        *(["convsym_prefetch(later)", "later += step"] if asks else []),
        "; ".join(f"x{v} = (<const {lanes}*>b)[{v}]" for v in every),
        *("; ".join(f"c{m}_{v} = c{m}_{v} + a[{m}*am]*x{v}" for v in every) for m in range(rows)),
        "a += ac",
        "b += bc",
    ]
    if kind == "laying":
        width = lanes_of(dtype)
        step[1:1] = [f"convsym_prefetch(later + {width})"]
        step[4:4] = ["; ".join(f"(<{lanes}*>laid)[{v}] = x{v}" for v in every)]
        step.append(f"laid += {vectors}*{width}")
    return "\n".join(
        [
            f"cdef void {kind}_{dtype}_{rows}x{vectors}({_arguments(kind, DTYPES[dtype])}) noexcept nogil:",
            "    cdef Py_ssize_t c",
            f"    cdef {lanes} " + ", ".join(f"x{v}" for v in every),
            *(f"    cdef {lanes} " + ", ".join(f"c{m}_{v} = zero_{dtype}" for v in every) for m in range(rows)),
            "    if begun:",
            *("        " + "; ".join(f"c{m}_{v} = (<{lanes}*>(y + {m}*ym))[{v}]" for v in every) for m in range(rows)),
            f"    for c in range(floordiv(channels, {STEPS})):",
            *(f"        {line}" for line in step * STEPS),
            f"    for c in range(floormod(channels, {STEPS})):",
            *(f"        {line}" for line in step),
            *("    " + "; ".join(f"(<{lanes}*>(y + {m}*ym))[{v}] = c{m}_{v}" for v in every) for m in range(rows)),
        ]
    ) + "\n"
