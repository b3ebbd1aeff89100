"""The findings in words on a terminal."""

from __future__ import annotations

from convsym.terminal import Terminal
from convsym.tour.comparison import KernelCheck
from convsym.tour.findings import Derivation, Refutation
from convsym.tour.training import Epoch, Training
from convsym.verdict import Proof

COLORS = {"proved": "green", "checked": "green", "refuted": "red", "unknown": "yellow"}


def show_derivation(terminal: Terminal, found: Derivation) -> None:
    """Write the formula, its gradients step by step, and the proofs."""
    terminal.heading(1, "One line, its gradients, and their proof")
    terminal.paragraph("The formula, a 1-D convolution (cross-correlation):", indent=2)
    terminal.code(str(found.formula), "bold")
    for rule, proof in zip(found.rules, found.proofs, strict=True):
        terminal.write()
        terminal.paragraph(f"Its gradient by {rule.wrt}, derived:", indent=2)
        for step in rule.steps:
            terminal.paragraph(step.lemma, "dim", indent=4)
            terminal.paragraph(step.text, indent=6, hang=4)
        terminal.write()
        show_proof(terminal, proof, f"d{rule.wrt}")


def show_proof(terminal: Terminal, proof: Proof, name: str) -> None:
    """Write a verdict with its obligations, and why where it is not a proof."""
    verdict = terminal.styled(proof.status, "bold", COLORS[proof.status])
    terminal.write(f"  {name} is {verdict} in {proof.seconds:.2f} s")
    for status, name, time in proof_rows(proof):
        terminal.fact(status, f"{name} {time}", len("refuted"), name_style=COLORS[status])
    if proof.status == "unknown":
        terminal.paragraph(proof.reason, "yellow", indent=4)


def proof_rows(proof: Proof) -> list[tuple[str, str, str]]:
    """Return what a verdict rests on: status, statement and time of each."""
    exact = f"exact integers agree on {proof.geometries} small geometries"
    rows = [("checked", exact, "")] if proof.geometries and proof.status != "refuted" else []
    return rows + [(each.status, each.name, f"({each.seconds * 1e3:.0f} ms)") for each in proof.obligations]


def show_refutation(terminal: Terminal, found: Refutation) -> None:
    """Write the wrong gradient, its counter-example, and the right one."""
    terminal.heading(2, "A gradient written by hand, refuted")
    terminal.paragraph("Somebody forgot the dilation when solving for o. Tests with dilation 1 all pass:", indent=2)
    terminal.code(found.claim)
    terminal.write()
    show_proof(terminal, found.verdict, "This claim")
    example = found.verdict.counterexample
    if example is not None:
        terminal.paragraph("The counter-example:", indent=2)
        terminal.facts(counterexample_facts(found.verdict), "yellow")
    terminal.write()
    terminal.paragraph("The derived gradient, put to the same check in scatter form:", indent=2)
    terminal.code(found.right)
    terminal.write()
    show_proof(terminal, found.right_verdict, "This one")


def counterexample_facts(proof: Proof) -> list[tuple[str, str]]:
    """Return the sizes, parameters, place and both values of a counter-example as names and words."""
    example = proof.counterexample
    if example is None:
        return []
    return [
        ("sizes", ", ".join(f"{name} {tuple(shape)}" for name, shape in example.sizes.items())),
        ("parameters", ", ".join(f"{name} = {value}" for name, value in example.params.items())),
        ("index", str(tuple(example.index))),
        ("expected", str(example.expected)),
        ("claimed", str(example.claimed)),
        ("arrays", example.fill),
    ]


def show_kernels(terminal: Terminal, found: KernelCheck) -> None:
    """Write what each kernel computes and that no bit differs from the reference."""
    terminal.heading(3, "The kernels that the rules became")
    terminal.paragraph(
        f"Compiled from the rules; CPU level {found.level}, threads {found.threads}. Each is compared with "
        "the exact reference on integers, over random sizes, strides, dilations and paddings:",
        indent=2,
    )
    left = max(len(each.kernel) for each in found.comparisons)
    for each in found.comparisons:
        terminal.fact(each.kernel, str(each.rule), left)
        words = f"{each.geometries} geometries, {each.numbers:,} numbers, {each.differing} differing bits"
        terminal.fact("", words, left, "red" if each.differing else "green")


def show_training_start(terminal: Terminal, images: int, held: int) -> None:
    """Write what is about to be trained."""
    terminal.heading(4, "A network that reads handwritten digits")
    terminal.paragraph(
        f"Three convolutions with bias and relu, squared error, {images:,} real digits (UCI, 8×8 pixels) to "
        f"learn from and {held} held out. Every gradient is a derived rule, run as a compiled kernel:",
        indent=2,
    )


def show_epoch(terminal: Terminal, epoch: Epoch) -> None:
    """Write one line for an epoch."""
    accuracy = terminal.styled(f"{epoch.accuracy:.1%}", "bold")
    terminal.write(
        f"    epoch {epoch.number:2d}  loss {epoch.loss:.4f}  held-out loss {epoch.held_loss:.4f}  read {accuracy}"
    )


def show_training(terminal: Terminal, found: Training, held: int) -> None:
    """Write how many held-out digits are read."""
    right = round(found.accuracy * held)
    words = f"{right} of {held} held-out digits read correctly: {found.accuracy:.1%}"
    terminal.write()
    terminal.paragraph(words, "bold", "green", indent=2)
