"""The page about the adapters: its examples run, section by section, as far as the frameworks are installed."""

import doctest
from importlib.util import find_spec
from pathlib import Path

import pytest

SECTIONS = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8").split("\n## ")[1:]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition("\n")[0])
def test_examples(section):
    title = section.partition("\n")[0]
    if title != "One law" and find_spec(title.lower()) is None:
        pytest.skip(f"the peer {title} is not installed")
    test = doctest.DocTestParser().get_doctest(section.replace("```", ""), {}, title, "adapters.md", 0)
    assert test.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0
