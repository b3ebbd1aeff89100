"""Figures show what the formula says: cells are points of the relation, and no text breaks the picture."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from convsym import Formula, figures, vjp
from convsym.digits import load_digits, split_digits
from convsym.figures.svg import text_width

CONV = Formula("y[o] += x[stride*o + dilation*r - padding] * w[r]", symmetric=("padding",))
MUTANT = Formula("y[o] += x[stride*o + 2 - dilation*r - padding] * w[r]", sizes={"o": "x.shape[0] - 2"})
HOSTILE = """<script>alert("x")</script> & ' ]]> \x00 \x1b[31m ﷽ 漢字 \ud800"""
SVG = "{http://www.w3.org/2000/svg}"


def relation(inputs, taps, stride=1, dilation=1, padding=0, formula=CONV):
    parameters = {"stride": stride, "dilation": dilation, "padding": padding}
    y = formula(x=np.ones(inputs, int), w=np.ones(taps, int), **parameters)
    shapes = {"x": (inputs,), "w": (taps,), "y": y.shape}
    points = figures.axis_relation(formula, shapes, parameters, output=("y", 0), kernel=("w", 0), input=("x", 0))
    return points, len(y)


def marked(svg, *names):
    """The integers in the data attributes of every element that bears all of them."""
    found = []
    for each in ET.fromstring(svg).iter():
        if all(f"data-{name}" in each.attrib for name in names):
            found.append(tuple(int(each.attrib[f"data-{name}"]) for name in names))
    return found


def every_figure():
    points, outputs = relation(7, 3)
    plain = np.array([[1, 0, 2, -1, 3, 1, 0]])
    plane = relation(6, 3, padding=1)[0]
    square = np.arange(6.0).reshape(2, 3)
    kernels = np.array([[[1, 2, 3]], [[0, -1, 1]]])
    result = np.stack([np.correlate(plain[0], kernel[0], "valid") for kernel in kernels])
    shape = figures.Shape("x", (1, 20, 64, 128), ("sample", "channels", "high", "wide"), figures.INPUT)
    return {
        "matrix": lambda t: figures.matrix([["a", t]], name=t, title=t),
        "matrix_vector": lambda t: figures.matrix_vector(square, [1, 2, 3], by="columns", title=t),
        "toeplitz": lambda t: figures.toeplitz(points, outputs, 7, name=t, title=t),
        "stack_and_shift": lambda t: figures.stack_and_shift(points, outputs, 7, title=t),
        "stacked_result": lambda t: figures.stacked_result(plain[0], kernels[:, 0], result, title=t),
        "layer_by_layer": lambda t: figures.layer_by_layer(points, plain, kernels, 1, title=t),
        "composition": lambda t: figures.composition(
            relation(5, 2)[0], relation(7, 3)[0], (plain[0, :2], plain[0, :3]), (4, 5, 7), title=t
        ),
        "signal": lambda t: figures.signal(plain, channels=[t], title=t),
        "line_chart": lambda t: figures.line_chart({t: [3, 2, 1]}, x_label=t, y_label=t, title=t),
        "image_grid": lambda t: figures.image_grid(square[None], [t], marks=[False], title=t),
        "window": lambda t: figures.window([plane, plane], (6, 6), (3, 3), (6, 6), (0, 0), title=t),
        "padding_plane": lambda t: figures.padding_plane([plane, plane], (6, 6), [(0, 0)], title=t),
        "diagram": lambda t: figures.diagram(
            [figures.Card(t, (t,), figures.INPUT, t), figures.Card(t, (), figures.OUTPUT, t, (), (t, t))],
            [figures.Arrow(0, 1, n, 2) for n in range(2)],
            title=t,
            description="two cards",
        ),
        "dimension_boxes": lambda t: figures.dimension_boxes([shape, shape], title=t, note=t),
    }


@pytest.mark.parametrize("name", sorted(every_figure()))
def test_every_figure_is_well_formed_titled_and_the_same_each_time(name):
    draw = every_figure()[name]
    svg = draw("A title")
    root = ET.fromstring(svg)
    assert root.tag == SVG + "svg"
    assert root.find(SVG + "title").text == "A title"
    assert root.find(SVG + "desc").text
    assert svg == every_figure()[name]("A title")


@pytest.mark.parametrize("name", sorted(every_figure()))
def test_hostile_text_stays_text(name):
    root = ET.fromstring(every_figure()[name](HOSTILE))
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "rect", "path", "polygon", "polyline", "circle", "text"}
    assert not any(re.match(r"on|href|style", key) for each in root.iter() for key in each.attrib)


