"""Programs in a process of their own: for imports, environment variables, signals and forks."""

import os
import subprocess
import sys
import textwrap

# The first line of programs that are to be interrupted: what a shell starts in the background ignores SIGINT, and so
# does what that starts.
HEARS_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


def run_python(program, timeout=60, **environment):
    """Output of a Python program in a process of its own, which must succeed."""
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout
