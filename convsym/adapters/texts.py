"""Forms as texts and back: what an operator of a framework can take beside tensors.

The text is what Python prints for a form, and it is read by its syntax: nothing in it is run.
"""

import ast
from dataclasses import fields
from functools import lru_cache
from typing import Any

from convsym.arguments import Parameters
from convsym.averaging import Pooling
from convsym.geometry import Geometry
from convsym.multilinear import AveragePooling, Convolution, Windows
from convsym.operations import How, Operation

_CLASSES = {
    cls.__name__: cls
    for cls in (AveragePooling, Convolution, Geometry, How, Operation, Parameters, Pooling, Windows)
}
_FIELDS = {name: tuple(field.name for field in fields(cls)) for name, cls in _CLASSES.items()}


def write(value: Any) -> str:
    """The text of a form, or of a part of one. A compiler of the framework can follow how it is made.

    Examples
    --------
    >>> from convsym.multilinear import folding
    >>> read(write(folding((3, 2), (4,), (3,)))) == folding((3, 2), (4,), (3,))
    True
    """
    if type(value).__name__ in _CLASSES:
        parts = [f"{name}={write(getattr(value, name))}" for name in _FIELDS[type(value).__name__]]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, tuple):
        return "(" + "".join([f"{write(item)}, " for item in value]) + ")"
    return repr(value)


@lru_cache(maxsize=1024)
def read(text: str) -> Any:
    """The form of a text.

    Raises
    ------
    ValueError
        The text is not one of a form.
    """
    return _value(ast.parse(text, mode="eval").body)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(map(_value, node.elts))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if not isinstance(node, ast.Call):
        raise ValueError(f"{ast.unparse(node)} is no part of a form")
    if not isinstance(node.func, ast.Name) or node.func.id not in _CLASSES or node.args:
        raise ValueError(f"{ast.unparse(node)} is no form")
    cls = _CLASSES[node.func.id]
    given = {keyword.arg: _value(keyword.value) for keyword in node.keywords}
    return cls(*(given[name] for name in _FIELDS[node.func.id]))
