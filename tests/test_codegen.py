"""Generated text: fresh, the same every time, free of a user's names, and equal to the reference when it is run."""

import ast
import io
import itertools
import json
import keyword
import re
import tokenize
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy
from compiled import compiled
from formulas import EXAMPLES, Example
from plain import Plain, filled
from process import run_python
from test_derivation import DIFFERENTIABLE

import convsym
from convsym import Formula, KernelError, check, cli, prove, registry, vjp
from convsym.codegen import generate
from convsym.codegen.cython import kernel_text
from convsym.codegen.loops import nest
from convsym.codegen.python import python_text
from convsym.codegen.syntax import DTYPES
from convsym.elimination import interval
from convsym.op import declare
from convsym.records import rule_record
from convsym.verdict import proof_record

PACKAGE = Path(convsym.__file__).parent
KERNELS = PACKAGE / "kernels"


# ------------------------------------------------------------------------------------------------ freshness


def stale(files):
    """Names of the committed files that are not what the registry generates."""
    return [name for name, text in files.items() if (PACKAGE / name).read_text(encoding="utf-8") != text]


def test_the_generated_files_are_fresh():
    assert stale(generate(registry)) == []
    committed = {f"kernels/_generated/{path.name}" for path in KERNELS.glob("_generated/*.p*") if path.is_file()}
    others = {"kernels/baseline.pyi", "kernels/plain.pyi", "autograd/_rules.py", "autograd/_texts.py"}
    assert committed | others == set(generate(registry))


@pytest.mark.parametrize("old, new", [("- padding", "+ padding"), ("+= x", "+= 2*x"), ("* w[k, c, r]", "* w[c, k, r]")])
def test_a_changed_registry_makes_them_stale(old, new):
    text = "y[n, k, o] += x[n, c, stride*o + dilation*r - padding] * w[k, c, r]"
    assert old in text
    options = {
        "doc": "",
        "spatial": "o r",
        "ranks": (1, 2, 3, 4, 5),
        "symmetric": ("padding",),
        "lane": "o",
        "leveled": (1, 2),
        "groups": {"y": 1, "x": 1, "w": 0},
        "defaults": {"stride": 1, "dilation": 1, "padding": 0},
    }
    same, *_ = declare("conv", text, **options)
    changed, *_ = declare("conv", text.replace(old, new), **options)
    assert stale(generate({**registry, "conv1d": same})) == []
    assert "kernels/_generated/kernels.pxi" in stale(generate({**registry, "conv1d": changed}))


@pytest.mark.slow
def test_the_same_registry_gives_the_same_bytes_whatever_the_hash_seed():
    program = """
        import hashlib
        from convsym import registry
        from convsym.codegen import generate
        files = generate(dict(reversed(registry.items())))
        print({name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()})
    """
    answers = {run_python(program, PYTHONHASHSEED=seed) for seed in ("0", "1", "2")}
    assert len(answers) == 1
    assert generate(registry) == generate(dict(reversed(registry.items())))


# ------------------------------------------------------------------------------------------------ division


def divisions(text):
    """Lines of Cython code in which one of the operators // % / stands."""
    code = re.sub(r'""".*?"""', '""', text, flags=re.DOTALL)
    lines = [line.partition("#")[0] for line in code.splitlines()]
    return [line for line in lines if re.search(r"//|%|/", line)]


def test_kernels_divide_by_functions_only():
    for file in ("kernels/_generated/kernels.pxi", "kernels/_generated/plain.pxi"):
        assert divisions(generate(registry)[file]) == []
        assert "floordiv(" in generate(registry)[file]


@pytest.mark.parametrize("line", ["i = a // b", "if i % s == 0:", "upper = (n - 1)/s"])
def test_a_bare_division_is_seen(line):
    assert divisions(f'def f():\n    """a // b"""\n    {line}\n') == [f"    {line}"]


def test_values_may_be_divided_but_never_indices():
    text = kernel_text(nest("k", Formula("y[i, o] += x[i, 2*o]/z[i, o]")), "f64")
    assert [line for line in divisions(text) if not re.search(r"\]/b\d\[", line)] == []


# --------------------------------------------------------------------------------------- Python text is executed


def function(formula, name="k"):
    """The printed Python function, compiled."""
    text = python_text(formula, name)
    namespace = {}
    exec(compile(text, "printed", "exec"), namespace)
    return namespace[name]


def run(formula, arrays, shape, parameters, made=None):
    """The printed function's result; its arguments are the result, the operands, the parameters."""
    out = np.zeros(shape, dtype=object)
    made = made or function(formula)
    made(out, *(arrays[n] for n in formula.operands), *(parameters[n] for n in formula.parameters))
    return out


