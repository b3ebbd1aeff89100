"""Facts about the machine and the build that a figure is worth nothing without."""

import platform
import re
from datetime import date
from pathlib import Path

from convsym import kernels
from convsym.kernels.threads import default_count

_CPUINFO = Path("/proc/cpuinfo")


def facts() -> dict[str, str]:
    """Processor, level, compiler, versions and date, as text by name."""
    config = kernels.config()
    return {
        "date": date.today().isoformat(),
        "processor": processor(),
        "cpus": str(default_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "level": str(config["levels"]["in_use"]),
        "compiler": str(config["compiler"]),
        "flags": " ".join(config["flags"]),
        "openmp": "yes" if config["openmp"] else "no",
        "convsym": config["version"],
        "python": config["python"],
        "numpy": str(config["numpy"]),
    }


def processor() -> str:
    """Name of the processor."""
    text = _CPUINFO.read_text(encoding="utf-8", errors="replace") if _CPUINFO.is_file() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or "unknown"


def slug(machine: dict[str, str]) -> str:
    """A short name of the machine and the day, for a file: ``2026-11-22-intel-xeon-processor-2``."""
    words = re.sub(r"\((R|TM)\)|@.*|CPU", "", machine["processor"], flags=re.IGNORECASE)
    name = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    return f"{machine['date']}-{name}-{machine['cpus']}"
