"""The CPU levels: which were built, which this machine can run, and which one is used.

The choice is made before any level is imported, because a module compiled for a CPU that is not there ends
the process in its first instruction: "try the import, else the next" cannot work. A level that was built but
does not load is an error, never a silent step down.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from convsym.errors import KernelError

# Slowest first. A level needs its own features and those of the levels before it.
FEATURES = {
    "baseline": frozenset(),
    "v3": frozenset({"avx2", "fma", "bmi", "bmi2", "f16c", "lzcnt", "movbe"}),
    "v4": frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
}
HOW_TO_BUILD = (
    "build them with `pip install .` in the source tree (a C compiler is needed) and run outside of that "
    "tree, or with `pip install -e .`"
)

# The OpenMP runtime of gcc reads, when it is loaded, how many pauses a waiting thread makes before it sleeps. Its
# default of 300,000 is 20 ms on CPUs with a slow pause, taken from the very thread that is waited for where CPUs are
# shared: beside one busy program on 2 CPUs, calls of 0.2 ms took 17 ms (November 2026). With 3,000, 0.2 ms, a team is
# awake from one step of a call to the next, which then costs 3 µs, and 10 to 30 µs where it has to be woken.
PAUSES = ("GOMP_SPINCOUNT", "3000")

_RECORD = Path(__file__).with_name("_build.json")
_forced: ContextVar[str | None] = ContextVar("convsym_level", default=None)


@cache
def build_record() -> dict[str, Any]:
    """What `setup.py` wrote down when it compiled the kernels: levels, missing levels, compiler, flags,
    OpenMP."""
    if not _RECORD.exists():
        return {
            "levels": {},
            "missing": {level: "the kernels are not compiled" for level in FEATURES},
            "compiler": None,
            "cython": None,
            "openmp": False,
            "flags": [],
            "abi3": False,
        }
    record: dict[str, Any] = json.loads(_RECORD.read_text(encoding="utf-8"))
    return record


def built() -> tuple[str, ...]:
    """Names of the compiled levels, slowest first."""
    return tuple(level for level in FEATURES if level in build_record()["levels"])


@cache
def usable() -> tuple[str, ...]:
    """Names of the compiled levels that this machine can run, slowest first."""
    return tuple(level for level in built() if not lacking(level))


def lacking(level: str) -> list[str]:
    """Names of the CPU features that `level` needs and this machine does not have, sorted."""
    needed = frozenset().union(*(FEATURES[name] for name in _up_to(level)))
    return sorted(needed - _import("_cpu").features())


def unusable() -> dict[str, str]:
    """Why each of the other levels cannot be used here, as a dict of sentences."""
    reasons = dict(build_record()["missing"])
    for level in built():
        if level not in usable():
            reasons[level] = f"this CPU lacks {', '.join(lacking(level))}"
    return reasons


def in_use() -> str:
    """Name of the level that a call made now would use.

    Raises
    ------
    KernelError
        When nothing is compiled, or `CONVSYM_CPU` asks for a level that cannot be used here.
    """
    return _forced.get() or _chosen()


@cache
def _chosen() -> str:
    asked = os.environ.get("CONVSYM_CPU")
    if asked:
        return _checked(asked, f"CONVSYM_CPU={asked}", "unset CONVSYM_CPU or set it to")
    if not usable():
        place = _RECORD.parent
        raise KernelError(f"no kernels are compiled in {place}, so nothing can be computed; {HOW_TO_BUILD}")
    return usable()[-1]


@contextmanager
def using(level: str) -> Iterator[None]:
    """Compute with the kernels of one level in this context; for tests and comparisons.

    Parameters
    ----------
    level : {"baseline", "v3", "v4"}

    Raises
    ------
    KernelError
        When the level is unknown, not built, or not one this machine can run.
    """
    token = _forced.set(_checked(level, f"level {level!r}", "choose"))
    door().close(True)  # its plans are for the chosen level
    try:
        yield
    finally:
        door().close(False)
        _forced.reset(token)


def _checked(level: str, what: str, fix: str) -> str:
    """`level`, if it can be used here; else a KernelError that says why not, and what can."""
    if level in usable():
        return level
    allowed = f"{fix} {' or '.join(usable())}" if usable() else HOW_TO_BUILD
    if level not in FEATURES:
        raise KernelError(f"{what} is not a CPU level; the levels are {', '.join(FEATURES)}; {allowed}")
    raise KernelError(f"{what} cannot be used here: {unusable()[level]}; {allowed}")


@cache
def door() -> Any:
    """The compiled module that remembers small calls; a KernelError where nothing is compiled."""
    in_use()
    return _import("_door")


@cache
def load(level: str) -> Any:
    """The compiled module of a level; the caller has made sure that this machine can run it."""
    if {PAUSES[0], "OMP_WAIT_POLICY"} & os.environ.keys():  # the user's choice
        return _import(level)
    os.environ.__setitem__(*PAUSES)
    try:
        return _import(level)
    finally:
        del os.environ[PAUSES[0]]


def _import(name: str) -> Any:
    try:
        return import_module(f"convsym.kernels.{name}")
    except ImportError as error:
        raise KernelError(
            f"convsym.kernels.{name} was built but does not load ({error}); install convsym again with "
            "`pip install --force-reinstall --no-deps .`"
        ) from error


def _up_to(level: str) -> tuple[str, ...]:
    names = tuple(FEATURES)
    return names[: names.index(level) + 1]
