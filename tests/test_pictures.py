"""The pictures of a recorded graph say what the tape recorded: every node once, every edge, the derived rules."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from test_diagrams import SVG, cards_of, crowded

import convsym
from convsym import autograd, registry
from convsym.autograd import nodes, pictures
from convsym.autograd.pictures import Kind


def tensor(data, requires_grad=True):
    return convsym.tensor(data, requires_grad=requires_grad)


def seed_example():
    """The example of the seed, with its names."""
    x = tensor([[1, 2], [3, 4]])
    y = x - 2
    z = 3 * y**2
    a = z.mean()
    return {"x": x, "y": y, "z": z, "a": a}


def shared():
    """A leaf and an intermediate result that are used several times, and a constant array."""
    x, w = tensor(np.arange(6.0).reshape(2, 3)), tensor(np.ones((3, 40)))
    h = x @ w
    c = np.full((2, 40), 0.5)
    r = h * h + h * c
    return {"x": x, "w": w, "h": h, "c": c, "r": (r + x.sum()).sum()}


def chain(length):
    x = tensor(1.0)
    y = x
    for _ in range(length):
        y = y + x
    return {"x": x, "y": y}


EXAMPLES = {
    "seed": (seed_example, "a"),
    "shared": (shared, "r"),
    "chain": (lambda: chain(12), "y"),
    "second": (lambda: second_order(), "s"),
    "leaf": (lambda: {"x": tensor([1.0, 2.0])}, "x"),
    "constant": (lambda: {"x": tensor([1.0, 2.0], False)}, "x"),
}


def second_order():
    """The graph of a gradient."""
    x = tensor([1.0, 2.0])
    (x * x * x).sum().backward(create_graph=True)
    return {"x": x, "s": x.grad.sum()}


def graph_of(name):
    made, result = EXAMPLES[name]
    names = made()
    return names[result].graph(names), names[result]


def edges_in_dot(dot):
    return sorted((int(a), int(b)) for a, b in re.findall(r"^  v(\d+) -> v(\d+)", dot, re.M))


def edges_in_tree(graph):
    """Pairs of titles, read off the indentation; lines that refer to a vertex elsewhere count as edges too."""
    found, path = [], {}
    for text in graph.tree.splitlines():
        depth = len(re.match(r"[│├└─ ]*", text)[0]) // 3
        title = re.sub(r"^#\d+ | \((above|below)\)$", "", text[3 * depth :]).split("  ")[0]
        path[depth] = title
        if depth:
            found.append((title, path[depth - 1]))
    return sorted(found)


@pytest.mark.parametrize("name", EXAMPLES)
def test_all_pictures_have_the_tapes_vertices_and_edges(name):
    graph, result = graph_of(name)
    recorded = nodes(result)
    operations = [v for v in graph.vertices if v.kind is Kind.OPERATION]
    assert [v.op for v in operations] == [node.op.name for node in recorded]
    for node, vertex in zip(recorded, operations, strict=True):
        pairs = zip(node.edges, node.operands, strict=True)
        assert len(vertex.sources) == sum(edge is not None or np.size(operand) > 1 for edge, operand in pairs)
    wanted = sorted((source, n) for n, v in enumerate(graph.vertices) for source in v.sources)
    assert edges_in_dot(graph.dot) == wanted
    titles = [v.title for v in graph.vertices]
    assert edges_in_tree(graph) == sorted((titles[a], titles[b]) for a, b in wanted)
    assert [int(group.get("data-card")) for group, _, _ in cards_of(graph.svg)] == list(range(len(titles)))


def test_the_check_of_edges_sees_a_lost_one():
    graph, _ = graph_of("shared")
    assert edges_in_dot(graph.dot.replace("  v0 -> ", "  // v0 -> ", 1)) != edges_in_dot(graph.dot)
    lost = pictures.Graph((*graph.vertices[:-1], replace(graph.vertices[-1], sources=(), inlets=())))
    assert edges_in_tree(lost) != edges_in_tree(graph)


@pytest.mark.parametrize("name", EXAMPLES)
def test_pictures_are_well_formed_tell_themselves_and_are_the_same_each_time(name):
    graph, _ = graph_of(name)
    root = ET.fromstring(graph.svg)
    assert root.get("role") == "img" and root.get("aria-label")
    assert root.findtext(SVG + "desc") and root.findtext(SVG + "title")
    assert list(crowded(graph.svg)) == []
    assert graph_of(name)[0].svg == graph.svg
    assert graph._repr_svg_() == graph.svg
    assert graph._repr_html_() == f'<div style="overflow-x: auto">{graph.svg}</div>'
    assert str(graph) == repr(graph) == graph.tree


def test_the_seeds_graph_is_printed_as_a_tree():
    names = seed_example()
    names["a"].backward()
    assert str(names["a"].graph(names)).splitlines() == [
        "a = mean(z)  ()  4.5",
        "└─ z = mul(3, ·)  (2, 2)  [[3, 0], [3, 12]]",
        "   └─ pow(y)  p=2  (2, 2)  [[1, 0], [1, 4]]",
        "      └─ y = sub(x, 2)  (2, 2)  [[-1, 0], [1, 2]]",
        "         └─ x  (2, 2) float64  leaf  [[1, 2], [3, 4]]  gradient [[-1.5, 0], [1.5, 3]]",
    ]


def test_the_seeds_picture_shows_values_and_the_derived_rules_on_hover():
    names = seed_example()
    names["a"].backward()
    svg = names["a"].graph(names).svg
    hover = [group.findtext(SVG + "title") for group, _, _ in cards_of(svg)]
    assert "derived rule: da[i] += dy[i]" in hover[1].splitlines()
    assert "here: a = x, b = 2" in hover[1].splitlines()
    rules = [line for text in hover for line in text.splitlines() if line.startswith("derived rule: ")]
    pairs = [pair for node in nodes(names["a"]) for pair in zip(node.op.rules, node.edges, strict=True)]
    assert rules == [f"derived rule: {rule}" for rule, edge in pairs if edge is not None]
    shown = [[each.text for _, _, each in rest if each.tag == SVG + "text"] for _, _, rest in cards_of(svg)]
    assert shown[0] == ["x", "(2, 2) float64", "1", "2", "3", "4", "gradient", "-1.5", "0", "1.5", "3"]
    assert shown[-1] == ["a = mean(z)", "()", "4.5"]


def test_without_names_the_graph_still_shows():
    text = str(seed_example()["a"].graph())
    assert text.startswith("mean  ()  4.5") and text.endswith("leaf  (2, 2) float64  [[1, 2], [3, 4]]")


def test_names_are_found_in_a_namespace():
    def inner():
        x = tensor([1.0, 2.0])
        _hidden = y = x * 2
        other, number = "text", 3.5  # noqa: F841
        return str(y.graph(vars()))

    assert inner().splitlines()[0] == "y = mul(x, 2)  (2,)  [2, 4]"


def test_what_is_used_twice_is_drawn_once():
    graph, _ = graph_of("shared")
    titles = [v.title for v in graph.vertices]
    assert titles.count("h = matmul(x, w)") == titles.count("x") == titles.count("c") == 1
    assert "\n   │  │  └─ h = matmul(x, w) (above)\n" in graph.tree


def test_a_constant_array_gets_no_rule_and_its_own_card():
    graph, _ = graph_of("shared")
    product = next(v for v in graph.vertices if v.title == "mul(h, c)")
    assert product.rules == ("da[i] += dy[i]*b[i]",)
    assert {v.name for v in graph.vertices if v.kind is Kind.CONSTANT} == {"c"}


@pytest.mark.parametrize("limit", [1, 3, 12, 13, None])
def test_long_graphs_are_cut_and_say_so(limit):
    graph = chain(12)["y"].graph(limit=limit)
    left = 0 if limit is None else max(12 - limit, 0)
    assert graph.left_out == left
    assert sum(v.kind is Kind.OPERATION for v in graph.vertices) == 12 - left
    for text in (graph.tree, graph.svg):
        assert ("older" in text) == (left > 0)
    if left:
        assert f"… and {left} older operation" in graph.tree
        assert sum(v.kind is Kind.EARLIER for v in graph.vertices) == 1


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="limit is 0, but a graph shows at least 1 operation; None shows all"):
        chain(3)["y"].graph(limit=0)


def test_deep_graphs_are_printed_in_pieces_and_drawn():
    graph = chain(600)["y"].graph(limit=None)
    lines = graph.tree.splitlines()
    assert max(map(len, lines)) < 120
    assert sum(line.endswith("(below)") for line in lines) == sum(line.startswith("#") for line in lines) > 5
    assert len(list(cards_of(graph.svg))) == 601


HOSTILE = ["<script>alert(1)</script>", '" onload="x', "a&b", "\x00\x1b[31m", "]]>", "\\", "\n", "漢字" * 30, 'x"]; ["']


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name):
    example = seed_example()
    graph = example["a"].graph({name: example["x"]})
    root = ET.fromstring(graph.svg)
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "rect", "path", "polygon", "text"}
    assert not any(key.startswith("on") for each in root.iter() for key in each.attrib)
    statements = [line for line in graph.dot.splitlines() if line.startswith("  v")]
    strings = re.compile(r'"(?:[^"\\]|\\.)*"')
    assert all('"' not in strings.sub("", statement) for statement in statements)
    assert len(statements) == 5 + 4
    assert len(graph.tree.splitlines()) == 5 and "\x1b" not in graph.tree


@pytest.mark.parametrize("values", [[np.nan, np.inf, -np.inf], [1e300, -1e-300, -0.0], [123456.0, 1234567.0, 0.1]])
def test_any_number_can_be_shown(values):
    x = tensor(values)
    with np.errstate(all="ignore"):
        graph = (x * 2).graph({"x": x})
    ET.fromstring(graph.svg)
    assert list(crowded(graph.svg)) == []


@pytest.mark.parametrize("shape", [(0,), (0, 3), (1,), (1, 1, 2, 2), (2, 2, 2), (17,), (9,), (16, 1), (1, 16), ()])
def test_any_shape_can_be_shown(shape):
    x = tensor(np.ones(shape))
    graph = (x + 1).graph({"x": x})
    assert str(shape) in graph.tree and str(shape) in graph.dot
    assert list(crowded(graph.svg)) == []


def test_a_picture_keeps_what_it_was_when_the_tape_goes_on():
    names = seed_example()
    graph = names["a"].graph(names)
    before = graph.tree
    names["a"].backward()
    names["x"].data[:] = 9
    assert graph.tree == before != names["a"].graph(names).tree


def test_indices_and_arrays_are_shown_as_they_are_typed():
    x = tensor(np.arange(12.0).reshape(3, 4))
    shown = [str(y.graph()).splitlines()[0] for y in (x[1], x[:, 1:3], x[..., ::2], x[[0, 2]], x[np.arange(6) % 3],
                                                           x[np.arange(3), np.arange(3)])]  # fmt: skip
    assert [re.search(r"key=(.*?)  ", line)[1] for line in shown] == [
        "1", "(:, 1:3)", "(…, ::2)", "[0, 2]", "int64 (6,)", "([0, 1, 2], [0, 1, 2])"
    ]  # fmt: skip


def test_trees_and_pictures_load_no_algebra():
    code = (
        "import sys, convsym; x = convsym.tensor([1, 2], requires_grad=True); g = (x * 2).sum().graph({'x': x}); "
        "g.svg, g.dot, str(g); assert 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_sources_stand_before_what_is_computed_from_them():
    for name in EXAMPLES:
        vertices = graph_of(name)[0].vertices
        assert all(source < n for n, v in enumerate(vertices) for source in v.sources)
        numbers = [node.number for node in nodes(graph_of(name)[1])]
        assert all(a < b for a, b in pairwise(numbers))


def test_a_convolution_shows_its_formula_and_the_rules_derived_from_it():
    x, w = tensor(np.ones((1, 2, 4))), tensor(np.ones((2, 1, 2)))
    for groups, weight, op in ((2, w, registry["conv1d"]), (1, x[:, :, :2], registry["conv1d"])):
        formula, rules = (op.grouped, op.grouped_rules) if groups > 1 else (op.formula, op.rules)
        hover = pictures.explained(autograd.conv1d(x, weight, groups=groups).graph().vertices[-1])
        assert f"formula: {formula}" in hover
        assert [f"derived rule: {rules[name]}" for name in "xw"] == hover.splitlines()[-2:]


def test_columns_added_back_are_the_rule_of_columns_taken():
    text = autograd.fold(tensor(np.ones((1, 4, 4))), (3, 3), 2).grad_fn.op
    op = registry["unfold2d"]
    assert text.formula == str(op.rules["x"]).replace("dx[", "y[").replace("dy[", "x[")
    assert text.rules == (str(op.formula).replace("y[", "d_[").replace("x[", "dy[").replace("d_[", "dx["),)


def test_graphs_of_many_vertices_show_single_numbers_only():
    x = tensor([1.0, 2.0])
    few, many = x, x
    for _ in range(5):
        few = few + 1
    for _ in range(50):
        many = many + 1
    cells = {name: sum(each[2].tag == SVG + "rect" for _, _, rest in cards_of(y.sum().graph().svg) for each in rest)
             for name, y in (("few", few), ("many", many))}  # fmt: skip
    assert cells == {"few": 2 * 6 + 1, "many": 1}
