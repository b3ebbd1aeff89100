"""Items 16 to 21: the matrix–vector product, and 1-D convolution as a banded Toeplitz matrix."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np

from convsym.documents.arrays import counting, integers
from convsym.documents.markdown import array, blocks, bullets, code, figure, math, prose
from convsym.documents.written import written_out
from convsym.errors import ShapeError
from convsym.ops import registry

MATRIX, VECTOR = integers(3, 4, start=1), integers(4)
SAMPLES, TAPS, KERNELS = 8, 3, 2  # of the Toeplitz examples
ROWS = SAMPLES - TAPS + 1
LATER = np.array([1, -1])  # the kernel of a second layer


def matvec() -> str:
    """Item 16."""
    formula = registry["matvec"].formula
    sizes = {"A": (3, 4), "x": (4,), "y": (3,)}
    return blocks(
        "A matrix with m rows and n columns takes a vector of n numbers to a vector of m numbers:",
        math(formula),
        prose("""Written out for three rows and four columns and counted from 1, as books on linear algebra do; note
            that the second index runs along each row, the first one included:"""),
        math(*(written_out(formula, sizes, (i,), base=1) for i in range(3))),
        "Both gradients are products again: the outer product, and the product with the transposed matrix.",
        math(*registry["matvec"].rules.values()),
    )


def by_rows() -> str:
    """Item 17."""
    inner = registry["inner"].formula
    row, x = np.array([3, 4]), np.array([5, 10])
    value, square = int(inner(a=row, x=x)), int(inner(a=row, x=row))
    part = [str(Fraction(value, square) * int(a)) for a in row]
    return blocks(
        "Element i of the result is the inner product of row i with the vector:",
        math(inner),
        figure("matrix-rows", "A matrix times a vector, read by rows"),
        prose("""This number says how much of the row's pattern the vector contains, but it is no projection yet: it
            grows with the row. The length of the projection is the inner product **divided by the norm of the row**,
            the projected vector is that length along the row of norm 1."""),
        f"With the row `{array(row)}` and `x = {array(x)}` the inner product is {value}; the norm of the row is "
        f"{isqrt(square)}, so the projection has length {Fraction(value, isqrt(square))} and is the vector "
        f"({', '.join(part)}).",
    )


def by_columns() -> str:
    """Item 18."""
    columns = registry["matvec_columns"].formula
    parts, whole = columns(A=MATRIX, x=VECTOR), registry["matvec"].formula(A=MATRIX, x=VECTOR)
    return blocks(
        "Each element of the vector is the weight of one column. First weight the columns, then add them up:",
        math(columns),
        figure("matrix-columns", "The same product, read by columns"),
        f"The columns of `A = {array(MATRIX)}`, weighted with `x = {array(VECTOR)}`, are `{array(parts.T)}`; their sum "
        f"is `{array(parts.sum(axis=1))}`, and reading by rows gives `{array(whole)}`.",
    )


def example() -> Any:
    """Signal, kernels, result and Toeplitz blocks of the running example."""
    x, w = integers(SAMPLES, start=2), counting(KERNELS, TAPS)
    return x, w, registry["stacked_kernels"].formula(x=x, w=w), registry["toeplitz"].formula(w=w, rows=ROWS)


def stacked() -> str:
    """Item 20."""
    x, w, y, blocks_ = example()
    m, rows, width = blocks_.shape
    try:
        registry["matvec"].formula(A=w, x=x)
        refusal = "nothing"
    except ShapeError as error:
        refusal = str(error)
    tall = blocks_.reshape(m * rows, width)
    return blocks(
        prose("""Let one short kernel of k numbers slide over a signal of n numbers. There are n − k + 1 places for it.
            With m kernels:"""),
        math(registry["stacked_kernels"].formula),
        figure("stack-and-shift", "Fig. 1: kernels stacked and shifted"),
        prose("""As a matrix, each kernel becomes a block of n − k + 1 rows: the kernel, shifted by one place from row
            to row, zeros elsewhere. The blocks are stacked:"""),
        math(registry["toeplitz"].formula),
        prose("""The matrix stays **as wide as the signal is long**; it is the kernel that has k numbers, not the row.
            Here m = 2, k = 3 and n = 8:"""),
        code(np.array2string(tall), "text"),
        prose(f"""This is a {tall.shape[0]} × {tall.shape[1]} matrix, m(n − k + 1) × n, and its product with
            `x = {array(x)}` is `{array(registry["matvec"].formula(A=tall, x=x))}`; the formula above gives
            `{array(y)}`. A matrix of width k, the m × k kernels themselves, cannot be multiplied with the signal at
            all:"""),
        code(refusal, "text"),
    )


def result() -> str:
    """Item 21."""
    _, _, y, _ = example()
    op = registry["stacked_kernels"]
    return blocks(
        prose("""Each kernel yields one vector of n − k + 1 numbers; m of them lie on each other, and m is called the
            thickness of the result. This size is not assumed but follows from the formula: the largest index whose
            last read is inside the signal,"""),
        code(f"o < {op.formula.show(op.formula.output_size('o')[0])}", "text"),
        figure("stacked-result", "Fig. 2: the result of a 1-D convolution"),
        f"In the example: {y.shape[0]} vectors of {y.shape[1]}. This is without padding, with stride 1, and for n ≥ k.",
    )


def properties() -> str:
    """Item 19."""
    _, w, _, matrices = example()
    matrix = matrices[0]
    used, total = int((matrix != 0).sum()), matrix.size
    diagonals = {int(i): sorted(set(matrix.diagonal(i).tolist())) for i in range(1 - ROWS, SAMPLES)}
    first, second = w[:1], LATER[None]
    later = registry["toeplitz"].formula(w=second, rows=ROWS - 1)[0]
    both = registry["composed_kernel"].formula(w=first[0], u=second[0])
    whole = registry["toeplitz"].formula(w=both[None], rows=ROWS - 1)[0]
    differing = int((later @ matrix != whole).sum())
    return blocks(
        prose(f"""Convolutions suit signals because of three properties that natural signals have, too. All three can be
            seen on the matrix of one kernel, here of `w = {array(first[0])}`:"""),
        code(np.array2string(matrix), "text"),
        bullets([
            prose(f"""**Sparsity** (locality): {used} of {total} elements are weights; all others are zero whatever the
                kernel is. Each output sees {TAPS} neighboring samples and nothing else."""),
            prose(f"""**Stationarity**: the same kernel is used everywhere, so the matrix is constant along each
                diagonal. Its {len(diagonals)} diagonals hold, from the lower left to the upper right,
                {", ".join("/".join(map(str, values)) for values in diagonals.values())}: one number each. {used}
                weights, but only {TAPS} free ones. The gradient of the kernel is the sum along its diagonals:"""),
        ]),
        math(registry["toeplitz"].rules["w"]),
        bullets([
            prose(f"""**Compositionality**: a convolution after a convolution is a convolution. Let
                `u = {array(second[0])}` follow: the product of the two matrices is the Toeplitz matrix of
                one longer kernel, `{array(both)}` ({differing} elements differ), given by"""),
        ]),
        math(registry["composed_kernel"].formula),
        prose(f"""Its {len(both)} taps are the receptive field of the second layer: {second.size} samples of the hidden
            signal see {len(both)} samples of the input. Layer by layer, ever larger patterns are built from smaller
            ones."""),
        figure("toeplitz", "The banded Toeplitz matrix of two kernels"),
        figure("composition", "Two banded matrices multiplied: the receptive field grows"),
    )  # fmt: skip


SECTIONS = {16: matvec, 17: by_rows, 18: by_columns, 20: stacked, 21: result, 19: properties}
