"""Formula to loop nest: which indices own the result, which are summed, and where each guard is tested.

Owner indices stand alone in the written access; they are numbered and split over threads, so no two threads write
one element. The lane is the innermost loop. If it stands in the written access, a whole row is added at once and
the sum of each element runs over the outer loops in one fixed order; otherwise it is summed in fixed lanes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import sympy

from convsym.codegen.safe import safe
from convsym.elimination import gather, interval
from convsym.errors import KernelError
from convsym.expressions import accesses, affine, array_of, indices_of, names, sign, size, symbol, vanishes
from convsym.formula import Formula
from convsym.rule import Rule

# Elements of one tile of a row: two rows of float64 fit a first-level cache of 32 kB, and one tile of one kernel
# element is long enough to pay for its bounds.
TILE = 2048
FIRST = symbol("first")  # where the tile begins


@dataclass(frozen=True)
class Loop:
    """A serial loop over the whole range of an index, and what is computed and tested once it is known."""

    index: str
    extent: sympy.Expr
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Check:
    """A named position ``name = expr`` that must lie inside ``[0, length)``; or, without a name, a condition."""

    name: str | None
    expr: sympy.Basic
    length: sympy.Expr | None


@dataclass(frozen=True)
class Nest:
    """The loop nest of one kernel.

    Attributes
    ----------
    name : str
        Kernel name, op and result.
    formula : Formula
        The form that is printed: gathered over every axis but the lane's.
    owners : tuple of (str, int)
        Owner indices and the axis of the result each one runs over.
    checks : tuple of Check
        What is tested once the owners are known.
    loops : tuple of Loop
        Serial loops, outermost first.
    lane : str
        The innermost index.
    lower, upper : tuple of sympy.Expr
        Bounds of the lane; the largest and the smallest count.
    target, reads : tuple, dict
        Written access and read accesses after the checks named their positions.
    body : sympy.Expr
        Value, in the accesses of `reads`.
    guard : tuple
        Conditions on array values, tested at each point.
    tiled : int or None
        Axis of the result along which a row is cut into tiles, which are owners too; None for a dot product.
    """

    name: str
    formula: Formula
    owners: tuple[tuple[str, int], ...]
    checks: tuple[Check, ...]
    loops: tuple[Loop, ...]
    lane: str
    lower: tuple[sympy.Expr, ...]
    upper: tuple[sympy.Expr, ...]
    target: tuple[sympy.Expr, ...]
    body: sympy.Expr
    guard: tuple[sympy.Basic, ...]
    tiled: int | None

    @property
    def in_row(self) -> bool:
        """Whether the lane moves the written access (a row), or is summed (a dot product)."""
        return any(symbol(self.lane) in e.free_symbols for e in self.target)


def nest(name: str, formula: Formula | Rule, lane: str | None = None) -> Nest:
    """Lower a formula or rule to a loop nest.

    Parameters
    ----------
    name : str
        Kernel name.
    formula : Formula or Rule
        A rule is gathered over all axes but those the lane moves.
    lane : str, optional
        Index of the innermost loop; by default the fastest index of the (parent's) output.

    Returns
    -------
    Nest

    Raises
    ------
    KernelError
        The formula is outside of what the plain kernels print.
    """
    if lane is None:
        lane = _fastest(formula.parent if isinstance(formula, Rule) else formula)
    if isinstance(formula, Rule):
        cotangent = "d" + formula.parent.output
        axes = [a for a, e in enumerate(formula.scatter.terms[0].target) if e == symbol(lane) or lane not in names(e)]
        formula = gather(formula.scatter, axes, cotangent)
    formula, changed = safe(formula)
    lane = changed.get(lane, lane)
    if len(formula.terms) != 1:
        raise KernelError(f"{name}: a plain kernel has one term, this formula has {len(formula.terms)}: {formula}")
    return _Lowering(name, formula, lane).run()


def _fastest(formula: Formula) -> str:
    """The last index that stands alone in the written access, or else the last index of all."""
    bare = [e.name for e in formula.terms[0].target if e.is_Symbol and e.name in formula.indices]
    return bare[-1] if bare else formula.indices[-1]


class _Lowering:
    """Places each position and guard of a one-term formula at the outermost loop where it is known."""

    def __init__(self, name: str, formula: Formula, lane: str) -> None:
        self.name, self.formula, self.lane = name, formula, lane
        self.term = formula.terms[0]
        if lane not in formula.loops(self.term):
            raise KernelError(f"{name}: the lane {lane!r} is no index of {formula}")
        self.fresh = (f"p{number}" for number in count())
        self.positions: dict[
            tuple[sympy.Expr, sympy.Symbol], str
        ] = {}  # index expression -> name of the checked position
        self.lower, self.upper = [sympy.S.Zero], [formula.range_of(lane)]
        self.checks: list[Check] = []

    def run(self) -> Nest:
        target = self.term.target
        owners = tuple((e.name, axis) for axis, e in enumerate(target) if e.is_Symbol and e.name != self.lane)
        inner = [n for n in self.formula.loops(self.term) if n != self.lane and n not in dict(owners)]
        for guard in self.term.guard:
            if not accesses(guard):
                self._need(Check(None, guard, None))
        for reading in self.term.arrays():
            self._cuts(reading)
        reads = {a: self._place(array_of(a), indices_of(a)) for a in self.term.arrays()}
        target = self._place(self.formula.output, target)
        tiled = self._tile(target)
        swap = {a: sympy.Indexed(sympy.IndexedBase(array_of(a)), *indices) for a, indices in reads.items()}
        guard = tuple(c.xreplace(swap) for c in self.term.guard if accesses(c))
        levels = self._levels([n for n, _ in owners], inner)
        loops = tuple(Loop(n, self.formula.range_of(n), levels[n]) for n in inner)
        return Nest(
            self.name,
            self.formula,
            owners,
            levels[None],
            loops,
            self.lane,
            tuple(dict.fromkeys(self.lower)),
            tuple(dict.fromkeys(self.upper)),
            target,
            self.term.body.xreplace(swap),
            guard,
            tiled,
        )

    def _cuts(self, reading: sympy.Expr) -> None:
        """Leaving out the points whose read lies outside is right only where the term vanishes with the read."""
        moved = any(not e.is_Symbol or e.name not in self.formula.indices for e in indices_of(reading))
        decides = any(reading in accesses(c) for c in self.term.guard)
        if moved and (decides or not vanishes(self.term.body, reading)):
            raise KernelError(
                f"{self.name}: the term does not vanish where {self.formula.show(reading)} lies outside "
                f"its array, and plain kernels leave such points out: {self.formula}"
            )

    def _tile(self, target: tuple[sympy.Expr, ...]) -> int | None:
        """Keep a row inside of its tile of the result: items stay small, and their rows in the cache."""
        for axis, expr in enumerate(target):
            if self.lane in names(expr):
                lower, upper = interval(expr - FIRST, self.lane, sympy.Integer(TILE))
                self.lower.append(lower)
                self.upper.append(upper)
                return axis
        return None

    def _place(self, array: str, indices: tuple[sympy.Expr, ...]) -> tuple[sympy.Expr, ...]:
        """Index expressions of an access, every one that needs a check replaced by its checked position."""
        return tuple(self._position(e, size(array, axis)) for axis, e in enumerate(indices))

    def _position(self, expr: sympy.Expr, length: sympy.Symbol) -> sympy.Expr:
        if expr.is_Symbol and expr.name in self.formula.indices:
            return expr
        if self.lane in names(expr):
            return self._along_lane(expr, length)
        if (expr, length) not in self.positions:
            name = next(self.fresh)
            self.positions[expr, length] = name
            self._need(Check(name, expr, length))
        return symbol(self.positions[expr, length])

    def _along_lane(self, expr: sympy.Expr, length: sympy.Symbol) -> sympy.Expr:
        parts = affine(expr, self.formula.indices)
        if parts is None or sign(dict(parts[0])[self.lane]) != 1:
            raise KernelError(f"{self.name}: the lane {self.lane} must move {expr} forward by a positive step")
        lower, upper = interval(expr, self.lane, length)
        self.lower.append(lower)
        self.upper.append(upper)
        return expr

    def _need(self, check: Check) -> None:
        if self.lane in names(check.expr):
            raise KernelError(f"{self.name}: the guard {check.expr} depends on the lane {self.lane}")
        self.checks.append(check)

    def _levels(self, owners: list[str], inner: list[str]) -> dict[str | None, tuple[Check, ...]]:
        """Checks by the loop after which all their names are known; None is the owners' level."""
        levels: dict[str | None, tuple[Check, ...]] = {}
        left, unknown = list(self.checks), set(self.formula.indices) - set(owners)
        for level in (None, *inner):
            unknown -= {level}
            ready = [c for c in left if not names(c.expr) & unknown]
            levels[level] = tuple(ready)
            left = [c for c in left if c not in ready]
        return levels
