"""The whole measurement: every set of layers against every library that is installed, with one thread and with all.

    python benchmarks/run.py [--threads 1 2] [--set NAME ...] [--seconds 0.12] [--output FILE]

It writes ``benchmarks/results/DATE-MACHINE.json`` (after every set, so that nothing is lost), from which
``convsym doc docs`` makes docs/performance.md and its charts. With ``--keep`` the rows that the file has already stay,
and only the sets that are named are measured.
"""

import argparse
import time
from pathlib import Path

from convsym.bench import machine, results, summary, tables
from convsym.bench.layers import load, set_names
from convsym.bench.peers import PEERS
from convsym.bench.running import Job, measure, new_run
from convsym.kernels.threads import default_count

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, default_count()}))
    parser.add_argument("--set", nargs="+", default=[*set_names("network"), *set_names("figure")], dest="sets")
    parser.add_argument("--peer", nargs="+", default=list(PEERS), dest="peers")
    parser.add_argument("--seconds", type=float, default=0.12, help="for each competitor and row")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/DATE-MACHINE.json")
    parser.add_argument("--keep", action="store_true", help="keep the rows that the output has already")
    parser.add_argument("--once", action="store_true", help="do not measure slow rows again")
    parser.add_argument("--note", help="a sentence that the page begins with")
    arguments = parser.parse_args()
    for name in arguments.sets:
        load(name)  # a wrong name is said now
    run = new_run(arguments.seconds)
    path = arguments.output or RESULTS / f"{machine.slug(run.machine)}.json"
    if arguments.keep and path.is_file():
        run = results.load(path)
        again = {*arguments.sets}
        run.rows = {key: row for key, row in run.rows.items() if row.set not in again}
    if arguments.note:
        run.conditions["note"] = arguments.note
    path.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()

    def finished(job: Job) -> None:
        run.save(path)
        print(f"\n{tables.layer_table(run, job.set, job.threads)}\n{time.monotonic() - begin:.0f} s\n", flush=True)

    jobs = [Job(name, threads, arguments.seconds, tuple(arguments.peers), again=not arguments.once)
            for threads in arguments.threads for name in arguments.sets]  # fmt: skip
    measure(run, jobs, lambda line: print(line, flush=True), finished)
    for threads in arguments.threads:
        print(f"\n{threads} thread(s)")
        for figure in summary.figures(run, threads):
            print(f"  {figure_line(figure)}")
    print(f"\nwritten: {path}")


def figure_line(figure: summary.Figure) -> str:
    """A figure, its goal, and whether it is reached."""
    if figure.value is None:
        return f"{figure.name}: not measured"

    def shown(value: float) -> str:
        return f"{value:.1%}" if figure.percent else f"{value:.3f}"

    if figure.goal is None:
        return f"{figure.name}: {shown(figure.value)}"
    verdict = "reached" if figure.reached else "NOT reached"
    sign = "at most" if figure.at_most else "at least"
    return f"{figure.name}: {shown(figure.value)} ({sign} {shown(figure.goal)}: {verdict})"


if __name__ == "__main__":
    main()
