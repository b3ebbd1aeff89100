"""The committed pages: fresh, complete, and every formula on them a named object that is proved."""

import re
import shutil
from itertools import product
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import sympy

pytest.importorskip("z3")  # pages state verdicts

import convsym
from convsym import Formula, documents
from convsym.documents import counts, operators, same
from convsym.documents.checklist import ITEMS
from convsym.documents.claims import CLAIMS, judged, proof_of
from convsym.documents.written import counted_from, written_out
from convsym.errors import ProofError
from convsym.op import declare
from convsym.ops import registry

DOCS = Path(__file__).parent.parent / "docs"
# Items of the seeds that state a formula; the others name a convention, a tool or a figure.
FORMULAS = (*range(1, 14), *range(16, 24), *range(25, 29))


@pytest.fixture(scope="module")
def pages():
    return documents.pages()


@pytest.mark.slow
def test_the_committed_pages_are_fresh():
    found = documents.stale(DOCS)
    assert not found, f"run `convsym doc` and commit: {', '.join(found)}"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 32))
def test_every_item_has_its_place(number, pages):
    item = ITEMS[number - 1]
    path, anchor = item.place.split("#")
    assert item.number == number
    assert anchor == f"item-{number}"
    assert [name for name, text in pages.items() if f'<a id="{anchor}"></a>' in text] == [path]
    assert f"({item.place.removeprefix('seeds/')})" in pages["seeds/README.md"]


@pytest.mark.parametrize("number", FORMULAS)
def test_every_item_with_a_formula_is_a_named_derived_proved_object(number):
    names = ITEMS[number - 1].ops
    assert names
    for name in names:
        assert registry[name].rules
        assert {proof_of(name, wrt).status for wrt in registry[name].rules} == {"proved"}


@pytest.mark.parametrize("name", CLAIMS)
def test_every_reading_gets_the_verdict_it_deserves(name):
    claim, proof = CLAIMS[name], judged(name)
    assert proof.status == claim.expected
    assert (proof.counterexample is not None) == (claim.expected == "refuted")
    owners = [item for item in ITEMS if name in item.claims]
    assert [claim.op in item.ops for item in owners] == [True]


@pytest.mark.slow
def test_claims_and_objects_stand_where_the_table_says(pages):
    for item in ITEMS:
        path, anchor = item.place.split("#")
        section = pages[path].partition(f'<a id="{anchor}"></a>')[2].partition("<a id=")[0]
        assert {name for name in item.ops if f"(../ops/{name}.md)" not in section} == set()
        assert {name for name in item.claims if convsym.latex(CLAIMS[name].formula) not in section} == set()
        assert section.count("**Refuted**") == sum(CLAIMS[name].expected == "refuted" for name in item.claims)


def test_corrections_that_are_numbers():
    smallest = judged("even, same padding").counterexample
    assert (smallest.sizes["x"], smallest.sizes["w"]) == ((1, 1), (2, 1))
    assert judged("index plus").counterexample.sizes["x"] != (1, 1)  # one pixel alone does not show it
    counts = same.column_counts()
    assert (counts[0, 0], counts[0, 2], counts[2, 2]) == (4, 6, 9)
    assert counts.sum() == (5 + 4 + 4) ** 2


@pytest.mark.slow
def test_the_examples_have_the_shapes_of_the_seeds(pages):
    text = pages["seeds/understanding-convolutions.md"]
    for shapes in (
        "| 3 | (1, 2, 64) | (16, 2, 3) | 96 | (16,) | (1, 16, 62) |",
        "| 5 | (1, 2, 64) | (16, 2, 5) | 160 | (16,) | (1, 16, 60) |",
        "| 0 | (1, 20, 64, 128) | (16, 20, 3, 5) | (1, 16, 62, 124) |",
        "| (1, 2) | (1, 20, 64, 128) | (16, 20, 3, 5) | (1, 16, 64, 128) |",
        "differs in 0 of 1952 elements",
        "(0 elements differ)",
    ):
        assert shapes in text


@pytest.mark.slow
def test_every_link_leads_somewhere(pages):
    for path, text in pages.items():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            name, _, anchor = target.partition("#")
            place = path if not name else _normal(PurePosixPath(path).parent / name)
            if place not in pages:  # a page that is written by hand
                titles = re.findall("(?m)^#+ (.*)$", (DOCS / place).read_text(encoding="utf-8"))
                assert not anchor or anchor in {title.lower().replace(" ", "-") for title in titles}, target
                continue
            assert not anchor or f'<a id="{anchor}"></a>' in pages[place], f"{path} links to {target}"


def _normal(path):
    parts = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


@pytest.mark.slow
def test_every_op_has_its_page(pages):
    few = [name for name, op in registry.items() if (op.rank or 0) <= 2]
    assert {f"ops/{name}.md" for name in few} | {"ops/README.md"} == {p for p in pages if p.startswith("ops/")}
    assert all(f"`{name}`" in pages["ops/README.md"] for name in registry)


@pytest.mark.slow
def test_pages_hold_nothing_that_changes_by_itself(pages):
    for path, text in pages.items():
        assert path.endswith(".svg") or convsym.__version__ not in text, path
        assert not re.search(r"\b\d+(\.\d+)? ?(ms|seconds)\b", text), path
        assert text.endswith("\n") and "\r" not in text


