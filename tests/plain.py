"""Formula text as plain Python loops: a second reading of the language that shares nothing with the package.

The text is Python already; each addend is evaluated by Python at every point of the loops over the names that stand
alone in some subscript. Slow, and for tests only.
"""

import ast
import math
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import sympy

FUNCTIONS = ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")


class Padded:
    """An array that reads as 0 outside its range, and never from its end."""

    def __init__(self, array):
        self.array = np.asarray(array)
        self.shape = self.array.shape

    def __getitem__(self, place):
        place = place if isinstance(place, tuple) else (place,)
        if all(0 <= p < n for p, n in zip(place, self.shape, strict=True)):
            return self.array[place]
        return 0


class Plain:
    """A formula's text, read by Python itself.

    `ranges` gives the range of indices that stand alone nowhere; ``(… for r in range(n))`` in the text does the same.
    """

    def __init__(self, text, ranges=None):
        self.ranges = {name: ast.parse(str(value), mode="eval").body for name, value in (ranges or {}).items()}
        self.addends = []  # (target nodes, sign, value node)
        self.output = None
        for node in ast.parse(text.strip()).body:
            target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
            value = node.value
            if isinstance(value, ast.GeneratorExp):
                self.ranges |= {part.target.id: part.iter.args[0] for part in value.generators}
                value = value.elt
            self.output = target.value.id
            self.addends += [(_places(target), sign, addend) for sign, addend in _addends(value)]
        self.bare, self.ranks = {}, {self.output: len(self.addends[0][0])}
        for target, _, value in self.addends:
            self._note(self.output, target)
            for node in ast.walk(value):
                if _is_access(node):
                    self.ranks[node.value.id] = len(_places(node))
                    self._note(node.value.id, _places(node))

    def _note(self, array, places):
        for axis, node in enumerate(places):
            if isinstance(node, ast.Name):
                self.bare.setdefault(node.id, []).append((array, axis))

    @property
    def operands(self):
        return [name for name in self.ranks if name != self.output]

    @property
    def indices(self):
        return {*self.bare, *self.ranges}

    @property
    def parameters(self):
        names = {
            n.id
            for target, _, value in self.addends
            for node in (*target, value)
            for n in ast.walk(node)
            if isinstance(n, ast.Name)
        }
        names |= {n.id for node in self.ranges.values() for n in ast.walk(node) if isinstance(n, ast.Name)}
        return names - self.indices - set(self.ranks) - {*FUNCTIONS, "where", "abs", "maximum", "minimum"}

    def extents(self, shapes, parameters, wanted=None):
        """Range of each index (or of those wanted) at concrete shapes of all arrays, the output included."""
        names = {name: Padded(np.zeros(shape)) for name, shape in shapes.items()} | parameters
        found = {name: max(0, _value(node, names)) for name, node in self.ranges.items() if name in (wanted or [name])}
        return {
            name: shapes[array][axis] for name, places in self.bare.items() for array, axis in places if array in shapes
        } | found

    def __call__(self, arrays, shape, parameters=None):
        """The output of a given shape, as an array of objects."""
        parameters = parameters or {}
        shapes = {name: np.shape(array) for name, array in arrays.items()} | {self.output: shape}
        extents = self.extents(shapes, parameters)
        names = _environment(arrays) | {name: Padded(array) for name, array in arrays.items()}
        names |= {self.output: Padded(np.zeros(shape)), **parameters}
        out = np.zeros(shape, dtype=object)
        for target, sign, value in self.addends:
            used = {n.id for node in (*target, value) for n in ast.walk(node) if isinstance(n, ast.Name)}
            loops = sorted(used & self.indices)
            codes = [_code(node) for node in target]
            code = _code(value)
            for point in product(*(range(extents[name]) for name in loops)):
                here = names | dict(zip(loops, point, strict=True))
                place = tuple(eval(c, here) for c in codes)
                amount = eval(code, here)
                if all(0 <= p < n for p, n in zip(place, shape, strict=True)):
                    out[place] = out[place] + sign * amount
        return out

    def shapes(self, extents, other=4):
        """Shapes of all arrays when indices have these extents; axes on which none stands alone have size `other`."""
        return {
            array: tuple(
                next((extents[n] for n, places in self.bare.items() if (array, axis) in places), other)
                for axis in range(rank)
            )
            for array, rank in self.ranks.items()
        }


def filled(shapes, seed=0, low=-4, high=5):
    """Integer arrays of Python objects."""
    random = Random(str(seed) + repr(sorted(shapes.items())))
    return {
        name: np.array([random.randint(low, high) for _ in range(math.prod(shape))], object).reshape(shape)
        for name, shape in sorted(shapes.items())
    }


