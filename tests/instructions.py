"""Instructions of a kernel for each multiply-add, counted by valgrind: a guard of speed that does not depend on time.

    python tests/instructions.py            # count, and compare with tests/data/instructions.json
    python tests/instructions.py --update   # write that file anew, after kernels or the compiler changed

valgrind knows no AVX-512, so the levels are baseline and v3. The program that is counted calls `os.getppid` before and
after each call of convsym; callgrind writes what it has counted whenever that function is entered.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from math import prod
from pathlib import Path

LIMITS = Path(__file__).parent / "data" / "instructions.json"
LEVELS = ("baseline", "v3")
SAME_COMPILER, OTHER_COMPILER = 1.1, 1.5  # what a count may be above the recorded one
# So large that what Python does around a kernel, 10^5 instructions a call, does not count.
DENSE = {"input": (1, 48, 28, 28), "weight": (48, 48, 3, 3), "padding": 1}
DEPTHWISE = {"input": (1, 64, 56, 56), "weight": (64, 1, 3, 3), "padding": 1, "groups": 64}
PLANE = {"input": (1, 1, 256, 256), "weight": (1, 1, 5, 5), "padding": 2}
FIRST = {"input": (1, 3, 96, 96), "weight": (32, 3, 7, 7), "padding": 3, "stride": 2}
POINTWISE = {"input": (1, 64, 28, 28), "weight": (128, 64, 1, 1)}
SIGNAL = {"input": (1, 32, 2048), "weight": (64, 32, 3), "dilation": 8}
CASES = {
    **{f"dense 3x3, {kind}": {**DENSE, "kind": kind} for kind in ("y", "dx", "dw")},
    **{f"depthwise 3x3, {kind}": {**DEPTHWISE, "kind": kind} for kind in ("y", "dx", "dw")},
    **{f"one channel 5x5, {kind}": {**PLANE, "kind": kind} for kind in ("y", "dx", "dw")},
    **{f"first layer 7x7 stride 2, {kind}": {**FIRST, "kind": kind} for kind in ("y", "dx", "dw")},
    **{f"1x1, {kind}": {**POINTWISE, "kind": kind} for kind in ("y", "dx", "dw")},
    **{f"1-D dilation 8, {kind}": {**SIGNAL, "kind": kind} for kind in ("y", "dx", "dw")},
    "dense 3x3 float64, y": {**DENSE, "kind": "y", "dtype": "float64"},
}


def call_of(case):
    """A call of convsym without arguments, and its multiply-adds."""
    import numpy as np

    import convsym

    convsym.set_num_threads(1)
    rank = len(case["weight"]) - 2
    x, w = (np.ones(case[name], case.get("dtype", "float32")) for name in ("input", "weight"))
    after = {name: case[name] for name in ("stride", "padding", "dilation", "groups") if name in case}
    forward = getattr(convsym, f"conv{rank}d")
    dy = forward(x, w, algorithm="direct", **after)
    after["algorithm"] = "direct"
    by_input, by_weight = (getattr(convsym.grad, f"conv{rank}d_{name}") for name in ("input", "weight"))
    calls = {
        "y": lambda: forward(x, w, **after),
        "dx": lambda: by_input(x.shape, w, dy, **after),
        "dw": lambda: by_weight(x, w.shape, dy, **after),
    }
    return calls[case["kind"]], dy.size * prod(case["weight"][1:])


def run():
    """What is counted: each case warm, between two marks."""
    for case in CASES.values():
        call, _ = call_of(case)
        call(), call()
        os.getppid()
        call()
        os.getppid()


def counts(level):
    """Instructions for each multiply-add, by case, of the kernels of a level."""
    environment = {**os.environ, "CONVSYM_CPU": level, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        command = ["valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={out}"]
        ran = subprocess.run(
            [*command, sys.executable, __file__, "--run"], env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        parts = [Path(f"{out}.{number}") for number in range(1, 2 * len(CASES) + 1)]
        assert not Path(f"{out}.{len(parts) + 1}").exists(), "something else calls getppid"
        totals = [_total(part.read_text()) for part in parts[1::2]]  # the others are what is between the cases
    return {name: total / call_of(case)[1] for (name, case), total in zip(CASES.items(), totals, strict=True)}


def _total(text):
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("totals:"))


def excesses(found, limits, slack):
    """Sentences about the counts that are above the recorded ones by more than a factor."""
    for name, count in found.items():
        if name not in limits:
            yield f"{name}: no limit is recorded"
        elif count > slack * limits[name]:
            yield f"{name}: {count:.3f} instructions a multiply-add, recorded are {limits[name]:.3f}"


def slack(recorded_compiler):
    """How much above the recorded counts is allowed: less where the same compiler made both."""
    import convsym

    return SAME_COMPILER if convsym.config()["compiler"] == recorded_compiler else OTHER_COMPILER


def usable_levels():
    """Levels that can be counted here; none without valgrind."""
    import convsym

    usable = convsym.config()["levels"]["usable"] if shutil.which("valgrind") else ()
    return [level for level in LEVELS if level in usable]


def main(arguments):
    if arguments == ["--run"]:
        return run()
    import convsym

    recorded = json.loads(LIMITS.read_text()) if LIMITS.is_file() else {"compiler": "", "levels": {}}
    found = {level: counts(level) for level in usable_levels()}
    for level, each in found.items():
        before = recorded["levels"].get(level, {})
        for name, count in each.items():
            print(f"{level:9} {name:32} {count:8.3f}  recorded {before.get(name, float('nan')):8.3f}")
    if arguments == ["--update"]:
        levels = {level: {name: round(count, 3) for name, count in each.items()} for level, each in found.items()}
        record = {"compiler": convsym.config()["compiler"], "levels": recorded["levels"] | levels}
        LIMITS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