@pytest.mark.slow
def test_no_sentence_has_a_hole(pages):
    holes = re.compile(r": ,|: \.|\[\]\(|[a-z]  [a-z]|\bNone\b(?!:)")
    for path, text in pages.items():
        words = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        assert path.endswith(".svg") or not holes.search(words), f"{path}: {holes.search(words)}"


def test_the_documented_formula_is_the_formula():
    for rank in (1, 2):
        lines = getattr(convsym, f"conv{rank}d").__doc__.splitlines()
        start = next(place for place, line in enumerate(lines) if "+=" in line)
        text = " ".join(line.strip() for line in lines[start : lines.index("", start)])
        op = registry[f"conv{rank}d"]
        spatial = {"spatial": "o r", "ranks": (1,)} if rank == 1 else {}
        assert declare("conv", text, doc="", **spatial)[0].formula == op.formula


# ------------------------------------------------------------------------------------------------------- mutants

@pytest.fixture
def copy(tmp_path):
    for folder in documents.FOLDERS:
        shutil.copytree(DOCS / folder, tmp_path / folder)
    shutil.copy(DOCS / "autograd.md", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_changed_page_a_missing_one_and_one_too_many_are_named(copy):
    page = copy / "ops/same.md"
    page.write_text(page.read_text(encoding="utf-8").replace("h_{0}", "h_{1}"), encoding="utf-8")
    (copy / "seeds/figures/window.svg").unlink()
    (copy / "ops/gone.md").write_text("an op that is no more\n", encoding="utf-8")
    named = ["ops/gone.md", "ops/same.md", "seeds/figures/window.svg"]
    assert documents.stale(copy) == named
    assert documents.write(copy) == named
    assert documents.stale(copy) == []


@pytest.mark.slow
def test_a_changed_formula_makes_the_pages_stale(monkeypatch):
    mutant, = declare("matvec", "y[i] += A[j, i] * x[j]", doc=registry["matvec"].doc)
    monkeypatch.setattr(operators, "registry", {**registry, "matvec": mutant})
    assert documents.stale(DOCS) == ["ops/README.md", "ops/matvec.md"]


def test_pages_are_not_made_without_the_prover(monkeypatch):
    monkeypatch.setattr("convsym.solver.z3", lambda: None)
    with pytest.raises(ProofError, match="pip install"):
        documents.pages()


# --------------------------------------------------------------------------------------------- printing from 1

def test_counting_from_one_moves_offsets_only():
    f = Formula("y[o] += x[stride*o + r - padding] * w[r]")
    assert counted_from(f, 0) == f
    assert str(counted_from(f, 1)) == str(Formula("y[o] += x[stride*o + r - padding - stride] * w[r]"))
    guarded = Formula("y[i] += where(i == j, x[j], 0)")
    assert counted_from(guarded, 1) == guarded
    with pytest.raises(ValueError, match="base is 2"):
        counted_from(f, 2)


def test_an_element_written_out_has_the_products_of_the_formula():
    f = Formula("y[o] += x[o + r - padding] * w[r]")
    sizes = {"x": (2,), "w": (3,), "y": (2,)}
    assert written_out(f, sizes, (0,), parameters={"padding": 1}) == r"y_{0} = x_{0} \, w_{1} + x_{1} \, w_{2}"
    assert written_out(f, sizes, (1,), parameters={"padding": -2}) == "y_{1} = 0"
    assert np.array_equal(f(x=[5, 7], w=[1, 10, 100], padding=1, sizes={"o": 2}), [5 * 10 + 7 * 100, 5 * 1 + 7 * 10])


@pytest.mark.slow
def test_the_closed_form_of_the_columns_agrees_with_the_points_at_every_size():
    """Item 9: loop bounds of the gradient on one road, points of the forward relation on the other."""
    formula = registry["same"].formula
    for rows, reach in product(range(1, 7), range(4)):
        sizes = {"x": (rows, 2), "w": (2 * reach + 1, 1), "y": (rows, 2)}
        points = formula.relation(sizes, h0=reach, h1=0)
        for u in range(rows):
            counted = counts.counted(counts.column_count(0), sizes, u=u, h0=reach)
            assert counted == int(((points["x[0]"] == u) & (points["x[1]"] == 0)).sum())
        whole = counts.counted(counts.total("same"), sizes, h0=reach, h1=0)
        assert whole == len(points["x[0]"])
    wrong = counts.column_count(0).xreplace({sympy.Symbol("h0"): sympy.Symbol("h0") + 1})
    assert counts.counted(wrong, {"x": (5, 2), "w": (3, 1), "y": (5, 2)}, u=4, h0=1) != 2


def test_counts_are_written_from_the_first_tap_on_in_one_order():
    text = counts.count_text(registry["conv1d"].formula, counts.total("conv1d"))
    assert text.startswith("w.shape[0] · x.shape[0] · x.shape[1] · (Σ[r0 < w.shape[2]] max(0, min(floor(")
    assert text.endswith(" - max(0, ceil((padding0 - dilation0*r0)/stride0))))")


@pytest.mark.slow
def test_item_15_is_derived_and_proved(pages):
    section = pages["seeds/convolution-and-its-gradients.md"].partition('<a id="item-15"></a>')[2]
    assert section.count("**Proved**: ") == 2
    assert "will stand here" not in section
    assert r"\operatorname{reflect}" in section