@pytest.mark.parametrize("name", sorted(every_figure()))
def test_nothing_reaches_out_of_the_picture(name):
    root = ET.fromstring(every_figure()[name]("A title"))
    width, height = float(root.get("width")), float(root.get("height"))
    for x, y, each in placed(root, 0, 0):
        if each.tag == SVG + "text":
            long = text_width(each.text or "", float(each.get("font-size")), "font-family" in each.attrib)
            left = x - long * {"middle": 0.5, "end": 1}.get(each.get("text-anchor"), 0)
            assert left >= -1 and left + long <= width + 1, each.text
            assert 0 <= y <= height
        if each.tag == SVG + "rect":
            assert x >= 0 and x + float(each.get("width")) <= width
            assert y >= 0 and y + float(each.get("height")) <= height


def placed(node, x, y):
    """Elements with the coordinates they have in the whole picture; turned text is left out."""
    move = re.fullmatch(r"translate\(([-.\d]+) ([-.\d]+)\)(.*)", node.get("transform", "translate(0 0)"))
    if move[3]:
        return
    x, y = x + float(move[1]), y + float(move[2])
    yield x + float(node.get("x", 0)), y + float(node.get("y", 0)), node
    for child in node:
        yield from placed(child, x, y)


@pytest.mark.parametrize(
    "settings",
    [{}, {"stride": 2}, {"dilation": 2}, {"padding": 1}, {"stride": 3, "dilation": 2, "padding": 2}],
)
@pytest.mark.parametrize("inputs", [7, 64])
def test_the_cells_of_a_toeplitz_matrix_are_the_points_of_the_relation(inputs, settings):
    points, outputs = relation(inputs, 3, **settings)
    cells = marked(figures.toeplitz(points, outputs, inputs), "row", "tap", "column")
    inside = CONV.relation({"x": (inputs,), "w": (3,), "y": (outputs,)}, **settings)
    assert sorted(cells) == sorted(zip(inside["o"], inside["r"], inside["x[0]"], strict=True))
    weight = np.array([5, 7, 11])
    matrix = np.zeros((outputs, inputs), int)
    for row, tap, column in cells:
        matrix[row, column] = weight[tap]
    x = np.arange(inputs) ** 2
    assert (matrix @ x == CONV(x=x, w=weight, **settings)).all()


def test_a_mutant_relation_changes_the_picture():
    points, outputs = relation(7, 3)
    mutant, _ = relation(7, 3, formula=MUTANT)
    assert figures.toeplitz(points, outputs, 7) != figures.toeplitz(mutant, outputs, 7)
    assert figures.stack_and_shift(points, outputs, 7) != figures.stack_and_shift(mutant, outputs, 7)


def test_shifted_rows_are_the_relation():
    points, outputs = relation(7, 3)
    assert sorted(marked(figures.stack_and_shift(points, outputs, 7), "row", "tap", "column")) == sorted(
        map(tuple, points.tolist())
    )


def test_the_relation_of_a_rule_has_its_guard():
    parameters = {"stride": 2, "dilation": 1, "padding": 1}
    shapes = {"dy": (4,), "w": (3,), "dx": (7,)}
    points = figures.axis_relation(
        vjp(CONV, "x"), shapes, parameters, output=("dx", 0), kernel=("w", 0), input=("dy", 0)
    )
    forward, _ = relation(7, 3, stride=2, padding=1)
    inside = [(i, k, u) for i, k, u in forward.tolist() if 0 <= u < 7]
    read = [(o, r, i) for i, r, o in points.tolist() if 0 <= o < 4]
    assert sorted(inside) == sorted(read)


def test_windows_and_padding_are_the_reads_of_the_relation():
    rows, _ = relation(6, 3, stride=2, padding=1)
    columns, _ = relation(7, 5, padding=2)
    svg = figures.window([rows, columns], (6, 7), (3, 5), (3, 7), (1, 0))
    root = ET.fromstring(svg)
    framed = {
        (int(each.get("data-row")), int(each.get("data-column"))): each.get("data-tap")
        for each in root.iter()
        if "data-tap" in each.attrib
    }
    assert framed == {
        (u, v): f"{k},{m}" for i, k, u in rows.tolist() if i == 1 for j, m, v in columns.tolist() if j == 0
    }
    padding = {place for place in marked(svg, "row", "column", "padding")}
    assert padding == {(i, j, 1) for i in range(-1, 6) for j in range(-2, 9)
                       if not (0 <= i < 6 and 0 <= j < 7)}  # fmt: skip


