"""Boxes joined by arrows: nothing overlaps, no line runs through a box, every arrow leads from its box to its inlet."""

import random
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations

import pytest

from convsym.figures import INPUT, KERNEL, Arrow, Card, Table, diagram
from convsym.figures.arrangement import arrange, ascending
from convsym.figures.svg import text_width

SVG = "{http://www.w3.org/2000/svg}"


def random_graph(seed, count=40, reach=10):
    """Sizes and arrows of a graph whose only last box is the last one."""
    chance = random.Random(seed)
    sizes = [(chance.randint(30, 160), chance.randint(20, 120)) for _ in range(count)]
    arrows, used = [], set()
    for n in range(1, count):
        sources = [chance.randrange(max(0, n - reach), n) for _ in range(chance.choice((1, 1, 1, 2, 2, 3)))]
        arrows += [Arrow(m, n, k, len(sources), chance.choice((1.0, 8.0))) for k, m in enumerate(sources)]
        used |= set(sources)
    loose = [n for n in range(count - 1) if n not in used]
    return sizes, arrows + [Arrow(n, count - 1, k, len(loose)) for k, n in enumerate(loose)]


def curve(segment, steps=24):
    """Points of the drawn curve of a segment, and of the straight end inside of a layer."""
    (x, y), (u, v) = segment.start, segment.end
    middle = (y + v) / 2
    for n in range(steps + 1):
        t = n / steps
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
        yield a * x + b * x + c * u + d * u, a * y + b * middle + c * middle + d * v
    if segment.stop is not None:
        yield from ((u, v + (segment.stop - v) * n / 8) for n in range(9))


def faults(found, sizes, arrows):
    """Sentences about everything that is wrong in an arrangement."""
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(found.corners, sizes, strict=True)]
    for (m, a), (n, b) in combinations(enumerate(boxes), 2):
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
            yield f"box {m} overlaps box {n}"
    points = [(x, y) for segment in found.segments for x, y in curve(segment)]
    points += [(x, top + (bottom - top) * n / 8) for x, top, bottom in found.lanes for n in range(9)]
    for n, (left, top, right, bottom) in enumerate(boxes):
        if any(left + 0.01 < x < right - 0.01 and top + 0.01 < y < bottom - 0.01 for x, y in points):
            yield f"a line runs through box {n}"
        if left < -0.01 or top < -0.01 or right > found.width + 0.01 or bottom > found.height + 0.01:
            yield f"box {n} is outside of the picture"
    onward = {}
    for segment in found.segments:
        onward.setdefault(segment.upper, []).append(segment)
        if segment.start[1] >= segment.end[1]:
            yield f"a line from {segment.upper} does not lead down"
    for arrow in arrows:
        found_ends = ends(onward, arrow.source, len(sizes), arrow.target)
        if not any(hit(boxes[arrow.target], arrow, end) for end in found_ends):
            yield f"no line leads from {arrow.source} to inlet {arrow.inlet} of {arrow.target}"


def ends(onward, start, count, target):
    """Where lines arrive at one box that leave another, along lanes only."""
    stack = [start]
    while stack:
        for segment in onward.get(stack.pop(), []):
            if segment.lower >= count:
                stack.append(segment.lower)
            elif segment.lower == target:
                yield segment.end[0], segment.stop


def hit(box, arrow, end):
    left, top, right, _ = box
    place = left + (right - left) * (arrow.inlet + 1) / (arrow.inlets + 1)
    return abs(end[0] - place) < 0.01 and abs(end[1] - top) < 0.01


@pytest.mark.parametrize("seed", range(12))
def test_boxes_and_lines_keep_clear_of_each_other(seed):
    sizes, arrows = random_graph(seed, count=8 + 4 * seed, reach=3 + seed)
    found = arrange(sizes, arrows)
    assert list(faults(found, sizes, arrows)) == []
    assert found == arrange(sizes, arrows)


def test_the_check_of_arrangements_sees_mistakes():
    sizes, arrows = random_graph(3)
    found = arrange(sizes, arrows)
    on_top = replace(found, corners=(found.corners[1], *found.corners[1:]))
    aside = replace(found, lanes=((found.corners[5][0] + 9, 0.0, found.height),))
    lost = replace(found, segments=found.segments[:-1])
    lifted = replace(found, segments=(replace(found.segments[0], start=(0.0, found.height)), *found.segments[1:]))
    for mutant, word in ((on_top, "overlaps"), (aside, "runs through"), (lost, "no line leads"), (lifted, "lead down")):
        assert any(word in sentence for sentence in faults(mutant, sizes, arrows)), word


