"""Whether operations are recorded, and the world they run in: one answer for each thread."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import local

from convsym.autograd.worlds import NUMPY, World


class Mode(local):
    """What holds in this thread.

    Attributes
    ----------
    recording : bool
        Whether operations are recorded.
    ops : World
        Where they run.
    """

    recording = True
    ops: World = NUMPY


MODE = Mode()


@contextmanager
def recording(wanted: bool) -> Iterator[None]:
    """Record within, or do not."""
    before, MODE.recording = MODE.recording, wanted
    try:
        yield
    finally:
        MODE.recording = before


@contextmanager
def running_in(ops: World) -> Iterator[None]:
    """Run operations in another world within."""
    before, MODE.ops = MODE.ops, ops
    try:
        yield
    finally:
        MODE.ops = before


def no_grad() -> AbstractContextManager[None]:
    """Do not record what is computed within: ``with no_grad(): …``, or ``@no_grad()`` above a function.

    Examples
    --------
    >>> import convsym
    >>> from convsym.autograd import no_grad
    >>> x = convsym.tensor([1, 2], requires_grad=True)
    >>> with no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """
    return recording(False)


def enable_grad() -> AbstractContextManager[None]:
    """Record what is computed within, also inside of `no_grad`."""
    return recording(True)


def is_grad_enabled() -> bool:
    """Whether operations are recorded, in this thread."""
    return MODE.recording
