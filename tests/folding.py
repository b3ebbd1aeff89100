"""Boundary modes for the plain reading of a formula: a position walks back into its axis, step by step."""

import ast

from plain import Plain


def circular(position, size):
    while size and not 0 <= position < size:
        position += size if position < 0 else -size
    return position if size else -1


def replicate(position, size):
    while size and not 0 <= position < size:
        position += 1 if position < 0 else -1
    return position if size else -1


def reflect(position, size):
    """The border is a mirror through the last element: it is not repeated."""
    if size == 1:
        return 0
    while size and not 0 <= position < size:
        position = -position if position < 0 else 2 * (size - 1) - position
    return position if size else -1


def symmetric(position, size):
    """The border is a mirror behind the last element: it is repeated."""
    while size and not 0 <= position < size:
        position = -1 - position if position < 0 else 2 * size - 1 - position
    return position if size else -1


MODES = {f.__name__: f for f in (circular, replicate, reflect, symmetric)}


class Folded(Plain):
    """`Plain`, in whose subscripts the boundary modes know the size of their axis."""

    def __init__(self, text, ranges=None):
        super().__init__(ast.unparse(_Sized().visit(ast.parse(text.strip()))), ranges)

    @property
    def parameters(self):
        return super().parameters - set(MODES)

    def __call__(self, arrays, shape, parameters=None):
        return super().__call__(arrays, shape, (parameters or {}) | MODES)


class _Sized(ast.NodeTransformer):
    """``x[circular(e)]`` becomes ``x[circular(e, x.shape[0])]``."""

    def visit_Subscript(self, node):
        self.generic_visit(node)
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for axis, place in enumerate(places):
            if isinstance(place, ast.Call) and place.func.id in MODES and len(place.args) == 1:
                place.args.append(ast.parse(f"{ast.unparse(node.value)}.shape[{axis}]", mode="eval").body)
        return node
