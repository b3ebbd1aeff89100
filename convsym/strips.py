"""Strips of positions: what a sum over positions is cut into, so that its images stay in the cache."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod

from convsym.geometry import Geometry
from convsym.kernels.tables import Driver

# Elements of an image that a strip of a weight gradient is cut to.
STRIP = 2**18
# Vectors that an image is cut to: it stays in the second cache together with weights and results. CPUs with wider
# vectors have larger caches: this is 1 MB at level v4, and 512 KB at v3, where 1 MB took 1.04 to 1.9 times as long for
# kernels with stride 2, and as long for others.
KEPT = 2**14

Size = tuple[int, int]  # samples and groups
Span = tuple[int, int]  # outputs along the first axis


@dataclass(frozen=True)
class Part:
    """A strip of positions of some samples.

    Attributes
    ----------
    fill : Driver or None
        How the image of x is made; None where x itself serves.
    lay : Driver or None
        How dy is laid anew; None where it serves as it lies.
    sum : Driver
        The outer or the dot products.
    start : int
        Where the strip starts in dy of one sample.
    work : int
        Multiply-adds.
    sums : int
        Partial sums of each element that dot products make.
    """

    fill: Driver | None
    lay: Driver | None
    sum: Driver
    start: int
    work: int
    sums: int = 1


@lru_cache(maxsize=1024)
def spans(geometry: Geometry, laid: bool) -> tuple[Span, ...]:
    """Spans of outputs along the first axis, the same for any batch and number of groups.

    Parameters
    ----------
    geometry : Geometry
    laid : bool
        Whether dy too is laid anew.
    """
    height, (into, out) = geometry.outputs[0], geometry.channels
    elements = into * prod(geometry.inputs) + laid * out * prod(geometry.outputs)
    count = max(1, min(ceil(elements / STRIP), height // 4))
    return even(height, count)


def even(height: int, count: int) -> tuple[Span, ...]:
    """So many spans that cover a height, as even as can be."""
    return tuple((height * place // count, height * (place + 1) // count) for place in range(count))


@lru_cache(maxsize=1024)
def at_once(geometry: Geometry, laid: bool) -> Size:
    """Samples and groups that are done at a time, where dy too is laid anew or not.

    How many samples are summed together is a matter of one group, so that groups do not see each other.
    """
    each = prod(geometry.shapes["x"][2:]) + laid * prod(geometry.shapes["y"][2:])
    samples = max(1, min(geometry.batch, STRIP // each))
    return samples, max(1, min(geometry.groups, STRIP // (samples * each)))
