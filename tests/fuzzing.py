"""Texts of at most 10,000 characters that try to take long: as large as limits let them be, mutations of real ones.

    python tests/fuzzing.py 2000    # a long run: this many texts, each with its times; exit code 1 if one is late
"""

import random
import signal
import sys
import time
from contextlib import contextmanager

import gallery

from convsym import ConvsymError, Formula, check, prove, vjp

BUDGET = 1.0  # seconds for each proof
# Hangs are what is looked for: on an idle machine reading takes 2 to 4 seconds at most, and on a busy one twice that.
READING = 20.0  # seconds of processor time for reading and deriving, which have no budget
SLACK = 10.0  # seconds of processor time that a proof may take longer than its budget
ALARM = 60  # seconds after which a text counts as hanging
FUNCTIONS = ("exp", "log", "sqrt", "tanh", "sin", "cos", "atan", "abs")
POWERS = ("p", "z[i]", "(2*p - 3)")
MODES = ("circular", "reflect", "replicate", "symmetric")


def join(count, text, by=" + ", first=0):
    return by.join(text.format(k=k, n=k + 1) for k in range(first, first + count))


def nested(count, before, inside, after):
    return before * count + inside + after * count


FAMILIES = {
    "brackets": lambda r, n: f"y[i] += {nested(min(n, 49), '(', 'x[i]', ')')}",
    "signs": lambda r, n: f"y[i] += {'-' * n}x[i]",
    "sum": lambda r, n: f"y[i] += {join(n, 'x[i + {k}]*w[{k}]')}",
    "sum of arrays": lambda r, n: f"y[i] += {join(n, 'a{k}[i]*x[i]')}",
    "parameters": lambda r, n: f"y[i] += x[i + {join(n, 'p{k}')}]*w[i]",
    "product": lambda r, n: f"y[i] += {join(n, 'x[i + {k}]', '*')}",
    "product of arrays": lambda r, n: f"y[i] += {join(n, 'a{k}[i, j{k}]', '*')}*x[i]",
    "chain": lambda r, n: f"y[i0, i{n}] += {join(n, 'a{k}[i{k}, i{n}]', '*')}",
    "chain of one array": lambda r, n: f"y[i0, i{min(n, 12)}] += {join(min(n, 12), 'a[i{k}, i{n}]', '*')}",
    "axes": lambda r, n: f"y[{join(n, 'i{k}', ', ')}] += x[{join(n, 'i{k}', ', ')}]",
    "convolution": lambda r, n: f"y[{join(n, 'o{k}', ', ')}] += x[{join(n, 's{k}*o{k} + d{k}*r{k} - p{k}', ', ')}]"
    f"*w[{join(n, 'r{k}', ', ')}]",
    "taps on one axis": lambda r, n: f"y[o] += x[o + {join(n, 's{k}*r{k}')}]*{join(n, 'w{k}[r{k}]', '*')}",
    "large numbers": lambda r, n: f"y[o] += x[{r.randint(1, 10**12)}*o + {r.randint(1, 10**12)}*r - "
    f"{r.randint(0, 10**12)}]*w[r]*{r.randint(1, 10**12)}",
    "ranges": lambda r, n: f"y[i] += ({join(n, 'x[i + r{k}]', '*')} "
    f"{join(n, f'for r{{k}} in range({r.choice((3, 1000, 10**12))})', ' ')})",
    "powers": lambda r, n: f"y[i] += {nested(n, '(', 'x[i]', f' + 1)**{r.randint(2, 16)}')}",
    "powers of powers": lambda r, n: f"y[i] += {nested(n, '(', 'x[i]', ')**' + r.choice(POWERS))}",
    "power of a sum": lambda r, n: f"y[i] += ({join(n, 'x[i + {k}]')})**{r.randint(2, 16)}",
    "product of sums": lambda r, n: f"y[i] += {join(n, '(x[i + {k}] + x[i - {k}])', '*')}",
    "functions": lambda r, n: "y[i] += " + "".join(f"{r.choice(FUNCTIONS)}(" for _ in range(n)) + "x[i]" + ")" * n,
    "quotients": lambda r, n: f"y[i] += {nested(n, '1/(1 + ', 'x[i]', ')')}",
    "quotient of many": lambda r, n: f"y[i] += {join(n, '(x[i + {k}] + 1)', '/')}",
    "function of a sum": lambda r, n: f"y[i] += {r.choice(FUNCTIONS)}({join(n, 'x[i + {k}]')})",
    "cases by value": lambda r, n: f"y[i] += {join(n, 'where(x[i] > {k}, {k}*x[i], ', '')}0{')' * n}",
    "cases by index": lambda r, n: f"y[i] += {join(n, 'where(i > {k}, {k}*x[i], ', '')}0{')' * n}",
    "comparisons": lambda r, n: f"y[i] += where({join(n, 'x[i + {k}] > {k}', r.choice((' and ', ' or ')))}, x[i], 0)",
    "mixed comparisons": lambda r, n: f"y[i] += where({join(n, '(i > {k} or x[i] > {k})', ' and ')}, x[i], z[i])",
    "not": lambda r, n: f"y[i] += where({'not ' * n}x[i] > 0, x[i], 0)",
    "maxima": lambda r, n: f"y[i] += {join(n, 'maximum(x[i + {k}], ', '')}0{')' * n}",
    "modes in modes": lambda r, n: f"y[i] += x[{nested(n, f'{r.choice(MODES)}(', 'i - p', ', n)')}]",
    "modes": lambda r, n: f"y[{join(n, 'i{k}', ', ')}] += x["
    + join(n, f"{r.choice(MODES)}(s*i{{k}} + r{{k}} - p)", ", ") + f"]*w[{join(n, 'r{k}', ', ')}]",
    "floors": lambda r, n: f"y[i] += x[{nested(n, '(', 'i', r.choice((' + 1)//2', ' + 7)%5', ' + p)//s')))}]",
    "statements": lambda r, n: join(n, "y[{k}*i + {k}] += x[i]", "; "),
    "statements to one place": lambda r, n: join(n, "y[i] += x[i + {k}]", "; "),
    "digits": lambda r, n: f"y[{join(n, 'a{k}*B{k} + b{k}', ', ')}] += (x[{join(n, 'a{k}, b{k}', ', ')}] "
    f"{join(n, 'for b{k} in range(B{k})', ' ')})",
    "elements": lambda r, n: f"y[()] += {join(n, 'x[{k}]')}",
    "decimals": lambda r, n: f"y[i] += {join(n, '0.{k:09d}1*x[i + {k}]')}",
}  # fmt: skip
SWAPS = (
    *("+", "-", "*", "//", "%", "**", "/", "(", ")", "[", "]", ",", " < ", " == ", ";", "=", "+=", "\n", "é", "'"),
    *("i", "x", "w", "o", "r", "s", "0", "1", "2", "7", "16", "999999999999", ".shape[0]", " for r in range(3)"),
    *("reflect(", "where(", "exp(", " and ", " not "),
)


