"""The second opinion: a convolution and its gradients, typed by hand, in plain Python on exact integers.

This is the one file of the project in which a bound or an output size may be typed by hand.
"""

from itertools import product


def output_size(inputs, kernel, stride, dilation, padding):
    """Outputs along each axis: the last window lies within the padded input."""
    return tuple(
        (i + lo + hi - d * (r - 1) - 1) // s + 1
        for i, r, s, d, (lo, hi) in zip(inputs, kernel, stride, dilation, padding, strict=True)
    )


def relation(batch, groups, channels, inputs, kernel, outputs, stride, dilation, padding):
    """Every triple of places (in y, x, w) whose product y += x * w the convolution has."""
    (into, out) = channels
    for n, g, k, c in product(range(batch), range(groups), range(out), range(into)):
        for o in product(*map(range, outputs)):
            for r in product(*map(range, kernel)):
                u = tuple(
                    s * oo + d * rr - lo
                    for s, oo, d, rr, (lo, _) in zip(stride, o, dilation, r, padding, strict=True)
                )
                if all(0 <= uu < size for uu, size in zip(u, inputs, strict=True)):
                    yield (n, g * out + k, *o), (n, g * into + c, *u), (g * out + k, c, *r)

def correlation(a, v, sizes):
    """z[k] = the sum over l of a[l] * v[l - k + n - 1] as a dict, from dicts a and v; n the sizes of v."""
    z = {}
    for (at, x), (tap, w) in product(a.items(), v.items()):
        k = tuple(ll - mm + n - 1 for ll, mm, n in zip(at, tap, sizes, strict=True))
        z[k] = z.get(k, 0) + x * w
    return z


def correlation_part(mode, sizes, others, late=False):
    """The slices of a full correlation that a mode keeps; `late` puts the middle of an even size one element later."""
    starts = {"full": [0 for _ in others], "same": [(n - 1 + late) // 2 for n in others]}
    starts["valid"] = [min(m, n) - 1 for m, n in zip(sizes, others, strict=True)]
    counts = {"full": [m + n - 1 for m, n in zip(sizes, others, strict=True)], "same": sizes}
    counts["valid"] = [abs(m - n) + 1 for m, n in zip(sizes, others, strict=True)]
    return tuple(slice(start, start + count) for start, count in zip(starts[mode], counts[mode], strict=True))


def ceil_size(inputs, kernel, stride, padding):
    """Outputs of a pooling in ceil mode, as torch counts them: the last window starts before the padding after."""
    rounded_up = [
        -((r - i - lo - hi) // s) + 1 for i, r, s, (lo, hi) in zip(inputs, kernel, stride, padding, strict=True)
    ]
    return tuple(
        count - ((count - 1) * s >= i + lo + min(hi, 0))
        for count, i, s, (lo, hi) in zip(rounded_up, inputs, stride, padding, strict=True)
    )


def convolution(x, w, triples):
    """y as a dict from places to integers, from dicts x and w."""
    y = {}
    for out, at, tap in triples:
        y[out] = y.get(out, 0) + x[at] * w[tap]
    return y


def gradients(x, w, dy, triples):
    """(dx, dw, db) of sum(dy * y), as dicts."""
    dx, dw, db = {}, {}, {}
    for out, at, tap in triples:
        dx[at] = dx.get(at, 0) + dy[out] * w[tap]
        dw[tap] = dw.get(tap, 0) + dy[out] * x[at]
    for (_, k, *_), value in dy.items():
        db[k,] = db.get((k,), 0) + value
    return dx, dw, db
