from collections.abc import Callable
from typing import Any, final

import numpy as np

@final
class Plan:
    def __init__(
        self,
        compiled: Callable[..., None],
        shapes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]],
        tail: tuple[int, ...],
        padded: bool,
    ) -> None: ...

# What a call was given stands as it is: None is the answer for all but plain arrays, integers, tuples and words.
def enter(rank: int, x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> np.ndarray | None: ...
def remember(rank: int, x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: Any, plan: Plan) -> None: ...
def close(closed: bool) -> None: ...
