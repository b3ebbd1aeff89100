"""The vocabulary of index notation, held as plain SymPy expressions.

SymPy keeps the algebra; what it must not touch is kept opaque. Floor and ceiling division and remainder are undefined
functions, because SymPy's own rewriting loses divisibility conditions; and text is printed here, in an order of our
own, because SymPy's printing order may change with its version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import sympy
from sympy.core.function import AppliedUndef, UndefinedFunction
from sympy.logic.boolalg import And, BooleanFunction, Not, Or

floordiv = UndefinedFunction("floordiv")
ceildiv = UndefinedFunction("ceildiv")
mod = UndefinedFunction("mod")

# Smooth functions of array values that a formula may use. What has a kink (abs, maximum, minimum) is read as a case
# distinction, so that the one-sided value of its derivative can be seen.
FUNCTIONS = {
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
}
RELATIONS = {sympy.Eq: "==", sympy.Ne: "!=", sympy.Lt: "<", sympy.Le: "<=", sympy.Gt: ">", sympy.Ge: ">="}


def symbol(name: str) -> sympy.Symbol:
    """The SymPy symbol of an index or a parameter (no assumptions: nothing is simplified behind our back)."""
    return sympy.Symbol(name)


def size(array: str, axis: int) -> sympy.Symbol:
    """The symbol that stands for the size of an array's axis; it prints as ``x.shape[2]``."""
    return sympy.Symbol(f"{array}.shape[{axis}]")


def stands_alone(expr: sympy.Expr) -> bool:
    """Whether an index expression is a single name, which makes that name an index."""
    return bool(expr.is_Symbol) and ".shape[" not in expr.name


def access(array: str, indices: Sequence[sympy.Expr]) -> sympy.Expr:
    """An access ``array[indices]``; without indices the array is 0-dimensional."""
    if not indices:
        return sympy.Symbol(f"{array}[()]")
    return sympy.Indexed(sympy.IndexedBase(array), *indices)


def is_access(expr: sympy.Basic) -> bool:
    """Whether an expression is an access to an array."""
    return isinstance(expr, sympy.Indexed) or (bool(expr.is_Symbol) and expr.name.endswith("[()]"))


def array_of(reading: sympy.Expr) -> str:
    """Name of the array an access reads."""
    return str(reading.base.label.name if isinstance(reading, sympy.Indexed) else reading.name[:-4])


