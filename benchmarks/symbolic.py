"""How long the symbolic side takes: reading and deriving a line, deriving and proving with everything symbolic.

    python benchmarks/symbolic.py [--repeats 5] > docs/measurements/symbolic-DATE.md

Nothing is warm that a user would not have warm: what was proved before is forgotten before every run, and so are the
formulas. The fastest run of each counts, so that what else the machine does falls out.
"""

import argparse
import platform
from datetime import date
from pathlib import Path
from subprocess import run
from sys import executable
from time import perf_counter

import sympy

import convsym
from convsym import Formula, prove, registry, solver, vjp
from convsym.evaluation import compiled
from convsym.expressions import accesses, affine, names

LINE = "y[n, k, o] += x[n, c, stride*o + dilation*r - padding]*w[k, c, r]"
GOALS = {"read and derive a 1-D layer by input and weight": 0.05, "derive and prove conv2d by its input": 1.0}


def forget():
    """Empty what was remembered of earlier runs: proofs, SymPy's cache, our own."""
    solver._proved.clear()
    sympy.core.cache.clear_cache()
    for remembered in (compiled, accesses, affine, names):
        remembered.cache_clear()


def fastest(call, repeats):
    """Seconds of the fastest run, and what it returned."""
    best = float("inf")
    for _ in range(repeats):
        forget()
        start = perf_counter()
        answer = call()
        best = min(best, perf_counter() - start)
    return best, answer


def derived():
    formula = Formula(LINE)
    return [vjp(formula, name) for name in formula.operands]


def proved(text, wrt, symmetric):
    return prove(vjp(Formula(text, symmetric=symmetric), wrt)).status


def processor():
    found = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return found[0].partition(":")[2].strip() if found else platform.processor()


def imported():
    """Seconds of `import convsym` with the symbolic side, in a process of its own."""
    program = "import time; s = time.perf_counter(); from convsym import vjp, prove; print(time.perf_counter() - s)"
    runs = (run([executable, "-c", program], capture_output=True, text=True, check=True) for _ in range(3))
    return min(float(found.stdout) for found in runs)


def row(what, seconds, goal, answer):
    kept = "" if goal is None else "kept" if seconds < goal else "**missed**"
    print(f"| {what} | {1000 * seconds:,.0f} | {'' if goal is None else f'{1000 * goal:,.0f}'} | {kept} | {answer} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs of each job; the fastest counts (default: 5)")
    repeats = parser.parse_args().repeats
    print(f"# Reading, deriving and proving, {date.today()}\n")
    versions = f"Python {platform.python_version()}, SymPy {sympy.__version__}, {solver.version()}"
    print(f"Written by `python benchmarks/symbolic.py`. {processor()}; {versions}, convsym {convsym.__version__}.")
    print(f"Milliseconds, fastest of {repeats} runs; every size, stride, dilation and padding is symbolic, nothing is")
    print("remembered between runs.\n")
    print("| job | ms | goal | | answer |\n| --- | ---: | ---: | --- | --- |")
    row("import the symbolic side", imported(), None, "")
    derive, prove_2d = GOALS
    seconds, rules = fastest(derived, repeats)
    row(derive, seconds, GOALS[derive], f"{len(rules)} rules")
    conv2d = registry["conv2d"].formula
    for wrt, name in (("x", prove_2d), ("w", "derive and prove conv2d by its weight")):
        seconds, status = fastest(lambda wrt=wrt: proved(str(conv2d), wrt, conv2d.symmetric), repeats)
        row(name, seconds, GOALS.get(name, 1.0), status)
    print("\n## All ops of the registry, by each operand\n")
    print("| op | by | ms | answer |\n| --- | --- | ---: | --- |")
    total = 0.0
    for name, op in registry.items():
        for wrt in op.differentiable:
            seconds, status = fastest(
                lambda op=op, wrt=wrt: prove(vjp(op.formula, wrt), budget=120).status, max(1, repeats // 3)
            )
            total += seconds
            print(f"| {name} | {wrt} | {1000 * seconds:,.0f} | {status} |", flush=True)
    print(f"\nAll of them: {total:.1f} s.")


if __name__ == "__main__":
    main()
