"""One geometry as an integer problem with the reference's answer, and the comparison that allows no
differing bit.

`differing` takes the function under test as an argument: `public` calls convsym; the tests of mutants pass
one that computes with kernels of a mutated rule.
"""

from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
import reference

import convsym
from convsym import grad


@dataclass(frozen=True)
class Problem:
    """Integer arrays of one case: operands x, w, dy and the reference's y, dx, dw, db, all int64."""

    case: object
    x: np.ndarray
    w: np.ndarray
    dy: np.ndarray
    y: np.ndarray
    dx: np.ndarray
    dw: np.ndarray
    db: np.ndarray


@cache
def problem(case):
    """The problem of a case, filled with integers from -9 to 9 that depend on the case alone."""
    into, out = case.channels
    outputs = reference.output_size(case.inputs, case.kernel, case.stride, case.dilation, case.padding)
    random = Random(str(case))
    x = _filled((case.batch, case.groups * into, *case.inputs), random)
    w = _filled((case.groups * out, into, *case.kernel), random)
    dy = _filled((case.batch, case.groups * out, *outputs), random)
    triples = list(
        reference.relation(
            case.batch,
            case.groups,
            case.channels,
            case.inputs,
            case.kernel,
            outputs,
            case.stride,
            case.dilation,
            case.padding,
        )
    )
    y = reference.convolution(_as_dict(x), _as_dict(w), triples)
    dx, dw, db = reference.gradients(_as_dict(x), _as_dict(w), _as_dict(dy), triples)
    shapes = {"y": dy.shape, "dx": x.shape, "dw": w.shape, "db": w.shape[:1]}
    answers = {
        name: _as_array(shapes[name], places) for name, places in dict(y=y, dx=dx, dw=dw, db=db).items()
    }
    return Problem(case, x, w, dy, **answers)


def public(problem, dtype, algorithm="direct"):
    """What convsym computes for a problem: a dict with y, dx, dw and db."""
    case = problem.case
    rank = len(case.kernel)
    x, w, dy = (array.astype(dtype) for array in (problem.x, problem.w, problem.dy))
    knobs = case.stride, case.padding, case.dilation, case.groups
    return {
        "y": getattr(convsym, f"conv{rank}d")(x, w, None, *knobs, algorithm=algorithm),
        "dx": getattr(grad, f"conv{rank}d_input")(x.shape, w, dy, *knobs, algorithm=algorithm),
        "dw": getattr(grad, f"conv{rank}d_weight")(x, w.shape, dy, *knobs, algorithm=algorithm),
        "db": getattr(grad, f"conv{rank}d_bias")(dy),
    }


def differing(problem, dtype, compute=public):
    """Number of differing bits of each result against the reference, for those that differ."""
    results = compute(problem, dtype)
    counts = {name: bits(results[name], getattr(problem, name).astype(dtype)) for name in results}
    return {name: count for name, count in counts.items() if count}


def bits(value, expected):
    """Number of differing bits of two arrays that must agree in dtype and shape."""
    assert value.dtype == expected.dtype
    assert value.shape == expected.shape
    unequal = np.frombuffer(value.tobytes(), np.uint8) ^ np.frombuffer(expected.tobytes(), np.uint8)
    return int(np.unpackbits(unequal).sum())


def _filled(shape, random):
    return np.array([random.randint(-9, 9) for _ in range(int(np.prod(shape)))], np.int64).reshape(shape)


def _as_dict(array):
    return {place: int(value) for place, value in np.ndenumerate(array)}


def _as_array(shape, places):
    array = np.zeros(shape, np.int64)
    for place, value in places.items():
        array[place] = value
    return array
