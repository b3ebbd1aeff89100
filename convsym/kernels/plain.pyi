from collections.abc import Callable

# A function for every kernel of _generated/rules.py and every dtype, such as conv2d_dx_f32.
def __getattr__(name: str) -> Callable[..., None]: ...