def assert_prints_itself(example, convert):
    plain, arrays, shape, parameters = example.problem()
    arrays = {name: convert(name, a) for name, a in arrays.items()}
    f = Formula(example.text, ranges=dict(example.ranges))
    value = run(f, arrays, shape, parameters)
    expected = f(sizes={plain.output: shape}, **arrays, **parameters)
    for a, b in zip(value.flat, expected.flat, strict=True):
        assert sympy.simplify(a - b) == 0 if isinstance(a - b, sympy.Basic) else a == b, python_text(f, "k")


def fractions(name, array):
    return np.array([Fraction(int(v), 3) for v in array.flat], object).reshape(array.shape)


def symbols(name, array):
    return np.array([sympy.Symbol(f"{name}{j}") for j in range(array.size)], object).reshape(array.shape)


EXACT = [e for e in EXAMPLES if e.kind in ("polynomial", "cases") and "/" not in e.text.replace("//", "")]


@pytest.mark.parametrize("example", EXACT, ids=str)
def test_printed_python_equals_the_reference_on_integers(example):
    assert_prints_itself(example, lambda name, a: a)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.kind != "smooth"], ids=str)
def test_printed_python_equals_the_reference_on_fractions(example):
    assert_prints_itself(example, fractions)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.kind == "polynomial"][::3], ids=str)
def test_printed_python_equals_the_reference_on_symbols(example):
    assert_prints_itself(example, symbols)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.kind == "smooth"], ids=str)
def test_printed_python_equals_the_reference_on_floats(example):
    plain, arrays, shape, parameters = example.problem()
    f = Formula(example.text)
    arrays = {name: a.astype(float) for name, a in arrays.items()}
    expected = f(sizes={plain.output: shape}, **arrays, **parameters)
    np.testing.assert_allclose(run(f, arrays, shape, parameters).astype(float), expected, rtol=1e-12)


def test_there_are_enough_printed_formulas():
    assert len(EXACT) >= 20


def test_a_printed_function_that_is_wrong_is_seen():
    example = Example("y[o] += x[2*o + r]*w[r]")
    _, arrays, shape, parameters = example.problem()
    f = Formula(example.text)
    text = python_text(f, "k").replace("2*o + r", "2*o - r")
    namespace = {}
    exec(compile(text, "printed", "exec"), namespace)
    wrong = run(f, arrays, shape, parameters, namespace["k"])
    assert not np.array_equal(wrong, f(sizes={"y": shape}, **arrays))


