"""Run the scripts of this folder and compare what they print with output/*.txt; with --update, rewrite those files.

Times and numbers that depend on the prover's speed are masked in the comparison.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = tuple(sorted(HERE.glob("derive_*.py")))
_VOLATILE = re.compile(r"\d+(\.\d+)? (ms|s)\b|(?<=agrees on )\d+")


def run(script):
    """What a script prints; it must succeed."""
    environment = {**os.environ, "PYTHONUTF8": "1"}
    answer = subprocess.run(
        [sys.executable, script], capture_output=True, encoding="utf-8", env=environment, timeout=600, check=False
    )
    if answer.returncode:
        raise SystemExit(f"{script.name} fails:\n{answer.stderr}")
    return answer.stdout


def run_all():
    """What every script prints, by path; they run side by side."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(SCRIPTS, pool.map(run, SCRIPTS), strict=True))


def output_of(script):
    """Where the output of a script is kept."""
    return HERE / "output" / f"{script.stem}.txt"


def masked(text):
    """The text without what changes from run to run."""
    return _VOLATILE.sub("…", text)


def main():
    """Exit code 0 if every output is as it was, or was rewritten."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="rewrite the outputs that changed")
    update = parser.parse_args().update
    changed = []
    for script, text in run_all().items():
        kept = output_of(script)
        if not kept.is_file() or masked(kept.read_text(encoding="utf-8")) != masked(text):
            changed.append(kept)
            if update:
                kept.parent.mkdir(exist_ok=True)
                kept.write_text(text, encoding="utf-8")
    for path in changed:
        print(f"{'written' if update else 'stale'}: {path}")
    return 0 if update or not changed else 1


if __name__ == "__main__":
    sys.exit(main())
