"""Formula to plain Python loops: slow, exact on ints, Fractions and SymPy symbols, and made to be read."""

from itertools import count

import sympy

from convsym.codegen.safe import safe
from convsym.expressions import accesses, array_of, indices_of, size, symbol, to_text, vanishes

_INDENT = "    "


def python_text(formula, name):
    """A Python function that adds a formula's value into its result, loop by loop.

    Parameters
    ----------
    formula : Formula
    name : str
        Name of the function.

    Returns
    -------
    str
        The function takes the result first (an array of zeros to add into), then operands and parameters.
    """
    formula, _ = safe(formula)
    arguments = ", ".join((formula.output, *formula.operands, *formula.parameters))
    lines = [f"def {name}({arguments}):", f'{_INDENT}"""{formula}"""']
    for term in formula.terms:
        lines += _loops(formula, term)
    lines.append(f"{_INDENT}return {formula.output}")
    if any(word in " ".join(lines) for word in ("exp(", "log(", "sqrt(", "tanh(", "sin(", "cos(")):
        lines.insert(0, "from math import cos, exp, log, sin, sqrt, tanh\n\n")
    return "\n".join(lines) + "\n"


def _loops(formula, term):
    """Loops over one term's indices, its guards, range tests of its accesses, and the sum."""
    depth, lines = 1, []

    def emit(line):
        lines.append(_INDENT * depth + line)

    def text(expr):
        return to_text(expr, (*formula.indices, *formula.operands, *formula.order), formula.indices)

    for index in formula.loops(term):
        emit(f"for {index} in range({text(formula.range_of(index))}):")
        depth += 1
    for condition in term.guard:
        if not accesses(condition):
            emit(f"if {text(condition)}:")
            depth += 1
    positions, tested = {}, set()
    swap = {}
    values = count()
    for array, indices, reading in (*((array_of(a), indices_of(a), a) for a in term.arrays()),
                                    (formula.output, term.target, None)):  # fmt: skip
        # Where the term does not vanish with a read, the read is 0 outside and the point counts.
        cuts = reading is None or (vanishes(term.body, reading) and not any(reading in accesses(c) for c in term.guard))
        places, inside = [], []
        for axis, expr in enumerate(indices):
            if expr.is_Symbol and (array, axis) in formula.bare(expr.name):
                places.append(expr)
                continue
            known = (expr, array, axis) in positions
            position = positions.setdefault((expr, array, axis), f"p{len(positions)}")
            within = f"0 <= {position} < {size(array, axis)}"
            if not known:
                emit(f"{position} = {text(expr)}")
            if not cuts:
                inside.append(within)
            elif position not in tested:
                tested.add(position)
                emit(f"if {within}:")
                depth += 1
            places.append(symbol(position))
        if reading is None:
            target = ", ".join(map(text, places)) or "()"
        else:
            swap[reading] = sympy.Indexed(sympy.IndexedBase(array), *places) if places else reading
            if inside:
                value = symbol(f"v{next(values)}")
                emit(f"{value} = {text(swap[reading])} if {' and '.join(inside)} else 0")
                swap[reading] = value
    for condition in term.guard:
        if accesses(condition):
            emit(f"if {text(condition.xreplace(swap))}:")
            depth += 1
    emit(f"{formula.output}[{target}] += {text(term.body.xreplace(swap))}")
    return lines