def indices_of(reading: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """Index expressions of an access."""
    return tuple(reading.indices) if isinstance(reading, sympy.Indexed) else ()


@lru_cache(maxsize=8192)
def accesses(expr: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """All accesses in an expression, sorted by their text, each once."""
    found = expr.atoms(sympy.Indexed) | {s for s in expr.atoms(sympy.Symbol) if is_access(s)}
    return tuple(sorted(found, key=lambda a: (array_of(a), to_text(a))))


@lru_cache(maxsize=8192)
def names(expr: sympy.Expr) -> frozenset[str]:
    """Names of the scalar symbols in an expression: indices, parameters and sizes, but no arrays."""
    found = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, sympy.Indexed):
            stack.extend(node.indices)
        elif node.is_Symbol:
            if not is_access(node):
                found.add(node.name)
        else:
            stack.extend(node.args)
    return frozenset(found)


def vanishes(body: sympy.Expr, reading: sympy.Expr) -> bool:
    """Whether a product is 0 wherever one access is: the access, or a positive power of it, is a factor."""
    powers = (factor.as_base_exp() for factor in sympy.Mul.make_args(body))
    return any(base == reading and exponent.is_positive for base, exponent in powers)


def conjuncts(condition: sympy.Basic) -> tuple[sympy.Basic, ...]:
    """A condition as a flat tuple of conditions that must all hold."""
    if isinstance(condition, And):
        parts = sorted((p for arg in condition.args for p in conjuncts(arg)), key=to_text)
        return tuple(parts)
    return () if condition == sympy.true else (condition,)


@lru_cache(maxsize=4096)
def affine(expr: sympy.Expr, indices: tuple[str, ...]) -> tuple[tuple[tuple[str, sympy.Expr], ...], sympy.Expr] | None:
    """Split an index expression into its index coefficients and the rest.

    Parameters
    ----------
    expr : sympy.Expr
        An index expression.
    indices : tuple of str
        The names that are indices.

    Returns
    -------
    tuple or None
        ``(((name, coefficient), …), rest)`` with ``expr = Σ coefficient·name + rest``, names in the order of `indices`
        and no index in a coefficient or in the rest; None where the expression is not affine in its indices.
    """
    rest = sympy.expand(expr)
    parts = []
    for name in indices:
        index = symbol(name)
        if not rest.has(index):
            continue
        coefficient = rest.coeff(index)
        rest = sympy.expand(rest - coefficient * index)
        if rest.has(index):
            return None
        parts.append((name, coefficient))
    free = {symbol(name) for name in indices}
    if any(coefficient.free_symbols & free for _, coefficient in parts) or rest.free_symbols & free:
        return None
    return tuple(parts), rest


def linear(expr: sympy.Expr, name: str) -> tuple[sympy.Expr, sympy.Expr] | None:
    """Coefficient and rest of an expression that is linear in one name, or None; other names may be nested in it."""
    whole, one = sympy.expand(expr), symbol(name)
    coefficient = whole.coeff(one)
    rest = sympy.expand(whole - coefficient * one)
    return None if coefficient == 0 or rest.has(one) or coefficient.has(one) else (coefficient, rest)


def vanishing(body: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """Accesses that are factors of a body: where one of them is outside its array, the whole body is 0."""
    powers = [factor.as_base_exp() for factor in sympy.Mul.make_args(body)]
    return tuple(base for base, exponent in powers if is_access(base) and exponent.is_positive)


def digits(
    expr: sympy.Expr, free: Iterable[str], range_of: Callable[[str], sympy.Expr]
) -> tuple[str, str, sympy.Expr, sympy.Expr] | None:
    """Two free indices of ``C·a + b`` with ``0 ≤ b < C``, as the digits of a number; or None.

    Parameters
    ----------
    expr : sympy.Expr
    free : iterable of str
        Indices that may be solved for.
    range_of : callable
        From an index to its range; only a range that is a parameter can be `C`, which is then at least 1.

    Returns
    -------
    tuple or None
        Names of the high and the low index, `C`, and what is left of the number without them.
    """
    parts = {n: found[0] for n in sorted(free) if (found := linear(expr, n))}
    for low, one in parts.items():
        base = range_of(low) if one == 1 else None
        high = [n for n, c in parts.items() if c == base and base is not None and base.is_Symbol and stands_alone(base)]
        if high:
            return high[0], low, base, sympy.expand(expr - base * symbol(high[0]) - symbol(low))
    return None


def sign(coefficient: sympy.Expr) -> int | None:
    """Sign of a coefficient when every parameter that multiplies is ≥ 1: 1, -1, or None if it is not known."""
    number, rest = coefficient.as_coeff_Mul()
    if any(not factor.is_Symbol for factor in sympy.Mul.make_args(rest) if factor != 1):
        return None
    return 1 if number > 0 else -1 if number < 0 else None


# ---------------------------------------------------------------------------------------------- canonical text


@lru_cache(maxsize=8192)
def to_text(expr: sympy.Expr, order: tuple[str, ...] = (), indices: tuple[str, ...] = (), strength: int = 0) -> str:
    """Print an expression or condition as formula text.

    Parameters
    ----------
    expr : sympy.Basic
        What to print.
    order : tuple of str
        Names of indices, arrays and parameters in the order in which sums and products show them.
    indices : tuple of str
        Which of the names are indices: they come first in a sum and last among the scalars of a product.
    strength : int
        How strongly the surroundings bind; what binds less is put in parentheses.
    """
    return Text(order, indices).show(expr, strength)


class Ordering:
    """Our own order of the summands and factors of an expression, the same for every printer."""

    def __init__(self, order: tuple[str, ...] = (), indices: tuple[str, ...] = ()) -> None:
        self.rank = {name: position for position, name in enumerate(order)}
        self.indices = frozenset(indices)

    def key(self, expr: sympy.Expr) -> tuple[int, list[int], list[int], str]:
        """Sort key of a summand: arrays in their order, then indices, parameters, numbers."""
        last = len(self.rank)
        arrays = sorted(self.rank.get(array_of(a), last) for a in accesses(expr))
        ranked = sorted(self.rank.get(n, last) for n in names(expr))
        kind = 0 if arrays else 1 if names(expr) & self.indices else 2 if ranked else 3
        return kind, arrays, ranked, sympy.srepr(expr)

    def factor_key(self, factor: sympy.Expr) -> tuple[int, list[int], list[int], str]:
        """Parameters before indices before arrays, as one writes ``stride*o``."""
        kind, arrays, ranked, tie = self.key(factor)
        return -kind, arrays, ranked, tie

    def addends(self, expr: sympy.Expr) -> list[tuple[bool, sympy.Expr]]:
        """Summands as ``[(is negative, absolute term), …]``, positive ones first."""
        negative = [-t for t in expr.args if t.as_coeff_Mul()[0] < 0]
        positive = [t for t in expr.args if t.as_coeff_Mul()[0] >= 0]
        return [(False, t) for t in sorted(positive, key=self.key)] + [
            (True, t) for t in sorted(negative, key=self.key)
        ]

    def factors(self, expr: sympy.Expr) -> tuple[list[sympy.Expr], list[sympy.Expr]]:
        """Factors of a positive product: those above and those below the fraction bar."""
        number, rest = expr.as_coeff_Mul()
        above, below = [], []
        for factor in sorted(sympy.Mul.make_args(rest), key=self.factor_key):
            base, exponent = factor.as_base_exp()
            if exponent.is_Rational and exponent < 0:
                below.append(base**-exponent)
            elif factor != 1:
                above.append(factor)
        if number.p != 1 or not above:
            above.insert(0, sympy.Integer(number.p))
        if number.q != 1:
            below.insert(0, sympy.Integer(number.q))
        return above, below


class Text(Ordering):
    """Recursive printer; the number given to `show` is the binding strength of the surroundings.

    Each kind of expression has a method, so that a printer of another language replaces only what differs.
    """

    functions: ClassVar[dict[sympy.Basic, str]] = {function: name for name, function in FUNCTIONS.items()}

    def show(self, expr: sympy.Expr, strength: int = 0) -> str:
        for kinds, method, own in _METHODS:
            if isinstance(expr, kinds):
                text: str = getattr(self, method)(expr)
                return f"({text})" if own < strength else text
        return self.call(expr)

    def number(self, expr: sympy.Expr) -> str:
        return str(expr)

    def name(self, expr: sympy.Symbol) -> str:
        return str(expr.name)

    def indexed(self, expr: sympy.Expr) -> str:
        places = [self.subscript(e, size(array_of(expr), axis)) for axis, e in enumerate(expr.indices)]
        return f"{array_of(expr)}[{', '.join(places)}]"

    def subscript(self, expr: sympy.Expr, length: sympy.Symbol) -> str:
        """A subscript; a function of a position and the size of its own axis leaves the size out."""
        own = isinstance(expr, AppliedUndef) and type(expr) not in (floordiv, ceildiv, mod) and expr.args[1] == length
        return f"{expr.func.__name__}({self.show(expr.args[0], 0)})" if own else self.show(expr, 0)

    def add(self, expr: sympy.Expr) -> str:
        text = ""
        for negative, term in self.addends(expr):
            if negative and not text:
                text = self.minus(term)
                continue
            mark = " - " if negative else " + " if text else ""
            text += mark + self.show(term, 3 if negative else 2)
        return text

    def minus(self, expr: sympy.Expr) -> str:
        """A sign in front; it binds more strongly than // and %, of which the sign would belong to the dividend."""
        return "-" + self.show(expr, 4 if isinstance(expr, (floordiv, mod)) else 3)

    def mul(self, expr: sympy.Expr) -> str:
        if expr.as_coeff_Mul()[0] < 0:
            return self.minus(-expr)
        above, below = self.factors(expr)
        return "*".join(self.show(f, 4) for f in above) + "".join("/" + self.show(f, 4) for f in below)

    def power(self, expr: sympy.Expr) -> str:
        base, exponent = expr.args
        if exponent.is_negative:
            return "1/" + self.show(base**-exponent, 4)
        if exponent.is_Rational and exponent.q == 2:
            root = f"sqrt({self.show(base, 0)})"
            return root if exponent.p == 1 else f"{root}**{exponent.p}"
        below_zero = base.is_Integer and base < 0  # only a power that is no number leaves it standing
        return f"{f'({base})' if below_zero else self.show(base, 5)}**{self.show(exponent, 5)}"

    def floor(self, expr: sympy.Expr) -> str:
        return f"{self.show(expr.args[0], 3)}//{self.show(expr.args[1], 4)}"

    def ceiling(self, expr: sympy.Expr) -> str:
        return f"-(-{self.show(expr.args[0], 4)}//{self.show(expr.args[1], 4)})"

    def remainder(self, expr: sympy.Expr) -> str:
        return f"{self.show(expr.args[0], 3)} % {self.show(expr.args[1], 4)}"

    def relation(self, expr: sympy.Basic) -> str:
        return f"{self.show(expr.lhs, 1)} {RELATIONS[type(expr)]} {self.show(expr.rhs, 1)}"

    def logic(self, expr: sympy.Basic) -> str:
        if isinstance(expr, Not):
            return "not " + self.show(expr.args[0], 1)
        word = " and " if isinstance(expr, And) else " or "
        return word.join(sorted(self.show(a, 1) for a in expr.args))

    def call(self, expr: sympy.Expr) -> str:
        name = self.functions.get(type(expr)) or expr.func.__name__
        return f"{name}({', '.join(self.show(a, 0) for a in expr.args)})"


# Kinds, how each is printed, and how strongly it binds (0 condition, 1 comparison, 2 sum, 3 product, 4 power, 5 atom).
_METHODS = (
    (sympy.Integer, "number", 5),
    (sympy.Number, "number", 3),
    (sympy.Indexed, "indexed", 5),
    (sympy.Symbol, "name", 5),
    (sympy.Add, "add", 2),
    (sympy.Mul, "mul", 3),
    (sympy.Pow, "power", 4),
    (floordiv, "floor", 3),
    (ceildiv, "ceiling", 2),
    (mod, "remainder", 3),
    (tuple(RELATIONS), "relation", 1),
    (BooleanFunction, "logic", 0),
    (Or, "logic", 0),
)


@dataclass(frozen=True)
class Term:
    """One summand of a formula: where its guard holds, `body` is added to the output at `target`.

    Parameters
    ----------
    target : tuple of sympy.Expr
        Index expressions of the written access.
    body : sympy.Expr
        Value; accesses in it are `sympy.Indexed`.
    guard : tuple of sympy conditions
        Conditions that must all hold.
    """

    target: tuple[sympy.Expr, ...]
    body: sympy.Expr
    guard: tuple[sympy.Basic, ...] = ()

    def names(self) -> set[str]:
        """Names of all indices, parameters and sizes in the term."""
        return set().union(*map(names, (*self.target, *self.guard, self.body)))

    def arrays(self) -> tuple[sympy.Expr, ...]:
        """All accesses of body and guard, each once."""
        return tuple(dict.fromkeys(a for e in (self.body, *self.guard) for a in accesses(e)))

    def replace(self, mapping: Mapping[sympy.Symbol, sympy.Expr]) -> Term:
        """The term with symbols replaced simultaneously."""
        return Term(
            tuple(e.xreplace(mapping) for e in self.target),
            self.body.xreplace(mapping),
            tuple(c.xreplace(mapping) for c in self.guard),
        )
