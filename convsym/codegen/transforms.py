"""Winograd's transforms as straight-line text: every matrix of `convsym.cooktoom` a function over vectors of lanes.

A transform of two axes is done along one and then along the other, so a function applies its matrix along one axis, to
`count` lines. Points come in pairs ±p, which give rows, or columns, of equal magnitudes: of two such rows the terms of
equal sign and those of opposite sign are added up once, and the rows are their sum and their difference; of two such
columns the operands are added and subtracted once. No sum becomes longer by that, so the bounds of the matrices hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from convsym.codegen.cython import HEADER
from convsym.codegen.syntax import DTYPES
from convsym.cooktoom import winograd
from convsym.tile import KINDS

TAPS = 3
OUTPUTS = (2, 4, 6)
# y, and dx, which is the y of dy and the turned kernel; and dw.
USED = ("forward", "weight")
_FLOATS: dict[str, Any] = {"f32": np.float32, "f64": np.float64}

Row = tuple[Fraction, ...]
Matrix = tuple[Row, ...]


@dataclass(frozen=True)
class Transform:
    """A matrix with the name and the number of its function.

    Attributes
    ----------
    kind, operand : str
        Of the transforms, and the array that it is applied to; for the result's matrix the result.
    m : int
        Outputs of a tile.
    number : int
        By which the drivers choose it.
    matrix : tuple of tuple of Fraction
    """

    kind: str
    operand: str
    m: int
    number: int
    matrix: Matrix

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.operand}_{self.m}"


@lru_cache
def transforms() -> tuple[Transform, ...]:
    """All transforms, in the order of their numbers."""
    found: list[Transform] = []
    for kind in USED:
        for m in OUTPUTS:
            tile = winograd(m, TAPS, kind=kind)
            for operand, matrix in zip(KINDS[kind], (tile.AT, tile.G, tile.BT), strict=True):
                rows = tuple(tuple(Fraction(e.p, e.q) for e in row) for row in matrix.tolist())
                found.append(Transform(kind, operand, m, len(found), rows))
    return tuple(found)


def transforms_text() -> str:
    """Cython text of all transforms for both dtypes, and of the functions that choose among them.

    Returns
    -------
    str
    """
    parts = [HEADER.rstrip("\n")]
    for dtype in DTYPES:
        parts.append(f"ctypedef void (*transform_{dtype})({_arguments(DTYPES[dtype])}) noexcept nogil\n")
        parts += [_function(transform, dtype) for transform in transforms()]
        lines = [f"cdef transform_{dtype} choose_transform_{dtype}(Py_ssize_t number) noexcept nogil:"]
        for transform in transforms():
            lines += [f"    if number == {transform.number}:", f"        return {transform.name}_{dtype}"]
        parts.append("\n".join([*lines, "    return NULL"]) + "\n")
    return "\n\n".join(parts)


def growth_text() -> str:
    """Text of the module that tells the numeric side what the transforms are: numbers, sizes and growth of errors.

    Returns
    -------
    str
    """
    lines = [HEADER.rstrip("\n"), "", "# Numbers of the transforms by kind, outputs of a tile, and array."]
    lines.append("NUMBERS = {")
    lines += [f"    ({t.kind!r}, {t.m}, {t.operand!r}): {t.number}," for t in transforms()]
    lines += ["}", "# Of each matrix the most terms of a row, and the largest sum of a row's magnitudes as a fraction."]
    lines.append("ROWS = {")
    for t in transforms():
        largest = max(sum(map(abs, row)) for row in t.matrix)
        lines.append(f"    ({t.kind!r}, {t.m}, {t.operand!r}): ({_longest(t.matrix)}, {largest.as_integer_ratio()}),")
    lines += ["}", "# Largest element of |AT|·(|G|·1 ⊙ |BT|·1), as a fraction."]
    lines.append("GROWTH = {")
    for kind in USED:
        for m in OUTPUTS:
            growth = winograd(m, TAPS, kind=kind).growth
            lines.append(f"    ({kind!r}, {m}): ({growth.p}, {growth.q}),")
    return "\n".join([*lines, "}"]) + "\n"


def _longest(matrix: Matrix) -> int:
    """Most terms that a row has."""
    return max(sum(map(bool, row)) for row in matrix)


def _arguments(real: str) -> str:
    return (
        f"{real}* out, Py_ssize_t along, Py_ssize_t step, const {real}* x, Py_ssize_t xalong, Py_ssize_t xstep, "
        "Py_ssize_t count"
    )


def _function(transform: Transform, dtype: str) -> str:
    """Line e is read at ``x + e*xstep``, its elements `xalong` apart, and written likewise."""
    real, lanes = DTYPES[dtype], f"lanes_{dtype}"
    body = _Straight(dtype)
    results = body.product(transform.matrix, [f"x{u}" for u in range(len(transform.matrix[0]))])
    reads = [f"x{u} = (<const {lanes}*>(x + {u}*xalong))[0]" for u in range(len(transform.matrix[0]))]
    writes = [f"(<{lanes}*>(out + {o}*along))[0] = {result}" for o, result in enumerate(results)]
    names = [f"x{u}" for u in range(len(transform.matrix[0]))] + [f"t{i}" for i in range(len(body.lines))]
    return "\n".join(
        [
            f"cdef void {transform.name}_{dtype}({_arguments(real)}) noexcept nogil:",
            "    cdef Py_ssize_t e",
            f"    cdef {lanes} {', '.join(names)}",
            *(f"    cdef {real} {name} = <{real}>{value!r}" for value, name in body.constants.items()),
            "    for e in range(count):",
            *(f"        {line}" for line in (*reads, *body.lines, *writes)),
            "        out += step",
            "        x += xstep",
        ]
    ) + "\n"


class _Straight:
    """The lines of one function: sums of variables times constants."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.lines: list[str] = []
        self.constants: dict[float, str] = {}

    def product(self, matrix: Matrix, names: list[str]) -> list[str]:
        """Names of the elements of the matrix times the variables."""
        matrix, names = self._columns(matrix, names)
        results = [""] * len(matrix)
        for first, second in _pairs(matrix):
            alike, unlike = _split(matrix[first], matrix[second])
            even, odd = self._sum(alike, names), self._sum(unlike, names)
            results[first] = self._named(f"{even} + {odd}")
            results[second] = self._named(f"{even} - {odd}")
        for place, row in enumerate(matrix):
            if not results[place]:
                results[place] = self._sum(row, names)
        return results

    def _columns(self, matrix: Matrix, names: list[str]) -> tuple[Matrix, list[str]]:
        """Pairs of columns replaced by the sum and the difference of their variables."""
        columns, names = [list(column) for column in zip(*matrix, strict=True)], list(names)
        for first, second in _pairs(tuple(map(tuple, columns))):
            alike, unlike = _split(tuple(columns[first]), tuple(columns[second]))
            a, b = names[first], names[second]
            columns[first], columns[second] = list(alike), list(unlike)
            names[first], names[second] = self._named(f"{a} + {b}"), self._named(f"{a} - {b}")
        return tuple(zip(*columns, strict=True)), names

    def _sum(self, row: Sequence[Fraction], names: list[str]) -> str:
        """A variable that holds Σ row[u]·names[u]; positive units come first, so that no sign takes an operation."""
        terms = [(value, name) for value, name in zip(row, names, strict=True) if value]
        terms.sort(key=lambda term: (term[0] < 0, abs(term[0]) != 1))
        if len(terms) == 1 and terms[0][0] == 1:
            return terms[0][1]
        text = ""
        for value, name in terms:
            sign = " - " if value < 0 else " + "
            factor = name if abs(value) == 1 else f"{self._constant(abs(value))}*{name}"
            text += (sign if text or value < 0 else "") + factor
        return self._named(text.strip().replace("- ", "-", 1) if text.startswith(" - ") else text)

    def _named(self, text: str) -> str:
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name

    def _constant(self, value: Fraction) -> str:
        rounded = float(_FLOATS[self.dtype](float(value)))
        unit = Fraction(float(np.finfo(_FLOATS[self.dtype]).eps)) / 2
        assert abs(Fraction(rounded) - value) <= unit * abs(value), "a constant is off by one rounding at most"
        return self.constants.setdefault(rounded, f"k{len(self.constants)}")


def _pairs(rows: Matrix) -> list[tuple[int, int]]:
    """Disjoint pairs of rows of equal magnitudes whose signs agree in some places and disagree in others."""
    found: list[tuple[int, int]] = []
    for second, row in enumerate(rows):
        for first in range(second):
            if any({first, second} & set(pair) for pair in found) or list(map(abs, row)) != list(map(abs, rows[first])):
                continue
            if all(map(any, _split(rows[first], row))):
                found.append((first, second))
    return found


def _split(first: Sequence[Fraction], second: Sequence[Fraction]) -> tuple[Row, Row]:
    """The first of two rows in two parts: where the second has the same sign, and where it has the other."""
    zero = Fraction(0)
    alike = tuple(a if a == b else zero for a, b in zip(first, second, strict=True))
    unlike = tuple(a if a == -b and a else zero for a, b in zip(first, second, strict=True))
    return alike, unlike
