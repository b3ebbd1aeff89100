"""Layers to be measured, read from the data files in ``convsym/bench/sets``."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import prod
from typing import Any

from convsym.errors import ShapeError, nearest

Shape = tuple[int, ...]
KINDS = ("y", "dx", "dw")
ROLES = ("network", "figure", "quick")
# Where the letter of a doubling stands: axes of the input, the weight and the output that grow with it.
_GROWS = {"N": ((0,), (), ()), "C": ((1,), (1,), ()), "K": ((), (0,), ()), "H": ((2,), (), (0,)), "W": ((3,), (), (1,))}


@dataclass(frozen=True)
class Layer:
    """One convolution layer.

    Attributes
    ----------
    name, source : str
        What it is called, and where its sizes are written.
    input, weight : tuple of int
        Shapes (N, C, i0, …) and (K, C/groups, r0, …).
    output : tuple of int
        Spatial shape of the output as the source states it; a test holds it against the derived sizes.
    stride, padding, dilation : tuple of int
        One number for each spatial axis.
    groups : int
    dtype : str
    chain : str
        The chain of doublings that the layer is a step of, or nothing.
    """

    name: str
    source: str
    input: Shape
    weight: Shape
    output: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int
    dtype: str
    chain: str = ""

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.weight) - 2

    @property
    def shapes(self) -> dict[str, Shape]:
        """Shapes of x, w and y."""
        return {"x": self.input, "w": self.weight, "y": (self.input[0], self.weight[0], *self.output)}

    @property
    def flops(self) -> int:
        """2·outputs·(C/groups)·∏kernel, for the output and each of the gradients: products with padding count."""
        return 2 * prod(self.shapes["y"]) * prod(self.weight[1:])

    @property
    def bytes(self) -> int:
        """Bytes of input, weight and output, each counted once."""
        return sum(map(prod, self.shapes.values())) * (8 if self.dtype == "float64" else 4)

    @property
    def is_planes(self) -> bool:
        """Whether every channel is convolved with one kernel of its own, as an image library does it."""
        return self.groups == self.input[1] == self.weight[0]

    @property
    def is_same(self) -> bool:
        """Whether the output has the size of the input, with the kernel's center on every element."""
        centered = all(2 * p == r - 1 for p, r in zip(self.padding, self.weight[2:], strict=True))
        return centered and not self.is_spread

    @property
    def is_spread(self) -> bool:
        """Whether it has a stride or a dilation."""
        return {*self.stride, *self.dilation} != {1}


@dataclass(frozen=True)
class LayerSet:
    """Layers that belong together.

    Attributes
    ----------
    name, title, source : str
    role : {"network", "figure", "quick"}
        Whether it counts in the mean over the sets, serves a figure of its own, or is the short look.
    layers : tuple of Layer
    kinds : tuple of str
        Of "y", "dx", "dw": what is measured.
    algorithms : tuple of str
        Algorithms of convsym that are measured beside "auto".
    peers : tuple of str
        The only ones to be measured; all where it is empty.
    """

    name: str
    title: str
    source: str
    role: str
    layers: tuple[Layer, ...]
    kinds: tuple[str, ...] = KINDS
    algorithms: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()


def set_names(role: str | None = None) -> tuple[str, ...]:
    """Names of the sets, of one role or of all."""
    names = sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))
    return tuple(name for name in names if role is None or load(name).role == role)


@cache
def load(name: str) -> LayerSet:
    """Read a set of layers.

    Parameters
    ----------
    name : str
        Of a file in ``convsym/bench/sets``.

    Raises
    ------
    ShapeError
        There is no such set.

    Examples
    --------
    >>> from convsym.bench.layers import load
    >>> load("vgg16").layers[0].output
    (224, 224)
    """
    path = _folder() / f"{name}.toml"
    if not path.is_file():
        raise ShapeError(f"there is no set of layers {name!r}; {nearest(name, set_names())}")
    return read(name, path.read_text(encoding="utf-8"))


def read(name: str, text: str) -> LayerSet:
    """Make a set of layers from the text of its file."""
    data = tomllib.loads(text)
    shared = {"source": data["source"], "dtype": data.get("dtype", "float32")}
    rows = [*data["layers"], *(step for chain in data.get("chains", ()) for step in _steps(chain))]
    return LayerSet(
        name,
        data["title"],
        data["source"],
        data["role"],
        tuple(_layer({**shared, **row}) for row in rows),
        tuple(data.get("kinds", KINDS)),
        tuple(data.get("algorithms", ())),
        tuple(data.get("peers", ())),
    )


def _folder() -> Any:
    return files("convsym.bench") / "sets"


def _layer(row: Mapping[str, Any]) -> Layer:
    rank = len(row["weight"]) - 2

    def along(key: str, default: int) -> Shape:
        value = row.get(key, default)
        return (value,) * rank if isinstance(value, int) else tuple(value)

    return Layer(
        row["name"],
        row["source"],
        tuple(row["input"]),
        tuple(row["weight"]),
        tuple(row["output"]),
        along("stride", 1),
        along("padding", 0),
        along("dilation", 1),
        row.get("groups", 1),
        row["dtype"],
        row.get("chain", ""),
    )


def _steps(chain: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The layers of a chain: the start, and after it one for each letter, with twice the work."""
    row = dict(chain["start"])
    for place, letter in enumerate(("", *chain["doubled"])):
        for key, axes in zip(("input", "weight", "output"), _GROWS.get(letter, ((), (), ())), strict=True):
            row[key] = [size * 2 if axis in axes else size for axis, size in enumerate(row[key])]
        yield {**row, "name": f"{chain['name']} {place}", "chain": chain["name"]}
