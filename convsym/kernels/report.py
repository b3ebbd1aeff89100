"""What is installed and in use: the facts that a bug report needs."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from convsym._version import __version__
from convsym.errors import KernelError
from convsym.kernels import levels, threads

_PACKAGES = ("numpy", "sympy", "z3-solver", "islpy")


def config() -> dict[str, Any]:
    """What was built, what this machine can run, and what is in use.

    Returns
    -------
    dict
        `version`; `levels` with the keys `built`, `usable` (lists of names, slowest first) and `in_use` (a
        name, or None); `missing`, the reason for each level that cannot be used; `problem`, the error that a
        numeric call would raise now, or None; `compiler`, `cython`, `flags`, `openmp`, `abi3` of the build;
        `threads`; and the versions of `python` and of the packages convsym uses (None where absent).

    Examples
    --------
    >>> import convsym
    >>> convsym.config()["version"] == convsym.__version__
    True
    """
    record = levels.build_record()
    usable, missing, in_use, problem = [], record["missing"], None, None
    try:
        usable, missing = list(levels.usable()), levels.unusable()
        in_use = levels.in_use()
    except KernelError as error:
        problem = str(error)
    return {
        "version": __version__,
        "levels": {"built": list(levels.built()), "usable": usable, "in_use": in_use},
        "missing": missing,
        "problem": problem,
        **{key: record[key] for key in ("compiler", "cython", "flags", "openmp", "abi3")},
        "threads": threads.get_num_threads(),
        "python": platform.python_version(),
        **{name: _installed(name) for name in _PACKAGES},
    }


def show_config() -> None:
    """Print `config()`, one fact a line.

    Examples
    --------
    >>> import convsym
    >>> convsym.show_config()  # doctest: +ELLIPSIS
    convsym ...
    """
    facts = config()
    names = facts["levels"]
    print(f"convsym {facts['version']}")
    for key, value in (
        ("levels built", ", ".join(names["built"]) or "none"),
        ("usable here", ", ".join(names["usable"]) or "none"),
        ("in use", names["in_use"] or "none"),
        *((f"without {level}", reason) for level, reason in facts["missing"].items()),
        ("problem", facts["problem"]),
        ("compiler", facts["compiler"]),
        ("cython", facts["cython"]),
        ("flags", " ".join(facts["flags"])),
        ("OpenMP", "yes" if facts["openmp"] else "no"),
        ("threads", facts["threads"]),
        ("python", facts["python"]),
        *((name, facts[name] or "not installed") for name in _PACKAGES),
    ):
        if value not in (None, ""):
            print(f"  {key:<18}{value}")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
