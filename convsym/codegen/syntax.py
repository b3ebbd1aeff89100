"""Expressions in C syntax, as Cython reads it, and the types of array values."""

from collections.abc import Mapping

import sympy

from convsym.errors import KernelError
from convsym.expressions import Ordering, accesses, array_of, ceildiv, floordiv, indices_of, is_access, mod

DTYPES = {"f32": "float", "f64": "double"}
# Sums and products wrap modulo 2ⁿ, and do so alike for signed numbers: those are computed as unsigned ones.
INTEGERS = {"u8": "unsigned char", "u16": "unsigned short", "u32": "unsigned int", "u64": "unsigned long long"}
# C computes with integers narrower than int in int, whose overflow is undefined: their products are made unsigned.
PROMOTED = {"u8": "unsigned int", "u16": "unsigned int"}
CTYPES = {**DTYPES, **INTEGERS}
# Fixed numbers of partial sums, the same at every CPU level.
LANES = {"f32": 16, "f64": 8, "u8": 16, "u16": 16, "u32": 16, "u64": 8}
_RELATIONS = {sympy.Eq: "==", sympy.Ne: "!=", sympy.Lt: "<", sympy.Le: "<=", sympy.Gt: ">", sympy.Ge: ">="}


class Syntax(Ordering):
    """Expressions in C syntax, as Cython reads it; values are built of products, sums and quotients only."""

    def __init__(
        self,
        order: tuple[str, ...],
        indices: tuple[str, ...],
        ctype: str | None = None,
        reads: Mapping[sympy.Expr, str] | None = None,
        promoted: str | None = None,
        flat: bool = False,
    ) -> None:
        super().__init__(order, indices)
        self.ctype, self.reads, self.flat = ctype, reads or {}, flat
        self.cast = f"<{promoted}>" if promoted else ""

    def show(self, expr: sympy.Expr, inner: bool = False) -> str:
        if is_access(expr):
            return self.reads.get(expr) or self.element(array_of(expr), indices_of(expr))
        if expr.is_Symbol:
            name: str = expr.name
            return name.replace(".shape[", "_shape[") if self.flat else name
        if expr.is_Integer:
            number = str(expr) if self.ctype is None else f"<{self.ctype}>{abs(int(expr))}"
            return f"({number})" if expr < 0 and self.ctype is None else number if expr >= 0 else f"(-{number})"
        if type(expr) in _RELATIONS:
            return f"{self.show(expr.lhs)} {_RELATIONS[type(expr)]} {self.show(expr.rhs)}"
        if isinstance(expr, (floordiv, ceildiv, mod)):
            function = {floordiv: "floordiv", ceildiv: "ceildiv", mod: "floormod"}[type(expr)]
            return f"{function}({self.show(expr.args[0])}, {self.show(expr.args[1])})"
        text = self.compound(expr)
        return f"({text})" if inner else text

    def element(self, array: str, indices: tuple[sympy.Expr, ...]) -> str:
        """An element of an array; of a flat one, by its number in row-major order."""
        if not self.flat or not indices:
            return f"{array}[{', '.join(map(self.show, indices)) or '()'}]"
        first, *others = indices
        place = self.show(first)
        for axis, index in enumerate(others, 1):
            place = f"({place})*{array}_shape[{axis}]" + ("" if index == 0 else f" + {self.show(index)}")
        return f"{array}[{place}]"

    def compound(self, expr: sympy.Expr) -> str:
        if isinstance(expr, sympy.Add):
            text = ""
            for negative, term in self.addends(expr):
                mark = (" - " if text else "-") if negative else " + " if text else ""
                text += mark + self.show(term, inner=isinstance(term, sympy.Add) or bool(negative and text == ""))
            return text
        if isinstance(expr, sympy.And):
            return " and ".join(sorted(self.show(a, inner=True) for a in expr.args))
        if isinstance(expr, sympy.Mul) or (expr.is_Rational and self.ctype):
            if expr.as_coeff_Mul()[0] < 0:
                return "-" + self.show(-expr, inner=True)
            above, below = self.factors(expr)
            if below and self.ctype is None:
                raise KernelError(f"the quotient {expr} cannot stand in an index")
            return (
                self.cast
                + "*".join(self.show(f, inner=True) for f in above)
                + "".join("/" + self.show(f, inner=True) for f in below)
            )
        if isinstance(expr, sympy.Pow) and expr.exp.is_Integer and expr.exp > 0:
            return self.cast + "*".join([self.show(expr.base, inner=True)] * int(expr.exp))
        raise KernelError(f"no kernel text for {expr}")


def in_ring(body: sympy.Expr) -> bool:
    """Whether a value is made of array values by sums and products alone."""
    variables = {a: sympy.Dummy() for a in accesses(body)}
    made = body.xreplace(variables)
    return made.is_polynomial(*variables.values()) and all(n.is_Integer for n in made.atoms(sympy.Number))
