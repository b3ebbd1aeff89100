"""Stubs of the compiled modules: the signatures that `convsym.codegen.cython` prints, for type checkers."""

from collections.abc import Iterable

from convsym.codegen.cython import HEADER
from convsym.codegen.loops import Nest

_TYPES = {"f32": "float32", "f64": "float64", "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64"}
# The drivers of Winograd's transforms: their arguments, and the types of those that do not follow the dtype.
_FLAGS = {"bad": "NDArray[np.uint8]", "chosen": "NDArray[np.uint8]"}
_MINIMAL = {
    "blocks": {"y": "", "room": "", "x": "", "u": "", "bad": _FLAGS["bad"]},
    "points": {"v": "", "room": "", "x": "", "first": "int"},
    "both": {"v": "", "room": "", "dy": "", "x": "", "first": "int", "jobs": "int"},
    "results": {"y": "", "room": "", "v": "", "u": "", "bad": _FLAGS["bad"], "first": "int"},
    "alone": {"y": "", "room": "", "v": "", "w": "", "bad": _FLAGS["bad"]},
    "weights": {"u": "", "w": ""},
    "pairs": {"d": "", "dy": "", "x": ""},
    "part": {"d": "", "room": "", "dy": "", "x": ""},
    "kernel": {"dw": "", "d": ""},
}
_IMPORTS = "import numpy as np\nfrom numpy.typing import NDArray\n"


def stub_text(nests: Iterable[Nest], dtypes: Iterable[str], flat: bool = False) -> str:
    """Text of the stub of a compiled module.

    Parameters
    ----------
    nests : iterable of Nest
    dtypes : iterable of str
        As of `kernel_text`.
    flat : bool
        Whether the arrays are flat and followed by their shapes.

    Returns
    -------
    str
    """
    functions = [_function(nest, dtype, flat) for nest in nests for dtype in dtypes]
    return f"{HEADER}\n{_IMPORTS}\nENTRIES: dict[str, object]\n\n{''.join(functions)}"


def driver_stubs(dtypes: Iterable[str]) -> str:
    """Stubs of the drivers of the register tiles, which every CPU level has."""
    arrays: dict[str, tuple[str, ...]] = {"fill": ("out", "x"), "turn": ("out", "dy"), "settle": ("dw", "made")}
    arrays |= {"sweep": ("y", "a", "b"), "dot": ("dw", "a", "b"), "interleave": ("out", "x")}
    arrays |= {"strips": ("y", "room", "w", "x")}
    arrays |= {"depthwise": ("y", "room", "x", "w"), "depthwise_dw": ("dw", "room", "x", "dy")}
    arrays |= {"select": ("out", "chosen", "values"), "positive": ("out", "values")}
    arrays |= {"where_positive": ("out", "signs", "values")}
    arrays |= {"windows": ("y", "room", "x"), "windows_back": ("dx", "room", "dy")}
    arrays |= {"pointwise": ("y", "room", "a", "b"), "pointwise_dw": ("dw", "room", "a", "b")}
    arrays |= {"panels": ("y", "room", "a", "b"), "panels_dw": ("dw", "room", "a", "b")}
    lines = []
    for name, operands in arrays.items():
        for dtype in dtypes:
            given = [f"{operand}: {_FLAGS.get(operand) or f'NDArray[np.{_TYPES[dtype]}]'}" for operand in operands]
            given += ["s: NDArray[np.intp]", "start: int", "stop: int", "threads: int"]
            lines.append(f"def {name}_{dtype}({', '.join(given)}) -> None: ...\n")
    for name, kinds in _MINIMAL.items():
        for dtype in dtypes:
            given = [f"{operand}: {kind or f'NDArray[np.{_TYPES[dtype]}]'}" for operand, kind in kinds.items()]
            given += ["s: NDArray[np.intp]", "start: int", "stop: int", "threads: int"]
            lines.append(f"def minimal_{name}_{dtype}({', '.join(given)}) -> None: ...\n")
    lines += [f"def peak_{dtype}(rooms: NDArray[np.{_TYPES[dtype]}], count: int) -> int: ...\n" for dtype in dtypes]
    lines.append("TILES: dict[str, object]\n")
    lines.append("def lanes() -> dict[str, int]: ...\n")
    lines.append("def shapes() -> tuple[dict[int, int], dict[int, int]]: ...\n")
    return "".join(lines)


def openmp_stub() -> str:
    """Stub of the one function of the plain kernels' module that is no kernel."""
    return "def openmp_threads() -> int: ...\n"


def _function(nest: Nest, dtype: str, flat: bool) -> str:
    arrays = (nest.formula.output, *nest.formula.operands)
    arguments = [f"{name}: NDArray[np.{_TYPES[dtype]}]" for name in arrays]
    arguments += [f"{name}_shape: NDArray[np.intp]" for name in arrays if flat]
    arguments += [f"{name}: int" for name in (*nest.formula.parameters, "start", "stop", "threads")]
    return f"def {nest.name}_{dtype}({', '.join(arguments)}) -> None: ...\n"
