"""The register-tile family: one step of every convolution, written for the registers of a CPU level.

    C[m, v] += A[m*am + c*ac + aoff[t]] * B[pos[v] + c*bc + boff[t]]

Rows m and vectors v of one tile stay in registers while the channels c and the taps t run; each `A` is one number, each
`B` a vector of lanes at any address. Rank, padding, dilation and the residue classes of a stride are in the tables
`aoff`, `boff` and `pos` alone. Its twin keeps vectors of lanes as partial sums of dot products:

    D[m, j] += Σ A[m*am + p] * B[boff[j] + p]    over vectors p of positions, lane by lane.

A vector of lanes is a GNU vector type, and a plain number where the compiler has none.
"""

from dataclasses import dataclass

from convsym.codegen.cython import HEADER
from convsym.codegen.syntax import DTYPES

_SIZES = {"f32": 4, "f64": 8}


# Tiles of more vectors than this take them one after the other: there are no registers for as many addresses.
APART = 4
# Elements between the A of neighboring channels from which no prefetcher of a CPU follows them, and how many channels
# before its use a line is asked for: the input gradient of 512 to 512 channels on 7×7 took 2.4 times as long without.
FAR, EARLY = 256, 4
# Share of the largest tile's multiply-adds from which a step also asks for what the first vector, and the last, read of
# the next channel. Without, v4 took 1.10 times as long for 3×3 with stride 2, 128 to 128 channels on 56×56, and 1.12
# times for 64 to 64 on 8×8; v3 1.09 times for 256 to 256 on 28×28, and 1.24 times for that with stride 2.
BUSY = 2 / 3


@dataclass(frozen=True)
class Registers:
    """The tiles of one CPU level.

    Attributes
    ----------
    vector : int
        Bytes of a vector register.
    rows : dict of int to int
        For each number of vectors in a tile, the most rows: accumulators, the vectors of B and one of A fit into the
        registers.
    dots : dict of int to int
        For each number of rows of the twin, the most columns.
    asks : int
        Lines that a step of a large tile asks for beside its multiply-adds.
    """

    vector: int
    rows: dict[int, int]
    dots: dict[int, int]
    asks: int

    @property
    def most(self) -> int:
        """Multiply-adds of a step of the largest tile."""
        return max(m * n for n, m in self.rows.items())


# baseline: 16 registers, and a product needs one of its own; v3: 16 with fused multiply-add; v4: 32. Measured in
# November 2026 (float32, 1 core): v4 8×3 198, 6×4 195, 12×2 198 of 240 GFLOP/s; v3 6×2 119 of 120. What a step
# of v3 asks for is not free: with one line in each, products took 1.05 to 1.2 times as long (AMD EPYC, family 25), with
# two instead of one 5×5 kernels 1.1 times.
LEVELS = {
    "baseline": Registers(
        16, {1: 6, 2: 4, 3: 2, 4: 2, 5: 1, 6: 1, 7: 1, 8: 1}, {1: 6, 2: 4, 3: 2, 4: 2}, 1
    ),
    "v3": Registers(
        32, {1: 8, 2: 6, 3: 4, 4: 2, 5: 2, 6: 1, 7: 1, 8: 1, 10: 1}, {1: 10, 2: 6, 3: 3, 4: 2}, 1
    ),
    "v4": Registers(
        64,
        {1: 8, 2: 8, 3: 8, 4: 6, 5: 4, 6: 4, 7: 3, 8: 3, 9: 2, 10: 2, 12: 2, 14: 1, 16: 1},
        {1: 12, 2: 10, 3: 8, 4: 6},
        2,
    ),
}


def tiles_text(level: str) -> str:
    """Text of all tiles of a level, for both dtypes, and of the functions that choose among them.

    Parameters
    ----------
    level : {"baseline", "v3", "v4"}

    Returns
    -------
    str
    """
    registers = LEVELS[level]
    parts = [f"{HEADER}\n{_types(registers.vector)}"]
    for dtype in DTYPES:
        shapes = [(m, n) for n, most in registers.rows.items() for m in range(1, most + 1)]
        dots = [(m, n) for m, most in registers.dots.items() for n in range(1, most + 1)]
        parts += [_tile(dtype, m, n, registers.asks if m * n >= BUSY * registers.most else 0) for m, n in shapes]
        parts += [_dot(dtype, m, n) for m, n in dots]
        parts += [chooser(dtype, "tile", shapes), chooser(dtype, "dot", dots)]
        parts.append(_peak(dtype, registers.most))
    largest = max(m * n for shapes in (registers.rows, registers.dots) for m, n in shapes.items())
    parts.append(f"cdef enum:\n    LARGEST = {largest * registers.vector}  # bytes of the largest tile\n")
    parts[0] += f"\ncdef enum:\n    APART = {APART}  # vectors of a tile that may lie anywhere\n"
    about = "For each number of vectors the most rows of a tile; for each number of rows the most columns of a dot."
    parts.append(f'def shapes():\n    """{about}"""\n    return {registers.rows}, {registers.dots}\n')
    return "\n\n".join(parts)


