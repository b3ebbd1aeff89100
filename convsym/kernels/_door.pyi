from collections.abc import Callable
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

MOST_STEPS: int

@final
class Steps:
    def __new__(
        cls,
        steps: tuple[Any, ...],
        shapes: tuple[tuple[int, ...], ...],
        kind: np.dtype[Any],
        room: int,
        each: int,
        zeros: int,
        cleared: bool,
        watched: int,
        threads: Callable[[], int],
        threaded: int,
        aligned: int,
        bias: tuple[object, tuple[int, ...], int] | None,
    ) -> Steps: ...
    def __call__(self, a: Any, b: Any, out: Any = None, bias: Any = None) -> NDArray[Any] | None: ...

@final
class Kept:
    def __new__(cls, plan: Plan, b: NDArray[Any]) -> Kept: ...
    def __call__(self, a: Any, out: Any = None) -> NDArray[Any] | None: ...

@final
class Kind:
    def __new__(
        cls,
        code: int,
        x: NDArray[Any],
        w: NDArray[Any],
        steps: tuple[Any, ...],
        plan: Plan | None,
        tiles: Steps | None,
        route: Callable[[Any, Any, Any, Any], NDArray[Any]],
    ) -> Kind: ...

def enter(
    code: int,
    x: Any,
    w: Any,
    bias: Any,
    size: Any,
    further: Any,
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
    code: int,
    x: Any,
    w: Any,
    steps: tuple[Any, ...],
    plan: Plan | None,
    tiles: Steps | None,
    route: Callable[[Any, Any, Any, Any], NDArray[Any]],
) -> None: ...
def forget() -> None: ...
def close(closed: bool) -> None: ...