class Form:
    """A linear form in the entries of one operand, ``{place: coefficient}``; what is constant in them is left out."""

    def __init__(self, coefficients):
        self.coefficients = coefficients

    def __add__(self, other):
        found = dict(self.coefficients)
        for place, number in getattr(other, "coefficients", {}).items():
            found[place] = found.get(place, 0) + number
        return Form(found)

    def __mul__(self, number):
        if isinstance(number, Form):
            raise TypeError("not linear")
        return Form({place: number * c for place, c in self.coefficients.items()})

    def __sub__(self, other):
        return self + -1 * other

    def __rsub__(self, other):
        return -1 * self + other

    def __truediv__(self, number):
        return self * Fraction(1, number)

    def __neg__(self):
        return -1 * self

    __radd__, __rmul__ = __add__, __mul__


def jacobian_product(plain, wrt, arrays, cotangent, parameters=None):
    """Σ dy·∂y/∂x for a formula that is linear in `wrt`: every entry is the unit form of its place.

    Raises TypeError where the formula is not linear.
    """
    result = np.zeros(np.shape(arrays[wrt]), dtype=object)
    units = result.copy()
    for place in np.ndindex(result.shape):
        units[place] = Form({place: 1})
    y = plain(arrays | {wrt: units}, cotangent.shape, parameters)
    for g, form in zip(cotangent.flat, y.flat, strict=True):
        for place, slope in getattr(form, "coefficients", {}).items():
            result[place] += g * slope
    return result


def slopes_product(plain, wrt, arrays, cotangent, parameters=None):
    """Σ dy·∂y/∂x for any smooth formula: SymPy differentiates by one entry at a time."""
    result = np.zeros(np.shape(arrays[wrt]), dtype=object)
    entry = sympy.Symbol("entry")
    for place in np.ndindex(result.shape):
        moved = arrays[wrt].copy()
        moved[place] = entry
        y = plain(arrays | {wrt: moved}, cotangent.shape, parameters)
        slope = sum((g * sympy.diff(v, entry) for g, v in zip(cotangent.flat, y.flat, strict=True)), sympy.Integer(0))
        result[place] = slope.subs(entry, arrays[wrt][place])
    return result


def gradient(plain, wrt, arrays, cotangent, parameters=None):
    """Σ dy·∂y/∂x, by linear forms where the formula is linear in `wrt`, else by SymPy."""
    try:
        return jacobian_product(plain, wrt, arrays, cotangent, parameters)
    except (TypeError, sympy.SympifyError):
        return slopes_product(plain, wrt, arrays, cotangent, parameters)


def _places(node):
    if isinstance(node.slice, ast.Tuple):
        return node.slice.elts
    return [node.slice]


def _is_access(node):
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)


def _addends(node, sign=1):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield from _addends(node.left, sign)
        yield from _addends(node.right, -sign if isinstance(node.op, ast.Sub) else sign)
    else:
        yield sign, node


def _code(node):
    tree = ast.fix_missing_locations(ast.Expression(_Python().visit(ast.parse(ast.unparse(node), mode="eval").body)))
    return compile(tree, "formula", "eval")


def _value(node, names):
    return eval(compile(ast.fix_missing_locations(ast.Expression(node)), "range", "eval"), dict(names))


class _Python(ast.NodeTransformer):
    """``where`` evaluates one branch only, quotients and decimals are exact."""

    def visit_Call(self, node):
        self.generic_visit(node)
        if node.func.id == "where":
            return ast.IfExp(*node.args)
        return node

    def visit_BinOp(self, node):
        self.generic_visit(node)
        name = {ast.Div: "ratio", ast.Pow: "power"}.get(type(node.op))
        return ast.Call(ast.Name(name, ast.Load()), [node.left, node.right], []) if name else node

    def visit_Constant(self, node):
        if isinstance(node.value, float):
            return ast.Call(ast.Name("decimal", ast.Load()), [ast.Constant(str(node.value))], [])
        return node


def _environment(arrays):
    """Functions of a text: floating-point ones if an array holds floats, exact ones otherwise."""
    floats = any(np.asarray(a).dtype.kind == "f" for a in arrays.values())
    source = math if floats else sympy
    found = {name: getattr(source, name) for name in FUNCTIONS}
    return found | {
        "ratio": _ratio,
        "power": lambda a, n: a**n if isinstance(n, sympy.Expr) or n >= 0 else _ratio(1, a**-n),
        "decimal": (lambda text: float(text)) if floats else Fraction,
        "maximum": lambda a, b: a if a >= b else b,
        "minimum": lambda a, b: a if a <= b else b,
        "abs": lambda a: a if a >= 0 else -a,
    }


def _ratio(a, b):
    return Fraction(a) / b if isinstance(a, int) and isinstance(b, int | Fraction) else a / b