def _types(vector: int) -> str:
    lines = ["cdef extern from *:", '    """', "    #if defined(__GNUC__)"]
    for dtype, ctype in DTYPES.items():
        attributes = f"vector_size({vector}), aligned({_SIZES[dtype]}), may_alias"
        lines.append(f"    typedef {ctype} lanes_{dtype} __attribute__(({attributes}));")
    lines.append("    #else")
    lines += [f"    typedef {ctype} lanes_{dtype};" for dtype, ctype in DTYPES.items()]
    lines.append("    #endif")
    lines += ["    #if defined(__GNUC__)", "    #define ahead(place) __builtin_prefetch(place)", "    #else"]
    lines += ["    #define ahead(place) ((void)(place))", "    #endif"]
    # What is read once and used often stays in a register: gcc would read it anew for each multiply-add.
    lines += ["    #if defined(__GNUC__) && defined(__AVX512F__)", '    #define hold(x) __asm__("" : "+v"(x))']
    lines += ["    #elif defined(__GNUC__) && defined(__x86_64__)", '    #define hold(x) __asm__("" : "+x"(x))']
    lines += ["    #else", "    #define hold(x) ((void)(x))", "    #endif"]
    lines += [f"    static const lanes_{dtype} zero_{dtype};" for dtype in DTYPES]
    lines += ['    """', "    void ahead(const void* place) noexcept nogil"]
    for dtype, ctype in DTYPES.items():
        lines += [f"    ctypedef {ctype} lanes_{dtype}", f"    const lanes_{dtype} zero_{dtype}"]
        lines.append(f'    void hold_{dtype} "hold"(lanes_{dtype} x) noexcept nogil')
    pointers = [
        f"ctypedef void (*{kind}_kernel_{dtype})({arguments(DTYPES[dtype])}) noexcept nogil"
        for dtype in DTYPES
        for kind, arguments in _ARGUMENTS.items()
    ]
    return "\n".join([*lines, "", *pointers]) + "\n"


def _tile_arguments(real: str) -> str:
    return (
        f"Py_ssize_t channels, Py_ssize_t taps, const {real}* a, Py_ssize_t am, Py_ssize_t ac, "
        f"const Py_ssize_t* aoff, const {real}* b, Py_ssize_t bc, const Py_ssize_t* boff, const Py_ssize_t* pos, "
        f"{real}* y, Py_ssize_t ym, const Py_ssize_t* place, bint begun"
    )


def _tile(dtype: str, rows: int, vectors: int, asks: int) -> str:
    """One tile: vector v of row m of the result is stored at ``y[m*ym + place[v]]``; many vectors follow the first.

    Sums that have begun go on from what is there, so that channels may be done in blocks without another rounding.
    """
    lanes, every = f"lanes_{dtype}", range(vectors)
    bases = every if vectors <= APART else range(1)
    reads = [f"(b{v} + i)" if v in bases else f"(b0 + i + {v}*{lanes_of(dtype)})" for v in every]
    next_channel = sorted({0, vectors - 1})[:asks] if vectors <= APART else []
    products = ["; ".join(f"c{m}_{v} = c{m}_{v} + p[{m}*am]*x{v}" for v in every) for m in range(rows)]
    places = [f"place[{v}]" if v in bases else f"place[0] + {v}*{lanes_of(dtype)}" for v in every]
    results = [[(f"c{m}_{v}", f"(<{lanes}*>(y + {m}*ym + {places[v]}))[0]") for v in every] for m in range(rows)]
    return "\n".join(
        [
            f"cdef void tile_{dtype}_{rows}x{vectors}({_tile_arguments(DTYPES[dtype])}) noexcept nogil:",
            "    cdef Py_ssize_t c, t, i",
            f"    cdef const {DTYPES[dtype]}* p",
            *(f"    cdef const {DTYPES[dtype]}* b{v} = b + pos[{v}]" for v in bases),
            f"    cdef {lanes} " + ", ".join(f"x{v}" for v in every),
            *(f"    cdef {lanes} " + ", ".join(f"c{m}_{v} = zero_{dtype}" for v in every) for m in range(rows)),
            "    if begun:",
            *("        " + "; ".join(f"{sum} = {result}" for sum, result in row) for row in results),
            "    for c in range(channels):",
            "        for t in range(taps):",
            "            i = boff[t]",
            "            " + "; ".join(f"x{v} = (<const {lanes}*>{read})[0]" for v, read in enumerate(reads)),
            *(f"            ahead(b{v} + i + bc)" for v in next_channel),
            "            p = a + aoff[t]",
            *(f"            {line}" for line in products),
            "        a += ac",
            "        " + "; ".join(f"b{v} += bc" for v in bases),
            f"        if ac > {FAR}:",
            f"            p = a + {EARLY}*ac",
            "            " + "; ".join(f"ahead(p + {m}*am)" for m in range(rows)),
            *("    " + "; ".join(f"{result} = {sum}" for sum, result in row) for row in results),
        ]
    ) + "\n"


