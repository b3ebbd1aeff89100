"""Formulas of many kinds, for tests that hold for all of them. The text of a formula is its id."""

import ast
from dataclasses import dataclass

import numpy as np
from plain import Plain, filled


@dataclass(frozen=True)
class Example:
    """A formula, the ranges it needs, and its kind: what can be said of its values.

    `kind` is "linear" (in each operand; polynomial entries), "smooth" (exact only on symbols and floats), "cases"
    (conditions read values).
    """

    text: str
    ranges: tuple = ()
    kind: str = "polynomial"

    def __str__(self):
        return self.text

    def problem(self, parameters=(("h", 1),), seed=0):
        """Arrays, output shape and parameters of a small problem."""
        plain = Plain(self.text, dict(self.ranges))
        many = len(plain.indices) > 4
        extents = {name: (1 if many else 2) + (2 * place + 1) % 3 for place, name in enumerate(sorted(plain.indices))}
        chosen = {name: 1 + (place % 2) for place, name in enumerate(sorted(plain.parameters))} | {
            name: value for name, value in dict(parameters).items() if name in plain.parameters
        }
        for name, node in plain.ranges.items():
            if not any(isinstance(part, ast.Attribute) for part in ast.walk(node)):
                extents[name] = plain.extents({}, chosen, (name,))[name]
        shapes = plain.shapes(extents)
        arrays = filled({name: shapes[name] for name in plain.operands}, seed)
        if self.kind == "quotient":
            arrays = {name: np.where(a == 0, 3, a) for name, a in arrays.items()}
        return plain, arrays, shapes[plain.output], chosen


def _lines(kind, text):
    return [Example(line, kind=kind) for line in text.strip().splitlines()]


EXAMPLES = (
    *_lines(
        "polynomial",
        """
y[o] += x[o + r]*w[r]
y[o] += x[o - r]*w[r]
y[o] += x[stride*o + r]*w[r]
y[o] += x[stride*o + dilation*r - padding]*w[r]
y[o] += x[stride*o + dilation*r - 2*padding + 1]*w[r]
y[n, k, o] += x[n, c, stride*o + dilation*r - padding]*w[k, c, r]
y[n, k, o, p] += x[n, c, s*o + r, t*p + q]*w[k, c, r, q]
y[n, k, a, b] += x[n, c, s*a + d*r - p, t*b + e*q - m]*w[k, c, r, q]
y[n, g, k, o] += x[n, g, c, o + r]*w[g, k, c, r]
y[o] += x[s*o + r, t*o - r]*w[r]
y[a, b, c] += x[a + i, b + j, c + k]*w[i, j, k]
y[stride*i + r] += x[i]*w[r]
y[stride*i + r - padding] += x[i]*w[r]
y[2*i + 3*r - 1] += x[i]*w[r]
y[n, k, s*i + r] += x[n, c, i]*w[c, k, r]
y[i, i] += x[i]
y[i] += x[i, i]
y[i, j] += a[i, k]*b[k, j]
y[i] += a[i, j]*x[j]
y[j, i] += x[i, j]
y[()] += x[i]*z[i]
y[()] += x[i, i]
y[i, j] += x[i]*z[j]
y[n, k, o] += b[k]
y[k] += x[n, k, o]
y[n, k, o] += x[n, c, o + r]*w[k, c, r] + b[k]
y[o] += x[o + 1] - x[o]
y[i] += x[i - 1] - 2*x[i] + x[i + 1]
y[i] += x[i]*x[i - 1]
y[o] += x[o + r]*x[o]*w[r]
y[i] += x[i]**2
y[i] += (x[i] - t[i])**2
y[i] += (x[i] - x[i - 1])**2
y[i] += 3*x[i] - 2
y[i] += 3*(x[i] - 2*z[i])*(x[i] + z[i])
y[i] += -x[i]
y[i] += -(x[i] - z[i])*z[i]
y[i] += alpha*x[i] + beta*z[i]
y[i] += x.shape[0]*x[i]
y[i] = x[i]
y[i, j] = x[i] + z[j]
y[i, j] = x[j, i]*2
y[3] += x[i]
y[0, i] += x[i]
y[i] += x[0]*x[i]
y[i] += x[3 - i]
y[n - i] += x[i]
y[i] += x[-i]
y[i] += x[i//2]
y[i] += x[i % 3]
y[i] += x[-(i//2)]
y[i] += x[3 - i % 2]
y[i] += x[(i - 1) % x.shape[0]]
y[i] += x[i//stride]*w[i % stride]
y[i] += x[2*(i + j)]*w[j]
y[i] += x[a*b*i]
y[i] += x[a*a*i + b**2]
y[o] += (x[o + r] for r in range(3))
y[o] += (x[stride*o + r]/4 for r in range(2))
y[o] += (x[o + r - h]*w[r] for r in range(2*h + 1))
y[o] += (x[o + r, p + q] for p in range(2) for q in range(2) for r in range(3))
y[2*i] += x[i]; y[2*i + 1] += z[i]
y[i] += x[i]; y[i + 1] += x[i]
y[u] += where((u - r) % stride == 0, dy[(u - r)//stride]*w[r], 0)
y[i] += where((s*i + r) % t == 0, x[(s*i + r)//t]*w[r], 0)
y[i] += where(i > 0, x[i - 1], x[i])
y[i] += where(i == 0 or i == 2, x[i], 0)
y[i] += where(i >= 1 and not i == 2, x[i], z[i])
y[i] += where(0 < i <= 2, x[i], -x[i])
y[i] += where(i < j, x[j], 0)
y[i] += where(i != j, x[i]*z[j], 0)
""",
    ),
    Example("y[i] += x[2*i + r]*w[r]", (("r", "w.shape[0]"),)),
    Example("y[o] += x[o + r - h]", (("r", "2*h + 1"),)),
    Example("y[o] += x[2*o + r]", (("r", 3),)),
    *_lines(
        "cases",
        """
y[i] = where(x[i] > 0, x[i], 0)
y[i] += where(x[i] > z[i], x[i]*z[i], x[i] - z[i])
y[i] += where(x[i - 1] >= 0, x[i], 2)
y[i] += where(x[i] == 0, 0, 1/x[i])
y[i] += maximum(x[i], 0)
y[i] += minimum(x[i], z[i])*2
y[i] += abs(x[i] - 1)
y[i] += maximum(x[2*i], x[2*i + 1])
y[i] += where(x[i] > 0 and (z[i] > 0 or x[i] > 2), 1, 0)
""",
    ),
    *_lines(
        "quotient",
        """
y[i] += x[i]/z[i]
y[i] += x[i]/2 + 0.25*z[i]
y[i] += 1/x[i]
y[i] += x[i]**-2*z[i]
y[i] += (x[i] + z[i])/3
y[i] += x[i]**p*z[i]
y[i] += (-x[i])**(2*p - 1)
""",
    ),
    *_lines(
        "smooth",
        """
y[i] += exp(x[i])
y[i] += exp(-x[i]**2)*z[i]
y[i] += exp(x[i - 1])
y[i] += tanh(x[i])*sin(z[i]) - cos(x[i])
y[i] += sqrt(x[i]**2 + 1)
y[i] += log(x[i]**2 + 1)/2
y[i] += tan(x[i]) + atan(z[i])
y[i] += sinh(x[i])*cosh(z[i])
y[i] += (x[i]**2 + 1)**z[i]
""",
    ),
)
