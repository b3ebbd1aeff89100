"""What is done with vectors of lanes in registers: transposed blocks, and every other element.

A block of as many rows as lanes, transposed, is the step between channels first and channels last. Rows i and i + d,
for d = 1, 2, 4, …, change places in halves: of every 2·d lanes the one row keeps its first d and takes the first d of
the other in place of its last, the other keeps its last d and takes the last of the one.
"""

from convsym.codegen.cython import HEADER
from convsym.codegen.syntax import DTYPES
from convsym.codegen.tiles import LEVELS

_SIZES = {"f32": 4, "f64": 8}


def transposes_text(level: str) -> str:
    """Text of the functions ``transpose_f32`` and ``transpose_f64``, and of ``alternate_f32`` and ``alternate_f64``.

    The former make ``out[j*along + i] = x[i*xalong + j]``. Rows are written one after the other, so rows of `out` may
    overlap: what is written later stays. The latter make a vector ``out[i] = x[2*i]`` and read no element beyond that.

    Parameters
    ----------
    level : {"baseline", "v3", "v4"}

    Returns
    -------
    str
    """
    lines = [
        *("cdef extern from *:", '    """'),
        *("    #if defined(__GNUC__) && defined(__has_builtin)", "    #if __has_builtin(__builtin_shufflevector)"),
        *("    #define CONVSYM_SHUFFLES", "    #endif", "    #endif"),
    ]
    for dtype in DTYPES:
        lanes = LEVELS[level].vector // _SIZES[dtype]
        lines += [f"    {line}" for line in (*_block(dtype, lanes), *_alternate(dtype, lanes))]
    lines.append('    """')
    lines += [f"    void transpose_{dtype}({_arguments(real)}) noexcept nogil" for dtype, real in DTYPES.items()]
    for dtype, real in DTYPES.items():
        lines.append(f"    void alternate_{dtype}({real}* out, const {real}* x) noexcept nogil")
    return f"{HEADER}\n" + "\n".join(lines) + "\n"


def _arguments(real: str) -> str:
    return f"{real}* out, Py_ssize_t along, const {real}* x, Py_ssize_t xalong"


def _block(dtype: str, lanes: int) -> list[str]:
    vector, names = f"lanes_{dtype}", [f"r{i}" for i in range(lanes)]
    lines = [f"static inline void transpose_{dtype}({_arguments(DTYPES[dtype])}) {{", "#ifdef CONVSYM_SHUFFLES"]
    lines += [f"    {vector} {name} = *(const {vector}*)(x + {i}*xalong);" for i, name in enumerate(names)]
    distance = 1
    while distance < lanes:
        below = [lane if not lane & distance else lanes + lane - distance for lane in range(lanes)]
        above = [lane + distance if not lane & distance else lanes + lane for lane in range(lanes)]
        for i in range(lanes):
            if not i & distance:
                a, b = names[i], names[i + distance]
                names[i], names[i + distance] = f"{a}_{distance}", f"{b}_{distance}"
                for name, order in ((names[i], below), (names[i + distance], above)):
                    places = ", ".join(map(str, order))
                    lines.append(f"    {vector} {name} = __builtin_shufflevector({a}, {b}, {places});")
        distance *= 2
    lines += [f"    *({vector}*)(out + {j}*along) = {name};" for j, name in enumerate(names)]
    room = f"sizeof({vector})/sizeof({DTYPES[dtype]})"
    lines += [
        *("#else", f"    Py_ssize_t i, j, lanes = {room};", "    for (j = 0; j < lanes; j++)"),
        *("        for (i = 0; i < lanes; i++)", "            out[j*along + i] = x[i*xalong + j];", "#endif", "}"),
    ]
    return lines


def _alternate(dtype: str, lanes: int) -> list[str]:
    """Every other element: even lanes of the first vector, odd lanes of one that begins an element before its end."""
    vector, real = f"lanes_{dtype}", DTYPES[dtype]
    order = ", ".join(map(str, [*range(0, lanes, 2), *range(lanes + 1, 2 * lanes, 2)]))
    return [
        f"static inline void alternate_{dtype}({real}* out, const {real}* x) {{",
        "#ifdef CONVSYM_SHUFFLES",
        f"    {vector} a = *(const {vector}*)x, b = *(const {vector}*)(x + {lanes - 1});",
        f"    *({vector}*)out = __builtin_shufflevector(a, b, {order});",
        "#else",
        f"    int i, lanes = sizeof({vector})/sizeof({real});",
        *("    for (i = 0; i < lanes; i++)", "        out[i] = x[2*i];", "#endif", "}"),
    ]