def texts(seed):
    """Endless texts of all families, the largest that are read among them, and mutations of the gallery's formulas."""
    dice = random.Random(seed)
    known = [entry.text for entry in gallery.GALLERY]
    while True:
        for family in FAMILIES:
            sizes = (dice.randint(2, 8), dice.choice((4, 6, 12, 15, 31, 32, 49, 60, 64, 90, 128, 200, 500)))
            for size in sizes:
                yield family, FAMILIES[family](dice, size)[:10_000]
            yield "mutation", mutated(dice, dice.choice(known))
            yield f"mutation: {family}", mutated(dice, FAMILIES[family](dice, 5))[:10_000]


def mutated(dice, text):
    """A text with some pieces left out, doubled or replaced."""
    for _ in range(dice.randint(1, 3)):
        start = dice.randrange(len(text))
        stop = min(len(text), start + dice.choice((0, 1, 1, 2, 5)))
        new = dice.choice((*SWAPS, text[start:stop] * 2, text[stop : stop + 6]))
        text = (text[:start] + new + text[stop:]) or "y"
    return text


class Hanging(BaseException):
    """No error of the program's that something could catch."""


@contextmanager
def limited(seconds):
    def stop(*_):
        raise Hanging

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def measured(text, budget=BUDGET):
    """Processor seconds of reading and deriving, and of proving and checking, and what came out.

    Anything but an error of this package's own family goes through.
    """
    start = time.process_time()
    read, answer = None, "refused"
    try:
        with limited(ALARM):
            formula = Formula(text)
            wrt = next(iter(sorted(formula.operands, key=lambda name: name != "x")), None)
            rule = vjp(formula, wrt)
            read, start = time.process_time() - start, time.process_time()
            proof = prove(rule, budget=budget)
            judged = check(formula, wrt=wrt, claim=str(rule.scatter), budget=budget)
            answer = f"{proof.status}, {judged.status}"
    except ConvsymError as error:
        answer += f": {str(error).splitlines()[0]}"
    spent = time.process_time() - start
    return (spent, 0.0, answer) if read is None else (read, spent, answer)


def complaint(read, spent, budget=BUDGET):
    """What is wrong with the times of a text, or None."""
    if read > READING:
        return f"reading and deriving took {read:.1f} s"
    if spent > 2 * (budget + SLACK):
        return f"two proofs with a budget of {budget} s took {spent:.1f} s"
    return None


def main(count, seed=0):
    late = 0
    for number, (family, text) in zip(range(count), texts(seed), strict=False):
        read, spent, answer = measured(text)
        wrong = complaint(read, spent)
        late += wrong is not None
        late_text = f"  LATE {text[:300]}" if wrong else ""
        print(f"{number} {read:.2f} {spent:.2f} {family}: {answer:.100}{late_text}", flush=True)
    return int(late > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
