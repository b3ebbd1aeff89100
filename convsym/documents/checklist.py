"""The numbered content of the two seed documents: what each item says here, and the objects that carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GRADIENTS, UNDERSTANDING = "convolution-and-its-gradients", "understanding-convolutions"


@dataclass(frozen=True)
class Item:
    """One item: its number and title, the page it stands on, the ops and claims it consists of, what was corrected."""

    number: int
    title: str
    page: str
    ops: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    correction: str = ""

    @property
    def place(self) -> str:
        """Address of the item below the directory of documents."""
        return f"seeds/{self.page}.md#item-{self.number}"


def _items(page: str, *rows: Any) -> tuple[Item, ...]:
    return tuple(Item(number, title, page, *rest) for number, title, *rest in rows)


ITEMS = (
    *_items(
        GRADIENTS,
        (1, "A layer: many small filters, then biases", ("layer", "bias"), ("bias",),
         "the bias gets a formula and a gradient"),
        (2, "The product ⊙", ("window",), (), "the result and the indices have names of their own; shapes may differ"),
        (3, "Both gradients of ⊙", ("window",), ("window, dw", "window, dx"), "each is stated with its domain"),
        (4, "The shift ▷", ("shift", "shifted_window"), ("shift, own frame",),
         "it is the filter that moves, down and to the right, on the zero-extended plane"),
        (5, "Both gradients of the shifted product", ("shifted_window",), ("shift, dw", "shift, dx", "shift, plus"),
         "where index plus and index minus belong"),
        (6, "The layer ⊗", ("same", "same_reversed"), (), "it is a cross-correlation"),
        (7, "“Same” padding", ("same",), ("same, shifted back", "same, not shifted back"),
         "the shift of output (i, j) is (i − h0, j − h1)"),
        (8, "Hidden zeros", ("same", "conv2d"), (), "what the general rule adds"),
        (9, "Columns of the Jacobian", ("same",), (), "a · b non-zero elements only for inputs in the interior"),
        (10, "Gradient by the input", ("same", "same_reversed", "padded", "conv1d", "conv2d"),
         ("odd", "even, same padding", "even, even sizes only", "even, swapped padding", "channels swapped",
          "channels not swapped"), "even filters need the other padding; channels change places"),
        (11, "The reversed filter", ("reversed_kernel",), ("reversal",)),
        (12, "Gradient at the center of the filter", ("window", "same"), ("center",),
         "here both shapes agree, in item 2 they need not"),
        (13, "Gradient by the whole filter", ("same", "shifted_window"), ("content moves", "index plus"),
         "the direction of the shift decides"),
        (14, "What dX, dW and dY mean", ("squared_error",), (), "the scalar L is introduced"),
        (15, "What a layer has besides", ("conv1d", "conv2d"), (),
         "stride, dilation, channels, groups, boundary modes and second derivatives"),
    ),
    *_items(
        UNDERSTANDING,
        (16, "Matrix times vector", ("matvec",), (), "the first row of the matrix"),
        (17, "Read by rows", ("inner", "matvec"), (), "an inner product is a projection only after division"),
        (18, "Read by columns", ("matvec_columns", "matvec")),
        (19, "Sparsity, stationarity, compositionality", ("toeplitz", "composed_kernel", "stacked_kernels")),
        (20, "Stacked and shifted kernels", ("stacked_kernels", "toeplitz"), (),
         "the matrix stays as wide as the signal"),
        (21, "The result is a stack of vectors", ("stacked_kernels",)),
        (22, "Signals with channels", ("conv1d", "stacked_kernels"), (),
         "the domain is finite; counted from 0 or from 1"),
        (23, "Scalar products, kernel by kernel", ("conv1d",)),
        (24, "Reading the help", ("conv1d",)),
        (25, "Example: 1-D", ("conv1d", "bias"), (), "one bias for each output channel"),
        (26, "Example: 2-D", ("conv2d",)),
        (27, "Example: 2-D with padding", ("conv2d",), (), "the spatial size is kept, the channels change"),
        (28, "How many axes the kernels have", ("conv1d", "conv2d"), (), "N + 2 for N spatial axes"),
        (29, "Example of automatic differentiation", ("sub", "pow", "mul", "mean")),
        (30, "The gradient, computed by hand", (), (), "the gradient has the shape of x"),
        (31, "The figures"),
    ),
)  # fmt: skip


def item(number: int) -> Item:
    """The item of a number."""
    return ITEMS[number - 1]