def test_a_chain_stands_straight_and_its_side_inputs_close_to_where_they_are_used():
    sizes = [(60, 30)] * 9
    chain = [Arrow(n, n + 1, 0, 2, 64.0) for n in range(4)]
    side = [Arrow(5 + n, n + 1, 1, 2) for n in range(4)]
    found = arrange(sizes, chain + side)
    middles = [x for x, _ in found.corners[:5]]
    assert max(middles) - min(middles) < 8  # of 4 steps of 82
    for n in range(4):
        assert found.corners[5 + n][1] == found.corners[n][1]
    assert not found.lanes


def test_arrows_of_one_box_share_their_lanes():
    sizes = [(40, 20)] * 6
    chain = [Arrow(n, n + 1, 0, 2, 8.0) for n in range(5)]
    found = arrange(sizes, chain + [Arrow(0, n, 1, 2) for n in range(2, 6)])
    assert len(found.lanes) == 4 and len(found.segments) == 5 + 4 + 4
    assert list(faults(found, sizes, chain)) == []


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="form a cycle, but boxes in layers need arrows that all point down"):
        arrange([(1, 1), (1, 1)], [Arrow(0, 1), Arrow(1, 0)])


def test_pooled_numbers_are_the_nearest_ascending_ones():
    wished, weights = [4.0, 1.0, 2.0, 9.0, 0.0], [1.0, 2.0, 1.0, 1.0, 3.0]
    found = ascending(wished, weights)

    def cost(places):
        return sum(w * (a - b) ** 2 for a, b, w in zip(places, wished, weights, strict=True))

    assert found == sorted(found)
    chance = random.Random(0)
    for _ in range(500):
        other = sorted(each + chance.uniform(-0.5, 0.5) for each in found)
        assert cost(other) >= cost(found) - 1e-12


def test_deep_graphs_need_no_recursion():
    count = 3000
    found = arrange([(40, 20)] * count, [Arrow(n, n + 1) for n in range(count - 1)])
    assert len(found.segments) == count - 1


def cards_of(svg):
    """The cards of a drawing: their frame, and every text and cell, in coordinates of the card."""
    for group in ET.fromstring(svg).iter(SVG + "g"):
        if "data-card" in group.attrib:
            frame, *rest = [each for each in placed(group) if each[2].tag in (SVG + "rect", SVG + "text")]
            yield group, frame[2], rest


def placed(node, x=0.0, y=0.0):
    move = re.fullmatch(r"translate\(([-.\d]+) ([-.\d]+)\)", node.get("transform", "translate(0 0)"))
    if "data-card" not in node.attrib:
        x, y = x + float(move[1]), y + float(move[2])
    yield x + float(node.get("x", 0)), y + float(node.get("y", 0)), node
    for child in node:
        yield from placed(child, x, y)


def crowded(svg):
    """Texts of cards that reach out of their card, or into each other."""
    for _, frame, rest in cards_of(svg):
        width, height = float(frame.get("width")), float(frame.get("height"))
        areas = []
        for x, y, each in rest:
            if each.tag == SVG + "text":
                size = float(each.get("font-size"))
                long = text_width(each.text, size, "font-family" in each.attrib)
                areas.append((x - long / 2, y - 0.8 * size, x + long / 2, y + 0.2 * size, each.text))
        for left, top, right, bottom, words in areas:
            if left < 0 or top < 0 or right > width or bottom > height:
                yield words
        for a, b in combinations(areas, 2):
            if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
                yield f"{a[4]} / {b[4]}"


TABLE = Table((("1", "-2.5"), ("1234", "0")), KERNEL, "numbers")
CARDS = [
    Card("x", ("(2, 2) float64",), INPUT, "a leaf", (TABLE,)),
    Card("a title that is longer than all else", ("w",), KERNEL, "rule", (), ("x", "weight", "bias")),
    Card("t", (), KERNEL, "", (TABLE, TABLE), ("input", "grad_output")),
]
ARROWS = [Arrow(0, 1, n, 3) for n in range(3)] + [Arrow(0, 2, 0, 2), Arrow(1, 2, 1, 2)]


def test_texts_stay_within_their_cards():
    svg = diagram(CARDS, ARROWS, title="T", description="D")
    assert len(list(cards_of(svg))) == len(CARDS)
    assert list(crowded(svg)) == []
    assert list(crowded(svg.replace(">weight<", f">{60 * 'w'}<"))) != []
    assert list(crowded(svg.replace('font-size="11"', 'font-size="19"'))) != []


def test_each_card_has_its_own_hover_text_and_the_picture_its_words():
    root = ET.fromstring(diagram(CARDS, ARROWS, title="T", description="D"))
    assert root.get("role") == "img" and root.get("aria-label") == "T"
    assert root.find(SVG + "title").text == "T" and root.find(SVG + "desc").text == "D"
    assert [group.findtext(SVG + "title") for group, _, _ in cards_of(ET.tostring(root))] == ["a leaf", "rule", None]


def test_a_picture_without_arrows_or_cards_is_still_one():
    ET.fromstring(diagram([], [], title="T", description="D"))
    ET.fromstring(diagram(CARDS[:1], [], title="T", description="D"))