OUTSIDE = [
    "y[i] += (x[i] - x[i - 1])**2",
    "y[i] += exp(x[i - 1])",
    "y[i] += (x[i] + x[i + 1])*w[i]",
    "y[i] += where(x[i - 1] >= 0, x[i], 0)",
    "y[i] += x[i]/x[i - 1]",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_kernel_is_refused_where_a_read_outside_matters(text):
    """The plain kernels leave out points whose reads lie outside: right only where the term is 0 there."""
    with pytest.raises(KernelError) as error:
        nest("edge", Formula(text))
    assert "the term does not vanish" in str(error.value)
    assert "lies outside its array" in str(error.value)
    assert nest("fine", Formula("y[i] += x[i - 1]**2*w[i + 1]*(z[i] + 1)"))


# ------------------------------------------------------------------------------------------- names of users


def _words(table):
    return table.split()


C_WORDS = _words("""
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    NULL size_t Py_ssize_t
""")
CYTHON_WORDS = _words("""
    cdef cpdef cimport ctypedef cppclass bint nogil gil noexcept readonly public object include DEF IF ELIF ELSE
    prange
""")
PYTHON_WORDS = [w for w in (*keyword.kwlist, *keyword.softkwlist) if w not in ("_",)]
TEMPORARIES = _words("""
    a0 a1 b0 b1 b9 p0 p1 p2 p10 v0 v1 lane lanes total lower upper row item start stop threads floordiv ceildiv
    floormod range len min max exp log sqrt tanh sin cos shape complex numpy np cython
""")
ODD = _words("""
    _ __ ___ _x x_ __x __x__ __pyx_t_1 __pyx_v_i _1 O0 lI I1 i_ i__ self cls print type id abs list dict str bytes
    open eval exec compile main errno EOF stdin printf malloc assert_ kernel module math convsym sympy N T E pi S
""")


def _valid(name):
    try:
        Formula(f"y[o] += x[o + {name}]*w[{name}]")
    except convsym.FormulaError:
        return False
    return True


HOSTILE = [name for name in dict.fromkeys(C_WORDS + CYTHON_WORDS + PYTHON_WORDS + TEMPORARIES + ODD) if _valid(name)]
RESERVED = {*C_WORDS, *CYTHON_WORDS, *PYTHON_WORDS, *TEMPORARIES}
# Where a name may stand: an operand, an index, a parameter, the output.
ROLES = {
    "index": "y[n, o] += x[n, s*o + NAME]*w[NAME]",
    "operand": "y[n, o] += x[n, s*o + r]*NAME[r]",
    "parameter": "y[n, o] += x[n, NAME*o + r]*w[r]",
    "output": "NAME[n, o] += x[n, s*o + r]*w[r]",
}
NEUTRAL = "qq"


def test_there_are_enough_hostile_names():
    assert len(HOSTILE) >= 100
    assert {"int", "cdef", "lane", "a0", "exp", "_", "match", "NULL"} <= set(HOSTILE)


def derived(text, kind, capsys):
    assert cli.main(["derive", text, "--wrt", "x", "--format", kind]) == 0
    return capsys.readouterr().out


def words(code):
    """Tokens of Python or Cython code without its docstrings and comments."""
    code = re.sub(r'""".*?"""', '""', code, flags=re.DOTALL)
    return [
        t.string
        for t in tokenize.generate_tokens(io.StringIO(code.replace("&", "")).readline)
        if t.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    ]


# One role or kind of text for every name, all of them for every seventh.
@pytest.mark.parametrize(
    "role, kind, names",
    [
        ("index", "python", HOSTILE),
        ("operand", "cython", HOSTILE),
        ("parameter", "cython", HOSTILE[::7]),
        ("operand", "python", HOSTILE[::7]),
        ("index", "cython", HOSTILE[::7]),
        ("output", "cython", HOSTILE[::7]),
        ("parameter", "python", HOSTILE[::7]),
        ("output", "python", HOSTILE[::7]),
    ],
)
def test_a_hostile_name_is_only_ever_a_name(role, kind, names, capsys):
    """The text is that of a neutral name, with one word put for another, and that word is nobody else's."""
    neutral = derived(ROLES[role].replace("NAME", NEUTRAL), kind, capsys)
    for name in names:
        assert_same_but_for_names(derived(ROLES[role].replace("NAME", name), kind, capsys), neutral)


def assert_same_but_for_names(text, neutral):
    own = {w for w in words(neutral) if NEUTRAL not in w}
    change = {}
    assert len(words(text)) == len(words(neutral))
    for have, want in zip(words(text), words(neutral), strict=True):
        if NEUTRAL in want:
            assert change.setdefault(want, have) == have
        else:
            assert have == want
    for word in change.values():
        assert word not in own
        assert word not in RESERVED
    assert len(set(change.values())) == len(change)


@pytest.mark.parametrize(
    "wrong",
    [
        "def k(dx, dy, int): dx[i] += dy[i]*int[r]",
        "def k(dx, dy, w): dx[i] += dy[i]*dy[r]",
        "def k(dx, dy, w_): dx[i] += dy[i]*w[r]",
    ],
)
def test_a_name_that_means_something_else_is_seen(wrong):
    with pytest.raises(AssertionError):
        assert_same_but_for_names(wrong, f"def k(dx, dy, {NEUTRAL}): dx[i] += dy[i]*{NEUTRAL}[r]")


@pytest.mark.parametrize("role", ROLES)
def test_printed_python_with_hostile_names_computes_the_rule(role, capsys):
    for name in HOSTILE if role == "operand" else HOSTILE[::5]:
        text = ROLES[role].replace("NAME", name)
        rule = vjp(Formula(text), "x")
        namespace = {}
        exec(compile(derived(text, "python", capsys), "derived", "exec"), namespace)
        shapes = {rule.parent.output: (2, 3), "x": (2, 7), **{n: (2,) for n in rule.parent.operands if n != "x"}}
        arrays = filled(shapes)
        arrays["d" + rule.parent.output] = arrays.pop(rule.parent.output)
        gather = rule.gather
        value = run(gather, arrays, (2, 7), dict.fromkeys(gather.parameters, 2), namespace["vjp_x"])
        operands = {n: arrays[n] for n in gather.operands}
        expected = Plain(str(rule.scatter))(operands, (2, 7), dict.fromkeys(gather.parameters, 2))
        assert np.array_equal(value, expected), text


def test_cython_text_with_hostile_names_compiles_and_computes_the_rule(tmp_path):
    names = [
        "int",
        "item",
        "a0",
        "b0",
        "p0",
        "lane",
        "_",
        "exp",
        "errno",
        "printf",
        "range",
        "cdef",
        "self",
        "NULL",
        "None_",
    ]
    formulas = [Formula(ROLES[role].replace("NAME", name)) for role in ("index", "operand", "output") for name in names]
    rules = [vjp(f, "x") for f in formulas]
    nests = [nest(f"kernel{number}", rule) for number, rule in enumerate(rules)]
    module = compiled("hostile", [kernel_text(n, "f64") for n in nests], tmp_path)
    for rule, made in zip(rules, nests, strict=True):
        arrays = {
            n: a.astype(float)
            for n, a in filled(
                {n: (2, 3) if n == "d" + rule.parent.output else (2,) for n in rule.gather.operands}
            ).items()
        }
        out = np.zeros((2, 7))
        parameters = dict.fromkeys(rule.gather.parameters, 2)
        getattr(module, f"{made.name}_f64")(
            out, *(arrays[n] for n in rule.scatter.operands), *parameters.values(), 0, 2, 1
        )
        assert np.array_equal(out, Plain(str(rule.scatter))(arrays, (2, 7), parameters).astype(float)), str(rule)


def test_names_reach_docstrings_as_words_only():
    """A name is letters, digits and underscores, so no text can end a docstring or a comment."""
    for name in HOSTILE:
        text = python_text(Formula(ROLES["operand"].replace("NAME", name)), "k")
        assert ast.get_docstring(ast.parse(text).body[0]).count('"') == 0


# ------------------------------------------------------------------------------------------------ records


@pytest.mark.parametrize("example, wrt", DIFFERENTIABLE)
def test_the_record_of_a_rule_loads_back(example, wrt):
    rule = vjp(Formula(example.text, ranges=dict(example.ranges)), wrt)
    record = json.loads(json.dumps(rule_record(rule)))
    assert record["kind"] == "rule"
    assert record["wrt"] == wrt
    assert Formula(record["formula"]) == rule.parent
    assert Formula(record["gather"]) == rule.gather
    assert Formula(record["scatter"]) == rule.scatter
    assert [s["lemma"] for s in record["steps"]] == [s.lemma for s in rule.steps]
    assert record["parameters"] == list(rule.parameters)


def test_the_record_of_a_proof_holds_the_counterexample():
    pytest.importorskip("z3")
    f = Formula("y[o] += x[s*o + r]*w[r]")
    proof = check(f, wrt="x", claim="dx[o + r] += dy[o]*w[r]")
    record = json.loads(json.dumps(proof_record(proof)))
    found = record["counterexample"]
    assert record["status"] == "refuted"
    assert {n: tuple(s) for n, s in found["sizes"].items()} == proof.counterexample.sizes
    assert (found["expected"], found["claimed"]) == (proof.counterexample.expected, proof.counterexample.claimed)
    right = json.loads(json.dumps(proof_record(prove(vjp(f, "x")))))
    assert (right["status"], right["counterexample"]) == ("proved", None)
    assert all(o["status"] in ("proved", "checked") for o in right["obligations"])


# ------------------------------------------------------------------------------------------- loop bounds, sizes


@pytest.mark.parametrize("text", ["o + r", "s*o + r", "s*o - r", "s*o + r - p", "3*o + 2*r - p"])
def test_the_interval_is_where_the_access_lies_inside(text):
    bounds = [
        f.show(e) for f in [Formula(f"y[o] += x[{text}]*w[r]")] for e in interval(read_of(f), "o", sympy.Symbol("n"))
    ]
    assert_bounds(text, *bounds)


def read_of(formula):
    (reading,) = (a for a in formula.terms[0].arrays() if str(a.base) == "x")
    return reading.indices[0]


def assert_bounds(text, lower, upper):
    """Python evaluates the printed bounds."""
    for s, p, r, n in itertools.product((1, 2, 3), (-2, 0, 1, 5), range(4), range(8)):
        names = {"s": s, "p": p, "r": r, "n": n}
        inside = [o for o in range(-30, 30) if 0 <= eval(text, names | {"o": o}) < n]
        assert list(range(eval(lower, dict(names)), eval(upper, dict(names)))) == inside


@pytest.mark.parametrize(
    "lower, upper", [("-r//s", "(n - 1 - r)//s + 1"), ("-(r//s)", "(n - 1 - r)//s"), ("-(r//s)", "(n - r)//s + 1")]
)
def test_a_bound_that_is_off_by_one_is_seen(lower, upper):
    assert_bounds("s*o + r", "-(r//s)", "(n - 1 - r)//s + 1")
    with pytest.raises(AssertionError):
        assert_bounds("s*o + r", lower, upper)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_leveled_kernel_of_the_registry_is_printed_for_every_dtype(dtype):
    names = re.findall(rf"^def (\w+)_{dtype}\(", generate(registry)["kernels/_generated/kernels.pxi"], re.MULTILINE)
    results = {op: (op.formula.output, *(rule.output for rule in op.rules.values())) for op in registry.values()}
    assert set(names) == {f"{op.name}_{r}" for op, made in results.items() if op.lane and op.leveled for r in made}
    assert len(names) == len(set(names))