def test_long_axes_are_shortened_and_keep_their_true_indices():
    rows, _ = relation(64, 3, padding=1)
    columns, _ = relation(128, 5, padding=2)
    svg = figures.padding_plane([rows, columns], (64, 128), [(0, 0), (63, 127)])
    cells = marked(svg, "row", "column")
    assert len(cells) == 16 * 16
    assert min(cells) == (-1, -2)
    assert max(cells) == (64, 129)
    assert "output 64×128" in svg


def test_kernels_lie_under_the_inputs_they_meet_and_the_sums_are_right():
    points, _ = relation(7, 3, dilation=2)
    x, w = np.array([[1, 2, 3, 4, 5, 6, 7], [0, 1, 0, 1, 0, 1, 0]]), np.arange(-6, 6).reshape(2, 2, 3)
    svg = figures.layer_by_layer(points, x, w, 1)
    expected = {(k, u) for i, k, u in points.tolist() if i == 1}
    assert {(tap, column) for tap, column in marked(svg, "tap", "column")} == expected
    formula = Formula("y[k, o] += x[c, o + dilation*r] * w[k, c, r]")
    for value in formula(x=x, w=w, dilation=2)[:, 1]:
        assert f">{value}</text>" in svg


def test_indices_are_printed_from_the_base_that_was_asked_for():
    points, outputs = relation(5, 3)
    zero, one = (figures.toeplitz(points, outputs, 5, base=base) for base in (0, 1))
    assert ">w₀<" in zero and ">x4<" in zero and ">w₃<" not in zero
    assert ">w₀<" not in one and ">x5<" in one and ">w₃<" in one
    assert marked(zero, "row", "column", "tap") == marked(one, "row", "column", "tap")


def test_composed_layers_are_the_product_of_their_matrices():
    inner, hidden = relation(9, 3, stride=2)
    outer, outputs = relation(hidden, 2)
    first, second = np.array([1, -1, 2]), np.array([3, 4])
    svg = figures.composition(outer, inner, (second, first), (outputs, hidden, 9))
    cells = marked(svg, "row", "column")
    paths = {(i, u) for i, _, j in outer.tolist() for h, _, u in inner.tolist() if j == h}
    assert len(cells) == len(outer) + len(inner) + len(paths)
    assert set(cells[-len(paths) :]) == paths
    both = CONV(x=CONV(x=np.eye(9, dtype=int)[4], w=first, stride=2), w=second)
    shown = [each.text for each in ET.fromstring(svg).iter(SVG + "text")]
    for value in both:
        assert str(value) in shown
    assert "the earlier 3, both together 5" in svg


def test_a_matrix_vector_product_read_either_way_shows_the_product():
    table, x = np.array([[1, 2], [3, 4], [5, 6]]), np.array([10, -1])
    for by in ("rows", "columns"):
        svg = figures.matrix_vector(table, x, by=by)
        for value in table @ x:
            assert f">{value}</text>" in svg
    with pytest.raises(ValueError, match=r"by is 'diagonals', but .* 'rows' or by 'columns'"):
        figures.matrix_vector(table, x, by="diagonals")


def test_boxes_bear_their_shapes_and_refuse_others():
    shape = figures.Shape("w", (16, 2, 3), ("kernels", "channels", "long"), figures.KERNEL)
    assert 'data-shape="16,2,3"' in figures.dimension_boxes([shape])
    with pytest.raises(ValueError, match=r"w has sizes \(16,\) .* 3 or 4 sizes"):
        figures.dimension_boxes([figures.Shape("w", (16,), ("kernels",), figures.KERNEL)])


def test_constant_series_and_images_are_drawn():
    ET.fromstring(figures.line_chart({"flat": [1.0]}, x_label="x", y_label="y"))
    ET.fromstring(figures.line_chart({"flat": [0.0, float("nan")]}, x_label="x", y_label="y"))
    ET.fromstring(figures.signal(np.zeros(3)))
    ET.fromstring(figures.image_grid(np.zeros((1, 2, 2)), ["0"]))


def test_the_digits_are_whole_and_always_split_the_same_way():
    images, labels = load_digits()
    assert images.shape == (1797, 8, 8) and images.dtype == np.uint8 and images.max() == 16
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    split = split_digits()
    assert len(split.held_labels) / len(labels) >= 0.2
    assert split.held_labels[:10].tolist() == [2, 8, 2, 6, 6, 7, 1, 9, 8, 5]
    both = np.concatenate([split.train_images, split.held_images])
    assert np.array_equal(np.sort(both.reshape(1797, 64), axis=0), np.sort(images.reshape(1797, 64), axis=0))
