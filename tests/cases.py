"""Geometries of convolutions: defaults, each knob alone, all mixed, and the evil ones. Ids are computed from
the case."""

from dataclasses import dataclass, fields, replace
from itertools import product


@dataclass(frozen=True)
class Case:
    """One convolution; tuples have an entry for each spatial axis, `channels` are those of one group (input,
    output)."""

    inputs: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    channels: tuple[int, int] = (2, 3)
    batch: int = 2

    def __post_init__(self):
        rank = len(self.kernel)
        for name, neutral in (("stride", 1), ("padding", (0, 0)), ("dilation", 1)):
            if not getattr(self, name):
                object.__setattr__(self, name, (neutral,) * rank)

    def __str__(self):
        """The id: sizes, then whatever is not the default."""
        parts = ["x".join(map(str, self.inputs)), "k" + "x".join(map(str, self.kernel))]
        plain = Case(self.inputs, self.kernel)
        for field in fields(self)[2:]:
            value = getattr(self, field.name)
            if value != getattr(plain, field.name):
                entries = value if isinstance(value, tuple) else (value,)
                flat = [
                    side for entry in entries for side in (entry if isinstance(entry, tuple) else (entry,))
                ]
                parts.append(field.name[0] + ",".join(map(str, flat)))
        return "-".join(parts)

    @property
    def extents(self):
        """Elements the dilated kernel spans on each axis."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def has_output(self):
        """Whether at least one window fits into the padded input."""
        return all(
            i + lo + hi >= e for i, (lo, hi), e in zip(self.inputs, self.padding, self.extents, strict=True)
        )


def _one_dimensional():
    base = Case((9,), (3,))
    yield base
    yield from (replace(base, stride=(s,)) for s in (2, 3, 4, 5))
    yield from (replace(base, dilation=(d,)) for d in (2, 3, 4))
    yield from (replace(base, padding=((p, p),)) for p in (1, 2, 3, 5))
    yield from (
        replace(base, padding=(pair,))
        for pair in ((0, 1), (2, 0), (0, 4), (-1, 0), (0, -2), (-2, -1), (-3, 5), (4, -3))
    )
    yield from (replace(base, groups=g) for g in (2, 3))
    yield from (replace(base, groups=g, channels=(1, m)) for g, m in ((2, 1), (4, 1), (3, 2)))
    yield from (replace(base, channels=c) for c in ((1, 1), (1, 4), (5, 1)))
    yield from (replace(base, batch=n) for n in (1, 3))
    yield from (replace(base, kernel=(k,)) for k in (1, 2, 4, 5, 8, 9))
    yield from (replace(base, inputs=(i,)) for i in (3, 4, 7, 16, 17, 33))
    for size, kernel, stride, dilation, pair in product(
        (5, 8), (1, 2, 3), (1, 2, 3), (1, 2), ((0, 0), (2, 1), (-1, 2))
    ):
        yield Case((size,), (kernel,), (stride,), (pair,), (dilation,), 2, (1, 2))


def _two_dimensional():
    base = Case((6, 7), (3, 2))
    yield base
    yield from (replace(base, stride=s) for s in ((2, 2), (1, 3), (3, 1), (4, 2)))
    yield from (replace(base, dilation=d) for d in ((2, 2), (1, 3), (2, 1), (1, 5)))
    yield from (replace(base, padding=((p, p), (q, q))) for p, q in ((1, 1), (0, 2), (3, 0), (2, 4)))
    yield from (
        replace(base, padding=p)
        for p in (
            ((0, 1), (1, 0)),
            ((2, 0), (0, 3)),
            ((-1, 0), (0, -2)),
            ((-2, 1), (3, -1)),
            ((0, -1), (-1, -1)),
            ((1, 2), (3, 4)),
        )
    )
    yield from (replace(base, groups=g) for g in (2, 3))
    yield from (replace(base, groups=g, channels=(1, m)) for g, m in ((2, 1), (4, 1), (3, 2)))
    yield from (replace(base, channels=c) for c in ((1, 1), (1, 4), (4, 1)))
    yield from (replace(base, batch=n) for n in (1, 3))
    yield from (replace(base, kernel=k) for k in ((1, 1), (1, 3), (3, 1), (2, 2), (4, 4), (6, 7), (5, 1)))
    yield from (replace(base, inputs=i) for i in ((3, 2), (3, 17), (17, 2), (8, 8), (5, 20)))
    knobs = product(
        ((1, 1), (2, 2), (3, 3)),
        ((1, 1), (2, 1), (3, 2)),
        ((1, 1), (1, 2)),
        (((0, 0), (0, 0)), ((1, 2), (0, 1)), ((-1, 1), (2, -1))),
    )
    for kernel, stride, dilation, padding in knobs:
        for groups, channels in ((1, (2, 2)), (2, (1, 2))):
            yield Case((7, 6), kernel, stride, padding, dilation, groups, channels, batch=1)


EVIL = [
    Case((1,), (5,), (3,), ((2, 2),)),  # truncating division read past the array here
    Case((1,), (1,)),
    Case((1,), (1,), (4,)),
    Case((1,), (3,), padding=((1, 1),)),
    Case((2,), (5,), (1,), ((3, 3),)),  # kernel larger than the input
    Case((3,), (7,), (2,), ((4, 0),)),
    Case((10,), (2,), (5,)),  # gaps between windows: some inputs are never read
    Case((11,), (2,), (5,), ((1, 0),)),
    Case((11,), (3,), (7,), ((0, 0),), (2,)),
    Case((10,), (3,), (2,)),  # leftover: the last input is never read
    Case((12,), (4,), (3,), ((1, 1),)),
    Case((9,), (4,), (2,), ((1, 2),), (3,)),
    Case((9,), (2,), (1,), ((0, 0),), (8,)),  # the dilated kernel spans the whole input
    Case((9,), (2,), (4,), ((8, 8),), (8,)),  # windows that lie wholly in the padding
    Case((4,), (2,), (2,), ((6, 6),)),
    Case((9,), (3,), (2,), ((-4, 0),)),
    Case((9,), (3,), (2,), ((-6, 6),)),
    Case((9,), (3,), (3,), ((0, -6),)),
    Case((9,), (1,), (2,), ((-4, -4),)),  # one element is left
    Case((8,), (3,), (6,), ((5, 5),), (4,)),
    Case((7,), (3,), (4,), ((3, 3),), (6,)),  # stride and dilation share a factor
    Case((13,), (4,), (6,), ((5, 2),), (4,)),
    Case((64,), (3,), groups=1, channels=(2, 16), batch=1),
    Case((65,), (9,), (8,), ((4, 4),)),
    Case((1, 1), (1, 1)),
    Case((1, 1), (3, 3), padding=((1, 1), (1, 1))),
    Case((1, 1), (5, 3), (3, 2), ((2, 2), (1, 2))),
    Case((1, 9), (1, 3), (1, 2)),
    Case((9, 1), (2, 1), (3, 1), ((1, 0), (0, 0)), (2, 1)),
    Case((2, 3), (4, 5), (1, 1), ((2, 1), (3, 2))),
    Case((8, 9), (2, 3), (5, 4)),  # gaps on both axes
    Case((8, 9), (2, 2), (3, 5), ((1, 0), (0, 2)), (2, 3)),
    Case((7, 7), (3, 3), (2, 2), ((1, 1), (1, 1)), (2, 2), 4, (1, 1)),  # depthwise
    Case((7, 7), (3, 3), (2, 2), ((-1, 2), (2, -1)), (1, 2), 3, (1, 2)),
    Case((6, 5), (2, 4), (4, 6), ((4, 4), (5, 5)), (6, 4)),
    Case((5, 5), (2, 2), (2, 2), ((7, 7), (7, 7))),
    Case((5, 8), (1, 1), (2, 3), ((-4, 0), (0, -7))),
    Case((12, 5), (3, 5), (3, 1), channels=(5, 4), batch=1),
]

GEOMETRIES = [
    case for case in dict.fromkeys([*EVIL, *_one_dimensional(), *_two_dimensional()]) if case.has_output
]