def _dot_arguments(real: str) -> str:
    return (
        f"Py_ssize_t lines, Py_ssize_t vectors, const {real}* a, Py_ssize_t am, Py_ssize_t al, const {real}* b, "
        f"Py_ssize_t bl, const Py_ssize_t* boff, {real}* d"
    )


def _dot(dtype: str, rows: int, columns: int) -> str:
    """One tile of the twin, over lines of so many vectors: lanes of row m, column j are added to d[m*columns + j]."""
    lanes, every = f"lanes_{dtype}", range(columns)
    name = f"dot_{dtype}_{rows}x{columns}"
    return "\n".join(
        [
            f"cdef void {name}({_dot_arguments(DTYPES[dtype])}) noexcept nogil:",
            "    cdef Py_ssize_t l, v, i",
            *(f"    cdef const {DTYPES[dtype]}* b{j}" for j in every),
            f"    cdef {lanes} s",
            f"    cdef {lanes} " + ", ".join(f"x{m}" for m in range(rows)),
            *(
                f"    cdef {lanes} " + ", ".join(f"c{m}_{j} = (<{lanes}*>d)[{m * columns + j}]" for j in every)
                for m in range(rows)
            ),
            "    for l in range(lines):",
            "        " + "; ".join(f"b{j} = b + boff[{j}]" for j in every),
            "        for v in range(vectors):",
            f"            i = v*{lanes_of(dtype)}",
            "            " + "; ".join(f"x{m} = (<const {lanes}*>(a + {m}*am + i))[0]" for m in range(rows)),
            *(
                f"            s = (<const {lanes}*>(b{j} + i))[0]; hold_{dtype}(s); "
                + "; ".join(f"c{m}_{j} = c{m}_{j} + x{m}*s" for m in range(rows))
                for j in every
            ),
            "        a += al",
            "        b += bl",
            *(
                "    " + "; ".join(f"(<{lanes}*>d)[{m * columns + j}] = c{m}_{j}" for j in every)
                for m in range(rows)
            ),
        ]
    ) + "\n"


def lanes_of(dtype: str) -> str:
    return f"<Py_ssize_t>(sizeof(lanes_{dtype})//sizeof({DTYPES[dtype]}))"


def chooser(dtype: str, kind: str, shapes: list[tuple[int, int]]) -> str:
    """The function that gives the tile of a shape; NULL where there is none."""
    lines = [f"cdef {kind}_kernel_{dtype} choose_{kind}_{dtype}(Py_ssize_t rows, Py_ssize_t vectors) noexcept nogil:"]
    for first in sorted({rows for rows, _ in shapes}):
        lines.append(f"    if rows == {first}:")
        for second in sorted(n for m, n in shapes if m == first):
            lines += [f"        if vectors == {second}:", f"            return {kind}_{dtype}_{first}x{second}"]
    return "\n".join([*lines, "    return NULL"]) + "\n"


def _peak(dtype: str, accumulators: int) -> str:
    """Multiply-adds in registers alone: what the units of a CPU reach, which rates are held against."""
    real, lanes, every = DTYPES[dtype], f"lanes_{dtype}", range(accumulators)
    return "\n".join(
        [
            f"cdef void spin_{dtype}({real}* room, Py_ssize_t count) noexcept nogil:",
            "    cdef Py_ssize_t n",
            f"    cdef {lanes} a = (<{lanes}*>room)[{accumulators}]",
            f"    cdef {lanes} b = (<{lanes}*>room)[{accumulators + 1}]",
            *(f"    cdef {lanes} c{k} = (<{lanes}*>room)[{k}]" for k in every),
            "    for n in range(count):",
            *(f"        c{k} = c{k}*a + b" for k in every),
            *(f"    (<{lanes}*>room)[{k}] = c{k}" for k in every),
            "",
            "",
            f"def peak_{dtype}({real}[:, ::1] rooms not None, Py_ssize_t count):",
            '    """Flops done: multiply-adds of numbers in registers, by a thread for each row of `rooms`."""',
            "    cdef int thread, threads = <int>rooms.shape[0]",
            f"    if rooms.shape[1]*sizeof({real}) < {accumulators + 2}*sizeof({lanes}):",
            f'        raise ValueError("a row of rooms takes {accumulators + 2} vectors")',
            '    for thread in prange(threads, schedule="static", num_threads=threads, nogil=True):',
            f"        spin_{dtype}(&rooms[thread, 0], count)",
            f"    return 2*count*threads*{accumulators}*{lanes_of(dtype)}",
        ]
    ) + "\n"


_ARGUMENTS = {"tile": _tile_arguments, "dot": _dot_arguments}
