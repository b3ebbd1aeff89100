"""The command ``convsym``: results to standard output, messages to standard error.

Exit codes: 0 done or proved, 1 refuted or failed, 2 wrong usage, 3 unknown; 130 after Ctrl-C.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from convsym._version import __version__
from convsym.errors import ConvsymError, FormulaError, nearest

EXIT = {"proved": 0, "refuted": 1, "unknown": 3}
USAGE, INTERRUPTED, CLOSED = 2, 130, 141
FORMATS = ("text", "latex", "python", "cython", "json")


def main(argv=None):
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
    arguments = _parser().parse_args(argv)
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except ConvsymError as error:
        print(f"convsym: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("convsym: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; what Python flushes at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED


def _parser():
    parser = argparse.ArgumentParser(
        prog="convsym", description="Convolutions as one line of index notation: derived, proved, compiled, explained."
    )
    parser.add_argument("--version", action="version", version=f"convsym {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text):
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    def formula(made, wrt_required):
        made.add_argument(
            "formula",
            metavar="FORMULA|OP",
            help='formula text such as "y[o] += x[o + r] * w[r]", or the name of a registered op such as conv2d',
        )
        made.add_argument("--wrt", metavar="NAME", required=wrt_required, help="operand to differentiate by")

    derive = command("derive", _derive, "derive the gradient of a formula, with its steps")
    formula(derive, True)
    derive.add_argument("--format", choices=FORMATS, default="text", help="what to print (default: text)")
    prove = command("prove", _prove, "prove the derived gradients for every size and parameter")
    formula(prove, False)
    check = command("check", _check, "prove or refute a gradient written by hand")
    formula(check, True)
    check.add_argument("--claim", metavar="TEXT", required=True, help='e.g. "dx[o + r] += dy[o] * w[r]"')
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
    for made, default in ((doc, "docs"), (generate, "convsym/kernels/_generated")):
        made.add_argument("directory", nargs="?", type=Path, default=Path(default), help=f"default: {default}")
        made.add_argument("--check", action="store_true", help="write nothing; exit 1 and name what is stale")
    tour = command("tour", _tour, "see the whole idea work, in under half a minute")
    tour.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="where the report goes (default: here)"
    )
    tour.add_argument("--seed", type=int, default=0, help="of the first weights and the order of images (default: 0)")
    tour.add_argument("--epochs", type=_count, help="passes through the training images")
    tour.add_argument("--no-report", action="store_true", help="write no convsym-tour.html")
    return parser


def _seconds(text):
    value = float(text)
    if not 0 < value < 86_400:
        raise argparse.ArgumentTypeError(f"{text} is no positive number of seconds below a day")
    return value


def _count(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _formula(text):
    """A registered op's formula, or the formula that a text says."""
    from convsym.formula import Formula
    from convsym.ops import registry

    if text in registry:
        return registry[text].formula
    if "[" not in text:
        raise FormulaError(f"{text!r} is neither a formula nor a registered op", hint=nearest(text, registry))
    return Formula(text)


def _derive(arguments):
    from convsym.derivation import vjp

    rule = vjp(_formula(arguments.formula), arguments.wrt)
    if arguments.format == "json":
        from convsym.codegen.record import rule_record

        print(json.dumps(rule_record(rule), indent=2, ensure_ascii=False))
    elif arguments.format == "latex":
        from convsym.notation import derivation_latex

        print(derivation_latex(rule.parent, rule.steps))
    elif arguments.format == "python":
        from convsym.codegen.python import python_text

        print(python_text(rule.gather, f"vjp_{rule.wrt}"), end="")
    elif arguments.format == "cython":
        from convsym.codegen.cython import kernel_text
        from convsym.codegen.loops import nest

        print(kernel_text(nest(f"kernel_{rule.output}", rule), "f64"), end="")
    else:
        print(f"formula   {rule.parent}\nscatter   {rule.scatter}\ngather    {rule.gather}\n\nsteps")
        for step in rule.steps:
            print(f"  {step.lemma}\n      {step.text}")
    return 0


def _prove(arguments):
    from convsym.codegen.record import proof_record
    from convsym.derivation import vjp
    from convsym.proofs import prove

    formula = _formula(arguments.formula)
    wanted = (arguments.wrt,) if arguments.wrt else formula.operands
    proofs = [prove(vjp(formula, name), budget=arguments.budget) for name in wanted]
    if arguments.json:
        print(json.dumps([proof_record(p) for p in proofs], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(map(str, proofs)))
    statuses = {p.status for p in proofs}
    return EXIT[next(s for s in ("refuted", "unknown", "proved") if s in statuses)]


def _check(arguments):
    from convsym.codegen.record import proof_record
    from convsym.proofs import check

    proof = check(
        _formula(arguments.formula),
        wrt=arguments.wrt,
        claim=arguments.claim,
        assume=tuple(arguments.assume),
        budget=arguments.budget,
    )
    print(json.dumps(proof_record(proof), indent=2, ensure_ascii=False) if arguments.json else proof)
    return EXIT[proof.status]


def _info(arguments):
    from convsym.kernels import show_config

    show_config()
    return 0


def _doc(arguments):
    from convsym import documents

    return _write_or_check(documents.pages(), arguments.directory, arguments.check)


def _generate(arguments):
    from convsym.codegen import generate
    from convsym.ops import registry

    return _write_or_check(generate(registry), arguments.directory, arguments.check)


def _write_or_check(files, directory, check):
    """Write files below a directory; or name those that differ, and fail."""
    stale = [
        name
        for name, text in files.items()
        if not (directory / name).is_file() or (directory / name).read_text(encoding="utf-8") != text
    ]
    if check:
        for name in stale:
            print(f"stale: {directory / name}", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(files[name], encoding="utf-8")
        print(directory / name)
    return 0


def _tour(arguments):
    from convsym import tour

    epochs = tour.EPOCHS if arguments.epochs is None else arguments.epochs
    return tour.main(arguments.output, seed=arguments.seed, epochs=epochs, report=not arguments.no_report)
