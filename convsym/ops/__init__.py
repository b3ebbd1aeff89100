"""The registry: every module of this folder declares its ops; a new op is one small file here."""

import importlib
import pkgutil
from types import MappingProxyType

from convsym.op import Op


def _collect() -> dict[str, Op]:
    """All ops of the modules of this folder, by name, in the order of module names."""
    found = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        for op in importlib.import_module(f"{__name__}.{module}").OPS:
            if op.name in found:
                raise ImportError(f"two ops are named {op.name!r}; the second is in convsym/ops/{module}.py")
            found[op.name] = op
    return found


registry = MappingProxyType(_collect())
