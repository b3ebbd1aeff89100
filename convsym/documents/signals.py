"""Items 22 to 28: signals with channels, the help, and the worked examples."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from textwrap import indent
from typing import Any

import numpy as np

import convsym
from convsym.documents.arrays import checksum, integers
from convsym.documents.markdown import array, blocks, code, figure, math, prose, table
from convsym.documents.written import counted_from, written_out
from convsym.op import Op
from convsym.ops import registry


def signals() -> str:
    """Item 22."""
    stacked = registry["stacked_kernels"].formula
    sizes = {"x": (8,), "w": (1, 3), "y": (1, 6)}
    return blocks(
        prose("""A sampled signal is a map from a **finite** set of places Ω to numbers: one number at each place for a
            mono recording (one channel), two for stereo, c numbers in general. Ω is a row of n places for sound and a
            grid of places for an image."""),
        figure("mono-signal", "Fig. 3: a monophonic signal"),
        figure("stereo-signal", "The same with two channels: a stereophonic signal"),
        prose("""Places can be counted from 0 or from 1. Here **counting starts at 0**, as in every array language:
            Ω = {0, …, n − 1}. Texts that count from 1 write the same formula with another offset; from one object both
            are printed. From 0, and then from 1:"""),
        math(stacked, counted_from(stacked, 1)),
        "One element written out, from 0 and from 1:",
        math(written_out(stacked, sizes, (0, 2), base=0), written_out(stacked, sizes, (0, 2), base=1)),
        "With several channels in the signal, each kernel has as many, and the sum runs over them as well:",
        math(registry["conv1d"].formula),
    )


def kernel_by_kernel() -> str:
    """Item 23."""
    x, w = integers(1, 2, 8), integers(2, 2, 3, start=4)
    y = registry["conv1d"].formula(x=x, w=w)
    return blocks(
        prose("""At one place of the output, take the window of the signal below the kernel and form its scalar product
            with each kernel in turn, all channels included: one number for each kernel. Then move on by one place."""),
        figure("layer-by-layer", "Fig. 4: scalar products, kernel by kernel"),
        f"`x = {array(x[0])}` and `w = {array(w)}` give `{array(y[0])}`.",
    )


def reading_help() -> str:
    """Item 24."""
    function = convsym.conv1d
    shown = inspect.cleandoc(function.__doc__ or "").partition("\n\nParameters\n")[0]
    formula = registry["conv1d"].formula
    return blocks(
        prose("""In IPython, a question mark after a name shows its documentation; in plain Python,
            `help(convsym.conv1d)` does. It begins with the signature and the formula (Fig. 5):"""),
        code(f"conv1d{_without_types(inspect.signature(function))}\n{indent(shown, '    ')}", "text"),
        prose("""The size of the output follows from the formula: the largest range of `o0` whose last read lies in the
            padded input,"""),
        code(f"o0 < {formula.show(formula.output_size('o0')[0])}", "text"),
    )  # fmt: skip


def _without_types(signature: inspect.Signature) -> inspect.Signature:
    """Names, order and defaults of the arguments."""
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return inspect.Signature(plain)


def _run(function: Callable[..., np.ndarray], x: np.ndarray, w: np.ndarray, **options: Any) -> np.ndarray:
    """A convolution of integers as float64, by the algorithm that is exact on them."""
    return function(x.astype(float), w.astype(float), algorithm="direct", **options)


def one_dimensional() -> str:
    """Item 25."""
    x = integers(1, 2, 64)
    rows, bias, differing, total = [], integers(16), 0, 0
    for taps in (3, 5):
        w = integers(16, 2, taps, start=7)
        y = _run(convsym.conv1d, x, w, bias=bias.astype(float))
        rows.append([taps, x.shape, w.shape, w.size, bias.shape, y.shape, checksum(y)])
        differing += int((y != registry["conv1d"].formula(x=x, w=w) + bias[:, None]).sum())
        total += y.size
    return blocks(
        prose("""From 2 channels (stereo) to 16, kernels of length 3, stride 1. One signal of 64 samples. The compiled
            `convsym.conv1d` on integer-valued arrays:"""),
        table(["Taps", "Input", "Weight", "Weights", "Bias", "Output", "Checksum"], rows),
        figure("dimensions-1d", "Fig. 6: the arrays of the 1-D example"),
        prose("""62 = 64 − 3 + 1, and 60 with five taps. There is **one bias for each output channel**, that is for each
            kernel: 16 of them, while the kernels hold 96 weights."""),
        f"The formula itself, evaluated exactly, differs in {differing} of {total} elements from the compiled result. "
        "(Checksum of a table: every element times one more than its place modulo 97, added up.)",
    )


def two_dimensional(padding: int | tuple[int, int] = 0) -> list[object]:
    """Shapes and checksum of the 2-D example."""
    x, w = integers(1, 20, 64, 128), integers(16, 20, 3, 5, start=3)
    y = _run(convsym.conv2d, x, w, padding=padding)
    return [str(padding), x.shape, w.shape, y.shape, checksum(y)]


def two_dimensions() -> str:
    """Item 26."""
    return blocks(
        "One image of 20 channels, 64 high and 128 wide; 16 kernels of 3 × 5, each with 20 channels:",
        table(["Padding", "Input", "Weight", "Output", "Checksum"], [two_dimensional()]),
        figure("dimensions-2d", "Fig. 7: the arrays of the 2-D example"),
        "62 = 64 − 3 + 1 and 124 = 128 − 5 + 1.",
    )


def padded() -> str:
    """Item 27."""
    return blocks(
        "One row of zeros above and below, two columns of zeros on the left and on the right:",
        table(["Padding", "Input", "Weight", "Output", "Checksum"], [two_dimensional((1, 2))]),
        figure("padding", "Fig. 8: padding (1, 2)"),
        prose("""The **spatial** size is kept, 64 × 128; the channels are 16 now and were 20. Padding with half the
            kernel's size, rounded down, keeps the size because 3 and 5 are odd (item 10 shows what even ones
            need)."""),
    )


def kernel_axes() -> str:
    """Item 28."""

    def axes(op: Op) -> list[object]:
        formula = op.formula
        return [op.rank, f"`{formula}`", formula.rank("w")]

    return blocks(
        prose("""All kernels of a 2-D layer stand in one array of four axes: output channel, input channel, row, column.
            In N dimensions there are N + 2:"""),
        table(["N", "Formula", "Axes of `w`"], [axes(registry[name]) for name in ("conv1d", "conv2d")]),
    )


SECTIONS = {22: signals, 23: kernel_by_kernel, 24: reading_help, 25: one_dimensional, 26: two_dimensions, 27: padded,
            28: kernel_axes}  # fmt: skip
