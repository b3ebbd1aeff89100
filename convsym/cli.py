"""The command ``convsym``: results to standard output, messages to standard error.

Exit codes: 0 done or proved, 1 refuted or failed, 2 wrong usage, 3 unknown; 130 after Ctrl-C.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from convsym._version import __version__
from convsym.errors import ConvsymError, FormulaError, KernelError, ProofError
from convsym.formula import Formula
from convsym.verdict import Proof

EXIT = {"proved": 0, "refuted": 1, "unknown": 3}
FAILED, USAGE, INTERRUPTED, CLOSED = 1, 2, 130, 141
FORMATS = ("text", "latex", "python", "cython", "javascript", "einsum", "json")


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where a sign such as δ cannot be encoded
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except ConvsymError as error:
        print(f"convsym: {error}", file=sys.stderr)
        return FAILED if isinstance(error, KernelError | ProofError) else USAGE
    except KeyboardInterrupt:
        print("convsym: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; what Python flushes at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    except OSError as error:
        print(f"convsym: {error.filename}: {error.strerror}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convsym", description="Convolutions as one line of index notation: derived, proved, compiled, explained."
    )
    parser.add_argument("--version", action="version", version=f"convsym {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    def formula(made: argparse.ArgumentParser, wrt_required: bool) -> None:
        made.add_argument(
            "formula",
            metavar="FORMULA|OP",
            nargs=None if wrt_required else "?",
            help='formula text such as "y[o] += x[o + r] * w[r]", or the name of a registered op such as conv2d',
        )
        made.add_argument("--wrt", metavar="NAME", required=wrt_required, help="operand to differentiate by")

    derive = command("derive", _derive, "derive the gradient of a formula, with its steps")
    formula(derive, True)
    derive.add_argument("--format", choices=FORMATS, default="text", help="what to print (default: text)")
    prove = command("prove", _prove, "prove the derived gradients for every size and parameter")
    formula(prove, False)
    prove.add_argument("--all", action="store_true", help="check the shipped certificates of all registered ops again")
    prove.add_argument(
        "--save",
        type=Path,
        metavar="PATH",
        help="write the certificate of a proof by one operand; with --all, a directory for those of the registry",
    )
    prove.add_argument("--replay", type=Path, metavar="FILE", help="check a saved certificate again")
    check = command("check", _check, "prove or refute a gradient written by hand")
    formula(check, False)
    check.add_argument("--claim", metavar="TEXT", help='e.g. "dx[o + r] += dy[o] * w[r]"')
    check.add_argument("--file", type=Path, metavar="TOML", help="judge all claims of a file")
    check.add_argument(
        "--assume",
        metavar="TEXT",
        action="append",
        default=[],
        help='an assumption, e.g. "w.shape[0] == 2*h + 1"; may be repeated',
    )
    for made in (prove, check):
        made.add_argument("--json", action="store_true", help="print JSON")
        made.add_argument(
            "--budget", type=_seconds, default=10.0, metavar="SECONDS", help="time for one proof (default: 10)"
        )
    command("info", _info, "print version, CPU levels, compiler, threads")
    doc = command("doc", _doc, "write the generated pages, or check that they are fresh")
    generate = command("generate", _generate, "write the generated kernels, or check that they are fresh")
    for made, default in ((doc, "docs"), (generate, "convsym")):
        made.add_argument("directory", nargs="?", type=Path, default=Path(default), help=f"default: {default}")
        made.add_argument("--check", action="store_true", help="write nothing; exit 1 and name what is stale")
    tour = command("tour", _tour, "see the whole idea work, in under half a minute")
    tour.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="where the report goes (default: here)"
    )
    tour.add_argument("--seed", type=int, default=0, help="of the first weights and the order of images (default: 0)")
    tour.add_argument("--epochs", type=_count, help="passes through the training images")
    tour.add_argument("--no-report", action="store_true", help="write no convsym-tour.html")
    bench = command("bench", _bench, "measure speed against the libraries that are installed, in under a minute")
    for name, text in (("set", "a set of layers (default: quick)"), ("peer", "a library to measure (default: all)")):
        bench.add_argument(f"--{name}", action="append", default=[], metavar="NAME", help=f"{text}; may be repeated")
    bench.add_argument("--threads", type=_count, metavar="N", help="threads of everybody (default: convsym's)")
    bench.add_argument("--seconds", type=_seconds, metavar="S", help="time for each library and row (default: 0.06)")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the results to a file too")
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 86_400:
        raise argparse.ArgumentTypeError(f"{text} is no positive number of seconds below a day")
    return value


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _formula(text: str) -> Formula:
    from convsym.audit import named

    return named(text)


def _derive(arguments: argparse.Namespace) -> int:
    from convsym.codegen.formats import PRINTERS
    from convsym.derivation import vjp

    rule = vjp(_formula(arguments.formula), arguments.wrt)
    print(PRINTERS[arguments.format](rule).rstrip("\n"))
    return 0


def _prove(arguments: argparse.Namespace) -> int:
    from convsym.certificates import replay
    from convsym.derivation import vjp
    from convsym.proofs import prove

    if (arguments.formula is not None) + (arguments.replay is not None) + arguments.all != 1:
        raise FormulaError("prove takes either a formula (or op) or --replay FILE or --all")
    if arguments.all:
        return _prove_all(arguments)
    if arguments.replay:
        return _report([replay(arguments.replay, arguments.budget)], arguments.json)
    formula = _formula(arguments.formula)
    wanted = (arguments.wrt,) if arguments.wrt else formula.operands
    if arguments.save and len(wanted) != 1:
        raise FormulaError(
            f"--save writes one certificate, and the formula has the operands {', '.join(wanted)}",
            hint="say --wrt NAME",
        )
    proofs = [prove(vjp(formula, name), budget=arguments.budget) for name in wanted]
    if arguments.save:
        proofs[0].save(arguments.save)
    return _report(proofs, arguments.json)


def _prove_all(arguments: argparse.Namespace) -> int:
    """Check the shipped certificates again, or write them."""
    from convsym.certificates import owed, replay, shipped, write
    from convsym.ops import registry

    if arguments.save is None:
        return _report([replay(file, arguments.budget) for file in shipped().values()], arguments.json)
    for path in write(owed(registry), arguments.save, arguments.budget):
        print(path)
    return 0


def _report(proofs: list[Proof], as_json: bool) -> int:
    """Print proofs; the exit code is that of the worst."""
    from convsym.verdict import proof_record, worst

    if as_json:
        print(json.dumps([proof_record(p) for p in proofs], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(map(str, proofs)))
    statuses = {p.status for p in proofs}
    return EXIT[worst(statuses)]


def _check(arguments: argparse.Namespace) -> int:
    from convsym.proofs import check
    from convsym.verdict import proof_record

    if arguments.file:
        if arguments.formula or arguments.claim or arguments.wrt or arguments.assume:
            raise FormulaError("--file judges the claims of a file; it goes with --json and --budget only")
        return _check_file(arguments)
    if None in (arguments.formula, arguments.wrt, arguments.claim):
        raise FormulaError("check takes a formula (or op), --wrt and --claim, or --file")
    proof = check(
        _formula(arguments.formula),
        arguments.wrt,
        arguments.claim,
        assume=tuple(arguments.assume),
        budget=arguments.budget,
    )
    print(json.dumps(proof_record(proof), indent=2, ensure_ascii=False) if arguments.json else proof)
    return EXIT[proof.status]


def _check_file(arguments: argparse.Namespace) -> int:
    """One line for each claim; 0 if all are as expected, 3 if one is unknown, 1 otherwise."""
    from convsym.audit import audit
    from convsym.verdict import proof_record

    judged = []
    for entry in audit(arguments.file, arguments.budget):
        judged.append(entry)
        if not arguments.json:
            print(f"{'ok  ' if entry.as_expected else 'FAIL'} {entry.proof.status:8} {entry.name}", flush=True)
            if not entry.as_expected:
                print(f"     expected {entry.expect}: {entry.proof.reason}")
    if arguments.json:
        records = [{"name": e.name, "expect": e.expect, "ok": e.as_expected, **proof_record(e.proof)} for e in judged]
        print(json.dumps(records, indent=2, ensure_ascii=False))
    wrong = {e.proof.status for e in judged if not e.as_expected}
    return 0 if not wrong else EXIT["unknown"] if wrong == {"unknown"} else 1


def _info(arguments: argparse.Namespace) -> int:
    from convsym.kernels import show_config

    show_config()
    return 0


def _doc(arguments: argparse.Namespace) -> int:
    from convsym import documents

    if arguments.check:
        return _stale(documents.stale(arguments.directory), arguments.directory)
    for name in documents.write(arguments.directory):
        print(arguments.directory / name)
    return 0


def _generate(arguments: argparse.Namespace) -> int:
    from convsym.codegen import generate
    from convsym.ops import registry

    directory, files = arguments.directory, generate(registry)
    stale = [n for n, t in sorted(files.items()) if not (directory / n).is_file() or (directory / n).read_text() != t]
    if arguments.check:
        return _stale(stale, directory)
    for name in stale:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(files[name], encoding="utf-8")
        print(directory / name)
    return 0


def _stale(names: list[str], directory: Path) -> int:
    """Name stale files; the exit code of a check."""
    for name in names:
        print(f"stale: {directory / name}", file=sys.stderr)
    return 1 if names else 0


def _tour(arguments: argparse.Namespace) -> int:
    from convsym import tour

    epochs = tour.EPOCHS if arguments.epochs is None else arguments.epochs
    return tour.main(arguments.output, seed=arguments.seed, epochs=epochs, report=not arguments.no_report)


def _bench(arguments: argparse.Namespace) -> int:
    from convsym.bench import command

    seconds = command.SECONDS if arguments.seconds is None else arguments.seconds
    return command.bench(arguments.set, arguments.threads, seconds, arguments.json, arguments.peer)
