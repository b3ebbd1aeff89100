"""The README's examples run, and its two commands are there once each."""

import doctest
from importlib.util import find_spec
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
NEEDS_PROVER = doctest.register_optionflag("NEEDS_PROVER")


def failures(text):
    """Number of failing examples; those that need the prover are left out where it is missing."""
    test = doctest.DocTestParser().get_doctest(text.replace("```", ""), {}, "README.md", "README.md", 0)
    if find_spec("z3") is None:
        test.examples = [example for example in test.examples if NEEDS_PROVER not in example.options]
    return doctest.DocTestRunner().run(test).failed


def test_every_example_gives_what_the_readme_says():
    assert failures(README.read_text(encoding="utf-8")) == 0


def test_a_wrong_example_would_be_noticed():
    assert failures(README.read_text(encoding="utf-8").replace("66, 22", "66, 23")) == 1


def test_the_two_commands_stand_alone_in_fences():
    blocks = README.read_text(encoding="utf-8").split("```")[1::2]
    commands = [line for block in blocks for line in block.splitlines() if line.startswith("pip install")]
    assert commands == ["pip install . && convsym tour", 'pip install ".[test]" && pytest']
