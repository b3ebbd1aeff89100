from typing import Any, final

import numpy as np
from numpy.typing import NDArray

# What a call was given stands as it is: None is the answer for all but plain arrays, integers, tuples and words.

@final
class Plan:
    def __new__(
        cls,
        entry: object,
        numbers: tuple[int, ...],
        shapes: tuple[tuple[int, ...], ...],
        kind: np.dtype[Any],
        watched: int,
        work: int,
    ) -> Plan: ...
    def __call__(self, a: Any, b: Any, out: Any = None) -> NDArray[Any] | None: ...

@final
class Kept:
    def __new__(cls, plan: Plan, b: NDArray[Any]) -> Kept: ...
    def __call__(self, a: Any, out: Any = None) -> NDArray[Any] | None: ...

@final
class Kind: ...

def enter(
    rank: int,
    x: Any,
    w: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    algorithm: Any,
    padding_mode: Any,
    input_dilation: Any,
    flip: Any,
    out: Any,
    axes: Any,
    same: Any,
) -> NDArray[Any] | None: ...
def remember(
    rank: int, x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: Any, algorithm: Any, plan: Plan
) -> None: ...
def close(closed: bool) -> None: ...
