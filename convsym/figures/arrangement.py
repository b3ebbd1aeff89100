"""Boxes in layers: which stands on which, in what order, and where, so that no line runs through a box.

Every arrow points downwards. A box stands one layer above the first that it leads to. Where an arrow skips layers, a
narrow *lane* keeps its place in each of them; all arrows that leave one box share their lanes. Layers are ordered by
the mean place of their neighbors, as long as fewer lines cross; places then follow by least squares with the order and
the gaps kept.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

LANE, GAP = 12.0, 22.0
SWEEPS = 12


@dataclass(frozen=True)
class Arrow:
    """An arrow from one box to the inlet of another: boxes by their numbers, inlets counted from the left.

    Weights above 1 pull boxes below each other.
    """

    source: int
    target: int
    inlet: int = 0
    inlets: int = 1
    weight: float = 1.0


@dataclass(frozen=True)
class Segment:
    """A line from the bottom of one layer to the top of the next, and on to where a box begins (`stop`)."""

    upper: int
    lower: int
    start: tuple[float, float]
    end: tuple[float, float]
    stop: float | None


@dataclass(frozen=True)
class Arrangement:
    """Where the boxes (their upper left corners), the lanes (middle, top, bottom) and the lines are."""

    corners: tuple[tuple[float, float], ...]
    lanes: tuple[tuple[float, float, float], ...]
    segments: tuple[Segment, ...]
    width: float
    height: float


def arrange(sizes: Sequence[tuple[float, float]], arrows: Sequence[Arrow]) -> Arrangement:
    """Find places for boxes so that arrows point downwards and neither boxes nor lines meet a box.

    Parameters
    ----------
    sizes : sequence of (float, float)
        Width and height of each box.
    arrows : sequence of Arrow
        The arrows, without cycles.

    Returns
    -------
    Arrangement
        The same for the same arguments.
    """
    graph = _Layered.of(sizes, arrows)
    graph.order()
    centers = graph.places()
    tops, heights, total = graph.rows(centers)
    corners = []
    for box, (width, height) in enumerate(sizes):
        layer = graph.layer[box]
        corners.append((centers[box] - width / 2, tops[layer] + heights[layer] - height))
    lanes = tuple(
        (centers[lane], tops[graph.layer[lane]], tops[graph.layer[lane]] + heights[graph.layer[lane]])
        for lane in range(len(sizes), len(graph.layer))
    )
    segments = []
    for link in graph.links:
        upper, lower = graph.layer[link.source], graph.layer[link.target]
        start = (centers[link.source], tops[upper] + heights[upper])
        end = (centers[link.target] + graph.offset(link), tops[lower])
        stop = corners[link.target][1] if link.target < len(sizes) else None
        segments.append(Segment(link.source, link.target, start, end, stop))
    width = max((centers[n] + graph.width[n] / 2 for n in range(len(graph.width))), default=0.0)
    return Arrangement(tuple(corners), lanes, tuple(segments), width, total)


def layers(count: int, arrows: Iterable[Arrow]) -> list[int]:
    """Return the layer of every box, 0 on top: the longest way down decides."""
    targets: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    sources: list[list[int]] = [[] for _ in range(count)]
    for arrow in arrows:
        targets[arrow.source].append(arrow.target)
        sources[arrow.target].append(arrow.source)
        waiting[arrow.source] += 1
    ready = [box for box in range(count) if not waiting[box]]
    height = [0] * count
    done = 0
    while ready:
        box = ready.pop()
        done += 1
        height[box] = max((height[target] + 1 for target in targets[box]), default=0)
        for source in sources[box]:
            waiting[source] -= 1
            if not waiting[source]:
                ready.append(source)
    if done < count:
        raise ValueError("the arrows form a cycle, but boxes in layers need arrows that all point downwards")
    deepest = max(height, default=0)
    return [deepest - each for each in height]


@dataclass
class _Layered:
    """Boxes and lanes by layer, with the links between neighboring layers."""

    width: list[float]
    height: list[float]
    layer: list[int]
    links: list[Arrow]
    rows_of: list[list[int]]
    above: list[list[Arrow]] = field(default_factory=list)
    below: list[list[Arrow]] = field(default_factory=list)

    @classmethod
    def of(cls, sizes: Sequence[tuple[float, float]], arrows: Sequence[Arrow]) -> _Layered:
        """Cut arrows into links, with one lane for each layer that the arrows of a box pass."""
        layer = layers(len(sizes), arrows)
        graph = cls([w for w, _ in sizes], [h for _, h in sizes], layer, [], [])
        lanes: dict[tuple[int, int], int] = {}
        for arrow in arrows:
            upper, weight = arrow.source, arrow.weight
            for step in range(layer[arrow.source] + 1, layer[arrow.target]):
                lane = lanes.get((arrow.source, step))
                if lane is None:
                    lane = lanes[arrow.source, step] = len(layer)
                    graph.links.append(Arrow(upper, lane, weight=max(weight, 2.0)))
                    layer.append(step)
                    graph.width.append(LANE)
                    graph.height.append(0.0)
                upper = lane
            graph.links.append(Arrow(upper, arrow.target, arrow.inlet, arrow.inlets, weight))
        graph.above = [[] for _ in layer]
        graph.below = [[] for _ in layer]
        for link in graph.links:
            graph.above[link.target].append(link)
            graph.below[link.source].append(link)
        graph.rows_of = graph._first_order()
        return graph

    def _first_order(self) -> list[list[int]]:
        """Layers in the order of a walk upwards from the last boxes, inlet by inlet."""
        found: list[list[int]] = [[] for _ in range(max(self.layer, default=-1) + 1)]
        seen: set[int] = set()
        stack = [box for box in reversed(range(len(self.layer))) if not self.below[box]]
        while stack:
            item = stack.pop()
            if item not in seen:
                seen.add(item)
                found[self.layer[item]].append(item)
                stack += [link.source for link in sorted(self.above[item], key=lambda each: -each.inlet)]
        return found

    def offset(self, link: Arrow) -> float:
        """How far from the middle of its target a link arrives."""
        return self.width[link.target] * ((link.inlet + 1) / (link.inlets + 1) - 0.5) if link.inlets > 1 else 0.0

    def order(self) -> None:
        """Order the layers anew by the mean place of their neighbors, and keep the order with the fewest crossings."""
        best, fewest = [list(row) for row in self.rows_of], self.crossings()
        for sweep in range(SWEEPS):
            if not fewest:
                break
            down = sweep % 2 == 0
            place = {item: float(n) for row in self.rows_of for n, item in enumerate(row)}
            for row in self.rows_of if down else reversed(self.rows_of):
                means = {item: self._mean(item, place, down) for item in row}
                row.sort(key=means.__getitem__)
                place |= {item: float(n) for n, item in enumerate(row)}
            crossings = self.crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows_of], crossings
        self.rows_of = best

    def _mean(self, item: int, place: dict[int, float], down: bool) -> float:
        """Mean place of the neighbors above or below; inlets of one box are told apart."""
        links = self.above[item] if down else self.below[item]
        if not links:
            return place[item]
        if down:
            return sum(place[link.source] for link in links) / len(links)
        return sum(place[link.target] + (link.inlet + 1) / (link.inlets + 1) for link in links) / len(links)

    def crossings(self) -> int:
        """How many pairs of links cross."""
        place = {item: n for row in self.rows_of for n, item in enumerate(row)}
        total = 0
        for row in self.rows_of:
            ends: list[tuple[int, float]] = []
            for item in row:
                mine = sorted((place[link.target], (link.inlet + 1) / (link.inlets + 1)) for link in self.below[item])
                total += sum(len(ends) - bisect_right(ends, end) for end in mine)
                for end in mine:
                    insort(ends, end)
        return total

    def places(self) -> list[float]:
        """The middle of every box and lane; the leftmost edge is at 0."""
        center = [0.0] * len(self.layer)
        for row in self.rows_of:
            x = 0.0
            for item in row:
                center[item] = x + self.width[item] / 2
                x += self.width[item] + GAP
        for sweep in range(SWEEPS):
            both = sweep >= SWEEPS - 2
            for row in self.rows_of if sweep % 2 == 0 else reversed(self.rows_of):
                self._settle(row, center, both or sweep % 2 == 0, both or sweep % 2 == 1)
        left = min((center[n] - self.width[n] / 2 for n in range(len(center))), default=0.0)
        return [each - left for each in center]

    def _settle(self, row: list[int], center: list[float], above: bool, below: bool) -> None:
        """Move a layer's items to where their neighbors want them, without changing their order."""
        wished, weights, reach = [], [], []
        x = 0.0
        for n, item in enumerate(row):
            x += (self.width[row[n - 1]] + self.width[item]) / 2 + GAP if n else 0.0
            reach.append(x)
            pulls = [(center[link.source], link.weight) for link in self.above[item] if above]
            pulls += [(center[link.target] + self._pull(link), link.weight) for link in self.below[item] if below]
            weight = sum(w for _, w in pulls)
            wished.append((sum(p * w for p, w in pulls) / weight if weight else center[item]) - x)
            weights.append(weight or 0.01)
        for item, place, x in zip(row, ascending(wished, weights), reach, strict=True):
            center[item] = place + x

    def _pull(self, link: Arrow) -> float:
        """Light arrows want to arrive straight; heavy ones want box below box, or a long chain would drift aside."""
        return self.offset(link) if link.weight <= 1 else 0.0

    def rows(self, centers: list[float]) -> tuple[list[float], list[float], float]:
        """Top and height of every layer, and the height of all: wide bends get more room."""
        heights = [max((self.height[item] for item in row), default=0.0) for row in self.rows_of]
        bends = [0.0] * len(heights)
        for link in self.links:
            bend = abs(centers[link.target] + self.offset(link) - centers[link.source])
            bends[self.layer[link.source]] = max(bends[self.layer[link.source]], bend)
        tops, y = [], 0.0
        for height, bend in zip(heights, bends, strict=True):
            tops.append(y)
            y += height + min(max(26.0, bend * 0.16), 72.0)
        return tops, heights, (tops[-1] + heights[-1]) if tops else 0.0


def ascending(wished: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the ascending numbers nearest to the wished ones (least squares): what is out of order is pooled.

    Examples
    --------
    >>> ascending([0, 3, 1, 5], [1, 1, 1, 1])
    [0.0, 2.0, 2.0, 5.0]
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(wished, weights, strict=True):
        pool = (float(value), weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, heavy, count = pools.pop()
            total = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    return [mean for mean, _, count in pools for _ in range(count)]
