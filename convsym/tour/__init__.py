"""The tour: one formula differentiated, proved, compiled and put to work on real data."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

import convsym
from convsym.digits import Split, split_digits
from convsym.terminal import Terminal
from convsym.tour import findings, show
from convsym.tour.comparison import compare
from convsym.tour.report import page
from convsym.tour.training import Epoch, Training, train

EPOCHS = 8
REPORT = "convsym-tour.html"
INTERRUPTED, CLOSED = 130, 141


def main(
    output: Path = Path(),
    *,
    seed: int = 0,
    epochs: int = EPOCHS,
    report: bool = True,
    stream: TextIO | None = None,
) -> int:
    """Run the tour.

    Parameters
    ----------
    output : Path
        The directory that the report is written to; made if it is missing.
    seed : int
        Decides the network's first weights, the order of the images and the geometries that are compared.
    epochs : int
        Passes through the training images, at least 1.
    report : bool
        Whether to write the report.
    stream : file, optional
        Where the tour is told; standard output if not given.

    Returns
    -------
    int
        The exit code: 0 when everything holds, 1 when something does not, 130 after Ctrl-C, 141 when the
        reader of the output has gone.
    """
    terminal = Terminal.of(sys.stdout if stream is None else stream)
    try:
        return _walk(terminal, output, seed, epochs, report)
    except KeyboardInterrupt:
        terminal.clear()
        print("The tour was stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes the stream once more at exit; what is left goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), terminal.stream.fileno())
        return CLOSED


def _walk(terminal: Terminal, output: Path, seed: int, epochs: int, report: bool) -> int:
    """Find out and show, section by section."""
    derivation = findings.derive()
    show.show_derivation(terminal, derivation)
    refutation = findings.refute(derivation.formula)
    show.show_refutation(terminal, refutation)
    check = compare(seed)
    show.show_kernels(terminal, check)
    split = split_digits()
    show.show_training_start(terminal, len(split.train_labels), len(split.held_labels))
    training = _train(terminal, split, seed, epochs)
    show.show_training(terminal, training, len(split.held_labels))
    if report:
        path = _write(output / REPORT, page(derivation, refutation, check, training, split))
        terminal.heading(5, "The report")
        terminal.paragraph(f"Formulas, proofs, curves, digits and filters on one page: {path}", indent=2)
    holds = not check.differing and refutation.verdict.status == "refuted"
    return 0 if holds and all(proof.status != "refuted" for proof in derivation.proofs) else 1


def _train(terminal: Terminal, split: Split, seed: int, epochs: int) -> Training:
    """Train with a progress bar; a line for each epoch stays."""

    def watch(step: int, steps: int, epoch: Epoch | None) -> None:
        if epoch is not None:
            terminal.clear()
            show.show_epoch(terminal, epoch)
        elif step % 8 == 0 or step == steps:
            terminal.bar(step, steps, f"step {step} of {steps}")

    # A team gains nothing on batches this small, and on a busy machine it waits at the end of every call.
    threads = convsym.get_num_threads()
    convsym.set_num_threads(1)
    try:
        return train(split, seed, epochs, watch)
    finally:
        convsym.set_num_threads(threads)


def _write(path: Path, text: str) -> Path:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
